import type { EventType } from '../event/event.ts'
import { workloadOfFallbackName } from '../event/service-name.ts'
import type { DoorSettings, SentEvent } from './door.ts'
import { CHANGE_TTL_SECONDS, mappedService, SYMPTOM_TTL_SECONDS, toEvent } from './mapping.ts'
import { at, nameAt, textAt, toInstant, toName, toText } from './reading.ts'

/** A Kubernetes Event, whichever receiver brought it. */
export type KubernetesEvent = {
  readonly reason: string | undefined
  readonly note: string
  readonly kind: string | undefined
  readonly namespace: string | undefined
  readonly name: string | undefined
  /** What made the object, where the receiver knows. */
  readonly owner?: { readonly kind?: string | undefined; readonly name?: string | undefined }
  readonly at: string | undefined
}

type Meaning = { readonly type: EventType; readonly value: string; readonly confidence: number }

const meaning = (type: EventType, value: string, confidence: number): Meaning => ({ type, value, confidence })

const MEANINGS: ReadonlyMap<string, Meaning> = new Map([
  ['BackOff', meaning('restart', 'CrashLoopBackOff', 0.9)],
  ['OOMKilling', meaning('restart', 'OOMKilled', 0.95)],
  ['OOMKilled', meaning('restart', 'OOMKilled', 0.95)],
  ['Killing', meaning('restart', 'Killing', 0.8)],
  ['Evicted', meaning('restart', 'Evicted', 0.88)],
  ['Failed', meaning('dependency_failure', 'image_pull_failed', 0.85)],
  ['Unhealthy', meaning('dependency_failure', 'probe_failure', 0.85)],
  ['FailedMount', meaning('dependency_failure', 'FailedMount', 0.85)],
  ['FailedScheduling', meaning('saturation', 'FailedScheduling', 0.87)],
  ['NodeNotReady', meaning('saturation', 'NodeNotReady', 0.85)],
  ['NodeNotSchedulable', meaning('saturation', 'NodeNotSchedulable', 0.85)],
  ['FreeDiskSpaceFailed', meaning('saturation', 'FreeDiskSpaceFailed', 0.85)],
  ['ScalingReplicaSet', meaning('scale_event', '', 0.9)],
  ['SuccessfulRescale', meaning('scale_event', '', 0.9)],
])

/** Kubelet repeats what it said of an image as `Error: ImagePullBackOff`, and backs off from pulling as from restarting. */
const REPEATED_ERROR = /^\s*Error\b/
const PULLING_IMAGE = /^\s*Back-off pulling image\b/

/** Reads `corev1.Event` and `events.k8s.io/v1`. */
export function readKubernetesEvent(event: unknown): KubernetesEvent {
  const object = at(event, 'involvedObject') ?? at(event, 'regarding')
  return {
    reason: nameAt(event, 'reason'),
    note: textAt(event, 'message') ?? textAt(event, 'note') ?? '',
    kind: nameAt(object, 'kind'),
    namespace: nameAt(object, 'namespace') ?? nameAt(event, 'metadata', 'namespace'),
    name: nameAt(object, 'name'),
    owner: { kind: nameAt(object, 'ownerReferences', 0, 'kind'), name: nameAt(object, 'ownerReferences', 0, 'name') },
    at: TIMES.map((path) => toInstant(at(event, ...path))).find((time) => time !== undefined),
  }
}

/** The latest that an Event tells: `events.k8s.io/v1` keeps the first time in `eventTime`. */
const TIMES = [
  ['lastTimestamp'],
  ['series', 'lastObservedTime'],
  ['deprecatedLastTimestamp'],
  ['eventTime'],
  ['metadata', 'creationTimestamp'],
] as const

/** The service that an object's labels name: the recommended one, then the usual one. */
export function labelledService(labels: unknown): string | undefined {
  return nameAt(labels, 'app.kubernetes.io/name') ?? nameAt(labels, 'app')
}

/**
 * What an Event means, or why nothing: the object's service is the one told, else the workload behind its name; a pod
 * opens no service of its own.
 */
