import { expect, test } from 'vitest'
import { diagnose } from '../../../src/domain/diagnosis/diagnose.ts'
import type { DiagnosisInput } from '../../../src/domain/diagnosis/model.ts'
import type { EventType } from '../../../src/domain/event/event.ts'
import type { ServiceWindow, WindowEntry } from '../../../src/domain/window/window.ts'
import { ALERT_AT, declareEdge, makeEntry, makeWindow, SHOP } from '../../support/diagnosis.ts'

const later = (seconds: number) => new Date(ALERT_AT.getTime() + seconds * 1_000)
const failure = (seconds: number, callee: string, newValue = 'success=60%') =>
  makeEntry(seconds, 'dependency_failure', { vendor: 'istio', entity: `service/${callee}`, newValue })
const look = (windows: readonly ServiceWindow[], rest: Partial<DiagnosisInput> = {}) => diagnose({ ...SHOP, ...rest, windows })

test('of several reverts the first is meant, in whatever order they come', () => {
  const flag = (seconds: number, oldValue: string, newValue: string, actor: string) =>
    makeEntry(seconds, 'flag_change', { entity: 'new-pay', oldValue, newValue, actor })
  const [change, first, second] = [flag(-80, 'off', 'on', 'ann'), flag(-20, 'on', 'off', 'ben'), flag(-10, 'on', 'off', 'cleo')]
  const answers = [
    [change, first, second],
    [change, second, first],
  ].map((entries) => look([makeWindow('checkout-api', ...entries)]))

  expect(answers[0]?.evidence).toEqual([change.id, first.id])
  expect(answers[1]).toEqual(answers[0])
})

const old = (eventType: EventType, fields: Partial<WindowEntry> = {}) => makeEntry(-3_000, eventType, fields)
const recent = (eventType: EventType, fields: Partial<WindowEntry> = {}) => makeEntry(-60, eventType, fields)
const USUAL = { service: 'checkout-api', vendor: 'kubernetes', eventType: 'saturation' as const, valueClass: '', count: 900, hours: 300 }

test.each<{ name: string; first: ServiceWindow[]; second: ServiceWindow[]; rest?: Partial<DiagnosisInput> }>([
  {
    name: 'nearer to the alert',
    first: [makeWindow('search', recent('deploy'))],
    second: [makeWindow('payments-api', recent('deploy'))],
  },
  { name: 'of late', first: [makeWindow('search', recent('deploy'))], second: [makeWindow('checkout-api', old('deploy'))] },
  {
    name: 'before the failure',
    first: [makeWindow('checkout-api', makeEntry(-120, 'deploy'))],
    second: [makeWindow('search', makeEntry(-30, 'deploy')), makeWindow('frontend', failure(-60, 'checkout-api'), failure(-60, 'search'))],
  },
  {
    name: 'at one service before the failure',
    first: [makeWindow('checkout-api', makeEntry(-120, 'deploy'), makeEntry(-30, 'deploy', { entity: 'b' }))],
    second: [makeWindow('frontend', failure(-60, 'checkout-api'))],
  },
  {
    name: 'with a symptom that is unusual',
    first: [makeWindow('search', recent('deploy'), makeEntry(-10, 'saturation', { vendor: 'kubernetes' }))],
    second: [makeWindow('checkout-api', recent('deploy'), makeEntry(-10, 'saturation', { vendor: 'kubernetes' }))],
    rest: { counts: { hoursObserved: 300, kinds: [USUAL] } },
  },
  {
    name: 'with a symptom of late',
    first: [makeWindow('search', recent('deploy'), makeEntry(-10, 'saturation', { count: 5 }))],
    second: [makeWindow('checkout-api', recent('deploy'), old('saturation', { count: 5 }))],
  },
  {
    name: 'behind failures near the alert',
    first: [makeWindow('search', recent('deploy'))],
    second: [makeWindow('checkout-api', recent('deploy')), makeWindow('frontend', failure(-5, 'search'), failure(-50, 'checkout-api'))],
  },
  {
    name: 'behind more failing calls',
    first: [makeWindow('search', recent('deploy'))],
    second: [
      makeWindow('checkout-api', recent('deploy')),
      makeWindow('frontend', failure(-5, 'search', 'success=10%'), failure(-5, 'checkout-api', 'success=90%')),
    ],
  },
])('blames the change $name first', ({ first, second, rest }) => {
  const lead = Object.values(first[0]?.window.entries ?? {}).flat()[0]
  const { hypotheses } = look([...second, ...first], { observedUntil: later(60), ...rest })

  expect(hypotheses[0]?.eventIds[0]).toBe(lead?.id)
  expect(hypotheses.length).toBeGreaterThan(1)
})

