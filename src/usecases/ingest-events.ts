import type { Chance, Clock, Copies, Database, Keeping, Logging, Queueing, Room, Stores } from '../deps.ts'
import { assertKeyType, isWellFormedKey } from '../domain/access/api-key.ts'
import { AppError, type FieldError, nameOf } from '../domain/errors.ts'
import type { ContextEvent } from '../domain/event/event.ts'
import { type Evaluation, evaluationOf } from '../domain/event/flag.ts'
import { type ParsedEvent, parseEvent } from '../domain/event/parse.ts'
import { isRedactedEvent, redactEvent } from '../domain/event/redact.ts'
import { tooManyServices } from '../domain/event/service-name.ts'
import { sha256, sha256Hex, uuidFromHash } from '../domain/hash.ts'
import { type EventId, type TenantId, toId } from '../domain/ids.ts'
import { toShownValue } from '../domain/text.ts'
import { type Principal, reportExposedKeys } from '../store/api-keys.ts'
import { type CreatedEvent, type InsertRequest, type InsertResult, insertEvents, type NewEvent } from '../store/events.ts'
import { rememberGoodKey } from '../store/good-keys.ts'
import { type Merge, mergeIntoWindows } from '../store/window-copies.ts'
import { markDuplicatesForRepair, markForRepair } from '../store/window-repairs.ts'
import { queueEvents } from './queue-events.ts'

export type IngestRequest = {
  readonly keyHash: string
  /** Decoded JSON of each event. */
  readonly items: readonly unknown[]
  /** Evaluations of flags that are told besides what the events report by themselves. */
  readonly evaluations?: readonly Evaluation[]
  readonly idempotency: { readonly key: string; readonly bodyHash: string } | undefined
  /** The sender's name of what these are from: by it, the item without a time of its own is known when it is sent again. */
  readonly deliveryId?: string
  /** Whether these may wait in the queue, if there is one, while the database is away. */
  readonly mayQueue?: true
  /** Keeps work alive after the answer. */
  readonly defer: (work: Promise<unknown>) => void
}

export type IngestedItem =
  | { readonly status: 'created' | 'duplicate'; readonly id: EventId; readonly warning: string | undefined }
  /** `conflict`: nothing is wrong with the event, but there is no room for it. */
  | { readonly status: 'rejected'; readonly code: 'invalid_request' | 'conflict'; readonly fields: readonly [FieldError, ...FieldError[]] }

export type IngestResult = { readonly principal: Principal; readonly items: readonly IngestedItem[]; readonly isQueued: boolean }

type IdentifiedItem =
  | { readonly id: EventId; readonly parsed: ParsedEvent & { readonly ok: true } }
  | (ParsedEvent & { readonly ok: false })

/** Stores events: `insertEvents`, or another way to. */
export type Insert = (request: InsertRequest) => Promise<InsertResult>

/**
 * Accepts events: checks each, stores the good ones in one Postgres request and, once they are committed, merges them
 * into their windows in one Redis request. The answer does not depend on Redis. Throws `unauthorized`, `forbidden` (a
 * key of the wrong kind, no agent) and `conflict` (an `Idempotency-Key` seen with another body).
 */
export async function ingestEvents(
  deps: Stores & Chance & Clock & Keeping & Logging & Room & Queueing,
  request: IngestRequest,
  insert: Insert = (wanted) => insertEvents(deps.db, wanted),
): Promise<IngestResult> {
  const items = await Promise.all(request.items.map((item, index) => identify(deps, request, parseEvent(item, deps.keeping), index)))
  const told = (request.evaluations ?? []).map((each) => (deps.keeping.redacts ? redactEvaluation(each) : each))
  const { events, evaluations } = readEvaluations(items, told)

  // A request of which nothing is stored claims no key: it may be mended and sent again.
  const idempotency = events.length > 0 ? request.idempotency : undefined
  const wanted = { keyHash: request.keyHash, events, evaluations, idempotency, maxServices: deps.maxServices }
  const result = await insert(wanted).catch((error: unknown) =>
    request.mayQueue ? queueEvents(deps, wanted, error) : Promise.reject(error),
  )
  if ('isQueued' in result) {
    const ids = new Set(events.map(({ id }) => id))
    return { ...result, items: items.map((item) => toIngestedItem(item, ids)) }
  }
  assertMayIngest(result)
  if (request.mayQueue) rememberSender(deps, request, result)
  countEvents(deps, items.length, events.length, result)
  await mergeCreated(deps, request, events, result)
  noteSecrets(deps, request, items, result)

  const created = new Set(result.created.map(({ id }) => id))
  const refused = new Set(result.refused)
  const noRoom = refuseService(deps)
  return {
    principal: result.principal,
    isQueued: false,
    items: items.map((item) => ('id' in item && refused.has(item.id) ? noRoom : toIngestedItem(item, created))),
  }
}

