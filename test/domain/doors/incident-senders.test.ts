import { describe, expect, test } from 'vitest'
import { DOORS } from '../../../src/domain/doors/index.ts'
import { DELIVERY_ID, deliver, deliverBytes } from '../../support/deliver.ts'
import { alert, changed, event, ignored, invalid, testDoor } from '../../support/door-cases.ts'

const SHA = '3f9c1d2ab4e5f60718293a4b5c6d7e8f90a1b2c3'
const CREATED = 'public_incident.incident_created_v2'
const UPDATED = 'public_incident.incident_status_updated_v2'

/** The labels that kube-prometheus' rules leave an alert of kube-state-metrics. */
const OF_CLUSTER = {
  alertname: 'KubePodCrashLooping',
  job: 'kube-state-metrics',
  service: 'monitoring-kube-state-metrics',
  instance: '10.0.0.7:8080',
  namespace: 'shop',
}

testDoor('alertmanager', DOORS.alertmanager, [
  ['firing', {}, alert({ action: 'trigger', service: 'checkout', title: 'Checkout answers slowly', at: '2026-03-02T09:14:30.250000Z' })],
  [
    'resolved',
    { 'alerts.0.status': 'resolved', 'alerts.0.endsAt': '2026-03-02T09:20:00Z' },
    alert({ action: 'resolve', at: '2026-03-02T09:20:00.000000Z' }),
  ],
  ['no service label but a job', { 'alerts.0.labels': { alertname: 'A', job: 'web' }, commonLabels: {} }, alert({ service: 'web' })],
  ['another label', { 'alerts.0.labels.team': 'shop' }, alert({ service: 'shop' }), { settings: { serviceLabel: 'team' } }],
  ['another environment', { 'alerts.0.labels.env': 'staging' }, ignored('environment staging')],
  [
    'another environment, let in',
    { 'alerts.0.labels.environment': 'staging' },
    alert({ environment: 'staging' }),
    { settings: { environments: ['staging'] } },
  ],
  [
    'what kube-state-metrics tells of a pod, whose labels service and job are its own',
    { 'alerts.0.labels': { ...OF_CLUSTER, pod: 'checkout-6d5f7c9b8d-k2x7q', container: 'app' }, commonLabels: {} },
    alert({ service: 'checkout' }),
  ],
  [
    'of a deployment',
    { 'alerts.0.labels': { ...OF_CLUSTER, deployment: 'cart', pod: 'kube-state-metrics-5d9f7c9b8d-k2x7q' }, commonLabels: {} },
    alert({ service: 'cart' }),
  ],
  [
    'of a pod, where the pod is its own, too',
    { 'alerts.0.labels': { ...OF_CLUSTER, pod: 'ksm-5d9f7c9b8d-k2x7q', exported_pod: 'checkout-6d5f7c9b8d-k2x7q' }, commonLabels: {} },
    alert({ service: 'checkout' }),
  ],
  [
    'of a namespace',
    { 'alerts.0.labels': { ...OF_CLUSTER, namespace: 'monitoring', exported_namespace: 'shop' }, commonLabels: {} },
    alert({ service: 'shop' }),
  ],
  [
    'of itself',
    { 'alerts.0.labels': { alertname: 'KubeStateMetricsListErrors', job: 'kube-state-metrics' }, commonLabels: {} },
    alert({ service: 'kube-state-metrics' }),
  ],
  [
    'of a service that is named after what it does',
    { 'alerts.0.labels': { ...OF_CLUSTER, service: 'checkout' }, commonLabels: {} },
    alert({ service: 'checkout' }),
  ],
  ['production by a number', { 'commonLabels.environment': 'prod1' }, alert({ environment: 'production' })],
  ['Watchdog', { 'alerts.0.labels.alertname': 'Watchdog' }, ignored('Watchdog')],
  ['severity none', { 'alerts.0.labels.severity': 'none' }, ignored('severity none')],
  ['a custom payload', { groupKey: undefined }, ignored('custom payload: no groupKey')],
  ['no alerts', { alerts: [] }, ignored('no alerts')],
  ['no https address', { 'alerts.0.generatorURL': 'http://prometheus/graph' }, alert({ url: 'https://alertmanager.example.com/' })],
])