test('of a change and a symptom that count alike the service decides', () => {
  const [deploy, restart] = [makeEntry(-60, 'deploy'), makeEntry(-60, 'restart')]
  const windows = [makeWindow('search', deploy), makeWindow('checkout-api', restart)]
  const { hypotheses } = look(windows, { alert: { ...SHOP.alert, service: null } })

  expect(hypotheses.map(({ eventIds, score }) => [eventIds[0], score])).toEqual([
    [restart.id, 0],
    [deploy.id, 0],
  ])
})

test('of services whose names have one key, in whatever order, the same one speaks', () => {
  const claim = makeEntry(-60, 'deploy', { vendor: 'kubernetes', entity: 'persistentvolumeclaims/ledger-data' })
  const windows = [makeWindow('ledger data', claim), makeWindow('ledger-data', claim)]
  const alert = { ...SHOP.alert, service: null }

  expect(look(windows.toReversed(), { alert })).toEqual(look(windows, { alert }))
})

test('does not blame an innocent change for calls it cannot break', () => {
  const windows = [
    makeWindow('frontend', failure(-60, 'checkout-api')),
    makeWindow('checkout-api', failure(-60, 'payments-api')),
    makeWindow('search', makeEntry(-300, 'deploy'), makeEntry(-240, 'deploy', { entity: 'search-ui' })),
  ]

  expect(look(windows, { observedUntil: later(120) })).toMatchObject({ abstained: true })
})

test('is sure of a change that explains all failing calls, and not before calls fail', () => {
  const deploy = makeEntry(-100, 'deploy')
  const early = look([makeWindow('checkout-api', deploy)])
  const settled = look([makeWindow('checkout-api', deploy), makeWindow('frontend', failure(1, 'checkout-api'))], {
    observedUntil: later(120),
  })

  expect(early.confidence).toBeLessThanOrEqual(0.7)
  expect(settled.confidence).toBeGreaterThan(0.8)
})

test('blames the app that was deployed, not the controller that reports it', () => {
  const deploy = makeEntry(-60, 'deploy', { entity: 'checkout-api', sha: 'a4f2c1' })
  const windows = [
    makeWindow('argocd-application-controller', deploy),
    makeWindow('checkout-api', { ...deploy, joinedBy: 'entity' }),
    makeWindow('frontend', failure(-10, 'checkout-api')),
  ]

  expect(look(windows, { observedUntil: later(120) }).hypotheses.map(({ service }) => service)).toEqual(['checkout-api'])
})

const ofLedgerData = (eventType: EventType, fields: Partial<WindowEntry> = {}) =>
  makeEntry(-90, eventType, { vendor: 'kubernetes', entity: 'configmaps/ledger-data', ...fields })

test.each([
  { name: 'nothing else', other: [], counted: 'ledger' },
  { name: 'more of the kind', other: [ofLedgerData('config_change', { entity: 'secrets/ledger-data' })], counted: 'ledger' },
  {
    name: 'what a monitor says of a disk named so',
    other: [ofLedgerData('saturation', { vendor: 'disks', entity: 'ledger-data', joinedBy: 'entity' })],
    counted: 'ledger',
  },
  { name: 'a deploy of its own', other: [ofLedgerData('deploy', { vendor: 'ci', entity: 'ledger-data' })], counted: 'ledger-data' },
  {
    name: 'a deploy that another service reports',
    other: [ofLedgerData('deploy', { vendor: 'argocd', entity: 'ledger-data', joinedBy: 'entity' })],
    counted: 'ledger-data',
  },
  {
    name: 'its pod',
    other: [ofLedgerData('restart', { entity: 'pod/ledger-data-0', joinedBy: 'pod' })],
    counted: 'ledger-data',
  },
  {
    name: 'a workload in a namespace',
    other: [ofLedgerData('scale_event', { entity: 'deployments/ledger-data', joinedBy: 'namespaced_name' })],
    counted: 'ledger-data',
  },
  { name: 'an error of its own', other: [ofLedgerData('dependency_failure', { vendor: 'pino', entity: 'x' })], counted: 'ledger-data' },
])('counts a volume claim whose window shows $name to $counted', ({ other, counted }) => {
  const claim = ofLedgerData('config_change', { entity: 'persistentvolumeclaims/ledger-data', newValue: 'ProvisioningFailed', count: 9 })
  const windows = [makeWindow('ledger-data', claim, ...other), makeWindow('search', makeEntry(-5, 'restart', { vendor: 'kubernetes' }))]

  const { hypotheses } = look(windows, { alert: { ...SHOP.alert, service: null } })

  expect(hypotheses.find(({ eventIds }) => eventIds[0] === claim.id)).toMatchObject({ service: counted })
})

