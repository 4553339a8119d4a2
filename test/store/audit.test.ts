import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { type TenantId, toId } from '../../src/domain/ids.ts'
import { closeTenant, deleteTenant, deleteTenantRows, noteCommand } from '../../src/store/tenant-data.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, listServicesOf, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { startOwnStack } from '../support/own-stack.ts'

const app = startApp()
const { db } = app.deps

const TABLE = { name: 'audit_entries', order: ['id'], references: [] }

type Entry = { readonly action: string; readonly actor: string; readonly fields: readonly string[]; readonly request_id: string | null }

const auditOf = async (tenant: TestTenant): Promise<Entry[]> =>
  (await app.request('/v1/audit?limit=100', { key: tenant.readonlyKey })).json()

const actionsOf = async (tenant: TestTenant) =>
  (await auditOf(tenant)).map(({ action, fields }) => [action, ...fields].join(' ')).toReversed()

const addEntry = (tenant: TestTenant, age: string, from = app) =>
  from.deps.db.execute(sql`INSERT INTO audit_entries (id, tenant_id, at, actor, action, target_type, target_id)
    VALUES (gen_random_uuid(), ${tenant.tenantId}, now() - ${age}::interval, 'test', 'api_key.created', 'api_key', 'x')`)

const agesOf = async (tenant: TestTenant, from = app) =>
  (
    await from.deps.db.execute<{ days: number }>(
      sql`SELECT extract(day FROM now() - at)::int AS days FROM audit_entries WHERE tenant_id = ${tenant.tenantId} AND actor = 'test' ORDER BY 1`,
    )
  ).rows.map(({ days }) => days)

test.each(['UPDATE audit_entries SET actor = $$nobody$$', 'DELETE FROM audit_entries'])('"%s" is refused', async (statement) => {
  const tenant = await createTestTenant(app)
  const before = await auditOf(tenant)
  await expect(db.execute(sql`${sql.raw(statement)} WHERE tenant_id = ${tenant.tenantId}`)).rejects.toThrow()
  expect(await auditOf(tenant)).toEqual(before)
  await expect(db.execute(sql`TRUNCATE audit_entries`)).rejects.toThrow()
})

test('a sweep that does not say what it keeps deletes nothing, and goes on', async () => {
  const tenant = await createTestTenant(app)
  await addEntry(tenant, '20 days')
  await db.execute(sql`DELETE FROM audit_entries WHERE tenant_id = ${tenant.tenantId} AND actor = 'test'`)
  expect(await agesOf(tenant)).toEqual([20])
})

test('the sweep deletes what is older than AUDIT_DAYS, and no other', async () => {
  const stack = await startOwnStack()
  const own = startApp({ stack, bindings: { AUDIT_DAYS: '8' } })
  const tenant = await createTestTenant(own)
  for (const age of ['1 hour', '7 days 23 hours', '8 days 1 hour', '400 days']) await addEntry(tenant, age, own)
  await runSweep(own.deps, new Date())
  expect(await agesOf(tenant, own)).toEqual([0, 7])
})

test('revoked keys, their agents and ended maintenance windows are forgotten after their days, not while something is of them', async () => {
  const own = startApp({ stack: await startOwnStack(), bindings: { AUDIT_DAYS: '8', INCIDENT_DAYS: '20' } }, { rest: async () => {} })
  const tenant = await createTestTenant(own)
  const as = { key: tenant.readonlyKey }
  const addKey = async () => (await own.request('/v1/api-keys', { ...as, body: { key_type: 'ingest' } })).json()
  const [idle, busy, live] = [await addKey(), await addKey(), await addKey()]
  for (const { key } of [idle, busy, live]) await own.request('/v1/agents/register', { key, body: { hostname: 'web-9', name: 'edge' } })
  await own.request('/v1/events', { key: busy.key, body: makeEvent() })
  for (const { id } of [idle, busy]) await own.request(`/v1/api-keys/${id}`, { ...as, method: 'DELETE' })
  const [from, until] = [-2, -1].map((hours) => new Date(Date.now() + hours * 3_600_000).toISOString())
  await own.request('/v1/maintenance', { ...as, body: { service: 'checkout', from, until } })
  await own.request('/v1/maintenance', {
    ...as,
    body: { service: 'checkout', from, until: new Date(Date.now() + 30 * 24 * 3_600_000).toISOString() },
  })
  const sweepIn = async (days: number) => {
    await runSweep(own.deps, new Date(Date.now() + days * 24 * 3_600_000))
    const { rows } = await own.deps.db.execute<{ kept: string[]; agents: number; windows: number }>(
      sql`SELECT (SELECT array_agg(id::text) FROM api_keys WHERE tenant_id = ${tenant.tenantId}) AS kept,
        (SELECT count(*) FROM agents WHERE tenant_id = ${tenant.tenantId})::int AS agents,
        (SELECT count(*) FROM maintenance_windows WHERE tenant_id = ${tenant.tenantId})::int AS windows`,
    )
    const { kept = [], ...counts } = rows[0] ?? {}
    return { ...counts, kept: [idle, busy, live].map(({ id }) => kept.includes(id)) }
  }
  expect(await sweepIn(7)).toEqual({ kept: [true, true, true], agents: 4, windows: 2 })
  expect(await sweepIn(9)).toEqual({ kept: [false, true, true], agents: 3, windows: 2 })
  expect(await sweepIn(25)).toEqual({ kept: [false, true, true], agents: 3, windows: 1 })
  expect(await sweepIn(61)).toEqual({ kept: [false, false, true], agents: 2, windows: 0 })
})

