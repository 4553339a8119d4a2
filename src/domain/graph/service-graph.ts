import type { EventType } from '../event/event.ts'
import { toNameKey } from '../event/service-name.ts'
import { type CallSource, findCallees, findCalleesInText, type KnownServices, toKnownServices } from './callee.ts'

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

const HALF_LIFE_MS = 14 * 24 * 3_600_000
/** Below this an edge counts as gone: one sighting lasts seven weeks, a hundred last eleven. */
const MIN_STRENGTH = 0.1
/** Dependencies that an operator may declare of one service. */
export const MAX_DECLARED = 200

const MAX_READ_SERVICES = 64
/** What a service says of itself; only its text can tell whom it had called. */
const OWN_FAILURES: ReadonlySet<EventType> = new Set<EventType>(['restart', 'saturation'])

/** The edges an event shows, by the names of their services. */
export function learnEdges(source: CallSource, known: KnownServices): readonly LearnedEdge[] {
  const callees = learnCallees(source, known)
  if (callees.length === 0) return []
  const caller = known.get(toNameKey(source.serviceName)) ?? source.serviceName
  return callees.map((key) => ({ caller, callee: known.get(key) ?? key }))
}

/** The keys of the services that an event shows its service to call. */
function learnCallees(source: CallSource, known: KnownServices): readonly string[] {
  const callees = OWN_FAILURES.has(source.eventType) ? findCalleesInText(source, known) : findCallees(source, known)
  return callees.flatMap((callee) => (callee.kind === 'service' ? callee.key : []))
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
