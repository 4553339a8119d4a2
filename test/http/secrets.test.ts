import { expect, test } from 'vitest'
import { REDACTED } from '../../src/domain/event/redact.ts'
import { listTenantTables, readTenantRows } from '../../src/store/tenant-data.ts'
import { createTenant } from '../../src/usecases/create-tenant.ts'
import { createTestTenant, entriesOf, makeEvent, readWindowOf, startApp, type TestApp, type TestTenant } from '../support/app.ts'
import { createVisitor, startSite } from '../support/site.ts'

const site = startSite()
const { app } = site

// Put together here, so that no scanner takes this file for a leak.
const SECRETS = [
  ['AK', 'IAQ3EGT7PLMZX5RWYN'].join(''),
  ['gh', 'p_x7Kq2mVb9TnR4sWc8YhJ1dLf6PgZ3uEaXo0B'].join(''),
  ['sk_', 'live_9aZx8bYw7cVu6dTs5eRq'].join(''),
  'correct-horse-battery',
  'zoe.quill@example.com',
]

const [aws = '', github = '', stripe = '', password = '', mail = ''] = SECRETS

async function sendSecrets(to: TestApp, tenant: TestTenant, serviceName: string): Promise<void> {
  const events = [
    { event_type: 'config_change', entity: 'DB_PASSWORD', old_value: password, new_value: 'rotated', sha: undefined },
    { entity: serviceName, new_value: `pulled with ${github}`, actor: mail, sha: `v1?token=${password}` },
    { event_type: 'dependency_failure', entity: `https://shop:${password}@pay.example.com/`, new_value: `401 for ${aws}` },
    { event_type: 'restart', entity: `worker ${stripe}`, new_value: `{"owner":"${mail}","api_key":"${password}"}` },
  ].map((fields) => makeEvent({ service_name: serviceName, ...fields }))
  const response = await to.request('/v1/events/batch', { key: tenant.ingestKey, body: events })
  expect(await response.json()).toMatchObject({ accepted: 4 })
}

function expectNoSecret(where: string, text: string, secrets: readonly string[] = SECRETS): void {
  for (const secret of secrets) expect(text.includes(secret), `${secret} in ${where}`).toBe(false)
}

test('no secret survives into a window, a log, an incident, a page, a row or a log line', async () => {
  const tenant = await createTestTenant(app)
  await sendSecrets(app, tenant, 'shop')
  const hostname = `web-1 password=${password}`
  await app.request('/v1/agents/register', { key: tenant.ingestKey, body: { hostname, name: github, version: stripe } })
  const api = app.as(tenant.readonlyKey)

  const window = await readWindowOf(app, tenant, 'shop')
  expectNoSecret('the window', JSON.stringify(window))
  expect(entriesOf(window).map(({ redacted }) => redacted)).toEqual([true, true, true, true])
  expect(entriesOf(window).map(({ actor }) => actor)).toContain('z***@example.com')

  const { data: agent } = await api.GET('/v1/agents/{id}', { params: { path: { id: tenant.agentId } } })
  expectNoSecret('the agent’s log', JSON.stringify(agent))

  const asked = await api.POST('/v1/incidents', {
    body: { service: 'shop', title: `login of ${mail} with password=${password}`, environment: `password=${password}` },
  })
  expect(asked.data?.title).toBe(`login of ${REDACTED}@example.com with password=${REDACTED}`)
  const { data: incident } = await api.GET('/v1/incidents/{id}', { params: { path: { id: asked.data?.id ?? '' } } })
  expect(incident?.context_snapshot?.windows.length).toBeGreaterThan(0)
  expectNoSecret('the incident', JSON.stringify(incident))

  const visitor = createVisitor(site)
  await visitor.post('/signin', { key: tenant.readonlyKey })
  const people = SECRETS.filter((secret) => secret !== mail)
  for (const path of [`/incidents/${incident?.id}`, '/incidents', `/services/${incident?.service_id}`, `/agents/${tenant.agentId}`]) {
    const response = await visitor.get(path)
    expect(response.status).toBe(200)
    expectNoSecret(path, await response.text(), people)
  }

  for (const table of await listTenantTables(app.deps.db)) {
    const rows = await readTenantRows(app.deps.db, tenant.tenantId, table, { after: undefined, limit: 100, withRawLines: true })
    expectNoSecret(`rows of ${table.name}`, JSON.stringify(rows), people)
  }
  expectNoSecret('the log', JSON.stringify(app.logs))
  expect(app.logs).toContainEqual(expect.objectContaining({ event: 'events_redacted', tenant_id: tenant.tenantId, events: 4 }))
})

