import { sql } from 'drizzle-orm'
import { expect, onTestFinished, test } from 'vitest'
import { type TenantId, toId } from '../../src/domain/ids.ts'
import { listTenantTables, readTenantRows, type TenantRow, writeTenantRows } from '../../src/store/tenant-data.ts'
import { createTestTenant, makeEvent, startApp } from '../support/app.ts'

const app = startApp()

/** How far the cron has read is of no tenant. */
const TABLES_OF_NOBODY = ['tenants', 'service_graph_progress']

test('every table is one of tenants, but for what an operator keeps beside them', async () => {
  await app.deps.db.execute(sql`CREATE TABLE bench_notes_of_the_operator (tenant_id uuid, note text)`)
  onTestFinished(async () => void (await app.deps.db.execute(sql`DROP TABLE bench_notes_of_the_operator`)))
  const { rows: tables } = await app.deps.db.execute<{ name: string }>(
    sql`SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`,
  )
  expect((await listTenantTables(app.deps.db)).map(({ name }) => name).toSorted()).toEqual(
    tables.flatMap(({ name }) => (TABLES_OF_NOBODY.includes(name) || name.startsWith('bench_') ? [] : [name])).toSorted(),
  )
})

test('a page of rows is no more than fits, however large they are', async () => {
  const tenant = await createTestTenant(app)
  const large = 'x'.repeat(1_000_000)
  for (let event = 0; event < 12; event += 1)
    expect((await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ raw_line: large }) })).status).toBe(201)
  const table = { name: 'context_events', order: ['agent_id', 'received_at', 'id'], references: [] }
  const read = (after?: TenantRow) => readTenantRows(app.deps.db, toId(tenant.tenantId), table, { after, limit: 1_000, withRawLines: true })
  const first = await read()
  const second = await read(first.at(-1))
  expect([first.length, second.length, await read(second.at(-1))]).toEqual([8, 4, []])
})

test('of a join, and of who evaluates a flag, the later of two exports is told, whichever is imported last', async () => {
  const { db } = app.deps
  const tenant = await createTestTenant(app)
  const tenantId: TenantId = toId(tenant.tenantId)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ service_name: 'argocd' }) })
  await db.execute(sql`INSERT INTO flag_evaluators (tenant_id, flag_key, service_id, expires_at, written_by)
    SELECT tenant_id, 'flag', id, now() + interval '1 day', '3' FROM services WHERE tenant_id = ${tenantId} LIMIT 1`)
  const later = { appeared_at: '2037-01-01T00:00:00+00:00', expires_at: '2037-01-02T01:00:00+00:00' }
  const ofBefore = { event_type: null, appeared_at: null, expires_at: '2037-01-03T01:00:00+00:00' }
  for (const [name, order, changes] of [
    ['change_joins', ['service_id', 'change_key', 'name_key'], [later, ofBefore]],
    ['flag_evaluators', ['tenant_id', 'service_id', 'flag_key'], [{ expires_at: later.expires_at }]],
  ] as const) {
    const read = () =>
      readTenantRows(db, tenantId, { name, order, references: [] }, { after: undefined, limit: 1_000, withRawLines: false })
    const exports = [await read()]
    expect(exports[0]).toHaveLength(1)
    for (const change of changes) {
      const now: TenantRow[] = (exports.at(-1) ?? []).map((row) => ({ ...row, ...change }))
      expect(await writeTenantRows(db, tenantId, name, now)).toBe(1)
      for (const before of exports) expect(await writeTenantRows(db, tenantId, name, before)).toBe(0)
      expect(await read()).toMatchObject(now.map(({ written_by: _, ...row }) => row))
      exports.push(now)
    }
  }
  const { rows } = await db.execute(sql`SELECT written_by > '3' AS is_new FROM flag_evaluators WHERE tenant_id = ${tenantId}`)
  expect(rows).toEqual([{ is_new: true }])
})
