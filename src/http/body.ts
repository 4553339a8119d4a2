import { createMiddleware } from 'hono/factory'
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
  const type = readMediaType(c)
  const isNdjson = options.allowNdjson && NDJSON_TYPES.includes(type)
  if (!isNdjson && !JSON_TYPES.includes(type)) {
    throw new AppError(
      'unsupported_media_type',
      `Content-Type must be application/json${options.allowNdjson ? ' or application/x-ndjson' : ''}`,
    )
  }
  const encoding = readEncoding(c)
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new AppError('unsupported_media_type', 'Content-Encoding must be gzip or identity')
  return { text: await readText(c.req.raw, encoding === 'gzip'), isNdjson }
}

const readMediaType = (c: AppContext) => (c.req.header('Content-Type') ?? 'application/json').split(';', 1).join('').trim().toLowerCase()
const readEncoding = (c: AppContext) => (c.req.header('Content-Encoding') ?? 'identity').trim().toLowerCase()

async function readText(request: Request, isZipped: boolean): Promise<string> {
  const length = Number(request.headers.get('Content-Length') ?? Number.NaN)
  if (length > MAX_BODY_BYTES) throw tooLarge()
  // The runtime holds a body to its declared length: no need to count.
  if (length >= 0 && !isZipped) return await request.text()
  const bytes = await collect(request.body)
  return new TextDecoder().decode(isZipped ? await gunzip(bytes) : bytes)
}

/** A JSON request's body as it came: at most 1 MiB. Throws `unsupported_media_type` and `payload_too_large`. */
export async function readBytes(c: AppContext): Promise<Uint8Array<ArrayBuffer>> {
  if (!JSON_TYPES.includes(readMediaType(c))) throw new AppError('unsupported_media_type', 'Content-Type must be application/json')
  if (readEncoding(c) !== 'identity') throw new AppError('unsupported_media_type', 'Content-Encoding must be identity')
  if (Number(c.req.header('Content-Length')) > MAX_BODY_BYTES) throw tooLarge()
  return await collect(c.req.raw.body)
}

/** Parses a body; throws `invalid_request`. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new AppError('invalid_request', 'request body must be valid JSON')
  }
}

/** Decodes the body once, within its limits, for handlers that validate it with a schema. */
export const decodeBody = createMiddleware<AppEnv>(async (c, next) => {
  const { text } = await readBody(c, { allowNdjson: false })
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AppError('invalid_request', 'request body must be valid JSON')
  const headers = new Headers(c.req.raw.headers)
  headers.set('Content-Type', 'application/json')
  headers.delete('Content-Encoding')
  headers.delete('Content-Length')
  c.req.raw = new Request(c.req.raw.url, { method: c.req.method, headers, body: text })
  await next()
})

async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await collect(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip')))
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError('invalid_request', 'request body must be valid gzip')
  }
}

async function collect(stream: ReadableStream<Uint8Array> | null): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let length = 0
  if (stream) {
    const reader = stream.getReader()
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      length += part.value.byteLength
      if (length > MAX_BODY_BYTES) {
        await reader.cancel()
        throw tooLarge()
      }
      chunks.push(part.value)
    }
  }
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}

const tooLarge = () => new AppError('payload_too_large', 'request body must be at most 1 MiB (1,048,576 bytes)')
