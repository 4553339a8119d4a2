import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect, inject, test } from 'vitest'
import { storeQueued } from '../../src/usecases/store-queued.ts'
import { createTestTenant, entriesOf, makeEvent, readWindowOf, startApp, type TestTenant } from '../support/app.ts'
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { createPersistentQueue } from '../support/persistent-queue.ts'

const stack = inject('stack')
const database = await startFaultProxy(stack.databaseEndpoint)
const queue = createPersistentQueue()
const app = startApp({ database: database.url, bindings: { INGEST_QUEUE: queue } })
const healthy = startApp()

const drain = async (deps = healthy.deps) => {
  while (queue.list().length > 0) await queue.deliver((messages) => storeQueued(deps, messages))
}

async function away<Result>(work: () => Promise<Result>, fault: Fault = 'refuse'): Promise<Result> {
  database.fault = fault
  try {
    return await work()
  } finally {
    database.fault = 'none'
  }
}

/** A tenant whose key was seen good. */
async function createSender(): Promise<TestTenant> {
  const tenant = await createTestTenant(app)
  expect((await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ sha: 'first' }) })).status).toBe(201)
  await app.settle()
  return tenant
}

const send = (tenant: TestTenant, body: unknown, path = '/v1/events') => app.request(path, { key: tenant.ingestKey, body })

const idsOf = async ({ tenantId }: TestTenant) =>
  (await healthy.deps.db.execute<{ id: string }>(sql`SELECT id FROM context_events WHERE tenant_id = ${tenantId}`)).rows.map(({ id }) => id)

test('while the database is away events wait in the queue, and are stored as of their receipt', async () => {
  const tenant = await createSender()
  const [single, batch] = await away(async () => [
    await send(tenant, makeEvent({ sha: 'queued', timestamp: '2026-01-15T10:00:00Z' })),
    await send(
      tenant,
      [makeEvent({ sha: 'queued', timestamp: '2026-01-15T10:00:00Z' }), makeEvent({ sha: 'other' }), {}],
      '/v1/events/batch',
    ),
  ])
  expect([single.status, single.headers.get('Noctuary-Queued'), batch.status, batch.headers.get('Noctuary-Queued')]).toEqual([
    201,
    'true',
    200,
    'true',
  ])
  const { results } = await batch.json()
  expect(results.map(({ status }: { status: number }) => status)).toEqual([201, 201, 400])
  expect(await idsOf(tenant)).toHaveLength(1)
  const receivedBy = Date.now()
  await drain()
  expect((await idsOf(tenant)).toSorted()).toEqual(
    expect.arrayContaining([single.headers.get('Noctuary-Event-Id'), results[1].id].toSorted()),
  )
  const window = entriesOf(await readWindowOf(healthy, tenant, 'checkout'))
  expect(window.map(({ sha, count }) => `${sha} ${count}`).toSorted()).toEqual(['first 1', 'other 1', 'queued 1'])
  expect(window.every(({ expires_at }) => Date.parse(expires_at) <= receivedBy + 900_000)).toBe(true)
  const again = await send(tenant, makeEvent({ sha: 'queued', timestamp: '2026-01-15T10:00:00Z' }))
  expect([again.headers.get('Idempotent-Replayed'), again.headers.get('Noctuary-Queued')]).toEqual(['true', null])
})

test('whose key was not seen good, or was revoked, gets 503; so does everybody where there is no room or no queue', async () => {
  const [known, stranger, revoked] = [await createSender(), await createTestTenant(healthy), await createSender()]
  const keys = await (await app.request('/v1/api-keys', { key: revoked.readonlyKey })).json()
  const { id } = keys.find(({ key_type }: { key_type: string }) => key_type === 'ingest')
  expect((await app.request(`/v1/api-keys/${id}`, { key: revoked.readonlyKey, method: 'DELETE' })).status).toBe(204)
  const large = (count: number) => Array.from({ length: count }, (_, index) => makeEvent({ sha: `${index}`, raw_line: 'x'.repeat(1_000) }))
  const statuses = await away(async () => {
    const answers = [
      await send(stranger, makeEvent()),
      await send(revoked, makeEvent()),
      await send(known, makeEvent({ raw_line: 'x'.repeat(200_000) })),
      await send(known, large(250), '/v1/events/batch'),
      await send(known, large(150), '/v1/events/batch'),
    ]
    queue.isAway = true
    answers.push(await send(known, makeEvent()))
    queue.isAway = false
    const without = startApp({ database: database.url })
    answers.push(await without.request('/v1/events', { key: known.ingestKey, body: makeEvent() }))
    return answers.map(({ status }) => status)
  })
  expect(statuses).toEqual([503, 503, 503, 503, 200, 503, 503])
  await drain()
  expect(await idsOf(known)).toHaveLength(151)
  expect(app.logs.map(({ event }) => event)).toContain('events_not_queued')
})

