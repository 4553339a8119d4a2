import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EVENT_TYPES } from '../../../src/domain/event/event.ts'
import { EMBEDDING_SIZE, type Embedding, embedIncident, type IncidentEvent } from '../../../src/domain/incident/memory.ts'

const triggeredAt = new Date('2026-02-03T14:20:00Z')

const event = (
  eventType: IncidentEvent['eventType'],
  vendor: string,
  newValue: string | null,
  minutesBefore: number,
  hops: number | null = 0,
): IncidentEvent => ({ eventType, vendor, newValue, hops, firstTimestamp: new Date(triggeredAt.getTime() - 60_000 * minutesBefore) })

function embed(events: readonly IncidentEvent[], at = triggeredAt): Embedding {
  const embedding = embedIncident(events, at)
  if (!embedding) throw new Error('nothing to embed')
  return embedding
}

const similarity = (a: Embedding, b: Embedding): number => a.reduce((sum, each, index) => sum + each * (b[index] ?? Number.NaN), 0)

const badDeploy = [
  event('deploy', 'argocd', 'succeeded', 5, 1),
  event('restart', 'kubernetes', 'CrashLoopBackOff', 3, 1),
  event('dependency_failure', 'pino', 'connect ETIMEDOUT 10.0.0.1:5432', 2, 0),
]
const badDeployAgain = [
  event('deploy', 'argocd', 'succeeded', 6, 1),
  event('restart', 'kubernetes', 'CrashLoopBackOff', 4, 1),
  event('dependency_failure', 'pino', 'connect ETIMEDOUT 10.7.3.2:6432', 2.5, 0),
]
const fullDatabase = [
  event('saturation', 'postgres', 'connection_limit_reached', 12, 2),
  event('saturation', 'postgres', 'slow_query:1234ms', 9, 2),
  event('circuit_open', 'resilience4j', 'OPEN', 1, 0),
]

test('an embedding is a unit vector of the column’s dimension', () => {
  const embedding = embed(badDeploy)
  expect(embedding).toHaveLength(EMBEDDING_SIZE)
  expect(similarity(embedding, embedding)).toBeCloseTo(1, 4)
})

test('an embedding is the same in every release: patterns are kept', () => {
  const shown = embed(badDeploy).flatMap((each, place) => (each === 0 ? [] : [`${place}:${each}`]))
  expect(shown).toMatchInlineSnapshot(`
    [
      "3:0.214768",
      "9:0.429537",
      "19:0.429537",
      "22:-0.128861",
      "25:0.214768",
      "39:-0.128861",
      "60:-0.429537",
      "82:0.214768",
      "85:-0.257722",
      "96:0.171815",
      "99:-0.171815",
      "108:0.257722",
      "112:0.128861",
      "124:-0.257722",
    ]
  `)
})

test.each([
  ['the same kind of incident, with other times and numbers', badDeploy, badDeployAgain, 0.85, 1.01],
  ['another kind of incident', badDeploy, fullDatabase, -0.3, 0.3],
  ['the same events at other services', badDeploy, badDeploy.map((each) => ({ ...each, hops: null })), 0.6, 0.95],
  ['the same incident with one event more', badDeploy, [...badDeploy, event('scale_event', 'kubernetes', '5', 4, 1)], 0.7, 0.99],
  [
    'the same change with another consequence',
    badDeploy,
    [event('deploy', 'argocd', 'succeeded', 5, 1), event('saturation', 'redis', 'eviction_active', 2)],
    0.1,
    0.7,
  ],
])('how alike: %s', (_name, a, b, least, most) => {
  const alike = similarity(embed(a), embed(b))
  expect(alike).toBeGreaterThanOrEqual(least)
  expect(alike).toBeLessThan(most)
})

test('order counts', () => {
  const reversed = badDeploy.map((each) => ({
    ...each,
    firstTimestamp: new Date(2 * triggeredAt.getTime() - 480_000 - each.firstTimestamp.getTime()),
  }))
  expect(similarity(embed(badDeploy), embed(reversed))).toBeLessThan(0.98)
})

test('a like incident is nearer than any unlike one, also among noise', () => {
  const noise = (seed: number) =>
    Array.from({ length: 6 }, (_, index) => event('flag_change', 'flagd', `variant-${seed + index}`, index + seed, null))
  const noisy = embed([...badDeploy, ...noise(1)])
  expect(similarity(noisy, embed([...badDeployAgain, ...noise(3)]))).toBeGreaterThan(
    similarity(noisy, embed([...fullDatabase, ...noise(3)])),
  )
})

test('without events there is nothing to compare', () => {
  expect(embedIncident([], triggeredAt)).toBeUndefined()
})

const anyEvent = fc.record({
  eventType: fc.constantFrom(...EVENT_TYPES),
  vendor: fc.string({ maxLength: 8 }),
  newValue: fc.option(fc.string({ unit: 'binary', maxLength: 40 })),
  hops: fc.option(fc.nat(6)),
  firstTimestamp: fc.date({ noInvalidDate: true }),
})

test('the order of the input plays no part, nor does the day', () => {
  fc.assert(
    fc.property(
      fc.array(anyEvent, { minLength: 1, maxLength: 40 }),
      fc.integer(),
      fc.integer({ min: -1e9, max: 1e9 }),
      (events, seed, shiftMs) => {
        const embedding = embedIncident(events, triggeredAt)
        const shuffled = events.map((each, index) => ({ each, key: Math.imul(seed + index, 0x9e3779b1) })).toSorted((a, b) => a.key - b.key)
        expect(
          embedIncident(
            shuffled.map(({ each }) => each),
            triggeredAt,
          ),
        ).toEqual(embedding)
        const moved = events.map((each) => ({ ...each, firstTimestamp: new Date(Math.trunc(each.firstTimestamp.getTime() / 2) + shiftMs) }))
        const original = moved.map((each) => ({ ...each, firstTimestamp: new Date(each.firstTimestamp.getTime() - shiftMs) }))
        expect(embedIncident(moved, new Date(triggeredAt.getTime() + shiftMs))).toEqual(embedIncident(original, triggeredAt))
        expect(embedding?.every((each) => Number.isFinite(each) && Math.abs(each) <= 1)).not.toBe(false)
      },
    ),
  )
})
