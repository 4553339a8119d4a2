import { expect, test } from 'vitest'
import { diagnose } from '../../../src/domain/diagnosis/diagnose.ts'
import type { Assessment, DiagnosisInput } from '../../../src/domain/diagnosis/model.ts'
import type { EventType } from '../../../src/domain/event/event.ts'
import type { ServiceWindow, WindowEntry } from '../../../src/domain/window/window.ts'
import { declareEdge, makeEntry, makeWindow, SHOP } from '../../support/diagnosis.ts'
import { deploy, errors, failure, later } from '../../support/told.ts'

/** What somebody on call would conclude from what is on record two minutes after `orders` alerts. */
type Row = {
  readonly name: string
  readonly windows: readonly ServiceWindow[]
  readonly calls?: readonly string[]
  readonly assessment: Assessment
  readonly says: RegExp
  readonly advises: RegExp
  readonly rest?: Partial<DiagnosisInput>
}

const ORDERS = { ...SHOP.alert, service: 'orders' }
const HOUR = 3_600
/** `pricing`, called by `orders`, or `web>pricing`. */
const toEdge = (call: string) => {
  const [first = '', second] = call.split('>')
  return second === undefined ? declareEdge('orders', first) : declareEdge(first, second)
}
const look = ({ windows, calls = [], rest = {} }: Pick<Row, 'windows' | 'calls' | 'rest'>) =>
  diagnose({
    ...SHOP,
    alert: ORDERS,
    observedUntil: later(120),
    graph: { edges: calls.map((call) => toEdge(call)) },
    ...rest,
    windows,
  })
const own = (seconds: number, newValue = 'Internal server error', fields: Partial<WindowEntry> = {}) =>
  errors(seconds, newValue, { entity: 'orders', ...fields })
const trouble = (seconds: number, eventType: EventType, vendor: string, newValue: string, fields: Partial<WindowEntry> = {}) =>
  makeEntry(seconds, eventType, { vendor, newValue, ...fields })
const flag = (seconds: number, oldValue: string, newValue: string) =>
  makeEntry(seconds, 'flag_change', { vendor: 'launchdarkly', entity: 'new-tax', oldValue, newValue })
const named = (seconds: number) => ({ ...flag(seconds, 'off', 'on'), entity: 'newTax' })
const route = makeEntry(-200, 'config_change', { vendor: 'istio', entity: 'virtualservice/orders', newValue: 'weight v2 100' })
const OLD = deploy(-5 * HOUR, 'aaaaaa1')
const DB = { alert: { ...ORDERS, service: 'orders-db' } }
const full = trouble(-120, 'saturation', 'postgres', 'connection_limit_reached', { count: 9, timestamp: later(60) })
const scaling = (seconds: number, oldValue: string | null, newValue: string, fields: Partial<WindowEntry> = {}) =>
  makeEntry(seconds, 'scale_event', { vendor: 'kubernetes', entity: 'orders-hpa', oldValue, newValue, ...fields })
const setting = (entity: string, vendor = 'vault') => makeEntry(-200, 'config_change', { vendor, entity, newValue: 'v7' })
const config = (seconds: number, entity: string, oldValue: string | null, newValue: string) =>
  makeEntry(seconds, 'config_change', { vendor: 'kubernetes', entity: `configmap/${entity}`, oldValue, newValue })
const release = (seconds: number, vendor: string, newValue: string, sha: string, fields: Partial<WindowEntry> = {}) =>
  makeEntry(seconds, 'deploy', { vendor, newValue, sha, ...fields })
const hot = trouble(-240, 'saturation', 'datadog', 'cpu 97%', { entity: 'orders', count: 9, timestamp: later(60) })
const notReady = makeWindow('/ip-10-0-3-17', trouble(-180, 'dependency_failure', 'kubernetes', 'NodeNotReady', { entity: 'ip-10-0-3-17' }))
const three = [failure(-122, 'pricing'), failure(-120, 'stock'), failure(-118, 'users')]
const AWAY = /^(?!.*(?:Roll back|Set flag|revert)).*/

