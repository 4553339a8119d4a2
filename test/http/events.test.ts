import { expect, test } from 'vitest'
import { createTestTenant, entriesOf, listServicesOf, makeEvent, readWindowOf, startApp } from '../support/app.ts'

const app = startApp()

test('an event goes in and comes out of its window', async () => {
  const tenant = await createTestTenant(app)
  const response = await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ timestamp: '2026-01-15T10:23:41Z' }) })
  expect([response.status, await response.text()]).toEqual([201, ''])
  const services = await listServicesOf(app, tenant)
  expect([...services.keys()]).toEqual(['checkout'])
  const window = await readWindowOf(app, tenant, 'checkout')
  expect(entriesOf(window)).toMatchObject([
    { entity: 'checkout', count: 1, timestamp: '2026-01-15T10:23:41.000Z', joined_by: 'service_name' },
  ])
})
