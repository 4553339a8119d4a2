import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { expect, inject, test } from 'vitest'
import { makeEvent, startApp } from '../support/app.ts'

const COMMAND = fileURLToPath(new URL('../../src/commands/tenant.ts', import.meta.url))
const stack = inject('stack')
const app = startApp()

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string }

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const variables = { ...process.env, DATABASE_URL: stack.databaseUrl, DATABASE_ENDPOINT: stack.databaseEndpoint, ...env }
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...args], { env: variables }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}

test('a tenant is made with keys that work, listed, and its keys hinted at', async () => {
  const name = `Acme ${randomUUID()}`
  const created = JSON.parse((await run(['create', name, '--json'])).stdout)
  expect(Object.keys(created)).toEqual(['tenant_id', 'name', 'ingest_key', 'readonly_key'])

  await app.request('/v1/agents/register', { key: created.ingest_key, body: { hostname: 'web-1' } })
  expect((await app.request('/v1/events', { key: created.ingest_key, body: makeEvent() })).status).toBe(201)
  expect((await app.request('/v1/services', { key: created.readonly_key })).status).toBe(200)

  expect(JSON.parse((await run(['list', '--json'])).stdout)).toContainEqual(expect.objectContaining({ tenant_id: created.tenant_id, name }))
  for (const nameOrId of [name, created.tenant_id]) {
    const { stdout } = await run(['keys', nameOrId])
    expect(stdout).toContain(created.ingest_key.slice(-4))
    expect(stdout).not.toContain(created.ingest_key)
  }
  expect(await run(['create', name])).toMatchObject({ code: 1, stderr: expect.stringContaining('exists already') })
})

test.each([
  ['no DATABASE_URL', ['list'], { DATABASE_URL: '' }, 'not set'],
  ['a DATABASE_URL of another kind', ['list'], { DATABASE_URL: 'https://db' }, 'must look like postgres://'],
  ['a server that is not there', ['list'], { DATABASE_URL: 'postgres://a:b@127.0.0.1:1/c', DATABASE_ENDPOINT: '' }, 'nothing listens'],
  ['an endpoint that is not there', ['list'], { DATABASE_ENDPOINT: 'http://127.0.0.1:1/sql' }, 'cannot be reached'],
  ['an unknown command', ['frobnicate'], {}, 'no command'],
  ['no name', ['create'], {}, 'takes one name'],
  ['an unknown tenant', ['keys', 'nobody'], {}, 'no tenant'],
] as const)('%s is one line and exit 1', async (_name, args, env, text) => {
  const { code, stdout, stderr } = await run(args, env)
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toContain(text)
  expect(stderr.trim().split('\n')).toHaveLength(1)
})
