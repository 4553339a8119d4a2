import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { findNextWork } from '../../src/store/incident-work.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, listServicesOf, makeEvent, startApp, type TestApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { inMinutes, startDesk } from '../support/incidents.ts'
import { deliver, makeDelivery, newRef, scriptPagerDuty } from '../support/pagerduty.ts'
import { signIn, startSite } from '../support/site.ts'

const { stack, app, tick, incidentsOf, detailOf, notesOf, start, startAnswered, countDiagnoses } = await startDesk()

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