test('no secret that comes by a door survives, either', async () => {
  const tenant = await createTestTenant(app)
  const labels = { alertname: `Login of password=${password}`, service: `shop-${github}`, severity: 'critical' }
  const alerts = [
    {
      status: 'firing',
      labels,
      annotations: { summary: `${aws} leaked by ${mail}`, runbook_url: `https://bob:${password}@wiki.example.com/x` },
      startsAt: new Date().toISOString(),
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: `https://prom.example.com/graph?token=${password}`,
    },
  ]
  const group = { version: '4', groupKey: `{}:{token="${stripe}"}`, status: 'firing', alerts }
  const deploy = {
    service: 'shop',
    version: `v2 password=${password}`,
    url: `https://ci.example.com/?api_key=${password}`,
    actor: `bot ${github}`,
  }
  for (const [path, body] of [
    ['/in/alertmanager', group],
    ['/in/deploy', deploy],
    ['/in/deploy', { ...deploy, environment: `staging-${stripe}` }],
  ] as const) {
    expect((await app.request(path, { key: tenant.ingestKey, body })).status).toBe(202)
  }
  await app.settle()
  const incidents: { id: string }[] = await (await app.request('/v1/incidents', { key: tenant.readonlyKey })).json()
  expect(incidents).toHaveLength(1)
  const visitor = createVisitor(site)
  await visitor.post('/signin', { key: tenant.readonlyKey })
  for (const path of [
    `/incidents/${incidents[0]?.id}`,
    '/incidents',
    '/services',
    '/connect/alertmanager',
    '/connect/deploy',
    '/settings/audit',
  ]) {
    const response = await visitor.get(path)
    expect(response.status).toBe(200)
    expectNoSecret(path, await response.text())
  }
  for (const path of [`/v1/incidents/${incidents[0]?.id}`, '/v1/services', '/v1/changes', '/v1/agents']) {
    expectNoSecret(path, await (await app.request(path, { key: tenant.readonlyKey })).text())
  }
  for (const table of await listTenantTables(app.deps.db)) {
    const rows = await readTenantRows(app.deps.db, tenant.tenantId, table, { after: undefined, limit: 100, withRawLines: false })
    expectNoSecret(`rows of ${table.name}`, JSON.stringify(rows))
  }
  expectNoSecret('the log', JSON.stringify(app.logs))
})

test('an address of whoever acted is for the tenant’s own people', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ actor: mail }) })
  const { data: agent } = await app.as(tenant.readonlyKey).GET('/v1/agents/{id}', { params: { path: { id: tenant.agentId } } })
  expect(agent?.events[0]?.actor).toBe('z***@example.com')

  const visitor = createVisitor(site)
  await visitor.post('/signin', { key: tenant.readonlyKey })
  expect(await (await visitor.get(`/agents/${tenant.agentId}`)).text()).toContain(mail)
})

test('what is stored of an event does not change what it is known by', async () => {
  const tenant = await createTestTenant(app)
  const plain = startApp({ bindings: { REDACT: 'off' } })
  const body = makeEvent({ timestamp: '2026-01-15T10:23:41Z', new_value: `password=${password}` })
  const first = await plain.request('/v1/events', { key: tenant.ingestKey, body })
  const again = await app.request('/v1/events', { key: tenant.ingestKey, body })
  expect(again.headers.get('Idempotent-Replayed')).toBe('true')
  expect(again.headers.get('Noctuary-Event-Id')).toBe(first.headers.get('Noctuary-Event-Id'))
  const [entry] = entriesOf(await readWindowOf(plain, tenant, 'checkout'))
  expect(entry).toMatchObject({ new_value: `password=${password}` })
  expect(entry).not.toHaveProperty('redacted')
})

test('raw lines are kept as sent, or not at all', async () => {
  const tenant = await createTestTenant(app)
  const bare = startApp({ bindings: { STORE_RAW_LINES: 'off' } })
  const rawLine = `psql password=${password}`
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ entity: 'a', raw_line: rawLine }) })
  await bare.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ entity: 'b', raw_line: rawLine }) })
  const [table] = (await listTenantTables(app.deps.db)).filter(({ name }) => name === 'context_events')
  const rows = table ? await readTenantRows(app.deps.db, tenant.tenantId, table, { after: undefined, limit: 9, withRawLines: true }) : []
  expect(Object.fromEntries(rows.map((row) => [row['entity'], row['raw_line']]))).toEqual({ a: rawLine, b: null })
})

