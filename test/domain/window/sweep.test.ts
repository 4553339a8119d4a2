import { expect, test } from 'vitest'
import { isSweepDue, nextSweepAt } from '../../../src/domain/window/sweep.ts'

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
