import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { createRedis } from '../../src/store/redis.ts'
import {
  createTestTenant,
  entriesOf,
  listServicesOf,
  makeEvent,
  readWindowOf,
  startApp,
  type TestApp,
  type TestTenant,
  type WindowBody,
} from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'

const stack = inject('stack')
const database = await startFaultProxy(stack.databaseEndpoint)
const redis = await startFaultProxy(stack.redisUrl)
let ahead = 0
// Two isolates over the same stores, the first of them watched.
const app = startApp({ database: database.url, redis: redis.url }, { now: () => new Date(Date.now() + ahead), metricsToken: undefined })
const other = startApp()

/** Until merges can no longer be under way, a window is not remembered. */
const SETTLED_MS = 2_100

async function send(from: TestApp, { ingestKey }: TestTenant, fields: Readonly<Record<string, unknown>> = {}): Promise<void> {
  expect((await from.request('/v1/events', { key: ingestKey, body: makeEvent(fields) })).status).toBe(201)
}

const shas = async (from: TestApp, tenant: TestTenant, service = 'checkout') =>
  entriesOf(await readWindowOf(from, tenant, service)).map(({ sha, count }) => `${sha} ${count}`)

/** Redis commands of a window's read: whether it was compared with its copy (ZRANGE), or known (ZCARD). */
async function commandsOf(read: () => Promise<unknown>): Promise<string[]> {
  const before = redis.seen.length
  await read()
  await app.settle()
  return redis.seen.slice(before).map((body) => (Array.isArray(body) && typeof body[0] === 'string' ? body[0] : 'MULTI'))
}

/** A tenant with these events in `checkout`. */
async function open(...events: Readonly<Record<string, unknown>>[]): Promise<TestTenant> {
  const tenant = await createTestTenant(app)
  for (const fields of events.length > 0 ? events : [{}]) await send(app, tenant, fields)
  return tenant
}

/** Once its events are settled: has both isolates compare a tenant's window of `checkout`, which they know from then on. */
async function know(tenant: TestTenant): Promise<TestTenant> {
  for (const each of [app, other, app, other]) {
    await readWindowOf(each, tenant, 'checkout')
    await each.settle()
  }
  expect(await commandsOf(() => readWindowOf(app, tenant, 'checkout'))).toEqual(['ZCARD'])
  return tenant
}

// One for each test, so that all settle at the same time.
const FLAG = { sha: 'new', service_name: 'unleash', vendor: 'unleash', event_type: 'flag_change', entity: 'new-cart' }
const ASKED = { sha: null, service_name: 'checkout', vendor: 'flagd', event_type: 'flag_change', entity: 'new-cart' }
const [same, another, repeated, flagged, asking, joined, revoked, wiped, refusing, hanging, damaged, many] = await Promise.all([
  open({ sha: 'one' }, { sha: 'one' }, { sha: 'two' }),
  open({ sha: 'known' }),
  open({ sha: 'known' }),
  open({ sha: 'known' }, ASKED),
  open({ sha: 'known' }, FLAG),
  open({ sha: 'known' }),
  open(),
  open({ sha: 'one' }, { sha: 'two' }),
  open({ sha: 'one' }),
  open({ sha: 'one' }),
  open(),
  open({ sha: 'one' }),
])
await sleep(SETTLED_MS)

describe('a known window with what expires', () => {
  const TTL_SECONDS = 8
  const times = ['2026-01-15T10:00:00Z', '2026-01-15T11:00:00Z']
  let short: TestTenant
  let latest: TestTenant
  let expiry: Promise<void>

  beforeAll(async () => {
    ;[short, latest] = await Promise.all([
      open({ sha: 'short', ttl_seconds: TTL_SECONDS }, { sha: 'long' }),
      open({ timestamp: times[0], confidence: 0.5 }, { timestamp: times[1], confidence: 0.9, ttl_seconds: TTL_SECONDS }),
    ])
    expiry = sleep(1_000 * TTL_SECONDS + 100)
    await sleep(SETTLED_MS)
    for (const tenant of [short, latest]) await know(tenant)
  })

  test('loses it', async () => {
    expect(await shas(app, short)).toEqual(['short 1', 'long 1'])
    await expiry
    expect(await shas(app, short)).toEqual(['long 1'])
  })

  test('says which occurrence is the latest, though that expires first', async () => {
    await expiry
    expect(entriesOf(await readWindowOf(app, latest, 'checkout'))).toMatchObject([{ confidence: 0.5, count: 2 }])
  })
})

