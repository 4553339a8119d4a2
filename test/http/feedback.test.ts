import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { expect, inject, test } from 'vitest'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()

type Body = Readonly<Record<string, unknown>>

const minutesAgo = (minutes: number) => new Date(Date.now() - 60_000 * minutes).toISOString()

async function ask(tenant: TestTenant, service: string) {
  const response = await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service, create: true } })
  const asked = await response.json()
  if (asked.status !== 'diagnosing') return asked
  // A loaded machine is answered before the diagnosis is there.
  await app.settle()
  return await (await app.request(`/v1/incidents/${asked.id}`, { key: tenant.readonlyKey })).json()
}

/** A deploy of `callee` and the failures of `caller` that follow, as a question about the caller is answered. */
async function sufferOutage(tenant: TestTenant, caller: string, callee: string) {
  const body = [
    makeEvent({ service_name: callee, entity: callee, sha: randomUUID().slice(0, 8), timestamp: minutesAgo(6) }),
    makeEvent({
      service_name: caller,
      vendor: 'pino',
      entity: callee,
      event_type: 'dependency_failure',
      new_value: 'connect ECONNREFUSED',
      sha: undefined,
      timestamp: minutesAgo(2),
    }),
  ]
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body })
  return await ask(tenant, caller)
}

const read = async (tenant: TestTenant, id: string) => await (await app.request(`/v1/incidents/${id}`, { key: tenant.readonlyKey })).json()

async function judge(tenant: TestTenant, id: string, confirmed: unknown): Promise<number> {
  const body = confirmed === undefined ? {} : { confirmed }
  return (await app.request(`/v1/incidents/${id}/feedback`, { key: tenant.readonlyKey, method: 'PUT', body })).status
}

test('a verdict is kept, and another replaces it', async () => {
  const tenant = await createTestTenant(app)
  const { id } = await sufferOutage(tenant, 'checkout', 'payments')
  for (const confirmed of [true, true, false]) {
    expect(await judge(tenant, id, confirmed)).toBe(204)
    expect((await read(tenant, id)).engineer_confirmed).toBe(confirmed)
  }
  const audit: Body[] = await (await app.request('/v1/audit', { key: tenant.readonlyKey })).json()
  expect(audit.slice(0, 2).map(({ action, target_id }) => [action, target_id])).toEqual([
    ['incident.rejected', id],
    ['incident.confirmed', id],
  ])
})

test.each([[undefined], [null], ['yes'], [1]])('feedback of %s is refused', async (confirmed) => {
  const tenant = await createTestTenant(app)
  const { id } = await ask(tenant, 'checkout')
  expect(await judge(tenant, id, confirmed)).toBe(400)
})

test('an incident that is not there, or another’s, cannot be judged', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  const { id } = await ask(tenant, 'checkout')
  expect(await judge(tenant, randomUUID(), true)).toBe(404)
  expect(await judge(tenant, 'nope', true)).toBe(404)
  expect(await judge(other, id, true)).toBe(404)
  expect((await read(tenant, id)).engineer_confirmed).toBeNull()
})

