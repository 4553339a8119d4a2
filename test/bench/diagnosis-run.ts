import { diagnose } from '../../src/domain/diagnosis/diagnose.ts'
import type { Diagnosis, DiagnosisInput, Hypothesis } from '../../src/domain/diagnosis/model.ts'
import { BASELINES } from './diagnosis-baselines.ts'
import { type Case, toIncident, toSet, toSystem, toView } from './diagnosis-cases.ts'
import { type Disturbance, disturb } from './diagnosis-disturb.ts'
import { toInput } from './diagnosis-input.ts'
import type { Answer, Lead } from './diagnosis-metrics.ts'

/** Disturbs cases; what is merged into one is another incident of its set, view and system. */
export function createCaseRunner(cases: readonly Case[]) {
  const families = Map.groupBy(cases, toFamily)
  const findOthers = (each: Case): readonly Case[] =>
    (families.get(toFamily(each)) ?? []).filter((other) => toIncident(other) !== toIncident(each))
  return {
    /** Whether there is another incident that can be merged into the case. */
    canMerge(each: Case): boolean {
      return findOthers(each).length > 0
    },

    disturb(each: Case, disturbance: Disturbance): Case {
      return disturb(each, findOthers(each), disturbance)
    },
  }
}

/** What the engine answers to a case. */
export function answer(each: Case): Answer {
  const input = toInput(each)
  return toAnswer(each, input, diagnose(input))
}

/** What a simple rule answers to it. */
export function answerSimply(each: Case, baseline: string, seed: string): Answer {
  const rank = BASELINES[baseline]
  if (!rank) throw new Error(`no baseline ${baseline}`)
  return { each, ranked: rank(each, seed), changes: [], confidence: 1, abstained: false }
}

function toFamily(each: Case): string {
  return JSON.stringify([toSet(each), toView(each), toSystem(each)])
}

function toAnswer(each: Case, input: DiagnosisInput, { hypotheses, confidence, abstained }: Diagnosis): Answer {
  const entries = new Map(input.windows.flatMap(({ window }) => Object.values(window.entries).flat()).map((entry) => [entry.id, entry]))
  const toLead = ({ service, eventIds }: Hypothesis): Lead[] => {
    const entry = eventIds[0] && entries.get(eventIds[0])
    if (!entry) return []
    const { eventType, sha, entity, newValue, timestamp } = entry
    return [{ service, event_type: eventType, sha, entity, new_value: newValue, timestamp: timestamp.toISOString() }]
  }
  const ranked = [...new Set(hypotheses.map(({ service }) => service))]
  return { each, ranked, changes: hypotheses.flatMap(toLead), confidence, abstained }
}