test('keeps a rollout together, and quotes its first step', () => {
  const scaled = makeEntry(-200, 'scale_event', { vendor: 'kubernetes' })
  const deploy = makeEntry(-200, 'deploy', { sha: 'a4f2c1' })
  const scale = makeEntry(-130, 'scale_event', { vendor: 'kubernetes' })
  const pod = makeEntry(-130, 'restart', { vendor: 'kubernetes', entity: 'pod/frontend-1', newValue: 'terminated', joinedBy: 'pod' })
  const report = makeEntry(-120, 'deploy', { newValue: 'succeeded' })

  const diagnosis = look([makeWindow('frontend', pod, deploy, scale, report, scaled)])

  expect(diagnosis.hypotheses).toHaveLength(1)
  expect(diagnosis.evidence).toEqual([deploy.id, scaled.id, scale.id, pod.id, report.id])
})

test('a step that came shortly before the report of its deploy belongs to it, unless the report came after the alert', () => {
  const pod = (service: string) => makeEntry(-110, 'restart', { vendor: 'kubernetes', entity: `pod/${service}-1`, newValue: 'terminated' })
  const first = makeEntry(-112, 'scale_event', { vendor: 'kubernetes', oldValue: '0', newValue: '1' })
  const more = makeEntry(-900, 'scale_event', { vendor: 'kubernetes', oldValue: '3', newValue: '5' })
  const report = makeEntry(-60, 'deploy', { sha: 'a4f2c1' })
  const windows = [makeWindow('search', pod('search'), first, more, report), makeWindow('frontend', failure(-80, 'search'))]
  const rollout = look(windows, { observedUntil: later(120) })
  const answering = look([makeWindow('search', pod('search'), makeEntry(5, 'deploy')), makeWindow('frontend', failure(-80, 'search'))])

  expect(rollout.hypothesis).toBe('Deploy sha=a4f2c1 to search rolled out 32 seconds before onset')
  expect(rollout.hypotheses[0]?.eventIds.slice(0, 3)).toEqual([report.id, first.id, windows[0]?.window.entries.restart[0]?.id])
  expect(rollout.hypotheses[1]?.eventIds[0]).toBe(more.id)
  expect(answering.onset).toEqual(later(-110))
})

test('what a store reports of a database speaks for a change of its schema, more than for a deploy of who uses it', () => {
  const windows = (entity: string) => [
    makeWindow('frontend', deploy(-300, 'aaaaaa1'), makeEntry(-270, 'schema_change', { entity: 'shop.orders' }), error(-170, 'deadlock')),
    makeWindow('pg', makeEntry(-180, 'saturation', { vendor: 'postgres', entity, newValue: 'deadlock_detected', timestamp: later(60) })),
  ]
  const [about, other] = ['shop', 'wiki'].map((entity) => look(windows(entity), { observedUntil: later(120) }).hypotheses)
  const lead = (hypotheses: typeof about) => (hypotheses?.[0]?.score ?? 0) - (hypotheses?.[1]?.score ?? 0)

  expect(about?.[0]?.sentence).toContain('Schema change on shop.orders')
  expect(lead(about)).toBeGreaterThan(lead(other) + 0.1)
})

