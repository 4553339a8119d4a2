import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import type { BatchDatabase } from '../../src/deps.ts'
import { sha256Hex } from '../../src/domain/hash.ts'
import { toId } from '../../src/domain/ids.ts'
import { functionNamed } from '../../src/store/functions.ts'
import { readServiceGraph } from '../../src/store/service-graph.ts'
import { listServiceOverviews } from '../../src/store/service-overviews.ts'
import { readSweepHints, sweepBatch } from '../../src/store/sweeps.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import {
  createTestTenant,
  entriesOf,
  listServicesOf,
  METRICS_TOKEN,
  makeEvent,
  readWindowOf,
  startApp,
  type TestTenant,
} from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { startOwnStack } from '../support/own-stack.ts'

const stack = await startOwnStack()
const app = startApp({ stack })
const { db }: BatchDatabase = app.deps
/** Whose sweeps do not rest before they look again for what came meanwhile. */
const restless = { ...app.deps, rest: async () => {} }

async function send(tenant: TestTenant, ...events: Record<string, unknown>[]): Promise<void> {
  for (let start = 0; start < events.length; start += 500) {
    const body = events.slice(start, start + 500)
    expect(await (await app.request('/v1/events/batch', { key: tenant.ingestKey, body })).json()).toMatchObject({ accepted: body.length })
  }
}

async function countOf(tenant: TestTenant) {
  const { rows } = await db.execute<{ live: number; joins: number; counted: number; minutes: number }>(sql`SELECT
    (SELECT count(*) FROM context_events WHERE tenant_id = ${tenant.tenantId})::int AS live,
    (SELECT count(*) FROM change_joins WHERE tenant_id = ${tenant.tenantId})::int AS joins,
    (SELECT coalesce(sum(count), 0) FROM event_counts WHERE tenant_id = ${tenant.tenantId})::int AS counted,
    (SELECT coalesce(sum(count), 0) FROM agent_minutes WHERE tenant_id = ${tenant.tenantId})::int AS minutes`)
  return rows[0]
}

/** When changes are no longer kept either. */
const inADay = () => new Date(Date.now() + 25 * 3_600_000)

test('expired events become hourly counts by value class, live ones stay, and a second run does nothing', async () => {
  const tenant = await createTestTenant(app)
  const slow = (ms: string) =>
    makeEvent({ service_name: 'postgres', vendor: 'postgres', entity: 'appdb', event_type: 'saturation', new_value: `slow_query:${ms}ms` })
  await send(
    tenant,
    slow('812'),
    slow('4521.2'),
    slow('9'),
    makeEvent({ ttl_seconds: 100_000 }),
    makeEvent({ service_name: 'argocd', entity: 'checkout' }),
  )
  expect(await countOf(tenant)).toEqual({ live: 5, joins: 4, counted: 0, minutes: 0 })

  while ((await runSweep(app.deps, inADay())).deleted > 0);
  expect(await countOf(tenant)).toEqual({ live: 1, joins: 4, counted: 4, minutes: 4 })
  const { rows } = await db.execute(sql`SELECT vendor, event_type, entity, value_class, count FROM event_counts
    WHERE tenant_id = ${tenant.tenantId} ORDER BY count DESC, vendor`)
  expect(rows).toMatchObject([
    { vendor: 'postgres', event_type: 'saturation', entity: 'appdb', value_class: 'slow_query:#ms', count: 3 },
    { vendor: 'argocd', event_type: 'deploy', entity: 'checkout', value_class: 'succeeded', count: 1 },
  ])
  await runSweep(app.deps, inADay())
  expect(await countOf(tenant)).toEqual({ live: 1, joins: 4, counted: 4, minutes: 4 })

  const agents = await (await app.request('/v1/agents', { key: tenant.readonlyKey })).json()
  expect(agents).toMatchObject([{ events_last_hour: 5 }])
  await send(tenant, slow('7'))
  await runSweep(app.deps, inADay())
  expect(await countOf(tenant)).toMatchObject({ live: 1, minutes: 5 })
})

