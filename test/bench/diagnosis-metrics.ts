import { type Case, toIncident } from './diagnosis-cases.ts'
import { createRandom } from './random.ts'
import { quantile } from './statistics.ts'

/** What was answered to a case. */
export type Answer = {
  readonly each: Case
  /** Services, best first. */
  readonly ranked: readonly string[]
  readonly confidence: number
  readonly abstained: boolean
}

export type Interval = { readonly value: number; readonly low: number; readonly high: number }

/** Place of the true service among the ranked, from 1; infinite when it is missing, unknown or nothing was answered. */
function toRank({ each, ranked, abstained }: Answer): number {
  const index = each.truth === null || abstained ? -1 : ranked.indexOf(each.truth.service)
  return index === -1 ? Number.POSITIVE_INFINITY : index + 1
}

/** Whether the cause that is named is the true one; an abstention names none. */
function isRight(answer: Answer): boolean {
  return toRank(answer) === 1
}

/** A figure over the answers, `undefined` where it means nothing. */
type Metric = (answers: readonly Answer[]) => number | undefined

const withTruth = (answers: readonly Answer[]) => answers.filter(({ each }) => each.truth !== null)
const withoutTruth = (answers: readonly Answer[]) => answers.filter(({ each }) => each.truth === null)
const confident = (answers: readonly Answer[]) => answers.filter(({ confidence, abstained }) => confidence > 0.7 && !abstained)

const METRICS = {
  top1: (answers) => mean(withTruth(answers).map((answer) => Number(toRank(answer) <= 1))),
  top3: (answers) => mean(withTruth(answers).map((answer) => Number(toRank(answer) <= 3))),
  mrr: (answers) => mean(withTruth(answers).map((answer) => 1 / toRank(answer))),
  answered: (answers) => mean(withTruth(answers).map(({ abstained }) => Number(!abstained))),
  falseClaims: (answers) => mean(withoutTruth(answers).map(({ abstained }) => Number(!abstained))),
  brier: (answers) => mean(answers.map((answer) => (answer.confidence - Number(isRight(answer))) ** 2)),
  /** Of the answers with a confidence above 0.7, the share that is wrong. */
  confidentlyWrong: (answers) => mean(confident(answers).map((answer) => Number(!isRight(answer)))),
  confident: (answers) => confident(answers).length,
} as const satisfies Record<string, Metric>

export type MetricName = keyof typeof METRICS

function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length
}

/** A figure with its 95 % bootstrap interval; what is drawn are incidents, for views of one are not independent. */
export function measure(answers: readonly Answer[], name: MetricName, resamples: number, seed: string): Interval | undefined {
  const metric: Metric = METRICS[name]
  const value = metric(answers)
  if (value === undefined) return undefined
  const random = createRandom(`${seed} bootstrap ${name}`)
  const incidents = [...Map.groupBy(answers, ({ each }) => toIncident(each)).values()]
  const drawn = Array.from({ length: resamples }, () =>
    metric(incidents.flatMap(() => incidents[Math.floor(random() * incidents.length)] ?? [])),
  )
  const sorted = drawn.filter((each) => each !== undefined).toSorted((a, b) => a - b)
  return { value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) }
}
