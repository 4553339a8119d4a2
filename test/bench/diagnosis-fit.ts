import { assess, rank, toGrounds, type Weighing, weigh } from '../../src/domain/diagnosis/diagnose.ts'
import type { Facts } from '../../src/domain/diagnosis/facts.ts'
import { type Calibration, type Grounds, isNamed, type Model, type Tuning, type Weights } from '../../src/domain/diagnosis/rules.ts'
import { type Case, toIncident, toSet, toView } from './diagnosis-cases.ts'
import type { Disturbance } from './diagnosis-disturb.ts'
import { isGenerated } from './diagnosis-generate.ts'
import { type Choice, fitChoices } from './diagnosis-logit.ts'
import type { Answer } from './diagnosis-metrics.ts'
import type { CaseRunner } from './diagnosis-run.ts'

/** What is judged apart: incidents with an alerting service that were given or generated, and those without one. */
export type Kind = 'placed' | 'unplaced' | 'generated'

/** A case, whole or disturbed. */
export type Sample = {
  readonly each: Case
  readonly facts: Facts
  readonly kind: Kind
  readonly incident: string
  /** Samples of one fold are left out together. */
  readonly fold: number
  /** How much it counts among the samples of its incident. */
  readonly part: number
  readonly isWhole: boolean
}

/** A sample as some tuning sees it. */
export type Weighed = { readonly sample: Sample; readonly weighing: Weighing }

const FEATURES = ['explained', 'near', 'lag', 'symptom', 'habit'] as const satisfies readonly (keyof Weights)[]
const GROUNDS = ['bias', 'unexplained', 'unseen', 'margin'] as const satisfies readonly (keyof Calibration)[]

/** How much each kind counts, however many incidents are of it. What was made up teaches half as much. */
export const KIND_WEIGHTS: Readonly<Record<Kind, number>> = { placed: 1, unplaced: 1, generated: 0.5 }
/** All incidents of a kind count as much as so many observations. */
const INCIDENTS_PER_KIND = 25
/**
 * What weights are expected to be, in round numbers, before a case is seen: to explain the failing calls counts most,
 * nearness and time in place two thirds of it. No case confirms a pattern, so that a confirmed twin counts what is set here.
 */
const EXPECTED: Weights = { explained: 3, near: 2, lag: -2, symptom: 0, habit: -0.5, pattern: 1 }
/** Weights are pulled towards the expected ones as if so many observations had shown each of them. */
const PULL = 3
/** So is the confidence towards one half, which is what nothing known leaves. */
const CONFIDENCE_PULL = 0.3

/** Each case is disturbed so often in either way; all copies together count as much as the whole case does, twice. */
const COPIES = [1, 2, 3]
const FOLDS = 5
const WHOLE = { noise: 0, isMerged: false, skewSeconds: 0 }

/** Gathers the facts of every case as it is, and again with skewed clocks and mixed with a second incident, which the fit should stand. */
export function sampleCases(cases: readonly Case[], runner: CaseRunner, seed: string): readonly Sample[] {
  const folds = new Map([...new Set(cases.map(toFold))].map((name, index) => [name, index]))
  return cases.flatMap((each) => {
    const facts = runner.gather(each, { ...WHOLE, seed })
    const whole = {
      each,
      facts,
      kind: toKind(each),
      incident: toIncident(each),
      fold: folds.get(toFold(each)) ?? 0,
      part: 1,
      isWhole: true,
    }
    if (whole.kind === 'unplaced') return [whole]
    return [
      whole,
      ...COPIES.map((copy) => sampleDisturbed(whole, runner, { ...WHOLE, skewSeconds: 90, seed: `${seed} skewed ${copy}` })),
      ...COPIES.map((copy) => sampleDisturbed(whole, runner, { ...WHOLE, isMerged: true, seed: `${seed} merged ${copy}` })),
    ]
  })
}

/** A copy of a sample, its case disturbed. */
export function sampleDisturbed(whole: Sample, runner: CaseRunner, disturbance: Disturbance): Sample {
  return { ...whole, facts: runner.gather(whole.each, disturbance), part: 1 / COPIES.length, isWhole: false }
}

function toKind(each: Case): Kind {
  if (isGenerated(each)) return 'generated'
  return each.alert.service === null ? 'unplaced' : 'placed'
}

/** Views of a given incident with an alerting service are left out alone; of incidents that each teach little, a fifth at a time. */
function toFold(each: Case): string {
  const incident = toIncident(each)
  if (toKind(each) === 'placed') return incident
  const sum = [...incident].reduce((total, char) => (total * 31 + char.charCodeAt(0)) % 9_973, 0)
  return `${toKind(each)} ${sum % FOLDS}`
}

export function weighSamples(samples: readonly Sample[], tuning: Tuning): readonly Weighed[] {
  return samples.map((sample) => ({ sample, weighing: weigh(sample.facts, [], tuning) }))
}

/** A sample as a choice of the conditional logit: which candidate, however many are of the true service. */
export type SampleChoice = Choice & { readonly sample: Sample }