test('an event is known for a day after its receipt, though it was swept', async () => {
  const tenant = await createTestTenant(app)
  const brief = (fields: Record<string, unknown> = {}) =>
    makeEvent({ event_type: 'saturation', new_value: '91%', ttl_seconds: 1, timestamp: '2026-01-15T10:00:00Z', ...fields })
  const post = (body: unknown) => app.request('/v1/events', { key: tenant.ingestKey, body })
  await post(brief())
  await send(tenant, brief({ entity: 'other' }), brief({ entity: 'anonymous', timestamp: undefined }))
  await sleep(1_100)
  expect(await runSweep(app.deps, new Date())).toMatchObject({ deleted: 3 })
  const again = await post(brief())
  expect([again.status, again.headers.get('Idempotent-Replayed')]).toEqual([201, 'true'])
  const batch = await app.request('/v1/events/batch', {
    key: tenant.ingestKey,
    body: [brief({ entity: 'other' }), brief({ entity: 'new' })],
  })
  expect(await batch.json()).toMatchObject({ accepted: 1, duplicates: 1 })
  expect(await countOf(tenant)).toMatchObject({ live: 1, counted: 3 })
  expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ entity: 'new', count: 1 }])
  expect((await db.execute(sql`SELECT 1 FROM swept_events WHERE tenant_id = ${tenant.tenantId}`)).rows).toHaveLength(2)

  await runSweep(app.deps, inADay())
  expect((await db.execute(sql`SELECT 1 FROM swept_events WHERE tenant_id = ${tenant.tenantId}`)).rows).toEqual([])
  expect((await post(brief())).headers.get('Idempotent-Replayed')).toBeNull()
})

test('an event that is sent again while it is swept is one', async () => {
  const tenant = await createTestTenant(app)
  for (let round = 0; round < 8; round += 1) {
    const events = Array.from({ length: 100 }, (_, index) =>
      makeEvent({ event_type: 'restart', ttl_seconds: 1, timestamp: '2026-01-15T10:00:00Z', sha: `${round} ${index}` }),
    )
    await send(tenant, ...events)
    await db.execute(
      sql`UPDATE context_events SET expires_at = now(), received_at = now() - interval '1 minute' WHERE tenant_id = ${tenant.tenantId}`,
    )
    const [batch] = await Promise.all([
      app.request('/v1/events/batch', { key: tenant.ingestKey, body: events }),
      sweepBatch(db, new Date(), 1_000),
      sweepBatch(db, new Date(), 1_000),
    ])
    expect(await batch?.json()).toMatchObject({ accepted: 0, duplicates: 100 })
  }
})

test('a batch looks up what was swept, also by a plan that was made while that was nothing', async () => {
  const tenant = await createTestTenant(app)
  const keyHash = await sha256Hex(tenant.ingestKey)
  const names = [{ name: 'checkout', name_key: 'checkout', is_opened: false, is_changed: false }]
  const ingest = () => {
    const events = Array.from({ length: 50 }, (_, place) => ({
      ...makeEvent({ event_type: 'restart', value_class: 'x', sha: `${place}` }),
      id: app.deps.newUuid(),
      place,
    }))
    return db.execute(sql`SELECT ${functionNamed('ingest_events')}
      (${keyHash}, NULL, NULL, ${JSON.stringify(names)}, ${JSON.stringify(events)}, '[]', '[]', 100) AS answer`)
  }
  const reads = sql`SELECT coalesce(seq_tup_read, 0)::int + coalesce(idx_tup_fetch, 0)::int AS rows FROM pg_stat_xact_user_tables WHERE relname = 'swept_events'`
  const [, , first, , before, second, after] = await db.batch([
    db.execute(sql`DELETE FROM swept_events`),
    db.execute(sql`ANALYZE swept_events`),
    ingest(),
    db.execute(
      sql`INSERT INTO swept_events SELECT ${tenant.tenantId}, gen_random_uuid(), now() + interval '1 day' FROM generate_series(1, 2000)`,
    ),
    db.execute(reads),
    ingest(),
    db.execute(reads),
  ])
  for (const { rows } of [first, second]) expect(rows[0]?.['answer']).toMatchObject({ created: { length: 50 } })
  expect(Number(after.rows[0]?.['rows']) - Number(before.rows[0]?.['rows'])).toBeLessThanOrEqual(50)
  await db.execute(sql`DELETE FROM swept_events`)
})

