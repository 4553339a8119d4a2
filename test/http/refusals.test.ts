import { describe, expect, test } from 'vitest'
import { createKey, type KeyType } from '../../src/domain/access/api-key.ts'
import { listOperations, type Operation, readApiDocument } from '../support/api-document.ts'
import { createTestTenant, listServicesOf, makeEvent, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()

type Refusing = Operation & { readonly keyType: KeyType }

/** Every operation of the OpenAPI document that takes an API key, and of which kind; doors refuse in their senders' words. */
const operations = listOperations(readApiDocument()).filter(
  (operation): operation is Refusing => operation.keyType !== undefined && !operation.spec.tags?.includes('Doors'),
)

/** The document's own example is a body that would do. */
const bodyOf = ({ spec }: Refusing) => {
  const body = spec.requestBody?.content['application/json']?.example
  return body === undefined ? {} : { body }
}

const call = (operation: Refusing, key: string | undefined, id = app.deps.newUuid()) =>
  app.request(operation.path.replace('{id}', id), { method: operation.method, ...(key === undefined ? {} : { key }), ...bodyOf(operation) })

const keyOf = (tenant: TestTenant, keyType: KeyType) => (keyType === 'ingest' ? tenant.ingestKey : tenant.readonlyKey)

test('the document lists the operations of the contract', () => {
  expect(operations.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual([
    'DELETE /v1/api-keys/{id}',
    'DELETE /v1/incidents/{id}/shares/{share_id}',
    'DELETE /v1/integrations/{id}',
    'DELETE /v1/maintenance/{id}',
    'GET /v1/agents',
    'GET /v1/agents/{id}',
    'GET /v1/api-keys',
    'GET /v1/audit',
    'GET /v1/changes',
    'GET /v1/incidents',
    'GET /v1/incidents/{id}',
    'GET /v1/integrations',
    'GET /v1/maintenance',
    'GET /v1/quality',
    'GET /v1/services',
    'GET /v1/services/{id}/context',
    'GET /v1/services/{id}/dependencies',
    'POST /mcp',
    'POST /v1/agents/register',
    'POST /v1/agents/{id}/heartbeat',
    'POST /v1/api-keys',
    'POST /v1/events',
    'POST /v1/events/batch',
    'POST /v1/incidents',
    'POST /v1/incidents/{id}/shares',
    'POST /v1/integrations',
    'POST /v1/integrations/{id}/rotate-secret',
    'POST /v1/integrations/{id}/rotate-token',
    'POST /v1/maintenance',
    'PUT /v1/incidents/{id}/feedback',
    'PUT /v1/incidents/{id}/resolve',
    'PUT /v1/integrations/{id}',
    'PUT /v1/services/{id}',
    'PUT /v1/services/{id}/dependencies',
  ])
})

describe.each(operations)('$method $path', (operation) => {
  test.each([
    ['no key', undefined],
    ['a key of nonsense', 'nonsense'],
    ['an unknown key', createKey(operation.keyType, app.deps.randomBytes)],
  ])('is 401 with %s', async (_name, key) => {
    const response = await call(operation, key)
    expect([response.status, response.headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer'])
    expect(await response.json()).toMatchObject({ status: 401, title: 'Unauthorized' })
  })

  test('is 401 with a revoked key', async () => {
    const tenant = await createTestTenant(app)
    const body = { key_type: operation.keyType }
    const created = await (await app.request('/v1/api-keys', { key: tenant.readonlyKey, body })).json()
    await app.request(`/v1/api-keys/${created.id}`, { key: tenant.readonlyKey, method: 'DELETE' })
    expect((await call(operation, created.key)).status).toBe(401)
  })

  test('is 403 with a key of the other kind', async () => {
    const tenant = await createTestTenant(app)
    expect((await call(operation, keyOf(tenant, operation.keyType === 'ingest' ? 'readonly' : 'ingest'))).status).toBe(403)
  })
})

describe.each(operations.filter(({ path }) => path.includes('{id}')))('$method $path', (operation) => {
  test('is 404 for another tenant’s id, an unknown and a malformed one', async () => {
    const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
    await app.request('/v1/events', { key: other.ingestKey, body: makeEvent() })
    const [apiKey] = (await (await app.request('/v1/api-keys', { key: other.readonlyKey })).json()) as { id: string }[]
    const service = (await listServicesOf(app, other)).get('checkout')
    const body = { type: 'pagerduty', direction: 'inbound' }
    const integration = await (await app.request('/v1/integrations', { key: other.readonlyKey, body })).json()
    const ids = [other.agentId, apiKey?.id, service?.id, integration.id, app.deps.newUuid(), 'nope', '%00', other.agentId.toUpperCase()]
    for (const id of ids) expect((await call(operation, keyOf(tenant, operation.keyType), id)).status).toBe(404)
    expect(await (await app.request('/v1/api-keys', { key: other.readonlyKey })).json()).toHaveLength(2)
    expect(await (await app.request('/v1/integrations', { key: other.readonlyKey })).json()).toEqual([integration])
  })
})

test('lists show a tenant its own only', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  await app.request('/v1/events', { key: other.ingestKey, body: makeEvent() })
  await app.request('/v1/integrations', { key: other.readonlyKey, body: { type: 'pagerduty', direction: 'inbound' } })
  for (const path of ['/v1/agents', '/v1/services', '/v1/api-keys', '/v1/integrations', '/v1/audit']) {
    const text = await (await app.request(path, { key: tenant.readonlyKey })).text()
    expect(text).not.toContain(other.tenantId)
    expect(text).not.toContain(other.agentId)
  }
})

test.each(['/', '/v1', '/v1/nothing', '/v1/events/nothing'])('%s is a 404 problem or needs a key', async (path) => {
  const response = await app.request(path)
  expect([404, 401]).toContain(response.status)
  expect(response.headers.get('Content-Type')).toBe('application/problem+json')
})
