import { type Case, toIncident } from './diagnosis-cases.ts'
import { createRandom } from './random.ts'
import { quantile } from './statistics.ts'

/** What leads a hypothesis. */
export type Lead = {
  readonly service: string
  readonly event_type: string
  readonly sha: string | null
  readonly entity: string
  readonly new_value: string | null
  readonly timestamp: string
}

/** What was answered to a case. */
export type Answer = {
  readonly each: Case
  /** Services, best first. */
  readonly ranked: readonly string[]
  /** What leads each hypothesis, best first; none where only services are ranked. */
  readonly changes: readonly Lead[]
  readonly confidence: number
  readonly abstained: boolean
}

export type Interval = { readonly value: number; readonly low: number; readonly high: number }

/** Place of the true service among the ranked, from 1, whether or not it was named; infinite when it is missing. */
function toRank({ each, ranked }: Answer): number {
  const index = each.truth === null ? -1 : ranked.findIndex((service) => isTrueService(each, service))
  return index === -1 ? Number.POSITIVE_INFINITY : index + 1
}

function isTrueService({ truth, accept }: Case, service: string): boolean {
  return truth !== null && (truth.service === service || (accept ?? []).includes(service))
}

/** Whether what leads is the true change, as far as the case tells it; else whether it is of the true service. */
function leadsRight(answer: Answer): boolean {
  const { each, changes } = answer
  const [lead] = changes
  const { truth } = each
  if (truth === null) return false
  if (!lead) return toRank(answer) === 1
  const shas = [truth.sha, truth.event_sha].filter((sha) => sha !== undefined)
  if (shas.length > 0 && !shas.includes(lead.sha ?? '')) return false
  if (truth.event_type !== undefined && truth.event_type !== lead.event_type) return false
  return isTrueService(each, lead.service)
}

/** Whether the cause that is named is the true one; of merged incidents either's is. */
function isRight(answer: Answer): boolean {
  return !answer.abstained && (leadsRight(answer) || leadsOther(answer))
}

/** Whether the true cause is named, or none where none is on record. */
export function isAsOnRecord(answer: Answer): boolean {
  return isRight(answer) || (answer.abstained && answer.each.truth === null)
}

function leadsOther({ each, ranked }: Answer): boolean {
  return each.other !== undefined && each.other === ranked[0]
}

/** A figure over the answers, `undefined` where it means nothing. */
type Metric = (answers: readonly Answer[]) => number | undefined

const withTruth = (answers: readonly Answer[]) => answers.filter(({ each }) => each.truth !== null)
const confident = (answers: readonly Answer[]) => answers.filter(({ confidence, abstained }) => confidence > 0.7 && !abstained)
const shareOf = (answers: readonly Answer[], holds: (answer: Answer) => boolean) => mean(answers.map((answer) => Number(holds(answer))))
const merged = (answers: readonly Answer[]) => withTruth(answers).filter(({ each }) => each.other !== undefined)

export const METRICS = {
  change: (answers) => shareOf(withTruth(answers), leadsRight),
  service: (answers) => shareOf(withTruth(answers), (answer) => toRank(answer) === 1),
  top3: (answers) => shareOf(withTruth(answers), (answer) => toRank(answer) <= 3),
  answered: (answers) => shareOf(withTruth(answers), (answer) => !answer.abstained && leadsRight(answer)),
  /** A cause that is named where none is on record; of a merged incident the other's is one. */
  falseClaims: (answers) =>
    shareOf(
      answers.filter(({ each }) => each.truth === null),
      (answer) => !answer.abstained && !leadsOther(answer),
    ),
  either: (answers) => shareOf(merged(answers), (answer) => leadsRight(answer) || leadsOther(answer)),
  firstTwo: (answers) => shareOf(merged(answers), (answer) => toRank(answer) <= 2),
  brier: (answers) => mean(answers.map((answer) => (answer.confidence - Number(isRight(answer))) ** 2)),
  /** Of the answers with a confidence above 0.7, the share that is wrong; of the right answers, the share that stands above it. */
  confidentlyWrong: (answers) => shareOf(confident(answers), (answer) => !isRight(answer)),
  confidentlyRight: (answers) => shareOf(answers.filter(isRight), ({ confidence }) => confidence > 0.7),
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
