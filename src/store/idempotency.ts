import { sql } from 'drizzle-orm'
import type { ApiKeyId, TenantId } from '../domain/ids.ts'
import type { BatchDb, Db } from './postgres.ts'

/** A request that may be repeated, by its API key, a name of its own and the hash of its body. */
export type Claim = { readonly apiKeyId: ApiKeyId; readonly key: string; readonly bodyHash: string }

type Found =
  | { readonly kind: 'fresh' }
  /** `result`: sealed; `null` when none was kept. */
  | { readonly kind: 'replayed'; readonly result: string | null }
  | { readonly kind: 'conflict' }

/** An API key of the tenant's. */
const own = (tenantId: TenantId, apiKeyId: ApiKeyId) =>
  sql`(SELECT k.id FROM api_keys k WHERE k.id = ${apiKeyId} AND k.tenant_id = ${tenantId})`

/**
 * Claims a request, or finds what came of it: a claim that another made meanwhile is waited for, and seen by the second statement,
 * not by the first.
 */
export async function claimRequest(db: BatchDb, tenantId: TenantId, { apiKeyId, key, bodyHash }: Claim): Promise<Found> {
  const [claimed, known] = await db.batch([
    db.execute(
      sql`INSERT INTO idempotency_keys (api_key_id, key, body_hash) SELECT id, ${key}, ${bodyHash} FROM ${own(tenantId, apiKeyId)} k
        ON CONFLICT DO NOTHING RETURNING key`,
    ),
    db.execute<{ readonly body_hash: string; readonly result: string | null }>(
      sql`SELECT i.body_hash, i.result FROM idempotency_keys i WHERE i.api_key_id = ${own(tenantId, apiKeyId)} AND i.key = ${key}`,
    ),
  ])
  const [found] = known.rows
  if (!found || claimed.rows.length > 0) return { kind: 'fresh' }
  return found.body_hash === bodyHash ? { kind: 'replayed', result: found.result } : { kind: 'conflict' }
}

/** Keeps what came of a claimed request, unless that was kept before. */
export async function keepResult(db: Db, tenantId: TenantId, { apiKeyId, key, bodyHash }: Claim, sealed: string): Promise<void> {
  await db.execute(
    sql`UPDATE idempotency_keys SET result = ${sealed}
      WHERE api_key_id = ${own(tenantId, apiKeyId)} AND key = ${key} AND body_hash = ${bodyHash} AND result IS NULL`,
  )
}

/** Lets a request go of which nothing came, so that it may be mended and sent again. */
export async function releaseClaim(db: Db, tenantId: TenantId, { apiKeyId, key, bodyHash }: Claim): Promise<void> {
  await db.execute(
    sql`DELETE FROM idempotency_keys
      WHERE api_key_id = ${own(tenantId, apiKeyId)} AND key = ${key} AND body_hash = ${bodyHash} AND result IS NULL`,
  )
}
