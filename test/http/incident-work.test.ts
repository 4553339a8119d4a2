import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Deps } from '../../src/deps.ts'
import { type ClaimedWork, claimWork, findNextWork } from '../../src/store/incident-work.ts'
import { finishIncidents } from '../../src/usecases/finish-incidents.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, listServicesOf, METRICS_TOKEN, makeEvent, startApp, type TestApp, type TestTenant } from '../support/app.ts'
import { type Fuse, startFaultProxy } from '../support/fault-proxy.ts'
import { startOwnStack } from '../support/own-stack.ts'
import { connectPager, deliver, listNotes, makeDelivery, newRef, type Pager, scriptPagerDuty } from '../support/pagerduty.ts'
import { toQuickReceivers } from '../support/receivers.ts'
import { signIn, startSite } from '../support/site.ts'
import { IS_THOROUGH } from '../support/thoroughness.ts'

// A cron tick is of all tenants.
const stack = await startOwnStack()
const app = startApp({ stack })

type Body = Readonly<Record<string, unknown>>

const inMinutes = (minutes: number) => new Date(Date.now() + 60_000 * minutes)
/** What would be tried again within the tick is left to the next. */
const ticking = { ...app.deps, rest: async () => {} }
const sweep = (minutes: number) => runSweep(ticking, inMinutes(minutes))
/** A tick's part in incidents, which is a third of its work. Answers how many pieces there were. */
const tick = (minutes: number) => finishIncidents(ticking, inMinutes(minutes))
const incidentsOf = async (tenant: TestTenant) => (await (await app.request('/v1/incidents', { key: tenant.readonlyKey })).json()) as Body[]
const detailOf = async (tenant: TestTenant) => {
  const [incident] = await incidentsOf(tenant)
  return await (await app.request(`/v1/incidents/${incident?.['id']}`, { key: tenant.readonlyKey })).json()
}
const notesOf = (ref: string) => listNotes(ref, stack)

async function start(): Promise<{ tenant: TestTenant; pager: Pager }> {
  const tenant = await createTestTenant(app)
  return { tenant, pager: await connectPager(app, tenant) }
}

/** A tenant with an incident that was answered at once. */
async function startAnswered() {
  const { tenant, pager } = await start()
  const ref = newRef()
  await deliver(app, pager, makeDelivery({ ref }))
  await app.settle()
  return { tenant, ref }
}

async function countDiagnoses(tenant: TestTenant): Promise<number> {
  const { rows } = await app.deps.db.execute<{ count: number }>(
    sql`SELECT count(*)::int AS count FROM diagnoses WHERE tenant_id = ${tenant.tenantId}`,
  )
  return rows[0]?.count ?? Number.NaN
}

/** An isolate whose requests stop getting through after so many, to Postgres and the pager alike. */
async function startMortal(fuse: Fuse) {
  const [database, pagerDuty] = [await startFaultProxy(stack.databaseEndpoint, fuse), await startFaultProxy(stack.pagerDutyUrl, fuse)]
  return startApp({ stack, database: database.url, bindings: { PAGERDUTY_API_URL: pagerDuty.url } }, { rest: async () => {} })
}

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
  const { deps } = startApp({ stack, bindings: { SWEEP_REQUESTS: '150' } })
  expect(await runSweep(deps, inMinutes(1))).toMatchObject({ incidentWork: 6 })
  for (const tenant of others) expect(await incidentsOf(tenant)).toMatchObject([{ status: 'diagnosed' }])
  expect(await countDiagnoses(crowd)).toBeGreaterThan(0)
})

/** An app whose waits are its clock's alone. */
function startPatient(overrides: Partial<Deps> = {}) {
  const waits: number[] = []
  let aheadMs = 0
  const now = () => new Date(Date.now() + aheadMs)
  const rest = async (ms: number) => {
    waits.push(ms)
    aheadMs += ms
  }
  return { patient: startApp({ stack }, { now, rest, ...overrides }), waits }
}

