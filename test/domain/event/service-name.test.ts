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

test.each([
  ['cart-5959875dd9-sfx2m', 'cart'],
  ['cart-5959875dd9', 'cart'],
  ['cart-59d8c5-sfx2m', 'cart'],
  ['ledger-bccfdbcbb-zxlqp', 'ledger'],
  ['web-0', 'web'],
  ['web-1000', 'web'],
  ['log-shipper-4kz9p', 'log-shipper'],
  ['nightly-report-28394400-x7k2p', 'nightly-report'],
  ['indexed-job-3-hk2zl', 'indexed-job'],
  ['hello-00007-deployment-5b7f8c9d4d-qwxzp', 'hello'],
  ['hello-00007-deployment', 'hello'],
  ['hello-qcmmv-deployment-5b7f8c9d4d-qwxzp', 'hello'],
  ['frontend-3-x7k2p', 'frontend'],
  ['frontend-3-deploy', 'frontend'],
  ['frontend-3-build', 'frontend'],
  ['nightly-etl-x7k2p-transform-2834761234', 'nightly-etl'],
  ['nightly-etl-x7k2p-2834761234', 'nightly-etl'],
  ['build-run-x7k2p-compile-pod', 'build-run'],
  ['scaled-x7k2p-zzt4q', 'scaled'],
  ['pg-main-1-initdb-x7k2p', 'pg-main'],
  ['js-workers-0-0-x7k2p', 'js'],
  ['app-taskmanager-1-1', 'app-taskmanager'],
  ['spark-pi-driver', 'spark-pi'],
  ['my-dag-extract-1f0c2d8e9a4b5c6d7e8f90123456789a', 'my-dag-extract'],
  ['my-dag-extract-x8k2p4zt', 'my-dag-extract'],
  ['checkout-hpa', 'checkout'],
  ['keda-hpa-checkout', 'checkout'],
  ['checkout-vpa', 'checkout'],
  ['checkout-pdb', 'checkout'],
  ['checkout-7d9f8b6c5-x2x9k.17a1b2c3d4e5f6a7', 'checkout'],
  ['checkout.17a1b2c3d4e5f6a7', 'checkout'],
  ['prod/pod/checkout-7d9f8b6c5-x2x9k', 'checkout'],
  ['prod:checkout-7d9f8b6c5-x2x9k', 'checkout'],
  ['deployment.apps/checkout', 'checkout'],
  ['checkout.prod.svc', 'checkout'],
  ['checkout:8080', 'checkout'],
  ['mq-0.mq-headless.prod.svc.cluster.local:5672', 'mq'],
])('%s is of %s, in any case of its vendor', (entity, workload) => {
  for (const vendor of ['kubernetes', 'Kubernetes']) {
    expect(matchServices(of(vendor, 'cluster', entity)).at(-1)?.name).toBe(workload)
  }
})

test.each([
  'ip-10-0-1-5',
  'gke-prod-pool-1-6f2b1c9d-x2zq',
  'aks-nodepool1-12345678-vmss000000',
  'ingress-https',
  'proxy-http2',
  'postgres-15',
  'api-2024',
  'mail-smtps',
  'mail-smtps-relay-pod',
  'orders-v2',
  'deploy-20240115-1',
  'kiali-traffic-g3n3r4t0r',
])('%s is not cut', (entity) => {
  expect(matchServices(of('kubernetes', 'cluster', entity))).toMatchObject([{ name: entity, rule: 'entity' }])
  expect(workloadOfFallbackName(of('kubernetes', `prod/${entity}`, entity))).toBe(entity)
})

test('a name is the same in NFC and NFD', () => {
  expect(toNameKey('b\u00fccher')).toBe(toNameKey('bu\u0308cher'))
})
