import { gzipSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { DOORS } from '../../src/domain/doors/index.ts'
import { toId } from '../../src/domain/ids.ts'
import { createTenant } from '../../src/usecases/create-tenant.ts'
import { readDeliveries } from '../../src/usecases/read-deliveries.ts'
import { createTestTenant, entriesOf, listServicesOf, makeEvent, readWindowOf, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()
const GZIP = { 'Content-Encoding': 'gzip' }

const send = (tenant: TestTenant, body: unknown, headers: Record<string, string> = {}) =>
  app.request('/v1/events', { key: tenant.ingestKey, body, headers })
const sendBatch = (tenant: TestTenant, body: unknown, headers: Record<string, string> = {}) =>
  app.request('/v1/events/batch', { key: tenant.ingestKey, body, headers })

async function countStored(tenant: TestTenant): Promise<number> {
  const { data = [] } = await app.as(tenant.readonlyKey).GET('/v1/agents')
  return data[0]?.events_last_hour ?? Number.NaN
}

test('an event goes in and comes out of its window', async () => {
  const tenant = await createTestTenant(app)
  const response = await send(tenant, makeEvent({ timestamp: '2026-01-15T10:23:41Z' }))
  expect([response.status, await response.text()]).toEqual([201, ''])

  const services = await listServicesOf(app, tenant)
  expect([...services.keys()]).toEqual(['checkout'])
  expect(services.get('checkout')).toMatchObject({ tenant_id: tenant.tenantId, agent_id: tenant.agentId })
  const window = await readWindowOf(app, tenant, 'checkout')
  expect(window).toMatchObject({ service: 'checkout', restart_events: [], scale_events: [] })
  expect(window['deploy_events']).toEqual([
    {
      id: response.headers.get('Noctuary-Event-Id'),
      event_type: 'deploy',
      vendor: 'argocd',
      entity: 'checkout',
      old_value: null,
      new_value: 'succeeded',
      actor: null,
      sha: 'a4f2c1',
      environment: null,
      url: null,
      details: null,
      confidence: 0.95,
      timestamp: '2026-01-15T10:23:41.000Z',
      first_timestamp: '2026-01-15T10:23:41.000Z',
      expires_at: new Date(Date.parse(window.updated_at ?? '') + 900_000).toISOString(),
      count: 1,
      joined_by: 'service_name',
    },
  ])
})

describe('bad input', () => {
  test.each([
    ['no service_name', makeEvent({ service_name: undefined }), 400, 'service_name, vendor, and entity are required'],
    ['an empty entity', makeEvent({ entity: '' }), 400, 'service_name, vendor, and entity are required'],
    ['no event_type', makeEvent({ event_type: null }), 400, 'event_type is required'],
    ['confidence 0', makeEvent({ confidence: 0 }), 400, 'confidence must be between 0 and 1'],
    ['ttl_seconds -1', makeEvent({ ttl_seconds: -1 }), 400, 'ttl_seconds must be positive'],
    ['an unreadable timestamp', makeEvent({ timestamp: '15/01/2024' }), 400, 'timestamp must be ISO 8601'],
    ['broken JSON', '{"service_name":', 400, 'request body must be valid JSON'],
    ['an empty body', '', 400, 'request body must be valid JSON'],
    ['an array', '[]', 400, 'request body must be valid JSON'],
    ['a huge number', '{"confidence":1e999}', 400, 'service_name, vendor, and entity are required'],
    ['ten thousand brackets', '['.repeat(10_000), 400, 'request body must be valid JSON'],
  ])('%s is answered %3$i', async (_name, body, status, detail) => {
    const tenant = await createTestTenant(app)
    const response = await send(tenant, body)
    expect(response.status).toBe(status)
    expect(response.headers.get('Content-Type')).toBe('application/problem+json')
    const problem = await response.json()
    expect(problem).toMatchObject({ status, detail, error: detail, instance: '/v1/events' })
    expect(problem.request_id).toBe(response.headers.get('X-Request-Id'))
    expect(await countStored(tenant)).toBe(0)
    expect((await listServicesOf(app, tenant)).size).toBe(0)
  })

  test('a validation problem names the fields', async () => {
    const tenant = await createTestTenant(app)
    const response = await send(tenant, makeEvent({ entity: ' ', ttl_seconds: 0 }))
    expect(await response.json()).toMatchObject({ errors: [{ pointer: '/entity' }, { pointer: '/ttl_seconds' }] })
  })

  test.each([
    ['a body over 1 MiB', 'x'.repeat(1_048_577), {}, 413],
    ['a body over 1 MiB once unzipped', gzipSync('x'.repeat(1_048_577)), GZIP, 413],
    ['form data', 'a=b', { 'Content-Type': 'application/x-www-form-urlencoded' }, 415],
    ['NDJSON for a single event', '{}', { 'Content-Type': 'application/x-ndjson' }, 415],
    ['brotli', '{}', { 'Content-Encoding': 'br' }, 415],
    ['broken gzip', 'no gzip', GZIP, 400],
    ['gzip that is cut off', gzipSync(JSON.stringify(makeEvent())).subarray(0, -4), GZIP, 400],
    ['gzip and then something else', Buffer.concat([gzipSync(JSON.stringify(makeEvent())), Buffer.from('junk')]), GZIP, 400],
    ['an Idempotency-Key of 256 characters', '{}', { 'Idempotency-Key': 'x'.repeat(256) }, 400],
  ])('%s is answered', async (_name, body, headers, status) => {
    const tenant = await createTestTenant(app)
    const response = await send(tenant, body, headers)
    expect([response.status, response.headers.get('Content-Type')]).toEqual([status, 'application/problem+json'])
  })
})

test.each([
  ['gzip', gzipSync(JSON.stringify(makeEvent())), GZIP],
  ['a charset', makeEvent(), { 'Content-Type': 'application/json; charset=utf-8' }],
  ['a byte order mark', `\ufeff${JSON.stringify(makeEvent())}`, {}],
  [
    'malformed UTF-8',
    Buffer.concat([Buffer.from('{"actor":"a'), Buffer.from([0xff, 0xc3]), Buffer.from(`",${JSON.stringify(makeEvent()).slice(1)}`)]),
    {},
  ],
  ['a raw line of 100 kB', makeEvent({ raw_line: 'x'.repeat(100_000) }), {}],
  ['a value of 20 kB', makeEvent({ new_value: 'é'.repeat(20_000) }), {}],
  ['NUL bytes and lone surrogates', makeEvent({ new_value: 'a\0b\ud800', raw_line: '\0', entity: 'x\0' }), {}],
  [
    'names of 512 four-byte characters',
    makeEvent({ service_name: '🦊'.repeat(512), vendor: '🦊'.repeat(512), entity: '🦉'.repeat(512) }),
    {},
  ],
  ['fields that are ours to set', { ...makeEvent(), id: 'x', tenant_id: 'y', expires_at: 'z', unknown: {} }, {}],
])('%s is accepted', async (_name, body, headers) => {
  const tenant = await createTestTenant(app)
  expect((await send(tenant, body, headers)).status).toBe(201)
  const [name = ''] = (await listServicesOf(app, tenant)).keys()
  const [entry] = entriesOf(await readWindowOf(app, tenant, name))
  expect(entry?.new_value?.length).toBeLessThanOrEqual(1_024)
  expect(JSON.stringify(entry)).not.toContain('\\u0000')
})

test.each([
  ['an unknown zone', '2024-01-15 10:23:41 ACST', 'ACST'],
  ["Go's zero time", '0001-01-01T00:00:00Z', 'zero timestamp'],
  [".NET's, where it is another hour", '0001-01-01T00:00:00+01:00', 'zero timestamp'],
  ["Unix's zero time", '1970-01-01T01:00:00+01:00', 'zero timestamp'],
])('%s is accepted at receipt time, with a warning', async (_name, timestamp, warning) => {
  const tenant = await createTestTenant(app)
  const response = await send(tenant, makeEvent({ timestamp }))
  expect([response.status, response.headers.get('Noctuary-Warning')]).toEqual([201, expect.stringContaining(warning)])
  const window = await readWindowOf(app, tenant, 'checkout')
  expect(entriesOf(window)[0]?.timestamp).toBe(window.updated_at)
})

describe('retries', () => {
  test('the same event with a timestamp is stored once', async () => {
    const tenant = await createTestTenant(app)
    const event = makeEvent({ timestamp: '2026-01-15T10:23:41Z' })
    const [first, second] = [await send(tenant, event), await send(tenant, event)]
    expect([first.status, second.status]).toEqual([201, 201])
    expect(first.headers.get('Idempotent-Replayed')).toBeNull()
    expect(second.headers.get('Idempotent-Replayed')).toBe('true')
    expect(second.headers.get('Noctuary-Event-Id')).toBe(first.headers.get('Noctuary-Event-Id'))
    expect(await countStored(tenant)).toBe(1)
    expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ count: 1 }])
  })

  test('two equal events without a timestamp are two', async () => {
    const tenant = await createTestTenant(app)
    await send(tenant, makeEvent())
    await send(tenant, makeEvent())
    expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ count: 2 }])
  })

  test('an Idempotency-Key makes them one, and belongs to one body and one API key', async () => {
    const tenant = await createTestTenant(app)
    const headers = { 'Idempotency-Key': 'attempt-1' }
    const [first, second] = [await send(tenant, makeEvent(), headers), await send(tenant, makeEvent(), headers)]
    expect(second.headers.get('Idempotent-Replayed')).toBe('true')
    expect(second.headers.get('Noctuary-Event-Id')).toBe(first.headers.get('Noctuary-Event-Id'))
    expect((await send(tenant, makeEvent({ sha: 'other' }), headers)).status).toBe(409)
    expect(await countStored(tenant)).toBe(1)
    const other = await createTestTenant(app)
    expect((await send(other, makeEvent({ sha: 'other' }), headers)).headers.get('Idempotent-Replayed')).toBeNull()
  })

  test('an Idempotency-Key that came with nothing storable may be used again', async () => {
    const tenant = await createTestTenant(app)
    const headers = { 'Idempotency-Key': 'attempt-1' }
    expect((await send(tenant, makeEvent({ entity: '' }), headers)).status).toBe(400)
    const mended = await send(tenant, makeEvent(), headers)
    expect([mended.status, mended.headers.get('Idempotent-Replayed')]).toEqual([201, null])
  })

  test('an Idempotency-Key that was forgotten loses nothing', async () => {
    const tenant = await createTestTenant(app)
    const headers = { 'Idempotency-Key': 'attempt-1' }
    await send(tenant, makeEvent(), headers)
    // Nothing else makes a day pass.
    await app.deps.db.execute(
      sql`DELETE FROM idempotency_keys k USING agents a WHERE a.api_key_id = k.api_key_id AND a.id = ${tenant.agentId}`,
    )
    await send(tenant, makeEvent({ sha: 'another' }), headers)
    expect(await countStored(tenant)).toBe(2)
  })

  test('an Idempotency-Key covers a batch as a whole', async () => {
    const tenant = await createTestTenant(app)
    const headers = { 'Idempotency-Key': 'batch-1' }
    const batch = [makeEvent(), makeEvent(), makeEvent({ entity: '' })]
    expect(await (await sendBatch(tenant, batch, headers)).json()).toMatchObject({ accepted: 2, duplicates: 0, rejected: 1 })
    expect(await (await sendBatch(tenant, batch, headers)).json()).toMatchObject({ accepted: 0, duplicates: 2, rejected: 1 })
    const whole = batch.slice(0, 2)
    await sendBatch(tenant, whole, { 'Idempotency-Key': 'batch-2' })
    expect((await sendBatch(tenant, whole, { 'Idempotency-Key': 'batch-2' })).headers.get('Idempotent-Replayed')).toBe('true')
    expect((await sendBatch(tenant, [...batch, makeEvent()], headers)).status).toBe(409)
    expect(await countStored(tenant)).toBe(4)
  })
})