const ROWS: readonly Row[] = [
  {
    name: 'a sync that failed before, and went through after it failed',
    windows: [
      makeWindow(
        'orders',
        OLD,
        deploy(-900, 'bbbbbb2', { count: 2, timestamp: later(-400) }),
        makeEntry(-880, 'deploy', { newValue: 'failed' }),
        own(-600),
        deploy(-395, 'bbbbbb2', { newValue: 'succeeded' }),
      ),
    ],
    assessment: 'unrecorded',
    says: /^orders has reported errors/,
    advises: AWAY,
  },
  {
    name: 'a sync that failed, and broke it when it went through',
    windows: [
      makeWindow(
        'orders',
        OLD,
        deploy(-900, 'bbbbbb2'),
        makeEntry(-880, 'deploy', { newValue: 'failed' }),
        deploy(-140, 'bbbbbb2', { newValue: 'succeeded' }),
        own(-120),
      ),
    ],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders rolled out 20 seconds before/,
    advises: /^Roll back .*aaaaaa1/,
  },
  {
    name: 'a flag that its errors name, though something was deployed after it',
    windows: [makeWindow('orders', OLD, named(-300), deploy(-240, 'bbbbbb2'), own(-120, 'Error in variation newTax: no template'))],
    assessment: 'cause',
    says: /^Flag change of newTax to on at orders/,
    advises: /^Set flag newTax back to off/,
  },
  ...[
    { text: 'TypeError: x is undefined [flags newTax, useCartV2]', before: named(-420) },
    { text: 'TypeError: x is undefined newTax=on', before: named(-420) },
    { text: 'TypeError: newTax template missing', before: { ...named(-420), oldValue: '25%', newValue: '50%' } },
    { text: 'TypeError: x is undefined flags=useCartV2,newTax', before: named(-420) },
    { text: 'TypeError: x is undefined {newTax: "on"}', before: named(-420) },
    { text: 'TypeError: x is undefined newTax:enabled', before: named(-420) },
    { text: 'TypeError: x is undefined, Content-Type text/html', before: config(-3_000, 'Content-Type', 'a', 'b') },
  ].map(({ text, before }) => ({
    name: `a deploy beside a flag or a setting that its errors merely bear: ${text}`,
    windows: [makeWindow('orders', OLD, before, deploy(-175, 'bbbbbb2'), own(-120, text, { count: 9 }))],
    assessment: 'cause' as const,
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Roll back/,
  })),
  ...[
    ['off', 'on'],
    ['0%', '100%'],
    ['0', '1'],
  ].map(([oldValue = '', newValue = '']) => ({
    name: `a flag that its errors name, from ${oldValue} to ${newValue}, though something was deployed after it`,
    windows: [
      makeWindow(
        'orders',
        OLD,
        { ...named(-300), oldValue, newValue },
        deploy(-240, 'bbbbbb2'),
        own(-120, 'variation newTax has no template'),
      ),
    ],
    assessment: 'cause' as const,
    says: /^Flag change of newTax to .* at orders/,
    advises: /^Set flag newTax back to/,
  })),
  ...['error rate exceeded threshold 5%', 'upstream slowdown: p99 4200', 'SyntaxError: Invalid or unexpected token'].map((text) => ({
    name: `a host outside that refused nothing: ${text}`,
    windows: [makeWindow('orders', OLD, errors(-120, `https://api.stripe.com/v1: ${text}`, { entity: 'api.stripe.com' }))],
    assessment: 'external' as const,
    says: /^(?!.*refused).*api\.stripe\.com/,
    advises: /^Check whether api\.stripe\.com is up/,
  })),
  {
    name: 'restarts of which nothing is told, at many services at once',
    windows: [
      makeWindow('orders', OLD, deploy(-240, 'bbbbbb2'), makeEntry(-118, 'restart', { vendor: 'nomad', entity: 'orders', newValue: null })),
      ...['cart', 'search', 'users', 'mail'].map((name, index) =>
        makeWindow(name, makeEntry(-120 + 4 * index, 'restart', { vendor: 'nomad', entity: name, newValue: null })),
      ),
    ],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Roll back/,
  },
  {
    name: 'replicas added before a silent service refused',
    windows: [
      makeWindow(
        'orders',
        OLD,
        scaling(-420, '4', '5', { vendor: 'terraform', actor: 'kim' }),
        errors(-120, 'connect ECONNREFUSED tax:8080', { entity: 'tax', count: 9 }),
      ),
    ],
    calls: ['tax'],
    assessment: 'unrecorded',
    says: /^Calls from orders to tax/,
    advises: AWAY,
  },
  {
    name: 'a deploy that crashes, though a flag was set seconds before',
    windows: [
      makeWindow(
        'orders',
        OLD,
        deploy(-300, 'bbbbbb2'),
        flag(-150, 'off', 'on'),
        own(-120, "Error: Cannot find module './tax'", { count: 9 }),
        trouble(-115, 'restart', 'kubernetes', 'CrashLoopBackOff', { entity: 'orders' }),
      ),
    ],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Roll back/,
  },
  {
    name: 'a hotfix for what an alert that waits a quarter of an hour is about',
    windows: [makeWindow('orders', OLD, own(-1_300, 'TypeError: x', { count: 40, timestamp: later(-920) }), deploy(-300, 'bbbbbb2'))],
    assessment: 'unrecorded',
    says: /^orders has reported errors/,
    advises: AWAY,
  },
  {
    name: 'a host outside that was away until a breaker opened, beside what goes on',
    windows: [
      makeWindow(
        'orders',
        OLD,
        deploy(-660, 'bbbbbb2'),
        errors(-480, 'connect ETIMEDOUT api.stripe.com:443', { entity: 'api.stripe.com', count: 30, timestamp: later(-240) }),
        trouble(-300, 'saturation', 'rabbitmq', 'queue depth 9000', { entity: 'orders', count: 30, timestamp: later(60) }),
      ),
      makeWindow(
        'billing',
        errors(-478, 'connect ETIMEDOUT api.stripe.com:443', { entity: 'api.stripe.com', count: 30, timestamp: later(-240) }),
      ),
    ],
    assessment: 'external',
    says: /api\.stripe\.com/,
    advises: AWAY,
  },
  {
    name: 'a host outside that no longer lets it in, minutes after a flag was given to some more',
    windows: [
      makeWindow(
        'orders',
        OLD,
        { ...flag(-300, '5%', '10%') },
        errors(-120, 'AccessDenied: not allowed https://bucket.s3.amazonaws.com', { entity: 'bucket.s3.amazonaws.com', count: 9 }),
      ),
    ],
    assessment: 'external',
    says: /s3\.amazonaws\.com/,
    advises: /^Check what orders asks of/,
  },
  {
    name: 'what a service that is no database tells of itself in the words of one',
    windows: [
      makeWindow('orders', OLD, deploy(-300, 'bbbbbb2'), failure(-120, 'tax')),
      makeWindow('tax', errors(-122, 'syntax error at line 1 of rates.csv', { vendor: 'pino', entity: 'tax', count: 9 })),
    ],
    calls: ['tax'],
    assessment: 'unrecorded',
    says: /^tax has reported errors/,
    advises: AWAY,
  },
  {
    name: 'two names at once that a resolver says there are none of, after a deploy of one of theirs',
    windows: [
      makeWindow(
        'orders',
        OLD,
        errors(-120, 'getaddrinfo ENOTFOUND tax', { entity: 'orders' }),
        errors(-118, 'getaddrinfo ENOTFOUND geo', { entity: 'orders' }),
      ),
      makeWindow('tax', deploy(-240, 'ccccccc')),
      makeWindow('geo', deploy(-90_000, 'ddddddd')),
    ],
    assessment: 'external',
    says: /unable to reach dns/,
    advises: AWAY,
  },
  {
    name: 'a name that a resolver says there is none of, after a deploy of whose it is',
    windows: [
      makeWindow('orders', OLD, errors(-120, 'getaddrinfo ENOTFOUND tax', { entity: 'orders', count: 9 })),
      makeWindow('tax', deploy(-240, 'ccccccc')),
    ],
    assessment: 'cause',
    says: /^Deploy sha=ccccccc to tax/,
    advises: /^Roll back tax/,
  },
  {
    name: 'a route that was sent to whom nobody is, at a service that never told anything',
    windows: [
      makeWindow(
        'orders',
        OLD,
        config(-500, 'orders/TAX_URL', 'http://tax:8080', 'http://tax:8081'),
        errors(-120, 'connect ECONNREFUSED tax:8081', { entity: 'tax', count: 9 }),
      ),
    ],
    calls: ['tax'],
    assessment: 'cause',
    says: /^Config change on .*TAX_URL/,
    advises: /revert/,
  },
  {
    name: 'a setting that its errors name, though something was deployed after it',
    windows: [
      makeWindow(
        'orders',
        OLD,
        config(-500, 'ORDERS_POOL_MAX', '50', '5'),
        deploy(-175, 'bbbbbb2'),
        own(-120, 'no room in ORDERS_POOL_MAX'),
      ),
    ],
    assessment: 'cause',
    says: /^Config change on .*ORDERS_POOL_MAX/,
    advises: /revert/,
  },
  {
    name: 'a flag set seconds before, at a service that had run well for long after a deploy',
    windows: [makeWindow('orders', OLD, deploy(-540, 'bbbbbb2'), flag(-160, 'off', 'on'), own(-120))],
    assessment: 'suspect',
    says: /^Flag change of new-tax .*; nearly as likely, deploy sha=bbbbbb2/,
    advises: /before undoing either/,
  },
  ...[-2_400, -3_600].map((seconds) => ({
    name: `a fresh deploy alone, and a warning ${-seconds / 60} minutes ago`,
    windows: [
      makeWindow('orders', OLD, deploy(-240, 'bbbbbb2'), trouble(seconds, 'saturation', 'datadog', 'cpu 85%', { entity: 'orders' })),
    ],
    assessment: 'suspect' as const,
    says: /^Deploy sha=bbbbbb2 to orders rolled out 4 minutes before the alert/,
    advises: /^Compare errors and latency of orders/,
  })),
  {
    name: 'calls refused by whom it calls, declared, who never told anything',
    windows: [makeWindow('orders', OLD, deploy(-240, 'bbbbbb2'), errors(-120, 'connect ECONNREFUSED tax:8080', { entity: 'tax' }))],
    calls: ['tax', 'cart'],
    assessment: 'unrecorded',
    says: /^Calls from orders to tax have failed/,
    advises: /^Look at tax.*compare with before deploy sha=bbbbbb2/,
  },
  {
    name: 'a column that there is none of since a deploy, which the database tells, too',
    windows: [
      makeWindow('orders', OLD, deploy(-150, 'bbbbbb2'), own(-120, 'column "tax_rate" does not exist')),
      makeWindow('pg', errors(-119, 'ERROR: column "tax_rate" does not exist', { vendor: 'postgres', entity: 'pg' })),
    ],
    calls: ['pg'],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Roll back/,
  },
  ...['Error: Invalid API Key provided: sk_live_x', '{"error":"invalid_grant"}: expired access/refresh token'].map((text) => ({
    name: `a host outside that does not let it in: ${text}`,
    windows: [makeWindow('orders', OLD, errors(-120, `POST https://api.stripe.com/v1: ${text}`, { entity: 'api.stripe.com' }))],
    assessment: 'external' as const,
    says: /^Calls from orders to api\.stripe\.com/,
    advises: /^(?!Check whether api\.stripe\.com is up)/,
  })),
  ...['ProvisionedThroughputExceededException: throughput exceeded', 'SlowDown: Please reduce your request rate'].map((text) => ({
    name: `a host outside of which too much is asked: ${text}`,
    windows: [makeWindow('orders', OLD, errors(-120, `https://s3.amazonaws.com: ${text}`, { entity: 's3.amazonaws.com' }))],
    assessment: 'external' as const,
    says: /^Calls from orders to s3\.amazonaws\.com have been refused/,
    advises: /^Check how much orders asks/,
  })),
  {
    name: 'pods that die at many services at once, also where a call is known',
    windows: [
      makeWindow('orders', OLD, deploy(-240, 'bbbbbb2'), trouble(-118, 'restart', 'kubernetes', 'exit_code=137', { entity: 'orders' })),
      ...['cart', 'search', 'users', 'mail'].map((name, index) =>
        makeWindow(name, trouble(-120 + 4 * index, 'restart', 'kubernetes', 'exit_code=137', { entity: name })),
      ),
    ],
    calls: ['pricing'],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: AWAY,
  },
  {
    name: 'the same words at many services at once',
    windows: [
      makeWindow('orders', OLD, deploy(-240, 'bbbbbb2'), own(-120, 'pq: the database system is in recovery mode')),
      ...['cart', 'search', 'users', 'mail'].map((name, index) =>
        makeWindow(name, errors(-118 + 4 * index, 'pq: the database system is in recovery mode', { entity: name })),
      ),
    ],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: AWAY,
  },
  {
    name: 'the same death at many services at once, of which those are dying all the time',
    windows: [
      makeWindow('orders', OLD, deploy(-240, 'bbbbbb2'), trouble(-118, 'restart', 'kubernetes', 'OOMKilled', { entity: 'orders' })),
      ...['cart', 'search', 'users', 'mail'].map((name, index) =>
        makeWindow(
          name,
          trouble(-1_100 - 60 * index, 'restart', 'kubernetes', 'OOMKilled', { entity: name }),
          trouble(-120 + 4 * index, 'restart', 'kubernetes', 'OOMKilled', { entity: name }),
        ),
      ),
    ],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Roll back/,
  },
  {
    name: 'a database that fails over',
    windows: [makeWindow('pg', trouble(-130, 'restart', 'postgres', 'failover')), makeWindow('orders', OLD, own(-120, 'Connection lost'))],
    calls: ['pg'],
    assessment: 'unrecorded',
    says: /^pg has been restarting .*since 11:57 UTC; no recorded change/,
    advises: /^Look at pg/,
  },
  ...[
    trouble(-900, 'saturation', 'datadog', 'cpu 85%', { entity: 'orders' }),
    trouble(-3_000, 'restart', 'kubernetes', 'OOMKilled', { entity: 'orders' }),
    errors(-1_500, 'connect ETIMEDOUT', { entity: 'mailer:25' }),
  ].map((before) => ({
    name: `a database that fails over, to which no call is known, long after something else: ${before.newValue}`,
    windows: [
      makeWindow('pg', trouble(-130, 'restart', 'postgres', 'failover')),
      makeWindow('orders', OLD, before, own(-120, 'Connection lost')),
    ],
    assessment: 'unrecorded' as const,
    says: /^pg has been restarting \(failover\)/,
    advises: /^Look at pg/,
  })),
  ...[
    trouble(-1_500, 'saturation', 'datadog', 'cpu 85%', { entity: 'orders' }),
    trouble(-3_000, 'restart', 'kubernetes', 'OOMKilled', { entity: 'orders' }),
  ].map((before) => ({
    name: `the last of two deploys, though something else was soon over after the first: ${before.newValue}`,
    windows: [makeWindow('orders', deploy(-3_120, 'aaaaaa2'), deploy(-195, 'bbbbbb2'), before, own(-120, 'TypeError: x', { count: 9 }))],
    assessment: 'cause' as const,
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Roll back .*aaaaaa2/,
  })),
  {
    name: 'a database that fails over, to which no call is known, though what came of it first was last told before what came of it next',
    windows: [
      makeWindow('pg', trouble(-310, 'restart', 'postgres', 'failover')),
      makeWindow(
        'orders',
        OLD,
        deploy(-600, 'bbbbbb2'),
        own(-300, 'Connection lost', { count: 9, timestamp: later(-90) }),
        trouble(-20, 'restart', 'kubernetes', 'CrashLoopBackOff', { entity: 'orders' }),
      ),
    ],
    assessment: 'suspect',
    says: /pg has been restarting \(failover\)/,
    advises: AWAY,
  },
  {
    name: 'a provider that is away, as a circuit that opened minutes ago tells',
    windows: [
      makeWindow(
        'orders',
        OLD,
        trouble(-300, 'circuit_open', 'resilience4j', 'OPEN', { entity: 'api.stripe.com' }),
        own(-240, 'payment is not available', { count: 40, timestamp: later(0) }),
      ),
    ],
    assessment: 'external',
    says: /api\.stripe\.com/,
    advises: /api\.stripe\.com/,
  },
  {
    name: 'a cache that is killed, to which no call is known',
    windows: [
      makeWindow('redis-cart', trouble(-140, 'restart', 'redis', 'oom_killed')),
      makeWindow('orders', deploy(-3 * HOUR, 'aaaaaa1'), own(-130, 'LOADING dataset in memory')),
    ],
    assessment: 'unrecorded',
    says: /^redis-cart has been restarting/,
    advises: /^Look at redis-cart/,
  },
  {
    name: 'a database to which no call is known, though others are',
    windows: [
      makeWindow('pg', trouble(-130, 'saturation', 'postgres', 'connection_limit_reached', { count: 9, timestamp: later(60) })),
      makeWindow('orders', OLD, own(-120, 'remaining connection slots are reserved')),
    ],
    calls: ['pricing'],
    assessment: 'unrecorded',
    says: /^pg has been under strain/,
    advises: /^Look at pg/,
  },
  {
    name: 'pods of a callee that are replaced, and a deploy a quarter of an hour ago',
    windows: [
      makeWindow(
        'pricing',
        trouble(-200, 'restart', 'kubernetes', 'Killing', { entity: 'pricing-7d9f8b6c5-x2x9k', count: 3, timestamp: later(-150) }),
      ),
      makeWindow('orders', deploy(-1_090, 'aaaaaa1'), own(-190, 'TypeError: x')),
    ],
    calls: ['pricing'],
    assessment: 'cause',
    says: /^Deploy sha=aaaaaa1 to orders/,
    advises: /^Roll back orders/,
  },
  {
    name: 'a callee that fails, half an hour after a deploy of its caller',
    windows: [makeWindow('orders', deploy(-1_620, 'aaaaaa1'), failure(-120, 'pricing', 'success=40%'))],
    calls: ['pricing'],
    assessment: 'unrecorded',
    says: /^Calls from orders to pricing have failed/,
    advises: AWAY,
  },
  {
    name: 'a database that goes away beside a deploy of what never calls it',
    windows: [
      makeWindow('pg', trouble(-130, 'restart', 'postgres', 'shutdown')),
      makeWindow('pricing', deploy(-720, 'aaaaaa1')),
      makeWindow('orders', own(-120, 'Connection terminated')),
    ],
    calls: ['pricing'],
    assessment: 'unrecorded',
    says: /^pg has been restarting/,
    advises: /^Look at pg/,
  },
  {
    name: 'a broker that shuts down',
    windows: [
      makeWindow(
        'kafka',
        trouble(-240, 'restart', 'kafka', 'controlled_shutdown', { entity: 'broker_2' }),
        trouble(-235, 'dependency_failure', 'kafka', 'under_replicated_partitions'),
      ),
      makeWindow('orders', deploy(-2.5 * HOUR, 'aaaaaa1'), own(-230, 'The coordinator is not available')),
    ],
    calls: ['kafka'],
    assessment: 'unrecorded',
    says: /^kafka has/,
    advises: /^Look at kafka/,
  },
  {
    name: 'an autoscaler’s change, and a later deploy of what has nothing to do with it',
    windows: [
      makeWindow('press-site', deploy(-100, 'cccccc3')),
      makeWindow(
        'orders',
        makeEntry(-230, 'scale_event', { vendor: 'kubernetes', entity: 'orders-hpa', oldValue: '4', newValue: '12' }),
        own(-210, 'exceeded quota: limits.cpu', { eventType: 'saturation' }),
      ),
    ],
    assessment: 'unrecorded',
    says: /^orders has been under strain/,
    advises: /^Look at orders: its logs and load, and compare with before scaling of orders-hpa/,
  },
  {
    name: 'a migration of another client of a store, out of reach',
    windows: [
      makeWindow('reports', makeEntry(-210, 'schema_change', { vendor: 'flyway', entity: 'reports_db.facts', newValue: '201' })),
      makeWindow(
        'pg',
        trouble(-180, 'saturation', 'postgres', 'deadlock_detected', { entity: 'orders_db', count: 9, timestamp: later(60) }),
      ),
      makeWindow('orders', own(-175, 'deadlock detected')),
    ],
    rest: { graph: { edges: [declareEdge('orders', 'pg'), declareEdge('reports', 'pg')] } },
    assessment: 'unrecorded',
    says: /^(?:pg|orders) has/,
    advises: AWAY,
  },
  {
    name: 'a sync of the commit that has been live for hours',
    windows: [makeWindow('orders', deploy(-9 * HOUR, 'aaaaaa1'), deploy(-230, 'aaaaaa1', { actor: 'self-heal' }), own(-200))],
    assessment: 'suspect',
    says: /^Deploy sha=aaaaaa1 to orders rolled out once more 30 seconds before onset$/,
    advises: /^Compare/,
  },
  {
    name: 'a restart of all pods of whom it calls',
    windows: [
      makeWindow('pricing', makeEntry(-215, 'deploy', { vendor: 'kubernetes', entity: 'deployment/pricing', newValue: 'restarted' })),
      makeWindow('orders', own(-200, 'connect ECONNREFUSED pricing:8080')),
    ],
    calls: ['pricing'],
    assessment: 'suspect',
    says: /^Deploy to pricing rolled out once more 15 seconds before onset$/,
    advises: /^Compare/,
  },
  {
    name: 'load that comes a quarter of an hour after a deploy',
    windows: [
      makeWindow(
        'orders',
        OLD,
        deploy(-1_100, 'bbbbbb2'),
        own(-200, 'server is overloaded: too many concurrent requests'),
        trouble(-215, 'saturation', 'kubernetes', 'cpu=98%', { entity: 'orders-hpa', count: 4, timestamp: later(60) }),
      ),
    ],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Compare/,
  },
  {
    name: 'a database that is vacuumed as always',
    windows: [
      makeWindow('pg', trouble(-1_000, 'saturation', 'postgres', 'autovacuum', { count: 4, timestamp: later(-100) })),
      makeWindow('orders', own(-200, 'connect ETIMEDOUT pg:5432')),
    ],
    calls: ['pg'],
    assessment: 'unrecorded',
    says: /^Calls from orders to pg have failed since 11:56 UTC/,
    advises: AWAY,
  },
  {
    name: 'a deploy that a clock a quarter of a minute ahead puts after its errors',
    windows: [makeWindow('orders', OLD, own(-155), deploy(-140, 'bbbbbb2'))],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders rolled out at about the time of onset$/,
    advises: /^Roll back to sha=aaaaaa1$/,
  },
  {
    name: 'a deploy while its service fails already',
    windows: [makeWindow('orders', own(-260), trouble(-100, 'restart', 'generic', 'fatal'), deploy(-102, 'bbbbbb2'))],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Compare/,
  },
  {
    name: 'a node that is not ready',
    windows: [
      makeWindow('/ip-10-0-3-17', trouble(-180, 'dependency_failure', 'kubernetes', 'NodeNotReady', { entity: 'ip-10-0-3-17' })),
      makeWindow('orders', OLD, own(-140, 'upstream connect error')),
    ],
    assessment: 'unrecorded',
    says: /^ip-10-0-3-17 has been reported failing/,
    advises: AWAY,
  },
  {
    name: 'a database that its caller’s deploy of a minute before exhausts',
    windows: [
      makeWindow('pg', trouble(-130, 'saturation', 'postgres', 'connection_limit_reached', { count: 9, timestamp: later(60) })),
      makeWindow('orders', OLD, deploy(-170, 'bbbbbb2'), own(-120, 'no connection slots left')),
    ],
    calls: ['pg'],
    assessment: 'cause',
    says: /sha=bbbbbb2/,
    advises: /^Roll back to sha=aaaaaa1/,
  },
  {
    name: 'a deploy put back, whose earlier one is no longer on record',
    windows: [
      makeWindow('orders', deploy(-900, 'bbbbbb2'), own(-880, 'TypeError: x', { timestamp: later(-425) }), deploy(-430, 'aaaaaa1')),
    ],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders rolled out 20 seconds before onset$/,
    advises: /^Watch whether what failed ends: deploy sha=aaaaaa1 to orders replaced it 7 minutes before the alert$/,
  },
  {
    name: 'a deploy fixed forward by one after which its errors go on',
    windows: [makeWindow('orders', OLD, deploy(-1_500, 'bbbbbb2'), own(-1_000, 'connect ETIMEDOUT'), deploy(-700, 'cccccc3'))],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 to orders rolled out 8 minutes before onset$/,
    advises: /^Check whether deploy sha=cccccc3 to orders, which replaced it 12 minutes before the alert, still contains what it changed/,
  },
  {
    name: 'a deploy that failed to replace the one to blame',
    windows: [
      makeWindow('orders', OLD, deploy(-300, 'bbbbbb2'), own(-280), makeEntry(-60, 'deploy', { newValue: 'failed', sha: 'cccccc3' })),
    ],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2/,
    advises: /^Roll back to sha=aaaaaa1$/,
  },
  {
    name: 'a rollback that did not help',
    windows: [makeWindow('orders', OLD, deploy(-900, 'bbbbbb2'), own(-880), deploy(-500, 'aaaaaa1'))],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2/,
    advises: /^Make sure that the rollback of orders has taken effect$/,
  },
  {
    name: 'slow queries as ever, and a deploy',
    windows: [
      makeWindow('pg', trouble(-200, 'saturation', 'postgres', 'slow_query:812ms', { count: 9, timestamp: later(60) })),
      makeWindow('orders', deploy(-900, 'bbbbbb2'), own(-190, 'TypeError: x')),
    ],
    calls: ['pg'],
    assessment: 'cause',
    says: /sha=bbbbbb2/,
    advises: /^Roll back/,
  },
  {
    name: 'a deploy hours ago, and errors that name nobody',
    windows: [makeWindow('orders', deploy(-3 * HOUR, 'aaaaaa1'), own(-200))],
    assessment: 'unrecorded',
    says: /^orders has reported errors/,
    advises: AWAY,
  },
  {
    name: 'deploys hours ago of whom it calls, and errors that name nobody',
    windows: [
      makeWindow('pricing', deploy(-3 * HOUR, 'aaaaaa1')),
      makeWindow('stock', deploy(-2 * HOUR, 'bbbbbb2')),
      makeWindow('orders', own(-200)),
    ],
    calls: ['pricing', 'stock'],
    assessment: 'unrecorded',
    says: /^orders has reported errors/,
    advises: AWAY,
  },
  {
    name: 'a deploy just now of whom it calls, and errors that name nobody',
    windows: [makeWindow('pricing', deploy(-300, 'aaaaaa1')), makeWindow('orders', own(-200))],
    calls: ['pricing', 'stock'],
    assessment: 'suspect',
    says: /sha=aaaaaa1 to pricing/,
    advises: /^Compare/,
  },
  {
    name: 'one revision that one sender rolls out to two clusters',
    windows: [
      makeWindow('orders', deploy(-300, 'aaaaaa1', { entity: 'orders-eu' }), deploy(-250, 'aaaaaa1', { entity: 'orders-us' }), own(-200)),
    ],
    assessment: 'cause',
    says: /^Deploy sha=aaaaaa1 to orders rolled out \d minutes before onset$/,
    advises: /^Roll back/,
  },
  {
    name: 'a flag that went on, off and on again just before',
    windows: [makeWindow('orders', flag(-230, 'off', 'on'), flag(-225, 'on', 'off'), flag(-210, 'off', 'on'), own(-200))],
    assessment: 'cause',
    says: /^Flag change of new-tax to on at orders took effect 10 seconds before onset/,
    advises: /^Set flag new-tax back to off/,
  },
  {
    name: 'a flag that went off just before, on for long',
    windows: [makeWindow('orders', flag(-1_230, 'off', 'on'), flag(-212, 'on', 'off'), own(-200))],
    assessment: 'cause',
    says: /^Flag change of new-tax to off at orders/,
    advises: /^Set flag new-tax back to on/,
  },
  {
    name: 'a deploy and the migration that it ran',
    windows: [
      makeWindow(
        'orders',
        deploy(-300, 'aaaaaa1'),
        makeEntry(-285, 'schema_change', { vendor: 'flyway', entity: 'orders.customers', newValue: 'V42' }),
        own(-260, 'column customers.locale does not exist'),
      ),
    ],
    assessment: 'cause',
    says: /^Deploy sha=aaaaaa1 to orders .* before onset, and with it schema change on orders.customers \(V42\) at orders$/,
    advises: /^Roll back orders to the previous revision; then check the schema change on orders.customers/,
  },
  {
    name: 'a migration by its revision, at the database, and the deploy of that',
    windows: [
      makeWindow('orders', deploy(-300, 'aaaaaa1'), own(-260, 'connect ECONNREFUSED pg:5432')),
      makeWindow('pg', makeEntry(-285, 'schema_change', { vendor: 'flyway', entity: 'orders.customers', sha: 'aaaaaa1' })),
    ],
    assessment: 'cause',
    says: /^Schema change on orders.customers at pg .* and with it deploy sha=aaaaaa1 to orders$/,
    advises: /^Check the schema change on orders.customers of pg, and revert it or fix it forward$/,
  },
  {
    name: 'revisions by full hashes',
    windows: [makeWindow('orders', deploy(-9_000, 'f'.repeat(40)), deploy(-300, `0123456789${'a'.repeat(30)}`), own(-260))],
    assessment: 'cause',
    says: /^Deploy sha=01234567 to orders/,
    advises: /^Roll back to sha=ffffffff$/,
  },
  {
    name: 'a company outside that is named without a host',
    windows: [makeWindow('orders', deploy(-3 * HOUR, 'aaaaaa1'), own(-200, 'Stripe API error: 503 Service Unavailable'))],
    assessment: 'external',
    says: /^orders has been unable to reach stripe since 11:56 UTC/,
    advises: /^Check whether stripe is up/,
  },
  {
    name: 'a host outside that refuses, from a deploy on',
    windows: [makeWindow('orders', OLD, deploy(-215, 'bbbbbb2'), own(-200, 'POST https://api.mail.example/v3/send 401 Unauthorized'))],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Roll back to sha=aaaaaa1/,
  },
  {
    name: 'a host outside that refuses for no recorded reason',
    windows: [makeWindow('orders', OLD, own(-200, 'POST https://api.mail.example/v3/send 403 Forbidden'))],
    assessment: 'external',
    says: /^Calls from orders to api\.mail\.example have been refused since 11:56 UTC/,
    advises: /^Check what orders asks of api\.mail\.example, and with which credentials/,
  },
  {
    name: 'errors that trickle in for hours before they burst, with a deploy',
    windows: [
      makeWindow(
        'orders',
        deploy(-240, 'aaaaaa1'),
        own(-4 * HOUR, 'timeout awaiting response', { count: 24, timestamp: later(-400) }),
        own(-200, 'timeout awaiting response', { count: 60, timestamp: later(60) }),
      ),
    ],
    assessment: 'cause',
    says: /^Deploy sha=aaaaaa1 to orders rolled out 40 seconds before onset$/,
    advises: /^Roll back/,
  },
  {
    name: 'a mesh that is told to send a service’s traffic elsewhere',
    windows: [
      makeWindow('istio-ingress', route),
      makeWindow('orders', { ...route, joinedBy: 'namespaced_name' }, own(-150, 'upstream connect error before headers')),
    ],
    calls: ['pricing'],
    assessment: 'cause',
    says: /^Config change on virtualservice\/orders at istio-ingress took effect 50 seconds before onset/,
    advises: /^Check virtualservice\/orders of istio-ingress and revert its config change$/,
  },
  {
    name: 'a flag that is rolled out step by step',
    windows: [makeWindow('orders', flag(-900, '0%', '5%'), flag(-300, '5%', '100%'), own(-280))],
    assessment: 'cause',
    says: /^Flag change of new-tax to 100% at orders took effect 20 seconds before onset$/,
    advises: /^Set flag new-tax back to 5%$/,
  },
  {
    name: 'an internal service whose certificate expired, most of an hour after a deploy of its caller',
    windows: [makeWindow('orders', deploy(-3_000, 'aaaaaa1'), own(-150, 'Get "https://auth:8443/keys": x509: certificate has expired'))],
    calls: ['auth'],
    assessment: 'unrecorded',
    says: /^Calls from orders to auth have failed \(expired\) since/,
    advises: /^Renew what has expired at auth, or what orders shows it/,
  },
  {
    name: 'an internal service whose certificate expired, hours after its deploy',
    windows: [
      makeWindow('auth', deploy(-6 * HOUR, 'aaaaaa1')),
      makeWindow('orders', own(-150, 'upstream reset: auth.prod.svc:8443 TLS error: certificate has expired')),
      makeWindow('kiosk', failure(-150, 'auth', 'x509: certificate has expired')),
    ],
    assessment: 'unrecorded',
    says: /^Calls from \w+ to auth have failed \(expired\) since/,
    advises: /^Renew what has expired at auth/,
  },
  {
    name: 'a deploy in one region',
    windows: [makeWindow('orders', deploy(-300, 'aaaaaa1', { environment: 'production-eu' }), own(-240))],
    assessment: 'cause',
    says: /^Deploy sha=aaaaaa1 to orders/,
    advises: /^Roll back/,
  },
  {
    name: 'one commit that is rolled out to several services',
    windows: [
      makeWindow('pricing', deploy(-300, 'aaaaaa1')),
      makeWindow('stock', deploy(-295, 'aaaaaa1')),
      makeWindow('orders', deploy(-290, 'aaaaaa1'), own(-200)),
    ],
    calls: ['pricing', 'stock'],
    assessment: 'cause',
    says: /^Deploy sha=aaaaaa1 to orders rolled out 2 minutes before onset$/,
    advises: /^Roll back orders/,
  },
  {
    name: 'an autoscaler that reacts within a minute',
    windows: [
      makeWindow(
        'orders',
        trouble(-320, 'saturation', 'datadog', 'cpu 97%', { entity: 'orders', count: 9, timestamp: later(60) }),
        makeEntry(-300, 'scale_event', { vendor: 'kubernetes', entity: 'orders-hpa', oldValue: '6', newValue: '12' }),
        trouble(-280, 'saturation', 'kubernetes', 'FailedScheduling', { entity: 'orders-7d9f8b6c5-x2x9k' }),
      ),
    ],
    assessment: 'unrecorded',
    says: /^orders has been under strain/,
    advises: AWAY,
  },
  {
    name: 'a broker that shuts down a quarter of an hour after a deploy of its client',
    windows: [
      makeWindow('kafka', trouble(-200, 'restart', 'kafka', 'controlled_shutdown', { entity: 'broker_1' })),
      makeWindow('orders', deploy(-1_100, 'aaaaaa1'), own(-190, 'NotLeaderForPartition')),
    ],
    calls: ['kafka'],
    assessment: 'unrecorded',
    says: /^kafka has been restarting/,
    advises: /^Look at kafka/,
  },
  ...[150, 300, 600].map((lag) => ({
    name: `a cache whose memory runs out ${lag} seconds after a deploy of its client`,
    windows: [
      makeWindow('sessions', trouble(-140, 'restart', 'kubernetes', 'OOMKilled', { entity: 'sessions-0' })),
      makeWindow('orders', OLD, deploy(-140 - lag, 'bbbbbb2'), own(-120, 'connect ECONNREFUSED sessions:6379')),
    ],
    calls: ['sessions'],
    assessment: 'unrecorded' as const,
    says: /^sessions has been restarting \(OOMKilled\) since 11:57 UTC; no recorded change/,
    advises: /^Look at sessions: its logs and load, and compare with before deploy sha=bbbbbb2 to orders$/,
  })),
  {
    name: 'a broker that shuts down two minutes after a deploy of its client',
    windows: [
      makeWindow('kafka', trouble(-140, 'restart', 'kafka', 'controlled_shutdown', { entity: 'broker_2' })),
      makeWindow('orders', OLD, deploy(-260, 'bbbbbb2'), own(-120, 'NotLeaderForPartition')),
    ],
    calls: ['kafka'],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 .*; as likely, by itself, kafka has been restarting \(controlled_shutdown\) since 11:57 UTC$/,
    advises: /^Look at the logs and load of kafka first.*undo that only if/,
  },
  {
    name: 'a database whose connections run out five minutes after a deploy of its client',
    windows: [
      makeWindow('pg', trouble(-140, 'saturation', 'postgres', 'connection_limit_reached', { count: 9, timestamp: later(60) })),
      makeWindow('orders', OLD, deploy(-440, 'bbbbbb2'), own(-120, 'no connection slots left')),
    ],
    calls: ['pg'],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 .*; as likely, by itself, pg has been under strain/,
    advises: /^Look at the logs and load of pg first/,
  },
  {
    name: 'calls to several services that fail at once, one of them deployed half an hour ago',
    windows: [makeWindow('orders', ...three), makeWindow('pricing', deploy(-1_800, 'bbbbbb2'))],
    calls: ['pricing', 'stock', 'users'],
    assessment: 'unrecorded',
    says: /^Calls from orders to pricing, stock and users have failed since 11:57 UTC; no recorded change/,
    advises:
      /^Look at what calls to pricing, stock and users have in common: orders itself, its network and nodes, and what all of them use$/,
  },
  {
    name: 'calls to two services that fail at once, one of them deployed half an hour ago',
    windows: [makeWindow('orders', ...three.slice(0, 2)), makeWindow('pricing', deploy(-1_800, 'bbbbbb2'))],
    calls: ['pricing', 'stock'],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 to pricing/,
    advises: /^Compare/,
  },
  {
    name: 'calls to several services that fail at once, and a deploy of who makes them',
    windows: [makeWindow('orders', OLD, deploy(-160, 'bbbbbb2'), ...three)],
    calls: ['pricing', 'stock', 'users'],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Roll back to sha=aaaaaa1$/,
  },
  {
    name: 'calls to several services that fail at once, and a deploy of what all of those call',
    windows: [makeWindow('orders', ...three), makeWindow('pg', deploy(-160, 'bbbbbb2'))],
    calls: ['pricing', 'stock', 'users', 'pricing>pg', 'stock>pg', 'users>pg'],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to pg/,
    advises: /^Roll back pg/,
  },
  {
    name: 'calls to several services that fail at once, just after a node is not ready',
    windows: [
      notReady,
      makeWindow('orders', ...[-150, -148, -146].map((at, index) => failure(at, ['pricing', 'stock', 'users'][index] ?? ''))),
    ],
    calls: ['pricing', 'stock', 'users'],
    assessment: 'unrecorded',
    says: /^ip-10-0-3-17 has been reported failing \(NodeNotReady\) since 11:57 UTC/,
    advises: /^Look at ip-10-0-3-17: if it does not recover, cordon and drain it$/,
  },
  {
    name: 'pods that go with their node, and a deploy some minutes before',
    windows: [
      notReady,
      makeWindow(
        'orders',
        deploy(-660, 'bbbbbb2'),
        trouble(-120, 'restart', 'kubernetes', 'terminated', { entity: 'orders-7d9f8b6c5-x2x9k' }),
        own(-110),
      ),
    ],
    calls: ['pricing'],
    assessment: 'unrecorded',
    says: /^ip-10-0-3-17 has been reported failing/,
    advises: /^Look at ip-10-0-3-17/,
  },
  {
    name: 'pods that a deploy replaces after some node was not ready',
    windows: [
      notReady,
      makeWindow(
        'orders',
        OLD,
        deploy(-140, 'bbbbbb2'),
        trouble(-120, 'restart', 'kubernetes', 'terminated', { entity: 'orders-7d9f8b6c5-x2x9k' }),
        own(-40),
      ),
    ],
    calls: ['pricing'],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Roll back to sha=aaaaaa1$/,
  },
  ...(
    [
      ['secret/orders/db-password', 'vault', 'password authentication failed for user "orders"', /^Restore the previous value of/],
      ['kv/data/prod/orders/stripe', 'vault', 'Invalid API key provided', /^Restore the previous value of/],
      ['role/orders-s3-access', 'iam', 'AccessDenied: not authorized to perform s3:GetObject', /^Grant again what/],
      ['aws_iam_role.orders_task', 'terraform', 'AccessDenied', /^Grant again what/],
    ] as const
  ).map(([entity, vendor, error, advises]) => ({
    name: `${entity}, which was changed elsewhere, beside a deploy a quarter of an hour ago`,
    windows: [makeWindow(vendor, setting(entity, vendor)), makeWindow('orders', OLD, deploy(-900, 'bbbbbb2'), own(-150, error))],
    calls: ['pricing'],
    assessment: 'cause' as const,
    says: new RegExp(`^Config change on ${entity}`),
    advises,
  })),
  {
    name: 'a ConfigMap of the service, changed elsewhere',
    windows: [makeWindow('gitops', setting('configmap/orders-env', 'kubernetes')), makeWindow('orders', own(-150, 'TypeError: x'))],
    calls: ['pricing'],
    assessment: 'cause',
    says: /^Config change on configmap\/orders-env/,
    advises: /^Check configmap\/orders-env of gitops and revert its config change$/,
  },
  {
    name: 'a secret of another service that it does not call',
    windows: [
      makeWindow('vault', setting('secret/billing/orders-export/key')),
      makeWindow('billing', OLD),
      makeWindow('orders', own(-150)),
    ],
    calls: ['pricing'],
    assessment: 'unrecorded',
    says: /^orders has reported errors/,
    advises: AWAY,
  },
  {
    name: 'a database that alerts, and a deploy of its client just before it is full',
    windows: [
      makeWindow('orders-db', full),
      makeWindow('orders', OLD, deploy(-200, 'bbbbbb2')),
      makeWindow('web', deploy(-7_200, 'cccccc3')),
    ],
    calls: ['orders-db', 'web>orders-db'],
    rest: DB,
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders rolled out 80 seconds before onset$/,
    advises: /^Roll back to sha=aaaaaa1$/,
  },
  {
    name: 'a database that alerts, and a migration of whom it is named after',
    windows: [
      makeWindow('orders-db', trouble(-120, 'saturation', 'postgres', 'slow_query:4521ms', { count: 9, timestamp: later(60) })),
      makeWindow('orders', makeEntry(-200, 'schema_change', { vendor: 'flyway', entity: 'orders.items', newValue: 'V42' })),
    ],
    rest: DB,
    assessment: 'cause',
    says: /^Schema change on orders\.items \(V42\) at orders/,
    advises: /^Check the schema change on orders\.items/,
  },
  {
    name: 'a database that alerts for a failover, minutes after a deploy of its client',
    windows: [makeWindow('orders-db', trouble(-120, 'restart', 'postgres', 'failover')), makeWindow('orders', deploy(-600, 'bbbbbb2'))],
    calls: ['orders-db'],
    rest: DB,
    assessment: 'unrecorded',
    says: /^orders-db has been restarting \(failover\)/,
    advises: /^Look at orders-db/,
  },
  {
    name: 'an autoscaler that takes away what then lacks, and does not say of how many',
    windows: [
      makeWindow('orders', OLD, scaling(-7_200, null, '12'), scaling(-300, null, '4'), scaling(-298, '12', '4', { entity: 'orders' }), hot),
    ],
    assessment: 'cause',
    says: /^Scaling of orders-hpa to 4 at orders took effect 60 seconds before onset$/,
    advises: /^Raise the minimum of orders-hpa: it took orders from 12 to 4 replicas$/,
  },
  {
    name: 'replicas that somebody takes away soon after a deploy',
    windows: [
      makeWindow(
        'orders',
        OLD,
        deploy(-700, 'bbbbbb2'),
        scaling(-300, '12', '4', { entity: 'orders', actor: 'ann' }),
        own(-240, 'no capacity'),
      ),
    ],
    assessment: 'suspect',
    says: /^Scaling of orders from 12 to 4 at orders took effect 60 seconds before onset; nearly as likely, deploy sha=bbbbbb2/,
    advises: /^Compare/,
  },
  {
    name: 'an autoscaler that took replicas away a quarter of an hour before the strain, and a deploy hours ago',
    windows: [makeWindow('orders', OLD, scaling(-1_200, '12', '3'), hot)],
    assessment: 'cause',
    says: /^Scaling of orders-hpa from 12 to 3 at orders took effect 16 minutes before onset$/,
    advises: /^Raise the minimum of orders-hpa: it took orders from 12 to 3 replicas$/,
  },
  {
    name: 'a flag by the path of the service, changed elsewhere',
    windows: [
      makeWindow(
        'configcat',
        makeEntry(-200, 'flag_change', { vendor: 'configcat', entity: 'orders/new-tax', oldValue: 'off', newValue: 'on' }),
      ),
      makeWindow('orders', OLD, own(-150)),
    ],
    calls: ['pricing'],
    assessment: 'cause',
    says: /^Flag change of orders\/new-tax to on at configcat/,
    advises: /^Set flag orders\/new-tax back to off$/,
  },
  {
    name: 'calls that fail at once, of whom the alerting service calls',
    windows: [makeWindow('web', failure(-110, 'orders')), makeWindow('orders', ...three), makeWindow('stock', deploy(-1_500, 'bbbbbb2'))],
    calls: ['web>orders', 'pricing', 'stock', 'users'],
    rest: { alert: { ...ORDERS, service: 'web' } },
    assessment: 'unrecorded',
    says: /^Calls from orders to pricing, stock and users have failed/,
    advises: /^Look at what calls to pricing, stock and users have in common/,
  },
  {
    name: 'an autoscaler that adds replicas a minute after the strain began',
    windows: [makeWindow('orders', scaling(-180, '4', '12'), hot)],
    assessment: 'unrecorded',
    says: /^orders has been under strain/,
    advises: AWAY,
  },
  {
    name: 'a certificate that was renewed as always, before connections ran out',
    windows: [
      makeWindow(
        'orders-db',
        makeEntry(-480, 'config_change', { vendor: 'cert-manager', entity: 'orders-db-tls', oldValue: 'Ready', newValue: 'Ready' }),
        trouble(-360, 'saturation', 'postgres', 'connection_limit_reached', { count: 20, timestamp: later(60) }),
      ),
      makeWindow('orders', own(-300, 'orders-db:5432: FATAL: remaining connection slots are reserved')),
    ],
    rest: DB,
    assessment: 'unrecorded',
    says: /^orders-db has been under strain/,
    advises: AWAY,
  },
  {
    name: 'a deploy that ran well for forty minutes before its service showed errors',
    windows: [makeWindow('orders', deploy(-2_600, 'aaaaaa1'), own(-200))],
    assessment: 'unrecorded',
    says: /^orders has reported errors/,
    advises: AWAY,
  },
  {
    name: 'a deploy that ran well for 25 minutes before a host outside refused calls',
    windows: [makeWindow('orders', deploy(-1_700, 'aaaaaa1'), own(-200, 'https://api.partner.example/v2 403 Forbidden'))],
    assessment: 'external',
    says: /^Calls from orders to api\.partner\.example have been refused/,
    advises: AWAY,
  },
  {
    name: 'two changes that each broke what the other did not',
    windows: [
      makeWindow('pricing', deploy(-420, 'aaaaaa1'), errors(-360, 'NullPointerException', { entity: 'pricing' })),
      makeWindow('stock', flag(-360, 'off', 'on'), errors(-300, 'IllegalStateException', { entity: 'stock' })),
      makeWindow('orders', own(-330, 'pricing:8080 500'), own(-290, 'stock:8080 500')),
    ],
    assessment: 'cause',
    says: /^(?=.*aaaaaa1 to pricing)(?=.*new-tax)/,
    advises: /^Roll back pricing/,
  },
  {
    name: 'a flag that was set back before the database was killed',
    windows: [
      makeWindow('orders', flag(-1_500, 'off', 'on'), flag(-840, 'on', 'off')),
      makeWindow(
        'orders',
        makeEntry(-1_440, 'dependency_failure', { vendor: 'pino', newValue: 'Error: tax missing', count: 60, timestamp: later(-850) }),
        own(-180, 'connect ECONNREFUSED orders-db:5432'),
      ),
      makeWindow('orders-db', trouble(-190, 'restart', 'postgres', 'terminated by signal 9: Killed')),
    ],
    assessment: 'unrecorded',
    says: /^orders-db has been restarting/,
    advises: AWAY,
  },
  {
    name: 'a setting of a service that failures name, not as a host',
    windows: [
      makeWindow('edge-proxy', makeEntry(-240, 'config_change', { vendor: 'puppet', entity: '/etc/nginx.conf', newValue: 'timeout 1s' })),
      makeWindow('orders', deploy(-5_400, 'aaaaaa1'), own(-180, '502 Bad Gateway from edge-proxy')),
    ],
    assessment: 'cause',
    says: /^Config change on \/etc\/nginx\.conf/,
    advises: /revert its config change$/,
  },
  {
    name: 'who asks, named in a failure, is nobody that is called',
    windows: [
      makeWindow('web-shop', deploy(-240, 'bbbbbb2')),
      makeWindow('orders', own(-180, 'request from web-shop failed: pool exhausted')),
    ],
    assessment: 'unrecorded',
    says: /^orders has reported errors/,
    advises: AWAY,
  },
  {
    name: 'a setting of a service that is called by its name',
    windows: [
      makeWindow('thumbnailer', makeEntry(-240, 'config_change', { vendor: 'terraform', entity: 'concurrency', newValue: '5' })),
      makeWindow('orders', own(-180, 'invoke thumbnailer: TooManyRequestsException: Rate Exceeded')),
    ],
    assessment: 'cause',
    says: /^Config change on concurrency/,
    advises: /revert its config change$/,
  },
  {
    name: 'a host in the cluster that never spoke',
    windows: [makeWindow('orders', own(-180, 'dial tcp payments.shop.svc.cluster.local:8080: connect: connection refused'))],
    assessment: 'unrecorded',
    says: /^orders has been unable to reach payments\.shop\.svc\.cluster\.local/,
    advises: /^Check whether payments\.shop\.svc\.cluster\.local is up/,
  },
  {
    name: 'the weight of a route to a host in the cluster that never spoke',
    windows: [
      makeWindow(
        'istio-system',
        makeEntry(-240, 'config_change', { vendor: 'istio', entity: 'virtualservice/reviews', newValue: 'v3 100' }),
      ),
      makeWindow('orders', own(-180, 'reviews:9080 503 UC upstream_reset_before_response_started')),
    ],
    assessment: 'cause',
    says: /^Config change on virtualservice\/reviews/,
    advises: /revert its config change$/,
  },
  {
    name: 'a host that is put in place by a setting, and is not found',
    windows: [
      makeWindow(
        'orders',
        OLD,
        makeEntry(-300, 'config_change', {
          vendor: 'kubernetes',
          entity: 'orders-config',
          oldValue: 'DB=orders-db',
          newValue: 'DB=orders-db-new',
        }),
        own(-240, 'getaddrinfo ENOTFOUND orders-db-new'),
      ),
    ],
    assessment: 'cause',
    says: /^Config change on orders-config/,
    advises: /revert its config change$/,
  },
  {
    name: 'a migration of a column that failures name',
    windows: [
      makeWindow(
        'orders-db',
        makeEntry(-240, 'schema_change', { vendor: 'flyway', entity: 'orders', newValue: '58: drop column discount' }),
      ),
      makeWindow('orders', OLD, own(-220, 'ERROR: column "discount" does not exist')),
    ],
    assessment: 'cause',
    says: /^Schema change on orders at orders-db/,
    advises: /^Check the schema change/,
  },
  {
    name: 'a rule for a host that failures name',
    windows: [
      makeWindow('waf', makeEntry(-240, 'config_change', { vendor: 'cloudflare', entity: 'api.shop.example/rule-9', newValue: 'block' })),
      makeWindow('orders', own(-200, 'https://api.shop.example/v2/orders 403 Forbidden')),
    ],
    assessment: 'cause',
    says: /^Config change on "api\.shop\.example\/rule-9"/,
    advises: /revert its config change$/,
  },
  {
    name: 'a network policy before calls time out',
    windows: [
      makeWindow(
        'shop',
        makeEntry(-240, 'config_change', { vendor: 'kubernetes', entity: 'networkpolicy/default-deny', newValue: 'applied' }),
      ),
      makeWindow('orders', own(-200, 'redis-cart:6379: i/o timeout')),
    ],
    assessment: 'cause',
    says: /^Config change on networkpolicy\/default-deny/,
    advises: /revert its config change$/,
  },
  {
    name: 'a network policy before errors of the service itself',
    windows: [
      makeWindow(
        'shop',
        makeEntry(-240, 'config_change', { vendor: 'kubernetes', entity: 'networkpolicy/default-deny', newValue: 'applied' }),
      ),
      makeWindow('orders', own(-200)),
    ],
    calls: ['pricing'],
    assessment: 'unrecorded',
    says: /^orders has reported errors/,
    advises: AWAY,
  },
  {
    name: 'an autoscaler that asks for more than there is',
    windows: [
      makeWindow('orders', OLD, scaling(-720, '12', '24'), trouble(-600, 'saturation', 'kubernetes', 'FailedScheduling', { count: 8 })),
    ],
    assessment: 'unrecorded',
    says: /^orders has been under strain \(FailedScheduling\)/,
    advises: AWAY,
  },
  {
    name: 'a pod that a drained node took with it',
    windows: [
      makeWindow('/ip-10-0-9-4', trouble(-240, 'saturation', 'kubernetes', 'NodeNotSchedulable', { entity: 'ip-10-0-9-4' })),
      makeWindow('auth', trouble(-220, 'restart', 'kubernetes', 'Killing', { joinedBy: 'pod' })),
      makeWindow('orders', own(-200, 'auth:8080: connect: connection refused')),
    ],
    assessment: 'unrecorded',
    says: /ip-10-0-9-4/,
    advises: /ip-10-0-9-4/,
  },
  {
    name: 'what a cache throws away',
    windows: [
      makeWindow(
        'orders',
        makeEntry(-240, 'config_change', { vendor: 'ansible', entity: 'maxmemory-policy', newValue: 'noeviction' }),
        own(-200),
      ),
    ],
    assessment: 'cause',
    says: /^Config change on maxmemory-policy/,
    advises: /^Check maxmemory-policy of orders and revert its config change$/,
  },
  {
    name: 'one rollout by commit and by counter',
    windows: [
      makeWindow(
        'orders',
        makeEntry(-300, 'deploy', { vendor: 'deploy', entity: 'orders', newValue: 'succeeded', sha: 'e5f6a7b' }),
        makeEntry(-260, 'deploy', { vendor: 'argo-rollouts', entity: 'orders', newValue: 'started', sha: '13' }),
        makeEntry(-200, 'deploy', { vendor: 'argo-rollouts', entity: 'orders', newValue: 'succeeded', sha: '13' }),
        own(-190),
      ),
    ],
    assessment: 'cause',
    says: /^Deploy sha=e5f6a7b to orders rolled out (?!.*likely)/,
    advises: /^Roll back/,
  },
  {
    name: 'one rollout by counter and then by commit',
    windows: [
      makeWindow(
        'orders',
        makeEntry(-300, 'deploy', { vendor: 'argo-rollouts', entity: 'orders', newValue: 'started', sha: '13' }),
        makeEntry(-220, 'deploy', { vendor: 'argo-rollouts', entity: 'orders', newValue: 'succeeded', sha: '13' }),
        makeEntry(-200, 'deploy', { vendor: 'deploy', entity: 'orders', newValue: 'succeeded', sha: 'e5f6a7b' }),
        own(-190),
      ),
    ],
    assessment: 'cause',
    says: /^Deploy sha=e5f6a7b to orders rolled out (?!.*likely)/,
    advises: /^Roll back/,
  },
  {
    name: 'nothing but what nothing connects with the alert',
    windows: [
      makeWindow('blog', deploy(-60, 'aaaaaa1')),
      makeWindow('wiki', deploy(-160, 'bbbbbb2')),
      makeWindow('payroll', deploy(-260, 'cccccc3')),
    ],
    assessment: 'inconclusive',
    says: /^Nothing on record is connected with orders/,
    advises: /^Look at orders itself/,
  },
  {
    name: 'a volume that is full, by the crash of who writes to it',
    windows: [
      makeWindow(
        'orders',
        deploy(-1_100, 'aaaaaa1'),
        trouble(-200, 'restart', 'gojson', 'fatal: write /data/wal: no space left on device', { count: 6 }),
      ),
    ],
    assessment: 'unrecorded',
    says: /^orders has run out of disk space since/,
    advises: /^Make room on the volume of orders/,
  },
  {
    name: 'a certificate of whom it calls that has expired',
    windows: [makeWindow('orders', deploy(-720, 'aaaaaa1'), own(-180, 'https://payments.internal:8443: x509: certificate has expired'))],
    assessment: 'unrecorded',
    says: /^Calls from orders to payments\.internal have failed \(expired\) since/,
    advises: /^Renew what has expired at payments\.internal/,
  },
  {
    name: 'a mesh that asks for certificates of whoever calls',
    windows: [
      makeWindow(
        'istio-system',
        makeEntry(-300, 'config_change', { vendor: 'istio', entity: 'peerauthentication/default', newValue: 'mtls STRICT' }),
      ),
      makeWindow('pricing', OLD),
      makeWindow('orders', own(-240, 'pricing:8080 upstream connect error: connection reset before headers')),
    ],
    assessment: 'cause',
    says: /^Config change on peerauthentication\/default/,
    advises: /revert its config change$/,
  },
  {
    name: 'a host outside that others cannot reach, either',
    windows: ['avatars', 'orders', 'reports'].map((service) =>
      makeWindow(service, errors(-200, 'PUT https://bucket.s3.us-east-1.amazonaws.com/x 503', { entity: service })),
    ),
    assessment: 'external',
    says: /^orders has been unable to reach bucket\.s3/,
    advises: /and whether orders can reach it/,
  },
  {
    name: 'a network policy of another service before a host outside does not answer',
    windows: [
      makeWindow('batch-jobs', OLD),
      makeWindow(
        'shop',
        makeEntry(-240, 'config_change', { vendor: 'kubernetes', entity: 'networkpolicy/batch-jobs', newValue: 'applied' }),
      ),
      makeWindow('orders', own(-200, 'POST https://api.stripe.com/v1/charges context deadline exceeded')),
    ],
    assessment: 'external',
    says: /^orders has been unable to reach api\.stripe\.com/,
    advises: AWAY,
  },
  {
    name: 'a migration of a column whose name errors hold that are of no database',
    windows: [
      makeWindow(
        'billing-db',
        makeEntry(-240, 'schema_change', { vendor: 'flyway', entity: 'invoices', newValue: '58: add column status' }),
      ),
      makeWindow('orders', own(-220, "TypeError: Cannot read properties of undefined (reading 'status')")),
    ],
    assessment: 'unrecorded',
    says: /^orders has reported errors/,
    advises: AWAY,
  },
  {
    name: 'a database that failed over after a deploy of its client, and was itself deployed hours before',
    windows: [
      makeWindow('pg', deploy(-9 * HOUR, 'aaaaaa2'), trouble(-130, 'restart', 'postgres', 'failover')),
      makeWindow('ledger', OLD, deploy(-480, 'bbbbbb2'), errors(-120, 'connection reset by peer', { entity: 'pg' })),
      makeWindow('orders', failure(-115, 'ledger')),
    ],
    calls: ['ledger', 'ledger>pg'],
    assessment: 'unrecorded',
    says: /^pg has been restarting \(failover\)/,
    advises: AWAY,
  },
  {
    name: 'a rollback of a release whose beginning is not on record',
    windows: [
      makeWindow('pricing', OLD, release(-360, 'argo-rollouts', 'rolled_back', '31')),
      makeWindow('orders', failure(-120, 'pricing', 'HTTP 500')),
    ],
    calls: ['pricing'],
    assessment: 'suspect',
    says: /^Rollback of pricing \(sha=31\) took effect 4 minutes before onset$/,
    advises: /^Compare errors and latency of pricing before and after rollback of pricing \(sha=31\)$/,
  },
  {
    name: 'a rollout that broke it, and was rolled back when it had',
    windows: [
      makeWindow(
        'pricing',
        release(-9 * HOUR, 'argo-rollouts', 'succeeded', '30'),
        release(-300, 'argo-rollouts', 'started', '31'),
        release(-60, 'argo-rollouts', 'rolled_back', '31'),
      ),
      makeWindow('orders', errors(-240, 'HTTP 500', { entity: 'pricing', count: 9, timestamp: later(-55) })),
    ],
    calls: ['pricing'],
    assessment: 'cause',
    says: /^Deploy sha=31 to pricing/,
    advises: /^Make sure that the rollback of pricing has taken effect$/,
  },
  {
    name: 'a rollout that was rolled back long before',
    windows: [
      makeWindow(
        'pricing',
        release(-9 * HOUR, 'argo-rollouts', 'succeeded', '30'),
        release(-1_700, 'argo-rollouts', 'started', '31'),
        release(-1_300, 'argo-rollouts', 'rolled_back', '31'),
      ),
      makeWindow('orders', failure(-120, 'pricing', 'HTTP 500')),
    ],
    calls: ['pricing'],
    assessment: 'suspect',
    says: /^Rollback of pricing \(sha=31\)/,
    advises: AWAY,
  },
  {
    name: 'other trouble after a deploy put back what had run for hours',
    windows: [makeWindow('orders', OLD, deploy(-1_200, 'bbbbbb2'), deploy(-600, 'aaaaaa1'), own(-120, 'NullPointerException'))],
    assessment: 'suspect',
    says: /^Deploy sha=aaaaaa1 to orders/,
    advises: /^Compare errors and latency of orders/,
  },
  {
    name: 'other trouble after a flag was set back that was on for minutes',
    windows: [makeWindow('orders', OLD, flag(-900, 'off', 'on'), flag(-600, 'on', 'off'), own(-120, 'NullPointerException'))],
    assessment: 'suspect',
    says: /^Flag change of new-tax to off at orders/,
    advises: /^Compare errors and latency of orders/,
  },
  {
    name: 'a certificate that expired minutes after a deploy of who shows it',
    windows: [
      makeWindow('auth', OLD),
      makeWindow('orders', deploy(-300, 'bbbbbb2'), errors(-120, 'x509: certificate has expired or is not yet valid', { entity: 'auth' })),
    ],
    calls: ['auth'],
    assessment: 'unrecorded',
    says: /^Calls from orders to auth have failed \(expired\)/,
    advises: /^Renew what has expired at auth, or what orders shows it/,
  },
  {
    name: 'a certificate that expired two calls away, minutes after a deploy of who shows it',
    windows: [
      makeWindow('ledger', OLD),
      makeWindow(
        'pricing',
        deploy(-300, 'bbbbbb2'),
        errors(-125, 'x509: certificate has expired or is not yet valid', { entity: 'ledger' }),
      ),
      makeWindow('orders', failure(-120, 'pricing', 'HTTP 502')),
    ],
    calls: ['pricing', 'pricing>ledger'],
    assessment: 'unrecorded',
    says: /^Calls from pricing to ledger have failed \(expired\)/,
    advises: /^Renew what has expired at ledger, or what pricing shows it/,
  },
  {
    name: 'an exception after one replica of fourteen was taken away',
    windows: [
      makeWindow(
        'pricing',
        OLD,
        scaling(-200, '14', '13', { entity: 'pricing-hpa' }),
        errors(-120, 'NullPointerException', { entity: 'pricing' }),
      ),
      makeWindow('orders', failure(-115, 'pricing', 'HTTP 500')),
    ],
    calls: ['pricing'],
    assessment: 'unrecorded',
    says: /pricing/,
    advises: /^(?!Raise the minimum)/,
  },
  {
    name: 'settings below a service that throws an exception of its own',
    windows: [
      makeWindow(
        'pg',
        makeEntry(-300, 'config_change', { vendor: 'terraform', entity: 'aws_db_parameter_group.main', newValue: 'log_min=100' }),
      ),
      makeWindow('pricing', OLD, errors(-120, 'TypeError: card.brand is undefined', { entity: 'pricing' })),
      makeWindow('orders', failure(-115, 'pricing', 'HTTP 500')),
    ],
    calls: ['pricing', 'pricing>pg'],
    assessment: 'suspect',
    says: /^Config change on aws_db_parameter_group\.main/,
    advises: /^Compare errors and latency of pg/,
  },
  {
    name: 'settings elsewhere that list a host which answers that it is unwell',
    windows: [
      makeWindow('reporting', config(-300, 'reporting', 'EGRESS=api.github.com', 'EGRESS=api.github.com,api.stripe.com')),
      makeWindow(
        'orders',
        OLD,
        errors(-120, 'HTTP 503 Service Unavailable from https://api.stripe.com/v1/charges', { entity: 'api.stripe.com' }),
      ),
    ],
    calls: ['reporting>warehouse', 'stock'],
    assessment: 'external',
    says: /^orders has been unable to reach api\.stripe\.com/,
    advises: AWAY,
  },
  {
    name: 'a request that is refused right after a deploy of who sends it, and half an hour after one of who refuses it',
    windows: [
      makeWindow('pricing', deploy(-1_500, 'ccccccc')),
      makeWindow(
        'orders',
        OLD,
        deploy(-190, 'bbbbbb2'),
        errors(-120, 'HTTP 400 Bad Request: unknown field amount_cents', { entity: 'pricing' }),
      ),
    ],
    calls: ['pricing'],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 to orders .*; nearly as likely, deploy sha=ccccccc to pricing/,
    advises: /^Compare what failed before and after/,
  },
  {
    name: 'a deploy, and calls of several others to what they use that fail at once',
    windows: [
      makeWindow('orders', OLD),
      ...['cart', 'catalog', 'users'].map((name, index) => makeWindow(name, failure(-120 + index, `${name}-db`, 'i/o timeout'))),
      makeWindow('cart', deploy(-300, 'bbbbbb2'), failure(-120, 'cart-db', 'i/o timeout')),
      makeWindow('orders', ...['cart', 'catalog', 'users'].map((name, index) => failure(-112 + index, name, 'HTTP 504'))),
    ],
    calls: ['cart', 'catalog', 'users', 'cart>cart-db', 'catalog>catalog-db', 'users>users-db'],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 to cart rolled out \d minutes before onset$/,
    advises: /^Compare errors and latency of cart/,
  },
  {
    name: 'a release that was tried once more after its rollback',
    windows: [
      makeWindow(
        'pricing',
        release(-9 * HOUR, 'github', 'success', 'aaaaaa1'),
        release(-1_500, 'github', 'success', 'bad0001', { count: 2, timestamp: later(-180) }),
        release(-1_200, 'github', 'rolled_back', 'bad0001'),
      ),
      makeWindow('orders', failure(-120, 'pricing', 'HTTP 500')),
    ],
    calls: ['pricing'],
    assessment: 'cause',
    says: /^Deploy sha=bad0001 to pricing rolled out 60 seconds before onset$/,
    advises: /^Roll back to sha=aaaaaa1$/,
  },
  {
    name: 'queues that are full after most replicas were taken away',
    windows: [
      makeWindow(
        'pricing',
        OLD,
        scaling(-170, '10', '2', { entity: 'pricing', actor: 'sam' }),
        errors(-120, 'queue full', { entity: 'pricing' }),
      ),
      makeWindow('orders', failure(-115, 'pricing', 'HTTP 500')),
    ],
    calls: ['pricing'],
    assessment: 'cause',
    says: /^Scaling of pricing from 10 to 2 at pricing/,
    advises: /^Scale pricing back to 10$/,
  },
  {
    name: 'tokens that expire from seconds after a deploy on',
    windows: [makeWindow('auth', OLD, deploy(-150, 'bbbbbb2')), makeWindow('orders', errors(-120, 'token expired', { entity: 'auth' }))],
    calls: ['auth'],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 to auth/,
    advises: /^Compare errors and latency of auth/,
  },
  {
    name: 'settings that send calls to another host, which answers that it does not know them',
    windows: [
      makeWindow('config', config(-200, 'endpoints', 'TAX=tax-v1.vendor.example', 'TAX=tax-v2.vendor.example')),
      makeWindow('orders', OLD, own(-120, 'HTTP 404 from https://tax-v2.vendor.example/rates')),
    ],
    assessment: 'cause',
    says: /^Config change on configmap\/endpoints/,
    advises: /revert its config change$/,
  },
  {
    name: 'settings with a host that nobody reaches at its port',
    windows: [
      makeWindow('config', config(-200, 'endpoints', null, 'TAX=tax-v2.vendor.example')),
      makeWindow('orders', OLD, own(-120, 'connect ECONNREFUSED tax-v2.vendor.example:443')),
    ],
    assessment: 'cause',
    says: /^Config change on configmap\/endpoints/,
    advises: /revert its config change$/,
  },
  {
    name: 'a setting put back after many hours, and what it was raised for',
    windows: [
      makeWindow(
        'orders',
        OLD,
        config(-8 * HOUR, 'orders', 'POOL_MAX=50', 'POOL_MAX=100'),
        config(-240, 'orders', 'POOL_MAX=100', 'POOL_MAX=50'),
        own(-120, 'connection pool exhausted'),
      ),
    ],
    assessment: 'cause',
    says: /^Config change on configmap\/orders/,
    advises: /revert its config change$/,
  },
  {
    name: 'a flag just before a service ran out of memory that it had been short of',
    windows: [
      makeWindow(
        'orders',
        OLD,
        trouble(-1_900, 'saturation', 'datadog', 'heap 96%', { entity: 'jvm', count: 40, timestamp: later(-125) }),
        flag(-360, 'off', 'on'),
        trouble(-120, 'restart', 'kubernetes', 'OOMKilled', { entity: 'orders-7d9f8b6c5-x2x9k', count: 4, timestamp: later(60) }),
      ),
    ],
    assessment: 'suspect',
    says: /^Flag change of new-tax to on at orders/,
    advises: /^Compare errors and latency of orders/,
  },
  {
    name: 'a rollout that broke it, and was reported to have failed for that',
    windows: [
      makeWindow(
        'pricing',
        OLD,
        release(-500, 'github', 'in_progress', 'bad0001'),
        release(-260, 'github', 'failed', 'bad0001'),
        errors(-440, 'ConfigError: missing FEE_TABLE', { entity: 'pricing' }),
      ),
      makeWindow('orders', failure(-430, 'pricing', 'success=70%')),
    ],
    calls: ['pricing'],
    assessment: 'suspect',
    says: /^Deploy sha=bad0001 to pricing began 60 seconds before onset, and failed later$/,
    advises: /^Compare errors and latency of pricing/,
  },
  {
    name: 'a deploy, and the same failure of several others that no call connects with it',
    windows: ['orders', 'loyalty', 'emailer', 'invoicing', 'returns'].map((name, index) =>
      makeWindow(
        name,
        ...(name === 'orders' ? [OLD, deploy(-260, 'bbbbbb2')] : []),
        errors(-120 + 3 * index, 'connect ETIMEDOUT 10.4.1.9:443', { entity: name }),
      ),
    ),
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 to orders/,
    advises: /^Compare errors and latency of orders/,
  },
]

