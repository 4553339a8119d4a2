import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import pg, { type Client } from 'pg'
import { CommandError } from './command-error.ts'

export const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../drizzle/migrations', import.meta.url))

/** Where Drizzle's own migrator keeps what was applied: databases that it migrated go on from there. */
const JOURNAL_TABLE = 'drizzle.__drizzle_migrations'
const LOCK = 7_204_119_553
/** How long a statement may wait for a lock, and so keep ingest waiting behind it, before it lets go and tries again. */
const LOCK_TIMEOUT_MS = 250
const MAX_REST_MS = 2_000
const MAX_TRIES = 120
const [LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED] = ['55P03', '40P01']

type Migration = { readonly tag: string; readonly hash: string; readonly madeAt: number; readonly statements: readonly string[] }

/** An index that is no constraint, and so may come later than its table. */
type Index = { readonly name: string; readonly table: string; readonly definition: string }

/** The tables of a request by an agent, as it comes to them. */
const USED_IN_ORDER = ['api_keys', 'agents', 'services', 'context_events']

const ALTER_TABLE = /^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?"?(\w+)"?/i
const CREATE_INDEX = /^CREATE INDEX (?:IF NOT EXISTS )?"?(\w+)"? ON "?(\w+)"?/i
const DROP_INDEX = /^DROP INDEX (?:IF EXISTS )?"?(\w+)"?/i

export type Migrated = {
  /** Names of what was applied now, in order. */
  readonly applied: readonly string[]
  /** Indexes that were built beside readers and writers. */
  readonly built: readonly string[]
  /** How many migrations there are. */
  readonly known: number
}

/**
 * Brings a database to the migrations of a folder, each in a transaction of its own, and goes on where another run, or Drizzle's
 * migrator, ended. Nothing waits for a lock longer than a quarter of a second, so that whoever comes behind does not, either; indexes
 * of tables that hold something are built concurrently once what they need is committed. Throws `CommandError` for a database that is
 * newer than the folder, or that will not let go of a lock for minutes.
 */
export async function migrate(client: Client, report: (line: string) => void = () => {}, folder = MIGRATIONS_FOLDER): Promise<Migrated> {
  const migrations = readMigrations(folder)
  await client.query('SET statement_timeout = 0')
  await takeTurn(client, report)
  try {
    return await migrateInTurn(client, migrations, report)
  } finally {
    // Of a connection that has ended neither is left.
    await client.query(`SELECT pg_advisory_unlock(${LOCK}); RESET lock_timeout`).catch(() => {})
  }
}

