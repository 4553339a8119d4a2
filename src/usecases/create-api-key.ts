import type { BatchDatabase, Chance, Keeping } from '../deps.ts'
import { createKey, type KeyType, toKeyHint } from '../domain/access/api-key.ts'
import { toKeptName } from '../domain/event/redact.ts'
import { sha256Hex } from '../domain/hash.ts'
import { type TenantId, toId } from '../domain/ids.ts'
import { type ApiKey, insertApiKey } from '../store/api-keys.ts'
import type { Trail } from '../store/audit.ts'
import type { NewApiKey } from '../store/tenants.ts'

/** Makes a key for a tenant; the answer is the only place where the key itself ever appears. Throws `conflict` when there are too many. */
export async function createApiKey(
  sources: BatchDatabase & Chance & Keeping,
  tenantId: TenantId,
  keyType: KeyType,
  name: string | null,
  trail: Trail,
): Promise<{ readonly key: string; readonly apiKey: ApiKey }> {
  const { key, stored } = await drawKey(sources, keyType, toKeptName(name, sources.keeping))
  return { key, apiKey: await insertApiKey(sources.db, tenantId, stored, trail) }
}

/** Draws a key: itself, and what is stored of it. */
export async function drawKey(
  { newUuid, randomBytes }: Chance,
  keyType: KeyType,
  name: string | null,
): Promise<{ readonly key: string; readonly stored: NewApiKey }> {
  const key = createKey(keyType, randomBytes)
  return { key, stored: { id: toId(newUuid()), keyType, name, hash: await sha256Hex(key), ...toKeyHint(key) } }
}
