import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EventType } from '../../../src/domain/event/event.ts'
import { type Callee, findCallees, findCalleesInText, findCalleesInWords, toKnownServices } from '../../../src/domain/graph/callee.ts'

const KNOWN = toKnownServices(
  'orders payments inventory cart redis-sessions mq coredns postgres connection repository users charges api connect bücher db'.split(' '),
)

type Fields = { serviceName?: string; vendor?: string; eventType?: EventType; entity?: string; newValue?: string | null }

const failure = (fields: Fields) => {
  const serviceName = fields.serviceName ?? 'checkout'
  return { serviceName, vendor: 'pino', eventType: 'dependency_failure' as const, entity: serviceName, newValue: null, ...fields }
}

/** Services by name, hosts after `//`. */
const show = (callees: readonly Callee[]) => callees.map((callee) => (callee.kind === 'service' ? callee.name : `//${callee.host}`))

test.each([
  // After a scheme.
  ['Post "https://api.stripe.com/v1/charges": context deadline exceeded', ['//api.stripe.com']],
  ['GET http://payments:8080/users/connection 503', ['payments']],
  ['GET https://orders.internal/api/v2/items 503', ['orders']],
  ['Get "https://auth-idp:8443/keys": x509: certificate has expired', ['//auth-idp']],
  ['failed: https://auth-idp/keys', ['//auth-idp']],
  ['postgres://app:s3cret:orders@db:5432/users refused', ['db']],
  ['amqp://user:p@ss@mq.prod.svc.cluster.local/orders', ['mq']],
  ['mongodb://a:b@cart:27017,inventory:27017/users', ['cart', 'inventory']],
  ['GET HTTPS://API.Stripe.COM./v1', ['//api.stripe.com']],
  ['dns:///payments:8080: connection refused', ['payments']],
  ['http://[2001:db8::1]:8080/orders refused', []],
  ['http://10.0.0.7:8080/orders refused', []],
  ['http://localhost:3000/orders refused', []],
  ['file:///users/orders/x s3://orders/x', []],
  ['https://xn--bcher-kva.example/x', ['//xn--bcher-kva.example']],
  ['https://cart.example.com/: EOF', ['//cart.example.com']],
  // After an error that names a host.
  ['Error: connect ECONNREFUSED cart:8080', ['cart']],
  ['Error: connect ETIMEDOUT geo-resolver:8443', ['//geo-resolver']],
  ['Error: connect ETIMEDOUT mq-0.mq-headless.prod.svc.cluster.local:5672', ['mq']],
  ['Error: connect ECONNREFUSED 10.0.0.7:8080', []],
  ['Error: connect ECONNREFUSED ::1:8080', []],
  ['connect ETIMEDOUT api.stripe.com', ['//api.stripe.com']],
  ['connect ECONNREFUSED somewhere', []],
  ["HTTPConnectionPool(host='payments', port=8080): Max retries exceeded", ['payments']],
  ['connection to server at "db" (10.0.0.3), port 5432 failed', ['db']],
  ["Can't connect to MySQL server on 'db' (111)", ['db']],
  // Where nothing but a host stands, whoever it is.
  ['connection to server at "ledger" (10.0.0.3), port 5432 failed: FATAL: the database system is shutting down', ['//ledger']],
  ["Lost connection to MySQL server at 'ledger', system error: 104", ['//ledger']],
  ["HTTPConnectionPool(host='ledger', port=8080): Read timed out", ['//ledger']],
  ['failed to connect to `host=ledger user=app`: dial error', ['//ledger']],
  ['level=error host=ledger msg="connection refused"', []],
  ['level=error host="ledger" msg="connection refused"', []],
  ['server on "standby" is ready', []],
  // Before a port.
  ['cart:8080: i/o timeout', ['cart']],
  ['rpc error: code = Unavailable desc = dial tcp inventory:9090: connect: connection refused', ['inventory']],
  ['read tcp 10.0.0.1:43210->payments:8080: connection reset by peer', ['payments']],
  ['session not found (redis-sessions:6379)', ['redis-sessions']],
  ['Connection refused: payments/10.0.0.3:8080', ['payments']],
  ['Connection refused: payments/<unresolved>:8080', ['payments']],
  ['dial tcp(db:3306): refused', ['db']],
  ['kyc:9000: 500 Internal Server Error', ['//kyc']],
  ['payments.prod.svc.:8080 refused', ['payments']],
  ['bu\u0308cher:8080 refused', ['bücher']],
  ['503 no endpoints available for service "payments"', ['payments']],
  ['no endpoints available for service "nowhere"', []],
  // As names that only a cluster has.
  ['reset before headers. payments.prod.svc:8', ['payments']],
  ['no healthy upstream ledger.prod.svc.cluster.local', ['//ledger.prod.svc.cluster.local']],
  ['POST /soap/v1/payments.order.svc failed', []],
  // Names that there are none of: the resolver's, where one is known.
  ['getaddrinfo ENOTFOUND api.stripe.com', ['//api.stripe.com', 'coredns']],
  ['dial tcp: lookup api.stripe.com on 10.0.0.10:53: no such host', ['//api.stripe.com', 'coredns']],
  ['dial tcp: lookup inventory.prod.svc.cluster.local on coredns:53: no such host', ['coredns']],
  ['dial tcp: lookup ledger.prod.svc.cluster.local on 10.0.0.10:53: no such host', ['coredns']],
  ['dial tcp: lookup ledger on 10.0.0.10:53: no such host', ['coredns']],
  ['dial tcp: lookup ledger: no such host', ['coredns']],
  ['getaddrinfo ENOTFOUND payments', ['coredns']],
  ['getaddrinfo ENOTFOUND ledger', ['coredns']],
  ['getaddrinfo ENOTFOUND partner.shop.example', ['coredns']],
  ['java.net.UnknownHostException: payments', ['coredns']],
  ['java.net.UnknownHostException: ledger: Name or service not known', ['coredns']],
  ['cURL error 6: Could not resolve host: ledger', ['coredns']],
  ['UNAVAILABLE: Unable to resolve host payments', ['coredns']],
  ['could not translate host name "ledger" to address: Name or service not known', ['coredns']],
  ['HttpRequestException: Name or service not known (ledger:8080)', ['coredns']],
  ['php_network_getaddresses: getaddrinfo for ledger failed: Name or service not known', ['coredns']],
  ['getaddrinfo ENOTFOUND checkout', ['coredns']],
  ['dns lookup failed: no such host', ['coredns']],
  ['unable to resolve host address', ['coredns']],
  ['request failed with ENOTFOUND after 3 attempts', ['coredns']],
  ['failed to lookup address information: Name or service not known', ['coredns']],
  // A resolver that does not answer, whoever was asked for.
  ['getaddrinfo EAI_AGAIN api.stripe.com', ['coredns']],
  ['lookup payments on 10.0.0.10:53: server misbehaving', ['coredns']],
  ['lookup payments on 10.0.0.10:53: read udp 10.0.0.7:40112->10.0.0.10:53: i/o timeout', ['coredns']],
  ['dial tcp: lookup payments: i/o timeout', ['coredns']],
  ['index lookup failed: i/o timeout', []],
  ['could not translate host name "db" to address: Temporary failure in name resolution', ['coredns']],
  ['java.net.UnknownHostException: payments: Temporary failure in name resolution', ['coredns']],
  ['name resolver error: produced zero addresses', ['coredns']],
  ['DNS SERVFAIL for payments', ['coredns']],
  // No hosts.
  ['connection refused', []],
  ['Error: connection refused to orders', []],
  ['com.shop.OrderRepository: orders failed', []],
  ['com.shop.orders:1042 failed, refused', []],
  ['at Repository.find (/app/src/orders.ts:1042:15) refused', []],
  ['orders.java:1042 refused', []],
  ['relation "users" does not exist', []],
  ['Failed to pull image postgres:15', []],
  ['status:500 code:404 error:1045 connect timeout:30000', []],
  ['order 10:23:41 refused 2024-01-15T10:23:41Z', []],
  ['/api/orders:8080 refused', []],
  ['ops@orders.example.com refused', []],
  ['TypeError: Cannot read properties of undefined (reading "payments")', []],
  ['', []],
])('%j names %j', (newValue, callees) => {
  expect(show(findCallees(failure({ newValue }), KNOWN))).toEqual(callees)
})

