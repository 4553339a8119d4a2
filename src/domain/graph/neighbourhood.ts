import { toNameKey } from '../event/service-name.ts'
import { type CallSource, findCallees, toKnownServices } from './callee.ts'
import type { GraphEdge } from './service-graph.ts'

/** What is drawn of one end of an edge: who it is, how it is known, and how many calls along it fail since when. */
export type Neighbour = {
  readonly name: string
  readonly isDeclared: boolean
  readonly isLearned: boolean
  /** It is no service that reports. */
  readonly isOutside: boolean
  /** `null`: none fails. */
  readonly failing: { readonly count: number; readonly since: Date } | null
}

export type Neighbours = { readonly callers: readonly Neighbour[]; readonly callees: readonly Neighbour[] }

type Call = CallSource & { readonly count: number; readonly firstAt: Date }

type Around = {
  readonly name: string
  readonly edges: readonly GraphEdge[]
  readonly services: readonly { readonly name: string }[]
  readonly failingCalls: readonly Call[]
}

/** Who is around a service, those whose calls fail first. Failing calls show edges that were not learned yet. */
export function toNeighbours({ name, edges, services, failingCalls }: Around): Neighbours {
  const self = toNameKey(name)
  const known = toKnownServices([name, ...services.map((one) => one.name)])
  const failing = new Map<string, { count: number; since: Date }>()
  const ends = edges.map(({ caller, callee, declared, seen }) => ({ caller, callee, declared, learned: seen > 0 }))
  for (const call of failingCalls) {
    for (const callee of findCallees(call, known)) {
      const to = callee.kind === 'service' ? callee.name : callee.host
      const way = toWay(call.serviceName, to)
      const before = failing.get(way)
      const since = before && before.since < call.firstAt ? before.since : call.firstAt
      failing.set(way, { count: (before?.count ?? 0) + call.count, since })
      ends.push({ caller: call.serviceName, callee: to, declared: false, learned: true })
    }
  }
  const toSide = (own: 'caller' | 'callee', other: 'caller' | 'callee') => {
    const here = ends.filter((end) => toNameKey(end[own]) === self && toNameKey(end[other]) !== self)
    return [...Map.groupBy(here, (end) => toNameKey(end[other]))]
      .map(([key, same]): Neighbour => {
        const end = known.get(key) ?? same[0]?.[other] ?? key
        return {
          name: end,
          isDeclared: same.some(({ declared }) => declared),
          isLearned: same.some(({ learned }) => learned),
          isOutside: !known.has(key),
          failing: failing.get(own === 'callee' ? toWay(end, name) : toWay(name, end)) ?? null,
        }
      })
      .toSorted((a, b) => (b.failing?.count ?? 0) - (a.failing?.count ?? 0) || a.name.localeCompare(b.name))
  }
  return { callers: toSide('callee', 'caller'), callees: toSide('caller', 'callee') }
}

function toWay(caller: string, callee: string): string {
  return JSON.stringify([toNameKey(caller), toNameKey(callee)])
}
