import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { DOORS } from '../../src/domain/doors/index.ts'
import { toSample } from '../../src/domain/doors/sample.ts'
import { matchServices } from '../../src/domain/event/service-name.ts'
import { DOOR_TYPES } from '../../src/domain/integration-type.ts'
import { listIntegrations } from '../../src/store/integrations.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { sendSample } from '../../src/usecases/send-sample.ts'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { startOwnStack } from '../support/own-stack.ts'

// A cron tick is of all tenants.
const stack = await startOwnStack()
const app = startApp({ stack }, { rest: async () => {} })
const sweepIn = (days: number) => runSweep(app.deps, new Date(Date.now() + days * 24 * 3_600_000))

async function diagnose({ ingestKey, readonlyKey }: TestTenant, service: string) {
  await app.request('/v1/events', { key: ingestKey, body: makeEvent({ service_name: service, entity: service }) })
  await app.request('/v1/events', {
    key: ingestKey,
    body: makeEvent({ service_name: service, vendor: 'pino', event_type: 'dependency_failure', entity: 'db', new_value: 'ECONNREFUSED' }),
  })
  const body = { service, title: 'errors', observed_until: new Date().toISOString() }
  return await (await app.request('/v1/incidents', { key: readonlyKey, body })).json()
}

const read = async ({ readonlyKey }: TestTenant, id: string) => {
  const response = await app.request(`/v1/incidents/${id}`, { key: readonlyKey })
  return response.status === 200 ? await response.json() : response.status
}

test('what an unconfirmed answer saw goes after 90 days but for what it cites, and incidents go after 400', async () => {
  const tenant = await createTestTenant(app)
  const [open, confirmed] = [await diagnose(tenant, 'checkout'), await diagnose(tenant, 'payments')]
  const feedback = { method: 'PUT', key: tenant.readonlyKey, body: { confirmed: true } }
  expect((await app.request(`/v1/incidents/${confirmed.id}/feedback`, feedback)).status).toBe(204)
  const whole = await read(tenant, confirmed.id)

  await sweepIn(89)
  expect((await read(tenant, open.id)).context_snapshot).toEqual(open.context_snapshot)
  await sweepIn(91)
  const cut = await read(tenant, open.id)
  expect(cut.context_snapshot).toMatchObject({ alert: open.context_snapshot.alert, dependencies: [], patterns: [] })
  const changed = { context_snapshot: null, similar_incidents: null }
  expect({ ...cut, ...changed }).toEqual({ ...open, ...changed })
  expect(await read(tenant, confirmed.id)).toEqual(whole)

  await sweepIn(399)
  expect((await read(tenant, open.id)).id).toBe(open.id)
  await sweepIn(401)
  expect([await read(tenant, open.id), await read(tenant, confirmed.id)]).toEqual([404, 404])
  const { rows } = await app.deps.db.execute(
    sql`SELECT (SELECT count(*) FROM diagnoses)::int AS answers, (SELECT count(*) FROM incident_work)::int AS work`,
  )
  expect(rows).toEqual([{ answers: 0, work: 0 }])
})

test('the days are settings', async () => {
  const tenant = await createTestTenant(app)
  const { id } = await diagnose(tenant, 'checkout')
  const brief = startApp({ stack, bindings: { INCIDENT_DAYS: '2', SNAPSHOT_DAYS: '1' } }, { rest: async () => {} })
  await runSweep(brief.deps, new Date(Date.now() + 3 * 24 * 3_600_000))
  expect(await read(tenant, id)).toBe(404)
})

