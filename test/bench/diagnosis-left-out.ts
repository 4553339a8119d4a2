import type { Facts } from '../../src/domain/diagnosis/facts.ts'
import { gatherFacts } from '../../src/domain/diagnosis/facts.ts'
import type { DiagnosisInput } from '../../src/domain/diagnosis/model.ts'
import { weighFacts } from '../../src/domain/diagnosis/weigh.ts'
import { WEIGHTS, type Weights } from '../../src/domain/diagnosis/weights.ts'
import { type Case, toSource } from './diagnosis-cases.ts'
import { toInput } from './diagnosis-input.ts'
import { type Answer, METRICS } from './diagnosis-metrics.ts'
import { toRowName } from './diagnosis-table.ts'

type Gathered = { readonly each: Case; readonly input: DiagnosisInput; readonly facts: Facts }
type Choice = { readonly weights: Weights; readonly changed: string }

const FACTORS = [0.5, 2]
/** Shares stay shares. */
const MAX_SHARES: Readonly<Partial<Record<keyof Weights, number>>> = { perHop: 0.99, own: 0.95, nearPerHop: 0.99, minRatio: 0.95 }

/**
 * What is answered to the cases of each source with constants that the other sources chose: the engine's own, or with one or
 * two of them halved or doubled, whatever serves the other sources best.
 */
export function answerLeftOut(cases: readonly Case[], note: (text: string) => void): readonly Answer[] {
  const gathered = cases
    .filter(({ alert }) => alert.service !== null)
    .map((each): Gathered => {
      const input = toInput(each)
      return { each, input, facts: gatherFacts(input) }
    })
  const sources = Map.groupBy(gathered, ({ each }) => toSource(each))
  const first = listNeighbours({ weights: WEIGHTS, changed: '' })
  const scores = new Map<string, Map<string, number>>()
  const scoreOf = (choice: Choice, source: string): number => {
    const known = scores.get(choice.changed) ?? new Map<string, number>()
    scores.set(choice.changed, known)
    const own = known.get(source) ?? toScore((sources.get(source) ?? []).map((each) => answerWith(each, choice.weights)))
    known.set(source, own)
    return own
  }
  return [...sources].flatMap(([source, own]) => {
    const others = [...sources.keys()].filter((other) => other !== source)
    const meanOf = (choice: Choice) => others.reduce((sum, other) => sum + scoreOf(choice, other), 0) / Math.max(1, others.length)
    const best = first.reduce((a, b) => (meanOf(b) > meanOf(a) ? b : a))
    const chosen = others.length === 0 ? first[0] : best
    note(`without ${source} the others choose ${chosen?.changed || 'the constants as they are'}`)
    return own.map((each) => answerWith(each, chosen?.weights ?? WEIGHTS))
  })
}

function listNeighbours({ weights }: Choice): readonly Choice[] {
  const names = Object.entries(weights).flatMap(([name, value]) => (typeof value === 'number' ? [[name, value] as const] : []))
  const changed = names.flatMap(([name, value]) =>
    FACTORS.map((factor): Choice => {
      // The name is a key of the constants, whose values here are numbers.
      const most = MAX_SHARES[name as keyof Weights] ?? Number.POSITIVE_INFINITY
      return { weights: { ...weights, [name]: Math.min(most, value * factor) }, changed: `${name} × ${factor}` }
    }),
  )
  return [{ weights, changed: '' }, ...changed]
}

/** Ranking, answers and false claims, the mean over the sets. */
function toScore(answers: readonly Answer[]): number {
  const sets = [...Map.groupBy(answers, ({ each }) => toRowName(each)).values()]
  const scores = sets.map((own) => (METRICS.change(own) ?? 0) + 0.5 * (METRICS.answered(own) ?? 0) - 0.5 * (METRICS.falseClaims(own) ?? 0))
  return scores.reduce((sum, score) => sum + score, 0) / Math.max(1, scores.length)
}

function answerWith({ each, input, facts }: Gathered, weights: Weights): Answer {
  const { ranked, certainty } = weighFacts(facts, input, weights)
  const nameOf = (key: string) => facts.names.get(key) ?? key
  const isNamed = certainty.isNamed && ranked.length > 0
  return {
    each,
    ranked: [...new Set(ranked.map(({ change }) => nameOf(change.key)))],
    changes: ranked.map(({ change: { key, lead } }) => {
      const { eventType, sha, entity, newValue, timestamp } = lead.entry
      return { service: nameOf(key), event_type: eventType, sha, entity, new_value: newValue, timestamp: timestamp.toISOString() }
    }),
    confidence: isNamed ? certainty.confidence : 0,
    abstained: !isNamed,
  }
}
