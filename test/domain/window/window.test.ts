import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ChangeText, EVENT_TYPES } from '../../../src/domain/event/event.ts'
import { toId } from '../../../src/domain/ids.ts'
import {
  type CopiedLife,
  type CopyRepair,
  coversAll,
  type LifeTotals,
  planRepair,
  type StoredLife,
  type WindowCopy,
} from '../../../src/domain/window/copy.ts'
import { toToldText, toToldWindow, toWindowDocument } from '../../../src/domain/window/document.ts'
import { boundWindow, buildWindow } from '../../../src/domain/window/window.ts'

const now = new Date('2026-01-15T10:00:00Z')
const at = (seconds: number) => new Date(now.getTime() + seconds * 1000)

const text: ChangeText = {
  eventType: 'deploy',
  vendor: 'argocd',
  entity: 'app',
  oldValue: null,
  newValue: 'ok',
  actor: null,
  sha: 'a1',
  environment: null,
}

/** The key of the first, second… change, in a life that began at second 1. */
const keyOf = (index: number) => `${String(index).padStart(36, '0')}00000001`

const stored = (fields: Partial<StoredLife> = {}): StoredLife => ({
  lifeKey: keyOf(1),
  id: toId('00000000-0000-4000-8000-000000000001'),
  confidence: 0.9,
  timestamp: at(-60),
  orderedAt: at(-60),
  joinedBy: 'service_name',
  firstTimestamp: at(-120),
  lastReceivedAt: at(-60),
  expiresAt: at(840),
  earliestExpiresAt: at(780),
  count: 2,
  isCounted: true,
  url: null,
  details: null,
  isExpired: false,
  text: undefined,
  ...fields,
})

const TOTALS: LifeTotals = {
  count: 2,
  firstTimestampMs: at(-120).getTime(),
  latestMs: at(-60).getTime(),
  earliestExpiresAtMs: at(780).getTime(),
}

const copied = (totals: Partial<LifeTotals> = {}, fields: Partial<CopiedLife> = {}): CopiedLife => ({
  text,
  expiresAtMs: at(840).getTime(),
  ...fields,
  totals: { ...TOTALS, ...totals },
})

const copyOf = (...lives: CopiedLife[]): WindowCopy => new Map(lives.map((life, index) => [keyOf(index + 1), life]))

const expired = at(-1).getTime()

describe('a copy that agrees', () => {
  test.each([
    ['to the letter', stored(), copied()],
    [
      'with more than Postgres still stores, of which some was swept',
      stored(),
      copied({ count: 9, earliestExpiresAtMs: expired, firstTimestampMs: at(-500).getTime(), latestMs: at(-50).getTime() }),
    ],
    ['with more than Postgres looked at', stored({ isCounted: false }), copied({ count: 9 })],
    ['but for a merge that came after Postgres was asked', stored({ lastReceivedAt: at(-1) }), copied({ count: 3 })],
    ['but for a merge that is under way', stored({ lastReceivedAt: at(-1) }), copied({ count: 1 })],
  ])('%s needs no repair', (_name, life, copy) => {
    expect(planRepair([life], copyOf(copy), now)).toBeUndefined()
  })
})

describe('a copy that differs', () => {
  const { count: _, ...uncounted } = TOTALS
  test.each([
    ['a life without its text', stored({ text }), copied({}, { text: undefined }), true],
    ['too early an expiry', stored(), copied({}, { expiresAtMs: at(100).getTime() }), true],
    [
      'too early an expiry while merges may be under way',
      stored({ lastReceivedAt: at(-1) }),
      copied({}, { expiresAtMs: at(100).getTime() }),
      false,
    ],
    ['too low a count', stored(), copied({ count: 1 }), true],
    ['too low a count where Postgres has not counted all', stored({ isCounted: false }), copied({ count: 1 }), true],
    ['too high a count while nothing was swept', stored(), copied({ count: 3 }), true],
    ['too late a first time', stored(), copied({ firstTimestampMs: at(0).getTime() }), true],
    ['too early a latest time', stored(), copied({ latestMs: at(-70).getTime() }), true],
    ['no count', stored(), { ...copied(), totals: uncounted }, true],
  ])('in %s is repaired', (_name, life, copy, isFinal) => {
    const plan = planRepair([life], copyOf(copy), now)
    expect(plan?.write).toMatchObject([{ lifeKey: keyOf(1) }])
    expect(plan?.write[0]?.totals !== undefined).toBe(isFinal)
  })

  test('only in what has expired is rid of that', () => {
    const dead = copyOf(copied({}, { expiresAtMs: expired }), copied({}, { text: undefined, expiresAtMs: Number.NEGATIVE_INFINITY }))
    expect(planRepair([], dead, now)).toEqual({
      write: [],
      remove: [
        { lifeKey: keyOf(1), text },
        { lifeKey: keyOf(2), text: undefined },
      ],
    })
  })
})

