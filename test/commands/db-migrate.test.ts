import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate as migrateByDrizzle } from 'drizzle-orm/node-postgres/migrator'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { MIGRATIONS_FOLDER, migrate } from '../../src/commands/migrations.ts'
import { makeMigrations } from '../support/migrations.ts'

const COMMAND = fileURLToPath(new URL('../../src/commands/db-migrate.ts', import.meta.url))
const REAL = process.env['DATABASE_URL'] ?? ''

function run(url: string, ...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...args], { env: { ...process.env, DATABASE_URL: url } }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

const REFUSED = [
  ['', /^npm run db:migrate: DATABASE_URL is not set\n$/],
  ['mysql://a', /must look like postgres:/],
  ['postgres://postgres@127.0.0.1:5432', /names no database/],
  ['postgres://postgres@127.0.0.1:5432/', /names no database/],
  ['postgres://a:b@ep-x-pooler.eu.aws.neon.tech/x?sslmode=require&channel_binding=require', /direct connection string/],
  ['postgres://a:b@127.0.0.1:1/x', /^npm run db:migrate: nothing listens where DATABASE_URL points\n$/],
] as const

test('a database that cannot be had is refused in a sentence', async () => {
  const runs = await Promise.all(REFUSED.map(async ([url, says]) => ({ says, ...(await run(url)) })))
  for (const { says, ...outcome } of runs) expect(outcome).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(says) })
})

/** A database of its own on the real server, gone at the end of the test. */
async function createDatabase(): Promise<string> {
  const name = `noctuary_migrate_${process.pid}_${Math.trunc(performance.now())}`
  const admin = new pg.Client({ connectionString: REAL })
  await admin.connect()
  await admin.query(`CREATE DATABASE ${name}`)
  onTestFinished(async () => {
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
    await admin.end()
  })
  return Object.assign(new URL(REAL), { pathname: `/${name}` }).href
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.end().catch(() => {}))
  return client
}

const countMigrations = () => readFileSync(join(MIGRATIONS_FOLDER, 'meta/_journal.json'), 'utf8').match(/"tag"/g)?.length ?? 0

test.runIf(REAL)('what Drizzle migrated is gone on with, once, and a newer database is refused', async () => {
  const url = await createDatabase()
  const client = await connect(url)
  await migrateByDrizzle(drizzle(client), { migrationsFolder: makeMigrations(10) })

  const first = await run(url)
  expect(first).toMatchObject({ code: 0, stderr: '' })
  expect(first.stdout).toMatch(/^ {2}0010_\w+ \(\d+\.\d s\)\n/)
  expect(await run(url)).toMatchObject({ code: 0, stdout: expect.stringMatching(/nothing to do\n$/) })
  expect(await run(url, '--quiet')).toEqual({ code: 0, stdout: '', stderr: '' })
  expect(await run(url.replace('postgres@', 'nobody_here@'))).toMatchObject({ code: 1, stdout: '' })

  // As of a dump, which has no settings of roles.
  await client.query(`ALTER ROLE CURRENT_USER IN DATABASE ${new URL(url).pathname.slice(1)} RESET ALL`)
  expect((await run(url, '--restored')).stdout).toMatch(/^0 events|\n0 events/)
  const { rows } = await (await connect(url)).query(`SELECT current_setting('statement_timeout') AS timeout, current_setting('jit') AS jit`)
  expect(rows).toEqual([{ timeout: '3s', jit: 'off' }])

  await client.query('INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ($1, $2)', ['newer', Date.now() + 9e9])
  expect(await run(url)).toMatchObject({ code: 1, stderr: expect.stringContaining('newer release') })
})

