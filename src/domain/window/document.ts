import { byEventType, EVENT_TYPES, type EventDetails, type EventType } from '../event/event.ts'
import { isRedactedEvent, maskActor } from '../event/redact.ts'
import { JOIN_RULES, type JoinRule } from '../event/service-name.ts'
import { type EventId, toId } from '../ids.ts'
import { isInstant, isListOf, isNumber, isObjectOf, isOneOf, isText, orAbsent, orNull } from '../json.ts'
import type { ServiceWindow, WindowEntry } from './window.ts'

export type EntryDocument = {
  readonly id: string
  readonly event_type: EventType
  readonly vendor: string
  readonly entity: string
  readonly old_value: string | null
  readonly new_value: string | null
  readonly actor: string | null
  readonly sha: string | null
  /** These three are not in snapshots that earlier releases stored. */
  readonly environment?: string | null
  readonly url?: string | null
  readonly details?: EventDetails | null
  readonly confidence: number
  readonly timestamp: string
  readonly first_timestamp: string
  readonly expires_at: string
  readonly count: number
  readonly joined_by: JoinRule
  /** Where something secret was masked in the event's text. */
  readonly redacted?: true
  /** In snapshots alone. */
  readonly expired?: true
}

type EntriesField = `${Exclude<EventType, 'scale_event'>}_events` | 'scale_events'

export type WindowDocument = { readonly service: string } & Readonly<Record<EntriesField, readonly EntryDocument[]>> & {
    readonly updated_at: string | null
    readonly partial?: true
  }

const FIELD_OF: Readonly<Record<EventType, EntriesField>> = {
  deploy: 'deploy_events',
  restart: 'restart_events',
  saturation: 'saturation_events',
  flag_change: 'flag_change_events',
  circuit_open: 'circuit_open_events',
  dependency_failure: 'dependency_failure_events',
  config_change: 'config_change_events',
  schema_change: 'schema_change_events',
  scale_event: 'scale_events',
}

const isDetails = isObjectOf<EventDetails>({
  title: orAbsent(isText),
  files: orAbsent(isListOf(isText)),
  keys: orAbsent(isListOf(isText)),
})

const isEntryDocument = isObjectOf<EntryDocument>({
  id: isText,
  event_type: isOneOf(EVENT_TYPES),
  vendor: isText,
  entity: isText,
  old_value: orNull(isText),
  new_value: orNull(isText),
  actor: orNull(isText),
  sha: orNull(isText),
  environment: orAbsent(orNull(isText)),
  url: orAbsent(orNull(isText)),
  details: orAbsent(orNull(isDetails)),
  confidence: isNumber,
  timestamp: isInstant,
  first_timestamp: isInstant,
  expires_at: isInstant,
  count: isNumber,
  joined_by: isOneOf(JOIN_RULES),
  redacted: orAbsent(isOneOf<true>([true])),
  expired: orAbsent(isOneOf<true>([true])),
})

const isEntries = isListOf(isEntryDocument)

/** Whether a stored value is a window as it is answered. */
export const isWindowDocument = isObjectOf<WindowDocument>({
  service: isText,
  deploy_events: isEntries,
  restart_events: isEntries,
  saturation_events: isEntries,
  flag_change_events: isEntries,
  circuit_open_events: isEntries,
  dependency_failure_events: isEntries,
  config_change_events: isEntries,
  schema_change_events: isEntries,
  scale_events: isEntries,
  updated_at: orNull(isInstant),
  partial: (value): value is true | undefined => value === true || value === undefined,
})

export function entriesOf(window: WindowDocument): EntryDocument[] {
  return EVENT_TYPES.flatMap((type) => window[FIELD_OF[type]])
}

/** A window with some of its entries alone. */
export function keepEntries(window: WindowDocument, isKept: (entry: EntryDocument) => boolean): WindowDocument {
  const kept = EVENT_TYPES.map((type) => [FIELD_OF[type], window[FIELD_OF[type]].filter(isKept)])
  return { ...window, ...Object.fromEntries(kept) }
}

