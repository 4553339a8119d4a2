import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { expect, inject, test } from 'vitest'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import {
  connectPager,
  deliver,
  listNotes,
  makeDelivery,
  newRef,
  PAGER_SECRET,
  PAGER_TOKEN,
  type Pager,
  sign,
} from '../support/pagerduty.ts'

const app = startApp({ bindings: { PUBLIC_URL: 'https://noctuary.example.com' } })

type Body = Readonly<Record<string, unknown>>

const incidentsOf = async (tenant: TestTenant) => (await (await app.request('/v1/incidents', { key: tenant.readonlyKey })).json()) as Body[]
const detailOf = async (tenant: TestTenant, id: unknown) => (await app.request(`/v1/incidents/${id}`, { key: tenant.readonlyKey })).json()
const minutesAgo = (minutes: number) => new Date(Date.now() - 60_000 * minutes)

async function start(config?: Body, direction?: string): Promise<{ tenant: TestTenant; pager: Pager }> {
  const tenant = await createTestTenant(app)
  return { tenant, pager: await connectPager(app, tenant, config, direction) }
}

test('a signed alert becomes a diagnosed incident and a note that cites its evidence', async () => {
  const { tenant, pager } = await start()
  const events = [
    makeEvent({ service_name: 'payments', entity: 'payments', sha: 'a4f2c1', timestamp: minutesAgo(6).toISOString() }),
    makeEvent({
      service_name: 'checkout',
      vendor: 'pino',
      entity: 'payments',
      event_type: 'dependency_failure',
      new_value: 'see https://evil.example @oncall',
      sha: undefined,
      timestamp: minutesAgo(2).toISOString(),
    }),
  ]
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events })
  const ref = newRef()
  const before = app.logs.length
  const response = await deliver(app, pager, makeDelivery({ ref, service: 'Checkout' }))
  expect([response.status, await response.text()]).toEqual([202, ''])
  const line = app.logs.slice(before).find(({ event, route }) => event === 'request' && String(route).startsWith('/webhooks'))
  expect(line).toMatchObject({ store_calls: { postgres: 2, redis: 2 } })
  expect(await incidentsOf(tenant)).toMatchObject([{ external_ref: ref, external_source: 'pagerduty', service: 'checkout' }])

  await app.settle()
  const [incident] = await incidentsOf(tenant)
  expect(incident).toMatchObject({
    status: 'diagnosed',
    posted_back: true,
    title: 'Error rate on Checkout',
    url: `https://acme.pagerduty.com/incidents/${ref}`,
    hypothesis: expect.stringContaining('a4f2c1'),
  })
  const notes = await listNotes(ref)
  expect(notes).toHaveLength(1)
  const content = notes[0]?.content ?? ''
  expect(content.split('\n')[0]).toBe('Noctuary Context')
  expect(content).toContain('a4f2c1')
  expect(content).toContain(`https://noctuary.example.com/incidents/${incident?.['id']}`)
  expect(content).not.toContain('https://evil')
  expect(await detailOf(tenant, incident?.['id'])).toMatchObject({ notes: [{ status: 'posted', content, attempts: 1, reason: null }] })
  const audit = await (await app.request('/v1/audit', { key: tenant.readonlyKey })).json()
  expect(audit[0]).toMatchObject({ action: 'note.posted', actor: 'noctuary', target_id: incident?.['id'] })
})

test.each([
  { name: 'the wrong secret', signature: (body: string) => sign(body, 'another'), status: 401 },
  { name: 'another body', signature: () => sign('{}', PAGER_SECRET), status: 401 },
  { name: 'no signature', signature: () => null, status: 401 },
  { name: 'an empty one', signature: () => '', status: 401 },
  { name: 'another version', signature: (body: string) => sign(body, PAGER_SECRET).replace('v1=', 'v2='), status: 401 },
  { name: 'garbage', signature: () => 'v1=zz,,v1', status: 401 },
  {
    name: 'a rotated secret beside the right one',
    signature: (body: string) => `${sign(body, 'old')}, ${sign(body, PAGER_SECRET)}`,
    status: 202,
  },
])('a delivery signed with $name is answered $status', async ({ signature, status }) => {
  const { tenant, pager } = await start()
  const body = JSON.stringify(makeDelivery())
  const response = await deliver(app, pager, body, { signature: signature(body) })
  expect(response.status).toBe(status)
  expect(await incidentsOf(tenant)).toHaveLength(status === 202 ? 1 : 0)
  await app.settle()
})

