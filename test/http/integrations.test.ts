import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { openSecretOf } from '../../src/domain/access/integration.ts'
import { sha256Hex } from '../../src/domain/hash.ts'
import { SECRET_FIELDS } from '../../src/domain/integration-type.ts'
import { findIntegrationByHash } from '../../src/store/integrations.ts'
import { createTestTenant, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()
const MASK = '********'
/** The secrets that only receivers have. */
const OTHERS = [undefined, undefined, undefined, undefined, undefined]
const UNSET = {
  url: null,
  bot_token: null,
  grafana_token: null,
  signing_secret: null,
  channel: null,
  services: null,
  teams: null,
  min_confidence: null,
  on: null,
  service: null,
  environments: null,
  push: null,
  wait_seconds: null,
  service_label: null,
  signature_timestamp_header: null,
}
const SECRETS = { pagerduty_token: 'pd-canary-token', webhook_secret: 'whsec-canary-5f0c' }

const create = async (tenant: TestTenant, config?: object, direction = 'bidirectional') => {
  const response = await app.request('/v1/integrations', { key: tenant.readonlyKey, body: { type: 'pagerduty', direction, config } })
  return { status: response.status, integration: await response.json() }
}
const put = (tenant: TestTenant, id: string, body: unknown) =>
  app.request(`/v1/integrations/${id}`, { key: tenant.readonlyKey, method: 'PUT', body })
const list = async (tenant: TestTenant) => (await app.request('/v1/integrations', { key: tenant.readonlyKey })).json()
const audit = async (tenant: TestTenant, query = '') => (await app.request(`/v1/audit${query}`, { key: tenant.readonlyKey })).json()

const secretsOf = async (token: string) => {
  const found = await findIntegrationByHash(app.deps.db, await sha256Hex(token))
  const integration = found?.integration
  if (!integration) return undefined
  return Promise.all(SECRET_FIELDS.map((field) => openSecretOf(integration, field, app.deps.sealingKeys)))
}

test('an integration is created, listed, merged into, rotated and deleted', async () => {
  const tenant = await createTestTenant(app)
  const { status, integration } = await create(tenant, { pagerduty_from: 'oncall@example.com', service_map: { P1: 'checkout' } })
  expect([status, integration]).toEqual([
    201,
    {
      id: integration.id,
      tenant_id: tenant.tenantId,
      type: 'pagerduty',
      direction: 'bidirectional',
      token: expect.stringMatching(/^tok_[1-9A-HJ-NP-Za-km-z]{40}$/),
      config: {
        ...UNSET,
        pagerduty_token: null,
        pagerduty_from: 'oncall@example.com',
        webhook_secret: null,
        service_map: { P1: 'checkout' },
      },
      created_at: integration.created_at,
      webhook_url: `http://localhost/webhooks/pagerduty/${integration.token}`,
      telling: null,
    },
  ])
  expect(await list(tenant)).toEqual([integration])

  const merged = await put(tenant, integration.id, { config: { ...SECRETS, service_map: { P2: 'cart' } } })
  const config = {
    ...UNSET,
    pagerduty_token: MASK,
    pagerduty_from: 'oncall@example.com',
    webhook_secret: MASK,
    service_map: { P1: 'checkout', P2: 'cart' },
  }
  expect([merged.status, await merged.json()]).toEqual([200, { ...integration, config }])
  expect(await secretsOf(integration.token)).toEqual(['pd-canary-token', 'whsec-canary-5f0c', ...OTHERS])

  const removed = await put(tenant, integration.id, {
    direction: 'inbound',
    config: { pagerduty_token: null, pagerduty_from: null, webhook_secret: MASK, service_map: { P1: null } },
  })
  expect(await removed.json()).toMatchObject({
    direction: 'inbound',
    config: { pagerduty_token: null, pagerduty_from: null, webhook_secret: MASK, service_map: { P2: 'cart' } },
  })
  expect(await secretsOf(integration.token)).toEqual([undefined, 'whsec-canary-5f0c', ...OTHERS])
  expect((await (await put(tenant, integration.id, { config: { service_map: null } })).json()).config.service_map).toEqual({})

  const rotated = await (
    await app.request(`/v1/integrations/${integration.id}/rotate-token`, { key: tenant.readonlyKey, method: 'POST' })
  ).json()
  expect(rotated.token).not.toBe(integration.token)
  expect(rotated.webhook_url).toContain(rotated.token)
  expect(await secretsOf(integration.token)).toBeUndefined()
  expect(await secretsOf(rotated.token)).toEqual([undefined, 'whsec-canary-5f0c', ...OTHERS])

  const remove = () => app.request(`/v1/integrations/${integration.id}`, { key: tenant.readonlyKey, method: 'DELETE' })
  expect([(await remove()).status, (await remove()).status, await list(tenant)]).toEqual([204, 404, []])

  const entries = await audit(tenant)
  expect(entries.map(({ action }: { action: string }) => action)).toEqual([
    'integration.deleted',
    'integration.rotated',
    ...Array(3).fill('integration.updated'),
    'integration.created',
    'agent.registered',
    'tenant.created',
  ])
})

test('merges at the same time add up', async () => {
  const tenant = await createTestTenant(app)
  const { integration } = await create(tenant)
  const names = Array.from({ length: 12 }, (_, index) => `P${index}`)
  await Promise.all(names.map((name) => put(tenant, integration.id, { config: { service_map: { [name]: 'checkout' } } })))
  const [{ config }] = await list(tenant)
  expect(Object.keys(config.service_map).toSorted()).toEqual(names.toSorted())
})

describe('a map of services', () => {
  const map = (from: number, to: number, name: string | null = 'checkout') =>
    Object.fromEntries(Array.from({ length: to - from }, (_, place) => [`P${from + place}`, name]))
  const sizeOf = async (tenant: TestTenant) => Object.keys((await list(tenant))[0].config.service_map).length

  test('holds a thousand, however they come, and says how to make room', async () => {
    const tenant = await createTestTenant(app)
    const { integration } = await create(tenant, { service_map: map(0, 900) })
    const answers = await Promise.all(
      [900, 960, 1_020, 1_080].map(async (from) => put(tenant, integration.id, { config: { service_map: map(from, from + 60) } })),
    )
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409, 409, 409])
    const refused = answers.find(({ status }) => status === 409)
    expect(await refused?.text()).toContain('remove some first')
    expect(await sizeOf(tenant)).toBe(960)
    expect((await put(tenant, integration.id, { config: { service_map: map(5_000, 5_041) } })).status).toBe(409)
    expect((await put(tenant, integration.id, { config: { service_map: map(0, 500, null) } })).status).toBe(200)
    expect((await put(tenant, integration.id, { config: { service_map: map(2_000, 2_500) } })).status).toBe(200)
    expect(await sizeOf(tenant)).toBe(960)
    expect((await put(tenant, '00000000-0000-4000-8000-000000000000', { config: { service_map: map(0, 1) } })).status).toBe(404)
  })

  test('that grew too large before there was a limit can be changed in all else, and made smaller', async () => {
    const tenant = await createTestTenant(app)
    const { integration } = await create(tenant)
    const config = JSON.stringify({ serviceMap: { ...map(0, 1_500), 'a=b': 'cart' } })
    await app.deps.db.execute(sql`UPDATE integrations SET config = ${config}::jsonb WHERE id = ${integration.id}`)
    expect((await put(tenant, integration.id, { direction: 'inbound', config: { pagerduty_from: 'a@example.com' } })).status).toBe(200)
    expect((await put(tenant, integration.id, { config: { service_map: { PNEW: 'cart' } } })).status).toBe(409)
    expect((await put(tenant, integration.id, { config: { service_map: { ...map(0, 600, null), 'a=b': null } } })).status).toBe(200)
    expect(await sizeOf(tenant)).toBe(900)
  })

  test('holds 40,000 bytes', async () => {
    const tenant = await createTestTenant(app)
    const wide = (ids: readonly string[]) => Object.fromEntries(ids.map((id) => [id, '🦉'.repeat(499)]))
    const ids = Array.from({ length: 20 }, (_, place) => `PBIG${String.fromCharCode(65 + place)}`)
    const { integration } = await create(tenant, { service_map: wide(ids.slice(0, 10)) })
    // 20 × (4 × 499 + 5) = 40,020 bytes.
    expect((await put(tenant, integration.id, { config: { service_map: wide(ids.slice(10, 19)) } })).status).toBe(200)
    expect((await put(tenant, integration.id, { config: { service_map: wide(ids.slice(19)) } })).status).toBe(409)
    expect((await put(tenant, integration.id, { config: { service_map: wide(ids) } })).status).toBe(400)
    expect((await create(tenant, { service_map: wide(ids) })).status).toBe(400)
    expect(await sizeOf(tenant)).toBe(19)
  })

  test.each([
    ['a=b', 'cart', '/config/service_map/a=b', 'a sender’s name must be'],
    ['a\nb', 'cart', '/config/service_map/a\nb', 'a sender’s name must be'],
    ['', 'cart', '/config/service_map/', 'a sender’s name must be'],
    ['P'.repeat(129), 'cart', `/config/service_map/${'P'.repeat(129)}`, 'a sender’s name must be'],
    ['P1', 'ca\nrt', '/config/service_map/P1', 'a service name must be on one line'],
    ['P1', 'ca\u2028rt', '/config/service_map/P1', 'a service name must be on one line'],
  ])('refuses %j: %j', async (id, name, pointer, detail) => {
    const tenant = await createTestTenant(app)
    const { status, integration: problem } = await create(tenant, { service_map: { [id]: name } })
    expect([status, problem.errors]).toEqual([400, [{ pointer, detail: expect.stringContaining(detail) }]])
  })
})

