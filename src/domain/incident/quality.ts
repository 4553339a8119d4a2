export const VERDICTS = ['confirmed', 'rejected'] as const

/** What an engineer said of an answer. */
export type Verdict = (typeof VERDICTS)[number]

/** How sure an answer was, and whether an engineer confirmed it. */
export type JudgedConfidence = { readonly confidence: number; readonly confirmed: boolean }

/**
 * A judged answer; one that abstained says that no recorded change is the cause. `unrecorded`: how likely the engine held that
 * to be; `null` for answers of earlier releases, whose confidence was that in the leading cause.
 */
export type JudgedAnswer = JudgedConfidence & { readonly abstained: boolean; readonly unrecorded: number | null }

type ReliabilityBin = { readonly from: number; readonly to: number; readonly answers: number; readonly confirmed: number }

/** How good diagnoses turned out to be; `null` where no verdict tells. */
export type Quality = {
  readonly verdicts: number
  readonly confirmed: number
  readonly rejected: number
  readonly accuracy: number | null
  readonly brier: number | null
  /** The share of the diagnoses that named no cause. */
  readonly abstained: number | null
  readonly reliability: readonly ReliabilityBin[]
}

const BINS = 10

/** The quality of diagnoses by the verdicts on them, and by how many of those of the newest incidents named no cause. */
export function toQuality(judged: readonly JudgedAnswer[], diagnoses: { readonly total: number; readonly abstained: number }): Quality {
  const verdicts = judged.map((answer) => ({ chance: toChance(answer), confirmed: answer.confirmed }))
  const confirmed = verdicts.filter((verdict) => verdict.confirmed).length
  const errors = verdicts.map((verdict) => (verdict.chance - Number(verdict.confirmed)) ** 2)
  return {
    verdicts: verdicts.length,
    confirmed,
    rejected: verdicts.length - confirmed,
    accuracy: verdicts.length === 0 ? null : confirmed / verdicts.length,
    brier: verdicts.length === 0 ? null : errors.toSorted((a, b) => a - b).reduce((sum, error) => sum + error, 0) / verdicts.length,
    abstained: diagnoses.total > 0 ? diagnoses.abstained / diagnoses.total : null,
    reliability: Array.from({ length: BINS }, (_, bin) => {
      const answers = verdicts.filter(({ chance }) => Math.min(BINS - 1, Math.floor(chance * BINS)) === bin)
      return {
        from: bin / BINS,
        to: (bin + 1) / BINS,
        answers: answers.length,
        confirmed: answers.filter((answer) => answer.confirmed).length,
      }
    }),
  }
}

/** How likely the answer was right. */
function toChance({ confidence, abstained, unrecorded }: JudgedAnswer): number {
  return abstained ? toShare(unrecorded ?? 1 - toShare(confidence)) : toShare(confidence)
}

/**
 * Turns the engine's confidence into what a tenant's verdicts say it is worth: its log odds are shifted, and stretched
 * between REACH either way; beyond, they move along.
 */
export type Recalibration = { readonly slope: number; readonly shift: number }

export const NO_RECALIBRATION: Recalibration = { slope: 1, shift: 0 }

/** The log odds of .9: the engine is hardly ever surer. */
const REACH = 2.2
/** How many verdicts' worth of trust the engine's own confidence has: a few verdicts move it little. */
const SHIFT_PULL = 3
/** More than SHIFT_PULL × REACH²: so much that verdicts of one kind move no confidence the other way. */
const SLOPE_PULL = 15
/** So that more confidence stays more confidence. */
const MIN_SLOPE = 0.1
const MAX_STEPS = 100
const SETTLED = 1e-9
const EDGE = 0.001

/** Learns from verdicts how far the engine's confidence can be believed; the order of the verdicts does not matter. */
export function fitRecalibration(verdicts: readonly JudgedConfidence[]): Recalibration {
  const points = verdicts
    .map(({ confidence, confirmed }) => ({ odds: toLogOdds(confidence), target: Number(confirmed) }))
    .toSorted((a, b) => a.odds - b.odds || a.target - b.target)
  const fitted = settle(points, NO_RECALIBRATION, true)
  // What is minimized is convex: beyond the bound, the best is on it.
  return fitted.slope >= MIN_SLOPE ? fitted : settle(points, { slope: MIN_SLOPE, shift: 0 }, false)
}

type Point = { readonly odds: number; readonly target: number }

function settle(points: readonly Point[], from: Recalibration, isSlopeFree: boolean): Recalibration {
  let { slope, shift } = from
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const move = findMove({ slope, shift }, points, isSlopeFree)
    const length = Math.abs(move.slope) * REACH + Math.abs(move.shift)
    if (length < SETTLED) break
    // Newton's method may leap to and fro; with steps shortened so, it always arrives.
    const share = Math.log1p(length) / length
    slope += share * move.slope
    shift += share * move.shift
  }
  return { slope, shift }
}

/** The step of Newton's method on a logistic fit that is pulled towards no change. */
function findMove(recalibration: Recalibration, points: readonly Point[], isSlopeFree: boolean): Recalibration {
  let [slopeGradient, shiftGradient] = [SLOPE_PULL * (1 - recalibration.slope), -SHIFT_PULL * recalibration.shift]
  let [slopeCurve, cross, shiftCurve] = [SLOPE_PULL, 0, SHIFT_PULL]
  for (const { odds, target } of points) {
    const chance = 1 / (1 + Math.exp(-odds - toMove(odds, recalibration)))
    const within = clamp(odds, -REACH, REACH)
    slopeGradient += (target - chance) * within
    shiftGradient += target - chance
    const spread = chance * (1 - chance)
    slopeCurve += spread * within * within
    cross += spread * within
    shiftCurve += spread
  }
  if (!isSlopeFree) return { slope: 0, shift: shiftGradient / shiftCurve }
  const determinant = slopeCurve * shiftCurve - cross * cross
  return {
    slope: (shiftCurve * slopeGradient - cross * shiftGradient) / determinant,
    shift: (slopeCurve * shiftGradient - cross * slopeGradient) / determinant,
  }
}

/** A confidence as a tenant's verdicts bear it out; without a verdict, as it is. */
export function recalibrate(confidence: number, recalibration: Recalibration): number {
  const move = toMove(toLogOdds(confidence), recalibration)
  // Certainty would never move.
  const share = clamp(toShare(confidence), move > 0 ? EDGE : 0, move < 0 ? 1 - EDGE : 1)
  const growth = Math.expm1(move)
  return clamp(share + (share * (1 - share) * growth) / (1 + share * growth), 0, 1)
}

/** How far log odds move. */
function toMove(odds: number, { slope, shift }: Recalibration): number {
  return shift + (slope - 1) * clamp(odds, -REACH, REACH)
}

function toLogOdds(confidence: number): number {
  const share = clamp(toShare(confidence), EDGE, 1 - EDGE)
  return Math.log(share / (1 - share))
}

function toShare(confidence: number): number {
  return Number.isFinite(confidence) ? clamp(confidence, 0, 1) : 0
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value))
}
