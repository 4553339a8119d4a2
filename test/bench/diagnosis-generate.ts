import type { EventType } from '../../src/domain/event/event.ts'
import { toValueClass } from '../../src/domain/event/value-class.ts'
import { pathsFrom, toAdjacency } from '../../src/domain/graph/service-graph.ts'
import type { Case, CaseEvent } from './diagnosis-cases.ts'
import { createRandom, pick } from './random.ts'

const NAMES = [
  'storefront',
  'checkout-api',
  'payments-api',
  'cart-store',
  'pricing',
  'search-api',
  'catalog',
  'inventory',
  'shipping-quotes',
  'email-relay',
  'accounts',
  'ledger',
  'recommendations',
  'media-proxy',
  'orders-db',
  'sessions-cache',
]

const SYSTEMS = 6
const START_MS = Date.parse('2026-01-05T08:00:00Z')
const MINUTE_MS = 60_000

type System = {
  readonly front: string
  readonly services: readonly string[]
  readonly dependencies: readonly (readonly [string, string])[]
  /** What each service reports on most days. */
  readonly habits: ReadonlyMap<string, CaseEvent>
}

type Cause = 'deploy' | 'flag_change' | 'config_change' | 'schema_change' | 'saturation' | 'restart' | 'missing'

const CAUSES: readonly Exclude<Cause, 'missing'>[] = [
  'deploy',
  'deploy',
  'deploy',
  'flag_change',
  'config_change',
  'schema_change',
  'saturation',
  'restart',
]

/** As often as not the cause was never reported: how often it is, is not for us to make up. */
const MISSING_SHARE = 0.5

/**
 * Incidents of made-up shops: a cause or none on record, its rollout and consequences, beside decoys, habits, duplicates,
 * skewed clocks and events that come late. Two views of each: as the front end alerts, and two minutes later.
 */
export function generateCases(incidents: number, seed: string): readonly Case[] {
  const systems = Array.from({ length: SYSTEMS }, (_, index) => generateSystem(createRandom(`${seed} system ${index}`)))
  return Array.from({ length: incidents }, (_, index) => {
    const random = createRandom(`${seed} incident ${index}`)
    return generateIncident(pick(random, systems), index, random)
  }).flat()
}

function generateSystem(random: () => number): System {
  const [front = '', ...others] = NAMES
  const shuffled = others.map((name) => ({ name, order: random() })).toSorted((a, b) => a.order - b.order)
  const services = [front, ...shuffled.slice(0, 8 + Math.floor(random() * 7)).map(({ name }) => name)]
  const dependencies = services.slice(1).flatMap((callee, index) => {
    const callers = services.slice(0, index + 1)
    const chosen = new Set([pick(random, callers), ...(random() < 0.3 ? [pick(random, callers)] : [])])
    return [...chosen].map((caller) => [caller, callee] as const)
  })
  const habits = services.flatMap((service) =>
    random() < 0.5 ? [[service, event(service, pick(random, HABITS), `db/${service}`, 0)] as const] : [],
  )
  return { front, services, dependencies, habits: new Map(habits) }
}

type Saying = Pick<CaseEvent, 'event_type' | 'vendor' | 'old_value' | 'new_value'>

const HABITS: readonly Saying[] = [
  { event_type: 'saturation', vendor: 'postgres', new_value: 'autovacuum' },
  { event_type: 'saturation', vendor: 'redis', new_value: 'eviction_active' },
  { event_type: 'restart', vendor: 'kubernetes', old_value: 'liveness', new_value: 'probe_failure' },
  { event_type: 'saturation', vendor: 'kafka', new_value: 'rebalance_triggered' },
  { event_type: 'flag_change', vendor: 'flagd', old_value: 'control', new_value: 'variant-b' },
  { event_type: 'config_change', vendor: 'consul', new_value: 'reloaded' },
]

