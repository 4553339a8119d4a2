import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()
const minutesAgo = (minutes: number) => new Date(Date.now() - 60_000 * minutes).toISOString()

async function send(tenant: TestTenant, ...events: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
  const response = await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events.map(makeEvent) })
  expect(await response.json()).toMatchObject({ accepted: events.length })
}

type Change = {
  readonly id: string
  readonly service: string
  readonly event_type: string
  readonly entity: string
  readonly timestamp: string
  readonly count: number
}

async function read(tenant: TestTenant, query: Readonly<Record<string, string>> = {}): Promise<Change[]> {
  const response = await app.request(`/v1/changes?${new URLSearchParams(query)}`, { key: tenant.readonlyKey })
  expect(response.status).toBe(200)
  return await response.json()
}

const servicesOf = (changes: readonly Change[]) => changes.map(({ service }) => service)

test('what changed is told across services, newest first, each change once, and of the tenant alone', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  await send(other, { service_name: 'theirs' })
  await send(
    tenant,
    { service_name: 'search', timestamp: minutesAgo(30) },
    { service_name: 'checkout', event_type: 'flag_change', entity: 'new-pricing', vendor: 'flagd', timestamp: minutesAgo(5) },
    { service_name: 'payments', timestamp: minutesAgo(10), actor: 'kim' },
    { service_name: 'checkout', event_type: 'dependency_failure', entity: 'payments', timestamp: minutesAgo(1) },
  )
  await send(tenant, { service_name: 'search', timestamp: minutesAgo(2) }, { service_name: 'search', timestamp: minutesAgo(3) })
  const changes = await read(tenant)
  expect(servicesOf(changes)).toEqual(['checkout', 'payments', 'search'])
  expect(changes[1]).toMatchObject({ event_type: 'deploy', entity: 'checkout', actor: 'kim', environment: null, url: null, details: null })
  expect(changes[2]).toMatchObject({ count: 3, event_type: 'deploy' })
  expect(servicesOf(await read(tenant, { types: 'dependency_failure, flag_change' }))).toEqual(['checkout', 'checkout'])
  expect(servicesOf(await read(tenant, { since: minutesAgo(15) }))).toEqual(['checkout', 'payments'])
  expect(servicesOf(await read(tenant, { since: minutesAgo(15), until: minutesAgo(7) }))).toEqual(['payments'])
  expect(servicesOf(await read(tenant, { service: 'PAY_MENTS' }))).toEqual(['payments'])
  expect(await read(tenant, { service: 'theirs' })).toEqual([])
})

test('a change is told where it began, once, also when a batch begins it several times', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, {}, {}, {})
  const changes = await read(tenant)
  expect(changes).toMatchObject([{ count: 3 }])

  const shas = Array.from({ length: 8 }, (_, place) => `sha-${place}`)
  for (const event_type of ['deploy', 'restart'])
    await send(tenant, ...shas.flatMap((sha) => [86_400, 600, 3_600].map((ttl_seconds) => ({ sha, event_type, ttl_seconds }))))
  expect((await read(tenant, { types: 'deploy,restart' })).map(({ count }) => count)).toEqual([...Array(16).fill(3), 3])
})

test('pages follow each other without a gap or a repeat, also where changes share an instant', async () => {
  const tenant = await createTestTenant(app)
  const at = minutesAgo(4)
  await send(tenant, ...['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => ({ service_name: name, entity: name, timestamp: at })))
  await send(tenant, { service_name: 'later', timestamp: minutesAgo(1) })
  const pages: Change[][] = []
  let page = await read(tenant, { limit: '3' })
  while (page.length > 0) {
    pages.push(page)
    page = await read(tenant, { limit: '3', before: page.at(-1)?.id ?? '' })
  }
  expect(pages.map((page) => page.length)).toEqual([3, 3, 2])
  expect(new Set(servicesOf(pages.flat())).size).toBe(8)
  expect(servicesOf(await read(tenant, { before: minutesAgo(2) }))).not.toContain('later')
})

test('a change joins the list of the service that its entity names', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, { service_name: 'orders', entity: 'orders' }, { service_name: 'argocd', entity: 'orders', new_value: 'syncing' })
  expect(servicesOf(await read(tenant, { service: 'orders' })).toSorted()).toEqual(['argocd', 'orders'])
  expect(servicesOf(await read(tenant, { service: 'argocd' }))).toEqual(['argocd'])
})