test('without a secret no signature is needed', async () => {
  const { tenant, pager } = await start({ webhook_secret: null })
  expect((await deliver(app, pager, makeDelivery())).status).toBe(202)
  expect(await incidentsOf(tenant)).toHaveLength(1)
  await app.settle()
})

test('what is not signed leaves alone what a signed integration opened', async () => {
  const { tenant, pager } = await start()
  const unsigned = await connectPager(app, tenant, { webhook_secret: null })
  const ref = newRef()
  const at = (minutes: number) => minutesAgo(-minutes)
  const tell = async (by: Pager, type: string, when: Date, service = 'checkout') =>
    (await deliver(app, by, makeDelivery({ type, ref, at: when, service, data: { created_at: when.toISOString() } }))).status
  const all = async () => (await incidentsOf(tenant)).map((one) => [one['resolved_at'] !== null, one['external_ref'] === ref])
  const triggeredAt = minutesAgo(30)

  // Not even in advance.
  expect(await tell(unsigned, 'resolved', minutesAgo(1))).toBe(202)
  expect(await tell(pager, 'triggered', triggeredAt)).toBe(202)
  expect(await all()).toEqual([[false, true]])
  for (const type of ['resolved', 'acknowledged', 'triggered', 'reopened']) expect(await tell(unsigned, type, at(0))).toBe(202)
  expect(await app.request(`/in/pagerduty`, { key: tenant.ingestKey, body: makeDelivery({ type: 'resolved', ref }) })).toMatchObject({
    status: 202,
  })
  expect(await all()).toEqual([[false, true]])
  expect(await tell(pager, 'resolved', at(0))).toBe(202)
  expect(await tell(unsigned, 'reopened', at(0))).toBe(202)
  expect(await all()).toEqual([[true, true]])
  await app.settle()
})

test('what is signed takes over what was opened unsigned, and joins no storm of it', async () => {
  const { tenant, pager } = await start()
  const unsigned = await connectPager(app, tenant, { webhook_secret: null })
  const [ref, other] = [newRef(), newRef()]
  await deliver(app, unsigned, makeDelivery({ ref, at: minutesAgo(2) }))
  await deliver(app, pager, makeDelivery({ ref: other, at: minutesAgo(2) }))
  const byRef = async (wanted: string) => (await incidentsOf(tenant)).find((one) => one['external_ref'] === wanted)
  expect((await byRef(other))?.['diagnosis_of']).toBeNull()
  await deliver(app, pager, makeDelivery({ ref, at: minutesAgo(2) }))
  await deliver(app, unsigned, makeDelivery({ type: 'resolved', ref }))
  expect((await byRef(ref))?.['resolved_at']).toBeNull()
  await deliver(app, pager, makeDelivery({ type: 'resolved', ref }))
  expect((await byRef(ref))?.['resolved_at']).not.toBeNull()
  await app.settle()
})

test('an integration of the Worker before, which knows of no credentials, is served, and dead once that rotates it', async () => {
  const tenant = await createTestTenant(app)
  const id = randomUUID()
  const [first, second] = ['1', '2'].map((digit) => `tok_${digit.repeat(8)}${randomUUID().replaceAll(/[-0]/g, '3')}`.slice(0, 44))
  await app.deps.db.execute(sql`INSERT INTO integrations (id, tenant_id, type, direction, token, config, secrets)
    VALUES (${id}, ${tenant.tenantId}, 'pagerduty', 'bidirectional', ${first}, '{}', '{}')`)
  const send = async (token = '') => (await deliver(app, { id, token, secret: null }, makeDelivery())).status
  expect(await send(first)).toBe(202)
  await app.deps.db.execute(sql`UPDATE integrations SET token = ${second} WHERE id = ${id} AND tenant_id = ${tenant.tenantId}`)
  expect([await send(first), await send(second)]).toEqual([404, 202])
  const [shown] = await (await app.request('/v1/integrations', { key: tenant.readonlyKey })).json()
  expect(shown).toMatchObject({ id, token: second, webhook_url: `https://noctuary.example.com/webhooks/pagerduty/${second}` })
  await app.settle()
})