test.each<[string, Fields, readonly string[]]>([
  ['the entity that is a service, before any host', { entity: 'payments', newValue: 'http://cart:8080 timeout' }, ['payments']],
  ['an entity with its kind', { vendor: 'istio', entity: 'service/payments' }, ['payments']],
  ['an entity that is a host', { vendor: 'envoy', entity: 'api.stripe.com' }, ['//api.stripe.com']],
  ['an entity that is an internal host', { vendor: 'envoy', entity: 'payments.prod.svc.cluster.local:443' }, ['payments']],
  ['an entity that is an address of the web', { vendor: 'envoy', entity: 'https://api.stripe.com/v1' }, ['//api.stripe.com']],
  ['an open circuit to nobody known', { vendor: 'resilience4j', eventType: 'circuit_open', entity: 'primary', newValue: 'OPEN' }, []],
  ['an open circuit to a company', { vendor: 'resilience4j', eventType: 'circuit_open', entity: 'stripe', newValue: 'OPEN' }, ['//stripe']],
  ['a company that did not answer', { newValue: 'Stripe API error: 503 Service Unavailable' }, ['//stripe']],
  ['a company as entity', { entity: 'Twilio', newValue: 'request timed out' }, ['//twilio']],
  ['a provider without a name', { newValue: 'upstream provider unavailable' }, ['//upstream provider']],
  ['a company whose host stands there, too', { newValue: 'Stripe API error: https://api.stripe.com/v1 timed out' }, ['//api.stripe.com']],
  ['a company by the name of an exception', { newValue: 'TwilioRestException: The service is temporarily unavailable' }, ['//twilio']],
  ['a company by the name of an error', { newValue: 'OpenAIError: Request timed out' }, ['//openai']],
  ['a company that answered what was asked wrongly', { newValue: 'Stripe API error: No such price' }, []],
  ['a company in a name', { newValue: 'StripeClient timeout of stripe-adapter' }, []],
  ['a card that was declined', { newValue: 'payment provider: card declined' }, []],
  ['an open circuit', { vendor: 'resilience4j', eventType: 'circuit_open', entity: 'payments', newValue: 'OPEN' }, ['payments']],
  ['a logger', { vendor: 'log4j2', entity: 'com.shop.orders.OrderRepository', newValue: 'deadlock detected' }, []],
  ['a logger in lower case', { vendor: 'log4j2', entity: 'com.shop.orders', newValue: 'deadlock detected' }, []],
  ['a table', { vendor: 'mysql', entity: 'appdb.public.orders' }, []],
  ['only the reporter itself', { newValue: 'http://checkout:8080 refused' }, []],
  ['a name that was not found, though it is the entity', { entity: 'payments', newValue: 'getaddrinfo ENOTFOUND payments' }, ['coredns']],
  ['a database of itself', { vendor: 'postgres', serviceName: 'postgres', entity: 'orders', newValue: 'http://cart:8080' }, []],
  ['a cache of itself', { vendor: 'redis', serviceName: 'redis', entity: 'cart', newValue: 'replica_master_unreachable' }, []],
  ['a broker of a group', { vendor: 'kafka', serviceName: 'kafka', entity: 'orders', newValue: 'under_replicated_partitions' }, []],
  ['a cluster of a pod', { vendor: 'Kubernetes', serviceName: 'cluster', entity: 'payments-7d9f8b6c5-x2x9k' }, []],
  ['a controller of an app', { vendor: 'argocd', serviceName: 'argocd', entity: 'payments', newValue: 'repo_unavailable' }, []],
  ['a deploy', { eventType: 'deploy', entity: 'payments' }, []],
])('%s', (_name, fields, callees) => {
  expect(show(findCallees(failure(fields), KNOWN))).toEqual(callees)
})

