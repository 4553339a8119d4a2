import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestTenant, entriesOf, readWindowOf } from '../support/app.ts'
import { findFreePort } from '../support/dev-server.ts'
import { serveSite, startSite } from '../support/site.ts'

const SERVER = join(process.env['NOCTUARY_CLIENTS'] ?? '', 'node_modules/unleash-server/dist/server.js')
const DATABASE = 'noctuary_unleash'
const KEY = '*:*.of-the-tests'
const TIMEOUT_MS = 100_000

const databaseUrl = process.env['DATABASE_URL']
const site = startSite()
const running: ChildProcess[] = []
let url: string
let stop: () => void

beforeAll(async () => {
  ;({ url, stop } = await serveSite(site))
})

afterAll(() => {
  for (const one of running) one.kill('SIGKILL')
  stop?.()
})

async function makeDatabase(wanted: string): Promise<string> {
  const client = new pg.Client({ connectionString: wanted })
  await client.connect()
  await client.query(`DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`)
  await client.query(`CREATE DATABASE ${DATABASE}`)
  await client.end()
  return Object.assign(new URL(wanted), { pathname: `/${DATABASE}` }).href
}

test('an Unleash server tells of its flags', async ({ skip }) => {
  if (!existsSync(SERVER)) return skip('unleash-server is missing: npm install it in a folder, and name the folder in NOCTUARY_CLIENTS')
  if (!databaseUrl) return skip('a Postgres is missing: name one in DATABASE_URL')
  const tenant = await createTestTenant(site.app)
  const body = { type: 'unleash', config: { service_map: { express: 'checkout' } } }
  const { token }: { token: string } = await (await site.app.request('/v1/integrations', { key: tenant.readonlyKey, body })).json()
  const port = await findFreePort()
  const env = {
    ...process.env,
    DATABASE_URL: await makeDatabase(databaseUrl),
    DATABASE_SSL: 'false',
    HTTP_PORT: String(port),
    INIT_ADMIN_API_TOKENS: KEY,
    UNLEASH_ALLOW_LIST_INTEGRATION: '127.0.0.1',
    CHECK_VERSION: 'false',
    SEND_TELEMETRY: 'false',
  }
  running.push(spawn(process.execPath, [SERVER], { env, stdio: 'ignore' }))
  const ask = async (method: string, path: string, sent?: object) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { Authorization: KEY, 'Content-Type': 'application/json' },
      ...(sent && { body: JSON.stringify(sent) }),
    })
  await until('Unleash is up', async () => (await ask('GET', '/health')).ok)
  const events = ['feature-environment-enabled', 'feature-environment-disabled', 'feature-archived']
  const webhook = { provider: 'webhook', enabled: true, parameters: { url: `${url}/in/unleash`, authorization: `Bearer ${token}` }, events }
  const express = '/api/admin/projects/default/features/express/environments/production'
  const answers = [
    await ask('POST', '/api/admin/addons', webhook),
    await ask('POST', '/api/admin/projects/default/features', { name: 'express', type: 'release' }),
    await ask('POST', `${express}/strategies`, { name: 'default', parameters: {} }),
  ]
  expect(answers.map(({ ok, status }) => [ok, status])).toEqual(answers.map(({ status }) => [true, status]))
  const changes = async () =>
    entriesOf(await readWindowOf(site.app, tenant, 'checkout')).map(({ old_value, new_value }) => `${old_value} → ${new_value}`)
  // It looks for integrations once a minute.
  await until('both have arrived', async () => {
    for (const state of ['on', 'off']) expect((await ask('POST', `${express}/${state}`)).ok).toBe(true)
    return new Set(await changes()).size === 2
  })
  expect(new Set(await changes())).toEqual(new Set(['off → on', 'on → off']))
})

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const endsAt = Date.now() + TIMEOUT_MS; Date.now() < endsAt; await sleep(1_000)) {
    if (await isSo().catch(() => false)) return
  }
  throw new Error(`${what}: not within ${TIMEOUT_MS / 1_000} s`)
}