test('an unknown, malformed, rotated, deleted or outbound token is 404', async () => {
  const { tenant, pager } = await start()
  const status = async (token: string) => (await deliver(app, { ...pager, token }, makeDelivery())).status
  expect(await status(`tok_${'1'.repeat(40)}`)).toBe(404)
  expect(await status('nope')).toBe(404)
  expect(await status(`${pager.token}x`)).toBe(404)
  const rotated = await (await app.request(`/v1/integrations/${pager.id}/rotate-token`, { key: tenant.readonlyKey, method: 'POST' })).json()
  expect(await status(pager.token)).toBe(404)
  expect(await status(rotated.token)).toBe(202)
  await app.request(`/v1/integrations/${pager.id}`, { key: tenant.readonlyKey, method: 'DELETE' })
  expect(await status(rotated.token)).toBe(404)
  const outbound = await connectPager(app, tenant, {}, 'outbound')
  expect(await status(outbound.token)).toBe(404)
  await app.settle()
})

const recorded: Readonly<Record<string, unknown>> = JSON.parse(
  readFileSync(new URL('../fixtures/pagerduty-webhooks.json', import.meta.url), 'utf8'),
)

test.each([
  { name: 'an unknown type', body: makeDelivery({ type: 'priority_updated' }) },
  { name: 'another resource', body: makeDelivery({ type: 'service.updated' }) },
  { name: 'a ping', body: recorded['ping'] },
  { name: 'a note of ours', body: makeDelivery({ type: 'annotated', data: { content: 'Noctuary Context\nHypothesis: x' } }) },
  { name: 'someone’s note', body: recorded['annotated'] },
  { name: 'no data', body: { event: { event_type: 'incident.triggered' } } },
  { name: 'a hostile id', body: makeDelivery({ data: { id: '../../../etc/passwd' } }) },
  { name: 'no event', body: {} },
  { name: 'an array', body: [] },
  { name: 'null', body: null },
  { name: 'a prototype', body: JSON.parse('{"__proto__":{"event":{"event_type":"incident.triggered"}}}') },
])('$name is answered 202 and ignored', async ({ body }) => {
  const { tenant, pager } = await start()
  expect((await deliver(app, pager, body)).status).toBe(202)
  await app.settle()
  expect(await incidentsOf(tenant)).toEqual([])
})

test('what is not JSON is 400 and what is too large 413', async () => {
  const { pager } = await start()
  expect((await deliver(app, pager, '{"event":')).status).toBe(400)
  expect((await deliver(app, pager, ' '.repeat(1_048_577))).status).toBe(413)
})

test('a redelivery changes nothing, and neither does another delivery of the same trigger', async () => {
  const { tenant, pager } = await start()
  const ref = newRef()
  const delivery = makeDelivery({ ref })
  const deliveryId = randomUUID()
  for (let times = 0; times < 3; times += 1) expect((await deliver(app, pager, delivery, { deliveryId })).status).toBe(202)
  expect((await deliver(app, pager, makeDelivery({ ref }))).status).toBe(202)
  expect((await deliver(app, pager, makeDelivery({ ref, type: 'acknowledged' }))).status).toBe(202)
  await app.settle()
  expect(await incidentsOf(tenant)).toHaveLength(1)
  expect(await listNotes(ref)).toHaveLength(1)
})

test('an acknowledgement opens what no trigger did', async () => {
  const { tenant, pager } = await start()
  await deliver(app, pager, makeDelivery({ type: 'acknowledged' }))
  await app.settle()
  expect(await incidentsOf(tenant)).toMatchObject([{ status: 'diagnosed', posted_back: true }])
})

test('a resolve closes its incident, also when it comes first', async () => {
  const { tenant, pager } = await start()
  const [inOrder, early] = [newRef(), newRef()]
  const triggered = { at: minutesAgo(5) }
  const resolved = { type: 'resolved', at: minutesAgo(1), data: { created_at: triggered.at.toISOString() } }
  await deliver(app, pager, makeDelivery({ ref: inOrder, service: 'a', ...triggered }))
  await deliver(app, pager, makeDelivery({ ref: inOrder, service: 'a', ...resolved }))
  await deliver(app, pager, makeDelivery({ ref: early, service: 'b', ...resolved }))
  expect(await incidentsOf(tenant)).toHaveLength(1)
  await deliver(app, pager, makeDelivery({ ref: early, service: 'b', ...triggered }))
  await app.settle()
  const resolvedAt = resolved.at.toISOString()
  expect(await incidentsOf(tenant)).toMatchObject([
    { resolved_at: resolvedAt, triggered_at: triggered.at.toISOString() },
    { resolved_at: resolvedAt, triggered_at: triggered.at.toISOString() },
  ])
})

