import { type SQL, sql } from 'drizzle-orm'
import { HAPPENED } from './changes.ts'
import { type Db, selectOne, timestamptz } from './postgres.ts'

/**
 * Of the incidents that wait for late events, of each tenant's in turn, makes those due for which one arrived: an event that was received since they
 * were looked at, and happened before their alert. The more often one was looked at, the longer until the next time; what has
 * waited long enough is done. Returns how many are due at once.
 */
export async function noticeLateEvents(db: Db, now: Date): Promise<number> {
  const { due } = await selectOne<{ due: number }>(
    db,
    sql`WITH watched AS MATERIALIZED (
      SELECT w.incident_id, w.tenant_id, w.looked_at - interval '5 seconds' AS since, i.triggered_at
      FROM (
        SELECT incident_id, tenant_id, looked_at, row_number() OVER (PARTITION BY tenant_id ORDER BY looked_at, incident_id) AS turn
        FROM incident_work WHERE state = 'watching' ORDER BY turn, looked_at, incident_id LIMIT ${MAX_WATCHED}
      ) w JOIN incidents i ON i.id = w.incident_id
    ),
    concerned AS MATERIALIZED (
      SELECT t.tenant_id FROM (SELECT tenant_id, min(since) AS since, max(triggered_at) AS triggered_at FROM watched GROUP BY tenant_id) t
      WHERE ${isAnyLate(sql`t`)}
    ),
    noticed AS MATERIALIZED (
      SELECT w.incident_id, w.tenant_id IN (SELECT tenant_id FROM concerned) AND ${isAnyLate(sql`w`)} AS is_late FROM watched w
    ),
    planned AS (
      UPDATE incident_work w SET
        state = CASE WHEN w.next_at <= ${timestamptz(now)} THEN 'done' WHEN n.is_late THEN 'due' ELSE 'watching' END,
        next_at = CASE WHEN n.is_late THEN least(w.next_at, greatest(${timestamptz(now)}, ${RESTED_AT})) ELSE w.next_at END,
        looked_at = CASE WHEN n.is_late THEN w.looked_at ELSE now() END
      FROM noticed n WHERE w.incident_id = n.incident_id AND w.kind = 'diagnosis' AND w.state = 'watching'
      RETURNING w.state, w.next_at
    )
    SELECT count(*)::int AS due FROM planned WHERE state = 'due' AND next_at <= ${timestamptz(now)}`,
  )
  return due
}

/** When an incident was left alone long enough: a minute more for each look but the first. */
const RESTED_AT = sql`w.done_at + make_interval(mins => w.looks - 1)`

/**
 * Whether the tenant of a row received an event since, that happened before the row's alert. In the words that make Postgres go
 * along an agent's latest events, rather than through all there are.
 */
function isAnyLate(row: SQL): SQL {
  return sql`EXISTS (
    SELECT 1 FROM agents a CROSS JOIN LATERAL (
      SELECT 1 FROM context_events e WHERE e.agent_id = a.id AND e.received_at > ${row}.since AND ${HAPPENED} <= ${row}.triggered_at
      ORDER BY e.received_at LIMIT 1
    ) l WHERE a.tenant_id = ${row}.tenant_id)`
}

const MAX_WATCHED = 200
