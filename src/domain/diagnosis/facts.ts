import { compareText } from '../compare.ts'
import { type EventType, isCallFailure, isChangeType } from '../event/event.ts'
import { toNameKey } from '../event/service-name.ts'
import { toValueClass } from '../event/value-class.ts'
import { isObserver, type KnownServices, toKnownServices } from '../graph/callee.ts'
import { type Adjacency, learnCallees, liveEdges, pathsFrom, toAdjacency } from '../graph/service-graph.ts'
import type { ServiceWindow, WindowEntry } from '../window/window.ts'
import type { DiagnosisInput } from './diagnose.ts'

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
  /** Until when they are known to fail: a share of calls until it is said otherwise, single calls until the last of them. */
  readonly untilMs: number
  readonly observation: Observation
}

/** What a diagnosis reasons from: services by name key, what happened to each, and who cannot reach whom. */
export type Facts = {
  readonly names: KnownServices
  readonly adjacency: Adjacency
  readonly alertKey: string | null
  /** Ways from the alerting service, by the service they lead to; `null` when no service alerts. */
  readonly paths: ReadonlyMap<string, readonly string[]> | null
  /** By service; changes from the first to the last. */
  readonly changes: ReadonlyMap<string, readonly Observation[]>
  readonly symptoms: ReadonlyMap<string, readonly Observation[]>
  /** By caller and callee. */
  readonly failing: readonly (readonly FailingEdge[])[]
  /** Half of what was observed where paths lead is older. */
  readonly medianAgeMs: number
}

const OWN_OBJECT_RULES: ReadonlySet<string> = new Set(['pod', 'replica_set', 'autoscaler'])

/**
 * Kubernetes objects that belong to a workload and by convention are named after it with a suffix, as Helm's
 * `{{ include "app.fullname" . }}-data` does: `persistentvolumeclaims/cart-data`, `configmaps/cart-env`.
 */
const SATELLITE = /^(?:persistentvolume|persistentvolumeclaim|configmap|secret|service|endpoint|ingress|horizontalpodautoscaler)(?:e?s)?\//i

/** Where nothing tells the share of calls that fail, so many others are held to have gone well. */
const OTHER_CALLS = 49
/** The least that a whole percent can tell. */
const MIN_SEVERITY = 0.01

/** An entry in the window of the service with this key. */
type Place = { readonly key: string; readonly service: string; readonly entry: WindowEntry }

/** The windows, from the least key up, that hold one event. */
type Places = [Place, ...Place[]]

/** Where an event is counted, the key of the service it concerns, and, when it says that calls fail, whom they were to reach. */
type Home = { readonly place: Place; readonly key: string; readonly callees: readonly string[] }

/** Reads the windows: every event once, where it belongs, and nothing that happened after `observedUntil`. */
export function gatherFacts(input: DiagnosisInput): Facts {
  const { alert, graph, observedUntil, windows, counts } = input
  const untilMs = observedUntil.getTime()
  const alertMs = alert.triggeredAt.getTime()
  const live = liveEdges(graph, observedUntil)
  const graphNames = toKnownServices(live.flatMap(({ caller, callee }) => [caller, callee]))
  const names: KnownServices = new Map([
    ...graphNames,
    ...toKnownServices(windows.map(({ service }) => service)),
    ...toKnownServices(alert.service === null ? [] : [alert.service]),
  ])

  const { count, toSurprise } = createTally(counts)
  const found = findPlaces(windows, untilMs)
  const owners = new Set([...graphNames.keys(), ...found.flat().flatMap((place) => (showsService(place) ? place.key : []))])
  const homes = found.map((places) => {
    const home = locate(places, names, owners)
    return { home, kind: count(home.place) }
  })
  const failing: FailingEdge[] = []
  const others: Observation[] = []
  for (const { home, kind } of homes) {
    const observation = toObservation(home, alertMs, untilMs, toSurprise(kind))
    for (const callee of home.callees) failing.push(toFailingEdge(observation, callee, untilMs - alertMs))
    if (home.callees.length === 0) others.push(observation)
  }
  const pairs = [...Map.groupBy(failing, ({ caller, callee }) => `${caller}\0${callee}`).values()]
  const adjacency = toAdjacency([...live, ...pairs.flatMap((edges) => edges.slice(0, 1))])
  const paths = alert.service === null ? null : pathsFrom(alert.service, adjacency.callees, MAX_HOPS)
  const near = [...others, ...failing.map(({ observation }) => observation)].filter(({ key }) => paths === null || paths.has(key))
  return {
    names,
    adjacency,
    alertKey: alert.service === null ? null : toNameKey(alert.service),
    paths,
    changes: Map.groupBy(others.filter(isChange).toSorted(compareTimes), ({ key }) => key),
    symptoms: Map.groupBy(
      others.filter((other) => !isChange(other) && !isCallError(other)),
      ({ key }) => key,
    ),
    failing: pairs,
    medianAgeMs: toMedian(near.map(({ lastMs }) => -lastMs)),
  }
}

