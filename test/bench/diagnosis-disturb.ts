import type { Case, CaseEvent } from './diagnosis-cases.ts'
import { createRandom, pick } from './random.ts'

/** How cases are made harder; everything is drawn from the seed and the case's id. */
export type Disturbance = {
  /** Unrelated events added for each event of the case. */
  readonly noise: number
  /** Whether the events of another incident of the same system are mixed in. */
  readonly isMerged: boolean
  /** Unrelated changes beside it, in the hour before. */
  readonly background: number
  /** Each event's time is off by up to so many seconds either way. */
  readonly skewSeconds: number
  /** Whether nobody told who calls whom: only what failing calls show is known. */
  readonly isUnlinked: boolean
  readonly seed: string
}

/** Another incident's alert comes within so many seconds of the case's own. */
export const MERGE_WITHIN_SECONDS = 300

/** The case with a second incident, skewed clocks and unrelated events, without its known calls, as asked for. */
export function disturb(each: Case, pool: readonly Case[], disturbance: Disturbance): Case {
  const { noise, isMerged, background, skewSeconds, isUnlinked, seed } = disturbance
  const merged = isMerged ? merge(each, pool, createRandom(`${seed} merge ${each.id}`)) : each
  const crowded = background > 0 ? addBackground(merged, background, createRandom(`${seed} background ${each.id}`)) : merged
  const skewed = skewSeconds > 0 ? skew(crowded, skewSeconds, createRandom(`${seed} skew ${each.id}`)) : crowded
  const noisy = noise > 0 ? addNoise(skewed, noise, createRandom(`${seed} noise ${each.id}`)) : skewed
  return isUnlinked ? { ...noisy, dependencies: [] } : noisy
}

function merge(each: Case, pool: readonly Case[], random: () => number): Case {
  if (pool.length === 0) return each
  const other = pick(random, pool)
  const offsetMs = each.alert.triggered_at - other.alert.triggered_at + (2 * random() - 1) * MERGE_WITHIN_SECONDS * 1_000
  const events = other.events.map((event) => ({ ...event, timestamp: Math.round(event.timestamp + offsetMs) }))
  const merged = { ...each, events: [...each.events, ...events].toSorted((a, b) => a.timestamp - b.timestamp) }
  return other.truth ? { ...merged, other: other.truth.service } : merged
}

function skew(each: Case, seconds: number, random: () => number): Case {
  const events = each.events.map((event) => ({ ...event, timestamp: Math.round(event.timestamp + (2 * random() - 1) * seconds * 1_000) }))
  return { ...each, events: events.toSorted((a, b) => a.timestamp - b.timestamp) }
}

type Kind = Pick<CaseEvent, 'event_type' | 'vendor' | 'old_value' | 'new_value'>

const KINDS: readonly Kind[] = [
  { event_type: 'deploy', vendor: 'argocd', old_value: 'v1', new_value: 'v2' },
  { event_type: 'deploy', vendor: 'argocd', new_value: 'succeeded' },
  { event_type: 'scale_event', vendor: 'kubernetes', old_value: '2', new_value: '4' },
  { event_type: 'restart', vendor: 'kubernetes', old_value: 'running', new_value: 'terminated' },
  { event_type: 'restart', vendor: 'kubernetes', old_value: 'exit_code=137', new_value: 'CrashLoopBackOff' },
  { event_type: 'saturation', vendor: 'postgres', new_value: 'slow_query:1312ms' },
  { event_type: 'saturation', vendor: 'redis', new_value: 'eviction_active' },
  { event_type: 'flag_change', vendor: 'flagd', old_value: 'off', new_value: 'on' },
  { event_type: 'config_change', vendor: 'flagd', new_value: 'reloaded' },
  { event_type: 'dependency_failure', vendor: 'istio', old_value: 'ok', new_value: 'success=71%' },
]

const UNRELATED_SERVICES = ['billing-export', 'crm-sync', 'image-resizer', 'partner-feed', 'search-indexer', 'admin-console']
const BACKGROUND_MS = 60 * 60_000

/** What goes on beside an incident: changes of any service but the one at fault, and of some that it has nothing to do with. */
function addBackground(each: Case, changes: number, random: () => number): Case {
  const right = new Set([each.truth?.service, ...(each.accept ?? [])])
  const services = [...new Set([...each.dependencies.flat(), ...UNRELATED_SERVICES])].filter((name) => !right.has(name)).toSorted()
  const background = Array.from({ length: changes }, (): CaseEvent => {
    const service = pick(random, services)
    const timestamp = Math.round(each.alert.triggered_at - random() * BACKGROUND_MS)
    const common = { service_name: service, timestamp, confidence: 0.9, ttl_seconds: 7_200 }
    const number = Math.floor(random() * 90 + 10)
    return pick<CaseEvent>(random, [
      { ...common, event_type: 'deploy', vendor: 'argocd', entity: `deployment/${service}`, new_value: `syncing:${number}a7${number}f` },
      { ...common, event_type: 'config_change', vendor: 'terraform', entity: `configmap/${service}`, new_value: `rev-${number}` },
      { ...common, event_type: 'flag_change', vendor: 'flagd', entity: `${service}-cache`, old_value: 'off', new_value: 'on' },
      { ...common, event_type: 'scale_event', vendor: 'kubernetes', entity: `deployment/${service}`, old_value: '2', new_value: '4' },
    ])
  })
  return { ...each, events: [...each.events, ...background].toSorted((a, b) => a.timestamp - b.timestamp) }
}

const NOISY_SERVICES = 12
const NOISE_BEFORE_MS = 15 * 60_000

/** Events of services the alert has nothing to do with: a second system that shares the tenant. */
function addNoise(each: Case, factor: number, random: () => number): Case {
  const services = Array.from({ length: NOISY_SERVICES }, (_, index) => `batch-job-${index + 1}`)
  const spanMs = NOISE_BEFORE_MS + each.observed_until - each.alert.triggered_at
  const noise = Array.from({ length: Math.round(factor * each.events.length) }, (): CaseEvent => {
    const service = pick(random, services)
    const kind = pick(random, KINDS)
    const isCall = kind.event_type === 'dependency_failure'
    const entity = isCall
      ? `service/${pick(
          random,
          services.filter((name) => name !== service),
        )}`
      : `deployment/${service}`
    const timestamp = Math.round(each.observed_until - random() * spanMs)
    return { ...kind, service_name: service, entity, timestamp, confidence: 0.9, ttl_seconds: 3_600 }
  })
  return { ...each, events: [...each.events, ...noise].toSorted((a, b) => a.timestamp - b.timestamp) }
}
