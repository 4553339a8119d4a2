import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { createTestTenant, listServicesOf, makeEvent, type TestTenant } from '../support/app.ts'
import { connectPager } from '../support/pagerduty.ts'
import { signIn, startSite, type Visitor } from '../support/site.ts'

const site = startSite()
const { app } = site

async function start(): Promise<{ tenant: TestTenant; visitor: Visitor }> {
  const tenant = await createTestTenant(app)
  return { tenant, visitor: await signIn(site, tenant.readonlyKey) }
}

async function read<Body>(tenant: TestTenant, path: string): Promise<Body> {
  return await (await app.request(path, { key: tenant.readonlyKey })).json()
}

type Fields = Readonly<Record<string, unknown>>

async function diagnose(tenant: TestTenant): Promise<string> {
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  const response = await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', create: true } })
  return (await response.json()).id
}

test.each([
  { verdict: 'confirmed', action: 'incident.confirmed', confirmed: true },
  { verdict: 'rejected', action: 'incident.rejected', confirmed: false },
])('an answer is marked as $verdict, as the API would, and in the audit', async ({ verdict, action, confirmed }) => {
  const { tenant, visitor } = await start()
  const id = await diagnose(tenant)
  const response = await visitor.post(`/incidents/${id}/verdict`, { verdict, back: '/incidents?service=checkout' })
  expect([response.status, response.headers.get('Location')]).toEqual([303, `/incidents?service=checkout&done=${verdict}`])
  expect(await read<Fields>(tenant, `/v1/incidents/${id}`)).toMatchObject({ engineer_confirmed: confirmed })
  const [entry] = await read<Fields[]>(tenant, '/v1/audit')
  expect(entry).toMatchObject({
    action,
    target_id: id,
    actor: expect.stringMatching(/^api_key:/),
    request_id: response.headers.get('X-Request-Id'),
  })
})

test('what no store accepts does no harm in a form', async () => {
  const { tenant, visitor } = await start()
  const id = await diagnose(tenant)
  const { id: integration } = await connectPager(app, tenant)
  const service = (await listServicesOf(app, tenant)).get('checkout')
  const text = 'a\u0000b'
  for (const [path, form] of [
    [`/incidents/${id}/verdict`, { verdict: text, back: text }],
    [`/incidents/${id}/resolve`, { back: text }],
    [`/services/${service?.id}/dependencies`, { declared: text }],
    [`/services/${service?.id}/diagnose`, { service: text, title: text }],
    ['/settings/keys', { key_type: 'ingest', name: text }],
    ['/settings/integrations', { direction: text }],
    ...['pagerduty_from', 'pagerduty_token', 'webhook_secret', 'direction', 'mapped'].map(
      (name) => [`/settings/integrations/${integration}`, { direction: 'both', [name]: text }] as const,
    ),
    [`/settings/integrations/${integration}`, { direction: 'both', service_map: `${text} = ${text}` }],
    ['/signin', { key: text, next: text }],
    ['/signout', {}],
  ] as const) {
    const { status } = await visitor.post(path, form)
    expect([path, form, status < 500]).toEqual([path, form, true])
  }
})

test('what a form says wrong is told, and changes nothing', async () => {
  const { tenant, visitor } = await start()
  const id = await diagnose(tenant)
  const { id: integration } = await connectPager(app, tenant)
  for (const [path, form] of [
    [`/incidents/${id}/verdict`, { verdict: 'maybe' }],
    [`/incidents/${id}/verdict`, {}],
    ['/settings/keys', { key_type: 'admin' }],
    ['/settings/keys', { key_type: 'ingest', name: 'x'.repeat(513) }],
    ['/settings/integrations', { direction: 'sideways' }],
    [`/settings/integrations/${integration}`, { direction: 'inbound', pagerduty_from: 'nobody' }],
    [`/settings/integrations/${integration}`, { direction: 'inbound', webhook_secret: 'two words' }],
    [`/settings/integrations/${integration}`, { direction: 'inbound', service_map: 'no equals sign' }],
    [`/settings/integrations/${integration}`, { direction: 'inbound', service_map: `${'P'.repeat(129)} = payments` }],
    [`/settings/integrations/${integration}`, { direction: 'inbound', service_map: `P1 = ${'x'.repeat(513)}` }],
  ] as const) {
    const before = await read<Fields[]>(tenant, '/v1/audit')
    const response = await visitor.post(path, form)
    expect([path, form, response.status]).toEqual([path, form, 400])
    expect(await read<Fields[]>(tenant, '/v1/audit')).toEqual(before)
  }
  const large = await visitor.post('/settings/keys', { key_type: 'ingest', name: 'x'.repeat(70_000) })
  expect(large.status).toBe(413)
})

