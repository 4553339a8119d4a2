import { toNameKey } from '../../src/domain/event/service-name.ts'
import { pathsFrom, toAdjacency } from '../../src/domain/graph/service-graph.ts'
import type { Case, CaseEvent } from './diagnosis-cases.ts'
import { createRandom } from './random.ts'

/** Ranks the services of a case, best first. */
type Baseline = (each: Case, seed: string) => readonly string[]

/** Simple rules to beat. They rank services that deployed, or where none did, all that report anything. */
export const BASELINES: Readonly<Record<string, Baseline>> = {
  random: (each, seed) => {
    const random = createRandom(`${seed} random ${each.id}`)
    return sortBy(toSuspects(each), () => random())
  },
  'most recent': (each) => sortBy(toSuspects(each), (service) => -latest(each, service)),
  'same service': (each) => toSuspects(each).filter((service) => service === each.alert.service),
  'nearest, then recent': (each) => {
    const hops = toHops(each)
    return sortBy(
      sortBy(toSuspects(each), (service) => -latest(each, service)),
      (service) => hops(service),
    )
  },
  'failing edge, then recent': (each) => {
    const failing = new Set(toSeen(each).flatMap((event) => (event.event_type === 'dependency_failure' ? toCallee(event) : [])))
    return sortBy(
      sortBy(toSuspects(each), (service) => -latest(each, service)),
      (service) => (failing.has(service) ? 0 : 1),
    )
  },
}

function toSeen({ events, observed_until }: Case): readonly CaseEvent[] {
  return events.filter(({ timestamp }) => timestamp <= observed_until)
}

function toChanges(each: Case): readonly CaseEvent[] {
  const seen = toSeen(each)
  const deploys = seen.filter(({ event_type }) => event_type === 'deploy')
  return deploys.length > 0 ? deploys : seen
}

function toSuspects(each: Case): readonly string[] {
  return [...new Set(toChanges(each).map(({ service_name }) => service_name))].toSorted()
}

function latest(each: Case, service: string): number {
  return Math.max(...toChanges(each).flatMap((event) => (event.service_name === service ? event.timestamp : [])))
}

function toHops({ alert, dependencies }: Case): (service: string) => number {
  if (alert.service === null) return () => 0
  const { callees } = toAdjacency(dependencies.map(([caller, callee]) => ({ caller, callee })))
  const paths = pathsFrom(alert.service, callees, dependencies.length)
  return (service) => paths.get(toNameKey(service))?.length ?? Number.MAX_SAFE_INTEGER
}

function toCallee({ entity }: CaseEvent): string {
  return entity.replace(/^[a-z]+\//, '')
}

function sortBy(services: readonly string[], toRank: (service: string) => number): readonly string[] {
  return services
    .map((service) => ({ service, rank: toRank(service) }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ service }) => service)
}
