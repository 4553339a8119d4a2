import type { EventType } from '../event/event.ts'
import type { Delivery, Door, Signals } from './door.ts'
import { CHANGE_TTL_SECONDS, CONFIDENCE, ignore, oneEvent, SYMPTOM_TTL_SECONDS, toService, toTitle, USUAL } from './mapping.ts'
import { at, nameAt, textAt, toInstant, toUrl } from './reading.ts'

type Meaning = readonly [type: EventType, value: string]

/** Aggregation keys of Robusta's own playbooks, spelt as their letters only. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ['crashloopbackoff', ['restart', 'CrashLoopBackOff']],
  ['reportcrashloop', ['restart', 'CrashLoopBackOff']],
  ['podoomkilled', ['restart', 'OOMKilled']],
  ['oomkill', ['restart', 'OOMKilled']],
  ['podoomkillerenricher', ['restart', 'OOMKilled']],
  ['podevicted', ['restart', 'Evicted']],
  ['imagepullbackoff', ['dependency_failure', 'image_pull_failed']],
  ['imagepullbackoffreporter', ['dependency_failure', 'image_pull_failed']],
  ['failedmount', ['dependency_failure', 'FailedMount']],
  ['jobfailure', ['dependency_failure', 'job_failed']],
  ['podpending', ['saturation', 'FailedScheduling']],
  ['nodenotready', ['saturation', 'NodeNotReady']],
  ['cputhrottlinghigh', ['saturation', 'cpu_throttling']],
  ['configurationchangekubernetesresourcechange', ['config_change', 'changed']],
  ['kubernetesresourcechange', ['config_change', 'changed']],
])

function read({ body, settings }: Delivery): Signals {
  const key = textAt(body, 'aggregation_key')
  // Older releases write the enumeration as Python keeps it.
  const findingType = (textAt(body, 'finding_type') ?? textAt(body, 'finding_type', '_name_'))?.toUpperCase()
  const isChange = findingType === 'CONFIGURATION_CHANGE'
  if (key === undefined || findingType === undefined) return ignore('no aggregation_key or finding_type')
  const found = MEANINGS.get(key.toLowerCase().replace(/[^a-z]/g, '')) ?? (isChange ? (['config_change', 'changed'] as const) : undefined)
  if (!found) return ignore(`aggregation_key ${key}`)
  if (toInstant(at(body, 'ends_at')) !== undefined) return ignore('resolved')
  const named = nameAt(body, 'service', 'name')
  const service = toService(settings, [nameAt(body, 'service_key'), named], named)
  if (service === undefined) return ignore('no service: set service_map')
  const [type, value] = found
  return oneEvent({
    service,
    vendor: 'robusta',
    entity: nameAt(body, 'subject', 'name') ?? named,
    type,
    new: value,
    confidence: CONFIDENCE.stated,
    ttlSeconds: type === 'config_change' ? CHANGE_TTL_SECONDS : SYMPTOM_TTL_SECONDS,
    at: toInstant(at(body, 'starts_at')) ?? toInstant(at(body, 'creation_date')),
    url: toUrl(at(body, 'links', 0, 'url')),
    details: toTitle(textAt(body, 'title')),
  })
}

export const robusta: Door = {
  title: 'Robusta',
  brings: 'logs',
  ...USUAL,
  config: ['service', 'service_map'],
  read,
  example: {
    body: {
      title: 'Crashing pod checkout-6d5f7c9b8d-k2x7q in namespace shop',
      cluster_name: 'eu-1',
      severity: 'HIGH',
      source: 'KUBERNETES_API_SERVER',
      finding_type: 'ISSUE',
      aggregation_key: 'CrashLoopBackoff',
      fingerprint: '0c1d2e3f4a5b6c7d',
      starts_at: '2026-03-02T09:14:20+00:00',
      service: { name: 'checkout', resource_type: 'Deployment', namespace: 'shop' },
      service_key: 'shop/Deployment/checkout',
      subject: { name: 'checkout-6d5f7c9b8d-k2x7q', kind: 'pod', namespace: 'shop', node: 'node-2' },
      links: [],
    },
  },
  setup: `In Robusta's \`generated_values.yaml\`:

    sinksConfig:
      - webhook_sink:
          name: noctuary
          url: {{url}}
          format: json
          authorization: Bearer {{token}}`,
}
