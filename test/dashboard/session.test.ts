import { expect, test } from 'vitest'
import { createDashboard } from '../../src/dashboard/index.tsx'
import { createTestTenant } from '../support/app.ts'
import { createVisitor, ORIGIN, signIn, startSite } from '../support/site.ts'

const site = startSite()

async function sessionsOf(key: string): Promise<string[]> {
  const entries: { action: string }[] = await (await site.app.request('/v1/audit', { key })).json()
  return entries.flatMap(({ action }) => (action.startsWith('session.') ? [action] : []))
}

test('a read-only key signs in, by a cookie that no script and no other host gets', async () => {
  const { readonlyKey } = await createTestTenant(site.app)
  const visitor = createVisitor(site)
  const asked = await visitor.get('/incidents?status=active')
  expect([asked.status, asked.headers.get('Location')]).toEqual([303, '/signin?next=%2Fincidents%3Fstatus%3Dactive'])
  const response = await visitor.post('/signin', { key: ` ${readonlyKey} `, next: '/incidents?status=active' })
  expect([response.status, response.headers.get('Location')]).toEqual([303, '/incidents?status=active'])
  const cookie = response.headers.get('Set-Cookie') ?? ''
  expect(cookie).toMatch(/^__Host-noctuary_session=.*; Max-Age=604800; Path=\/; HttpOnly; Secure; SameSite=Lax$/)
  expect(decodeURIComponent(cookie)).not.toContain(readonlyKey.slice(0, 20))
  expect((await visitor.get('/incidents')).status).toBe(200)
})

test.each([
  { name: 'no key', key: '', status: 400 },
  { name: 'something else', key: 'hunter2', status: 400 },
  { name: 'a key with a typing error', key: 'noc_ro_111111111111111111111111111111111111111111', status: 400 },
])('$name is refused without a store', async ({ key, status }) => {
  const visitor = createVisitor(site)
  const response = await visitor.post('/signin', { key })
  expect([response.status, response.headers.get('Set-Cookie')]).toEqual([status, null])
  expect(site.app.logs.at(-1)).toMatchObject({ store_calls: { postgres: 0, redis: 0 } })
})

test('an ingest key is refused, and so is a revoked one', async () => {
  const { ingestKey, readonlyKey } = await createTestTenant(site.app)
  expect((await createVisitor(site).post('/signin', { key: ingestKey })).status).toBe(403)
  const made = await site.app.request('/v1/api-keys', { key: readonlyKey, body: { key_type: 'readonly' } })
  const { id, key }: { id: string; key: string } = await made.json()
  await site.app.request(`/v1/api-keys/${id}`, { key: readonlyKey, method: 'DELETE' })
  expect((await createVisitor(site).post('/signin', { key })).status).toBe(401)
  expect((await createVisitor(site).post('/signin', { key })).status).toBe(401)
  expect(await sessionsOf(readonlyKey)).toEqual(['session.refused', 'session.refused'])
})

test('a session dies at once with its key', async () => {
  const { readonlyKey } = await createTestTenant(site.app)
  const made = await site.app.request('/v1/api-keys', { key: readonlyKey, body: { key_type: 'readonly' } })
  const { id, key }: { id: string; key: string } = await made.json()
  const visitor = await signIn(site, key)
  expect((await visitor.get('/services')).status).toBe(200)
  await site.app.request(`/v1/api-keys/${id}`, { key: readonlyKey, method: 'DELETE' })

  const cookie = visitor.cookie()
  const read = await visitor.get('/services')
  expect([read.status, visitor.cookie()]).toEqual([401, ''])
  expect(await read.text()).toContain('Your session has ended')
  const written = await createVisitor(site).post('/settings/keys', { key_type: 'ingest' }, { Cookie: cookie })
  expect(written.status).toBe(401)
})

test('a session ends after a week, with sign-out, and with the secret that signed it', async () => {
  const { readonlyKey } = await createTestTenant(site.app)
  const visitor = await signIn(site, readonlyKey)
  const cookie = visitor.cookie()
  const visitOf = (other: typeof site) => createVisitor(other).get('/incidents', { Cookie: cookie })
  const inDays = (days: number) => startSite({}, { now: () => new Date(Date.now() + days * 86_400_000) })
  expect((await visitOf(inDays(6.9))).status).toBe(200)
  expect((await visitOf(inDays(7.1))).status).toBe(303)
  expect((await visitOf(startSite({ bindings: { SESSION_SECRET: 'another secret, just as long as that' } }))).status).toBe(303)
  expect((await visitor.post('/signout')).status).toBe(303)
  expect((await visitor.get('/incidents')).status).toBe(303)
})

test('signing out ends the session wherever its cookie is, and no other', async () => {
  const { readonlyKey } = await createTestTenant(site.app)
  const [visitor, other] = [await signIn(site, readonlyKey), await signIn(site, readonlyKey)]
  const stolen = createVisitor(site)
  const headers = { Cookie: visitor.cookie() }
  expect((await stolen.get('/services', headers)).status).toBe(200)
  expect(site.app.logs.at(-1)).toMatchObject({ store_calls: { postgres: 1 } })
  await visitor.post('/signout')
  expect((await stolen.get('/services', headers)).status).toBe(401)
  expect(site.app.logs.at(-1)).toMatchObject({ store_calls: { postgres: 1 } })
  expect((await createVisitor(site).post('/settings/keys', { key_type: 'ingest' }, headers)).status).toBe(401)
  await createVisitor(site).post('/signout', {}, headers)
  expect((await other.get('/services')).status).toBe(200)
  expect(await sessionsOf(readonlyKey)).toEqual(['session.ended', 'session.opened', 'session.opened'])
})

