import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { makeEvent, startApp } from '../support/app.ts'
import { runTenantCommand } from '../support/tenant-command.ts'

const app = startApp()

test('a tenant is made with keys that work, listed, and its keys hinted at', async () => {
  const name = `Acme ${randomUUID()}`
  const created = JSON.parse((await runTenantCommand(['create', name, '--json'])).stdout)
  expect(Object.keys(created)).toEqual(['tenant_id', 'name', 'ingest_key', 'readonly_key'])

  await app.request('/v1/agents/register', { key: created.ingest_key, body: { hostname: 'web-1' } })
  expect((await app.request('/v1/events', { key: created.ingest_key, body: makeEvent() })).status).toBe(201)
  expect((await app.request('/v1/services', { key: created.readonly_key })).status).toBe(200)

  const [listed, again, ...keys] = await Promise.all(
    [
      ['list', '--json'],
      ['create', name],
      ['keys', name],
      ['keys', created.tenant_id],
    ].map((args) => runTenantCommand(args)),
  )
  expect(JSON.parse(listed?.stdout ?? '')).toContainEqual(expect.objectContaining({ tenant_id: created.tenant_id, name }))
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('exists already') })
  for (const { stdout } of keys) {
    expect(stdout).toContain(created.ingest_key.slice(-4))
    expect(stdout).not.toContain(created.ingest_key)
  }
})