const SAYINGS: Readonly<Record<Exclude<Cause, 'missing'>, readonly Saying[]>> = {
  deploy: [{ event_type: 'deploy', vendor: 'argocd' }],
  flag_change: [{ event_type: 'flag_change', vendor: 'flagd', old_value: 'off', new_value: 'on' }],
  config_change: [{ event_type: 'config_change', vendor: 'consul', old_value: 'pool=20', new_value: 'pool=2' }],
  schema_change: [{ event_type: 'schema_change', vendor: 'atlas', new_value: 'ALTER TABLE orders ADD COLUMN note text' }],
  saturation: [
    { event_type: 'saturation', vendor: 'postgres', new_value: 'connection_limit_reached' },
    { event_type: 'saturation', vendor: 'postgres', new_value: 'deadlock_detected' },
  ],
  restart: [
    { event_type: 'restart', vendor: 'kubernetes', old_value: 'exit_code=137', new_value: 'CrashLoopBackOff' },
    { event_type: 'restart', vendor: 'kubernetes', old_value: 'limit=512Mi', new_value: 'OOMKilled' },
  ],
}

function event(service: string, saying: Saying, entity: string, timestamp: number): CaseEvent {
  return { ...saying, service_name: service, entity, timestamp, confidence: 0.9, ttl_seconds: 3_600 }
}

function generateIncident(system: System, index: number, random: () => number): readonly Case[] {
  const alertMs = START_MS + index * 7 * 60 * MINUTE_MS
  const cause: Cause = random() < MISSING_SHARE ? 'missing' : pick(random, CAUSES)
  const paths = pathsFrom(system.front, toAdjacency(system.dependencies.map(([caller, callee]) => ({ caller, callee }))).callees, 9)
  const culprit = pick(random, system.services)
  const path = (paths.get(toKey(culprit)) ?? []).map((key) => system.services.find((name) => toKey(name) === key) ?? key)
  const onsetMs = alertMs - random() * MINUTE_MS
  // What fails or restarts by itself is no change: its cause is not on record.
  const isRecorded = !['missing', 'saturation', 'restart'].includes(cause)
  const said = [
    ...(cause === 'missing' ? [] : toCause(culprit, cause, onsetMs, random)),
    ...toFailures(path, onsetMs, random),
    ...toDecoys(system, culprit, alertMs, random),
    ...toHabits(system, alertMs, random),
  ]
  const events = said
    .flatMap((each) => (random() < 0.1 ? [each, { ...each, timestamp: each.timestamp + 5_000 }] : [each]))
    .map((each) => ({ ...each, timestamp: Math.round(each.timestamp + (random() - 0.5) * 20_000) }))
    .toSorted((a, b) => a.timestamp - b.timestamp)
  return [0, 120].map((seconds) => ({
    id: `${isRecorded ? 'generated' : 'missing'}/${index}/frontend+${seconds}`,
    alert: { service: system.front, triggered_at: alertMs, title: 'error rate high' },
    observed_until: alertMs + seconds * 1_000,
    dependencies: system.dependencies.map(([caller, callee]) => [caller, callee]),
    events: events.filter(({ timestamp }) => timestamp <= alertMs + 120_000),
    truth: isRecorded ? { service: culprit, event_type: cause } : null,
    counts: toCounts(system),
  }))
}

function toCause(service: string, cause: Exclude<Cause, 'missing'>, onsetMs: number, random: () => number): readonly CaseEvent[] {
  const saying = pick(random, SAYINGS[cause])
  if (cause === 'deploy') return toRollout(service, onsetMs - 15_000 - random() * 2 * MINUTE_MS, random)
  const isSymptom = cause === 'saturation' || cause === 'restart'
  const startMs = onsetMs - (isSymptom ? random() * 20_000 : 10_000 + random() * 3 * MINUTE_MS)
  const entity = cause === 'restart' ? `pod/${service}-5d9f8b6c5-x2x9k` : `${cause === 'flag_change' ? 'new-flow-' : ''}${service}`
  const first = event(service, saying, entity, startMs)
  return isSymptom ? [first, { ...first, timestamp: startMs + 20_000 }, { ...first, timestamp: startMs + 40_000 }] : [first]
}

/** A deploy, its replicas and replaced pods; `endMs` is when the last step is done. */
function toRollout(service: string, endMs: number, random: () => number): readonly CaseEvent[] {
  const startMs = endMs - MINUTE_MS * (0.5 + random())
  const [before, after] = [toSha(random), toSha(random)]
  const entity = `deployment/${service}`
  const deploy = event(
    service,
    { event_type: 'deploy', vendor: 'argocd', old_value: before, new_value: `syncing:${after}` },
    entity,
    startMs,
  )
  const scale = event(service, { event_type: 'scale_event', vendor: 'kubernetes', old_value: '0', new_value: '1' }, entity, endMs)
  const restart = { event_type: 'restart', vendor: 'kubernetes', old_value: 'running', new_value: 'terminated' } as const
  return [{ ...deploy, sha: after }, scale, event(service, restart, `pod/${service}-7bb89585b4-96jm4`, endMs)]
}