test('who signs out while Postgres is away is told that the session goes on', async () => {
  const { readonlyKey } = await createTestTenant(site.app)
  const visitor = await signIn(site, readonlyKey)
  const cookie = visitor.cookie()
  const broken = startSite({ database: 'http://127.0.0.1:9/sql' })
  const response = await createVisitor(broken).post('/signout', {}, { Cookie: cookie })
  expect([response.status, response.headers.get('Set-Cookie')]).toEqual([503, null])
})

test('a cookie that was changed is none', async () => {
  const [mine, theirs] = [await createTestTenant(site.app), await createTestTenant(site.app)]
  const cookie = (await signIn(site, mine.readonlyKey)).cookie()
  expect(cookie).toContain(mine.tenantId)
  for (const forged of [cookie.replace(mine.tenantId, theirs.tenantId), cookie.replace(/\.[^.]*$/, ''), `${cookie.slice(0, -3)}AAA`]) {
    expect((await createVisitor(site).get('/incidents', { Cookie: forged })).status).toBe(303)
  }
})

test('signing in leads to pages of this site only', async () => {
  const { readonlyKey } = await createTestTenant(site.app)
  for (const next of ['https://evil.example/', '//evil.example', '/\\evil.example', 'javascript:alert(1)', '/a b', '/\t/evil.example']) {
    const response = await createVisitor(site).post('/signin', { key: readonlyKey, next })
    expect([next, response.headers.get('Location')]).toEqual([next, '/connect'])
  }
})

test('an address has so many tries a minute, an IPv6 one by its network', async () => {
  const asked: string[] = []
  const limiter = { limit: async ({ key }: { key: string }) => ({ success: asked.push(key) <= 2 }) }
  const limited = startSite({ bindings: { SIGN_IN_RATE_LIMITER: limiter } })
  const tryOnce = (address: string) => createVisitor(limited).post('/signin', { key: 'x' }, { 'CF-Connecting-IP': address })
  expect([(await tryOnce('192.0.2.7')).status, (await tryOnce('2001:db8:1:2:3::9')).status]).toEqual([400, 400])
  const refused = await tryOnce('192.0.2.7')
  expect([refused.status, refused.headers.get('Retry-After')]).toEqual([429, '60'])
  expect(refused.headers.get('Content-Type')).toContain('text/html')
  expect(asked).toEqual(['192.0.2.7', '2001:db8:1:2', '192.0.2.7'])
})

test('a limiter that fails locks nobody out', async () => {
  const { readonlyKey } = await createTestTenant(site.app)
  const broken = startSite({ bindings: { SIGN_IN_RATE_LIMITER: { limit: () => Promise.reject(new Error('down')) } } })
  expect((await createVisitor(broken).post('/signin', { key: readonlyKey })).status).toBe(303)
})

test.each([
  { secret: '', text: 'wrangler secret put SESSION_SECRET' },
  { secret: 'short', text: 'too short' },
])('with the secret "$secret" the dashboard says what is missing, and the API works', async ({ secret, text }) => {
  const unset = startSite({ bindings: { SESSION_SECRET: secret } })
  const { readonlyKey } = await createTestTenant(unset.app)
  for (const path of ['/signin', '/incidents']) {
    const response = await createVisitor(unset).get(path)
    expect(response.status).toBe(503)
    expect(await response.text()).toContain(text)
  }
  expect((await unset.app.request('/v1/services', { key: readonlyKey })).status).toBe(200)
})

const FORMS = createDashboard(site.app.deps).routes.filter(({ method }) => method === 'POST')

test('there are forms to protect', () => {
  expect(new Set(FORMS.map(({ path }) => path)).size).toBeGreaterThanOrEqual(12)
})

test.each([...new Set(FORMS.map(({ path }) => path))])('%s refuses forms of other sites', async (route) => {
  const { readonlyKey } = await createTestTenant(site.app)
  const visitor = await signIn(site, readonlyKey)
  const path = route.replace(':id', '00000000-0000-4000-8000-000000000000')
  for (const headers of [
    { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' },
    { Origin: 'https://evil.example' },
    { Origin: 'null' },
    { Origin: 'https://evil.example', 'Content-Type': 'text/plain' },
    { Origin: `${ORIGIN}.evil.example`, 'Sec-Fetch-Site': 'same-site' },
  ]) {
    const response = await visitor.post(path, { key: readonlyKey }, headers)
    expect([headers, response.status, response.headers.get('Set-Cookie')]).toEqual([headers, 403, null])
  }
})

test.each([
  ['/v1/services/checkout/context', '/v1/services/:id/context'],
  ['/v1/agents', '/v1/agents'],
  ['/health', '/health'],
  ['/incidents', '/incidents'],
  ['/v1/nothing', '/*'],
])('beside the pages, the log’s line of %s names %s', async (path, route) => {
  site.app.logs.length = 0
  await site.send(new Request(new URL(path, ORIGIN)))
  expect(site.app.logs.filter(({ event }) => event === 'request').map((line) => line['route'])).toEqual([route])
})
