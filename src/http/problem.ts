import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Log } from '../deps.ts'
import { AppError, type ErrorCode, type FieldError } from '../domain/errors.ts'
import { isDatabaseUnavailable, sqlState } from '../store/postgres.ts'
import type { AppEnv } from './context.ts'

type Problem = { readonly status: ContentfulStatusCode; readonly title: string; readonly retryAfterSeconds?: number }

const PROBLEMS = {
  invalid_request: { status: 400, title: 'Invalid request' },
  unauthorized: { status: 401, title: 'Unauthorized' },
  forbidden: { status: 403, title: 'Forbidden' },
  not_found: { status: 404, title: 'Not found' },
  conflict: { status: 409, title: 'Conflict' },
  payload_too_large: { status: 413, title: 'Payload too large' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type' },
  unavailable: { status: 503, title: 'Service unavailable', retryAfterSeconds: 5 },
} as const satisfies Record<ErrorCode, Problem>

const INTERNAL: Problem = { status: 500, title: 'Internal error' }

/** The error body of RFC 9457, with `error` for clients that expect it. */
const ProblemBody = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    error: z.string(),
    request_id: z.string(),
    errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .openapi('Problem')

/** The problem responses of an operation, for its OpenAPI description. */
export function problems(...codes: ErrorCode[]) {
  return Object.fromEntries(
    codes.map((code) => [
      PROBLEMS[code].status,
      { description: PROBLEMS[code].title, content: { 'application/problem+json': { schema: ProblemBody } } },
    ]),
  )
}

/** zod's findings as JSON pointers into the body. */
export function toFieldErrors(issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): FieldError[] {
  return issues.map(({ path, message }) => ({
    pointer: path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
    detail: message,
  }))
}

/** Answers any thrown error: what callers may know as they should know it, the rest as a 500 that is logged once. */
export function answerError(error: unknown, c: Context<AppEnv>, log: Log): Response {
  const known = toAppError(error)
  if (known) return answerProblem(c, PROBLEMS[known.code], known.message, known.fields)
  log('bug', { request_id: c.get('requestId'), method: c.req.method, ...describe(error) })
  return answerProblem(c, INTERNAL, 'something went wrong on our side; the request id helps us find it', [])
}

function toAppError(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error
  if (isDatabaseUnavailable(error)) return new AppError('unavailable', 'the database is not available; try again')
  if (error instanceof HTTPException && error.status < 500) return new AppError('invalid_request', 'request body must be valid JSON')
  return undefined
}

function describe(error: unknown): Readonly<Record<string, unknown>> {
  const state = sqlState(error)
  if (state !== undefined) return { sqlstate: state }
  return error instanceof Error ? { name: error.name, message: error.message, stack: error.stack } : { message: 'not an error' }
}

function answerProblem(c: Context<AppEnv>, problem: Problem, detail: string, fields: readonly FieldError[]): Response {
  const { status, title, retryAfterSeconds } = problem
  const body = {
    type: 'about:blank',
    title,
    status,
    detail,
    instance: new URL(c.req.url).pathname,
    error: detail,
    request_id: c.get('requestId') ?? '',
    ...(fields.length > 0 ? { errors: fields } : {}),
  }
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json' }
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer'
  if (retryAfterSeconds !== undefined) headers['Retry-After'] = String(retryAfterSeconds)
  return c.body(JSON.stringify(body), status, headers)
}
