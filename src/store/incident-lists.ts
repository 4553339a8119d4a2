import { type SQL, sql } from 'drizzle-orm'
import { toNameKey } from '../domain/event/service-name.ts'
import type { IncidentId, ServiceId, TenantId } from '../domain/ids.ts'
import type { Verdict } from '../domain/incident/quality.ts'
import { INCIDENT_COLUMNS, type Incident, type IncidentRow, toIncident, WITH_ANSWERS } from './incidents.ts'
import type { Db } from './postgres.ts'

export const MAX_LISTED_INCIDENTS = 50

export type IncidentQuery = {
  /** ISO 8601. */
  readonly since: string
  readonly before?: string | undefined
  /** Compared as everywhere. */
  readonly serviceName?: string | undefined
  readonly serviceId?: ServiceId | undefined
  readonly isResolved?: boolean | undefined
  /** A part of the title or the service's name, whatever its case. */
  readonly textLike?: string | undefined
  /** `null`: those without. */
  readonly verdict?: Verdict | null | undefined
  /** The last one of the page before. */
  readonly after?: IncidentId | undefined
  readonly limit?: number
}

/** The tenant's incidents triggered after `since` and before `before`, newest first, fifty at most. */
export async function listIncidents(db: Db, tenantId: TenantId, query: IncidentQuery): Promise<Incident[]> {
  const { rows } = await db.execute<IncidentRow>(sql`SELECT ${INCIDENT_COLUMNS} ${fromListed(tenantId, query)}`)
  return rows.map(toIncident)
}

/** So many are searched for a text or a verdict: from where the page begins, the newest. */
export const MAX_SEARCHED_INCIDENTS = 5_000

/** Incidents `i` of a listing with their answers, in its order: all of a statement but what it selects. */
export function fromListed(tenantId: TenantId, query: IncidentQuery): SQL {
  const { since, before, serviceName, serviceId, textLike, isResolved, verdict, after, limit = MAX_LISTED_INCIDENTS } = query
  const filters = [
    sql`i.tenant_id = ${tenantId} AND i.triggered_at > ${since}::timestamptz`,
    ...(before === undefined ? [] : [sql`i.triggered_at < ${before}::timestamptz`]),
    ...(serviceName === undefined
      ? []
      : [
          sql`(i.service_name = ${serviceName} OR i.service_id IN (
          SELECT s.id FROM services s WHERE s.tenant_id = ${tenantId} AND s.name_key = ${toNameKey(serviceName)}))`,
        ]),
    ...(serviceId === undefined ? [] : [sql`i.service_id = ${serviceId}`]),
    ...(isResolved === undefined ? [] : [isResolved ? sql`i.resolved_at IS NOT NULL` : sql`i.resolved_at IS NULL`]),
    ...(after === undefined
      ? []
      : [sql`(i.triggered_at, i.id) < (SELECT p.triggered_at, p.id FROM incidents p WHERE p.tenant_id = ${tenantId} AND p.id = ${after})`]),
  ]
  const searched = [
    ...(textLike === undefined ? [] : [sql`strpos(lower(concat_ws(' ', i.title, i.service_name)), lower(${textLike})) > 0`]),
    ...(verdict === undefined ? [] : [verdict === null ? sql`d.verdict IS NULL` : hasVerdict(tenantId, verdict)]),
  ]
  const [asked, newest] = [sql.join(filters, sql` AND `), sql`ORDER BY i.triggered_at DESC, i.id DESC LIMIT`]
  const [from, which] =
    searched.length === 0
      ? [sql`incidents`, asked]
      : [sql`(SELECT * FROM incidents i WHERE ${asked} ${newest} ${MAX_SEARCHED_INCIDENTS})`, sql.join(searched, sql` AND `)]
  return sql`FROM ${from} i ${WITH_ANSWERS} WHERE ${which} ${newest} ${Math.min(limit, MAX_LISTED_INCIDENTS)}`
}

/**
 * Of the few that were judged, those whose latest answer has this verdict: the others' answers are not looked at. `IS TRUE`, so that
 * Postgres goes through incidents from the newest on and looks each up, rather than at all that were ever judged.
 */
const hasVerdict = (tenantId: TenantId, verdict: Verdict) => sql`d.verdict = ${verdict} AND (coalesce(i.diagnosis_of, i.id) IN (
  SELECT v.incident_id FROM diagnoses v WHERE v.tenant_id = ${tenantId} AND v.verdict IS NOT NULL AND v.verdict = ${verdict})) IS TRUE`