/** A window as it is stored and answered. */
export function toWindowDocument({ service, window }: ServiceWindow): WindowDocument {
  const of = (type: EventType) => window.entries[type].map(toEntryDocument)
  return {
    service,
    deploy_events: of('deploy'),
    restart_events: of('restart'),
    saturation_events: of('saturation'),
    flag_change_events: of('flag_change'),
    circuit_open_events: of('circuit_open'),
    dependency_failure_events: of('dependency_failure'),
    config_change_events: of('config_change'),
    schema_change_events: of('schema_change'),
    scale_events: of('scale_event'),
    updated_at: window.updatedAt?.toISOString() ?? null,
    ...(window.isPart ? { partial: true } : {}),
  }
}

/** An entry as the API answers it: without the addresses of people, which are for the tenant's own. */
export function toToldEntry<Entry extends EntryDocument>(entry: Entry): Entry {
  return { ...entry, actor: maskActor(entry.actor) }
}

/** A window as the API answers it. */
export function toToldWindow(window: WindowDocument): WindowDocument {
  const told = EVENT_TYPES.map((type) => [FIELD_OF[type], window[FIELD_OF[type]].map(toToldEntry)])
  // The fields of entries, all of them: what `fromEntries` cannot tell.
  return { ...window, ...(Object.fromEntries(told) as Record<EntriesField, EntryDocument[]>) }
}

/** Entries of which the text is made at a time: about a millisecond's work. */
const PIECE = 200

/** The text of a window as the API answers it, in pieces, for long ones keep an isolate busy. */
export function* toToldText({ service, window }: ServiceWindow): Generator<string> {
  const { service: name, updated_at, partial } = toWindowDocument({ service, window: { ...window, entries: byEventType(() => []) } })
  yield `{"service":${JSON.stringify(name)}`
  for (const type of EVENT_TYPES) {
    const entries = window.entries[type]
    yield `,"${FIELD_OF[type]}":[`
    for (let start = 0; start < entries.length; start += PIECE) {
      const piece = entries.slice(start, start + PIECE).map((entry) => toToldEntry(toEntryDocument(entry)))
      yield (start === 0 ? '' : ',') + JSON.stringify(piece).slice(1, -1)
    }
    yield ']'
  }
  yield `,"updated_at":${JSON.stringify(updated_at)}${partial ? ',"partial":true' : ''}}`
}

function toEntryDocument(entry: WindowEntry): EntryDocument {
  return {
    id: entry.id,
    event_type: entry.eventType,
    vendor: entry.vendor,
    entity: entry.entity,
    old_value: entry.oldValue,
    new_value: entry.newValue,
    actor: entry.actor,
    sha: entry.sha,
    environment: entry.environment,
    url: entry.url,
    details: entry.details,
    confidence: entry.confidence,
    timestamp: entry.timestamp.toISOString(),
    first_timestamp: entry.firstTimestamp.toISOString(),
    expires_at: entry.expiresAt.toISOString(),
    count: entry.count,
    joined_by: entry.joinedBy,
    ...(isRedactedEvent(entry) ? { redacted: true } : {}),
    ...(entry.isExpired ? { expired: true } : {}),
  }
}

export function toServiceWindow(document: WindowDocument): ServiceWindow {
  const entries = byEventType((type) => document[FIELD_OF[type]].map(toWindowEntry))
  return {
    service: document.service,
    window: { entries, updatedAt: document.updated_at === null ? null : new Date(document.updated_at) },
  }
}

function toWindowEntry(entry: EntryDocument): WindowEntry {
  return {
    id: toId<EventId>(entry.id),
    eventType: entry.event_type,
    vendor: entry.vendor,
    entity: entry.entity,
    oldValue: entry.old_value,
    newValue: entry.new_value,
    actor: entry.actor,
    sha: entry.sha,
    environment: entry.environment ?? null,
    url: entry.url ?? null,
    details: entry.details ?? null,
    confidence: entry.confidence,
    timestamp: new Date(entry.timestamp),
    firstTimestamp: new Date(entry.first_timestamp),
    expiresAt: new Date(entry.expires_at),
    count: entry.count,
    joinedBy: entry.joined_by,
    isExpired: entry.expired === true,
  }
}
