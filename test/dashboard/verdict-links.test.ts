import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, test } from 'vitest'
import { toId } from '../../src/domain/ids.ts'
import { signVerdictLink, type VerdictLink } from '../../src/domain/telling/verdict-link.ts'
import { createTestTenant, makeEvent, type TestTenant } from '../support/app.ts'
import { connectReceiver, listTaken, newPath, toUrl } from '../support/receivers.ts'
import { createVisitor, ORIGIN, signIn, startSite } from '../support/site.ts'

const site = startSite({ bindings: { PUBLIC_URL: ORIGIN } })
const { app } = site
const visitor = createVisitor(site)

type Told = {
  readonly tenant: TestTenant
  readonly incidentId: string
  readonly integrationId: string
  readonly confirm: string
  readonly reject: string
}

/** A message in Slack about an answer, and the paths of its two links. */
async function tell(): Promise<Told> {
  const tenant = await createTestTenant(app)
  const path = newPath('slack')
  const { id: integrationId } = await connectReceiver(app, tenant, 'slack', { url: toUrl(path) })
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ old_value: 'f8b3e22', new_value: 'a4f2c1' }) })
  const asked = await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', title: '<b>Errors</b>' } })
  await app.settle()
  const { id: incidentId }: { id: string } = await asked.json()
  const [message] = await listTaken(path)
  const links = [...JSON.stringify(message?.body).matchAll(/<([^|>]*\/verdicts\/[^|>]*)\|(Confirm|Reject)>/g)]
  const [confirm = '', reject = ''] = links.map(([, url = '']) => new URL(url).pathname)
  expect(links.map(([, url, label]) => [url?.startsWith(`${ORIGIN}/verdicts/`), label])).toEqual([
    [true, 'Confirm'],
    [true, 'Reject'],
  ])
  return { tenant, incidentId, integrationId, confirm, reject }
}

async function readVerdict({ tenant, incidentId }: Told): Promise<boolean | null> {
  return (await (await app.request(`/v1/incidents/${incidentId}`, { key: tenant.readonlyKey })).json()).engineer_confirmed
}

describe('the links in a message', () => {
  let told: Told
  beforeAll(async () => {
    told = await tell()
  })

  test('show what they would do, and do nothing by being followed', async () => {
    for (const [path, button] of [
      [told.confirm, 'Confirm the answer'],
      [told.reject, 'Reject the answer'],
    ] as const) {
      const page = await visitor.get(path)
      const html = await page.text()
      expect(page.status).toBe(200)
      expect(html.match(/<button/g)).toHaveLength(1)
      for (const part of [button, 'a4f2c1', '&lt;b&gt;Errors', 'later diagnoses learn from it']) expect(html).toContain(part)
      expect(page.headers.get('Content-Security-Policy')).toContain("frame-ancestors 'none'")
      expect(page.headers.get('Cache-Control')).toBe('no-store')
    }
    expect(await readVerdict(told)).toBeNull()
    expect((await visitor.post(told.confirm, {}, { Origin: 'https://evil.example' })).status).toBe(403)
    expect(await readVerdict(told)).toBeNull()
  })

  test('give a verdict without a session, once each, and the audit says by what', async () => {
    const answers = await Promise.all([1, 2, 3].map(() => visitor.post(told.confirm)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, 409, 409])
    expect(await readVerdict(told)).toBe(true)
    const done = await visitor.get(told.confirm)
    expect([done.status, await done.text()]).toEqual([200, expect.stringContaining('The answer is confirmed')])

    expect((await visitor.post(told.reject)).status).toBe(303)
    expect((await visitor.post(told.confirm)).status).toBe(409)
    expect(await readVerdict(told)).toBe(false)
    const audit: Record<string, unknown>[] = await (await app.request('/v1/audit', { key: told.tenant.readonlyKey })).json()
    const actor = `message_link:${told.integrationId}`
    expect(audit.slice(0, 2)).toMatchObject([
      { action: 'incident.rejected', actor, target_id: told.incidentId },
      { action: 'incident.confirmed', actor, target_id: told.incidentId },
    ])
    expect(site.app.logs.map((line) => JSON.stringify(line)).join('\n')).not.toContain(told.confirm.slice('/verdicts/'.length))
  })
})

