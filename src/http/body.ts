import { createMiddleware } from 'hono/factory'
import { AppError } from '../domain/errors.ts'
import type { AppContext, AppEnv } from './context.ts'

const MAX_BODY_BYTES = 1_048_576
const JSON_TYPES = ['application/json']
const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/json-lines']

export type DecodedBody = { readonly bytes: Uint8Array<ArrayBuffer>; readonly isNdjson: boolean }

/**
 * A request's body, unzipped: at most 1 MiB, counted before and after. Throws `unsupported_media_type` for anything but
 * JSON (or, where allowed, NDJSON), `payload_too_large`, and `invalid_request` for broken gzip.
 */
export async function readBody(c: AppContext, options: { readonly allowNdjson: boolean }): Promise<DecodedBody> {
  const type = (c.req.header('Content-Type') ?? 'application/json').split(';', 1).join('').trim().toLowerCase()
  const isNdjson = options.allowNdjson && NDJSON_TYPES.includes(type)
  if (!isNdjson && !JSON_TYPES.includes(type)) {
    throw new AppError(
      'unsupported_media_type',
      `Content-Type must be application/json${options.allowNdjson ? ' or application/x-ndjson' : ''}`,
    )
  }
  const encoding = (c.req.header('Content-Encoding') ?? 'identity').trim().toLowerCase()
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new AppError('unsupported_media_type', 'Content-Encoding must be gzip or identity')
  if (Number(c.req.header('Content-Length') ?? 0) > MAX_BODY_BYTES) throw tooLarge()

  const bytes = await collect(c.req.raw.body)
  return { bytes: encoding === 'gzip' ? await gunzip(bytes) : bytes, isNdjson }
}

/** Decodes a body as UTF-8, malformed bytes as U+FFFD, and parses it. Throws `invalid_request`. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    throw new AppError('invalid_request', 'request body must be valid JSON')
  }
}

/** Decodes the body once, within its limits, for handlers that validate it with a schema. */
export const decodeBody = createMiddleware<AppEnv>(async (c, next) => {
  const { bytes } = await readBody(c, { allowNdjson: false })
  parseJson(bytes)
  const headers = new Headers(c.req.raw.headers)
  headers.set('Content-Type', 'application/json')
  headers.delete('Content-Encoding')
  headers.delete('Content-Length')
  c.req.raw = new Request(c.req.raw.url, { method: c.req.method, headers, body: bytes })
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
