import { sql } from 'drizzle-orm'
import type { IncidentId, TenantId } from '../domain/ids.ts'
import { type CausalPattern, type Embedding, readPattern, type SimilarPattern } from '../domain/incident/memory.ts'
import { STORED_VERSION } from '../domain/json.ts'
import { functionNamed } from './functions.ts'
import { type Db, selectOne } from './postgres.ts'

const MAX_SIMILAR = 20
/** A tenant with more patterns than this is searched by the index, which is all but exact. */
export const EXACT_UP_TO = 2_000

/** Keeps an engineer's verdict, in place of an earlier one. False: this database has no vectors, and nothing is kept. */
export async function saveCausalPattern(db: Db, tenantId: TenantId, pattern: CausalPattern): Promise<boolean> {
  const { incidentId, service, vendor, eventType, valueClass, embedding, verdict } = pattern
  const { is_kept: isKept } = await selectOne<{ is_kept: boolean }>(
    db,
    sql`SELECT ${functionNamed('save_causal_pattern')}(${tenantId}, ${incidentId}, ${STORED_VERSION}, ${service}, ${vendor}, ${eventType}, ${valueClass},
      ${toVector(embedding)}, ${verdict}) AS is_kept`,
  )
  return isKept
}

/** Forgets what was decided about an incident. False: this database has no vectors. */
export async function deleteCausalPattern(db: Db, tenantId: TenantId, incidentId: IncidentId): Promise<boolean> {
  const { is_done: isDone } = await selectOne<{ is_done: boolean }>(
    db,
    sql`SELECT ${functionNamed('delete_causal_pattern')}(${tenantId}, ${incidentId}) AS is_done`,
  )
  return isDone
}

/**
 * The tenant's decided incidents most like this one, the likest first, and never itself. `undefined`: this database has
 * no vectors. Throws `unavailable` for one that a later release has stored.
 */
export async function findSimilarIncidents(
  db: Db,
  tenantId: TenantId,
  { embedding, except, limit, exactUpTo = EXACT_UP_TO }: SimilarQuery,
): Promise<readonly SimilarPattern[] | undefined> {
  const { patterns } = await selectOne<{ patterns: readonly unknown[] | null }>(
    db,
    sql`SELECT ${functionNamed('nearest_causal_patterns')}(${tenantId}, ${toVector(embedding)}, ${except}, ${Math.min(limit, MAX_SIMILAR)}, ${exactUpTo}) AS patterns`,
  )
  return patterns?.map(readPattern)
}

type SimilarQuery = {
  readonly embedding: Embedding
  readonly except: IncidentId | null
  readonly limit: number
  readonly exactUpTo?: number
}

function toVector(embedding: Embedding): string {
  return `[${embedding.join(',')}]`
}
