import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { link, open, stat, unlink } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { text } from '@clack/prompts'
import { reseal } from '../domain/access/integration.ts'
import { parseSealingKeys } from '../domain/access/sealed-secret.ts'
import { type TenantId, toId } from '../domain/ids.ts'
import { field, isText, parseJson } from '../domain/json.ts'
import { listApiKeys } from '../store/api-keys.ts'
import { INGEST_DEADLINE_MS } from '../store/events.ts'
import { listAllIntegrations, replaceSealed } from '../store/integrations.ts'
import type { Db } from '../store/postgres.ts'
import {
  closeTenant,
  deleteTenant,
  deleteTenantRows,
  listTenantTables,
  noteCommand,
  readTenantItself,
  readTenantRows,
  type TenantRow,
  writeTenantRows,
} from '../store/tenant-data.ts'
import { findTenant, listTenants, type Tenant } from '../store/tenants.ts'
import { createTenant } from '../usecases/create-tenant.ts'
import { CommandError } from './command-error.ts'
import { explain, openDatabase } from './connection.ts'

const HELP = `npm run tenant -- COMMAND [--json]: the tenants of the database that DATABASE_URL names

  create NAME      makes a tenant and prints its first two keys, this once
  list             all tenants
  keys NAME        a tenant's live keys, by their hints
  export NAME      all that is stored of a tenant, a JSON object {table, row} a line, to standard output or --out FILE;
                   without keys and secrets, and without raw lines unless --raw-lines. With --keys it has the hashes of keys and
                   the sealed secrets, too, for import
  import FILE      stores what an export with --keys wrote in this database, where the tenant's keys are good from then on;
                   what is there already stays, so that a second import adds what the first did not have
  delete NAME      revokes a tenant's keys and deletes all that is stored of it; asks first, unless --yes
  reseal           seals tokens and secrets of all integrations with the first key of INTEGRATION_KEYS, so that the second
                   can be taken out

NAME may be an id. DATABASE_ENDPOINT, where set, says where Neon's HTTP protocol is spoken: .wrangler/dev.json has both for a running
"npm run dev".`

const PAGE_ROWS = 1_000
const FIRST_PAGE_ROWS = 100

type Options = {
  readonly out?: string | undefined
  readonly yes?: boolean | undefined
  readonly 'raw-lines'?: boolean | undefined
  readonly keys?: boolean | undefined
}

/** Answers what to print; `undefined` when it has printed what there is. */
type Command = (db: Db, name: string, options: Options) => Promise<unknown>

const COMMANDS: Readonly<Record<string, { readonly takesName: boolean; readonly run: Command }>> = {
  create: { takesName: true, run: create },
  list: { takesName: false, run: (db) => listTenants(db).then((tenants) => tenants.map(toTenantLine)) },
  keys: { takesName: true, run: keys },
  export: { takesName: true, run: exportTenant },
  import: { takesName: true, run: importTenant },
  delete: { takesName: true, run: eraseTenant },
  reseal: { takesName: false, run: (db) => resealAll(db) },
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments()
  const [name = '', ...words] = positionals
  if (values.help || name === '') return console.log(HELP)
  const command = COMMANDS[name]
  if (!command) throw new CommandError(`there is no command "${name}"; --help lists them`)
  if (words.length !== (command.takesName ? 1 : 0))
    throw new CommandError(`"${name}" takes ${command.takesName ? 'one name' : 'no name'}; --help shows how`)

  const { db, close } = await openDatabase()
  try {
    const result = await command.run(db, words[0]?.trim() ?? '', values)
    if (result !== undefined) console.log(values.json ? JSON.stringify(result, null, 2) : toText(result))
  } finally {
    await close()
  }
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        help: { type: 'boolean' },
        out: { type: 'string' },
        yes: { type: 'boolean' },
        'raw-lines': { type: 'boolean' },
        keys: { type: 'boolean' },
      },
    })
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

