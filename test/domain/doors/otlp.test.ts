import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeDelivery } from '../../../src/domain/doors/delivery-body.ts'
import { DOORS } from '../../../src/domain/doors/index.ts'
import { deliver, deliverBytes } from '../../support/deliver.ts'
import type { Fields } from '../../support/door-cases.ts'

const otlp = DOORS.otlp
const attributes = (fields: Fields) => Object.entries(fields).map(([key, value]) => ({ key, value: { stringValue: value } }))

type Told = { readonly resource?: Fields; readonly attributes?: Fields; readonly body?: unknown } & Fields

const request = (records: readonly Told[]) => ({
  resourceLogs: records.map(({ resource = {}, attributes: own = {}, ...record }) => ({
    resource: { attributes: attributes(resource) },
    scopeLogs: [{ logRecords: [{ timeUnixNano: '1772442870250000000', ...record, attributes: attributes(own) }] }],
  })),
})
const read = (...records: readonly Told[]) => deliver(otlp, request(records))

const checkout = { 'service.name': 'checkout' }
const evaluation = { 'feature_flag.key': 'express', 'feature_flag.result.variant': 'on', 'feature_flag.provider.name': 'flagd' }
const flag: Told = { resource: checkout, eventName: 'feature_flag.evaluation', attributes: evaluation }
const deployment = { 'deployment.name': 'checkout', 'deployment.status': 'succeeded', 'vcs.ref.head.revision': '3f9c1d' }
const pod = { 'k8s.object.kind': 'Pod', 'k8s.object.name': 'cart-6d5f7c9b8d-k2x7q' }
const map = (fields: Fields): unknown => ({
  kvlistValue: {
    values: Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => ({
        key,
        value: typeof value === 'string' ? { stringValue: value } : map(Object(value)),
      })),
  },
})
const kubernetesEvent = {
  reason: 'FailedMount',
  involvedObject: { kind: 'Pod', name: 'cart-6d5f7c9b8d-k2x7q', namespace: 'shop' },
  message: 'no volume',
  lastTimestamp: '2026-03-02T09:14:20Z',
}
const objects = { 'k8s.resource.name': 'events' }

test.each<[string, Told, Fields]>([
  [
    'an evaluation',
    flag,
    {
      event_type: 'flag_change',
      vendor: 'flagd',
      service_name: 'checkout',
      entity: 'express',
      new_value: 'on',
      confidence: 0.6,
      ttl_seconds: 1800,
      timestamp: '2026-03-02T09:14:30.250000Z',
    },
  ],
  [
    'an evaluation by its older names',
    {
      ...flag,
      eventName: 'feature_flag',
      attributes: { 'feature_flag.key': 'x', 'feature_flag.variant': 'b', 'feature_flag.provider_name': 'P' },
    },
    { vendor: 'P', entity: 'x', new_value: 'b' },
  ],
  [
    'an evaluation whose value is its body, as it was once specified',
    { ...flag, attributes: { 'feature_flag.key': 'x', 'feature_flag.evaluation.reason': 'split' }, body: map({ value: 'b' }) },
    { entity: 'x', new_value: 'b' },
  ],
  [
    'an evaluation named by an attribute',
    { ...flag, eventName: '', attributes: { ...evaluation, 'event.name': 'feature_flag.evaluation' } },
    { entity: 'express' },
  ],
  [
    'a deployment',
    { resource: checkout, attributes: deployment },
    { event_type: 'deploy', entity: 'checkout', new_value: 'succeeded', sha: '3f9c1d', confidence: 0.95 },
  ],
  ['a deployment whose end is not told', { attributes: { 'deployment.name': 'cart' } }, { service_name: 'cart', new_value: 'started' }],
  [
    'a watched object',
    { attributes: objects, body: map({ type: 'ADDED', object: kubernetesEvent }) },
    { event_type: 'dependency_failure', service_name: 'cart', entity: 'cart-6d5f7c9b8d-k2x7q', timestamp: '2026-03-02T09:14:20.000000Z' },
  ],
  [
    'a bare object',
    {
      attributes: objects,
      body: map({
        ...kubernetesEvent,
        involvedObject: undefined,
        regarding: kubernetesEvent.involvedObject,
        message: undefined,
        note: 'n',
      }),
    },
    { service_name: 'cart' },
  ],
  [
    'an object of a deployment',
    { resource: { 'k8s.deployment.name': 'cart-api' }, attributes: objects, body: map(kubernetesEvent) },
    { service_name: 'cart-api' },
  ],
  [
    'an event of the receiver',
    {
      resource: pod,
      attributes: { 'k8s.event.reason': 'OOMKilling', 'k8s.namespace.name': 'shop' },
      body: { stringValue: 'MemoryLimit: 64Mi' },
    },
    { event_type: 'restart', service_name: 'cart', new_value: 'OOMKilled', old_value: 'limit=64Mi' },
  ],
  ['a line', { resource: checkout, body: { stringValue: 'ERROR:  deadlock detected' } }, { vendor: 'postgres', service_name: 'checkout' }],
  [
    'a line of production',
    { resource: { ...checkout, 'deployment.environment.name': 'prod' }, body: { stringValue: 'ERROR:  deadlock detected' } },
    { environment: 'production' },
  ],
])('%s', (_name, record, expected) => {
  expect(read(record)).toMatchObject({ events: [expected], alerts: [] })
})