test('no sample concerns what is called as in its sender’s documentation', () => {
  for (const type of DOOR_TYPES) {
    const { read, example } = DOORS[type]
    const headers = new Map(Object.entries(example.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
    const signals = read({ body: example.body, header: (name) => headers.get(name), settings: { serviceMap: {} }, id: 'a' })
    const { events, alerts, ignored } = toSample(signals, 'a')
    expect([type, events.length + alerts.length > 0, ignored]).toEqual([type, true, undefined])
    const concerned = events.flatMap((event) => [
      event.service_name,
      ...matchServices({ serviceName: event.service_name, vendor: event.vendor, entity: event.entity }).map(({ name }) => name),
    ])
    for (const name of [...concerned, ...alerts.map(({ service = '' }) => service)])
      expect([type, name]).toEqual([type, expect.stringMatching(/(?:^|\/)sample-/)])
  }
})

test('a sample of every sender goes the whole way, tells nobody, and is gone after ten minutes with what it opened', async () => {
  const tenant = await createTestTenant(app)
  const connect = (body: object) => app.request('/v1/integrations', { key: tenant.readonlyKey, body })
  const pager = { pagerduty_token: 'token', pagerduty_from: 'oncall@acme.example', webhook_secret: 'a-secret-of-the-hubs' }
  // The first alert of a service is the one that is told.
  const types = [...DOOR_TYPES].toSorted((a, b) => Number(b === 'pagerduty') - Number(a === 'pagerduty'))
  for (const type of types) {
    const { signatures } = DOORS[type]
    const config = type === 'pagerduty' ? pager : signatures ? { webhook_secret: pager.webhook_secret } : {}
    const direction = type === 'pagerduty' ? 'bidirectional' : 'inbound'
    expect([type, (await connect({ type, direction, config })).status]).toEqual([type, 201])
  }
  await connect({ type: 'webhook', config: { url: 'https://hooks.example.com/noctuary' } })
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ service_name: 'checkout', ttl_seconds: 86_400 }) })
  await app.settle()
  const integrations = await listIntegrations(app.deps.db, tenant.tenantId)
  const count = async () => {
    const { rows } = await app.deps.db.execute(sql`SELECT
      (SELECT count(*) FROM context_events WHERE tenant_id = ${tenant.tenantId})::int AS events,
      (SELECT count(*) FROM incidents WHERE tenant_id = ${tenant.tenantId})::int AS incidents,
      (SELECT count(*) FROM incidents i WHERE tenant_id = ${tenant.tenantId} AND EXISTS (SELECT 1 FROM diagnoses d WHERE d.incident_id IN (i.id, i.diagnosis_of)))::int AS answered,
      (SELECT count(*) FROM incident_work WHERE tenant_id = ${tenant.tenantId} AND kind <> 'diagnosis')::int AS messages,
      (SELECT count(*) FROM services WHERE tenant_id = ${tenant.tenantId} AND name NOT LIKE '%sample-%')::int AS services,
      (SELECT count(*) FROM services WHERE tenant_id = ${tenant.tenantId} AND name LIKE '%sample-%')::int AS opened,
      (SELECT count(*) FROM event_counts WHERE tenant_id = ${tenant.tenantId})::int AS counts,
      (SELECT count(*) FROM service_edges WHERE tenant_id = ${tenant.tenantId})::int AS edges,
      (SELECT count(*) FROM samples WHERE tenant_id = ${tenant.tenantId})::int AS samples`)
    return rows[0]
  }
  const before = await count()
  const window = async () => {
    const { updated_at: _, ...rest } = await (await app.request('/v1/services/checkout/context', { key: tenant.readonlyKey })).json()
    return rest
  }
  const real = await window()
  for (const type of types) {
    const work: Promise<unknown>[] = []
    const integration = integrations.find((one) => one.type === type) ?? Promise.reject(new Error(type))
    const stored = await count()
    await sendSample(app.deps, type, await integration, (one) => void work.push(one))
    await Promise.all(work)
    const now = await count()
    expect([
      type,
      Number(now?.['events']) + Number(now?.['incidents']) > Number(stored?.['events']) + Number(stored?.['incidents']),
    ]).toEqual([type, true])
  }
  const sent = await count()
  expect(sent).toMatchObject({ messages: 0, services: before?.['services'], counts: 0, answered: sent?.['incidents'] })
  expect(await window()).toEqual(real)

  const sweepAfter = (minutes: number) => runSweep(app.deps, new Date(Date.now() + minutes * 60_000))
  await sweepAfter(9)
  expect(await count()).toMatchObject({ events: sent?.['events'], opened: sent?.['opened'], messages: 0 })
  await sweepAfter(11)
  expect(await count()).toEqual(before)
})
