import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  fitRecalibration,
  type JudgedAnswer,
  type JudgedConfidence,
  NO_RECALIBRATION,
  type Recalibration,
  recalibrate,
  toQuality,
} from '../../../src/domain/incident/quality.ts'

const repeat = (count: number, confidence: number, confirmed: boolean): readonly JudgedAnswer[] =>
  Array.from({ length: count }, () => ({ confidence, confirmed, abstained: false, unrecorded: 0.5 }))
const abstain = (confidence: number, unrecorded: number | null, confirmed: boolean): JudgedAnswer => ({
  confidence,
  confirmed,
  abstained: true,
  unrecorded,
})

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
  const quality = toQuality([abstain(0, 0.95, true), abstain(0, 0.95, true), abstain(0, 0.6, false)], { total: 3, abstained: 3 })

  expect(quality).toMatchObject({ verdicts: 3, confirmed: 2, rejected: 1, accuracy: expect.closeTo(2 / 3), abstained: 1 })
  expect(quality.brier).toBeCloseTo((2 * 0.05 ** 2 + 0.6 ** 2) / 3)
  expect(quality.reliability.filter(({ answers }) => answers > 0)).toEqual([
    { from: 0.6, to: 0.7, answers: 1, confirmed: 0 },
    { from: 0.9, to: 1, answers: 2, confirmed: 2 },
  ])
})

test('an answer of an earlier release that blames nothing counts by its confidence in what led', () => {
  expect(toQuality([abstain(0.25, null, false)], { total: 1, abstained: 1 }).brier).toBeCloseTo(0.75 ** 2)
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

const share = fc.double({ min: 0, max: 1, noNaN: true })
const verdict = fc.record({ confidence: share, confirmed: fc.boolean() })
const ofOneKind = (confirmed: boolean) => fc.array(fc.record({ confidence: share, confirmed: fc.constant(confirmed) }), { maxLength: 500 })

test('a recalibrated confidence is a share, grows with the confidence, and ignores the order of the verdicts', () => {
  fc.assert(
    fc.property(fc.array(verdict, { maxLength: 40 }), share, (verdicts, confidence) => {
      const learned = fitRecalibration(verdicts)
      const [value, more] = [recalibrate(confidence, learned), recalibrate(Math.min(1, confidence + 0.1), learned)]
      expect(value).toBeGreaterThanOrEqual(0)
      expect(value).toBeLessThanOrEqual(1)
      expect(more).toBeGreaterThanOrEqual(value)
      expect(fitRecalibration(verdicts.toReversed())).toEqual(learned)
      expect(recalibrate(confidence, NO_RECALIBRATION)).toBe(confidence)
    }),
  )
})

test.each([
  { confirmed: false, word: 'rejections raise', isKept: (before: number, after: number) => after <= before },
  { confirmed: true, word: 'confirmations lower', isKept: (before: number, after: number) => after >= before },
])('$word no confidence', ({ confirmed, isKept }) => {
  fc.assert(
    fc.property(ofOneKind(confirmed), share, (verdicts, confidence) => {
      expect(isKept(confidence, recalibrate(confidence, fitRecalibration(verdicts)))).toBe(true)
    }),
  )
})

test('whatever is known, one more verdict moves its own confidence its own way', () => {
  fc.assert(
    fc.property(fc.array(verdict, { maxLength: 40 }), fc.double({ min: 0.15, max: 0.95, noNaN: true }), (verdicts, confidence) => {
      const after = (more: readonly JudgedConfidence[]) => recalibrate(confidence, fitRecalibration([...verdicts, ...more]))
      expect(after([{ confidence, confirmed: true }])).toBeGreaterThan(after([]))
      expect(after([{ confidence, confirmed: false }])).toBeLessThan(after([]))
    }),
  )
})

/** What is minimized: surprise at the verdicts, and distance from no change. */
function toLoss(recalibration: Recalibration, verdicts: readonly JudgedConfidence[]): number {
  const surprises = verdicts.map(({ confidence, confirmed }) => {
    const chance = recalibrate(confidence, recalibration)
    return -Math.log(confirmed ? chance : 1 - chance)
  })
  const distance = 15 * (recalibration.slope - 1) ** 2 + 3 * recalibration.shift ** 2
  return surprises.reduce((sum, surprise) => sum + surprise, distance / 2)
}

const steps = (from: number, to: number, step: number) =>
  Array.from({ length: Math.round((to - from) / step) + 1 }, (_, i) => from + i * step)
const GRID = steps(0.1, 4, 0.15).flatMap((slope) => steps(-6, 6, 0.25).map((shift) => ({ slope, shift })))

function isOptimal(verdicts: readonly JudgedConfidence[]): boolean {
  const learned = fitRecalibration(verdicts)
  const near = [0.001, 0.01, 0.1].flatMap((by) =>
    [-by, 0, by].flatMap((slope) => [-by, 0, by].map((shift) => ({ slope: learned.slope + slope, shift: learned.shift + shift }))),
  )
  const others = [...GRID, ...near].filter(({ slope }) => slope >= 0.1)
  return learned.slope >= 0.1 && toLoss(learned, verdicts) <= Math.min(...others.map((other) => toLoss(other, verdicts))) + 1e-9
}

test('nothing within the bounds fits the verdicts better', () => {
  const likely = fc.record({ confidence: fc.double({ min: 0.002, max: 0.998, noNaN: true }), confirmed: fc.boolean() })
  fc.assert(
    fc.property(fc.array(likely, { maxLength: 20 }), fc.integer({ min: 1, max: 25 }), (verdicts, times) => {
      expect(isOptimal(Array.from({ length: times }, () => verdicts).flat())).toBe(true)
    }),
    { numRuns: 40 },
  )
})

test.each([
  { name: 'rejections at .85', verdicts: repeat(500, 0.85, false), from: 0.85, to: 0.02 },
  { name: 'confirmations at .3', verdicts: repeat(500, 0.3, true), from: 0.3, to: 0.98 },
  {
    name: 'surest answers wrong, doubtful ones right',
    verdicts: [...repeat(250, 0.9, false), ...repeat(250, 0.1, true)],
    from: 0.9,
    to: 0.55,
  },
  { name: 'extremes', verdicts: [...repeat(450, 0.998, false), ...repeat(50, 0.002, true)], from: 0.9, to: 0.02 },
])('hundreds of verdicts are believed: $name', ({ verdicts, from, to }) => {
  expect(isOptimal(verdicts)).toBe(true)
  expect(recalibrate(from, fitRecalibration(verdicts))).toBeCloseTo(to, 1)
})

test('a few rejections of sure answers lower them, and raise no doubtful one', () => {
  const learned = fitRecalibration(repeat(5, 0.85, false))
  expect(recalibrate(0.85, learned)).toBeLessThan(0.7)
  expect(recalibrate(0.85, learned)).toBeGreaterThan(0.5)
  expect(recalibrate(0.15, learned)).toBeLessThan(0.15)
  expect(recalibrate(0.15, learned)).toBeGreaterThan(0.1)
})
