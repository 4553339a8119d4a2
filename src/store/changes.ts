import { type SQL, sql } from 'drizzle-orm'
import type { ChangeText, EventDetails, EventLinks, EventType } from '../domain/event/event.ts'
import { toNameKey } from '../domain/event/service-name.ts'
import { type EventId, type TenantId, toId } from '../domain/ids.ts'
import { type ChangeColumns, toShownChange } from './event-log.ts'
import { type Db, epochMs } from './postgres.ts'
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

/** When an event counts as having happened; what `context_events_by_beginning` is ordered by. */
export const HAPPENED = sql`least(e."timestamp", e.received_at)`
/** Whether an event began its change: one received later in the same second may have, too. */
export const BEGINS = sql`e.received_at - e.appeared_at < interval '1 second'`

/**
 * What began to be so across the tenant's services, newest first, of what is still stored: each change once, where it began,
 * however often it was reported since. With a service's name, its own changes and those that join its window. The index leads
 * to the page's changes alone, type by type. The types are listed, not unpacked from JSON, which is estimated at a hundred and
 * has Postgres compile the plan.
 */
export async function listChanges(db: Db, tenantId: TenantId, query: ChangeQuery): Promise<Change[]> {
  const { types, limit, since, until, before, after, serviceName } = query
  const filters = [
    sql`e.tenant_id = ${tenantId} AND e.event_type = t.event_type AND ${BEGINS} AND coalesce(e.kept_until, e.expires_at) > now()`,
    ...(since === undefined ? [] : [sql`${HAPPENED} >= ${since}::timestamptz`]),
    ...(until === undefined ? [] : [sql`${HAPPENED} <= ${until}::timestamptz`]),
    ...(before === undefined ? [] : [sql`${HAPPENED} < ${before}::timestamptz`]),
    ...(after === undefined ? [] : [isAfter(tenantId, after)]),
    ...(serviceName === undefined ? [] : [isInWindow(tenantId, toNameKey(serviceName))]),
    isFirst,
  ]
  const { rows } = await db.execute<ChangeRow>(
    sql`SELECT p.*, ${epochMs(sql`p.happened_at`)} AS ordered_ms, (
        SELECT count(*)::int FROM (
          SELECT 1 FROM context_events o WHERE o.service_id = p.service_id AND o.change_key = p.change_key AND o.appeared_at = p.appeared_at
          LIMIT ${MAX_COUNT}) c) AS count
      FROM (
        SELECT c.* FROM (VALUES ${sql.join(
          types.map((type) => sql`(${type}::text)`),
          sql`, `,
        )}) AS t(event_type) CROSS JOIN LATERAL (
          SELECT e.id, e.service_id, e.service_name, e.event_type, e.vendor, e.entity, e.old_value, e.new_value, e.actor, e.sha,
            e.environment, e.url, e.details, e.change_key, e.appeared_at, ${HAPPENED} AS happened_at
          FROM context_events e WHERE ${sql.join(filters, sql` AND `)}
          ORDER BY ${HAPPENED} DESC, e.id DESC LIMIT ${limit}
        ) c ORDER BY c.happened_at DESC, c.id DESC LIMIT ${limit}
      ) p ORDER BY p.happened_at DESC, p.id DESC`,
  )
  return rows.map(toChange)
}

/** Two scalars rather than a row, which the index could not begin at. */
function isAfter(tenantId: TenantId, id: EventId): SQL {
  const place = (column: SQL) => sql`(SELECT ${column} FROM context_events p WHERE p.tenant_id = ${tenantId} AND p.id = ${id})`
  return sql`(${HAPPENED}, e.id) < (${place(sql`least(p."timestamp", p.received_at)`)}, ${place(sql`p.id`)})`
}

function isInWindow(tenantId: TenantId, nameKey: string): SQL {
  return sql`(e.service_id = ANY(ARRAY(SELECT s.id FROM services s WHERE s.tenant_id = ${tenantId} AND s.name_key = ${nameKey}))
    OR EXISTS (SELECT 1 FROM change_joins j WHERE j.tenant_id = ${tenantId} AND j.name_key = ANY(${joinNamesOf(sql`${tenantId}::uuid`, sql`${nameKey}::text`)})
      AND j.service_id = e.service_id AND j.change_key = e.change_key))`
}

/** Of several events that began a change in one second, the first. Those before it in the index are of earlier lives, or such. */
const isFirst = sql`NOT EXISTS (SELECT 1 FROM context_events o WHERE o.service_id = e.service_id AND o.change_key = e.change_key
  AND o.expires_at <= e.expires_at AND o.appeared_at = e.appeared_at AND (o.received_at, o.id) < (e.received_at, e.id))`

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
