import { type Diagnosis, diagnose } from '../../src/domain/diagnosis/diagnose.ts'
import { type Facts, gatherFacts } from '../../src/domain/diagnosis/facts.ts'
import { BASELINES } from './diagnosis-baselines.ts'
import { type Case, toIncident, toSet, toSystem, toView } from './diagnosis-cases.ts'
import { type Disturbance, disturb } from './diagnosis-disturb.ts'
import { createHistory, toInput } from './diagnosis-input.ts'
import type { Answer } from './diagnosis-metrics.ts'

/** Disturbs cases, and counts what is usual from the other incidents of their systems. */
export function createCaseRunner(cases: readonly Case[]) {
  const historyOf = createHistory(cases, toIncident)
  const families = Map.groupBy(cases, toFamily)
  const findOthers = (each: Case): readonly Case[] =>
    (families.get(toFamily(each)) ?? []).filter((other) => toIncident(other) !== toIncident(each))
  const disturbed = (each: Case, disturbance: Disturbance): Case => disturb(each, findOthers(each), disturbance)
  return {
    /** Whether there is another incident that can be merged into the case. */
    canMerge(each: Case): boolean {
      return findOthers(each).length > 0
    },

    answer(each: Case, disturbance: Disturbance): Answer {
      return toAnswer(each, diagnose(toInput(disturbed(each, disturbance), historyOf(each))))
    },

    answerSimply(each: Case, disturbance: Disturbance, baseline: string): Answer {
      const rank = BASELINES[baseline]
      if (!rank) throw new Error(`no baseline ${baseline}`)
      const ranked = rank(disturbed(each, disturbance), historyOf(each), disturbance.seed)
      return { each, ranked, confidence: 1, abstained: false }
    },

    gather(each: Case, disturbance: Disturbance): Facts {
      return gatherFacts(toInput(disturbed(each, disturbance), historyOf(each)))
    },
  }
}

export type CaseRunner = ReturnType<typeof createCaseRunner>

/** Cases among which a second incident may be found: the same set, system and view. */
function toFamily(each: Case): string {
  return JSON.stringify([toSet(each), toView(each), toSystem(each)])
}

function toAnswer(each: Case, { hypotheses, confidence, abstained }: Diagnosis): Answer {
  return { each, ranked: [...new Set(hypotheses.map(({ service }) => service))], confidence, abstained }
}