testDoor('pagerduty-events', DOORS['pagerduty-events'], [
  [
    'a trigger',
    {},
    alert({
      action: 'trigger',
      key: 'orders/queue-length',
      service: 'orders',
      title: '9,000 orders wait',
      at: '2026-03-02T09:14:30.250000Z',
    }),
  ],
  ['a trigger without a key', { dedup_key: undefined }, alert({ key: DELIVERY_ID })],
  ['a component that is mapped', {}, alert({ service: 'cart' }), { settings: { serviceMap: { orders: 'cart' }, service: 'shop' } }],
  ['the integration’s service', {}, alert({ service: 'shop' }), { settings: { service: 'shop' } }],
  ['severity info', { 'payload.severity': 'info' }, ignored('severity info')],
  [
    'a resolution without payload',
    { event_action: 'resolve', payload: undefined },
    alert({ action: 'resolve', key: 'orders/queue-length' }),
  ],
  ['a resolution without a key', { event_action: 'resolve', dedup_key: '' }, invalid("'dedup_key' is missing or blank")],
  ['no summary', { 'payload.summary': '' }, invalid("'payload.summary' is missing or blank")],
  ['another action', { event_action: 'snooze' }, invalid("'event_action' must be trigger, acknowledge or resolve")],
  ['a key that is too long', { dedup_key: 'k'.repeat(256) }, invalid("'dedup_key' is too long (maximum is 255 characters)")],
  [
    'a change',
    { event_action: undefined, 'payload.custom_details': { service: 'orders', sha: SHA, user: 'mira', event_type: 'config_change' } },
    event({
      event_type: 'config_change',
      service_name: 'orders',
      sha: SHA,
      actor: 'mira',
      new_value: '9,000 orders wait',
      confidence: 0.85,
    }),
    { path: '/v2/change/enqueue' },
  ],
  [
    'a change in staging',
    { event_action: undefined, 'payload.custom_details': { environment: 'staging' } },
    ignored('environment staging'),
    { path: '/v2/change/enqueue' },
  ],
  [
    'no action where alerts go',
    { event_action: undefined },
    invalid("'event_action' must be trigger, acknowledge or resolve"),
    { path: '/v2/enqueue' },
  ],
])

testDoor('pagerduty', DOORS.pagerduty, [
  ['a trigger', {}, alert({ action: 'trigger', key: 'Q0CHECKOUT77', service: 'checkout', at: '2026-03-02T09:14:30.000Z' })],
  ['a resolution', { 'event.event_type': 'incident.resolved' }, alert({ action: 'resolve', at: '2026-03-02T09:14:31.482Z' })],
  ['reopened', { 'event.event_type': 'incident.reopened' }, alert({ action: 'reopen', at: '2026-03-02T09:14:31.482Z' })],
  ['a mapped service', {}, alert({ service: 'cart' }), { settings: { serviceMap: { PCHKT01: 'cart' } } }],
  ['a note', { 'event.event_type': 'incident.annotated' }, ignored('event_type incident.annotated')],
])

testDoor('datadog', DOORS.datadog, [
  [
    'triggered',
    {},
    alert({ action: 'trigger', key: '8842113900', service: 'checkout', at: '2026-03-02T09:14:30.000Z', environment: 'production' }),
  ],
  ['recovered', { transition: 'Recovered' }, alert({ action: 'resolve', key: '8842113900' })],
  ['of staging', { tags: 'env:staging,service:checkout' }, ignored('environment staging')],
  ['no cycle', { cycle: '$ALERT_CYCLE_KEY' }, alert({ key: '7001' })],
  ['a hundred tags', { tags: `env:prod,${'kube_label:value,'.repeat(100)}service:till` }, alert({ service: 'till' })],
  ['no data', { transition: 'No Data' }, ignored('transition No Data')],
])

testDoor('sentry', DOORS.sentry, [
  ['an issue alert', {}, alert({ action: 'trigger', key: '88120045', service: 'checkout', title: 'TypeError: total is undefined' })],
  [
    'its issue resolved',
    { action: 'resolved', data: { issue: { id: '88120045', project: { slug: 'checkout' } } } },
    alert({ action: 'resolve', key: '88120045', service: 'checkout' }),
    { headers: { 'Sentry-Hook-Resource': 'issue' } },
  ],
  [
    'its issue assigned',
    { action: 'assigned', data: { issue: { id: '88120045' } } },
    ignored('issue assigned'),
    { headers: { 'Sentry-Hook-Resource': 'issue' } },
  ],
  [
    'a metric alert',
    { action: 'critical', data: { metric_alert: { id: '4', projects: ['web'], title: 'M' } } },
    alert({ action: 'trigger', key: '4', service: 'web', title: 'M' }),
    { headers: {} },
  ],
])

