import { expect, test } from 'vitest'
import { ServiceMap } from '../../src/dashboard/map.tsx'
import type { Neighbour } from '../../src/domain/graph/neighbourhood.ts'

const NOW = new Date('2026-02-03T02:20:00Z')
const FAILING = { count: 3, since: new Date('2026-02-03T02:12:00Z') }

function draw(callers: readonly Neighbour[]): string {
  const map = ServiceMap({
    name: 'payments',
    state: 'failing',
    isWell: false,
    neighbours: { callers, callees: [] },
    services: [],
    now: NOW,
  })
  return String(map)
}

const caller = (place: number, failing: Neighbour['failing']): Neighbour => ({
  name: `caller-of-the-payments-number-${place}`,
  isOutside: false,
  isDeclared: false,
  isLearned: true,
  failing,
})

test('what is not drawn fails where one of it does', () => {
  const failing = Array.from({ length: 8 }, (_, place) => caller(place, FAILING))
  expect(draw(failing)).toMatch(/<b>2 more<\/b><small class="bad">2 of them failing/)
  expect(draw(failing).match(/class="tip bad"/g)).toHaveLength(14)
  const rest = Array.from({ length: 8 }, (_, place) => caller(place, place < 6 ? FAILING : null))
  expect(draw(rest)).toMatch(/<b>2 more<\/b><\/a>/)
  expect(draw(rest).match(/class="tip bad"/g)).toHaveLength(12)
})

test('names that begin alike end as they do', () => {
  const [first, second] = ['caller-of-th…ents-number-0', 'caller-of-th…ents-number-1']
  for (const name of [first, second]) expect(draw([caller(0, null), caller(1, null)])).toContain(name)
})
