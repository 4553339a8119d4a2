import { compareText } from '../compare.ts'
import type { DiagnosisInput, KindCount, PatternMatch } from '../diagnosis/model.ts'
import { EVENT_TYPES, type EventType } from '../event/event.ts'
import type { GraphEdge } from '../graph/service-graph.ts'
import { isFlag, isInstant, isListOf, isNumber, isObjectOf, isOneOf, isText, orAbsent, orNull, readStored, writeStored } from '../json.ts'
import {
  type EntryDocument,
  entriesOf,
  isWindowDocument,
  keepEntries,
  toServiceWindow,
  toWindowDocument,
  type WindowDocument,
} from '../window/document.ts'
import { VERDICTS, type Verdict } from './quality.ts'

// A snapshot is a document of its own: the bytes that are stored are, but for the version before them, those that are
// answered, and those that the engine reads. Hence the names of the API here.

/** Everything that a diagnosis sees, as it is stored and answered. */
export type ContextSnapshot = {
  readonly alert: {
    readonly service: string | null
    readonly triggered_at: string
    readonly title: string | null
    /** Earlier releases did not say; absent means production. */
    readonly environment?: string
  }
  readonly observed_until: string
  readonly windows: readonly WindowDocument[]
  readonly dependencies: readonly {
    readonly caller: string
    readonly callee: string
    readonly seen: number
    readonly last_seen_at: string | null
    readonly declared: boolean
  }[]
  readonly counts: {
    readonly hours_observed: number
    readonly kinds: readonly {
      readonly service: string
      readonly vendor: string
      readonly event_type: EventType
      readonly value_class: string
      readonly count: number
      readonly hours: number
    }[]
  }
  readonly patterns: readonly {
    readonly service: string
    readonly vendor: string
    readonly event_type: EventType
    readonly value_class: string
    readonly similarity: number
    readonly verdict: Verdict
  }[]
  /** When changes of services on the way were received last, and whoever sent them was heard of. */
  readonly feeds?: readonly { readonly service: string; readonly last_change_at: string | null; readonly heard_at: string | null }[]
}

const isSnapshot = isObjectOf<ContextSnapshot>({
  alert: isObjectOf<ContextSnapshot['alert']>({
    service: orNull(isText),
    triggered_at: isInstant,
    title: orNull(isText),
    environment: orAbsent(isText),
  }),
  observed_until: isInstant,
  windows: isListOf(isWindowDocument),
  dependencies: isListOf(
    isObjectOf<ContextSnapshot['dependencies'][number]>({
      caller: isText,
      callee: isText,
      seen: isNumber,
      last_seen_at: orNull(isInstant),
      declared: isFlag,
    }),
  ),
  counts: isObjectOf<ContextSnapshot['counts']>({
    hours_observed: isNumber,
    kinds: isListOf(
      isObjectOf<ContextSnapshot['counts']['kinds'][number]>({
        service: isText,
        vendor: isText,
        event_type: isOneOf(EVENT_TYPES),
        value_class: isText,
        count: isNumber,
        hours: isNumber,
      }),
    ),
  }),
  patterns: isListOf(
    isObjectOf<ContextSnapshot['patterns'][number]>({
      service: isText,
      vendor: isText,
      event_type: isOneOf(EVENT_TYPES),
      value_class: isText,
      similarity: isNumber,
      verdict: isOneOf(VERDICTS),
    }),
  ),
  feeds: orAbsent(
    isListOf(
      isObjectOf<NonNullable<ContextSnapshot['feeds']>[number]>({
        service: isText,
        last_change_at: orNull(isInstant),
        heard_at: orNull(isInstant),
      }),
    ),
  ),
})

/** The text of a snapshot as it is stored. */
export function writeSnapshot(snapshot: ContextSnapshot): string {
  return writeStored(snapshot)
}

/** A stored snapshot, of this release or an earlier one, its bytes as they were. Throws as `readStored`. */
export function readSnapshot(stored: unknown): ContextSnapshot {
  return readStored('context snapshot', stored, isSnapshot)
}

