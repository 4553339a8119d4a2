import { type SQL, sql } from 'drizzle-orm'
import type { ChangeText, EventType } from '../domain/event/event.ts'
import { type AgentId, type EventId, type TenantId, toId } from '../domain/ids.ts'
import { toShownValue } from '../domain/text.ts'
import { functionNamed } from './functions.ts'
import { type Db, epochMs } from './postgres.ts'

/** An event of an agent's log. */
export type LoggedEvent = ChangeText & {
  readonly id: EventId
  readonly serviceName: string
  readonly confidence: number
  readonly ttlSeconds: number
  readonly timestamp: Date
  readonly receivedAt: Date
  readonly expiresAt: Date
}

/** A place in an agent's log: right after the event received at that microsecond, with that id. */
export type LogPosition = { readonly receivedAtUs: string; readonly id: EventId }

export type LogQuery = {
  readonly limit: number
  readonly after: LogPosition | undefined
  readonly serviceName: string | undefined
  readonly vendor: string | undefined
  readonly eventType: EventType | undefined
}

/** The columns of an event that say what changed. */
export type ChangeColumns = {
  event_type: EventType
  vendor: string
  entity: string
  old_value: string | null
  new_value: string | null
  actor: string | null
  sha: string | null
  environment: string | null
}

/** What an event's columns say changed, its values cut to what is shown. */
export function toShownChange(row: ChangeColumns): ChangeText {
  return {
    eventType: row.event_type,
    vendor: row.vendor,
    entity: row.entity,
    oldValue: toShownValue(row.old_value),
    newValue: toShownValue(row.new_value),
    actor: row.actor,
    sha: row.sha,
    environment: row.environment,
  }
}

type LogRow = ChangeColumns & {
  id: string
  service_name: string
  confidence: number
  ttl_seconds: number
  timestamp_ms: number
  received_ms: number
  received_us: string
  expires_ms: number
}

const LOG_ENTRY = sql`e.id, e.service_name, e.vendor, e.event_type, e.entity, e.old_value, e.new_value, e.actor, e.sha, e.environment, e.confidence,
  e.ttl_seconds, ${epochMs(sql`e.timestamp`)} AS timestamp_ms, ${epochMs(sql`e.received_at`)} AS received_ms,
  (extract(epoch FROM e.received_at) * 1000000)::bigint::text AS received_us, ${epochMs(sql`e.expires_at`)} AS expires_ms`

/** A page of the live events an agent sent, newest receipt first, and where the next page begins. */
export async function listAgentEvents(db: Db, tenantId: TenantId, agentId: AgentId, query: LogQuery) {
  const { limit, after } = query
  const isWanted = sql`e.tenant_id = ${tenantId} AND e.expires_at > now() AND ${
    after
      ? sql`(e.received_at, e.id) < (to_timestamp(0) + make_interval(secs => ${after.receivedAtUs}::numeric / 1000000), ${after.id}::uuid)`
      : sql`true`
  }`
  const { rows } = await db.execute<LogRow>(
    isFiltering(query)
      ? selectOfKinds(tenantId, agentId, query, isWanted)
      : sql`SELECT ${LOG_ENTRY} FROM context_events e WHERE e.agent_id = ${agentId} AND ${isWanted}
        ORDER BY e.received_at DESC, e.id DESC LIMIT ${limit + 1}`,
  )
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const next: LogPosition | undefined = rows.length > limit && last ? { receivedAtUs: last.received_us, id: toId(last.id) } : undefined
  return { events: page.map(toLoggedEvent), next }
}

const isFiltering = ({ serviceName, vendor, eventType }: LogQuery) => [serviceName, vendor, eventType].some((part) => part !== undefined)

/**
 * Of each kind that is meant the latest events, however rare they are. A kind is a vendor and a type; of those that are not given each is
 * found from the one before.
 */
function selectOfKinds(tenantId: TenantId, agentId: AgentId, { limit, serviceName, vendor, eventType }: LogQuery, isWanted: SQL): SQL {
  const isOfSender = serviceName === undefined ? sql`e.agent_id = ${agentId}` : isOfService(tenantId, agentId, serviceName)
  const isOfVendor = vendor === undefined ? sql`true` : sql`e.vendor = ${vendor}`
  const found = [...(vendor === undefined ? ['vendor'] : []), ...(eventType === undefined ? ['event_type'] : [])]
  const of = (table: string) => sql.raw(found.map((column) => `${table}.${column}`).join(', '))
  const next = (isNext: SQL) =>
    sql`SELECT ${of('e')} FROM context_events e WHERE ${isOfSender} AND ${isOfVendor} AND ${isNext} ORDER BY ${of('e')} LIMIT 1`
  const kinds = sql`WITH RECURSIVE kinds AS (
      (${next(sql`true`)}) UNION ALL SELECT n.* FROM kinds k CROSS JOIN LATERAL (${next(sql`(${of('e')}) > (${of('k')})`)}) n
    )`
  return sql`${found.length > 0 ? kinds : sql`WITH kinds AS (SELECT)`}
    SELECT ${LOG_ENTRY} FROM kinds k CROSS JOIN LATERAL (
      SELECT e.* FROM context_events e
      WHERE ${isWanted} AND ${isOfSender} AND e.vendor = ${vendor ?? sql`k.vendor`} AND e.event_type = ${eventType ?? sql`k.event_type`}
      ORDER BY e.received_at DESC NULLS LAST FETCH FIRST ${limit + 1} ROWS WITH TIES
    ) e
    ORDER BY e.received_at DESC, e.id DESC LIMIT ${limit + 1}`
}

/** By the hash that is indexed. Within `coalesce` nothing else is, which would find all of the agent's events or the service's. */
function isOfService(tenantId: TenantId, agentId: AgentId, serviceName: string): SQL {
  const serviceId = sql`${functionNamed('service_id_of')}(${tenantId}::uuid, ${serviceName})`
  return sql`uuid_hash_extended(e.service_id, uuid_hash_extended(e.agent_id, 0)) = uuid_hash_extended(${serviceId}, uuid_hash_extended(${agentId}, 0))
    AND coalesce(e.service_id = ${serviceId} AND e.agent_id = ${agentId}, false)`
}

function toLoggedEvent(row: LogRow): LoggedEvent {
  return {
    id: toId(row.id),
    serviceName: row.service_name,
    ...toShownChange(row),
    confidence: row.confidence,
    ttlSeconds: row.ttl_seconds,
    timestamp: new Date(row.timestamp_ms),
    receivedAt: new Date(row.received_ms),
    expiresAt: new Date(row.expires_ms),
  }
}
