import { type SQL, sql } from 'drizzle-orm'
import { type AuditEntryId, type TenantId, toId } from '../domain/ids.ts'
import { type Db, epochMs } from './postgres.ts'

export type AuditAction =
  | 'agent.registered'
  | 'api_key.created'
  | 'api_key.revoked'
  | 'api_key.exposed'
  | 'integration.created'
  | 'integration.updated'
  | 'integration.rotated'
  | 'integration.deleted'
  | 'dependencies.declared'
  | 'service.assigned'
  | 'maintenance.planned'
  | 'maintenance.ended'
  | 'incident.asked'
  | 'incident.confirmed'
  | 'incident.rejected'
  | 'incident.corrected'
  | 'incident.reconsidered'
  | 'incident.shared'
  | 'incident.unshared'
  | 'incident.retried'
  | 'incident.resolved'
  | 'note.posted'
  | 'people.changed'
  | 'session.opened'
  | 'session.refused'
  | 'session.ended'
  | 'tenant.created'
  | 'tenant.exported'
  | 'tenant.imported'
  | 'tenant.deleted'

/** On whose behalf something is changed. */
export type Trail = {
  /**
   * `api_key:<id>`, `person:<e-mail address>`, `message_link:<integration id>`, `operator` for a command, or the part of the system
   * that acted on its own.
   */
  readonly actor: string
  /** The one we gave the request; `null` for what is done outside of one, or on a delivery's account. */
  readonly requestId: string | null
}

/** Whoever runs this installation, by a command. */
export const OPERATOR: Trail = { actor: 'operator', requestId: null }

export type AuditEntry = {
  readonly id: AuditEntryId
  readonly at: Date
  readonly actor: string
  readonly action: AuditAction
  readonly targetType: string
  readonly targetId: string
  readonly requestId: string | null
  /** Of a configuration, those that changed, by their names in the API. */
  readonly fields: readonly string[]
  /** Of an API key that acted, and of one that was acted on, prefix and last characters. */
  readonly actorKey: string | null
  readonly targetKey: string | null
}

type AuditRow = {
  readonly id: string
  readonly at_ms: number
  readonly actor: string
  readonly action: AuditAction
  readonly target_type: string
  readonly target_id: string
  readonly request_id: string | null
  readonly fields: readonly string[]
  readonly actor_key: string | null
  readonly target_key: string | null
}

/**
 * The part of a statement that appends one entry for each row of `changed`, a CTE with an `id`: what was not changed is
 * not noted, and what was cannot go unnoted. `fields` is the expression of an array, over a row of `changed`.
 */
export function appendAudit(
  tenantId: TenantId,
  { actor, requestId }: Trail,
  action: AuditAction,
  changed: SQL,
  fields: SQL = sql`'{}'::text[]`,
): SQL {
  const targetType = action.split('.', 1).join('')
  return sql`INSERT INTO audit_entries (id, tenant_id, actor, action, target_type, target_id, request_id, fields)
    SELECT gen_random_uuid(), ${tenantId}::uuid, ${actor}, ${action}, ${targetType}, changed.id::text, ${requestId}::text, ${fields} FROM ${changed} changed`
}

/** Where a page of the audit begins: after an entry, or before an instant (ISO 8601). */
export type AuditStart = { readonly entry: AuditEntryId } | { readonly instant: string } | undefined

/** A tenant's audit, newest first. An entry that is not the tenant's starts an empty page. */
export async function listAudit(db: Db, tenantId: TenantId, start: AuditStart, limit: number): Promise<AuditEntry[]> {
  const { rows } = await db.execute<AuditRow>(
    sql`SELECT id, ${epochMs(sql`at`)} AS at_ms, actor, action, target_type, target_id, request_id, fields,
        ${keyNamed(sql`actor LIKE 'api_key:%'`, sql`substr(actor, 9)`)} AS actor_key,
        ${keyNamed(sql`target_type = 'api_key'`, sql`target_id`)} AS target_key FROM audit_entries a
      WHERE tenant_id = ${tenantId} AND ${isBefore(tenantId, start)} ORDER BY at DESC, id DESC LIMIT ${limit}`,
  )
  return rows.map(({ id, at_ms, actor, action, target_type, target_id, request_id, fields, actor_key, target_key }) => ({
    id: toId(id),
    at: new Date(at_ms),
    actor,
    action,
    targetType: target_type,
    targetId: target_id,
    requestId: request_id,
    fields,
    actorKey: actor_key,
    targetKey: target_key,
  }))
}

/** An API key as people know it, where an id is one of a key, as text; null where there is none. The id is read, so that an index leads to the key. */
function keyNamed(isKey: SQL, id: SQL): SQL {
  return sql`CASE WHEN ${isKey} THEN (SELECT k.prefix || '…' || k.last4 FROM api_keys k WHERE k.tenant_id = a.tenant_id
    AND k.id = CASE WHEN ${id} ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN (${id})::uuid END) END`
}

function isBefore(tenantId: TenantId, start: AuditStart): SQL {
  if (start === undefined) return sql`true`
  if ('instant' in start) return sql`at < ${start.instant}::timestamptz`
  return sql`(at, id) < (SELECT e.at, e.id FROM audit_entries e WHERE e.id = ${start.entry} AND e.tenant_id = ${tenantId})`
}
