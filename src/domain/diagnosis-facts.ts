import type { DiagnosisInput } from './diagnosis.ts'
import { type EventType, toValueClass } from './event.ts'
import {
  type Adjacency,
  isObserver,
  type KnownServices,
  type LearnedEdge,
  learnEdges,
  liveEdges,
  pathsFrom,
  toAdjacency,
  toKnownServices,
} from './service-graph.ts'
import { toNameKey } from './service-name.ts'
import type { WindowEntry } from './state-window.ts'

/** How far from the alerting service a cause is looked for; callers load the windows of `servicesToRead` up to it. */
export const MAX_HOPS = 4

/** An entry once, at the service it concerns, however many windows hold it. */
export type Observation = {
  readonly key: string
  readonly entry: WindowEntry
  /** From the alert on, in milliseconds: negative before it. Nothing is later than `observedUntil`. */
  readonly firstMs: number
  readonly lastMs: number
  /** How unusual its kind is at this service, in nats. */
  readonly surprise: number
}

/** Calls that fail, from one service to another. */
export type FailingEdge = {
  readonly caller: string
  readonly callee: string
  /** The share of calls that fail, as far as it is known. */
  readonly severity: number
  readonly sinceMs: number
  readonly observation: Observation
}

/** What a diagnosis reasons from: services by name key, what happened to each, and who cannot reach whom. */
export type Facts = {
  readonly names: KnownServices
  readonly adjacency: Adjacency
  readonly alertKey: string | null
  /** Ways from the alerting service, by the service they lead to; `null` when no service alerts. */
  readonly paths: ReadonlyMap<string, readonly string[]> | null
  readonly changes: readonly Observation[]
  readonly symptoms: readonly Observation[]
  readonly failing: readonly FailingEdge[]
  /** When the look was taken. */
  readonly untilMs: number
  /** Half of what was observed where paths lead is older. */
  readonly medianAgeMs: number
}

const CHANGES: ReadonlySet<EventType> = new Set<EventType>(['deploy', 'config_change', 'flag_change', 'schema_change', 'scale_event'])
const FAILURES: ReadonlySet<EventType> = new Set<EventType>(['dependency_failure', 'circuit_open'])
const OWN_OBJECT_RULES: ReadonlySet<string> = new Set(['pod', 'replica_set', 'autoscaler'])

/**
 * Kubernetes objects that belong to a workload and by convention are named after it with a suffix, as Helm's
 * `{{ include "app.fullname" . }}-data` does: `persistentvolumeclaims/cart-data`, `configmaps/cart-env`.
 */
const SATELLITE = /^(?:persistentvolume|persistentvolumeclaim|configmap|secret|service|endpoint|ingress|horizontalpodautoscaler)(?:e?s)?\//i

/** Where nothing tells the share of calls that fail, any is as likely. */
const DEFAULT_SEVERITY = 0.5
/** The least that a whole percent can tell. */
const MIN_SEVERITY = 0.01

/** An entry at the service with this key; it is counted under the one whose window holds it. */
type Located = { readonly key: string; readonly service: string; readonly kind: Kind; readonly entry: WindowEntry }

/** What events are counted by: anywhere, and at one service. */
type Kind = { readonly anywhere: string; readonly atService: string }

/** Reads the windows: every event once, where it belongs, and nothing that happened after `observedUntil`. */
export function gatherFacts(input: DiagnosisInput): Facts {
  const { alert, graph, observedUntil, windows } = input
  const untilMs = observedUntil.getTime()
  const alertMs = alert.triggeredAt.getTime()
  const live = liveEdges(graph, observedUntil)
  const graphNames = toKnownServices(live.flatMap(({ caller, callee }) => [caller, callee]))
  const names: KnownServices = new Map([
    ...graphNames,
    ...toKnownServices(windows.map(({ service }) => service)),
    ...toKnownServices(alert.service === null ? [] : [alert.service]),
  ])

  const located = windows.flatMap(({ service, window }) => {
    const key = toNameKey(service)
    return Object.values(window.entries)
      .flat()
      .filter((entry) => entry.firstTimestamp.getTime() <= untilMs)
      .map((entry): Located => ({ key, service, kind: toKind(key, entry.vendor, entry.eventType, toValueClass(entry.newValue)), entry }))
  })
  const homes = [...Map.groupBy(located, ({ entry }) => entry.id).values()].map((places) => locate(places, names, graphNames))
  const surpriseOf = createSurprise(
    input,
    homes.map(({ home }) => home),
  )
  const observations: Observation[] = []
  const failing: FailingEdge[] = []
  const callErrors: Observation[] = []
  for (const { home, callees } of homes) {
    const observation = toObservation(home, alertMs, untilMs, surpriseOf)
    if (callees.length > 0) failing.push(...callees.map((callee) => toFailingEdge(observation, callee)))
    else if (isCallError(home)) callErrors.push(observation)
    else observations.push(observation)
  }
  const learned = new Map(failing.map((edge): [string, LearnedEdge] => [`${edge.caller}\0${edge.callee}`, edge]))
  const adjacency = toAdjacency([...live, ...learned.values()])
  const paths = alert.service === null ? null : pathsFrom(alert.service, adjacency.callees, MAX_HOPS)
  const ages = [...observations, ...callErrors, ...failing.map(({ observation }) => observation)].flatMap(({ key, lastMs }) =>
    paths === null || paths.has(key) ? -lastMs : [],
  )
  return {
    names,
    adjacency,
    alertKey: alert.service === null ? null : toNameKey(alert.service),
    paths,
    changes: observations.filter(isChange),
    symptoms: observations.filter((observation) => !isChange(observation)),
    failing,
    untilMs: untilMs - alertMs,
    medianAgeMs: ages.toSorted((a, b) => a - b)[Math.floor(ages.length / 2)] ?? 0,
  }
}

