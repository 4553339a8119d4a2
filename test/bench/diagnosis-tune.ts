import { type Tuning, toConfidence } from '../../src/domain/diagnosis/rules.ts'
import {
  applyModel,
  type Doubt,
  fitCalibration,
  fitModel,
  fitWeights,
  KIND_WEIGHTS,
  type Kind,
  type Sample,
  type SampleChoice,
  toCalibration,
  toChoices,
  toDoubts,
  toWeights,
  weighSamples,
} from './diagnosis-fit.ts'
import { type Choice, type Fit, leaveOut, toChances } from './diagnosis-logit.ts'
import type { Answer } from './diagnosis-metrics.ts'

const NEVER = Number.POSITIVE_INFINITY
const [SECOND, MINUTE] = [1_000, 60_000]

/** The values each constant may take: first the one that is expected, as weights are, then the others. */
export const GRIDS = {
  clockSlackMs: [30 * SECOND, 15 * SECOND, MINUTE, NEVER],
  lagScaleMs: [2 * MINUTE, MINUTE, 3 * MINUTE, 10 * MINUTE],
  nearAlertMs: [MINUTE, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, NEVER],
  nearPerHop: [0.5, 0.7],
  blamePerHop: [0.8, 0.6, 1],
  lateness: [1, 2, 0],
  settleMs: [10 * SECOND, SECOND, MINUTE],
} as const satisfies Readonly<Record<keyof Tuning, readonly number[]>>

// The keys are those of the grids: what `keys` cannot tell.
const NAMES = Object.keys(GRIDS) as readonly (keyof Tuning)[]
const EXPECTED = toTuning((name) => GRIDS[name][0])
const MAX_SWEEPS = 4
/** A gain of fewer standard errors may be chance. */
const MIN_ERRORS = 2
/** Odds are not held to be longer than this: a cause that is no candidate counts as a chance of it. */
const LEAST_CHANCE = 0.01

/**
 * What a tuning lost at each incident that was not fitted on: whether the first
 * answer was wrong, and the surprise, in nats, at the true cause and at whether a first answer is right.
 */
type Losses = ReadonlyMap<string, { readonly kind: Kind; readonly loss: number }>

/** Losses with nothing else left out, and with each fold left out of everything. */
type Trial = { readonly all: Losses; readonly without: ReadonlyMap<number, Losses> }

type Tuner = {
  /** The tuning that is chosen by all folds but one, if that is given. */
  readonly choose: (withoutFold?: number, onStep?: (text: string) => void) => Tuning
  readonly countTrials: () => number
}

/** Searches the grids one constant at a time; what was tried once is remembered for the other folds. */
export function createTuner(samples: readonly Sample[]): Tuner {
  const trials = new Map<string, Trial>()
  const folds = [...new Set(samples.map(({ fold }) => fold))]
  const lossesOf = (tuning: Tuning, withoutFold?: number): Losses => {
    const key = NAMES.map((name) => tuning[name]).join(' ')
    const trial = trials.get(key) ?? tryOut(samples, folds, tuning)
    trials.set(key, trial)
    return (withoutFold === undefined ? undefined : trial.without.get(withoutFold)) ?? trial.all
  }
  return {
    choose: (withoutFold, onStep) => {
      let tuning = EXPECTED
      for (let sweep = 0; sweep < MAX_SWEEPS; sweep += 1) {
        const before = tuning
        for (const name of NAMES) {
          const chosen = chooseValue(name, tuning, (each) => lossesOf(each, withoutFold))
          if (chosen !== tuning[name]) onStep?.(`${name} ${tuning[name]} → ${chosen}`)
          tuning = { ...tuning, [name]: chosen }
        }
        if (NAMES.every((name) => tuning[name] === before[name])) break
      }
      return tuning
    },
    countTrials: () => trials.size,
  }
}

/** Answers to what is asked, in its order, by models whose constants, weights and confidence have not seen the incident. */
export function answerUnseen(
  samples: readonly Sample[],
  asked: readonly Sample[],
  tuner: Tuner,
  onFold: (tuning: Tuning) => void,
): readonly Answer[] {
  const answers = new Map<Sample, Answer>()
  for (const [fold, own] of Map.groupBy(asked, (sample) => sample.fold)) {
    const tuning = tuner.choose(fold)
    onFold(tuning)
    const others = samples.filter((sample) => sample.fold !== fold)
    applyModel(own, fitModel(others, tuning)).forEach((answer, index) => {
      const sample = own[index]
      if (sample) answers.set(sample, answer)
    })
  }
  return asked.flatMap((sample) => answers.get(sample) ?? [])
}

/** The tunings that have one constant at another value of its grid. */
export function listNeighbours(tuning: Tuning): readonly Tuning[] {
  return NAMES.flatMap((name) => GRIDS[name].filter((value) => value !== tuning[name]).map((value) => ({ ...tuning, [name]: value })))
}

function toTuning(pick: (name: keyof Tuning) => number): Tuning {
  // The keys are those of the grids: what `fromEntries` cannot tell.
  return Object.fromEntries(NAMES.map((name) => [name, pick(name)])) as Tuning
}

