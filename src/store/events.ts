import { type SQL, sql } from 'drizzle-orm'
import type { ContextEvent, EventType } from '../domain/event.ts'
import { toShownValue, toValueClass } from '../domain/event.ts'
import { type AgentId, type EventId, type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import { matchServices, toNameKey, workloadOfFallbackName } from '../domain/service-name.ts'
import { type CallerRow, callerOf, type Principal, toPrincipal } from './api-keys.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'

export type NewEvent = { readonly id: EventId; readonly event: ContextEvent }

export type InsertRequest = {
  readonly keyHash: string
  readonly events: readonly NewEvent[]
  readonly idempotency: { readonly key: string; readonly bodyHash: string } | undefined
}

/** An event that this statement stored, and the windows it is in. */
export type CreatedEvent = {
  readonly id: EventId
  readonly changeKey: string
  readonly serviceIds: readonly ServiceId[]
}

export type InsertResult = {
  readonly principal: Principal
  /** `conflict`: the `Idempotency-Key` came with another body before; nothing was stored. */
  readonly idempotency: 'none' | 'fresh' | 'replayed' | 'conflict'
  readonly receivedAt: Date
  /** What was stored now; the rest of the request's events had been stored before. */
  readonly created: readonly CreatedEvent[]
}

type InsertRow = CallerRow & {
  now_ms: number
  is_fresh: boolean | null
  created: [id: string, changeKey: string, serviceId: string, joinedServiceIds: string[] | null][] | null
}

/**
 * Stores events in one statement: resolves the key, checks its agent, opens missing services, stores what was not
 * stored before and touches what is stale. Nothing is stored for a caller that may not: look at `principal`.
 *
 * What holds it together: ids are hashes, so no statement reads back what another is just inserting; rows go in sorted,
 * so concurrent batches do not deadlock; touches skip rows that someone else is touching.
 */
export async function insertEvents(db: Db, { keyHash, events, idempotency }: InsertRequest): Promise<InsertResult> {
  const row = await selectOne<InsertRow>(
    db,
    sql`WITH ${callerOf(keyHash)},
    idempotency AS (${claimIdempotencyKey(idempotency)}),
    admitted AS (
      SELECT tenant_id, agent_id FROM caller
      WHERE key_type = 'ingest' AND agent_id IS NOT NULL
        AND (${idempotency === undefined} OR (SELECT is_fresh FROM idempotency))
    ),
    named AS (
      SELECT a.tenant_id, a.agent_id, n.name, n.name_key, ${serviceIdOf(sql`h.hash`)} AS id
      FROM admitted a, jsonb_to_recordset(${JSON.stringify(toServiceNames(events))}::jsonb) AS n(name text, name_key text),
        LATERAL (SELECT sha256(convert_to(a.tenant_id::text || '/' || n.name, 'UTF8')) AS hash) h
    ),
    opened AS (
      INSERT INTO services (id, tenant_id, agent_id, name, name_key)
      SELECT n.id, n.tenant_id, n.agent_id, n.name, n.name_key FROM named n
      WHERE NOT EXISTS (SELECT 1 FROM services s WHERE s.id = n.id) ORDER BY n.id
      ON CONFLICT (id) DO NOTHING
      RETURNING id, tenant_id, name_key
    ),
    touched_services AS (
      UPDATE services s SET last_event_at = now(), agent_id = t.agent_id
      FROM (
        SELECT s.id, n.agent_id FROM services s JOIN named n ON n.id = s.id
        WHERE s.last_event_at < now() - interval '10 seconds' ORDER BY s.id FOR NO KEY UPDATE OF s SKIP LOCKED
      ) t
      WHERE s.id = t.id
    ),
    touched_agent AS (
      UPDATE agents SET last_seen_at = now() WHERE id IN (
        SELECT a.id FROM agents a JOIN admitted c ON c.agent_id = a.id
        WHERE a.last_seen_at < now() - interval '10 seconds' AND ${events.length > 0} FOR NO KEY UPDATE OF a SKIP LOCKED
      )
    ),
    sent AS (
      SELECT * FROM jsonb_to_recordset(${JSON.stringify(events.map(toRecord))}::jsonb) AS e(
        id uuid, service_name text, vendor text, event_type text, entity text, old_value text, new_value text, actor text,
        sha text, confidence float8, ttl_seconds int, "timestamp" timestamptz, raw_line text, value_class text, joins jsonb)
    ),
    stored AS (
      INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, old_value,
        new_value, actor, sha, confidence, ttl_seconds, "timestamp", received_at, expires_at, raw_line, value_class)
      SELECT DISTINCT ON (e.id) e.id, n.tenant_id, n.agent_id, n.id, e.service_name, e.vendor, e.event_type, e.entity, e.old_value,
        e.new_value, e.actor, e.sha, e.confidence, e.ttl_seconds, coalesce(e."timestamp", now()), now(),
        now() + make_interval(secs => e.ttl_seconds), e.raw_line, e.value_class
      FROM sent e JOIN named n ON n.name = e.service_name ORDER BY e.id
      ON CONFLICT (id) DO NOTHING
      RETURNING id, tenant_id, service_id, change_key
    ),
    joined AS (
      INSERT INTO event_joins (event_id, tenant_id, name_key, rule)
      SELECT s.id, s.tenant_id, j.name_key, j.rule
      FROM stored s JOIN (SELECT DISTINCT ON (id) id, joins FROM sent) e ON e.id = s.id,
        jsonb_to_recordset(e.joins) AS j(name_key text, rule text)
      RETURNING event_id, tenant_id, name_key
    ),
    matched AS (
      SELECT j.event_id, s.id FROM joined j JOIN services s ON s.tenant_id = j.tenant_id AND s.name_key = j.name_key
      UNION
      SELECT j.event_id, o.id FROM joined j JOIN opened o ON o.tenant_id = j.tenant_id AND o.name_key = j.name_key
    )
    SELECT tenant_id, api_key_id, key_type, agent_id, ${epochMs(sql`now()`)} AS now_ms,
      (SELECT is_fresh FROM idempotency) AS is_fresh,
      (SELECT jsonb_agg(jsonb_build_array(s.id, s.change_key, s.service_id,
        (SELECT jsonb_agg(m.id) FROM matched m WHERE m.event_id = s.id AND m.id <> s.service_id))) FROM stored s) AS created
    FROM (VALUES (1)) always LEFT JOIN caller ON true`,
  )
  return {
    principal: toPrincipal(row),
    idempotency: toIdempotency(idempotency !== undefined, row.is_fresh),
    receivedAt: new Date(row.now_ms),
    created: (row.created ?? []).map(([id, changeKey, serviceId, joined]) => ({
      id: toId(id),
      changeKey,
      serviceIds: [serviceId, ...(joined ?? [])].map((service) => toId<ServiceId>(service)),
    })),
  }
}

/** A service's id from the hash of its tenant and name: the first 16 bytes, marked as a UUID of version 8 (RFC 9562). */
const serviceIdOf = (hash: SQL): SQL =>
  sql`encode(set_byte(set_byte(substring(${hash} FROM 1 FOR 16), 6, get_byte(${hash}, 6) & 15 | 128), 8, get_byte(${hash}, 8) & 63 | 128), 'hex')::uuid`

function claimIdempotencyKey(idempotency: InsertRequest['idempotency']): SQL {
  if (!idempotency) return sql`SELECT NULL::boolean AS is_fresh`
  // A row always comes back for an equal body, never for another one; xmax tells an insert from the update.
  return sql`INSERT INTO idempotency_keys (api_key_id, key, body_hash)
    SELECT api_key_id, ${idempotency.key}, ${idempotency.bodyHash} FROM caller WHERE key_type = 'ingest' AND agent_id IS NOT NULL
    ON CONFLICT (api_key_id, key) DO UPDATE SET key = excluded.key WHERE idempotency_keys.body_hash = excluded.body_hash
    RETURNING xmax = 0 AS is_fresh`
}

function toIdempotency(isClaimed: boolean, isFresh: boolean | null): InsertResult['idempotency'] {
  if (!isClaimed) return 'none'
  if (isFresh === null) return 'conflict'
  return isFresh ? 'fresh' : 'replayed'
}

function toServiceNames(events: readonly NewEvent[]): { name: string; name_key: string }[] {
  const names = events.flatMap(({ event }) => [event.serviceName, workloadOfFallbackName(event) ?? event.serviceName])
  return [...new Set(names)].map((name) => ({ name, name_key: toNameKey(name) }))
}

function toRecord({ id, event }: NewEvent) {
  return {
    id,
    service_name: event.serviceName,
    vendor: event.vendor,
    event_type: event.eventType,
    entity: event.entity,
    old_value: event.oldValue,
    new_value: event.newValue,
    actor: event.actor,
    sha: event.sha,
    confidence: event.confidence,
    ttl_seconds: event.ttlSeconds,
    timestamp: event.occurredAt,
    raw_line: event.rawLine,
    value_class: toValueClass(event.newValue),
    joins: matchServices(event).map(({ name, rule }) => ({ name_key: toNameKey(name), rule })),
  }
}

/** An event of an agent's log. */
export type LoggedEvent = {
  readonly id: EventId
  readonly serviceName: string
  readonly vendor: string
  readonly eventType: EventType
  readonly entity: string
  readonly oldValue: string | null
  readonly newValue: string | null
  readonly actor: string | null
  readonly sha: string | null
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

type LogRow = {
  id: string
  service_name: string
  vendor: string
  event_type: EventType
  entity: string
  old_value: string | null
  new_value: string | null
  actor: string | null
  sha: string | null
  confidence: number
  ttl_seconds: number
  timestamp_ms: number
  received_ms: number
  received_us: string
  expires_ms: number
}

/** A page of the live events an agent sent, newest receipt first, and where the next page begins. */
export async function listAgentEvents(db: Db, tenantId: TenantId, agentId: AgentId, query: LogQuery) {
  const { limit, after, serviceName, vendor, eventType } = query
  const filters = [
    sql`e.tenant_id = ${tenantId} AND e.agent_id = ${agentId} AND e.expires_at > now()`,
    ...(serviceName === undefined ? [] : [sql`e.service_name = ${serviceName}`]),
    ...(vendor === undefined ? [] : [sql`e.vendor = ${vendor}`]),
    ...(eventType === undefined ? [] : [sql`e.event_type = ${eventType}`]),
    ...(after
      ? [
          sql`(e.received_at, e.id) < (to_timestamp(0) + make_interval(secs => ${after.receivedAtUs}::numeric / 1000000), ${after.id}::uuid)`,
        ]
      : []),
  ]
  const { rows } = await db.execute<LogRow>(
    sql`SELECT e.id, e.service_name, e.vendor, e.event_type, e.entity, e.old_value, e.new_value, e.actor, e.sha, e.confidence,
        e.ttl_seconds, ${epochMs(sql`e.timestamp`)} AS timestamp_ms, ${epochMs(sql`e.received_at`)} AS received_ms,
        (extract(epoch FROM e.received_at) * 1000000)::bigint::text AS received_us, ${epochMs(sql`e.expires_at`)} AS expires_ms
      FROM context_events e WHERE ${sql.join(filters, sql` AND `)}
      ORDER BY e.received_at DESC, e.id DESC LIMIT ${limit + 1}`,
  )
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const next: LogPosition | undefined = rows.length > limit && last ? { receivedAtUs: last.received_us, id: toId(last.id) } : undefined
  return { events: page.map(toLoggedEvent), next }
}

function toLoggedEvent(row: LogRow): LoggedEvent {
  return {
    id: toId(row.id),
    serviceName: row.service_name,
    vendor: row.vendor,
    eventType: row.event_type,
    entity: row.entity,
    oldValue: toShownValue(row.old_value),
    newValue: toShownValue(row.new_value),
    actor: row.actor,
    sha: row.sha,
    confidence: row.confidence,
    ttlSeconds: row.ttl_seconds,
    timestamp: new Date(row.timestamp_ms),
    receivedAt: new Date(row.received_ms),
    expiresAt: new Date(row.expires_ms),
  }
}