test('no tenant waits for the backlog of another', async () => {
  const [crowd, quiet] = [await createTestTenant(app), await createTestTenant(app)]
  // Events of other tests, whose tenants would have their shares, too.
  await db.execute(sql`DELETE FROM context_events`)
  const restarts = (count: number) =>
    Array.from({ length: count }, (_, index) => makeEvent({ event_type: 'restart', ttl_seconds: 60, sha: `sha-${index}` }))
  await send(crowd, ...restarts(1_500))
  await send(quiet, ...restarts(10))
  await db.execute(sql`UPDATE context_events SET expires_at = now() - interval '1 day' WHERE tenant_id = ${crowd.tenantId}`)
  await db.execute(sql`UPDATE context_events SET expires_at = now() - interval '1 minute' WHERE tenant_id = ${quiet.tenantId}`)
  expect((await sweepBatch(db, new Date(), 100)).deleted).toBeGreaterThanOrEqual(100)
  expect(await countOf(quiet)).toMatchObject({ live: 0, counted: 10 })
  let deleted = 0
  for (let left = true; left; ) {
    const batch = await sweepBatch(db, new Date(), 100)
    deleted += batch.deleted
    left = batch.deleted >= 100
  }
  expect(await countOf(crowd)).toMatchObject({ live: 0, counted: 1_500 })
  expect(deleted).toBeGreaterThan(1_300)
})

test.each([
  ['has the requests', () => ({ sweepRequests: 1 })],
  [
    'has the time',
    () => {
      let calls = 0
      return { now: () => new Date(Date.now() + 30_000 * calls++) }
    },
  ],
])('what a tick leaves over, that %s for one batch, is due at once, though something lives for long', async (_what, limits) => {
  const tenant = await createTestTenant(app)
  const restarts = Array.from({ length: 300 }, (_, index) => makeEvent({ event_type: 'restart', ttl_seconds: 60, sha: `sha-${index}` }))
  await send(tenant, ...restarts, makeEvent({ event_type: 'restart', ttl_seconds: 86_400 }))
  const at = new Date(Date.now() + 120_000)
  const { batches } = await runSweep({ ...restless, ...limits() }, at)
  expect([batches, (await readSweepHints(app.deps.redis)).dueAtMs]).toEqual([1, at.getTime()])
  await runSweep(restless, at)
  expect((await readSweepHints(app.deps.redis)).dueAtMs).toBeGreaterThan(at.getTime())
})

test('counts add up over runs', async () => {
  const tenant = await createTestTenant(app)
  for (let round = 0; round < 3; round += 1) {
    await send(tenant, makeEvent(), makeEvent())
    await runSweep(app.deps, inADay())
  }
  expect(await countOf(tenant)).toMatchObject({ live: 0, counted: 6 })
})

test('a sweep that is killed half-way loses nothing', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, ...Array.from({ length: 300 }, (_, index) => makeEvent({ entity: `entity-${index % 7}` })))
  const database = await startFaultProxy(stack.databaseEndpoint)
  const dying = startApp({ stack, database: database.url })
  const total = async () => {
    const counts = await countOf(tenant)
    return (counts?.live ?? 0) + (counts?.counted ?? 0)
  }

  // The statement commits, and whoever asked never hears of it.
  database.fault = 'lose_reply'
  await expect(sweepBatch(dying.deps.db, inADay(), 100)).rejects.toThrow()
  expect(await total()).toBe(300)
  database.fault = 'refuse'
  await expect(runSweep(dying.deps, inADay())).rejects.toThrow()
  expect(await total()).toBe(300)

  while ((await runSweep(app.deps, inADay())).deleted > 0);
  expect(await countOf(tenant)).toMatchObject({ live: 0, counted: 300 })
})