test.each([
  ['error calling payments: deadline exceeded', ['payments']],
  ['no reply from redis-sessions', ['redis-sessions']],
  ['u\u0308u\u0308u\u0308u\u0308: calling cart', ['cart']],
  ['redis-sessions called with 3 users from orders', ['redis-sessions']],
  ['request from redis-sessions failed', []],
  ['users timed out of orders, cart is empty', []],
  ['could not save orders of payments in inventory', []],
  ['too many instances of payments rule FRIDAY', []],
  ['circuit breaker payments is undefined', []],
  ['ledger responded with status 503', []],
])('the words %j name %j', (newValue, callees) => {
  expect(show(findCalleesInWords(failure({ newValue }), KNOWN))).toEqual(callees)
})

test.each([
  ['getaddrinfo ENOTFOUND checkout', '//dns'],
  ['getaddrinfo ENOTFOUND ledger', '//ledger'],
  ['dial tcp: lookup ledger on 10.0.0.10:53: no such host', '//ledger'],
  ['getaddrinfo ENOTFOUND partner.shop.example', '//partner.shop.example'],
  ['getaddrinfo ENOTFOUND api.stripe.com', '//api.stripe.com'],
  ['getaddrinfo EAI_AGAIN api.stripe.com', '//dns'],
])('without a resolver of its own, %s is of an external dependency', (newValue, callee) => {
  expect(show(findCallees(failure({ newValue }), toKnownServices(['payments'])))).toEqual([callee])
})

