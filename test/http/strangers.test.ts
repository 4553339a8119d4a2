import { expect, inject, onTestFinished, test } from 'vitest'
import type { RateLimiter } from '../../src/config.ts'
import { createKey } from '../../src/domain/access/api-key.ts'
import { createTestTenant, METRICS_TOKEN, makeEvent, startApp, type TestApp } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { createVisitor, startSite } from '../support/site.ts'

const stack = inject('stack')
const database = await startFaultProxy(stack.databaseEndpoint)
const redis = await startFaultProxy(stack.redisUrl)
/** What an app does after its answers is over when the next test counts requests. */
const start = (bindings: Record<string, string | RateLimiter> = {}) => {
  const app = startApp({ database: database.url, redis: redis.url, bindings })
  onTestFinished(app.settle)
  return app
}
const seen = () => database.seen.length + redis.seen.length

/** What a request is answered, and how many requests it cost the stores. */
async function costOf(app: TestApp, path: string, options: Parameters<TestApp['request']>[1]): Promise<readonly [number, number]> {
  const before = seen()
  const { status } = await app.request(path, options)
  await app.settle()
  return [status, seen() - before]
}

test('an unknown key is asked for once, and a key made meanwhile works', async () => {
  const app = start()
  const tenant = await createTestTenant(app)
  const key = createKey('readonly', app.deps.randomBytes)
  const answers = []
  for (let tries = 0; tries < 4; tries += 1) answers.push(await costOf(app, '/v1/services', { key }))
  expect(answers).toEqual([
    [401, 1],
    [401, 0],
    [401, 0],
    [401, 0],
  ])
  const made = await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'readonly' } })
  const { key: fresh }: { key: string } = await made.json()
  expect((await app.request('/v1/services', { key: fresh })).status).toBe(200)
})

test('an unknown token of a webhook is asked for once, announces nothing and wakes nobody', async () => {
  const app = start()
  const path = `/webhooks/pagerduty/tok_${'a1'.repeat(16)}`
  const before = redis.seen.length
  const answers = []
  for (let tries = 0; tries < 3; tries += 1) answers.push((await costOf(app, path, { body: { event: {} } }))[0])
  expect([answers, redis.seen.length - before]).toEqual([[404, 404, 404], 0])
})

test('an address that is refused too often is told so without a store, and whoever is known there goes on', async () => {
  const app = start({ REFUSED_PER_MINUTE: '3' })
  const tenant = await createTestTenant(app)
  const headers = { 'CF-Connecting-IP': '192.0.2.7' }
  expect((await app.request('/v1/services', { key: tenant.readonlyKey, headers })).status).toBe(200)
  const unknown = () => createKey('readonly', app.deps.randomBytes)
  const answers = []
  for (let tries = 0; tries < 5; tries += 1) answers.push(await costOf(app, '/v1/services', { key: unknown(), headers }))
  expect(answers).toEqual([
    [401, 1],
    [401, 1],
    [401, 1],
    [429, 0],
    [429, 0],
  ])
  const refused = await app.request('/nowhere', { headers })
  expect([refused.status, refused.headers.get('RateLimit-Policy'), refused.headers.get('Retry-After')]).toEqual([
    429,
    '"refused";q=3;w=60',
    '60',
  ])
  expect((await app.request('/v1/services', { key: tenant.readonlyKey, headers })).status).toBe(200)
  const elsewhere = { 'CF-Connecting-IP': '2001:db8:1:2:3::4' }
  expect((await app.request('/v1/services', { key: unknown(), headers: elsewhere })).status).toBe(401)
})

test.each([
  ['2001:db8::1', '2001:db8::a:b:c:d'],
  ['2001:0db8:0:0:1::', '2001:db8:0000:0000:ffff:1:2:3'],
  ['::1', '::a:b:c'],
  ['2001:DB8:1:2::', '2001:db8:1:2:3:4:5:6'],
])('%s and %s are one visitor', async (one, other) => {
  const app = start({ REFUSED_PER_MINUTE: '1' })
  const ask = async (address: string) => (await app.request('/nowhere', { headers: { 'CF-Connecting-IP': address } })).status
  expect([
    await ask(one),
    await ask(other),
    await ask('2001:db8:7::1'),
    await ask('::ffff:192.0.2.1'),
    await ask('::ffff:192.0.2.2'),
  ]).toEqual([404, 429, 404, 404, 404])
})

