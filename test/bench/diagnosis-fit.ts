import { rank, toGrounds, type Weighing } from '../../src/domain/diagnosis.ts'
import { type Calibration, type Grounds, toConfidence, toScore, type Weights } from '../../src/domain/diagnosis-rules.ts'
import { type Case, toIncident, toView } from './diagnosis-cases.ts'
import type { Disturbance } from './diagnosis-disturb.ts'
import { isGenerated } from './diagnosis-generate.ts'
import type { Answer } from './diagnosis-metrics.ts'
import type { CaseRunner } from './diagnosis-run.ts'

/** Everything that is fitted. */
export type Model = { readonly weights: Weights; readonly calibration: Calibration; readonly minConfidence: number }

const GIVEN_FEATURES = ['explained', 'near', 'lag'] as const satisfies readonly (keyof Weights)[]
const GENERATED_FEATURES = ['symptom', 'habit'] as const satisfies readonly (keyof Weights)[]
const GROUNDS = ['unexplained', 'unseen', 'margin'] as const satisfies readonly (keyof Calibration & keyof Grounds)[]

/** How strongly weights are pulled towards 0, against overfitting. */
const WEIGHT_PENALTY = 1.5
const CALIBRATION_PENALTY = 1
const MAX_STEPS = 40
const SETTLED = 1e-6
/** How many of the answerable cases may go without an answer, once calls are known to fail. */
const MAX_UNANSWERED = 0.02
/** Cases that were not fitted on are answered with a little less confidence. */
const RESERVE = 0.9
/** No case confirms a pattern, so this one is set: a confirmed twin weighs as much as a third of all failing calls explained. */
const PATTERN_WEIGHT = 1

/** A case, whole or disturbed, and how much it counts in the fit. */
type Sample = { readonly each: Case; readonly weighing: Weighing; readonly share: number; readonly isWhole: boolean }

type Choice = {
  readonly rows: readonly (readonly number[])[]
  /** What the weights that are not being fitted add to each candidate's score. */
  readonly offsets: readonly number[]
  readonly right: readonly boolean[]
  readonly share: number
}

/** Each case is disturbed so often in either way; all copies together count as much as the whole case does, twice. */
const COPIES = [1, 2, 3, 4, 5, 6]
const DISTURBED_SHARE = 1 / COPIES.length

const WHOLE = { noise: 0, isMerged: false, skewSeconds: 0 }

/** Weighs every case as it is, and again with skewed clocks and mixed with a second incident, which the fit should stand. */
export function sampleCases(cases: readonly Case[], runner: CaseRunner, seed: string): readonly Sample[] {
  return cases.flatMap((each) => {
    const sample = (part: number, disturbance: Omit<Disturbance, 'seed'>, name: string): Sample => ({
      each,
      weighing: runner.weigh(each, { ...disturbance, seed: `${seed} ${name}` }),
      share: part,
      isWhole: name === 'whole',
    })
    if (each.alert.service === null) return [sample(1, WHOLE, 'whole')]
    return [
      sample(1, WHOLE, 'whole'),
      ...COPIES.map((copy) => sample(DISTURBED_SHARE, { ...WHOLE, skewSeconds: 90 }, `skewed ${copy}`)),
      ...COPIES.map((copy) => sample(DISTURBED_SHARE, { ...WHOLE, isMerged: true }, `merged ${copy}`)),
    ]
  })
}

/** Fits weights by how candidates compare within a case, then the confidence by which answers were right. */
export function fitModel(samples: readonly Sample[]): Model {
  const weights = fitWeights(samples)
  const calibration = fitCalibration(samples, weights)
  return { weights, calibration, minConfidence: chooseMinConfidence(samples, weights, calibration) }
}

/** What a model answers to whole cases. */
export function applyModel(samples: readonly Sample[], { weights, calibration, minConfidence }: Model): readonly Answer[] {
  return samples.flatMap(({ each, weighing, isWhole }): readonly Answer[] => {
    if (!isWhole) return []
    const ranked = rank(weighing, weights)
    const confidence = ranked.length === 0 ? 0 : toConfidence(toGrounds(ranked, weighing), calibration)
    const services = new Set(ranked.map(({ candidate }) => toService(candidate.key, weighing)))
    return [{ each, ranked: [...services], confidence, abstained: ranked.length === 0 || confidence < minConfidence }]
  })
}

