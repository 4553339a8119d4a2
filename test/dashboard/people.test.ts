import { createHmac, randomUUID } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { createDashboard } from '../../src/dashboard/index.tsx'
import { createAccessKeys } from '../../src/outbound/access-keys.ts'
import { type AccessTeam, AUDIENCE, startAccessTeam } from '../support/access.ts'
import { createTestTenant, makeEvent, type TestTenant } from '../support/app.ts'
import { connectPager } from '../support/pagerduty.ts'
import { createVisitor, ORIGIN, signIn, startSite, type Visitor } from '../support/site.ts'

const team = await startAccessTeam()
afterAll(team.stop)

const startBehind = ({ origin }: AccessTeam) => startSite({ bindings: { ACCESS_TEAM: origin, ACCESS_AUD: AUDIENCE } })
const site = startBehind(team)
const { app } = site

const newName = () => randomUUID().slice(0, 13)
const newEmail = (domain = 'people.example') => `jane.${newName()}@${domain}`

async function list(tenant: TestTenant, who: string, role = 'viewer'): Promise<Response> {
  return await (await signIn(site, tenant.readonlyKey)).post('/settings/people', { people: who, role })
}

const visitAs = async (path: string, assertion: string, by: Visitor = createVisitor(site)) =>
  by.get(path, { 'Cf-Access-Jwt-Assertion': assertion })

