import { expect, test } from 'vitest'
import { toId } from '../../src/domain/ids.ts'
import { readShareLink, signShareLink } from '../../src/domain/telling/share-link.ts'
import { createTestTenant, makeEvent } from '../support/app.ts'
import { createVisitor, signIn, startSite } from '../support/site.ts'

const site = startSite()
const { app } = site
const SECRET = 'a secret of the tests, long enough'
const DAY_MS = 24 * 3_600_000

async function start() {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  const body = { service: 'checkout', title: 'Errors \u202E<b>', create: true }
  const { id } = await (await app.request('/v1/incidents', { key: tenant.readonlyKey, body })).json()
  return { tenant, id, visitor: await signIn(site, tenant.readonlyKey) }
}

const toPath = (url: string) => new URL(url).pathname

test('a link to share shows the incident, and that alone, to whoever has it; the audit says who made it', async () => {
  const { tenant, id, visitor } = await start()
  const made = await visitor.post(`/incidents/${id}/share`)
  expect(made.status).toBe(201)
  const [, path = ''] = /<code>https:\/\/[^/]+(\/shared\/[\w-]{91})<\/code>/.exec(await made.text()) ?? []
  const [entry] = await (await app.request('/v1/audit', { key: tenant.readonlyKey })).json()
  expect(entry).toMatchObject({ action: 'incident.shared', target_id: id, actor: expect.stringMatching(/^api_key:/) })

  const stranger = createVisitor(site)
  const response = await stranger.get(path)
  const html = await response.text()
  expect([response.status, response.headers.get('Cache-Control')]).toEqual([200, 'no-store'])
  expect(html).toContain('Errors  &lt;b&gt;')
  expect(html).not.toMatch(/[\p{Cf}\p{Zl}\p{Zp}]/u)
  expect(html).toContain('What broke')
  expect(html).not.toMatch(/<form|href="\/(?:incidents|services|settings)/)
  expect((await stranger.get(`/incidents/${id}`)).status).toBe(303)
  // Not the last character, of which two bits say nothing.
  const forged = `${path.slice(0, -9)}${path.at(-9) === 'A' ? 'B' : 'A'}${path.slice(-8)}`
  expect((await stranger.get(forged)).status).toBe(404)
})

test('a link is revoked on the page and by the API, listed until then, and others live on; the audit says who did it', async () => {
  const { tenant, id, visitor } = await start()
  const { readonlyKey: key } = tenant
  const make = async () => {
    const response = await app.request(`/v1/incidents/${id}/shares`, { key, method: 'POST' })
    expect(response.status).toBe(201)
    return (await response.json()) as { id: string; url: string; expires_at: string }
  }
  const [first, second, third] = [await make(), await make(), await make()]
  const stranger = createVisitor(site)
  const statuses = () => Promise.all([first, second, third].map(async ({ url }) => (await stranger.get(toPath(url))).status))
  const listed = async () => (await (await app.request(`/v1/incidents/${id}`, { key })).json()).shares.map((one: { id: string }) => one.id)
  expect(await statuses()).toEqual([200, 200, 200])
  expect(new Set(await listed())).toEqual(new Set([first.id, second.id, third.id]))

  expect((await (await visitor.get(`/incidents/${id}`)).text()).match(/Link until /g)).toHaveLength(3)
  expect((await visitor.post(`/incidents/${id}/unshare`, { share: first.id })).headers.get('Location')).toBe(
    `/incidents/${id}?done=unshared`,
  )
  const revoke = (share: string, by = key) => app.request(`/v1/incidents/${id}/shares/${share}`, { key: by, method: 'DELETE' })
  expect((await revoke(second.id, (await createTestTenant(app)).readonlyKey)).status).toBe(404)
  expect((await revoke(second.id)).status).toBe(204)
  expect((await revoke(second.id)).status).toBe(404)
  expect(await statuses()).toEqual([404, 404, 200])
  expect(await listed()).toEqual([third.id])
  const audit: { action: string; target_id: string }[] = await (await app.request('/v1/audit', { key })).json()
  expect(audit.filter(({ action, target_id }) => action === 'incident.unshared' && target_id === id)).toHaveLength(2)

  for (let made = 1; made < 20; made += 1) await make()
  expect((await app.request(`/v1/incidents/${id}/shares`, { key, method: 'POST' })).status).toBe(409)
})

test('a link is of its tenant and of its time, and none of another purpose', async () => {
  const { tenant, id } = await start()
  const other = await createTestTenant(app)
  const made = await app.request(`/v1/incidents/${id}/shares`, { key: tenant.readonlyKey, method: 'POST' })
  const share: { id: string } = await made.json()
  const now = Date.now()
  const stranger = createVisitor(site)
  const statusOf = async (tenantId: string, ms: number, secret = SECRET) => {
    const link = { tenantId: toId<never>(tenantId), id: toId<never>(share.id), expiresAt: new Date(ms) }
    return (await stranger.get(`/shared/${await signShareLink(secret, link)}`)).status
  }
  expect(await statusOf(tenant.tenantId, now + DAY_MS)).toBe(200)
  expect(await statusOf(tenant.tenantId, now - 2_000)).toBe(404)
  expect(await statusOf(other.tenantId, now + DAY_MS)).toBe(404)
  expect(await statusOf(tenant.tenantId, now + DAY_MS, 'another secret, as long as that')).toBe(404)
  expect(await readShareLink(SECRET, 'A'.repeat(91), new Date())).toBe('foreign')
})

test('nobody shares another tenant’s incident', async () => {
  const [{ visitor, tenant }, { id }] = [await start(), await start()]
  expect((await visitor.post(`/incidents/${id}/share`)).status).toBe(404)
  expect((await app.request(`/v1/incidents/${id}/shares`, { key: tenant.readonlyKey, method: 'POST' })).status).toBe(404)
})

test('a link that is asked for again with its key is the same one, however often at once', async () => {
  const { tenant, id } = await start()
  const share = async () => {
    const headers = { 'Idempotency-Key': 'share-1' }
    return (await app.request(`/v1/incidents/${id}/shares`, { key: tenant.readonlyKey, method: 'POST', headers })).json()
  }
  const [first, ...others] = [...(await Promise.all([share(), share(), share()])), await share()]
  expect(first.url).toContain('/shared/')
  expect(new Set(others.map(({ url }) => url))).toEqual(new Set([first.url]))
})
