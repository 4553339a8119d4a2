import { expect, test } from 'vitest'
import type { EventType } from '../../../src/domain/event/event.ts'
import { toKnownServices } from '../../../src/domain/graph/callee.ts'
import { edgeStrength, learnEdges, liveEdges, servicesToRead } from '../../../src/domain/graph/service-graph.ts'

const NOW = new Date('2026-01-31T00:00:00Z')
const KNOWN = toKnownServices(['frontend', 'checkout-api', 'payments-api', 'redis-cart', 'db'])

const failure = (fields: { serviceName?: string; eventType?: EventType; entity?: string; newValue?: string | null; vendor?: string }) => ({
  serviceName: 'checkout-api',
  vendor: 'istio',
  eventType: 'dependency_failure' as const,
  entity: 'checkout-api',
  newValue: null,
  ...fields,
})

test.each([
  { name: 'an entity that is a service', event: failure({ entity: 'payments-api' }), callees: ['payments-api'] },
  { name: 'an entity with its kind', event: failure({ entity: 'service/payments-api' }), callees: ['payments-api'] },
  { name: 'an entity in other spelling', event: failure({ entity: 'Payments_API' }), callees: ['payments-api'] },
  { name: 'a host as entity', event: failure({ entity: 'payments-api.prod.svc.cluster.local:443' }), callees: ['payments-api'] },
  { name: 'an open circuit', event: failure({ eventType: 'circuit_open', entity: 'payments-api' }), callees: ['payments-api'] },
  { name: 'a word in the text', event: failure({ newValue: 'cannot reach payments-api: timeout' }), callees: [] },
  { name: 'a host in the text', event: failure({ newValue: 'dial tcp redis-cart.shop.svc:6379: i/o timeout' }), callees: ['redis-cart'] },
  { name: 'a URL in the text', event: failure({ newValue: 'GET http://payments-api:8080/v1 503' }), callees: ['payments-api'] },
  {
    name: 'a panic that names a host',
    event: failure({ eventType: 'restart', newValue: 'panic: dial tcp db:5432: connection refused' }),
    callees: ['db'],
  },
  { name: 'a full database', event: failure({ eventType: 'saturation', vendor: 'postgres', entity: 'db' }), callees: [] },
  { name: 'a restart by name', event: failure({ eventType: 'restart', vendor: 'generic', entity: 'payments-api' }), callees: [] },
  {
    name: 'a database that names a client',
    event: failure({ eventType: 'saturation', vendor: 'postgres', entity: 'db', newValue: 'waiting for payments-api:8080' }),
    callees: [],
  },
  {
    name: 'two hosts in the text',
    event: failure({ newValue: 'http://payments-api/v1: connect ECONNREFUSED redis-cart:6379' }),
    callees: ['payments-api', 'redis-cart'],
  },
  { name: 'an external host', event: failure({ newValue: 'Post "https://api.stripe.com/v1": EOF' }), callees: [] },
  { name: 'only itself', event: failure({ newValue: 'checkout-api is broken' }), callees: [] },
  { name: 'its own pod', event: failure({ vendor: 'kubernetes', entity: 'pod/checkout-api-7d9f8b6c5-x2x9k' }), callees: [] },
  { name: 'an app that argocd watches', event: failure({ vendor: 'argocd', entity: 'payments-api' }), callees: [] },
  { name: 'part of a name', event: failure({ newValue: 'dbx, redis-carts and mydb' }), callees: [] },
  { name: 'an unknown service', event: failure({ entity: 'ledger' }), callees: [] },
  { name: 'a deploy', event: failure({ eventType: 'deploy', entity: 'payments-api' }), callees: [] },
])('$name shows calls to $callees', ({ event, callees }) => {
  expect(learnEdges(event, KNOWN)).toEqual(callees.map((callee) => ({ caller: 'checkout-api', callee })))
})

const edge = (caller: string, callee: string, seen: number, ageDays: number, declared = false) => ({
  caller,
  callee,
  seen,
  lastSeenAt: seen === 0 ? null : new Date(NOW.getTime() - ageDays * 86_400_000),
  declared,
})

test('an edge fades when it is not seen, a declared one never', () => {
  const graph = { edges: [edge('a', 'b', 1, 1), edge('b', 'c', 1, 90), edge('c', 'd', 1, 900, true), edge('d', 'e', 0, 0)] }

  expect(liveEdges(graph, NOW).map(({ callee }) => callee)).toEqual(['b', 'd'])
  expect(edgeStrength(edge('a', 'b', 1, 1), NOW)).toBeGreaterThan(edgeStrength(edge('a', 'b', 1, 10), NOW))
  expect(edgeStrength(edge('a', 'b', 9, 40), NOW)).toBeGreaterThan(edgeStrength(edge('a', 'b', 1, 40), NOW))
})

test('a diagnosis reads the alerting service, what it reaches, and its direct callers', () => {
  const graph = {
    edges: [
      edge('web', 'shop', 1, 1),
      edge('shop', 'pay', 1, 1),
      edge('pay', 'bank', 1, 1),
      edge('bank', 'vault', 1, 1),
      edge('x', 'y', 1, 1),
    ],
  }

  expect(servicesToRead(graph, 'shop', 2, NOW)).toEqual(['shop', 'pay', 'bank', 'web'])
  expect(servicesToRead(graph, 'Shop', 0, NOW)).toEqual(['Shop', 'web'])
  expect(servicesToRead({ edges: [] }, 'lonely', 3, NOW)).toEqual(['lonely'])
})
