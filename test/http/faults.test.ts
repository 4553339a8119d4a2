import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, inject, test } from 'vitest'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, entriesOf, makeEvent, readWindowOf, startApp, type TestApp, type TestTenant } from '../support/app.ts'
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts'

const stack = inject('stack')
const database = await startFaultProxy(stack.databaseEndpoint)
const redis = await startFaultProxy(stack.redisUrl)
const broken = startApp({ database: database.url, redis: redis.url, patience: 1 })
const healthy = startApp()

/** What hangs does so for ever: so long a busy machine may take for what does not. */
const SOON_MS = 8_000

async function timed<Result>(work: () => Promise<Result>): Promise<{ result: Result; ms: number }> {
  const startedAt = performance.now()
  const result = await work()
  return { result, ms: performance.now() - startedAt }
}

async function withFault<Result>(proxy: { fault: Fault }, fault: Fault, work: () => Promise<Result>): Promise<Result> {
  proxy.fault = fault
  try {
    return await work()
  } finally {
    proxy.fault = 'none'
  }
}

let lastTurn: Promise<unknown> = Promise.resolve()

/** For tests that wait at the same time: what goes by the proxies, whose faults are everyone's, comes one after the other. */
function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  const turn = lastTurn.then(work)
  lastTurn = turn.catch(() => {})
  return turn
}

const send = (app: TestApp, { ingestKey }: TestTenant, body: unknown) => app.request('/v1/events', { key: ingestKey, body })

async function windowKeys(tenant: TestTenant): Promise<string[]> {
  return healthy.redis.keys(`t:${tenant.tenantId}:window:*`)
}

/** What Redis itself holds of the tenant's windows, by member. */
async function readCopies(tenant: TestTenant): Promise<Record<string, string>> {
  const [key = ''] = await windowKeys(tenant)
  const flat = await healthy.redis.zrange<string[]>(key, 0, -1, { withScores: true })
  return Object.fromEntries(flat.flatMap((member, place) => (place % 2 === 0 ? [[member.charAt(0), String(flat[place + 1])]] : [])))
}

const REDIS_FAULTS: [string, Fault][] = [
  ['refuses', 'refuse'],
  ['hangs', 'hang'],
  ['answers 400', { status: 400, body: '{"error":"ERR max daily request limit exceeded"}' }],
  ['answers 500', { status: 500, body: 'oops' }],
  ['answers garbage', { status: 200, body: '<html>hello</html>' }],
  ['merges but loses the reply', 'lose_reply'],
]

describe.concurrent.each(REDIS_FAULTS)('when Redis %s', (_name, fault) => {
  test('every event is acknowledged soon, and the next read is complete and repairs the copy', async () => {
    const tenant = await createTestTenant(healthy)
    await inTurn(async () => {
      await send(broken, tenant, makeEvent({ sha: 'before' }))
      await withFault(redis, fault, async () => {
        for (const sha of ['during', 'during', 'also']) {
          const { result, ms } = await timed(() => send(broken, tenant, makeEvent({ sha })))
          expect(result.status).toBe(201)
          expect(ms).toBeLessThan(SOON_MS)
        }
        await broken.settle()
        expect(JSON.stringify(broken.logs)).not.toContain('Sync operation succeeded')
        const { result, ms } = await timed(() => readWindowOf(broken, tenant, 'checkout'))
        expect(entriesOf(result).map(({ sha, count }) => `${sha} ${count}`)).toEqual(['before 1', 'during 2', 'also 1'])
        expect(ms).toBeLessThan(SOON_MS)
      })
      expect(entriesOf(await readWindowOf(broken, tenant, 'checkout'))).toMatchObject([{ count: 1 }, { count: 2 }, { count: 1 }])
      await broken.settle()
    })
    await sleep(2_100)
    await inTurn(async () => {
      await readWindowOf(broken, tenant, 'checkout')
      await broken.settle()
      const [key = ''] = await windowKeys(tenant)
      const flat = await healthy.redis.zrange<string[]>(key, 0, -1, { withScores: true })
      const counts = flat.flatMap((member, place) => (place % 2 === 0 && member.startsWith('n') ? [Number(flat[place + 1])] : []))
      expect(counts.toSorted()).toEqual([1, 1, 2])
      expect(await healthy.redis.pttl(key)).toBeGreaterThan(0)
    })
  })
})

test('a wiped Redis changes nothing that is seen, and is filled again', async () => {
  const tenant = await createTestTenant(healthy)
  await send(healthy, tenant, makeEvent())
  await send(healthy, tenant, makeEvent())
  const [key = ''] = await windowKeys(tenant)
  await healthy.redis.del(key)
  await send(healthy, tenant, makeEvent({ sha: 'after' }))
  expect(entriesOf(await readWindowOf(healthy, tenant, 'checkout'))).toMatchObject([{ count: 2 }, { count: 1 }])
  await healthy.settle()
  expect(entriesOf(await readWindowOf(healthy, tenant, 'checkout'))).toMatchObject([{ count: 2 }, { count: 1 }])
  expect(await healthy.redis.zcard(key)).toBe(6)
})