test('an incident is resolved, and the form leads nowhere else', async () => {
  const { tenant, visitor } = await start()
  const id = await diagnose(tenant)
  const response = await visitor.post(`/incidents/${id}/resolve`, { back: 'https://evil.example' })
  expect(response.headers.get('Location')).toBe(`/incidents/${id}?done=resolved`)
  expect(await read<Fields>(tenant, `/v1/incidents/${id}`)).toMatchObject({ resolved_at: expect.any(String) })
})

test('dependencies are declared one a line, and a service is diagnosed', async () => {
  const { tenant, visitor } = await start()
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  const id = (await listServicesOf(app, tenant)).get('checkout')?.id
  await visitor.post(`/services/${id}/dependencies`, { declared: 'payments\r\n  search \n\npayments' })
  expect(await read<Fields>(tenant, `/v1/services/${id}/dependencies`)).toMatchObject({ declared: ['payments', 'search'] })
  const asked = await visitor.post(`/services/${id}/diagnose`, { service: 'checkout', title: 'slow' })
  const path = asked.headers.get('Location') ?? ''
  expect(await read<Fields>(tenant, `/v1${path}`)).toMatchObject({ service: 'checkout', title: 'slow', status: 'diagnosed' })
})

test('a new key is shown once, and neither it nor another tenant’s is ever listed', async () => {
  const { tenant, visitor } = await start()
  const made = await visitor.post('/settings/keys', { key_type: 'ingest', name: 'web-1' })
  const key = /noc_ingest_[1-9A-Za-z]{44}/.exec(await made.text())?.[0] ?? ''
  expect([made.status, made.headers.get('Cache-Control')]).toEqual([201, 'no-store'])
  expect((await app.request('/v1/agents/register', { key, body: { hostname: 'web-1' } })).status).toBe(201)
  const list = await (await visitor.get('/settings/keys')).text()
  expect([list.includes(key), list.includes(key.slice(-4)), list.includes('web-1')]).toEqual([false, true, true])
  const [{ id } = { id: '' }] = (await read<{ id: string; name: string }[]>(tenant, '/v1/api-keys')).filter(({ name }) => name === 'web-1')
  expect((await visitor.post(`/settings/keys/${id}/revoke`)).headers.get('Location')).toBe('/settings/keys?done=revoked')
  expect((await app.request('/v1/agents/register', { key, body: { hostname: 'web-1' } })).status).toBe(401)
})

test('the last read-only key stays', async () => {
  const { tenant, visitor } = await start()
  const [key] = (await read<{ id: string; key_type: string }[]>(tenant, '/v1/api-keys')).filter(({ key_type }) => key_type === 'readonly')
  const response = await visitor.post(`/settings/keys/${key?.id}/revoke`)
  expect(response.status).toBe(409)
  expect(await response.text()).toContain('last read-only key')
})

