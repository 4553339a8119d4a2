import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EVENT_TYPES } from '../../src/domain/event.ts'
import { toId } from '../../src/domain/ids.ts'
import {
  buildWindow,
  type ChangeText,
  type CopiedChange,
  type CopyRepair,
  coversAll,
  deadChanges,
  planRepair,
  type StoredChange,
  type WindowCopy,
} from '../../src/domain/state-window.ts'

const now = new Date('2026-01-15T10:00:00Z')
const at = (seconds: number) => new Date(now.getTime() + seconds * 1000)

const text: ChangeText = { eventType: 'deploy', vendor: 'argocd', entity: 'app', oldValue: null, newValue: 'ok', actor: null, sha: 'a1' }

const stored = (fields: Partial<StoredChange> = {}): StoredChange => ({
  changeKey: 'k1',
  id: toId('00000000-0000-4000-8000-000000000001'),
  confidence: 0.9,
  timestamp: at(-60),
  firstTimestamp: at(-120),
  joinedBy: 'service_name',
  lastReceivedAt: at(-60),
  expiresAt: at(840),
  earliestExpiresAt: at(780),
  orderedAt: at(-60),
  count: 2,
  followsGap: false,
  text: undefined,
  ...fields,
})

const copied = (fields: Partial<CopiedChange> = {}): CopiedChange => ({
  text,
  expiresAtMs: at(840).getTime(),
  count: 2,
  firstTimestampMs: at(-120).getTime(),
  earliestExpiresAtMs: at(780).getTime(),
  ...fields,
})

const copyOf = (...changes: CopiedChange[]): WindowCopy => new Map(changes.map((change, index) => [`k${index + 1}`, change]))

const expired = at(-1).getTime()

describe('a copy that agrees', () => {
  test.each([
    ['to the letter', stored(), copied()],
    [
      'with more than Postgres still stores, of which some was swept',
      stored(),
      copied({ count: 9, earliestExpiresAtMs: expired, firstTimestampMs: at(-500).getTime() }),
    ],
    ['but for a merge that came after Postgres was asked', stored({ lastReceivedAt: at(-1) }), copied({ count: 3 })],
    ['but for a merge that is under way', stored({ lastReceivedAt: at(-1) }), copied({ count: 1 })],
  ])('%s needs no repair', (_name, change, copy) => {
    expect(planRepair([change], copyOf(copy), now)).toBeUndefined()
  })
})

describe('a copy that differs', () => {
  test.each([
    ['a change without its text', stored({ text }), copied({ text: undefined }), true],
    ['too early an expiry', stored(), copied({ expiresAtMs: at(100).getTime() }), true],
    [
      'too early an expiry while merges may be under way',
      stored({ lastReceivedAt: at(-1) }),
      copied({ expiresAtMs: at(100).getTime() }),
      false,
    ],
    ['too low a count', stored(), copied({ count: 1 }), true],
    ['too high a count while nothing was swept', stored(), copied({ count: 3 }), true],
    ['an earlier life’s count', stored({ followsGap: true }), copied({ count: 3, earliestExpiresAtMs: expired }), true],
    ['too late a first time', stored(), copied({ firstTimestampMs: at(0).getTime() }), true],
    ['no count', stored(), copied({ count: undefined }), true],
  ])('in %s is repaired', (_name, change, copy, isFinal) => {
    expect(planRepair([change], copyOf(copy), now)?.write).toMatchObject([{ changeKey: 'k1', isFinal }])
  })

  test('only in what has expired is rid of that', () => {
    const dead = copyOf(copied({ expiresAtMs: expired }), copied({ text: undefined, expiresAtMs: Number.NEGATIVE_INFINITY }))
    expect(planRepair([], dead, now)).toEqual({ write: [], remove: ['k1', 'k2'] })
    expect(deadChanges(dead, now)).toEqual(['k1', 'k2'])
  })
})

