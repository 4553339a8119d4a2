import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import type { KeyType } from '../domain/api-key.ts'
import { AppError } from '../domain/errors.ts'
import { type AgentId, type ApiKeyId, type TenantId, toId } from '../domain/ids.ts'
import { type Db, selectOne } from './postgres.ts'
import { apiKeys } from './schema.ts'
import type { NewApiKey } from './tenants.ts'

/** Who a request acts as. */
export type Principal = {
  readonly tenantId: TenantId
  readonly apiKeyId: ApiKeyId
  readonly keyType: KeyType
  /** The agent registered with the key; `undefined` before it registers. */
  readonly agentId: AgentId | undefined
}

/** What `resolve_caller` of the migrations answers: all `null` when the key is no good. */
export type CallerRow = {
  readonly tenant_id: string | null
  readonly api_key_id: string | null
  readonly key_type: KeyType | null
  readonly agent_id: string | null
}

export type ApiKey = {
  readonly id: ApiKeyId
  readonly tenantId: TenantId
  readonly keyType: KeyType
  readonly name: string | null
  readonly prefix: string
  readonly last4: string
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
}

/** The principal such a row stands for; throws `unauthorized` when there is none. */
export function toPrincipal({ tenant_id, api_key_id, key_type, agent_id }: CallerRow): Principal {
  if (tenant_id === null || api_key_id === null || key_type === null) {
    throw new AppError('unauthorized', 'API key is unknown or revoked')
  }
  return {
    tenantId: toId(tenant_id),
    apiKeyId: toId(api_key_id),
    keyType: key_type,
    agentId: agent_id === null ? undefined : toId(agent_id),
  }
}

/** Who the key with this hash acts for; throws `unauthorized` for an unknown or revoked one. */
export async function getPrincipal(db: Db, keyHash: string): Promise<Principal> {
  const row = await selectOne<CallerRow>(db, sql`SELECT tenant_id, api_key_id, key_type, agent_id FROM resolve_caller(${keyHash})`)
  return toPrincipal(row)
}

/** Stores a new key's hash and hint. */
export async function insertApiKey(db: Db, tenantId: TenantId, key: NewApiKey): Promise<ApiKey> {
  const [row] = await db
    .insert(apiKeys)
    .values({ ...key, tenantId })
    .returning()
  if (!row) throw new AppError('unavailable', 'the database gave no usable answer')
  return toApiKey(row)
}

const MAX_LISTED_KEYS = 1_000

/** The tenant's live keys, oldest first, a thousand at most. */
export async function listApiKeys(db: Db, tenantId: TenantId): Promise<ApiKey[]> {
  const rows = await db
    .select()
    .from(apiKeys)
    .where(and(eq(apiKeys.tenantId, tenantId), isNull(apiKeys.revokedAt)))
    .orderBy(asc(apiKeys.createdAt), asc(apiKeys.id))
    .limit(MAX_LISTED_KEYS)
  return rows.map(toApiKey)
}

/** Revokes a key: from the moment this returns, no request with it succeeds. Throws `not_found` for a dead one. */
export async function revokeApiKey(db: Db, tenantId: TenantId, id: ApiKeyId): Promise<void> {
  const rows = await db
    .update(apiKeys)
    .set({ revokedAt: sql`now()` })
    .where(and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.id, id), isNull(apiKeys.revokedAt)))
    .returning({ id: apiKeys.id })
  if (rows.length === 0) throw new AppError('not_found', 'no such API key')
}

function toApiKey({ hash: _, ...row }: typeof apiKeys.$inferSelect): ApiKey {
  return { ...row, id: toId(row.id), tenantId: toId(row.tenantId) }
}
