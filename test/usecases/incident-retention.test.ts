import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { startOwnStack } from '../support/own-stack.ts'

// A cron tick is of all tenants.
const stack = await startOwnStack()
const app = startApp({ stack }, { rest: async () => {} })
const sweepIn = (days: number) => runSweep(app.deps, new Date(Date.now() + days * 24 * 3_600_000))

async function diagnose({ ingestKey, readonlyKey }: TestTenant, service: string) {
  await app.request('/v1/events', { key: ingestKey, body: makeEvent({ service_name: service, entity: service }) })
  await app.request('/v1/events', {
    key: ingestKey,
    body: makeEvent({ service_name: service, vendor: 'pino', event_type: 'dependency_failure', entity: 'db', new_value: 'ECONNREFUSED' }),
  })
  const body = { service, title: 'errors', observed_until: new Date().toISOString() }
  return await (await app.request('/v1/incidents', { key: readonlyKey, body })).json()
}

const read = async ({ readonlyKey }: TestTenant, id: string) => {
  const response = await app.request(`/v1/incidents/${id}`, { key: readonlyKey })
  return response.status === 200 ? await response.json() : response.status
}

test('what an unconfirmed answer saw goes after 90 days but for what it cites, and incidents go after 400', async () => {
  const tenant = await createTestTenant(app)
  const [open, confirmed] = [await diagnose(tenant, 'checkout'), await diagnose(tenant, 'payments')]
  const feedback = { method: 'PUT', key: tenant.readonlyKey, body: { confirmed: true } }
  expect((await app.request(`/v1/incidents/${confirmed.id}/feedback`, feedback)).status).toBe(204)
  const whole = await read(tenant, confirmed.id)

  await sweepIn(89)
  expect((await read(tenant, open.id)).context_snapshot).toEqual(open.context_snapshot)
  await sweepIn(91)
  const cut = await read(tenant, open.id)
  expect(cut.context_snapshot).toMatchObject({ alert: open.context_snapshot.alert, dependencies: [], patterns: [] })
  const changed = { context_snapshot: null, similar_incidents: null }
  expect({ ...cut, ...changed }).toEqual({ ...open, ...changed })
  expect(await read(tenant, confirmed.id)).toEqual(whole)

  await sweepIn(399)
  expect((await read(tenant, open.id)).id).toBe(open.id)
  await sweepIn(401)
  expect([await read(tenant, open.id), await read(tenant, confirmed.id)]).toEqual([404, 404])
  const { rows } = await app.deps.db.execute(
    sql`SELECT (SELECT count(*) FROM diagnoses)::int AS answers, (SELECT count(*) FROM incident_work)::int AS work`,
  )
  expect(rows).toEqual([{ answers: 0, work: 0 }])
})

test('the days are settings', async () => {
  const tenant = await createTestTenant(app)
  const { id } = await diagnose(tenant, 'checkout')
  const brief = startApp({ stack, bindings: { INCIDENT_DAYS: '2', SNAPSHOT_DAYS: '1' } }, { rest: async () => {} })
  await runSweep(brief.deps, new Date(Date.now() + 3 * 24 * 3_600_000))
  expect(await read(tenant, id)).toBe(404)
})