/** Answers by models that have not seen the incident they answer to. */
export function crossValidate(samples: readonly Sample[]): readonly Answer[] {
  const incidents = Map.groupBy(samples, ({ each }) => toFold(each))
  return [...incidents].flatMap(([fold, own]) => applyModel(own, fitModel(samples.filter(({ each }) => toFold(each) !== fold))))
}

const FOLDS = 10

/** Views of one incident are left out together; of incidents that teach little, a tenth at a time. */
function toFold(each: Case): string {
  const incident = toIncident(each)
  if (incident !== each.id && !isGenerated(each)) return incident
  const sum = [...incident].reduce((total, char) => (total * 31 + char.charCodeAt(0)) % 9_973, 0)
  return `fold ${sum % FOLDS}`
}

function toService(key: string, { facts }: Weighing): string {
  return facts.names.get(key) ?? key
}

const ROUNDS = 3

/** Given cases teach what they can; symptoms without a change, and habits, occur in generated ones only. */
function fitWeights(samples: readonly Sample[]): Weights {
  const placed = samples.filter(({ each }) => each.alert.service !== null)
  const [generated, given] = [placed.filter(({ each }) => isGenerated(each)), placed.filter(({ each }) => !isGenerated(each))]
  let weights: Weights = { explained: 0, near: 0, lag: 0, symptom: 0, habit: 0, pattern: PATTERN_WEIGHT }
  for (let round = 0; round < ROUNDS; round += 1) {
    weights = { ...weights, ...fitFeatures(GIVEN_FEATURES, given.length > 0 ? given : generated, weights) }
    weights = { ...weights, ...fitFeatures(GENERATED_FEATURES, generated, weights) }
  }
  return weights
}

/** Fits some weights, the others staying as they are. */
function fitFeatures<Name extends keyof Weights>(
  names: readonly Name[],
  samples: readonly Sample[],
  weights: Weights,
): Record<Name, number> {
  const others = { ...weights, ...toRecord(names, []) }
  const choices = samples.flatMap(({ each, weighing, share }): readonly Choice[] => {
    const right = weighing.candidates.map(({ candidate }) => toService(candidate.key, weighing) === each.truth?.service)
    if (!right.includes(true) || !right.includes(false)) return []
    const rows = weighing.candidates.map(({ features }) => names.map((name) => features[name]))
    return [{ rows, offsets: weighing.candidates.map(({ features }) => toScore(features, others)), right, share }]
  })
  const fitted = climb(names.length, WEIGHT_PENALTY, (point, gradient, curvature) => {
    for (const choice of choices) addChoice(choice, point, gradient, curvature)
  })
  return toRecord(names, fitted)
}

/** A conditional logit: the chance of the true service, however many of its candidates share it. */
function addChoice({ rows, offsets, right, share }: Choice, weights: readonly number[], gradient: number[], curvature: number[][]): void {
  const scores = rows.map((row, index) => dot(row, weights) + (offsets[index] ?? 0))
  const top = Math.max(...scores)
  const odds = scores.map((each) => Math.exp(each - top))
  const total = odds.reduce((sum, each) => sum + each, 0)
  const totalRight = odds.reduce((sum, each, index) => sum + (right[index] ? each : 0), 0)
  const means = weights.map((_, column) => rows.reduce((sum, row, index) => sum + (row[column] ?? 0) * ((odds[index] ?? 0) / total), 0))
  rows.forEach((row, index) => {
    const chance = (odds[index] ?? 0) / total
    const rightChance = right[index] ? (odds[index] ?? 0) / totalRight : 0
    row.forEach((value, column) => {
      gradient[column] = (gradient[column] ?? 0) + share * value * (rightChance - chance)
    })
    const centred = row.map((value, column) => value - (means[column] ?? 0))
    addOuter(curvature, centred, share * chance)
  })
}