test('secrets are in no answer, log line or column', async () => {
  const tenant = await createTestTenant(app)
  const { integration } = await create(tenant, SECRETS)
  const { rows } = await app.deps.db.execute(sql`SELECT i::text AS text FROM integrations i WHERE i.id = ${integration.id}`)
  const seen = JSON.stringify([integration, await list(tenant), await audit(tenant), app.logs, rows])
  for (const secret of Object.values(SECRETS)) expect(seen).not.toContain(secret)
})

test('a ciphertext moved to another integration does not open', async () => {
  const tenant = await createTestTenant(app)
  const [{ integration: from }, { integration: to }] = [await create(tenant, SECRETS), await create(tenant)]
  await app.deps.db.execute(
    sql`UPDATE integrations SET secrets = (SELECT secrets FROM integrations WHERE id = ${from.id}) WHERE id = ${to.id}`,
  )
  await expect(secretsOf(to.token)).rejects.toMatchObject({ code: 'unavailable' })
})

test('a token is stored sealed, shown to who manages, and to no viewer, log line or row', async () => {
  const tenant = await createTestTenant(app)
  const { integration } = await create(tenant)
  const { token } = integration
  const rotated = await (
    await app.request(`/v1/integrations/${integration.id}/rotate-token`, { key: tenant.readonlyKey, method: 'POST' })
  ).json()
  expect(await list(tenant)).toEqual([rotated])
  await app.request(`/webhooks/pagerduty/${token}`, { body: {} })
  await app.request(`/webhooks/pagerduty/${rotated.token}`, { body: {} })
  const made = await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'viewer' } })
  const { key } = await made.json()
  const [seen] = await (await app.request('/v1/integrations', { key })).json()
  expect([seen.token, seen.webhook_url]).toEqual([MASK, expect.stringMatching(/\/webhooks\/pagerduty\/\*{8}$/)])
  const { rows } = await app.deps.db.execute(
    sql`SELECT to_jsonb(i)::text AS line FROM integrations i WHERE tenant_id = ${tenant.tenantId}
      UNION ALL SELECT to_jsonb(k)::text FROM api_keys k WHERE tenant_id = ${tenant.tenantId}
      UNION ALL SELECT to_jsonb(a)::text FROM audit_entries a WHERE tenant_id = ${tenant.tenantId}`,
  )
  expect(rows.length).toBeGreaterThan(5)
  for (const secret of [token, rotated.token]) {
    expect(JSON.stringify(rows)).not.toContain(secret)
    expect(JSON.stringify(app.logs)).not.toContain(secret)
  }
})