test('a made-up key that signs in is asked for once', async () => {
  const site = startSite({ database: database.url, redis: redis.url, bindings: { REFUSED_PER_MINUTE: '3' } })
  const visitor = createVisitor(site)
  const costs = []
  const key = createKey('readonly', site.app.deps.randomBytes)
  for (const tried of [key, key, ...Array.from({ length: 3 }, () => createKey('viewer', site.app.deps.randomBytes))]) {
    const before = seen()
    const { status } = await visitor.post('/signin', { key: tried }, { 'CF-Connecting-IP': '192.0.2.11' })
    costs.push([status, seen() - before])
  }
  expect(costs).toEqual([
    [401, 1],
    [401, 0],
    [401, 1],
    [429, 0],
    [429, 0],
  ])
})

test('without a key an address may ask how the stores are so often in a minute, and the operator goes on', async () => {
  const app = start({ REFUSED_PER_MINUTE: '2' })
  const headers = { 'CF-Connecting-IP': '192.0.2.12' }
  const answers = []
  for (let tries = 0; tries < 3; tries += 1) answers.push(await costOf(app, '/health', { headers }))
  expect(answers).toEqual([
    [200, 2],
    [200, 2],
    [429, 0],
  ])
  expect((await app.request('/health', { headers, key: METRICS_TOKEN })).status).toBe(200)
  expect((await app.request('/health', { headers: { 'CF-Connecting-IP': '192.0.2.13' } })).status).toBe(200)
})

test.each([
  ['/v1/events', (text: string) => makeEvent({ new_value: text })],
  ['/v1/events/batch', (text: string) => [makeEvent({ new_value: text })]],
])('what a stranger sends to %s costs no time before the key is known to be none', async (path, toBody) => {
  const app = start()
  const key = createKey('ingest', app.deps.randomBytes)
  await app.request(path, { key: createKey('ingest', app.deps.randomBytes), body: toBody('short') })
  const before = process.threadCpuUsage().user
  const { status } = await app.request(path, { key, body: toBody(`password @ ${'%41'.repeat(280_000)}`) })
  expect(status).toBe(401)
  expect(process.threadCpuUsage().user - before).toBeLessThan(200_000)
})

const TOKEN_OF_NOBODY = `tok_${'b'.repeat(40)}`

test.each([
  { at: `/in/alertmanager/${TOKEN_OF_NOBODY}`, refused: 404, past: 503 },
  { at: '/in/grafana', refused: 401, past: 503 },
  { at: '/webhooks/pagerduty/tok_1', refused: 404, past: 503 },
  { at: `/in/github/${TOKEN_OF_NOBODY}`, refused: 404, past: 429 },
  { at: '/v2/enqueue', refused: 400, past: 429 },
])('past the limit the door at $at says $past, without a store', async ({ at, refused, past }) => {
  const app = start({ REFUSED_PER_MINUTE: '2' })
  const headers = { 'CF-Connecting-IP': '192.0.2.8' }
  const answers = []
  for (let tries = 0; tries < 4; tries += 1) {
    const key = `${'c'.repeat(31)}${tries + 1}`
    const response = await app.request(at, { body: { routing_key: key, event_action: 'trigger' }, headers })
    answers.push([response.status, response.headers.has('Retry-After')])
  }
  expect(answers).toEqual([
    [refused, false],
    [refused, false],
    [past, true],
    [past, true],
  ])
  const before = seen()
  await app.request(at, { body: { routing_key: 'd'.repeat(32), event_action: 'trigger' }, headers })
  expect(seen() - before).toBe(0)
})

test('a wrong signature is no stranger’s, and a sender that is known goes on where strangers are refused', async () => {
  const app = start({ REFUSED_PER_MINUTE: '2' })
  const tenant = await createTestTenant(app)
  const headers = { 'CF-Connecting-IP': '192.0.2.9' }
  const make = async (type: string, config: object) => {
    const made = await app.request('/v1/integrations', { key: tenant.readonlyKey, body: { type, direction: 'inbound', config } })
    const { token }: { token: string } = await made.json()
    return `/in/${type}/${token}`
  }
  const [signed, plain] = [await make('pagerduty', { webhook_secret: 'sixteen-or-more-letters' }), await make('alertmanager', {})]
  const send = async (at: string, body: unknown) => (await app.request(at, { body, headers })).status
  const alerts = { alerts: [{ status: 'firing', labels: { alertname: 'Slow', service: 'checkout' }, fingerprint: 'a1' }] }
  expect(await send(plain, alerts)).toBe(202)
  for (let tries = 0; tries < 4; tries += 1) expect(await send(signed, { event: {} })).toBe(401)
  expect([await send('/in/pagerduty/tok_1', {}), await send('/in/pagerduty/tok_1', {}), await send('/in/pagerduty/tok_1', {})]).toEqual([
    404, 404, 503,
  ])
  expect([await send(plain, alerts), await send(signed, { event: {} })]).toEqual([202, 401])
})