/** Whether an event says that something was changed, rather than how something fares. */
export function isChange({ entry }: Observation): boolean {
  return isChangeType(entry.eventType)
}

/** The middle one of the values; of two the greater. */
function toMedian(values: readonly number[]): number {
  return new Float64Array(values).sort()[Math.floor(values.length / 2)] ?? 0
}

/** The places of each event. */
function findPlaces(windows: readonly ServiceWindow[], untilMs: number): readonly Places[] {
  const byEvent = new Map<string, Places>()
  const keyed = windows.map(({ service, window }) => ({ key: toNameKey(service), service, window }))
  for (const { key, service, window } of keyed.toSorted((a, b) => compareText(a.key, b.key) || compareText(a.service, b.service))) {
    for (const entry of Object.values(window.entries).flat()) {
      if (entry.firstTimestamp.getTime() > untilMs) continue
      const place = { key, service, entry }
      const places = byEvent.get(entry.id)
      if (places) places.push(place)
      else byEvent.set(entry.id, [place])
    }
  }
  return [...byEvent.values()]
}

/** Where an event belongs among the windows that hold it, and, when it says that calls fail, whose. */
function locate(places: Places, names: KnownServices, owners: ReadonlySet<string>): Home {
  const ownObject = places.find(({ entry }) => OWN_OBJECT_RULES.has(entry.joinedBy))
  const concerned = ownObject ?? places.find(({ entry }) => entry.joinedBy !== 'service_name') ?? places[0]
  if (ownObject || !isCallError(concerned)) return { place: concerned, key: adopt(concerned, owners), callees: [] }

  const caller = places.find(({ entry }) => entry.joinedBy === 'service_name') ?? concerned
  const callees = learnCallees({ ...caller.entry, serviceName: caller.service }, names)
  return { place: caller, key: callees.length > 0 ? caller.key : adopt(caller, owners), callees }
}

/** A volume claim and the like has no service of its own, unless that shows something else: it belongs to the one it is named after. */
function adopt({ key, service, entry }: Place, owners: ReadonlySet<string>): string {
  if (entry.vendor !== 'kubernetes' || owners.has(key) || !SATELLITE.test(entry.entity)) return key
  const parts = service.split('-')
  for (let length = parts.length - 1; length > 0; length -= 1) {
    const shorter = toNameKey(parts.slice(0, length).join('-'))
    if (owners.has(shorter)) return shorter
  }
  return key
}

/** Whether an entry tells of its window's service itself, not just of a thing that happens to have its name. */
function showsService({ entry: { vendor, entity, eventType, joinedBy } }: Place): boolean {
  if (SATELLITE.test(entity)) return false
  return joinedBy === 'service_name' || OWN_OBJECT_RULES.has(joinedBy) || eventType === 'deploy' || vendor === 'kubernetes'
}

/** One that watches services speaks of their own failures, any other reporter of calls that it made. */
function isCallError({ entry }: Pick<Observation, 'entry'>): boolean {
  return isCallFailure(entry.eventType) && !isObserver(entry.vendor)
}