test('where two changes are nearly as likely none is surer than two to one', () => {
  const windows = [
    makeWindow('checkout-api', deploy(-280, 'aaaaaa1'), deploy(-120, 'bbbbbb2')),
    makeWindow('frontend', { ...failure(-60, 'checkout-api', 'success=1%'), count: 9, timestamp: later(60) }),
    makeWindow('mobile', { ...failure(-60, 'checkout-api', 'success=1%'), count: 9, timestamp: later(60) }),
  ]
  const { hypothesis, confidence } = look(windows, { observedUntil: later(120) })

  expect(hypothesis).toContain('nearly as likely')
  expect(confidence).toBeCloseTo(2 / 3)
})

test('a change to whose service no way is known is doubted, though nothing is excluded', () => {
  const windows = [makeWindow('billing', deploy(-120, 'aaaaaa1'), { ...error(-90, 'TypeError'), entity: 'billing' })]
  const { confidence, hypotheses } = look(windows, { observedUntil: later(120), graph: { edges: [] } })

  expect(confidence).toBe(0.6)
  expect(hypotheses[0]?.reasonsAgainst).toContain('frontend has no recorded call path to billing')
})

test('a report of success without a revision is of the rollout within whose time it came', () => {
  const done = makeEntry(-1_400, 'deploy', { newValue: 'succeeded', count: 2, timestamp: later(-330) })
  const windows = [makeWindow('checkout-api', deploy(-1_500, 'aaaaaa1'), done, deploy(-400, 'bbbbbb2'))]
  const { hypothesis } = look([...windows, makeWindow('frontend', failure(-300, 'checkout-api'))], { observedUntil: later(120) })

  expect(hypothesis).toBe('Deploy sha=bbbbbb2 to checkout-api rolled out 2 minutes before onset')
})

test('what was last reported long before the alert hardly counts', () => {
  const windows = [
    makeWindow('payments-api', makeEntry(-2_900, 'deploy')),
    makeWindow('checkout-api', makeEntry(-586, 'dependency_failure', { vendor: 'istio', entity: 'payments-api', newValue: 'success=0%' })),
    makeWindow('search', makeEntry(-60, 'config_change')),
  ]

  expect(look(windows, { observedUntil: later(120) }).hypotheses[0]?.service).toBe('search')
})

test('pods that have just been started are unready, and no more than that', () => {
  const rollout = (service: string, seconds: number) =>
    makeEntry(seconds, 'scale_event', { vendor: 'kubernetes', entity: `deployments/${service}`, newValue: 'ScalingReplicaSet' })
  const unready = (seconds: number) =>
    makeEntry(seconds, 'dependency_failure', { vendor: 'kubernetes', entity: 'pods/ads-1', newValue: 'Unhealthy' })
  const leadAfter = (seconds: number) =>
    look([makeWindow('ads', rollout('ads', -90), unready(-90 + seconds)), makeWindow('cart', rollout('cart', -88))], {
      alert: { ...SHOP.alert, service: null },
    }).hypotheses[0]?.service

  expect([12, 40].map(leadAfter)).toEqual(['cart', 'ads'])
})

test('confirmed patterns raise a hypothesis, rejected ones lower it', () => {
  const windows = [makeWindow('checkout-api', makeEntry(-100, 'deploy')), makeWindow('search', makeEntry(-100, 'deploy'))]
  const pattern = { service: 'search', vendor: 'argocd', eventType: 'deploy' as const, valueClass: '', similarity: 0.9 }

  const confirmed = look(windows, { patterns: [{ ...pattern, verdict: 'confirmed' }] })
  const rejected = look(windows, { patterns: [{ ...pattern, verdict: 'rejected' }] })

  expect(confirmed.hypotheses.map(({ service }) => service)).toEqual(['search', 'checkout-api'])
  expect(rejected.hypotheses.map(({ service }) => service)).toEqual(['checkout-api', 'search'])
})

test('a confirmed pattern makes no cause of a change where all that failed was over before it', () => {
  const failed = makeEntry(-2_400, 'dependency_failure', { vendor: 'pino', entity: 'frontend', newValue: 'Error: boom', count: 9 })
  const windows = [
    makeWindow('frontend', { ...failed, firstTimestamp: later(-3_000) }, makeEntry(-600, 'deploy', { entity: 'frontend', sha: 'aaaaaa1' })),
  ]
  const pattern = {
    service: 'frontend',
    vendor: 'argocd',
    eventType: 'deploy' as const,
    valueClass: '',
    similarity: 0.9,
    verdict: 'confirmed' as const,
  }
  expect(look(windows, { patterns: [pattern] }).assessment).not.toBe('cause')
})