/** The expected value, unless what loses least loses clearly less. */
function chooseValue(name: keyof Tuning, tuning: Tuning, lossesOf: (tuning: Tuning) => Losses): number {
  const tried = GRIDS[name].map((value) => ({ value, losses: lossesOf({ ...tuning, [name]: value }) }))
  const [expected] = tried
  const best = tried.reduce((a, b) => (compareLosses(a.losses, b.losses).gain > 0 ? b : a))
  if (!expected) return tuning[name]
  const { gain, error } = compareLosses(expected.losses, best.losses)
  return gain > MIN_ERRORS * error ? best.value : expected.value
}

/** How much less is lost the second way, with its standard error over incidents. */
function compareLosses(before: Losses, after: Losses): { readonly gain: number; readonly error: number } {
  const byKind = Map.groupBy(before, ([, { kind }]) => kind)
  const kinds = [...byKind].map(([kind, incidents]) => {
    const less = incidents.map(([key, { loss }]) => KIND_WEIGHTS[kind] * (loss - (after.get(key)?.loss ?? loss)))
    const mean = less.reduce((sum, each) => sum + each, 0) / less.length
    const variance = less.reduce((sum, each) => sum + (each - mean) ** 2, 0) / Math.max(1, less.length - 1)
    return { mean, variance: variance / less.length }
  })
  return {
    gain: kinds.reduce((sum, { mean }) => sum + mean, 0),
    error: Math.sqrt(kinds.reduce((sum, { variance }) => sum + variance, 0)),
  }
}

function tryOut(samples: readonly Sample[], folds: readonly number[], tuning: Tuning): Trial {
  const weighed = weighSamples(samples, tuning)
  const choices = toChoices(weighed)
  const fit = fitWeights(choices)
  const weightsWithout = new Map(folds.map((fold) => [fold, toWeights(leaveOut(fit, [fold]))]))
  const doubts = toDoubts(weighed, (fold) => weightsWithout.get(fold) ?? toWeights(fit.weights), tuning)
  const calibration = fitCalibration(doubts)
  const parts = { choices, fit, doubts, calibration }
  return { all: sumLosses(parts, []), without: new Map(folds.map((fold) => [fold, sumLosses(parts, [fold])])) }
}

type Parts = {
  readonly choices: readonly SampleChoice[]
  readonly fit: Fit
  readonly doubts: readonly Doubt[]
  readonly calibration: Fit
}

/** Losses by incidents, each judged without its own fold and without those that are left out anyway. */
function sumLosses({ choices, fit, doubts, calibration }: Parts, leftOut: readonly number[]): Losses {
  const losses = [
    ...judge(choices, leftOut, (out) => toRankLosses(leaveOut(fit, out))),
    ...judge(doubts, leftOut, (out) => toDoubtLosses(leaveOut(calibration, out))),
  ]
  const incidents = Map.groupBy(losses, ({ sample: { kind, incident } }) => `${kind} ${incident}`)
  return new Map([...incidents].map(([key, own]) => [key, sumMeans(own)]))
}

type Loss = { readonly name: string; readonly sample: Sample; readonly loss: number }

/** What is lost where each item is judged without its own fold. */
function judge<Item extends Choice>(items: readonly Item[], leftOut: readonly number[], toJudge: (out: readonly number[]) => Judge<Item>) {
  return [...Map.groupBy(items, ({ fold }) => fold)].flatMap(([fold, own]) =>
    leftOut.includes(fold) ? [] : own.flatMap(toJudge([fold, ...leftOut])),
  )
}

type Judge<Item> = (item: Item) => readonly Loss[]

function toRankLosses(weights: readonly number[]): Judge<SampleChoice> {
  return (choice) => {
    const { sample, right } = choice
    const { chances, rightChance } = toChances(choice, weights)
    const missed = { name: 'miss', sample, loss: right[chances.indexOf(Math.max(...chances))] ? 0 : 1 }
    // Where no service alerts weights have no scale, nor chances a meaning.
    return sample.kind === 'unplaced' ? [missed] : [missed, { name: 'rank', sample, loss: -Math.log(Math.max(LEAST_CHANCE, rightChance)) }]
  }
}

function toDoubtLosses(values: readonly number[]): Judge<Doubt> {
  const calibration = toCalibration(values)
  return ({ sample, grounds, isRight }) => {
    const confidence = toConfidence(grounds, grounds.lead, calibration)
    return [{ name: 'doubt', sample, loss: -Math.log(Math.max(LEAST_CHANCE, isRight ? confidence : 1 - confidence)) }]
  }
}

/** What an incident lost in each way, on average over its samples, together. */
function sumMeans(losses: readonly Loss[]): { readonly kind: Kind; readonly loss: number } {
  const [first] = losses
  if (!first) throw new Error('an incident without losses')
  const means = [...Map.groupBy(losses, ({ name }) => name).values()].map((own) => {
    const parts = own.reduce((sum, { sample }) => sum + sample.part, 0)
    return own.reduce((sum, { sample, loss }) => sum + sample.part * loss, 0) / parts
  })
  return { kind: first.sample.kind, loss: means.reduce((sum, mean) => sum + mean, 0) }
}
