import { createMiddleware } from 'hono/factory'
import { inflate, readBounded } from '../bounded-body.ts'
import { AppError } from '../domain/errors.ts'
import type { AppContext, AppEnv } from './env.ts'

const MAX_BODY_BYTES = 1_048_576
const JSON_TYPES = ['application/json']
const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/json-lines']

export type DecodedBody = { readonly text: string; readonly isNdjson: boolean }

/**
 * A request's body as text, unzipped: at most 1 MiB, counted before and after; malformed UTF-8 becomes U+FFFD. Throws
 * `unsupported_media_type` for anything but JSON (or, where allowed, NDJSON), `payload_too_large`, and
 * `invalid_request` for broken gzip.
 */
export async function readBody(c: AppContext, options: { readonly allowNdjson: boolean }): Promise<DecodedBody> {
  const isNdjson = options.allowNdjson && NDJSON_TYPES.includes(readMediaType(c))
  if (!isNdjson) requireJson(c, options.allowNdjson ? ' or application/x-ndjson' : '')
  return { text: await readText(c), isNdjson }
}

/** As `readBytes`, as text; malformed UTF-8 becomes U+FFFD. */
export async function readText(c: AppContext, maxBytes: number = MAX_BODY_BYTES): Promise<string> {
  // The runtime holds a body to its declared length: no need to count.
  if (readEncoding(c) === 'identity' && readDeclaredLength(c) <= maxBytes) return await c.req.raw.text()
  return new TextDecoder().decode(await readBytes(c, maxBytes))
}

/** Throws `unsupported_media_type` for a body that says it is something else than JSON. */
function requireJson(c: AppContext, orElse = ''): void {
  if (JSON_TYPES.includes(readMediaType(c))) return
  throw new AppError('unsupported_media_type', `Content-Type must be application/json${orElse}`)
}

/**
 * A request's body of any media type, unzipped: at most `maxBytes`, counted before and after. Throws `payload_too_large`,
 * `invalid_request` for broken gzip, and `unsupported_media_type` for another encoding.
 */
export async function readBytes(c: AppContext, maxBytes: number = MAX_BODY_BYTES): Promise<Uint8Array<ArrayBuffer>> {
  const encoding = readEncoding(c)
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new AppError('unsupported_media_type', 'Content-Encoding must be gzip or identity')
  const declared = readDeclaredLength(c)
  if (declared > maxBytes) throw tooLarge(maxBytes)
  // The runtime holds a body to its declared length: no need to count.
  if (encoding === 'identity' && declared <= maxBytes) return new Uint8Array(await c.req.raw.arrayBuffer())
  const bytes = await readBounded(c.req.raw.body, maxBytes)
  const unzipped = bytes && encoding === 'gzip' ? await inflate(bytes, maxBytes).catch(refuseGzip) : bytes
  if (!unzipped) throw tooLarge(maxBytes)
  return unzipped
}

const readMediaType = (c: AppContext) => (c.req.header('Content-Type') ?? 'application/json').split(';', 1).join('').trim().toLowerCase()
const readEncoding = (c: AppContext) => (c.req.header('Content-Encoding') ?? 'identity').trim().toLowerCase()
const readDeclaredLength = (c: AppContext) => Number(c.req.header('Content-Length') ?? Number.NaN)

/** Parses a body; throws `invalid_request`. */
export function parseBody(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new AppError('invalid_request', 'request body must be valid JSON')
  }
}

/** Decodes the body once, within its limits, for handlers that validate it with a schema. */
export const decodeBody = createMiddleware<AppEnv>(async (c, next) => {
  const { text } = await readBody(c, { allowNdjson: false })
  const value = parseBody(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AppError('invalid_request', 'request body must be valid JSON')
  replaceBody(c, text)
  await next()
})

/** Holds a body to its limit, for handlers that ask for none. */
export const boundBody = createMiddleware<AppEnv>(async (c, next) => {
  replaceBody(c, await readBytes(c))
  await next()
})

function replaceBody(c: AppContext, body: string | Uint8Array<ArrayBuffer>): void {
  const headers = new Headers(c.req.raw.headers)
  headers.set('Content-Type', 'application/json')
  headers.delete('Content-Encoding')
  headers.delete('Content-Length')
  c.req.raw = new Request(c.req.raw.url, { method: c.req.method, headers, body })
}

function refuseGzip(): never {
  throw new AppError('invalid_request', 'request body must be valid gzip')
}

function tooLarge(maxBytes: number): AppError {
  const bytes = `${maxBytes.toLocaleString('en')} bytes`
  const mebibytes = maxBytes / 1_048_576
  return new AppError(
    'payload_too_large',
    `request body must be at most ${Number.isInteger(mebibytes) ? `${mebibytes} MiB (${bytes})` : bytes}`,
  )
}
