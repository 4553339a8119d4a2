import { describe, expect, test } from 'vitest'
import type { Deps } from '../../src/deps.ts'
import { findNextWork } from '../../src/store/incident-work.ts'
import { finishIncidents } from '../../src/usecases/finish-incidents.ts'
import { createTestTenant, METRICS_TOKEN, startApp, type TestTenant } from '../support/app.ts'
import { type Body, inMinutes, startDesk } from '../support/incidents.ts'
import { connectPager, deliver, makeDelivery, newRef, scriptPagerDuty } from '../support/pagerduty.ts'
import { toQuickReceivers } from '../support/receivers.ts'

const { stack, app, tick, incidentsOf, detailOf, notesOf, start } = await startDesk()

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