testDoor('incidentio', DOORS.incidentio, [
  ['created', {}, alert({ action: 'trigger', key: '01HQXK7Z0000000000000CHKT', service: 'checkout' })],
  ['closed', { event_type: UPDATED, [CREATED]: undefined }, ignored('no incident')],
  ['private', { event_type: 'private_incident.incident_created_v2' }, ignored('a private incident has only an id')],
  ['an action', { event_type: 'public_incident.action_created_v1' }, ignored('event_type public_incident.action_created_v1')],
])

testDoor('rootly', DOORS.rootly, [
  ['created', {}, alert({ action: 'trigger', service: 'checkout', environment: 'production' })],
  ['cancelled', { 'event.type': 'incident.cancelled' }, alert({ action: 'resolve' })],
  ['updated', { 'event.type': 'incident.updated' }, ignored('event incident.updated')],
  [
    'of two environments, one of them production',
    { 'data.environments': [{ name: 'Staging' }, { name: 'Production' }] },
    alert({ action: 'trigger', environment: 'production' }),
  ],
  ['of another environment', { 'data.environments': [{ name: 'Staging' }, { name: 'QA' }] }, ignored('environment Staging')],
])

testDoor('firehydrant', DOORS.firehydrant, [
  ['opened', {}, alert({ action: 'trigger', service: 'checkout' })],
  ['resolved', { 'event.operation': 'UPDATED', 'data.incident.current_milestone': 'resolved' }, alert({ action: 'resolve' })],
  [
    'investigated',
    { 'event.operation': 'UPDATED', 'data.incident.current_milestone': 'investigating' },
    ignored('incident updated: investigating'),
  ],
  [
    'a change',
    {
      'event.resource_type': 'change_event',
      data: { change_event: { summary: 'Rolled out 1.8.2', services: [{ name: 'checkout' }], labels: { sha: SHA } } },
    },
    event({ event_type: 'deploy', service_name: 'checkout', sha: SHA }),
  ],
  [
    'a change as it is documented, in the data itself',
    {
      event: { operation: 'updated', resource_type: 'change_event' },
      data: {
        id: '489d',
        summary: 'Production Deploy ',
        starts_at: '2026-03-02T09:12:08.000Z',
        labels: { stack: 'rails' },
        services: [{ id: 's1', name: 'checkout' }],
        environments: [{ name: 'Staging' }, { name: 'Production' }],
      },
    },
    event({ event_type: 'deploy', service_name: 'checkout', new_value: 'Production Deploy', environment: 'production' }),
  ],
  [
    'an incident that says what it has an impact on, and when it reached its milestones',
    {
      'event.operation': 'UPDATED',
      'data.incident.current_milestone': 'resolved',
      'data.incident.services': undefined,
      'data.incident.environments': undefined,
      'data.incident.updated_at': '2026-03-03T00:00:00Z',
      'data.incident.milestones': [{ type: 'resolved', occurred_at: '2026-03-02 09:38:17 UTC' }],
      'data.incident.impacts': [
        { type: 'environment', impact: { id: 'e0', name: 'staging' } },
        { type: 'environment', impact: { id: 'e1', name: 'live' } },
        { type: 'service', impact: { id: 's1', name: 'orders' } },
      ],
    },
    alert({ action: 'resolve', service: 'orders', environment: 'production', at: '2026-03-02T09:38:17.000000Z' }),
  ],
])

testDoor('betterstack', DOORS.betterstack, [
  ['started', {}, alert({ action: 'trigger', key: '660077', service: 'checkout' })],
  [
    'acknowledged',
    { 'data.attributes.status': 'Acknowledged', 'data.attributes.acknowledged_at': '2026-03-02T09:16:00Z' },
    alert({ action: 'acknowledge', at: '2026-03-02T09:16:00.000000Z' }),
  ],
  ['resolved', { 'data.attributes.status': 'Resolved' }, alert({ action: 'resolve' })],
  [
    'the event that its documentation has instead',
    { event: 'resolved', 'data.attributes.status': undefined },
    alert({ action: 'resolve' }),
  ],
  [
    'a status that it does not list',
    { 'data.attributes.status': 'Recovered', 'data.attributes.resolved_at': '2026-03-02T09:20:00Z' },
    alert({ action: 'resolve', at: '2026-03-02T09:20:00.000000Z' }),
  ],
  [
    'a release',
    { data: { id: 'r1', type: 'release', attributes: { event: 'new_release', application_name: 'Checkout', release: '1.8.2' } } },
    event({ event_type: 'deploy', service_name: 'Checkout', new_value: 'released:1.8.2', confidence: 0.6 }),
  ],
  ['a monitor', { 'data.type': 'monitor' }, ignored('type monitor')],
])

