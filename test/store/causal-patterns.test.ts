import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type IncidentId, type TenantId, toId } from '../../src/domain/ids.ts'
import { type Cause, EMBEDDING_SIZE, type Embedding } from '../../src/domain/incident/memory.ts'
import type { Verdict } from '../../src/domain/incident/quality.ts'
import { STORED_VERSION } from '../../src/domain/json.ts'
import { findSimilarIncidents } from '../../src/store/causal-patterns.ts'
import { functionNamed } from '../../src/store/functions.ts'
import { type BatchDb, createDb, selectOne } from '../../src/store/postgres.ts'
import { spawnStack } from '../stack/spawn-stack.ts'
import type { Stack } from '../stack/stack.ts'

// The embedded Postgres has pgvector, which the real one at hand may lack.
let stack: Stack
let db: BatchDb

beforeAll(async () => {
  stack = await spawnStack()
  db = createDb({ url: stack.databaseUrl, endpoint: stack.databaseEndpoint, timeoutMs: 30_000 })
})

afterAll(() => stack.stop())

const newTenant = () => toId<TenantId>(randomUUID())
const newIncident = () => toId<IncidentId>(randomUUID())

/** A unit vector in a plane: what lies between two of them is the difference of their angles. */
const atAngle = (degrees: number): Embedding =>
  Array.from({ length: EMBEDDING_SIZE }, (_, place) => {
    if (place > 1) return 0
    return place === 0 ? Math.cos((degrees * Math.PI) / 180) : Math.sin((degrees * Math.PI) / 180)
  })

type CausalPattern = Cause & { readonly incidentId: IncidentId; readonly embedding: Embedding; readonly verdict: Verdict }

const pattern = (fields: Partial<CausalPattern> = {}): CausalPattern => ({
  incidentId: newIncident(),
  service: 'payments-api',
  vendor: 'argocd',
  eventType: 'deploy',
  valueClass: 'succeeded',
  embedding: atAngle(0),
  verdict: 'confirmed',
  ...fields,
})

/** What a verdict's statement does. False: this database has no vectors, and nothing is kept. */
async function saveCausalPattern(of: BatchDb, tenantId: TenantId, kept: CausalPattern): Promise<boolean> {
  const { incidentId, service, vendor, eventType, valueClass, embedding, verdict } = kept
  const { is_kept: isKept } = await selectOne<{ is_kept: boolean }>(
    of,
    sql`SELECT ${functionNamed('save_causal_pattern')}(${tenantId}, ${incidentId}, ${STORED_VERSION}, ${service}, ${vendor}, ${eventType}, ${valueClass},
      ${`[${embedding.join(',')}]`}, ${verdict}) AS is_kept`,
  )
  return isKept
}

/** What the verdict on an answer that blames nothing does. */
async function deleteCausalPattern(of: BatchDb, tenantId: TenantId, incidentId: IncidentId): Promise<boolean> {
  const { is_done: isDone } = await selectOne<{ is_done: boolean }>(
    of,
    sql`SELECT ${functionNamed('delete_causal_pattern')}(${tenantId}, ${incidentId}) AS is_done`,
  )
  return isDone
}

const find = (tenantId: TenantId, fields: { except?: IncidentId; limit?: number; exactUpTo?: number; embedding?: Embedding } = {}) =>
  findSimilarIncidents(db, tenantId, { embedding: atAngle(0), except: null, limit: 10, ...fields })

test('a kept pattern is found as it was kept, the likest first', async () => {
  const tenantId = newTenant()
  const [far, near] = [pattern({ embedding: atAngle(60), verdict: 'rejected', service: 'o’rders' }), pattern({ embedding: atAngle(10) })]
  for (const each of [far, near]) expect(await saveCausalPattern(db, tenantId, each)).toBe(true)
  const { embedding: _near, ...nearest } = near
  const { embedding: _far, ...farthest } = far
  expect(await find(tenantId)).toEqual([
    { ...nearest, similarity: expect.closeTo(Math.cos(Math.PI / 18), 5) },
    { ...farthest, similarity: expect.closeTo(0.5, 5) },
  ])
})

test('rows of the previous Worker are of the first form; one of a later release is refused', async () => {
  const tenantId = newTenant()
  const vector = `[${atAngle(5).join(',')}]`
  await db.execute(
    sql`SELECT save_causal_pattern_v1(${tenantId}, ${newIncident()}, 'orders', 'argocd', 'deploy', '', ${vector}, 'confirmed')`,
  )
  expect(await find(tenantId)).toMatchObject([{ service: 'orders', verdict: 'confirmed' }])
  await db.execute(sql`UPDATE causal_patterns SET v = 2 WHERE tenant_id = ${tenantId}`)
  await expect(find(tenantId)).rejects.toThrow('this causal pattern was stored in a form 2 that this release cannot read')
})

test('who changes their mind replaces the verdict', async () => {
  const tenantId = newTenant()
  const kept = pattern()
  await saveCausalPattern(db, tenantId, kept)
  await saveCausalPattern(db, tenantId, { ...kept, verdict: 'rejected', service: 'orders' })
  expect(await find(tenantId)).toMatchObject([{ incidentId: kept.incidentId, verdict: 'rejected', service: 'orders' }])
})

