import type { BatchDatabase, Copies, Logging, Memory } from '../deps.ts'
import { nameOf } from '../domain/errors.ts'
import type { ApiKeyId, TenantId } from '../domain/ids.ts'
import { revokeApiKey } from '../store/api-keys.ts'
import type { Trail } from '../store/audit.ts'
import { forgetGoodKey } from '../store/good-keys.ts'

/** Revokes a key, for the queue, too: from the moment this returns, no request with it succeeds. Throws as `revokeApiKey`. */
export async function revokeKey(
  deps: BatchDatabase & Copies & Memory & Logging,
  tenantId: TenantId,
  id: ApiKeyId,
  trail: Trail,
): Promise<void> {
  const hash = await revokeApiKey(deps.db, tenantId, id, trail)
  deps.knownCallers.clear()
  try {
    await forgetGoodKey(deps.redis, hash)
  } catch (error) {
    // What is queued with it all the same is not stored.
    deps.log('revoked_key_remembered', { tenant_id: tenantId, api_key_id: id, reason: nameOf(error) })
  }
}
