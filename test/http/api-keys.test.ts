import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { readApiDocument } from '../support/api-document.ts'
import { createTestTenant, listServicesOf, makeEvent, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()

test('a new key is shown once, works, is listed by its hint and dies at once when revoked', async () => {
  const tenant = await createTestTenant(app)
  const response = await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'ingest', name: 'web-2' } })
  expect(response.status).toBe(201)
  const created = await response.json()
  expect(created).toMatchObject({ key_type: 'ingest', name: 'web-2', prefix: created.key.slice(0, 12), last4: created.key.slice(-4) })

  expect((await app.request('/v1/agents/register', { key: created.key, body: { hostname: 'web-2' } })).status).toBe(201)
  expect((await app.request('/v1/events', { key: created.key, body: makeEvent() })).status).toBe(201)

  const list = await app.request('/v1/api-keys', { key: tenant.readonlyKey })
  const text = await list.text()
  expect(text).not.toContain(created.key)
  const listed = JSON.parse(text).find((key: { id: string }) => key.id === created.id)
  expect(listed).toMatchObject({
    tenant_id: tenant.tenantId,
    prefix: created.prefix,
    last4: created.last4,
    name: 'web-2',
    revoked_at: null,
  })
  expect(Date.parse(listed.last_used_at)).toBeGreaterThanOrEqual(Date.parse(listed.created_at))

  const revoke = () => app.request(`/v1/api-keys/${created.id}`, { key: tenant.readonlyKey, method: 'DELETE' })
  expect((await revoke()).status).toBe(204)
  expect((await app.request('/v1/events', { key: created.key, body: makeEvent() })).status).toBe(401)
  expect((await revoke()).status).toBe(404)
})

test('a revoked read-only key is refused even where its tenant is remembered', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  const created = await (await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'readonly' } })).json()
  const [service] = await (await app.request('/v1/services', { key: created.key })).json()
  const read = async () => (await app.request(`/v1/services/${service.id}/context`, { key: created.key })).status
  expect([await read(), await read()]).toEqual([200, 200])
  await app.request(`/v1/api-keys/${created.id}`, { key: tenant.readonlyKey, method: 'DELETE' })
  expect(await read()).toBe(401)
})

test.each([
  [{}, 'key_type must be ingest, readonly or viewer'],
  [{ key_type: 'admin' }, 'key_type must be ingest, readonly or viewer'],
  [{ key_type: 'ingest', name: 7 }, 'name must be a string'],
])('%j is refused', async (body, detail) => {
  const tenant = await createTestTenant(app)
  const response = await app.request('/v1/api-keys', { key: tenant.readonlyKey, body })
  expect([response.status, (await response.json()).detail]).toEqual([400, detail])
})

test('the last read-only key stays, ingest keys may all go', async () => {
  const tenant = await createTestTenant(app)
  const listed = await (await app.request('/v1/api-keys', { key: tenant.readonlyKey })).json()
  const idOf = (keyType: string) => listed.find(({ key_type }: { key_type: string }) => key_type === keyType).id
  const revoke = (id: string) => app.request(`/v1/api-keys/${id}`, { key: tenant.readonlyKey, method: 'DELETE' })
  expect((await revoke(idOf('ingest'))).status).toBe(204)
  const refused = await revoke(idOf('readonly'))
  expect([refused.status, (await refused.json()).detail]).toEqual([409, expect.stringContaining('create another first')])
  expect((await app.request('/v1/services', { key: tenant.readonlyKey })).status).toBe(200)
})

const MAX_KEYS = 1_000

/** Keys that nobody has, each with an agent, all older than the tenant's own. */
async function addKeys({ tenantId }: TestTenant, number: number, options: { readonly areRevoked: boolean }): Promise<void> {
  await app.deps.db.execute(sql`WITH keys AS (
      INSERT INTO api_keys (id, tenant_id, key_type, prefix, last4, hash, created_at, revoked_at)
      SELECT gen_random_uuid(), ${tenantId}::uuid, 'ingest', 'noc_ingest_', 'xxxx', gen_random_uuid()::text, now() - interval '1 hour',
        CASE WHEN ${options.areRevoked}::boolean THEN now() END
      FROM generate_series(1, ${number}::int) RETURNING id
    )
    INSERT INTO agents (id, tenant_id, api_key_id, hostname, name, registered_at)
    SELECT gen_random_uuid(), ${tenantId}::uuid, id, 'other', 'other', now() - interval '1 hour' FROM keys`)
}

test('every live key is listed: one more than that is refused, however many are asked for at once', async () => {
  const tenant = await createTestTenant(app)
  await addKeys(tenant, MAX_KEYS - 2 - 3, { areRevoked: false })
  await addKeys(tenant, 10, { areRevoked: true })
  const create = () => app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'ingest' } })
  const answers = await Promise.all(Array.from({ length: 8 }, create))
  expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 201, 201, 409, 409, 409, 409, 409])
  const refused = await create()
  expect([refused.status, (await refused.json()).detail]).toEqual([409, expect.stringContaining('revoke one')])

  const listed: { id: string; key_type: string }[] = await (await app.request('/v1/api-keys', { key: tenant.readonlyKey })).json()
  expect(listed).toHaveLength(MAX_KEYS)
  const { id } = listed.find(({ key_type }) => key_type === 'ingest') ?? { id: '' }
  await app.request(`/v1/api-keys/${id}`, { key: tenant.readonlyKey, method: 'DELETE' })
  expect((await create()).status).toBe(201)
})

test('agents of revoked keys keep no live one from being listed', async () => {
  const tenant = await createTestTenant(app)
  await addKeys(tenant, MAX_KEYS, { areRevoked: true })
  const agents: { id: string }[] = await (await app.request('/v1/agents', { key: tenant.readonlyKey })).json()
  expect([agents.length, agents.at(-1)?.id]).toEqual([1_000, tenant.agentId])
})

test('a viewer’s key reads everything there is, and changes nothing', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  const created = await app.as(tenant.readonlyKey).POST('/v1/api-keys', { body: { key_type: 'viewer', name: 'wallboard' } })
  const key = created.data?.key ?? ''
  expect(key).toMatch(/^noc_view_/)
  const service = (await listServicesOf(app, tenant)).get('checkout')?.id
  const paths = [
    '/v1/agents',
    `/v1/agents/${tenant.agentId}`,
    '/v1/services',
    `/v1/services/${service}/context`,
    `/v1/services/${service}/context`,
    `/v1/services/${service}/dependencies`,
    '/v1/incidents',
    '/v1/api-keys',
    '/v1/integrations',
    '/v1/audit',
    '/v1/quality',
    '/v1/changes',
  ]
  for (const path of paths) expect([path, (await app.request(path, { key })).status]).toEqual([path, 200])

  const others = Object.entries(readApiDocument().paths).flatMap(([path, operations]) =>
    path.includes('{token}') || path === '/mcp'
      ? []
      : Object.keys(operations).flatMap((method) =>
          method === 'get' || method === 'options' ? [] : [[method.toUpperCase(), path] as const],
        ),
  )
  expect(others.length).toBeGreaterThan(30)
  for (const [method, path] of others) {
    const at = path.replaceAll(/\{[^}]+\}/g, created.data?.id ?? '')
    const answer = await app.request(at, { method, key, body: {} })
    expect([method, path, answer.status]).toEqual([method, path, 403])
  }
})
