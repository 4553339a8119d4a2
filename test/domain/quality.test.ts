import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fitRecalibration, type JudgedAnswer, NO_RECALIBRATION, recalibrate, toQuality } from '../../src/domain/quality.ts'

const repeat = (count: number, confidence: number, confirmed: boolean, abstained = false): readonly JudgedAnswer[] =>
  Array.from({ length: count }, () => ({ confidence, confirmed, abstained }))

test('tells accuracy, Brier score, abstentions and reliability from verdicts', () => {
  const verdicts = [...repeat(3, 0.8, true), ...repeat(1, 0.8, false), ...repeat(1, 1, true), ...repeat(1, 0, false)]

  const quality = toQuality(verdicts, { total: 20, abstained: 5 })

  expect(quality).toMatchObject({ verdicts: 6, confirmed: 4, rejected: 2, abstained: 0.25 })
  expect(quality.accuracy).toBeCloseTo(4 / 6)
  expect(quality.brier).toBeCloseTo((3 * 0.04 + 0.64) / 6)
  expect(quality.reliability).toHaveLength(10)
  expect(quality.reliability[8]).toEqual({ from: 0.8, to: 0.9, answers: 4, confirmed: 3 })
  expect(quality.reliability[9]).toEqual({ from: 0.9, to: 1, answers: 1, confirmed: 1 })
  expect(quality.reliability.reduce((sum, { answers }) => sum + answers, 0)).toBe(6)
})

test('an answer that blames nothing counts by the chance that there is nothing to blame', () => {
  const quality = toQuality([...repeat(3, 0, true, true), ...repeat(1, 0.25, false, true)], { total: 4, abstained: 4 })

  expect(quality).toMatchObject({ verdicts: 4, confirmed: 3, rejected: 1, accuracy: 0.75, abstained: 1 })
  expect(quality.brier).toBeCloseTo(0.75 ** 2 / 4)
  expect(quality.reliability.filter(({ answers }) => answers > 0)).toEqual([
    { from: 0.7, to: 0.8, answers: 1, confirmed: 0 },
    { from: 0.9, to: 1, answers: 3, confirmed: 3 },
  ])
})

test('says nothing where no verdict tells', () => {
  expect(toQuality([], { total: 0, abstained: 0 })).toMatchObject({ verdicts: 0, accuracy: null, brier: null, abstained: null })
})

test('no verdict changes nothing, and a few change little', () => {
  expect(fitRecalibration([])).toEqual(NO_RECALIBRATION)
  expect(recalibrate(0.42, NO_RECALIBRATION)).toBe(0.42)
  const afterOne = recalibrate(0.8, fitRecalibration(repeat(1, 0.8, false)))
  expect(afterOne).toBeLessThan(0.8)
  expect(afterOne).toBeGreaterThan(0.6)
})

test('many verdicts bring the confidence to what they bear out', () => {
  const verdicts = [...repeat(100, 0.9, true), ...repeat(100, 0.9, false), ...repeat(20, 0.3, true), ...repeat(80, 0.3, false)]
  const learned = fitRecalibration(verdicts)

  expect(recalibrate(0.9, learned)).toBeCloseTo(0.5, 1)
  expect(recalibrate(0.3, learned)).toBeCloseTo(0.2, 1)
})

const verdict = fc.record({ confidence: fc.double({ min: 0, max: 1, noNaN: true }), confirmed: fc.boolean() })

test('a recalibrated confidence is a share, grows with the confidence, and ignores the order of the verdicts', () => {
  fc.assert(
    fc.property(fc.array(verdict, { maxLength: 40 }), fc.double({ min: 0, max: 1, noNaN: true }), (verdicts, confidence) => {
      const learned = fitRecalibration(verdicts)
      const [value, more] = [recalibrate(confidence, learned), recalibrate(Math.min(1, confidence + 0.1), learned)]
      expect(value).toBeGreaterThanOrEqual(0)
      expect(value).toBeLessThanOrEqual(1)
      expect(more).toBeGreaterThanOrEqual(value)
      expect(fitRecalibration(verdicts.toReversed())).toEqual(learned)
    }),
  )
})