test('an integration’s settings are kept: an empty secret stays, a ticked one goes, the map is replaced', async () => {
  const { tenant, visitor } = await start()
  const { id } = await connectPager(app, tenant, { service_map: { P1: 'one', P2: 'two' } })
  const config = async () => (await read<{ config: Fields }[]>(tenant, '/v1/integrations'))[0]?.config
  const form = { direction: 'inbound', pagerduty_from: 'a@example.com', service_map: 'P2 = zwei\nP3=three' }
  const save = async (fields: Readonly<Record<string, string>>) =>
    visitor.post(`/settings/integrations/${id}`, { ...(await openForm(visitor, id)), ...fields })
  expect((await save(form)).status).toBe(303)
  expect(await config()).toMatchObject({
    pagerduty_token: '********',
    pagerduty_from: 'a@example.com',
    webhook_secret: '********',
    service_map: { P2: 'zwei', P3: 'three' },
  })
  await save({ ...form, pagerduty_from: '', remove_pagerduty_token: 'on' })
  expect(await config()).toMatchObject({ pagerduty_token: null, pagerduty_from: null, webhook_secret: '********' })
})

/** What a browser would send of an integration's form if nothing were touched. */
async function openForm(visitor: Visitor, id: string): Promise<Readonly<Record<string, string>>> {
  const html = await (await visitor.get(`/settings/integrations/${id}`)).text()
  const toText = (text: string) =>
    text.replaceAll(/&(?:lt|gt|quot|#39|amp);/g, (name) => ({ '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" })[name] ?? '&')
  return {
    direction: /<option value="(\w+)" selected/.exec(html)?.[1] ?? '',
    map_shown: /name="map_shown" value="([^"]*)"/.exec(html)?.[1] ?? '',
    service_map: toText(/<textarea id="service_map"[^>]*>([^<]*)</.exec(html)?.[1] ?? '').replaceAll('\n', '\r\n'),
  }
}

test.each([
  {
    name: 'a thousand services',
    map: Array.from({ length: 1_000 }, (_, place) => [`PSERVICE${place}`, `payments-of-the-shop-${place} & co`]),
  },
  { name: 'the longest names', map: Array.from({ length: 19 }, (_, place) => [`P${place}`, '🦉'.repeat(512)]) },
])('whatever services the API takes, the form shows and saves unchanged: $name', async ({ map }) => {
  const { tenant, visitor } = await start()
  const { id } = await connectPager(app, tenant, { service_map: Object.fromEntries(map) })
  const path = `/settings/integrations/${id}`
  const page = Buffer.from(await (await visitor.get(path)).arrayBuffer())
  expect([gzipSync(page).length < 60_000, page.length]).toEqual([true, expect.any(Number)])
  const saved = await visitor.post(path, await openForm(visitor, id))
  expect([saved.status, saved.headers.get('Location')]).toEqual([303, `${path}?done=saved`])
  const [integration] = await read<{ config: Fields }[]>(tenant, '/v1/integrations')
  expect(integration?.config['service_map']).toEqual(Object.fromEntries(map))
})

test('services that someone else changed since a form was opened stay as they are', async () => {
  const { tenant, visitor } = await start()
  const { id } = await connectPager(app, tenant, { service_map: { P1: 'one' } })
  const stale = await openForm(visitor, id)
  await app.request(`/v1/integrations/${id}`, { key: tenant.readonlyKey, method: 'PUT', body: { config: { service_map: { P2: 'two' } } } })
  const response = await visitor.post(`/settings/integrations/${id}`, { ...stale, service_map: 'P1 = eins' })
  expect([response.status, (await response.text()).includes('changed since')]).toEqual([409, true])
  const [integration] = await read<{ config: Fields }[]>(tenant, '/v1/integrations')
  expect(integration?.config['service_map']).toEqual({ P1: 'one', P2: 'two' })
})

