import { compareText } from '../compare.ts'
import { type EventType, isCallFailure } from '../event/event.ts'
import { toNameKey } from '../event/service-name.ts'
import { toValueClass } from '../event/value-class.ts'
import { quoteName } from '../text.ts'
import { compareTimes, isSelfReport, readInput } from './input.ts'
import type { Diagnosis, DiagnosisInput, Hypothesis, Observation } from './model.ts'
import { toForAndAgainst } from './reasons.ts'
import { NO_CAUSE, toSentence } from './sentences.ts'

const MAX_COMPONENTS = 50
/** How often the first component is the right one where nothing rivals it. */
const SURE = 0.85

/** Reasons of Kubernetes' events that tell of pods which do not come up: what else it reports is ordinary work, or passes. */
const STUCK =
  /^(?:BackOff|CrashLoopBackOff|Failed|FailedScheduling|FailedMount|FailedCreatePodSandBox|FailedPostStartHook|ErrImagePull|ImagePullBackOff|OOMKilled|OOMKilling|Evicted)$/
/** What that is worth where no count tells what is usual, in nats. */
const STUCK_WEIGHT = 4

/** Pods that have just been started are unready until three probes, by default ten seconds apart, have gone by. */
const UNREADY = /^(?:Unhealthy|probe_failure)$/
const STARTING_MS = 30_000
const STARTS: ReadonlySet<EventType> = new Set<EventType>(['deploy', 'scale_event'])

/** A service with the most unusual thing it shows of late. */
type Component = { readonly key: string; readonly lead: Observation; readonly score: number }

/**
 * Where no service alerts, services by what they show: the less usual and the later the more. Changes and symptoms count
 * alike, for the alert tells neither where nor what.
 */
function rankComponents(
  observed: readonly Observation[],
  others: readonly Observation[],
  counts: DiagnosisInput['counts'],
): readonly Component[] {
  const surpriseOf = createTally([...observed, ...others], counts)
  const medianAgeMs = toMedian([...observed, ...others].map(({ lastMs }) => -lastMs))
  const toScore = (observation: Observation) => {
    const late = medianAgeMs > 0 ? Math.max(0, 1 - Math.max(0, -observation.lastMs) / medianAgeMs) : 1
    return surpriseOf(observation) * late
  }
  const components = [...Map.groupBy(observed, ({ key }) => key)].flatMap(([key, own]): Component[] => {
    const scored = own.map((lead) => ({ key, lead, score: toScore(lead) }))
    const [best] = scored.toSorted((a, b) => b.score - a.score || compareTimes(b.lead, a.lead))
    return best ? [best] : []
  })
  return components.toSorted((a, b) => b.score - a.score || b.lead.firstMs - a.lead.firstMs || compareText(a.key, b.key))
}

/** The middle one of the values; of two the greater. */
function toMedian(values: readonly number[]): number {
  return new Float64Array(values).sort()[Math.floor(values.length / 2)] ?? 0
}