describe('without INTEGRATION_KEYS', () => {
  test('a secret is refused clearly, and everything else works', async () => {
    const bare = startApp({ bindings: { INTEGRATION_KEYS: '' } })
    const tenant = await createTestTenant(bare)
    const send = (body: object) =>
      bare.request('/v1/integrations', { key: tenant.readonlyKey, body: { type: 'pagerduty', direction: 'inbound', ...body } })
    const refused = await send({ config: SECRETS })
    expect([refused.status, refused.headers.get('Retry-After')]).toEqual([503, '5'])
    expect((await refused.json()).detail).toContain('wrangler secret put INTEGRATION_KEYS')
    const made = await send({ config: { pagerduty_from: 'a@example.com' } })
    expect(made.status).toBe(201)
    const { token, id } = await made.json()
    // Nothing could seal it: it is shown this once.
    expect(await (await bare.request('/v1/integrations', { key: tenant.readonlyKey })).json()).toMatchObject([{ token: MASK }])
    expect((await bare.request(`/webhooks/pagerduty/${token}`, { body: { event: {} } })).status).toBe(202)
    const rotated = await bare.request(`/v1/integrations/${id}/rotate-token`, { key: tenant.readonlyKey, method: 'POST' })
    expect((await bare.request(`/webhooks/pagerduty/${(await rotated.json()).token}`, { body: { event: {} } })).status).toBe(202)
  })

  test('a key that takes over reads what the one before it sealed', async () => {
    const [older, newer] = ['older', 'newer'].map((id) => `${id}:${randomBytes(32).toString('base64')}`)
    const before = startApp({ bindings: { INTEGRATION_KEYS: `${older}` } })
    const after = startApp({ bindings: { INTEGRATION_KEYS: `${newer},${older}` } })
    const tenant = await createTestTenant(before)
    const response = await before.request('/v1/integrations', {
      key: tenant.readonlyKey,
      body: { type: 'pagerduty', direction: 'inbound', config: SECRETS },
    })
    const found = await findIntegrationByHash(after.deps.db, await sha256Hex((await response.json()).token))
    expect(found && (await openSecretOf(found.integration, 'webhook_secret', after.deps.sealingKeys))).toBe('whsec-canary-5f0c')
  })
})