test('a resolver is its workload, not one of its pods', () => {
  const known = toKnownServices(['kube-system/node-local-dns-x7k2p', 'node-local-dns'])
  expect(show(findCallees(failure({ newValue: 'getaddrinfo EAI_AGAIN payments' }), known))).toEqual(['node-local-dns'])
})

test('a crash tells who was called, a crash of a pod does not', () => {
  const crash = { eventType: 'restart' as const, newValue: 'panic: dial tcp db:5432: connection refused' }
  expect(show(findCalleesInText(failure(crash), KNOWN))).toEqual(['db'])
  expect(show(findCallees(failure(crash), KNOWN))).toEqual([])
  expect(show(findCalleesInText(failure({ ...crash, vendor: 'kubernetes' }), KNOWN))).toEqual([])
})

test('words never name anybody', () => {
  const word = fc.constantFrom(
    ...KNOWN.values(),
    'connection',
    'refused',
    'to',
    'users',
    'ETIMEDOUT',
    'lookup',
    '/orders',
    '(reading "cart")',
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (words) => {
      const text = words.join(' and ')
      expect(findCallees(failure({ newValue: text }), KNOWN)).toEqual([])
    }),
  )
})

test('whoever is named stands in the text or is known', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.constantFrom('://', ':8080', ' ECONNREFUSED ', ''), (text, place) => {
      const newValue = `${text}${place}${text}`
      for (const callee of findCallees(failure({ newValue }), KNOWN)) {
        if (callee.kind === 'service') expect(KNOWN.get(callee.key)).toBe(callee.name)
        else expect(callee.host === 'dns' || newValue.normalize('NFC').toLowerCase().includes(callee.host)).toBe(true)
      }
    }),
  )
})

test.each([
  'a',
  'a.',
  'a-',
  '://',
  '://a@',
  'a:1',
  'a:8080',
  'host=',
  'lookup ',
  'server at "',
  '/',
  '@',
  'é',
  '\u0301',
  '0.',
  'a-0.a-0.',
  '.svc.',
])('texts of repeated %j are read in linear time', (part) => {
  const toMs = (length: number) => {
    const newValue = part.repeat(Math.ceil(length / part.length)).slice(0, length)
    const before = process.threadCpuUsage().user
    findCallees(failure({ newValue, entity: newValue.slice(0, 512) }), KNOWN)
    return (process.threadCpuUsage().user - before) / 1_000
  }
  toMs(10_000)
  // A quadratic reading takes some 100 times as long: seconds.
  expect(toMs(100_000)).toBeLessThan(50 * Math.max(20, toMs(10_000)))
})
