import { beforeAll, expect, inject, test } from 'vitest'
import { launchdarkly } from '../../src/domain/doors/launchdarkly.ts'
import { toId } from '../../src/domain/ids.ts'
import { listNearbyCards } from '../../src/store/incident-cards.ts'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { connectPager, deliver, makeDelivery, PAGER_SECRET, PAGER_TOKEN } from '../support/pagerduty.ts'
import { openShop } from '../support/shop.ts'
import { createVisitor, signIn, startSite, type Visitor } from '../support/site.ts'

const site = startSite()
const MAX_BYTES = 60_000

const HOSTILE = '<img src=x onerror=alert(1)>"\'><script>alert(2)</script>'
const CANARY = 'raw-line-canary-7f3a'

let tenant: TestTenant
let visitor: Visitor
let pages: readonly string[]

async function listIds(key: string, path: string): Promise<string[]> {
  const response = await site.app.request(path, { key })
  const items: { id: string }[] = await response.json()
  return items.map(({ id }) => id)
}

async function listPages(key: string): Promise<string[]> {
  const [incidents, services, agents, integrations] = await Promise.all(
    ['incidents', 'services', 'agents', 'integrations'].map((name) => listIds(key, `/v1/${name}`)),
  )
  return [
    '/incidents',
    ...(incidents ?? []).flatMap((id) => [`/incidents/${id}`, `/incidents/${id}?day=1`, `/incidents/${id}?events=1`]),
    '/changes',
    '/changes?service=pay&actor=o&text=a&type=deploy&since=2026-01-01&until=2099-01-01T00:00:00Z',
    '/search?q=pay',
    `/changes?text=${encodeURIComponent('é'.repeat(3_000))}`,
    `/incidents?service=${encodeURIComponent('%'.repeat(10_000))}`,
    '/search',
    '/services',
    ...(services ?? []).flatMap((id) => [`/services/${id}`, `/services/${id}?view=json`]),
    '/connect',
    '/connect/alertmanager',
    '/agents',
    ...(agents ?? []).flatMap((id) => [`/agents/${id}`, `/agents/${id}?limit=100`]),
    '/settings/keys',
    '/settings/integrations',
    ...(integrations ?? []).map((id) => `/settings/integrations/${id}`),
    '/settings/people',
    '/settings/maintenance',
    '/settings/quality',
    '/settings/audit',
    '/start',
  ]
}

beforeAll(async () => {
  const shop = await openShop(site.app)
  tenant = shop.tenant
  const hostile = makeEvent({
    service_name: `checkout ${HOSTILE}`,
    vendor: HOSTILE,
    entity: HOSTILE,
    old_value: HOSTILE,
    new_value: HOSTILE,
    actor: HOSTILE,
    sha: HOSTILE,
    environment: HOSTILE.slice(0, 64),
    url: `https://ci.example.com/${HOSTILE}`,
    details: { title: HOSTILE, files: [HOSTILE], keys: [HOSTILE] },
    raw_line: `${CANARY} ${HOSTILE}`,
  })
  await site.app.request('/v1/events', { key: tenant.ingestKey, body: hostile })
  const pager = await connectPager(site.app, tenant, { service_map: { PHOSTILE: HOSTILE } })
  const data = { title: HOSTILE, html_url: 'javascript:alert(3)' }
  await deliver(site.app, pager, makeDelivery({ service: `checkout ${HOSTILE}`, data }))
  await site.app.settle()
  await site.app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'ingest', name: HOSTILE } })
  visitor = await signIn(site, tenant.readonlyKey)
  pages = await listPages(tenant.readonlyKey)
})

