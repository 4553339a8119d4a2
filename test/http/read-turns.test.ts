import { sql } from 'drizzle-orm'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { createGate } from '../../src/domain/bounded-map.ts'
import { EVENT_TYPES, type EventType } from '../../src/domain/event/event.ts'
import { functionNamed } from '../../src/store/functions.ts'
import { createTurns, LONG } from '../../src/store/read-turns.ts'
import {
  createTestTenant,
  entriesOf,
  listServicesOf,
  makeEvent,
  readWindowOf,
  startApp,
  type TestApp,
  type TestTenant,
} from '../support/app.ts'
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts'

const database = await startFaultProxy(inject('stack').databaseEndpoint)
const FOUR_AT_ONCE = { database: database.url, bindings: { READS_AT_ONCE: '4' } }

async function pathOf(app: TestApp, tenant: TestTenant): Promise<string> {
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  return `/v1/services/${(await listServicesOf(app, tenant)).get('checkout')?.id}/context?at=${new Date().toISOString()}`
}

test('of one tenant four reads are at the database at a time, and others’ and what is written none the less', async () => {
  const app = startApp(FOUR_AT_ONCE)
  const [many, other] = [await createTestTenant(app), await createTestTenant(app)]
  const path = await pathOf(app, many)
  for (let read = 0; read < 4; read += 1) await app.request(path, { key: many.readonlyKey })
  let [inside, most] = [0, 0]
  const { promise: isOver, resolve: end } = Promise.withResolvers<void>()
  const held: Fault = async (asked) => {
    if (!JSON.stringify(asked).includes('find_window')) return 'none' as const
    inside += 1
    most = Math.max(most, inside)
    await isOver
    inside -= 1
    return 'none' as const
  }
  database.fault = held
  const reads = Promise.all(Array.from({ length: 12 }, () => app.request(path, { key: many.readonlyKey })))
  await expect.poll(() => inside).toBe(4)
  const beside = [
    app.request('/v1/events', { key: many.ingestKey, body: makeEvent() }),
    app.request('/v1/services', { key: other.readonlyKey }),
  ]
  expect((await Promise.all(beside)).map(({ status }) => status)).toEqual([201, 200])
  expect(inside).toBe(4)
  end()
  expect((await reads).map(({ status }) => status)).toEqual(Array(12).fill(200))
  expect(most).toBe(4)
  database.fault = 'none'
})

test('of reads that hang, one more than have turns is refused, and whoever reads after them is answered', async () => {
  const app = startApp({ ...FOUR_AT_ONCE, patience: 1 })
  const [many, other] = [await createTestTenant(app), await createTestTenant(app)]
  const [path, otherPath] = [await pathOf(app, many), await pathOf(app, other)]
  for (let read = 0; read < 4; read += 1) await app.request(path, { key: many.readonlyKey })
  database.fault = 'hang'
  const hanging = Array.from({ length: 5 }, () => app.request(path, { key: many.readonlyKey }))
  const statuses = (await Promise.all(hanging)).map(({ status }) => status)
  database.fault = 'none'
  expect(statuses).toEqual(Array(5).fill(503))
  expect(app.logs.filter(({ reason }) => reason === 'too many reads of this tenant are under way')).toHaveLength(1)
  const after = await Promise.all([app.request(path, { key: many.readonlyKey }), app.request(otherPath, { key: other.readonlyKey })])
  expect(after.map(({ status }) => status)).toEqual([200, 200])
})

test('whoever died at a gate or in a turn keeps nobody out for ever', async () => {
  const gate = createGate(2, 1_000)
  const leave = gate.enter('a', 0)
  gate.enter('a', 500)
  expect(gate.enter('a', 1_000)).toBeUndefined()
  expect(gate.enter('b', 1_000)).toBeDefined()
  expect(gate.enter('a', 1_001)).toBeDefined()
  leave?.()
  expect(gate.enter('a', 1_002)).toBeUndefined()

  const turns = createTurns(1, 400, () => new Error('too many'))
  const end = await turns.take('a')
  const next = turns.take('a')
  end(0)
  await next
})

