import { expect, test } from 'vitest'
import { MODEL } from '../../../src/domain/diagnosis/weights.ts'
import { fitModel, sampleCases } from '../../bench/diagnosis-fit.ts'
import { generateCases } from '../../bench/diagnosis-generate.ts'
import { type Choice, fitChoices, leaveOut } from '../../bench/diagnosis-logit.ts'
import { createCaseRunner } from '../../bench/diagnosis-run.ts'
import { GRIDS } from '../../bench/diagnosis-tune.ts'
import { createRandom } from '../../bench/random.ts'

/** Choices among three alternatives, decided by two features, of which the first counts 2 and the second −1. */
function drawChoices(count: number): readonly Choice[] {
  const random = createRandom('choices')
  return Array.from({ length: count }, (_, index) => {
    const rows = Float64Array.from({ length: 6 }, () => 2 * random() - 1)
    const odds = [0, 2, 4].map((start) => Math.exp(2 * (rows[start] ?? 0) - (rows[start + 1] ?? 0)))
    const drawn = random() * odds.reduce((sum, each) => sum + each, 0)
    const chosen = drawn < (odds[0] ?? 0) ? 0 : drawn < (odds[0] ?? 0) + (odds[1] ?? 0) ? 1 : 2
    return { rows, right: [0, 1, 2].map((each) => each === chosen), share: 1, fold: index % 20 }
  })
}

test('the logit finds the weights by which choices were made', () => {
  const { weights } = fitChoices(drawChoices(4_000), [0, 0], 1)

  expect(weights[0]).toBeCloseTo(2, 0)
  expect(weights[1]).toBeCloseTo(-1, 0)
})

test('a fold taken out of a fit leaves what a fit without it finds', () => {
  const choices = drawChoices(400)
  const without = fitChoices(
    choices.filter(({ fold }) => fold !== 3),
    [0, 0],
    1,
  )

  leaveOut(fitChoices(choices, [0, 0], 1), [3]).forEach((weight, index) => {
    expect(weight).toBeCloseTo(without.weights[index] ?? Number.NaN, 2)
  })
})

test('every constant of the model is one that the fit may choose', () => {
  for (const [name, value] of Object.entries(MODEL.tuning))
    expect(Object.entries(GRIDS)).toContainEqual([name, expect.arrayContaining([value])])
})

test('the order of samples changes nothing', () => {
  const cases = generateCases(20, 'order')
  const samples = sampleCases(cases, createCaseRunner(cases), '1')
  const [forwards, backwards] = [samples, samples.toReversed()].map((each) => fitModel(each, MODEL.tuning))

  expect(forwards?.weights.explained).toBeGreaterThan(0)
  for (const [name, weight] of Object.entries(forwards?.weights ?? {})) {
    expect(Object.entries(backwards?.weights ?? {})).toContainEqual([name, expect.closeTo(weight, 6)])
  }
})
