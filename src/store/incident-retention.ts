import { sql } from 'drizzle-orm'
import { type IncidentId, type TenantId, toId } from '../domain/ids.ts'
import { daysBefore } from '../domain/window/sweep.ts'
import { type Db, selectOne, timestamptz } from './postgres.ts'

/** An answer that has outlived its snapshot. */
export type OldAnswer = {
  readonly tenantId: TenantId
  readonly incidentId: IncidentId
  readonly number: number
  /** As they are stored. */
  readonly answer: unknown
  readonly contextSnapshot: unknown
}

type OldRow = Omit<OldAnswer, 'tenantId' | 'incidentId'> & { readonly tenantId: string; readonly incidentId: string }

const MAX_INCIDENTS = 100
/** A quarter of a megabyte each. */
const MAX_SNAPSHOTS = 16

/**
 * Deletes incidents that have outlived their days, with their answers and work, and finds answers that have outlived their
 * snapshots: of each tenant in turn, the oldest first.
 */
export async function forgetOldIncidents(
  db: Db,
  now: Date,
  { incidentDays, snapshotDays }: { readonly incidentDays: number; readonly snapshotDays: number },
): Promise<OldAnswer[]> {
  const before = timestamptz(daysBefore(now, incidentDays))
  const { old } = await selectOne<{ old: readonly OldRow[] | null }>(
    db,
    sql`WITH gone AS MATERIALIZED (
        SELECT id FROM incidents WHERE id = ANY(ARRAY(
          SELECT own.id FROM tenants t CROSS JOIN LATERAL (
            SELECT i.id, row_number() OVER (ORDER BY i.triggered_at) AS turn FROM incidents i
            WHERE i.tenant_id = t.id AND i.triggered_at < ${before} AND i.created_at < ${before} ORDER BY i.triggered_at LIMIT ${MAX_INCIDENTS}
          ) own ORDER BY own.turn LIMIT ${MAX_INCIDENTS}
        )) FOR UPDATE SKIP LOCKED
      ),
      work AS (DELETE FROM incident_work WHERE incident_id IN (SELECT id FROM gone)),
      answers AS (DELETE FROM diagnoses WHERE incident_id IN (SELECT id FROM gone)),
      deleted AS (DELETE FROM incidents WHERE id IN (SELECT id FROM gone)),
      old AS (
        SELECT d.tenant_id, d.incident_id, d.number FROM (
          SELECT tenant_id, incident_id, number, made_at, row_number() OVER (PARTITION BY tenant_id ORDER BY made_at) AS turn FROM diagnoses
          WHERE is_snapshot_whole AND verdict IS DISTINCT FROM 'confirmed' AND made_at < ${timestamptz(daysBefore(now, snapshotDays))}
            AND incident_id NOT IN (SELECT id FROM gone)
        ) d ORDER BY d.turn, d.made_at LIMIT ${MAX_SNAPSHOTS}
      )
      SELECT (SELECT json_agg(json_build_object('tenantId', d.tenant_id, 'incidentId', d.incident_id, 'number', d.number,
        'answer', d.answer, 'contextSnapshot', d.context_snapshot))
        FROM old JOIN diagnoses d ON d.incident_id = old.incident_id AND d.number = old.number) AS old`,
  )
  return (old ?? []).map((row) => ({ ...row, tenantId: toId(row.tenantId), incidentId: toId(row.incidentId) }))
}

/** Puts what is left of it in place of an answer's snapshot, unless it was confirmed meanwhile. `text`: JSON. */
export async function cutSnapshot(db: Db, tenantId: TenantId, { incidentId, number }: OldAnswer, text: string): Promise<void> {
  await db.execute(
    sql`UPDATE diagnoses SET context_snapshot = ${text}::json, is_snapshot_whole = false
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND number = ${number} AND verdict IS DISTINCT FROM 'confirmed'`,
  )
}
