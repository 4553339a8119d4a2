import { expect, test } from 'vitest'
import { FIRST_PACE, isSweepDue, isUnhindered, nextPace, nextSweepAt, type SweepPace } from '../../../src/domain/window/sweep.ts'

const now = new Date('2026-01-15T10:07:00Z')
const later = now.getTime() + 1
const before = now.getTime() - 60_000

test.each([
  ['the database is in use', { isDatabaseInUse: true, dueAtMs: later, wasHereMs: before }, now, true],
  ['it is idle and nothing has run out', { isDatabaseInUse: false, dueAtMs: later, wasHereMs: before }, now, false],
  ['it is idle and all has run out', { isDatabaseInUse: false, dueAtMs: now.getTime(), wasHereMs: before }, now, true],
  ['it is idle, and the tick before was not here', { isDatabaseInUse: false, dueAtMs: later, wasHereMs: before - 60_000 }, now, true],
  ['it is idle, and no tick is known', { isDatabaseInUse: false, dueAtMs: later, wasHereMs: undefined }, now, true],
  ['nothing is known', { isDatabaseInUse: false, dueAtMs: undefined, wasHereMs: undefined }, now, true],
  ['Redis is down', undefined, now, false],
  ['Redis is down, on the hour', undefined, new Date('2026-01-15T10:00:30Z'), true],
])('when %s', (_name, hints, at, due) => {
  expect(isSweepDue(hints, at)).toBe(due)
})

test.each([
  [[undefined, undefined], '2026-01-16T10:07:00.000Z'],
  [[new Date('2026-01-15T10:37:00Z'), undefined], '2026-01-15T10:37:00.000Z'],
  [[new Date('2026-01-15T10:37:00Z'), new Date('2026-01-15T10:09:00Z')], '2026-01-15T10:09:00.000Z'],
  [[new Date('2027-01-15T10:37:00Z')], '2026-01-16T10:07:00.000Z'],
])('when %s is due the next sweep is at %s', (due, expected) => {
  expect(nextSweepAt(due, now).toISOString()).toBe(expected)
})

const watched = (isBusy: boolean, rows: number, besideOthers = 0): SweepPace => ({
  rows,
  isBusy,
  watched: { sinceMs: 0, batches: 9, besideOthers },
})

test.each([
  ['the first', FIRST_PACE, { tookMs: 10, atMs: 10, isBesideOthers: false }, { rows: 500, isBusy: true }],
  ['one before a second is over', watched(true, 1_000), { tookMs: 10, atMs: 999, isBesideOthers: false }, { rows: 1_000, isBusy: true }],
  ['three of ten beside others', watched(true, 1_000, 2), { tookMs: 10, atMs: 1_000, isBesideOthers: true }, { rows: 1_000, isBusy: true }],
  ['two of ten beside others', watched(true, 1_000, 2), { tookMs: 10, atMs: 1_000, isBesideOthers: false }, { rows: 2_000, isBusy: false }],
  ['ten beside nobody', watched(false, 5_000), { tookMs: 10, atMs: 1_000, isBesideOthers: false }, { rows: 5_000, isBusy: false }],
  [
    'ten that others came back beside',
    watched(false, 5_000, 5),
    { tookMs: 9, atMs: 2_000, isBesideOthers: true },
    { rows: 1_000, isBusy: true },
  ],
  [
    'one of what had ended ten minutes before',
    watched(true, 1_000, 5),
    { tookMs: 10, atMs: 2_000, isBesideOthers: true, lateMs: 600_000 },
    { rows: 1_000, isBusy: true },
  ],
  [
    'one of what had ended longer before',
    watched(true, 3_000, 5),
    { tookMs: 10, atMs: 2_000, isBesideOthers: true, lateMs: 600_001 },
    { rows: 5_000, isBusy: true },
  ],
  ['a slow one', watched(false, 5_000), { tookMs: 501, atMs: 900, isBesideOthers: true }, { rows: 2_500, isBusy: false }],
])('after %s a batch of the sweep is as large as that allows', (_name, pace, done, expected) => {
  const next = nextPace(pace, { rows: pace.rows, lateMs: 0, ...done })
  expect(next).toMatchObject(expected)
  expect(isUnhindered(next)).toBe(expected.rows === 5_000)
  expect(next.watched === undefined).toBe(done.atMs >= 1_000)
})
