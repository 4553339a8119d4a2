import { randomBytes, randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { DrizzleQueryError } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { listApiKeys } from '../store/api-keys.ts'
import { createDb, type Db } from '../store/postgres.ts'
import { findTenant, listTenants, type Tenant } from '../store/tenants.ts'
import { createTenant } from '../usecases/create-tenant.ts'

const HELP = `npm run tenant -- COMMAND [--json]: the tenants of the database that DATABASE_URL names

  create NAME      makes a tenant and prints its first two keys, this once
  list             all tenants
  keys NAME        a tenant's live keys, by their hints; NAME may be an id

DATABASE_ENDPOINT, where set, says where Neon's HTTP protocol is spoken: .wrangler/dev.json has both for a running
"npm run dev".`

/** A reason to end that is the operator's to mend: told in one line, without a stack. */
class CommandError extends Error {}

type Command = (db: Db, name: string) => Promise<unknown>

const COMMANDS: Readonly<Record<string, { readonly takesName: boolean; readonly run: Command }>> = {
  create: { takesName: true, run: create },
  list: { takesName: false, run: (db) => listTenants(db).then((tenants) => tenants.map(toTenantLine)) },
  keys: { takesName: true, run: keys },
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments()
  const [name = '', ...words] = positionals
  if (values.help || name === '') return console.log(HELP)
  const command = COMMANDS[name]
  if (!command) throw new CommandError(`there is no command "${name}"; --help lists them`)
  if (words.length !== (command.takesName ? 1 : 0))
    throw new CommandError(`"${name}" takes ${command.takesName ? 'one name' : 'no name'}; --help shows how`)

  const { db, close } = openDatabase()
  try {
    const result = await command.run(db, words[0]?.trim() ?? '')
    console.log(values.json ? JSON.stringify(result, null, 2) : toText(result))
  } finally {
    await close()
  }
}

function readArguments() {
  try {
    return parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' }, help: { type: 'boolean' } } })
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : 'unreadable arguments')
  }
}

async function create(db: Db, name: string) {
  if (name === '' || name.length > 512) throw new CommandError('a tenant needs a name of 1 to 512 characters')
  const sources = { db, newUuid: randomUUID, randomBytes: (length: number) => new Uint8Array(randomBytes(length)) }
  const { tenantId, ingestKey, readonlyKey } = await createTenant(sources, name)
  return { tenant_id: tenantId, name, ingest_key: ingestKey, readonly_key: readonlyKey }
}

async function keys(db: Db, name: string) {
  const { id } = await getTenant(db, name)
  const listed = await listApiKeys(db, id)
  return listed.map((key) => ({
    id: key.id,
    key_type: key.keyType,
    name: key.name,
    hint: `${key.prefix}…${key.last4}`,
    created_at: key.createdAt.toISOString(),
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
  }))
}

async function getTenant(db: Db, name: string): Promise<Tenant> {
  const tenant = await findTenant(db, name)
  if (!tenant) throw new CommandError(`there is no tenant "${name}"`)
  return tenant
}

function toTenantLine({ id, name, createdAt }: Tenant) {
  return { tenant_id: id, name, created_at: createdAt.toISOString() }
}

function toText(result: unknown): string {
  const rows = Array.isArray(result) ? result : [result]
  if (rows.length === 0) return 'none'
  return rows
    .map((row: object) =>
      Object.entries(row)
        .map(([field, value]) => `${field.padEnd(13)} ${value ?? '–'}`)
        .join('\n'),
    )
    .join('\n\n')
}

/** Over Neon's HTTP protocol where an endpoint is given, over a connection otherwise. */
function openDatabase(): { readonly db: Db; readonly close: () => Promise<void> } {
  const url = process.env['DATABASE_URL']
  if (!url) throw new CommandError('DATABASE_URL is not set')
  if (!/^postgres(?:ql)?:\/\/[^/]/.test(url) || !URL.canParse(url))
    throw new CommandError('DATABASE_URL must look like postgres://user:password@host/database')
  const endpoint = process.env['DATABASE_ENDPOINT']
  if (endpoint) return { db: createDb({ url, endpoint, timeoutMs: 10_000 }), close: async () => {} }
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 10_000 })
  // The builder, `execute` and its `rows` are the same over either driver, which is all that store functions use.
  return { db: drizzle({ client: pool }) as unknown as Db, close: () => pool.end() }
}

const DATABASE_ERRORS: Readonly<Record<string, string>> = {
  '23505': 'a tenant of that name exists already',
  '28000': 'the database refuses this user',
  '28P01': 'the database refuses this password',
  '3D000': 'there is no such database on that server',
  '42P01': 'the database is not migrated: run "npm run db:migrate" first',
  ECONNREFUSED: 'nothing listens where DATABASE_URL points',
  ENOTFOUND: 'the host in DATABASE_URL is unknown',
}

function explain(error: unknown): string {
  if (error instanceof CommandError) return error.message
  const cause = error instanceof DrizzleQueryError ? error.cause : error
  const { code, message } = cause as { readonly code?: string; readonly message?: string }
  if (code !== undefined && code in DATABASE_ERRORS) return DATABASE_ERRORS[code] ?? ''
  return `the database cannot be reached: ${message?.split('\n', 1).join('') || code || 'no answer'}`
}

try {
  await main()
} catch (error) {
  console.error(`npm run tenant: ${explain(error)}`)
  process.exitCode = 1
}
