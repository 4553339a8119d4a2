import { expect, test } from 'vitest'
import { createTestTenant, makeEvent, startApp } from '../support/app.ts'

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
  [{}, 'key_type must be ingest or readonly'],
  [{ key_type: 'admin' }, 'key_type must be ingest or readonly'],
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
