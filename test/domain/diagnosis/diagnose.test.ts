import { expect, test } from 'vitest'
import { type DiagnosisInput, diagnose, MAX_HOPS } from '../../../src/domain/diagnosis/diagnose.ts'
import type { EventType } from '../../../src/domain/event/event.ts'
import { servicesToRead } from '../../../src/domain/graph/service-graph.ts'
import type { ServiceWindow, WindowEntry } from '../../../src/domain/window/window.ts'
import { ALERT_AT, declareEdge, makeEntry, makeWindow, SHOP } from '../../support/diagnosis.ts'

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
  expect(diagnosis.reasoning).toBe(
    'For it: calls from frontend to checkout-api fail, which it can explain; calls from checkout-api to payments-api fail, which it can explain; ' +
      'frontend reaches payments-api through checkout-api; it came 3 minutes before onset. Against it: it had been in place for a while without trouble.',
  )
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
    name: 'values',
    eventType: 'schema_change',
    fields: { entity: 'orders', newValue: 'ADD COLUMN' },
    told: 'Schema change on orders (ADD COLUMN) at frontend',
    action: 'Check the schema change on orders of frontend, and revert it or fix it forward',
  },
  {
    name: 'values',
    eventType: 'scale_event',
    fields: { entity: 'deployment/x', oldValue: '3', newValue: '1' },
    told: 'Scaling of deployment/x (1) at frontend',
    action: 'Scale deployment/x of frontend back',
  },
  {
    name: 'no value',
    eventType: 'restart',
    fields: { entity: 'pod/x' },
    told: 'Restart of pod/x at frontend',
    action: 'Find out why pod/x of frontend restarts',
  },
  {
    name: 'an observer',
    eventType: 'circuit_open',
    fields: { entity: 'x' },
    told: 'Open circuit of x at frontend',
    action: 'Find out why x of frontend fails',
  },
  {
    name: 'an observer',
    eventType: 'dependency_failure',
    fields: { entity: 'x', newValue: 'Degraded' },
    told: 'Failure of x (Degraded) at frontend',
    action: 'Find out why x of frontend fails',
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

  const cited = [entry, ...revert].map(({ id }) => id)
  expect(diagnosis.ruledOut).toContainEqual(expect.objectContaining({ eventIds: cited, service, reason }))
  expect(diagnosis.hypotheses.flatMap(({ eventIds }) => eventIds.slice(0, 1))).not.toContain(entry.id)
})

test.each([
  { name: 'just before the alert', changed: -120, reverted: -10, failing: [] },
  { name: 'while calls failed', changed: -80, reverted: -50, failing: [failure(-60, 'checkout-api')] },
])('blames a change that was taken back $name, and never its revert', ({ changed, reverted, failing }) => {
  const change = makeEntry(changed, 'flag_change', { entity: 'new-pay', oldValue: 'off', newValue: 'on' })
  const revert = makeEntry(reverted, 'flag_change', { entity: 'new-pay', oldValue: 'on', newValue: 'off' })
  const diagnosis = look([makeWindow('frontend', ...failing), makeWindow('checkout-api', change, revert)], { observedUntil: later(120) })

  expect(diagnosis).toMatchObject({
    abstained: false,
    recommendedAction: 'Make sure that setting new-pay of checkout-api back has taken effect',
    ruledOut: [{ eventIds: [revert.id, change.id], reason: 'revert' }],
  })
  expect(diagnosis.hypothesis).toContain('new-pay changed to on')
  expect(diagnosis.evidence).toEqual(expect.arrayContaining([change.id, revert.id]))
  expect(diagnosis.hypotheses).toHaveLength(1)
})

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

test('may blame scaling down after scaling up', () => {
  const [up, down] = [
    makeEntry(-1_200, 'scale_event', { entity: 'checkout-api', oldValue: '2', newValue: '4' }),
    makeEntry(-60, 'scale_event', { entity: 'checkout-api', oldValue: '4', newValue: '2' }),
  ]

  expect(look([makeWindow('checkout-api', up, down)])).toMatchObject({
    abstained: false,
    evidence: [down.id],
    ruledOut: [{ eventIds: [up.id, down.id], reason: 'reverted' }],
  })
})