/** The choices of the samples whose cause was reported. */
export function toChoices(weighed: readonly Weighed[]): readonly SampleChoice[] {
  const known = weighed.filter(({ sample }) => sample.each.truth !== null)
  const shares = toShares(known.map(({ sample }) => sample))
  return known.map(({ sample, weighing }, index) => ({
    sample,
    rows: Float64Array.from(weighing.candidates.flatMap(({ features }) => FEATURES.map((name) => features[name]))),
    right: weighing.candidates.map(({ candidate }) => toService(candidate.key, weighing) === sample.each.truth?.service),
    share: shares[index] ?? 0,
    fold: sample.fold,
  }))
}

/** How much samples count: every incident of a kind the same. */
function toShares(samples: readonly Sample[]): readonly number[] {
  const parts = new Map<string, number>()
  const incidents = new Map<Kind, Set<string>>()
  for (const { kind, incident, part } of samples) {
    parts.set(`${kind} ${incident}`, (parts.get(`${kind} ${incident}`) ?? 0) + part)
    incidents.set(kind, (incidents.get(kind) ?? new Set()).add(incident))
  }
  return samples.map(
    ({ kind, incident, part }) =>
      (part / (parts.get(`${kind} ${incident}`) ?? 1)) * ((KIND_WEIGHTS[kind] * INCIDENTS_PER_KIND) / (incidents.get(kind)?.size ?? 1)),
  )
}

/** Where no service alerts, weights have little to weigh: those cases teach none. */
export function fitWeights(choices: readonly SampleChoice[]) {
  return fitChoices(
    choices.filter(({ sample }) => sample.kind !== 'unplaced'),
    FEATURES.map((name) => EXPECTED[name]),
    PULL,
  )
}

export function toWeights(values: readonly number[]): Weights {
  return { ...EXPECTED, ...toRecord(FEATURES, values) }
}

/** What the confidence is fitted on: whole cases of the views in which a cause may be missing. */
function toCalibrated<Item extends { readonly sample: Sample }>(items: readonly Item[]): readonly Item[] {
  const views = new Set(items.flatMap(({ sample: { each } }) => (each.truth === null ? toMoment(each) : [])))
  return items.filter(({ sample: { each, isWhole, kind } }) => isWhole && kind !== 'unplaced' && views.has(toMoment(each)))
}

function toMoment(each: Case): string {
  return `${toKind(each)} ${toView(each).slice(toSet(each).length)}`
}

/** An answer in need of a confidence. */
export type Doubt = Choice & { readonly sample: Sample; readonly grounds: Grounds & { readonly lead: number }; readonly isRight: boolean }

/** The leading candidates as choices of a logit: whether the cause was reported at all. */
export function toDoubts(weighed: readonly Weighed[], weightsOf: (fold: number) => Weights, tuning: Tuning): readonly Doubt[] {
  const doubts = toCalibrated(weighed).flatMap(({ sample, weighing }) => {
    const ranked = rank(weighing, weightsOf(sample.fold))
    const [best] = ranked
    if (!best) return []
    const grounds = toGrounds(ranked, weighing, tuning)
    const isRight = toService(best.candidate.key, weighing) === sample.each.truth?.service
    return [{ sample, grounds, isRight }]
  })
  const shares = toShares(doubts.map(({ sample }) => sample))
  return doubts.map(({ sample, grounds, isRight }, index) => ({
    sample,
    grounds,
    isRight,
    rows: Float64Array.from([...GROUNDS.map((name) => (name === 'bias' ? 1 : grounds[name])), ...GROUNDS.map(() => 0)]),
    right: [sample.each.truth !== null, sample.each.truth === null],
    share: shares[index] ?? 0,
    fold: sample.fold,
  }))
}

export function fitCalibration(doubts: readonly Doubt[]) {
  return fitChoices(
    doubts,
    GROUNDS.map(() => 0),
    CONFIDENCE_PULL,
  )
}

export function toCalibration(values: readonly number[]): Calibration {
  return toRecord(GROUNDS, values)
}

/** Fits weights by how candidates compare within a case, then the confidence by whether the cause was reported. */
export function fitModel(samples: readonly Sample[], tuning: Tuning): Model {
  const weighed = weighSamples(samples, tuning)
  const weights = toWeights(fitWeights(toChoices(weighed)).weights)
  const doubts = toDoubts(weighed, () => weights, tuning)
  return { tuning, weights, calibration: toCalibration(fitCalibration(doubts).weights) }
}

/** What a model answers to samples. */
export function applyModel(samples: readonly Sample[], model: Model): readonly Answer[] {
  return weighSamples(samples, model.tuning).map(({ sample: { each }, weighing }): Answer => {
    const ranked = rank(weighing, model.weights)
    const confidence = assess(ranked, weighing, model)
    const services = new Set(ranked.map(({ candidate }) => toService(candidate.key, weighing)))
    return { each, ranked: [...services], confidence, abstained: !isNamed(confidence) }
  })
}

function toService(key: string, { facts }: Weighing): string {
  return facts.names.get(key) ?? key
}

function toRecord<Name extends string>(names: readonly Name[], values: readonly number[]): Record<Name, number> {
  // The keys are exactly the names: what `fromEntries` cannot tell.
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? 0])) as Record<Name, number>
}