test.each(ROWS)('tells of $name', (row) => {
  const { assessment, hypothesis, recommendedAction, confidence } = look(row)

  expect([hypothesis, recommendedAction]).toEqual([expect.stringMatching(row.says), expect.stringMatching(row.advises)])
  expect(assessment).toBe(row.assessment)
  if (assessment === 'suspect') expect(confidence).toBeLessThanOrEqual(0.67)
})

test('the longer a change had been in place, the less sure, and no minute makes the difference', () => {
  const lags = [1, 5, 10, 15, 20, 25, 29, 31, 45, 60, 120]
  const sure = lags.map(
    (minutes) => look({ windows: [makeWindow('orders', deploy(-200 - minutes * 60, 'aaaaaa1'), own(-200))] }).confidence,
  )

  expect(sure.slice(1)).toEqual(sure.slice(1).toSorted((a, b) => b - a))
  expect(sure[1]).toBeGreaterThan(0.8)
  expect(sure[4]).toBeLessThan(0.75)
  expect((sure[6] ?? 0) - (sure[7] ?? 0)).toBeLessThan(0.05)
})

test('a change alone is no surer than what speaks for it', () => {
  const sure = [-30, -900, -1_150].map((seconds) => look({ windows: [makeWindow('orders', deploy(-200 + seconds, 'aaaaaa1'), own(-200))] }))

  expect(sure.map(({ assessment }) => assessment)).toEqual(['cause', 'cause', 'cause'])
  expect(sure[2]?.confidence).toBeLessThan(0.9)
  expect(sure[0]?.confidence).toBeGreaterThan(sure[2]?.confidence ?? 1)
})

