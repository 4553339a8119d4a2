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
const ALERT = { name: 'alert', atMs: NOON } as const
const draw = (input: Partial<TimelineInput>) => layOut({ lanes: [], moments: [ALERT], path: [], untilMs: NOON + MINUTE, ...input })
const failure = (minute: number, fields: Partial<Mark> = {}) => mark(minute, { type: 'dependency_failure', ...fields })

test('the way starts at the blamed mark, goes along time, then down into what it caused', () => {
  const { path, lanes } = draw({
    lanes: [
      lane('payments', mark(-40, { cite: 1, id: 'old' }), mark(-10, { cite: 2, id: 'blamed' })),
      lane('checkout', failure(-5, { cite: 3, toMs: NOON, count: 9 })),
    ],
    path: ['payments', 'checkout'],
    causeId: 'blamed',
  })
  const blamed = lanes[0]?.marks.find(({ isCause }) => isCause)
  const symptom = lanes[1]?.marks[0]
  expect(path).toEqual([
    { x1: blamed?.fromX, y1: blamed?.y, x2: symptom?.fromX, y2: blamed?.y, isTip: false },
    { x1: symptom?.fromX, y1: blamed?.y, x2: symptom?.fromX, y2: (symptom?.y ?? 0) - 12, isTip: true },
  ])
})

test('a way whose last lane holds nothing cited ends at the alert; without a cause there is none', () => {
  const input = { lanes: [lane('payments', mark(-10, { cite: 1, id: 'c' })), lane('checkout')], path: ['payments', 'checkout'] }
  const { path, moments } = draw({ ...input, causeId: 'c' })
  expect(path.at(-1)).toMatchObject({ x2: moments[0]?.x, isTip: true })
  expect(draw(input).path).toEqual([])
})

test('where nothing is blamed, the way leads from what failed first up to what it made fail', () => {
  const { path, lanes } = draw({
    lanes: [lane('checkout', failure(-5, { cite: 2 })), lane('refunds', failure(-10, { cite: 1, id: 'first' }))],
    path: ['checkout'],
    originId: 'first',
  })
  const [to, from] = lanes.map(({ marks }) => marks[0])
  expect(path).toEqual([
    { x1: from?.fromX, y1: from?.y, x2: to?.fromX, y2: from?.y, isTip: false },
    { x1: to?.fromX, y1: from?.y, x2: to?.fromX, y2: (to?.y ?? 0) + 12, isTip: true },
  ])
})

test('where nobody tells of changes there is a row to say so, from then to the end', () => {
  const silent = (silentSinceMs: number | undefined) =>
    draw({ lanes: [{ ...lane('a', failure(-5, { cite: 1 })), silentSinceMs }] }).lanes[0]
  const [told, never, since] = [silent(undefined), silent(Number.NEGATIVE_INFINITY), silent(NOON)]
  expect(told?.silence).toBeUndefined()
  expect([never?.silence?.x, never?.height]).toEqual([4, (told?.height ?? 0) + 24])
  expect(since?.silence?.x).toBeGreaterThan(50)
  expect(silent(NOON + 60 * MINUTE)?.silence).toBeUndefined()
})

test('what came later than what is farther down the way is beside it', () => {
  const { path } = draw({
    lanes: [lane('a', mark(-20, { cite: 1, id: 'c' }), failure(-1, { cite: 3 })), lane('b', failure(-10, { cite: 2 }))],
    path: ['a', 'b'],
    causeId: 'c',
  })
  expect(path.filter(({ isTip }) => isTip)).toHaveLength(1)
})

test('a cause of long before is left of a break, and minutes stay minutes', () => {
  const { breakX, lanes, range, ticks } = draw({
    lanes: [lane('a', mark(-1_200, { cite: 1, id: 'c' }), failure(-5, { cite: 2 }))],
    causeId: 'c',
  })
  const [cause, first] = lanes[0]?.marks ?? []
  expect(cause?.x).toBeLessThan(breakX ?? 0)
  expect(first?.fromX).toBeGreaterThan(breakX ?? 100)
  expect(range.endMs - range.startMs).toBeLessThan(15 * MINUTE)
  expect(ticks[0]?.day).toBe('22 Nov')
})