function refuseService({ maxServices }: Room): IngestedItem {
  return { status: 'rejected', code: 'conflict', fields: [{ pointer: '/service_name', detail: tooManyServices(maxServices) }] }
}

/** The good events, and each evaluation once: those that were told, which events may be of, and those that events report by themselves. */
function readEvaluations(items: readonly IdentifiedItem[], told: readonly Evaluation[]) {
  const toKey = ({ service, flag }: Evaluation) => `${service}\0${flag}`
  const evaluations = new Map(told.map((each) => [toKey(each), each]))
  const isTold = new Set(evaluations.keys())
  const events = items.flatMap((item): NewEvent[] => {
    if (!('id' in item)) return []
    const { event } = item.parsed
    const own = evaluationOf(event)
    if (own) evaluations.set(toKey(own), own)
    const isOfTold = event.eventType === 'flag_change' && isTold.has(toKey({ service: event.serviceName, flag: event.entity }))
    return [{ id: item.id, event, isEvaluation: own !== undefined || isOfTold }]
  })
  return { events, evaluations: [...evaluations.values()] }
}

/** An evaluation by the names under which events are kept. */
function redactEvaluation({ service, flag }: Evaluation): Evaluation {
  const { serviceName, entity } = redactEvent({
    eventType: 'flag_change',
    serviceName: service,
    vendor: '',
    entity: flag,
    oldValue: null,
    newValue: null,
    actor: null,
    sha: null,
  })
  return { service: serviceName, flag: entity }
}

async function identify(deps: Chance, request: IngestRequest, parsed: ParsedEvent, index: number): Promise<IdentifiedItem> {
  if (!parsed.ok) return parsed
  return { id: await identifyEvent(deps, request, parsed.content, index), parsed }
}

/** The same event sent again with the same key gets the same id, and is thereby stored once. */
async function identifyEvent(
  { newUuid }: Chance,
  { keyHash, idempotency, deliveryId }: IngestRequest,
  content: string | undefined,
  index: number,
): Promise<EventId> {
  if (content !== undefined) return toId(uuidFromHash(await sha256(`${keyHash}\nevent\n${content}`)))
  if (idempotency) return toId(uuidFromHash(await sha256(`${keyHash}\nitem ${index}\n${idempotency.bodyHash}\n${idempotency.key}`)))
  if (deliveryId !== undefined) return toId(uuidFromHash(await sha256(`${keyHash}\ndelivery ${deliveryId}\nitem ${index}`)))
  return toId(newUuid())
}

const MAX_REPORTED_KEYS = 20

/** Counts what was masked, and tells the tenants whose keys stood in events. Neither says where, nor what. */
function noteSecrets(deps: Database & Logging, { defer }: IngestRequest, items: readonly IdentifiedItem[], result: InsertResult): void {
  const created = new Set(result.created.map(({ id }) => id))
  const stored = items.flatMap((item) => ('id' in item && created.has(item.id) ? [item.parsed] : []))
  const redacted = stored.filter(({ event }) => isRedactedEvent(event)).length
  if (redacted > 0) deps.log('events_redacted', { tenant_id: result.principal.tenantId, events: redacted })
  noteExposedKeys(
    deps,
    defer,
    stored.flatMap(({ exposedKeys }) => exposedKeys),
  )
}

/** A body of more bytes is not worth reading before whoever sent it is known. */
export const MAX_UNJUDGED_BYTES = 16_384

/** Tells the tenants whose keys are among these, after the answer. */
export function noteExposedKeys(deps: Database & Logging, defer: (work: Promise<unknown>) => void, found: readonly string[]): void {
  const keys = new Set(found.filter(isWellFormedKey))
  if (keys.size > 0) defer(reportKeys(deps, [...keys].slice(0, MAX_REPORTED_KEYS)))
}

async function reportKeys(deps: Database & Logging, keys: readonly string[]): Promise<void> {
  try {
    const hashes = await Promise.all(keys.map((key) => sha256Hex(key)))
    for (const { tenantId, apiKeyId } of await reportExposedKeys(deps.db, hashes)) {
      deps.log('api_key_exposed', { tenant_id: tenantId, api_key_id: apiKeyId })
    }
  } catch (error) {
    deps.log('exposed_keys_not_reported', { reason: nameOf(error) })
  }
}

function countEvents({ counts: { count } }: Logging, sent: number, accepted: number, { created }: InsertResult): void {
  count('noctuary_events_total', { result: 'stored' }, created.length)
  count('noctuary_events_total', { result: 'duplicate' }, accepted - created.length)
  count('noctuary_events_total', { result: 'rejected' }, sent - accepted)
}