/** So many services that nobody tells `orders` to call, each deployed every half hour or so, and each with a failure of its own now and then. */
const company = (size: number, isTroubled: boolean) =>
  Array.from({ length: size }, (_, index) => {
    const name = `team-${index}`
    const deploys = [0, 1, 2, 3].map((turn) => deploy(-60 - 97 * (index % 19) - 1_800 * turn, `${index}${turn}`.padEnd(7, 'c')))
    const failing = [0, 1].map((turn) => errors(-30 - 53 * (index % 23) - 900 * turn, 'context deadline exceeded', { entity: name }))
    return makeWindow(name, ...deploys, ...(isTroubled ? failing : []))
  })

test.each([
  [1, false],
  [12, false],
  [48, false],
  [6, true],
  [12, true],
  [48, true],
])('however much %s other services change that nobody connects with an alert (in trouble: %s), it is told as without them', (...other) => {
  const failing = [0, 20, 45].map((seconds) => own(seconds))
  const broken = look({ windows: [makeWindow('orders', OLD, deploy(-40, 'bbbbbb2'), ...failing), ...company(...other)] })
  expect([broken.assessment, broken.hypothesis]).toEqual(['cause', expect.stringMatching(/^Deploy sha=bbbbbb2 to orders/)])
  expect(broken.confidence).toBeGreaterThan(0.55)
  const unexplained = look({ windows: [makeWindow('orders', OLD, ...failing), ...company(...other)] })
  expect([unexplained.abstained, unexplained.confidence]).toEqual([true, 0])
})

