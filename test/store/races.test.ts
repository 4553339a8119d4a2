import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, inject, test } from 'vitest'
import { sha256Hex } from '../../src/domain/hash.ts'
import { type IncidentId, toId } from '../../src/domain/ids.ts'
import { receiveQuestion } from '../../src/store/alerts.ts'
import { getPrincipal, revokeApiKey } from '../../src/store/api-keys.ts'
import { OPERATOR } from '../../src/store/audit.ts'
import { listIncidents } from '../../src/store/incident-lists.ts'
import { createTestTenant, entriesOf, listServicesOf, makeEvent, readWindowOf, startApp, type TestTenant } from '../support/app.ts'

const CLIENTS = 32
// What so many ask at once may take a busy machine long.
const startPatient = () => startApp({ patience: 20 })
const app = startPatient()

const range = (length: number) => Array.from({ length }, (_, index) => index)

/** Runs `work` as that many clients at once, each one request after another. */
async function asClients<Result>(rounds: number, work: (client: number, round: number) => Promise<Result>): Promise<Result[]> {
  const all = await Promise.all(
    range(CLIENTS).map(async (client) => {
      const results: Result[] = []
      for (const round of range(rounds)) results.push(await work(client, round))
      return results
    }),
  )
  return all.flat()
}

/** What a busy machine refuses is asked again, as callers do. */
async function askAgain<Result>(ask: () => Promise<Result>): Promise<Result> {
  try {
    return await ask()
  } catch (error) {
    if (!String(error).includes(': 503 ')) throw error
    await sleep(1_000)
    return await ask()
  }
}

async function countStored(tenant: TestTenant): Promise<number> {
  const [agent] = (await (await app.request('/v1/agents', { key: tenant.readonlyKey })).json()) as { events_last_hour: number }[]
  return agent?.events_last_hour ?? Number.NaN
}

test('32 clients that open the same services at once store all they acknowledge', async () => {
  const tenant = await createTestTenant(app)
  const rounds = 25
  const statuses = await asClients(rounds, async (client, round) => {
    const body = makeEvent({ service_name: `service-${round}`, sha: `sha-${client}` })
    return (await app.request('/v1/events', { key: tenant.ingestKey, body })).status
  })
  expect(statuses.filter((status) => status !== 201)).toEqual([])
  expect(await countStored(tenant)).toBe(CLIENTS * rounds)
  expect((await listServicesOf(app, tenant)).size).toBe(rounds)
  for (const round of [0, rounds - 1]) expect(entriesOf(await readWindowOf(app, tenant, `service-${round}`))).toHaveLength(CLIENTS)
})

test('the same event sent by all at once is stored once', async () => {
  const tenant = await createTestTenant(app)
  const rounds = 20
  const replays = await asClients(rounds, async (_client, round) => {
    const body = makeEvent({ timestamp: `2026-01-15T10:00:${String(round).padStart(2, '0')}Z` })
    const response = await app.request('/v1/events', { key: tenant.ingestKey, body })
    expect(response.status).toBe(201)
    return response.headers.get('Idempotent-Replayed')
  })
  expect(replays.filter((replayed) => replayed === null)).toHaveLength(rounds)
  expect(await countStored(tenant)).toBe(rounds)
  expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ count: rounds }])
})

test('the same Idempotency-Key with different bodies lets one body in', async () => {
  const tenant = await createTestTenant(app)
  const results = await asClients(1, async (client) => {
    const body = [makeEvent({ sha: `body-${client % 4}` }), makeEvent({ sha: `body-${client % 4}` })]
    const response = await app.request('/v1/events/batch', { key: tenant.ingestKey, body, headers: { 'Idempotency-Key': 'one' } })
    return { body: client % 4, status: response.status }
  })
  const accepted = new Set(results.filter(({ status }) => status === 200).map(({ body }) => body))
  expect(accepted.size).toBe(1)
  expect(results.filter(({ status }) => status === 409)).toHaveLength((CLIENTS * 3) / 4)
  expect(await countStored(tenant)).toBe(2)
})