describe('a note meets', () => {
  const notes = (tenant: TestTenant) => detailOf(tenant).then((detail) => detail.notes as Body[])
  const post = (answer: number | 'hang' | 'hang_up', takes_effect = false) => ({ method: 'POST' as const, takes_effect, answer })
  const limited = { ...post(429), reset_seconds: 1 }

  test.each([
    { name: 'a rate limit', faults: [limited] },
    { name: 'limits again and again', faults: [limited, limited, limited] },
    { name: 'a server error', faults: [post(500)], doubtful: true },
    { name: 'a reply that is lost', faults: [post('hang_up', true)], doubtful: true },
    { name: 'an answer that never comes', faults: [post('hang', true)], doubtful: true },
    { name: 'errors again and again', faults: [post(503), post(502, true), post(500)], doubtful: true },
    {
      name: 'no list of notes to look at',
      faults: [post(500, true), { method: 'GET' as const, takes_effect: false, answer: 500 }],
      doubtful: true,
    },
  ])('$name: it is posted once, and tried again within ten seconds if it certainly was not', async ({ faults, doubtful = false }) => {
    const { tenant, pager } = await start()
    const ref = newRef()
    await scriptPagerDuty(ref, faults, stack)
    const { patient, waits } = startPatient({ receivers: toQuickReceivers(stack) })
    await deliver(patient, pager, makeDelivery({ ref }))
    await patient.settle()
    if (doubtful) expect(waits).toEqual([])
    else expect(waits[0]).toBeLessThanOrEqual(10_100)
    if (doubtful) expect(await findNextWork(app.deps.db)).toSatisfy((at: Date) => at > inMinutes(0.4) && at < inMinutes(1))
    for (const minutes of [2, 5, 20]) await tick(minutes)
    expect(await notesOf(ref)).toHaveLength(1)
    expect(await incidentsOf(tenant)).toMatchObject([{ posted_back: true }])
  })

  test('timers that fire a little early: it is posted at the next try all the same', async () => {
    const { tenant, pager } = await start()
    const ref = newRef()
    await scriptPagerDuty(ref, [limited], stack)
    const clock = { ms: Date.now() }
    const rest = async (ms: number) => {
      clock.ms += ms - 2
    }
    const hasty = startApp({ stack }, { now: () => new Date(clock.ms), rest })
    await deliver(hasty, pager, makeDelivery({ ref }))
    await hasty.settle()
    expect(await notesOf(ref)).toHaveLength(1)
    expect(await notes(tenant)).toMatchObject([{ status: 'posted', attempts: 2 }])
  })

  test.each([
    { name: 'a token that is refused', config: { pagerduty_token: 'bad-canary' }, reason: '401' },
    { name: 'a token that may not write', config: { pagerduty_token: 'readonly-canary' }, reason: '403' },
    { name: 'an incident that is gone', ref: 'PMISSING1', reason: '404' },
    { name: 'no token', config: { pagerduty_token: null }, reason: 'pagerduty_token' },
    { name: 'no sender', config: { pagerduty_from: null }, reason: 'pagerduty_from' },
  ])('$name: it is given up, and why is told', async ({ config, ref = newRef(), reason }) => {
    const tenant = await createTestTenant(app)
    const pager = await connectPager(app, tenant, config)
    await deliver(app, pager, makeDelivery({ ref }))
    await app.settle()
    for (const minutes of [2, 20]) await tick(minutes)
    expect(await incidentsOf(tenant)).toMatchObject([{ status: 'diagnosed', posted_back: false }])
    const [note] = await notes(tenant)
    expect(note).toMatchObject({ status: 'given_up', content: null, posted_at: null, attempts: 1 })
    expect(note?.['reason']).toContain(reason)
    expect(JSON.stringify(note)).not.toContain('canary')
  })

  test('a pager that is down for a day: it is given up at last', async () => {
    const { tenant, pager } = await start()
    const ref = newRef()
    await scriptPagerDuty(ref, Array.from({ length: 40 }, () => [post(503), { ...post(503), method: 'GET' as const }]).flat(), stack)
    const { patient } = startPatient()
    await deliver(patient, pager, makeDelivery({ ref }))
    await patient.settle()
    for (let hours = 0; hours < 24; hours += 0.5) await finishIncidents(patient.deps, inMinutes(2 + hours * 60))
    const [note] = await notes(tenant)
    expect(note).toMatchObject({ status: 'given_up', reason: expect.stringContaining('503') })
    await scriptPagerDuty(ref, [], stack)
    expect(await notesOf(ref)).toEqual([])
  })

  test('secrets that cannot be opened: why is told, and it is given up at last', async () => {
    const tenant = await createTestTenant(app)
    const pager = await connectPager(app, tenant, { webhook_secret: null })
    const ref = newRef()
    const keyless = startApp(
      { stack, bindings: { INTEGRATION_KEYS: `other:${Buffer.alloc(32, 8).toString('base64')}` } },
      { rest: async () => {} },
    )
    expect((await deliver(keyless, pager, makeDelivery({ ref }))).status).toBe(202)
    await keyless.settle()
    const [first] = await notes(tenant)
    expect(first).toMatchObject({ status: 'pending', reason: expect.stringContaining('INTEGRATION_KEYS') })
    for (let hours = 0; hours < 24; hours += 0.5) await finishIncidents(keyless.deps, inMinutes(2 + hours * 60))
    const [last] = await notes(tenant)
    expect(last).toMatchObject({ status: 'given_up', reason: expect.stringContaining('INTEGRATION_KEYS') })
    expect(await findNextWork(app.deps.db)).toBeUndefined()
  })

  test('a refusal: health tells operators', async () => {
    const health = async () => (await (await app.request('/health', { key: METRICS_TOKEN })).json()).backlog
    const before = await health()
    const tenant = await createTestTenant(app)
    const pager = await connectPager(app, tenant, { pagerduty_token: null })
    await deliver(app, pager, makeDelivery())
    await app.settle()
    expect(await health()).toMatchObject({ notes_given_up: before.notes_given_up + 1, incident_work_due: 0 })
  })

  test('an integration that only takes alerts: there is none', async () => {
    const tenant = await createTestTenant(app)
    const pager = await connectPager(app, tenant, {}, 'inbound')
    const ref = newRef()
    await deliver(app, pager, makeDelivery({ ref }))
    await app.settle()
    expect(await detailOf(tenant)).toMatchObject({ status: 'diagnosed', posted_back: false, notes: [] })
    expect(await notesOf(ref)).toEqual([])
  })
})

