export type ErrorCode =
  | 'invalid_request'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'conflict'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'rate_limited'
  | 'unavailable'

/** One invalid place in a request: a JSON pointer into the body (or a parameter's name) and what is wrong there. */
export type FieldError = { readonly pointer: string; readonly detail: string }

/** The only error whose message a caller may see. */
export class AppError extends Error {
  override readonly name = 'AppError'
  readonly code: ErrorCode
  readonly fields: readonly FieldError[]

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { readonly fields?: readonly FieldError[] }) {
    super(message, options)
    this.code = code
    this.fields = options?.fields ?? []
  }
}

/** What may be logged of an error that is not the caller's. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown'
}