test('a key of ours in an event is told to its own tenant, once', async () => {
  const [sender, owner] = [await createTestTenant(app), await createTenant(app.deps, `exposed ${crypto.randomUUID()}`)]
  for (const field of ['new_value', 'raw_line']) {
    await app.request('/v1/events', { key: sender.ingestKey, body: makeEvent({ [field]: `key=${owner.readonlyKey}` }) })
    await app.settle()
  }
  const { data: told = [] } = await app.as(owner.readonlyKey).GET('/v1/audit')
  expect(told.filter(({ action }) => action !== 'tenant.created')).toEqual([
    expect.objectContaining({ action: 'api_key.exposed', actor: 'noctuary', target_type: 'api_key', request_id: null }),
  ])
  const { data: senders = [] } = await app.as(sender.readonlyKey).GET('/v1/audit')
  expect(senders.filter(({ action }) => action === 'api_key.exposed')).toEqual([])
  expectNoSecret('the log', JSON.stringify(app.logs), [owner.readonlyKey])
})

test.each([
  ['an environment', '/v1/events', (key: string) => makeEvent({ environment: key })],
  [
    'an alert',
    '/in/alertmanager',
    (key: string) => ({
      version: '4',
      groupKey: '{}',
      status: 'firing',
      alerts: [{ status: 'firing', labels: { alertname: `Slow ${key}`, service: 'shop' }, startsAt: new Date().toISOString() }],
    }),
  ],
])('a key of ours in %s is told, too', async (_, path, toBody) => {
  const [sender, owner] = [await createTestTenant(app), await createTenant(app.deps, `exposed ${crypto.randomUUID()}`)]
  expect((await app.request(path, { key: sender.ingestKey, body: toBody(owner.readonlyKey) })).ok).toBe(true)
  await app.settle()
  const { data: told = [] } = await app.as(owner.readonlyKey).GET('/v1/audit')
  expect(told.map(({ action }) => action)).toContain('api_key.exposed')
})

test('no credential survives in what people type: names, reasons, teams, links, maps', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ service_name: 'shop' }) })
  const { data: services } = await app.as(tenant.readonlyKey).GET('/v1/services')
  const id = services?.[0]?.id
  const typed = `for ${tenant.ingestKey} and ${github}`
  const url = `https://bob:${password}@wiki.example.com/?token=${stripe}`
  const until = new Date(Date.now() + 3_600_000).toISOString()
  for (const [method, path, body] of [
    ['POST', '/v1/maintenance', { team: `pay ${github}`, until, reason: typed }],
    ['PUT', `/v1/services/${id}`, { team: `pay ${github}`, owner_url: url }],
    ['PUT', `/v1/services/${id}/dependencies`, { declared: [`pay-${github}`] }],
    ['POST', '/v1/api-keys', { key_type: 'viewer', name: typed }],
    [
      'POST',
      '/v1/integrations',
      {
        type: 'alertmanager',
        direction: 'inbound',
        config: { service: `pay ${github}`, service_map: { [`a ${aws}`]: `b ${stripe}` }, environments: [`prod ${aws}`] },
      },
    ],
    [
      'POST',
      '/v1/integrations',
      {
        type: 'slack',
        direction: 'outbound',
        config: { url: 'https://hooks.slack.com/services/T0/B0/x', teams: [`pay ${github}`], services: [`pay ${aws}`] },
      },
    ],
  ] as const) {
    const response = await app.request(path, { method, key: tenant.readonlyKey, body })
    expect(response.status, path).toBeLessThan(300)
    const { key: _, ...rest } = await response.json()
    expectNoSecret(path, JSON.stringify(rest), [...SECRETS, tenant.ingestKey])
  }
  const visitor = createVisitor(site)
  await visitor.post('/signin', { key: tenant.readonlyKey })
  await visitor.post('/settings/maintenance', { whose: 'team', name: `pay ${github}`, minutes: '60', reason: typed })
  await visitor.post('/settings/keys', { key_type: 'viewer', name: typed })
  await visitor.post(`/services/${id}/owner`, { team: `pay ${github}`, owner_url: url })
  await visitor.post(`/services/${id}/dependencies`, { declared: `pay-${github}` })
  for (const path of [
    '/settings/maintenance',
    '/settings/keys',
    `/services/${id}`,
    '/services',
    '/settings/integrations',
    '/connect/alertmanager',
    '/settings/audit',
  ]) {
    const response = await visitor.get(path)
    expect(response.status, path).toBe(200)
    expectNoSecret(path, await response.text(), [...SECRETS, tenant.ingestKey])
  }
  for (const table of await listTenantTables(app.deps.db)) {
    const rows = await readTenantRows(app.deps.db, tenant.tenantId, table, { after: undefined, limit: 100, withRawLines: false })
    expectNoSecret(`rows of ${table.name}`, JSON.stringify(rows), [...SECRETS, tenant.ingestKey])
  }
})
