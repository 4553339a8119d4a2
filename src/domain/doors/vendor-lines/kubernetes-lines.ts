import type { EventType } from '../../event/event.ts'
import { readKubernetesEvent, readScale, toQualifier } from '../kubernetes-event.ts'
import { at, nameAt } from '../reading.ts'
import type { LineVerdict, LogLine } from './line.ts'

type Meaning = readonly [type: EventType, value: string, confidence: number, ttlSeconds: number]

/** What the Kubernetes agent makes of an Event; a probe and a node it reads otherwise than the receivers' door does. */
const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ['OOMKilling', ['restart', 'OOMKilled', 0.95, 1_200]],
  ['OOMKilled', ['restart', 'OOMKilled', 0.95, 1_200]],
  ['BackOff', ['restart', 'CrashLoopBackOff', 0.9, 1_200]],
  ['Evicted', ['restart', 'Evicted', 0.88, 1_200]],
  ['Unhealthy', ['restart', 'probe_failure', 0.85, 900]],
  ['ScalingReplicaSet', ['scale_event', '', 0.9, 1_800]],
  ['SuccessfulRescale', ['scale_event', '', 0.9, 1_800]],
  ['FailedScheduling', ['saturation', 'FailedScheduling', 0.87, 1_800]],
])
const NODE_TROUBLES = new Set([
  'NodeNotReady',
  'NodeMemoryPressure',
  'NodeDiskPressure',
  'NodePIDPressure',
  'EvictionThresholdMet',
  'KernelDeadlock',
])

/** An Event of the cluster, one line of JSON. */
export function readKubernetesLine({ json }: LogLine): LineVerdict {
  if (at(json, 'kind') !== 'Event' || at(json, 'involvedObject') === undefined) return 'foreign'
  const { reason = '', note, namespace, name, at: instant } = readKubernetesEvent(json)
  const node: Meaning | undefined = NODE_TROUBLES.has(reason) ? ['dependency_failure', reason, 0.85, 2_700] : undefined
  const meaning = MEANINGS.get(reason) ?? node
  if (!meaning || name === undefined) return 'quiet'
  const [type, value, confidence, ttlSeconds] = meaning
  const scale = type === 'scale_event' ? readScale(note) : undefined
  if (type === 'scale_event' && !scale) return 'quiet'
  return {
    type,
    vendor: 'kubernetes',
    service: `${namespace ?? ''}/${name}`,
    entity: name,
    ...(scale ?? { old: toQualifier(reason, note), new: value }),
    confidence,
    ttlSeconds,
    timestamp: nameAt(json, 'lastTimestamp') ?? instant,
  }
}