test('lists are paged without a gap: incidents, services, audit', async () => {
  const { tenant, visitor } = await start()
  const events = Array.from({ length: 60 }, (_, place) => makeEvent({ service_name: `service-${String(place).padStart(2, '0')}` }))
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events })
  for (let place = 0; place < 45; place += 1) {
    const made = await app.request('/v1/incidents', {
      key: tenant.readonlyKey,
      body: { service: `service-${place % 10}`, title: `incident <${place}>`, create: true },
    })
    const { id }: { id: string } = await made.json()
    await app.request(`/v1/incidents/${id}/resolve`, { key: tenant.readonlyKey, method: 'PUT' })
  }
  const walk = async (start: string, item: RegExp): Promise<string[]> => {
    const found: string[] = []
    for (let path: string | undefined = start; path !== undefined; ) {
      const html = await (await visitor.get(path)).text()
      found.push(...[...html.matchAll(item)].map(([, name]) => name ?? ''))
      path = /<a class="button" href="([^"]+)" rel="next"/.exec(html)?.[1]?.replaceAll('&amp;', '&')
    }
    return found
  }
  const incidents = await walk('/incidents', /<bdi>incident &lt;(\d+)&gt;<\/bdi>/g)
  expect(incidents).toEqual(Array.from({ length: 45 }, (_, place) => String(44 - place)))
  const services = await walk('/services', /<bdi>(service-\d\d)<\/bdi>/g)
  expect(services).toEqual(events.map(({ service_name }) => service_name))
  expect(await walk('/settings/audit', /<td>\s*incident (resolved)\s*<\/td>/g)).toHaveLength(45)
  expect(await walk('/services?name=CE-3', /<bdi>(service-\d\d)<\/bdi>/g)).toHaveLength(10)
})

test('a page of the longest texts there can be is still small', async () => {
  const { tenant, visitor } = await start()
  const noise = (length: number) => randomBytes(length).toString('base64').slice(0, length)
  const events = Array.from({ length: 300 }, () =>
    makeEvent({
      service_name: 'checkout',
      entity: noise(512),
      vendor: noise(512),
      actor: noise(512),
      sha: noise(512),
      old_value: noise(4_000),
      new_value: noise(4_000),
    }),
  )
  for (let from = 0; from < 300; from += 60)
    await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events.slice(from, from + 60) })
  const asked = await app.request('/v1/incidents', {
    key: tenant.readonlyKey,
    body: { service: 'checkout', create: true, title: noise(512) },
  })
  const { id }: { id: string } = await asked.json()
  const service = (await listServicesOf(app, tenant)).get('checkout')?.id
  for (const path of [
    '/incidents',
    `/incidents/${id}`,
    `/services/${service}`,
    `/services/${service}?view=json`,
    `/agents/${tenant.agentId}?limit=100`,
  ]) {
    const response = await visitor.get(path)
    const bytes = Buffer.from(await response.arrayBuffer())
    expect([path, response.status, gzipSync(bytes).length < 60_000, gzipSync(bytes).length]).toEqual([path, 200, true, expect.any(Number)])
  }
})

test('a maintenance window is begun for a service or a team, listed and ended', async () => {
  const { tenant, visitor } = await start()
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  const begin = (form: Readonly<Record<string, string>>) =>
    visitor.post('/settings/maintenance', { whose: 'service', minutes: '60', ...form })
  for (const form of [{ name: ' ' }, { name: 'x'.repeat(600) }, { name: 'checkout', minutes: '7' }])
    expect((await begin(form)).status).toBe(400)
  expect((await begin({ name: 'nobody-knows-it' })).status).toBe(404)
  expect((await begin({ name: 'Check-Out', reason: '<b>upgrade</b>' })).status).toBe(303)
  expect((await begin({ whose: 'team', name: 'payments' })).status).toBe(303)
  const windows = await read<Fields[]>(tenant, '/v1/maintenance')
  expect(windows).toMatchObject([
    { service: 'checkout', team: null, reason: '<b>upgrade</b>' },
    { service: null, team: 'payments' },
  ])
  const page = await (await visitor.get('/settings/maintenance?done=muted')).text()
  for (const part of ['Maintenance has begun', '&lt;b&gt;upgrade', 'payments']) expect(page).toContain(part)
  for (const { id } of windows) expect((await visitor.post('/settings/maintenance/end', { id: String(id) })).status).toBe(303)
  expect(await read(tenant, '/v1/maintenance')).toEqual([])
})
