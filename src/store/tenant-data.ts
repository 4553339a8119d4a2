import { type SQL, type SQLChunk, sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import { appendAudit, OPERATOR } from './audit.ts'
import { type Db, selectOne } from './postgres.ts'

/** A table that holds tenants' rows. */
export type TenantTable = {
  readonly name: string
  /** The columns of an index, in whose order its rows are read. */
  readonly order: readonly string[]
  /** The tables that its rows refer to. */
  readonly references: readonly string[]
}

export type TenantRow = Readonly<Record<string, unknown>>

/** What an export leaves out: what could be used, or guessed from, to act as the tenant. */
const SECRET_COLUMNS: readonly string[] = ['hash', 'secrets', 'token', 'result']
/**
 * Tables whose rows are found by something else of the tenant's, for they have no tenant, or no index of them, and in what order those
 * of each are: a tenant's part of millions of events is read without the rest.
 */
const OWNERS: Readonly<Record<string, { readonly table: string; readonly column: string; readonly order: readonly string[] }>> = {
  context_events: { table: 'agents', column: 'agent_id', order: ['received_at', 'id'] },
  event_counts: { table: 'services', column: 'service_id', order: ['hour', 'kind_key'] },
  idempotency_keys: { table: 'api_keys', column: 'api_key_id', order: ['key'] },
}

/** Tables whose rows are prolonged while they are there, by the columns of their keys: of two, what lasts longer was noted later. */
const PROLONGED: Readonly<Record<string, readonly string[]>> = {
  change_joins: ['service_id', 'change_key', 'name_key'],
  flag_evaluators: ['tenant_id', 'service_id', 'flag_key'],
}

/** Notes in a tenant's audit what an operator is about to do with all of it. */
export async function noteCommand(db: Db, tenantId: TenantId, action: 'tenant.exported' | 'tenant.imported'): Promise<void> {
  await db.execute(appendAudit(tenantId, OPERATOR, action, sql`(SELECT ${tenantId}::uuid AS id)`))
}

/**
 * Every table with tenants' rows, those that refer to others first, as the database itself describes them. One without a primary key
 * is none of ours.
 */
export async function listTenantTables(db: Db): Promise<TenantTable[]> {
  const { rows } = await db.execute<{ name: string; key: string[]; references: string[] }>(sql`SELECT c.relname AS name,
      (SELECT json_agg(a.attname ORDER BY k.place) FROM pg_index i
        CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
        WHERE i.indrelid = c.oid AND i.indisprimary) AS key,
      (SELECT coalesce(json_agg(r.relname), '[]') FROM pg_constraint f JOIN pg_class r ON r.oid = f.confrelid
        WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid) AS references
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
      AND EXISTS (SELECT 1 FROM pg_index p WHERE p.indrelid = c.oid AND p.indisprimary) AND (c.relname = ANY(${asArray(Object.keys(OWNERS))})
      OR EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
    ORDER BY c.relname`)
  const tables = rows.map(({ name, key, references }) => {
    const owner = OWNERS[name]
    return owner
      ? { name, order: [owner.column, ...owner.order], references: [...references, owner.table] }
      : { name, order: key, references }
  })
  return referringFirst(tables)
}

function referringFirst(tables: readonly TenantTable[]): TenantTable[] {
  const rest = [...tables]
  const ordered: TenantTable[] = []
  while (rest.length > 0) {
    // A circle of references cannot be: our migrations make none.
    const next = rest.findIndex(({ name }) => rest.every((other) => !other.references.includes(name)))
    ordered.push(...rest.splice(Math.max(next, 0), 1))
  }
  return ordered
}

/** Bytes of JSON a page: a row can be as large as a request, and an answer of a great many such rows is more than a string holds. */
const MAX_PAGE_BYTES = 8 * 1_048_576

export type TenantPage = {
  readonly after: TenantRow | undefined
  readonly limit: number
  readonly withRawLines: boolean
  /** With hashes of keys and sealed secrets, by which the tenant lives on elsewhere. */
  readonly withKeys?: boolean
}

/** The tenant's own row, as it is stored. */
export async function readTenantItself(db: Db, tenantId: TenantId): Promise<TenantRow> {
  return (await selectOne<{ row: TenantRow }>(db, sql`SELECT to_jsonb(t) AS row FROM tenants t WHERE t.id = ${tenantId}`)).row
}

/** Columns that name a row of a table that says whose it is. */
const POINTERS: Readonly<Record<string, string>> = {
  agent_id: 'agents',
  api_key_id: 'api_keys',
  incident_id: 'incidents',
  integration_id: 'integrations',
  last_change_agent_id: 'agents',
  service_id: 'services',
}

/**
 * Stores a tenant's rows as another database had them, but for the numbers of its transactions, and says how many were not there yet:
 * those that are there stay as they are, unless those of the file last longer. Throws `conflict`, and stores none, for rows with columns
 * that are not here and for those that are of another tenant, or point to what is.
 */
export async function writeTenantRows(db: Db, tenantId: TenantId, table: string, rows: readonly TenantRow[]): Promise<number> {
  const { columns, others } = await selectOne<{ columns: string[]; others: string[] }>(
    db,
    sql`SELECT coalesce(json_agg(name ORDER BY place) FILTER (WHERE is_told), '[]') AS columns,
        coalesce(json_agg(name) FILTER (WHERE NOT is_told), '[]') AS others
      FROM (
        SELECT a.attname AS name, a.attnum AS place, a.attgenerated = '' AND a.atttypid <> 'xid8'::regtype AS is_told FROM pg_attribute a
        WHERE a.attrelid = ${table}::regclass AND a.attnum > 0 AND NOT a.attisdropped
      ) c`,
  )
  const here = new Set([...columns, ...others])
  const missing = rows.flatMap((row) => Object.keys(row)).find((column) => !here.has(column))
  if (missing !== undefined)
    throw new AppError('conflict', `${table} has no ${missing} here: the rows are of a newer release, migrate first`)
  const known = joinSql(columns.map((column) => sql.identifier(column)))
  const { written, strange } = await selectOne<{ written: number; strange: boolean }>(
    db,
    sql`WITH told AS MATERIALIZED (
        SELECT ${known} FROM jsonb_populate_recordset(NULL::${sql.identifier(table)}, ${JSON.stringify(rows)}::jsonb)
      ),
      strange AS MATERIALIZED (SELECT 1 FROM told t WHERE ${isOfAnother(tenantId, table, columns)} LIMIT 1),
      written AS (
        INSERT INTO ${sql.identifier(table)} AS here (${known}) SELECT ${known} FROM told WHERE NOT EXISTS (SELECT 1 FROM strange)
        ON CONFLICT ${prolongs(table, columns, others)} RETURNING 1
      ) SELECT (SELECT count(*) FROM written)::int AS written, EXISTS (SELECT 1 FROM strange) AS strange`,
  )
  if (strange) throw new AppError('conflict', `${table}: that file has rows that are another tenant's, or point to another tenant's`)
  return written
}

/** What becomes of a row that is there; what is not told of it is as of a new one. */
function prolongs(table: string, columns: readonly string[], others: readonly string[]): SQL {
  const key = PROLONGED[table]
  if (key === undefined) return sql`DO NOTHING`
  const told = columns.map((column) => sql`${sql.identifier(column)} = excluded.${sql.identifier(column)}`)
  const untold = others.map((column) => sql`${sql.identifier(column)} = DEFAULT`)
  return sql`(${joinSql(key.map((column) => sql.identifier(column)))}) DO UPDATE SET ${joinSql([...told, ...untold])}
    WHERE here.tenant_id = excluded.tenant_id AND here.expires_at < excluded.expires_at`
}

function isOfAnother(tenantId: TenantId, table: string, columns: readonly string[]): SQL {
  const own = table === 'tenants' ? 'id' : 'tenant_id'
  const pointing = columns.flatMap((column) => {
    const owner = POINTERS[column]
    if (owner === undefined) return []
    return sql`EXISTS (SELECT 1 FROM ${sql.identifier(owner)} o WHERE o.id = t.${sql.identifier(column)} AND o.tenant_id <> ${tenantId})`
  })
  const owned = columns.includes(own) ? [sql`t.${sql.identifier(own)} <> ${tenantId}`] : []
  return sql.join([...owned, ...pointing], sql` OR `)
}

/**
 * The next rows of a tenant in a table after `after`, in the table's order: as they are stored, but for secrets and,
 * unless wanted, raw lines. Fewer than `limit` where they are large, none only at the end.
 */
export async function readTenantRows(
  db: Db,
  tenantId: TenantId,
  table: TenantTable,
  { after, limit, withRawLines, withKeys }: TenantPage,
): Promise<TenantRow[]> {
  const columns = toColumns(table.order)
  const leftOut = asArray([...(withKeys ? [] : SECRET_COLUMNS), ...(withRawLines ? [] : ['raw_line'])])
  const last = after && JSON.stringify(Object.fromEntries(table.order.map((column) => [column, after[column]])))
  const { rows } = await db.execute<{ line: string }>(sql`SELECT line FROM (
      SELECT line, place, sum(octet_length(line)) OVER (ORDER BY place) AS bytes FROM (
        SELECT (to_jsonb(t) - ${leftOut})::text AS line, row_number() OVER (ORDER BY ${columns}) AS place
        FROM (${rowsOf(tenantId, table, sql`t.*`, { last, limit })}) t
      ) lines
    ) sized WHERE place = 1 OR bytes <= ${MAX_PAGE_BYTES} ORDER BY place`)
  // An object, as Postgres wrote it.
  return rows.map(({ line }) => JSON.parse(line) as TenantRow)
}

/** Deletes up to `limit` rows of a tenant in a table and says how many. */
export async function deleteTenantRows(db: Db, tenantId: TenantId, table: TenantTable, limit: number): Promise<number> {
  const { rows } = await db.execute<{ deleted: number }>(sql`WITH deleted AS (
      DELETE FROM ${sql.identifier(table.name)} WHERE ctid = ANY(ARRAY(${rowsOf(tenantId, table, sql`t.ctid`, { last: undefined, limit })})) RETURNING 1
    ) SELECT count(*)::int AS deleted FROM deleted`)
  return rows[0]?.deleted ?? 0
}

type Part = { readonly last: string | undefined; readonly limit: number }

/** The first of a tenant's rows after `last`, in the table's order: of one owner after the other, where it has such. */
function rowsOf(tenantId: TenantId, { name, order }: TenantTable, what: SQL, { last, limit }: Part): SQL {
  const table = sql.identifier(name)
  const lastOf = (columns: SQL) => sql`(SELECT ${columns} FROM jsonb_populate_record(NULL::${table}, ${last}::jsonb) t)`
  const columns = toColumns(order)
  const owner = OWNERS[name]
  if (!owner) {
    const isNext = last === undefined ? sql`true` : sql`(${columns}) > ${lastOf(columns)}`
    return sql`SELECT ${what} FROM ${table} t WHERE t.tenant_id = ${tenantId} AND ${isNext} ORDER BY ${columns} LIMIT ${limit}`
  }
  const [column, rest] = [toColumns([owner.column]), toColumns(owner.order)]
  const ofOthers = sql`SELECT own.* FROM (
      SELECT o.id FROM ${sql.identifier(owner.table)} o
      WHERE o.tenant_id = ${tenantId} AND ${last === undefined ? sql`true` : sql`o.id > ${lastOf(column)}`} ORDER BY o.id
    ) o CROSS JOIN LATERAL (SELECT ${what} FROM ${table} t WHERE ${column} = o.id ORDER BY ${rest} LIMIT ${limit}) own LIMIT ${limit}`
  if (last === undefined) return ofOthers
  return sql`SELECT * FROM (
      (SELECT ${what} FROM ${table} t WHERE ${column} = ${lastOf(column)} AND (${rest}) > ${lastOf(rest)} ORDER BY ${rest} LIMIT ${limit})
      UNION ALL (${ofOthers})
    ) next LIMIT ${limit}`
}

const toColumns = (names: readonly string[]) => joinSql(names.map((column) => sql`t.${sql.identifier(column)}`))

/** Revokes all keys of a tenant and kills its webhooks, so that nothing more comes in. Says how many integrations it had. */
export async function closeTenant(db: Db, tenantId: TenantId): Promise<number> {
  const { rows } = await db.execute<{ deleted: number }>(sql`WITH revoked AS (
      UPDATE api_keys SET revoked_at = now() WHERE tenant_id = ${tenantId} AND revoked_at IS NULL
    ),
    deleted AS (DELETE FROM integrations WHERE tenant_id = ${tenantId} RETURNING 1)
    SELECT count(*)::int AS deleted FROM deleted`)
  return rows[0]?.deleted ?? 0
}

/** Deletes the tenant itself, once nothing of it is left. That it was deleted stays in the audit for as long as any entry. */
export async function deleteTenant(db: Db, tenantId: TenantId): Promise<void> {
  await db.execute(sql`WITH deleted AS (DELETE FROM tenants WHERE id = ${tenantId} RETURNING id)
    ${appendAudit(tenantId, OPERATOR, 'tenant.deleted', sql`deleted`)}`)
}

function asArray(texts: readonly string[]): SQL {
  return sql`ARRAY[${joinSql(texts.map((text) => sql`${text}`))}]::text[]`
}

function joinSql(parts: readonly SQLChunk[]): SQL {
  return sql.join([...parts], sql`, `)
}