test('events of doors wait, too, where a key sends them; alerts, and what a token sends, do not', async () => {
  const [known, quiet] = [await createSender(), await createTestTenant(app)]
  const deploy = { service: 'checkout', sha: 'a4f2c1d9', timestamp: new Date().toISOString() }
  const made = await app.request('/v1/integrations', { key: known.readonlyKey, body: { type: 'deploy', direction: 'inbound' } })
  const { token }: { token: string } = await made.json()
  expect((await app.request(`/in/deploy/${token}`, { body: deploy })).status).toBe(202)
  const alert = { status: 'firing', labels: { alertname: 'Slow', service: 'checkout' }, startsAt: new Date().toISOString() }
  const before = await idsOf(known)
  const answers = await away(async () => [
    await send(known, { ...deploy, sha: 'b1b2b3b4' }, '/in/deploy'),
    await send(quiet, deploy, '/in/deploy'),
    await send(known, { version: '4', groupKey: '{}', status: 'firing', alerts: [alert] }, '/in/alertmanager'),
    await app.request(`/in/deploy/${token}`, { body: { ...deploy, sha: 'c1c2c3c4' } }),
  ])
  expect(answers.map(({ status }) => status)).toEqual([202, 503, 503, 503])
  await drain()
  expect(await idsOf(known)).toHaveLength(before.length + 1)
  await send(known, { ...deploy, sha: 'b1b2b3b4' }, '/in/deploy')
  expect(await idsOf(known)).toHaveLength(before.length + 1)
})

test('events that were accepted before their key was revoked are stored, those after it are not', async () => {
  const tenant = await createSender()
  await away(() => send(tenant, makeEvent({ sha: 'before' })))
  const [kept] = queue.list()
  await healthy.deps.db.execute(sql`UPDATE api_keys SET revoked_at = now() WHERE tenant_id = ${tenant.tenantId} AND key_type = 'ingest'`)
  const later = { ...(kept?.body as { queued: object; events: object[] }) }
  await queue.sendBatch([
    {
      body: {
        ...later,
        events: later.events.map((event) => ({ ...event, id: randomUUID() })),
        queued: { ...later.queued, receivedAt: new Date(Date.now() + 1_000).toISOString() },
      },
    },
  ])
  await drain()
  expect(await idsOf(tenant)).toHaveLength(2)
  expect(healthy.logs.map(({ event }) => event)).toContain('queued_events_dropped')
})

test('what was acknowledged is stored once, whoever dies when', async () => {
  const faultOf = fc.constantFrom<Fault>('none', 'refuse', 'lose_reply', { status: 500, body: 'null' }, { status: 200, body: '<html>' })
  await fc.assert(
    fc.asyncProperty(
      fc.array(faultOf, { minLength: 4, maxLength: 10 }),
      fc.array(fc.nat({ max: 6 }), { maxLength: 5 }),
      async (faults, deaths) => {
        const tenant = await createSender()
        const acknowledged = new Set(await idsOf(tenant))
        for (const [place, fault] of faults.entries()) {
          const answer = await away(() => send(tenant, makeEvent({ sha: `${place}` })), fault)
          expect([201, 503]).toContain(answer.status)
          const id = answer.headers.get('Noctuary-Event-Id')
          if (id) acknowledged.add(id)
        }
        await app.settle()
        for (const left of deaths) {
          const mortal = startApp({ database: (await startFaultProxy(stack.databaseEndpoint, { left, servesLast: left % 2 === 0 })).url })
          await queue.deliver((messages) => storeQueued(mortal.deps, messages))
        }
        await drain()
        const stored = await idsOf(tenant)
        expect([...acknowledged].filter((id) => !stored.includes(id))).toEqual([])
        expect(new Set(stored).size).toBe(stored.length)
        const entries = entriesOf(await readWindowOf(healthy, tenant, 'checkout'))
        expect(entries.every(({ count }) => count === 1)).toBe(true)
      },
    ),
    { numRuns: 6 },
  )
})
