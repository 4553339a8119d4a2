import { describe, expect, test } from 'vitest'
import { deduplicationKey } from '../../../src/domain/event/event.ts'
import { parseEvent } from '../../../src/domain/event/parse.ts'
import { toValueClass } from '../../../src/domain/event/value-class.ts'
import { MAX_SHOWN_LENGTH, toShownValue, toStorableText } from '../../../src/domain/text.ts'

const VALID = { service_name: 'checkout', vendor: 'pino', entity: 'checkout', event_type: 'restart', confidence: 0.9, ttl_seconds: 900 }
const DETAILS = 'details must be an object with a title, a list of files or a list of keys'
const REQUIRED = 'service_name, vendor, and entity are required'

test.each([
  ['no service_name', { service_name: undefined }, '/service_name', REQUIRED],
  ['a null vendor', { vendor: null }, '/vendor', REQUIRED],
  ['an empty entity', { entity: '' }, '/entity', REQUIRED],
  ['a blank entity', { entity: ' \t' }, '/entity', REQUIRED],
  ['a name that nobody sees', { service_name: '\u200b\u2060\u202e' }, '/service_name', REQUIRED],
  ['a service_name that is a number', { service_name: 5 }, '/service_name', 'service_name must be a string'],
  ['a service_name of 513 characters', { service_name: 'x'.repeat(513) }, '/service_name', 'service_name must be at most 512 characters'],
  ['an actor of 513 characters', { actor: '🦊'.repeat(513) }, '/actor', 'actor must be at most 512 characters'],
  ['a sha of 513 characters', { sha: 'x'.repeat(513) }, '/sha', 'sha must be at most 512 characters'],
  ['no event_type', { event_type: undefined }, '/event_type', 'event_type is required'],
  ['no confidence', { confidence: undefined }, '/confidence', 'confidence must be between 0 and 1'],
  ['confidence 0', { confidence: 0 }, '/confidence', 'confidence must be between 0 and 1'],
  ['confidence 1.01', { confidence: 1.01 }, '/confidence', 'confidence must be between 0 and 1'],
  ['confidence as text', { confidence: '0.9' }, '/confidence', 'confidence must be between 0 and 1'],
  ['no ttl_seconds', { ttl_seconds: undefined }, '/ttl_seconds', 'ttl_seconds must be positive'],
  ['ttl_seconds 0', { ttl_seconds: 0 }, '/ttl_seconds', 'ttl_seconds must be positive'],
  ['ttl_seconds 1.5', { ttl_seconds: 1.5 }, '/ttl_seconds', 'ttl_seconds must be positive'],
  ['ttl_seconds of more than a year', { ttl_seconds: 31_536_001 }, '/ttl_seconds', 'ttl_seconds must be at most 31536000 (one year)'],
  ['a timestamp in no accepted form', { timestamp: 'yesterday' }, '/timestamp', 'timestamp must be ISO 8601'],
  ['an environment of 65 characters', { environment: 'é'.repeat(65) }, '/environment', 'environment must be at most 64 characters'],
  ['an environment that is no string', { environment: ['prod'] }, '/environment', 'environment must be a string'],
  ['a url without https', { url: 'http://ci.example/1' }, '/url', 'url must be an https address'],
  ['a url that is none', { url: 'javascript:alert(1)' }, '/url', 'url must be an https address'],
  ['a url that is too long', { url: `https://ci.example/${'x'.repeat(2_048)}` }, '/url', 'url must be at most 2048 characters'],
  ['details that are no object', { details: 'x' }, '/details', DETAILS],
  ['details with files that are no list', { details: { files: 'x' } }, '/details', DETAILS],
  ['details with keys that are no texts', { details: { keys: [1] } }, '/details', DETAILS],
  ['details of more than 2 kB', { details: { title: 'é'.repeat(1_025) } }, '/details', 'details must be at most 2048 bytes'],
  ['a value that is no string', { new_value: { a: 1 } }, '/new_value', 'new_value must be a string'],
])('%s is refused', (_name, fields, pointer, detail) => {
  expect(parseEvent({ ...VALID, ...fields })).toMatchObject({ ok: false, fields: [{ pointer, detail }] })
})

test('an unknown event_type is told the nine there are', () => {
  const parsed = parseEvent({ ...VALID, event_type: 'reboot' })
  expect(parsed.ok ? '' : parsed.fields[0].detail).toMatch(/deploy, restart, .*scale_event/)
})

test('errors come in the order of the contract', () => {
  const parsed = parseEvent({ timestamp: 'x', ttl_seconds: 0 })
  expect(parsed.ok ? [] : parsed.fields.map(({ pointer }) => pointer)).toEqual([
    '/service_name',
    '/vendor',
    '/entity',
    '/event_type',
    '/confidence',
    '/ttl_seconds',
    '/timestamp',
  ])
})

test.each([null, 'text', 5, [], undefined])('%j is no event', (value) => {
  expect(parseEvent(value)).toMatchObject({ ok: false, fields: [{ detail: 'request body must be valid JSON' }] })
})