test.each([40, 3_200])(
  'pages of a service are of its own changes and of %s that join it, each once, by the kinds asked for',
  async (joining) => {
    const tenant = await createTestTenant(app)
    await send(
      tenant,
      { service_name: 'cart', entity: 'cart', timestamp: minutesAgo(5) },
      { service_name: 'search', timestamp: minutesAgo(1) },
    )
    const rollouts = Array.from({ length: joining }, (_, sha) => ({
      service_name: 'argocd',
      entity: 'cart',
      sha: `${sha}`,
      timestamp: minutesAgo(sha < joining - 30 ? 9 : 2),
    }))
    for (let start = 0; start < joining; start += 400) await send(tenant, ...rollouts.slice(start, start + 400))
    await send(
      tenant,
      { service_name: 'cart', entity: 'cart', event_type: 'restart' },
      { service_name: 'argocd', entity: 'cart', event_type: 'restart' },
    )

    const pages = [await read(tenant, { service: 'cart', limit: '20' })]
    pages.push(await read(tenant, { service: 'cart', limit: '20', before: pages[0]?.at(-1)?.id ?? '' }))
    expect(servicesOf(pages.flat())).toEqual([...Array(30).fill('argocd'), 'cart', ...Array(9).fill('argocd')])
    expect(new Set(pages.flat().map(({ id }) => id)).size).toBe(40)
    expect(servicesOf(await read(tenant, { service: 'cart', types: 'restart' })).toSorted()).toEqual(['argocd', 'cart'])
    expect(await read(tenant, { service: 'argocd', limit: '100' })).toHaveLength(Math.min(joining, 100))
  },
)

test('pages of a service are those of all changes that it has or that join it, whatever their age, and whether they came again', async () => {
  const tenant = await createTestTenant(app)
  const sent = Array.from({ length: 240 }, (_, number) => ({
    sha: `${number}`,
    ttl_seconds: 600,
    ...(number % 4 === 0
      ? { service_name: 'cart', entity: 'cart' }
      : { service_name: 'argocd', entity: number % 4 === 1 ? 'elsewhere' : 'cart' }),
  }))
  await send(tenant, ...sent)
  // As if they had been received in the course of a day.
  await app.deps.db.execute(sql`UPDATE change_joins j SET expires_at = j.expires_at - a.age FROM (${AGES}) a
    WHERE j.tenant_id = ${tenant.tenantId} AND j.service_id = a.service_id AND j.change_key = a.change_key`)
  await app.deps.db.execute(sql`UPDATE context_events e SET "timestamp" = e."timestamp" - a.age, received_at = e.received_at - a.age,
      expires_at = e.expires_at - a.age, kept_until = e.kept_until - a.age, appeared_at = e.appeared_at - a.age
    FROM (${AGES}) a WHERE e.tenant_id = ${tenant.tenantId} AND e.id = a.id`)
  // Some of them again once they had ended, and before it took a later end for their join.
  await app.deps.db.execute(sql`INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, sha, confidence,
      ttl_seconds, "timestamp", received_at, expires_at, kept_until, value_class, change_key, appeared_at)
    SELECT gen_random_uuid(), e.tenant_id, e.agent_id, e.service_id, e.service_name, e.vendor, e.event_type, e.entity, e.sha, e.confidence, e.ttl_seconds,
      e."timestamp" + l.later, e.received_at + l.later, e.expires_at + l.later, e.kept_until + l.later, e.value_class, e.change_key, e.appeared_at + l.later
    FROM context_events e CROSS JOIN (VALUES (interval '11 minutes'), (interval '57 minutes')) l(later)
    WHERE e.tenant_id = ${tenant.tenantId} AND e.sha::int % 5 = 0 AND e.received_at < now() - interval '1 hour'`)
  // As what ingests them notes the beginning of their latest lives, and a Worker of before does not.
  await app.deps.db.execute(sql`UPDATE change_joins j SET appeared_at = l.appeared_at, event_type = CASE WHEN l.appeared_at IS NOT NULL THEN j.event_type END
    FROM (SELECT service_id, change_key, CASE WHEN min(sha)::int % 7 > 0 THEN max(appeared_at) END AS appeared_at FROM context_events
      WHERE tenant_id = ${tenant.tenantId} GROUP BY 1, 2) l
    WHERE j.service_id = l.service_id AND j.change_key = l.change_key`)

  const all = await readPages(tenant, { limit: '100' })
  expect(all.length).toBeGreaterThan(300)
  const wanted = all.filter(({ service, entity }) => service === 'cart' || entity === 'cart').map(({ id }) => id)
  for (const limit of ['3', '20', '100']) expect((await readPages(tenant, { service: 'cart', limit })).map(({ id }) => id)).toEqual(wanted)
  const until = all[150]?.timestamp ?? ''
  const earlier = all.filter(({ service, entity, timestamp }) => (service === 'cart' || entity === 'cart') && timestamp <= until)
  expect((await readPages(tenant, { service: 'cart', limit: '10', until })).map(({ id }) => id)).toEqual(earlier.map(({ id }) => id))
})

