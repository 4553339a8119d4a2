import { type SQL, sql } from 'drizzle-orm'
import { SAMPLE_ENVIRONMENT } from '../domain/event/environment.ts'
import { CHANGE_KEPT_SECONDS, type ChangeText, type ContextEvent, type EventType, isChangeType } from '../domain/event/event.ts'
import { type Evaluation, toFlagKey } from '../domain/event/flag.ts'
import { type JoinRule, matchServices, openedService, toNameKey } from '../domain/event/service-name.ts'
import { toValueClass } from '../domain/event/value-class.ts'
import { type AgentId, type EventId, type IntegrationId, type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import { toShownValue } from '../domain/text.ts'
import { type CallerRow, type Principal, toPrincipal } from './api-keys.ts'
import { functionNamed } from './functions.ts'
import { GUARD, type IntegrationJson, type KnownIntegration, toIntegration } from './integrations.ts'
import { type BatchDb, callFunction, callFunctionIf, type Db, epochMs, type FunctionGuard } from './postgres.ts'

/** `isEvaluation`: it tells that its service evaluated a flag, not that somebody changed that. */
export type NewEvent = { readonly id: EventId; readonly event: ContextEvent; readonly isEvaluation: boolean }

export type InsertRequest = {
  readonly keyHash: string
  readonly events: readonly NewEvent[]
  /** Who evaluated which flags, by those events and besides. */
  readonly evaluations: readonly Evaluation[]
  readonly idempotency: { readonly key: string; readonly bodyHash: string } | undefined
  /** That the tenant may have. */
  readonly maxServices: number
}

/** An event that this statement stored, and the windows it is in. */
export type CreatedEvent = {
  readonly id: EventId
  /** The life of its change that it belongs to. */
  readonly lifeKey: string
  readonly serviceIds: readonly ServiceId[]
}

export type InsertResult = {
  readonly principal: Principal
  /** `conflict`: the `Idempotency-Key` came with another body before; nothing was stored. */
  readonly idempotency: 'none' | 'fresh' | 'replayed' | 'conflict'
  readonly receivedAt: Date
  /** What was stored now; the rest of the request's events had been stored before. */
  readonly created: readonly CreatedEvent[]
  /** What was not stored, for it would have opened a service more than the tenant may have. */
  readonly refused: readonly EventId[]
}

type InsertRow = CallerRow & {
  readonly now_ms: number
  readonly idempotency: InsertResult['idempotency']
  readonly created: readonly (readonly [id: string, lifeKey: string, serviceId: string])[] | null
  readonly refused?: readonly string[] | null
  readonly joined_services: readonly (readonly [nameKey: string, serviceId: string])[] | null
}

/**
 * Stores events in one request: the functions `ingest_event` and `ingest_events`, which say what
 * holds them together. Nothing is stored for a caller that may not: look at `principal`. Throws `unauthorized`.
 */
export async function insertEvents(db: Db, request: InsertRequest): Promise<InsertResult> {
  const joins = toJoinsOf(request)
  const [name, args] = toCall(request, joins)
  return toInsertResult(await callFunction<InsertRow>(db, name, args), joins)
}

const toJoinsOf = ({ events }: InsertRequest): Joins => new Map(events.map((sent) => [sent.id, toJoins(sent)]))

/** What an insert for an integration came to: it is not set as was supposed, and nothing was stored; or what was. */
export type InsertAs =
  | { readonly kind: 'other_settings'; readonly known: KnownIntegration }
  | { readonly kind: 'stored'; readonly integrationId: IntegrationId; readonly result: InsertResult }

type GuardRow = { readonly id: string; readonly revision: string; readonly integration: IntegrationJson | null }

const fits = (supposed: string) =>
  `(i.direction <> 'outbound' AND (${GUARD.revision} = ${supposed} OR i.type = ${supposed} AND ${GUARD.isPlain}))`

const INTEGRATION_GUARD: FunctionGuard = {
  from: GUARD.from,
  beside: (supposed) =>
    `json_build_object('id', i.id, 'revision', ${GUARD.revision}, 'integration', CASE WHEN NOT ${fits(supposed)} THEN ${GUARD.row} END)`,
  when: fits,
}

/**
 * `insertEvents` for the integration whose token's hash is the key, in one request, if it is set as is `supposed`: a revision
 * of its settings, or its type alone for one without any. `undefined` for a dead token.
 */
export async function insertEventsAs(db: BatchDb, request: InsertRequest, supposed: string): Promise<InsertAs | undefined> {
  const joins = toJoinsOf(request)
  const [name, args] = toCall(request, joins)
  const found = await callFunctionIf<InsertRow, GuardRow>(db, name, args, { ...INTEGRATION_GUARD, argument: supposed })
  if (!found) return undefined
  const { beside, answer } = found
  if (answer) return { kind: 'stored', integrationId: toId(beside.id), result: toInsertResult(answer, joins) }
  if (!beside.integration) return undefined
  return { kind: 'other_settings', known: { integration: toIntegration(beside.integration), revision: beside.revision } }
}

type Joins = ReadonlyMap<EventId, readonly Join[]>

function toInsertResult(row: InsertRow, joins: Joins): InsertResult {
  const joinedServices = Map.groupBy(row.joined_services ?? [], ([nameKey]) => nameKey)
  const toServiceIds = (id: EventId, own: string) => {
    const joined = (joins.get(id) ?? []).flatMap(({ name_key }) => (joinedServices.get(name_key) ?? []).map(([, serviceId]) => serviceId))
    return [...new Set([own, ...joined])].map((serviceId) => toId<ServiceId>(serviceId))
  }
  return {
    principal: toPrincipal(row),
    idempotency: row.idempotency,
    receivedAt: new Date(row.now_ms),
    created: (row.created ?? []).map(([id, lifeKey, serviceId]) => {
      const eventId = toId<EventId>(id)
      return { id: eventId, lifeKey, serviceIds: toServiceIds(eventId, serviceId) }
    }),
    refused: (row.refused ?? []).map((id) => toId<EventId>(id)),
  }
}

type Join = { readonly name_key: string; readonly rule: JoinRule; readonly is_changed: boolean }

type Call = readonly [name: 'ingest_event' | 'ingest_events', args: readonly (string | number | null)[]]

function toCall({ keyHash, events, evaluations, idempotency, maxServices }: InsertRequest, joins: Joins): Call {
  const names = toServiceNames(events)
  const [one] = events
  if (one && events.length === 1 && names.length === 1 && evaluations.length === 0 && !idempotency) {
    const rows = joins.get(one.id) ?? []
    const [keys, rules] = [rows.map(({ name_key }) => name_key), rows.map(({ rule }) => rule)]
    return ['ingest_event', [keyHash, toSentEvent(one), toArray(keys), toArray(rules), maxServices]]
  }
  return [
    'ingest_events',
    [
      keyHash,
      idempotency?.key ?? null,
      idempotency?.bodyHash ?? null,
      JSON.stringify(names),
      JSON.stringify(events.map(toRecord)),
      JSON.stringify([...joins].flatMap(([id, rows]) => rows.map((row) => ({ id, ...row })))),
      JSON.stringify(evaluations.map(({ service, flag }) => ({ service_name: service, flag_key: toFlagKey(flag) }))),
      maxServices,
    ],
  ]
}

/** An event as a literal of the type `sent_event`. */
function toSentEvent({ id, event }: NewEvent): string {
  const values = [
    id,
    event.serviceName,
    toNameKey(event.serviceName),
    event.vendor,
    event.eventType,
    event.entity,
    event.oldValue,
    event.newValue,
    event.actor,
    event.sha,
    String(event.confidence),
    String(event.ttlSeconds),
    event.occurredAt,
    event.rawLine,
    toValueClass(event.newValue),
    event.environment,
    event.url,
    event.details && JSON.stringify(event.details),
    toKeptSeconds(event)?.toString() ?? null,
  ]
  return `(${values.map((value) => (value === null ? '' : toQuoted(value))).join(',')})`
}

/** Texts as a Postgres array literal. */
function toArray(texts: readonly string[]): string {
  return `{${texts.map(toQuoted).join(',')}}`
}

/** A text within a literal of an array or a row. */
function toQuoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** A flag's change joins the windows of whoever evaluates it; an evaluation is its own service's alone. */
function toJoins({ event, isEvaluation }: NewEvent): Join[] {
  const is_changed = isChangeType(event.eventType)
  const named = matchServices(event).map(({ nameKey, rule }) => ({ name_key: nameKey, rule, is_changed }))
  const isOfFlag = event.eventType === 'flag_change' && !isEvaluation
  return isOfFlag ? [...named, { name_key: toFlagKey(event.entity), rule: 'evaluates', is_changed: false }] : named
}

type NamedService = {
  readonly name: string
  readonly name_key: string
  /** No event names it by itself: where a service is spelt almost so, that is meant. */
  readonly is_opened: boolean
  readonly is_changed: boolean
}

/** The services that events concern, each once. */
function toServiceNames(events: readonly NewEvent[]): readonly NamedService[] {
  const names = new Map<string, NamedService>()
  const add = (name: string, isOpened: boolean, isChanged: boolean): void => {
    const known = names.get(name)
    names.set(name, {
      name,
      name_key: known?.name_key ?? toNameKey(name),
      is_opened: isOpened && known?.is_opened !== false,
      is_changed: isChanged || known?.is_changed === true,
    })
  }
  for (const { event } of events) {
    const isChanged = isChangeType(event.eventType)
    const opened = openedService(event)
    add(event.serviceName, false, isChanged)
    if (opened !== undefined && opened !== event.serviceName) add(opened, true, isChanged)
  }
  return [...names.values()]
}

/** How long an event is kept for diagnoses, whatever its time to live; `null` for what is no change, or a sample's. */
function toKeptSeconds({ eventType, environment }: ContextEvent): number | null {
  return isChangeType(eventType) && environment !== SAMPLE_ENVIRONMENT ? CHANGE_KEPT_SECONDS : null
}

/** What an event says, by column: a batch is read and written once for each of its bytes, so that what it leaves out is left out. */
function toRecord({ id, event }: NewEvent, place: number) {
  return {
    id,
    place,
    service_name: event.serviceName,
    vendor: event.vendor,
    event_type: event.eventType,
    entity: event.entity,
    old_value: event.oldValue ?? undefined,
    new_value: event.newValue ?? undefined,
    actor: event.actor ?? undefined,
    sha: event.sha ?? undefined,
    confidence: event.confidence,
    ttl_seconds: event.ttlSeconds,
    timestamp: event.occurredAt ?? undefined,
    raw_line: event.rawLine ?? undefined,
    value_class: toValueClass(event.newValue),
    environment: event.environment ?? undefined,
    url: event.url ?? undefined,
    details: event.details ?? undefined,
    kept_seconds: toKeptSeconds(event) ?? undefined,
  }
}

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
  const isWanted = sql`e.tenant_id = ${tenantId} AND e.agent_id = ${agentId} AND e.expires_at > now() AND ${
    after
      ? sql`(e.received_at, e.id) < (to_timestamp(0) + make_interval(secs => ${after.receivedAtUs}::numeric / 1000000), ${after.id}::uuid)`
      : sql`true`
  }`
  const { rows } = await db.execute<LogRow>(
    isFiltering(query)
      ? selectOfKinds(tenantId, agentId, query, isWanted)
      : sql`SELECT ${LOG_ENTRY} FROM context_events e WHERE ${isWanted} ORDER BY e.received_at DESC, e.id DESC LIMIT ${limit + 1}`,
  )
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const next: LogPosition | undefined = rows.length > limit && last ? { receivedAtUs: last.received_us, id: toId(last.id) } : undefined
  return { events: page.map(toLoggedEvent), next }
}

