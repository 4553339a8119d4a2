import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type ClaimedWork, claimWork, findNextWork } from '../../src/store/incident-work.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, startApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { inMinutes, startDesk } from '../support/incidents.ts'
import { startOwnRedis } from '../support/own-stack.ts'
import { deliver, makeDelivery, newRef } from '../support/pagerduty.ts'
import { IS_THOROUGH } from '../support/thoroughness.ts'

const { stack, app, sweep, incidentsOf, detailOf, notesOf, start, countDiagnoses, startMortal } = await startDesk()

/** Every request is one to die at; the everyday suite tries every third. */
const STEP = IS_THOROUGH ? 1 : 3

describe('an isolate that dies', () => {
  test.each([
    { servesLast: false, how: 'before' },
    { servesLast: true, how: 'during' },
  ])(
    '$how any of its requests leaves one diagnosis and one note, in the end',
    async ({ servesLast }) => {
      let survived = false
      let deaths = 0
      for (let left = 0; !survived; left += STEP) {
        const { tenant, pager } = await start()
        const fuse = { left, servesLast }
        const mortal = await startMortal(fuse)
        const [ref, deliveryId] = [newRef(), randomUUID()]
        const delivery = makeDelivery({ ref })
        const { status } = await deliver(mortal, pager, delivery, { deliveryId })
        await mortal.settle()
        survived = fuse.left >= 0
        deaths += survived ? 0 : 1
        // PagerDuty sends again what was not taken.
        if (status !== 202) expect((await deliver(app, pager, delivery, { deliveryId })).status, `after ${left}`).toBe(202)
        // The ticks' clock jumps over leases, which whoever is at work in this one could not.
        await app.settle()
        for (const minutes of [1, 2, 5, 20]) await sweep(minutes)
        expect(await incidentsOf(tenant), `after ${left}`).toMatchObject([{ status: 'diagnosed', posted_back: true }])
        expect(await countDiagnoses(tenant), `after ${left}`).toBe(1)
        expect(await notesOf(ref), `after ${left}`).toHaveLength(1)
      }
      // Two before the answer, six to diagnose, four to tell: fewer would mean that some step is not stored on its own.
      expect(deaths).toBeGreaterThanOrEqual(Math.floor(10 / STEP))
    },
    120_000,
  )

  test('every time it begins leaves the work to others, until it is given up', async () => {
    const { tenant, pager } = await start()
    const mortal = await startMortal({ left: 2, servesLast: false })
    expect((await deliver(mortal, pager, makeDelivery())).status).toBe(202)
    await mortal.settle()
    for (let minutes = 1; minutes <= 30; minutes += 1) await claimWork(app.deps.db, inMinutes(minutes), 5)
    expect(await detailOf(tenant)).toMatchObject({ status: 'failed', failure: expect.stringContaining('never ended') })
    expect(await findNextWork(app.deps.db)).toBeUndefined()
  })

  test('ticks that run at the same time do each piece once', async () => {
    const { tenant, pager } = await start()
    const mortal = await startMortal({ left: 2, servesLast: false })
    const refs = Array.from({ length: 6 }, newRef)
    for (const ref of refs) {
      const each = await startMortal({ left: 2, servesLast: false })
      expect((await deliver(each, pager, makeDelivery({ ref, service: `service ${ref}` }))).status).toBe(202)
      await each.settle()
    }
    await mortal.settle()
    expect(await countDiagnoses(tenant)).toBe(0)
    await Promise.all([sweep(1), sweep(1), sweep(1)])
    for (const ref of refs) expect(await notesOf(ref)).toHaveLength(1)
    expect(await countDiagnoses(tenant)).toBe(refs.length)
  })
})

test('a tick keeps to its requests, and leaves the rest to the next', async () => {
  const { tenant, pager } = await start()
  for (let index = 0; index < 5; index += 1) {
    const mortal = await startMortal({ left: 2, servesLast: false })
    expect((await deliver(mortal, pager, makeDelivery({ service: `busy ${index}` }))).status).toBe(202)
    await mortal.settle()
  }
  const [database, pagerDuty] = [await startFaultProxy(stack.databaseEndpoint), await startFaultProxy(stack.pagerDutyUrl)]
  const { deps } = startApp({ stack, database: database.url, bindings: { PAGERDUTY_API_URL: pagerDuty.url, SWEEP_REQUESTS: '40' } })
  await runSweep(deps, inMinutes(1))
  expect(database.seen.length + pagerDuty.seen.length).toBeLessThanOrEqual(40)
  for (let ticks = 1; ticks < 5; ticks += 1) await runSweep(deps, inMinutes(1))
  const incidents = await incidentsOf(tenant)
  expect(incidents.map(({ posted_back }) => posted_back)).toEqual(Array(5).fill(true))
})

