import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { toId } from '../../src/domain/ids.ts'
import { forgetOldIncidents } from '../../src/store/incident-retention.ts'
import { noticeLateEvents } from '../../src/store/late-events.ts'
import { readServiceGraph } from '../../src/store/service-graph.ts'
import { learnServiceGraph } from '../../src/usecases/learn-service-graph.ts'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { startOwnStack } from '../support/own-stack.ts'

// A cron tick is of all tenants.
const stack = await startOwnStack()
const app = startApp({ stack })
const { db } = app.deps

async function send(tenant: TestTenant, ...body: Record<string, unknown>[]): Promise<void> {
  for (let start = 0; start < body.length; start += 500)
    await app.request('/v1/events/batch', { key: tenant.ingestKey, body: body.slice(start, start + 500) })
}

test('what one tenant’s failures show is learned, however many another has', async () => {
  const [quiet, flood] = [await createTestTenant(app), await createTestTenant(app)]
  await send(quiet, makeEvent({ service_name: 'payments', entity: 'payments' }))
  await send(
    quiet,
    makeEvent({
      service_name: 'checkout',
      vendor: 'pino',
      event_type: 'dependency_failure',
      entity: 'payments',
      new_value: 'ECONNREFUSED',
    }),
  )
  await send(
    flood,
    ...Array.from({ length: 2_500 }, (_, index) =>
      makeEvent({ vendor: 'pino', event_type: 'dependency_failure', entity: `db-${index}`, new_value: 'ECONNREFUSED' }),
    ),
  )
  // What is just being stored is left for later.
  await db.execute(sql`UPDATE context_events SET received_at = received_at - interval '6 seconds'`)
  await learnServiceGraph(app.deps)
  expect((await readServiceGraph(db, toId(quiet.tenantId))).edges).toMatchObject([{ caller: 'checkout', callee: 'payments' }])
})

test('late events of one tenant are noticed at once, however many incidents another watches', async () => {
  const [quiet, crowd] = [await createTestTenant(app), await createTestTenant(app)]
  const watch = ({ tenantId }: TestTenant, count: number, minutes: number) =>
    db.execute(sql`WITH i AS (
      INSERT INTO incidents (id, tenant_id, service_id, service_name, triggered_at)
      SELECT gen_random_uuid(), ${tenantId}, gen_random_uuid(), 'checkout', now() FROM generate_series(1, ${count}::int) RETURNING id)
      INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, looks, looked_at, done_at)
      SELECT id, 'diagnosis', 0, ${tenantId}, 'watching', now() + interval '1 hour', 0, 1, now() - make_interval(mins => ${minutes}), now() FROM i`)
  await watch(crowd, 600, 20)
  await watch(quiet, 1, 10)
  await send(quiet, makeEvent({ timestamp: new Date(Date.now() - 60_000).toISOString() }))
  expect(await noticeLateEvents(db, new Date())).toBe(1)
})

test('incidents of one tenant are forgotten after their days, however many another’s are', async () => {
  const [quiet, crowd] = [await createTestTenant(app), await createTestTenant(app)]
  const age = ({ tenantId }: TestTenant, count: number, days: number) =>
    db.execute(sql`INSERT INTO incidents (id, tenant_id, service_id, service_name, triggered_at, created_at)
      SELECT gen_random_uuid(), ${tenantId}, gen_random_uuid(), 'checkout', now() - make_interval(days => ${days}::int), now() - make_interval(days => ${days}::int)
      FROM generate_series(1, ${count}::int)`)
  await age(crowd, 300, 500)
  await age(quiet, 1, 401)
  await age(quiet, 1, 399)
  await forgetOldIncidents(db, new Date(), { incidentDays: 400, snapshotDays: 90 })
  const { rows } = await db.execute(sql`SELECT tenant_id AS tenant, count(*)::int AS left FROM incidents
    WHERE tenant_id IN (${quiet.tenantId}, ${crowd.tenantId}) AND triggered_at < now() - interval '1 day' GROUP BY 1 ORDER BY 2`)
  expect(rows).toEqual([
    { tenant: quiet.tenantId, left: 1 },
    { tenant: crowd.tenantId, left: 201 },
  ])
})