test('a change of a kind that occurs every hour gives way to a rare one', () => {
  const windows = [
    makeWindow('checkout-api', makeEntry(-90, 'flag_change', { vendor: 'flagd', newValue: 'on' })),
    makeWindow('search', makeEntry(-100, 'flag_change', { vendor: 'flagd', newValue: 'on' })),
  ]
  const kind = { service: 'checkout-api', vendor: 'flagd', eventType: 'flag_change' as const, valueClass: 'on', count: 5_000, hours: 200 }

  expect(look(windows, { counts: { hoursObserved: 200, kinds: [kind] } }).hypotheses[0]?.service).toBe('search')
  expect(look(windows).hypotheses[0]?.service).toBe('checkout-api')
})

test('an edge that was declared in another spelling is the same edge', () => {
  const graph = { edges: [declareEdge('Front End', 'Checkout_API')] }

  expect(
    look([makeWindow('checkout-api', makeEntry(-90, 'deploy'))], { graph, alert: { ...SHOP.alert, service: 'front-end' } }),
  ).toMatchObject({
    abstained: false,
    hypotheses: [{ path: ['checkout-api', 'front-end'] }],
  })
})

/** The sha of the first hypothesis, `null` where none is named. */
const namedIn = (windows: readonly ServiceWindow[], rest: Partial<DiagnosisInput> = {}) => {
  const { abstained, hypotheses } = look(windows, { observedUntil: later(120), ...rest })
  const entries = windows.flatMap(({ window }) => Object.values(window.entries).flat())
  return abstained ? null : entries.find(({ id }) => id === hypotheses[0]?.eventIds[0])?.sha
}
const deploy = (seconds: number, sha: string, fields: Partial<WindowEntry> = {}) =>
  makeEntry(seconds, 'deploy', { sha, newValue: `syncing:${sha}`, ...fields })
const error = (seconds: number, newValue: string, fields: Partial<WindowEntry> = {}) =>
  makeEntry(seconds, 'dependency_failure', { vendor: 'pino', entity: 'frontend', newValue, count: 40, timestamp: later(60), ...fields })

