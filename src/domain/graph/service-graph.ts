import { type EventType, isCallFailure } from '../event/event.ts'
import { matchServices, toNameKey } from '../event/service-name.ts'

/** One edge of the service graph: how often failures showed that one service calls another, or that an operator says so. */
export type GraphEdge = {
  readonly caller: string
  readonly callee: string
  readonly seen: number
  readonly lastSeenAt: Date | null
  readonly declared: boolean
}

export type ServiceGraph = { readonly edges: readonly GraphEdge[] }

/** What a failure shows: its service calls the one that its entity or text names. */
export type LearnedEdge = { readonly caller: string; readonly callee: string }

/** The parts of an event or of a window's entry that may show an edge. */
export type EdgeSource = {
  readonly serviceName: string
  readonly vendor: string
  readonly eventType: EventType
  readonly entity: string
  readonly newValue: string | null
}

/** The services that texts may name, by name key. */
export type KnownServices = ReadonlyMap<string, string>

const HALF_LIFE_MS = 14 * 24 * 3_600_000
/** Below this an edge counts as gone: one sighting lasts seven weeks, a hundred last eleven. */
const MIN_STRENGTH = 0.1
const MAX_READ_SERVICES = 64
const MAX_LEARNED_EDGES = 8
const MAX_TEXT_LENGTH = 1_024

/** Their entity is what fails, such as a database or a pod; only their texts can tell why. */
const OWN_FAILURES: ReadonlySet<EventType> = new Set<EventType>(['restart', 'saturation'])
const OBSERVERS: ReadonlySet<string> = new Set(['kubernetes', 'argocd'])
const KIND_PREFIX = /^[a-z]+\//i
const HOST_OR_NAME = /[a-z0-9][a-z0-9_-]*(?:\.[a-z0-9][a-z0-9_-]*)*/gi

/** Whether who reports a failure watches services rather than calls them: then the entity is what fails, not a callee. */
export function isObserver(vendor: string): boolean {
  return OBSERVERS.has(vendor)
}

/** An index of service names, so that texts can be searched for them. Of two names with one key the lesser stays. */
export function toKnownServices(names: Iterable<string>): KnownServices {
  return new Map(
    [...new Set(names)]
      .toSorted()
      .reverse()
      .map((name) => [toNameKey(name), name]),
  )
}

/** The edges an event shows, by the names of their services. */
export function learnEdges(source: EdgeSource, known: KnownServices): readonly LearnedEdge[] {
  const callees = learnCallees(source, known)
  if (callees.length === 0) return []
  const caller = known.get(toNameKey(source.serviceName)) ?? source.serviceName
  return callees.map((key) => ({ caller, callee: known.get(key) ?? key }))
}

/** The keys of those whom an event shows its service failed to reach, by entity first if calls failed, then by the hosts and names in its text. */
export function learnCallees(source: EdgeSource, known: KnownServices): readonly string[] {
  const areCalls = isCallFailure(source.eventType)
  if (!areCalls && !OWN_FAILURES.has(source.eventType)) return []
  const callerKey = toNameKey(source.serviceName)
  const isOther = (key: string) => key !== callerKey
  const byEntity = areCalls && !isObserver(source.vendor) ? calleesByEntity(source, known).filter(isOther) : []
  const callees = byEntity.length > 0 ? byEntity : namedIn(source.newValue ?? '', known).filter(isOther)
  return [...new Set(callees)].slice(0, MAX_LEARNED_EDGES)
}

function calleesByEntity(source: EdgeSource, known: KnownServices): readonly string[] {
  const isKnown = (key: string) => known.has(key)
  const named = toNameKey(source.entity.replace(KIND_PREFIX, ''))
  if (isKnown(named)) return [named]
  const matched = matchServices(source)
    .map(({ name }) => toNameKey(name))
    .find(isKnown)
  return matched === undefined ? namedIn(source.entity, known) : [matched]
}

