import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import type { components } from '../../dist/api.d.ts'
import { countReceived } from '../../src/store/agents.ts'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()

const register = (key: string, body: unknown) => app.request('/v1/agents/register', { key, body })

type LogBody = components['schemas']['AgentWithLog']

async function readLog(tenant: TestTenant, query = ''): Promise<LogBody> {
  const response = await app.request(`/v1/agents/${tenant.agentId}${query}`, { key: tenant.readonlyKey })
  expect(response.status).toBe(200)
  return response.json()
}

describe('registration', () => {
  test('answers the agent, and again the same one with new names', async () => {
    const tenant = await createTestTenant(app)
    const first = await (await register(tenant.ingestKey, { hostname: 'web-1', version: '0.1.0' })).json()
    expect(first).toMatchObject({
      id: tenant.agentId,
      tenant_id: tenant.tenantId,
      hostname: 'web-1',
      name: 'web-1',
      agent_version: '0.1.0',
    })
    const second = await (await register(tenant.ingestKey, { hostname: 'web-2', name: 'front' })).json()
    expect(second).toMatchObject({
      id: first.id,
      registered_at: first.registered_at,
      hostname: 'web-2',
      name: 'front',
      agent_version: null,
    })
    const listed = await (await app.request('/v1/agents', { key: tenant.readonlyKey })).json()
    expect(listed).toMatchObject([{ id: first.id, hostname: 'web-2', name: 'front', status: 'online', events_last_hour: 0 }])
  })

  test.each([
    ['no hostname', {}, 'hostname is required'],
    ['a blank hostname', { hostname: '  ' }, 'hostname is required'],
    ['a hostname that is no string', { hostname: 5 }, 'hostname must be a string'],
    ['a hostname that is too long', { hostname: 'x'.repeat(513) }, 'hostname must be at most 512 characters'],
    ['a version that is no string', { hostname: 'x', version: 1 }, 'version must be a string'],
    ['broken JSON', '{', 'request body must be valid JSON'],
    ['an empty body', '', 'request body must be valid JSON'],
    ['an array', '[]', 'request body must be valid JSON'],
  ])('refuses %s', async (_name, body, detail) => {
    const tenant = await createTestTenant(app)
    const response = await register(tenant.ingestKey, body)
    expect([response.status, (await response.json()).detail]).toEqual([400, detail])
  })

  test('is asked for by POST alone: other methods take "register" for an id', async () => {
    const tenant = await createTestTenant(app)
    expect((await app.request('/v1/agents/register', { key: tenant.readonlyKey })).status).toBe(404)
    expect((await app.request('/v1/agents/register', { key: tenant.ingestKey })).status).toBe(403)
  })

  test('refuses a body that is not there at all', async () => {
    const tenant = await createTestTenant(app)
    expect((await app.request('/v1/agents/register', { method: 'POST', key: tenant.ingestKey })).status).toBe(400)
  })

  test('keeps NUL bytes out of the store', async () => {
    const tenant = await createTestTenant(app)
    expect(await (await register(tenant.ingestKey, { hostname: 'a\0b', name: '' })).json()).toMatchObject({
      hostname: 'a\ufffdb',
      name: 'a\ufffdb',
    })
  })
})

test('events move last_seen_at, last_used_at and last_event_at once these are stale', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  const age = (table: string, column: string) =>
    app.deps.db.execute(sql.raw(`UPDATE ${table} SET ${column} = now() - interval '1 hour' WHERE tenant_id = '${tenant.tenantId}'`))
  const read = async () => {
    const { rows } = await app.deps.db.execute<Record<string, number>>(sql`SELECT
      (SELECT extract(epoch FROM now() - max(last_seen_at)) FROM agents WHERE tenant_id = ${tenant.tenantId})::int AS seen,
      (SELECT extract(epoch FROM now() - max(last_used_at)) FROM api_keys WHERE tenant_id = ${tenant.tenantId} AND key_type = 'ingest')::int AS used,
      (SELECT extract(epoch FROM now() - max(last_event_at)) FROM services WHERE tenant_id = ${tenant.tenantId})::int AS event`)
    return rows[0]
  }
  // Nothing else makes an hour pass.
  for (const [table, column] of [
    ['agents', 'last_seen_at'],
    ['api_keys', 'last_used_at'],
    ['services', 'last_event_at'],
  ] as const)
    await age(table, column)
  for (const seconds of Object.values((await read()) ?? { none: 0 })) expect(seconds).toBeGreaterThanOrEqual(3_600)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  for (const seconds of Object.values((await read()) ?? { none: 1e9 })) expect(seconds).toBeLessThan(600)
})

test('the events of the last hour are counted once, minute by minute, swept or not', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events/batch', {
    key: tenant.ingestKey,
    body: Array.from({ length: 9 }, (_, place) => makeEvent({ sha: `${place}` })),
  })
  const run = (statement: string) => app.deps.db.execute(sql.raw(`${statement} tenant_id = '${tenant.tenantId}'`))
  const count = async () => (await readLog(tenant))['events_last_hour']
  // Nothing else makes minutes pass.
  await run(`UPDATE context_events SET received_at = now() - interval '20 minutes' WHERE sha >= '3' AND`)
  await run(`UPDATE context_events SET received_at = now() - interval '70 minutes' WHERE sha >= '7' AND`)
  expect(await count()).toBe(7)
  await Promise.all(Array.from({ length: 3 }, () => countReceived(app.deps.db)))
  expect(await count()).toBe(7)
  // Those of other tests have their turns, too.
  while ((await run(`SELECT 1 FROM agent_rates WHERE counted_until >= now() - interval '2 minutes' AND`)).rows.length === 0) {
    await countReceived(app.deps.db)
    expect(await count()).toBe(7)
  }
  await run(`DELETE FROM context_events WHERE sha = '5' AND`)
  expect(await count()).toBe(7)
  await run(`UPDATE agent_rates SET counted_until = counted_until - interval '50 minutes' WHERE`)
  expect(await count()).toBe(6)
  await countReceived(app.deps.db)
  expect(await count()).toBe(6)
})