function toObservation({ key, place: { entry } }: Home, alertMs: number, untilMs: number, surprise: number): Observation {
  const firstMs = entry.firstTimestamp.getTime()
  const seenMs = entry.timestamp.getTime()
  // Of repeats after the look only the latest is known, which is not to be seen.
  const lastMs = seenMs > untilMs ? firstMs : Math.max(firstMs, seenMs)
  return { key, entry, firstMs: firstMs - alertMs, lastMs: lastMs - alertMs, surprise }
}

function toFailingEdge(observation: Observation, callee: string, untilMs: number): FailingEdge {
  const { entry, key, firstMs, lastMs } = observation
  const share = toShare(entry)
  const severity = share ?? entry.count / (entry.count + OTHER_CALLS)
  return { caller: key, callee, severity, sinceMs: firstMs, untilMs: share === undefined ? lastMs : untilMs, observation }
}

const SUCCESS = /success\D{0,8}(\d{1,3}(?:\.\d+)?)\s*%/i
const PERCENT = /(\d{1,3}(?:\.\d+)?)\s*%/

/** The share of calls that fail, where it is told. */
function toShare({ eventType, newValue }: WindowEntry): number | undefined {
  if (eventType === 'circuit_open') return 1
  const text = newValue?.slice(0, 256) ?? ''
  const success = SUCCESS.exec(text)?.[1]
  const percent = PERCENT.exec(text)?.[1]
  if (success === undefined && percent === undefined) return undefined
  const share = success === undefined ? Number(percent) / 100 : 1 - Number(success) / 100
  return Math.min(1, Math.max(MIN_SEVERITY, share))
}

/** A kind of event at one service: how often it was counted and in how many hours, and how often it is seen now. */
type Kind = { count: number; hours: number; seen: number; readonly anywhere: Anywhere }

/** A kind of event at whatever service. */
type Anywhere = { hours: number; readonly byService: Map<string, Kind> }

/** Counts kinds of events: as the hourly counts have them, then as entries are seen. */
function createTally({ hoursObserved, kinds }: DiagnosisInput['counts']) {
  const known = new Map<string, Map<EventType, Map<string, Anywhere>>>()
  const toKind = (key: string, vendor: string, eventType: EventType, valueClass: string): Kind => {
    const ofVendor = obtain(known, vendor, () => new Map())
    const ofType = obtain(ofVendor, eventType, () => new Map())
    const anywhere = obtain(ofType, valueClass, () => ({ hours: 0, byService: new Map() }))
    return obtain(anywhere.byService, key, () => ({ count: 0, hours: 0, seen: 0, anywhere }))
  }
  const services = new Set<string>()
  for (const [service, own] of Map.groupBy(kinds, (kind) => kind.service)) {
    const key = toNameKey(service)
    services.add(key)
    for (const { vendor, eventType, valueClass, count, hours } of own) {
      const kind = toKind(key, vendor, eventType, valueClass)
      kind.count += count
      kind.hours += hours
      kind.anywhere.hours += hours
    }
  }
  const observed = Math.max(0, hoursObserved)
  const valueClasses = new Map<string | null, string>()
  return {
    count({ key, entry }: Place): Kind {
      const valueClass = obtain(valueClasses, entry.newValue, toValueClass)
      const kind = toKind(key, entry.vendor, entry.eventType, valueClass)
      kind.seen += entry.count
      return kind
    },

    /**
     * How unusual a kind is at its service: rare in hours, or more often than in its usual hour. Where little was counted,
     * what is usual at other services counts instead.
     */
    toSurprise({ count, hours, anywhere, seen }: Kind): number {
      const elsewhere = Math.min(1, (anywhere.hours + 1) / (observed * services.size + 1))
      const rate = (Math.min(hours, observed) + elsewhere) / (observed + 1)
      const perHour = hours > 0 ? Math.max(1, count / hours) : 1
      return Math.log(1 / rate) + Math.log(Math.max(1, seen / perHour))
    },
  }
}

/** The value of a key, which is made where there is none yet. */
export function obtain<Key, Value>(map: Map<Key, Value>, key: Key, make: (key: Key) => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make(key)
  map.set(key, made)
  return made
}

/** The earlier first, of equals the one with the lesser id. */
export function compareTimes(a: Observation, b: Observation): number {
  return a.firstMs - b.firstMs || compareText(a.entry.id, b.entry.id)
}
