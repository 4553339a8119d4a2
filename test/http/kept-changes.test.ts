import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { toId } from '../../src/domain/ids.ts'
import { repairWindow } from '../../src/usecases/read-window.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, entriesOf, listServicesOf, makeEvent, readWindowOf, startApp, type TestTenant } from '../support/app.ts'
import { startOwnStack } from '../support/own-stack.ts'

const stack = await startOwnStack()
const app = startApp({ stack })
const { db } = app.deps

const fromNow = (seconds: number) => new Date(Date.now() + 1_000 * seconds).toISOString()

async function send(tenant: TestTenant, ...events: Record<string, unknown>[]): Promise<void> {
  for (const body of events) expect((await app.request('/v1/events', { key: tenant.ingestKey, body })).status).toBe(201)
}

/** As if the events had been received so many seconds earlier. */
async function age(tenant: TestTenant, seconds: number): Promise<void> {
  await db.execute(sql`UPDATE context_events SET "timestamp" = "timestamp" - make_interval(secs => ${seconds}),
    received_at = received_at - make_interval(secs => ${seconds}), expires_at = expires_at - make_interval(secs => ${seconds}),
    kept_until = kept_until - make_interval(secs => ${seconds}), appeared_at = appeared_at - make_interval(secs => ${seconds})
    WHERE tenant_id = ${tenant.tenantId}`)
}

async function ask(tenant: TestTenant, fields: object = {}) {
  const body = { service: 'checkout', ...fields }
  const { data } = await app.as(tenant.readonlyKey).POST('/v1/incidents', { body })
  if (!data) throw new Error('not diagnosed')
  return data
}

type Incident = Awaited<ReturnType<typeof ask>>

/** The entries of a service's window in a snapshot. */
function seenIn({ context_snapshot }: Incident, service = 'checkout') {
  const window = context_snapshot?.windows.find((each) => each.service === service)
  return window ? Object.values(window).flatMap((value) => (Array.isArray(value) ? value : [])) : []
}

test('a change that has expired is in no window, log or count, and a diagnosis sees it for a day, marked', async () => {
  const tenant = await createTestTenant(app)
  await send(
    tenant,
    makeEvent({ ttl_seconds: 60, sha: 'old1' }),
    makeEvent({ ttl_seconds: 60, event_type: 'saturation', new_value: 'slow' }),
  )
  await age(tenant, 3_600)
  await runSweep(app.deps, new Date())

  await send(tenant, makeEvent({ sha: 'new1' }))
  expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ sha: 'new1' }])
  expect(entriesOf(await readWindowOf(app, tenant, 'checkout', `at=${fromNow(0)}`))).toMatchObject([{ sha: 'new1' }])
  const log = await (await app.request(`/v1/agents/${tenant.agentId}`, { key: tenant.readonlyKey })).json()
  expect(log).toMatchObject({ events: [{ sha: 'new1' }] })

  const seen = seenIn(await ask(tenant))
  expect(seen).toMatchObject([{ sha: 'old1', expired: true }, { sha: 'new1' }])
  expect(seen[1]).not.toHaveProperty('expired')
})

test('the sweep takes a change a day after its receipt, or when it expires if that is later, and its joins with it', async () => {
  const tenant = await createTestTenant(app)
  const stored = async () =>
    (await db.execute(sql`SELECT sha, event_type FROM context_events WHERE tenant_id = ${tenant.tenantId} ORDER BY sha`)).rows.map(
      (row) => row['sha'],
    )
  await send(
    tenant,
    makeEvent({ service_name: 'argocd', ttl_seconds: 60, sha: 'a' }),
    makeEvent({ service_name: 'argocd', ttl_seconds: 200_000, sha: 'b' }),
    makeEvent({ event_type: 'restart', ttl_seconds: 60, sha: 'c' }),
  )
  await runSweep(app.deps, new Date(Date.now() + 3_600_000))
  expect(await stored()).toEqual(['a', 'b'])
  const { rows } = await db.execute(
    sql`SELECT min(expires_at) > now() + interval '1 day' AS lasting FROM change_joins WHERE tenant_id = ${tenant.tenantId}`,
  )
  expect(rows).toEqual([{ lasting: true }])
  await runSweep(app.deps, new Date(Date.now() + 86_390_000))
  expect(await stored()).toEqual(['a', 'b'])
  await runSweep(app.deps, new Date(Date.now() + 86_460_000))
  expect(await stored()).toEqual(['b'])
  await runSweep(app.deps, new Date(Date.now() + 200_060_000))
  expect(await stored()).toEqual([])
})