test.each([-1_500, -900, -300, -60])('one failed call %d s from the alert does not keep it from naming a change', (seconds) => {
  const deploy = makeEntry(-90, 'deploy', { sha: 'a4f2c1', entity: 'checkout-api' })
  const usual = look([makeWindow('checkout-api', deploy)])
  const stray = makeEntry(seconds, 'dependency_failure', { vendor: 'pino', entity: 'search', newValue: 'timeout' })
  const diagnosis = look([makeWindow('frontend', stray), makeWindow('checkout-api', deploy)])

  expect(usual.abstained).toBe(false)
  expect(diagnosis).toMatchObject({ abstained: false, hypothesis: usual.hypothesis })
})

test.each([
  {
    name: 'just after the alert',
    seconds: 30,
    service: 'frontend',
    text: 'Deploy sha=a4f2c1 to frontend came at about the time of the alert',
  },
  { name: 'after the alert', seconds: 100, service: 'frontend', text: 'Deploy sha=a4f2c1 to frontend came 2 minutes after the alert' },
  { name: 'elsewhere', seconds: -30, service: 'unrelated', text: 'Deploy sha=a4f2c1 to unrelated is not on any way from frontend' },
])('says why a change $name is ruled out', ({ seconds, service, text }) => {
  const diagnosis = look([makeWindow(service, makeEntry(seconds, 'deploy', { sha: 'a4f2c1' }))], { observedUntil: later(120) })

  expect(diagnosis.ruledOut.map((each) => each.text)).toEqual([text])
})

test('lists of what is ruled out the nearest to the alert first, of equals by id, and twenty at most', () => {
  const pairs = Array.from({ length: 12 }, (_, index) => [makeEntry(10 * index - 110, 'deploy'), makeEntry(10 * index - 110, 'deploy')])
  const windows = [makeWindow('unrelated', ...pairs.flat().toReversed()), makeWindow('lonely', makeEntry(-1, 'restart'))]
  const nearest = pairs.toReversed().flat().slice(0, 20)

  expect(look(windows).ruledOut.flatMap(({ eventIds }) => eventIds)).toEqual(nearest.map(({ id }) => id))
})