export function toKubernetesSignal(
  { reason = '', note, kind, namespace, name, owner, at: instant }: KubernetesEvent,
  settings: DoorSettings,
  told: { readonly service: string | undefined; readonly environment: string | undefined },
): SentEvent | { readonly ignored: string; readonly isRejected?: true } {
  const found = reason === 'BackOff' && PULLING_IMAGE.test(note) ? MEANINGS.get('Failed') : MEANINGS.get(reason)
  if (!found) return { ignored: `reason ${reason || 'missing'}` }
  if (reason === 'Failed' && REPEATED_ERROR.test(note)) return { ignored: 'reason Failed: an error of a container, told by others' }
  if (name === undefined) return { ignored: 'a Kubernetes event without its object', isRejected: true }
  const scale = found.type === 'scale_event' ? readScale(note) : undefined
  if (found.type === 'scale_event' && !scale) return { ignored: `reason ${reason}: no size` }
  const fallback = `${kind === 'Node' ? '' : (namespace ?? '')}/${name}`
  const workload = workloadOf(fallback, name, owner)
  const mapped = mappedService(settings, [told.service, workload, fallback, name, namespace])
  return toEvent({
    service: mapped ?? told.service ?? toName(settings.service) ?? workload ?? fallback,
    vendor: 'kubernetes',
    entity: name,
    type: found.type,
    ...(scale ?? { old: toQualifier(reason, note), new: found.value }),
    confidence: found.confidence,
    ttlSeconds: found.type === 'scale_event' ? CHANGE_TTL_SECONDS : SYMPTOM_TTL_SECONDS,
    at: instant,
    environment: told.environment,
  })
}

const named = (serviceName: string, entity: string) => workloadOfFallbackName({ serviceName, vendor: 'kubernetes', entity })

/** A pod's set or job, which its own name need not show; the deployment behind a replica set it does. */
function workloadOf(fallback: string, object: string, { kind, name }: NonNullable<KubernetesEvent['owner']> = {}): string | undefined {
  if (name !== undefined && kind === 'Job') return named(`job/${name}`, name)
  if (name !== undefined && (kind === 'StatefulSet' || kind === 'DaemonSet')) return name
  return named(fallback, object)
}

const SIZES = [/\bfrom (\d{1,9})\b/, /(?:\bto |New size: )(\d{1,9})\b/] as const

/** Replicas before and after: `… from 3 to 5`, `… to 5 from 3`, `New size: 5; …`. */
export function readScale(note: string): { readonly old: string | undefined; readonly new: string } | undefined {
  const [from, to] = SIZES.map((pattern) => pattern.exec(note)?.[1])
  return to === undefined ? undefined : { old: from, new: to }
}

const PRESSURES: readonly (readonly [RegExp, string])[] = [
  [/resource: memory/i, 'memory_pressure'],
  [/resource: (?:ephemeral-storage|\S*(?:nodefs|imagefs|inodes))/i, 'disk_pressure'],
  [/resource: pids?/i, 'pid_pressure'],
]

/** What an Event's note says about how it happened, as the Kubernetes agent tells it. */
export function toQualifier(reason: string, note: string): string | undefined {
  switch (reason) {
    case 'OOMKilling':
    case 'OOMKilled':
      return prefixed('limit=', /MemoryLimit: ?(\w{1,32})/.exec(note)?.[1])
    case 'BackOff':
      return prefixed('exit_code=', /exit code:? (\d{1,3})/.exec(note)?.[1])
    case 'Unhealthy':
      return toText(/\b(liveness|readiness|startup) probe/i.exec(note)?.[1])?.toLowerCase()
    case 'Evicted':
      return PRESSURES.find(([pattern]) => pattern.test(note))?.[1]
    case 'FailedScheduling':
      return prefixed('insufficient_', /Insufficient ([\w.-]{1,32}?)[.,;]*(?:\s|$)/.exec(note)?.[1])
    default:
      return undefined
  }
}

const prefixed = (prefix: string, value: string | undefined) => (value === undefined ? undefined : `${prefix}${value}`)
