/** A diagnosis that an engineer confirmed or rejected. */
export type Verdict = { readonly confidence: number; readonly confirmed: boolean }

/** A judged answer; one that abstained says that no recorded change is the cause. */
export type JudgedAnswer = Verdict & { readonly abstained: boolean }

type ReliabilityBin = { readonly from: number; readonly to: number; readonly answers: number; readonly confirmed: number }

/** How good diagnoses turned out to be; `null` where no verdict tells. */
export type Quality = {
  readonly verdicts: number
  readonly confirmed: number
  readonly rejected: number
  readonly accuracy: number | null
  readonly brier: number | null
  /** The share of all diagnoses that named no cause. */
  readonly abstained: number | null
  readonly reliability: readonly ReliabilityBin[]
}

const BINS = 10

/** The quality of a tenant's diagnoses by its verdicts on them, and by how many of all named no cause. */
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

/** How likely the answer is right: confidence is that in the leading cause, which an abstention does not name. */
function toChance({ confidence, abstained }: JudgedAnswer): number {
  return abstained ? 1 - toShare(confidence) : toShare(confidence)
}

/** Turns the engine's confidence into what a tenant's verdicts say it is worth: log odds, stretched and shifted. */
export type Recalibration = { readonly slope: number; readonly shift: number }

export const NO_RECALIBRATION: Recalibration = { slope: 1, shift: 0 }

/** How many verdicts' worth of trust the engine's own confidence has: a few verdicts move it little. */
const PRIOR_WEIGHT = 5
const MAX_STEPS = 50
const SETTLED = 1e-9
/** So that more confidence stays more confidence, and verdicts of one kind do not make it certain. */
const [MIN_SLOPE, MAX_SLOPE] = [0.1, 3]
const MAX_SHIFT = 4
const EDGE = 0.001

/** Learns from verdicts how far the engine's confidence can be believed; the order of the verdicts does not matter. */
export function fitRecalibration(verdicts: readonly Verdict[]): Recalibration {
  const points = verdicts
    .map(({ confidence, confirmed }) => ({ odds: toLogOdds(confidence), target: Number(confirmed) }))
    .toSorted((a, b) => a.odds - b.odds || a.target - b.target)
  let fitted = NO_RECALIBRATION
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const next = improve(fitted, points)
    const moved = Math.abs(next.slope - fitted.slope) + Math.abs(next.shift - fitted.shift)
    fitted = next
    if (moved < SETTLED) break
  }
  return fitted
}

type Point = { readonly odds: number; readonly target: number }

/** One step of Newton's method on a logistic fit that is pulled towards no change. */
function improve({ slope, shift }: Recalibration, points: readonly Point[]): Recalibration {
  let [slopeGradient, shiftGradient] = [PRIOR_WEIGHT * (1 - slope), -PRIOR_WEIGHT * shift]
  let [slopeCurve, cross, shiftCurve] = [PRIOR_WEIGHT, 0, PRIOR_WEIGHT]
  for (const { odds, target } of points) {
    const chance = 1 / (1 + Math.exp(-(slope * odds + shift)))
    slopeGradient += (target - chance) * odds
    shiftGradient += target - chance
    const spread = chance * (1 - chance)
    slopeCurve += spread * odds * odds
    cross += spread * odds
    shiftCurve += spread
  }
  const determinant = slopeCurve * shiftCurve - cross * cross
  const slopeMove = (shiftCurve * slopeGradient - cross * shiftGradient) / determinant
  const shiftMove = (slopeCurve * shiftGradient - cross * slopeGradient) / determinant
  return { slope: clamp(slope + slopeMove, MIN_SLOPE, MAX_SLOPE), shift: clamp(shift + shiftMove, -MAX_SHIFT, MAX_SHIFT) }
}

/** A confidence as a tenant's verdicts bear it out; without a verdict, as it is. */
export function recalibrate(confidence: number, { slope, shift }: Recalibration): number {
  if (slope === 1 && shift === 0) return confidence
  return 1 / (1 + Math.exp(-(slope * toLogOdds(confidence) + shift)))
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
