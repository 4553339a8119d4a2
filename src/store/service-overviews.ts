import { type SQL, sql } from 'drizzle-orm'
import type { EventType } from '../domain/event/event.ts'
import { type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import { isFailure, RECENT_MINUTES, TROUBLE_TYPES } from '../domain/window/service-health.ts'
import { BEGINS, HAPPENED, typesTable } from './changes.ts'
import { isFolded, OWNERS, PARTS_JSON } from './folded-services.ts'
import { type Db, epochMs, timestamptz } from './postgres.ts'
import { hasIncidentSince, IS_ACTIVE } from './services.ts'
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
  /** There are more events than were looked at: all numbers are lower bounds. */
  readonly isSample: boolean
  readonly activeIncidents: number
  /** Failing calls, open circuits and restarts received in the last minutes, and when the last one was. */
  readonly failures: number
  readonly lastFailureAt: Date | null
  /** Its pods, autoscalers and the like that have names of their own. */
  readonly parts: readonly { readonly id: ServiceId; readonly name: string }[]
  readonly team: string | null
  /** It has incidents or failures that began lately: such services come before all others. */
  readonly isAhead: boolean
}

export type OverviewQuery = {
  readonly heardOfSince: Date
  /** A part of the name, whatever its case. */
  readonly nameLike: string | undefined
  /** The name of the last one of the page before; then those in trouble are not told of again. */
  readonly after: string | undefined
  readonly limit: number
}

export const OVERVIEW_HOURS = 12
/** Events of one service that are looked at, by a hash, so that they are of any age, and as many of others': of a busier one the overview is a sample. */
const MAX_EVENTS = 100
/** Its latest failures of each type, which are in every sample. */
const MAX_LATEST = 10
/** Changes of others that join its window: of those that last longest the events are looked at. */
const MAX_JOINED = 25
/** Services in trouble that come first, and where they are looked for: incidents, and the latest failures of each type. */
const MAX_AHEAD = 25
const MAX_INCIDENTS = 500
const MAX_FAILURES = 250
const AHEAD_HOURS = 6

type OverviewRow = {
  readonly id: string
  readonly name: string
  readonly last_ms: number | null
  readonly is_sample: boolean
  readonly counts:
    | readonly (readonly [type: EventType, hoursAgo: number, events: number, live: number, recent: number, lastMs: number | null])[]
    | null
  readonly active: number
  readonly parts: readonly (readonly [id: string, name: string])[] | null
  readonly team: string | null
  readonly ahead: number
}

/**
 * The tenant's services with an event or an incident since an instant, with what is going on in each: those that are most likely
 * in trouble, the worst first, then the others by name; one statement. What is part of another service is told of there,
 * unless a name is asked for.
 */
