import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { createTestTenant, makeEvent, type TestTenant } from '../support/app.ts'
import { signIn, startSite, type Visitor } from '../support/site.ts'

const site = startSite()
const { app } = site

const ago = (seconds: number) => new Date(Date.now() - 1_000 * seconds).toISOString()

type Case = { readonly tenant: TestTenant; readonly visitor: Visitor; readonly id: string; readonly flag: string; readonly failure: string }

/** An incident that blames a deploy, with a flag as the runner-up. */
async function start(isBlaming = true): Promise<Case> {
  const tenant = await createTestTenant(app)
  const events = [
    ...(isBlaming
      ? [
          {
            event_type: 'deploy',
            service_name: 'payments',
            entity: 'payments',
            sha: '1a220982',
            new_value: 'succeeded',
            timestamp: ago(500),
          },
        ]
      : []),
    { event_type: 'flag_change', service_name: 'cart', entity: 'rankingModel', old_value: 'v3', new_value: 'v4', timestamp: ago(400) },
    ...[300, 280].map((seconds) => ({ ...TIMEOUT, timestamp: ago(seconds) })),
  ]
  const body = events.map((event) => makeEvent({ old_value: undefined, sha: undefined, ...event }))
  const sent: { id: string }[] = await (await app.request('/v1/events/batch', { key: tenant.ingestKey, body }))
    .json()
    .then(({ results }) => results)
  const asked = { service: 'checkout', title: 'errors', triggered_at: ago(250) }
  const { id } = await (await app.request('/v1/incidents', { key: tenant.readonlyKey, body: asked })).json()
  const [failure, , flag] = sent.toReversed().map((one) => one.id)
  return { tenant, id, flag: flag ?? '', failure: failure ?? '', visitor: await signIn(site, tenant.readonlyKey) }
}

const TIMEOUT = { event_type: 'dependency_failure', service_name: 'checkout', entity: 'payments', new_value: 'timed out' }

const readRows = async ({ visitor, id }: Case) => {
  const html = await (await visitor.get(`/incidents/${id}`)).text()
  return html
    .slice(html.indexOf('To blame'), html.indexOf('id="since"'))
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
}
const listActions = async ({ tenant }: Case) => {
  const entries: { action: string }[] = await (await app.request('/v1/audit', { key: tenant.readonlyKey })).json()
  return entries
    .map(({ action }) => action)
    .filter((action) => action.startsWith('incident.'))
    .toReversed()
}
const listPatterns = async ({ tenant }: Case) => {
  const { rows } = await app.deps.db.execute(sql`SELECT to_regclass('causal_patterns') IS NOT NULL AS has_memory`)
  if (!rows[0]?.['has_memory']) return undefined
  return (await app.deps.db.execute(sql`SELECT service, event_type, verdict FROM causal_patterns WHERE tenant_id = ${tenant.tenantId}`))
    .rows
}
const whereThereIsMemory = (patterns: object[]) =>
  expect.toSatisfy((found) => found === undefined || JSON.stringify(found) === JSON.stringify(patterns))

test('a rejected cause leaves the headline at once, is taken back, and what it was is said of another event', async () => {
  const one = await start()
  const say = (path: string, form: Record<string, string>) => one.visitor.post(`/incidents/${one.id}/${path}`, form)
  expect(await readRows(one)).toContain('Was it this deploy?')

  expect((await say('verdict', { verdict: 'rejected' })).headers.get('Location')).toBe(`/incidents/${one.id}?done=rejected`)
  expect(await readRows(one)).toMatch(
    /Not deploy 1a220982 to payments\. .* said so at (?:\d+ \w+ )?[\d:]+\..*What was it\?.*Something nobody reported/,
  )
  expect(await listPatterns(one)).toEqual(whereThereIsMemory([{ service: 'payments', event_type: 'deploy', verdict: 'rejected' }]))

  await say('verdict', { verdict: 'none' })
  expect(await readRows(one)).toMatch(/Deploy 1a220982 to payments at .*Was it this deploy\?/)
  expect(await listPatterns(one)).toEqual(whereThereIsMemory([]))

  await say('cause', { cause: 'event', event: one.flag })
  expect(await readRows(one)).toContain('Not deploy 1a220982 to payments. It was flag rankingModel v3 → v4 of cart')
  expect(await listPatterns(one)).toEqual(whereThereIsMemory([{ service: 'cart', event_type: 'flag_change', verdict: 'confirmed' }]))
  expect(await (await app.request(`/v1/incidents/${one.id}`, { key: one.tenant.readonlyKey })).json()).toMatchObject({
    engineer_confirmed: false,
  })

  // Said again without what it was, that stays.
  await say('verdict', { verdict: 'rejected' })
  expect(await readRows(one)).toContain('It was flag')
  await say('cause', { cause: 'unreported', text: 'a full <b>disk</b>' })
  expect(await readRows(one)).toContain('It was “a full &lt;b&gt;disk&lt;/b&gt;”')
  expect(await listPatterns(one)).toEqual(whereThereIsMemory([{ service: 'payments', event_type: 'deploy', verdict: 'rejected' }]))
  await say('verdict', { verdict: 'confirmed' })
  expect(await readRows(one)).not.toContain('disk')
  expect(await listActions(one)).toEqual([
    'incident.asked',
    ...['rejected', 'reconsidered', 'corrected', 'corrected', 'confirmed'].map((action) => `incident.${action}`),
  ])
})

test('of what nothing on record explains it is said what it was, without calling that wrong', async () => {
  const one = await start(false)
  await one.visitor.post(`/incidents/${one.id}/cause`, { cause: 'unreported', text: 'card gateway maintenance' })
  expect(await readRows(one)).toContain('It was “card gateway maintenance”')
  expect(await (await app.request(`/v1/incidents/${one.id}`, { key: one.tenant.readonlyKey })).json()).toMatchObject({
    engineer_confirmed: true,
  })
  await one.visitor.post(`/incidents/${one.id}/cause`, { cause: one.failure })
  expect(await (await app.request(`/v1/incidents/${one.id}`, { key: one.tenant.readonlyKey })).json()).toMatchObject({
    engineer_confirmed: false,
  })
})

test.each([{ cause: 'event', event: 'nothing' }, { cause: '11111111-1111-4111-8111-111111111111' }, {}])(
  'that it was %j is refused',
  async (form) => {
    const one = await start()
    const { status } = await one.visitor.post(`/incidents/${one.id}/cause`, form as Record<string, string>)
    expect(status).toBe(400)
    expect(await listActions(one)).toEqual(['incident.asked'])
  },
)

test('nobody says what another tenant’s incident was', async () => {
  const [one, other] = [await start(), await start()]
  expect((await other.visitor.post(`/incidents/${one.id}/cause`, { cause: 'unreported', text: 'me' })).status).toBe(404)
  expect((await other.visitor.post(`/incidents/${one.id}/verdict`, { verdict: 'none' })).status).toBe(404)
})