test.concurrent.each([
  ['a lower count', (key: string, { n }: Record<string, string>) => healthy.redis.zadd(key, { score: 1, member: n ?? '' })],
  ['a higher count', (key: string, { n }: Record<string, string>) => healthy.redis.zadd(key, { score: 99, member: n ?? '' })],
  ['no text', (key: string, { e }: Record<string, string>) => healthy.redis.zrem(key, e ?? '')],
  ['too early an expiry', (key: string, { e }: Record<string, string>) => healthy.redis.zadd(key, { score: 5, member: e ?? '' })],
  ['too late a first time', (key: string, { f }: Record<string, string>) => healthy.redis.zadd(key, { score: -9e15, member: f ?? '' })],
])('a copy with %s heals', async (_name, damage) => {
  const app = startApp()
  const tenant = await createTestTenant(app)
  for (let sent = 0; sent < 3; sent += 1) await send(app, tenant, makeEvent())
  await sleep(2_100)
  const [key = ''] = await windowKeys(tenant)
  const before = await readCopies(tenant)
  const members = await healthy.redis.zrange<string[]>(key, 0, -1)
  await damage(key, Object.fromEntries(members.map((member) => [member.charAt(0), member])))
  expect(await readCopies(tenant)).not.toEqual(before)

  expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ count: 3 }])
  await app.settle()
  expect(await readCopies(tenant)).toEqual(before)
})

test('the cron repairs a window that missed a merge, without a reader', async () => {
  const tenant = await createTestTenant(broken)
  await withFault(redis, 'refuse', async () => {
    await send(broken, tenant, makeEvent())
    await broken.settle()
  })
  expect(await windowKeys(tenant)).toEqual([])
  await sleep(2_100)
  while ((await runSweep(healthy.deps, new Date())).repairedWindows > 0);
  expect(await windowKeys(tenant)).toHaveLength(1)
  expect(await readCopies(tenant)).toMatchObject({ n: '1' })
})

const DATABASE_FAULTS: [string, Fault][] = [
  ['refuses', 'refuse'],
  ['hangs', 'hang'],
  ['answers 500', { status: 500, body: 'oops' }],
  ['answers 502 in HTML', { status: 502, body: '<html>bad gateway</html>' }],
  ['answers garbage', { status: 200, body: '<html>hello</html>' }],
  ['answers an empty object', { status: 200, body: '{}' }],
  ['answers null', { status: 200, body: 'null' }],
  ['answers nothing', { status: 200, body: '' }],
  ['answers cut off', { status: 200, body: '{"fields":[{"name":"answer","dataTypeID":114}],"rows":[["{\\"tenant' }],
  ['answers rows that are none', { status: 200, body: '{"fields":[{"name":"a","dataTypeID":25}],"rows":[null],"results":null}' }],
  ['answers batches in part', { status: 200, body: '{"results":[],"fields":[],"rows":[]}' }],
  ['refuses in HTML', { status: 400, body: '<html>bad request</html>' }],
  ['has another password', { status: 400, body: '{"message":"password authentication failed for user \'neondb_owner\'"}' }],
  ['is not migrated', { status: 400, body: '{"message":"relation \\"api_keys\\" does not exist","code":"42P01"}' }],
  ['answers no rows', { status: 200, body: '{"fields":[],"rows":[],"rowCount":0,"command":"SELECT","rowAsArray":false}' }],
  ['has no connection left', { status: 400, body: '{"message":"too many clients","code":"53300"}' }],
  ['is shutting down', { status: 400, body: '{"message":"terminating connection","code":"57P01"}' }],
]