test.each<{ name: string; windows: ServiceWindow[]; named: string | null; rest?: Partial<DiagnosisInput> }>([
  {
    name: 'errors that name nobody begin after a deploy of their service',
    windows: [makeWindow('frontend', deploy(-120, 'aaaaaa1'), error(-60, 'TypeError: x is undefined'))],
    named: 'aaaaaa1',
  },
  {
    name: 'the later of two deploys came before the failures, which the earlier had not caused',
    windows: [
      makeWindow('checkout-api', deploy(-1_700, 'aaaaaa1'), deploy(-420, 'bbbbbb2')),
      makeWindow('frontend', error(-300, 'connect ECONNREFUSED checkout-api:8080')),
    ],
    named: 'bbbbbb2',
  },
  {
    name: 'the earlier of two deploys came before the failures, and the later after them',
    windows: [
      makeWindow('checkout-api', deploy(-900, 'aaaaaa1'), deploy(-200, 'bbbbbb2')),
      makeWindow('frontend', error(-840, 'connect ECONNREFUSED checkout-api:8080')),
    ],
    named: 'aaaaaa1',
  },
  {
    name: 'a service that sends nothing itself was deployed',
    windows: [
      makeWindow('geo', deploy(-350, 'aaaaaa1', { entity: 'geo', joinedBy: 'entity' })),
      makeWindow('frontend', error(-290, 'connect ETIMEDOUT geo:8443')),
    ],
    named: 'aaaaaa1',
  },
  {
    name: 'a host outside cannot be reached long after a deploy',
    windows: [
      makeWindow('frontend', deploy(-1_500, 'aaaaaa1'), error(-300, 'Post "https://api.stripe.com/v1": context deadline exceeded')),
    ],
    named: null,
  },
  {
    name: 'a sync failed',
    windows: [
      makeWindow('frontend', deploy(-420, 'aaaaaa1'), deploy(-389, 'aaaaaa1', { newValue: 'failed' }), error(-250, 'TypeError: x')),
    ],
    named: null,
  },
  {
    name: 'an earlier revision was put back, and fails now',
    windows: [
      makeWindow(
        'frontend',
        deploy(-9_000, 'aaaaaa1', { count: 2, timestamp: later(-240) }),
        deploy(-3_600, 'bbbbbb2'),
        error(-200, 'column users.locale does not exist'),
      ),
    ],
    named: 'aaaaaa1',
  },
  {
    name: 'a change is of another environment',
    windows: [makeWindow('frontend', deploy(-120, 'aaaaaa1', { environment: 'staging' }), error(-60, 'TypeError: x'))],
    named: null,
  },
  {
    name: 'only what fails elsewhere came after it',
    windows: [
      makeWindow('frontend', deploy(-2_400, 'aaaaaa1'), error(-60, 'TypeError: x', { environment: 'staging' }), error(-2_700, 'EPIPE')),
    ],
    named: null,
  },
  {
    name: 'production is spelt in two ways',
    windows: [makeWindow('frontend', deploy(-120, 'aaaaaa1', { environment: 'PROD' }), error(-60, 'TypeError: x'))],
    named: 'aaaaaa1',
    rest: { alert: { ...SHOP.alert, environment: 'production' } },
  },
  {
    name: 'a change is of the environment of the alert',
    windows: [makeWindow('frontend', deploy(-120, 'aaaaaa1', { environment: 'Staging' }), error(-60, 'TypeError: x'))],
    named: 'aaaaaa1',
    rest: { alert: { ...SHOP.alert, environment: 'staging' } },
  },
  {
    name: 'names are not found after a change of the resolver',
    windows: [
      makeWindow('coredns', makeEntry(-330, 'config_change', { vendor: 'ansible', entity: 'Corefile', sha: 'cccccc3' })),
      makeWindow('frontend', error(-300, 'dial tcp: lookup checkout-api.prod.svc.cluster.local on coredns:53: no such host')),
    ],
    named: 'cccccc3',
    rest: { graph: { edges: [declareEdge('frontend', 'checkout-api'), declareEdge('frontend', 'coredns')] } },
  },
  {
    name: 'a name is not found since its service was put in place',
    windows: [
      makeWindow('checkout-api', deploy(-330, 'aaaaaa1')),
      makeWindow('frontend', error(-300, 'dial tcp: lookup checkout-api on 10.0.0.10:53: no such host')),
    ],
    named: 'aaaaaa1',
  },
])('names $named when $name', ({ windows, named, rest }) => {
  expect(namedIn(windows, rest)).toBe(named)
})

test.each([
  { name: 'after the alert', entry: deploy(100, 'aaaaaa1'), service: 'frontend', reason: 'after_onset' },
  { name: 'where no path leads', entry: deploy(-30, 'aaaaaa1'), service: 'unrelated', reason: 'no_path' },
  {
    name: 'of another environment',
    entry: deploy(-30, 'aaaaaa1', { environment: 'dev' }),
    service: 'frontend',
    reason: 'other_environment',
  },
  {
    name: 'that was not put in place',
    entry: deploy(-30, 'aaaaaa1', { newValue: 'failed' }),
    service: 'frontend',
    reason: 'not_rolled_out',
  },
  {
    name: 'of an autoscaler after the trouble',
    entry: makeEntry(-30, 'scale_event', { vendor: 'kubernetes', entity: 'frontend-hpa', newValue: '8' }),
    service: 'frontend',
    reason: 'consequence',
  },
])('rules out a change $name', ({ entry, service, reason }) => {
  const others = [makeWindow('frontend', error(-120, 'TypeError: x'))]
  const own =
    service === 'frontend' ? [makeWindow('frontend', entry, error(-120, 'TypeError: x'))] : [makeWindow(service, entry), ...others]

  expect(look(own, { observedUntil: later(120) }).ruledOut).toMatchObject([{ eventIds: [entry.id], reason }])
})

