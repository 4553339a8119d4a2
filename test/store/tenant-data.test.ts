import { sql } from 'drizzle-orm'
import { expect, onTestFinished, test } from 'vitest'
import { toId } from '../../src/domain/ids.ts'
import { listTenantTables, readTenantRows, type TenantRow } from '../../src/store/tenant-data.ts'
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
