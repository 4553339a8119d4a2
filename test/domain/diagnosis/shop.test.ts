import { expect, test } from 'vitest'
import { deduplicationKey } from '../../../src/domain/event/event.ts'
import { parseEvent } from '../../../src/domain/event/parse.ts'
import { createShopEvents, SHOP_DURATION_MS, SHOP_SERVICE } from '../../stack/shop.ts'

const ENDS_AT = new Date('2026-03-14T19:40:00.250Z')

test('the story has every vendor and ends at the given instant', () => {
  const events = createShopEvents(ENDS_AT, createRandom(1))

  expect(events.length).toBeGreaterThanOrEqual(200)
  expect(events.length).toBeLessThanOrEqual(300)
  expect(new Set(events.map(({ event }) => event.vendor)).size).toBe(10)
  expect(new Set(events.map(({ agent }) => agent)).size).toBe(3)
  expect(events.at(-1)).toMatchObject({ atMs: ENDS_AT.getTime(), event: { entity: SHOP_SERVICE, new_value: 'health:Healthy' } })
  expect(events[0]?.atMs).toBeGreaterThanOrEqual(ENDS_AT.getTime() - SHOP_DURATION_MS)
  expect(events.map(({ atMs }) => atMs)).toEqual(events.map(({ atMs }) => atMs).toSorted((a, b) => a - b))
})

test('equal random numbers tell the same story, others another', () => {
  const tell = (seed: number) => JSON.stringify(createShopEvents(ENDS_AT, createRandom(seed)))

  expect(tell(7)).toBe(tell(7))
  expect(tell(7)).not.toBe(tell(8))
})

test.each([1, 2, 3])('every event of story %i is accepted, at its own time and once', (seed) => {
  const parsed = createShopEvents(ENDS_AT, createRandom(seed)).map(({ atMs, event }) => ({ atMs, result: parseEvent(event) }))
  const keys = parsed.flatMap(({ result }) => (result.ok ? (deduplicationKey(result.event) ?? []) : []))

  for (const { atMs, result } of parsed) {
    expect(result).toMatchObject({ ok: true, warning: undefined })
    const occurredAt = result.ok ? result.event.occurredAt : null
    if (occurredAt !== null) expect(atMs - Date.parse(occurredAt)).toBeOneOf(Array.from({ length: 1000 }, (_, ms) => ms))
  }
  expect(new Set(keys).size).toBe(keys.length)
})

function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
