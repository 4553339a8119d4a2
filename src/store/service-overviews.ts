import { sql } from 'drizzle-orm'
import type { EventType } from '../domain/event/event.ts'
import { type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import { type Db, epochMs } from './postgres.ts'
import { hasIncidentSince } from './services.ts'
import { joinNamesOf } from './window-joins.ts'

export type ServiceOverview = {
  readonly id: ServiceId
  readonly name: string
  /** `null`: an alert named it, and no event did yet. */
  readonly lastEventAt: Date | null
  /** Live events by type, those of its window that others reported included; what has none is left out. */
  readonly live: Readonly<Partial<Record<EventType, number>>>
  /** Events received in each of the last hours, the present one last. */
  readonly hourly: readonly number[]
  /** There are more events than were looked at: both are lower bounds. */
  readonly isSample: boolean
}

export type OverviewQuery = {
  readonly heardOfSince: Date
  /** A part of the name, whatever its case. */
  readonly nameLike: string | undefined
  /** The name of the last one of the page before. */
  readonly after: string | undefined
  readonly limit: number
}

export const OVERVIEW_HOURS = 12
/** Events of one service that are looked at: of a busier one the overview is a sample. */
const MAX_EVENTS = 2_000

type OverviewRow = {
  readonly id: string
  readonly name: string
  readonly last_ms: number | null
  readonly is_sample: boolean
  readonly counts: readonly (readonly [type: EventType, hoursAgo: number, events: number, live: number])[] | null
}

/** The tenant's services with an event or an incident since an instant, by name, with what is going on in each: one statement. */
export async function listServiceOverviews(db: Db, tenantId: TenantId, query: OverviewQuery): Promise<ServiceOverview[]> {
  const { heardOfSince, nameLike, after, limit } = query
  const filters = [
    sql`s.tenant_id = ${tenantId}`,
    sql`(s.last_event_at > ${heardOfSince.toISOString()}::timestamptz OR ${hasIncidentSince(sql`${tenantId}`, sql`s.id`, heardOfSince)})`,
    ...(nameLike === undefined ? [] : [sql`strpos(lower(s.name), lower(${nameLike})) > 0`]),
    ...(after === undefined ? [] : [sql`s.name > ${after}`]),
  ]
  const events = sql`e.event_type, e.received_at, e.expires_at FROM context_events e`
  const { rows } = await db.execute<OverviewRow>(
    sql`WITH page AS (SELECT s.* FROM services s WHERE ${sql.join(filters, sql` AND `)} ORDER BY s.name LIMIT ${limit})
      SELECT p.id, p.name, CASE WHEN p.agent_id IS NULL THEN NULL ELSE ${epochMs(sql`p.last_event_at`)} END AS last_ms,
        EXISTS (SELECT 1 FROM context_events e WHERE e.service_id = p.id OFFSET ${MAX_EVENTS} LIMIT 1) AS is_sample, (
        SELECT json_agg(json_build_array(k.event_type, k.hours_ago, k.events, k.live)) FROM (
          SELECT c.event_type, extract(epoch FROM date_trunc('hour', now()) - date_trunc('hour', c.at))::int / 3600 AS hours_ago,
            sum(c.events)::int AS events, sum(c.live)::int AS live
          FROM (
            SELECT o.event_type, o.received_at AS at, 1 AS events, (o.expires_at > now())::int AS live FROM (
              (SELECT ${events} WHERE e.service_id = p.id LIMIT ${MAX_EVENTS})
              UNION ALL (
                SELECT ${events} JOIN change_joins j ON j.service_id = e.service_id AND j.change_key = e.change_key
                WHERE j.tenant_id = p.tenant_id AND j.name_key = ANY(${joinNamesOf(sql`p.tenant_id`, sql`p.name_key`)}) AND j.service_id <> p.id
                  AND (j.rule <> 'evaluates' OR NOT EXISTS (SELECT 1 FROM change_joins o
                    WHERE o.service_id = j.service_id AND o.change_key = j.change_key AND o.name_key = p.name_key))
                LIMIT ${MAX_EVENTS}
              )
            ) o
            UNION ALL
            SELECT h.event_type, h.hour, h.count, 0 FROM event_counts h
            WHERE h.service_id = p.id AND h.hour > now() - make_interval(hours => ${OVERVIEW_HOURS})
          ) c
          GROUP BY 1, 2
        ) k
      ) AS counts
      FROM page p ORDER BY p.name`,
  )
  return rows.map(toOverview)
}

function toOverview({ id, name, last_ms, is_sample, counts }: OverviewRow): ServiceOverview {
  const live: Partial<Record<EventType, number>> = {}
  const hourly = Array.from({ length: OVERVIEW_HOURS }, () => 0)
  for (const [type, hoursAgo, events, alive] of counts ?? []) {
    if (alive > 0) live[type] = (live[type] ?? 0) + alive
    const place = OVERVIEW_HOURS - 1 - hoursAgo
    if (place >= 0) hourly[place] = (hourly[place] ?? 0) + events
  }
  return { id: toId(id), name, lastEventAt: last_ms === null ? null : new Date(last_ms), live, hourly, isSample: is_sample }
}
