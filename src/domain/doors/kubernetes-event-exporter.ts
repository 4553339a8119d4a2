import type { Delivery, Door, Signals } from './door.ts'
import { labelledService, readKubernetesEvent, toKubernetesSignal } from './kubernetes-event.ts'
import { ignore, USUAL } from './mapping.ts'
import { at } from './reading.ts'

function read({ body, settings }: Delivery): Signals {
  if (at(body, 'involvedObject', 'name') === undefined) return ignore('custom layout: no involvedObject')
  const told = { service: labelledService(at(body, 'involvedObject', 'labels')), environment: undefined }
  const signal = toKubernetesSignal(readKubernetesEvent(body), settings, told)
  return 'ignored' in signal ? ignore(signal.ignored) : { events: [signal], alerts: [] }
}

export const kubernetesEventExporter: Door = {
  title: 'kubernetes-event-exporter',
  brings: 'logs',
  ...USUAL,
  config: ['service', 'service_map'],
  read,
  example: {
    body: {
      metadata: { name: 'checkout-6d5f7c9b8d-k2x7q.18a1c2d3e4f50617', namespace: 'shop', creationTimestamp: '2026-03-02T09:13:00Z' },
      reason: 'BackOff',
      message: 'Back-off restarting failed container app in pod checkout-6d5f7c9b8d-k2x7q_shop(0f1e) (exit code 137)',
      source: { component: 'kubelet', host: 'node-2' },
      firstTimestamp: '2026-03-02T09:13:00Z',
      lastTimestamp: '2026-03-02T09:14:20Z',
      count: 4,
      type: 'Warning',
      clusterName: 'eu-1',
      involvedObject: {
        kind: 'Pod',
        namespace: 'shop',
        name: 'checkout-6d5f7c9b8d-k2x7q',
        labels: { 'app.kubernetes.io/name': 'checkout' },
        ownerReferences: [{ kind: 'ReplicaSet', name: 'checkout-6d5f7c9b8d' }],
      },
    },
  },
  setup: `In the exporter's configuration:

    receivers:
      - name: noctuary
        webhook:
          endpoint: {{url}}
          headers: {Authorization: "Bearer {{token}}"}

and a route to it, \`route: {routes: [{match: [{receiver: noctuary}]}]}\`; leave \`layout\` out.`,
}
