import { sql } from 'drizzle-orm'
import type { KeyType } from '../domain/access/api-key.ts'
import { AppError } from '../domain/errors.ts'
import { type AgentId, type ApiKeyId, type TenantId, toId } from '../domain/ids.ts'
import { type AuditAction, appendAudit, type Trail } from './audit.ts'
import { UnusableAnswer } from './database-error.ts'
import { functionNamed } from './functions.ts'
import { type BatchDb, type Db, epochMs, selectOne } from './postgres.ts'
import type { NewApiKey } from './tenants.ts'

export const LAST_READONLY_KEY = 'this is the last read-only key, without which nobody could manage the tenant: create another first'

/** Who a request acts as. */
export type Principal = {
  readonly tenantId: TenantId
  readonly apiKeyId: ApiKeyId
  readonly keyType: KeyType
  /** The agent registered with the key; `undefined` before it registers. */
  readonly agentId: AgentId | undefined
}

/** What `resolve_caller` answers: all `null` when the key is no good. */
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

type ApiKeyRow = {
  readonly id: string
  readonly key_type: KeyType
  readonly name: string | null
  readonly prefix: string
  readonly last4: string
  readonly created_ms: number
  readonly last_used_ms: number | null
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
  const row = await selectOne<CallerRow>(
    db,
    sql`SELECT tenant_id, api_key_id, key_type, agent_id FROM ${functionNamed('resolve_caller')}(${keyHash})`,
  )
  return toPrincipal(row)
}

const MAX_LISTED_KEYS = 1_000

export const TOO_MANY_KEYS = `a tenant has at most ${MAX_LISTED_KEYS} live API keys: revoke one first`

/** Creations and revocations of one tenant's keys wait for each other, so that what each counts is so. */
const lockKeys = (db: BatchDb, tenantId: TenantId) => db.execute(sql`SELECT id FROM tenants WHERE id = ${tenantId} FOR NO KEY UPDATE`)

/** Stores a new key's hash and hint; one that is stored already is answered as it is. Throws `conflict` when the tenant has a thousand live ones already. */
export async function insertApiKey(db: BatchDb, tenantId: TenantId, key: NewApiKey, trail: Trail): Promise<ApiKey> {
  const create = db.execute<{ created_ms: number }>(sql`WITH created AS (
      INSERT INTO api_keys (id, tenant_id, key_type, name, prefix, last4, hash)
      SELECT ${key.id}::uuid, ${tenantId}::uuid, ${key.keyType}, ${key.name}, ${key.prefix}, ${key.last4}, ${key.hash}
      WHERE (SELECT count(*) FROM api_keys WHERE tenant_id = ${tenantId} AND integration_id IS NULL AND revoked_at IS NULL) < ${MAX_LISTED_KEYS}
      ON CONFLICT DO NOTHING RETURNING id, created_at
    ),
    audit AS (${appendAudit(tenantId, trail, 'api_key.created', sql`created`)})
    SELECT ${epochMs(sql`created_at`)} AS created_ms FROM (
      SELECT created_at FROM created UNION ALL SELECT created_at FROM api_keys WHERE id = ${key.id} AND tenant_id = ${tenantId} AND hash = ${key.hash}
    ) stored`)
  const [, { rows }] = await db.batch([lockKeys(db, tenantId), create])
  const [row] = rows
  if (!row) throw new AppError('conflict', TOO_MANY_KEYS)
  const { hash: _, ...shown } = key
  return { ...shown, tenantId, createdAt: new Date(row.created_ms), lastUsedAt: null, revokedAt: null }
}

/** The tenant's live keys, oldest first: all there can be. The credentials of integrations are not among them. */
export async function listApiKeys(db: Db, tenantId: TenantId): Promise<ApiKey[]> {
  const { rows } = await db.execute<ApiKeyRow>(
    sql`SELECT id, key_type, name, prefix, last4, ${epochMs(sql`created_at`)} AS created_ms, ${epochMs(sql`last_used_at`)} AS last_used_ms
      FROM api_keys WHERE tenant_id = ${tenantId} AND integration_id IS NULL AND revoked_at IS NULL ORDER BY created_at, id LIMIT ${MAX_LISTED_KEYS}`,
  )
  return rows.map(({ id, key_type, name, prefix, last4, created_ms, last_used_ms }) => ({
    id: toId(id),
    tenantId,
    keyType: key_type,
    name,
    prefix,
    last4,
    createdAt: new Date(created_ms),
    lastUsedAt: last_used_ms === null ? null : new Date(last_used_ms),
    revokedAt: null,
  }))
}

/**
 * Revokes a key and returns its hash: from then on no statement takes it. Throws `not_found` for a dead one, and
 * `conflict` for the last read-only one, without which nobody could manage the tenant.
 */
export async function revokeApiKey(db: BatchDb, tenantId: TenantId, id: ApiKeyId, trail: Trail): Promise<string> {
  const revoke = db.execute<{ found: number; revoked: number; hash: string | null }>(sql`WITH found AS (
      SELECT id, key_type FROM api_keys
      WHERE id = ${id} AND tenant_id = ${tenantId} AND integration_id IS NULL AND revoked_at IS NULL
    ),
    revoked AS (
      UPDATE api_keys k SET revoked_at = now() FROM found
      WHERE k.id = found.id AND k.revoked_at IS NULL AND (found.key_type <> 'readonly' OR EXISTS (
        SELECT 1 FROM api_keys o WHERE o.tenant_id = ${tenantId} AND o.key_type = 'readonly' AND o.revoked_at IS NULL AND o.id <> found.id))
      RETURNING k.id, k.hash
    ),
    audit AS (${appendAudit(tenantId, trail, 'api_key.revoked', sql`revoked`)})
    SELECT (SELECT count(*) FROM found)::int AS found, (SELECT count(*) FROM revoked)::int AS revoked, (SELECT hash FROM revoked) AS hash`)
  const [, { rows }] = await db.batch([lockKeys(db, tenantId), revoke])
  const [row] = rows
  if (!row) throw new UnusableAnswer('HTTP 200, without the row that was asked for')
  if (row.found === 0) throw new AppError('not_found', 'no such API key')
  if (row.hash === null) throw new AppError('conflict', LAST_READONLY_KEY)
  return row.hash
}

/**
 * Notes in the audit of each tenant whose live keys these are that they stood in an event, once a day and key. Whose event it was
 * is not said. The keys found, by hash.
 */
export async function reportExposedKeys(
  db: Db,
  hashes: readonly string[],
): Promise<readonly { readonly tenantId: TenantId; readonly apiKeyId: ApiKeyId }[]> {
  const { rows } = await db.execute<{ tenant_id: string; target_id: string }>(
    sql`INSERT INTO audit_entries (id, tenant_id, actor, action, target_type, target_id)
      SELECT gen_random_uuid(), k.tenant_id, 'noctuary', ${'api_key.exposed' satisfies AuditAction}, 'api_key', k.id::text FROM api_keys k
      WHERE k.hash IN (SELECT jsonb_array_elements_text(${JSON.stringify(hashes)}::jsonb)) AND k.revoked_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM audit_entries a WHERE a.tenant_id = k.tenant_id AND a.action = 'api_key.exposed'
          AND a.target_id = k.id::text AND a.at > now() - interval '1 day')
      RETURNING tenant_id, target_id`,
  )
  return rows.map(({ tenant_id, target_id }) => ({ tenantId: toId(tenant_id), apiKeyId: toId(target_id) }))
}