/** What the engine is about to see, as a document. */
export function toSnapshot({ alert, windows, graph, counts, patterns, observedUntil, feeds }: DiagnosisInput): ContextSnapshot {
  const { environment } = alert
  return {
    alert: {
      service: alert.service,
      triggered_at: alert.triggeredAt.toISOString(),
      title: alert.title,
      ...(environment === undefined || environment === null ? {} : { environment }),
    },
    observed_until: observedUntil.toISOString(),
    windows: windows.map(toWindowDocument),
    dependencies: graph.edges.map(({ caller, callee, seen, lastSeenAt, declared }) => ({
      caller,
      callee,
      seen,
      last_seen_at: lastSeenAt?.toISOString() ?? null,
      declared,
    })),
    counts: {
      hours_observed: counts.hoursObserved,
      kinds: counts.kinds.map(({ service, vendor, eventType, valueClass, count, hours }) => ({
        service,
        vendor,
        event_type: eventType,
        value_class: valueClass,
        count,
        hours,
      })),
    },
    patterns: patterns.map(({ service, vendor, eventType, valueClass, similarity, verdict }) => ({
      service,
      vendor,
      event_type: eventType,
      value_class: valueClass,
      similarity,
      verdict,
    })),
    ...(feeds && {
      feeds: feeds.map(({ service, lastChangeAt, heardAt }) => ({
        service,
        last_change_at: lastChangeAt?.toISOString() ?? null,
        heard_at: heardAt?.toISOString() ?? null,
      })),
    }),
  }
}

/** What the engine sees of a document: everything. */
export function toDiagnosisInput(snapshot: ContextSnapshot): DiagnosisInput {
  const { alert, observed_until, windows, dependencies, counts, patterns, feeds } = snapshot
  const { triggered_at, ...told } = alert
  return {
    alert: { ...told, triggeredAt: new Date(triggered_at) },
    observedUntil: new Date(observed_until),
    windows: windows.map(toServiceWindow),
    graph: {
      edges: dependencies.map(
        ({ caller, callee, seen, last_seen_at, declared }): GraphEdge => ({
          caller,
          callee,
          seen,
          lastSeenAt: last_seen_at === null ? null : new Date(last_seen_at),
          declared,
        }),
      ),
    },
    counts: {
      hoursObserved: counts.hours_observed,
      kinds: counts.kinds.map(
        ({ service, vendor, event_type, value_class, count, hours }): KindCount => ({
          service,
          vendor,
          eventType: event_type,
          valueClass: value_class,
          count,
          hours,
        }),
      ),
    },
    patterns: patterns.map(
      ({ service, vendor, event_type, value_class, similarity, verdict }): PatternMatch => ({
        service,
        vendor,
        eventType: event_type,
        valueClass: value_class,
        similarity,
        verdict,
      }),
    ),
    ...(feeds && {
      feeds: feeds.map(({ service, last_change_at, heard_at }) => ({
        service,
        lastChangeAt: toDate(last_change_at),
        heardAt: toDate(heard_at),
      })),
    }),
  }
}

function toDate(text: string | null): Date | null {
  return text === null ? null : new Date(text)
}

/** An entry of a snapshot's window, with the service whose window it is in. */
export type CitedEntry = EntryDocument & { readonly service: string }

/** The entries of a snapshot's windows with these ids, by service, each once, in the order of their times. */
export function citedEntries(snapshot: ContextSnapshot, ids: readonly string[]): readonly CitedEntry[] {
  return listEntries(keepCited(snapshot, ids))
}

/** What is left of a snapshot when only these entries of its windows are kept: enough to show an answer, not to make it again. */
export function keepCited(snapshot: ContextSnapshot, ids: readonly string[]): ContextSnapshot {
  const wanted = new Set(ids)
  const windows = snapshot.windows.map((window) => keepEntries(window, ({ id }) => wanted.has(id)))
  return {
    ...snapshot,
    windows: windows.filter((window) => entriesOf(window).length > 0),
    dependencies: [],
    counts: { ...snapshot.counts, kinds: [] },
    patterns: [],
  }
}

const toOwnFirst = ({ joined_by }: CitedEntry) => (joined_by === 'service_name' ? 1 : 0)

/**
 * The entries of a snapshot's windows, each once, in the order of their times. Of several windows that an entry is in, the one
 * where it fits best names its service: its own, unless otherwise said.
 */
export function listEntries(snapshot: ContextSnapshot, toFit: (entry: CitedEntry) => number = toOwnFirst): readonly CitedEntry[] {
  const listed = new Map<string, CitedEntry>()
  for (const window of snapshot.windows) {
    for (const entry of entriesOf(window)) {
      const candidate = { service: window.service, ...entry }
      const known = listed.get(entry.id)
      if (!known || toFit(candidate) > toFit(known)) listed.set(entry.id, candidate)
    }
  }
  return [...listed.values()].toSorted((a, b) => compareText(a.timestamp, b.timestamp) || compareText(a.id, b.id))
}