const warned = (name: string, seconds: number, newValue = 'WARN retrying') => makeWindow(name, errors(seconds, newValue, { entity: name }))
const many = (size: number, make: (name: string, index: number) => ServiceWindow) =>
  Array.from({ length: size }, (_, index) => make(`team-${index}`, index))

test.each<{ name: string; others: readonly ServiceWindow[] }>([
  { name: 'others changed', others: company(5, false) },
  { name: 'others had warned long before', others: many(8, (name, index) => warned(name, -3_000 - index)) },
  { name: 'others began to fail after the alert', others: many(6, (name, index) => warned(name, 60 + index)) },
  {
    name: 'others fail from it without naming it',
    others: many(6, (name, index) => warned(name, -25 + index, 'upstream request timeout')),
  },
])('of a service that nobody connects with an alert, what broke after its change is suspect though $name', ({ others }) => {
  const failing = [0, 20, 45].map((seconds) => own(seconds))
  const pricing = makeWindow('pricing', deploy(-90, 'ddddddd'), errors(-60, 'panic: nil map', { entity: 'pricing', count: 12 }))
  const answer = look({ windows: [makeWindow('orders', OLD, ...failing), pricing, ...others] })
  expect([answer.assessment, answer.hypothesis]).toEqual(['suspect', expect.stringMatching(/^Deploy sha=ddddddd to pricing/)])
  expect(answer.recommendedAction).toMatch(/^Compare errors and latency of pricing .*only its time connects it with the alert$/)
  expect(answer.confidence).toBeLessThanOrEqual(0.6)
})