test('what a pager was only tried with, or told of afterwards, is nobody’s incident', () => {
  const incidentOf = (mode: string) => deliver(DOORS.incidentio, { event_type: CREATED, [CREATED]: { id: '1', name: 'Slow', mode } })
  expect(['standard', 'stream'].map((mode) => incidentOf(mode).alerts.length)).toEqual([1, 1])
  expect(['test', 'tutorial', 'retrospective'].map((mode) => incidentOf(mode).ignored)).toEqual([
    'a test incident',
    'a tutorial incident',
    'a retrospective incident',
  ])
  const rootlyOf = (kind: string) => deliver(DOORS.rootly, changed(DOORS.rootly.example.body, { 'data.kind': kind }))
  expect(['normal', 'normal_sub'].map((kind) => rootlyOf(kind).alerts.length)).toEqual([1, 1])
  expect(['test', 'test_sub', 'example', 'backfilled'].map((kind) => rootlyOf(kind).ignored)).toEqual([
    'a test incident',
    'a test_sub incident',
    'an example incident',
    'a backfilled incident',
  ])
})

describe('an alert group', () => {
  const { example } = DOORS.alertmanager
  const member = (service: string, alertname: string, status: string, startsAt: string) => ({
    status,
    labels: { service, alertname },
    annotations: {},
    startsAt,
    endsAt: '2026-03-02T10:00:00Z',
  })
  const group = (alerts: readonly unknown[]) =>
    deliver(DOORS.alertmanager, changed(example.body, { alerts, commonLabels: {}, commonAnnotations: {} }))

  test('is one alert for each service and name, firing while any of it is, since the earliest', () => {
    const { alerts } = group([
      member('cart', 'Slow', 'firing', '2026-03-02T09:10:00Z'),
      member('cart', 'Slow', 'firing', '2026-03-02T09:05:00Z'),
      member('cart', 'Slow', 'resolved', '2026-03-02T09:00:00Z'),
      member('orders', 'Slow', 'resolved', '2026-03-02T09:00:00Z'),
      member('cart', 'Down', 'firing', '2026-03-02T09:11:00Z'),
    ])
    expect(alerts.map(({ action, service, title, at }) => [action, service, title, at])).toEqual([
      ['trigger', 'cart', 'Slow', '2026-03-02T09:05:00.000000Z'],
      ['resolve', 'orders', 'Slow', '2026-03-02T10:00:00.000000Z'],
      ['trigger', 'cart', 'Down', '2026-03-02T09:11:00.000000Z'],
    ])
    expect(new Set(alerts.map(({ key }) => key)).size).toBe(3)
  })

  test('of two hundred pods of three services is three alerts; beyond fifty are said to be left out', () => {
    const pods = Array.from({ length: 200 }, (_, index) => member(`service-${index % 3}`, 'Slow', 'firing', '2026-03-02T09:10:00Z'))
    expect(group(pods).alerts).toHaveLength(3)
    const many = group(Array.from({ length: 60 }, (_, index) => member(`service-${index}`, 'Slow', 'firing', '2026-03-02T09:10:00Z')))
    expect(many).toMatchObject({ alerts: { length: 50 }, ignored: '10 alerts beyond the 50 of one delivery' })
  })
})

test('alerts whose long names differ late are told apart', () => {
  const named = (end: string) => ({ status: 'firing', labels: { service: 's', alertname: `${'n'.repeat(130)}${end}` } })
  const { alerts } = deliver(
    DOORS.alertmanager,
    changed(DOORS.alertmanager.example.body, { commonLabels: {}, alerts: [named('a'), named('b')] }),
  )
  expect(new Set(alerts.map(({ key }) => key)).size).toBe(2)
})

test('a long group key and thousands of names in it cost no more than they are long', () => {
  const body = {
    groupKey: 'k'.repeat(65_000),
    alerts: Array.from({ length: 20_000 }, (_, place) => ({ status: 'firing', labels: { alertname: `a${place}` } })),
  }
  const before = process.threadCpuUsage().user
  for (let round = 0; round < 3; round += 1) deliver(DOORS.alertmanager, body)
  expect((process.threadCpuUsage().user - before) / 1_000).toBeLessThan(3_000)
})

