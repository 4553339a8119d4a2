import { expect, test } from 'vitest'
import { type EventId, toId } from '../../../src/domain/ids.ts'
import { splitBurst, toWhole } from '../../../src/domain/window/burst.ts'
import type { StoredLife } from '../../../src/domain/window/copy.ts'

const AT = Date.parse('2026-03-01T12:00:00Z')
const idOf = (index: number) => toId<EventId>(`00000000-0000-4000-8000-${String(index).padStart(12, '0')}`)
const at = (seconds: number) => new Date(AT + 1_000 * seconds)

/** A life of occurrences at these seconds, from the first on. */
function lifeOf(seconds: readonly number[]): StoredLife {
  const [first = 0, last = 0] = [seconds[0], seconds.at(-1)]
  const times = { timestamp: at(last), orderedAt: at(last), firstTimestamp: at(first), lastReceivedAt: at(last) }
  const rest = { joinedBy: 'service_name' as const, isCounted: true, isExpired: false, confidence: 0.9, url: null, details: null }
  return {
    ...{ lifeKey: `${idOf(99)}65e1c800`, id: idOf(seconds.length), text: undefined, count: seconds.length },
    ...{ ...times, ...rest, expiresAt: at(last + 900), earliestExpiresAt: at(first + 900) },
  }
}

const every = (count: number, from: number, gap: number) => Array.from({ length: count }, (_, index) => from + index * gap)
const TRICKLE = every(24, -14_400, 580)

test.each([
  { name: 'a trickle', seconds: TRICKLE, parts: [24], since: [-14_400] },
  { name: 'a trickle that bursts', seconds: [...TRICKLE, ...every(60, -200, 3)], parts: [24, 60], since: [-14_400, -200] },
  {
    name: 'a slow trickle and a short burst',
    seconds: [...every(4, -9_000, 2_000), ...every(8, -60, 5)],
    parts: [4, 8],
    since: [-9_000, -60],
  },
  { name: 'a burst', seconds: every(60, -200, 3), parts: [60], since: [-200] },
  { name: 'what comes a little more often', seconds: [...every(20, -3_000, 100), ...every(30, -900, 30)], parts: [50], since: [-3_000] },
  { name: 'two at the end', seconds: [...TRICKLE, -3, -1], parts: [26], since: [-14_400] },
])('$name is of $parts', ({ seconds, parts, since }) => {
  const life = lifeOf(seconds)
  const occurrences = seconds.map((second, before) => ({ id: idOf(before), atMs: AT + 1_000 * second, before }))
  const split = splitBurst(life, occurrences)

  expect(split.map(({ count }) => count)).toEqual(parts)
  expect(split.map(({ firstTimestamp }) => firstTimestamp)).toEqual(since.map(at))
  expect(split.at(-1)).toMatchObject({ id: life.id, lifeKey: life.lifeKey, timestamp: life.timestamp })
})

test('of occurrences of which every fourth is known the burst is found all the same', () => {
  const seconds = [...TRICKLE, ...every(200, -200, 1)]
  const known = seconds.flatMap((second, before) => (before % 4 === 0 ? [{ id: idOf(before), atMs: AT + 1_000 * second, before }] : []))

  expect(splitBurst(lifeOf(seconds), known).map(({ count, firstTimestamp }) => [count, firstTimestamp])).toEqual([
    [24, at(-14_400)],
    [200, at(-200)],
  ])
})

/** The same as one that appeared at a second and of which a sweep took what had expired 900 seconds later. */
function sweep(seconds: readonly number[], appeared: number): StoredLife {
  const life = lifeOf(seconds)
  return { ...life, lifeKey: `${life.lifeKey.slice(0, 36)}${(at(appeared).getTime() / 1_000).toString(16)}` }
}

test.each([
  { name: 'what goes on', seconds: every(90, -890, 10), appeared: -1_800, since: -1_800, count: 181 },
  { name: 'what goes on, of which the sweep left some', seconds: every(110, -1_090, 10), appeared: -1_800, since: -1_800, count: 181 },
  { name: 'batches', seconds: every(14, -830, 60).flatMap((second) => every(10, second, 0)), appeared: -3_600, since: -3_600, count: 634 },
  { name: 'what comes every ten minutes', seconds: [-600, 0], appeared: -6_000, since: -6_000, count: 11 },
  { name: 'the last of what comes every quarter of an hour', seconds: [-20], appeared: -9_000, since: -9_000, count: 11 },
  { name: 'a trickle that was swept before its burst', seconds: every(60, -300, 5), appeared: -9_000, since: -300, count: 60 },
  { name: 'what nothing was swept of', seconds: every(60, -299, 5), appeared: -300, since: -299, count: 60 },
])('$name began when its key says, if it did not rest since', ({ seconds, appeared, since, count }) => {
  expect(toWhole(sweep(seconds, appeared), at(2))).toMatchObject({ firstTimestamp: at(since), count })
})
