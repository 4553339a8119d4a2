import { sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import { type IncidentId, type ShareId, type TenantId, toId } from '../domain/ids.ts'
import { appendAudit, type Trail } from './audit.ts'
import { type Db, epochMs, timestamptz } from './postgres.ts'

/** A link by which whoever has it reads an incident, until it expires or is revoked. */
export type Share = {
  readonly id: ShareId
  readonly madeAt: Date
  readonly expiresAt: Date
  /** As the audit names them. */
  readonly madeBy: string
}

export type ShareRow = { readonly id: string; readonly madeMs: number; readonly expiresMs: number; readonly madeBy: string }

const MAX_SHARES = 20

export const TOO_MANY_SHARES = `an incident has at most ${MAX_SHARES} links at a time: revoke one first`

const SHARE_JSON = sql`json_build_object('id', s.id, 'madeMs', ${epochMs(sql`s.made_at`)}, 'expiresMs', ${epochMs(sql`s.expires_at`)}, 'madeBy', s.made_by)`

/** The links to incident `i` that still lead there, the newest first, as JSON of `ShareRow`s; null without any. */
export const SHARES_JSON = sql`(SELECT json_agg(${SHARE_JSON} ORDER BY s.made_at DESC, s.id) FROM shares s WHERE s.tenant_id = i.tenant_id AND s.incident_id = i.id AND s.expires_at > now())`

/** A link as it was read. */
export function toShare({ id, madeMs, expiresMs, madeBy }: ShareRow): Share {
  return { id: toId(id), madeAt: new Date(madeMs), expiresAt: new Date(expiresMs), madeBy }
}

/**
 * Keeps a link to an incident, and forgets the tenant's that have expired; one that is kept already is answered as it is. Throws
 * `not_found`, and `conflict` when there are too many.
 */
export async function addShare(
  db: Db,
  tenantId: TenantId,
  incidentId: IncidentId,
  { id, madeAt, expiresAt }: Pick<Share, 'id' | 'madeAt' | 'expiresAt'>,
  trail: Trail,
): Promise<Share> {
  const { rows } = await db.execute<{ share: ShareRow | null }>(
    sql`WITH known AS (SELECT id FROM incidents WHERE tenant_id = ${tenantId} AND id = ${incidentId}),
    forgotten AS (DELETE FROM shares WHERE tenant_id = ${tenantId} AND expires_at <= now()),
    made AS (
      INSERT INTO shares (id, tenant_id, incident_id, made_at, expires_at, made_by)
      SELECT ${id}::uuid, ${tenantId}::uuid, k.id, ${timestamptz(madeAt)}, ${timestamptz(expiresAt)}, ${trail.actor}::text FROM known k
      WHERE (SELECT count(*) FROM shares s WHERE s.tenant_id = ${tenantId} AND s.incident_id = k.id AND s.expires_at > now()) < ${MAX_SHARES}
      ON CONFLICT DO NOTHING RETURNING *
    ),
    audit AS (${appendAudit(tenantId, trail, 'incident.shared', sql`(SELECT incident_id AS id FROM made)`)})
    SELECT (SELECT ${SHARE_JSON} FROM made s) AS share FROM known`,
  )
  const [row] = rows
  if (!row) throw new AppError('not_found', 'no such incident')
  const share = row.share ?? (await findKept(db, tenantId, id))
  if (!share) throw new AppError('conflict', TOO_MANY_SHARES)
  return toShare(share)
}

/** In a statement of its own: what was stored while another waited for it is not in that one's snapshot. */
async function findKept(db: Db, tenantId: TenantId, id: ShareId): Promise<ShareRow | undefined> {
  const { rows } = await db.execute<{ share: ShareRow }>(
    sql`SELECT ${SHARE_JSON} AS share FROM shares s WHERE s.tenant_id = ${tenantId} AND s.id = ${id}`,
  )
  return rows[0]?.share
}

/** Which incident a link leads to; `undefined` once it was revoked. */
export async function findShared(db: Db, tenantId: TenantId, id: ShareId): Promise<IncidentId | undefined> {
  const { rows } = await db.execute<{ incident_id: string }>(
    sql`SELECT incident_id FROM shares WHERE tenant_id = ${tenantId} AND id = ${id} AND expires_at > now()`,
  )
  return rows[0] && toId(rows[0].incident_id)
}

/** Revokes a link to an incident: whoever has it is let in no more. Throws `not_found`. */
export async function removeShare(db: Db, tenantId: TenantId, incidentId: IncidentId, id: ShareId, trail: Trail): Promise<void> {
  const { rows } = await db.execute(
    sql`WITH removed AS (DELETE FROM shares WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND id = ${id} RETURNING incident_id AS id),
    audit AS (${appendAudit(tenantId, trail, 'incident.unshared', sql`removed`)})
    SELECT id FROM removed`,
  )
  if (rows.length === 0) throw new AppError('not_found', 'no such link')
}
