import { expect, test } from 'vitest'
import { decodeDelivery } from '../../../src/domain/doors/delivery-body.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const decoded = (body: unknown) => ({ kind: 'decoded', body })
const malformed = { kind: 'malformed', message: 'request body must be valid JSON' }

test.each<[string, string | undefined, string, unknown]>([
  ['JSON', 'application/json', '{"a":1}', decoded({ a: 1 })],
  ['JSON with parameters', 'Application/JSON; charset=utf-8', '[]', decoded([])],
  ['nothing said', undefined, '{"a":1}', decoded({ a: 1 })],
  ['plain text', 'text/plain', '{"a":1}', decoded({ a: 1 })],
  ['a type on JSON', 'application/vnd.acme.hook+json', '{"a":1}', decoded({ a: 1 })],
  ['a form', 'application/x-www-form-urlencoded', 'service=checkout&by=a%20b', decoded({ service: 'checkout', by: 'a b' })],
  ['a form around JSON', 'application/x-www-form-urlencoded', 'payload=%7B%22a%22%3A1%7D', decoded({ a: 1 })],
  ['JSON that curl calls a form', 'application/x-www-form-urlencoded', ' {"a":1}', decoded({ a: 1 })],
  ['an empty body', 'application/json', '', malformed],
  ['no JSON', 'application/json', '{"a":', malformed],
  ['a form around no JSON', 'application/x-www-form-urlencoded', 'payload=1=2', malformed],
  ['markup', 'text/xml', '<a/>', { kind: 'unsupported' }],
  ['a type the door does not read', 'application/x-protobuf', '', { kind: 'unsupported' }],
])('%s', (_name, type, text, expected) => {
  expect(decodeDelivery(['json', 'form'], type, bytes(text))).toEqual(expected)
})

test('protobuf becomes OTLP/JSON, or is malformed', () => {
  // One resource without attributes, one scope with one record whose severity is 17.
  const body = Uint8Array.from([0x0a, 0x08, 0x0a, 0x00, 0x12, 0x04, 0x12, 0x02, 0x10, 0x11])
  const expected = { resourceLogs: [{ resource: {}, scopeLogs: [{ logRecords: [{ severityNumber: '17' }] }] }] }
  expect(decodeDelivery(['protobuf'], 'application/x-protobuf', body)).toEqual(decoded(expected))
  expect(decodeDelivery(['protobuf'], 'application/x-protobuf', new Uint8Array())).toEqual(decoded({}))
  expect(decodeDelivery(['protobuf'], 'application/x-protobuf', body.slice(0, -1))).toMatchObject({ kind: 'malformed' })
})

const EMPTY_RECORD = Buffer.from([0x12, 0x00])
const field = (tag: number, content: Uint8Array) => {
  const size = content.byteLength
  return Buffer.concat([
    Buffer.from([tag, (size & 0x7f) | 0x80, ((size >>> 7) & 0x7f) | 0x80, ((size >>> 14) & 0x7f) | 0x80, size >>> 21]),
    content,
  ])
}

test('what is little on the way and a lot in memory is excessive, but no batch that a collector makes', () => {
  const decode = (type: string, body: Uint8Array) => decodeDelivery(['json', 'protobuf'], type, new Uint8Array(body)).kind
  const json = (records: string) => bytes(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[${records}]}]}]}`)
  expect(decode('application/json', json(`${'{},'.repeat(1_390_000)}{}`))).toBe('excessive')
  expect(decode('application/x-protobuf', field(0x0a, field(0x12, Buffer.alloc(4_000_000, EMPTY_RECORD))))).toBe('excessive')

  const text = JSON.stringify({ level: 'info', user: { id: 7 }, tags: ['a'] })
  const attributes = ['a', 'b', 'c'].map((key) => ({ key, value: { stringValue: text } }))
  const record = JSON.stringify({ timeUnixNano: '1772442870250000000', severityNumber: 9, body: { stringValue: text }, attributes })
  expect(decode('application/json', json(Array(8_192).fill(record).join(',')))).toBe('decoded')
  // Each of three messages: itself, its body, and the text in that.
  const logRecord = field(0x12, field(0x2a, field(0x0a, bytes('GET /health'))))
  expect(decode('application/x-protobuf', field(0x0a, field(0x12, Buffer.concat(Array(80_000).fill(logRecord)))))).toBe('decoded')
})