/** So many services that fail each other's calls now and then, all of half an hour, and are deployed. */
const quarrel = (size: number) =>
  many(size, (name, index) =>
    makeWindow(
      name,
      deploy(-90 - 41 * (index % 17), `${index}`.padEnd(7, 'd')),
      ...[1, 2, 3].map((turn) => failure(-5 - 60 * ((7 * index + 11 * turn) % 29), `team-${(index + 5 * turn) % size}`)),
      trouble(-20 - 60 * ((5 * index) % 29), 'restart', 'kubernetes', 'OOMKilled', { entity: `${name}-7bb89585b4-96jm4` }),
    ),
  )

test.each([12, 48])('what fails between %s services that nothing connects with the alert is another matter', (size) => {
  const failing = [-180, -120, -60].map((seconds) => own(seconds))
  const broken = look({ windows: [makeWindow('orders', OLD, deploy(-240, 'bbbbbb2'), ...failing), ...quarrel(size)] })
  expect([broken.assessment, broken.hypothesis]).toEqual(['cause', expect.stringMatching(/^Deploy sha=bbbbbb2 to orders/)])
  const unexplained = look({ windows: [makeWindow('orders', OLD, ...failing), ...quarrel(size)] })
  expect([unexplained.abstained, unexplained.hypothesis]).toEqual([true, expect.stringMatching(/^orders has reported errors/)])
})

