/** How a field of a message is written, and its name in OTLP/JSON. */
type Field = {
  readonly name: string
  readonly kind: 'text' | 'bytes' | 'bool' | 'int' | 'double' | 'fixed64' | Message
  readonly isRepeated?: true
}
type Message = () => ReadonlyMap<number, Field>
type Decoded = Record<string, unknown>

const one = (name: string, kind: Field['kind']): Field => ({ name, kind })
const many = (name: string, kind: Field['kind']): Field => ({ name, kind, isRepeated: true })

// opentelemetry-proto 1.9.0: logs/v1/logs.proto, common/v1/common.proto, resource/v1/resource.proto; what no door reads is left out.
const ANY_VALUE: Message = () => anyValue
const KEY_VALUE: Message = () => keyValue
const keyValue = new Map([
  [1, one('key', 'text')],
  [2, one('value', ANY_VALUE)],
])
const arrayValue = new Map([[1, many('values', ANY_VALUE)]])
const kvlistValue = new Map([[1, many('values', KEY_VALUE)]])
const anyValue = new Map([
  [1, one('stringValue', 'text')],
  [2, one('boolValue', 'bool')],
  [3, one('intValue', 'int')],
  [4, one('doubleValue', 'double')],
  [5, one('arrayValue', () => arrayValue)],
  [6, one('kvlistValue', () => kvlistValue)],
  [7, one('bytesValue', 'bytes')],
])
const logRecord = new Map([
  [1, one('timeUnixNano', 'fixed64')],
  [2, one('severityNumber', 'int')],
  [3, one('severityText', 'text')],
  [5, one('body', ANY_VALUE)],
  [6, many('attributes', KEY_VALUE)],
  [11, one('observedTimeUnixNano', 'fixed64')],
  [12, one('eventName', 'text')],
])
const resource = new Map([[1, many('attributes', KEY_VALUE)]])
const scopeLogs = new Map([[2, many('logRecords', () => logRecord)]])
const resourceLogs = new Map([
  [1, one('resource', () => resource)],
  [2, many('scopeLogs', () => scopeLogs)],
])
const request = new Map([[1, many('resourceLogs', () => resourceLogs)]])

/** Protobuf's own readers stop here, too. */
const MAX_DEPTH = 100
const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const FIXED32 = 5

class TooManyMessages extends RangeError {}

/**
 * An `ExportLogsServiceRequest` in the shape of OTLP/JSON, whose 64-bit integers are texts; `malformed` for bytes that
 * are none, `excessive` for more than so many messages, a record and each of its values being one.
 */
export function decodeLogs(bytes: Uint8Array<ArrayBuffer>, maxMessages: number): { readonly logs: unknown } | 'malformed' | 'excessive' {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    return { logs: decodeMessage({ bytes, view, at: 0, left: maxMessages }, bytes.byteLength, request, 0) }
  } catch (error) {
    if (error instanceof RangeError) return error instanceof TooManyMessages ? 'excessive' : 'malformed'
    throw error
  }
}

type Cursor = { readonly bytes: Uint8Array<ArrayBuffer>; readonly view: DataView; at: number; left: number }

function decodeMessage(cursor: Cursor, end: number, fields: ReadonlyMap<number, Field>, depth: number): Decoded {
  if (depth > MAX_DEPTH) throw new RangeError('nested too deeply')
  cursor.left -= 1
  if (cursor.left < 0) throw new TooManyMessages('too many messages')
  const message: Decoded = {}
  while (cursor.at < end) {
    const tag = Number(readVarint(cursor))
    const [field, wireType] = [fields.get(tag >>> 3), tag & 7]
    const value = readValue(cursor, wireType, field, depth)
    if (cursor.at > end) throw new RangeError('a field beyond its message')
    if (field) keep(message, field, value)
  }
  return message
}

function keep(message: Decoded, { name, isRepeated }: Field, value: unknown): void {
  if (value === undefined) return
  const list = message[name]
  if (!isRepeated) message[name] = value
  else if (Array.isArray(list)) list.push(value)
  else message[name] = [value]
}

/** `undefined` for a field that is not ours, or written in a way that is not its own. */
function readValue(cursor: Cursor, wireType: number, field: Field | undefined, depth: number): unknown {
  const kind = field?.kind
  switch (wireType) {
    case VARINT:
      return toInteger(readVarint(cursor), kind)
    case FIXED64:
      cursor.at += 8
      if (kind === 'double') return cursor.view.getFloat64(cursor.at - 8, true)
      return kind === 'fixed64' ? cursor.view.getBigUint64(cursor.at - 8, true).toString() : undefined
    case FIXED32:
      cursor.at += 4
      return undefined
    case LENGTH:
      return readDelimited(cursor, kind, depth)
    default:
      throw new RangeError('an unknown wire type')
  }
}

function toInteger(value: bigint, kind: Field['kind'] | undefined): unknown {
  if (kind === 'bool') return value !== 0n
  return kind === 'int' ? BigInt.asIntN(64, value).toString() : undefined
}

function readDelimited(cursor: Cursor, kind: Field['kind'] | undefined, depth: number): unknown {
  const length = Number(readVarint(cursor))
  const end = cursor.at + length
  if (end > cursor.bytes.byteLength) throw new RangeError('a length beyond the end')
  if (typeof kind === 'function') return decodeMessage(cursor, end, kind(), depth + 1)
  const bytes = cursor.bytes.subarray(cursor.at, end)
  cursor.at = end
  if (kind === 'text') return utf8.decode(bytes)
  return kind === 'bytes' ? btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')) : undefined
}

const utf8 = new TextDecoder()

/** Up to 64 bits. Most are of one byte. */
function readVarint(cursor: Cursor): bigint {
  let value = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = cursor.view.getUint8(cursor.at)
    cursor.at += 1
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return BigInt.asUintN(64, value)
  }
  throw new RangeError('a number of more than 64 bits')
}

/** A message of at most two fields: the first a number, the second a text. What is blank or 0 is not written. */
export function encodeNumberAndText(number: number, text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text)
  return Uint8Array.from([
    ...(number > 0 ? [0x08, ...toVarint(number)] : []),
    ...(text === '' ? [] : [0x12, ...toVarint(bytes.byteLength), ...bytes]),
  ])
}

/** A message whose first field is another message. */
export function encodeNested(message: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([0x0a, ...toVarint(message.byteLength), ...message])
}

function toVarint(number: number): number[] {
  return number < 0x80 ? [number] : [(number & 0x7f) | 0x80, ...toVarint(number >>> 7)]
}
