import { expect, inject, test } from 'vitest'
import type { TenantId } from '../../src/domain/ids.ts'
import { createDb, inOneRequest } from '../../src/store/postgres.ts'
import { listServiceOverviews } from '../../src/store/service-overviews.ts'
import { getFirstSteps } from '../../src/store/tenants.ts'
import { createTestTenant, makeEvent, startApp } from '../support/app.ts'

const app = startApp()
const everything = { heardOfSince: new Date(0), nameLike: undefined, after: undefined, limit: 100 }

test('an overview counts live events by type, joined ones too, and all that came in an hour', async () => {
  const tenant = await createTestTenant(app)
  const at = (seconds: number) => new Date(Date.now() - 1_000 * seconds).toISOString()
  const events = [
    makeEvent({ service_name: 'argocd', entity: 'checkout', timestamp: at(3) }),
    makeEvent({ event_type: 'restart', timestamp: at(2) }),
    makeEvent({ event_type: 'restart', timestamp: at(1) }),
    makeEvent({ event_type: 'saturation', ttl_seconds: 1, timestamp: at(1) }),
  ]
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events })
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  const overviews = await listServiceOverviews(app.deps.db, tenant.tenantId, everything)
  expect(overviews).toMatchObject([
    { name: 'argocd', live: { deploy: 1 } },
    { name: 'checkout', live: { deploy: 1, restart: 2 }, lastEventAt: expect.any(Date), isSample: false },
  ])
  expect(overviews[1]?.live).not.toHaveProperty('saturation')
  expect(overviews[1]?.hourly).toHaveLength(12)
  expect(overviews[1]?.hourly.slice(-2).reduce((sum, events) => sum + events)).toBe(4)
})

test('another tenant sees none of it, not even by a service of the same name', async () => {
  const [mine, theirs] = [await createTestTenant(app), await createTestTenant(app)]
  await app.request('/v1/events', { key: mine.ingestKey, body: makeEvent({ service_name: 'argocd', entity: 'checkout' }) })
  await app.request('/v1/events', { key: theirs.ingestKey, body: makeEvent({ event_type: 'restart' }) })
  expect(await listServiceOverviews(app.deps.db, theirs.tenantId, everything)).toMatchObject([{ name: 'checkout', live: { restart: 1 } }])
  const { tenantId } = await createTestTenant(app)
  expect(await listServiceOverviews(app.deps.db, tenantId, everything)).toEqual([])
  expect(await getFirstSteps(app.deps.db, tenantId)).toEqual({ hasIngestKey: true, hasAgent: true, hasEvent: false, hasIntegration: false })
})

test('of a service with very many events the overview says that it is a sample', async () => {
  const tenant = await createTestTenant(app)
  for (let batch = 0; batch < 5; batch += 1) {
    const events = Array.from({ length: 500 }, (_, place) => makeEvent({ event_type: 'restart', old_value: `${batch} ${place}` }))
    await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events })
  }
  expect(await listServiceOverviews(app.deps.db, tenant.tenantId, everything)).toMatchObject([{ isSample: true, live: { restart: 2_000 } }])
})

test('what is asked for together travels together; one failure is everybody’s', async () => {
  const requests: number[] = []
  const { databaseUrl: url, databaseEndpoint: endpoint } = inject('stack')
  const counting = createDb({ url, endpoint, timeoutMs: 10_000, onRequest: () => void requests.push(1) })
  const { tenantId } = await createTestTenant(app)
  const db = inOneRequest(counting)
  const [first, second, steps] = await Promise.all([
    listServiceOverviews(db, tenantId, everything),
    listServiceOverviews(db, tenantId, { ...everything, limit: 1 }),
    getFirstSteps(db, tenantId),
  ])
  expect([first, second, steps.hasAgent, requests.length]).toEqual([[], [], true, 1])
  const answers = await Promise.allSettled([getFirstSteps(db, 'not a uuid' as TenantId), getFirstSteps(db, tenantId)])
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect((await getFirstSteps(db, tenantId)).hasAgent).toBe(true)
})

test('only what joins the request can be asked for', () => {
  const { databaseUrl: url, databaseEndpoint: endpoint } = inject('stack')
  const db = inOneRequest(createDb({ url, endpoint, timeoutMs: 10_000 }))
  expect(Object.keys(db)).toEqual(['execute'])
  // @ts-expect-error A builder of Drizzle would be sent by itself.
  expect(db.select).toBeUndefined()
  // @ts-expect-error So would another batch.
  expect(db.batch).toBeUndefined()
  // @ts-expect-error What travels together cannot be gathered twice.
  expect(() => inOneRequest(db)).not.toThrow()
})