test('the service is the mapped one, else the one of that name, else a new one', async () => {
  const { tenant, pager } = await start({ service_map: { PMAPPED: 'payments' } })
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ service_name: 'search-api' }) })
  await deliver(app, pager, makeDelivery({ service: 'Payments (prod)', serviceRef: 'PMAPPED' }))
  await deliver(app, pager, makeDelivery({ service: 'Search API' }))
  await deliver(app, pager, makeDelivery({ service: 'Brand New' }))
  await deliver(app, pager, makeDelivery({ data: { service: null } }))
  await app.settle()
  expect((await incidentsOf(tenant)).map(({ service }) => service).toSorted()).toEqual(['Brand New', 'payments', 'search-api', 'unknown'])
})

test('times and texts from outside are taken with care', async () => {
  const { tenant, pager } = await start()
  const data = {
    title: `${'x'.repeat(5_000)}\u0000\ud800`,
    html_url: 'javascript:alert(1)',
    created_at: '9999-01-01T00:00:00Z',
    number: '4711',
  }
  expect((await deliver(app, pager, makeDelivery({ data }))).status).toBe(202)
  await app.settle()
  const [incident] = await incidentsOf(tenant)
  expect(incident).toMatchObject({ status: 'diagnosed', url: null })
  expect(String(incident?.['title'])).toHaveLength(1_024)
  expect(Date.parse(String(incident?.['triggered_at']))).toBeLessThanOrEqual(Date.now())
})

test('another tenant’s webhook touches nothing here', async () => {
  const [mine, other] = [await start(), await start()]
  const ref = newRef()
  await deliver(app, mine.pager, makeDelivery({ ref }))
  await deliver(app, other.pager, makeDelivery({ ref, type: 'resolved' }))
  await app.settle()
  expect(await incidentsOf(mine.tenant)).toMatchObject([{ resolved_at: null }])
  expect(await incidentsOf(other.tenant)).toEqual([])
})

test.each([
  { name: 'refuses', fault: 'refuse' as const },
  { name: 'hangs', fault: 'hang' as const },
  { name: 'answers garbage', fault: { status: 500, body: 'oops' } },
  { name: 'loses the reply', fault: 'lose_reply' as const },
])('while Postgres $name, a delivery is 503 and can come again', async ({ fault }) => {
  const { tenant, pager } = await start()
  const database = await startFaultProxy(inject('stack').databaseEndpoint)
  const broken = startApp({ database: database.url, patience: 1 })
  database.fault = fault
  const ref = newRef()
  const [delivery, deliveryId] = [makeDelivery({ ref }), randomUUID()]
  const response = await deliver(broken, pager, delivery, { deliveryId })
  expect(response.status).toBe(503)
  expect(response.headers.get('Retry-After')).not.toBeNull()
  database.fault = 'none'
  expect((await deliver(broken, pager, delivery, { deliveryId })).status).toBe(202)
  await broken.settle()
  expect(await incidentsOf(tenant)).toMatchObject([{ status: 'diagnosed', posted_back: true }])
  expect(await listNotes(ref)).toHaveLength(1)
})

test('while secrets cannot be opened, a delivery is 503', async () => {
  const { pager } = await start()
  const keyless = startApp({ bindings: { INTEGRATION_KEYS: '' } })
  expect((await deliver(keyless, pager, makeDelivery())).status).toBe(503)
})

test('no key, token or secret is in a log line', async () => {
  const { pager } = await start()
  await deliver(app, pager, makeDelivery())
  await app.settle()
  const logs = JSON.stringify(app.logs)
  for (const canary of [PAGER_SECRET, PAGER_TOKEN, pager.token]) expect(logs).not.toContain(canary)
})

test('a signed delivery of the day before yesterday opens nothing; the pager’s address is a link on its own hosts only', async () => {
  const { tenant, pager } = await start()
  const old = makeDelivery({ ref: newRef(), service: 'Checkout', at: minutesAgo(48 * 60) })
  expect((await deliver(app, pager, old)).status).toBe(202)
  expect(await incidentsOf(tenant)).toEqual([])
  expect(app.logs).toContainEqual(
    expect.objectContaining({
      event: 'request',
      tenant_id: tenant.tenantId,
      delivery: { kind: 'taken', sender: 'pagerduty', deliverer: pager.id },
    }),
  )

  const foreign = makeDelivery({ ref: newRef(), service: 'Checkout' })
  const text = JSON.stringify(foreign).replace(/acme\.pagerduty\.com/g, 'pagerduty.com.evil.example')
  await deliver(app, pager, JSON.parse(text))
  expect(await incidentsOf(tenant)).toMatchObject([{ url: null }])
})
