import { type SQL, sql } from 'drizzle-orm'
import { type ChangeText, EVENT_TYPES, isCallFailure } from '../domain/event/event.ts'
import { type EventId, type IncidentId, type TenantId, toId } from '../domain/ids.ts'
import { BEGINS, HAPPENED, typesTable } from './changes.ts'
import { type ChangeColumns, toShownChange } from './event-log.ts'
import { type Db, epochMs } from './postgres.ts'

/** An event after an alert, or a failure that its answer cites, with when it was last reported again. */
export type LaterEvent = ChangeText & {
  readonly id: EventId
  readonly serviceName: string
  readonly confidence: number
  readonly happenedAt: Date
  readonly lastAt: Date
}

type LaterRow = ChangeColumns & {
  readonly id: string
  readonly service_name: string
  readonly confidence: number
  readonly happened_ms: number
  readonly last_ms: number
}

/** What is seen of the time after an alert, or until it was resolved. */
const SEEN = sql`interval '2 hours'`
const MAX_EVENTS = 60
/** Failing calls of the tenant that are looked at for those to these services: of a busier one the first. */
const MAX_LOOKED_AT = 2_000
const MAX_REPEATS = 20

/**
 * What happened since an incident's alert to the services that its latest answer speaks of, in the order of time: what began then
 * there, and whose calls to them fail,
 * what was reported again of the same thing as the blamed change, and how long the cited failures went on. Bounded however much
 * the tenant sends.
 */
export async function readAftermath(db: Db, tenantId: TenantId, incidentId: IncidentId): Promise<readonly LaterEvent[]> {
  const columns = sql`e.id, e.service_id, e.service_name, e.event_type, e.vendor, e.entity, e.old_value, e.new_value, e.actor, e.sha,
    e.environment, e.confidence, e.change_key, ${HAPPENED} AS happened_at`
  const { rows } = await db.execute<LaterRow>(
    sql`WITH subject AS (
      SELECT i.service_id, i.triggered_at AS since, coalesce(i.resolved_at, i.triggered_at + ${SEEN}) + interval '10 minutes' AS until, d.answer
      FROM incidents i LEFT JOIN LATERAL (
        SELECT a.answer FROM diagnoses a WHERE a.incident_id = coalesce(i.diagnosis_of, i.id) ORDER BY a.number DESC LIMIT 1
      ) d ON true
      WHERE i.tenant_id = ${tenantId} AND i.id = ${incidentId}
    ),
    blamed AS (
      SELECT e.service_id, e.vendor, e.event_type, e.entity FROM subject s
        JOIN context_events e ON e.tenant_id = ${tenantId} AND e.id = (s.answer #>> '{hypotheses,0,eventIds,0}')::uuid
    ),
    cited AS (
      SELECT ${columns} FROM subject s CROSS JOIN LATERAL json_array_elements_text(s.answer->'evidence') AS c(id)
        JOIN context_events e ON e.tenant_id = ${tenantId} AND e.id = c.id::uuid
    ),
    places AS (SELECT service_id FROM subject UNION SELECT service_id FROM blamed UNION SELECT service_id FROM cited),
    names AS MATERIALIZED (SELECT s.name FROM services s JOIN places p ON p.service_id = s.id WHERE s.tenant_id = ${tenantId}),
    begun AS (
      SELECT l.* FROM subject s CROSS JOIN places p CROSS JOIN ${typesTable(EVENT_TYPES)} CROSS JOIN LATERAL (
        SELECT ${columns} FROM context_events e
        WHERE e.service_id = p.service_id AND e.tenant_id = ${tenantId} AND e.event_type = t.event_type AND ${BEGINS} AND ${isWithin(sql`s`)}
        ORDER BY ${HAPPENED}, e.id LIMIT ${MAX_EVENTS}
      ) l
      UNION ALL
      SELECT l.* FROM subject s CROSS JOIN ${typesTable(EVENT_TYPES.filter(isCallFailure))} CROSS JOIN LATERAL (
        SELECT ${columns} FROM context_events e
        WHERE e.tenant_id = ${tenantId} AND e.event_type = t.event_type AND ${BEGINS} AND ${isWithin(sql`s`)}
        ORDER BY ${HAPPENED}, e.id LIMIT ${MAX_LOOKED_AT}
      ) l WHERE split_part(l.entity, ':', 1) IN (SELECT name FROM names)
    ),
    repeated AS (
      SELECT r.* FROM subject s CROSS JOIN blamed b JOIN agents g ON g.tenant_id = ${tenantId} CROSS JOIN LATERAL (
        SELECT ${columns} FROM context_events e
        WHERE e.agent_id = g.id AND e.service_id = b.service_id AND e.vendor = b.vendor AND e.event_type = b.event_type
          AND e.received_at > s.since AND e.entity = b.entity AND ${isWithin(sql`s`)}
        ORDER BY e.received_at DESC LIMIT ${MAX_REPEATS}
      ) r
    ),
    told AS (
      (SELECT * FROM begun UNION SELECT * FROM repeated ORDER BY happened_at, id LIMIT ${MAX_EVENTS})
      UNION SELECT * FROM cited WHERE event_type IN ('dependency_failure', 'circuit_open', 'restart', 'saturation')
    )
    SELECT t.*, ${epochMs(sql`t.happened_at`)} AS happened_ms, ${epochMs(sql`greatest(t.happened_at, o.last_at)`)} AS last_ms
    FROM told t LEFT JOIN LATERAL (
      SELECT max(l.at) AS last_at FROM (
        SELECT ${HAPPENED} AS at FROM context_events e
        WHERE e.service_id = t.service_id AND e.change_key = t.change_key ORDER BY e.expires_at DESC LIMIT ${MAX_REPEATS}
      ) l
    ) o ON true
    ORDER BY t.happened_at, t.id`,
  )
  return rows.map((row) => ({
    id: toId(row.id),
    serviceName: row.service_name,
    ...toShownChange(row),
    confidence: row.confidence,
    happenedAt: new Date(row.happened_ms),
    lastAt: new Date(row.last_ms),
  }))
}

const isWithin = (subject: SQL): SQL => sql`${HAPPENED} >= ${subject}.since AND ${HAPPENED} < ${subject}.until`