type Entry = { readonly action: string; readonly actor: string; readonly target_id: string; readonly fields: string[] }
const auditOf = async ({ readonlyKey }: TestTenant): Promise<Entry[]> => (await app.request('/v1/audit', { key: readonlyKey })).json()

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('an assertion', () => {
  test('lets in whom a tenant lists, and nobody else', async () => {
    const tenant = await createTestTenant(app)
    const email = newEmail()
    expect((await visitAs('/incidents', await team.assert(email))).status).toBe(403)
    expect((await list(tenant, email.toUpperCase())).status).toBe(303)
    const visitor = createVisitor(site)
    const assertion = await team.assert(email.replace('jane', 'JANE'))
    expect((await visitAs('/incidents', assertion, visitor)).status).toBe(200)
    expect((await visitAs('/services', assertion, visitor)).status).toBe(200)
    expect((await auditOf(tenant)).slice(0, 2)).toMatchObject(
      [
        { action: 'session.opened', actor: `person:${email}` },
        { action: 'people.changed', actor: expect.stringMatching(/^api_key:/), target_id: email, fields: ['role'] },
      ].toSorted((a, b) => (a.action < b.action ? 1 : -1)),
    )
    // Its session is nothing without it.
    expect((await visitor.get('/services')).status).toBe(303)
    expect((await visitAs('/services', await team.assert(newEmail()), visitor)).status).toBe(403)
    expect(JSON.stringify(app.logs)).not.toContain(email)
  })

  test.each([
    { name: 'of nobody', make: () => team.assert(undefined) },
    { name: 'of a service', make: () => team.assert(undefined, { common_name: 'robot.access' }) },
    { name: 'for another application', make: (email: string) => team.assert(email, { aud: ['other'] }) },
    { name: 'for none', make: (email: string) => team.assert(email, { aud: undefined }) },
    { name: 'of another team', make: (email: string) => team.assert(email, { iss: 'https://other.cloudflareaccess.com' }) },
    { name: 'of no team', make: (email: string) => team.assert(email, { iss: undefined }) },
    { name: 'that has expired', make: (email: string) => team.assert(email, { exp: Math.floor(Date.now() / 1_000) - 1 }) },
    { name: 'without an end', make: (email: string) => team.assert(email, { exp: undefined }) },
    { name: 'that is not good yet', make: (email: string) => team.assert(email, { nbf: Math.floor(Date.now() / 1_000) + 600 }) },
    { name: 'with addresses for an address', make: (email: string) => team.assert(undefined, { email: [email] }) },
    { name: 'with a look-alike', make: (email: string) => team.assert(email.replace('k', '\u212a')) },
    { name: 'signed by nobody', make: async (email: string) => unsigned(await team.assert(email), { alg: 'none' }, () => '') },
    {
      name: 'signed by the public key',
      make: async (email: string) =>
        unsigned(await team.assert(email), { alg: 'HS256' }, (text) =>
          createHmac('sha256', JSON.stringify(team.publicKeys().at(-1)))
            .update(text)
            .digest('base64url'),
        ),
    },
    { name: 'of another person, under this one’s signature', make: async (email: string) => swap(await team.assert(newEmail()), email) },
    { name: 'of other keys', make: async (email: string) => (await startOther()).assert(email, { iss: team.origin }) },
    { name: 'that is none', make: async () => 'a.b.c' },
    { name: 'that is empty', make: async () => '' },
  ])('$name is refused', async ({ make }) => {
    const tenant = await createTestTenant(app)
    const email = newEmail('kin.example')
    await list(tenant, email, 'readonly')
    const visitor = createVisitor(site)
    const response = await visitAs('/incidents', await make(email), visitor)
    expect([response.status, visitor.cookie()]).toEqual([403, ''])
    expect(
      (await visitor.post('/signin/person', { tenant: tenant.tenantId }, { 'Cf-Access-Jwt-Assertion': await make(email) })).status,
    ).toBe(403)
  })

  test('by a key that is new is good, and keys that are made up are asked for once a minute', async () => {
    const own = await startAccessTeam()
    const tenant = await createTestTenant(app)
    const email = newEmail()
    await list(tenant, email)
    let nowMs = 0
    const at = { origin: own.origin, audience: AUDIENCE }
    const behind = startSite({}, { access: { ...at, readKeys: createAccessKeys(at, () => new Date(nowMs)) } })
    const visit = async (assertion: string) =>
      (await createVisitor(behind).get('/incidents', { 'Cf-Access-Jwt-Assertion': assertion })).status
    const good = await own.assert(email)
    expect([await visit(good), await visit(good), own.asked()]).toEqual([200, 200, 1])
    const forge = () => unsigned(good, { kid: `made-up-${newName()}` }, () => 'AAAA')
    for (let tries = 0; tries < 3; tries += 1) expect(await visit(forge())).toBe(403)
    expect(own.asked()).toBe(1)
    nowMs += 61_000
    for (let tries = 0; tries < 3; tries += 1) expect(await visit(forge())).toBe(403)
    expect(own.asked()).toBe(2)
    await own.rotate()
    nowMs += 61_000
    expect([await visit(await own.assert(email)), await visit(good), own.asked()]).toEqual([200, 200, 3])
    await own.rotate()
    own.answerWith(500)
    nowMs += 3_600_000
    // What is known goes on while nothing newer can be had.
    expect([await visit(good), own.asked()]).toEqual([200, 4])
    await own.stop()
  })

  test('is not refused, but 503, while the keys cannot be read', async () => {
    const own = await startAccessTeam()
    own.answerWith(500)
    const behind = startSite({ bindings: { ACCESS_TEAM: own.origin, ACCESS_AUD: AUDIENCE } })
    const response = await createVisitor(behind).get('/incidents', { 'Cf-Access-Jwt-Assertion': await own.assert(newEmail()) })
    expect([response.status, response.headers.has('Retry-After')]).toEqual([503, true])
    expect((await createVisitor(behind).get('/signin', { 'Cf-Access-Jwt-Assertion': await own.assert(newEmail()) })).status).toBe(200)
    await own.stop()
  })

  test('says nothing where the pages are not behind Access', async () => {
    const bare = startSite()
    const tenant = await createTestTenant(app)
    const email = newEmail()
    await list(tenant, email)
    const response = await createVisitor(bare).get('/incidents', { 'Cf-Access-Jwt-Assertion': await team.assert(email) })
    expect(response.status).toBe(303)
  })
})

const startOther = async () => {
  const other = await startAccessTeam()
  await other.stop()
  return other
}

