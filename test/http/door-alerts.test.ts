import { createHmac, randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { expect, inject, test } from 'vitest'
import type { IntegrationId } from '../../src/domain/ids.ts'
import { readDeliveries } from '../../src/usecases/read-deliveries.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, startApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { startOwnStack } from '../support/own-stack.ts'
import { connectPager, deliver, makeDelivery, newRef } from '../support/pagerduty.ts'

const app = startApp()

type IncidentBody = {
  readonly id: string
  readonly service: string
  readonly status: string
  readonly external_ref: string
  readonly external_source: string
  readonly resolved_at: string | null
  readonly triggered_at: string
}

const incidentsOf = async ({ readonlyKey }: TestTenant, by = app): Promise<IncidentBody[]> =>
  (await by.request('/v1/incidents', { key: readonlyKey })).json()

const ago = (minutes: number) => new Date(Date.now() - 60_000 * minutes).toISOString()

type Alert = { readonly status?: string; readonly service?: string; readonly name?: string; readonly from?: string; readonly to?: string }

/** A group as Alertmanager sends it. */
function makeGroup(alerts: readonly Alert[], groupKey = '{}:{}') {
  return {
    version: '4',
    groupKey,
    status: 'firing',
    alerts: alerts.map(({ status = 'firing', service = 'checkout', name = 'Slow', from = ago(5), to = '0001-01-01T00:00:00Z' }, index) => ({
      status,
      labels: { alertname: name, service, pod: `p-${index}` },
      annotations: {},
      startsAt: from,
      endsAt: to,
    })),
  }
}

const send = async (tenant: TestTenant, group: unknown, at = app, path = '/in/alertmanager') => {
  const response = await at.request(path, { key: tenant.ingestKey, body: group })
  return response.status
}

test('a key that fires again opens a second incident once the first is resolved', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, makeGroup([{ from: ago(50) }]))
  await send(tenant, makeGroup([{ from: ago(50) }]))
  expect(await incidentsOf(tenant)).toHaveLength(1)
  await send(tenant, makeGroup([{ status: 'resolved', from: ago(50), to: ago(60) }]))
  expect((await incidentsOf(tenant))[0]?.resolved_at).toBeNull()
  await send(tenant, makeGroup([{ status: 'resolved', from: ago(50), to: ago(40) }]))
  await send(tenant, makeGroup([{ from: ago(50) }]))
  expect(await incidentsOf(tenant)).toHaveLength(1)
  await send(tenant, makeGroup([{ from: ago(30) }]))
  const [second, first, ...rest] = await incidentsOf(tenant)
  expect([second?.resolved_at, first?.resolved_at !== null, rest]).toEqual([null, true, []])
  expect(second?.external_ref).not.toBe(first?.external_ref)

  // A person resolves it; what Alertmanager repeats every four hours is the same outage.
  await app.request(`/v1/incidents/${second?.id}/resolve`, { method: 'PUT', key: tenant.readonlyKey })
  await send(tenant, makeGroup([{ from: ago(30) }]))
  expect(await incidentsOf(tenant)).toHaveLength(2)
})

test('a storm of one body is an incident a service, and one statement', async () => {
  const database = await startFaultProxy(inject('stack').databaseEndpoint)
  const counted = startApp({ database: database.url })
  const tenant = await createTestTenant(app)
  const storm = Array.from({ length: 200 }, (_, index) => ({ service: ['checkout', 'cart', 'till'][index % 3] ?? '' }))
  expect(await send(tenant, makeGroup(storm), counted)).toBe(202)
  const statements = database.seen.filter((asked) => JSON.stringify(asked).includes('receive_alerts'))
  expect(statements).toHaveLength(1)
  await counted.settle()
  const incidents = await incidentsOf(tenant)
  expect(incidents.map(({ service }) => service).toSorted()).toEqual(['cart', 'checkout', 'till'])
  expect(counted.logs.filter(({ event }) => event === 'diagnosis_failed')).toEqual([])
  expect(await send(tenant, makeGroup([{ name: 'Watchdog' }]))).toBe(202)
  expect(await incidentsOf(tenant)).toHaveLength(3)
})

test('ids of different senders never meet', async () => {
  const tenant = await createTestTenant(app)
  const pager = await connectPager(app, tenant)
  const ref = newRef()
  await deliver(app, pager, makeDelivery({ ref, service: 'cart' }))
  const body = { event_action: 'trigger', dedup_key: ref, payload: { summary: 'Slow', source: 'till', severity: 'critical' } }
  await app.request('/v2/enqueue', { body: { ...body, routing_key: tenant.ingestKey } })
  await app.request('/v2/enqueue', { body: { event_action: 'resolve', dedup_key: ref, routing_key: tenant.ingestKey } })
  const incidents = await incidentsOf(tenant)
  expect(incidents.map(({ external_source, resolved_at }) => [external_source, resolved_at !== null]).toSorted()).toEqual([
    ['pagerduty', false],
    ['pagerduty-events', true],
  ])
  await app.settle()
})