test('an idle database is left asleep until work is due, and a wiped or broken Redis loses none', async () => {
  // Whatever other files announce in a shared Redis would wake it.
  const { redisUrl: ownRedis } = await startOwnStack(onTestFinished)
  const { tenant, pager } = await start()
  const redis = await startFaultProxy(ownRedis)
  redis.fault = 'refuse'
  const mortal = startApp({ stack, redis: redis.url, database: (await startMortalDatabase(2)).url })
  // Stored, but with nobody left to look at it.
  const [delivery, deliveryId] = [makeDelivery(), randomUUID()]
  expect((await deliver(mortal, pager, delivery, { deliveryId })).status).toBe(503)
  await mortal.settle()
  expect(await incidentsOf(tenant)).toMatchObject([{ status: 'diagnosing' }])
  expect((await deliver(startApp({ stack, redis: redis.url }), pager, delivery, { deliveryId })).status).toBe(503)

  // Redis is back, and empty.
  redis.fault = 'none'
  const { deps } = startApp({ stack, redis: redis.url })
  expect(await runSweep(deps, inMinutes(1))).toMatchObject({ skipped: false })
  expect(await incidentsOf(tenant)).toMatchObject([{ status: 'diagnosed', posted_back: true }])
  // The second look is due next; nothing else wakes the database.
  expect(await runSweep(deps, inMinutes(1.5))).toMatchObject({ skipped: true })
  expect(await runSweep(deps, inMinutes(2.9))).toMatchObject({ skipped: false, incidentWork: expect.any(Number) })
  expect(await runSweep(deps, inMinutes(4))).toMatchObject({ skipped: true })
})

