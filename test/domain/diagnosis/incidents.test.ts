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
const look = ({ windows, calls = [], rest = {} }: Pick<Row, 'windows' | 'calls' | 'rest'>) =>
  diagnose({
    ...SHOP,
    alert: ORDERS,
    observedUntil: later(120),
    graph: { edges: calls.map((callee) => declareEdge('orders', callee)) },
    ...rest,
    windows,
  })
const own = (seconds: number, newValue = 'Internal server error', fields: Partial<WindowEntry> = {}) =>
  errors(seconds, newValue, { entity: 'orders', ...fields })
const trouble = (seconds: number, eventType: EventType, vendor: string, newValue: string, fields: Partial<WindowEntry> = {}) =>
  makeEntry(seconds, eventType, { vendor, newValue, ...fields })
const flag = (seconds: number, oldValue: string, newValue: string) =>
  makeEntry(seconds, 'flag_change', { vendor: 'launchdarkly', entity: 'new-tax', oldValue, newValue })
const route = makeEntry(-200, 'config_change', { vendor: 'istio', entity: 'virtualservice/orders', newValue: 'weight v2 100' })
const OLD = deploy(-5 * HOUR, 'aaaaaa1')
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
    name: 'a database that fails over',
    windows: [makeWindow('pg', trouble(-130, 'restart', 'postgres', 'failover')), makeWindow('orders', OLD, own(-120, 'Connection lost'))],
    calls: ['pg'],
    assessment: 'unrecorded',
    says: /^pg has been restarting .*since 11:57 UTC; no recorded change/,
    advises: /^Look at pg/,
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
    assessment: 'suspect',
    says: /^Deploy sha=aaaaaa1 to orders rolled out 25 minutes before onset$/,
    advises: /^Compare/,
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
    assessment: 'cause',
    says: /^Scaling of orders-hpa \(12\) at orders took effect 20 seconds before onset$/,
    advises: /^Look at the load of orders/,
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
    says: /^\/ip-10-0-3-17 has been reported failing/,
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
    assessment: 'suspect',
    says: /sha=aaaaaa1 to orders rolled out 3 hours before onset/,
    advises: /^Compare/,
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
    says: /^Calls from orders to auth have failed/,
    advises: /^Look at auth/,
  },
  {
    name: 'an internal service whose certificate expired, hours after its deploy',
    windows: [
      makeWindow('auth', deploy(-6 * HOUR, 'aaaaaa1')),
      makeWindow('orders', own(-150, 'upstream reset: auth.prod.svc:8443 TLS error: certificate has expired')),
      makeWindow('kiosk', failure(-150, 'auth', 'x509: certificate has expired')),
    ],
    assessment: 'unrecorded',
    says: /^Calls from \w+ to auth have failed/,
    advises: /^Look at auth/,
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
]

test.each(ROWS)('tells of $name', (row) => {
  const { assessment, hypothesis, recommendedAction, confidence } = look(row)

  expect([hypothesis, recommendedAction]).toEqual([expect.stringMatching(row.says), expect.stringMatching(row.advises)])
  expect(assessment).toBe(row.assessment)
  if (assessment === 'suspect') expect(confidence).toBeLessThanOrEqual(0.67)
})

test('a change alone is no surer than what speaks for it', () => {
  const sure = [-30, -900, -1_700].map((seconds) => look({ windows: [makeWindow('orders', deploy(-200 + seconds, 'aaaaaa1'), own(-200))] }))

  expect(sure.map(({ assessment }) => assessment)).toEqual(['cause', 'cause', 'cause'])
  expect(sure[2]?.confidence).toBeLessThan(0.9)
  expect(sure[0]?.confidence).toBeGreaterThan(sure[2]?.confidence ?? 1)
})