test.each([
  [0.4, 'at onset'],
  [1, '1 second before onset'],
  [89, '89 seconds before onset'],
  [90, '2 minutes before onset'],
  [7_190, '120 minutes before onset'],
  [7_200, '2 hours before onset'],
  [47 * 3_600, '47 hours before onset'],
  [48 * 3_600, '2 days before onset'],
])('tells %d seconds as %j', (seconds, text) => {
  const { hypotheses } = look([makeWindow('frontend', makeEntry(-seconds, 'deploy'))])

  expect(hypotheses[0]?.sentence).toBe(`Deploy to frontend rolled out ${text}`)
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
    name: 'where calls fail rather than behind it',
    first: [makeWindow('payments-api', recent('deploy'))],
    second: [makeWindow('ledger', recent('deploy')), makeWindow('checkout-api', failure(-5, 'payments-api'))],
    rest: { alert: { ...SHOP.alert, service: null } },
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

test('of changes that count alike the latest comes first', () => {
  const [a, b] = [makeEntry(-100, 'deploy'), makeEntry(-200, 'deploy')]
  const restarts = Array.from({ length: 3 }, () => makeEntry(-10, 'restart', { joinedBy: 'pod' }))
  const windows = [makeWindow('checkout-api', b), makeWindow('search', a), makeWindow('ledger', ...restarts)]
  const { hypotheses } = look(windows, { alert: { ...SHOP.alert, service: null } })

  expect(hypotheses.slice(1).map(({ eventIds, score }) => [eventIds[0], score])).toEqual([
    [a.id, 0],
    [b.id, 0],
  ])
})

test('of equal changes the service decides, then the id', () => {
  const [a, b, c] = [makeEntry(-60, 'config_change'), makeEntry(-60, 'config_change'), makeEntry(-60, 'config_change')]
  const { hypotheses } = look([makeWindow('search', a), makeWindow('checkout-api', c, b)])

  expect(hypotheses.map(({ eventIds }) => eventIds[0])).toEqual([b.id, c.id, a.id])
})

test('a change that was in place since its second report is judged by that, one that keeps repeating by its first', () => {
  const lagOf = (count: number) => {
    const deploy = makeEntry(-1_000, 'deploy', { timestamp: later(-60), count })
    return look([makeWindow('frontend', deploy)]).hypotheses[0]?.reasonsAgainst
  }

  expect(lagOf(2)).toEqual([])
  expect(lagOf(3)).toEqual(['it had been in place for a while without trouble'])
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

test('of symptoms as unusual the latest leads, as far as the look goes, then the id', () => {
  const [a, b, c] = [-90, -90, -90].map((seconds) => makeEntry(seconds, 'saturation', { joinedBy: 'entity' }))
  const leadOf = (...seen: readonly (readonly [WindowEntry | undefined, number])[]) =>
    look([makeWindow('frontend', ...seen.flatMap(([entry, seconds]) => (entry ? [{ ...entry, timestamp: later(seconds) }] : [])))])
      .evidence[0]

  expect(leadOf([a, -60], [b, -30], [c, -60])).toBe(b?.id)
  expect(leadOf([c, -30], [b, -30], [a, -60])).toBe(b?.id)
  expect(leadOf([c, 90], [b, 30])).toBe(b?.id)
})

test('a later deploy is nothing to roll back to', () => {
  const [first, second] = [makeEntry(-200, 'deploy', { sha: 'aaaaaa1' }), makeEntry(-100, 'deploy', { sha: 'bbbbbb2' })]
  const { hypotheses } = look([makeWindow('frontend', first, second)])

  expect(hypotheses.find(({ eventIds }) => eventIds[0] === first.id)?.recommendedAction).toBe('Roll back frontend to the previous revision')
})

test('of equal earlier deploys the id decides which to roll back to', () => {
  const [a, b] = [makeEntry(-900, 'deploy', { sha: 'aaaaaa1' }), makeEntry(-900, 'deploy', { sha: 'bbbbbb2' })]
  const lead = makeEntry(-100, 'deploy', { sha: 'cccccc3' })
  const actionOf = (...entries: readonly WindowEntry[]) => look([makeWindow('frontend', ...entries)]).recommendedAction

  expect([actionOf(a, b, lead), actionOf(b, a, lead)]).toEqual(Array(2).fill('Roll back to sha=aaaaaa1'))
})

test('of services whose names have one key, in whatever order, the same one speaks', () => {
  const claim = makeEntry(-60, 'deploy', { vendor: 'kubernetes', entity: 'persistentvolumeclaims/ledger-data' })
  const windows = [makeWindow('ledger data', claim), makeWindow('ledger-data', claim)]
  const alert = { ...SHOP.alert, service: null }

  expect(look(windows.toReversed(), { alert })).toEqual(look(windows, { alert }))
})

test.each([
  { name: 'most', search: 'success=10%', ledger: 'success=90%', deepest: 'search' },
  { name: 'most, whatever its name', search: 'success=90%', ledger: 'success=10%', deepest: 'ledger' },
  { name: 'as much as another, and goes before it by name', search: 'success=50%', ledger: 'success=50%', deepest: 'ledger' },
])('calls the deepest failing dependency the one that bears $name of the blame', ({ search, ledger, deepest }) => {
  const windows = [makeWindow('frontend', failure(-60, 'search', search)), makeWindow('payments-api', failure(-60, 'ledger', ledger))]

  expect(look(windows).hypothesis).toBe(`no recorded change explains this; the deepest failing dependency is ${deepest}`)
})

const PATTERN = { service: 'checkout-api', vendor: 'argocd', eventType: 'deploy' as const, valueClass: '', similarity: 0.9 }
const CONFIRMED = { patterns: [{ ...PATTERN, verdict: 'confirmed' as const }] }
const REJECTED = { patterns: [{ ...PATTERN, verdict: 'rejected' as const }] }

test.each<{ name: string; others: ServiceWindow[]; rest?: Partial<DiagnosisInput>; own?: WindowEntry[]; pros: string[]; cons: string[] }>([
  { name: 'a change', others: [], pros: ['frontend calls checkout-api', 'it came 60 seconds before onset'], cons: [] },
  {
    name: 'a change that explains little',
    others: [makeWindow('frontend', failure(-5, 'checkout-api', 'success=90%'), failure(-5, 'search', 'success=10%'))],
    pros: [
      'calls from frontend to checkout-api fail, which it can explain',
      'frontend calls checkout-api',
      'it came 55 seconds before onset',
    ],
    cons: ['it leaves part of the failing calls unexplained'],
  },
  {
    name: 'a change after onset',
    others: [makeWindow('frontend', failure(-90, 'checkout-api'))],
    pros: ['calls from frontend to checkout-api fail, which it can explain', 'frontend calls checkout-api'],
    cons: ['it leaves part of the failing calls unexplained', 'it came at about the time of onset'],
  },
  {
    name: 'a change beside an unusual symptom',
    others: [],
    own: [makeEntry(-10, 'saturation', { count: 60 })],
    pros: ['frontend calls checkout-api', 'it came 60 seconds before onset', 'checkout-api shows what is unusual for it'],
    cons: [],
  },
  {
    name: 'a change like one that was confirmed',
    others: [],
    rest: CONFIRMED,
    pros: ['frontend calls checkout-api', 'it came 60 seconds before onset', 'a similar diagnosis was confirmed'],
    cons: [],
  },
  {
    name: 'a change like one that was rejected',
    others: [],
    rest: REJECTED,
    pros: ['frontend calls checkout-api', 'it came 60 seconds before onset'],
    cons: ['a similar diagnosis was rejected'],
  },
])('says what speaks for $name and what against it', ({ others, rest, own, pros, cons }) => {
  const { hypotheses } = look([makeWindow('checkout-api', recent('deploy'), ...(own ?? [])), ...others], rest)

  expect(hypotheses[0]).toMatchObject({ reasonsFor: pros, reasonsAgainst: cons })
})

test('names no cause when nothing explains the failing calls, but the deepest failing dependency', () => {
  const windows = [makeWindow('frontend', failure(-60, 'checkout-api')), makeWindow('checkout-api', failure(-60, 'payments-api'))]

  expect(look(windows, { observedUntil: later(120) })).toMatchObject({
    abstained: true,
    hypothesis: 'no recorded change explains this; the deepest failing dependency is payments-api',
    recommendedAction: null,
    hypotheses: [],
    confidence: 0,
    evidence: windows.toReversed().flatMap(({ window: { entries } }) => entries.dependency_failure.map(({ id }) => id)),
    reasoning: 'calls from checkout-api to payments-api fail; calls from frontend to checkout-api fail: no change accounts for it.',
  })
  expect(look([])).toMatchObject({
    abstained: true,
    hypothesis: 'no recorded change explains this',
    evidence: [],
    reasoning: 'No change that may be to blame was recorded before the alert.',
  })
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
  const scaled = makeEntry(-200, 'scale_event', { vendor: 'kubernetes' })
  const deploy = makeEntry(-200, 'deploy', { sha: 'a4f2c1' })
  const scale = makeEntry(-130, 'scale_event', { vendor: 'kubernetes' })
  const pod = makeEntry(-130, 'restart', { vendor: 'kubernetes', entity: 'pod/frontend-1', newValue: 'terminated', joinedBy: 'pod' })
  const report = makeEntry(-120, 'deploy', { newValue: 'succeeded' })

  const diagnosis = look([makeWindow('frontend', pod, deploy, scale, report, scaled)])

  expect(diagnosis.hypotheses).toHaveLength(1)
  expect(diagnosis.evidence).toEqual([deploy.id, scaled.id, scale.id, pod.id, report.id])
})

test('steps of one time are in the order of their ids', () => {
  const deploy = makeEntry(-200, 'deploy')
  const [a, b] = ['terminated', 'evicted'].map((newValue) =>
    makeEntry(-130, 'restart', { vendor: 'kubernetes', newValue, joinedBy: 'pod' }),
  )

  expect(look([makeWindow('frontend', deploy, ...(a && b ? [b, a] : []))]).evidence).toEqual([deploy.id, a?.id, b?.id])
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
