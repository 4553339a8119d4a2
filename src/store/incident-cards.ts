import { type SQL, sql } from 'drizzle-orm'
import type { EventType } from '../domain/event/event.ts'
import { type EventId, type IncidentId, type TenantId, toId } from '../domain/ids.ts'
import { happenedAt } from './changes.ts'
import { fromListed, type IncidentQuery } from './incident-lists.ts'
import { INCIDENT_COLUMNS, type Incident, type IncidentRow, toIncident, WITH_ANSWERS } from './incidents.ts'
import { type Db, epochMs } from './postgres.ts'
import { SOURCE } from './targets.ts'

/** The change that an answer blames, as far as it is still stored; named as a snapshot's entries are. */
export type BlamedChange = {
  readonly id: EventId
  readonly event_type: EventType
  readonly service: string
  readonly vendor: string
  readonly entity: string
  readonly old_value: string | null
  readonly new_value: string | null
  readonly sha: string | null
  readonly actor: string | null
}

/** An incident as a list shows it: with what its answer blames, and when that was undone. */
export type IncidentCard = Incident & {
  readonly isAbstained: boolean
  readonly cause: BlamedChange | undefined
  readonly undoneAt: Date | null
}

type CardRow = IncidentRow & { readonly abstained: boolean | null; readonly cause: BlamedChange | null; readonly undone_ms: number | null }

/** The tenant's incidents as `listIncidents` finds them, with their causes: one statement. */
export function listIncidentCards(db: Db, tenantId: TenantId, query: IncidentQuery): Promise<IncidentCard[]> {
  return selectCards(db, tenantId, fromListed(tenantId, query))
}

/** Further apart, incidents are not of one cause; of very many the nearest are looked at, so many before and after. */
const NEARBY = sql`interval '1 day'`
const MAX_NEARBY = 50

/** An incident and those of the day before and after it whose answers blame the same service, newest first. */
export function listNearbyCards(db: Db, tenantId: TenantId, id: IncidentId): Promise<IncidentCard[]> {
  const ofTenant = sql`SELECT n.id, coalesce(n.diagnosis_of, n.id) AS answered FROM incidents n WHERE n.tenant_id = ${tenantId} AND`
  const at = sql`(SELECT s.triggered_at FROM incidents s WHERE s.tenant_id = ${tenantId} AND s.id = ${id})`
  const blamed = (answered: SQL) =>
    sql`(SELECT a.answer #>> '{hypotheses,0,service}' FROM diagnoses a WHERE a.incident_id = ${answered} ORDER BY a.number DESC LIMIT 1)`
  return selectCards(
    db,
    tenantId,
    sql`FROM incidents i ${WITH_ANSWERS} WHERE i.tenant_id = ${tenantId} AND i.id IN (
        SELECT c.id FROM (
          (${ofTenant} n.triggered_at BETWEEN ${at} - ${NEARBY} AND ${at} ORDER BY n.triggered_at DESC, n.id DESC LIMIT ${MAX_NEARBY})
          UNION ALL (${ofTenant} n.triggered_at > ${at} AND n.triggered_at <= ${at} + ${NEARBY} ORDER BY n.triggered_at, n.id LIMIT ${MAX_NEARBY})
          UNION ALL ${ofTenant} n.id = ${id}
        ) c WHERE ${blamed(sql`c.answered`)} = ${blamed(sql`(SELECT coalesce(s.diagnosis_of, s.id) FROM incidents s WHERE s.tenant_id = ${tenantId} AND s.id = ${id})`)})
      ORDER BY i.triggered_at DESC, i.id DESC`,
  )
}

async function selectCards(db: Db, tenantId: TenantId, from: SQL): Promise<IncidentCard[]> {
  const { rows } = await db.execute<CardRow>(
    sql`SELECT ${INCIDENT_COLUMNS}, d.abstained, (
        SELECT json_build_object('id', e.id, 'event_type', e.event_type, 'service', coalesce(d.answer #>> '{hypotheses,0,service}', e.service_name),
          'vendor', e.vendor, 'entity', e.entity, 'old_value', e.old_value, 'new_value', e.new_value, 'sha', e.sha, 'actor', e.actor)
        FROM context_events e WHERE e.tenant_id = ${tenantId} AND e.id = (d.answer #>> '{hypotheses,0,eventIds,0}')::uuid
      ) AS cause, (
        SELECT ${epochMs(happenedAt(sql`u`))} FROM incident_work n JOIN context_events u ON u.id = n.event_id AND u.tenant_id = ${tenantId}
        WHERE n.incident_id = i.id AND n.kind = 'undone' AND n.target = ${SOURCE}
      ) AS undone_ms
      ${from}`,
  )
  return rows.map((row) => ({
    ...toIncident(row),
    isAbstained: row.abstained ?? false,
    cause: row.cause === null || row.abstained ? undefined : { ...row.cause, id: toId(row.cause.id) },
    undoneAt: row.undone_ms === null ? null : new Date(row.undone_ms),
  }))
}
