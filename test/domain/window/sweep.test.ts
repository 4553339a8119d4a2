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

const watched = (isBusy: boolean, rows: number): SweepPace => ({ rows, isBusy, since: { atMs: 0, commits: 100, batches: 0 } })

test.each([
  ['the first', FIRST_PACE, { tookMs: 10, atMs: 10, commits: 100, batches: 1 }, { rows: 500, isBusy: true }],
  [
    'one before anything is known',
    watched(true, 1_000),
    { tookMs: 10, atMs: 999, commits: 100, batches: 9 },
    { rows: 1_000, isBusy: true },
  ],
  ['one beside ingest', watched(true, 1_000), { tookMs: 10, atMs: 1_000, commits: 131, batches: 10 }, { rows: 1_000, isBusy: true }],
  ['one beside few', watched(true, 1_000), { tookMs: 10, atMs: 1_000, commits: 130, batches: 10 }, { rows: 2_000, isBusy: false }],
  ['one beside nobody', watched(false, 5_000), { tookMs: 10, atMs: 1_000, commits: 104, batches: 4 }, { rows: 5_000, isBusy: false }],
  [
    'one that ingest came back beside',
    watched(false, 5_000),
    { tookMs: 10, atMs: 2_000, commits: 200, batches: 4 },
    { rows: 1_000, isBusy: true },
  ],
  ['a slow one', watched(false, 5_000), { tookMs: 501, atMs: 900, commits: 104, batches: 4 }, { rows: 2_500, isBusy: false }],
])('after %s a batch of the sweep is as large as that allows', (_name, pace, done, expected) => {
  const next = nextPace(pace, { rows: pace.rows, ...done })
  expect(next).toMatchObject(expected)
  expect(isUnhindered(next)).toBe(expected.rows === 5_000)
  expect(next.since).toEqual(
    done.atMs < 1_000 && pace.since ? pace.since : { atMs: done.atMs, commits: done.commits, batches: done.batches },
  )
})
