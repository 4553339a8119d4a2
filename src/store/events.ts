import { SAMPLE_ENVIRONMENT } from '../domain/event/environment.ts'
import { CHANGE_KEPT_SECONDS, type ContextEvent, isChangeType } from '../domain/event/event.ts'
import { type Evaluation, toFlagKey } from '../domain/event/flag.ts'
import { type JoinRule, matchServices, openedService, toNameKey } from '../domain/event/service-name.ts'
import { toValueClass } from '../domain/event/value-class.ts'
import { type AgentId, type EventId, type IntegrationId, type ServiceId, toId } from '../domain/ids.ts'
import { type CallerRow, type Principal, toPrincipal } from './api-keys.ts'
import { FUNCTIONS } from './functions.ts'
import { type FoundIntegration, type KnownIntegration, toKnownIntegration } from './integrations.ts'
import { type BatchDb, callFunction, callFunctionIf, type Db, type FunctionGuard } from './postgres.ts'

/** So long after it began, what was being stored is stored: requests to the database are given up before. */
export const INGEST_DEADLINE_MS = 3_000

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
  /** For whom, and when, what comes out of the queue was accepted. */
  readonly queued?: { readonly agentId: AgentId; readonly receivedAt: string }
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

const INTEGRATION_GUARD: FunctionGuard = {
  from: (supposed) => `${FUNCTIONS.integration_by_token}($1, ${supposed}) i`,
  beside: 'i.known',
  when: () => 'i.fits',
}

/**
 * `insertEvents` for the integration whose token's hash is the key, in one request, if it is set as is `supposed`: a revision
 * of its settings, or its type alone for one without any. `undefined` for a dead token.
 */
export async function insertEventsAs(db: BatchDb, request: InsertRequest, supposed: string): Promise<InsertAs | undefined> {
  const joins = toJoinsOf(request)
  const [name, args] = toCall(request, joins)
  const found = await callFunctionIf<InsertRow, FoundIntegration>(db, name, args, { ...INTEGRATION_GUARD, argument: supposed })
  if (!found) return undefined
  const { beside, answer } = found
  if (answer) return { kind: 'stored', integrationId: beside.id, result: toInsertResult(answer, joins) }
  const known = toKnownIntegration(beside)
  return known && { kind: 'other_settings', known }
}

/** A key that was good then, whatever became of it since. */
const QUEUED_GUARD: FunctionGuard = {
  from: () => 'api_keys k WHERE k.hash = $1',
  beside: `json_build_object('tenant_id', k.tenant_id)`,
  when: (receivedAt) => `(k.revoked_at IS NULL OR k.revoked_at > ${receivedAt}::timestamptz)`,
}

/** `insertEvents` for what comes out of the queue. `undefined`: the key had been revoked before, or its tenant is gone. */
export async function insertQueued(
  db: BatchDb,
  request: InsertRequest & { readonly queued: NonNullable<InsertRequest['queued']> },
): Promise<InsertResult | undefined> {
  const joins = toJoinsOf(request)
  const [name, args] = toCall(request, joins)
  const found = await callFunctionIf<InsertRow, unknown>(db, name, args, { ...QUEUED_GUARD, argument: request.queued.receivedAt })
  return found?.answer ? toInsertResult(found.answer, joins) : undefined
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

function toCall({ keyHash, events, evaluations, idempotency, maxServices, queued }: InsertRequest, joins: Joins): Call {
  const names = toServiceNames(events)
  const [one] = events
  if (one && events.length === 1 && names.length === 1 && evaluations.length === 0 && !idempotency && !queued) {
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
      ...(queued ? [queued.agentId, queued.receivedAt] : []),
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