function assertMayIngest({ principal, idempotency }: InsertResult): void {
  assertKeyType(principal.keyType, 'ingest')
  if (principal.agentId === undefined) throw new AppError('forbidden', 'agent not registered')
  if (idempotency === 'conflict') throw new AppError('conflict', 'Idempotency-Key was used with a different body')
}

/** Notes that a key is good, should the database be away when it sends the next events. Nothing depends on it. */
function rememberSender(
  { redis, now, ingestQueue }: Copies & Clock & Queueing,
  { keyHash, defer }: IngestRequest,
  { principal }: InsertResult,
): void {
  if (ingestQueue) defer(rememberGoodKey(redis, keyHash, principal, now()).catch(() => {}))
}

/** Never fails: what Redis does not get now is marked for the cron, and healed by the next read in any case. */
export async function mergeCreated(
  deps: Stores & Logging,
  { defer }: Pick<IngestRequest, 'defer'>,
  events: readonly NewEvent[],
  result: InsertResult,
): Promise<void> {
  const { tenantId } = result.principal
  const merges = toMerges(events, result)
  if (merges.length === 0) {
    if (events.length > 0) defer(markOrLog(deps, tenantId, () => markDuplicatesForRepair(deps.db, tenantId, toIds(events))))
    return
  }
  try {
    await mergeIntoWindows(deps.redis, tenantId, merges, result.receivedAt)
  } catch (error) {
    deps.counts.count('noctuary_window_merges_failed_total')
    deps.log('window_merge_failed', { tenant_id: tenantId, reason: nameOf(error) })
    const missed = [...new Set(merges.map(({ serviceId }) => serviceId))]
    defer(markOrLog(deps, tenantId, () => markForRepair(deps.db, tenantId, missed)))
  }
}

const toIds = (events: readonly NewEvent[]): EventId[] => events.map(({ id }) => id)

async function markOrLog({ log }: Logging, tenantId: TenantId, mark: () => Promise<void>): Promise<void> {
  try {
    await mark()
  } catch {
    log('window_repair_not_marked', { tenant_id: tenantId })
  }
}

function toMerges(events: readonly NewEvent[], { created, receivedAt }: InsertResult): Merge[] {
  // Of several equal events in one batch the first is the one that was stored.
  const sent = new Map(events.toReversed().map(({ id, event }) => [id, event]))
  const occurrences = created.flatMap((stored) => {
    const event = sent.get(stored.id)
    return event ? toOccurrences(stored, event, receivedAt) : []
  })
  return [...Map.groupBy(occurrences, ({ serviceId, lifeKey }) => `${serviceId} ${lifeKey}`).values()].flatMap(fold)
}

function toOccurrences({ serviceIds, lifeKey }: CreatedEvent, event: ContextEvent, receivedAt: Date): Merge[] {
  const { eventType, vendor, entity, actor, sha, environment } = event
  const [oldValue, newValue] = [toShownValue(event.oldValue), toShownValue(event.newValue)]
  const text = { eventType, vendor, entity, oldValue, newValue, actor, sha, environment }
  const expiresAtMs = receivedAt.getTime() + event.ttlSeconds * 1000
  // One from a clock that is ahead happened when it was received, as for Postgres.
  const happenedMs = Math.min(event.occurredAt === null ? Number.POSITIVE_INFINITY : Date.parse(event.occurredAt), receivedAt.getTime())
  const totals = { count: 1, firstTimestampMs: happenedMs, latestMs: happenedMs, earliestExpiresAtMs: expiresAtMs }
  return serviceIds.map((serviceId) => ({ serviceId, lifeKey, text, expiresAtMs, totals }))
}

function fold(occurrences: readonly Merge[]): Merge[] {
  const [first] = occurrences
  if (!first) return []
  return [
    {
      ...first,
      expiresAtMs: Math.max(...occurrences.map((one) => one.expiresAtMs)),
      totals: {
        count: occurrences.length,
        firstTimestampMs: Math.min(...occurrences.map((one) => one.totals.firstTimestampMs)),
        latestMs: Math.max(...occurrences.map((one) => one.totals.latestMs)),
        earliestExpiresAtMs: Math.min(...occurrences.map((one) => one.totals.earliestExpiresAtMs)),
      },
    },
  ]
}

function toIngestedItem(item: IdentifiedItem, created: Set<EventId>): IngestedItem {
  if (!('id' in item)) return { status: 'rejected', code: 'invalid_request', fields: item.fields }
  // Of several equal events in one batch the first is the one that was stored.
  const isCreated = created.delete(item.id)
  return { status: isCreated ? 'created' : 'duplicate', id: item.id, warning: item.parsed.warning }
}