test('every page is small, costs two requests to the stores at most, and is nothing but its own', async () => {
  expect(pages.length).toBeGreaterThan(30)
  for (const path of pages) {
    const before = site.app.logs.length
    const response = await visitor.get(path)
    const html = await response.text()
    expect([path, response.status, response.headers.get('Content-Type')]).toEqual([path, 200, 'text/html; charset=UTF-8'])
    const calls = site.app.logs.slice(before).find(({ event }) => event === 'request')?.['store_calls'] as Record<string, number>
    // Whether the key lives is asked with what the page shows.
    expect([path, calls['postgres']]).toEqual([path, 1])
    expect([path, (calls['redis'] ?? 9) <= 1, calls]).toEqual([path, true, calls])
    expect([path, new TextEncoder().encode(html).length < MAX_BYTES, html.length]).toEqual([path, true, html.length])
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    assertPolicy(response, html)
    await site.settle()
  }
})

function assertPolicy(response: Response, html: string): void {
  const policy = response.headers.get('Content-Security-Policy') ?? ''
  const nonce = /'nonce-([^']+)'/.exec(policy)?.[1]
  expect(nonce).toBeTruthy()
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toMatch(/unsafe|https?:|\*/)
  for (const [tag] of html.matchAll(/<(?:script|link rel="stylesheet")[^>]*>/g)) expect(tag).toContain(`nonce="${nonce}"`)
  expect(html).not.toMatch(/<script(?![^>]* src="\/dashboard\/)/)
  expect(html.replaceAll(/"[^"]*"/g, '""')).not.toMatch(/<[^>]* (?:on[a-z]+|style)=/)
  expect([...html.matchAll(/ (?:src|action)="([^"]*)"/g)].filter(([, to]) => !to?.startsWith('/'))).toEqual([])
}

test('what events say is text, wherever it is shown, and their raw lines are nowhere', async () => {
  let shown = 0
  for (const path of pages) {
    const html = await (await visitor.get(path)).text()
    expect([path, html.includes('<img'), html.includes('alert(2)</script>'), html.includes(CANARY)]).toEqual([path, false, false, false])
    expect(html).not.toMatch(/href="(?:javascript|data):/i)
    for (const secret of [PAGER_TOKEN, PAGER_SECRET]) expect(html).not.toContain(secret)
    if (html.includes('&lt;img src=x onerror=alert(1)&gt;')) shown += 1
  }
  expect(shown).toBeGreaterThanOrEqual(8)
})

test('an incident’s page has every field of the events that its diagnosis cites', async () => {
  const path =
    pages
      .find((one) => one.startsWith('/incidents/'))
      ?.split('?', 1)
      .join('') ?? ''
  const { evidence } = await (await site.app.request(`/v1${path}`, { key: tenant.readonlyKey })).json()
  let html = ''
  for (const page of [1, 2, 3, 4, 5, 6, 7, 8]) html += await (await visitor.get(`${path}?events=${page}`)).text()
  const text = html.replaceAll(/<[^>]*>/g, '')
  expect(evidence.length).toBeGreaterThan(0)
  for (const { id, first_timestamp, expires_at } of evidence) {
    const [fields = ''] = text.split(`\nid: ${id}\n`).slice(1)
    for (const field of [`first_timestamp: ${first_timestamp}`, `expires_at: ${expires_at}`])
      expect(fields.slice(0, 1_000)).toContain(field)
  }
})

const DAY_MS = 24 * 3_600_000

test('a window is in the order in which things happened, and says where, in what, and where to read on', async () => {
  const own = await createTestTenant(site.app)
  const send = (fields: object) =>
    site.app.request('/v1/events', { key: own.ingestKey, body: makeEvent({ service_name: 'shop', ...fields }) })
  await send({ entity: 'of-a-clock-ahead', timestamp: new Date(Date.now() + 3_600_000).toISOString() })
  const details = { title: 'Raise the pool', files: ['db.ts'], keys: ['pool.size'] }
  await send({ entity: 'latest', event_type: 'config_change', environment: 'staging', url: 'https://ci.example.com/7', details })
  await send({ entity: 'in-production', environment: 'prod', timestamp: new Date(Date.now() - 60_000).toISOString() })
  const person = await signIn(site, own.readonlyKey)
  const [id] = await listIds(own.readonlyKey, '/v1/services')
  const html = await (await person.get(`/services/${id}`)).text()
  const rows = html.slice(html.indexOf('<tbody>')).split('<tr>')
  expect(rows.slice(1).map((row) => /<bdi>([^<]*)/.exec(row)?.[1])).toEqual(['latest', 'of-a-clock-ahead', 'in-production'])
  expect(rows[2]).toContain('sent as ')
  const text = rows[1]?.replaceAll(/<[^>]*>/g, '')
  for (const part of ['staging', 'Raise the pool', 'Files: db.ts', 'Keys: pool.size', 'ci.example.com']) expect(text).toContain(part)
  expect(rows[1]).toContain('<a class="small" href="https://ci.example.com/7" rel="noreferrer noopener">')
  expect(rows[3]).not.toContain('prod<')
})

test('a flag that concerns nobody yet is asked about, until somebody evaluates it or it is mapped', async () => {
  const own = await createTestTenant(site.app)
  const flags = { type: 'launchdarkly', direction: 'inbound' }
  const { id, token } = await (await site.app.request('/v1/integrations', { key: own.readonlyKey, body: flags })).json()
  const change = (flag: string) => {
    const body = JSON.stringify(launchdarkly.example.body).replaceAll('express-checkout', flag)
    return site.app.request(`/in/launchdarkly/${token}`, { body: JSON.parse(body) })
  }
  for (const flag of ['new-pay', 'new-cart']) expect((await change(flag)).status).toBe(202)
  const evaluation = { vendor: 'flagd', event_type: 'flag_change', entity: 'of-checkout' }
  await site.app.request('/v1/events', { key: own.ingestKey, body: makeEvent(evaluation) })
  const person = await signIn(site, own.readonlyKey)
  const services = await (await site.app.request('/v1/services', { key: own.readonlyKey })).json()
  const pageOf = (name: string) => `/services/${services.find((service: { name: string }) => service.name === name).id}`
  const read = async (path: string) => (await (await person.get(path)).text()).replaceAll(/<[^>]*>/g, '').replaceAll(/\s+/g, ' ')
  const asked = 'These flags concern no service yet: '
  for (const path of [`/settings/integrations/${id}`, pageOf('launchdarkly')]) {
    expect(await read(path)).toMatch(new RegExp(`${asked}(?:new-cart, new-pay|new-pay, new-cart)\\.`))
  }
  expect(await read(pageOf('checkout'))).not.toContain(asked)

  await site.app.request('/v1/events', { key: own.ingestKey, body: makeEvent({ ...evaluation, entity: 'new-pay' }) })
  await site.app.request(`/v1/integrations/${id}`, {
    key: own.readonlyKey,
    method: 'PUT',
    body: { config: { service_map: { 'new-cart': 'cart' } } },
  })
  expect(await read(`/settings/integrations/${id}`)).not.toContain(asked)
  expect(await read(pageOf('launchdarkly'))).toContain(`${asked}new-cart.`)
  await change('new-cart')
  expect(await read(pageOf('launchdarkly'))).not.toContain(asked)
})

test('an answer that names no cause has no percentage, and says what that means', async () => {
  const own = await createTestTenant(site.app)
  const body = { service: 'quiet', title: 'errors', create: true }
  const { id, service_id, confidence } = await (await site.app.request('/v1/incidents', { key: own.readonlyKey, body })).json()
  expect(confidence).toBe(0)
  const person = await signIn(site, own.readonlyKey)
  for (const [path, says] of [
    [`/incidents/${id}`, 'Nothing on record explains it'],
    ['/incidents', 'Not explained'],
    [`/services/${service_id}`, 'no cause named'],
  ] as const) {
    const text = (await (await person.get(path)).text()).replaceAll(/<[^>]*>/g, '')
    expect(text).toContain(says)
    expect(text).not.toMatch(/\b0 %/)
  }
})

test('a time of another day than those around it has its date', async () => {
  const own = await createTestTenant(site.app)
  const midnight = Date.now() - (Date.now() % DAY_MS) - DAY_MS
  const at = (minute: number) => new Date(midnight + 60_000 * minute).toISOString()
  const send = async (...events: Record<string, unknown>[]) =>
    site.app.request('/v1/events/batch', { key: own.ingestKey, body: events.map((event) => makeEvent({ ttl_seconds: 604_800, ...event })) })
  await send({ timestamp: at(-2), sha: 'before' }, { timestamp: at(1), sha: 'after' })
  await send(...[-1, 2].map((minute) => ({ timestamp: at(minute), event_type: 'saturation', new_value: 'cpu' })))
  const body = { service: 'checkout', create: true, triggered_at: at(3), observed_until: at(4) }
  const { id } = await (await site.app.request('/v1/incidents', { key: own.readonlyKey, body })).json()
  const there = await signIn(site, own.readonlyKey)
  const incident = await (await there.get(`/incidents/${id}`)).text()
  const cites = [...(/<ol class="steps-to">(.*?)<\/ol>/s.exec(incident)?.[1]?.matchAll(/<time datetime="([^"]+)">([^<]+)</g) ?? [])]
  const shown = (minute: number) => (minute < 0 ? at(minute).slice(0, 19).replace('T', ' ') : at(minute).slice(11, 19))
  const day = new Date(at(-1)).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })
  const told = (minute: number) => (minute < 0 ? `${day} ${shown(minute).slice(11)}` : shown(minute))
  expect(cites.length).toBeGreaterThan(0)
  for (const [, datetime = '', text] of cites) expect(text).toBe(told((Date.parse(datetime) - midnight) / 60_000))
  expect(cites.some(([, , text]) => text?.startsWith(day))).toBe(true)
  expect(incident).toMatch(new RegExp(`>${told(-1)}</time></a><small>2 times until <time[^>]*>${told(2)}<`))

  const service = (await listIds(own.readonlyKey, '/v1/services'))[0]
  const page = await (await there.get(`/services/${service}`)).text()
  expect(page).toMatch(new RegExp(`(?:×2|2 times) since (?:<time[^>]*>)?${shown(-1)}<`))
})

test('an incident of a storm leads to the one that has its answer', async () => {
  const own = await createTestTenant(site.app)
  const pager = await connectPager(site.app, own, {}, 'inbound')
  for (let alert = 0; alert < 2; alert += 1) await deliver(site.app, pager, makeDelivery())
  await site.app.settle()
  const listed: { id: string; diagnosis_of: string | null }[] = await (
    await site.app.request('/v1/incidents', { key: own.readonlyKey })
  ).json()
  const follower = listed.find(({ diagnosis_of }) => diagnosis_of !== null)
  const there = await signIn(site, own.readonlyKey)
  const link = new RegExp(`<a href="/incidents/${follower?.diagnosis_of}"[^>]*>(?:<span class="badge[^"]*">)?part of a storm<`, 'i')
  for (const path of ['/incidents', `/incidents/${follower?.id}`]) expect(await (await there.get(path)).text()).toMatch(link)
})

test('no page shows another tenant anything', async () => {
  const other = await createTestTenant(site.app)
  const stranger = await signIn(site, other.readonlyKey)
  const foreign = [
    tenant.tenantId,
    'payment-service',
    'checkout',
    'recommendations',
    ...pages.map((path) => path.split(/[/?]/)[2] ?? '').filter((id) => id.length === 36),
  ]
  for (const path of pages) {
    const response = await stranger.get(path)
    const html = await response.text()
    const isOfOne = /[0-9a-f-]{36}/.test(path)
    expect([path, response.status]).toEqual([path, isOfOne ? 404 : 200])
    const leaks = foreign.filter(
      (text) => html.includes(text) && !(/^\/(?:start|connect|settings\/maintenance)/.test(path) && text === 'checkout'),
    )
    expect([path, leaks]).toEqual([path, []])
  }
})

test('no form changes anything of another tenant', async () => {
  const other = await createTestTenant(site.app)
  const stranger = await signIn(site, other.readonlyKey)
  const [incident] = await listIds(tenant.readonlyKey, '/v1/incidents')
  const [service] = await listIds(tenant.readonlyKey, '/v1/services')
  const [integration] = await listIds(tenant.readonlyKey, '/v1/integrations')
  const [key] = await listIds(tenant.readonlyKey, '/v1/api-keys')
  const snapshot = async () =>
    Promise.all(
      ['/v1/incidents', '/v1/integrations', '/v1/api-keys', `/v1/services/${service}/dependencies`].map(async (path) => {
        const body = await (await site.app.request(path, { key: tenant.readonlyKey })).text()
        return body.replaceAll(/"last_used_at":"[^"]*"/g, '')
      }),
    )
  const before = await snapshot()
  for (const [path, form] of [
    [`/incidents/${incident}/verdict`, { verdict: 'confirmed' }],
    [`/incidents/${incident}/resolve`, {}],
    [`/services/${service}/dependencies`, { declared: 'evil' }],
    [`/settings/keys/${key}/revoke`, {}],
    [`/settings/integrations/${integration}`, { direction: 'inbound' }],
    [`/settings/integrations/${integration}/rotate`, {}],
    [`/settings/integrations/${integration}/delete`, {}],
  ] as const) {
    expect([path, (await stranger.post(path, form)).status]).toEqual([path, 404])
  }
  expect(await snapshot()).toEqual(before)
})

test('what is not there, or not ours, is told as a page', async () => {
  for (const path of ['/incidents/nope', '/services/00000000-0000-4000-8000-000000000000', '/settings/nope', '/incidents/a/b/c']) {
    const response = await visitor.get(path)
    expect([path, response.status, response.headers.get('Content-Type')]).toEqual([path, 404, 'text/html; charset=UTF-8'])
  }
  const unknown = await createVisitor(site).get('/nowhere')
  expect([unknown.status, unknown.headers.get('Content-Type')]).toEqual([404, 'text/html; charset=UTF-8'])
  assertPolicy(unknown, await unknown.text())
})

test('the API answers as before: problems, and a policy that allows nothing', async () => {
  const withDashboard = await site.send(new Request('https://noctuary.example.com/v1/nowhere', { headers: { Accept: 'text/html' } }))
  const alone = await startApp().request('/v1/nowhere')
  expect(withDashboard.headers.get('Content-Type')).toBe('application/problem+json')
  for (const name of ['Content-Security-Policy', 'X-Frame-Options', 'Referrer-Policy', 'Cache-Control']) {
    expect([name, withDashboard.headers.get(name)]).toEqual([name, alone.headers.get(name)])
  }
  expect(withDashboard.headers.get('Content-Security-Policy')).toBe("default-src 'none'; frame-ancestors 'none'")
  const plain = await site.send(new Request('https://noctuary.example.com/nowhere'))
  expect(plain.headers.get('Content-Type')).toBe('application/problem+json')
})

const UNSTORABLE = ['%00', 'a%00', '%00a', 'a%00b', '%ED%A0%80']

test.each([
  ...['service', 'status', 'after', 'done'].map((name) => `/incidents?${name}=`),
  ...['name', 'after'].map((name) => `/services?${name}=`),
  ...['service', 'actor', 'text', 'since', 'until', 'type', 'after'].map((name) => `/changes?${name}=`),
  ...['view', 'page', 'done'].map((name) => `/services/{service}?${name}=`),
  ...['service', 'vendor', 'event_type', 'limit', 'cursor'].map((name) => `/agents/{agent}?${name}=`),
  ...['done', 'events'].map((name) => `/incidents/{incident}?${name}=`),
  ...['/agents?page=', '/settings/keys?page=', '/settings/keys?done=', '/settings/integrations?done=', '/settings/audit?after='],
  ...['/signin?next=', '/signin?done=', '/incidents/', '/services/', '/agents/', '/settings/integrations/', '/settings/'],
  ...['service', 'since', 'before'].map((name) => `/v1/incidents?${name}=`),
  ...['service', 'vendor', 'event_type', 'limit', 'cursor'].map((name) => `/v1/agents/{agent}?${name}=`),
  ...['limit', 'before'].map((name) => `/v1/audit?${name}=`),
  ...['/v1/services/{service}/context?at=', '/v1/services/', '/v1/incidents/', '/v1/agents/', '/health?wake=', '/'],
])('what no store accepts is harmless in %s', async (place) => {
  const ids = await Promise.all(['services', 'agents', 'incidents'].map((name) => listIds(tenant.readonlyKey, `/v1/${name}`)))
  const [service, agent, incident] = ids.map(([id = '']) => id)
  const path = place
    .replace('{service}', service ?? '')
    .replace('{agent}', agent ?? '')
    .replace('{incident}', incident ?? '')
  for (const text of UNSTORABLE) {
    const { status } = await visitor.get(path + text, { Authorization: `Bearer ${tenant.readonlyKey}` })
    expect([path + text, status < 500]).toEqual([path + text, true])
  }
})

test('an incident of a very long time ago has a page', async () => {
  const { tenant: old } = await openShop(site.app)
  const body = { service: 'checkout', create: true, triggered_at: '0001-01-01T00:00:00Z' }
  const { id } = await (await site.app.request('/v1/incidents', { key: old.readonlyKey, body })).json()
  const there = await signIn(site, old.readonlyKey)
  const response = await there.get(`/incidents/${id}`)
  expect([response.status, (await response.text()).length < MAX_BYTES]).toEqual([200, true])
})

test('a database that is away is told as a page, with when to come back', async () => {
  const proxy = await startFaultProxy(inject('stack').databaseEndpoint)
  const away = startSite({ database: proxy.url })
  const { readonlyKey } = await createTestTenant(away.app)
  const there = await signIn(away, readonlyKey)
  proxy.fault = 'refuse'
  const response = await there.get('/incidents')
  expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '5'])
  expect(await response.text()).toContain('Not available just now')
  expect(there.cookie()).not.toBe('')
})

test('what could not be diagnosed says so, how often it was tried and when it is again, and is tried at once on request', async () => {
  const proxy = await startFaultProxy(inject('stack').databaseEndpoint)
  const away = startSite({ database: proxy.url })
  const { readonlyKey } = await createTestTenant(away.app)
  const there = await signIn(away, readonlyKey)
  proxy.fault = (asked) => (JSON.stringify(asked).includes('INSERT INTO diagnoses') ? 'refuse' : 'none')
  const body = { service: 'shop', create: true }
  const { id, status } = await (await away.app.request('/v1/incidents', { key: readonlyKey, body })).json()
  expect(status).toBe('diagnosing')
  const read = async () => (await there.get(`/incidents/${id}`)).text()
  const stuck = await read()
  expect(stuck).toMatch(/Not diagnosed<.*could not be made.*Tried 1 time, next at .*Try now/s)
  await there.post(`/incidents/${id}/retry`)
  expect(await read()).toContain('Tried 2 times')
  proxy.fault = 'none'
  expect((await there.post(`/incidents/${id}/retry`)).headers.get('Location')).toBe(`/incidents/${id}`)
  expect(await read()).toContain('What broke')
  const audit: { action: string }[] = await (await away.app.request('/v1/audit', { key: readonlyKey })).json()
  expect(audit.filter(({ action }) => action === 'incident.retried')).toHaveLength(2)
  await there.post(`/incidents/${id}/retry`)
  const { context_snapshot, earlier_diagnoses } = await (await away.app.request(`/v1/incidents/${id}`, { key: readonlyKey })).json()
  expect([context_snapshot === null, earlier_diagnoses]).toEqual([false, []])
})

test('style, script and icon may be kept, and hold no data', async () => {
  const html = await (await visitor.get('/incidents')).text()
  const paths = [...html.matchAll(/(?:href|src)="(\/dashboard\/[^"]+)"/g)].map(([, path]) => path ?? '')
  expect(paths).toHaveLength(3)
  for (const path of paths) {
    const response = await createVisitor(site).get(path)
    expect([response.status, response.headers.get('Cache-Control')]).toEqual([200, 'public, max-age=31536000, immutable'])
    expect(response.headers.get('X-Content-Type-Options')).toBe('nosniff')
  }
})

test('a session is limited like its key', async () => {
  let isWithin = true
  const limited = startSite({ bindings: { READONLY_RATE_LIMITER: { limit: async () => ({ success: isWithin }) } } })
  const there = await signIn(limited, tenant.readonlyKey)
  expect((await there.get('/start')).status).toBe(200)
  isWithin = false
  const refused = await there.get('/start')
  expect([refused.status, refused.headers.get('Retry-After')]).toEqual([429, '60'])
})

test('changes are counted by kind, a rollout once, and what puts a revision back is a rollback of its own', async () => {
  const own = await createTestTenant(site.app)
  const deploy = (sha: string, minutes: number, fields: object = {}) =>
    makeEvent({
      old_value: undefined,
      sha,
      new_value: 'succeeded',
      ...fields,
      timestamp: new Date(Date.now() - 60_000 * minutes).toISOString(),
    })
  const body = [
    deploy('aaaa1111', 50),
    deploy('bbbb2222', 31, { new_value: 'syncing:bbbb2222' }),
    deploy('bbbb2222', 30),
    deploy('aaaa1111', 10, { old_value: 'bbbb2222' }),
    deploy('cccc3333', 9, { service_name: 'search', entity: 'search' }),
    makeEvent({ event_type: 'flag_change', vendor: 'flagd', entity: 'gallery', new_value: 'on', sha: undefined }),
    deploy('', 8, { service_name: 'mail', entity: 'mail', new_value: 'health:Degraded', old_value: 'Healthy', sha: undefined }),
  ]
  await site.app.request('/v1/events/batch', { key: own.ingestKey, body })
  const there = await signIn(site, own.readonlyKey)
  const text = (await (await there.get('/changes')).text()).replaceAll(/<[^>]*>/g, ' ').replaceAll(/[\s\u00a0]+/g, ' ')
  for (const told of ['All changes 6', 'deploy 5', 'flag change 1', 'schema change 0', 'unhealthy mail']) expect(text).toContain(told)
  const found = (await (await there.get('/search?q=mail')).text()).replaceAll(/<[^>]*>/g, '')
  expect(found).toContain('mail is reported unhealthy')
  expect(found).not.toContain('Deploy to mail')
  const searched = (await (await there.get('/search?q=checkout')).text()).replaceAll(/<[^>]*>/g, '')
  expect(searched.match(/Deploy bbbb2222 to/g)).toHaveLength(1)
  const services: { id: string; name: string }[] = await (await site.app.request('/v1/services', { key: own.readonlyKey })).json()
  expect(
    (await (await there.get(`/services/${services.find(({ name }) => name === 'mail')?.id}`)).text()).replaceAll(/<[^>]*>/g, ' '),
  ).toMatch(/unhealthy/)
  expect(text.match(/rollback checkout bbbb2222 → aaaa1111/g)).toHaveLength(1)
  expect(text.match(/deploy checkout (?:aaaa1111|bbbb2222)/g)).toHaveLength(2)
})

test('messages of one rollout are one step, of the list and of the picture', async () => {
  const path = pages.find((one) => one.startsWith('/incidents/') && one.endsWith('?day=1')) ?? ''
  const html = await (await visitor.get(path.replace('?day=1', ''))).text()
  const steps = [...html.matchAll(/<li id="s(\d+)"/g)].map(([, number]) => Number(number))
  expect(steps).toEqual(Array.from({ length: steps.length }, (_, place) => place + 1))
  expect(html).toContain('1 more message of the same rollout')
  expect(html.match(/>step 1</g)).toHaveLength(2)
})

test('incidents of one cause lead to each other, and to none of another tenant', async () => {
  const incidents: { id: string }[] = await (await site.app.request('/v1/incidents', { key: tenant.readonlyKey })).json()
  // The third is of the hostile name, which has no way to what it blames but its time.
  expect(incidents).toHaveLength(3)
  for (const { id } of incidents) {
    const html = await (await visitor.get(`/incidents/${id}`)).text()
    const [, same = ''] = html.split('id="same"')
    const led = same.split('</section>', 1)[0]?.match(/(?<=href="\/incidents\/)[0-9a-f-]{36}/g)
    expect([html.includes('3 incidents, one cause'), new Set(led)]).toEqual([
      true,
      new Set(incidents.map((one) => one.id).filter((one) => one !== id)),
    ])
  }
  const stranger = await createTestTenant(site.app)
  expect(await listNearbyCards(site.app.deps.db, stranger.tenantId, toId(incidents[0]?.id ?? ''))).toEqual([])
})

test('changes tell where they were made, which incidents blame them, and are found by whoever made them', async () => {
  const all = await (await visitor.get('/changes')).text()
  expect(all).toContain('blamed by')
  expect(all).not.toContain('dependency failure')
  const services = await (await visitor.get('/services')).text()
  const [, culprit] = /href="(\/services\/[0-9a-f-]{36})"><bdi>payment-service</.exec(services) ?? []
  expect(await (await visitor.get(`${culprit}`)).text()).toContain('Incidents that its changes are blamed for')
  const found = (await (await visitor.get('/changes?service=recommendations&type=deploy')).text()).replaceAll(/<[^>]*>/g, ' ')
  expect(found).toContain('recommendations')
  expect(found).not.toContain('argocd-application-controller')
  expect(found).not.toContain('error rate above 5 %')
  expect(await (await visitor.get('/changes?service=payment-service')).text()).toContain('checkout: error rate above 5 %')
  const none = await (await visitor.get('/changes?actor=nobody-of-that-name')).text()
  expect(none).toContain('No change matches')
  const odd = await (await visitor.get('/changes?since=yesterday&type=nonsense&after=x')).text()
  expect(odd).toContain('What could not be read was left out.')
  const flags = await (await visitor.get('/changes?type=flag_change')).text()
  expect(flags).not.toContain('\u00a0deploy</td>')
})

test('a name from right to left keeps its place in what pages say', async () => {
  const { ingestKey, readonlyKey } = await createTestTenant(site.app)
  const [service, callee] = ['\u05E7\u05D5\u05E4\u05D4', '\u05EA\u05E9\u05DC\u05D5\u05DD']
  const failure = {
    service_name: service,
    event_type: 'dependency_failure',
    entity: `${callee}:8080`,
    new_value: 'timed out',
    sha: undefined,
  }
  const events = [
    makeEvent({ service_name: callee, entity: callee, sha: 'a4f2c1' }),
    ...Array.from({ length: 5 }, () => makeEvent(failure)),
  ]
  for (const body of events) await site.app.request('/v1/events', { key: ingestKey, body })
  const asked = await site.app.request('/v1/incidents', { key: readonlyKey, body: { service, title: 'slow' } })
  await site.app.settle()
  const { id }: { id: string } = await asked.json()
  const page = await (await (await signIn(site, readonlyKey)).get(`/incidents/${id}`)).text()
  expect(page).toContain(`Alert on \u2068${service}\u2069`)
  expect(page.replaceAll(/\u2068[^\u2068\u2069]*\u2069/g, '')).not.toMatch(/[\u2068\u2069]/)
  const sentences = [...page.matchAll(/<bdi>([^<]*)<\/bdi>/g)].map(([, text = '']) => text).filter((text) => /[a-z]{3}.*\s/.test(text))
  expect(sentences.filter((text) => /[\u0590-\u05FF]/.test(text.replaceAll(/\u2068[^\u2069]*\u2069/g, '')))).toEqual([])
})