async function exportTenant(
  db: Db,
  name: string,
  { out, 'raw-lines': withRawLines = false, keys: withKeys = false }: Options,
): Promise<undefined> {
  const { id } = await getTenant(db, name)
  const part = await openPart(out)
  let written = 0
  try {
    await noteCommand(db, id, 'tenant.exported')
    const write = (lines: string) => (part ? part.file.write(lines) : writeOut(lines))
    if (withKeys) await write(toLine('tenants', await readTenantItself(db, id)))
    for (const table of await listTenantTables(db)) {
      let page: TenantRow[] = []
      let limit = FIRST_PAGE_ROWS
      do {
        page = await readTenantRows(db, id, table, { after: page.at(-1), limit, withRawLines, withKeys })
        // Where rows are large, no more of them are looked at than fit.
        limit = Math.min(PAGE_ROWS, 2 * Math.max(1, page.length))
        await write(page.map((row) => toLine(table.name, row)).join(''))
        written += page.length
        tell(`${table.name}: ${written} rows so far`)
      } while (page.length > 0)
    }
    // What was cut off is not imported.
    if (withKeys) await write(`${JSON.stringify({ rows: written + 1 })}\n`)
    await part?.keep()
  } finally {
    await part?.file.close()
  }
  tell(`${written} rows exported${out === undefined ? '' : ` to ${out}`}`, true)
}

/** A file that has its name once it is whole: one that was cut off is not taken for an export, and is written over by the next. */
async function openPart(out: string | undefined) {
  if (out === undefined) return undefined
  if (await stat(out).catch(() => undefined)) throw new CommandError(KNOWN_ERRORS.EEXIST)
  const name = `${out}.part`
  const keep = async () => {
    await link(name, out)
    await unlink(name)
  }
  return { file: await open(name, 'w', 0o600), keep }
}

/** By which a line is told without being read. */
const toStart = (table: string) => `{"table":${JSON.stringify(table)},`

const toLine = (table: string, row: TenantRow) => `${JSON.stringify({ table, row })}\n`

/** As much as is stored at once. */
const [IMPORTED_ROWS, IMPORTED_BYTES] = [500, 4_000_000]

/** More than any row is, and how much of a file is looked at together. */
const [MAX_LINE_LENGTH, READ_BYTES] = [64 * 1_048_576, 4 * 1_048_576]

/** What stands between a file's `\n`: Node's own lines end at other characters, too, which JSON leaves as they are in texts. */
async function* readLines(path: string): AsyncGenerator<string> {
  const file = await open(path)
  let rest = ''
  for await (const chunk of file.createReadStream({ encoding: 'utf8', highWaterMark: READ_BYTES })) {
    const lines = `${rest}${chunk}`.split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_LINE_LENGTH) throw new CommandError('that file has a line that is longer than any row: it is no export')
    yield* lines
  }
  if (rest !== '') yield rest
}

/** Table by table, those first that others refer to: once through the file for each, which may be larger than memory. */
async function importTenant(db: Db, path: string) {
  const tables = ['tenants', ...(await listTenantTables(db)).map(({ name }) => name).toReversed()]
  const tenantId = await checkExport(path, tables)
  await noteCommand(db, tenantId, 'tenant.imported')
  let imported = 0
  for (const table of tables) {
    let [rows, bytes]: [TenantRow[], number] = [[], 0]
    const store = async () => {
      if (rows.length > 0) imported += await writeTenantRows(db, tenantId, table, rows)
      ;[rows, bytes] = [[], 0]
      tell(`${table}: ${imported} rows so far`)
    }
    for await (const line of readLines(path)) {
      if (!line.startsWith(toStart(table))) continue
      // What `export` wrote.
      const { row }: { readonly row: TenantRow } = JSON.parse(line)
      rows.push(row)
      bytes += line.length
      if (rows.length === IMPORTED_ROWS || bytes > IMPORTED_BYTES) await store()
    }
    await store()
  }
  return { imported_rows: imported }
}