test('sweeps that overlap share the work and count each event once', async () => {
  const tenant = await createTestTenant(app)
  await send(
    tenant,
    ...Array.from({ length: 2_000 }, (_, index) => makeEvent({ entity: `entity-${index % 13}`, service_name: `service-${index % 3}` })),
  )
  for (let left = true; left; ) {
    const batches = await Promise.all(Array.from({ length: 8 }, () => sweepBatch(db, inADay(), 100)))
    left = batches.some(({ deleted }) => deleted > 0)
  }
  expect(await countOf(tenant)).toMatchObject({ live: 0, counted: 2_000 })
})

test('names so long that no index row could hold them are swept all the same', async () => {
  const tenant = await createTestTenant(app)
  const long = (letter: string) =>
    Array.from({ length: 512 }, (_, index) => String.fromCodePoint(0x1f300 + ((index * 7 + letter.charCodeAt(0)) % 256))).join('')
  await send(tenant, makeEvent({ service_name: long('a'), vendor: long('b'), entity: long('c'), new_value: long('d') }))
  await runSweep(app.deps, inADay())
  expect(await countOf(tenant)).toMatchObject({ live: 0, counted: 1 })
})

test('lives that ended are taken out of every window they were in', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, makeEvent({ event_type: 'restart', ttl_seconds: 1, sha: 'short' }), makeEvent({ sha: 'long' }))
  await send(tenant, makeEvent({ event_type: 'restart', ttl_seconds: 1, service_name: 'argocd', sha: 'elsewhere' }))
  const { redis: client } = app
  const sizes = async () => {
    const keys = await client.keys(`t:${tenant.tenantId}:window:*`)
    return Promise.all(keys.toSorted().map((key) => client.zcard(key)))
  }
  expect((await sizes()).toSorted((a, b) => a - b)).toEqual([5, 15])
  await sleep(1_100)
  expect(await runSweep(app.deps, new Date())).toMatchObject({ deleted: 2, ended: 3 })
  expect(await sizes()).toEqual([5])
  expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ sha: 'long', count: 1 }])
})

test('what had ended before a batch fails has left the copies when the tick fails', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, ...Array.from({ length: 700 }, (_, index) => makeEvent({ sha: `sha-${index}` })))
  const [database, redis] = [await startFaultProxy(stack.databaseEndpoint), await startFaultProxy(stack.redisUrl)]
  let batches = 0
  database.fault = (asked) => {
    batches += JSON.stringify(asked).includes('WITH RECURSIVE tenants') ? 1 : 0
    return batches === 2 ? 'refuse' : 'none'
  }
  redis.fault = (asked) => (JSON.stringify(asked).includes('ZREM') ? sleep(300, 'none') : 'none')
  const failing = startApp({ stack, database: database.url, redis: redis.url })
  await expect(runSweep({ ...failing.deps, rest: async () => {} }, inADay())).rejects.toThrow()
  const { live } = (await countOf(tenant)) ?? { live: 0 }
  const [key = ''] = await app.redis.keys(`t:${tenant.tenantId}:window:*`)
  expect([live < 700, await app.redis.zcard(key)]).toEqual([true, 5 * live])
})

test('a tick asks no more of the stores than it may, however many windows an event was in', async () => {
  const tenant = await createTestTenant(app)
  const flags = Array.from({ length: 300 }, (_, index) => makeEvent({ event_type: 'flag_change', entity: 'flag', new_value: `${index}` }))
  await send(tenant, ...Array.from({ length: 20 }, (_, index) => makeEvent({ service_name: `evaluator-${index}` })))
  await db.execute(sql`INSERT INTO flag_evaluators (tenant_id, flag_key, service_id, expires_at)
    SELECT s.tenant_id, 'flag', s.id, now() + interval '2 days' FROM services s WHERE s.tenant_id = ${tenant.tenantId} AND s.name LIKE 'evaluator-%'`)
  await send(tenant, ...flags)
  await app.settle()
  const [database, redis] = [await startFaultProxy(stack.databaseEndpoint), await startFaultProxy(stack.redisUrl)]
  const counted = startApp({ stack, database: database.url, redis: redis.url })
  const { ended } = await runSweep({ ...counted.deps, rest: async () => {}, sweepRequests: 25 }, inADay())
  expect(ended).toBeGreaterThan(3_000)
  expect(database.seen.length + redis.seen.length).toBeLessThanOrEqual(25)
})

