import { type AgentId, type ApiKeyId, type TenantId, toId } from '../domain/ids.ts'
import { parseJson } from '../domain/json.ts'
import type { Principal } from './api-keys.ts'
import { isTimeAgain, keys, type Redis, remember } from './redis.ts'

/** For so long a key is taken to be good while nobody can be asked. */
const GOOD_FOR_MS = 600_000
const REFRESH_MS = 60_000

/** Notes, once a minute, whom the ingest key with this hash was seen to act for. */
export async function rememberGoodKey(redis: Redis, keyHash: string, { tenantId, agentId, apiKeyId }: Principal, now: Date): Promise<void> {
  const key = keys.goodKey(keyHash)
  if (agentId === undefined || !isTimeAgain(redis, key, REFRESH_MS, now)) return
  await redis.client.ask(['SET', key, JSON.stringify([tenantId, agentId, apiKeyId]), 'PX', GOOD_FOR_MS])
  remember(redis, [key], now)
}

/** Whom the key with this hash acted for, if it was seen good lately and not revoked since. */
export async function findGoodKey(redis: Redis, keyHash: string): Promise<(Principal & { readonly agentId: AgentId }) | undefined> {
  const known = parseJson((await redis.client.ask<string | null>(['GET', keys.goodKey(keyHash)])) ?? '')
  if (!Array.isArray(known) || known.length !== 3) return undefined
  const [tenantId, agentId, apiKeyId] = known.map(String)
  return {
    tenantId: toId<TenantId>(tenantId ?? ''),
    apiKeyId: toId<ApiKeyId>(apiKeyId ?? ''),
    keyType: 'ingest',
    agentId: toId<AgentId>(agentId ?? ''),
  }
}

/** Forgets a key that was revoked. */
export async function forgetGoodKey(redis: Redis, keyHash: string): Promise<void> {
  await redis.client.ask(['DEL', keys.goodKey(keyHash)])
  redis.told.delete(keys.goodKey(keyHash))
}
