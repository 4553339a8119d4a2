import { sql } from 'drizzle-orm'
import type { IncidentId, TenantId } from '../domain/ids.ts'
import { type Embedding, readPattern, type SimilarPattern } from '../domain/incident/memory.ts'
import { functionNamed } from './functions.ts'
import { type Db, selectOne } from './postgres.ts'

const MAX_SIMILAR = 20
/** A tenant with more patterns than this is searched by the index, which is all but exact. */
export const EXACT_UP_TO = 2_000

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
