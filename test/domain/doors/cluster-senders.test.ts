import { DOORS } from '../../../src/domain/doors/index.ts'
import { event, type Fields, ignored, testDoor } from '../../support/door-cases.ts'

const SHA = '3f9c1d2ab4e5f60718293a4b5c6d7e8f90a1b2c3'
const kube = (fields: Fields) => event({ vendor: 'kubernetes', service_name: 'checkout', entity: 'checkout-6d5f7c9b8d-k2x7q', ...fields })
const topology = (kind: string, before: string, after: string) => ({
  specversion: '1.0',
  type: 'KUBERNETES_TOPOLOGY_CHANGE',
  time: '2026-03-02T09:12:08Z',
  data: { kind, obj: podTemplate(after), oldObj: podTemplate(before) },
})
const podTemplate = (image: string) => ({
  metadata: { name: 'checkout', namespace: 'shop' },
  spec: { template: { spec: { containers: [{ name: 'app', image }] } } },
})

testDoor('kubernetes-event-exporter', DOORS['kubernetes-event-exporter'], [
  [
    'a crash loop',
    {},
    kube({ event_type: 'restart', new_value: 'CrashLoopBackOff', old_value: 'exit_code=137', timestamp: '2026-03-02T09:14:20.000000Z' }),
  ],
  ['no label', { 'involvedObject.labels': undefined }, kube({})],
  ['an image', { message: 'Back-off pulling image "x"' }, kube({ event_type: 'dependency_failure' })],
  [
    'a probe',
    { reason: 'Unhealthy', message: 'Liveness probe failed' },
    kube({ event_type: 'dependency_failure', new_value: 'probe_failure', old_value: 'liveness' }),
  ],
  ['a failed pull', { reason: 'Failed', message: 'Failed to pull image "x": not found' }, kube({ event_type: 'dependency_failure' })],
  [
    'its repetition',
    { reason: 'Failed', message: 'Error: ImagePullBackOff' },
    ignored('reason Failed: an error of a container, told by others'),
  ],
  [
    'scaling',
    { reason: 'ScalingReplicaSet', message: 'Scaled up replica set checkout-6d5f7c9b8d to 4 from 2' },
    kube({ event_type: 'scale_event', old_value: '2', new_value: '4', ttl_seconds: 7200 }),
  ],
  [
    'a node',
    { reason: 'NodeNotReady', 'involvedObject.kind': 'Node', 'involvedObject.labels': undefined, 'involvedObject.name': 'node-2' },
    event({ event_type: 'saturation', service_name: '/node-2', entity: 'node-2' }),
  ],
  [
    'a pod of a set whose ordinal could be a year',
    {
      'involvedObject.labels': undefined,
      'involvedObject.name': 'web-2024',
      'involvedObject.ownerReferences': [{ kind: 'StatefulSet', name: 'web' }],
    },
    event({ service_name: 'web', entity: 'web-2024' }),
  ],
  [
    'a pod of a cron job',
    {
      'involvedObject.labels': undefined,
      'involvedObject.name': 'report-28391520-abcde',
      'involvedObject.ownerReferences': [{ kind: 'Job', name: 'report-28391520' }],
    },
    event({ service_name: 'report', entity: 'report-28391520-abcde' }),
  ],
  [
    'the latest of a series',
    {
      lastTimestamp: null,
      eventTime: '2026-03-02T09:00:00.000000Z',
      series: { count: 3, lastObservedTime: '2026-03-02T09:20:00.000000Z' },
    },
    kube({ timestamp: '2026-03-02T09:20:00.000000Z' }),
  ],
  ['daily work', { reason: 'Pulled' }, ignored('reason Pulled')],
  ['a layout of theirs', { involvedObject: undefined }, ignored('custom layout: no involvedObject')],
])