/** How unusual a kind is at its service, in nats: rare in hours, or more often than in its usual hour. */
function createTally(observed: readonly Observation[], { hoursObserved, kinds }: DiagnosisInput['counts']) {
  const counted = new Map<string, { count: number; hours: number }>()
  const anywhere = new Map<string, number>()
  const services = new Set<string>()
  for (const { service, vendor, eventType, valueClass, count, hours } of kinds) {
    const kind = [vendor, eventType, valueClass].join('\0')
    const id = `${toNameKey(service)}\0${kind}`
    const known = counted.get(id) ?? { count: 0, hours: 0 }
    counted.set(id, { count: known.count + count, hours: known.hours + hours })
    anywhere.set(kind, (anywhere.get(kind) ?? 0) + hours)
    services.add(toNameKey(service))
  }
  const valueClasses = new Map<string | null, string>()
  const toKind = ({ entry }: Observation) => {
    const known = valueClasses.get(entry.newValue) ?? toValueClass(entry.newValue)
    valueClasses.set(entry.newValue, known)
    return [entry.vendor, entry.eventType, known].join('\0')
  }
  const seen = new Map<string, number>()
  for (const observation of observed) {
    const id = `${observation.key}\0${toKind(observation)}`
    seen.set(id, (seen.get(id) ?? 0) + observation.entry.count)
  }
  const hoursSeen = Math.max(0, hoursObserved)
  return (observation: Observation): number => {
    const kind = toKind(observation)
    const id = `${observation.key}\0${kind}`
    const { count, hours } = counted.get(id) ?? { count: 0, hours: 0 }
    // Where little was counted, what is usual at other services counts instead.
    const elsewhere = Math.min(1, ((anywhere.get(kind) ?? 0) + 1) / (hoursSeen * services.size + 1))
    const rate = (Math.min(hours, hoursSeen) + elsewhere) / (hoursSeen + 1)
    const perHour = hours > 0 ? Math.max(1, count / hours) : 1
    return (
      Math.log(1 / rate) +
      Math.log(Math.max(1, (seen.get(id) ?? 0) / perHour)) +
      (hoursSeen === 0 && STUCK.test(observation.entry.newValue ?? '') ? STUCK_WEIGHT : 0)
    )
  }
}

function isStarting({ entry, lastMs }: Observation, starts: readonly Observation[]): boolean {
  if (!UNREADY.test(entry.newValue ?? '')) return false
  return starts.some((start) => STARTS.has(start.entry.eventType) && start.lastMs <= lastMs && lastMs <= start.lastMs + STARTING_MS)
}

/** An answer where no service alerts: the component that shows what is least usual. */
export function diagnoseComponents(input: DiagnosisInput): Diagnosis {
  const { names, changes, calls, symptoms, untilMs } = readInput(input)
  const starts = Map.groupBy(changes, ({ key }) => key)
  const isShown = (symptom: Observation) =>
    (!isCallFailure(symptom.entry.eventType) || isSelfReport(symptom.entry, '')) && !isStarting(symptom, starts.get(symptom.key) ?? [])
  const shown = [...changes, ...symptoms.filter(isShown)]
  const ranked = rankComponents(
    shown,
    calls.map(({ observation }) => observation),
    input.counts,
  ).slice(0, MAX_COMPONENTS)
  const nameOf = (key: string) => quoteName(names.get(key) ?? key)
  const hypotheses = ranked.map(({ key, lead, score }): Hypothesis => {
    const service = names.get(key) ?? key
    return {
      eventIds: [lead.entry.id],
      service,
      score,
      path: [service],
      reasonsFor: [`${nameOf(key)} shows what is unusual for it`],
      reasonsAgainst: ['the alert names no service'],
      sentence: toSentence({ lead, atMs: lead.firstMs, isFailed: false, isSame: false, steps: [] }, { atMs: 0, name: 'the alert' }, nameOf),
      recommendedAction: `Look at ${nameOf(key)} first`,
    }
  })
  const [first] = hypotheses
  const common = { hypotheses, onset: null, ruledOut: [], gaps: [] }
  if (!first) {
    return {
      ...common,
      assessment: 'inconclusive',
      hypothesis: `Nothing on record is connected with the alert; ${NO_CAUSE}`,
      recommendedAction: null,
      confidence: 0,
      unrecorded: 1,
      abstained: true,
      evidence: [],
      reasoning: 'No event was recorded before the alert.',
    }
  }
  const lead = 1 / (1 + Math.exp((ranked[1]?.score ?? 0) - first.score))
  const confidence = untilMs < 0 ? 0 : SURE * lead
  return {
    ...common,
    assessment: 'suspect',
    hypothesis: first.sentence,
    recommendedAction: first.recommendedAction,
    confidence,
    unrecorded: 1 - confidence,
    abstained: false,
    evidence: first.eventIds,
    reasoning: toForAndAgainst(first),
  }
}
