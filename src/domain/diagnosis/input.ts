import { compareText } from '../compare.ts'
import { isSameEnvironment } from '../event/environment.ts'
import { type EventType, isChangeType } from '../event/event.ts'
import { toNameKey } from '../event/service-name.ts'
import {
  type Callee,
  DNS,
  findCallees,
  findCalleesInWords,
  isObserver,
  type KnownServices,
  toCalleeKey,
  toKnownServices,
} from '../graph/callee.ts'
import { liveEdges } from '../graph/service-graph.ts'
import type { ServiceWindow, WindowEntry } from '../window/window.ts'
import type { Alert, DiagnosisInput, Observation } from './model.ts'
import { AT_ONCE_MS, NODE_TROUBLE } from './trouble.ts'

/** What the windows hold, each event once, at the service that it concerns. */
export type Reading = {
  readonly names: KnownServices
  /** Callers and callees of the graph, by key. */
  readonly edges: readonly { readonly caller: string; readonly callee: string }[]
  /** Changes, from the first to the last. */
  readonly changes: readonly Observation[]
  /** Failing calls that name whom they were to reach. */
  readonly calls: readonly { readonly observation: Observation; readonly callees: readonly Callee[] }[]
  /** Everything else. */
  readonly symptoms: readonly Observation[]
  /** Until when anything was seen, from the alert on. */
  readonly untilMs: number
}

const OWN_OBJECT_RULES: ReadonlySet<string> = new Set(['pod', 'replica_set', 'autoscaler'])
const NAMED_RULES: ReadonlySet<string> = new Set(['entity', 'namespaced_name'])
/** They are told of an object: what was rolled out, what restarted. The others are of whoever tells them. */
const OF_OBJECTS: ReadonlySet<EventType> = new Set<EventType>(['deploy', 'restart', 'scale_event'])

/**
 * Kubernetes objects that belong to a workload and by convention are named after it with a suffix, as Helm's
 * `{{ include "app.fullname" . }}-data` does: `persistentvolumeclaims/cart-data`, `configmaps/cart-env`.
 */
const SATELLITE = /^(?:persistentvolume|persistentvolumeclaim|configmap|secret|service|endpoint|ingress|horizontalpodautoscaler)(?:e?s)?\//i
const HEALTH = /^health:/i
/** What argocd deploys is an application, named as Kubernetes names objects. */
const APPLICATION = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/
/** How nodes are named by their own reports: without a namespace. */
const NODE = /^\//

/** Longer paths and names are read so far; a part inside a name that short may be a plain word. */
const MAX_PATH_LENGTH = 200
const MIN_INNER_LENGTH = 4
const MAX_PARTS = 8

/** Whether an event says that something was changed, rather than how something fares. */
function isChange({ eventType, newValue }: WindowEntry): boolean {
  return isChangeType(eventType) && !(eventType === 'deploy' && HEALTH.test(newValue ?? '')) && !NODE_TROUBLE.test(newValue ?? '')
}

/** An entry in the window of the service with this key. */
type Place = { readonly key: string; readonly service: string; readonly entry: WindowEntry }

/** The windows, from the least key up, that hold one event. */
type Places = [Place, ...Place[]]

/** Reads the windows: every event once, where it belongs, and nothing that happened after `observedUntil`. */
export function readInput({ alert, graph, observedUntil, windows }: DiagnosisInput): Reading {
  const live = liveEdges(graph, observedUntil)
  const graphNames = toKnownServices(live.flatMap(({ caller, callee }) => [caller, callee]))
  const spoken: KnownServices = new Map([
    ...graphNames,
    ...toKnownServices(windows.map(({ service }) => service)),
    ...toKnownServices(alert.service === null ? [] : [alert.service]),
  ])
  const alertMs = alert.triggeredAt.getTime()
  const untilMs = observedUntil.getTime()
  const found = findPlaces(windows, untilMs).filter(([{ entry }]) => !isOfOtherEnvironment(entry, alert))
  const heard: KnownServices = new Map([...toKnownServices(found.flatMap(([place]) => toDeployed(place) ?? [])), ...spoken])
  const told = resolve(found.map((places) => ({ places, callees: toCallees(findReporter(places), heard) })))
  const silent = toKnownServices(told.flatMap(({ callees = [] }) => callees.flatMap(toSilent)))
  const names: KnownServices = new Map([...silent, ...heard])
  let owners: ReadonlySet<string> | undefined
  const isOwner = (key: string) => {
    owners ??= new Set([...graphNames.keys(), ...found.flat().flatMap((place) => (showsService(place) ? place.key : []))])
    return owners.has(key)
  }
  const changes: Observation[] = []
  const calls: Reading['calls'][number][] = []
  const symptoms: Observation[] = []
  for (const { places, callees } of told) {
    const reporter = findReporter(places)
    const place = callees ? reporter : (findDeployed(places) ?? findConcerned(places))
    const key = callees ? place.key : adopt(place, isOwner)
    const evaluators = findEvaluators(places, reporter)
    const plain = toObservation({ ...place, key }, reporter.key, alertMs, untilMs)
    const named = findNamed(places, key, names)
    const observation = { ...plain, ...(evaluators && { evaluators }), ...(named && { named }) }
    if (callees) calls.push({ observation, callees })
    else if (isChange(place.entry)) changes.push(observation)
    else symptoms.push(observation)
  }
  const edges = live.map(({ caller, callee }) => ({ caller: toNameKey(caller), callee: toNameKey(callee) }))
  return { names, edges, changes: changes.toSorted(compareTimes), calls, symptoms, untilMs: untilMs - alertMs }
}