test('whose reads are quick have more turns with each, and whose are hard one at a time, with a rest, until they are quick again', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const turns = createTurns(9, 0, () => new Error('too many'))
  const take = async (who: string) => {
    const asked = await Promise.allSettled(Array.from({ length: 100 }, () => turns.take(who)))
    return asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  }
  const takes = async (who: string) => {
    const taken = await take(who)
    for (const leave of taken) leave(0)
    return taken.length
  }
  expect([await takes('a'), await takes('a'), await takes('a'), await takes('a'), await takes('a')]).toEqual([2, 4, 8, 9, 9])
  // One long answer after the other is no flood, nor are a few.
  for (let read = 0; read < 20; read += 1) {
    const leave = await turns.take('d')
    await vi.advanceTimersByTimeAsync(20)
    leave(200_000)
  }
  expect(await takes('d')).toBe(1)
  // Nor does one who reads on alone after a flood rest for ever.
  const patient = createTurns(9, 20_000, () => new Error('too many'))
  const readFor = async (ms: number) => {
    const untilMs = Date.now() + ms
    let reads = 0
    while (Date.now() < untilMs) {
      const leave = await patient.take('e')
      await new Promise((resolve) => setTimeout(resolve, 150))
      leave(200_000)
      reads += 1
    }
    return reads
  }
  const flood = Promise.all([readFor(10_000), readFor(10_000)])
  await vi.advanceTimersByTimeAsync(12_000)
  expect((await flood).reduce((sum, reads) => sum + reads)).toBeLessThan(20)
  const alone = readFor(15_000)
  await vi.advanceTimersByTimeAsync(16_000)
  expect(await alone).toBeGreaterThan(75)
  for (let read = 0; read < 2; read += 1) {
    const [one, ...rest] = await take('c')
    await vi.advanceTimersByTimeAsync(20)
    for (const leave of rest) leave(0)
    one?.(200_000)
  }
  expect(await takes('c')).toBe(1)
  const hard = await take('a')
  await vi.advanceTimersByTimeAsync(40)
  for (const leave of hard) leave(200_000)
  expect([await takes('a'), await takes('b')]).toEqual([0, 2])
  await vi.advanceTimersByTimeAsync(1_100)
  // Quick ones between them make no room for many long ones at once.
  expect([await takes('a'), await takes('a'), await takes('a'), await takes('a')]).toEqual([1, 2, 2, 2])
  await vi.advanceTimersByTimeAsync(60_000)
  expect([await takes('a'), await takes('a'), await takes('a')]).toEqual([2, 4, 8])
})

test.each([12, 60])(
  'of %i who read what is long without an end somebody is inside for less than a twentieth of the time',
  async (readers) => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const turns = createTurns(64, 2_000, () => new Error('too many'))
    const [forMs, readMs] = [60_000, 25]
    const untilMs = Date.now() + forMs
    let [inside, most, reads, refused] = [0, 0, 0, 0]
    const readOn = async () => {
      while (Date.now() < untilMs) {
        const leave = await turns.take('a').catch(() => undefined)
        if (!leave) refused += 1
        if (!leave) continue
        inside += 1
        most = Math.max(most, inside)
        await new Promise((resolve) => setTimeout(resolve, readMs))
        inside -= 1
        reads += 1
        leave(200_000)
      }
    }
    const all = Promise.all(Array.from({ length: readers }, readOn))
    await vi.advanceTimersByTimeAsync(forMs + 10_000)
    await all
    // Two come in at first, before it is known that theirs are long.
    expect(most).toBe(2)
    expect((reads * readMs) / forMs).toBeLessThan(0.05)
    expect((reads * readMs) / forMs).toBeGreaterThan(0.03)
    expect(refused).toBeGreaterThan(0)
  },
)

