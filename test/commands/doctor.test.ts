import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { expect, inject, test } from 'vitest'
import { createTestTenant, startApp } from '../support/app.ts'

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
  const [partly, wrong, refused] = await Promise.all([
    run([], REDIS),
    run(['--json', '--url', 'http://127.0.0.1:1'], { ...REDIS, DATABASE_URL: 'postgres://a:b@127.0.0.1:1/x', COUNTS_DAYS: 'many' }),
    run(['--what'], {}),
  ])
  // Nobody runs a cron here.
  expect(partly.stderr).toBe('')
  expect(partly.stdout).toMatch(/^warn +postgres +not looked at/m)
  expect(partly.stdout).toMatch(/^(?:ok|warn) +redis +answers in /m)
  const { ok, findings } = JSON.parse(wrong.stdout)
  expect([wrong.code, ok]).toEqual([1, false])
  expect(findings).toContainEqual({ level: 'broken', what: 'postgres', says: 'nothing listens where DATABASE_URL points' })
  expect(findings.filter(({ level }: { level: string }) => level === 'broken').map(({ what }: { what: string }) => what)).toEqual(
    expect.arrayContaining(['settings', 'worker']),
  )
  expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^npm run doctor: .*\n$/) })
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