test('a pattern that was deleted is gone; to delete it again is no error', async () => {
  const tenantId = newTenant()
  const [kept, other] = [pattern(), pattern()]
  for (const each of [kept, other]) await saveCausalPattern(db, tenantId, each)
  for (const _ of [1, 2]) expect(await deleteCausalPattern(db, tenantId, kept.incidentId)).toBe(true)
  expect((await find(tenantId))?.map(({ incidentId }) => incidentId)).toEqual([other.incidentId])
})

test('another tenant sees, replaces and deletes nothing', async () => {
  const [tenantId, stranger] = [newTenant(), newTenant()]
  const kept = pattern()
  await saveCausalPattern(db, tenantId, kept)
  expect(await find(stranger)).toEqual([])
  await deleteCausalPattern(db, stranger, kept.incidentId)
  await saveCausalPattern(db, stranger, { ...kept, verdict: 'rejected' })
  expect(await find(tenantId)).toMatchObject([{ verdict: 'confirmed' }])
})

test('an incident is not like itself', async () => {
  const tenantId = newTenant()
  const [kept, other] = [pattern(), pattern({ embedding: atAngle(5) })]
  for (const each of [kept, other]) await saveCausalPattern(db, tenantId, each)
  for (const exactUpTo of [0, 100]) {
    const found = await find(tenantId, { except: kept.incidentId, exactUpTo })
    expect(found?.map(({ incidentId }) => incidentId)).toEqual([other.incidentId])
  }
})

test.each([
  ['opposite', atAngle(180), 0],
  ['crosswise', atAngle(90), 0],
])('what is %s is not alike at all', async (_name, embedding, similarity) => {
  const tenantId = newTenant()
  await saveCausalPattern(db, tenantId, pattern({ embedding }))
  expect((await find(tenantId))?.[0]?.similarity).toBeCloseTo(similarity, 5)
})

describe('a tenant of few among many', () => {
  const big = newTenant()
  const small = newTenant()
  const PATTERNS = 500

  beforeAll(async () => {
    // The many lie between the one who asks and the few: an index that filters afterwards finds none of the few.
    await insertMany(big, PATTERNS, '0.002 * n')
    await insertMany(small, 20, '3 + 0.05 * n')
  })

  /** Patterns whose embeddings are at angles, in degrees, that an expression of `n` gives. */
  const insertMany = (tenantId: TenantId, count: number, angle: string) =>
    db.execute(sql`
      INSERT INTO causal_patterns (tenant_id, incident_id, service, vendor, event_type, value_class, embedding, verdict)
      SELECT ${tenantId}, gen_random_uuid(), 's' || n, 'v', 'deploy', '', (ARRAY[cosd(${sql.raw(angle)}), sind(${sql.raw(angle)})]::real[] || array_fill(0::real, ARRAY[126]))::vector, 'confirmed'
      FROM generate_series(1, ${count}::int) n`)

  const servicesOf = async (exactUpTo: number) => (await find(small, { exactUpTo, limit: 20 }))?.map(({ service }) => service)
  const all = Array.from({ length: 20 }, (_, index) => `s${index + 1}`)

  test('finds all of its own, in order', async () => {
    expect(await servicesOf(2_000)).toEqual(all)
  })

  test('and does so by the index, which goes on looking', async () => {
    const query = sql`SELECT ${functionNamed('nearest_causal_patterns')}(${small}, ${`[${atAngle(0).join(',')}]`}, NULL, 20, 0) AS patterns`
    // In one transaction with settings that leave the planner nothing but the index.
    const [, , { rows }, { rows: usage }] = await db.batch([
      db.execute(sql`SELECT set_config('enable_sort', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)`),
      db.execute(sql`SELECT set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true)`),
      db.execute<{ patterns: { service: string }[] }>(query),
      db.execute<{ scans: string }>(sql`SELECT pg_stat_get_xact_numscans('causal_patterns_by_embedding'::regclass) AS scans`),
    ])
    expect(Number(usage[0]?.scans)).toBeGreaterThan(0)
    expect(rows[0]?.patterns.map(({ service }) => service)).toEqual(all)
  })
})

test('where there are no vectors, all say so and nothing fails; they can be set up later', async () => {
  const other = await spawnStack()
  const bare = createDb({ url: other.databaseUrl, endpoint: other.databaseEndpoint, timeoutMs: 10_000 })
  const tenantId = newTenant()
  const query = { embedding: atAngle(0), except: null, limit: 5 }
  try {
    await bare.execute(sql`DROP TABLE causal_patterns`)
    await bare.execute(sql`DROP EXTENSION vector`)
    expect(await findSimilarIncidents(bare, tenantId, query)).toBeUndefined()
    expect(await saveCausalPattern(bare, tenantId, pattern())).toBe(false)
    expect(await deleteCausalPattern(bare, tenantId, newIncident())).toBe(false)

    for (const _ of ['once', 'again']) {
      const { rows } = await bare.execute<{ is_installed: boolean }>(sql`SELECT install_causal_patterns() AS is_installed`)
      expect(rows).toEqual([{ is_installed: true }])
    }
    expect(await saveCausalPattern(bare, tenantId, pattern())).toBe(true)
    expect(await findSimilarIncidents(bare, tenantId, query)).toHaveLength(1)
  } finally {
    await other.stop()
  }
})
