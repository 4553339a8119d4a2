import { expect, test } from 'vitest'
import { type DiagnosisInput, diagnose, MAX_HOPS, type ServiceWindow } from '../../src/domain/diagnosis.ts'
import type { EventType } from '../../src/domain/event.ts'
import { servicesToRead } from '../../src/domain/service-graph.ts'
import type { WindowEntry } from '../../src/domain/state-window.ts'
import { ALERT_AT, declareEdge, makeEntry, makeWindow, SHOP } from '../support/diagnosis.ts'

const later = (seconds: number) => new Date(ALERT_AT.getTime() + seconds * 1_000)
const failure = (seconds: number, callee: string, newValue = 'success=60%') =>
  makeEntry(seconds, 'dependency_failure', { vendor: 'istio', entity: `service/${callee}`, newValue })
const look = (windows: readonly ServiceWindow[], rest: Partial<DiagnosisInput> = {}) => diagnose({ ...SHOP, ...rest, windows })

test('blames the change behind the failing calls rather than the latest one', () => {
  const deploy = makeEntry(-240, 'deploy', { sha: 'a4f2c1', entity: 'payments-api' })
  const toPayments = failure(-40, 'payments-api')
  const windows = [
    makeWindow('frontend', failure(-30, 'checkout-api')),
    makeWindow('checkout-api', toPayments),
    makeWindow('payments-api', makeEntry(-4_000, 'deploy', { sha: 'f8b3e22', entity: 'payments-api' }), deploy),
    makeWindow('search', makeEntry(-60, 'deploy', { sha: 'bbbbbb1' })),
  ]

  const diagnosis = look(windows)

  expect(diagnosis).toMatchObject({
    abstained: false,
    hypothesis: 'Deploy sha=a4f2c1 to payments-api rolled out 3 minutes before onset',
    recommendedAction: 'Roll back to sha=f8b3e22',
  })
  expect(diagnosis.evidence.slice(0, 1)).toEqual([deploy.id])
  expect(diagnosis.evidence).toContain(toPayments.id)
  expect(diagnosis.hypotheses[0]?.path).toEqual(['payments-api', 'checkout-api', 'frontend'])
  expect(diagnosis.reasoning).toContain('calls from checkout-api to payments-api fail')
  expect(servicesToRead(SHOP.graph, 'frontend', MAX_HOPS, ALERT_AT)).toEqual([
    'frontend',
    'checkout-api',
    'search',
    'payments-api',
    'ledger',
  ])
})

test.each([
  { name: 'an earlier deploy tells the sha', before: { sha: 'f8b3e22' }, oldValue: null, action: 'Roll back to sha=f8b3e22' },
  { name: 'the event tells the sha', before: undefined, oldValue: 'f8b3e22', action: 'Roll back to sha=f8b3e22' },
  { name: 'the event tells the version', before: undefined, oldValue: 'v1', action: 'Roll back to v1' },
  { name: 'the old value is no revision', before: undefined, oldValue: 'Healthy', action: 'Roll back frontend to the previous revision' },
  { name: 'nothing tells', before: undefined, oldValue: null, action: 'Roll back frontend to the previous revision' },
  { name: 'the earlier sha is blank', before: { sha: ' ' }, oldValue: ' ', action: 'Roll back frontend to the previous revision' },
  {
    name: 'the earlier deploy is of another app',
    before: { sha: 'f8b3e22', entity: 'other' },
    oldValue: null,
    action: 'Roll back frontend to the previous revision',
  },
  {
    name: 'the earlier deploy is the same',
    before: { sha: 'a4f2c1' },
    oldValue: null,
    action: 'Roll back frontend to the previous revision',
  },
])('advises "$action" when $name', ({ before, oldValue, action }) => {
  const earlier = before ? [makeEntry(-3_000, 'deploy', before)] : []
  const diagnosis = look([makeWindow('frontend', ...earlier, makeEntry(-100, 'deploy', { sha: 'a4f2c1', oldValue }))])

  expect(diagnosis.recommendedAction).toBe(action)
  for (const { id } of action.endsWith('sha=f8b3e22') ? earlier : []) expect(diagnosis.evidence).toContain(id)
})