describe('heartbeat', () => {
  test('moves last_seen_at', async () => {
    const tenant = await createTestTenant(app)
    const before = await readLog(tenant)
    const response = await app.request(`/v1/agents/${tenant.agentId}/heartbeat`, { key: tenant.ingestKey, method: 'POST' })
    expect([response.status, await response.text()]).toEqual([204, ''])
    const after = await readLog(tenant)
    expect(Date.parse(String(after['last_seen_at']))).toBeGreaterThan(Date.parse(String(before['last_seen_at'])))
  })

  test.each(['another key’s agent', 'an unknown agent', 'a malformed id'])('for %s is 404 and moves nothing', async (which) => {
    const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
    const before = await readLog(other)
    const id = { 'another key’s agent': other.agentId, 'an unknown agent': app.deps.newUuid(), 'a malformed id': 'nope' }[which]
    expect((await app.request(`/v1/agents/${id}/heartbeat`, { key: tenant.ingestKey, method: 'POST' })).status).toBe(404)
    expect((await readLog(other))['last_seen_at']).toBe(before['last_seen_at'])
  })
})

describe('the event log', () => {
  const FILTERS = ['', '&vendor=kubernetes', '&event_type=restart', '&service=cart', '&service=cart&vendor=kubernetes&event_type=restart']

  test.each(FILTERS)('is complete, newest first, page by page, and stays so while events arrive: ?limit=10%s', async (filters) => {
    const tenant = await createTestTenant(app)
    for (let batch = 0; batch < 3; batch += 1) {
      const what = { service_name: 'cart', vendor: 'kubernetes', event_type: 'restart' }
      const body = Array.from({ length: 15 }, (_, index) => makeEvent({ ...what, sha: `${batch}-${index}` }))
      await app.request('/v1/events/batch', { key: tenant.ingestKey, body })
    }
    const seen: LogBody['events'] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const page: LogBody = await readLog(tenant, `?limit=10${filters}${cursor && `&cursor=${cursor}`}`)
      expect(page.events.length).toBeLessThanOrEqual(10)
      seen.push(...page.events)
      cursor = page.next_cursor
      await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ sha: 'meanwhile' }) })
    }
    const shas = seen.map(({ sha }) => sha)
    expect(new Set(shas).size).toBe(45)
    expect(shas).toHaveLength(45)
    expect(shas.map((sha) => String(sha).charAt(0)).join('')).toBe('2'.repeat(15) + '1'.repeat(15) + '0'.repeat(15))
  })

  test('carries every field but the raw line', async () => {
    const tenant = await createTestTenant(app)
    const timestamp = '2026-01-15T10:23:41.123Z'
    await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ timestamp, old_value: 'x'.repeat(2_000), actor: 'me' }) })
    const { events, next_cursor } = await readLog(tenant)
    expect(next_cursor).toBeNull()
    expect(events).toEqual([
      {
        id: expect.any(String),
        service_name: 'checkout',
        vendor: 'argocd',
        event_type: 'deploy',
        entity: 'checkout',
        old_value: 'x'.repeat(1_024),
        new_value: 'succeeded',
        actor: 'me',
        sha: 'a4f2c1',
        confidence: 0.95,
        ttl_seconds: 900,
        timestamp,
        received_at: expect.any(String),
        expires_at: new Date(Date.parse(String(events[0]?.['received_at'])) + 900_000).toISOString(),
      },
    ])
  })

  test.each([
    ['?service=cart', ['cart']],
    ['?vendor=pino', ['pino']],
    ['?event_type=restart', ['restart']],
    ['?event_type=restart&vendor=argocd', []],
    ['', ['restart', 'pino', 'cart']],
  ])('filtered by %j is %j', async (query, shas) => {
    const tenant = await createTestTenant(app)
    const events = [
      { sha: 'cart', service_name: 'cart' },
      { sha: 'pino', vendor: 'pino' },
      { sha: 'restart', event_type: 'restart', vendor: 'x' },
    ]
    for (const fields of events) await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent(fields) })
    expect((await readLog(tenant, query)).events.map(({ sha }) => sha)).toEqual(shas)
  })

  test.each(['?service=%00', '?vendor=a%00b', '?service=%ED%A0%80'])('%s finds nothing', async (query) => {
    const tenant = await createTestTenant(app)
    await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
    expect((await readLog(tenant, query)).events).toEqual([])
  })

  test.each(['?limit=11', '?limit=', '?cursor=nope', '?cursor=%00', '?event_type=reboot'])('%s is refused', async (query) => {
    const tenant = await createTestTenant(app)
    const response = await app.request(`/v1/agents/${tenant.agentId}${query}`, { key: tenant.readonlyKey })
    expect(response.status).toBe(400)
  })
})
