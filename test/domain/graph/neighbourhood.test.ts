import { expect, test } from 'vitest'
import { toNeighbours } from '../../../src/domain/graph/neighbourhood.ts'

const SINCE = new Date('2026-11-28T02:12:00Z')
const edge = (caller: string, callee: string, seen: number, declared = false) => ({ caller, callee, seen, declared, lastSeenAt: null })
const call = (serviceName: string, entity: string, count: number, firstAt = SINCE) => ({
  serviceName,
  vendor: 'pino',
  eventType: 'dependency_failure' as const,
  entity,
  newValue: `connect ETIMEDOUT ${entity}`,
  count,
  firstAt,
})
const around = {
  name: 'payments',
  edges: [
    edge('refunds', 'payments', 0, true),
    edge('checkout', 'payments', 9),
    edge('payments', 'kafka', 3),
    edge('Payments', 'psp.example', 0, true),
  ],
  services: [{ name: 'checkout' }, { name: 'refunds' }, { name: 'kafka' }],
  failingCalls: [
    call('checkout', 'http://payments:8080', 20),
    call('checkout', 'payments', 11, new Date('2026-11-28T02:11:00Z')),
    call('checkout', 'redis.example', 5),
    call('payments', 'api.cardgate.example:443', 6),
  ],
}

test('who is around a service: those whose calls fail first, by whom each is known, and since when calls fail', () => {
  const { callers, callees } = toNeighbours(around)
  expect(callers).toEqual([
    {
      name: 'checkout',
      isDeclared: false,
      isLearned: true,
      isOutside: false,
      failing: { count: 31, since: new Date('2026-11-28T02:11:00Z') },
    },
    { name: 'refunds', isDeclared: true, isLearned: false, isOutside: false, failing: null },
  ])
  expect(callees).toMatchObject([
    { name: 'api.cardgate.example', isOutside: true, isLearned: true, failing: { count: 6, since: SINCE } },
    { name: 'kafka', isOutside: false, failing: null },
    { name: 'psp.example', isOutside: true, isDeclared: true, isLearned: false },
  ])
})

test('a service without any is alone', () => {
  expect(toNeighbours({ ...around, edges: [], failingCalls: [] })).toEqual({ callers: [], callees: [] })
})