test('batches that overlap in any order neither deadlock nor lose an event', async () => {
  const tenant = await createTestTenant(app)
  const events = range(60).map((index) =>
    makeEvent({ service_name: `service-${index % 12}`, sha: `${index}`, timestamp: '2026-01-15T10:00:00Z' }),
  )
  const accepted = await asClients(3, async (client, round) => {
    const turn = (client * 7 + round * 13) % events.length
    const rotated = [...events.slice(turn), ...events.slice(0, turn)]
    const response = await app.request('/v1/events/batch', { key: tenant.ingestKey, body: client % 2 ? rotated : rotated.toReversed() })
    expect(response.status).toBe(200)
    return ((await response.json()) as { accepted: number }).accepted
  })
  expect(accepted.reduce((sum, count) => sum + count)).toBe(events.length)
  expect(await countStored(tenant)).toBe(events.length)
})

test('windows merged by all at once, read and repaired meanwhile, come out right', async () => {
  const tenant = await createTestTenant(app)
  const rounds = 12
  await asClients(rounds, async (client, round) => {
    const body = makeEvent({ sha: `sha-${round % 3}`, timestamp: new Date(Date.UTC(2026, 0, 15, 10, round, client)).toISOString() })
    expect((await app.request('/v1/events', { key: tenant.ingestKey, body })).status).toBe(201)
    if (client % 8 === 0) await readWindowOf(app, tenant, 'checkout')
    if (client === 3 && round % 4 === 0) await wipe(tenant)
  })
  await app.settle()
  const perChange = (CLIENTS * rounds) / 3
  const expected = range(3).map((sha) => ({
    sha: `sha-${sha}`,
    count: perChange,
    first_timestamp: new Date(Date.UTC(2026, 0, 15, 10, sha, 0)).toISOString(),
    timestamp: new Date(Date.UTC(2026, 0, 15, 10, rounds - 3 + sha, CLIENTS - 1)).toISOString(),
  }))
  expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject(expected)
})

async function wipe({ tenantId }: TestTenant): Promise<void> {
  const { redis: client } = app
  const keys = await client.keys(`t:${tenantId}:window:*`)
  if (keys.length > 0) await client.del(...keys)
}

test('no request that starts after a revocation succeeds', async () => {
  const tenant = await createTestTenant(app)
  const created = await (await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'ingest' } })).json()
  await app.request('/v1/agents/register', { key: created.key, body: { hostname: 'x' } })
  let revokedAt = Number.POSITIVE_INFINITY
  const late = await asClients(10, async (client, round) => {
    if (client === 0 && round === 3) {
      await app.request(`/v1/api-keys/${created.id}`, { key: tenant.readonlyKey, method: 'DELETE' })
      revokedAt = performance.now()
    }
    const startedAt = performance.now()
    const { status } = await app.request('/v1/events', { key: created.key, body: makeEvent() })
    return { isLate: startedAt > revokedAt, status }
  })
  expect(late.filter(({ isLate }) => isLate).length).toBeGreaterThan(0)
  expect(late.filter(({ isLate, status }) => isLate && status !== 401)).toEqual([])
})

test('no request that starts after a revocation is answered succeeds', async () => {
  const tenant = await createTestTenant(app)
  const createKey = async () =>
    (await (await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'ingest' } })).json()) as {
      id: string
      key: string
    }
  const { id, key } = await createKey()
  await app.request('/v1/agents/register', { key, body: { hostname: 'web-1' } })
  let revokedAt = Number.POSITIVE_INFINITY
  const revoke = async () => {
    await app.deps.rest(100)
    const { status } = await app.request(`/v1/api-keys/${id}`, { key: tenant.readonlyKey, method: 'DELETE' })
    revokedAt = performance.now()
    return status
  }
  const send = async () => {
    const startedAt = performance.now()
    return { startedAt, status: (await app.request('/v1/events', { key, body: makeEvent() })).status }
  }
  const untilRefusedLong = async () => {
    const sent: Awaited<ReturnType<typeof send>>[] = []
    while (performance.now() < revokedAt + 100) {
      sent.push(await send())
      // A refusal that is remembered asks nobody: without a turn of the event loop the revocation's own answer would not come in.
      await nextTurn()
    }
    return sent
  }
  const [revoked, ...clients] = await Promise.all([revoke(), ...range(8).map(untilRefusedLong)])
  const sent = clients.flat()
  expect(revoked).toBe(204)
  expect(sent.filter(({ startedAt }) => startedAt < revokedAt).some(({ status }) => status === 201)).toBe(true)
  expect(new Set(sent.filter(({ startedAt }) => startedAt >= revokedAt).map(({ status }) => status))).toEqual(new Set([401]))
})