/** A new tenant with that many pieces of work that have long been due, until the test ends. */
async function startCrowd(pieces: number): Promise<TestTenant> {
  const crowd = await createTestTenant(app)
  await app.deps.db.execute(sql`WITH i AS (
    INSERT INTO incidents (id, tenant_id, service_id, service_name, triggered_at)
    SELECT gen_random_uuid(), ${crowd.tenantId}, gen_random_uuid(), 'crowd', now() - interval '2 hours' FROM generate_series(1, ${pieces}::int)
    RETURNING id)
    INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts)
    SELECT id, 'diagnosis', 0, ${crowd.tenantId}, 'due', now() - interval '1 hour', 0 FROM i`)
  onTestFinished(async () => {
    await app.deps.db.execute(sql`UPDATE incident_work SET state = 'done' WHERE tenant_id = ${crowd.tenantId}`)
  })
  return crowd
}

const countOf = (claimed: readonly ClaimedWork[], { tenantId }: TestTenant) => claimed.filter((work) => work.tenantId === tenantId).length

test('claims at the same time give each piece to one, and each tenant its turns', async () => {
  const [crowd, ...few] = [await startCrowd(200), await startCrowd(60), await startCrowd(60)]
  const now = new Date()
  const claims = await Promise.all(Array.from({ length: 16 }, () => claimWork(app.deps.db, now, 5)))
  const given = claims.flat()
  for (const tenant of few) expect(countOf(given, tenant)).toBeGreaterThanOrEqual(countOf(given, crowd) / 2)

  for (let more = given; more.length > 0; given.push(...more)) more = await claimWork(app.deps.db, now, 5)
  expect(new Set(given.map(({ incidentId }) => incidentId)).size).toBe(320)
  expect(given).toHaveLength(320)
})

test('a claim looks at few pieces, however many are due', async () => {
  for (const pieces of [3_000, 1_000]) await startCrowd(pieces)
  await app.deps.db.execute(sql`ANALYZE incident_work`)
  const database = await startFaultProxy(stack.databaseEndpoint)
  expect(await claimWork(startApp({ stack, database: database.url }).deps.db, new Date(), 5)).toHaveLength(5)
  const { query, params } = database.seen[0] as { query: string; params: string[] }
  const [row] = (await app.deps.db.client?.query(`EXPLAIN (ANALYZE, FORMAT JSON) ${query}`, params)) ?? []
  expect(countLookedAt(row?.['QUERY PLAN'][0].Plan)).toBeLessThan(500)
})

type Plan = Readonly<Record<string, number>> & { readonly Plans?: readonly Plan[] }

/** The rows that a plan's nodes gave or left out. */
function countLookedAt(plan: Plan): number {
  const { 'Actual Rows': rows = 0, 'Rows Removed by Filter': removed = 0, 'Actual Loops': loops = 0, Plans = [] } = plan
  return Plans.reduce((sum, each) => sum + countLookedAt(each), (rows + removed) * loops)
}

test('tenants take turns, however much of one is due', async () => {
  const crowd = await startCrowd(300)
  const others = []
  for (let index = 0; index < 3; index += 1) {
    const { tenant, pager } = await start()
    const mortal = await startMortal({ left: 2, servesLast: false })
    expect((await deliver(mortal, pager, makeDelivery())).status).toBe(202)
    await mortal.settle()
    others.push(tenant)
  }
  const { deps } = startApp({ stack, bindings: { SWEEP_REQUESTS: '203' } })
  expect(await runSweep(deps, inMinutes(1))).toMatchObject({ incidentWork: 6 })
  for (const tenant of others) expect(await incidentsOf(tenant)).toMatchObject([{ status: 'diagnosed' }])
  expect(await countDiagnoses(crowd)).toBeGreaterThan(0)
})

test('an idle database is left asleep until work is due, and a wiped or broken Redis loses none', async () => {
  // Whatever other files announce in a shared Redis would wake it.
  const ownRedis = await startOwnRedis(onTestFinished)
  const { tenant, pager } = await start()
  const redis = await startFaultProxy(ownRedis)
  redis.fault = 'refuse'
  const mortal = startApp({ stack, redis: redis.url, database: (await startMortalDatabase(2)).url })
  // Stored, but with nobody left to look at it.
  const [delivery, deliveryId] = [makeDelivery(), randomUUID()]
  const alertedMs = Date.now()
  const after = (minutes: number) => new Date(alertedMs + 60_000 * minutes)
  expect((await deliver(mortal, pager, delivery, { deliveryId })).status).toBe(503)
  await mortal.settle()
  expect(await incidentsOf(tenant)).toMatchObject([{ status: 'diagnosing' }])
  expect((await deliver(startApp({ stack, redis: redis.url }), pager, delivery, { deliveryId })).status).toBe(503)

  // Redis is back, and empty.
  redis.fault = 'none'
  const { deps } = startApp({ stack, redis: redis.url })
  expect(await runSweep(deps, after(1))).toMatchObject({ skipped: false })
  expect(await incidentsOf(tenant)).toMatchObject([{ status: 'diagnosed', posted_back: true }])
  // The second look is due next; nothing else wakes the database.
  expect(await runSweep(deps, after(1.5))).toMatchObject({ skipped: true })
  expect(await runSweep(deps, after(2.9))).toMatchObject({ skipped: false, incidentWork: expect.any(Number) })
  expect(await runSweep(deps, after(4))).toMatchObject({ skipped: true })
})

async function startMortalDatabase(left: number) {
  return await startFaultProxy(stack.databaseEndpoint, { left, servesLast: false })
}
