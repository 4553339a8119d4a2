import { type SQL, sql } from 'drizzle-orm'
import { toNameKey } from '../domain/event/service-name.ts'
import type { IncidentId, ServiceId, TenantId } from '../domain/ids.ts'
import type { Verdict } from '../domain/incident/quality.ts'
import { functionNamed } from './functions.ts'
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
  const { since, before, serviceName, serviceId, isResolved, verdict, after, limit = MAX_LISTED_INCIDENTS } = query
  const filters = [
    sql`i.tenant_id = ${tenantId} AND i.triggered_at > ${since}::timestamptz`,
    ...(before === undefined ? [] : [sql`i.triggered_at < ${before}::timestamptz`]),
    ...(serviceId === undefined ? [] : [sql`i.service_id = ${serviceId}`]),
    ...(isResolved === undefined ? [] : [isResolved ? sql`i.resolved_at IS NOT NULL` : sql`i.resolved_at IS NULL`]),
    ...(after === undefined
      ? []
      : [sql`(i.triggered_at, i.id) < (SELECT p.triggered_at, p.id FROM incidents p WHERE p.tenant_id = ${tenantId} AND p.id = ${after})`]),
  ]
  const searched = toSearched(query)
  const most = Math.min(limit, MAX_LISTED_INCIDENTS)
  const newest = (
    columns: SQL,
    conditions: readonly SQL[],
  ) => sql`SELECT ${columns} FROM incidents i WHERE ${sql.join([...conditions], sql` AND `)}
    ORDER BY i.triggered_at DESC, i.id DESC LIMIT ${searched.length === 0 ? most : MAX_SEARCHED_INCIDENTS}`
  const found =
    serviceName === undefined
      ? newest(verdict ? sql`i.id, i.triggered_at, i.diagnosis_of` : sql`i.*`, filters)
      : sql`SELECT n.* FROM ${servicesNamed(tenantId, serviceName)} s CROSS JOIN LATERAL (${newest(sql`i.*`, [...filters, sql`i.service_id = s.id`])}) n`
  // In order already, so that of those with a verdict no more are looked at than the page takes.
  const from = verdict
    ? sql`(WITH found AS MATERIALIZED (${found}) SELECT n.id, n.triggered_at FROM found n WHERE ${isJudged(tenantId, verdict)}
        ORDER BY n.triggered_at DESC, n.id DESC LIMIT ${MAX_SEARCHED_INCIDENTS}) l
      CROSS JOIN LATERAL (SELECT * FROM incidents o WHERE o.tenant_id = ${tenantId} AND o.id = l.id OFFSET 0) i`
    : sql`(${found}) i`
  const order = verdict ? sql`l.triggered_at DESC, l.id DESC` : sql`i.triggered_at DESC, i.id DESC`
  return sql`FROM ${from} ${WITH_ANSWERS} ${searched.length === 0 ? sql`` : sql`WHERE ${sql.join(searched, sql` AND `)}`} ORDER BY ${order} LIMIT ${most}`
}

function toSearched({ textLike, verdict }: IncidentQuery): SQL[] {
  return [
    ...(textLike === undefined ? [] : [sql`strpos(lower(concat_ws(' ', i.title, i.service_name)), lower(${textLike})) > 0`]),
    ...(verdict === undefined ? [] : [verdict === null ? sql`d.verdict IS NULL` : sql`d.verdict = ${verdict}`]),
  ]
}

/** Services that a name means, one that was removed as well: its incidents are not. */
const servicesNamed = (tenantId: TenantId, name: string) => sql`(
  SELECT s.id FROM services s WHERE s.tenant_id = ${tenantId} AND s.name_key = ${toNameKey(name)}
  UNION SELECT ${functionNamed('service_id_of')}(${tenantId}::uuid, ${name}))`

/**
 * Whether incident `n` of those `found` is of the few whose answer has this verdict, now or before: others' answers are not looked at, nor
 * verdicts of before the earliest was triggered, by whatever clock. `IS TRUE`, so that all of them are read at once.
 */
const isJudged = (tenantId: TenantId, verdict: Verdict) => sql`(coalesce(n.diagnosis_of, n.id) IN (
  SELECT v.incident_id FROM diagnoses v WHERE v.tenant_id = ${tenantId} AND v.verdict IS NOT NULL AND v.verdict = ${verdict}
    AND v.verdict_at >= (SELECT min(f.triggered_at) FROM found f) - interval '1 hour')) IS TRUE`