test('two senders of one type never touch each other’s, whatever their keys; what a sender left behind goes on', async () => {
  const tenant = await createTestTenant(app)
  const connect = async () => {
    const body = { type: 'alertmanager', direction: 'inbound' }
    const { id, token } = await (await app.request('/v1/integrations', { key: tenant.readonlyKey, body })).json()
    return { id, path: `/in/alertmanager/${token}` }
  }
  const [first, second] = [await connect(), await connect()]
  const tell = async (path: string | undefined, ...alerts: readonly Alert[]) => {
    expect(await send(tenant, makeGroup(alerts), app, path)).toBe(202)
    return (await incidentsOf(tenant)).map(({ resolved_at }) => (resolved_at === null ? 'open' : 'over')).toSorted()
  }
  const over = (minutes: number) => ({ status: 'resolved', from: ago(50), to: ago(minutes) })

  const began = ago(45)

  // Not even in advance.
  expect(await tell(second.path, over(40))).toEqual([])
  expect(await tell(first.path, { from: began })).toEqual(['open'])
  expect(await tell(second.path, { from: ago(30) })).toEqual(['open', 'open'])
  expect(await tell(undefined, { from: ago(30) })).toEqual(['open', 'open', 'open'])
  expect(await tell(second.path, over(20))).toEqual(['open', 'open', 'over'])
  expect(await tell(second.path, { from: ago(15) })).toEqual(['open', 'open', 'open', 'over'])
  expect(await tell(undefined, over(10))).toEqual(['open', 'open', 'over', 'over'])

  // As a Worker of before stored it.
  const { db } = app.deps
  await db.execute(sql`UPDATE incidents SET sender_id = NULL WHERE integration_id = ${second.id}`)
  expect(await tell(second.path, over(10))).toEqual(['open', 'over', 'over', 'over'])

  // Its integration is made anew: what goes on is known, and its end is heard; what begins anew is another.
  await app.request(`/v1/integrations/${first.id}`, { key: tenant.readonlyKey, method: 'DELETE' })
  const third = await connect()
  expect(await tell(third.path, { from: began })).toEqual(['open', 'over', 'over', 'over'])
  expect(await tell(third.path, over(5))).toEqual(['over', 'over', 'over', 'over'])
  expect(await tell(third.path, { from: ago(2) })).toEqual(['open', 'over', 'over', 'over', 'over'])
  await app.settle()
})

test('a routing key may be in a header, as PagerDuty’s own library sends it', async () => {
  const tenant = await createTestTenant(app)
  const made = await app.request('/v1/integrations', { key: tenant.readonlyKey, body: { type: 'pagerduty-events', direction: 'inbound' } })
  const headers = { 'X-Routing-Key': (await made.json()).token }
  const body = { event_action: 'trigger', payload: { summary: 'Slow', source: 'till', severity: 'critical' } }
  expect((await app.request('/v2/enqueue', { body, headers })).status).toBe(202)
  expect((await app.request('/v2/enqueue', { body, headers: { 'X-Routing-Key': 'f'.repeat(32) } })).status).toBe(400)
  expect(await incidentsOf(tenant)).toMatchObject([{ service: 'till', external_source: 'pagerduty-events' }])
  await app.settle()
})

test('what names no service says so, where its deliveries are shown', async () => {
  const tenant = await createTestTenant(app)
  const body = { type: 'grafana', direction: 'inbound' }
  const { id, token } = await (await app.request('/v1/integrations', { key: tenant.readonlyKey, body })).json()
  const group = {
    groupKey: '{}:{}',
    alerts: [{ status: 'firing', labels: { alertname: 'TestAlert', instance: 'Grafana' }, startsAt: ago(1) }],
  }
  // Some have a field for the header's value, and nothing that says what goes before it.
  for (const Authorization of [token, ` ${token} `]) {
    expect((await app.request('/in/grafana', { body: group, headers: { Authorization } })).status).toBe(202)
  }
  await app.settle()
  const [known, opened] = (await readDeliveries(app.deps, tenant.tenantId, [id])).get(id)?.latest ?? []
  expect([opened?.text, known?.text]).toEqual(['1 alert opened, of no service that it names: set service', '1 alert known'])
})

test('an acknowledgement or a resolution of what never was is dropped', async () => {
  const tenant = await createTestTenant(app)
  for (const event_action of ['acknowledge', 'resolve']) {
    const response = await app.request('/v2/enqueue', { body: { event_action, dedup_key: 'k', routing_key: tenant.ingestKey } })
    expect([response.status, await response.json()]).toMatchObject([202, { status: 'success', dedup_key: 'k' }])
  }
  expect(await incidentsOf(tenant)).toEqual([])
})