const isFiltering = ({ serviceName, vendor, eventType }: LogQuery) => [serviceName, vendor, eventType].some((part) => part !== undefined)

/** The kinds of events that are meant, each found from the one before, and of each kind the latest: however rare they are. */
function selectOfKinds(tenantId: TenantId, agentId: AgentId, { limit, serviceName, vendor, eventType }: LogQuery, isWanted: SQL): SQL {
  const isOfService =
    serviceName === undefined ? sql`true` : sql`e.service_id = ${functionNamed('service_id_of')}(${tenantId}::uuid, ${serviceName})`
  const isOfVendor = vendor === undefined ? sql`true` : sql`e.vendor = ${vendor}`
  const kinds = sql`SELECT e.vendor, e.event_type FROM context_events e WHERE e.agent_id = ${agentId} AND ${isOfService} AND ${isOfVendor}`
  return sql`WITH RECURSIVE kinds AS (
      (${kinds} ORDER BY e.vendor, e.event_type LIMIT 1)
      UNION ALL
      SELECT n.* FROM kinds k CROSS JOIN LATERAL (
        ${kinds} AND (e.vendor, e.event_type) > (k.vendor, k.event_type) ORDER BY e.vendor, e.event_type LIMIT 1) n
    )
    SELECT ${LOG_ENTRY} FROM kinds k CROSS JOIN LATERAL (
      SELECT e.* FROM context_events e
      WHERE ${isWanted} AND ${isOfService} AND e.vendor = k.vendor AND e.event_type = k.event_type
      ORDER BY e.received_at DESC NULLS LAST, e.id DESC NULLS LAST LIMIT ${limit + 1}
    ) e WHERE ${eventType === undefined ? sql`true` : sql`k.event_type = ${eventType}`}
    ORDER BY e.received_at DESC, e.id DESC LIMIT ${limit + 1}`
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