function unsigned(assertion: string, header: object, signed: (text: string) => string): string {
  const [first = '', payload = ''] = assertion.split('.')
  const text = `${encode({ ...JSON.parse(Buffer.from(first, 'base64url').toString()), ...header })}.${payload}`
  return `${text}.${signed(text)}`
}

function swap(assertion: string, email: string): string {
  const [header = '', payload = '', signature = ''] = assertion.split('.')
  return `${header}.${encode({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), email })}.${signature}`
}

describe('a person', () => {
  test('of a domain has that role, and as an address its own', async () => {
    const tenant = await createTestTenant(app)
    const domain = `d${newName()}.example`
    await list(tenant, domain)
    await list(tenant, `boss@${domain}`, 'readonly')
    const mayManage = async (email: string) => {
      const visitor = createVisitor(site)
      const headers = { 'Cf-Access-Jwt-Assertion': await team.assert(email) }
      await visitor.get('/settings/keys', headers)
      return (await visitor.post('/settings/keys', { key_type: 'ingest' }, headers)).status
    }
    expect([await mayManage(`someone@${domain}`), await mayManage(`boss@${domain}`)]).toEqual([403, 201])
    expect((await visitAs('/incidents', await team.assert(`x@sub.${domain}`))).status).toBe(403)
    expect((await visitAs('/incidents', await team.assert(`x@evil${domain}`))).status).toBe(403)
  })

  test('whom two tenants list chooses, and enters no third', async () => {
    const [one, two, three] = [await createTestTenant(app), await createTestTenant(app), await createTestTenant(app)]
    const email = newEmail()
    await list(one, email)
    await list(two, email)
    const headers = { 'Cf-Access-Jwt-Assertion': await team.assert(email) }
    const visitor = createVisitor(site)
    const asked = await visitor.get('/services', headers)
    expect([asked.status, asked.headers.get('Location')]).toEqual([303, '/signin?next=%2Fservices'])
    const choice = await (await visitor.get('/signin?next=%2Fservices', headers)).text()
    expect([choice.includes(one.tenantId), choice.includes(two.tenantId), choice.includes(three.tenantId)]).toEqual([true, true, false])
    expect((await visitor.post('/signin/person', { tenant: three.tenantId }, headers)).status).toBe(403)
    expect((await visitor.post('/signin/person', { tenant: two.tenantId }, {})).status).toBe(403)
    const entered = await visitor.post('/signin/person', { tenant: two.tenantId, next: '/services' }, headers)
    expect([entered.status, entered.headers.get('Location')]).toEqual([303, '/services'])
    expect((await visitor.get('/services', headers)).status).toBe(200)
    expect([(await auditOf(one)).some(({ actor }) => actor.startsWith('person:')), (await auditOf(two))[0]?.actor]).toEqual([
      false,
      `person:${email}`,
    ])
  })

  test('gives verdicts in their own name, is out at once when unlisted, and signs out everywhere', async () => {
    const tenant = await createTestTenant(app)
    const email = newEmail()
    await list(tenant, email, 'readonly')
    await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
    const { id, service_id } = await (
      await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', create: true } })
    ).json()
    const headers = { 'Cf-Access-Jwt-Assertion': await team.assert(email) }
    const visitor = createVisitor(site)
    expect((await visitor.get(`/services/${service_id}`, headers)).status).toBe(200)
    expect((await visitor.post(`/incidents/${id}/verdict`, { verdict: 'confirmed' }, headers)).status).toBe(303)
    expect((await auditOf(tenant))[0]).toMatchObject({ action: 'incident.confirmed', actor: `person:${email}` })
    expect(await (await visitor.get(`/incidents/${id}`, headers)).text()).toContain(`by ${email}`)

    const stolen = { ...headers, Cookie: visitor.cookie() }
    expect((await createVisitor(site).get('/incidents', stolen)).status).toBe(200)
    await visitor.post('/signout', {}, headers)
    expect((await createVisitor(site).get('/incidents', stolen)).status).toBe(401)
    expect((await auditOf(tenant))[0]).toMatchObject({ action: 'session.ended', actor: `person:${email}` })

    const again = createVisitor(site)
    expect((await again.get('/incidents', headers)).status).toBe(200)
    await (await signIn(site, tenant.readonlyKey)).post('/settings/people/remove', { people: email })
    expect((await again.get('/incidents', headers)).status).toBe(401)
    expect((await again.get('/incidents', headers)).status).toBe(403)
  })

  test('reads no service of another tenant', async () => {
    const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
    await app.request('/v1/events', { key: other.ingestKey, body: makeEvent() })
    const [service] = await (await app.request('/v1/services', { key: other.readonlyKey })).json()
    const email = newEmail()
    await list(tenant, email, 'readonly')
    expect((await visitAs(`/services/${service.id}`, await team.assert(email))).status).toBe(404)
  })

  test.each([
    'jane',
    '@',
    'a@b@c.example',
    'jane@localhost',
    'ja ne@example.com',
    '@*.example.com',
    'j\u00e4ne@example.com',
    `${'a'.repeat(65)}@example.com`,
  ])('named %j is not taken', async (who) => {
    const tenant = await createTestTenant(app)
    expect((await list(tenant, who)).status).toBe(400)
  })
})

