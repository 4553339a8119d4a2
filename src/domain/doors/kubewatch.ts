import { workloadOfFallbackName } from '../event/service-name.ts'
import { type CloudEvent, toBinary, toStructured } from './cloud-event.ts'
import type { Delivery, Door, DoorSettings, Signals } from './door.ts'
import { labelledService } from './kubernetes-event.ts'
import { CONFIDENCE, ignore, mappedService, oneEvent, toImageVersion, toTitle, USUAL } from './mapping.ts'
import { at, listAt, nameAt, textAt, toInstant, toName } from './reading.ts'

/** Objects whose name is a service's, or leads to one. */
const WORKLOADS = new Set([
  'deployment',
  'statefulset',
  'daemonset',
  'cronjob',
  'rollout',
  'deploymentconfig',
  'horizontalpodautoscaler',
  'hpa',
])
/** What changes all the time, and tells nothing by that. */
const RESTLESS = new Set(['pod', 'event', 'node', 'replicaset', 'job', 'endpoints', 'lease'])

/** Older releases write `daemon set`. */
const isIn = (kinds: ReadonlySet<string>, kind: string) => kinds.has(kind.toLowerCase().replaceAll(' ', ''))

function read(delivery: Delivery): Signals {
  const { body, settings } = delivery
  const event = toStructured(body) ?? toBinary(delivery)
  if (event) return event.type === 'KUBERNETES_TOPOLOGY_CHANGE' ? readTopologyChange(event, settings) : ignore(`type ${event.type}`)
  const meta = at(body, 'eventmeta')
  const [kind, name, reason] = [nameAt(meta, 'kind'), nameAt(meta, 'name')?.split('/').at(-1), textAt(meta, 'reason')]
  if (kind === undefined || !name || reason === undefined) return ignore('no eventmeta')
  if (isIn(RESTLESS, kind)) return ignore(`kind ${kind}`)
  const service = toOwner(settings, kind, nameAt(meta, 'namespace'), name)
  if (service === undefined) return ignore(`no service for ${kind} ${name}: set service_map`)
  return oneEvent({
    service,
    vendor: 'kubewatch',
    entity: name,
    type: 'config_change',
    new: reason.toLowerCase(),
    confidence: CONFIDENCE.update,
    at: toInstant(at(body, 'time')),
    details: toTitle(`${kind} ${name}`),
  })
}

/** Whom an object concerns. A config map, or any other object, names no service: only the map does. */
function toOwner(settings: DoorSettings, kind: string, namespace: string | undefined, name: string): string | undefined {
  const fallback = `${namespace ?? 'default'}/${name}`
  const mapped = mappedService(settings, [fallback, name]) ?? toName(settings.service)
  if (mapped !== undefined || !isIn(WORKLOADS, kind)) return mapped
  return workloadOfFallbackName({ serviceName: fallback, vendor: 'kubernetes', entity: name }) ?? name
}

/** kubewatch's CloudEvent, which has the object before and after: a deploy where an image differs. */
export function readTopologyChange({ data, time }: CloudEvent, settings: DoorSettings): Signals {
  const [kind, object] = [nameAt(data, 'kind'), at(data, 'obj')]
  const name = nameAt(object, 'metadata', 'name')
  if (kind === undefined || name === undefined) return ignore('no object')
  const before = imagesOf(at(data, 'oldObj'))
  const changed = [...imagesOf(object)].find(([container, image]) => before.has(container) && before.get(container) !== image)
  if (!changed) return ignore(`${kind} ${name}: no image differs`)
  const [container, image] = changed
  const namespace = nameAt(object, 'metadata', 'namespace')
  const service = mappedService(settings, [`${namespace}/${name}`, name]) ?? labelledService(at(object, 'metadata', 'labels'))
  const owner = service ?? toOwner(settings, kind, namespace, name)
  if (owner === undefined || isIn(RESTLESS, kind)) return ignore(`kind ${kind}`)
  const [old, version] = [toImageVersion(before.get(container)), toImageVersion(image)]
  const isTold = old !== undefined && version !== undefined && old !== version
  return oneEvent({
    service: owner,
    vendor: 'kubewatch',
    entity: name,
    type: 'deploy',
    ...(isTold ? { old, new: version } : { old: before.get(container), new: image }),
    sha: version,
    confidence: CONFIDENCE.stated,
    at: toInstant(time),
    details: toTitle(`${container}: ${image}`),
  })
}

function imagesOf(object: unknown): ReadonlyMap<string, string> {
  return new Map(
    listAt(object, 'spec', 'template', 'spec', 'containers').flatMap((container) => {
      const [name, image] = [nameAt(container, 'name'), nameAt(container, 'image')]
      return name === undefined || image === undefined ? [] : [[name, image] as const]
    }),
  )
}

export const kubewatch: Door = {
  title: 'kubewatch',
  brings: 'logs',
  ...USUAL,
  mediaTypes: ['json', 'cloudevents'],
  config: ['service', 'service_map'],
  read,
  example: {
    body: {
      eventmeta: { kind: 'Deployment', name: 'shop/checkout', namespace: 'shop', reason: 'Updated' },
      text: 'A `Deployment` in namespace `shop` has been `Updated`:\n`shop/checkout`',
      time: '2026-03-02T09:12:08.410Z',
    },
  },
  setup: `In kubewatch's configuration, the CloudEvents handler, which tells the images before and after:

    handler:
      cloudevent:
        url: {{url}}

The webhook handler (\`webhook: {enabled: true, url: {{url}}}\`) says only that something was updated. kubewatch can send no header: the address has the token in its path.`,
}