test.each<[string, Told, string]>([
  ['the default', { ...flag, attributes: { ...evaluation, 'feature_flag.result.reason': 'DEFAULT' } }, 'flag evaluation: default'],
  [
    'a deleted object',
    { attributes: objects, body: map({ type: 'DELETED', object: kubernetesEvent }) },
    'a Kubernetes event that was deleted',
  ],
  [
    'a bare deleted object',
    { attributes: { ...objects, 'event.type': 'DELETED' }, body: map(kubernetesEvent) },
    'a Kubernetes event that was deleted',
  ],
  [
    'an evaluation that failed',
    { ...flag, attributes: { 'feature_flag.key': 'x', 'feature_flag.result.reason': 'error', 'error.type': 'flag_not_found' } },
    'flag evaluation: error',
  ],
  ['staging', { ...flag, resource: { ...checkout, 'deployment.environment': 'staging' } }, 'environment staging'],
  [
    'a line of staging that says nothing',
    { resource: { 'deployment.environment': 'staging' }, body: { stringValue: 'served' } },
    'no rule',
  ],
  ['a number', { body: { intValue: '5' } }, 'no rule'],
])('%s is ignored', (_name, record, reason) => {
  const signals = read(record)
  expect(signals).toMatchObject({ events: [], alerts: [], ignored: reason })
  expect(signals).not.toHaveProperty('rejected')
})

test('repeats of one change within a request are one event; what was left out is counted', () => {
  const noise: Told = { body: { stringValue: 'served' } }
  const other = { ...flag, attributes: { ...evaluation, 'feature_flag.result.variant': 'off' } }
  const { events, ignored } = read(flag, flag, noise, other, flag, noise)
  expect(events.map(({ new_value }) => new_value)).toEqual(['on', 'off'])
  expect(ignored).toBe('2 × no rule')
  expect(deliver(otlp, {})).toMatchObject({ ignored: 'no log records' })
})

test('only records that name an event and make none are rejected, in the encoding of the request', () => {
  const nameless = { ...flag, attributes: { 'feature_flag.key': 'x' } }
  const signals = read(flag, nameless, { body: { stringValue: 'served' } })
  expect(signals).toMatchObject({ rejected: 1 })
  const answer = (contentType: string, told = signals) =>
    otlp.answer?.(told, { body: {}, header: () => contentType, settings: { serviceMap: {} }, id: '' })
  expect(JSON.parse(String(answer('application/json')?.body))).toMatchObject({ partialSuccess: { rejectedLogRecords: '1' } })
  expect(answer('application/json', read(flag))).toEqual({ status: 200, contentType: 'application/json', body: '{}' })
  expect(answer('application/x-protobuf', read(flag))?.body).toEqual(new Uint8Array())
  expect([...Object(answer('application/x-protobuf')?.body)].slice(2, 5)).toEqual([0x08, 1, 0x12])
  expect(otlp.refusal?.(400, 'no', 'application/x-protobuf').body).toEqual(Uint8Array.from([0x12, 2, 0x6e, 0x6f]))
  expect(otlp.refusal?.(400, 'no', undefined).body).toBe('{"message":"no"}')
})

test('names may be in snake case, and times numbers', () => {
  const record = {
    time_unix_nano: 1772442870250000000,
    event_name: 'feature_flag.evaluation',
    attributes: attributesInSnakeCase(evaluation),
  }
  const body = { resource_logs: [{ resource: { attributes: attributesInSnakeCase(checkout) }, scope_logs: [{ log_records: [record] }] }] }
  expect(deliver(otlp, body).events).toEqual(read(flag).events)
})

const attributesInSnakeCase = (fields: Fields) => Object.entries(fields).map(([key, value]) => ({ key, value: { string_value: value } }))