test.each<{ name: string; eventType: EventType; fields: Partial<WindowEntry>; told: string; action: string | RegExp }>([
  { name: 'a blank sha', eventType: 'deploy', fields: { sha: ' ' }, told: 'Deploy to frontend', action: /^Roll back frontend to/ },
  { name: 'a sha nobody sees', eventType: 'deploy', fields: { sha: '\u202e\u200b' }, told: 'Deploy to frontend', action: /^Roll back/ },
  {
    name: 'a version without a sha',
    eventType: 'deploy',
    fields: { sha: ' ', newValue: 'v7' },
    told: 'Deploy of v7 to frontend',
    action: /^Roll back/,
  },
  {
    name: 'blank values',
    eventType: 'flag_change',
    fields: { entity: 'x', oldValue: ' ', newValue: '\t' },
    told: 'Flag x changed at frontend',
    action: 'Set flag x back to its former value',
  },
  {
    name: 'values',
    eventType: 'flag_change',
    fields: { entity: 'x', oldValue: 'off', newValue: 'on' },
    told: 'Flag x changed to on at frontend',
    action: 'Set flag x back to off',
  },
  {
    name: 'a blank value',
    eventType: 'config_change',
    fields: { entity: 'x', newValue: '\n' },
    told: 'Config change on x at frontend',
    action: 'Check x of frontend and revert its config change',
  },
  {
    name: 'an entity that nobody sees',
    eventType: 'saturation',
    fields: { entity: '\u200e' },
    told: 'Saturation of (blank) at frontend',
    action: 'Relieve (blank) of frontend',
  },
])('tells of $eventType with $name: $told', ({ eventType, fields, told, action }) => {
  const { hypotheses } = look([makeWindow('frontend', makeEntry(-60, eventType, fields))])

  expect(hypotheses[0]?.sentence.replace(/ (?:rolled out|took effect|began) .*/, '')).toBe(told)
  expect(hypotheses[0]?.recommendedAction).toEqual(typeof action === 'string' ? action : expect.stringMatching(action))
})

test.each([
  { name: 'one line', value: 'disk full', quoted: 'disk full' },
  { name: 'the first line that says something', value: ' \n\u202e\n disk full \n and more', quoted: 'disk full' },
  ...['\n', '\r', '\r\n', '\u0085', '\u2028', '\u2029'].map((end) => ({
    name: `what ${encodeURI(end)} ends`,
    value: `disk full${end}Ignore this`,
    quoted: 'disk full',
  })),
  { name: 'no controls', value: 'disk\tfull\0now\x1b[31m', quoted: 'disk full now [31m' },
  { name: 'no marks of direction', value: 'disk \u202elluf\u2066\u200f\u061c', quoted: 'disk  lluf' },
  { name: '80 characters', value: 'x'.repeat(80), quoted: 'x'.repeat(80) },
  { name: 'no more characters', value: 'x'.repeat(81), quoted: `${'x'.repeat(80)}…` },
  { name: '80 astral characters', value: '🌙'.repeat(80), quoted: '🌙'.repeat(80) },
  { name: 'no more astral characters', value: '🌙'.repeat(1_024), quoted: `${'🌙'.repeat(80)}…` },
])('quotes $name', ({ value, quoted }) => {
  const { hypotheses } = look([makeWindow('frontend', makeEntry(-60, 'saturation', { entity: value }))])

  expect(hypotheses[0]?.recommendedAction).toBe(`Relieve ${quoted} of frontend`)
})

test.each([
  { name: 'after the alert', entry: makeEntry(30, 'deploy'), service: 'frontend', reason: 'after_onset' },
  { name: 'where no path leads', entry: makeEntry(-30, 'deploy'), service: 'unrelated', reason: 'no_path' },
  {
    name: 'that was taken back',
    entry: makeEntry(-90, 'flag_change', { oldValue: 'off', newValue: 'on' }),
    service: 'frontend',
    reason: 'reverted',
  },
])('rules out a change $name', ({ entry, service, reason }) => {
  const revert = reason === 'reverted' ? [makeEntry(-60, 'flag_change', { oldValue: 'on', newValue: 'off' })] : []
  const diagnosis = look([makeWindow(service, entry, ...revert)], { observedUntil: later(120) })

  expect(diagnosis.ruledOut).toMatchObject([{ eventIds: [entry.id], service, reason }])
  expect(diagnosis.hypotheses.flatMap(({ eventIds }) => eventIds.slice(0, 1))).not.toContain(entry.id)
})

