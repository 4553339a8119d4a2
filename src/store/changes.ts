import { type SQL, sql } from 'drizzle-orm'
import type { ChangeText, EventDetails, EventLinks, EventType } from '../domain/event/event.ts'
import { toNameKey } from '../domain/event/service-name.ts'
import { type EventId, type IncidentId, type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import { type ChangeColumns, toShownChange } from './event-log.ts'
import { type Db, epochMs, timestamptz } from './postgres.ts'
import { joinNamesOf } from './window-joins.ts'

/** A change where it began: what repeats of it are told once. */
export type Change = ChangeText &
  EventLinks & {
    /** Of its first event. */
    readonly id: EventId
    readonly serviceName: string
    /** Of its first event. */
    readonly timestamp: Date
    /** Its events that are stored, counted up to 1,000. */
    readonly count: number
  }

export type ChangeQuery = {
  readonly types: readonly EventType[]
  readonly limit: number
  /** ISO 8601, both included. */
  readonly since?: string | undefined
  readonly until?: string | undefined
  /** Earlier than this instant. */
  readonly before?: string | undefined
  /** The last one of the page before. */
  readonly after?: EventId | undefined
  /** Compared as everywhere. */
  readonly serviceName?: string | undefined
  /** Parts of texts, whatever their case: of its own service's name, of who did it, of what it says. */
  readonly serviceLike?: string | undefined
  readonly actorLike?: string | undefined
  readonly textLike?: string | undefined
}

type ChangeRow = ChangeColumns & {
  id: string
  service_name: string
  url: string | null
  details: EventDetails | null
  ordered_ms: number
  count: number
}

const MAX_COUNT = 1_000
/** So many changes that join a window are looked up; where there are more, the tenant's latest are gone through, of which many join. */
const MAX_JOINED = 3_000

/** Of each type, those that texts are looked for in: from where the page begins, the latest. */
export const MAX_SEARCHED = 5_000

/** When an event counts as having happened: as of its receipt where its sender's clock is ahead. */
export const happenedAt = (row: SQL) => sql`least(${row}."timestamp", ${row}.received_at)`
const begins = (row: SQL) => sql`${row}.received_at - ${row}.appeared_at < interval '1 second'`
const isKept = (row: SQL) => sql`coalesce(${row}.kept_until, ${row}.expires_at) > now()`

/** Of an event `e`; what `context_events_by_beginning` is ordered by. */
export const HAPPENED = happenedAt(sql`e`)
/** Whether an event began its change: one received later in the same second may have, too. */
export const BEGINS = begins(sql`e`)
export const IS_KEPT = isKept(sql`e`)

/** Types of changes, in the words of the indexes over what began them. */
export const CHANGE_TYPES = sql.raw("('deploy', 'flag_change', 'config_change', 'schema_change', 'scale_event')")

/** Whether an event `e` of the tenant began a change, in the words of the index over this column, which is compared in lower case. */
export function isIndexedBy(column: 'entity' | 'sha' | 'actor', tenantId: TenantId): SQL {
  return sql`e.tenant_id = ${tenantId} AND e.${sql.raw(column)} IS NOT NULL AND e.event_type IN ${CHANGE_TYPES} AND ${BEGINS}`
}

/**
 * What began to be so across the tenant's services, newest first, of what is still stored: each change once, where it began,
 * however often it was reported since. With a service's name, its own changes and those that join its window. An index leads
 * to the page's changes alone, type by type.
 */
export function listChanges(db: Db, tenantId: TenantId, query: ChangeQuery): Promise<Change[]> {
  return select(db, tenantId, query, COUNT)
}

/** The same changes, of which the first `counted` have their count, the others one: what is asked of more of them than are shown. */
export function surveyChanges(db: Db, tenantId: TenantId, query: ChangeQuery, counted: number): Promise<Change[]> {
  const count = sql`CASE WHEN row_number() OVER (ORDER BY p.happened_at DESC, p.id DESC) <= ${counted} THEN ${COUNT} ELSE 1 END`
  return select(db, tenantId, query, counted === 0 ? sql`1` : count)
}

const COUNT = sql`(
  SELECT count(*)::int FROM (
    SELECT 1 FROM context_events o WHERE o.service_id = p.service_id AND o.change_key = p.change_key AND o.appeared_at = p.appeared_at
    LIMIT ${MAX_COUNT}) c)`

async function select(db: Db, tenantId: TenantId, query: ChangeQuery, count: SQL): Promise<Change[]> {
  const { rows } = await db.execute<ChangeRow>(
    sql`SELECT p.*, ${epochMs(sql`p.happened_at`)} AS ordered_ms, ${count} AS count
      FROM (${selectPage(tenantId, query)}) p ORDER BY p.happened_at DESC, p.id DESC`,
  )
  return rows.map(toChange)
}

/** Types of events as a table `t` of `event_type`: listed, not unpacked from JSON, which is estimated at a hundred. */
export function typesTable(types: readonly EventType[]): SQL {
  const rows = types.map((type) => sql`(${type}::text)`)
  return sql`(VALUES ${sql.join(rows, sql`, `)}) AS t(event_type)`
}

function selectPage(tenantId: TenantId, query: ChangeQuery): SQL {
  const { types, limit, serviceName } = query
  const [bounds, texts] = [toBounds(tenantId, query), toTexts(query)]
  const latest = (conditions: SQL[]) => selectWhere([...conditions, ...bounds], texts, limit)
  // Each type's in order, so that they are merged, and of each no more are looked at than the page takes.
  const merged = (conditions: SQL[]) => {
    const parts = types.map((type) => sql`(${latest([...conditions, sql`e.event_type = ${type}`])})`)
    return sql`SELECT * FROM (${sql.join(parts, sql` UNION ALL `)}) c ORDER BY happened_at DESC, id DESC LIMIT ${limit}`
  }
  if (serviceName === undefined) return merged([sql`e.tenant_id = ${tenantId}`])
  return selectOfService(tenantId, { ...query, serviceName }, latest, merged)
}

/**
 * A service's own changes and those that join its window. A join tells the type of its change and, to the second, when its latest life
 * began: of those that began before the page's last change, none is on the page. The page's last change is, as far as its own and the
 * joins that began last tell. Earlier lives of what has begun again are looked up with it.
 */
function selectOfService(
  tenantId: TenantId,
  query: ChangeQuery & { readonly serviceName: string },
  latest: (conditions: SQL[]) => SQL,
  merged: (conditions: SQL[]) => SQL,
): SQL {
  const { types, limit, since } = query
  const nameKey = toNameKey(query.serviceName)
  const kinds = typesTable(types)
  const isOwn = sql`e.service_id = ANY(ARRAY(SELECT id FROM own))`
  const isWanted = sql`e.event_type = ANY(ARRAY(SELECT t.event_type FROM ${kinds}))`
  const lookedUp = (joins: SQL, ...conditions: SQL[]) => sql`SELECT c.* FROM ${joins} j CROSS JOIN LATERAL (
    ${latest([sql`e.service_id = j.service_id`, sql`e.change_key = j.change_key`, isWanted, sql`NOT ${isOwn}`, ...conditions])}) c`
  const joinsOf = (condition: SQL, most: number) => sql`(SELECT o.service_id, o.change_key, o.appeared_at FROM change_joins o
    WHERE o.tenant_id = ${tenantId} AND o.name_key = n.name_key AND ${condition} ORDER BY o.appeared_at DESC LIMIT ${most})`
  const ofTypes = (condition: SQL, most: number) =>
    sql`SELECT j.* FROM names n CROSS JOIN ${kinds} CROSS JOIN LATERAL ${joinsOf(sql`o.event_type = t.event_type AND ${condition}`, most)} j`
  const isJoined = sql`EXISTS (SELECT 1 FROM change_joins j WHERE j.tenant_id = ${tenantId} AND j.name_key = ANY(ARRAY(SELECT name_key FROM names))
    AND j.service_id = e.service_id AND j.change_key = e.change_key)`
  const reached = sql`greatest((SELECT happened_at FROM reach), ${since ?? null}::timestamptz, '-infinity')`
  return sql`WITH own AS MATERIALIZED (SELECT s.id FROM services s WHERE s.tenant_id = ${tenantId} AND s.name_key = ${nameKey}),
    names AS MATERIALIZED (SELECT unnest(${joinNamesOf(sql`${tenantId}::uuid`, sql`${nameKey}::text`)}) AS name_key),
    of_own AS MATERIALIZED (SELECT c.* FROM own CROSS JOIN LATERAL (${merged([sql`e.service_id = own.id`])}) c),
    first AS MATERIALIZED (SELECT DISTINCT f.service_id, f.change_key FROM (
      ${ofTypes(sql`o.appeared_at <= ${toEnd(tenantId, query)}`, limit)} ORDER BY appeared_at DESC LIMIT ${limit}) f),
    of_first AS MATERIALIZED (${lookedUp(sql`first`)}),
    reach AS MATERIALIZED (SELECT r.happened_at FROM (SELECT happened_at FROM of_own UNION ALL SELECT happened_at FROM of_first) r
      ORDER BY r.happened_at DESC OFFSET ${limit - 1} LIMIT 1),
    joined AS MATERIALIZED (SELECT DISTINCT j.service_id, j.change_key FROM (
      ${ofTypes(sql`o.appeared_at >= ${reached} - interval '1 second'`, MAX_JOINED + 1)}
      UNION ALL SELECT j.* FROM names n CROSS JOIN LATERAL ${joinsOf(sql`o.event_type IS NULL`, MAX_JOINED + 1)} j) j LIMIT ${MAX_JOINED + 1}),
    extent AS MATERIALIZED (SELECT count(*) > ${MAX_JOINED} AS are_many FROM joined)
    SELECT * FROM of_own
    UNION ALL
    SELECT * FROM of_first WHERE NOT (SELECT are_many FROM extent)
    UNION ALL
    ${lookedUp(
      sql`(SELECT * FROM joined WHERE NOT (SELECT are_many FROM extent) EXCEPT SELECT * FROM first)`,
      sql`${HAPPENED} >= ${reached}`,
    )}
    UNION ALL
    SELECT c.* FROM ${kinds} CROSS JOIN LATERAL (
      ${latest([sql`e.tenant_id = ${tenantId}`, sql`e.event_type = t.event_type`, sql`(SELECT are_many FROM extent)`, sql`NOT ${isOwn}`, isJoined])}) c
    ORDER BY happened_at DESC, id DESC LIMIT ${limit}`
}

/** Nothing that is asked for began later. */
function toEnd(tenantId: TenantId, { until, before, after }: ChangeQuery): SQL {
  const place = after === undefined ? sql`NULL` : ofEvent(tenantId, after, happenedAt(sql`p`))
  return sql`coalesce(least(${until ?? null}::timestamptz, ${before ?? null}::timestamptz, ${place}), now())`
}

function toBounds(tenantId: TenantId, { since, until, before, after }: ChangeQuery): SQL[] {
  return [
    sql`e.tenant_id = ${tenantId} AND ${BEGINS} AND ${IS_KEPT}`,
    ...(since === undefined ? [] : [sql`${HAPPENED} >= ${since}::timestamptz`]),
    ...(until === undefined ? [] : [sql`${HAPPENED} <= ${until}::timestamptz`]),
    ...(before === undefined ? [] : [sql`${HAPPENED} < ${before}::timestamptz`]),
    ...(after === undefined ? [] : [isAfter(tenantId, after)]),
  ]
}

function toTexts({ serviceLike, actorLike, textLike }: ChangeQuery): SQL[] {
  return [
    ...(serviceLike === undefined ? [] : [holds(SHOWN_WITH, serviceLike)]),
    ...(actorLike === undefined ? [] : [holds(sql`e.actor`, actorLike)]),
    ...(textLike === undefined ? [] : [holds(sql`concat_ws(' ', e.entity, e.old_value, e.new_value, e.sha)`, textLike)]),
  ]
}

const selectWhere = (conditions: SQL[], texts: SQL[], limit: number) => sql`
  SELECT e.id, e.service_id, e.service_name, e.event_type, e.vendor, e.entity, e.old_value, e.new_value, e.actor, e.sha,
    e.environment, e.url, e.details, e.change_key, e.appeared_at, ${HAPPENED} AS happened_at
  FROM ${texts.length === 0 ? sql`context_events` : sql`(${selectLatest(conditions)} LIMIT ${MAX_SEARCHED})`} e
  WHERE ${sql.join([...(texts.length === 0 ? conditions : texts), isFirst], sql` AND `)} ORDER BY ${LATEST} LIMIT ${limit}`

const LATEST = sql`${HAPPENED} DESC, e.id DESC`

const selectLatest = (conditions: SQL[]) => sql`SELECT * FROM context_events e WHERE ${sql.join(conditions, sql` AND `)} ORDER BY ${LATEST}`

/** Whose change it is: what deployers and clusters tell of stands in the entity. */
const SHOWN_WITH = sql`concat_ws(' ', e.service_name, CASE WHEN lower(e.vendor) IN ('argocd', 'flux', 'kubernetes') THEN e.entity END)`

const holds = (column: SQL, part: string) => sql`strpos(lower(${column}), lower(${part})) > 0`

/** An incident whose latest answer names a change, and that change. */
export type Blame = {
  readonly incidentId: IncidentId
  readonly title: string | null
  readonly alertingService: string
  readonly triggeredAt: Date
  readonly isResolved: boolean
  readonly change: ChangeText & { readonly serviceName: string }
}

type BlameRow = ChangeColumns & {
  incident_id: string
  title: string | null
  alerting: string
  triggered_ms: number
  is_resolved: boolean
  service_name: string
}

const MAX_BLAMES = 100
/** The newest ones, whose answers are looked at. */
const MAX_INCIDENTS = 500

/**
 * Which stored changes the tenant's incidents since an instant are said to be caused by, unless an engineer said otherwise; newest first;
 * with a service, those that blame it.
 */
export async function listBlames(db: Db, tenantId: TenantId, since: Date, serviceId?: ServiceId): Promise<Blame[]> {
  const { rows } = await db.execute<BlameRow>(
    sql`SELECT i.id AS incident_id, i.title, i.service_name AS alerting, ${epochMs(sql`i.triggered_at`)} AS triggered_ms,
        i.resolved_at IS NOT NULL AS is_resolved, e.service_name, e.event_type, e.vendor, e.entity, e.old_value, e.new_value, e.actor, e.sha, e.environment
      FROM (
        SELECT * FROM incidents WHERE tenant_id = ${tenantId} AND triggered_at > ${timestamptz(since)}
        ORDER BY triggered_at DESC, id DESC LIMIT ${MAX_INCIDENTS}
      ) i
      CROSS JOIN LATERAL (
        SELECT a.answer, a.abstained, a.verdict FROM diagnoses a WHERE a.incident_id = coalesce(i.diagnosis_of, i.id) ORDER BY a.number DESC LIMIT 1
      ) d
      JOIN context_events e ON e.tenant_id = ${tenantId} AND e.id = (d.answer #>> '{hypotheses,0,eventIds,0}')::uuid
      WHERE NOT d.abstained AND d.verdict IS DISTINCT FROM 'rejected'
        ${serviceId === undefined ? sql`` : sql`AND d.answer #>> '{hypotheses,0,service}' = (SELECT s.name FROM services s WHERE s.tenant_id = ${tenantId} AND s.id = ${serviceId})`}
      ORDER BY i.triggered_at DESC, i.id DESC LIMIT ${MAX_BLAMES}`,
  )
  return rows.map((row) => ({
    incidentId: toId(row.incident_id),
    title: row.title,
    alertingService: row.alerting,
    triggeredAt: new Date(row.triggered_ms),
    isResolved: row.is_resolved,
    change: { serviceName: row.service_name, ...toShownChange(row) },
  }))
}

/** Two scalars rather than a row, which the index could not begin at. */
function isAfter(tenantId: TenantId, id: EventId): SQL {
  return sql`(${HAPPENED}, e.id) < (${ofEvent(tenantId, id, happenedAt(sql`p`))}, ${ofEvent(tenantId, id, sql`p.id`)})`
}

/** What a column of the tenant's event `p` says; null where there is none. */
const ofEvent = (tenantId: TenantId, id: EventId, column: SQL) =>
  sql`(SELECT ${column} FROM context_events p WHERE p.tenant_id = ${tenantId} AND p.id = ${id})`

/**
 * Of several events that began a change in one second, the first to expire, which of equal TTLs is the first. Those before it in the index
 * are of earlier lives, or such.
 */
const isFirst = sql`NOT EXISTS (SELECT 1 FROM context_events o WHERE o.service_id = e.service_id AND o.change_key = e.change_key
  AND o.expires_at <= e.expires_at AND o.appeared_at = e.appeared_at AND ${begins(sql`o`)}
  AND ${isKept(sql`o`)} AND (o.expires_at, o.received_at, o.id) < (e.expires_at, e.received_at, e.id))`

function toChange(row: ChangeRow): Change {
  return {
    id: toId(row.id),
    serviceName: row.service_name,
    ...toShownChange(row),
    url: row.url,
    details: row.details,
    timestamp: new Date(row.ordered_ms),
    count: row.count,
  }
}
