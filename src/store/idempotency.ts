import { sql } from 'drizzle-orm'
import type { ApiKeyId, TenantId } from '../domain/ids.ts'
import { type Db, selectOne } from './postgres.ts'

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

/** Claims a request, or finds what came of it. One that is just being claimed by another is `fresh`. */
export async function claimRequest(db: Db, tenantId: TenantId, { apiKeyId, key, bodyHash }: Claim): Promise<Found> {
  const { found } = await selectOne<{ found: { readonly body_hash: string; readonly result: string | null } | null }>(
    db,
    sql`WITH claimed AS (
        INSERT INTO idempotency_keys (api_key_id, key, body_hash) SELECT id, ${key}, ${bodyHash} FROM ${own(tenantId, apiKeyId)} k
        ON CONFLICT DO NOTHING
      )
      SELECT (SELECT json_build_object('body_hash', i.body_hash, 'result', i.result) FROM idempotency_keys i
        WHERE i.api_key_id = ${own(tenantId, apiKeyId)} AND i.key = ${key}) AS found`,
  )
  if (!found) return { kind: 'fresh' }
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