/** Before anything is stored: whether a file is a whole export, with keys, of one tenant and tables that are known here. Says whose. */
async function checkExport(path: string, tables: readonly string[]): Promise<TenantId> {
  let tenant: unknown
  let [rows, told, place]: [number, unknown, number] = [0, undefined, 0]
  for await (const line of readLines(path)) {
    place += 1
    const read = parseJson(line)
    told = field(read, 'table') === undefined ? field(read, 'rows') : undefined
    if (told !== undefined) continue
    const owner = ownerOf(line, read, place, tables) ?? tenant
    tenant ??= owner
    if (owner !== tenant) throw new CommandError(`line ${place} of that file is of another tenant`)
    rows += 1
  }
  if (told !== rows) throw new CommandError(`that export is cut off after ${rows} rows: make it again`)
  if (!isText(tenant)) throw new CommandError('that file says of no tenant')
  return toId(tenant)
}

/** Whose a row of an export is, where it says. */
function ownerOf(line: string, read: unknown, place: number, tables: readonly string[]): unknown {
  const [table, row] = [field(read, 'table'), field(read, 'row')]
  if (!isText(table) || typeof row !== 'object' || row === null) throw new CommandError(`line ${place} of that file is no row of an export`)
  if (!tables.includes(table)) throw new CommandError(`there is no table "${table}" here: the file is of a newer release, migrate first`)
  if (!line.startsWith(toStart(table))) throw new CommandError(`line ${place} of that file is not as an export writes it`)
  if (table === 'api_keys' && !('hash' in row)) throw new CommandError('that export is without keys: make one with --keys')
  return field(row, table === 'tenants' ? 'id' : 'tenant_id')
}

async function eraseTenant(db: Db, name: string, { yes }: Options) {
  const tenant = await getTenant(db, name)
  if (!yes) await confirmName(tenant.name)
  let deleted = await closeTenant(db, tenant.id)
  // What was being stored as its keys and webhooks died is stored by then.
  await sleep(INGEST_DEADLINE_MS)
  for (const table of await listTenantTables(db)) {
    let count = 0
    do {
      count = await deleteTenantRows(db, tenant.id, table, PAGE_ROWS)
      deleted += count
      tell(`${table.name}: ${deleted} rows deleted so far`)
    } while (count === PAGE_ROWS)
  }
  await deleteTenant(db, tenant.id)
  tell('the copies of its windows in Redis expire with their events', true)
  return { tenant_id: tenant.id, name: tenant.name, deleted_rows: deleted }
}

/** Has the operator type the tenant's name, where there is one to ask. */
async function confirmName(name: string): Promise<void> {
  if (!process.stdin.isTTY) throw new CommandError('deleting asks first; without a terminal, say --yes')
  const typed = await text({ message: `This deletes all that is stored of "${name}", for good. Type its name to go on:` })
  if (typed !== name) throw new CommandError('nothing was deleted')
}

async function resealAll(db: Db) {
  const sealingKeys = parseSealingKeys(process.env['INTEGRATION_KEYS'])
  let resealed = 0
  for (const integration of await listAllIntegrations(db)) {
    const sealed = await reseal(sealingKeys, integration, (length) => new Uint8Array(randomBytes(length)))
    if (await replaceSealed(db, integration, sealed)) resealed += 1
  }
  return { resealed_integrations: resealed }
}

/** Shows progress where a person may be looking; the last word of it stays. */
function tell(line: string, isLast = false): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}${isLast ? '\n' : ''}`)
  else if (isLast) process.stderr.write(`${line}\n`)
}

/** Writes to standard output no faster than its reader reads. */
async function writeOut(lines: string): Promise<void> {
  if (!process.stdout.write(lines)) await once(process.stdout, 'drain')
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

const KNOWN_ERRORS = {
  '23503': 'another tenant of that name is there, or the file is not whole',
  '23505': 'a tenant of that name exists already',
  EISDIR: 'that is a folder',
  EEXIST: 'that file exists already: choose another with --out',
  ENOENT: 'there is no such file, or no folder for it',
  EACCES: 'that file cannot be written',
}

try {
  await main()
} catch (error) {
  console.error(`npm run tenant: ${explain(error, KNOWN_ERRORS)}`)
  process.exitCode = 1
}