test.runIf(inject('stack').postgres === 'embedded')('the next similar incident of the tenant cites a judged one', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  const first = await sufferOutage(tenant, 'checkout', 'payments')
  expect(first.similar_incidents).toEqual([])
  await judge(tenant, first.id, true)
  expect((await read(tenant, first.id)).similar_incidents).toEqual([])

  const second = await sufferOutage(tenant, 'storefront', 'catalogue')
  expect(second.similar_incidents).toMatchObject([
    { id: first.id, service: 'checkout', hypothesis: first.hypothesis, engineer_confirmed: true, similarity: expect.any(Number) },
  ])
  expect(second.similar_incidents[0].similarity).toBeGreaterThan(0.8)
  expect(second.context_snapshot.patterns).toMatchObject([{ service: 'payments', event_type: 'deploy', verdict: 'confirmed' }])

  await judge(tenant, first.id, false)
  expect((await read(tenant, second.id)).similar_incidents).toMatchObject([{ id: first.id, engineer_confirmed: false }])
  const third = await sufferOutage(tenant, 'storefront', 'catalogue')
  expect(third.context_snapshot.patterns).toMatchObject([{ verdict: 'rejected' }])

  // As after a roll-back from a release that stored them otherwise.
  await app.deps.db.execute(sql`UPDATE causal_patterns SET v = 2 WHERE tenant_id = ${tenant.tenantId}`)
  const fourth = await sufferOutage(tenant, 'storefront', 'catalogue')
  expect([fourth.status, fourth.context_snapshot.patterns, fourth.similar_incidents]).toEqual(['diagnosed', [], []])
  expect(app.logs).toContainEqual({ event: 'memory_left_out', tenant_id: tenant.tenantId, reason: expect.stringContaining('form 2') })

  const elsewhere = await sufferOutage(other, 'checkout', 'payments')
  expect(elsewhere.similar_incidents).toEqual([])
  expect(elsewhere.context_snapshot.patterns).toEqual([])
})

test.runIf(inject('stack').postgres === 'embedded')('an answer that blames nothing teaches nothing', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', {
    key: tenant.ingestKey,
    body: makeEvent({ vendor: 'generic', entity: 'unknown', event_type: 'dependency_failure', sha: undefined, new_value: 'slow' }),
  })
  const first = await ask(tenant, 'checkout')
  expect(first.hypothesis).toContain('no recorded change')
  expect(await judge(tenant, first.id, false)).toBe(204)
  expect((await ask(tenant, 'checkout')).context_snapshot.patterns).toEqual([])
})

test('an answer that blames nothing counts by how likely it was that no recorded change is to blame', async () => {
  const tenant = await createTestTenant(app)
  for (const service of ['checkout', 'payments', 'catalogue']) {
    const { id, confidence } = await ask(tenant, service)
    expect(confidence).toBe(0)
    await judge(tenant, id, true)
  }
  const { reliability, ...figures } = await (await app.request('/v1/quality', { key: tenant.readonlyKey })).json()
  expect(figures).toEqual({ verdicts: 3, confirmed: 3, rejected: 0, accuracy: 1, brier: 0, abstained: 1 })
  expect(reliability[9]).toEqual({ from: 0.9, to: 1, answers: 3, confirmed: 3 })

  const failure = { vendor: 'pino', event_type: 'dependency_failure', new_value: 'connect ETIMEDOUT api.stripe.com:443', sha: undefined }
  const body = [
    makeEvent({ service_name: 'orders', entity: 'orders', timestamp: minutesAgo(50) }),
    makeEvent({ service_name: 'orders', entity: 'stripe', ...failure, timestamp: minutesAgo(2) }),
  ]
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body })
  const { id, assessment } = await ask(tenant, 'orders')
  await judge(tenant, id, true)
  const { brier } = await (await app.request('/v1/quality', { key: tenant.readonlyKey })).json()
  expect(assessment).toBe('external')
  expect(brier).toBeGreaterThan(0)
  expect(brier).toBeLessThan(0.25)
})

test('verdicts add up to quality, and correct how sure later answers are', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  const qualityOf = async (of: TestTenant) => await (await app.request('/v1/quality', { key: of.readonlyKey })).json()
  expect(await qualityOf(tenant)).toMatchObject({ verdicts: 0, accuracy: null, brier: null, abstained: null })
  const first = await sufferOutage(tenant, 'checkout', 'payments')
  for (let index = 0; index < 8; index += 1) {
    const { id } = await ask(tenant, 'checkout')
    await judge(tenant, id, false)
  }
  await judge(tenant, first.id, true)
  expect(await qualityOf(tenant)).toMatchObject({ verdicts: 9, confirmed: 1, rejected: 8, accuracy: expect.closeTo(1 / 9), abstained: 0 })
  expect((await ask(tenant, 'checkout')).confidence).toBeLessThan(first.confidence - 0.1)
  expect(await qualityOf(other)).toMatchObject({ verdicts: 0 })
})