/** Adds so many changes of a table to the service of the event with this sha, a millisecond after the other. */
const addChanges = (
  deps: Pick<TestApp['deps'], 'db'>,
  { tenantId }: TestTenant,
  sha: string,
  count: number,
  types: readonly EventType[] = ['saturation'],
) =>
  deps.db.execute(sql`
    INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, confidence, ttl_seconds,
      "timestamp", received_at, expires_at, value_class, change_key, appeared_at)
    SELECT gen_random_uuid(), e.tenant_id, e.agent_id, e.service_id, e.service_name, 'postgres',
      (${sql.raw(`ARRAY['${types.join("','")}']`)})[1 + n % ${types.length}::int], 'table ' || n, 0.9, 900,
      now() + n * interval '1 millisecond', now() + n * interval '1 millisecond', now() + interval '15 minutes', '', gen_random_uuid(),
      date_trunc('second', now() + n * interval '1 millisecond')
    FROM context_events e, generate_series(1, ${count}::int) n WHERE e.tenant_id = ${tenantId} AND e.sha = ${sha}`)

test('between the pieces of a long window others have the isolate', async () => {
  let pauses = 0
  const breathe = async () => {
    pauses += 1
  }
  const patient = startApp({}, { breathe })
  const tenant = await createTestTenant(patient)
  await patient.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ sha: 'the one' }) })
  const at = `at=${new Date(Date.now() + 10_000).toISOString()}`
  await readWindowOf(patient, tenant, 'checkout', at)
  expect(pauses).toBe(0)
  await addChanges(patient.deps, tenant, 'the one', 1_200)
  const { length } = JSON.stringify(await readWindowOf(patient, tenant, 'checkout', at))
  expect(length).toBeGreaterThan(300_000)
  expect(pauses).toBeGreaterThan(length / 100_000 + 2)
})

test('a window of more changes than are looked at shows the latest of each type, and says that it is a part', async () => {
  const patient = startApp()
  const tenant = await createTestTenant(patient)
  const send = (...events: Record<string, unknown>[]) => patient.request('/v1/events/batch', { key: tenant.ingestKey, body: events })
  const joined = makeEvent({ service_name: 'argocd', entity: 'checkout', event_type: 'config_change', sha: 'joined' })
  await send(makeEvent({ sha: 'the one' }), joined)
  await addChanges(patient.deps, tenant, 'the one', 3_500)
  const at = `at=${new Date(Date.now() + 10_000).toISOString()}`
  const window = await readWindowOf(patient, tenant, 'checkout', at)
  expect(window.partial).toBe(true)
  expect(window.deploy_events).toMatchObject([{ sha: 'the one' }])
  expect(window.config_change_events).toMatchObject([{ sha: 'joined', joined_by: 'entity' }])
  expect(window.saturation_events.map(({ entity }) => entity)).toContain('table 3500')
  expect(window.saturation_events).toHaveLength(448)
  expect(window.saturation_events.at(-1)?.entity).toBe('table 3500')
  expect(entriesOf(await readWindowOf(patient, tenant, 'argocd'))).toHaveLength(1)
})

test.each<[readonly EventType[], number[]]>([
  [['deploy'], [449]],
  [EVENT_TYPES, EVENT_TYPES.map(() => 50)],
])('a window that is a part is as long whatever it is full of, and long enough to be known as such: %j', async (types, shown) => {
  const patient = startApp()
  const tenant = await createTestTenant(patient)
  await patient.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ sha: 'the one', event_type: 'restart' }) })
  await addChanges(patient.deps, tenant, 'the one', 4_500, types)
  const window = await readWindowOf(patient, tenant, 'checkout', `at=${new Date(Date.now() + 10_000).toISOString()}`)
  expect(window.partial).toBe(true)
  const counts = Map.groupBy(entriesOf(window), ({ event_type }) => event_type)
  // The one that is older has its place beside a flood of another type, and none in one of its own.
  expect(types.map((type) => counts.get(type)?.length ?? 0)).toEqual(shown)
  expect(entriesOf(window)).toHaveLength(450)
  const service = (await listServicesOf(patient, tenant)).get('checkout')?.id
  const { rows } = await patient.deps.db.execute(
    sql`SELECT length(${functionNamed('find_window')}(NULL, ${tenant.tenantId}::uuid, ${service}::uuid, now() + interval '10 seconds', true, NULL, 1001)::text) >= ${LONG}::int AS is_long`,
  )
  expect(rows).toEqual([{ is_long: true }])
})
