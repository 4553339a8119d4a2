import { createHmac, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, inject, test } from 'vitest'
import type { Door } from '../../src/domain/doors/door.ts'
import { DOORS } from '../../src/domain/doors/index.ts'
import { type IntegrationId, toId } from '../../src/domain/ids.ts'
import { DOOR_TYPES, type DoorType } from '../../src/domain/integration-type.ts'
import { readDeliveries } from '../../src/usecases/read-deliveries.ts'
import { createTestTenant, entriesOf, listServicesOf, readWindowOf, startApp, type TestApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'

const stack = inject('stack')
const app = startApp({}, { rest: async () => {} })

type Connected = { readonly id: string; readonly token: string; readonly webhook_url: string }

async function connect(tenant: TestTenant, type: DoorType, config: object = {}): Promise<Connected> {
  const response = await app.request('/v1/integrations', { key: tenant.readonlyKey, body: { type, direction: 'inbound', config } })
  expect(response.status).toBe(201)
  return await response.json()
}

type Sample = { readonly headers?: Readonly<Record<string, string>>; readonly body: unknown }

/** Sends a delivery as the sender does: with the token where it can put it. */
async function send(door: DoorType, token: string, { headers = {}, body }: Sample, at: TestApp = app): Promise<Response> {
  const isInBody = DOORS[door].credential !== undefined
  const sent = isInBody && typeof body === 'object' && body !== null ? { ...body, routing_key: token } : body
  const path = isInBody ? (isChange(body) ? '/v2/change/enqueue' : '/v2/enqueue') : `/in/${door}/${token}`
  return await at.request(path, { body: sent, headers })
}

/** An example whose pager tells of just now: one of long ago opens nothing. */
const exampleOf = (type: DoorType): Sample => {
  const { example } = DOORS[type]
  // Two deploys of one revision are two, unless their sender names them.
  if (type === 'deploy') return { ...example, headers: { 'Idempotency-Key': 'run-812' } }
  if (type !== 'pagerduty') return example
  return { ...example, body: JSON.parse(JSON.stringify(example.body).replaceAll(/2026-03-02T[\d:.]+Z/g, new Date().toISOString())) }
}

const isChange = (body: unknown) => typeof body === 'object' && body !== null && !('event_action' in body)

const countStored = async (tenant: TestTenant) => {
  const agents = (await (await app.request('/v1/agents', { key: tenant.readonlyKey })).json()) as { id: string; events_last_hour: number }[]
  const incidents = (await (await app.request('/v1/incidents?since=2000-01-01T00:00:00Z', { key: tenant.readonlyKey })).json()) as unknown[]
  return { events: agents.reduce((sum, { events_last_hour }) => sum + events_last_hour, 0), incidents: incidents.length }
}

const taken = (door: DoorType) => (door === 'otlp' ? 200 : 202)

describe.each(DOOR_TYPES.map((type) => ({ type })))('the door of $type', ({ type }) => {
  const door: Door = { ...DOORS[type], example: exampleOf(type) }
  /** The status of what is refused: drop-ins have one word for it. */
  const refused = (status: number) => (type === 'pagerduty-events' && (status === 401 || status === 404) ? 400 : status)

  test('takes its example by token and by key, once', async () => {
    const tenant = await createTestTenant(app)
    const { token } = await connect(tenant, type)
    const first = await send(type, token, door.example)
    expect(first.status).toBe(taken(type))
    await app.settle()
    const stored = await countStored(tenant)
    expect(stored.events + stored.incidents).toBeGreaterThan(0)
    expect((await send(type, token, door.example)).status).toBe(taken(type))
    await app.settle()
    expect(await countStored(tenant)).toEqual(stored)

    const other = await createTestTenant(app)
    for (const Authorization of [`Bearer ${other.ingestKey}`, `Basic ${btoa(`any:${other.ingestKey}`)}`]) {
      const response = await app.request(`/in/${type}`, { body: door.example.body, headers: { ...door.example.headers, Authorization } })
      expect(response.status).toBe(taken(type))
    }
    await app.settle()
    expect(await countStored(other)).toEqual(stored)
  })

  test('rehearses a delivery and stores nothing', async () => {
    const tenant = await createTestTenant(app)
    const headers = door.example.headers ?? {}
    const response = await app.request(`/in/${type}?dry=1`, { key: tenant.ingestKey, body: door.example.body, headers })
    expect(response.status).toBe(200)
    const { events, alerts } = await response.json()
    expect(events.length + alerts.length).toBeGreaterThan(0)
    expect(await countStored(tenant)).toEqual({ events: 0, incidents: 0 })
  })

  test('answers what is wrong as documented, and stores nothing', async () => {
    const tenant = await createTestTenant(app)
    const { token, id } = await connect(tenant, type)
    const { ingestKey: key } = tenant
    const at = `/in/${type}`
    const rows: [what: string, status: number, options: Parameters<TestApp['request']>[1], path?: string][] = [
      ['not JSON', 400, { key, body: '{"a":', headers: {} }],
      ['an empty body', 400, { key, body: '' }],
      ...(['GET', 'PUT', 'DELETE', 'PATCH'] as const)
        .filter((method) => !door.methods?.some((one) => one === method))
        .map((method): [string, number, Parameters<TestApp['request']>[1]] => [method, 405, { key, method }]),
      ['an odd media type', 415, { key, body: '<a/>', headers: { 'Content-Type': 'text/html' } }],
      ['more than it takes', 413, { key, body: ' '.repeat(door.maxBytes + 1) }],
      ['more than it takes, zipped', 413, { key, body: gzipSync(' '.repeat(door.maxBytes + 1)), headers: { 'Content-Encoding': 'gzip' } }],
      ['a gzip bomb', 413, { key, body: BOMB, headers: { 'Content-Encoding': 'gzip' } }],
      ['half of a gzip', 400, { key, body: gzipSync('{"a":1}').subarray(0, 12), headers: { 'Content-Encoding': 'gzip' } }],
      ['no credential', refused(401), { body: door.example.body }],
      ['a read-only key', 403, { key: tenant.readonlyKey, body: door.example.body }],
      ['a revoked key', refused(401), { key: `${key.slice(0, -1)}${key.endsWith('1') ? '2' : '1'}`, body: door.example.body }],
      ['a token that never was', refused(404), { body: door.example.body }, `${at}/tok_${'a'.repeat(40)}`],
      ['a token of no shape', refused(404), { body: door.example.body }, `${at}/tok_1`],
    ]
    for (const [what, status, options, path = at] of rows) {
      const response = await app.request(path, options)
      expect([what, response.status]).toEqual([what, status])
      if (status === 405) expect(response.headers.get('Allow')).toContain('POST')
    }
    // Grafana sends what Alertmanager sends.
    const others = DOOR_TYPES.filter((one) => one !== type && !(isGroup(one) && isGroup(type))).map((one) => DOORS[one].example.body)
    for (const body of [null, [], 'text', 7, {}, { resourceLogs: 7 }, nest(40), ...others]) {
      const response = await app.request(at, { key, body: JSON.stringify(body) })
      expect([200, 202, 400, 415]).toContain(response.status)
    }
    await app.settle()
    expect(await countStored(tenant)).toEqual({ events: 0, incidents: 0 })

    await app.request(`/v1/integrations/${id}`, { key: tenant.readonlyKey, method: 'DELETE' })
    expect((await send(type, token, door.example)).status).toBe(refused(404))
    expect((await app.request(at, { key: token, body: door.example.body, headers: door.example.headers ?? {} })).status).toBe(refused(401))
  })

  test.runIf(!door.credential)('shows on its page what was refused', async () => {
    const tenant = await createTestTenant(app)
    const { token, id } = await connect(tenant, type)
    expect((await app.request(`/in/${type}/${token}`, { body: '{"a":', headers: {} })).status).toBe(400)
    await app.settle()
    const noted = await readDeliveries(app.deps, tenant.tenantId, [toId<IntegrationId>(id)])
    expect(noted.get(toId<IntegrationId>(id))?.latest).toMatchObject([{ kind: 'refused', text: 'request body must be valid JSON' }])
  })

  test.runIf(door.signatures)('refuses what is signed wrongly, or not at all', async () => {
    const tenant = await createTestTenant(app)
    const { token } = await connect(tenant, type, { webhook_secret: 'a-secret-of-the-hubs' })
    const names = (door.signatures ?? []).map((scheme) => ('header' in scheme ? scheme.header : 'X-PagerDuty-Signature'))
    for (const signature of ['', 'sha256=00', `v1=${'0'.repeat(64)}`]) {
      const signed = Object.fromEntries(names.map((name) => [name, signature]))
      const headers = { ...door.example.headers, ...(signature !== '' && signed) }
      expect([signature, (await send(type, token, { ...door.example, headers })).status]).toEqual([signature, 401])
    }
    expect(await countStored(tenant)).toEqual({ events: 0, incidents: 0 })
  })

  test('takes a slash at the end and a body without a type', async () => {
    const tenant = await createTestTenant(app)
    const { token } = await connect(tenant, type)
    const headers = { ...door.example.headers, Authorization: `Bearer ${token}` }
    const isOfCloud = type === 'cloudevents'
    if (!door.credential) {
      const { headers: own = {}, body } = door.example
      expect((await app.request(`/in/${type}/${token}/`, { body, headers: own })).status).toBe(taken(type))
    }
    const request = new Request(`http://localhost/in/${type}/`, {
      method: 'POST',
      body: new TextEncoder().encode(JSON.stringify(door.example.body)),
      headers,
    })
    if (!isOfCloud) request.headers.delete('Content-Type')
    expect((await app.send(request)).status).toBe(taken(type))
  })
})

const BOMB = gzipSync(Buffer.alloc(50_000_000))

const isGroup = (type: DoorType) => type === 'grafana' || type === 'alertmanager'

function nest(depth: number): unknown {
  return depth === 0 ? 'end' : { event: nest(depth - 1), data: [depth] }
}

test('a signature is asked for where a secret is set, and wrong ones are noted', async () => {
  const tenant = await createTestTenant(app)
  const secret = 'a-secret-of-the-hubs'
  const { token } = await connect(tenant, 'github', { webhook_secret: secret })
  const body = JSON.stringify(DOORS.github.example.body)
  const signed = {
    ...DOORS.github.example.headers,
    'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  }
  expect((await send('github', token, { body, headers: { ...DOORS.github.example.headers } })).status).toBe(401)
  expect((await send('github', token, { body: `${body} `, headers: signed })).status).toBe(401)
  expect(await countStored(tenant)).toEqual({ events: 0, incidents: 0 })
  expect((await send('github', token, { body, headers: signed })).status).toBe(202)
  const form = `payload=${encodeURIComponent(body)}`
  const ofForm = createHmac('sha256', secret).update(form).digest('hex')
  const headers = {
    ...DOORS.github.example.headers,
    'X-Hub-Signature-256': `sha256=${ofForm}`,
    'Content-Type': 'application/x-www-form-urlencoded',
  }
  expect((await send('github', token, { body: form, headers })).status).toBe(202)
  await app.settle()
  expect(await countStored(tenant)).toEqual({ events: 1, incidents: 0 })
})

test('a signed body without a time is the one before, whatever name it is sent again by', async () => {
  const tenant = await createTestTenant(app)
  const secret = 'a-secret-of-the-hubs'
  const { token } = await connect(tenant, 'github', { webhook_secret: secret })
  const repository = { full_name: 'acme/till', name: 'till', default_branch: 'main' }
  const body = JSON.stringify({ action: 'released', release: { tag_name: 'v7', published_at: null }, repository })
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
  for (const name of ['d1', 'd2', 'd3']) {
    const headers = { 'X-GitHub-Event': 'release', 'X-GitHub-Delivery': name, 'X-Hub-Signature-256': signature }
    expect((await send('github', token, { body, headers })).status).toBe(202)
  }
  expect(entriesOf(await readWindowOf(app, tenant, 'till'))).toMatchObject([{ count: 1 }])
})

test('settings hold from the next delivery on, in an isolate that remembers other ones, too', async () => {
  const tenant = await createTestTenant(app)
  const { token, id } = await connect(tenant, 'deploy')
  const deliver = (sha: string, environment?: string) => send('deploy', token, { body: { service: 'acme/checkout', sha, environment } })
  const set = (config: object) => app.request(`/v1/integrations/${id}`, { key: tenant.readonlyKey, method: 'PUT', body: { config } })
  await deliver('1')
  await set({ service_map: { 'acme/checkout': 'till' } })
  await deliver('2')
  await deliver('3', 'staging')
  await set({ environments: ['staging'], service_map: { 'acme/checkout': 'stage' } })
  await deliver('4', 'staging')
  expect([...(await listServicesOf(app, tenant)).keys()].toSorted()).toEqual(['checkout', 'stage', 'till'])
  await app.request(`/v1/integrations/${id}/rotate-token`, { key: tenant.readonlyKey, method: 'POST' })
  expect((await deliver('5')).status).toBe(404)
})

test('the credentials of integrations are no API keys', async () => {
  const tenant = await createTestTenant(app)
  const { token } = await connect(tenant, 'deploy')
  expect(await (await app.request('/v1/api-keys', { key: tenant.readonlyKey })).json()).toHaveLength(2)
  // Nor once this isolate has seen them at their door.
  expect((await send('deploy', token, DOORS.deploy.example)).status).toBe(202)
  const event = { service_name: 'till', vendor: 'ci', entity: 'till', event_type: 'deploy', confidence: 0.9, ttl_seconds: 600 }
  for (const [path, body] of [
    ['/v1/events', event],
    ['/v1/events/batch', [event]],
    ['/v1/agents/register', { hostname: 'ci' }],
    ['/mcp', { jsonrpc: '2.0', id: 1, method: 'ping' }],
  ] as const) {
    expect([path, (await app.request(path, { key: token, body })).status]).toEqual([path, 401])
  }
  expect([...(await listServicesOf(app, tenant)).keys()]).toEqual(['checkout'])
  const agents = await (await app.request('/v1/agents', { key: tenant.readonlyKey })).json()
  expect(agents.map(({ hostname }: { hostname: string }) => hostname)).toContain('deploy integration')
})

test('what a door refuses does not say the token of its address again', async () => {
  const tenant = await createTestTenant(app)
  const { token } = await connect(tenant, 'github', { webhook_secret: 'a-secret-of-the-hubs' })
  const routing = await connect(tenant, 'pagerduty-events')
  const rows: [path: string, told: string][] = [
    [`/in/github/${token}`, '/in/github/…'],
    [`/in/github/${token}/`, '/in/github/…/'],
    [`/in/gitlab/${token}`, '/in/gitlab/…'],
    [`/in/nobody/${token}`, '/in/nobody/…'],
    [`/in/deploy/${token.slice(0, 20)}`, '/in/deploy/…'],
    [`/in/deploy/${routing.token}`, '/in/deploy/…'],
    [`/in/deploy/${tenant.ingestKey}`, '/in/deploy/…'],
  ]
  for (const [path, told] of rows) {
    const response = await app.request(path, { body: DOORS.github.example.body })
    expect([401, 404]).toContain(response.status)
    expect(await response.json()).toMatchObject({ instance: told })
  }
})

test.each(DOOR_TYPES)('a wrong method at the door of %s is shown on its page', async (type) => {
  const tenant = await createTestTenant(app)
  const { token, id } = await connect(tenant, type)
  const response = await app.request(`/in/${type}/${token}`, { method: 'GET' })
  expect(response.status).toBe(405)
  expect(response.headers.get('Allow')).toContain('POST')
  await app.settle()
  const noted = await readDeliveries(app.deps, tenant.tenantId, [toId<IntegrationId>(id)])
  expect(noted.get(toId<IntegrationId>(id))?.latest).toMatchObject([{ kind: 'refused', text: expect.stringContaining('send POST') }])
  // Whoever shows no live credential is told the same, and asks no store for nothing.
  expect((await app.request(`/in/${type}/tok_${'a'.repeat(40)}`, { method: 'GET' })).status).toBe(405)
  expect((await app.request(`/in/${type}`, { method: 'GET' })).status).toBe(405)
})

test('a routing key has the 32 characters that its forms insist on', async () => {
  const tenant = await createTestTenant(app)
  const { token, webhook_url } = await connect(tenant, 'pagerduty-events')
  expect(token).toMatch(/^[1-9A-HJ-NP-Za-km-z]{32}$/)
  expect(webhook_url).toBe('http://localhost/v2/enqueue')
})

test('CloudEvents’ senders are answered that they may', async () => {
  const response = await app.request('/in/cloudevents', { method: 'OPTIONS', headers: { 'WebHook-Request-Origin': 'eventgrid.azure.net' } })
  expect([response.status, response.headers.get('WebHook-Allowed-Origin'), response.headers.get('WebHook-Allowed-Rate')]).toEqual([
    200,
    '*',
    '6000',
  ])
})

test('a CloudEvent in headers is one whatever comes with it, and what is none is refused in a rehearsal, too', async () => {
  const tenant = await createTestTenant(app)
  const ask = (body: string, headers: Record<string, string>, query = '') =>
    app.request(`/in/cloudevents${query}`, { key: tenant.ingestKey, body, headers })
  const event = { 'ce-specversion': '1.0', 'ce-type': 'com.example.uploaded', 'ce-id': '1', 'ce-source': '/x' }
  expect((await ask('<a/>', { ...event, 'Content-Type': 'application/xml' })).status).toBe(202)
  expect((await ask('hello', { ...event, 'Content-Type': 'text/plain' })).status).toBe(202)
  expect((await ask('', { ...event, 'Content-Type': 'application/octet-stream' })).status).toBe(202)
  expect((await ask('{"a":', { ...event, 'Content-Type': 'application/json' })).status).toBe(400)
  const markup = await ask('<a/>', { 'Content-Type': 'application/xml' })
  expect([markup.status, (await markup.json()).detail]).toEqual([
    415,
    'Content-Type must be application/json or application/cloudevents+json or application/cloudevents-batch+json',
  ])
  expect(await (await ask('{"a":1}', { 'Content-Type': 'application/json' }, '?dry=1')).json()).toMatchObject({
    ignored: null,
    invalid: 'no CloudEvent',
  })
})

test.each(['1', 'true', ''])('a rehearsal spelt dry=%s stores nothing, at an address of its own neither', async (dry) => {
  const tenant = await createTestTenant(app)
  const { webhook_url } = await connect(tenant, 'pagerduty')
  const path = new URL(webhook_url).pathname
  expect((await app.request(`${path}?dry=${dry}`, { body: exampleOf('pagerduty').body })).status).toBe(200)
  expect((await app.request(`/v1/logs?dry=${dry}`, { key: tenant.ingestKey, body: DOORS.otlp.example.body })).status).toBe(200)
  expect((await app.request(`/in/deploy?dry=${dry}`, { key: tenant.ingestKey, body: DOORS.deploy.example.body })).status).toBe(200)
  await app.settle()
  expect(await countStored(tenant)).toEqual({ events: 0, incidents: 0 })
})

test('Grafana may PUT', async () => {
  const tenant = await createTestTenant(app)
  expect((await app.request('/in/grafana', { method: 'PUT', key: tenant.ingestKey, body: DOORS.grafana.example.body })).status).toBe(202)
})

test('a delivery of events costs one request to Postgres, and two commands to note it', async () => {
  const database = await startFaultProxy(stack.databaseEndpoint)
  const counted = startApp({ database: database.url })
  const tenant = await createTestTenant(app)
  const { token } = await connect(tenant, 'deploy')
  const mapped = await connect(tenant, 'github', { webhook_secret: 'a-secret-of-the-hubs' })
  const cost = async (work: () => Promise<Response>) => {
    const before = database.seen.length
    expect((await work()).status).toBe(202)
    return database.seen.length - before
  }
  const body = () => ({ service: 'checkout', sha: randomUUID() })
  expect(await cost(() => send('deploy', token, { body: body() }, counted))).toBe(1)
  expect(await cost(() => counted.request('/in/deploy', { key: tenant.ingestKey, body: body() }))).toBe(1)
  const text = JSON.stringify(DOORS.github.example.body)
  const headers = {
    ...DOORS.github.example.headers,
    'X-Hub-Signature-256': `sha256=${createHmac('sha256', 'a-secret-of-the-hubs').update(text).digest('hex')}`,
  }
  const sign = () => send('github', mapped.token, { body: text, headers }, counted)
  expect(await cost(sign)).toBe(2)
  expect(await cost(sign)).toBe(1)
  await counted.settle()
})

test.each([
  ['short', ''],
  ['long', 'a release '.repeat(200)],
])('a %s delivery without a name or a time is known when it comes again within its minute', async (_name, title) => {
  let atMs = Date.parse('2026-03-02T10:00:00Z')
  const minutely = startApp({}, { rest: async () => {}, now: () => new Date(atMs) })
  const tenant = await createTestTenant(app)
  const { token } = await connect(tenant, 'deploy')
  const deliver = async (sha: string) => {
    expect((await send('deploy', token, { body: { service: 'checkout', sha, title } }, minutely)).status).toBe(202)
    return (await countStored(tenant)).events
  }
  expect(await deliver('3f9c')).toBe(1)
  atMs += 59_000
  expect([await deliver('3f9c'), await deliver('8b7a')]).toEqual([1, 2])
  atMs += 1_000
  expect(await deliver('3f9c')).toBe(3)
})

test('notes of many deliveries go together, and what is no plain success takes them along at once', async () => {
  const redis = await startFaultProxy(stack.redisUrl)
  const rests: (() => void)[] = []
  let atMs = Date.now()
  const counted = startApp({ redis: redis.url }, { now: () => new Date(atMs), rest: () => new Promise((resolve) => rests.push(resolve)) })
  const tenant = await createTestTenant(app)
  const { id, token } = await connect(tenant, 'deploy')
  const deliverer = toId<IntegrationId>(id)
  const deliver = async (count: number, body: object = {}) => {
    for (let place = 0; place < count; place += 1) {
      atMs += 1
      await send('deploy', token, { body: { service: 'checkout', sha: randomUUID(), ...body } }, counted)
    }
  }
  const read = async () => (await readDeliveries(app.deps, tenant.tenantId, [deliverer])).get(deliverer)
  const countNotes = () => redis.seen.filter((asked) => JSON.stringify(asked).includes('HINCRBY')).length

  await deliver(1)
  await expect.poll(async () => (await read())?.today.taken).toBe(1)
  await deliver(20)
  expect([countNotes(), rests.length]).toEqual([1, 1])
  await deliver(1, { status: 'cancelled' })
  await expect.poll(async () => (await read())?.today).toEqual({ taken: 21, ignored: 1, refused: 0 })
  expect((await read())?.latest.map(({ text }) => text)).toEqual(['ignored: status cancelled', ...Array(9).fill('1 event')])
  expect(countNotes()).toBe(2)

  await deliver(3)
  for (const wake of rests) wake()
  await counted.settle()
  expect((await read())?.today.taken).toBe(24)
  expect(countNotes()).toBe(3)
})

test('every door says 503 with Retry-After while Postgres is away', async () => {
  const database = await startFaultProxy(stack.databaseEndpoint)
  const without = startApp({ database: database.url, patience: 1 })
  const tenant = await createTestTenant(app)
  const tokens = await Promise.all(DOOR_TYPES.map(async (type) => [type, (await connect(tenant, type)).token] as const))
  database.fault = 'refuse'
  for (const [type, token] of tokens) {
    const response = await send(type, token, DOORS[type].example, without)
    expect([type, response.status, response.headers.get('Retry-After')]).toEqual([type, 503, '5'])
  }
})

test('a delivery whose parts would fill the memory is too large, in the words of OTLP', async () => {
  const { ingestKey: key } = await createTestTenant(app)
  const bomb = gzipSync(`{"resourceLogs":[${'{},'.repeat(1_390_000)}{}]}`)
  const response = await app.request('/v1/logs', { key, body: bomb, headers: { 'Content-Encoding': 'gzip' } })
  expect([response.status, await response.json()]).toEqual([413, { message: 'request body must have at most 400,000 parts' }])
})

/** What was recorded, as it was sent: unzipped, or bytes of base64. */
function toRecorded({ headers = {}, body }: Sample): Sample {
  const left = Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => !/^(?:authorization|content-encoding)$/i.test(name))
      .map(([name, value]) => [name.toLowerCase() === 'content-type' ? 'Content-Type' : name, value]),
  )
  if (typeof body === 'object' && body !== null && 'raw' in body) return { headers: left, body: body.raw }
  const base64 = typeof body === 'object' && body !== null && 'base64' in body ? body.base64 : undefined
  return { headers: left, body: typeof base64 === 'string' ? new Uint8Array(Buffer.from(base64, 'base64')) : body }
}

const samples = process.env['DOOR_SAMPLES']

describe.runIf(samples !== undefined)('recorded deliveries', () => {
  const folder = samples ?? '.'
  const files = DOOR_TYPES.flatMap((type) => {
    try {
      return readdirSync(join(folder, type)).map((name) => ({ type, name }))
    } catch {
      return []
    }
  }).filter(({ name }) => name.endsWith('.json'))

  test.each(files)('$type/$name', async ({ type, name }) => {
    const sample: Sample = JSON.parse(readFileSync(join(folder, type, name), 'utf8'))
    const tenant = await createTestTenant(app)
    const { token } = await connect(tenant, type, { push: true })
    const isEmpty = name.includes('EMPTY-BODY')
    const recorded = toRecorded(sample)
    const first = await send(type, token, recorded)
    await app.settle()
    const stored = await countStored(tenant)
    console.log(type, name, first.status, JSON.stringify(stored))
    expect(first.status).toBe(isEmpty ? 400 : taken(type))
    await send(type, token, recorded)
    await app.settle()
    expect(await countStored(tenant)).toEqual(stored)
  })
})