test('a change that recurs after it expired starts anew, though its first life was swept only then', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, makeEvent({ ttl_seconds: 1, timestamp: '2024-01-01T00:00:00Z' }))
  await sleep(1_300)
  await send(tenant, makeEvent({ timestamp: '2024-01-03T00:00:00Z' }))
  const reborn = [{ count: 1, first_timestamp: '2024-01-03T00:00:00.000Z', timestamp: '2024-01-03T00:00:00.000Z' }]
  expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject(reborn)
  await runSweep(app.deps, new Date())
  expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject(reborn)
})

test('a sweep changes nothing that a window says of a change that lives on', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, makeEvent({ timestamp: '2024-01-02T00:00:00Z' }), makeEvent({ timestamp: '2024-01-04T00:00:00Z' }))
  await send(
    tenant,
    makeEvent({ timestamp: '2024-01-01T00:00:00Z', ttl_seconds: 1 }),
    makeEvent({ timestamp: '2024-01-05T00:00:00Z', ttl_seconds: 1 }),
  )
  await sleep(1_300)
  const before = await readWindowOf(app, tenant, 'checkout')
  expect(entriesOf(before)).toMatchObject([
    { count: 4, first_timestamp: '2024-01-01T00:00:00.000Z', timestamp: '2024-01-05T00:00:00.000Z' },
  ])
  expect((await runSweep(app.deps, new Date())).deleted).toBe(2)
  expect(await readWindowOf(app, tenant, 'checkout')).toEqual(before)
})

test('more lives than fit one request are all taken out', async () => {
  const tenant = await createTestTenant(app)
  await send(
    tenant,
    ...Array.from({ length: 2_500 }, (_, index) => makeEvent({ sha: `sha-${index}`, service_name: `service-${index % 150}` })),
  )
  while ((await runSweep(app.deps, inADay())).deleted > 0);
  expect(await app.redis.keys(`t:${tenant.tenantId}:window:*`)).toEqual([])
})

test('a window that cannot be repaired holds up no other', async () => {
  const tenant = await createTestTenant(app)
  const redis = await startFaultProxy(stack.redisUrl)
  const broken = startApp({ stack, redis: redis.url })
  redis.fault = 'refuse'
  for (let index = 0; index < 4; index += 1) {
    await broken.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ service_name: `service-${index}` }) })
    await broken.settle()
  }
  const { rows } = await db.execute<{ service_id: string }>(
    sql`SELECT service_id FROM window_repairs WHERE tenant_id = ${tenant.tenantId} ORDER BY failed_at`,
  )
  expect(rows).toHaveLength(4)
  const keys = rows.map(({ service_id }) => `t:${tenant.tenantId}:window:${service_id}`)
  for (const key of keys.slice(0, 3)) await app.redis.set(key, 'in the way')
  await sleep(2_100)
  for (let tick = 0; tick < 4; tick += 1) await runSweep(app.deps, new Date())
  expect(await app.redis.zcard(keys[3] ?? '')).toBe(5)
})

test('what has outlived its use goes: minutes, idempotency keys, joins', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', {
    key: tenant.ingestKey,
    body: makeEvent({ service_name: 'argocd' }),
    headers: { 'Idempotency-Key': 'old' },
  })
  await runSweep(app.deps, inADay())
  // Nothing else makes a day pass.
  await db.execute(sql`UPDATE idempotency_keys SET created_at = created_at - interval '25 hours'`)
  await db.execute(sql`UPDATE agent_minutes SET minute = minute - interval '3 hours'`)
  await db.execute(sql`UPDATE change_joins SET expires_at = expires_at - interval '27 hours'`)
  await runSweep(app.deps, new Date())
  const { rows } = await db.execute(sql`SELECT (SELECT count(*) FROM idempotency_keys)::int AS claims,
    (SELECT count(*) FROM agent_minutes)::int AS minutes, (SELECT count(*) FROM change_joins)::int AS joins`)
  expect(rows).toEqual([{ claims: 0, minutes: 0, joins: 0 }])
})