describe('a window that an isolate knows', () => {
  test('is one request to each store, and says the same', async () => {
    const tenant = await know(same)
    const id = (await listServicesOf(app, tenant)).get('checkout')?.id
    const before = [database.seen.length, redis.seen.length]
    const response = await app.request(`/v1/services/${id}/context`, { key: tenant.readonlyKey })
    await app.settle()
    expect([database.seen.length - (before[0] ?? 0), redis.seen.length - (before[1] ?? 0)]).toEqual([1, 1])
    expect(response.headers.get('Content-Type')).toBe('application/json')
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(await response.json()).toEqual(await readWindowOf(startApp(), tenant, 'checkout'))
  })

  test.each([
    ['another change', another, { sha: 'new' }, ['known 1', 'new 1']],
    ['a repeat', repeated, { sha: 'known' }, ['known 2']],
    ['a change of a flag that it evaluates', flagged, FLAG, ['known 1', 'null 1', 'new 1']],
    ['an earlier change of a flag, once it evaluates that', asking, ASKED, ['known 1', 'new 1', 'null 1']],
    ['a change that joins from another service', joined, { sha: 'new', service_name: 'argocd', entity: 'checkout' }, ['known 1', 'new 1']],
  ])('shows %s as soon as it is acknowledged, whoever took it', async (_name, opened, fields, expected) => {
    const tenant = await know(opened)
    await send(other, tenant, fields)
    expect(await shas(app, tenant)).toEqual(expected)
    expect(await shas(other, tenant)).toEqual(expected)
  })

  test('that is a part is compared with what its copy says of that part, and says the same', async () => {
    const readAll = () => readWindowOf(app, many, 'checkout')
    await app.deps.db.execute(sql`
      INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, confidence, ttl_seconds,
        "timestamp", received_at, expires_at, value_class, change_key, appeared_at)
      SELECT gen_random_uuid(), e.tenant_id, e.agent_id, e.service_id, e.service_name, 'postgres', 'saturation', 'table ' || n, 0.9, 900,
        r.at, r.at, now() + interval '15 minutes', '', gen_random_uuid(), date_trunc('second', r.at)
      FROM context_events e, generate_series(1, 3500) n CROSS JOIN LATERAL (SELECT now() - n * interval '10 milliseconds' - interval '3 seconds' AS at) r
      WHERE e.tenant_id = ${many.tenantId}`)
    const first = await readAll()
    expect([first.partial, entriesOf(first).length]).toEqual([true, 450])
    await app.settle()
    expect(await commandsOf(readAll)).toEqual(['MULTI'])
    // Not before transactions of other files, on a shared server, are over.
    await expect.poll(() => commandsOf(readAll), { timeout: 30_000 }).toEqual(['ZCARD'])
    expect(await readAll()).toEqual(first)
    await send(other, many, { sha: 'one' })
    const repeated = await readAll()
    expect(repeated.deploy_events).toMatchObject([{ sha: 'one', count: 2 }])
    expect(repeated).toEqual(await readWindowOf(startApp(), many, 'checkout'))
    await app.settle()
    const [key = ''] = await app.redis.keys(`t:${many.tenantId}:window:*`)
    await app.redis.del(key)
    expect(await commandsOf(readAll)).toEqual(['MULTI', 'MULTI'])
    expect(await readAll()).toEqual(repeated)
  })

  test('is refused to a revoked key, a key of the wrong kind and another tenant', async () => {
    const tenant = await know(revoked)
    const stranger = await createTestTenant(app)
    const id = (await listServicesOf(app, tenant)).get('checkout')?.id
    const statusFor = async (key: string) => (await app.request(`/v1/services/${id}/context`, { key })).status
    await statusFor(stranger.readonlyKey)
    expect([await statusFor(tenant.ingestKey), await statusFor(stranger.readonlyKey)]).toEqual([403, 404])
    const second: { id: string; key: string } = await (
      await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'readonly' } })
    ).json()
    for (const _ of [1, 2]) expect(await statusFor(second.key)).toBe(200)
    await app.settle()
    expect(await commandsOf(() => statusFor(second.key))).toEqual(['ZCARD'])
    expect((await app.request(`/v1/api-keys/${second.id}`, { key: tenant.readonlyKey, method: 'DELETE' })).status).toBe(204)
    expect(await statusFor(second.key)).toBe(401)
  })

  test('fills a wiped Redis again', async () => {
    const tenant = await know(wiped)
    const [key = ''] = await app.redis.keys(`t:${tenant.tenantId}:window:*`)
    await app.redis.del(key)
    expect(await shas(app, tenant)).toEqual(['one 1', 'two 1'])
    await app.settle()
    expect(await app.redis.zcard(key)).toBe(10)
    expect(await app.redis.pttl(key)).toBeGreaterThan(0)
  })

  test.each([
    ['refuse', refusing],
    ['hang', hanging],
  ] as const)('needs no Redis: %s', async (fault, opened) => {
    const tenant = await know(opened)
    redis.fault = fault
    expect(await shas(app, tenant)).toEqual(['one 1'])
    redis.fault = 'none'
    await app.settle()
  })

  test('is compared again after a minute, which heals a copy that was damaged unseen', async () => {
    const tenant = await know(damaged)
    const [key = ''] = await app.redis.keys(`t:${tenant.tenantId}:window:*`)
    const members = await app.redis.zrange<string[]>(key, 0, -1)
    const count = members.find((member) => member.startsWith('n')) ?? ''
    await app.redis.zadd(key, { score: 99, member: count })
    expect(await commandsOf(() => readWindowOf(app, tenant, 'checkout'))).toEqual(['ZCARD'])
    ahead += 61_000
    // What takes a count back reads it once more, from where it was written.
    expect(await commandsOf(() => readWindowOf(app, tenant, 'checkout'))).toEqual(['ZRANGE', 'MULTI', 'MULTI'])
    expect(Number(await app.redis.zscore(key, count))).toBe(1)
  })
})