async function startMortalDatabase(left: number) {
  return await startFaultProxy(stack.databaseEndpoint, { left, servesLast: false })
}

describe('a question whose diagnosis', () => {
  test.each([
    { name: 'cannot begin', fault: 'refuse' as const, statement: 'json_object_agg(t.target' },
    { name: 'cannot be stored', fault: 'refuse' as const, statement: 'INSERT INTO diagnoses' },
    { name: 'is stored unheard', fault: 'lose_reply' as const, statement: 'INSERT INTO diagnoses' },
  ])('$name is one incident, which the cron finishes', async ({ fault, statement }) => {
    const database = await startFaultProxy(stack.databaseEndpoint)
    database.fault = (asked) => (JSON.stringify(asked).includes(statement) ? fault : 'none')
    const site = startSite({ stack, database: database.url })
    const [asked, clicked] = [await createTestTenant(app), await createTestTenant(app)]

    const response = await startApp({ stack, database: database.url }).request('/v1/incidents', {
      key: asked.readonlyKey,
      body: { service: 'checkout', create: true },
    })
    expect(response.status).toBe(201)
    const created = await response.json()
    expect(created.status).toBe(fault === 'refuse' ? 'diagnosing' : 'diagnosed')

    await app.request('/v1/events', { key: clicked.ingestKey, body: makeEvent() })
    const service = (await listServicesOf(app, clicked)).get('checkout')
    const visitor = await signIn(site, clicked.readonlyKey)
    const redirect = await visitor.post(`/services/${service?.id}/diagnose`, { service: 'checkout' })
    expect([redirect.status, redirect.headers.get('Location')]).toEqual([303, expect.stringMatching(/^\/incidents\/[0-9a-f-]{36}$/)])
    expect((await visitor.get(redirect.headers.get('Location') ?? '')).status).toBe(200)

    await tick(1.5)
    for (const tenant of [asked, clicked]) {
      expect(await incidentsOf(tenant)).toMatchObject([{ status: 'diagnosed' }])
      expect(await countDiagnoses(tenant)).toBe(1)
    }
  })
})

describe('a question that', () => {
  const isStoring = (text: string) => text.includes('receive_question')

  /** An app whose Postgres does that to the first request that stores a question, or to all that read it. */
  async function startBroken(fault: 'refuse' | 'lose_reply', isConcerned: (text: string) => boolean, times: number) {
    const database = await startFaultProxy(stack.databaseEndpoint)
    let left = times
    database.fault = (asked) => (isConcerned(JSON.stringify(asked)) && left-- > 0 ? fault : 'none')
    return startApp({ stack, database: database.url })
  }

  const ask = (broken: TestApp, tenant: TestTenant) =>
    broken.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', create: true, title: 'errors' } })

  test.each([
    { name: 'never reaches the store', fault: 'refuse' as const },
    { name: 'is stored unheard', fault: 'lose_reply' as const },
  ])('$name at first is stored at once, once', async ({ fault }) => {
    const tenant = await createTestTenant(app)
    const response = await ask(await startBroken(fault, isStoring, 1), tenant)
    expect(response.status).toBe(201)
    const created = await response.json()
    expect(created.status).toBe('diagnosed')
    expect(await incidentsOf(tenant)).toMatchObject([{ id: created.id }])
    expect(await countDiagnoses(tenant)).toBe(1)
  })

  test('cannot be read once it is stored is answered as it was asked', async () => {
    const tenant = await createTestTenant(app)
    const isReading = (text: string) => text.includes('AS failure') && !isStoring(text)
    const response = await ask(await startBroken('refuse', isReading, Number.POSITIVE_INFINITY), tenant)
    expect(response.status).toBe(201)
    const [stored] = await incidentsOf(tenant)
    const { hypothesis, recommended_action, confidence, status: _, ...asked } = stored ?? {}
    expect(await response.json()).toMatchObject({ ...asked, status: 'diagnosing', service: 'checkout', title: 'errors', hypotheses: [] })
    expect(await incidentsOf(tenant)).toMatchObject([{ status: 'diagnosed' }])
  })

  test('is refused while Postgres is gone leaves nothing', async () => {
    const tenant = await createTestTenant(app)
    expect((await ask(await startBroken('refuse', isStoring, Number.POSITIVE_INFINITY), tenant)).status).toBe(503)
    expect(await incidentsOf(tenant)).toEqual([])
  })
})

