import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { spawnStack } from '../stack/spawn-stack.ts'
import { createTestTenant, makeEvent, readWindowOf, startApp } from '../support/app.ts'
import { startOwnStack } from '../support/own-stack.ts'

const run = promisify(execFile)
const MIGRATE = fileURLToPath(new URL('../../src/commands/db-migrate.ts', import.meta.url))

test.runIf(process.env['DATABASE_URL'])(
  'a dump is restored into another database, with windows, counts and incidents, and goes on',
  async () => {
    const own = await startOwnStack(onTestFinished)
    const app = startApp({ stack: own })
    const tenant = await createTestTenant(app)
    for (const sha of ['a', 'a', 'b']) await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ sha }) })
    const asked = await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout' } })
    const { id } = (await asked.json()) as { id: string }

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
    const folder = await mkdtemp(join(tmpdir(), 'noctuary-dump-'))
    onTestFinished(() => rm(folder, { recursive: true }))
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
    expect(stdout).toMatch(/^3 events have numbers of this server/m)

    const stack = await spawnStack({ databaseUrl: url, redisUrl: process.env['REDIS_URL'] })
    onTestFinished(stack.stop)
    const again = startApp({ stack })
    expect(await readWindowOf(again, tenant, 'checkout')).toEqual(await readWindowOf(app, tenant, 'checkout'))
    const read = async (from: typeof app) => (await from.request(`/v1/incidents/${id}`, { key: tenant.readonlyKey })).json()
    expect(await read(again)).toEqual(await read(app))
    await again.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ sha: 'c' }) })
    const { deploy_events: deploys } = await readWindowOf(again, tenant, 'checkout')
    expect(deploys.map(({ sha, count }) => `${sha} ${count}`)).toEqual(['a 2', 'b 1', 'c 1'])
  },
)
