import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, METRICS_TOKEN, startApp } from '../support/app.ts'
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { startOwnStack } from '../support/own-stack.ts'
import { connectPager, deliver, makeDelivery, newRef } from '../support/pagerduty.ts'

// A cron tick is of all tenants.
const stack = await startOwnStack()
const app = startApp({ stack })
const [database, redis] = [await startFaultProxy(stack.databaseEndpoint), await startFaultProxy(stack.redisUrl)]
const cron = startApp({ stack, database: database.url, redis: redis.url }, { rest: async () => {} })

let minute = Math.ceil(Date.now() / 60_000) + 1

/** The next tick, after any time in which the hint that Postgres is in use may have run out. */
async function tick(): Promise<{ readonly skipped: boolean } | undefined> {
  await app.redis.del('sweep:database_in_use')
  minute += 1
  return await runSweep(cron.deps, new Date(60_000 * minute)).catch(() => undefined)
}

async function tickUntilIdle(): Promise<void> {
  for (let ticks = 0; !(await tick())?.skipped; ticks += 1) expect(ticks).toBeLessThan(10)
}

const faultOf = fc.constantFrom<Fault>('none', 'refuse', { status: 500, body: 'null' }, 'lose_reply')
const minutesOf = fc.array(fc.record({ database: faultOf, redis: faultOf }), { maxLength: 4 })

test('an alert that was acknowledged is diagnosed within two ticks of both stores being back, whatever failed for however long', async () => {
  const tenant = await createTestTenant(app)
  const pager = await connectPager(app, tenant)
  await fc.assert(
    fc.asyncProperty(minutesOf, minutesOf, fc.nat({ max: 3 }), faultOf, async (before, after, requestsLeft, redisAtAlert) => {
      await tickUntilIdle()
      const fail = async (minutes: typeof before) => {
        for (const faults of minutes) {
          Object.assign(database, { fault: faults.database })
          Object.assign(redis, { fault: faults.redis })
          await tick()
        }
      }
      await fail(before)
      const mortalDatabase = await startFaultProxy(stack.databaseEndpoint, { left: requestsLeft, servesLast: true })
      redis.fault = redisAtAlert
      const mortal = startApp({ stack, database: mortalDatabase.url, redis: redis.url }, { rest: async () => {} })
      const [ref, deliveryId] = [newRef(), randomUUID()]
      const delivery = makeDelivery({ ref, service: `service ${ref}` })
      const { status } = await deliver(mortal, pager, delivery, { deliveryId })
      await mortal.settle()
      await fail(after)
      Object.assign(database, { fault: 'none' })
      Object.assign(redis, { fault: 'none' })
      if (status !== 202) expect((await deliver(app, pager, delivery, { deliveryId })).status).toBe(202)
      await app.settle()
      await tick()
      await tick()
      const incidents = await (await app.request('/v1/incidents', { key: tenant.readonlyKey })).json()
      const incident = incidents.find(({ external_ref }: { external_ref: string }) => external_ref === ref)
      expect(incident).toMatchObject({ status: 'diagnosed' })
    }),
    { numRuns: 12 },
  )
})

test('windows that missed merges are repaired by a share of the ticks’ requests, or by whoever reads them', async () => {
  const marked = async () => (await (await app.request('/health', { key: METRICS_TOKEN })).json()).backlog.windows_awaiting_repair
  const [crowd, other] = [await createTestTenant(app), await createTestTenant(app)]
  const broken = startApp({ stack, redis: redis.url })
  redis.fault = 'refuse'
  const send = async (key: string, names: readonly string[]) => {
    const body = names.map((service_name) => ({
      service_name,
      vendor: 'argocd',
      entity: service_name,
      event_type: 'deploy',
      confidence: 1,
      ttl_seconds: 86_400,
    }))
    expect((await broken.request('/v1/events/batch', { key, body })).status).toBe(200)
  }
  await send(
    crowd.ingestKey,
    Array.from({ length: 120 }, (_, index) => `service-${index}`),
  )
  await send(other.ingestKey, ['checkout', 'payments'])
  await broken.settle()
  await tick()
  redis.fault = 'none'
  expect(await marked()).toBe(122)
  await new Promise((resolve) => setTimeout(resolve, 2_100))

  // Reading a window repairs it.
  const services = await (await app.request('/v1/services', { key: crowd.readonlyKey })).json()
  for (const { id } of services.slice(0, 20)) await app.request(`/v1/services/${id}/context`, { key: crowd.readonlyKey })
  await app.settle()
  expect(await marked()).toBe(102)

  // However many one tenant has, it waits no longer for the others than they for it.
  const { deps } = startApp({ stack, bindings: { SWEEP_REQUESTS: '64' } })
  minute += 1
  expect(await runSweep(deps, new Date(60_000 * minute))).toMatchObject({ repairedWindows: 4 })
  expect((await app.redis.keys(`t:${other.tenantId}:window:*`)).length).toBe(2)
  for (let ticks = 0; ticks < 2; ticks += 1) await tick()
  expect(await marked()).toBe(0)
})

test('a window that waits for its repair wakes an idle database', async () => {
  const tenant = await createTestTenant(app)
  const broken = startApp({ stack, redis: redis.url })
  await tickUntilIdle()
  redis.fault = (asked) => (JSON.stringify(asked).includes('ZADD') ? 'refuse' : 'none')
  await broken.request('/v1/events', {
    key: tenant.ingestKey,
    body: { service_name: 'a', vendor: 'b', entity: 'c', event_type: 'deploy', confidence: 1, ttl_seconds: 86_400 * 30 },
  })
  await broken.settle()
  redis.fault = 'refuse'
  await tick()
  redis.fault = (asked) => (JSON.stringify(asked).includes('ZRANGE') ? 'refuse' : 'none')
  const until = minute + 30
  expect(await tick()).toMatchObject({ skipped: false, repairedWindows: 0 })
  redis.fault = 'none'
  let repaired = 0
  while (repaired === 0 && minute < until) repaired = ((await tick()) as { repairedWindows?: number } | undefined)?.repairedWindows ?? 0
  expect(repaired).toBe(1)
})
