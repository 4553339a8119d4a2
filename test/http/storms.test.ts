import { expect, test } from 'vitest'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { connectPager, deliver, listNotes, makeDelivery, newRef, type Pager } from '../support/pagerduty.ts'

const app = startApp()

type Body = Readonly<Record<string, unknown>>

const incidentsOf = async (tenant: TestTenant) => (await (await app.request('/v1/incidents', { key: tenant.readonlyKey })).json()) as Body[]
const secondsAgo = (seconds: number) => new Date(Date.now() - 1_000 * seconds)

async function start(): Promise<{ tenant: TestTenant; pager: Pager }> {
  const tenant = await createTestTenant(app)
  return { tenant, pager: await connectPager(app, tenant) }
}

test('fifty alerts for one service at once are one diagnosis and one note, whose answer all share', async () => {
  const { tenant, pager } = await start()
  const deploy = makeEvent({ timestamp: secondsAgo(240).toISOString() })
  await app.request('/v1/events', { key: tenant.ingestKey, body: deploy })
  const refs = Array.from({ length: 50 }, newRef)
  const at = secondsAgo(50)
  const statuses = await Promise.all(
    refs.map(async (ref, index) => {
      const delivery = makeDelivery({ ref, at: new Date(at.getTime() + 1_000 * index) })
      return (await deliver(app, pager, delivery)).status
    }),
  )
  expect(new Set(statuses)).toEqual(new Set([202]))
  await app.settle()

  const incidents = await incidentsOf(tenant)
  expect(incidents).toHaveLength(50)
  const leaders = incidents.filter(({ diagnosis_of }) => diagnosis_of === null)
  expect(leaders).toHaveLength(1)
  const [leader] = leaders
  for (const { diagnosis_of, id, ...incident } of incidents) {
    if (id === leader?.['id']) continue
    expect(diagnosis_of).toBe(leader?.['id'])
    expect(incident).toMatchObject({
      status: 'diagnosed',
      hypothesis: leader?.['hypothesis'],
      confidence: leader?.['confidence'],
      posted_back: false,
    })
  }
  const notes = await Promise.all(refs.map((ref) => listNotes(ref)))
  expect(notes.flat()).toHaveLength(1)
  const [folded] = incidents.filter(({ diagnosis_of }) => diagnosis_of !== null)
  const detail = await (await app.request(`/v1/incidents/${folded?.['id']}`, { key: tenant.readonlyKey })).json()
  expect(detail).toMatchObject({ diagnosis_of: leader?.['id'], notes: [], evidence: [{ sha: 'a4f2c1' }] })
  expect(detail.context_snapshot).not.toBeNull()
})

test('only alerts of the same service within a minute of an open incident are folded', async () => {
  const { tenant, pager } = await start()
  const [first, resolved, startedMs] = [newRef(), newRef(), Date.now()]
  const send = async (ref: string, service: string, seconds: number, type = 'triggered') => {
    await deliver(app, pager, makeDelivery({ ref, service, at: new Date(startedMs - 1_000 * seconds), type }))
    await app.settle()
  }
  await send(first, 'checkout', 300)
  await send(newRef(), 'checkout', 241)
  await send(newRef(), 'checkout', 239)
  await send(newRef(), 'search', 299)
  await send(resolved, 'cart', 300)
  await send(resolved, 'cart', 290, 'resolved')
  await send(newRef(), 'cart', 280)
  const incidents = await incidentsOf(tenant)
  const byTime = incidents.toReversed().map(({ service, diagnosis_of }) => [service, diagnosis_of !== null])
  expect(byTime.filter(([service]) => service === 'checkout')).toEqual([
    ['checkout', false],
    ['checkout', true],
    ['checkout', false],
  ])
  expect(incidents.filter(({ service }) => service !== 'checkout').every(({ diagnosis_of }) => diagnosis_of === null)).toBe(true)
})

test('a question is never folded, and leads no alert', async () => {
  const { tenant, pager } = await start()
  const ask = () => app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', create: true } })
  await ask()
  const ref = newRef()
  await deliver(app, pager, makeDelivery({ ref }))
  await ask()
  await app.settle()
  expect((await incidentsOf(tenant)).map(({ diagnosis_of }) => diagnosis_of)).toEqual([null, null, null])
  expect(await listNotes(ref)).toHaveLength(1)
})

test('a storm of two tenants is two storms', async () => {
  const [mine, other] = [await start(), await start()]
  await Promise.all([mine, other, mine, other].map(({ pager }) => deliver(app, pager, makeDelivery())))
  await app.settle()
  for (const { tenant } of [mine, other]) {
    const incidents = await incidentsOf(tenant)
    expect(incidents.filter(({ diagnosis_of }) => diagnosis_of === null)).toHaveLength(1)
    expect(incidents).toHaveLength(2)
  }
})