describe('a batch', () => {
  test('answers for each event, and a bad one harms no other', async () => {
    const tenant = await createTestTenant(app)
    const twice = makeEvent({ timestamp: '2026-01-15T10:23:41Z', sha: 'twice' })
    await send(tenant, makeEvent({ timestamp: '2026-01-15T10:23:41Z', sha: 'before' }))
    const response = await sendBatch(tenant, [
      makeEvent(),
      makeEvent({ confidence: 2 }),
      twice,
      twice,
      makeEvent({ timestamp: '2026-01-15T10:23:41Z', sha: 'before' }),
      'no event',
      makeEvent({ timestamp: '2024-01-15 10:23:41 ACST' }),
    ])
    expect(response.status).toBe(200)
    const body = await response.json()
    expect(body).toMatchObject({ accepted: 3, duplicates: 2, rejected: 2 })
    expect(body.results.map((result: { status: number }) => result.status)).toEqual([201, 400, 201, 200, 200, 400, 201])
    expect(body.results.map((result: { index: number }) => result.index)).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(body.results[1]).toEqual({
      index: 1,
      status: 400,
      error: 'confidence must be between 0 and 1',
      errors: [{ pointer: '/confidence', detail: 'confidence must be between 0 and 1' }],
    })
    expect(body.results[2].id).toBe(body.results[3].id)
    expect(body.results[6].warning).toContain('ACST')
    expect(await countStored(tenant)).toBe(4)
  })

  test('may be NDJSON, with blank lines and a broken one', async () => {
    const tenant = await createTestTenant(app)
    const lines = [JSON.stringify(makeEvent()), '', '{"service_name":', JSON.stringify(makeEvent()), '']
    const response = await sendBatch(tenant, lines.join('\r\n'), { 'Content-Type': 'application/x-ndjson' })
    expect(await response.json()).toMatchObject({ accepted: 2, rejected: 1, results: [{ status: 201 }, { status: 400 }, { status: 201 }] })
  })

  test.each([
    ['500 events', Array.from({ length: 500 }, () => makeEvent()), 200],
    ['no events', [], 200],
    ['501 events', Array.from({ length: 501 }, () => makeEvent()), 413],
    ['an object', makeEvent(), 400],
    ['broken JSON', '[', 400],
  ])('of %s is answered', async (_name, body, status) => {
    const tenant = await createTestTenant(app)
    expect((await sendBatch(tenant, body)).status).toBe(status)
    expect(await countStored(tenant)).toBe(status === 200 ? (body as unknown[]).length : 0)
  })
})