describe('a second look', () => {
  const deploy = (minutes: number) =>
    makeEvent({ service_name: 'checkout', entity: 'checkout', sha: 'late77', timestamp: inMinutes(-minutes).toISOString() })

  test('two minutes after the alert sees what came since, and tells the pager once what changed', async () => {
    const { tenant, ref } = await startAnswered()
    const first = await detailOf(tenant)
    expect(first.hypothesis).toContain('no recorded change')
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(5) })
    await tick(1)
    expect(await detailOf(tenant)).toEqual(first)
    await tick(2.1)
    const second = await detailOf(tenant)
    expect(second.hypothesis).toContain('late77')
    expect(second.changed).toContain('no recorded change')
    expect(second.earlier_diagnoses).toMatchObject([{ hypothesis: first.hypothesis, context_snapshot: first.context_snapshot }])
    expect(second.notes).toHaveLength(2)
    const contents = (await notesOf(ref)).map(({ content }) => content)
    expect(contents).toHaveLength(2)
    expect(contents[0]).toContain('late77')
    expect(contents[0]).toContain('no recorded change')
    for (const minutes of [3, 10, 30]) await tick(minutes)
    expect(await notesOf(ref)).toHaveLength(2)
    expect(await countDiagnoses(tenant)).toBe(2)
  })

  test('that finds the same keeps the answer as it is', async () => {
    const { tenant, pager } = await start()
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(5) })
    const ref = newRef()
    await deliver(app, pager, makeDelivery({ ref }))
    await app.settle()
    for (const minutes of [2.5, 4, 30]) await tick(minutes)
    expect(await countDiagnoses(tenant)).toBe(1)
    expect(await notesOf(ref)).toHaveLength(1)
  })

  const confirm = async (tenant: TestTenant) => {
    const [incident] = await incidentsOf(tenant)
    const path = `/v1/incidents/${incident?.['id']}/feedback`
    expect((await app.request(path, { method: 'PUT', key: tenant.readonlyKey, body: { confirmed: true } })).status).toBe(204)
  }

  test('leaves an answer alone that an engineer confirmed', async () => {
    const { tenant, ref } = await startAnswered()
    await confirm(tenant)
    const first = await detailOf(tenant)
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(5) })
    await tick(2.1)
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(6) })
    for (const minutes of [4, 10]) await tick(minutes)
    expect(await detailOf(tenant)).toEqual(first)
    expect(await notesOf(ref)).toHaveLength(1)
  })

  test('leaves an answer alone that was confirmed later, or just before another was stored', async () => {
    const { tenant, ref } = await startAnswered()
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(5) })
    const database = await startFaultProxy(stack.databaseEndpoint)
    database.fault = async (asked): Promise<'none'> => {
      if (JSON.stringify(asked).includes('INSERT INTO diagnoses')) await confirm(tenant)
      return 'none'
    }
    const { deps } = startApp({ stack, database: database.url })
    await runSweep(deps, inMinutes(2.1))
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(6) })
    for (const minutes of [4, 10]) await tick(minutes)
    expect(await detailOf(tenant)).toMatchObject({ engineer_confirmed: true, earlier_diagnoses: [] })
    expect(await notesOf(ref)).toHaveLength(1)
  })

  test('follows a late event that happened before the alert, and only such a one', async () => {
    const { tenant } = await startAnswered()
    await tick(2.5)
    // A clock ahead counts as of receipt: after the alert all the same.
    const scaled = { event_type: 'scale_event', vendor: 'kubernetes', old_value: '3', new_value: '4', sha: undefined } as const
    const after = makeEvent({ service_name: 'elsewhere', entity: 'elsewhere', ...scaled, timestamp: inMinutes(1).toISOString() })
    await app.request('/v1/events', { key: tenant.ingestKey, body: after })
    expect(await tick(3)).toBe(0)
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(5) })
    expect(await tick(4)).toBeGreaterThan(0)
    expect((await detailOf(tenant)).hypothesis).toContain('late77')
    const diagnoses = await countDiagnoses(tenant)
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(9) })
    await tick(70)
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(8) })
    await tick(80)
    expect(await countDiagnoses(tenant)).toBe(diagnoses)
  })

  test('follows a late event without any other, however often it looked before', async () => {
    const { tenant } = await startAnswered()
    await tick(2.5)
    const ofTenant = sql`tenant_id = ${tenant.tenantId} AND kind = 'diagnosis'`
    await app.deps.db.execute(
      sql`UPDATE incident_work SET looks = 5, done_at = ${inMinutes(10).toISOString()}::timestamptz WHERE ${ofTenant}`,
    )
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(5) })
    await tick(11)
    expect((await detailOf(tenant)).hypothesis).not.toContain('late77')
    expect((await findNextWork(app.deps.db))?.getTime()).toBeCloseTo(inMinutes(14).getTime(), -4)
    await tick(14.1)
    expect((await detailOf(tenant)).hypothesis).toContain('late77')
  })

  test('tells the pager only after the first note got through', async () => {
    const { tenant, pager } = await start()
    const ref = newRef()
    await scriptPagerDuty(ref, [{ method: 'POST', takes_effect: false, answer: 429, reset_seconds: 600 }], stack)
    await deliver(app, pager, makeDelivery({ ref }))
    await app.settle()
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(5) })
    await tick(2.1)
    expect((await detailOf(tenant)).hypothesis).toContain('late77')
    expect(await notesOf(ref)).toEqual([])
    await tick(15)
    const [second, first] = (await notesOf(ref)).map(({ content }) => content)
    expect(first).not.toContain('late77')
    expect(second).toContain('Second look')
  })

  test('is taken although late events cannot be looked for', async () => {
    const { tenant, ref } = await startAnswered()
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(5) })
    const database = await startFaultProxy(stack.databaseEndpoint)
    database.fault = (asked) => (JSON.stringify(asked).includes("state = 'watching'") ? 'refuse' : 'none')
    const { deps, logs } = startApp({ stack, database: database.url })
    await runSweep(deps, inMinutes(2.1))
    expect(logs.map(({ event }) => event)).toContain('late_events_not_noticed')
    expect((await detailOf(tenant)).hypothesis).toContain('late77')
    expect(await notesOf(ref)).toHaveLength(2)
  })

  test('reaches every incident, however many wait for late events', async () => {
    const crowd = await createTestTenant(app)
    await app.deps.db.execute(sql`WITH i AS (
      INSERT INTO incidents (id, tenant_id, service_id, service_name, triggered_at)
      SELECT gen_random_uuid(), ${crowd.tenantId}, gen_random_uuid(), 'crowd', now() - interval '5 minutes' FROM generate_series(1, 250) RETURNING id)
      INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, looks, looked_at, done_at)
      SELECT id, 'diagnosis', 0, ${crowd.tenantId}, 'watching', now() + interval '55 minutes', 0, 2, now(), now() FROM i`)
    const { tenant } = await startAnswered()
    await tick(2.5)
    await app.request('/v1/events', { key: tenant.ingestKey, body: deploy(5) })
    for (const minutes of [4, 5, 6]) await tick(minutes)
    expect((await detailOf(tenant)).hypothesis).toContain('late77')
    await app.deps.db.execute(sql`UPDATE incident_work SET state = 'done' WHERE tenant_id = ${crowd.tenantId}`)
  })
})
