import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, listServicesOf, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { startOwnStack } from '../support/own-stack.ts'

// A cron tick is of all tenants.
const app = startApp({ stack: await startOwnStack() })

async function call(tenant: TestTenant, service: string, declared?: unknown) {
  const id = (await listServicesOf(app, tenant)).get(service)?.id ?? service
  const options = declared === undefined ? {} : { method: 'PUT', body: { declared } }
  const response = await app.request(`/v1/services/${id}/dependencies`, { key: tenant.readonlyKey, ...options })
  return { status: response.status, body: await response.json() }
}

const failure = (fields: Readonly<Record<string, unknown>>) =>
  makeEvent({ vendor: 'pino', event_type: 'dependency_failure', sha: undefined, new_value: 'ECONNREFUSED', ...fields })

const send = (tenant: TestTenant, ...events: unknown[]) => app.request('/v1/events/batch', { key: tenant.ingestKey, body: events })

test('what is declared replaces what was declared before', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, makeEvent())
  expect(await call(tenant, 'checkout')).toEqual({ status: 200, body: { learned: [], declared: [] } })
  expect(await call(tenant, 'checkout', ['search', 'payments', 'search'])).toEqual({
    status: 200,
    body: { learned: [], declared: ['payments', 'search'] },
  })
  expect((await call(tenant, 'checkout', ['cart'])).body).toEqual({ learned: [], declared: ['cart'] })
  expect((await call(tenant, 'checkout', [])).body).toEqual({ learned: [], declared: [] })
})

test.each([
  ['no list', 'payments'],
  ['a number in it', [3]],
  ['a blank name', [' ']],
  ['too many', Array.from({ length: 201 }, (_, index) => `service-${index}`)],
])('%s is refused', async (_name, declared) => {
  const tenant = await createTestTenant(app)
  await send(tenant, makeEvent())
  expect((await call(tenant, 'checkout', declared)).status).toBe(400)
})

test('another tenant’s service is unknown, and its edges are its own', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  await send(tenant, makeEvent())
  await send(other, makeEvent())
  const id = (await listServicesOf(app, tenant)).get('checkout')?.id ?? ''
  expect((await call(other, id)).status).toBe(404)
  expect((await call(other, id, ['payments'])).status).toBe(404)
  expect((await call(tenant, 'not-a-uuid')).status).toBe(404)
  await call(tenant, 'checkout', ['payments'])
  expect((await call(other, 'checkout')).body).toEqual({ learned: [], declared: [] })
})

test('the cron learns from each failure once, and what is declared stays beside it', async () => {
  const tenant = await createTestTenant(app)
  const other = await createTestTenant(app)
  await send(other, makeEvent({ service_name: 'ledger' }))
  await send(
    tenant,
    makeEvent({ service_name: 'payments', entity: 'payments' }),
    makeEvent({ service_name: 'search', entity: 'search' }),
    failure({ entity: 'payments' }),
    failure({ entity: 'payments' }),
    failure({ entity: 'checkout', new_value: 'GET http://search.prod.svc:80 timed out', event_type: 'circuit_open' }),
    failure({ entity: 'ledger' }),
  )
  await call(tenant, 'checkout', ['payments', 'cart'])
  await sleep(5_100)
  await runSweep(app.deps, new Date())
  const { body } = await call(tenant, 'checkout')
  expect(body.declared).toEqual(['cart', 'payments'])
  expect(body.learned).toMatchObject([
    { service: 'payments', seen: 2 },
    { service: 'search', seen: 1 },
  ])
  await Promise.all([runSweep(app.deps, new Date()), runSweep(app.deps, new Date())])
  expect((await call(tenant, 'checkout')).body).toEqual(body)
  expect((await call(tenant, 'checkout', [])).body).toEqual({ ...body, declared: [] })
})
