import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, makeEvent, startApp } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { startOwnStack } from '../support/own-stack.ts'

// A cron tick is of all tenants.
const stack = await startOwnStack()
const database = await startFaultProxy(stack.databaseEndpoint)
const redis = await startFaultProxy(stack.redisUrl)
const app = startApp({ stack, database: database.url, redis: redis.url, bindings: { SWEEP_REQUESTS: '40' } })

/** What Cloudflare's free plan lets an invocation make. */
const FREE_REQUESTS = 50

test('a tick stays within the free plan’s requests, and sweeps, whatever waits for it', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  await app.deps.db.execute(sql`INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, confidence,
      ttl_seconds, "timestamp", received_at, expires_at, value_class, change_key, appeared_at)
    SELECT gen_random_uuid(), e.tenant_id, e.agent_id, e.service_id, e.service_name, 'x', 'restart', 'e' || n, 0.9, 60, now(), now(),
      now() - interval '1 minute', '', gen_random_uuid(), now()
    FROM context_events e CROSS JOIN generate_series(1, 20000) AS n`)
  const tick = async () => {
    const before = database.seen.length + redis.seen.length
    const { deleted } = await runSweep(app.deps, new Date())
    return { deleted, requests: database.seen.length + redis.seen.length - before }
  }
  const sweeping = await tick()
  expect(sweeping.deleted).toBeGreaterThan(1_000)
  expect(sweeping.requests).toBeLessThan(FREE_REQUESTS)

  for (let place = 0; place < 4; place += 1) await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout' } })
  await app.deps.db.execute(sql`UPDATE incident_work SET state = 'due', next_at = now() - interval '1 minute'`)
  await app.deps.db.execute(
    sql`INSERT INTO window_repairs (tenant_id, service_id) SELECT tenant_id, id FROM services ON CONFLICT DO NOTHING`,
  )
  const all = await tick()
  expect(all.deleted).toBeGreaterThan(0)
  expect(all.requests).toBeLessThan(FREE_REQUESTS)
})
