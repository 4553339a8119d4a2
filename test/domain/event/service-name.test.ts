import { expect, test } from 'vitest'
import { matchServices, toNameKey, workloadOfFallbackName } from '../../../src/domain/event/service-name.ts'

const of = (vendor: string, serviceName: string, entity: string) => ({ vendor, serviceName, entity })

test.each([
  [
    'argocd names the controller, its entity the app',
    of('argocd', 'argocd-application-controller', 'payment-service'),
    ['payment-service entity'],
  ],
  ['an entity equal to the service adds nothing', of('redis', 'redis', 'redis'), []],
  ['an entity of the same name in another spelling', of('pino', 'checkout-service', 'Checkout_Service'), ['Checkout_Service entity']],
  ['a pod of a deployment', of('kubernetes', 'cluster', 'checkout-7d9f8b6c5-x2x9k'), ['checkout-7d9f8b6c5-x2x9k entity', 'checkout pod']],
  [
    'a pod with a short hexadecimal hash',
    of('kubernetes', 'cluster', 'checkout-service-7d6f8b-xyz'),
    ['checkout-service-7d6f8b-xyz entity', 'checkout-service pod'],
  ],
  [
    'a replica set',
    of('kubernetes', 'cluster', 'checkout-service-7d6f8b'),
    ['checkout-service-7d6f8b entity', 'checkout-service replica_set'],
  ],
  ['a pod of a daemon set', of('kubernetes', 'cluster', 'fluent-bit-x2x9k'), ['fluent-bit-x2x9k entity', 'fluent-bit pod']],
  ['a pod of a stateful set', of('kubernetes', 'cluster', 'postgres-0'), ['postgres-0 entity', 'postgres pod']],
  ['an autoscaler', of('kubernetes', 'cluster', 'checkout-hpa'), ['checkout-hpa entity', 'checkout autoscaler']],
  ['a service whose name ends in a word', of('kubernetes', 'cluster', 'api-gateway'), ['api-gateway entity']],
  ['a service whose name ends in a version', of('kubernetes', 'cluster', 'checkout-v2'), ['checkout-v2 entity']],
  [
    'the kubernetes fallback name',
    of('kubernetes', 'prod/checkout-7d9f8b6c5-x2x9k', 'checkout-7d9f8b6c5-x2x9k'),
    ['checkout-7d9f8b6c5-x2x9k namespaced_name', 'checkout pod'],
  ],
  [
    'a namespaced pod as the entity',
    of('generic', 'api', 'prod/checkout-7d9f8b6c5-x2x9k'),
    ['prod/checkout-7d9f8b6c5-x2x9k entity', 'checkout-7d9f8b6c5-x2x9k namespaced_name', 'checkout pod'],
  ],
  ['a node', of('kubernetes', '/worker-node-east', 'worker-node-east'), ['worker-node-east entity']],
  ['a bare number suffix only counts in kubernetes', of('kafka', 'kafka', 'broker-2'), ['broker-2 entity']],
  [
    'a pod that another vendor names',
    of('pino', 'cluster', 'checkout-7d9f8b6c5-x2x9k'),
    ['checkout-7d9f8b6c5-x2x9k entity', 'checkout pod'],
  ],
  ['what looks a little like a pod is none elsewhere', of('pino', 'cluster', 'checkout-7d6f8b-xyz'), ['checkout-7d6f8b-xyz entity']],
  ['a year is no hash', of('kubernetes', 'cluster', 'report-2024-east'), ['report-2024-east entity']],
  ['a URL is no namespaced name', of('generic', 'api', 'https://shop/x'), ['https://shop/x entity']],
  ['a table', of('postgres', 'postgres', 'appdb.public.orders'), ['appdb.public.orders entity']],
])('%s', (_name, names, expected) => {
  expect(matchServices(names).map(({ name, rule }) => `${name} ${rule}`)).toEqual(expected)
})

test.each([
  [of('kubernetes', 'prod/checkout-7d9f8b6c5-x2x9k', 'x'), 'checkout'],
  [of('kubernetes', 'prod/checkout', 'x'), 'checkout'],
  [of('kubernetes', '/worker-1', 'x'), undefined],
  [of('kubernetes', 'checkout-7d9f8b6c5-x2x9k', 'x'), undefined],
  [of('generic', 'team/checkout', 'x'), undefined],
])('the workload behind %j is %s', (names, workload) => {
  expect(workloadOfFallbackName(names)).toBe(workload)
})

test.each([
  ['checkout-service', 'checkoutservice'],
  ['Checkout_Service', 'checkoutservice'],
  ['checkout service', 'checkoutservice'],
  ['---', '---'],
  ['日本', '日本'],
])('%j is compared as %j', (name, key) => {
  expect(toNameKey(name)).toBe(key)
})
