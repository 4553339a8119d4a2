import { type Diagnosis, type DiagnosisInput, MAX_HOPS } from '../diagnosis/diagnose.ts'
import { toValueClass } from '../event/event.ts'
import { toNameKey } from '../event/service-name.ts'
import { learnEdges, liveEdges, pathsFrom, toAdjacency, toKnownServices } from '../graph/service-graph.ts'
import { type CausalPattern, type Embedding, embedIncident, type IncidentEvent } from './causal-pattern.ts'
import type { Answer } from './schedule.ts'
import { type ContextSnapshot, citedEntries } from './snapshot.ts'

/** Incidents less alike than this are not alike. */
export const MIN_SIMILARITY = 0.5

/** What an incident is like and what was blamed for it: all that a verdict turns into a causal pattern. */
export type IncidentSignature = {
  readonly embedding: Embedding | null
  /** `null`: nothing was blamed. */
  readonly cause: Pick<CausalPattern, 'service' | 'vendor' | 'eventType' | 'valueClass'> | null
  /** What later answers are held against. */
  readonly compared: Pick<Answer, 'own' | 'told'>
}

/** What an incident is like, from the windows of the alerting service and of those its calls lead to; each change counts once. */
export function embedEvidence({
  alert,
  windows,
  graph,
  observedUntil,
}: Omit<DiagnosisInput, 'patterns' | 'counts'>): Embedding | undefined {
  const hopsOf = countHops({ alert, windows, graph, observedUntil })
  const events = new Map<string, IncidentEvent>()
  for (const { service, window } of windows) {
    const hops = hopsOf(service)
    if (hops === undefined) continue
    for (const entry of Object.values(window.entries).flat()) {
      const isNearest = hops < (events.get(entry.id)?.hops ?? Number.POSITIVE_INFINITY)
      if (entry.firstTimestamp <= observedUntil && isNearest) events.set(entry.id, { ...entry, hops })
    }
  }
  return embedIncident([...events.values()], alert.triggeredAt)
}

/** What was blamed, without the names and numbers that make it this one incident. */
export function toCauseKind({ hypotheses, abstained }: Diagnosis, snapshot: ContextSnapshot): IncidentSignature['cause'] {
  const [leading] = hypotheses
  const [entry] = citedEntries(snapshot, leading?.eventIds.slice(0, 1) ?? [])
  if (abstained || !leading || !entry) return null
  return { service: leading.service, vendor: entry.vendor, eventType: entry.event_type, valueClass: toValueClass(entry.new_value) }
}

function countHops({ alert, windows, graph, observedUntil }: Omit<DiagnosisInput, 'patterns' | 'counts'>) {
  const known = toKnownServices(windows.map(({ service }) => service))
  const learned = windows.flatMap(({ service, window }) =>
    Object.values(window.entries)
      .flat()
      .flatMap((entry) => learnEdges({ serviceName: service, ...entry }, known)),
  )
  const { callees } = toAdjacency([...liveEdges(graph, observedUntil), ...learned])
  const paths = alert.service === null ? undefined : pathsFrom(alert.service, callees, MAX_HOPS)
  return (service: string): number | undefined => {
    const path = paths?.get(toNameKey(service))
    return path && path.length - 1
  }
}