test('a key that is limited costs one request in some seconds', async () => {
  const none: RateLimiter = { limit: async () => ({ success: false }) }
  const app = start({ READONLY_RATE_LIMITER: none })
  const tenant = await createTestTenant(app)
  const answers = []
  for (let tries = 0; tries < 3; tries += 1) answers.push(await costOf(app, '/v1/services', { key: tenant.readonlyKey }))
  expect(answers).toEqual([
    [429, 1],
    [429, 0],
    [429, 0],
  ])
})

test('events are counted by key', async () => {
  const app = start({ INGEST_EVENTS_PER_MINUTE: '5' })
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  const send = (key: string, count: number) =>
    app.request('/v1/events/batch', { key, body: Array.from({ length: count }, () => makeEvent()) })
  expect((await send(tenant.ingestKey, 5)).status).toBe(200)
  const refused = await send(tenant.ingestKey, 1)
  expect([refused.status, refused.headers.get('RateLimit-Policy')]).toEqual([429, '"events";q=5;w=60'])
  expect((await send(other.ingestKey, 5)).status).toBe(200)
})

test('events through a door are counted with those sent without one', async () => {
  const app = start({ INGEST_EVENTS_PER_MINUTE: '5' })
  const tenant = await createTestTenant(app)
  const send = (sha: string) => app.request('/in/deploy', { key: tenant.ingestKey, body: { service: 'checkout', sha } })
  expect((await app.request('/v1/events/batch', { key: tenant.ingestKey, body: [1, 2, 3, 4].map(() => makeEvent()) })).status).toBe(200)
  expect((await send('a4f2c1')).status).toBe(202)
  const before = seen()
  const refused = await send('a4f2c2')
  expect([refused.status, refused.headers.get('RateLimit-Policy')]).toEqual([429, '"events";q=5;w=60'])
  expect(seen() - before).toBeLessThanOrEqual(1)
})

test('deliveries under way leave room for other tenants, and what is shed is in the log', async () => {
  const app = start({ REQUESTS_AT_ONCE: '4' })
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  const deliver = () => app.request('/in/deploy', { key: tenant.ingestKey, body: { service: 'checkout', sha: 'a4f2c1' } })
  await deliver()
  app.logs.length = 0
  const flood = Promise.all(Array.from({ length: 3 }, deliver))
  const beside = await app.request('/v1/events', { key: other.ingestKey, body: makeEvent() })
  expect(beside.status).toBe(201)
  expect((await flood).map(({ status }) => status).toSorted()).toEqual([202, 202, 503])
  const all = await Promise.all(Array.from({ length: 6 }, () => app.request('/health')))
  expect(all.map(({ status }) => status).filter((status) => status === 503)).toHaveLength(2)
  const lines = app.logs.filter(({ event, status }) => event === 'request' && status === 503)
  expect(lines.map(({ route }) => route).toSorted()).toEqual(['/health', '/health', '/in/deploy'])
})

test('what is too much at once is 503 before a store is asked, and one tenant leaves room for another', async () => {
  const app = start({ REQUESTS_AT_ONCE: '8' })
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  const [, cost] = await costOf(app, '/v1/services', { key: tenant.readonlyKey })
  const before = seen()
  const flood = Promise.all(Array.from({ length: 6 }, () => app.request('/v1/services', { key: tenant.readonlyKey })))
  const beside = await app.request('/v1/services', { key: other.readonlyKey })
  const answers = await flood
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 503, 503])
  expect(answers.find(({ status }) => status === 503)?.headers.get('Retry-After')).toBe('5')
  expect(beside.status).toBe(200)
  expect(seen() - before).toBe((4 + 1) * cost)
  expect((await app.request('/v1/services', { key: tenant.readonlyKey })).status).toBe(200)
})
