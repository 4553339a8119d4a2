import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { afterAll, describe, expect, test } from 'vitest'
import { toId } from '../../src/domain/ids.ts'
import { sweepBatch } from '../../src/store/sweeps.ts'
import { repairWindow } from '../../src/usecases/read-window.ts'
import { createLaggingBackend, serveUpstash } from '../stack/upstash-rest.ts'
import { createTestTenant, entriesOf, listServicesOf, makeEvent, readWindowOf, startApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { startOwnStack } from '../support/own-stack.ts'

const stack = await startOwnStack()

/** A read that missed its deadline for the copy shows less, and the next one does not. */
const PATIENT = { timeout: 15_000, interval: 500 }

/** An app of one test's, before a Redis whose replica hears of what was written only after a while. */
async function startLagging() {
  const lag = { lagMs: 0 }
  const upstash = await serveUpstash({ run: createLaggingBackend(lag).run })
  afterAll(upstash.stop)
  const app = startApp({ stack, redis: upstash.url })
  const countIn = async (tenant: TestTenant) => entriesOf(await readWindowOf(app, tenant, 'checkout')).map(({ count }) => count)
  const send = async (tenant: TestTenant, count: number, fields: Readonly<Record<string, unknown>> = {}) => {
    const body = Array.from({ length: count }, () => makeEvent(fields))
    expect(await (await app.request('/v1/events/batch', { key: tenant.ingestKey, body })).json()).toMatchObject({ accepted: count })
  }
  return { app, lag, redis: upstash.url, countIn, send }
}

const database = await startFaultProxy(stack.databaseEndpoint)

// They wait, so they do it at the same time.
const [swept, unheardOf, raised, flooded] = [await startLagging(), await startLagging(), await startLagging(), await startLagging()]

describe.concurrent('a count', () => {
  test('that Postgres has swept part of is never lowered by a copy that was read late', async ({ expect }) => {
    const { app, lag, countIn, send } = swept
    const tenant = await createTestTenant(app)
    await send(tenant, 20, { ttl_seconds: 3 })
    await send(tenant, 3)
    await sleep(1_100)
    lag.lagMs = 6_000
    await send(tenant, 3)
    await sleep(3_600)
    await sweepBatch(app.deps.db, new Date(), 1_000)
    // The replica has heard of 23, Postgres stores 6.
    await countIn(tenant)
    await app.settle()
    await sleep(6_100)
    await expect.poll(() => countIn(tenant), PATIENT).toEqual([26])
  })

  test('that Postgres has swept part of is never lowered by a copy that no replica has heard of yet', async ({ expect }) => {
    const { app, lag, countIn, send } = unheardOf
    lag.lagMs = 6_000
    const tenant = await createTestTenant(app)
    await send(tenant, 20, { ttl_seconds: 3 })
    await send(tenant, 3)
    await sleep(3_600)
    await sweepBatch(app.deps.db, new Date(), 1_000)
    await countIn(tenant)
    await app.settle()
    await sleep(6_100)
    await expect.poll(() => countIn(tenant), PATIENT).toEqual([23])
  })

  test('that is too high is taken back all the same', async () => {
    const { app, countIn, send } = raised
    const tenant = await createTestTenant(app)
    await send(tenant, 3)
    await sleep(2_100)
    const { client } = app.deps.redis
    const [key = ''] = await app.redis.keys(`t:${tenant.tenantId}:window:*`)
    const members = await client.ask<string[]>(['ZRANGE', key, 0, -1])
    await client.ask(['ZADD', key, 9, members.find((member) => member.startsWith('n')) ?? ''])
    expect(await countIn(tenant)).toEqual([3])
    await app.settle()
    expect(await client.ask(['ZSCORE', key, members.find((member) => member.startsWith('n')) ?? ''])).toBe('3')
  })

  test('of a flood of which a part came twice, as its first answer was lost, is whole', async () => {
    const { app, redis, countIn } = flooded
    const tenant = await createTestTenant(app)
    const flag = (index: number) =>
      makeEvent({ event_type: 'flag_change', timestamp: new Date(Date.UTC(2026, 0, 1) + index).toISOString() })
    const batch = (from: number, count: number) => Array.from({ length: count }, (_, index) => flag(from + index))
    for (let start = 0; start < 2_500; start += 500)
      await app.request('/v1/events/batch', { key: tenant.ingestKey, body: batch(start, 500) })
    database.fault = (asked) => (JSON.stringify(asked).includes('ingest_events') ? 'lose_reply' : 'none')
    const unheard = startApp({ stack, redis, database: database.url })
    expect((await unheard.request('/v1/events/batch', { key: tenant.ingestKey, body: batch(2_500, 100) })).status).toBe(503)
    const again = await app.request('/v1/events/batch', { key: tenant.ingestKey, body: batch(2_500, 100) })
    expect(await again.json()).toMatchObject({ duplicates: 100 })
    await app.settle()
    const { rows } = await app.deps.db.execute<{ service_id: string }>(
      sql`SELECT service_id FROM window_repairs WHERE tenant_id = ${tenant.tenantId}`,
    )
    const id = (await listServicesOf(app, tenant)).get('checkout')?.id
    expect(rows).toEqual([{ service_id: id }])
    await sleep(2_100)
    await repairWindow(app.deps, { tenantId: toId(tenant.tenantId), serviceId: toId(id ?? '') })
    expect(await countIn(tenant)).toEqual([2_600])
  })
})