test.each([
  { name: 'before the trouble', flips: [-1_800, -1_500], lead: null, reasons: ['reverted'] },
  { name: 'during the trouble', flips: [-150, -30], lead: 0, reasons: ['revert'] },
])('a flag that was set back $name', ({ flips, lead, reasons }) => {
  const [on, off] = flips.map((seconds, index) =>
    makeEntry(seconds, 'flag_change', { entity: 'new-pay', oldValue: index === 0 ? 'off' : 'on', newValue: index === 0 ? 'on' : 'off' }),
  )
  const windows = [makeWindow('frontend', ...[on ?? [], off ?? []].flat(), error(-120, 'TypeError: x'))]
  const diagnosis = look(windows, { observedUntil: later(120) })

  expect(diagnosis.ruledOut.map(({ reason }) => reason)).toEqual(reasons)
  expect(diagnosis.abstained ? null : diagnosis.evidence[0]).toBe(lead === null ? null : on?.id)
  if (lead !== null) expect(diagnosis.recommendedAction).toBe('Make sure that setting new-pay of frontend back has taken effect')
})

test('a restart by the hour neither sets the onset nor speaks against a deploy', () => {
  const restart = makeEntry(-43_500, 'restart', { vendor: 'pino', newValue: 'fatal: cache refresh', count: 13, timestamp: later(-300) })
  const windows = [makeWindow('frontend', restart, deploy(-240, 'aaaaaa1'), error(-200, 'column is missing'))]
  const diagnosis = look(windows, { observedUntil: later(120) })

  expect(diagnosis).toMatchObject({ assessment: 'cause', onset: later(-200) })
  expect(diagnosis.evidence).not.toContain(restart.id)
})

test('what is usual by the hourly counts is no symptom, unless there is much more of it', () => {
  const kind = {
    service: 'frontend',
    vendor: 'postgres',
    eventType: 'saturation' as const,
    valueClass: 'slow_query:#ms',
    count: 480,
    hours: 48,
  }
  const counts = { hoursObserved: 48, kinds: [kind] }
  const slow = (count: number) => [
    makeWindow('frontend', makeEntry(-60, 'saturation', { vendor: 'postgres', newValue: 'slow_query:812ms', count })),
  ]

  expect(look(slow(5), { counts }).onset).toBeNull()
  expect(look(slow(500), { counts }).onset).toEqual(later(-60))
  expect(look(slow(5)).onset).toEqual(later(-60))
})

test('tells of services on the way whose changes are not sent', () => {
  const feeds = [
    { service: 'frontend', lastChangeAt: later(-9_000), heardAt: later(-60) },
    { service: 'checkout-api', lastChangeAt: null, heardAt: null },
    { service: 'payments-api', lastChangeAt: later(-900_000), heardAt: later(-400_000) },
    { service: 'unrelated', lastChangeAt: null, heardAt: null },
  ]

  expect(look([], { feeds }).gaps).toEqual([
    { service: 'checkout-api', kind: 'changes', state: 'never', since: null },
    { service: 'payments-api', kind: 'changes', state: 'stopped', since: later(-400_000).toISOString() },
  ])
})

test('names two causes where each explains calls that the other does not', () => {
  const windows = [
    makeWindow('search', deploy(-150, 'aaaaaa1')),
    makeWindow('checkout-api', deploy(-140, 'bbbbbb2')),
    makeWindow('frontend', failure(-60, 'search'), failure(-60, 'checkout-api')),
  ]
  const { hypothesis } = look(windows, { observedUntil: later(120) })

  expect(hypothesis).toContain('aaaaaa1')
  expect(hypothesis).toContain('bbbbbb2')
  expect(hypothesis).toContain('besides')
})

test.each([
  { name: 'without a failure or a change', windows: [], assessment: 'inconclusive' },
  { name: 'of a change that only time speaks for', windows: [makeWindow('frontend', deploy(-60, 'aaaaaa1'))], assessment: 'suspect' },
  {
    name: 'of a change that explains what fails',
    windows: [makeWindow('frontend', deploy(-60, 'aaaaaa1'), error(-30, 'TypeError'))],
    assessment: 'cause',
  },
  { name: 'of failures that no change explains', windows: [makeWindow('frontend', error(-30, 'TypeError'))], assessment: 'unrecorded' },
  {
    name: 'of a host outside',
    windows: [makeWindow('frontend', error(-30, 'connect ETIMEDOUT api.stripe.com:443'))],
    assessment: 'external',
  },
])('an answer $name is $assessment', ({ windows, assessment }) => {
  expect(look(windows, { observedUntil: later(120) }).assessment).toBe(assessment)
})