export async function listServiceOverviews(db: Db, tenantId: TenantId, query: OverviewQuery): Promise<ServiceOverview[]> {
  const { heardOfSince, nameLike, after, limit } = query
  const filters = [
    sql`s.tenant_id = ${tenantId}`,
    sql`(s.last_event_at > ${timestamptz(heardOfSince)} OR ${hasIncidentSince(sql`${tenantId}`, sql`s.id`, heardOfSince)})`,
    nameLike === undefined ? sql`(${isFolded(heardOfSince)}) IS NOT TRUE` : sql`strpos(lower(s.name), lower(${nameLike})) > 0`,
  ]
  const wanted = sql.join(filters, sql` AND `)
  // `BETWEEN` as `listChanges` has it: for an equal id Postgres would read all of its events, and sort them.
  const events = sql`e.id, e.event_type, e.received_at, e.expires_at FROM context_events e`
  const { rows } = await db.execute<OverviewRow>(
    sql`WITH active AS MATERIALIZED (SELECT i.service_id, i.triggered_at FROM incidents i WHERE i.tenant_id = ${tenantId} AND ${IS_ACTIVE}),
      ahead AS MATERIALIZED (${listAhead(tenantId)}),
      page AS (
        (SELECT s.*, a.weight AS ahead FROM ahead a JOIN services s ON s.id = a.id WHERE ${after === undefined} AND ${wanted} LIMIT ${MAX_AHEAD})
        UNION ALL
        (SELECT s.*, 0 FROM services s WHERE ${wanted} AND s.id NOT IN (SELECT id FROM ahead) ${after === undefined ? sql`` : sql`AND s.name > ${after}`}
          ORDER BY s.name LIMIT ${limit})
      )
      SELECT p.id, p.name, p.team, p.ahead::int, CASE WHEN p.agent_id IS NULL THEN NULL ELSE ${epochMs(sql`p.last_event_at`)} END AS last_ms,
        c.is_sample, c.counts, (SELECT count(*)::int FROM active a WHERE a.service_id = p.id) AS active,
        ${PARTS_JSON} AS parts
      FROM page p CROSS JOIN LATERAL (
        WITH own AS MATERIALIZED (SELECT ${events} WHERE e.service_id BETWEEN p.id AND p.id ORDER BY e.service_id, e.change_key LIMIT ${MAX_EVENTS + 1}),
        joined AS MATERIALIZED (
          SELECT l.* FROM unnest(${joinNamesOf(sql`p.tenant_id`, sql`p.name_key`)}) AS n(name_key) CROSS JOIN LATERAL (
            SELECT j.service_id, j.change_key, j.expires_at FROM change_joins j
            WHERE j.tenant_id = p.tenant_id AND j.name_key BETWEEN n.name_key AND n.name_key AND j.service_id <> p.id
              AND (j.rule <> 'evaluates' OR (SELECT true FROM change_joins o
                WHERE o.service_id = j.service_id AND o.change_key = j.change_key AND o.name_key = p.name_key) IS NULL)
            ORDER BY j.name_key DESC, j.expires_at DESC LIMIT ${MAX_JOINED + 1}
          ) l ORDER BY l.expires_at DESC LIMIT ${MAX_JOINED + 1}
        )
        SELECT (SELECT count(*) FROM own) > ${MAX_EVENTS} OR (SELECT count(*) FROM joined) > ${MAX_JOINED} AS is_sample, (
          SELECT json_agg(json_build_array(k.event_type, k.hours_ago, k.events, k.live, k.recent, k.last_ms)) FROM (
            SELECT c.event_type, extract(epoch FROM date_trunc('hour', now()) - date_trunc('hour', c.at))::int / 3600 AS hours_ago,
              sum(c.events)::int AS events, sum(c.live)::int AS live, sum(c.recent)::int AS recent, ${epochMs(sql`max(c.at) FILTER (WHERE c.recent > 0)`)} AS last_ms
            FROM (
              SELECT o.event_type, o.received_at AS at, 1 AS events, (o.expires_at > now())::int AS live,
                (o.received_at > now() - make_interval(mins => ${RECENT_MINUTES}))::int AS recent FROM (
                (SELECT * FROM own LIMIT ${MAX_EVENTS})
                UNION
                SELECT l.* FROM ${typesTable(TROUBLE_TYPES)} CROSS JOIN LATERAL (
                  SELECT ${events} WHERE e.service_id = p.id AND e.event_type = t.event_type AND ${BEGINS} ORDER BY ${HAPPENED} DESC, e.id DESC LIMIT ${MAX_LATEST}
                ) l
                UNION ALL
                (SELECT ${events} JOIN (SELECT * FROM joined LIMIT ${MAX_JOINED}) j ON j.service_id = e.service_id AND j.change_key = e.change_key LIMIT ${MAX_EVENTS})
              ) o
              UNION ALL
              SELECT h.event_type, h.hour, h.count, 0, 0 FROM event_counts h
              WHERE h.service_id = p.id AND h.hour > now() - make_interval(hours => ${OVERVIEW_HOURS})
            ) c
            GROUP BY 1, 2
          ) k
        ) AS counts
      ) c
      ORDER BY p.ahead DESC, p.name`,
  )
  return rows.map(toOverview)
}

/** Services with `active` incidents, and those whose failures began lately, their pods' included. */
function listAhead(tenantId: TenantId): SQL {
  return sql`SELECT id, sum(weight) AS weight FROM (
      (SELECT i.service_id AS id, 1000 AS weight FROM active i ORDER BY i.triggered_at DESC LIMIT ${MAX_INCIDENTS})
      UNION ALL
      SELECT o.service_id, 1 FROM ${typesTable(TROUBLE_TYPES)} CROSS JOIN LATERAL (
        SELECT e.service_id, e.change_key FROM context_events e
        WHERE e.tenant_id = ${tenantId} AND e.event_type = t.event_type AND ${BEGINS} AND ${HAPPENED} > now() - make_interval(hours => ${AHEAD_HOURS})
        ORDER BY ${HAPPENED} DESC, e.id DESC LIMIT ${MAX_FAILURES}
      ) f CROSS JOIN LATERAL ${OWNERS} o
    ) w GROUP BY id ORDER BY 2 DESC, id LIMIT ${MAX_AHEAD}`
}

function toOverview({ id, name, last_ms, is_sample, counts, active, parts, team, ahead }: OverviewRow): ServiceOverview {
  return {
    id: toId(id),
    name,
    lastEventAt: last_ms === null ? null : new Date(last_ms),
    ...toNumbers(counts ?? []),
    isSample: is_sample,
    activeIncidents: active,
    parts: (parts ?? []).map(([part, partName]) => ({ id: toId(part), name: partName })),
    team,
    isAhead: ahead > 0,
  }
}

function toNumbers(counts: NonNullable<OverviewRow['counts']>): Pick<ServiceOverview, 'live' | 'hourly' | 'failures' | 'lastFailureAt'> {
  const live: Partial<Record<EventType, number>> = {}
  const hourly = Array.from({ length: OVERVIEW_HOURS }, () => 0)
  for (const [type, hoursAgo, events, alive] of counts) {
    if (alive > 0) live[type] = (live[type] ?? 0) + alive
    const place = OVERVIEW_HOURS - 1 - hoursAgo
    if (place >= 0) hourly[place] = (hourly[place] ?? 0) + events
  }
  const failing = counts.filter(([type, , , , recent]) => recent > 0 && isFailure(type))
  const lastMs = failing.length === 0 ? null : Math.max(...failing.map(([, , , , , ms]) => ms ?? 0))
  return {
    live,
    hourly,
    failures: failing.reduce((sum, [, , , , recent]) => sum + recent, 0),
    lastFailureAt: lastMs === null ? null : new Date(lastMs),
  }
}
