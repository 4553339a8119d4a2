import { expect, inject, test } from 'vitest'
import { type ServiceId, type TenantId, toId } from '../../src/domain/ids.ts'
import { getNeighbourhood } from '../../src/store/neighbourhoods.ts'
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
    { name: 'checkout', live: { deploy: 1, restart: 2 }, lastEventAt: expect.any(Date), isSample: false },
    { name: 'argocd', live: { deploy: 1 } },
  ])
  expect(overviews[0]?.live).not.toHaveProperty('saturation')
  expect(overviews[0]?.hourly).toHaveLength(12)
  expect(overviews[0]?.hourly.slice(-2).reduce((sum, events) => sum + events)).toBe(4)
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

test('of a service with very many events, or whose window very many changes of others join, the overview says that it is a sample; the latest failures are in it', async () => {
  const tenant = await createTestTenant(app)
  const send = (events: object[]) => app.request('/v1/events/batch', { key: tenant.ingestKey, body: events })
  const calls = Array.from({ length: 5 }, (_, place) =>
    makeEvent({ event_type: 'dependency_failure', entity: 'payments', new_value: `${place}` }),
  )
  await send([...Array.from({ length: 490 }, (_, place) => makeEvent({ event_type: 'scale_event', old_value: `${place}` })), ...calls])
  await send(Array.from({ length: 90 }, (_, place) => makeEvent({ service_name: 'argocd', entity: 'orders', new_value: `${place}` })))
  await send([makeEvent({ service_name: 'orders', event_type: 'restart', entity: 'orders' })])
  const overviews = await listServiceOverviews(app.deps.db, tenant.tenantId, everything)
  const of = (name: string) => overviews.find((overview) => overview.name === name)
  expect(of('checkout')).toMatchObject({ isSample: true, failures: 5, live: { dependency_failure: 5 } })
  expect(of('orders')).toMatchObject({ isSample: true, failures: 1, live: { deploy: 25, restart: 1 } })
  expect(of('argocd')).toMatchObject({ isSample: false, live: { deploy: 90 } })
})

test('those in trouble come first, and what is part of another service is told of there', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  const ofPod = (name: string) => makeEvent({ vendor: 'kubernetes', event_type: 'restart', service_name: `prod/${name}`, entity: name })
  const events = [
    makeEvent({ service_name: 'late' }),
    makeEvent({ service_name: 'accounts' }),
    makeEvent({ service_name: 'accounts-api', vendor: 'kubernetes', entity: 'accounts-7d9f8b6c5-x2x9k' }),
    ...['payments-5m7v8f7s8-bl6kl', 'payments-5m7v8f7s8-flhjj', 'payments-hpa'].map(ofPod),
    ...['one', 'two', 'three', 'four', 'five'].map((text) =>
      makeEvent({ event_type: 'dependency_failure', service_name: 'zebra', entity: 'accounts', new_value: text }),
    ),
  ]
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events })
  await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'late' } })
  const list = (query = {}) => listServiceOverviews(app.deps.db, tenant.tenantId, { ...everything, ...query })
  const overviews = await list()
  expect(overviews.map(({ name, isAhead }) => `${name} ${isAhead}`)).toEqual([
    'late true',
    expect.stringMatching(/^(?:accounts|zebra) true$/),
    expect.stringMatching(/^(?:accounts|zebra) true$/),
    'payments true',
    'accounts-api false',
  ])
  const of = (name: string) => overviews.find((overview) => overview.name === name)
  expect(of('late')).toMatchObject({ activeIncidents: 1, failures: 0 })
  expect(of('zebra')).toMatchObject({ failures: 5, lastFailureAt: expect.any(Date), parts: [] })
  expect(of('accounts')).toMatchObject({ failures: 5, parts: [] })
  expect(of('accounts-api')).toMatchObject({ failures: 0, activeIncidents: 0 })
  expect(of('payments')).toMatchObject({
    failures: 3,
    parts: [{ name: 'prod/payments-5m7v8f7s8-bl6kl' }, { name: 'prod/payments-5m7v8f7s8-flhjj' }, { name: 'prod/payments-hpa' }],
  })
  expect((await list({ after: 'accounts' })).map(({ name }) => name)).toEqual(['accounts-api'])
  expect((await list({ nameLike: 'BL6' })).map(({ name }) => name)).toEqual(['prod/payments-5m7v8f7s8-bl6kl'])
  expect(await listServiceOverviews(app.deps.db, other.tenantId, everything)).toEqual([])
})

test('around a service are those that call it and that it calls, of its tenant alone', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  const events = [
    makeEvent({ service_name: 'payments' }),
    makeEvent({ event_type: 'dependency_failure', vendor: 'pino', service_name: 'checkout', entity: 'payments', new_value: 'timeout' }),
  ]
  for (const { ingestKey } of [tenant, other]) await app.request('/v1/events/batch', { key: ingestKey, body: events })
  const idOf = async (name: string) => {
    const services: { id: string; name: string }[] = await (await app.request('/v1/services', { key: tenant.readonlyKey })).json()
    return toId<ServiceId>(services.find((service) => service.name === name)?.id ?? '')
  }
  const body = { declared: ['payments', 'psp.example'] }
  await app.request(`/v1/services/${await idOf('checkout')}/dependencies`, { key: tenant.readonlyKey, method: 'PUT', body })
  expect(await getNeighbourhood(app.deps.db, tenant.tenantId, await idOf('payments'))).toMatchObject({
    name: 'payments',
    team: null,
    edges: [{ caller: 'checkout', callee: 'payments', declared: true }],
    services: expect.arrayContaining([{ id: await idOf('checkout'), name: 'checkout', isAlerting: false }]),
    failingCalls: [{ serviceName: 'checkout', entity: 'payments', count: 1 }],
  })
  expect((await getNeighbourhood(app.deps.db, tenant.tenantId, await idOf('checkout'))).edges).toHaveLength(2)
  await expect(getNeighbourhood(app.deps.db, other.tenantId, await idOf('payments'))).rejects.toThrow('no such service')
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