describe('who may send', () => {
  test('an agent must be registered', async () => {
    const tenant = await createTenant(app.deps, `unregistered ${app.deps.newUuid()}`)
    const response = await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
    expect([response.status, (await response.json()).detail]).toEqual([403, 'agent not registered'])
  })

  test('a read-only key may not', async () => {
    const tenant = await createTestTenant(app)
    expect((await app.request('/v1/events', { key: tenant.readonlyKey, body: makeEvent() })).status).toBe(403)
  })

  test('a bad body does not tell a stranger more than a bad key', async () => {
    const stranger = `noc_ingest_${'1'.repeat(44)}`
    expect((await app.request('/v1/events', { key: stranger, body: '{' })).status).toBe(401)
    const tenant = await createTestTenant(app)
    expect((await app.request('/v1/events', { key: tenant.readonlyKey, body: '{' })).status).toBe(403)
  })
})

describe('a tenant with as many services as it may have', () => {
  const small = startApp({ bindings: { MAX_SERVICES: '3' } })
  const post = (tenant: TestTenant, path: string, body: unknown, headers: Record<string, string> = {}) =>
    small.request(path, { key: tenant.ingestKey, body, headers })
  const named = (name: string, fields: Record<string, unknown> = {}) => makeEvent({ service_name: name, entity: name, ...fields })
  const fill = async () => {
    const tenant = await createTestTenant(small)
    expect((await post(tenant, '/v1/events/batch', [named('a'), named('b'), named('c')])).status).toBe(200)
    return tenant
  }
  const servicesOf = async (tenant: TestTenant) => [...(await listServicesOf(small, tenant)).keys()].toSorted()

  test('opens no other, and is told the way out', async () => {
    const tenant = await fill()
    const refused = await post(tenant, '/v1/events', named('d'))
    expect([refused.status, await refused.json()]).toMatchObject([
      409,
      { detail: expect.stringContaining('MAX_SERVICES'), errors: [{ pointer: '/service_name' }] },
    ])
    expect((await post(tenant, '/v1/events', named('a'))).status).toBe(201)
    expect(await servicesOf(tenant)).toEqual(['a', 'b', 'c'])
    expect(await countStored(tenant)).toBe(4)
  })

  test('refuses of a batch what would open one, and what was refused may be sent again', async () => {
    const tenant = await createTestTenant(small)
    const body = ['a', 'b', 'c', 'd', 'e'].map((name) => named(name))
    const sendAll = async (app = small) =>
      (await app.request('/v1/events/batch', { key: tenant.ingestKey, body, headers: { 'Idempotency-Key': 'all' } })).json()
    const first = await sendAll()
    expect([first.accepted, first.rejected]).toEqual([3, 2])
    const refused = first.results.filter(({ status }: { status: number }) => status === 400)
    expect(refused).toMatchObject([{ error: expect.stringContaining('3 services') }, { error: expect.stringContaining('3 services') }])
    expect(await servicesOf(tenant)).toHaveLength(3)
    const again = await sendAll(app)
    expect([again.accepted, again.duplicates, again.rejected]).toEqual([2, 3, 0])
  })

  test('is told by a door why it took nothing, and an alert opens its incident all the same', async () => {
    const tenant = await fill()
    const pushed = await small.request('/in/deploy', {
      key: tenant.ingestKey,
      body: { service: 'd', sha: 'a4f2c1', status: 'succeeded' },
    })
    expect(pushed.status).toBe(202)
    const { token } = await (
      await small.request('/v1/integrations', { key: tenant.readonlyKey, body: { type: 'alertmanager', direction: 'inbound' } })
    ).json()
    const body = JSON.stringify(DOORS.alertmanager.example.body)
      .replaceAll('checkout', 'e')
      .replace(/2026-03-02T[^"]+/, new Date().toISOString())
    expect((await small.request(`/in/alertmanager/${token}`, { body })).status).toBe(202)
    await small.settle()
    const incidents = await (await small.request('/v1/incidents', { key: tenant.readonlyKey })).json()
    expect(incidents).toMatchObject([{ service: 'e', status: 'diagnosed' }])
    expect(await servicesOf(tenant)).toEqual(['a', 'b', 'c'])
    const asked = await small.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'f', create: true } })
    expect([asked.status, (await asked.json()).detail]).toEqual([409, expect.stringContaining('MAX_SERVICES')])
    const told = (await readDeliveries(small.deps, toId(tenant.tenantId), ['deploy'])).get('deploy')
    expect(told?.latest).toMatchObject([{ kind: 'refused', text: expect.stringContaining('1 event refused: the tenant has 3 services') }])
  })
})