/** Names that there are none of, at most, of which it is asked whether others were told with them. */
const MAX_LOST = 64

type Told = { readonly places: Places; readonly callees: readonly Callee[] | undefined }

/** The same where one caller finds at once several names that there are none of, each told by itself: what they have in common is who resolves them. */
function resolve(told: readonly Told[]): readonly Told[] {
  const lost = told.filter(({ callees }) => callees?.some(({ isUnresolved }) => isUnresolved))
  const toKeys = ({ callees = [] }: Told) => callees.map(toCalleeKey)
  const toMs = ({ places }: Told) => findReporter(places).entry.firstTimestamp.getTime()
  const areOfResolver = (one: Told, other: Told) =>
    findReporter(one.places).key === findReporter(other.places).key &&
    Math.abs(toMs(one) - toMs(other)) <= AT_ONCE_MS &&
    !toKeys(one).some((key) => toKeys(other).includes(key))
  const ofResolver = new Set(lost.slice(0, MAX_LOST).filter((one) => lost.some((other) => areOfResolver(one, other))))
  return told.map((each) => (ofResolver.has(each) ? { ...each, callees: [DNS] } : each))
}

/** Whether a failure says that it is of another environment than the alert; changes of others are ruled out instead. */
function isOfOtherEnvironment(entry: WindowEntry, { environment }: Alert): boolean {
  return entry.environment !== null && !isChange(entry) && !isSameEnvironment(entry.environment, environment)
}