describe.each(DATABASE_FAULTS)('when Postgres %s', (_name, fault) => {
  test('every route answers 503 soon, and nothing reaches Redis', async () => {
    const tenant = await createTestTenant(broken)
    const id = broken.deps.newUuid()
    const [ingest, readonly] = [tenant.ingestKey, tenant.readonlyKey]
    const requests = [
      () => send(broken, tenant, makeEvent()),
      () => broken.request('/v1/events/batch', { key: ingest, body: [makeEvent()] }),
      () => broken.request('/v1/agents/register', { key: ingest, body: { hostname: 'x' } }),
      () => broken.request(`/v1/agents/${tenant.agentId}/heartbeat`, { key: ingest, method: 'POST' }),
      () => broken.request('/v1/agents', { key: readonly }),
      () => broken.request(`/v1/agents/${tenant.agentId}`, { key: readonly }),
      () => broken.request('/v1/services', { key: readonly }),
      () => broken.request(`/v1/services/${id}/context`, { key: readonly }),
      () => broken.request('/v1/api-keys', { key: readonly }),
      () => broken.request('/v1/api-keys', { key: readonly, body: { key_type: 'ingest' } }),
      () => broken.request(`/v1/api-keys/${id}`, { key: readonly, method: 'DELETE' }),
      () => broken.request('/v1/incidents', { key: readonly }),
      () => broken.request('/v1/incidents', { key: readonly, body: { service: 'checkout', create: true } }),
      () => broken.request('/v1/integrations', { key: readonly, body: { type: 'pagerduty', direction: 'inbound' } }),
      () => broken.request('/v1/audit', { key: readonly }),
      () => broken.request('/health'),
    ]
    broken.logs.length = 0
    await withFault(database, fault, async () => {
      const answers = await Promise.all(requests.map((request) => timed(request)))
      expect(answers.map(({ result }) => result.status)).toEqual(requests.map(() => 503))
      for (const { result, ms } of answers) {
        expect(result.headers.get('Retry-After')).toMatch(/^\d+$/)
        expect(ms).toBeLessThan(SOON_MS)
      }
      const reasons = broken.logs.filter(({ event }) => event === 'unavailable').map(({ reason }) => reason)
      expect(reasons).toEqual(
        requests.map(() =>
          expect.stringMatching(
            /^(timeout|no connection|(SQLSTATE|HTTP) .+|not migrated .+|password .+|too many reads of this tenant .+)$/,
          ),
        ),
      )
    })
    expect(await windowKeys(tenant)).toEqual([])
    expect(entriesOfLogs(broken)).not.toContain('Sync operation succeeded')
  })
})

const entriesOfLogs = (app: TestApp) => JSON.stringify(app.logs)

test('an event whose acknowledgement was lost after the commit is one event when sent again', async () => {
  const tenant = await createTestTenant(broken)
  const event = makeEvent({ timestamp: '2026-01-15T10:00:00Z' })
  const lost = await withFault(database, 'lose_reply', () => send(broken, tenant, event))
  expect(lost.status).toBe(503)
  const again = await send(broken, tenant, event)
  expect([again.status, again.headers.get('Idempotent-Replayed')]).toEqual([201, 'true'])
  expect(entriesOf(await readWindowOf(broken, tenant, 'checkout'))).toMatchObject([{ count: 1 }])
})

test('a database error that is ours to mend is a 500 that says nothing', async () => {
  const tenant = await createTestTenant(broken)
  const fault = { status: 400, body: '{"message":"syntax error at or near secret_table","code":"42601"}' }
  const response = await withFault(database, fault, () => send(broken, tenant, makeEvent()))
  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain('secret_table')
  expect(broken.logs).toContainEqual(expect.objectContaining({ event: 'bug', sqlstate: '42601' }))
})

test.each([
  ['garbled', { status: 200, body: '<html>hello</html>' }],
  ['null', { status: 200, body: 'null' }],
  ['lost', 'lose_reply' as const],
])('a question whose answer is %s is one incident', async (_name, damage) => {
  const tenant = await createTestTenant(healthy)
  let damaged = 0
  const fault: Fault = (asked) => {
    if (damaged > 0 || !JSON.stringify(asked).includes('receive_question')) return 'none'
    damaged += 1
    return damage
  }
  const asked = await withFault(database, fault, () =>
    broken.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', create: true } }),
  )
  await broken.settle()
  expect([asked.status, damaged]).toEqual([201, 1])
  expect(await (await healthy.request('/v1/incidents', { key: tenant.readonlyKey })).json()).toHaveLength(1)
})

test('a question is answered before its diagnosis where each request to the database takes a second and a half', async () => {
  const tenant = await createTestTenant(healthy)
  const slow: Fault = async () => {
    await sleep(1_500)
    return 'none' as const
  }
  const asked = await withFault(database, slow, () =>
    timed(() =>
      broken.request('/v1/incidents', {
        key: tenant.readonlyKey,
        body: { service: 'checkout', create: true },
        headers: { 'Idempotency-Key': 'slow' },
      }),
    ),
  )
  expect([asked.result.status, await asked.result.json()]).toMatchObject([201, { status: 'diagnosing' }])
  expect(asked.ms).toBeLessThan(SOON_MS)
  await broken.settle()
})

test('health tells that migrations are missing', async () => {
  const fault = { status: 400, body: '{"message":"relation \\"x\\" does not exist","code":"42P01"}' }
  const response = await withFault(database, fault, () => broken.request('/health'))
  expect([response.status, await response.json()]).toMatchObject([503, { status: 'down', checks: { postgres: 'not migrated' } }])
})

test('health tells the stores apart', async () => {
  expect(await (await broken.request('/health')).json()).toMatchObject({ status: 'ok', checks: { postgres: 'up', redis: 'up' } })
  const degraded = await withFault(redis, 'refuse', () => broken.request('/health'))
  expect([degraded.status, (await degraded.json()).status]).toEqual([200, 'degraded'])
})
