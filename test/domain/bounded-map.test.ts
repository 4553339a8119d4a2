import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createWeighedMap, setBounded } from '../../src/domain/bounded-map.ts'

test('a bounded map starts over when it grows too large', () => {
  const map = new Map<string, number>()
  for (let key = 0; key < 10_000; key += 1) setBounded(map, `${key}`, key)
  expect(map.size).toBe(10_000)
  setBounded(map, 'one more', 1)
  expect([...map]).toEqual([['one more', 1]])
})

const weigh = (kept: readonly { readonly weight: number }[]) => kept.reduce((sum, { weight }) => sum + weight, 0)

test('a weighed map never weighs more than its limit, and forgets what was kept longest', () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    weight: fc.integer({ min: 0, max: 12 }),
    isDeleted: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const map = createWeighedMap<number>(10)
      let kept: { key: string; weight: number }[] = []
      for (const { key, weight, isDeleted } of steps) {
        kept = kept.filter((one) => one.key !== key)
        if (isDeleted) map.delete(key)
        else map.set(key, weight, weight)
        if (!isDeleted && weight <= 10) kept.push({ key, weight })
        while (weigh(kept) > 10) kept.shift()
        for (const name of ['a', 'b', 'c', 'd', 'e']) expect(map.get(name)).toBe(kept.find((one) => one.key === name)?.weight)
      }
    }),
  )
})