testDoor('kubewatch', DOORS.kubewatch, [
  [
    'updated',
    {},
    event({ event_type: 'config_change', service_name: 'checkout', entity: 'checkout', new_value: 'updated', confidence: 0.5 }),
  ],
  ['a pod', { 'eventmeta.kind': 'Pod' }, ignored('kind Pod')],
  ['a kind in two words', { 'eventmeta.kind': 'daemon set', 'eventmeta.name': 'proxy' }, event({ service_name: 'proxy' })],
  [
    'a config map',
    { 'eventmeta.kind': 'ConfigMap', 'eventmeta.name': 'settings' },
    ignored('no service for ConfigMap settings: set service_map'),
  ],
  [
    'a mapped config map',
    { 'eventmeta.kind': 'ConfigMap', 'eventmeta.name': 'settings' },
    event({ service_name: 'cart', entity: 'settings' }),
    { settings: { serviceMap: { 'shop/settings': 'cart' } } },
  ],
  [
    'an image',
    topology('Deployment', 'r/checkout:1.8.1', 'r/checkout:1.8.2'),
    event({ event_type: 'deploy', old_value: '1.8.1', new_value: '1.8.2', sha: '1.8.2' }),
  ],
  [
    'an image, in binary mode',
    topology('Deployment', 'r/checkout:1.8.1', 'r/checkout:1.8.2').data,
    event({ event_type: 'deploy', new_value: '1.8.2', timestamp: '2026-03-02T09:12:08.000000Z' }),
    {
      headers: {
        'ce-specversion': '1.0',
        'ce-type': 'KUBERNETES_TOPOLOGY_CHANGE',
        'ce-source': 'https%3A%2F%2Fgithub.com%2Frobusta-dev%2Fkubewatch',
        'ce-id': '1-1',
        'ce-time': '2026-03-02T09:12:08Z',
      },
    },
  ],
  ['no image', topology('Deployment', 'r/checkout:1.8.1', 'r/checkout:1.8.1'), ignored('Deployment checkout: no image differs')],
])

testDoor('robusta', DOORS.robusta, [
  ['a crash loop', {}, event({ event_type: 'restart', service_name: 'checkout', new_value: 'CrashLoopBackOff' })],
  ['a change', { finding_type: 'CONFIGURATION_CHANGE', aggregation_key: 'any' }, event({ event_type: 'config_change' })],
  [
    'a crash loop as older releases write it',
    { finding_type: { _value_: 'issue', _name_: 'ISSUE', _sort_order_: 0 }, starts_at: '2026-03-02 09:14:20+00:00' },
    event({ event_type: 'restart', timestamp: '2026-03-02T09:14:20.000000Z' }),
  ],
  [
    'an image as older releases name it',
    { aggregation_key: 'image_pull_backoff_reporter' },
    event({ event_type: 'dependency_failure', new_value: 'image_pull_failed' }),
  ],
  ['what is over', { title: '[RESOLVED] Crashing pod', ends_at: '2026-03-02T09:20:00+00:00' }, ignored('resolved')],
  ['an end that is not yet', { ends_at: '0001-01-01T00:00:00Z' }, event({ event_type: 'restart' })],
  ['a report', { finding_type: 'REPORT', aggregation_key: 'krr' }, ignored('aggregation_key krr')],
])

testDoor('argocd', DOORS.argocd, [
  ['a sync', {}, event({ vendor: 'argocd', entity: 'checkout', new_value: 'succeeded', sha: SHA, actor: 'mira' })],
  ['with the previous revision', { previous: '8b7a6c5d' }, event({ old_value: '8b7a6c5d', new_value: SHA })],
  ['under way', { phase: 'Running' }, event({ new_value: `syncing:${SHA}`, timestamp: '2026-03-02T09:11:10.000000Z' })],
  ['failed', { phase: 'Error', health: 'Degraded' }, event({ new_value: 'failed' })],
  ['degraded', { health: 'Degraded' }, event({ new_value: 'health:Degraded', sha: undefined, ttl_seconds: 1800 })],
  ['of several sources', { revision: '', revisions: ['1.8.2', SHA] }, event({ new_value: 'succeeded', sha: SHA })],
  ['of several charts', { revision: null, revisions: ['1.8.2', '3.0.0'] }, event({ sha: '1.8.2' })],
  ['a template of theirs', { app: undefined }, ignored('custom template: no app')],
])

testDoor('argo-rollouts', DOORS['argo-rollouts'], [
  ['aborted', {}, event({ new_value: 'rolled_back', sha: '31', vendor: 'argo-rollouts' })],
  ['completed', { aborted: false, phase: 'Healthy' }, event({ new_value: 'succeeded' })],
  ['paused', { aborted: false, phase: 'Paused' }, ignored('phase Paused')],
])

testDoor('flux', DOORS.flux, [
  ['reconciled', {}, event({ service_name: 'checkout', vendor: 'flux', new_value: 'succeeded', sha: SHA })],
  ['an older spelling', { metadata: { 'kustomize.toolkit.fluxcd.io/revision': 'main/3f9c' } }, event({ sha: '3f9c' })],
  ['a release rolled back', { 'involvedObject.kind': 'HelmRelease', reason: 'RollbackSucceeded' }, event({ new_value: 'rolled_back' })],
  ['unhealthy', { reason: 'HealthCheckFailed' }, event({ new_value: 'failed' })],
  ['progressing', { reason: 'Progressing' }, ignored('reason Progressing')],
  ['a source', { 'involvedObject.kind': 'GitRepository' }, ignored('kind GitRepository')],
])
