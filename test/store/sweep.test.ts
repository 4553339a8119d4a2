import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { expect, inject, test } from 'vitest'
import { sweepBatch } from '../../src/store/sweeps.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, entriesOf, makeEvent, readWindowOf, startApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'

const stack = inject('stack')
const app = startApp()
const { db } = app.deps

async function send(tenant: TestTenant, ...events: Record<string, unknown>[]): Promise<void> {
  for (let start = 0; start < events.length; start += 500) {
    const body = events.slice(start, start + 500)
    expect(await (await app.request('/v1/events/batch', { key: tenant.ingestKey, body })).json()).toMatchObject({ accepted: body.length })
  }
}

async function countOf(tenant: TestTenant) {
  const { rows } = await db.execute<{ live: number; joins: number; counted: number; minutes: number }>(sql`SELECT
    (SELECT count(*) FROM context_events WHERE tenant_id = ${tenant.tenantId})::int AS live,
    (SELECT count(*) FROM event_joins WHERE tenant_id = ${tenant.tenantId})::int AS joins,
    (SELECT coalesce(sum(count), 0) FROM event_counts WHERE tenant_id = ${tenant.tenantId})::int AS counted,
    (SELECT coalesce(sum(count), 0) FROM agent_minutes WHERE tenant_id = ${tenant.tenantId})::int AS minutes`)
  return rows[0]
}

const inAnHour = () => new Date(Date.now() + 3_600_000)

test('expired events become hourly counts by value class, live ones stay, and a second run does nothing', async () => {
  const tenant = await createTestTenant(app)
  const slow = (ms: string) =>
    makeEvent({ service_name: 'postgres', vendor: 'postgres', entity: 'appdb', event_type: 'saturation', new_value: `slow_query:${ms}ms` })
  await send(
    tenant,
    slow('812'),
    slow('4521.2'),
    slow('9'),
    makeEvent({ ttl_seconds: 86_400 }),
    makeEvent({ service_name: 'argocd', entity: 'checkout' }),
  )
  expect(await countOf(tenant)).toEqual({ live: 5, joins: 4, counted: 0, minutes: 0 })

  while ((await runSweep(app.deps, inAnHour())).deleted > 0);
  expect(await countOf(tenant)).toEqual({ live: 1, joins: 0, counted: 4, minutes: 4 })
  const { rows } = await db.execute(sql`SELECT vendor, event_type, entity, value_class, count FROM event_counts
    WHERE tenant_id = ${tenant.tenantId} ORDER BY count DESC, vendor`)
  expect(rows).toMatchObject([
    { vendor: 'postgres', event_type: 'saturation', entity: 'appdb', value_class: 'slow_query:#ms', count: 3 },
    { vendor: 'argocd', event_type: 'deploy', entity: 'checkout', value_class: 'succeeded', count: 1 },
  ])
  await runSweep(app.deps, inAnHour())
  expect(await countOf(tenant)).toEqual({ live: 1, joins: 0, counted: 4, minutes: 4 })

  const agents = await (await app.request('/v1/agents', { key: tenant.readonlyKey })).json()
  expect(agents).toMatchObject([{ events_last_hour: 5 }])
})

test('counts add up over runs', async () => {
  const tenant = await createTestTenant(app)
  for (let round = 0; round < 3; round += 1) {
    await send(tenant, makeEvent(), makeEvent())
    await runSweep(app.deps, inAnHour())
  }
  expect(await countOf(tenant)).toMatchObject({ live: 0, counted: 6 })
})

test('a sweep that is killed half-way loses nothing', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, ...Array.from({ length: 300 }, (_, index) => makeEvent({ entity: `entity-${index % 7}` })))
  const database = await startFaultProxy(stack.databaseEndpoint)
  const dying = startApp({ database: database.url })
  const total = async () => {
    const counts = await countOf(tenant)
    return (counts?.live ?? 0) + (counts?.counted ?? 0)
  }

  // The statement commits, and whoever asked never hears of it.
  database.fault = 'lose_reply'
  await expect(sweepBatch(dying.deps.db, inAnHour(), 100)).rejects.toThrow()
  expect(await total()).toBe(300)
  database.fault = 'refuse'
  await expect(runSweep(dying.deps, inAnHour())).rejects.toThrow()
  expect(await total()).toBe(300)

  while ((await runSweep(app.deps, inAnHour())).deleted > 0);
  expect(await countOf(tenant)).toMatchObject({ live: 0, counted: 300 })
})

test('sweeps that overlap share the work and count each event once', async () => {
  const tenant = await createTestTenant(app)
  await send(
    tenant,
    ...Array.from({ length: 2_000 }, (_, index) => makeEvent({ entity: `entity-${index % 13}`, service_name: `service-${index % 3}` })),
  )
  for (let left = true; left; ) {
    const batches = await Promise.all(Array.from({ length: 8 }, () => sweepBatch(db, inAnHour(), 100)))
    left = batches.some(({ deleted }) => deleted > 0)
  }
  expect(await countOf(tenant)).toMatchObject({ live: 0, counted: 2_000 })
})

test('names so long that no index row could hold them are swept all the same', async () => {
  const tenant = await createTestTenant(app)
  const long = (letter: string) =>
    Array.from({ length: 512 }, (_, index) => String.fromCodePoint(0x1f300 + ((index * 7 + letter.charCodeAt(0)) % 256))).join('')
  await send(tenant, makeEvent({ service_name: long('a'), vendor: long('b'), entity: long('c'), new_value: long('d') }))
  await runSweep(app.deps, inAnHour())
  expect(await countOf(tenant)).toMatchObject({ live: 0, counted: 1 })
})

test('what was swept is tidied out of the windows’ copies', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, makeEvent({ ttl_seconds: 1, sha: 'short' }), makeEvent({ sha: 'long' }))
  const { client } = app.deps.redis
  const [key = ''] = await client.keys(`t:${tenant.tenantId}:window:*`)
  expect(await client.zcard(key)).toBe(8)
  await sleep(1_100)
  await runSweep(app.deps, new Date())
  expect(await client.zcard(key)).toBe(4)
  expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ sha: 'long', count: 1 }])
})

test('one log line says what a sweep did, and an idle database is not asked', async () => {
  const database = await startFaultProxy(stack.databaseEndpoint)
  const redis = await startFaultProxy(stack.redisUrl)
  const idle = startApp({ database: database.url, redis: redis.url })
  const { client } = idle.deps.redis
  const at = new Date('2026-01-15T10:07:00Z')

  // Nobody's events but the hints of this test: the stores are shared by all test files.
  const answer = (inUse: string | null, due: string | null) => ({ status: 200, body: JSON.stringify({ result: [inUse, due] }) })
  redis.fault = answer(null, String(at.getTime() + 1))
  expect(await runSweep(idle.deps, at)).toMatchObject({ skipped: true })
  expect(database.seen).toHaveLength(0)
  expect(idle.logs).toEqual([
    { event: 'sweep', skipped: true, deleted: 0, batches: 0, tidied_windows: 0, repaired_windows: 0, redis: 'up' },
  ])

  redis.fault = 'none'
  expect(await runSweep(idle.deps, at)).toMatchObject({ skipped: false })
  expect(Number(await client.get('sweep:due'))).toBeGreaterThan(0)
})