describe('a window', () => {
  const only = (change: StoredChange, copy: WindowCopy) => buildWindow([change], copy, now).entries.deploy[0]

  test.each([
    ['Postgres’s while nothing was swept', stored(), copied({ count: 7 }), 2],
    ['the copy’s once something was', stored(), copied({ count: 7, earliestExpiresAtMs: expired }), 7],
    ['Postgres’s when the copy has less', stored({ count: 9 }), copied({ count: 7, earliestExpiresAtMs: expired }), 9],
    ['Postgres’s in a new life', stored({ followsGap: true }), copied({ count: 7, earliestExpiresAtMs: expired }), 2],
    ['Postgres’s without a copy', stored({ text }), undefined, 2],
  ])('has the count that is %s', (_name, change, copy, count) => {
    expect(only(change, copy ? copyOf(copy) : new Map())?.count).toBe(count)
  })

  test('has all nine lists and the latest receipt', () => {
    const window = buildWindow([], new Map(), now)
    expect(Object.keys(window.entries)).toEqual([...EVENT_TYPES])
    expect(window.updatedAt).toBeNull()
    expect(buildWindow([stored(), stored({ lastReceivedAt: at(-5) })], copyOf(copied()), now).updatedAt).toEqual(at(-5))
  })
})

/** What Redis does with a repair: final totals replace, an expiry only grows. */
function apply(copy: WindowCopy, { write, remove }: CopyRepair): WindowCopy {
  const next = new Map(copy)
  for (const key of remove) next.delete(key)
  for (const { changeKey, text: words, totals, isFinal } of write) {
    const known =
      next.get(changeKey) ?? copied({ count: undefined, firstTimestampMs: undefined, earliestExpiresAtMs: undefined, expiresAtMs: 0 })
    const expiresAtMs = Math.max(known.expiresAtMs, totals.expiresAtMs)
    next.set(changeKey, { ...known, ...(isFinal ? totals : {}), text: words, expiresAtMs })
  }
  return next
}

const seconds = (min: number, max: number) => fc.integer({ min, max })
const anyStored = fc
  .record({
    received: seconds(-900, 0),
    life: seconds(1, 900),
    early: seconds(0, 1_200),
    first: seconds(0, 900),
    count: seconds(1, 50),
    followsGap: fc.boolean(),
  })
  .map(({ received, life, early, first, count, followsGap }) =>
    stored({
      text,
      lastReceivedAt: at(received),
      timestamp: at(received),
      orderedAt: at(received),
      firstTimestamp: at(received - first),
      expiresAt: at(life),
      earliestExpiresAt: at(life - early),
      count,
      followsGap,
    }),
  )
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined })
const ms = seconds(-2_000, 2_000).map((offset) => at(offset).getTime())
const anyCopied = fc.record({
  text: maybe(fc.constant(text)),
  expiresAtMs: ms,
  count: maybe(seconds(0, 99)),
  firstTimestampMs: maybe(ms),
  earliestExpiresAtMs: maybe(ms),
})
const anyWindow = fc.tuple(
  fc.array(anyStored, { maxLength: 5 }).map((changes) => changes.map((change, index) => ({ ...change, changeKey: `k${index + 1}` }))),
  fc.array(anyCopied, { maxLength: 7 }).map((changes) => copyOf(...changes)),
)

test('any copy, however damaged, is whole after one repair and shows every stored change', () => {
  fc.assert(
    fc.property(anyWindow, ([changes, copy]) => {
      const plan = planRepair(changes, copy, now)
      const repaired = plan ? apply(copy, plan) : copy
      expect(coversAll(changes, repaired)).toBe(true)
      expect(planRepair(changes, repaired, now)).toBeUndefined()

      const [before, after] = [buildWindow(changes, copy, now), buildWindow(changes, repaired, now)]
      expect(before.entries.deploy).toHaveLength(changes.length)
      for (const [place, entry] of after.entries.deploy.entries()) {
        expect(entry.count).toBe(before.entries.deploy[place]?.count)
        expect(entry.firstTimestamp).toEqual(before.entries.deploy[place]?.firstTimestamp)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('the order of what Postgres answers never matters', () => {
  fc.assert(
    fc.property(anyWindow, ([changes, copy]) => {
      expect(buildWindow(changes.toReversed(), copy, now)).toEqual(buildWindow(changes, copy, now))
    }),
  )
})