/** Only views in which a cause may be missing tell how often it is. */
function toCalibrated(samples: readonly Sample[]): readonly Sample[] {
  const viewOf = ({ each }: Sample) => toView(each).split(' ')[1] ?? toView(each)
  const given = samples.filter(({ each }) => !isGenerated(each))
  const used = given.some(({ each }) => each.truth === null) ? given : samples
  const views = new Set(used.filter(({ each }) => each.truth === null).map(viewOf))
  return used.filter((sample) => sample.isWhole && views.has(viewOf(sample)))
}

function fitCalibration(samples: readonly Sample[], weights: Weights): Calibration {
  const answers = toCalibrated(samples).flatMap(({ each, weighing }) => {
    const ranked = rank(weighing, weights)
    const [best] = ranked
    if (!best) return []
    const grounds = toGrounds(ranked, weighing)
    return [{ row: [1, ...GROUNDS.map((name) => grounds[name])], isRight: toService(best.candidate.key, weighing) === each.truth?.service }]
  })
  const [bias = 0, ...fitted] = climb(GROUNDS.length + 1, CALIBRATION_PENALTY, (coefficients, gradient, curvature) => {
    for (const { row, isRight } of answers) {
      const chance = 1 / (1 + Math.exp(-dot(row, coefficients)))
      row.forEach((value, column) => {
        gradient[column] = (gradient[column] ?? 0) + value * (Number(isRight) - chance)
      })
      addOuter(curvature, row, chance * (1 - chance))
    }
  })
  return { bias, ...toRecord(GROUNDS, fitted) }
}

function chooseMinConfidence(samples: readonly Sample[], weights: Weights, calibration: Calibration): number {
  const confidences = toCalibrated(samples).flatMap(({ each, weighing }) => {
    const ranked = rank(weighing, weights)
    if (each.truth === null || weighing.blames.length === 0 || ranked.length === 0) return []
    return toConfidence(toGrounds(ranked, weighing), calibration)
  })
  const sorted = confidences.toSorted((a, b) => a - b)
  return Math.min(0.5, RESERVE * (sorted[Math.floor(sorted.length * MAX_UNANSWERED)] ?? 0))
}

type Slope = (point: readonly number[], gradient: number[], curvature: number[][]) => void

/** Newton's method with a ridge penalty. */
function climb(size: number, penalty: number, slope: Slope): readonly number[] {
  let point: readonly number[] = Array.from({ length: size }, () => 0)
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const gradient = point.map((value) => -penalty * value)
    const curvature = point.map((_, row) => point.map((__, column) => (row === column ? penalty : 0)))
    slope(point, gradient, curvature)
    const move = solve(curvature, gradient)
    point = point.map((value, index) => value + (move[index] ?? 0))
    if (move.every((value) => Math.abs(value) < SETTLED)) break
  }
  return point
}

/** Gaussian elimination; the matrix is positive definite. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): readonly number[] {
  const rows = matrix.map((row, index) => [...row, right[index] ?? 0])
  rows.forEach((pivotRow, pivot) => {
    const scale = pivotRow[pivot] ?? 1
    rows.forEach((row, index) => {
      if (index === pivot) return
      const factor = (row[pivot] ?? 0) / scale
      rows[index] = row.map((value, column) => value - factor * (pivotRow[column] ?? 0))
    })
  })
  return rows.map((row, index) => (row.at(-1) ?? 0) / (row[index] ?? 1))
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0)
}

function addOuter(matrix: number[][], vector: readonly number[], factor: number): void {
  for (const [index, row] of matrix.entries()) {
    for (const [column, value] of vector.entries()) row[column] = (row[column] ?? 0) + factor * (vector[index] ?? 0) * value
  }
}

function toRecord<Name extends string>(names: readonly Name[], values: readonly number[]): Record<Name, number> {
  // The keys are exactly the names: what `fromEntries` cannot tell.
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? 0])) as Record<Name, number>
}