test('of repeats in one minute one is kept', async () => {
  const tenant = await createTestTenant(app)
  const flag = () => makeEvent({ event_type: 'flag_change', vendor: 'flagd', entity: 'busy', new_value: 'on', ttl_seconds: 600 })
  const kept = async () =>
    (
      await db.execute(
        sql`SELECT count(kept_until)::int AS kept, count(*)::int AS stored FROM context_events WHERE tenant_id = ${tenant.tenantId}`,
      )
    ).rows[0]
  for (let round = 0; round < 20; round += 1) await send(tenant, flag())
  const { kept: keptNow, stored } = (await kept()) as { kept: number; stored: number }
  expect(stored).toBe(20)
  // A minute may have ended meanwhile.
  expect(keptNow).toBeLessThanOrEqual(2)
  await age(tenant, 61)
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: [flag()] })
  expect(await kept()).toEqual({ kept: keptNow + 1, stored: 21 })
})

test('a change that came again after it had ended is two entries for a diagnosis, and one in the window', async () => {
  const tenant = await createTestTenant(app)
  const deploy = (sha: string) => makeEvent({ sha, ttl_seconds: 60 })
  await send(tenant, deploy('a'))
  await age(tenant, 1_200)
  await send(tenant, deploy('b'))
  await age(tenant, 600)
  await send(tenant, deploy('a'))
  expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ sha: 'a', count: 1 }])
  expect(seenIn(await ask(tenant))).toMatchObject([
    { sha: 'a', expired: true, count: 1 },
    { sha: 'b', expired: true },
    { sha: 'a', count: 1 },
  ])
})

test('environment, address and details are shown, by the copy as by Postgres; spellings of production are one change', async () => {
  const tenant = await createTestTenant(app)
  await send(
    tenant,
    makeEvent({ environment: 'prod' }),
    makeEvent({ environment: 'Production ', url: 'https://ci.example/2', details: { title: 'two' } }),
  )
  await send(tenant, makeEvent(), makeEvent({ environment: 'staging' }))
  const expected = [
    { environment: 'production', count: 2, url: 'https://ci.example/2', details: { title: 'two' } },
    { environment: null, count: 1, url: null, details: null },
    { environment: 'staging', count: 1 },
  ]
  const fromCopy = await readWindowOf(app, tenant, 'checkout')
  expect(entriesOf(fromCopy)).toMatchObject(expected)

  const service = (await listServicesOf(app, tenant)).get('checkout')
  await app.deps.redis.client.ask(['DEL', `t:${tenant.tenantId}:window:${service?.id}`])
  await repairWindow(app.deps, { tenantId: tenant.tenantId, serviceId: toId(service?.id ?? '') })
  expect(await readWindowOf(startApp({ stack }), tenant, 'checkout')).toEqual(fromCopy)
})

test('an event from a clock that is ahead happened when it was received, in windows and for a diagnosis', async () => {
  const tenant = await createTestTenant(app)
  const sentAt = fromNow(90)
  await send(tenant, makeEvent({ timestamp: sentAt, sha: 'ahead1' }))
  const [entry] = entriesOf(await readWindowOf(app, tenant, 'checkout'))
  expect(entry?.timestamp).toBe(sentAt)
  expect(Date.parse(entry?.first_timestamp ?? '')).toBeLessThanOrEqual(Date.now())

  const incident = await ask(tenant, { observed_until: fromNow(1) })
  const [seen] = seenIn(incident)
  expect(seen?.sha).toBe('ahead1')
  expect(Date.parse(seen?.timestamp ?? '')).toBeLessThanOrEqual(Date.now())
})

test('a deploy opens the service it is of, unless there is one of almost that name', async () => {
  const tenant = await createTestTenant(app)
  const deploy = (entity: string) => makeEvent({ service_name: 'argocd-application-controller', entity })
  await send(
    tenant,
    makeEvent({ service_name: 'Cart_API', event_type: 'restart' }),
    deploy('geo-resolver'),
    deploy('argocd/ledger'),
    deploy('cart-api'),
  )
  expect([...(await listServicesOf(app, tenant)).keys()]).toEqual(['Cart_API', 'argocd-application-controller', 'geo-resolver', 'ledger'])
  expect(entriesOf(await readWindowOf(app, tenant, 'geo-resolver'))).toMatchObject([{ entity: 'geo-resolver', joined_by: 'entity' }])
  expect(entriesOf(await readWindowOf(app, tenant, 'Cart_API'))).toHaveLength(2)
  const { rows } = await db.execute(
    sql`SELECT name FROM services WHERE tenant_id = ${tenant.tenantId} AND last_change_agent_id = ${tenant.agentId} ORDER BY name`,
  )
  expect(rows.map((row) => row['name'])).toEqual(['Cart_API', 'argocd-application-controller', 'geo-resolver', 'ledger'])
})