test.runIf(REAL)('a reader keeps a migration waiting, and nobody waits behind it; what is built late is built beside writers', async () => {
  const url = await createDatabase()
  const [client, reader, writer] = [await connect(url), await connect(url), await connect(url)]
  expect(await migrate(client)).toMatchObject({ built: [] })
  await writer.query(`INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 'before')`)
  await reader.query('BEGIN')
  await reader.query('SELECT count(*) FROM tenants')
  const folder = makeMigrations(countMigrations(), [
    'ALTER TABLE tenants ADD COLUMN more text',
    'CREATE INDEX tenants_by_more ON tenants (more)',
  ])

  const lines: string[] = []
  const migrating = migrate(client, (line) => lines.push(line), folder)
  const waits: number[] = []
  while (!lines.some((line) => line.includes('waiting')) || waits.length < 20) {
    const startedAt = performance.now()
    await writer.query(`INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 'during ${waits.length}')`)
    waits.push(performance.now() - startedAt)
  }
  await reader.query('COMMIT')

  expect(await migrating).toMatchObject({ applied: ['9999_more'], built: ['tenants_by_more'] })
  expect(Math.max(...waits)).toBeLessThan(2_000)
  // A run that was killed as it built leaves an index that serves nobody.
  await client.query(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'tenants_by_more'::regclass`)
  expect(await migrate(client, undefined, folder)).toMatchObject({ applied: [], built: ['tenants_by_more'] })
  expect(await migrate(client, undefined, folder)).toMatchObject({ applied: [], built: [] })
})

test.runIf(REAL)('an index that a killed run left out is built before a later migration takes it away', async () => {
  const url = await createDatabase()
  const client = await connect(url)
  await migrate(client)
  await client.query(`INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 'before')`)
  const made = ['CREATE INDEX tenants_by_hash ON tenants (hashtext(name))']
  await migrate(client, undefined, makeMigrations(countMigrations(), made))
  // As of a run that was killed between the migration and its index.
  await client.query('DROP INDEX tenants_by_hash')
  const goesOn = await migrate(client, undefined, makeMigrations(countMigrations(), made, ['DROP INDEX tenants_by_hash']))
  expect(goesOn).toMatchObject({ applied: ['9999_more_1'] })
  expect((await client.query(`SELECT to_regclass('tenants_by_hash') AS index`)).rows).toEqual([{ index: null }])
})

test.runIf(REAL)('a migration that fails is named, and nothing of it stays', async () => {
  const url = await createDatabase()
  const client = await connect(url)
  await client.query('CREATE TABLE services (id int)')
  expect(await run(url)).toMatchObject({
    code: 1,
    stdout: '  0000_ingest_path failed\n',
    stderr: 'npm run db:migrate: the database refused: relation "services" already exists\n',
  })
  expect((await client.query(`SELECT to_regclass('tenants') AS tenants`)).rows).toEqual([{ tenants: null }])
})

test('a server that wants a password that is not given is told at once', async () => {
  // Of Postgres' protocol what comes before a password.
  const server = createServer((socket) => {
    const send = (kind: number, body: string) => {
      const head = Buffer.alloc(9)
      head.write('R')
      head.writeInt32BE(8 + Buffer.byteLength(body), 1)
      head.writeInt32BE(kind, 5)
      socket.write(Buffer.concat([head, Buffer.from(body)]))
    }
    socket.once('data', () => {
      send(10, 'SCRAM-SHA-256\0\0')
      socket.once('data', () => send(11, 'r=x,s=eA==,i=4096'))
    })
    socket.on('error', () => {})
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const outcomes = await Promise.all(['', ':'].map((password) => run(`postgres://postgres${password}@127.0.0.1:${port}/x`)))
  for (const outcome of outcomes)
    expect(outcome).toEqual({
      code: 1,
      stdout: '',
      stderr: 'npm run db:migrate: the database wants a password, and DATABASE_URL has none\n',
    })
})

test.runIf(REAL)('a connection that ends is told in a sentence', async () => {
  const url = await createDatabase()
  const other = await connect(url)
  // As another run that has its turn.
  await other.query('SELECT pg_advisory_lock(7204119553)')
  const running = run(url)
  const end = () =>
    other.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()')
  while ((await end()).rows.length === 0) await sleep(20)
  expect(await running).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^npm run db:migrate: the database cannot be reached: .*\n$/),
  })
})

test.runIf(REAL)('a migration of several tables gets them though requests without a pause use them in another order', async () => {
  const url = await createDatabase()
  const [client, ...writers] = await Promise.all(Array.from({ length: 5 }, () => connect(url)))
  if (!client) throw new Error('no connection')
  await migrate(client)
  let isWanted = true
  // As a request does: one transaction, and events after services.
  const writing = writers.map(async (writer) => {
    while (isWanted) await writer.query('SELECT count(*) FROM services; SELECT pg_sleep(0.002); SELECT count(*) FROM context_events')
  })
  onTestFinished(() => {
    isWanted = false
  })
  const more = ['ALTER TABLE context_events ADD COLUMN more text', 'SELECT pg_sleep(0.02)', 'ALTER TABLE services ADD COLUMN more text']
  const lines: string[] = []
  const migrated = await migrate(client, (line) => lines.push(line), makeMigrations(countMigrations(), more))
  isWanted = false
  await Promise.all(writing)
  expect(migrated).toMatchObject({ applied: ['9999_more'] })
  expect(lines.filter((line) => line.includes('waiting'))).toEqual([])
})