test('revoking all read-only keys at once leaves one', async () => {
  for (const _ of range(10)) {
    const tenant = await createTestTenant(app)
    await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'readonly' } })
    const listed = (await (await app.request('/v1/api-keys', { key: tenant.readonlyKey })).json()) as { id: string; key_type: string }[]
    const ids = listed.flatMap(({ id, key_type }) => (key_type === 'readonly' ? [id] : []))
    const principal = await getPrincipal(app.deps.db, await sha256Hex(tenant.readonlyKey))
    const trail = { actor: 'test', requestId: null }
    const outcomes = await Promise.allSettled(ids.map((id) => revokeApiKey(app.deps.db, principal.tenantId, toId(id), trail)))
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  }
})

test('a question that is stored again while it still is being stored is one incident', async () => {
  const { tenantId } = await createTestTenant(app)
  const now = new Date()
  for (const _ of range(10)) {
    const incidentId = toId<IncidentId>(randomUUID())
    const question = {
      serviceName: 'checkout',
      title: null,
      triggeredAt: now,
      observedUntil: null,
      environment: null,
      opens: true,
      maxServices: 10,
    }
    const lease = randomUUID()
    const told = await Promise.all(range(4).map(() => receiveQuestion(app.deps.db, tenantId, incidentId, question, lease, OPERATOR)))
    expect(told.map(({ id, status }) => [id, status])).toEqual(Array(4).fill([incidentId, 'diagnosing']))
  }
  expect(await listIncidents(app.deps.db, tenantId, { since: '2026-01-01T00:00:00Z' })).toHaveLength(10)
})

const { postgres, databaseUrl } = inject('stack')

test.skipIf(postgres === 'embedded')(
  'an event that another is still committing as a window is compared shows once it is committed',
  async () => {
    const tenant = await createTestTenant(app)
    const isolates = [startApp(), startApp()]
    await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ sha: 'known' }) })
    const shas = async (isolate: typeof app) => entriesOf(await readWindowOf(isolate, tenant, 'checkout')).map(({ sha }) => sha)
    const client = new pg.Client({ connectionString: databaseUrl })
    await client.connect()
    try {
      await client.query('BEGIN')
      // What the Worker's own request does, but for the commit, which is late.
      const { rows } = await client.query(
        `INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, sha, confidence, ttl_seconds,
        "timestamp", received_at, expires_at, value_class, change_key, appeared_at)
      SELECT gen_random_uuid(), tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, 'late', confidence, ttl_seconds,
        now(), now(), now() + interval '15 minutes', value_class, gen_random_uuid(), date_trunc('second', now())
      FROM context_events WHERE tenant_id = $1 RETURNING id`,
        [tenant.tenantId],
      )
      expect(rows).toHaveLength(1)
      await sleep(2_100)
      // Compared twice while the event is there but cannot be seen.
      for (const isolate of [...isolates, ...isolates]) {
        expect(await shas(isolate)).toEqual(['known'])
        await isolate.settle()
      }
      await client.query('COMMIT')
      for (const isolate of isolates) expect((await shas(isolate)).toSorted()).toEqual(['known', 'late'])
    } finally {
      await client.end()
    }
  },
)

test('every event shows in every isolate from its acknowledgement on', async () => {
  const tenant = await createTestTenant(app)
  const isolates = [startPatient(), startPatient(), startPatient()]
  const names = range(8).map((index) => `service-${index}`)
  for (const name of names)
    await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ service_name: name, entity: name }) })
  await sleep(2_100)
  for (const isolate of [...isolates, ...isolates]) {
    for (const name of names) await readWindowOf(isolate, tenant, name)
    await isolate.settle()
  }
  const missing = await asClients(2, async (client, round) => {
    const name = names[client % names.length] ?? ''
    const sha = `${client}-${round}`
    // Half of them join the window from elsewhere.
    const body = makeEvent({ service_name: client % 2 ? name : 'argocd', entity: name, sha })
    const sent = await isolates[client % 3]?.request('/v1/events', { key: tenant.ingestKey, body })
    expect(sent?.status).toBe(201)
    const shown = await askAgain(() => readWindowOf(isolates[(client + round) % 3] ?? app, tenant, name))
    return entriesOf(shown).some((entry) => entry.sha === sha) ? [] : [sha]
  })
  expect(missing.flat()).toEqual([])
})