/** The name of a service within that is called, and never spoke. */
function toSilent(callee: Callee): readonly string[] {
  return callee.kind === 'external' && callee.inside !== undefined ? [callee.inside] : []
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

function findReporter(places: Places): Place {
  return places.find(({ entry }) => entry.joinedBy === 'service_name') ?? places[0]
}

/** The service that a report of a deploy is about by what it deploys, whoever reports it. */
function toDeployed({ key, entry }: Place): string | undefined {
  // Who deploys is the producer of its own log.
  const isReported = entry.eventType === 'deploy' && isObserver(entry.vendor) && key.includes(toNameKey(entry.vendor)) && isChange(entry)
  return isReported && APPLICATION.test(entry.entity) ? entry.entity : undefined
}

/** The same for a service that never sent anything itself, and so has no window. */
function findDeployed(places: Places): Place | undefined {
  const place = findReporter(places)
  const service = toDeployed(place)
  if (service === undefined || places.some(({ key }) => key === toNameKey(service))) return undefined
  return { ...place, key: toNameKey(service), service }
}

/** The window of the service that an event is about. */
function findConcerned(places: Places): Place {
  const own = places.find(({ entry }) => OWN_OBJECT_RULES.has(entry.joinedBy))
  if (own) return own
  const reporter = findReporter(places)
  const { eventType, vendor } = reporter.entry
  const isOfObject = OF_OBJECTS.has(eventType) || vendor === 'kubernetes' || vendor === 'argocd' || vendor === 'kafka'
  return (isOfObject ? places.find(({ entry }) => entry.joinedBy !== 'service_name') : undefined) ?? reporter
}

/** Whom a flag's change concerns where somebody is known to evaluate the flag. */
function findEvaluators(places: Places, reporter: Place): Observation['evaluators'] {
  if (reporter.entry.eventType !== 'flag_change') return undefined
  const evaluators = places.flatMap(({ key, entry }) => (entry.joinedBy === 'evaluates' ? key : []))
  if (evaluators.length === 0) return undefined
  const isFlagService = evaluators.includes(reporter.key) || reporter.key.includes(toNameKey(reporter.entry.vendor))
  return isFlagService ? evaluators : [...evaluators, reporter.key]
}

/** Whom a change of settings concerns by its entity, whoever made it: `virtualservice/web`, `secret/web/db-password`, `role/web-s3-access`. */
function findNamed(places: Places, key: string, names: KnownServices): Observation['named'] {
  const { eventType, entity } = places[0].entry
  if (eventType !== 'config_change' && eventType !== 'flag_change') return undefined
  const joined = places.flatMap((place) => (NAMED_RULES.has(place.entry.joinedBy) ? place.key : []))
  const named = [...new Set(joined.length > 0 ? joined : findInPath(entity, names, eventType === 'flag_change'))].filter(
    (each) => each !== key,
  )
  return named.length === 0 ? undefined : named
}

/** The services that a path names: by whole segments, else by the most parts of one that stand together, the first of them as a rule; flags, of plain words, by whole ones. */
function findInPath(path: string, names: KnownServices, isOfWhole: boolean): readonly string[] {
  const found = path
    .slice(0, MAX_PATH_LENGTH)
    .split(/[/:.\s]+/)
    .flatMap((segment) => {
      const parts = segment.split(/[-_]+/).slice(0, MAX_PARTS)
      const runs = parts.flatMap((_, from) => parts.slice(from).map((__, at) => ({ from, to: from + at + 1 })))
      return runs.flatMap(({ from, to }) => {
        const key = toNameKey(parts.slice(from, to).join(''))
        const isTold = names.has(key) && (from === 0 || to - from > 1 || key.length >= MIN_INNER_LENGTH)
        return isTold ? [{ key, length: to - from === parts.length ? Number.MAX_SAFE_INTEGER : to - from }] : []
      })
    })
  const longest = Math.max(isOfWhole ? Number.MAX_SAFE_INTEGER : 0, ...found.map(({ length }) => length))
  return found.filter(({ length }) => length === longest).map(({ key }) => key)
}

/** Whom a failure of calls names; `undefined` for what is no call or names nobody. */
function toCallees({ entry, service }: Place, names: KnownServices): readonly Callee[] | undefined {
  if (isSelfReport(entry, service)) return undefined
  const source = { ...entry, serviceName: service }
  const callees = findCallees(source, names)
  const read = callees.length > 0 ? callees : findCalleesInWords(source, names)
  return read.length > 0 ? read : undefined
}

/** Whether who reports a failure tells of itself, and not of calls that it made. */
export function isSelfReport({ vendor }: WindowEntry, reporter: string): boolean {
  return isObserver(vendor) || NODE.test(reporter) || toNameKey(vendor) === toNameKey(reporter)
}

/** A volume claim and the like has no service of its own, unless that shows something else: it belongs to the one it is named after. */
function adopt({ key, service, entry }: Place, isOwner: (key: string) => boolean): string {
  if (entry.vendor !== 'kubernetes' || !SATELLITE.test(entry.entity) || isOwner(key)) return key
  const parts = service.split('-')
  for (let length = parts.length - 1; length > 0; length -= 1) {
    const shorter = toNameKey(parts.slice(0, length).join('-'))
    if (isOwner(shorter)) return shorter
  }
  return key
}

/** Whether an entry tells of its window's service itself, not just of a thing that happens to have its name. */
function showsService({ entry: { vendor, entity, eventType, joinedBy } }: Place): boolean {
  if (SATELLITE.test(entity)) return false
  return joinedBy === 'service_name' || OWN_OBJECT_RULES.has(joinedBy) || eventType === 'deploy' || vendor === 'kubernetes'
}

function toObservation({ key, entry }: Place, reporter: string, alertMs: number, untilMs: number): Observation {
  const firstMs = entry.firstTimestamp.getTime()
  const seenMs = entry.timestamp.getTime()
  // Of repeats after the look only the latest is known, which is not to be seen.
  const lastMs = seenMs > untilMs ? firstMs : Math.max(firstMs, seenMs)
  return { key, reporter, entry, firstMs: firstMs - alertMs, lastMs: lastMs - alertMs }
}

/** The earlier first, of equals the one with the lesser id. */
export function compareTimes(a: Observation, b: Observation): number {
  return a.firstMs - b.firstMs || compareText(a.entry.id, b.entry.id)
}