/** The keys of known services that a text names, as a word or as the first labels of a host name. */
function namedIn(text: string, known: KnownServices): readonly string[] {
  const words = text.slice(0, MAX_TEXT_LENGTH).match(HOST_OR_NAME) ?? []
  return words.flatMap((word) => [word, word.split('.')[0] ?? word].map(toNameKey).find((key) => known.has(key)) ?? [])
}

/** How much an edge still counts: 1 for a declared one, else more the more often and the more lately it was seen. */
export function edgeStrength(edge: GraphEdge, now: Date): number {
  if (edge.declared) return 1
  if (edge.lastSeenAt === null || edge.seen <= 0) return 0
  const ageMs = Math.max(0, now.getTime() - edge.lastSeenAt.getTime())
  return Math.min(1, Math.log2(1 + edge.seen) * 0.5 ** (ageMs / HALF_LIFE_MS))
}

/** The edges that still count; those not seen for long are gone. */
export function liveEdges(graph: ServiceGraph, now: Date): readonly GraphEdge[] {
  return graph.edges.filter((edge) => edgeStrength(edge, now) >= MIN_STRENGTH)
}

/** Who each service calls, and who calls it, by name key. Neighbours are in the order of their names. */
export type Adjacency = {
  readonly callees: ReadonlyMap<string, readonly string[]>
  readonly callers: ReadonlyMap<string, readonly string[]>
}

/** The graph as neighbours, by name key. */
export function toAdjacency(edges: readonly LearnedEdge[]): Adjacency {
  const keyed = edges.map(({ caller, callee }) => ({ caller: toNameKey(caller), callee: toNameKey(callee) }))
  const others = keyed.filter(({ caller, callee }) => caller !== callee)
  return { callees: neighbours(others, 'caller', 'callee'), callers: neighbours(others, 'callee', 'caller') }
}

function neighbours(
  edges: readonly LearnedEdge[],
  from: 'caller' | 'callee',
  to: 'caller' | 'callee',
): ReadonlyMap<string, readonly string[]> {
  const groups = Map.groupBy(edges, (edge) => edge[from])
  return new Map([...groups].map(([key, own]) => [key, [...new Set(own.map((edge) => edge[to]))].toSorted()]))
}

/** The shortest way from a service to each one it reaches within some hops, as name keys from start to end. */
export function pathsFrom(
  start: string,
  next: ReadonlyMap<string, readonly string[]>,
  maxHops: number,
): ReadonlyMap<string, readonly string[]> {
  const startKey = toNameKey(start)
  const paths = new Map<string, readonly string[]>([[startKey, [startKey]]])
  let border = [startKey]
  for (let hop = 0; hop < maxHops && border.length > 0; hop += 1) {
    const reached: string[] = []
    for (const key of border) {
      for (const neighbour of next.get(key) ?? []) {
        if (paths.has(neighbour)) continue
        paths.set(neighbour, [...(paths.get(key) ?? []), neighbour])
        reached.push(neighbour)
      }
    }
    border = reached
  }
  return paths
}

/**
 * The services whose windows a diagnosis has to see: the alerting one, those it reaches in so many hops, and, for their
 * errors, its direct callers. Nearest first.
 */
export function servicesToRead(graph: ServiceGraph, alertService: string, maxHops: number, now: Date): readonly string[] {
  const edges = liveEdges(graph, now)
  const { callees, callers } = toAdjacency(edges)
  const names = toKnownServices([alertService, ...edges.flatMap(({ caller, callee }) => [caller, callee])])
  const keys = [...pathsFrom(alertService, callees, maxHops).keys(), ...(callers.get(toNameKey(alertService)) ?? [])]
  return [...new Set(keys)]
    .slice(0, MAX_READ_SERVICES)
    .map((key) => (key === toNameKey(alertService) ? alertService : (names.get(key) ?? key)))
}
