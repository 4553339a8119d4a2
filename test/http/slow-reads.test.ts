import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { createTestTenant, listServicesOf, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'

test('a key whose reads are slow has four of them at once, and quick ones and other tenants none the less', async () => {
  const database = await startFaultProxy(inject('stack').databaseEndpoint)
  const app = startApp({ database: database.url, patience: 1 })
  const [slow, other] = [await createTestTenant(app), await createTestTenant(app)]
  const pathOf = async (tenant: TestTenant) => {
    await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
    return `/v1/services/${(await listServicesOf(app, tenant)).get('checkout')?.id}/context?at=${new Date().toISOString()}`
  }
  const [slowPath, otherPath] = [await pathOf(slow), await pathOf(other)]
  const quick = await Promise.all(Array.from({ length: 12 }, () => app.request(slowPath, { key: slow.readonlyKey })))
  expect(quick.map(({ status }) => status)).toEqual(Array(12).fill(200))

  database.fault = 'hang'
  const hanging = Array.from({ length: 4 }, () => app.request(slowPath, { key: slow.readonlyKey }))
  await sleep(400)
  database.fault = 'none'
  const asked = database.seen.length
  const refused = await app.request(slowPath, { key: slow.readonlyKey })
  expect([refused.status, refused.headers.get('Retry-After')]).toEqual([503, '5'])
  expect(database.seen.length).toBe(asked)
  expect((await app.request(otherPath, { key: other.readonlyKey })).status).toBe(200)
  expect((await Promise.all(hanging)).map(({ status }) => status)).toEqual(Array(4).fill(503))
  expect((await app.request(slowPath, { key: slow.readonlyKey })).status).toBe(200)
})