describe('a window', () => {
  const only = (life: StoredLife, copy: WindowCopy) => buildWindow([life], copy, now).entries.deploy[0]

  test.each([
    ['Postgres’s while nothing was swept', stored(), copied({ count: 7 }), 2],
    ['the copy’s once something was', stored(), copied({ count: 7, earliestExpiresAtMs: expired }), 7],
    ['the copy’s where Postgres has not counted all', stored({ isCounted: false }), copied({ count: 7 }), 7],
    ['Postgres’s when the copy has less', stored({ count: 9 }), copied({ count: 7, earliestExpiresAtMs: expired }), 9],
    ['Postgres’s without a copy', stored({ text }), undefined, 2],
  ])('has the count that is %s', (_name, life, copy, count) => {
    expect(only(life, copy ? copyOf(copy) : new Map())?.count).toBe(count)
  })

  test('remembers the time of a latest occurrence that was swept', () => {
    const latestMs = at(-30).getTime()
    expect(only(stored(), copyOf(copied({ latestMs, earliestExpiresAtMs: expired })))?.timestamp).toEqual(at(-30))
    expect(only(stored(), copyOf(copied()))?.timestamp).toEqual(at(-60))
  })

  test('folds the lives that one change has in several services', () => {
    const elsewhere = stored({
      lifeKey: `${keyOf(1).slice(0, 36)}00000002`,
      text,
      orderedAt: at(-10),
      timestamp: at(-10),
      joinedBy: 'entity',
      count: 5,
    })
    const [entry, ...others] = buildWindow([stored({ text }), elsewhere], new Map(), now).entries.deploy
    expect(others).toEqual([])
    expect(entry).toMatchObject({ count: 7, timestamp: at(-10), firstTimestamp: at(-120), joinedBy: 'service_name' })
  })

  test('has all nine lists and the latest receipt', () => {
    const window = buildWindow([], new Map(), now)
    expect(Object.keys(window.entries)).toEqual([...EVENT_TYPES])
    expect(window.updatedAt).toBeNull()
    expect(buildWindow([stored(), stored({ lastReceivedAt: at(-5) })], copyOf(copied()), now).updatedAt).toEqual(at(-5))
  })
})

/** What Redis does with a repair: totals replace, an expiry only grows. */
function apply(copy: WindowCopy, { write, remove }: CopyRepair): WindowCopy {
  const next = new Map(copy)
  for (const { lifeKey } of remove) next.delete(lifeKey)
  for (const { lifeKey, text: words, expiresAtMs, totals } of write) {
    const known = next.get(lifeKey) ?? { text: undefined, expiresAtMs: 0, totals: {} }
    next.set(lifeKey, { text: words, expiresAtMs: Math.max(known.expiresAtMs, expiresAtMs), totals: totals ?? known.totals })
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
    isCounted: fc.boolean(),
  })
  .map(({ received, life, early, first, count, isCounted }) =>
    stored({
      text,
      lastReceivedAt: at(received),
      timestamp: at(received),
      orderedAt: at(received),
      firstTimestamp: at(received - first),
      expiresAt: at(life),
      earliestExpiresAt: at(life - early),
      count,
      isCounted,
    }),
  )
const ms = seconds(-2_000, 2_000).map((offset) => at(offset).getTime())
const anyCopied = fc.record({
  text: fc.option(fc.constant(text), { nil: undefined }),
  expiresAtMs: ms,
  totals: fc.record({ count: seconds(0, 99), firstTimestampMs: ms, latestMs: ms, earliestExpiresAtMs: ms }, { requiredKeys: [] }),
})
const anyWindow = fc.tuple(
  fc.array(anyStored, { maxLength: 5 }).map((changes) => changes.map((change, index) => ({ ...change, lifeKey: keyOf(index + 1) }))),
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
      expect(after).toEqual(before)
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

describe('a window that is too large', () => {
  const flood = (count: number, sizeOf: (index: number) => number, eventType: 'deploy' | 'saturation') =>
    Array.from({ length: count }, (_, index) =>
      stored({
        lifeKey: keyOf(index + (eventType === 'deploy' ? 5_000 : 1)),
        orderedAt: new Date(index),
        text: { ...text, eventType, newValue: 'ü'.repeat(sizeOf(index)) },
      }),
    )

  test.each([
    { name: 'in changes of a type', lives: flood(1_001, () => 1, 'saturation'), shown: 1_000 },
    { name: 'in bytes', lives: flood(1_000, () => 8_000, 'saturation'), shown: 250 },
  ])('$name shows the latest, and says so', ({ lives, shown }) => {
    const window = boundWindow(buildWindow([...flood(3, () => 1, 'deploy'), ...lives], new Map(), now))
    expect(window.isPart).toBe(true)
    expect(window.entries.deploy).toHaveLength(3)
    expect(window.entries.saturation).toHaveLength(shown)
    expect(window.entries.saturation.at(-1)?.newValue).toBe(lives.at(-1)?.text?.newValue)
    const answer = JSON.stringify(toWindowDocument({ service: 'checkout', window }))
    expect(new TextEncoder().encode(answer).length).toBeLessThan(4.2 * 1_048_576)
    expect(JSON.parse(answer).partial).toBe(true)
    const told = [...toToldText({ service: 'check"out', window })]
    expect(told.join('')).toBe(JSON.stringify(toToldWindow(toWindowDocument({ service: 'check"out', window }))))
    expect(told.length).toBeGreaterThan(15)
  })

  test.each([
    ['nothing', []],
    ['a few', flood(3, (index) => index, 'deploy').map((life) => ({ ...life, text: { ...text, actor: 'jo@acme.com' } }))],
    ['just as many as make a piece', flood(200, () => 1, 'deploy')],
  ])('%s is told in pieces as in one', (_name, lives) => {
    const told = { service: 'checkout', window: buildWindow(lives, new Map(), now) }
    expect([...toToldText(told)].join('')).toBe(JSON.stringify(toToldWindow(toWindowDocument(told))))
  })

  test('is the same when it is not', () => {
    const window = buildWindow(
      flood(1_000, () => 100, 'deploy'),
      new Map(),
      now,
    )
    expect(boundWindow(window)).toBe(window)
    expect(toWindowDocument({ service: 'checkout', window })).not.toHaveProperty('partial')
  })
})