/** Events of a tenant with how old they shall be: up to 23 hours, in no order. */
const AGES = sql`SELECT e.id, e.service_id, e.change_key, e.sha::int * 617 % 1380 * interval '1 minute' AS age FROM context_events e WHERE e.sha ~ '^[0-9]+$'`

async function readPages(tenant: TestTenant, query: Readonly<Record<string, string>>): Promise<Change[]> {
  const pages: Change[][] = []
  let page = await read(tenant, query)
  while (page.length > 0) {
    pages.push(page)
    page = await read(tenant, { ...query, before: page.at(-1)?.id ?? '' })
  }
  return pages.flat()
}

test('a change that another tenant has cannot be paged from, and one in the future counts from its receipt', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  await send(tenant, { timestamp: minutesAgo(-600) })
  const [mine] = await read(tenant)
  expect(Date.parse(mine?.timestamp ?? '')).toBeLessThan(Date.now() + 60_000)
  await send(other, { timestamp: minutesAgo(60) })
  expect(await read(other, { before: mine?.id ?? '' })).toEqual([])
})

test.each([
  ['since=yesterday', 'since'],
  ['until=soon', 'until'],
  ['types=deploy,coffee', 'types'],
  ['limit=0', 'limit'],
  ['limit=101', 'limit'],
  ['before=then', 'before'],
])('%s is 400', async (query, pointer) => {
  const tenant = await createTestTenant(app)
  const response = await app.request(`/v1/changes?${query}`, { key: tenant.readonlyKey })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ errors: [{ pointer }] })
})

test.each(['checkout/api', 'CHECKOUT-api', 'check%out', 'Prüfung 7'])('a service goes by its name in a path: %s', async (name) => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  await send(tenant, { service_name: name === 'CHECKOUT-api' ? 'checkout api' : name })
  const path = (rest: string) => `/v1/services/${encodeURIComponent(name)}/${rest}`
  const window = await app.request(path('context'), { key: tenant.readonlyKey })
  expect(window.status).toBe(200)
  expect((await window.json()).deploy_events).toHaveLength(1)
  const declared = await app.request(path('dependencies'), { key: tenant.readonlyKey, method: 'PUT', body: { declared: ['payments'] } })
  expect(await declared.json()).toMatchObject({ declared: ['payments'] })
  expect(await (await app.request(path('dependencies'), { key: tenant.readonlyKey })).json()).toMatchObject({ declared: ['payments'] })
  for (const rest of ['context', 'dependencies']) {
    expect((await app.request(path(rest), { key: other.readonlyKey })).status).toBe(404)
    expect((await app.request(path(rest), { key: other.ingestKey })).status).toBe(403)
    expect((await app.request(path(rest))).status).toBe(401)
  }
})

test('of services whose names differ in case alone, the one that is spelt so is meant', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, { service_name: 'Cart' }, { service_name: 'cart' })
  for (const name of ['Cart', 'cart']) {
    const window = await app.request(`/v1/services/${name}/context`, { key: tenant.readonlyKey })
    expect(await window.json()).toMatchObject({ service: name })
  }
})
