import { compareText } from '../compare.ts'
import { MAX_HOPS } from '../diagnosis/facts.ts'
import type { Diagnosis, DiagnosisInput, PatternMatch } from '../diagnosis/model.ts'
import { EVENT_TYPES, type EventType } from '../event/event.ts'
import { toNameKey } from '../event/service-name.ts'
import { toValueClass } from '../event/value-class.ts'
import { liveEdges, pathsFrom, toAdjacency } from '../graph/service-graph.ts'
import { hashOf } from '../hash.ts'
import { type IncidentId, isId } from '../ids.ts'
import { isListOf, isNumber, isObjectOf, isOneOf, isText, orAbsent, orNull, readStored, writeStored } from '../json.ts'
import type { ComparedAnswer, Finding } from './answer.ts'
import { VERDICTS } from './quality.ts'
import { type ContextSnapshot, citedEntries } from './snapshot.ts'

/** Numbers an incident's embedding has: the dimension of the column that holds it. */
export const EMBEDDING_SIZE = 128

/** What an embedding sees of one change in the windows of an incident. */
export type IncidentEvent = {
  readonly eventType: EventType
  readonly vendor: string
  readonly newValue: string | null
  /** When it first occurred. */
  readonly firstTimestamp: Date
  /** Calls from the alerting service to the one it concerns; `null` when no path is known. */
  readonly hops: number | null
}

/** An incident's structure as a unit vector: what is alike lies in the same direction. */
export type Embedding = readonly number[]

/** A past incident of the tenant that is like another, with what was decided about its diagnosis. */
export type SimilarPattern = PatternMatch & { readonly incidentId: IncidentId }

const isPattern = isObjectOf<SimilarPattern>({
  incidentId: isId<IncidentId>,
  service: isText,
  vendor: isText,
  eventType: isOneOf(EVENT_TYPES),
  valueClass: isText,
  verdict: isOneOf(VERDICTS),
  similarity: isNumber,
})

/**
 * A stored causal pattern with its likeness, which no rounding takes out of [0, 1]. Throws as `readStored`: an embedding of
 * another form is like nothing of this one.
 */
export function readPattern(stored: unknown): SimilarPattern {
  const pattern = readStored('causal pattern', stored, isPattern)
  return { ...pattern, similarity: Math.min(Math.max(pattern.similarity, 0), 1) }
}

/** Incidents less alike than this are not alike. */
export const MIN_SIMILARITY = 0.5

/** What was blamed, without the names and numbers that make it this one incident. */
export type Cause = {
  readonly service: string
  readonly vendor: string
  readonly eventType: EventType
  readonly valueClass: string
}

/** What an incident is like and what was blamed for it: all that a verdict turns into a causal pattern. */
export type IncidentSignature = {
  readonly embedding: Embedding | null
  /** `null`: nothing was blamed. */
  readonly cause: Cause | null
  /** What later answers are held against. */
  readonly compared: Pick<ComparedAnswer, 'own' | 'told'>
}

const isSignature = isObjectOf<IncidentSignature>({
  embedding: orNull(isListOf(isNumber)),
  cause: orNull(isObjectOf<Cause>({ service: isText, vendor: isText, eventType: isOneOf(EVENT_TYPES), valueClass: isText })),
  compared: isObjectOf<IncidentSignature['compared']>({
    own: isObjectOf<Finding>({ cause: orNull(isText), confidence: isNumber, unrecorded: orAbsent(isNumber) }),
    told: orNull(isText),
  }),
})

/** The text of a signature as it is stored, whose fields the store's statements read as well. */
export function writeSignature(signature: IncidentSignature): string {
  return writeStored(signature)
}

/** A stored signature, of this release or an earlier one. Throws as `readStored`. */
export function readSignature(stored: unknown): IncidentSignature {
  return readStored('signature', stored, isSignature)
}

/**
 * What an incident is like, from the windows of the alerting service and of those its calls lead to, by a graph that has learned from what
 * fails in them; each change counts once.
 */
export function embedEvidence({
  alert,
  windows,
  graph,
  observedUntil,
}: Omit<DiagnosisInput, 'patterns' | 'counts'>): Embedding | undefined {
  if (alert.service === null) return undefined
  const paths = pathsFrom(alert.service, toAdjacency(liveEdges(graph, observedUntil)).callees, MAX_HOPS)
  const events = new Map<string, IncidentEvent>()
  for (const { service, window } of windows) {
    const path = paths.get(toNameKey(service))
    if (!path) continue
    const hops = path.length - 1
    for (const entry of Object.values(window.entries).flat()) {
      const isNearest = hops < (events.get(entry.id)?.hops ?? Number.POSITIVE_INFINITY)
      if (entry.firstTimestamp <= observedUntil && isNearest) events.set(entry.id, { ...entry, hops })
    }
  }
  return embedIncident([...events.values()], alert.triggeredAt)
}

