import { type SQL, sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import type { SessionId, TenantId } from '../domain/ids.ts'
import { type CallerRow, type Principal, toPrincipal } from './api-keys.ts'
import type { AuditAction } from './audit.ts'
import { functionNamed } from './functions.ts'
import { type Db, selectOne } from './postgres.ts'

/** A session of the pages: whose key opened it, and which of that key's it is. */
export type SessionRef = { readonly keyHash: string; readonly id: SessionId }

type SessionAction = Extract<AuditAction, `session.${string}`>

/** Appends an entry for each row of `of`, which has a key's `tenant_id` and `api_key_id`. */
const appendSession = (action: SessionAction, id: SessionId, requestId: string, of: SQL): SQL =>
  sql`INSERT INTO audit_entries (id, tenant_id, actor, action, target_type, target_id, request_id)
    SELECT gen_random_uuid(), of.tenant_id, 'api_key:' || of.api_key_id, ${action}, 'session', ${id}::text, ${requestId} FROM ${of} of`

/**
 * Opens a session for whoever has a read-only key, and notes it in the audit. Refused are an ingest key (`forbidden`) and an
 * unknown or revoked one (`unauthorized`): of a key that is some tenant's, that is noted, too, once a minute.
 */
export async function openSession(db: Db, { keyHash, id }: SessionRef, requestId: string): Promise<Principal> {
  const opener = sql`(SELECT * FROM caller WHERE key_type = 'readonly')`
  const refused = sql`(SELECT k.tenant_id, k.id AS api_key_id FROM api_keys k
    WHERE k.hash = ${keyHash} AND NOT EXISTS ${opener} AND NOT EXISTS (
      SELECT 1 FROM audit_entries e WHERE e.tenant_id = k.tenant_id AND e.at > now() - interval '1 minute'
        AND e.action = 'session.refused' AND e.actor = 'api_key:' || k.id))`
  const row = await selectOne<CallerRow>(
    db,
    sql`WITH caller AS MATERIALIZED (SELECT * FROM ${functionNamed('resolve_caller')}(${keyHash})),
      opened AS (${appendSession('session.opened', id, requestId, opener)}),
      refused AS (${appendSession('session.refused', id, requestId, refused)})
      SELECT tenant_id, api_key_id, key_type, agent_id FROM caller`,
  )
  return toPrincipal(row)
}

/** In the words of the index. */
const isEnded = (id: SessionId) =>
  sql`EXISTS (SELECT 1 FROM audit_entries e WHERE e.action = 'session.ended' AND e.target_id = ${id}::text)`

/** Who a session acts for; throws `unauthorized` when it was ended, or its key is dead. */
export async function getSessionPrincipal(db: Db, tenantId: TenantId, { keyHash, id }: SessionRef): Promise<Principal> {
  const { ended, ...row } = await selectOne<CallerRow & { readonly ended: boolean }>(
    db,
    sql`SELECT tenant_id, api_key_id, key_type, agent_id, ${isEnded(id)} AS ended FROM ${functionNamed('resolve_caller')}(${keyHash})`,
  )
  const principal = toPrincipal(row)
  if (ended || principal.tenantId !== tenantId) throw new AppError('unauthorized', 'this session is not valid')
  return principal
}

/** Ends a session, wherever its cookie may be by now; once ended, it stays so. */
export async function endSession(db: Db, tenantId: TenantId, { keyHash, id }: SessionRef, requestId: string): Promise<void> {
  const key = sql`(SELECT k.tenant_id, k.id AS api_key_id FROM api_keys k
    WHERE k.hash = ${keyHash} AND k.tenant_id = ${tenantId} AND NOT ${isEnded(id)})`
  await db.execute(appendSession('session.ended', id, requestId, key))
}
