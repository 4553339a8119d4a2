export const EVENT_TYPES = [
  'deploy',
  'restart',
  'saturation',
  'flag_change',
  'circuit_open',
  'dependency_failure',
  'config_change',
  'schema_change',
  'scale_event',
] as const

export type EventType = (typeof EVENT_TYPES)[number]

/** Something for each type of event. */
export function byEventType<Value>(make: (type: EventType) => Value): Record<EventType, Value> {
  // The keys are EVENT_TYPES, all of them: what `fromEntries` cannot tell.
  return Object.fromEntries(EVENT_TYPES.map((type) => [type, make(type)])) as Record<EventType, Value>
}

/**
 * What repeats of one change share: type, vendor, entity, values, actor, sha and environment. Two events with the same text
 * have the same change key, and are one entry of a window.
 */
export type ChangeText = {
  readonly eventType: EventType
  readonly vendor: string
  readonly entity: string
  readonly oldValue: string | null
  readonly newValue: string | null
  readonly actor: string | null
  readonly sha: string | null
  /** As `toEnvironment` spells it; `null`: none was sent, which means production. */
  readonly environment: string | null
}

/** What belongs to a change besides its values: at most 2 kB as JSON. */
export type EventDetails = { readonly title?: string; readonly files?: readonly string[]; readonly keys?: readonly string[] }

/** What an event tells besides, in which repeats of a change may differ: the latest occurrence's is shown. */
export type EventLinks = {
  /** An `https` address. */
  readonly url: string | null
  readonly details: EventDetails | null
}

/** A context event as its agent meant it: text made storable, absent fields `null`, the timestamp resolved to UTC. */
export type ContextEvent = ChangeText &
  EventLinks & {
    readonly serviceName: string
    /** In (0, 1]. */
    readonly confidence: number
    readonly ttlSeconds: number
    /** As sent; `null` when absent or blank. Part of the deduplication key. */
    readonly sentTimestamp: string | null
    /** UTC, microseconds; `null` means the time of receipt. */
    readonly occurredAt: string | null
    readonly rawLine: string | null
  }

export const MAX_NAME_LENGTH = 512

/** Whether a name is short enough, in code points. */
export const isNameLength = (text: string): boolean => Array.from(text).length <= MAX_NAME_LENGTH
export const MAX_TTL_SECONDS = 31_536_000
export const MAX_BATCH_EVENTS = 500
export const MAX_URL_LENGTH = 2_048
export const MAX_DETAILS_BYTES = 2_048
/** How long a change is kept for diagnoses at least, whatever its time to live: a third of real causes is older than half an hour. */
export const CHANGE_KEPT_SECONDS = 86_400

/**
 * What makes two deliveries the same event, for one API key: service, vendor, entity, type, values, timestamp, raw line
 * and, if it was sent, environment. `undefined` without a timestamp: then two equal events are two events.
 */
export function deduplicationKey(event: ContextEvent): string | undefined {
  if (event.sentTimestamp === null) return undefined
  return JSON.stringify([
    event.serviceName,
    event.vendor,
    event.entity,
    event.eventType,
    event.oldValue,
    event.newValue,
    event.actor,
    event.sha,
    event.sentTimestamp,
    event.rawLine,
    ...(event.environment === null ? [] : [event.environment]),
  ])
}

const CHANGE_TYPES = ['deploy', 'config_change', 'flag_change', 'schema_change', 'scale_event'] as const satisfies readonly EventType[]
const CHANGES: ReadonlySet<EventType> = new Set<EventType>(CHANGE_TYPES)

export type ChangeType = (typeof CHANGE_TYPES)[number]

/** Whether an event says what someone or something changed, rather than what went wrong. */
export function isChangeType(eventType: EventType): eventType is ChangeType {
  return CHANGES.has(eventType)
}

const CALL_FAILURES: ReadonlySet<EventType> = new Set<EventType>(['dependency_failure', 'circuit_open'])
/** Whether an event says that calls fail; whoever made them reports it, and the entity is whom they were to reach. */
export function isCallFailure(eventType: EventType): boolean {
  return CALL_FAILURES.has(eventType)
}
