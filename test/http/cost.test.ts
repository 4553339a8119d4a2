import { expect, inject, test } from 'vitest'
import { createTestTenant, listServicesOf, makeEvent, startApp } from '../support/app.ts'
import { countCommands, startFaultProxy } from '../support/fault-proxy.ts'

const stack = inject('stack')
const database = await startFaultProxy(stack.databaseEndpoint)
const redis = await startFaultProxy(stack.redisUrl)
const app = startApp({ database: database.url, redis: redis.url })

/** Requests and billed commands that `work` costs. */
async function costOf(work: () => Promise<unknown>) {
  const before = [database.seen.length, redis.seen.length] as const
  await work()
  await app.settle()
  const commands = countCommands(redis.seen.slice(before[1]))
  return { postgres: database.seen.length - before[0], redis: redis.seen.length - before[1], commands }
}

test('an accepted event is one Postgres request, one Redis request and at most three billed commands', async () => {
  const tenant = await createTestTenant(app)
  const events = 40
  let commands = 0
  for (let sent = 0; sent < events; sent += 1) {
    const body = makeEvent({ sha: `sha-${sent}`, ttl_seconds: sent % 2 ? 900 : 604_800 })
    const cost = await costOf(async () => {
      expect((await app.request('/v1/events', { key: tenant.ingestKey, body })).status).toBe(201)
    })
    expect(cost).toMatchObject({ postgres: 1, redis: 1 })
    commands += cost.commands
  }
  expect(commands / events).toBeLessThanOrEqual(2.2)
})

test('so is one that opens a service', async () => {
  const tenant = await createTestTenant(app)
  const events = 20
  let commands = 0
  for (let sent = 0; sent < events; sent += 1) {
    const body = makeEvent({ service_name: `new-${sent}`, entity: `new-${sent}` })
    const cost = await costOf(() => app.request('/v1/events', { key: tenant.ingestKey, body }))
    expect(cost).toMatchObject({ postgres: 1, redis: 1 })
    commands += cost.commands
  }
  expect(commands / events).toBeLessThanOrEqual(3)
})

test('so is a batch of 500, whatever becomes of its events', async () => {
  const tenant = await createTestTenant(app)
  const body = Array.from({ length: 500 }, (_, index) => makeEvent({ service_name: `service-${index % 5}`, sha: `sha-${index}` }))
  const cost = await costOf(async () => {
    expect((await app.request('/v1/events/batch', { key: tenant.ingestKey, body })).status).toBe(200)
  })
  expect(cost).toMatchObject({ postgres: 1, redis: 1 })
  expect(cost.commands / 500).toBeLessThanOrEqual(3)
})

test('an event that joins a second window costs no more requests, and as much per window', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ service_name: 'app', entity: 'app' }) })
  const events = 20
  let commands = 0
  for (let sent = 0; sent < events; sent += 1) {
    const body = makeEvent({ service_name: 'argocd-application-controller', entity: 'app', sha: `sha-${sent}` })
    const cost = await costOf(() => app.request('/v1/events', { key: tenant.ingestKey, body }))
    expect(cost).toMatchObject({ postgres: 1, redis: 1 })
    commands += cost.commands
  }
  expect(commands / (2 * events)).toBeLessThanOrEqual(2.1)
})

test.each(['targeting_match', 'static'])('a delivery of flags’ evaluations is one Postgres request, for any reason: %s', async (reason) => {
  const tenant = await createTestTenant(app)
  const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } })
  const attributes = [attribute('feature_flag.key', 'new-pay'), attribute('feature_flag.result.reason', reason)]
  const logRecords = [{ eventName: 'feature_flag.evaluation', attributes: [...attributes, attribute('feature_flag.result.variant', 'on')] }]
  const resource = { attributes: [attribute('service.name', 'checkout')] }
  const body = { resourceLogs: [{ resource, scopeLogs: [{ logRecords }] }] }
  const cost = await costOf(async () => {
    expect((await app.request('/v1/logs', { key: tenant.ingestKey, body })).status).toBe(200)
  })
  expect(cost.postgres).toBe(1)
})

test('a duplicate is one Postgres request, and one after its answer that looks whether a flood was counted whole', async () => {
  const tenant = await createTestTenant(app)
  const body = makeEvent({ timestamp: '2026-01-15T10:00:00Z' })
  await app.request('/v1/events', { key: tenant.ingestKey, body })
  const cost = await costOf(() => app.request('/v1/events', { key: tenant.ingestKey, body }))
  expect(cost).toEqual({ postgres: 2, redis: 0, commands: 0 })
})

test('a window is one request to each store once the isolate knows the key', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  const id = (await listServicesOf(app, tenant)).get('checkout')?.id
  const read = () => app.request(`/v1/services/${id}/context`, { key: tenant.readonlyKey })
  await read()
  expect(await costOf(read)).toEqual({ postgres: 1, redis: 1, commands: 1 })
})

test('a key that cannot be one costs nothing', async () => {
  const cost = await costOf(async () => {
    for (const key of ['nonsense', `noc_ingest_${'2'.repeat(44)}`]) {
      expect((await app.request('/v1/events', { key, body: makeEvent() })).status).toBe(401)
    }
  })
  expect(cost).toEqual({ postgres: 0, redis: 0, commands: 0 })
})