async function migrateInTurn(client: Client, migrations: readonly Migration[], report: (line: string) => void): Promise<Migrated> {
  await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`)
  const latest = await findLatest(client)
  const newest = migrations.at(-1)?.madeAt ?? 0
  if (latest > newest) throw new CommandError('the database was migrated by a newer release: use that one, or a newer one')

  const [applied, built]: [string[], string[]] = [[], []]
  // What a run that was killed left over: a later migration may take it away, or what it is of.
  const before = migrations.filter(({ madeAt }) => madeAt <= latest)
  for (const index of await findMissing(client, before)) built.push(await build(client, index, report))
  for (const migration of migrations.filter(({ madeAt }) => madeAt > latest)) {
    const startedAt = performance.now()
    const later = await applyOne(client, migration, report)
    report(`${migration.tag} (${seconds(startedAt)})`)
    applied.push(migration.tag)
    for (const index of later) built.push(await build(client, index, report))
  }
  return { applied, built, known: migrations.length }
}

/** Replaces numbers of transactions that another server gave and this one has not reached. Answers of how many events. */
export async function renumber(client: {
  readonly query: (text: string) => Promise<{ readonly rowCount: number | null }>
}): Promise<number> {
  const { rowCount } = await client.query('UPDATE context_events SET written_by = DEFAULT WHERE written_by > pg_current_xact_id()')
  return rowCount ?? 0
}

/** Sets for its role in its database what migrations do, and no dump has. */
export async function setRole(client: Client): Promise<void> {
  await client.query(`DO $$
    BEGIN
      EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET statement_timeout = ''3s''', current_database());
      EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET jit = off', current_database());
      BEGIN
        EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET default_toast_compression = lz4', current_database());
      EXCEPTION WHEN invalid_parameter_value THEN
        NULL; -- a PostgreSQL that was built without it
      END;
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE WARNING 'this role may not set its own statement_timeout and jit: see "Limits" in the manual';
    END
  $$`)
}

export type Inspected = {
  readonly known: number
  /** Names of what is not applied. */
  readonly pending: readonly string[]
  /** Indexes that are not there, or not whole. */
  readonly missing: readonly string[]
  /** Migrated by a release that has more. */
  readonly isNewer: boolean
}

/** How far a database is behind the migrations of this release. Changes nothing. */
export async function inspect(client: Client): Promise<Inspected> {
  const migrations = readMigrations(MIGRATIONS_FOLDER)
  const { rows } = await client.query<{ latest: string | null }>(`SELECT max(created_at) AS latest FROM ${JOURNAL_TABLE}`)
  const latest = Number(rows[0]?.latest ?? 0)
  const [pending, applied] = [migrations.filter(({ madeAt }) => madeAt > latest), migrations.filter(({ madeAt }) => madeAt <= latest)]
  const missing = await findMissing(client, applied)
  return {
    known: migrations.length,
    pending: pending.map(({ tag }) => tag),
    missing: missing.map(({ name }) => name),
    isNewer: latest > (migrations.at(-1)?.madeAt ?? 0),
  }
}

function readMigrations(folder: string): Migration[] {
  const journal: { readonly entries: readonly { readonly tag: string }[] } = JSON.parse(
    readFileSync(join(folder, 'meta/_journal.json'), 'utf8'),
  )
  return readMigrationFiles({ migrationsFolder: folder }).map(({ sql, hash, folderMillis }, place) => ({
    tag: journal.entries[place]?.tag ?? '',
    hash,
    madeAt: folderMillis,
    statements: sql,
  }))
}

/** One run at a time: the lock ends with the run, or the connection. */
async function takeTurn(client: Client, report: (line: string) => void): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [LOCK])
    if (rows[0]?.taken) return
    if (tries === 0) report('another run is migrating this database: waiting for it')
    await sleep(MAX_REST_MS / 10)
  }
}

/** When the latest migration that was applied was made, milliseconds since 1970. */
async function findLatest(client: Client): Promise<number> {
  const { rows: tables } = await client.query('SELECT to_regclass($1) AS journal', [JOURNAL_TABLE])
  if (tables[0]?.journal === null) {
    await client.query('CREATE SCHEMA IF NOT EXISTS drizzle')
    await client.query(`CREATE TABLE IF NOT EXISTS ${JOURNAL_TABLE} (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)`)
  }
  const { rows } = await client.query<{ latest: string | null }>(`SELECT max(created_at) AS latest FROM ${JOURNAL_TABLE}`)
  return Number(rows[0]?.latest ?? 0)
}

/** Applies a migration and records it, all or nothing. Answers the indexes that are left to be built. */
async function applyOne(client: Client, { tag, hash, madeAt, statements }: Migration, report: (line: string) => void): Promise<Index[]> {
  for (let tries = 1; ; tries += 1) {
    try {
      await client.query('BEGIN')
      const later: Index[] = []
      await lockTables(client, statements)
      for (const statement of statements) {
        const index = toIndex(statement)
        if (index && (await holdsRows(client, index.table))) later.push(index)
        else await client.query(statement)
      }
      await client.query(`INSERT INTO ${JOURNAL_TABLE} (hash, created_at) VALUES ($1, $2)`, [hash, madeAt])
      await client.query('COMMIT')
      return later
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {})
      if (!isBusy(error)) {
        report(`${tag} failed`)
        throw error
      }
      if (tries === MAX_TRIES)
        throw new CommandError(`${tag}: something holds a lock for minutes; nothing of it was applied. Try again later`)
      if (tries === 1) report(`${tag}: waiting for a lock, without keeping others waiting`)
      await sleep(Math.min(tries * 100, MAX_REST_MS))
    }
  }
}

/**
 * Takes the tables that a migration alters before it begins, those that requests use first first: whoever waits for one of them then
 * holds none of the others, for which we would wait in turn.
 */
async function lockTables(client: Client, statements: readonly string[]): Promise<void> {
  const named = statements.flatMap((statement) => ALTER_TABLE.exec(withoutComments(statement))?.[1] ?? [])
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM (SELECT DISTINCT name FROM unnest($1::text[]) AS t(name)) t
      WHERE to_regclass(quote_ident(name)) IS NOT NULL ORDER BY array_position($2::text[], name), name`,
    [named, USED_IN_ORDER],
  )
  if (rows.length > 1) await client.query(`LOCK TABLE ${rows.map(({ name }) => pg.escapeIdentifier(name)).join(', ')}`)
}

const isBusy = (error: unknown) => error instanceof pg.DatabaseError && [LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED].includes(error.code ?? '')

const withoutComments = (statement: string) => statement.replace(/^[^\S\n]*--(?!>).*$/gm, '').trim()

function toIndex(statement: string): Index | undefined {
  const definition = withoutComments(statement)
  const [, name, table] = CREATE_INDEX.exec(definition) ?? []
  return name === undefined || table === undefined ? undefined : { name, table, definition }
}

async function holdsRows(client: Client, table: string): Promise<boolean> {
  const { rows } = await client.query<{ exists: boolean }>(`SELECT EXISTS (SELECT 1 FROM ${pg.escapeIdentifier(table)}) AS exists`)
  return rows[0]?.exists === true
}

/** Indexes that applied migrations name and that are not there, or were left half built: what a run that was killed left over. */
async function findMissing(client: Client, migrations: readonly Migration[]): Promise<Index[]> {
  const wanted = new Map<string, Index>()
  for (const statement of migrations.flatMap(({ statements }) => statements)) {
    const index = toIndex(statement)
    if (index) wanted.set(index.name, index)
    const [, dropped] = DROP_INDEX.exec(withoutComments(statement)) ?? []
    if (dropped !== undefined) wanted.delete(dropped)
  }
  const { rows } = await client.query<{ name: string }>(
    'SELECT c.relname AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indisvalid AND c.relnamespace = current_schema()::regnamespace',
  )
  const valid = new Set(rows.map(({ name }) => name))
  return [...wanted.values()].filter(({ name }) => !valid.has(name))
}

/** Builds an index while others read and write its table: it waits for them, and they never for it. */
async function build(client: Client, { name, definition }: Index, report: (line: string) => void): Promise<string> {
  const startedAt = performance.now()
  report(`building ${name} beside readers and writers`)
  await client.query('SET lock_timeout = 0')
  try {
    await client.query(`DROP INDEX CONCURRENTLY IF EXISTS ${pg.escapeIdentifier(name)}`)
    await client.query(definition.replace(/^CREATE INDEX (?:IF NOT EXISTS )?/i, 'CREATE INDEX CONCURRENTLY '))
  } finally {
    await client.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`).catch(() => {})
  }
  report(`${name} (${seconds(startedAt)})`)
  return name
}

const seconds = (startedAt: number) => `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`