/** What an answer blamed, by its kind; `null`: nothing. */
export function toCauseKind({ hypotheses, abstained }: Diagnosis, snapshot: ContextSnapshot): Cause | null {
  const [leading] = hypotheses
  const [entry] = citedEntries(snapshot, leading?.eventIds.slice(0, 1) ?? [])
  if (abstained || !leading || !entry) return null
  return { service: leading.service, vendor: entry.vendor, eventType: entry.event_type, valueClass: toValueClass(entry.new_value) }
}

/** How much each family of features says about what an incident is like. */
const WEIGHTS = { type: 0.5, kind: 1, distance: 0.6, order: 0.4, lag: 0.3 } as const

type Family = keyof typeof WEIGHTS

/** Steps in the order of events that are looked at: a storm of different changes must not drown the rest. */
const MAX_STEPS = 32
const MAX_FAR = 3

/**
 * The structure of an incident: which types of events, vendors and classes of values, in which order, how far from the
 * alerting service and how long before the alert. Names, ids and numbers play no part, nor does the order of the input.
 * `undefined` without events: there is nothing to compare.
 */
export function embedIncident(events: readonly IncidentEvent[], triggeredAt: Date): Embedding | undefined {
  const counts = countFeatures(events, triggeredAt)
  const vector = new Array<number>(EMBEDDING_SIZE).fill(0)
  for (const [feature, { family, count }] of counts) {
    const hash = hashOf(feature)
    const place = hash % EMBEDDING_SIZE
    const sign = (hash >>> 16) & 1 ? 1 : -1
    vector[place] = (vector[place] ?? 0) + sign * WEIGHTS[family] * Math.sqrt(count)
  }
  const length = Math.sqrt(vector.reduce((sum, each) => sum + each * each, 0))
  // Six digits: sums of the same numbers in another order differ in the last ones.
  return length < 1e-6 ? undefined : vector.map((each) => Math.round((each / length) * 1e6) / 1e6)
}

function countFeatures(events: readonly IncidentEvent[], triggeredAt: Date) {
  const counts = new Map<string, { readonly family: Family; readonly count: number }>()
  const count = (family: Family, ...parts: readonly (string | number)[]): void => {
    const feature = [family, ...parts].join('\u0001')
    counts.set(feature, { family, count: (counts.get(feature)?.count ?? 0) + 1 })
  }
  const sorted = events.map((event) => ({ ...event, kind: toKind(event) })).toSorted(inTime)
  for (const { eventType, vendor, kind, hops, firstTimestamp } of sorted) {
    count('type', eventType, vendor)
    count('kind', kind)
    count('distance', eventType, vendor, hops === null ? 'none' : Math.min(hops, MAX_FAR))
    count('lag', eventType, toLagClass(triggeredAt.getTime() - firstTimestamp.getTime()))
  }
  const steps = sorted.map(({ eventType, vendor }) => `${eventType} ${vendor}`).filter((step, index, all) => step !== all[index - 1])
  for (const [index, step] of steps.slice(-MAX_STEPS).entries()) {
    const next = steps.slice(-MAX_STEPS)[index + 1]
    if (next !== undefined) count('order', step, next)
  }
  // In an order of its own: sums of the same numbers in another order are not quite the same.
  return [...counts].toSorted(([a], [b]) => compareText(a, b))
}

function toKind({ eventType, vendor, newValue }: IncidentEvent): string {
  return [eventType, vendor, toValueClass(newValue)].join('\u0001')
}

/** Orders of magnitude in minutes: after the alert, at once, 2, 4, 8 … minutes before. */
function toLagClass(lagMs: number): number {
  return lagMs < 0 ? -1 : Math.floor(Math.log2(1 + lagMs / 60_000))
}

type Sortable = { readonly firstTimestamp: Date; readonly kind: string; readonly hops: number | null }

function inTime(a: Sortable, b: Sortable): number {
  return a.firstTimestamp.getTime() - b.firstTimestamp.getTime() || compareText(a.kind, b.kind) || (a.hops ?? -1) - (b.hops ?? -1)
}