test('limits are inclusive, empty optional fields are absent, unknown fields and prototype keys are ignored', () => {
  const input = JSON.parse(`{"service_name":"${'🦊'.repeat(512)}","vendor":"v","entity":"e","event_type":"deploy","confidence":1,
    "ttl_seconds":31536000,"old_value":"","new_value":null,"timestamp":"","tenant_id":"x","id":"x","expires_at":"x","__proto__":{"sha":"x"}}`)
  expect(parseEvent(input)).toMatchObject({
    ok: true,
    event: { oldValue: null, newValue: null, actor: null, sha: null, sentTimestamp: null, occurredAt: null, ttlSeconds: 31_536_000 },
  })
})

test('NUL bytes and lone surrogates become U+FFFD', () => {
  expect(toStorableText('a\0b\ud800c😀')).toBe('a\ufffdb\ufffdc😀')
  const parsed = parseEvent({ ...VALID, new_value: 'a\0\udc00' })
  expect(parsed.ok && parsed.event.newValue).toBe('a\ufffd\ufffd')
})

test('at most 1,024 characters of a value are shown, none of them cut in half', () => {
  expect(toShownValue('x'.repeat(MAX_SHOWN_LENGTH))).toHaveLength(MAX_SHOWN_LENGTH)
  expect(toShownValue(`${'x'.repeat(1023)}😀y`)).toBe(`${'x'.repeat(1023)}😀`)
  expect(Array.from(toShownValue('😀'.repeat(3000)))).toHaveLength(MAX_SHOWN_LENGTH)
})

describe('the deduplication key', () => {
  const keyOf = (fields: Record<string, unknown>) => {
    const parsed = parseEvent({ ...VALID, timestamp: '2024-01-15T10:23:41Z', ...fields })
    return parsed.ok ? deduplicationKey(parsed.event) : undefined
  }

  test('is there only with a timestamp', () => {
    expect(keyOf({ timestamp: '' })).toBeUndefined()
    expect(keyOf({})).toBeDefined()
  })

  test.each([
    { service_name: 'x' },
    { vendor: 'x' },
    { entity: 'x' },
    { event_type: 'deploy' },
    { old_value: 'x' },
    { new_value: 'x' },
    { actor: 'x' },
    { sha: 'x' },
    { timestamp: '2024-01-15T10:23:41.000000001Z' },
    { raw_line: 'x' },
  ])('differs with %j', (fields) => {
    expect(keyOf(fields)).not.toBe(keyOf({}))
  })

  test.each([{ confidence: 0.1 }, { ttl_seconds: 1 }, { old_value: '' }, { unknown: 1 }])('is the same with %j', (fields) => {
    expect(keyOf(fields)).toBe(keyOf({}))
  })
})

test.each([
  [null, ''],
  ['slow_query:4521.234ms', 'slow_query:#ms'],
  ['slow_query:812ms', 'slow_query:#ms'],
  ['syncing:a1b2c3d4', 'syncing:#'],
  ['OOMKilled', 'OOMKilled'],
  ['deadlock_detected', 'deadlock_detected'],
  ['temp_file:64MB', 'temp_file:#MB'],
  ['job 9b2d6c1e-8a6f-4a53-9c67-0d2f6c1e8a6f failed', 'job # failed'],
  ['connect ECONNREFUSED 10.0.3.17:5432', 'connect ECONNREFUSED #:#'],
  ['deface-12', '#-#'],
  ['deface-facade 12', 'deface-facade #'],
  ['deface-abc-facade1', '#-abc-#'],
  ['facade1-abc-deface', '#-abc-deface'],
  ['facade1 deface', '# deface'],
  ['deface DEFACE1-ABCD-defz', 'deface #-defz'],
  ['defaced_1, 1defaces', 'defaced_#, #defaces'],
])('the class of %j is %j', (value, valueClass) => {
  expect(toValueClass(value)).toBe(valueClass)
})

test('an environment, an address and details are read, and what else details have is ignored', () => {
  const sent = {
    environment: ' PROD ',
    url: 'https://ci.example/1',
    details: { title: 'a\0b', files: ['src/a.ts'], keys: [], author: 'x' },
  }
  expect(parseEvent({ ...VALID, ...sent })).toMatchObject({
    ok: true,
    event: { environment: 'production', url: 'https://ci.example/1', details: { title: 'a\ufffdb', files: ['src/a.ts'] } },
  })
  expect(parseEvent({ ...VALID, environment: ' ', url: '', details: {} })).toMatchObject({
    ok: true,
    event: { environment: null, url: null, details: null },
  })
})

test('an environment makes another event only where it was sent', () => {
  const keyOf = (fields: object) => {
    const parsed = parseEvent({ ...VALID, timestamp: '2026-01-15T10:00:00Z', ...fields })
    return parsed.ok ? deduplicationKey(parsed.event) : undefined
  }
  expect(keyOf({})).toBe('["checkout","pino","checkout","restart",null,null,null,null,"2026-01-15T10:00:00Z",null]')
  expect(keyOf({ environment: 'staging' })).not.toBe(keyOf({}))
  expect(keyOf({ url: 'https://ci.example/1', details: { title: 'x' } })).toBe(keyOf({}))
})