test('an incident is of an environment, production by default, and a change of another is ruled out', async () => {
  const tenant = await createTestTenant(app)
  await send(
    tenant,
    makeEvent({ environment: 'staging', sha: 'cccc333', timestamp: fromNow(-120) }),
    makeEvent({ event_type: 'dependency_failure', vendor: 'pino', entity: 'checkout', new_value: 'TypeError: x', timestamp: fromNow(-60) }),
  )
  const incident = await ask(tenant)
  expect(incident).toMatchObject({ environment: 'production', context_snapshot: { alert: { environment: 'production' } } })
  expect(incident.ruled_out).toMatchObject([{ reason: 'other_environment' }])
  const staged = await ask(tenant, { environment: ' Staging' })
  expect(staged.environment).toBe('Staging')
  expect(staged.ruled_out).toEqual([])
})

test('a service that nobody told of is 404 with the nearest names, unless it is to be opened', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, makeEvent(), makeEvent({ service_name: 'ledger' }))
  const post = (body: object) => app.request('/v1/incidents', { key: tenant.readonlyKey, body })
  const refused = await post({ service: 'chekout' })
  expect(refused.status).toBe(404)
  const { detail } = (await refused.json()) as { detail: string }
  expect(detail).toContain('"checkout"')
  expect(detail).not.toContain('ledger')
  expect((await post({ service: 'Check_Out' })).status).toBe(201)
  expect((await post({ service: 'chekout', create: true })).status).toBe(201)

  const service = (await listServicesOf(app, tenant)).get('checkout')
  const path = `/v1/services/${service?.id}/dependencies`
  expect((await app.request(path, { method: 'PUT', key: tenant.readonlyKey, body: { declared: ['tax-engine'] } })).status).toBe(200)
  const declared = await post({ service: 'tax-engine' })
  expect(declared.status).toBe(201)
})

test('what an answer could not see is told: services on the way whose changes are not sent', async () => {
  const tenant = await createTestTenant(app)
  await send(
    tenant,
    makeEvent({ service_name: 'argocd-application-controller', entity: 'checkout' }),
    makeEvent({
      service_name: 'checkout',
      event_type: 'dependency_failure',
      vendor: 'pino',
      entity: 'checkout',
      new_value: 'connect ECONNREFUSED geo:8080',
    }),
    makeEvent({ service_name: 'geo', event_type: 'restart', vendor: 'kubernetes', entity: 'geo' }),
  )
  expect(await ask(tenant)).toMatchObject({
    assessment: expect.any(String),
    gaps: [{ service: 'geo', kind: 'changes', state: 'never', since: null }],
  })
  await db.execute(
    sql`UPDATE services SET last_change_at = now() - interval '3 days' WHERE tenant_id = ${tenant.tenantId} AND name = 'checkout'`,
  )
  await db.execute(sql`UPDATE agents SET last_seen_at = now() - interval '2 days' WHERE id = ${tenant.agentId}`)
  expect((await ask(tenant)).gaps).toMatchObject([{ service: 'checkout', state: 'stopped', since: expect.any(String) }, { service: 'geo' }])
})

test('a quiet service that a failing text names is read, however many others had events later', async () => {
  const tenant = await createTestTenant(app)
  const deploy = makeEvent({
    service_name: 'argocd-application-controller',
    entity: 'geo-resolver',
    sha: 'abcdef1',
    timestamp: fromNow(-300),
  })
  await send(tenant, deploy)
  const others = Array.from({ length: 120 }, (_, index) =>
    makeEvent({ service_name: `other-${index}`, event_type: index % 2 ? 'restart' : 'deploy' }),
  )
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: others })
  const failure = makeEvent({
    event_type: 'dependency_failure',
    vendor: 'pino',
    new_value: 'connect ETIMEDOUT geo-resolver:8443',
    timestamp: fromNow(-200),
  })
  await app.request('/v1/events/batch', {
    key: tenant.ingestKey,
    body: Array.from({ length: 30 }, () => ({ ...failure, raw_line: crypto.randomUUID() })),
  })
  const incident = await ask(tenant)
  expect(seenIn(incident, 'geo-resolver')).toMatchObject([{ sha: 'abcdef1' }])
  expect(incident.hypothesis).toContain('abcdef1')
})