/** So many services that in an hour and a half are each deployed so often, fail to reach others as often, and have a store that is full of it. */
const uproar = (size: number, often: number) =>
  many(size, (name, index) => {
    const turns = Array.from({ length: often }, (_, turn) => -15 - 60 * ((11 * index + 37 * turn) % 90))
    return makeWindow(
      name,
      ...turns.flatMap((seconds, turn) => [
        deploy(seconds, `${turn}d${index}`.padEnd(7, 'e')),
        failure(seconds + 20, `team-${(index + turn + 1) % size}`),
        trouble(seconds + 10, 'saturation', 'redis', 'eviction_active:allkeys-lru', { entity: `${name}-${turn}` }),
      ]),
    )
  })

test.each([
  [12, 2],
  [12, 6],
  [24, 1],
  [48, 3],
  [48, 12],
])('one failure after a change of its service is told beside %s others in an uproar, %s times each', (size, often) => {
  for (const seconds of [40, 70]) {
    const broken = look({ windows: [makeWindow('orders', OLD, deploy(-seconds, 'bbbbbb2'), own(-10)), ...uproar(size, often)] })
    expect([broken.assessment, broken.hypothesis]).toEqual(['cause', expect.stringMatching(/^Deploy sha=bbbbbb2 to orders/)])
  }
  const unexplained = look({ windows: [makeWindow('orders', OLD, own(-10)), ...uproar(size, often)] })
  expect([unexplained.abstained, unexplained.hypothesis]).toEqual([true, expect.stringMatching(/^orders has reported errors/)])
})