function toSha(random: () => number): string {
  return `a${Math.floor(random() * 0x7fffffff)
    .toString(16)
    .padStart(8, '0')}`.slice(0, 7)
}

/**
 * Calls fail from the culprit upwards, fewer at each caller, for not all of its own calls need what fails. A caller says
 * so once a minute, in its own way; some report nothing.
 */
function toFailures(path: readonly string[], onsetMs: number, random: () => number): readonly CaseEvent[] {
  let failing = 0.1 + 0.9 * random()
  return path
    .slice(1)
    .toReversed()
    .flatMap((callee, index) => {
      const caller = path.at(-2 - index) ?? callee
      const said = toFailure(caller, callee, failing, random)
      const firstMs = onsetMs + random() * MINUTE_MS
      failing *= 0.4 + 0.6 * random()
      return random() < 0.1 ? [] : [0, 1, 2].map((minute) => ({ ...said, timestamp: firstMs + minute * MINUTE_MS }))
    })
}

function toFailure(caller: string, callee: string, failing: number, random: () => number): CaseEvent {
  const text = `connect ECONNREFUSED ${callee}:8080`
  if (random() < 0.3) return event(caller, { event_type: 'dependency_failure', vendor: 'pino', new_value: text }, caller, 0)
  const type: EventType = random() < 0.15 ? 'circuit_open' : 'dependency_failure'
  const value = `success=${Math.round(100 * (1 - failing))}%`
  return event(caller, { event_type: type, vendor: 'istio', old_value: 'ok', new_value: value }, `service/${callee}`, 0)
}

/** Rollouts that are not to blame: of other services, some reachable, some after the alert. */
function toDecoys(system: System, culprit: string, alertMs: number, random: () => number): readonly CaseEvent[] {
  const others = system.services.filter((name) => name !== culprit)
  return Array.from({ length: 2 + Math.floor(random() * 4) }, () =>
    toRollout(pick(random, others), alertMs - (random() * 12 - 2) * MINUTE_MS, random),
  ).flat()
}

function toHabits({ habits }: System, alertMs: number, random: () => number): readonly CaseEvent[] {
  return [...habits.values()].flatMap((habit) => (random() < 0.95 ? [{ ...habit, timestamp: alertMs - random() * 15 * MINUTE_MS }] : []))
}

/** Two days in which each habit showed in nearly every hour. */
function toCounts({ habits }: System): Case['counts'] {
  const kinds = [...habits.values()].map(({ service_name, vendor, event_type, new_value }) => ({
    service: service_name,
    vendor,
    event_type,
    value_class: toValueClass(new_value ?? null),
    count: 92,
    hours: 46,
  }))
  return { hours_observed: 48, kinds }
}

function toKey(name: string): string {
  return name.replaceAll('-', '')
}

/** How many events over how many services, most of them on the way, and what share of the events are failing calls. */
export type Load = { readonly events: number; readonly services: number; readonly failing: number }

/** A case of a given size for timing. */
export function generateLoad({ events, services, failing }: Load, seed: string): Case {
  const random = createRandom(`${seed} load`)
  const names = Array.from({ length: services }, (_, index) => `service-${index}`)
  const sayings = [...Object.values(SAYINGS).flat(), ...HABITS]
  const dependencies = names.slice(1).map((callee, index): [string, string] => [names[Math.floor(index / 3)] ?? callee, callee])
  return {
    id: `load/${events}/frontend+0`,
    alert: { service: 'service-0', triggered_at: START_MS, title: null },
    observed_until: START_MS,
    dependencies,
    events: Array.from({ length: events }, (_, index) => {
      const timestamp = Math.round(START_MS - random() * 30 * MINUTE_MS)
      if (random() >= failing) return event(pick(random, names), pick(random, sayings), `thing-${index}`, timestamp)
      const [caller, callee] = pick(random, dependencies)
      const failure = { event_type: 'dependency_failure', vendor: 'istio', old_value: 'ok', new_value: `success=${index % 100}%` } as const
      return event(caller, failure, `service/${callee}`, timestamp)
    }),
    truth: null,
  }
}
