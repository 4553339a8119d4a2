import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { migrate } from '../../src/commands/migrations.ts'
import { VERSION } from '../../src/version.ts'
import { createTestTenant, startApp } from '../support/app.ts'
import { makeMigrations } from '../support/migrations.ts'

const COMMAND = fileURLToPath(new URL('../../src/commands/doctor.ts', import.meta.url))
const { redisUrl, redisToken } = inject('stack')

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string }

function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome> {
  const { DATABASE_URL: _ours, ...rest } = process.env
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...args], { env: { ...rest, ...env } }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

const REDIS = { UPSTASH_REDIS_REST_URL: redisUrl, UPSTASH_REDIS_REST_TOKEN: redisToken }
const REAL = process.env['DATABASE_URL'] ?? ''

test('a deployment is looked at as far as it is named, and what is broken is said in a line', async () => {
  const away = { UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:64999', UPSTASH_REDIS_REST_TOKEN: 'x' }
  const [partly, unreachable, wrong, refused] = await Promise.all([
    run([], REDIS),
    run(['--url', 'noctuary.example.com'], away),
    run(['--json', '--url', 'http://127.0.0.1:64999'], {
      ...REDIS,
      DATABASE_URL: 'postgres://a:b@127.0.0.1:1/x',
      COUNTS_DAYS: 'many',
      INTEGRATION_KEYS: '2026-11:short',
      SESSION_SECRET: 'short',
    }),
    run(['--what'], {}),
  ])
  // Nobody runs a cron here.
  expect(partly.stderr).toBe('')
  expect(partly.stdout).toMatch(/^warn +postgres +not looked at/m)
  expect(partly.stdout).toMatch(/^(?:ok|warn) +redis +answers in /m)
  expect(unreachable.stdout).toMatch(/^broken +redis +nothing listens at its address$/m)
  expect(unreachable.stdout).toMatch(/^broken +worker +--url must look like https:/m)
  const { ok, findings } = JSON.parse(wrong.stdout)
  expect(findings).toContainEqual({ level: 'broken', what: 'worker', says: 'nothing listens at its address' })
  expect([wrong.code, ok]).toEqual([1, false])
  expect(findings).toContainEqual({ level: 'broken', what: 'postgres', says: 'nothing listens at its address' })
  expect(findings.filter(({ level }: { level: string }) => level === 'broken').map(({ what }: { what: string }) => what)).toEqual(
    expect.arrayContaining(['settings', 'worker']),
  )
  const settings = findings.filter(({ what }: { what: string }) => what === 'settings').map(({ says }: { says: string }) => says)
  for (const name of ['COUNTS_DAYS', 'INTEGRATION_KEYS', 'SESSION_SECRET'])
    expect(settings).toContainEqual(expect.stringContaining(`${name} `))
  expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^npm run doctor: .*\n$/) })
})

/** A Worker and a Redis that answer so; where it is. */
async function serve(status: number, answer: object): Promise<string> {
  const server = createServer(
    (_request, response) => void response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer)),
  )
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

test('a key that is refused is said to be, and a sweep that is far behind is broken', async () => {
  const backlog = { sweep_lag_seconds: 601, windows_awaiting_repair: 0, incident_work_due: 0, notes_given_up: 0 }
  const health = { status: 'ok', version: VERSION, checks: {} }
  const [strange, behind, redis] = await Promise.all([
    serve(200, { ...health, backlog: null }),
    serve(200, { ...health, backlog }),
    serve(401, {}),
  ])
  const [refused, late, without] = await Promise.all([
    run(['--url', strange], { METRICS_TOKEN: 'x', UPSTASH_REDIS_REST_URL: redis, UPSTASH_REDIS_REST_TOKEN: 'x' }),
    run(['--url', behind], { METRICS_TOKEN: 'x' }),
    run(['--url', strange], { METRICS_TOKEN: '' }),
  ])
  expect(refused.stdout).toMatch(/^warn +backlog +not told: the Worker has another METRICS_TOKEN, or none$/m)
  expect(refused.stdout).toMatch(/^broken +redis +it refuses UPSTASH_REDIS_REST_TOKEN$/m)
  expect(late).toMatchObject({ code: 1, stdout: expect.stringMatching(/^broken +backlog +.*601/m) })
  expect(without).toMatchObject({ code: 0, stdout: expect.stringMatching(/^warn +backlog +not looked at/m) })
})

test.runIf(REAL)('of a database that is half migrated, or half readable, what can be known is said', async () => {
  const name = `noctuary_doctor_${process.pid}`
  const url = Object.assign(new URL(REAL), { pathname: `/${name}` }).href
  const admin = new pg.Client({ connectionString: REAL })
  await admin.connect()
  await admin.query(`CREATE DATABASE ${name}`)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  onTestFinished(async () => {
    await client.end()
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
    await admin.query(`DROP ROLE ${name}`)
    await admin.end()
  })
  await migrate(client, undefined, makeMigrations(3))
  const half = await run([], { DATABASE_URL: url })
  expect(half.code).toBe(1)
  expect(half.stdout).toMatch(/^ok +postgres +PostgreSQL /m)
  expect(half.stdout).toMatch(/^broken +migrations +\d+ of \d+ are not applied/m)
  expect(half.stdout).not.toContain('does not exist')

  await migrate(client)
  await client.query(`CREATE ROLE ${name} LOGIN`)
  await client.query(`GRANT USAGE ON SCHEMA drizzle TO ${name}; GRANT SELECT ON drizzle.__drizzle_migrations, integrations TO ${name}`)
  const reader = await run([], { DATABASE_URL: Object.assign(new URL(url), { username: name }).href })
  expect(reader.code).toBe(1)
  expect(reader.stdout).toMatch(/^ok +migrations +all /m)
  expect(reader.stdout).toMatch(/^broken +sweep +this role may not do that .*permission denied/m)
  expect(reader.stdout).toMatch(/^ok +receivers /m)
})

test.runIf(REAL)('a migrated database is well', async () => {
  const { code, stdout } = await run([], { ...REDIS, DATABASE_URL: REAL })
  expect([code, stdout]).toEqual([expect.any(Number), expect.stringMatching(/^ok +migrations +all \d+ are applied$/m)])
  expect(stdout).toMatch(/^ok +postgres +PostgreSQL /m)
})

test.runIf(REAL)('what doors refused last and receivers do not take is said, with since when', async () => {
  const app = startApp()
  const tenant = await createTestTenant(app)
  const connect = async (type: string, config: object, direction = 'inbound') => {
    const response = await app.request('/v1/integrations', { key: tenant.readonlyKey, body: { type, direction, config } })
    return (await response.json()) as { id: string; token: string }
  }
  const [door, receiver] = [
    await connect('alertmanager', {}),
    await connect('slack', { url: 'https://hooks.slack.com/services/T/B/x' }, 'outbound'),
  ]
  await app.request(`/in/alertmanager/${door.token}`, { body: 'no JSON' })
  await app.settle()
  await app.deps.db.execute(
    sql`UPDATE integrations SET telling = '{"at": 1, "outcome": "404", "failingSince": 86400000, "switchedOff": null}' WHERE id = ${receiver.id}`,
  )
  const { stdout } = await run([], { ...REDIS, DATABASE_URL: REAL })
  expect(stdout).toMatch(new RegExp(`^warn +door +alertmanager ${door.id} refused its last delivery at 20`, 'm'))
  expect(stdout).toContain(`slack ${receiver.id} fails since 1970-01-02T00:00:00.000Z: 404`)
  expect(stdout).toMatch(/^ok +doors +\d+ of \d+ had a delivery lately/m)
})
