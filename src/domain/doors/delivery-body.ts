import type { MediaType } from './door.ts'
import { decodeLogs } from './otlp-protobuf.ts'

/**
 * A decoded body; `unsupported` for a media type the door does not read, `malformed` for what is not of its type,
 * `excessive` for what would come to far more in memory than it is on the way.
 */
export type DecodedDelivery =
  | { readonly kind: 'decoded'; readonly body: unknown }
  | { readonly kind: 'unsupported' }
  | { readonly kind: 'malformed'; readonly message: string }
  | { readonly kind: 'excessive'; readonly message: string }

/** What came, unzipped: the very bytes, or their text where nothing else is asked of them: bytes would be a copy more. */
export type Sent = string | Uint8Array<ArrayBuffer>

/** Objects and lists, each of which takes tens of bytes in memory and two or three on the way. */
const MAX_PARTS = 400_000
/** What is shorter cannot have as many. */
const MIN_EXCESSIVE_BYTES = 1_048_577
const EXCESSIVE = { kind: 'excessive', message: `request body must have at most ${MAX_PARTS.toLocaleString('en')} parts` } as const
const [OPEN_OBJECT, OPEN_LIST] = [0x7b, 0x5b]

/** How senders spell them. */
export const CONTENT_TYPES: Readonly<Record<MediaType, string>> = {
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  protobuf: 'application/x-protobuf',
  cloudevents: 'application/cloudevents+json',
  'cloudevents-batch': 'application/cloudevents-batch+json',
}
const MEDIA_TYPES: ReadonlyMap<string, MediaType> = new Map([
  ['', 'json'],
  ['application/json', 'json'],
  ['text/json', 'json'],
  ['application/x-www-form-urlencoded', 'form'],
  ['application/x-protobuf', 'protobuf'],
  ['application/protobuf', 'protobuf'],
  ['application/cloudevents+json', 'cloudevents'],
  ['application/cloudevents-batch+json', 'cloudevents-batch'],
])
const utf8 = new TextDecoder()
const JSON_SUFFIX = /^[\w.+-]+\/[\w.+-]+\+json$/

/** The media type of a `Content-Type`; none at all is JSON (Argo CD sends none), and so is plain text. */
function toMediaType(contentType = ''): MediaType | undefined {
  const known = MEDIA_TYPES.get(contentType)
  if (known !== undefined) return known
  const type = contentType.split(';', 1).join('').trim().toLowerCase()
  return MEDIA_TYPES.get(type) ?? (type === 'text/plain' || JSON_SUFFIX.test(type) ? 'json' : undefined)
}

/**
 * Decodes an unzipped body. A form becomes an object of its fields, or what its field `payload` holds as JSON (GitHub);
 * protobuf is OTLP's and becomes OTLP/JSON.
 */
export function decodeDelivery(mediaTypes: readonly MediaType[], contentType: string | undefined, sent: Sent): DecodedDelivery {
  const type = toMediaType(contentType)
  if (type === undefined || !mediaTypes.includes(type)) return { kind: 'unsupported' }
  if (type === 'protobuf') return fromProtobuf(toBytes(sent))
  if (sent.length >= MIN_EXCESSIVE_BYTES && countParts(toBytes(sent)) > MAX_PARTS) return EXCESSIVE
  const text = typeof sent === 'string' ? sent : utf8.decode(sent)
  if (type !== 'form') return parseJson(text)
  // curl -d says it is a form, whatever it holds.
  if (text.trimStart().startsWith('{')) return parseJson(text)
  const fields = new URLSearchParams(text)
  const payload = fields.get('payload')
  return payload === null ? { kind: 'decoded', body: Object.fromEntries(fields) } : parseJson(payload)
}

/** The bytes of what came; those of a text are as good as the very ones for all but a signature. */
export const toBytes = (sent: Sent): Uint8Array<ArrayBuffer> => (typeof sent === 'string' ? new TextEncoder().encode(sent) : sent)

function fromProtobuf(bytes: Uint8Array<ArrayBuffer>): DecodedDelivery {
  const decoded = decodeLogs(bytes, MAX_PARTS)
  if (decoded === 'excessive') return EXCESSIVE
  if (decoded === 'malformed') return { kind: 'malformed', message: 'request body must be an ExportLogsServiceRequest' }
  return { kind: 'decoded', body: decoded.logs }
}

/** At most as many objects and lists as JSON of these bytes has: brackets in its texts count, too. */
function countParts(bytes: Uint8Array): number {
  let parts = 0
  for (let place = 0; place < bytes.byteLength; place += 1) {
    const byte = bytes[place]
    if (byte === OPEN_OBJECT || byte === OPEN_LIST) parts += 1
  }
  return parts
}

function parseJson(text: string): DecodedDelivery {
  try {
    return { kind: 'decoded', body: JSON.parse(text) }
  } catch {
    return { kind: 'malformed', message: 'request body must be valid JSON' }
  }
}
