import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { sql } from 'drizzle-orm'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { spawnStack } from '../stack/spawn-stack.ts'
import { createTestTenant, makeEvent, readWindowOf, startApp, type TestApp } from '../support/app.ts'
import { startOwnStack } from '../support/own-stack.ts'
import { runTenantCommand } from '../support/tenant-command.ts'

const run = promisify(execFile)
const MIGRATE = fileURLToPath(new URL('../../src/commands/db-migrate.ts', import.meta.url))
const RESTORE_EMBEDDED = fileURLToPath(new URL('../support/restore-embedded.ts', import.meta.url))
const REAL = process.env['DATABASE_URL']

/** A database with a tenant that has a window, hourly counts, and an incident with its snapshot. */
async function fillOne() {
  const own = await startOwnStack(onTestFinished)
  const app = startApp({ stack: own })
  const tenant = await createTestTenant(app)
  const send = (event: object) => app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ ...event }) })
  for (const value of ['slow', 'slow', 'slower']) await send({ event_type: 'saturation', new_value: value, ttl_seconds: 60 })
  expect(await runSweep(app.deps, new Date(Date.now() + 120_000))).toMatchObject({ deleted: 3 })
  for (const sha of ['a', 'a', 'b']) await send({ sha, details: { title: 'Prüfung “7”', files: ['a.ts'] } })
  await send({ service_name: 'argocd', entity: 'checkout', event_type: 'config_change', old_value: "it's\n1", new_value: '\\2' })
  const asked = await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout' } })
  const { id } = (await asked.json()) as { id: string }
  const folder = await mkdtemp(join(tmpdir(), 'noctuary-dump-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return { own, app, tenant, incidentId: id, folder }
}

type Filled = Awaited<ReturnType<typeof fillOne>>

const USE = ['last_seen_at', 'last_used_at', 'status', 'last_event_at']
/** But for when something was seen last, which reading changes. */
const withoutUse = (body: unknown): unknown => JSON.parse(JSON.stringify(body, (name, value) => (USE.includes(name) ? undefined : value)))

/** What is answered of the tenant, and its hourly counts. */
async function readAll(app: TestApp, { tenant, incidentId }: Filled) {
  const read = async (path: string) => {
    const response = await app.request(path, { key: tenant.readonlyKey })
    expect([path, response.status]).toEqual([path, 200])
    return withoutUse(await response.json())
  }
  const { rows: counts } = await app.deps.db.execute(
    sql`SELECT service_id::text, hour::text, kind_key::text, count FROM event_counts WHERE tenant_id = ${tenant.tenantId} ORDER BY 1, 2, 3`,
  )
  return {
    window: await readWindowOf(app, tenant, 'checkout'),
    services: await read('/v1/services'),
    changes: await read('/v1/changes'),
    agents: await read('/v1/agents'),
    // With its snapshot.
    incident: await read(`/v1/incidents/${incidentId}`),
    quality: await read('/v1/quality'),
    counts,
  }
}

async function goesOn(app: TestApp, { tenant }: Filled): Promise<void> {
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ sha: 'c' }) })
  const { deploy_events: deploys } = await readWindowOf(app, tenant, 'checkout')
  expect(deploys.map(({ sha, count }) => `${sha} ${count}`)).toEqual(['a 2', 'b 1', 'c 1'])
}

test.runIf(REAL)('a dump is restored into another database, all of it, and goes on', async () => {
  const filled = await fillOne()
  const { own, app, folder } = filled
  const name = `noctuary_restored_${process.pid}`
  const admin = new pg.Client({ connectionString: own.databaseUrl })
  await admin.connect()
  await admin.query(`CREATE DATABASE ${name}`)
  onTestFinished(async () => {
    await admin.query('SET statement_timeout = 0')
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
    await admin.end()
  })
  const url = Object.assign(new URL(own.databaseUrl), { pathname: `/${name}` }).href
  const before = await readAll(app, filled)
  expect([before.counts.length, before.window.deploy_events.length]).toEqual([2, 2])
  const file = join(folder, 'noctuary.dump')
  await run('pg_dump', ['--format=custom', '--no-owner', '--file', file, own.databaseUrl])
  await run('pg_restore', ['--no-owner', '--dbname', url, file])
  const restored = new pg.Client({ connectionString: url })
  await restored.connect()
  onTestFinished(() => restored.end().catch(() => {}))
  restored.on('error', () => {})
  // As of a server that has made more transactions than this one.
  await restored.query(`UPDATE context_events SET written_by = '99999999999'`)
  const { stdout } = await run(process.execPath, [MIGRATE, '--restored'], { env: { ...process.env, DATABASE_URL: url } })
  expect(stdout).toMatch(/^4 events have numbers of this server/m)

  const stack = await spawnStack({ databaseUrl: url, redisUrl: process.env['REDIS_URL'] })
  onTestFinished(stack.stop)
  const again = startApp({ stack })
  expect(await readAll(again, filled)).toEqual(before)
  await goesOn(again, filled)
})

test.runIf(REAL)('a dump is restored into another major version, and a tenant imported there, all of it, and goes on', async () => {
  const filled = await fillOne()
  const { own, app, tenant, folder } = filled
  const before = await readAll(app, filled)
  const file = join(folder, 'noctuary.sql')
  await run('pg_dump', ['--format=plain', '--inserts', '--no-owner', '--file', file, own.databaseUrl])
  const dataDirectory = join(folder, 'data')
  const { stdout } = await run(process.execPath, [RESTORE_EMBEDDED, file, dataDirectory])
  const { version } = JSON.parse(stdout)
  const { rows } = await app.deps.db.execute<{ server_version: string }>(sql`SHOW server_version`)
  expect(Number.parseInt(version, 10)).not.toBe(Number.parseInt(rows[0]?.server_version ?? '', 10))
  const restored = await spawnStack({ dataDirectory })
  onTestFinished(restored.stop)
  const again = startApp({ stack: restored })
  expect(await readAll(again, filled)).toEqual(before)
  await goesOn(again, filled)

  const empty = await spawnStack()
  onTestFinished(empty.stop)
  const out = join(folder, 'tenant.ndjson')
  const from = { DATABASE_URL: own.databaseUrl, DATABASE_ENDPOINT: own.databaseEndpoint }
  expect(await runTenantCommand(['export', tenant.tenantId, '--keys', '--raw-lines', '--out', out], from)).toMatchObject({ code: 0 })
  const to = { DATABASE_URL: empty.databaseUrl, DATABASE_ENDPOINT: empty.databaseEndpoint }
  expect(await runTenantCommand(['import', out], to)).toMatchObject({ code: 0 })
  const moved = startApp({ stack: empty })
  expect(await readAll(moved, filled)).toEqual(before)
  await goesOn(moved, filled)
})
