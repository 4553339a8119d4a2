import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Lane, layOut, type Mark, type TimelineInput } from '../../src/dashboard/timeline.ts'
import { EVENT_TYPES } from '../../src/domain/event/event.ts'

const NOON = Date.parse('2026-11-22T12:00:00Z')
const MINUTE = 60_000

const mark = (minute: number, fields: Partial<Mark> = {}): Mark => {
  const ms = NOON + minute * MINUTE
  return { id: String(minute), type: 'deploy', fromMs: ms, toMs: ms, count: 1, text: '', cite: undefined, ...fields }
}
const lane = (name: string, ...marks: Mark[]): Lane => ({ name, note: '', marks })
const draw = (input: Partial<TimelineInput>) =>
  layOut({ lanes: [], alertMs: NOON, onsetMs: undefined, path: [], untilMs: NOON + MINUTE, ...input })

test('the cause is left of what it caused, in the order of the path', () => {
  const timeline = draw({
    lanes: [lane('payments', mark(-10, { cite: 1 })), lane('checkout', mark(-5, { cite: 2, type: 'dependency_failure' }))],
    path: ['payments', 'checkout'],
    onsetMs: NOON - 5 * MINUTE,
  })
  const [first, last] = timeline.path
  const [payments, checkout] = timeline.lanes
  expect(timeline.path).toHaveLength(2)
  expect([first?.x1, first?.y1]).toEqual([payments?.marks[0]?.x, payments?.marks[0]?.y])
  expect([last?.x2, last?.y2]).toEqual([timeline.alertX, checkout?.marks[0]?.y])
  expect(timeline.onsetX).toBe(checkout?.marks[0]?.x)
})

test('a path whose last lane holds nothing cited still ends at the alert', () => {
  const timeline = draw({ lanes: [lane('payments', mark(-10, { cite: 1 })), lane('checkout')], path: ['payments', 'checkout'] })
  expect(timeline.path).toHaveLength(1)
  expect(timeline.path[0]?.x2).toBe(timeline.alertX)
})

test('what was cited is in the picture however old; what is old besides is at its edge', () => {
  const timeline = draw({ lanes: [lane('a', mark(-600, { cite: 1 }), mark(-900), mark(-1))] })
  const [oldest, cited] = timeline.lanes[0]?.marks ?? []
  expect(oldest).toMatchObject({ isCut: true })
  expect(cited).toMatchObject({ isCut: false, cite: 1 })
})

test('what would cover each other is on rows of its own', () => {
  const marks = draw({ lanes: [lane('a', mark(-1), mark(-1.05), mark(-30))] }).lanes[0]?.marks ?? []
  expect(new Set(marks.map(({ y }) => y)).size).toBe(2)
})

test('of a flood the cited marks stay, and the rest is counted', () => {
  const flood = Array.from({ length: 300 }, (_, place) => mark(-place / 10, { id: `f${place}` }))
  const timeline = draw({ lanes: [lane('a', ...flood, mark(-50, { cite: 1 })), ...Array.from({ length: 20 }, (_, n) => lane(`b${n}`))] })
  const shown = timeline.lanes.flatMap(({ marks }) => marks)
  expect(shown.some(({ cite }) => cite === 1)).toBe(true)
  expect(shown.length + timeline.left.marks).toBe(301)
  expect(timeline.lanes.length + timeline.left.lanes).toBe(21)
})

const Marks = fc.array(
  fc
    .record({
      type: fc.constantFrom(...EVENT_TYPES),
      fromMs: fc.integer({ min: NOON - 400 * 86_400_000, max: NOON + 86_400_000 }),
      lengthMs: fc.integer({ min: 0, max: 10_000_000 }),
      count: fc.integer({ min: 1, max: 99 }),
      cite: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    })
    .map(({ lengthMs, ...fields }) => ({ ...fields, id: '', text: '', toMs: fields.fromMs + lengthMs })),
  { maxLength: 40 },
)

test('whatever there is, it is drawn within the picture', () => {
  const names = ['a', 'b', 'c', 'd']
  const input = fc.record({
    lanes: fc.array(fc.record({ name: fc.constantFrom(...names), note: fc.constant(''), marks: Marks }), { maxLength: 12 }),
    alertMs: fc.option(fc.integer({ min: NOON - 86_400_000, max: NOON }), { nil: undefined }),
    onsetMs: fc.option(fc.integer({ min: NOON - 86_400_000, max: NOON }), { nil: undefined }),
    path: fc.subarray(names),
    untilMs: fc.integer({ min: NOON - 86_400_000, max: NOON + 86_400_000 }),
  })
  fc.assert(
    fc.property(input, (given) => {
      const { lanes, ticks, alertX, onsetX, path, height } = layOut(given)
      const marks = lanes.flatMap((one) => one.marks)
      const across = [
        ...marks.flatMap(({ x, fromX }) => [x, fromX]),
        ...ticks.map(({ x }) => x),
        ...[alertX, onsetX].filter((x) => x !== undefined),
        ...path.flatMap(({ x1, x2 }) => [x1, x2]),
      ]
      const down = [...marks.map(({ y }) => y), ...path.flatMap(({ y1, y2 }) => [y1, y2])]
      expect(across.every((x) => x >= 0 && x <= 100)).toBe(true)
      expect(down.every((y) => y >= 0 && y <= height)).toBe(true)
      expect(marks.every(({ x, fromX }) => fromX <= x)).toBe(true)
      expect(ticks.length).toBeLessThanOrEqual(7)
    }),
    { numRuns: 300 },
  )
})