/** Whether an event says that something was changed, rather than how something fares. */
export function isChange({ entry }: Observation): boolean {
  return CHANGES.has(entry.eventType)
}

/** Where an event belongs among the windows that hold it, and, when it says that calls fail, whose. */
function locate(places: readonly Located[], names: KnownServices, graphNames: KnownServices) {
  const sorted = places.toSorted((a, b) => compareText(a.key, b.key))
  const reporter = sorted.find(({ entry }) => entry.joinedBy === 'service_name')
  const others = sorted.filter(({ entry }) => entry.joinedBy !== 'service_name')
  const home = others.find(({ entry }) => OWN_OBJECT_RULES.has(entry.joinedBy)) ?? others[0] ?? reporter
  if (!home) throw new Error('an event in no window')
  if (!FAILURES.has(home.entry.eventType)) return { home: adopt(home, graphNames), callees: [] }

  const caller = reporter ?? home
  const shown = learnEdges({ serviceName: caller.service, ...caller.entry }, names).map(({ callee }) => toNameKey(callee))
  const isOfOwnObject = isObserver(home.entry.vendor) || others.some(({ entry }) => OWN_OBJECT_RULES.has(entry.joinedBy))
  const callees = isOfOwnObject ? [] : shown
  return callees.length > 0 ? { home: caller, callees } : { home: adopt(isOfOwnObject ? home : caller, graphNames), callees: [] }
}

/** A volume claim and the like has no service of its own: it belongs to the one on the graph it is named after. */
function adopt(home: Located, graphNames: KnownServices): Located {
  if (home.entry.vendor !== 'kubernetes' || graphNames.has(home.key) || !SATELLITE.test(home.entry.entity)) return home
  const parts = home.service.split('-')
  for (let length = parts.length - 1; length > 0; length -= 1) {
    const service = graphNames.get(toNameKey(parts.slice(0, length).join('-')))
    if (service !== undefined) return { ...home, key: toNameKey(service) }
  }
  return home
}

/** One that watches services speaks of their own failures, any other reporter of calls that it made. */
function isCallError({ entry }: Located): boolean {
  return FAILURES.has(entry.eventType) && !isObserver(entry.vendor)
}

function toObservation(home: Located, alertMs: number, untilMs: number, surpriseOf: (home: Located) => number): Observation {
  const { key, entry } = home
  return {
    key,
    entry,
    firstMs: entry.firstTimestamp.getTime() - alertMs,
    lastMs: Math.min(untilMs, Math.max(entry.firstTimestamp.getTime(), entry.timestamp.getTime())) - alertMs,
    surprise: surpriseOf(home),
  }
}

function toFailingEdge(observation: Observation, callee: string): FailingEdge {
  const { entry, key, firstMs } = observation
  return { caller: key, callee, severity: toSeverity(entry), sinceMs: firstMs, observation }
}

const SUCCESS = /success\D{0,8}(\d{1,3}(?:\.\d+)?)\s*%/i
const PERCENT = /(\d{1,3}(?:\.\d+)?)\s*%/

function toSeverity({ eventType, newValue }: WindowEntry): number {
  if (eventType === 'circuit_open') return 1
  const text = newValue?.slice(0, 256) ?? ''
  const success = SUCCESS.exec(text)?.[1]
  const percent = PERCENT.exec(text)?.[1]
  if (success === undefined && percent === undefined) return DEFAULT_SEVERITY
  const share = success === undefined ? Number(percent) / 100 : 1 - Number(success) / 100
  return Math.min(1, Math.max(MIN_SEVERITY, share))
}

/**
 * How unusual an event's kind is at its service by the hourly counts: rare in hours, or more often than in its usual
 * hour. Where little was counted, what is usual at other services counts instead.
 */
function createSurprise({ counts }: DiagnosisInput, homes: readonly Located[]): (home: Located) => number {
  const observed = Math.max(0, counts.hoursObserved)
  const serviceCount = new Set(counts.kinds.map(({ service }) => toNameKey(service))).size
  const usual = new Map<string, { hours: number; count: number }>()
  const anywhere = new Map<string, number>()
  for (const { service, vendor, eventType, valueClass, count, hours } of counts.kinds) {
    const kind = toKind(toNameKey(service), vendor, eventType, valueClass)
    const before = usual.get(kind.atService)
    usual.set(kind.atService, { hours: (before?.hours ?? 0) + hours, count: (before?.count ?? 0) + count })
    anywhere.set(kind.anywhere, (anywhere.get(kind.anywhere) ?? 0) + hours)
  }
  const now = new Map<string, number>()
  for (const { kind, entry } of homes) now.set(kind.atService, (now.get(kind.atService) ?? 0) + entry.count)

  const surprises = new Map<string, number>()
  return ({ kind }) => {
    const known = surprises.get(kind.atService)
    if (known !== undefined) return known
    const { hours = 0, count = 0 } = usual.get(kind.atService) ?? {}
    const elsewhere = Math.min(1, ((anywhere.get(kind.anywhere) ?? 0) + 1) / (observed * serviceCount + 1))
    const rate = (Math.min(hours, observed) + elsewhere) / (observed + 1)
    const perHour = hours > 0 ? Math.max(1, count / hours) : 1
    const surprise = Math.log(1 / rate) + Math.log(Math.max(1, (now.get(kind.atService) ?? 1) / perHour))
    surprises.set(kind.atService, surprise)
    return surprise
  }
}

function toKind(key: string, vendor: string, eventType: EventType, valueClass: string): Kind {
  // No stored text holds U+0000.
  const anywhere = `${vendor}\0${eventType}\0${valueClass}`
  return { anywhere, atService: `${key}\0${anywhere}` }
}

export function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