test.each([
  { name: 'near changes are one, which is the blamed', marks: [mark(-1, { id: 'c' }), mark(-1.05, { cite: 1 })], cites: [[1]], cause: 'c' },
  {
    name: 'cited ones have their numbers',
    marks: [mark(-1, { cite: 1 }), mark(-1.05, { cite: 2 }), mark(-4, { cite: 3 })],
    cites: [[3], [1, 2]],
  },
  {
    name: 'bars of one kind that go on together are one',
    marks: [failure(-4, { cite: 1, toMs: NOON }), failure(-1, { cite: 2 })],
    cites: [[1, 2]],
  },
  {
    name: 'what is cited does not vanish in what is not',
    marks: [failure(-4, { toMs: NOON }), failure(-1, { cite: 2 })],
    cites: [[], [2]],
  },
  {
    name: 'changes and each kind of symptom have rows',
    marks: [mark(-1, { cite: 1 }), failure(-1, { cite: 2 }), mark(-1, { type: 'restart', cite: 3 })],
    cites: [[1], [2], [3]],
  },
])('$name', ({ marks, cites, cause }) => {
  const placed = draw({ lanes: [lane('a', ...marks)], causeId: cause }).lanes[0]?.marks ?? []
  expect(placed.map((one) => one.cites)).toEqual(cites)
  if (cause) expect(placed[0]?.id).toBe(cause)
})

test('what there is no room for is counted', () => {
  const flood = Array.from({ length: 300 }, (_, place) => mark(-place / 10, { id: `f${place}` }))
  const { lanes, left } = draw({
    lanes: [lane('a', ...flood, mark(-50, { cite: 1 })), ...Array.from({ length: 20 }, (_, n) => lane(`b${n}`))],
  })
  const shown = lanes.flatMap(({ marks }) => marks)
  expect(shown.some(({ cites }) => cites.includes(1))).toBe(true)
  expect(shown.length).toBeLessThan(20)
  expect(shown.reduce((sum, { merged }) => sum + 1 + merged, 0) + left.marks).toBe(301)
  expect(lanes.length + left.lanes.length).toBe(21)
})

test('the whole day is a day', () => {
  const { range } = draw({ isWholeDay: true })
  expect(range.endMs - range.startMs).toBe(24 * 60 * MINUTE)
})

const Marks = fc.array(
  fc
    .record({
      id: fc.integer({ min: 0, max: 9 }).map(String),
      type: fc.constantFrom(...EVENT_TYPES, 'undone' as const, 'well' as const),
      fromMs: fc.integer({ min: NOON - 400 * 86_400_000, max: NOON + 86_400_000 }),
      lengthMs: fc.integer({ min: 0, max: 10_000_000 }),
      count: fc.integer({ min: 1, max: 99 }),
      cite: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    })
    .map(({ lengthMs, ...fields }) => ({ ...fields, text: '', toMs: fields.fromMs + lengthMs })),
  { maxLength: 40 },
)

test('whatever there is, it is drawn within the picture, and nothing covers its neighbour', () => {
  const names = ['a', 'b', 'c', 'd']
  const moment = (name: 'trouble' | 'alert' | 'undone') => fc.integer({ min: NOON - 86_400_000, max: NOON }).map((atMs) => ({ name, atMs }))
  const input = fc.record({
    lanes: fc.array(
      fc.record({
        name: fc.constantFrom(...names),
        note: fc.constant(''),
        marks: Marks,
        silentSinceMs: fc.constantFrom(undefined, -Infinity, NOON),
      }),
      { maxLength: 12 },
    ),
    moments: fc.oneof(fc.constant([]), fc.tuple(moment('alert')), fc.tuple(moment('trouble'), moment('alert'), moment('undone'))),
    causeId: fc.constantFrom(undefined, '0', '3'),
    originId: fc.constantFrom(undefined, '1'),
    path: fc.subarray(names),
    untilMs: fc.integer({ min: NOON - 86_400_000, max: NOON + 86_400_000 }),
    isWholeDay: fc.boolean(),
  })
  fc.assert(
    fc.property(input, (given) => {
      const { lanes, ticks, moments, path, height } = layOut(given)
      const marks = lanes.flatMap((one) => one.marks)
      const across = [
        ...marks.flatMap(({ x, fromX }) => [x, fromX]),
        ...lanes.flatMap(({ silence }) => (silence ? [silence.x] : [])),
        ...ticks.map(({ x }) => x),
        ...moments.map(({ x }) => x),
        ...path.flatMap(({ x1, x2 }) => [x1, x2]),
      ]
      const down = [...marks.map(({ y }) => y), ...path.flatMap(({ y1, y2 }) => [y1, y2])]
      expect(across.every((x) => x >= 0 && x <= 100)).toBe(true)
      expect(down.every((y) => y >= 0 && y <= height)).toBe(true)
      expect(marks.every(({ x, fromX }) => fromX <= x)).toBe(true)
      expect(ticks.length).toBeLessThanOrEqual(7)
      for (const { marks: own } of lanes) {
        for (const row of Map.groupBy(own, ({ y }) => y).values()) {
          const places = row.map(({ fromX }) => fromX)
          expect(places.slice(1).every((x, place) => x - (places[place] ?? 0) >= 6)).toBe(true)
        }
      }
    }),
    { numRuns: 300 },
  )
})
