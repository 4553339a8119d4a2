import { type SQL, sql } from 'drizzle-orm'
import { type EventId, type IncidentId, type TenantId, toId } from '../domain/ids.ts'
import type { Reported, Scaling } from '../domain/incident/undoing.ts'
import { MAX_SHOWN_LENGTH } from '../domain/text.ts'
import { BEGINS, HAPPENED } from './changes.ts'
import type { ClaimedWork } from './incident-work.ts'
import { isReadable } from './incidents.ts'
import { isInMaintenance, teamOf } from './maintenance.ts'
import { type Db, epochMs, selectOne, timestamptz } from './postgres.ts'
import { SOURCE, type Target } from './targets.ts'

/** An incident after whose answer something happened, as far as it says who is to be told. */
export type Followed = {
  readonly service: string
  readonly team: string | null
  /** Whether it began in a maintenance window, so that nobody is told. */
  readonly isMuted: boolean
  readonly environment: string | null
  /** Of the latest answer; `null`: there is none. */
  readonly confidence: number | null
  readonly blames: boolean
  /** Whether an answer is on its way. */
  readonly isDiagnosing: boolean
  /** Who was told an answer, or is to be. */
  readonly told: readonly Target[]
}

/** `undefined`: the incident is gone. */
export async function findFollowed(db: Db, { tenantId, incidentId }: ClaimedWork): Promise<Followed | undefined> {
  const { rows } = await db.execute<Followed>(
    sql`SELECT i.service_name AS service, ${teamOf(sql`i`)} AS team, ${isInMaintenance(sql`i`)} AS "isMuted", i.environment, d.confidence, coalesce(NOT d.abstained, false) AS blames,
        EXISTS (SELECT 1 FROM incident_work w WHERE w.incident_id = i.id AND w.kind = 'diagnosis' AND w.state = 'due') AS "isDiagnosing",
        (SELECT coalesce(json_agg(DISTINCT n.target), '[]') FROM incident_work n
          WHERE n.incident_id = i.id AND n.kind = 'note' AND n.state <> 'given_up') AS told
      FROM incidents i LEFT JOIN LATERAL (
        SELECT a.confidence, a.abstained FROM diagnoses a WHERE a.incident_id = i.id ORDER BY a.number DESC LIMIT 1
      ) d ON true
      WHERE i.tenant_id = ${tenantId} AND i.id = ${incidentId}`,
  )
  return rows[0]
}

/** Plans a message of what happened to each of those, unless the lease is another's by now: all or nothing. */
export async function planFollowUps(
  db: Db,
  { tenantId, incidentId, kind, number, lease }: ClaimedWork,
  targets: readonly Target[],
  now: Date,
): Promise<void> {
  await db.execute(
    sql`WITH planned AS (
      UPDATE incident_work SET state = 'done', lease = NULL, reason = NULL, done_at = now()
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND kind = ${kind} AND lease = ${lease}::uuid RETURNING incident_id
    )
    INSERT INTO incident_work (incident_id, kind, number, target, tenant_id, state, next_at, attempts)
    SELECT p.incident_id, ${kind}, ${number}, t.target, ${tenantId}::uuid, 'queued', ${timestamptz(now)}, 0
    FROM planned p, json_array_elements_text(${JSON.stringify(targets)}::json) AS e(text), LATERAL (SELECT e.text::uuid AS target) t
    ON CONFLICT DO NOTHING`,
  )
}

/** An incident whose blamed change may have been undone: what is blamed, and the reports of the same thing of the last days. */
export type AwaitedUndoing = {
  readonly tenantId: TenantId
  readonly incidentId: IncidentId
  readonly blamed: Pick<Reported, 'newValue' | 'sha'>
  readonly answeredAt: Date
  readonly reports: readonly (Reported & { readonly id: EventId })[]
  /** Of the replica sets of the thing, since it was blamed. */
  readonly scalings: readonly Scaling[]
}

type Row<Told> = Omit<Told, 'at'> & { readonly atMs: number }
type AwaitedRow = {
  readonly tenant_id: string
  readonly incident_id: string
  readonly new_value: string | null
  readonly sha: string | null
  readonly made_ms: number
  readonly reports: readonly Row<AwaitedUndoing['reports'][number]>[]
  readonly scalings: readonly Row<Scaling>[]
}

const MAX_AWAITED = 100
const MAX_REPORTS = 60

/** What a look for undoings saw: every incident that awaits one, up to then, and those that may have one. */
export type UndoingLook = {
  readonly awaiting: readonly IncidentId[]
  readonly at: Date
  readonly found: readonly AwaitedUndoing[]
}

/**
 * Of the incidents whose blamed change somebody wants to know undone, of each tenant's in turn, those of which something was
 * reported since they were looked at that is of the same type and about the same thing. `endUndoingLook` ends the look.
 */