test('what was told is shown without the links, to whoever may only look, too', async () => {
  const told = await tell()
  const token = told.confirm.slice('/verdicts/'.length)
  const { readonlyKey } = told.tenant
  const { key }: { key: string } = await (await app.request('/v1/api-keys', { key: readonlyKey, body: { key_type: 'viewer' } })).json()
  const viewer = await signIn(site, key)
  const shown = [
    await app.request(`/v1/incidents/${told.incidentId}`, { key }),
    await viewer.get(`/incidents/${told.incidentId}`),
    await viewer.get(`/settings/integrations/${told.integrationId}`),
  ]
  for (const page of shown) {
    const text = await page.text()
    expect([page.status, text]).toEqual([200, expect.stringContaining('/verdicts/********')])
    expect(text).not.toContain(token)
  }
})

test('the links of a receiver that was removed are dead', async () => {
  const told = await tell()
  const path = `/v1/integrations/${told.integrationId}`
  expect((await app.request(path, { key: told.tenant.readonlyKey, method: 'DELETE' })).status).toBe(204)
  for (const answer of [await visitor.get(told.confirm), await visitor.post(told.reject)])
    expect([answer.status, await answer.text()]).toEqual([410, expect.stringContaining('was removed')])
  expect(await readVerdict(told)).toBeNull()
})

test('a link that is foreign, expired or about nothing gets a page that says so', async () => {
  const { tenant, incidentId, integrationId, confirm } = await tell()
  const link = {
    tenantId: tenant.tenantId,
    incidentId: toId<VerdictLink['incidentId']>(incidentId),
    target: toId<VerdictLink['target']>(integrationId),
    number: 1,
    verdict: 'confirmed' as const,
    expiresAt: new Date(Date.now() + 60_000),
  }
  const secret = app.deps.linkSecret ?? ''
  const other = await createTestTenant(app)
  const cases: readonly (readonly [string, number, string])[] = [
    ['/verdicts/nonsense', 404, 'leads nowhere'],
    [`${confirm.slice(0, -4)}AAAA`, 404, 'leads nowhere'],
    [`/verdicts/${await signVerdictLink('another secret, which is long enough, too', link)}`, 404, 'leads nowhere'],
    [`/verdicts/${await signVerdictLink(secret, { ...link, expiresAt: new Date(Date.now() - 1_000) })}`, 410, 'has expired'],
    [`/verdicts/${await signVerdictLink(secret, { ...link, number: 9 })}`, 410, 'is gone'],
    [`/verdicts/${await signVerdictLink(secret, { ...link, tenantId: other.tenantId })}`, 410, 'is gone'],
  ]
  for (const [path, status, words] of cases) {
    const page = await visitor.get(path)
    expect([path, page.status, await page.text()]).toEqual([path, status, expect.stringContaining(words)])
    expect([path, (await visitor.post(path)).status]).toEqual([path, status])
  }
  expect(await readVerdict({ tenant, incidentId, integrationId, confirm, reject: '' })).toBeNull()
})

test('an answer that a later look replaced is judged no more', async () => {
  const told = await tell()
  await app.deps.db.execute(
    sql`INSERT INTO diagnoses (incident_id, number, tenant_id, made_at, diagnosed_by, hypothesis, confidence, abstained, answer, context_snapshot, signature)
      SELECT incident_id, 2, tenant_id, now(), diagnosed_by, 'something else', confidence, abstained, answer, context_snapshot,
        jsonb_set(signature::jsonb, '{compared,told}', '"something else"')::json FROM diagnoses WHERE incident_id = ${told.incidentId}`,
  )
  for (const answer of [await visitor.get(told.confirm), await visitor.post(told.confirm)]) {
    expect([answer.status, await answer.text()]).toEqual([409, expect.stringContaining('blames something else')])
  }
  expect(await readVerdict(told)).toBeNull()
})
