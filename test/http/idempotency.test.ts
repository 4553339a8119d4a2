import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { describe, expect, inject, test } from 'vitest'
import { createTestTenant, startApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'

const stack = inject('stack')
const app = startApp()

type Made = {
  readonly path: string
  readonly keyOf: 'readonlyKey' | 'ingestKey'
  readonly body: unknown
  readonly other: unknown
  /** What it adds to a tenant with two keys and an agent: an integration owns a key and an agent. */
  readonly rows: number
}

const POSTS: readonly Made[] = [
  { path: '/v1/api-keys', keyOf: 'readonlyKey', body: { key_type: 'ingest', name: 'web' }, other: { key_type: 'readonly' }, rows: 1 },
  {
    path: '/v1/incidents',
    keyOf: 'readonlyKey',
    body: { service: 'checkout', create: true },
    other: { service: 'payments', create: true },
    rows: 1,
  },
  {
    path: '/v1/integrations',
    keyOf: 'readonlyKey',
    body: { type: 'pagerduty', direction: 'inbound', config: { webhook_secret: 'whsec-canary-0123456789' } },
    other: { type: 'pagerduty', direction: 'bidirectional' },
    rows: 3,
  },
  {
    path: '/v1/maintenance',
    keyOf: 'readonlyKey',
    body: { team: 'payments', until: new Date(Date.now() + 3_600_000).toISOString() },
    other: { team: 'cart', until: new Date(Date.now() + 3_600_000).toISOString() },
    rows: 0,
  },
  { path: '/v1/agents/register', keyOf: 'ingestKey', body: { hostname: 'web-1' }, other: { hostname: 'web-2' }, rows: 0 },
]

const counts = async ({ tenantId }: TestTenant) =>
  (
    await app.deps.db.execute(sql`SELECT (SELECT count(*) FROM api_keys WHERE tenant_id = ${tenantId})::int AS keys,
      (SELECT count(*) FROM incidents WHERE tenant_id = ${tenantId})::int AS incidents,
      (SELECT count(*) FROM integrations WHERE tenant_id = ${tenantId})::int AS integrations,
      (SELECT count(*) FROM agents WHERE tenant_id = ${tenantId})::int AS agents,
      (SELECT count(*) FROM audit_entries WHERE tenant_id = ${tenantId})::int AS audit`)
  ).rows[0]

describe.each(POSTS)('POST $path', ({ path, keyOf, body, other, rows }) => {
  const post = (from: typeof app, tenant: TestTenant, idempotencyKey: string, sent = body) =>
    from.request(path, { key: tenant[keyOf], body: sent, headers: { 'Idempotency-Key': idempotencyKey } })

  test('that comes again gets its first answer, and another body 409', async () => {
    const [tenant, stranger] = [await createTestTenant(app), await createTestTenant(app)]
    const key = `again-${randomUUID()}`
    const first = await post(app, tenant, key)
    expect([first.status, first.headers.get('Idempotent-Replayed')]).toEqual([201, null])
    const made = await counts(tenant)
    const again = await post(app, tenant, key)
    expect([again.status, again.headers.get('Idempotent-Replayed')]).toEqual([201, 'true'])
    expect(await again.text()).toBe(await first.text())
    expect((await post(app, tenant, key, other)).status).toBe(409)
    expect(await counts(tenant)).toEqual(made)
    expect((await post(app, stranger, key, other)).status).toBe(201)
    expect((await post(app, tenant, 'ä')).status).toBe(400)
  })

  test.each(['keepResult', 'effect'])('whose answer is lost at the %s is made once', async (where) => {
    const tenant = await createTestTenant(app)
    const database = await startFaultProxy(stack.databaseEndpoint)
    const isEffect = /INSERT INTO (api_keys|integrations|agents|maintenance_windows)|receive_question/
    let left = where === 'effect' ? 2 : 1
    database.fault = (asked) => {
      const text = JSON.stringify(asked)
      const isHit = where === 'effect' ? isEffect.test(text) : text.includes('SET result')
      if (isHit && left-- > 0) return where === 'effect' ? 'lose_reply' : 'refuse'
      return 'none'
    }
    const broken = startApp({ database: database.url })
    const key = `lost-${randomUUID()}`
    const first = await post(broken, tenant, key)
    expect(first.status).toBe(where === 'effect' ? 503 : 201)
    const again = await post(app, tenant, key)
    expect(again.status).toBe(201)
    const answer = await again.json()
    const { id } = where === 'effect' ? answer : await first.json()
    expect(answer.id).toBe(id)
    expect(await (await post(app, tenant, key)).json()).toEqual(answer)
    const made = await counts(tenant)
    expect(Object.values({ ...made, audit: 0 }).reduce<number>((sum, count) => sum + Number(count), 0)).toBe(3 + rows)
  })

  test('at once is made once', async () => {
    const tenant = await createTestTenant(app)
    const key = `once-${randomUUID()}`
    const answers = await Promise.all(Array.from({ length: 4 }, () => post(app, tenant, key)))
    const ids = await Promise.all(answers.map(async (answer) => [answer.status, (await answer.json()).id]))
    expect(new Set(ids.map(String)).size).toBe(1)
    expect(ids[0]?.[0]).toBe(201)
  })

  test('at once with several bodies is one of them', async () => {
    const tenant = await createTestTenant(app)
    for (const key of ['once-a', 'once-b', 'once-c']) {
      const answers = await Promise.all([body, other, body, other].map((sent) => post(app, tenant, key, sent)))
      const statuses = answers.map(({ status }) => status)
      expect(statuses.toSorted()).toEqual([201, 201, 409, 409])
      expect(statuses[0]).toBe(statuses[2])
    }
  })
})

test('what was refused claims no key', async () => {
  const tenant = await createTestTenant(app)
  const post = (body: unknown) => app.request('/v1/api-keys', { key: tenant.readonlyKey, body, headers: { 'Idempotency-Key': 'mended' } })
  expect((await post({ key_type: 'nonsense' })).status).toBe(400)
  expect((await post({ key_type: 'ingest' })).status).toBe(201)
})

test('a token rotated again with the same key is the same, and a new key works', async () => {
  const tenant = await createTestTenant(app)
  const { id } = await (
    await app.request('/v1/integrations', { key: tenant.readonlyKey, body: { type: 'pagerduty', direction: 'inbound' } })
  ).json()
  const rotate = async (key: string) =>
    (
      await app.request(`/v1/integrations/${id}/rotate-token`, {
        method: 'POST',
        key: tenant.readonlyKey,
        headers: { 'Idempotency-Key': key },
      })
    ).json()
  const first = await rotate('one')
  expect((await rotate('one')).token).toBe(first.token)
  expect((await rotate('two')).token).not.toBe(first.token)
})

test('a body that nobody asked for is bounded, too', async () => {
  const tenant = await createTestTenant(app)
  const path = '/v1/integrations/00000000-0000-4000-8000-000000000001/rotate-token'
  const answer = await app.request(path, { key: tenant.readonlyKey, body: 'x'.repeat(1_048_577), headers: { 'Idempotency-Key': 'large' } })
  expect(answer.status).toBe(413)
})

test('nothing of an answer or a key is kept in clear', async () => {
  const tenant = await createTestTenant(app)
  const post = () =>
    app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'readonly' }, headers: { 'Idempotency-Key': 'canary-key' } })
  const made = await (await post()).json()
  expect((await app.request('/v1/services', { key: made.key })).status).toBe(200)
  const { rows } = await app.deps.db.execute(
    sql`SELECT i.* FROM idempotency_keys i JOIN api_keys k ON k.id = i.api_key_id WHERE k.tenant_id = ${tenant.tenantId}`,
  )
  expect(rows).toHaveLength(1)
  const kept = JSON.stringify(rows)
  for (const text of [made.key, made.id, made.last4, 'canary-key', 'readonly']) expect(kept).not.toContain(text)
  expect(rows[0]?.['result']).toMatch(/^[0-9a-f]{100,}$/)
  expect(rows[0]?.['result']).not.toContain(Buffer.from(made.key).toString('hex'))
})
