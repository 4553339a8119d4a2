import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { RateLimiter } from '../../src/config.ts'
import { createKey } from '../../src/domain/access/api-key.ts'
import { createTestTenant, makeEvent, startApp } from '../support/app.ts'

/** What Cloudflare's binding does within one period at one location. */
function createLimiter(limit: number): RateLimiter {
  const used = new Map<string, number>()
  return {
    limit: async ({ key }) => {
      used.set(key, (used.get(key) ?? 0) + 1)
      return { success: (used.get(key) ?? 0) <= limit }
    },
  }
}

describe('rate limits', () => {
  test('a key that is used too often is told so, and no other key notices', async () => {
    const app = startApp({ bindings: { INGEST_RATE_LIMITER: createLimiter(2), INGEST_PER_MINUTE: '2' } })
    const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
    const send = (key: string) => app.request('/v1/events', { key, body: makeEvent() })
    expect((await send(tenant.ingestKey)).status).toBe(201)
    const refused = await send(tenant.ingestKey)
    expect(refused.status).toBe(429)
    expect(Object.fromEntries(['Retry-After', 'RateLimit-Policy'].map((name) => [name, refused.headers.get(name)]))).toEqual({
      'Retry-After': '60',
      'RateLimit-Policy': '"ingest";q=2;w=60',
    })
    expect(await refused.json()).toMatchObject({ status: 429, title: 'Too many requests' })
    expect((await send(other.ingestKey)).status).toBe(201)
    expect((await app.request('/v1/services', { key: tenant.readonlyKey })).status).toBe(200)
    const [agent] = await (await app.request('/v1/agents', { key: tenant.readonlyKey })).json()
    expect(agent.events_last_hour).toBe(1)
  })

  test('a revoked or unknown key is 401, never 429', async () => {
    const app = startApp({ bindings: { INGEST_RATE_LIMITER: createLimiter(1), READONLY_RATE_LIMITER: createLimiter(100) } })
    const tenant = await createTestTenant(app)
    const [ingest] = (await (await app.request('/v1/api-keys', { key: tenant.readonlyKey })).json()).filter(
      ({ key_type }: { key_type: string }) => key_type === 'ingest',
    )
    const send = async (key: string) => (await app.request('/v1/events', { key, body: makeEvent() })).status
    expect(await send(tenant.ingestKey)).toBe(429)
    await app.request(`/v1/api-keys/${ingest.id}`, { key: tenant.readonlyKey, method: 'DELETE' })
    expect(await send(tenant.ingestKey)).toBe(401)
    const unknown = createKey('ingest', app.deps.randomBytes)
    expect([await send(unknown), await send(unknown)]).toEqual([401, 401])
  })

  test('a limiter that fails limits nothing', async () => {
    const app = startApp({ bindings: { READONLY_RATE_LIMITER: { limit: () => Promise.reject(new Error('down')) } } })
    const tenant = await createTestTenant(app)
    expect((await app.request('/v1/services', { key: tenant.readonlyKey })).status).toBe(200)
    expect(app.logs.some(({ event }) => event === 'rate_limiter_failed')).toBe(true)
  })

  test('what a refusal says is what the limiters are set to', () => {
    const toml = readFileSync(new URL('../../wrangler.toml', import.meta.url), 'utf8')
    for (const [kind, byDefault] of [
      ['INGEST', 6000],
      ['READONLY', 1000],
    ] as const) {
      expect(toml).toMatch(new RegExp(`${kind}_PER_MINUTE = "${byDefault}"`))
      expect(toml).toMatch(
        new RegExp(`name = "${kind}_RATE_LIMITER"\\nnamespace_id = "\\d+"\\nsimple = \\{ limit = ${byDefault}, period = 60 \\}`),
      )
    }
  })
})

describe('headers', () => {
  const app = startApp()

  test.each([
    ['an answer', '/health', 200],
    ['a refusal', '/v1/services', 401],
    ['nothing', '/nowhere', 404],
  ])('%s is safe, uncached and has an id', async (_name, path, status) => {
    const response = await app.request(path)
    expect([response.status, Object.fromEntries(response.headers)]).toEqual([
      status,
      expect.objectContaining({
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'strict-transport-security': 'max-age=31536000; includeSubDomains',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'x-request-id': expect.any(String),
      }),
    ])
  })

  test('another origin reads only where it is configured, and never writes', async () => {
    const open = startApp({ bindings: { CORS_ORIGINS: 'https://ops.example.com, https://wall.example.com' } })
    const tenant = await createTestTenant(open)
    const allowed = async (served: typeof app, origin: string, options: { method?: string; body?: object } = {}) => {
      const headers = { Origin: origin, 'Access-Control-Request-Method': 'GET' }
      const response = await served.request('/v1/services', { key: tenant.readonlyKey, headers, ...options })
      return response.headers.get('Access-Control-Allow-Origin')
    }
    expect(await allowed(open, 'https://wall.example.com')).toBe('https://wall.example.com')
    expect(await allowed(open, 'https://evil.example.com')).toBeNull()
    expect(await allowed(open, 'https://wall.example.com', { method: 'POST', body: {} })).toBeNull()
    expect(await allowed(app, 'https://wall.example.com')).toBeNull()

    const preflight = await open.request('/v1/api-keys', { method: 'OPTIONS', headers: { Origin: 'https://wall.example.com' } })
    expect([
      preflight.status,
      preflight.headers.get('Access-Control-Allow-Methods'),
      preflight.headers.get('Access-Control-Allow-Headers'),
    ]).toEqual([204, 'GET,HEAD', 'Authorization'])
  })
})

test('a request is one log line, with what it cost and without what it carried', async () => {
  const app = startApp()
  const tenant = await createTestTenant(app)
  app.logs.length = 0
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ raw_line: 'canary' }), headers: { 'X-Request-Id': 'r-1' } })
  expect(app.logs).toEqual([
    {
      event: 'request',
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      client_request_id: 'r-1',
      method: 'POST',
      route: '/v1/events',
      status: 201,
      duration_ms: expect.any(Number),
      tenant_id: tenant.tenantId,
      api_key_id: expect.any(String),
      store_calls: { postgres: 1, redis: 1 },
    },
  ])
})