test('one log line says what a sweep did, and an idle database is not asked', async () => {
  const database = await startFaultProxy(stack.databaseEndpoint)
  const redis = await startFaultProxy(stack.redisUrl)
  const idle = startApp({ stack, database: database.url, redis: redis.url })
  const { redis: client } = idle
  const at = new Date('2026-01-15T10:07:00Z')

  // Nobody's events but the hints of this test: the stores are shared by all test files.
  const answer = (...hints: (string | null)[]) => ({ status: 200, body: JSON.stringify({ result: hints }) })
  redis.fault = (asked) =>
    /mget/i.test(JSON.stringify(asked)) ? answer(null, String(at.getTime() + 1), String(at.getTime() - 60_000)) : 'none'
  expect(await runSweep(idle.deps, at)).toMatchObject({ skipped: true })
  expect(database.seen).toHaveLength(0)
  expect(idle.logs).toEqual([
    { event: 'sweep', skipped: true, incident_work: 0, deleted: 0, batches: 0, ended: 0, repaired_windows: 0, redis: 'up' },
  ])

  redis.fault = 'none'
  expect(await runSweep(idle.deps, at)).toMatchObject({ skipped: false })
  expect(Number(await client.get('sweep:due'))).toBeGreaterThan(0)
})

test('an edge that no failure has shown for 90 days is forgotten, unless it was declared', async () => {
  const { tenantId } = await createTestTenant(app)
  await db.execute(sql`INSERT INTO service_edges (tenant_id, caller, callee, seen, last_seen_at, declared) VALUES
    (${tenantId}, 'checkout', 'old', 3, now() - interval '91 days', false), (${tenantId}, 'checkout', 'known', 3, now() - interval '91 days', true),
    (${tenantId}, 'checkout', 'recent', 3, now() - interval '89 days', false), (${tenantId}, 'checkout', 'declared', 0, NULL, true)`)
  const callees = async () => (await readServiceGraph(db, toId(tenantId))).edges.map(({ callee }) => callee).toSorted()
  expect(await callees()).toEqual(['declared', 'known', 'old', 'recent'])
  await runSweep(app.deps, new Date())
  expect(await callees()).toEqual(['declared', 'known', 'recent'])
})

test('declared edges leave room for learned ones, and learned ones for declared ones', async () => {
  const { tenantId } = await createTestTenant(app)
  await db.execute(sql`INSERT INTO service_edges (tenant_id, caller, callee, seen, last_seen_at, declared)
    SELECT ${tenantId}::uuid, 'caller ' || n, CASE WHEN declared THEN 'declared' ELSE 'learned' END, 1, CASE WHEN NOT declared THEN now() END, declared
    FROM generate_series(1, 6000) n, (VALUES (true), (false)) kinds (declared)`)
  const { edges } = await readServiceGraph(db, toId(tenantId))
  expect([edges.length, edges.filter(({ declared }) => declared).length]).toEqual([5_000, 2_500])
})

const inDays = (days: number) => new Date(Date.now() + days * 24 * 3_600_000)

test('hourly counts and the audit are kept for their days', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, makeEvent())
  await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'ingest' } })
  const kept = async () => [
    (await countOf(tenant))?.counted,
    (await (await app.request('/v1/audit', { key: tenant.readonlyKey })).json()).length,
  ]
  await runSweep(app.deps, inADay())
  expect(await kept()).toEqual([1, 3])
  await runSweep(restless, inDays(29))
  expect(await kept()).toEqual([1, 3])
  await runSweep(restless, inDays(32))
  expect(await kept()).toEqual([0, 3])
  await runSweep(restless, inDays(366))
  expect(await kept()).toEqual([0, 0])
})