test('an abstention has no confidence, and a first look never more than .7', () => {
  const windows = [makeWindow('frontend', deploy(-60, 'aaaaaa1'), error(-30, 'TypeError', { timestamp: later(-1) }))]

  expect(look([makeWindow('frontend', error(-30, 'TypeError'))]).confidence).toBe(0)
  expect(look(windows).confidence).toBeLessThanOrEqual(0.7)
  expect(look(windows, { observedUntil: later(120) }).confidence).toBeGreaterThan(0.7)
})

test('one revision told by whoever built it and whoever rolled it out is one deploy', () => {
  const sha = '45eadbab9f1c2d3e4f5061728394a5b6c7d8e9f0'
  const told = [
    makeEntry(-400, 'deploy', { vendor: 'github', entity: 'shop/payments-api', newValue: sha, sha }),
    makeEntry(-200, 'deploy', {
      vendor: 'argocd',
      entity: 'payments-api',
      newValue: `auto_syncing:${sha.slice(0, 8)}`,
      sha: sha.slice(0, 8),
    }),
    makeEntry(-150, 'deploy', { vendor: 'argocd', entity: 'payments-api', newValue: 'succeeded', sha: sha.slice(0, 8) }),
  ]
  const windows = [
    makeWindow('payments-api', ...told),
    makeWindow('checkout-api', failure(-100, 'payments-api'), failure(-30, 'payments-api')),
  ]
  const answer = look(windows)
  expect(answer.hypotheses.filter(({ service }) => service === 'payments-api')).toHaveLength(1)
  expect(answer.hypothesis).not.toContain('nearly as likely')
  expect(answer.recommendedAction).toMatch(/^Roll/)
  expect(answer.evidence).toEqual(expect.arrayContaining(told.slice(0, 2).map(({ id }) => id)))
})

const own = (seconds: number) =>
  makeEntry(seconds, 'dependency_failure', { vendor: 'pino', entity: 'checkout-api', newValue: 'TypeError: y' })
const released = (seconds: number, sha: string, fields: Partial<WindowEntry> = {}) =>
  makeEntry(seconds, 'deploy', { vendor: 'github', entity: 'shop/checkout-api', newValue: 'succeeded', sha, ...fields })
const staged = (seconds: number, sha: string, fields: Partial<WindowEntry> = {}) =>
  released(seconds, sha, { environment: 'staging', ...fields })
const lookAt = (...entries: readonly WindowEntry[]) => look([makeWindow('checkout-api', ...entries, own(-150), own(-100), own(-40))])

test('a revision that staging had before is in production since its own deploy', () => {
  const answer = lookAt(staged(-680, 'ddddddd4'), released(-200, 'ddddddd4'))
  expect([answer.assessment, answer.hypothesis]).toEqual(['cause', expect.stringContaining('ddddddd4')])
  expect(answer.ruledOut.map(({ reason }) => reason)).toEqual(['other_environment'])
})

test('what to go back to is what production had, and what staging does undoes and fails nothing there', () => {
  const before = released(-20_000, 'aaaaaaa1')
  const back = lookAt(before, staged(-2_600, 'ccccccc3'), released(-200, 'ddddddd4'))
  expect(back.recommendedAction).toBe('Roll back to sha=aaaaaaa1')
  const elsewhere = lookAt(before, released(-200, 'ddddddd4'), staged(30, 'aaaaaaa1'), staged(60, 'ddddddd4', { newValue: 'failed' }))
  expect(elsewhere.recommendedAction).toBe('Roll back to sha=aaaaaaa1')
})

test('a rollback that failed has undone nothing', () => {
  const answer = lookAt(released(-20_000, 'aaaaaaa1'), released(-200, 'ddddddd4'), released(-30, 'aaaaaaa1', { newValue: 'failed' }))
  expect(answer.recommendedAction).toBe('Roll back to sha=aaaaaaa1')
})

test('a deploy in the midst of failures that began before it is not named', () => {
  const repeated = { ...own(-20), count: 10, firstTimestamp: later(-200) }
  const windows = [makeWindow('search', { ...repeated, entity: 'search' }, released(-100, 'ddddddd4', { newValue: 'ddddddd4' }))]
  const answer = look(windows, { alert: { ...SHOP.alert, service: 'search' } })
  expect([answer.abstained, answer.assessment, answer.onset]).toEqual([true, 'unrecorded', later(-200)])
  expect(answer.evidence).toContain(repeated.id)
})