// An encoder for the tests: enough of protobuf for what OTLP/JSON can say.
const bytesOf = (text: string) => [...new TextEncoder().encode(text)]
const varint = (value: bigint): number[] => (value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)])
const delimited = (field: number, bytes: readonly number[]) => [...varint(BigInt(field * 8 + 2)), ...varint(BigInt(bytes.length)), ...bytes]
const fixed64 = (field: number, value: bigint) => [
  field * 8 + 1,
  ...Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(8 * index)) & 255n)),
]

type AnyValue = {
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly intValue?: string
  readonly arrayValue?: { readonly values: readonly AnyValue[] }
}

function encodeValue({ stringValue, boolValue, intValue, arrayValue }: AnyValue): number[] {
  if (stringValue !== undefined) return delimited(1, bytesOf(stringValue))
  if (boolValue !== undefined) return [2 * 8, Number(boolValue)]
  if (intValue !== undefined) return [3 * 8, ...varint(BigInt.asUintN(64, BigInt(intValue)))]
  return delimited(
    5,
    (arrayValue?.values ?? []).flatMap((value) => delimited(1, encodeValue(value))),
  )
}

const pairOf = (key: string, value: AnyValue) => [...delimited(1, bytesOf(key)), ...delimited(2, encodeValue(value))]

test('a service that nobody has named is none', () => {
  const { events, rejected, evaluations } = read(
    { ...flag, resource: { 'service.name': 'unknown_service:node' } },
    { resource: { 'service.name': 'unknown_service' }, attributes: deployment },
    { resource: { 'service.name': 'unknown_service:java' }, attributes: { 'deployment.id': '7' } },
  )
  expect(events.map(({ service_name }) => service_name)).toEqual(['flagd', 'checkout'])
  expect([rejected, evaluations]).toEqual([1, undefined])
})

test('protobuf and JSON are the same request', () => {
  const value: fc.Arbitrary<AnyValue> = fc.letrec<{ value: AnyValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.record({ stringValue: fc.string({ unit: 'grapheme' }) }),
      fc.record({ boolValue: fc.boolean() }),
      fc.record({ intValue: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) }),
      fc.record({ arrayValue: fc.record({ values: fc.array(tie('value'), { minLength: 1, maxLength: 3 }) }) }),
    ),
  })).value
  const record = fc.record({
    time: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    name: fc.string({ unit: 'grapheme' }),
    body: value,
    pairs: fc.array(fc.tuple(fc.string(), value), { minLength: 1, maxLength: 4 }),
  })
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 3 }), (records) => {
      const logRecords = records.map(({ time, name, body, pairs }) => ({
        timeUnixNano: String(time),
        body,
        attributes: pairs.map(([key, one]) => ({ key, value: one })),
        eventName: name,
      }))
      const encoded = records.map(({ time, name, body, pairs }) => [
        ...fixed64(1, time),
        ...delimited(5, encodeValue(body)),
        ...pairs.flatMap(([key, one]) => delimited(6, pairOf(key, one))),
        // Flags and a trace's id, which no door reads.
        ...[8 * 8 + 5, 1, 0, 0, 0],
        ...delimited(9, [1, 2, 3]),
        ...delimited(12, bytesOf(name)),
      ])
      const bytes = delimited(
        1,
        delimited(
          2,
          encoded.flatMap((one) => delimited(2, one)),
        ),
      )
      const decoded = decodeDelivery(['protobuf'], 'application/x-protobuf', Uint8Array.from(bytes))
      expect(decoded).toEqual({ kind: 'decoded', body: { resourceLogs: [{ scopeLogs: [{ logRecords }] }] } })
    }),
    { numRuns: 60 },
  )
})

test('any bytes are decoded or malformed, never more than that', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const decoded = decodeDelivery(['protobuf'], 'application/x-protobuf', Uint8Array.from(bytes))
      expect(['decoded', 'malformed']).toContain(decoded.kind)
      if (decoded.kind === 'decoded') expect(deliverBytes(otlp, 'application/x-protobuf', Uint8Array.from(bytes)).alerts).toEqual([])
    }),
    { numRuns: 300 },
  )
  const deep = Array.from({ length: 200 }).reduce<number[]>((inner) => delimited(5, delimited(1, inner)), [])
  const nested = delimited(1, delimited(2, delimited(2, delimited(5, deep))))
  expect(decodeDelivery(['protobuf'], 'application/x-protobuf', Uint8Array.from(nested)).kind).toBe('malformed')
})
