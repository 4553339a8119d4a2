import { expect, inject, test } from 'vitest'
import type { components } from '../../dist/api.d.ts'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'

const app = startApp()

const secondsAgo = (seconds: number) => new Date(Date.now() - 1_000 * seconds).toISOString()

async function send(tenant: TestTenant, events: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
  for (let from = 0; from < events.length; from += 500) {
    const response = await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events.slice(from, from + 500) })
    expect(await response.json()).toMatchObject({ accepted: Math.min(500, events.length - from) })
  }
}

async function ask(tenant: TestTenant, asked = app): Promise<components['schemas']['IncidentDetail']> {
  const response = await asked.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout' } })
  expect(response.status).toBe(201)
  return await response.json()
}

/** The windows of a snapshot: each service's restarts as [entity, count]. */
function toRestarts({ context_snapshot }: Awaited<ReturnType<typeof ask>>) {
  const windows = context_snapshot?.windows ?? []
  return new Map(windows.map(({ service, restart_events }) => [service, restart_events.map(({ entity, count }) => [entity, count])]))
}

const restart = (service_name: string, seconds: number) =>
  makeEvent({ service_name, vendor: 'kubernetes', entity: `pod of ${service_name}`, event_type: 'restart', timestamp: secondsAgo(seconds) })

test('of a flood, as many occurrences are counted as are looked at, fewer where nothing connects the service with the alert', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, [makeEvent({ timestamp: secondsAgo(400) })])
  for (const service of ['checkout', 'elsewhere']) {
    await send(
      tenant,
      Array.from({ length: 2_100 }, (_, index) => restart(service, 300 - index / 10)),
    )
  }
  const incident = await ask(tenant)
  expect(toRestarts(incident).get('checkout')).toEqual([['pod of checkout', 2_000]])
  expect(toRestarts(incident).get('elsewhere')).toEqual([['pod of elsewhere', 100]])
  expect(incident.hypothesis).toContain('a4f2c1')
})

test('when reading takes too long, what is connected with the alert is read again by itself', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, [makeEvent({ timestamp: secondsAgo(400) }), restart('checkout', 300), restart('elsewhere', 300)])
  expect([...toRestarts(await ask(tenant)).keys()].sort()).toEqual(['checkout', 'elsewhere'])

  const database = await startFaultProxy(inject('stack').databaseEndpoint)
  const slow = startApp({ database: database.url })
  const isLarge = (asked: unknown) => JSON.stringify(asked).includes('find_window_v1') && JSON.stringify(asked).includes('"2000"')
  database.fault = (asked) => (isLarge(asked) ? { status: 504, body: 'timeout' } : 'none')
  const incident = await ask(tenant, slow)
  expect([...toRestarts(incident).keys()]).toEqual(['checkout'])
  expect(incident.hypothesis).toContain('a4f2c1')
  expect(slow.logs).toContainEqual(expect.objectContaining({ event: 'evidence_reduced', tenant_id: tenant.tenantId }))
})
