import { createKey, type KeyType, toKeyHint } from '../domain/api-key.ts'
import { sha256, toHex } from '../domain/hash.ts'
import { type TenantId, toId } from '../domain/ids.ts'
import { type ApiKey, insertApiKey } from '../store/api-keys.ts'
import type { Db } from '../store/postgres.ts'

type Sources = {
  readonly db: Db
  readonly newUuid: () => string
  readonly randomBytes: (length: number) => Uint8Array
}

/** Makes a key for a tenant. The answer is the only place where the key itself ever appears. */
export async function createApiKey(
  { db, newUuid, randomBytes }: Sources,
  tenantId: TenantId,
  keyType: KeyType,
  name: string | null,
): Promise<{ readonly key: string; readonly apiKey: ApiKey }> {
  const key = createKey(keyType, randomBytes)
  const hash = toHex(await sha256(key))
  const apiKey = await insertApiKey(db, tenantId, { id: toId(newUuid()), keyType, name, hash, ...toKeyHint(key) })
  return { key, apiKey }
}