test('of a tenant that is deleted, that it was stays', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  const tenantId = toId<TenantId>(tenant.tenantId)
  await closeTenant(db, tenantId)
  await noteCommand(db, tenantId, 'tenant.exported')
  expect(await deleteTenantRows(db, tenantId, TABLE, 1_000)).toBeGreaterThan(1)
  const tables = ['agents', 'api_keys'].map((name) => ({ name, order: ['id'], references: [] }))
  for (const table of tables) await deleteTenantRows(db, tenantId, table, 1_000)
  await deleteTenant(db, tenantId)
  const { rows } = await db.execute(sql`SELECT action, actor FROM audit_entries WHERE tenant_id = ${tenantId}`)
  expect(rows).toEqual([{ action: 'tenant.deleted', actor: 'operator' }])
  await expect(deleteTenantRows(db, tenantId, TABLE, 1_000)).rejects.toThrow()
  expect(await actionsOf(other)).toContain('tenant.created')
})

test('what is done leaves an entry, with the fields that it changed, and what changes nothing none', async () => {
  const tenant = await createTestTenant(app)
  const put = (path: string, body: object) => app.request(path, { key: tenant.readonlyKey, method: 'PUT', body })
  const register = (body: object) => app.request('/v1/agents/register', { key: tenant.ingestKey, body })
  await register({ hostname: 'web-9', name: 'edge' })
  await register({ hostname: 'web-9', name: 'edge' })
  await register({ hostname: 'web-9', name: 'edge', version: '2' })
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  const service = (await listServicesOf(app, tenant)).get('checkout')
  for (const declared of [['payments'], ['payments'], []]) await put(`/v1/services/${service?.id}/dependencies`, { declared })
  await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout' } })
  const config = { webhook_secret: 'a-secret-of-sixteen', service_map: { P1: 'checkout' } }
  const made = await app.request('/v1/integrations', { key: tenant.readonlyKey, body: { type: 'pagerduty', direction: 'inbound', config } })
  const { id } = await made.json()
  await put(`/v1/integrations/${id}`, { direction: 'inbound', config: { service_map: { P1: 'checkout' } } })
  await put(`/v1/integrations/${id}`, {
    direction: 'bidirectional',
    config: { pagerduty_from: 'a@example.com', service_map: { P2: 'cart' } },
  })
  await put(`/v1/integrations/${id}`, { config: { pagerduty_token: 'another-secret', webhook_secret: null } })
  expect(await actionsOf(tenant)).toEqual([
    'tenant.created',
    'agent.registered hostname name',
    'agent.registered hostname name',
    'agent.registered agent_version',
    'dependencies.declared',
    'dependencies.declared',
    'incident.asked',
    'integration.created direction service_map webhook_secret',
    'integration.updated',
    'integration.updated direction pagerduty_from service_map',
    'integration.updated pagerduty_token webhook_secret',
  ])
})

test('an entry has the id that we gave its request, never the one that its client did', async () => {
  const tenant = await createTestTenant(app)
  const headers = { 'X-Request-Id': `theirs-${randomUUID()}` }
  const response = await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'ingest' }, headers })
  const [entry] = await auditOf(tenant)
  expect(entry).toMatchObject({ action: 'api_key.created', request_id: response.headers.get('X-Request-Id') })
  expect(entry?.request_id).not.toBe(headers['X-Request-Id'])
})