describe('whatever has happened since', () => {
  // Patient with Redis: an answer without the copy's memory of what has expired says less.
  const patient = () => startApp({}, { redis: createRedis({ url: stack.redisUrl, token: stack.redisToken, timeoutMs: 5_000 }) })
  const event = fc.record({
    sha: fc.constantFrom('a', 'b', 'c'),
    event_type: fc.constantFrom('deploy', 'restart'),
    ttl_seconds: fc.constantFrom(4, 900),
    how: fc.constantFrom('own', 'joined', 'evaluated', 'flag'),
    isFromOther: fc.boolean(),
  })
  const scripts = fc.sample(
    fc.record({ before: fc.array(event, { minLength: 1, maxLength: 4 }), after: fc.array(event, { maxLength: 3 }) }),
    20,
  )
  const nameOf = (index: number) => `service-${index}`
  const readInTurn = async (read: (from: TestApp) => Promise<WindowBody>, [one, two]: readonly [TestApp, TestApp]) =>
    [await read(patient()), [await read(one), await read(two)], await read(patient())] as const

  test('an isolate that knows a window says what one that does not says', async () => {
    const [one, two] = [patient(), patient()]
    const tenant = await createTestTenant(one)
    const toFields = (name: string): Record<(typeof scripts)[number]['before'][number]['how'], object> => ({
      own: { service_name: name, entity: name },
      joined: { service_name: 'argocd', entity: name },
      evaluated: { service_name: name, vendor: 'flagd', event_type: 'flag_change', entity: `flag of ${name}` },
      flag: { service_name: 'unleash', vendor: 'unleash', event_type: 'flag_change', entity: `flag of ${name}` },
    })
    const play = (name: string, { how, isFromOther, ...fields }: (typeof scripts)[number]['before'][number]) =>
      send(isFromOther ? two : one, tenant, { ...fields, ...toFields(name)[how] })
    const readAll = async (from: TestApp) => {
      for (const index of scripts.keys()) await readWindowOf(from, tenant, nameOf(index))
      await from.settle()
    }
    for (const [index, { before }] of scripts.entries()) {
      await send(one, tenant, { service_name: nameOf(index), entity: 'x', sha: 'first' })
      for (const sent of before) await play(nameOf(index), sent)
    }
    await sleep(SETTLED_MS)
    for (const each of [one, two, one, two]) await readAll(each)

    for (const [index, { after }] of scripts.entries()) {
      for (const sent of after) await play(nameOf(index), sent)
      const read = (from: TestApp) => readWindowOf(from, tenant, nameOf(index))
      let [early, known, late] = await readInTurn(read, [one, two])
      // Something expired meanwhile: then an answer in between may be like neither.
      while (JSON.stringify(early) !== JSON.stringify(late)) [early, known, late] = await readInTurn(read, [one, two])
      expect(known).toEqual([early, early])
    }
  })
})