test('webhook_url names the public address where one is set, and the host that was asked otherwise', async () => {
  const tenant = await createTestTenant(app)
  const { integration } = await create(tenant)
  const at = async (bindings: object, url: string) =>
    (await (await startApp({ bindings }).request(url, { key: tenant.readonlyKey })).json())[0].webhook_url
  const path = `/webhooks/pagerduty/${integration.token}`
  expect(await at({ PUBLIC_URL: 'https://noctuary.example.com/' }, '/v1/integrations')).toBe(`https://noctuary.example.com${path}`)
  expect(await at({}, 'https://context.example.org/v1/integrations')).toBe(`https://context.example.org${path}`)
})

test.each([
  [{ type: 'opsgenie', direction: 'inbound' }, 'type must be pagerduty'],
  [{ type: 'pagerduty' }, 'direction must be inbound, outbound, bidirectional'],
  [{ type: 'pagerduty', direction: 'inbound', config: 'x' }, 'config must be an object'],
  [{ type: 'pagerduty', direction: 'inbound', config: { pagerduty_token: 'two words' } }, 'pagerduty_token must be 1 to 512 printable'],
  [{ type: 'pagerduty', direction: 'inbound', config: { webhook_secret: '' } }, 'webhook_secret must be 16 to 512 printable'],
  [{ type: 'pagerduty', direction: 'inbound', config: { pagerduty_from: 'nobody' } }, 'pagerduty_from must be an e-mail address'],
  [{ type: 'pagerduty', direction: 'inbound', config: { service_map: { P1: ' ' } } }, 'a service name is required'],
  [{ type: 'pagerduty', direction: 'inbound', config: { service_map: [] } }, 'service_map must be an object'],
])('%j is refused', async (body, detail) => {
  const tenant = await createTestTenant(app)
  const response = await app.request('/v1/integrations', { key: tenant.readonlyKey, body })
  expect([response.status, (await response.json()).detail]).toEqual([400, expect.stringContaining(detail)])
  expect(await list(tenant)).toEqual([])
})

describe('the audit', () => {
  test('says who did what, newest first, and pages by entry or time', async () => {
    const tenant = await createTestTenant(app)
    const keys = await (await app.request('/v1/api-keys', { key: tenant.readonlyKey })).json()
    const actor = `api_key:${keys.find(({ key_type }: { key_type: string }) => key_type === 'readonly').id}`
    const created = []
    for (const name of ['a', 'b', 'c']) {
      const response = await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'ingest', name } })
      created.push({ id: (await response.json()).id, requestId: response.headers.get('X-Request-Id') })
    }
    const all = await audit(tenant)
    expect(all.slice(0, 3)).toEqual(
      created.toReversed().map(({ id, requestId }) => ({
        id: expect.any(String),
        at: expect.any(String),
        actor,
        action: 'api_key.created',
        target_type: 'api_key',
        target_id: id,
        fields: [],
        request_id: requestId,
      })),
    )
    const first = await audit(tenant, '?limit=2')
    expect(first).toEqual(all.slice(0, 2))
    expect(await audit(tenant, `?limit=2&before=${first[1].id}`)).toEqual(all.slice(2, 4))
    expect(await audit(tenant, `?before=${all.at(-1).at}`)).toEqual([])
    expect(await audit(tenant, `?before=2999-01-01T00:00:00Z`)).toEqual(all)

    const other = await createTestTenant(app)
    expect(await audit(other, `?before=${all[0].id}`)).toEqual([])
    expect((await audit(other)).map(({ action }: { action: string }) => action)).toEqual(['agent.registered', 'tenant.created'])
  })

  test.each(['limit=0', 'limit=101', 'limit=x', 'before=yesterday'])('?%s is 400', async (query) => {
    const tenant = await createTestTenant(app)
    expect((await app.request(`/v1/audit?${query}`, { key: tenant.readonlyKey })).status).toBe(400)
  })
})

test('a body that is wrong in ten thousand places is told of some of them', async () => {
  const tenant = await createTestTenant(app)
  const service_map = Object.fromEntries(Array.from({ length: 10_000 }, (_, place) => [`P${place}`, 1]))
  const body = { type: 'pagerduty', direction: 'inbound', config: { service_map } }
  const response = await app.request('/v1/integrations', { key: tenant.readonlyKey, body })
  expect([response.status, (await response.json()).errors.length]).toEqual([400, 50])
})
