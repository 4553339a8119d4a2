import { describe, expect, test } from 'vitest'
import { createKey } from '../../src/domain/api-key.ts'
import { createTestTenant, listServicesOf, makeEvent, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()

type Operation = { readonly method: string; readonly path: string; readonly keyType: 'ingest' | 'readonly' }

/** Every operation of the OpenAPI document that takes an API key, and of which kind. */
const operations: Operation[] = await (async () => {
  const { paths } = (await (await app.request('/openapi.json')).json()) as {
    paths: Record<string, Record<string, { security?: Record<string, unknown>[] }>>
  }
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { security }]) => {
      const scheme = Object.keys(security?.[0] ?? {})[0]
      return scheme === undefined
        ? []
        : [{ method: method.toUpperCase(), path, keyType: scheme === 'ingestKey' ? 'ingest' : 'readonly' } as const]
    }),
  )
})()

const bodyOf = ({ method, path }: Operation) => {
  if (method === 'GET' || method === 'DELETE' || path.endsWith('/heartbeat')) return {}
  return { body: path.endsWith('/batch') ? [makeEvent()] : { ...makeEvent(), hostname: 'x', key_type: 'ingest' } }
}

const call = (operation: Operation, key: string | undefined, id = app.deps.newUuid()) =>
  app.request(operation.path.replace('{id}', id), { method: operation.method, ...(key === undefined ? {} : { key }), ...bodyOf(operation) })

const keyOf = (tenant: TestTenant, keyType: 'ingest' | 'readonly') => (keyType === 'ingest' ? tenant.ingestKey : tenant.readonlyKey)

test('the document lists the operations of the contract', () => {
  expect(operations.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual([
    'DELETE /v1/api-keys/{id}',
    'GET /v1/agents',
    'GET /v1/agents/{id}',
    'GET /v1/api-keys',
    'GET /v1/services',
    'GET /v1/services/{id}/context',
    'POST /v1/agents/register',
    'POST /v1/agents/{id}/heartbeat',
    'POST /v1/api-keys',
    'POST /v1/events',
    'POST /v1/events/batch',
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
    const ids = [other.agentId, apiKey?.id, service?.id, app.deps.newUuid(), 'nope', '%00', other.agentId.toUpperCase()]
    for (const id of ids) expect((await call(operation, keyOf(tenant, operation.keyType), id)).status).toBe(404)
    expect(await (await app.request('/v1/api-keys', { key: other.readonlyKey })).json()).toHaveLength(2)
  })
})

test('lists show a tenant its own only', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  await app.request('/v1/events', { key: other.ingestKey, body: makeEvent() })
  for (const path of ['/v1/agents', '/v1/services', '/v1/api-keys']) {
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
