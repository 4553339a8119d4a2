/** A choice among alternatives: what each of them shows, and which of them are right. */
export type Choice = {
  /** Features, alternative after alternative. */
  readonly rows: Float64Array
  readonly right: readonly boolean[]
  readonly share: number
  /** Choices of one fold are left out together. */
  readonly fold: number
}

/** What the choices of one fold add to the slope and to the curvature of the log-likelihood. */
type Pull = { readonly gradient: number[]; readonly curvature: number[][] }

/** Fitted weights with what each fold contributed, so that it can be taken out again. */
export type Fit = {
  readonly weights: readonly number[]
  readonly curvature: readonly (readonly number[])[]
  readonly pulls: ReadonlyMap<number, Pull>
}

const MAX_STEPS = 40
const SETTLED = 1e-6

/** Fits a conditional logit by Newton's method; a ridge penalty pulls weights towards what they are expected to be. */
export function fitChoices(choices: readonly Choice[], expected: readonly number[], penalty: number): Fit {
  let weights = expected
  for (let step = 0; ; step += 1) {
    const pulls = new Map<number, Pull>()
    for (const choice of choices) {
      const pull = pulls.get(choice.fold) ?? { gradient: weights.map(() => 0), curvature: weights.map(() => weights.map(() => 0)) }
      pulls.set(choice.fold, pull)
      addChoice(choice, weights, pull)
    }
    const all = [...pulls.values()]
    const gradient = weights.map((weight, row) =>
      all.reduce((sum, pull) => sum + (pull.gradient[row] ?? 0), penalty * ((expected[row] ?? 0) - weight)),
    )
    const curvature = weights.map((_, row) =>
      weights.map((__, column) => all.reduce((sum, pull) => sum + (pull.curvature[row]?.[column] ?? 0), row === column ? penalty : 0)),
    )
    const move = solve(curvature, gradient)
    if (step === MAX_STEPS || move.every((value) => Math.abs(value) < SETTLED)) return { weights, curvature, pulls }
    weights = weights.map((weight, index) => weight + (move[index] ?? 0))
  }
}

/** What the weights would be without some folds, nearly: one more step of Newton's method. */
export function leaveOut({ weights, curvature, pulls }: Fit, folds: readonly number[]): readonly number[] {
  const out = folds.flatMap((fold) => pulls.get(fold) ?? [])
  const gradient = weights.map((_, row) => -out.reduce((sum, pull) => sum + (pull.gradient[row] ?? 0), 0))
  const rest = curvature.map((line, row) =>
    line.map((value, column) => out.reduce((sum, pull) => sum - (pull.curvature[row]?.[column] ?? 0), value)),
  )
  const move = solve(rest, gradient)
  return weights.map((weight, index) => weight + (move[index] ?? 0))
}

/** The chance of each alternative, and of the right ones together. */
export function toChances({ rows, right }: Pick<Choice, 'rows' | 'right'>, weights: readonly number[]) {
  const size = weights.length
  const chances = new Float64Array(right.length)
  let top = Number.NEGATIVE_INFINITY
  for (let index = 0; index < chances.length; index += 1) {
    let score = 0
    for (let column = 0; column < size; column += 1) score += (weights[column] ?? 0) * (rows[index * size + column] ?? 0)
    chances[index] = score
    if (score > top) top = score
  }
  let [total, rightTotal] = [0, 0]
  for (let index = 0; index < chances.length; index += 1) {
    const odds = Math.exp((chances[index] ?? 0) - top)
    chances[index] = odds
    total += odds
    if (right[index]) rightTotal += odds
  }
  for (let index = 0; index < chances.length; index += 1) chances[index] = (chances[index] ?? 0) / total
  return { chances, rightChance: total === 0 ? 0 : rightTotal / total }
}

function addChoice(choice: Choice, weights: readonly number[], { gradient, curvature }: Pull): void {
  const { rows, right, share } = choice
  if (!right.includes(true) || !right.includes(false)) return
  const { chances, rightChance } = toChances(choice, weights)
  const size = weights.length
  const centred = new Float64Array(rows)
  for (let column = 0; column < size; column += 1) {
    let mean = 0
    for (let index = 0; index < chances.length; index += 1) mean += (chances[index] ?? 0) * (rows[index * size + column] ?? 0)
    for (let index = 0; index < chances.length; index += 1) centred[index * size + column] = (rows[index * size + column] ?? 0) - mean
  }
  for (let index = 0; index < chances.length; index += 1) {
    const chance = share * (chances[index] ?? 0)
    addScaled(gradient, centred, index * size, right[index] ? chance / rightChance : 0)
    curvature.forEach((line, row) => {
      addScaled(line, centred, index * size, chance * (centred[index * size + row] ?? 0))
    })
  }
}

/** Adds a row of a table to a vector, scaled. */
function addScaled(vector: number[], table: Float64Array, start: number, factor: number): void {
  if (factor === 0) return
  for (let column = 0; column < vector.length; column += 1) vector[column] = (vector[column] ?? 0) + factor * (table[start + column] ?? 0)
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