export async function findAwaitedUndoing(db: Db): Promise<UndoingLook> {
  const look = await selectOne<{ awaiting: readonly IncidentId[]; at_ms: number; found: readonly AwaitedRow[] | null }>(
    db,
    sql`WITH looked_at AS (
      SELECT tenant_id, incident_id, looked_at - interval '5 seconds' AS since FROM (
        SELECT tenant_id, incident_id, looked_at, row_number() OVER (PARTITION BY tenant_id ORDER BY looked_at, incident_id) AS turn
        FROM incident_work WHERE state = 'awaiting' AND kind = 'undone' AND target = ${SOURCE}
      ) a ORDER BY turn, looked_at, incident_id LIMIT ${MAX_AWAITED}
    ),
    blamed AS (
      SELECT l.tenant_id, l.incident_id, l.since, d.made_at, c.cause->>0 AS service, c.cause->>1 AS event_type, c.cause->>3 AS entity, c.cause->>4 AS new_value, c.cause->>5 AS sha
      FROM looked_at l JOIN LATERAL (
        SELECT a.made_at, a.signature->'compared'->>'told' AS told FROM diagnoses a
        WHERE a.incident_id = l.incident_id AND ${isReadable(sql`a.signature`)} ORDER BY a.number DESC LIMIT 1
      ) d ON d.told IS NOT NULL CROSS JOIN LATERAL (SELECT d.told::json AS cause) c
    )
    SELECT (SELECT coalesce(json_agg(incident_id), '[]') FROM looked_at) AS awaiting, ${epochMs(sql`now()`)} AS at_ms, (
    SELECT json_agg(json_build_object('tenant_id', b.tenant_id, 'incident_id', b.incident_id, 'new_value', b.new_value, 'sha', b.sha,
      'made_ms', ${epochMs(sql`b.made_at`)}, 'reports', r.reports, 'scalings', s.scalings))
    FROM blamed b CROSS JOIN LATERAL (
      SELECT array_agg(n.id) AS ids FROM agents g CROSS JOIN LATERAL (
        SELECT e.id FROM context_events e WHERE e.agent_id = g.id AND e.received_at > b.since AND e.event_type = b.event_type AND e.entity = b.entity
        ORDER BY e.received_at DESC LIMIT ${MAX_REPORTS}
      ) n WHERE g.tenant_id = b.tenant_id
    ) news CROSS JOIN LATERAL (
      SELECT ${told} AS reports
      FROM context_events e WHERE e.id = ANY(news.ids) OR e.id = ANY(ARRAY(
        SELECT e.id FROM context_events e WHERE e.tenant_id = b.tenant_id AND e.event_type = b.event_type AND e.entity = b.entity AND ${BEGINS}
          AND ${HAPPENED} >= b.made_at - interval '1 day'
        ORDER BY ${HAPPENED} DESC LIMIT ${MAX_REPORTS}))
    ) r CROSS JOIN LATERAL (
      SELECT coalesce(${told}, '[]') AS scalings FROM (
        SELECT e.* FROM context_events e WHERE b.event_type = 'deploy' AND e.tenant_id = b.tenant_id AND e.event_type = 'scale_event'
          AND starts_with(e.entity, b.service || '-') AND ${BEGINS} AND ${HAPPENED} >= b.made_at - interval '1 day'
        ORDER BY ${HAPPENED} DESC LIMIT ${MAX_REPORTS}) e
    ) s
    WHERE news.ids IS NOT NULL) AS found`,
  )
  const found = (look.found ?? []).map(
    ({ tenant_id, incident_id, new_value, sha, made_ms, reports, scalings }): AwaitedUndoing => ({
      tenantId: toId(tenant_id),
      incidentId: toId(incident_id),
      blamed: { newValue: new_value, sha },
      answeredAt: new Date(made_ms),
      reports: reports.map(toDated),
      scalings: scalings.map(toDated),
    }),
  )
  return { awaiting: look.awaiting, at: new Date(look.at_ms), found }
}

/** Ends a look whose undoings are noted: the next begins where it began. What was awaited long enough is done. */
export async function endUndoingLook(db: Db, { awaiting, at }: UndoingLook, now: Date): Promise<void> {
  await db.execute(
    sql`UPDATE incident_work w SET looked_at = greatest(w.looked_at, ${timestamptz(at)}),
        state = CASE WHEN w.next_at <= ${timestamptz(now)} THEN 'done' ELSE 'awaiting' END
      FROM json_array_elements_text(${JSON.stringify(awaiting)}::json) AS e(id)
      WHERE w.incident_id = e.id::uuid AND w.kind = 'undone' AND w.target = ${SOURCE} AND w.state = 'awaiting'`,
  )
}

const toDated = <Told>({ atMs, ...told }: Told & { readonly atMs: number }) => ({ ...told, at: new Date(atMs) })

/** A value as entries show it, and so as answers have it. */
const shown = (value: SQL): SQL => sql`left(${value}, ${MAX_SHOWN_LENGTH})`
/** Events `e` in the order of their time. */
const told = sql`json_agg(json_build_object('id', e.id, 'eventType', e.event_type, 'entity', e.entity, 'oldValue', ${shown(sql`e.old_value`)},
  'newValue', ${shown(sql`e.new_value`)}, 'sha', e.sha, 'environment', e.environment, 'atMs', ${epochMs(HAPPENED)}) ORDER BY ${HAPPENED}, e.id)`

/** Notes what undid the change that an incident's answer blames, for those who want to know to be told. */
export async function noteUndoing(db: Db, { tenantId, incidentId }: AwaitedUndoing, eventId: EventId, now: Date): Promise<void> {
  await db.execute(
    sql`UPDATE incident_work SET state = 'queued', event_id = ${eventId}, next_at = ${timestamptz(now)}
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND kind = 'undone' AND target = ${SOURCE} AND state IN ('awaiting', 'done') AND event_id IS NULL`,
  )
}