test('a reopened incident of PagerDuty’s is open again, whatever resolution comes late', async () => {
  const tenant = await createTestTenant(app)
  const pager = await connectPager(app, tenant)
  const ref = newRef()
  const at = (minutes: number) => new Date(Date.now() - 60_000 * minutes)
  await deliver(app, pager, makeDelivery({ ref, at: at(30) }))
  await deliver(app, pager, makeDelivery({ ref, type: 'resolved', at: at(20) }))
  await deliver(app, pager, makeDelivery({ ref, type: 'reopened', at: at(10) }))
  expect((await incidentsOf(tenant)).map(({ resolved_at }) => resolved_at)).toEqual([null])
  await deliver(app, pager, makeDelivery({ ref, type: 'resolved', at: at(15) }))
  expect((await incidentsOf(tenant)).map(({ resolved_at }) => resolved_at)).toEqual([null])
  await deliver(app, pager, makeDelivery({ ref: newRef(), at: at(1_500) }))
  expect(await incidentsOf(tenant)).toHaveLength(1)
  await app.settle()
})

test('nobody is told of an alert that did not last', async () => {
  // Its clock is ahead, by which others' work would be due, too.
  const apart = startApp({ stack: await startOwnStack() })
  const tenant = await createTestTenant(apart)
  const body = { type: 'alertmanager', direction: 'inbound', config: { wait_seconds: 600 } }
  const { token, id } = await (await apart.request('/v1/integrations', { key: tenant.readonlyKey, body })).json()
  const path = `/in/alertmanager/${token}`
  const [short, long] = [randomUUID(), randomUUID()]
  await send(tenant, makeGroup([{ from: ago(1), service: 'cart' }], short), apart, path)
  await send(tenant, makeGroup([{ from: ago(1), service: 'till' }], long), apart, path)
  await send(tenant, makeGroup([{ status: 'resolved', from: ago(1), to: ago(0), service: 'cart' }], short), apart, path)
  await apart.settle()
  expect((await incidentsOf(tenant, apart)).map(({ service, status }) => [service, status]).toSorted()).toEqual([
    ['cart', 'failed'],
    ['till', 'diagnosing'],
  ])
  await runSweep(apart.deps, new Date(Date.now() + 600_000))
  expect((await incidentsOf(tenant, apart)).map(({ service, status }) => [service, status]).toSorted()).toEqual([
    ['cart', 'failed'],
    ['till', 'diagnosed'],
  ])

  await apart.request(path, { body: '{' })
  await apart.settle()
  const deliveries = await readDeliveries(apart.deps, tenant.tenantId, [id])
  expect(deliveries.get(id)?.latest.map(({ text }) => text)).toEqual([
    'request body must be valid JSON',
    '1 alert resolved',
    '1 alert opened, and waited for',
    '1 alert opened, and waited for',
  ])
  expect(deliveries.get(id)?.today).toEqual({ taken: 3, ignored: 0, refused: 1 })
})

test('deliveries at once open one incident', async () => {
  const tenant = await createTestTenant(app)
  const group = makeGroup([{ from: ago(3) }])
  expect(new Set(await Promise.all(Array.from({ length: 12 }, () => send(tenant, group))))).toEqual(new Set([202]))
  await app.settle()
  expect(await incidentsOf(tenant)).toHaveLength(1)
})

const SENDERS = {
  sentry: {
    header: 'sentry-hook-signature',
    body: (from: string) => ({ data: { event: { issue_id: '7', title: 'TypeError', datetime: from } } }),
  },
  firehydrant: {
    header: 'fh-signature',
    body: (from: string) => ({
      event: { operation: 'CREATED', resource_type: 'incident' },
      data: { incident: { id: 'i7', name: 'Slow', current_milestone: 'started', created_at: from } },
    }),
  },
  grafana: {
    header: 'x-grafana-alerting-signature',
    body: (from: string) => makeGroup([{ from }]),
  },
} as const

test.each(Object.entries(SENDERS))(
  'what %s signed is taken once, and opens nothing once it is caught and kept',
  async (type, { header, body }) => {
    const tenant = await createTestTenant(app)
    const secret = 'a-secret-of-the-senders'
    const config = { webhook_secret: secret, service: 'checkout' }
    const made = await app.request('/v1/integrations', { key: tenant.readonlyKey, body: { type, direction: 'inbound', config } })
    const { id, token }: { id: IntegrationId; token: string } = await made.json()
    const deliverSigned = async (from: string) => {
      const text = JSON.stringify(body(from))
      const headers = { 'Content-Type': 'application/json', [header]: createHmac('sha256', secret).update(text).digest('hex') }
      const { status } = await app.request(`/in/${type}/${token}`, { body: text, headers })
      await app.settle()
      const [latest] = (await readDeliveries(app.deps, tenant.tenantId, [id])).get(id)?.latest ?? []
      return [status, latest?.text]
    }
    const now = ago(1)
    expect([await deliverSigned(now), await deliverSigned(now)]).toEqual([
      [202, '1 alert opened'],
      [202, '1 alert delivered before'],
    ])
    // Grafana tells of what has been firing for days.
    const [status, text] = await deliverSigned(ago(60 * 25))
    expect([status, text]).toEqual([202, type === 'grafana' ? '1 alert known' : 'an alert of more than a day ago'])
    expect(await incidentsOf(tenant)).toHaveLength(1)
  },
)