test('groups whose long keys differ late are told apart', () => {
  const { example } = DOORS.alertmanager
  const keyOf = (groupKey: string) => deliver(DOORS.alertmanager, changed(example.body, { groupKey })).alerts[0]?.key ?? ''
  const long = `{}:{${Array.from({ length: 60 }, (_, index) => `label_${index}="value"`).join(', ')}`
  const keys = ['', '1', '2'].map((end) => keyOf(`${long}, zone="${end}"}`))
  expect([new Set(keys).size, keyOf(`${long}, zone="1"}`), Math.max(...keys.map(({ length }) => length))]).toEqual([3, keys[1], 512])
  expect(keys[0]).toMatch(/^\{\}:\{label_0="value".*\/checkout\/SlowCheckout$/)
})

test('Datadog may encode its payload as a form', () => {
  const form = new URLSearchParams(Object(DOORS.datadog.example.body)).toString()
  const signals = deliverBytes(DOORS.datadog, 'application/x-www-form-urlencoded', new TextEncoder().encode(form))
  expect(signals).toEqual(deliver(DOORS.datadog, DOORS.datadog.example.body))
})

test('incident.io closes by status', () => {
  const update = (category: string) => ({
    event_type: UPDATED,
    [UPDATED]: { incident: { id: 'i1', name: 'Slow' }, new_status: { category } },
  })
  expect(deliver(DOORS.incidentio, update('closed')).alerts).toMatchObject([{ action: 'resolve', key: 'i1' }])
  expect(deliver(DOORS.incidentio, update('active'))).toMatchObject({ alerts: [], ignored: 'status active' })
})

test('PagerDuty’s words', () => {
  const { answer, refusal, example, credential } = DOORS['pagerduty-events']
  const delivery = { body: example.body, header: () => undefined, settings: { serviceMap: {} }, id: DELIVERY_ID }
  const read = (text: unknown) => JSON.parse(String(text))
  expect(credential?.(example.body)).toBe('{{token}}')
  expect(read(answer?.(deliver(DOORS['pagerduty-events'], example.body), delivery)?.body)).toEqual({
    status: 'success',
    message: 'Event processed',
    dedup_key: 'orders/queue-length',
  })
  const change = { ...delivery, path: '/v2/change/enqueue' }
  expect(read(answer?.(DOORS['pagerduty-events'].read(change), change)?.body)).toEqual({
    status: 'success',
    message: 'Change event processed',
  })
  expect(answer?.({ events: [], alerts: [], invalid: 'x' }, delivery)?.status).toBe(400)
  expect(refusal?.(404, 'no such key', undefined)).toMatchObject({ status: 400, body: expect.stringContaining('Event object is invalid') })
  const refused = (status: number) => [refusal?.(status, 'x', undefined).status, read(refusal?.(status, 'x', undefined).body).status]
  expect([429, 503, 413, 401].map(refused)).toEqual([
    [429, 'throttle exceeded'],
    [503, 'internal error'],
    [413, 'invalid event'],
    [400, 'invalid event'],
  ])
})

test.each([
  ['rootly', 'rootly.com', (url: string) => ({ 'data.url': url })],
  ['incidentio', 'incident.io', (url: string) => ({ [CREATED]: undefined, incident: { id: '77', permalink: url }, event_type: CREATED })],
  ['firehydrant', 'firehydrant.io', (url: string) => ({ 'data.incident.incident_url': url })],
] as const)('%s’s incidents lead to its own hosts only', (sender, host, toChanges) => {
  const urlOf = (url: string) => {
    const { incident, ...changes } = { incident: undefined, ...toChanges(url) }
    const body = { ...(changed(DOORS[sender].example.body, changes) as object), ...(incident && { [CREATED]: incident }) }
    const { alerts } = deliver(DOORS[sender], body)
    expect(alerts).toHaveLength(1)
    return alerts[0]?.url
  }
  expect(urlOf(`https://app.${host}/incidents/77`)).toBe(`https://app.${host}/incidents/77`)
  for (const wrong of [
    `https://${host}.evil.example/`,
    `https://${host}@evil.example/`,
    `https://evil${host}/`,
    `http://app.${host}/`,
    'x',
  ])
    expect(urlOf(wrong)).toBeUndefined()
})