test.each([
  { name: 'nothing else', own: [], stores: 5 },
  { name: 'a deploy of 25 minutes before', own: [deploy(-1_620, 'ccccccc')], stores: 3 },
  { name: 'a deploy of 25 minutes before, in an uproar', own: [deploy(-1_620, 'ccccccc')], stores: 0, others: uproar(24, 6) },
])(
  'a database that fails over is told though other stores were full now and then, beside $name',
  ({ own: changes, stores, others = [] }) => {
    const pg = makeWindow('pg', trouble(-130, 'restart', 'postgres', 'failover'))
    const full = many(stores, (name, index) =>
      makeWindow(name, trouble(-250 - 150 * index, 'saturation', 'postgres', 'connection_limit_reached')),
    )
    const answer = look({ windows: [makeWindow('orders', OLD, ...changes, own(-120, 'Connection lost')), pg, ...full, ...others] })
    expect([answer.assessment, answer.hypothesis]).toEqual(['unrecorded', expect.stringMatching(/^pg has been restarting \(failover\)/)])
  },
)

test('one of many services that nobody connects with an alert is not blamed for having failed once after its change', () => {
  const failing = [0, 20, 45].map((seconds) => own(seconds))
  const pricing = makeWindow('pricing', deploy(-600, 'ddddddd'), errors(-20, 'context deadline exceeded', { entity: 'pricing' }))
  const answer = look({ windows: [makeWindow('orders', OLD, ...failing), pricing, ...company(20, false)] })
  expect(answer.abstained).toBe(true)
})

test('a change of a service that broke first is told beside a fresh one of the alerting service, however many others change', () => {
  const failing = [0, 20, 45].map((seconds) => own(seconds))
  const pricing = makeWindow('pricing', deploy(-90, 'ddddddd'), errors(-60, 'panic: nil map', { entity: 'pricing', count: 12 }))
  const tell = (others: number) =>
    look({ windows: [makeWindow('orders', OLD, deploy(-300, 'bbbbbb2'), ...failing), pricing, ...company(others, false)] })
  for (const answer of [0, 12, 40].map(tell)) {
    expect([answer.assessment, answer.hypothesis]).toEqual(['suspect', expect.stringMatching(/bbbbbb2 to orders .*ddddddd to pricing/)])
    expect(answer.confidence).toBeLessThanOrEqual(0.67)
  }
})

test('an answer cites the trouble elsewhere for which it doubts a change', () => {
  const others = many(7, (name, index) => makeWindow(name, errors(-70 + 5 * index, 'connection reset', { entity: name })))
  const { evidence } = look({ windows: [makeWindow('orders', OLD, deploy(-420, 'bbbbbb2'), own(-60, 'connection reset')), ...others] })
  const doubting = others.flatMap(({ window }) => window.entries.dependency_failure.map(({ id }) => id))
  expect(doubting.filter((id) => evidence.includes(id))).toHaveLength(7)
})

const pricing = [makeWindow('pricing', deploy(-180, 'ddddddd'), errors(-150, 'panic: nil map', { entity: 'pricing' }))]
const called = (service: string) => makeWindow(service, failure(-145, 'pricing'))
const blip = trouble(-150, 'dependency_failure', 'istio', 'success=90%', { entity: 'service/search', count: 3, timestamp: later(-120) })

test.each<{ name: string; windows: readonly ServiceWindow[]; assessment: Assessment; says: RegExp }>([
  {
    name: 'a blip elsewhere that was over two minutes before is not told beside a service that fails since its deploy',
    windows: [
      makeWindow('orders', OLD, deploy(-220, 'bbbbbb2'), own(-180, 'NullPointerException')),
      makeWindow('cart', blip),
      makeWindow('search', deploy(-390, 'ccccccc')),
    ],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders .* onset$/,
  },
  {
    name: 'a blip elsewhere hides no database that failed over',
    windows: [
      makeWindow('pg', trouble(-130, 'restart', 'postgres', 'failover')),
      makeWindow('orders', OLD, own(-120, 'Connection terminated')),
      makeWindow('cart', blip),
      makeWindow('search', deploy(-750, 'ccccccc')),
    ],
    assessment: 'unrecorded',
    says: /^pg has been restarting \(failover\)/,
  },
  {
    name: 'a deploy elsewhere that came when the alerting service had failed for minutes is not to blame',
    windows: [
      makeWindow('orders', OLD, deploy(-450, 'bbbbbb3'), own(-420)),
      makeWindow('cart', failure(-60, 'blog')),
      makeWindow('blog', deploy(-120, 'bbbbbb2')),
    ],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb3 to orders/,
  },
  {
    name: 'one warning of half an hour ago is no reason to blame a deploy elsewhere',
    windows: [
      makeWindow('orders', OLD, own(-60)),
      makeWindow(
        'blog',
        deploy(-1_860, 'bbbbbb2'),
        errors(-1_800, 'WARN retrying', { entity: 'blog', count: 1, timestamp: later(-1_800) }),
      ),
    ],
    assessment: 'unrecorded',
    says: /^orders has reported errors/,
  },
  {
    name: 'what many fail from who name nobody is suspect, though others were deployed',
    windows: [
      makeWindow('orders', OLD, own(-50)),
      makeWindow('pricing', deploy(-90, 'ddddddd'), errors(-60, 'panic: nil map', { entity: 'pricing' })),
      ...many(3, (name, index) => makeWindow(name, errors(-50 + index, 'upstream request timeout', { entity: name }))),
      ...Array.from({ length: 8 }, (_, index) => makeWindow(`calm-${index}`, deploy(-300 - ((index * 113) % 2_300), `${index}eeeeee`))),
    ],
    assessment: 'suspect',
    says: /^Deploy sha=ddddddd to pricing/,
  },
  {
    name: 'a deploy of six minutes before is no more than suspect where all others begin to fail, too',
    windows: [
      makeWindow('orders', OLD, deploy(-420, 'bbbbbb2'), own(-60, 'connection reset')),
      ...many(5, (name, index) => makeWindow(name, errors(-70 + 5 * index, 'connection reset', { entity: name }))),
    ],
    assessment: 'suspect',
    says: /^Deploy sha=bbbbbb2 to orders/,
  },
  {
    name: 'a deploy right before is to blame though those that depend on it begin to fail, too',
    windows: [
      makeWindow('orders', OLD, deploy(-120, 'bbbbbb2'), own(-60, 'NullPointerException')),
      ...many(5, (name, index) => makeWindow(name, errors(-50 + 5 * index, 'upstream request timeout', { entity: name }))),
    ],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders/,
  },
  {
    name: 'a warning of hours does not acquit a deploy elsewhere that broke since',
    windows: [makeWindow('orders', OLD, own(-7_200, 'WARN retrying', { count: 100 })), ...pricing, called('web')],
    assessment: 'suspect',
    says: /^Deploy sha=ddddddd to pricing/,
  },
  {
    name: 'a clock that is 45 seconds behind does not acquit a deploy elsewhere',
    windows: [makeWindow('orders', OLD, deploy(-395, 'bbbbbb2'), own(-185)), ...pricing, called('web'), called('cart')],
    assessment: 'suspect',
    says: /^Deploy sha=ddddddd to pricing/,
  },
  {
    name: 'first signs before it do not acquit a deploy elsewhere',
    windows: [makeWindow('orders', OLD, deploy(-500, 'bbbbbb2'), own(-200, 'WARN slow', { count: 6 })), ...pricing, called('web')],
    assessment: 'suspect',
    says: /^Deploy sha=ddddddd to pricing/,
  },
  {
    name: 'a deploy of five minutes before is to blame though those that call it begin to fail after it',
    windows: [
      makeWindow('orders', OLD, deploy(-420, 'bbbbbb2'), own(-120, 'TypeError: x')),
      ...many(3, (name, index) => makeWindow(name, errors(-115 + 5 * index, 'upstream request timeout', { entity: name }))),
    ],
    assessment: 'cause',
    says: /^Deploy sha=bbbbbb2 to orders/,
  },
])('where no call is known, $name', ({ windows, assessment, says }) => {
  const answer = look({ windows })
  expect([answer.assessment, answer.hypothesis]).toEqual([assessment, expect.stringMatching(says)])
})

test('what nobody is sure of at all counts for nothing, and spoils nothing', () => {
  const unsure = (name: string) => errors(-50, 'WARN retrying', { entity: name, confidence: 0 })
  const others = ['blog', 'cart'].map((name) => makeWindow(name, deploy(-110, 'ccccccc'), unsure(name)))
  const answer = look({ windows: [makeWindow('orders', OLD, deploy(-100, 'bbbbbb2'), own(-60)), ...others] })
  expect([answer.assessment, answer.hypothesis]).toEqual(['cause', expect.stringMatching(/^Deploy sha=bbbbbb2 to orders/)])
})

test('one rollout of several services that nobody connects with an alert is one change', () => {
  const failing = [0, 20, 45].map((seconds) => own(seconds))
  const release = many(7, (name, index) => makeWindow(name, deploy(-90, 'a5b5c5d'), errors(-60 + index, 'panic', { entity: name })))
  const answer = look({ windows: [makeWindow('orders', OLD, ...failing), ...release] })
  expect(answer.hypothesis).toMatch(/^Deploy sha=a5b5c5d to team-/)
})