describe('a viewer', () => {
  const FORMS = [...new Set(createDashboard(app.deps).routes.flatMap(({ method, path }) => (method === 'POST' ? [path] : [])))]
  /** Those that change nothing of a tenant’s, or are somebody else’s. */
  const OPEN = ['/signin', '/signin/person', '/signout', '/verdicts/:token']

  const startViewer = async () => {
    const tenant = await createTestTenant(app)
    const { key } = await (await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'viewer' } })).json()
    return { tenant, visitor: await signIn(site, key) }
  }

  test('signs in with a viewer’s key, and is offered nothing to change, nor a token', async () => {
    const { tenant, visitor } = await startViewer()
    const { id: integration, token } = await connectPager(app, tenant)
    await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
    const { id, service_id } = await (
      await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', create: true } })
    ).json()
    const paths = [
      '/incidents',
      `/incidents/${id}`,
      '/services',
      `/services/${service_id}`,
      '/agents',
      `/agents/${tenant.agentId}`,
      '/connect',
      '/connect/deploy',
      `/connect/pagerduty?integration=${integration}`,
      '/start',
      '/settings/keys',
      '/settings/people',
      '/settings/maintenance',
      '/settings/integrations',
      `/settings/integrations/${integration}`,
      '/settings/quality',
      '/settings/audit',
    ]
    for (const path of paths) {
      const response = await visitor.get(path)
      const text = await response.text()
      const forms = [...text.matchAll(/<form method="post" action="([^"]+)"/g)].map(([, action]) => action)
      expect([path, response.status, forms, text.includes(token)]).toEqual([path, 200, ['/signout'], false])
      if (path.startsWith('/connect/pagerduty')) expect(text).toContain('Viewers are not shown the token')
    }
  })

  test.each(FORMS.filter((path) => !OPEN.includes(path)))('is refused by %s', async (route) => {
    const { tenant, visitor } = await startViewer()
    const { id } = await connectPager(app, tenant)
    const { action } = (await auditOf(tenant))[0] ?? {}
    const path = route.replace(':id', id).replace(':sender', 'pagerduty')
    const form = {
      key_type: 'ingest',
      people: 'a@b.example',
      role: 'readonly',
      verdict: 'confirmed',
      integration: id,
      body: '{}',
      type: 'slack',
      direction: 'outbound',
    }
    expect((await visitor.post(path, form)).status).toBe(403)
    expect((await auditOf(tenant))[0]?.action).toBe(action)
    expect((await visitor.post(path, form, { Origin: `${ORIGIN}.evil.example` })).status).toBe(403)
  })
})