test('a silent service is hidden, then removed once it has no events, and returns with the next one', async () => {
  const tenant = await createTestTenant(app)
  const year = 365 * 86_400
  await send(tenant, makeEvent({ service_name: 'brief' }), makeEvent({ service_name: 'lasting', ttl_seconds: year }))
  const listedIn = async (days: number) => {
    const later = startApp({ stack }, { now: () => inDays(days) })
    const listed = await (await later.request('/v1/services', { key: tenant.readonlyKey })).json()
    return listed.map(({ name }: { name: string }) => name)
  }
  expect([await listedIn(0), await listedIn(29), await listedIn(31)]).toEqual([['brief', 'lasting'], ['brief', 'lasting'], []])

  const [before] = await (await app.request('/v1/services', { key: tenant.readonlyKey })).json()
  await runSweep(restless, inDays(59))
  expect(await listedIn(0)).toEqual(['brief', 'lasting'])
  await runSweep(restless, inDays(61))
  expect(await listedIn(0)).toEqual(['lasting'])
  await send(tenant, makeEvent({ service_name: 'brief' }))
  const [after] = await (await app.request('/v1/services', { key: tenant.readonlyKey })).json()
  expect(after).toMatchObject({ id: before.id, name: 'brief' })
})

test('a service that alerts is not silent, though no event names it', async () => {
  const tenant = await createTestTenant(app)
  const askIn = async (days: number) => {
    const later = startApp({ stack }, { now: () => inDays(days) })
    expect((await later.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'legacy', create: true } })).status).toBe(201)
  }
  const listedIn = async (days: number) => {
    const later = startApp({ stack }, { now: () => inDays(days) })
    const overviews = await listServiceOverviews(db, toId(tenant.tenantId), {
      heardOfSince: inDays(days - 30),
      nameLike: undefined,
      after: undefined,
      limit: 10,
    })
    const listed = [await (await later.request('/v1/services', { key: tenant.readonlyKey })).json(), overviews]
    return listed.map((services: { name: string }[]) => services.map(({ name }) => name))
  }
  const isStored = async () => (await db.execute(sql`SELECT 1 FROM services WHERE tenant_id = ${tenant.tenantId}`)).rows.length === 1
  await askIn(0)
  await askIn(40)
  expect([await listedIn(35), await listedIn(69), await listedIn(71)]).toEqual([
    [['legacy'], ['legacy']],
    [['legacy'], ['legacy']],
    [[], []],
  ])
  await runSweep(restless, inDays(99))
  expect(await isStored()).toBe(true)
  // Asked about between the removal and the second look.
  await runSweep(
    {
      ...app.deps,
      rest: async () =>
        db
          .execute(sql`UPDATE incidents SET triggered_at = triggered_at + interval '5 days' WHERE tenant_id = ${tenant.tenantId}`)
          .then(() => {}),
    },
    inDays(101),
  )
  expect(await isStored()).toBe(true)
  await runSweep(restless, inDays(106))
  expect(await isStored()).toBe(false)
})

test('an event that arrives while its service is removed is not orphaned', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, makeEvent({ service_name: 'brief' }))
  await runSweep(app.deps, inADay())
  const services = await listServicesOf(app, tenant)
  const id = services.get('brief')?.id
  // Between the removal and the second look, an event is stored that took the service for granted.
  const meanwhile = async () => {
    await send(tenant, makeEvent({ service_name: 'brief' }))
    await db.execute(sql`DELETE FROM services WHERE id = ${id}`)
  }
  await runSweep({ ...app.deps, rest: meanwhile }, inDays(61))
  expect([...(await listServicesOf(app, tenant)).values()]).toMatchObject([{ id, name: 'brief' }])
  expect(entriesOf(await readWindowOf(app, tenant, 'brief'))).toHaveLength(1)
})