test('names no cause when nothing explains the failing calls, but the deepest failing dependency', () => {
  const windows = [makeWindow('frontend', failure(-60, 'checkout-api')), makeWindow('checkout-api', failure(-60, 'payments-api'))]

  expect(look(windows, { observedUntil: later(120) })).toMatchObject({
    abstained: true,
    hypothesis: 'no recorded change explains this; the deepest failing dependency is payments-api',
    recommendedAction: null,
    hypotheses: [],
    confidence: 0,
  })
  expect(look([])).toMatchObject({ abstained: true, hypothesis: 'no recorded change explains this', evidence: [] })
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

test('finds a root symptom where nothing was changed', () => {
  const loop = makeEntry(-60, 'restart', {
    vendor: 'kubernetes',
    entity: 'pod/ledger-0',
    newValue: 'CrashLoopBackOff',
    joinedBy: 'pod',
    count: 9,
  })
  const windows = [makeWindow('payments-api', failure(-30, 'ledger')), makeWindow('ledger', loop)]

  expect(look(windows, { observedUntil: later(60) })).toMatchObject({
    abstained: false,
    hypothesis: 'Restart of pod/ledger-0 (CrashLoopBackOff) at ledger began 30 seconds before onset',
    recommendedAction: 'Find out why pod/ledger-0 of ledger restarts',
  })
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

test('does not blame a service for what belongs to another one that is named after it', () => {
  const object = { vendor: 'kubernetes', newValue: 'updated' }
  const windows = [
    makeWindow('frontend', failure(-40, 'checkout-api')),
    makeWindow(
      'checkout-api-worker',
      makeEntry(-70, 'deploy'),
      makeEntry(-60, 'config_change', { ...object, entity: 'configmaps/checkout-api-worker' }),
    ),
    makeWindow('checkout-api-worker-env', makeEntry(-60, 'config_change', { ...object, entity: 'configmaps/checkout-api-worker-env' })),
  ]

  const { hypotheses, ruledOut } = look(windows, { observedUntil: later(120) })

  expect(hypotheses).toEqual([])
  expect(ruledOut.map(({ service, reason }) => [service, reason])).toEqual(Array(3).fill(['checkout-api-worker', 'no_path']))
})

test('keeps a rollout together, and quotes its first step', () => {
  const deploy = makeEntry(-200, 'deploy', { sha: 'a4f2c1' })
  const scale = makeEntry(-130, 'scale_event', { vendor: 'kubernetes' })
  const pod = makeEntry(-130, 'restart', { vendor: 'kubernetes', entity: 'pod/frontend-1', newValue: 'terminated', joinedBy: 'pod' })
  const report = makeEntry(-120, 'deploy', { newValue: 'succeeded' })

  const diagnosis = look([makeWindow('frontend', deploy, scale, pod, report)])

  expect(diagnosis.hypotheses).toHaveLength(1)
  expect(diagnosis.evidence).toEqual([deploy.id, scale.id, pod.id, report.id])
})

test('confirmed patterns raise a hypothesis, rejected ones lower it', () => {
  const windows = [makeWindow('checkout-api', makeEntry(-100, 'deploy')), makeWindow('search', makeEntry(-100, 'deploy'))]
  const pattern = { service: 'search', vendor: 'argocd', eventType: 'deploy' as const, valueClass: '', similarity: 0.9 }

  const confirmed = look(windows, { patterns: [{ ...pattern, verdict: 'confirmed' }] })
  const rejected = look(windows, { patterns: [{ ...pattern, verdict: 'rejected' }] })

  expect(confirmed.hypotheses.map(({ service }) => service)).toEqual(['search', 'checkout-api'])
  expect(rejected.hypotheses.map(({ service }) => service)).toEqual(['checkout-api', 'search'])
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

test('follows calls that only their failures show', () => {
  const windows = [
    makeWindow(
      'frontend',
      makeEntry(-30, 'dependency_failure', { vendor: 'pino', entity: 'frontend', newValue: 'connect ECONNREFUSED tax-api:8080' }),
    ),
    makeWindow('tax-api', makeEntry(-90, 'config_change', { entity: 'limits', newValue: 'rps=1' })),
  ]

  expect(look(windows, { observedUntil: later(60) })).toMatchObject({
    abstained: false,
    hypothesis: 'Config change on limits (rps=1) at tax-api took effect 60 seconds before onset',
  })
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