test('health says what waits for the cron, and leaves a sleeping Postgres asleep when asked to', async () => {
  const tenant = await createTestTenant(app)
  await db.execute(sql`DELETE FROM window_repairs`)
  await send(tenant, makeEvent({ event_type: 'restart', ttl_seconds: 1 }))
  await sleep(2_100)
  const health = async (query = '') => (await app.request(`/health${query}`, { key: METRICS_TOKEN })).json()
  expect(await health()).toMatchObject({ status: 'ok', backlog: { windows_awaiting_repair: 0 } })
  expect((await health()).backlog.sweep_lag_seconds).toBeGreaterThanOrEqual(1)
  await db.execute(sql`INSERT INTO window_repairs (service_id, tenant_id) VALUES (${tenant.tenantId}, ${tenant.tenantId})`)
  expect((await health()).backlog.windows_awaiting_repair).toBe(1)
  await db.execute(sql`DELETE FROM window_repairs WHERE tenant_id = ${tenant.tenantId}`)
  await runSweep(app.deps, new Date())
  expect((await health()).backlog).toEqual({
    sweep_lag_seconds: 0,
    windows_awaiting_repair: 0,
    incident_work_due: 0,
    notes_given_up: 0,
  })

  expect(await health('?wake=false')).toMatchObject({ checks: { postgres: 'up' } })
  await app.redis.del('sweep:database_in_use')
  app.deps.redis.told.clear()
  expect(await health('?wake=false')).toMatchObject({ status: 'ok', checks: { postgres: 'idle', redis: 'up' }, backlog: null })
  const [line] = app.logs.filter(({ event }) => event === 'request').slice(-1)
  expect(line?.['store_calls']).toEqual({ postgres: 0, redis: 1 })
  expect((await app.request('/health?wake=maybe')).status).toBe(400)
  for (const key of [undefined, tenant.readonlyKey, `${METRICS_TOKEN}x`]) {
    const asStranger = await app.request('/health', key === undefined ? {} : { key })
    expect([asStranger.status, await asStranger.json()]).toMatchObject([200, { checks: { postgres: 'up' }, backlog: null }])
  }
})

test('a flag’s change leaves the windows’ copies of those who evaluate it, and evaluations go after a day', async () => {
  const tenant = await createTestTenant(app)
  const flag = { event_type: 'flag_change', entity: 'new-pay' }
  await send(tenant, makeEvent({ ...flag, vendor: 'flagd' }), makeEvent({ ...flag, service_name: 'unleash', vendor: 'unleash' }))
  const key = `t:${tenant.tenantId}:window:${(await listServicesOf(app, tenant)).get('checkout')?.id}`
  const copied = async () =>
    (await app.deps.redis.client.ask<string[]>(['ZRANGE', key, 0, -1])).filter((member) => member.includes('unleash'))
  expect(await copied()).toHaveLength(1)
  const evaluators = async () => (await db.execute(sql`SELECT 1 FROM flag_evaluators WHERE tenant_id = ${tenant.tenantId}`)).rows.length
  while ((await runSweep(app.deps, inADay())).deleted > 0);
  expect([await copied(), await evaluators()]).toEqual([[], 1])
  await db.execute(sql`UPDATE flag_evaluators SET expires_at = expires_at - interval '25 hours' WHERE tenant_id = ${tenant.tenantId}`)
  await runSweep(app.deps, inADay())
  expect(await evaluators()).toBe(0)
})

test.runIf(stack.postgres === 'real')('a batch sees whether Postgres is at work for others, but for other sweeps', async () => {
  const other = new pg.Client({ connectionString: stack.databaseUrl })
  await other.connect()
  onTestFinished(() => other.end())
  const isBesideOthers = async () => {
    await sleep(200)
    return (await sweepBatch(db, new Date(), 250)).isBesideOthers
  }
  expect(await isBesideOthers()).toBe(false)
  for (const [text, isOther] of [
    ['SELECT pg_sleep(1)', true],
    ['WITH RECURSIVE tenants AS (SELECT pg_sleep(1)) TABLE tenants', false],
  ] as const) {
    const work = other.query(text)
    await expect
      .poll(async () => (await db.execute(sql`SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = ${text}`)).rows.length)
      .toBe(1)
    expect([text, await isBesideOthers()]).toEqual([text, isOther])
    await work
  }
})
