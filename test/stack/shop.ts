import type { EventType } from '../../src/domain/event/event.ts'

/** The hosts of the shop that run an agent. */
export const SHOP_AGENTS = ['web-1', 'db-1', 'cluster'] as const

type ShopAgent = (typeof SHOP_AGENTS)[number]

type ShopVendor = keyof typeof AGENT_OF

/** An event with its fields in the order in which the Go agents write them; empty optional ones are left out. */
type WireEvent = {
  readonly event_type: EventType
  readonly vendor: ShopVendor
  readonly service_name: string
  readonly entity: string
  readonly old_value?: string
  readonly new_value?: string
  readonly actor?: string
  readonly sha?: string
  readonly timestamp: string
  readonly confidence: number
  readonly raw_line: string
  readonly ttl_seconds: number
}

export type ShopEvent = { readonly atMs: number; readonly agent: ShopAgent; readonly event: WireEvent }

/** The service that the story is about. */
export const SHOP_SERVICE = 'payment-service'

/** Services whose alerts fire, because they call the one that broke. */
export const SHOP_CALLERS = ['checkout', 'fulfilment'] as const

export const SHOP_DURATION_MS = 600_000

/** The rollback takes the last seconds of the story. */
export const SHOP_ROLLBACK_MS = 12_000

/** What is going on, by the second of the story at which it begins. */
export const SHOP_CHAPTERS = [
  { fromSeconds: 0, title: 'a calm evening in the shop' },
  { fromSeconds: 240, title: 'payment-service is deployed' },
  { fromSeconds: 315, title: 'its queries get slow' },
  { fromSeconds: 365, title: 'its callers begin to fail' },
  { fromSeconds: 405, title: 'its pods run out of memory' },
  { fromSeconds: 588, title: 'the deploy is rolled back' },
] as const

type Random = () => number
type Describe = (at: Date) => WireEvent
type Moment = { readonly atSeconds: number; readonly describe: Describe }

type Kube = {
  readonly service: string
  readonly entity: string
  readonly kind: string
  readonly reason: string
  readonly message: string
}

const AGENT_OF = {
  argocd: 'cluster',
  kubernetes: 'cluster',
  postgres: 'db-1',
  redis: 'db-1',
  kafka: 'db-1',
  flagd: 'web-1',
  pino: 'web-1',
  gojson: 'web-1',
  log4j2: 'web-1',
  generic: 'web-1',
} as const satisfies Record<string, ShopAgent>

const GOOD_SHA = '9b1f3d7e'
const LETTERS = 'bcdfghjklmnpqrstvwxz'
const DIGITS = '2456789'

/**
 * Ten minutes of an online shop that end at `endsAt`, in order: calm noise, a deploy of payment-service that goes wrong,
 * its rollback. `atMs` is the instant an event happened, in milliseconds since 1970. Equal random numbers, equal story.
 */
export function createShopEvents(endsAt: Date, random: Random): readonly ShopEvent[] {
  const startMs = endsAt.getTime() - SHOP_DURATION_MS
  return [...createNoise(random), ...createOutage(random)]
    .map(({ atSeconds, describe }) => ({ atMs: startMs + Math.round(atSeconds * 1000), describe }))
    .toSorted((a, b) => a.atMs - b.atMs)
    .map(({ atMs, describe }) => {
      const event = describe(new Date(atMs))
      return { atMs, agent: AGENT_OF[event.vendor], event }
    })
}

function createNoise(random: Random): Moment[] {
  const { every, randomSha } = createDice(random)
  const searchSha = randomSha()
  const recommendationsSha = randomSha()
  const recommendationsPod = createPods('recommendations', random)
  const storefront = createPods('storefront', random)
  const table = createCycle(['shop.public.orders', 'shop.public.sessions', 'shop.public.cart_items', 'payments.public.ledger'])

  return [
    ...every(3, 584, 9, () => flag('newProductGallery', 'off', 'on')),
    ...every(11, 570, 24, () => flag('rankingModel', 'v3', 'v4-canary')),
    ...every(20, 560, 70, () => autovacuum(table())),
    ...every(35, 560, 95, () => redis('saturation', 'eviction_active:allkeys-lru', 0.85, 900, '# maxmemory-policy: allkeys-lru')),
    ...every(60, 540, 120, () => rebalance('search-indexer', 40)),
    ...every(50, 560, 85, () => gojson('checkout', 'payment_charge_failed: card declined: do not honor', 'charge refused', 0.93)),
    ...every(15, 560, 62, () => pino('storefront', 'Error: image resize timed out', 'product image not rendered')),
    ...every(30, 560, 68, () => generic('ingress', 'client closed connection before the response was complete')),
    ...every(75, 500, 140, () => log4j2('recommendations', 'shop.reco.ModelCache', 'Cache miss rate above threshold')),
    once(28, rolloutStep('search', 'auto_syncing', searchSha)),
    once(29, rolloutStep('search', 'syncing', searchSha)),
    once(41, rolloutStep('search', 'succeeded', searchSha)),
    once(58, health('search', 'Progressing', 'Healthy')),
    once(70, scaled('prod/storefront-hpa', 'storefront', undefined, 5)),
    once(71, scaled('storefront', storefront.replicaSet, 4, 5)),
    once(134, rolloutStep('recommendations', 'syncing', recommendationsSha)),
    once(139, scaled('recommendations', recommendationsPod.replicaSet, 0, 2)),
    once(152, probeFailed('recommendations', recommendationsPod.next(), 'startup', 'HTTP probe failed with statuscode: 503')),
    once(163, rolloutStep('recommendations', 'succeeded', recommendationsSha)),
    once(181, health('recommendations', 'Progressing', 'Healthy')),
    once(205, unschedulable('prod/nightly-report-29412300-q7wzk', 'nightly-report-29412300-q7wzk')),
    once(222, kafka('restart', 'broker_2', 'controlled_shutdown', 0.88, 1800, 'INFO Broker 2 has requested controlled shutdown')),
    once(
      226,
      kafka('dependency_failure', 'kafka', 'under_replicated_partitions', 0.92, 1800, 'ERROR Under-replicated partitions: orders-4'),
    ),
    once(262, scaled('prod/storefront-hpa', 'storefront', undefined, 6)),
    once(263, scaled('storefront', storefront.replicaSet, 5, 6)),
    once(281, redis('dependency_failure', 'replica_sync', 0.82, 1800, '* MASTER <-> REPLICA sync started')),
    once(327, gojson('inventory', 'stock feed delayed: 14s behind', 'stock feed delayed')),
    once(391, rolloutStep('admin-console', 'auto_syncing', randomSha())),
    once(430, pino('cart', 'Error: session expired during merge', 'cart merge failed')),
    once(455, health('admin-console', 'Progressing', 'Healthy')),
    once(520, gojson('inventory', 'stock feed delayed: 21s behind', 'stock feed delayed')),
  ]
}

function createOutage(random: Random): Moment[] {
  const { every, between, randomSha } = createDice(random)
  const badSha = randomSha()
  const old = createPods(SHOP_SERVICE, random)
  const broken = createPods(SHOP_SERVICE, random)
  const [first, second, third] = [broken.next(), broken.next(), broken.next()]
  const podName = createCycle([first, second, third])
  const slow = (atLeastMs: number, atMostMs: number) => () => slowQuery('payments', 'payment_app', between(atLeastMs, atMostMs))

  return [
    once(240, rolloutStep(SHOP_SERVICE, 'auto_syncing', badSha)),
    once(241, rolloutStep(SHOP_SERVICE, 'syncing', badSha)),
    once(243, scaled(SHOP_SERVICE, broken.replicaSet, 0, 3)),
    once(244, health(SHOP_SERVICE, 'Healthy', 'Progressing')),
    once(252, rolloutStep(SHOP_SERVICE, 'succeeded', badSha)),
    once(258, scaled(SHOP_SERVICE, old.replicaSet, 3, 0)),
    once(268, health(SHOP_SERVICE, 'Progressing', 'Healthy')),

    ...every(316, 400, 11, slow(1_100, 2_900)),
    ...every(400, 575, 17, slow(4_200, 9_400)),
    ...every(372, 580, 34, () => pino(SHOP_SERVICE, 'database query timeout', 'ledger scan took too long', 0.88)),
    once(388, temporaryFile('payments', 'payment_app', 384)),
    once(462, connectionLimit),
    once(474, postgresError('payments', 'payment_app', 'lock_timeout', 'canceling statement due to lock timeout')),

    ...every(366, 586, 12, () =>
      gojson('checkout', 'Post "http://payment-service:8080/v1/charges": context deadline exceeded', 'charge failed'),
    ),
    ...every(378, 586, 19, () => pino('storefront', 'Error: checkout answered 502 (payment-service timeout)', 'order not placed')),
    ...every(384, 586, 26, () => log4j2('fulfilment', 'shop.fulfilment.PaymentClient', 'connect to payment-service:8080 timed out', true)),
    ...every(395, 586, 22, () => generic('ingress', 'upstream timed out while reading response header, upstream: payment-service:8080')),

    ...every(374, 560, 30, () => probeFailed('', podName(), 'readiness', 'context deadline exceeded')),
    once(408, outOfMemory('', first, '512Mi')),
    once(409, pino(SHOP_SERVICE, 'fatal: heap limit reached, last ledger page 48211', 'heap limit reached, last ledger page 48211')),
    once(414, rebalance(SHOP_SERVICE, 112)),
    once(436, health(SHOP_SERVICE, 'Healthy', 'Degraded')),
    once(441, outOfMemory(SHOP_SERVICE, second, '512Mi')),
    once(446, scaled('prod/payment-service-hpa', SHOP_SERVICE, undefined, 5)),
    once(470, outOfMemory('', third, '512Mi')),
    once(489, crashLoop('', first, 137)),
    once(513, crashLoop(SHOP_SERVICE, second, 137)),
    once(531, probeFailed('checkout', createPods('checkout', random).next(), 'liveness', 'HTTP probe failed with statuscode: 500')),

    once(588, rolloutStep(SHOP_SERVICE, 'syncing', GOOD_SHA)),
    once(590, scaled(SHOP_SERVICE, old.replicaSet, 0, 3)),
    once(591, health(SHOP_SERVICE, 'Degraded', 'Progressing')),
    once(594, rolloutStep(SHOP_SERVICE, 'succeeded', GOOD_SHA)),
    once(596, scaled(SHOP_SERVICE, broken.replicaSet, 5, 0)),
    once(600, health(SHOP_SERVICE, 'Progressing', 'Healthy')),
  ]
}

function once(atSeconds: number, describe: Describe): Moment {
  return { atSeconds, describe }
}

function createDice(random: Random) {
  const between = (low: number, high: number) => low + random() * (high - low)
  return {
    between,
    /** From a second of the story until another, about every so many seconds. */
    every(fromSeconds: number, untilSeconds: number, stepSeconds: number, create: () => Describe): Moment[] {
      const count = Math.floor((untilSeconds - fromSeconds) / stepSeconds)
      return Array.from({ length: count }, (_, index) => once(fromSeconds + (index + 0.8 * random()) * stepSeconds, create()))
    },
    randomSha: () => Array.from({ length: 8 }, () => Math.floor(random() * 16).toString(16)).join(''),
  }
}

function createCycle(items: readonly [string, ...string[]]): () => string {
  let index = 0
  return () => items[index++ % items.length] ?? items[0]
}

/** Names as Kubernetes makes them up, from its letters and digits. */
function createPods(workload: string, random: Random) {
  const draw = (letters: string) => letters.charAt(Math.floor(random() * letters.length))
  const hash = Array.from({ length: 9 }, (_, index) => draw(index % 2 === 0 ? DIGITS : LETTERS)).join('')
  const replicaSet = `${workload}-${hash}`
  return {
    replicaSet,
    next: () => `${replicaSet}-${Array.from({ length: 5 }, () => draw(LETTERS + DIGITS)).join('')}`,
  }
}

type Facts = {
  readonly type: EventType
  readonly vendor: ShopVendor
  readonly service: string
  readonly entity: string
  readonly oldValue?: string | undefined
  readonly newValue: string
  readonly actor?: string
  readonly sha?: string
  readonly timestamp?: string
  readonly confidence: number
  readonly rawLine: string
  readonly ttlSeconds: number
}

function toWireEvent({ type, vendor, service, entity, oldValue, newValue, actor, sha, timestamp = '', ...rest }: Facts): WireEvent {
  return {
    event_type: type,
    vendor,
    service_name: service,
    entity,
    ...(oldValue ? { old_value: oldValue } : {}),
    ...(newValue ? { new_value: newValue.slice(0, 80) } : {}),
    ...(actor ? { actor } : {}),
    ...(sha ? { sha } : {}),
    timestamp,
    confidence: rest.confidence,
    raw_line: rest.rawLine,
    ttl_seconds: rest.ttlSeconds,
  }
}

const toRfc3339 = (at: Date) => `${at.toISOString().slice(0, 19)}Z`
const toPostgresTime = (at: Date) => `${at.toISOString().slice(0, 23).replace('T', ' ')} UTC`
const toKafkaTime = (at: Date) => at.toISOString().slice(0, 23).replace('T', ' ').replace('.', ',')

type SyncPhase = 'auto_syncing' | 'syncing' | 'succeeded'

const SYNC_PHASES: Readonly<Record<SyncPhase, { readonly message: string; readonly confidence: number }>> = {
  auto_syncing: { message: 'Triggering automatic sync', confidence: 0.93 },
  syncing: { message: 'Sync operation starting', confidence: 0.95 },
  succeeded: { message: 'Sync operation succeeded', confidence: 0.97 },
}

function rolloutStep(app: string, phase: SyncPhase, sha: string): Describe {
  const { message, confidence } = SYNC_PHASES[phase]
  const newValue = phase === 'succeeded' ? phase : `${phase}:${sha}`
  return argocd(app, { newValue, sha, confidence, ttlSeconds: 1800 }, `level=info msg="${message}" app=${app} project=shop revision=${sha}`)
}

function health(app: string, from: string, to: string): Describe {
  const level = to === 'Degraded' ? 'warning' : 'info'
  const facts = { oldValue: from, newValue: `health:${to}`, confidence: 0.93, ttlSeconds: 900 }
  return argocd(app, facts, `level=${level} msg="App health changed" app=${app} project=shop from=${from} to=${to}`)
}

function argocd(app: string, facts: Pick<Facts, 'oldValue' | 'newValue' | 'sha' | 'confidence' | 'ttlSeconds'>, line: string): Describe {
  return (at) =>
    toWireEvent({
      type: 'deploy',
      vendor: 'argocd',
      service: 'argocd-application-controller',
      entity: app,
      ...facts,
      timestamp: toRfc3339(at),
      rawLine: `time="${toRfc3339(at)}" ${line}`,
    })
}

function flag(key: string, defaultVariant: string, variant: string): Describe {
  return (at) => {
    const line = { level: 'info', ts: at.getTime() / 1000, msg: 'flag evaluation', flagKey: key, variant, defaultVariant }
    return toWireEvent({
      type: 'flag_change',
      vendor: 'flagd',
      service: 'flagd',
      entity: key,
      oldValue: defaultVariant,
      newValue: variant,
      confidence: 0.97,
      rawLine: JSON.stringify(line),
      ttlSeconds: 1800,
    })
  }
}

function scaled(service: string, target: string, from: number | undefined, to: number): Describe {
  const isAutoscaler = from === undefined
  const direction = to > (from ?? 0) ? 'up' : 'down'
  const kube = isAutoscaler
    ? { kind: 'HorizontalPodAutoscaler', reason: 'SuccessfulRescale', message: `New size: ${to}; reason: cpu utilization above target` }
    : { kind: 'ReplicaSet', reason: 'ScalingReplicaSet', message: `Scaled ${direction} replica set ${target} from ${from} to ${to}` }
  const facts = { type: 'scale_event', oldValue: from?.toString(), newValue: String(to), confidence: 0.9, ttlSeconds: 1800 } as const
  return kubernetes({ service, entity: isAutoscaler ? `${target}-hpa` : target, ...kube }, facts)
}

function probeFailed(service: string, pod: string, probe: string, why: string): Describe {
  const message = `${probe.charAt(0).toUpperCase()}${probe.slice(1)} probe failed: ${why}`
  const facts = { type: 'restart', oldValue: probe, newValue: 'probe_failure', confidence: 0.85, ttlSeconds: 900 } as const
  return kubernetes({ service, entity: pod, kind: 'Pod', reason: 'Unhealthy', message }, facts)
}

function outOfMemory(service: string, pod: string, limit: string): Describe {
  const message = `Memory cgroup out of memory: killed process 1 (node). MemoryLimit: ${limit}`
  const facts = { type: 'restart', oldValue: `limit=${limit}`, newValue: 'OOMKilled', confidence: 0.95, ttlSeconds: 1200 } as const
  return kubernetes({ service, entity: pod, kind: 'Pod', reason: 'OOMKilling', message }, facts)
}

function crashLoop(service: string, pod: string, exitCode: number): Describe {
  const message = `Back-off restarting failed container in pod ${pod}_prod, exit code ${exitCode}`
  const newValue = 'CrashLoopBackOff'
  const facts = { type: 'restart', oldValue: `exit_code=${exitCode}`, newValue, confidence: 0.9, ttlSeconds: 1200 } as const
  return kubernetes({ service, entity: pod, kind: 'Pod', reason: 'BackOff', message }, facts)
}

function unschedulable(service: string, pod: string): Describe {
  const message = '0/6 nodes are available: 6 Insufficient memory.'
  const newValue = 'FailedScheduling'
  const facts = { type: 'saturation', oldValue: 'insufficient_memory', newValue, confidence: 0.87, ttlSeconds: 1800 } as const
  return kubernetes({ service, entity: pod, kind: 'Pod', reason: 'FailedScheduling', message }, facts)
}

/** Without a service name of its own, the plugin makes one up from namespace and object. */
function kubernetes(
  { service, entity, kind, reason, message }: Kube,
  facts: Pick<Facts, 'type' | 'oldValue' | 'newValue' | 'confidence' | 'ttlSeconds'>,
): Describe {
  return (at) => {
    const involvedObject = { kind, name: entity, namespace: 'prod' }
    const type = kind === 'Pod' ? 'Warning' : 'Normal'
    const line = { apiVersion: 'v1', count: 1, involvedObject, kind: 'Event', lastTimestamp: toRfc3339(at), message, reason, type }
    return toWireEvent({
      vendor: 'kubernetes',
      service: service || `prod/${entity}`,
      entity,
      ...facts,
      timestamp: toRfc3339(at),
      rawLine: JSON.stringify(line),
    })
  }
}

function slowQuery(database: string, role: string, durationMs: number): Describe {
  const duration = durationMs.toFixed(3)
  const line = `${role}@${database} LOG:  duration: ${duration} ms  statement: SELECT id, amount FROM ledger WHERE settled_at IS NULL AND amount > $1`
  return postgres({ entity: database, actor: role, newValue: `slow_query:${duration}ms`, confidence: 0.92, ttlSeconds: 1200 }, line)
}

function autovacuum(table: string): Describe {
  const line = `LOG:  automatic vacuum of table "${table}": index scans: 1, pages: 0 removed, 2210 remain`
  return postgres({ entity: table, newValue: 'autovacuum', confidence: 0.88, ttlSeconds: 1200 }, line)
}

function temporaryFile(database: string, role: string, megabytes: number): Describe {
  const line = `${role}@${database} LOG:  temporary file: path "base/pgsql_tmp/pgsql_tmp77.3", size ${megabytes * 1024 * 1024}`
  return postgres({ entity: database, actor: role, newValue: `temp_file:${megabytes}MB`, confidence: 0.83, ttlSeconds: 900 }, line)
}

function postgresError(database: string, role: string, newValue: string, message: string): Describe {
  return postgres({ entity: database, actor: role, newValue, confidence: 0.93, ttlSeconds: 1200 }, `${role}@${database} ERROR:  ${message}`)
}

function connectionLimit(at: Date): WireEvent {
  const line = 'FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute'
  return postgres({ entity: 'postgres', newValue: 'connection_limit_reached', confidence: 0.97, ttlSeconds: 900 }, line)(at)
}

function postgres(facts: Pick<Facts, 'entity' | 'newValue' | 'actor' | 'confidence' | 'ttlSeconds'>, line: string): Describe {
  return (at) =>
    toWireEvent({
      type: 'saturation',
      vendor: 'postgres',
      service: 'postgres',
      ...facts,
      timestamp: toPostgresTime(at),
      rawLine: `${toPostgresTime(at)} [${4000 + (at.getTime() % 977)}] ${line}`,
    })
}

function redis(type: EventType, newValue: string, confidence: number, ttlSeconds: number, line: string): Describe {
  return (at) => {
    const [, day, month, year] = at.toUTCString().split(' ')
    const rawLine = `1:M ${day} ${month} ${year} ${at.toISOString().slice(11, 23)} ${line}`
    return toWireEvent({ type, vendor: 'redis', service: 'redis', entity: 'redis', newValue, confidence, rawLine, ttlSeconds })
  }
}

function rebalance(group: string, generation: number): Describe {
  const line = `INFO [GroupCoordinator 1]: Preparing to rebalance group ${group} in generation ${generation}`
  return kafka('saturation', group, 'rebalance_triggered', 0.9, 900, line)
}

function kafka(type: EventType, entity: string, newValue: string, confidence: number, ttlSeconds: number, line: string): Describe {
  return (at) => {
    const timestamp = toKafkaTime(at)
    const rawLine = `[${timestamp}] ${line}`
    return toWireEvent({ type, vendor: 'kafka', service: 'kafka', entity, newValue, timestamp, confidence, rawLine, ttlSeconds })
  }
}

function pino(service: string, error: string, message: string, confidence = 0.88): Describe {
  const isFatal = error.startsWith('fatal: ')
  const facts = isFatal
    ? ({ type: 'restart', confidence: 0.92, ttlSeconds: 1800 } as const)
    : ({ type: 'dependency_failure', confidence, ttlSeconds: 1200 } as const)
  return (at) => {
    const line = { level: isFatal ? 60 : 50, time: at.getTime(), pid: 1, msg: message, ...(isFatal ? {} : { err: { message: error } }) }
    return toWireEvent({ ...facts, vendor: 'pino', service, entity: service, newValue: error, rawLine: JSON.stringify(line) })
  }
}

function gojson(service: string, error: string, message: string, confidence = 0.82): Describe {
  return (at) => {
    const line = { level: 'error', ts: at.getTime() / 1000, caller: `${service}/handler.go:118`, msg: message, error }
    const rawLine = JSON.stringify(line)
    const type = 'dependency_failure'
    return toWireEvent({ type, vendor: 'gojson', service, entity: service, newValue: error, confidence, rawLine, ttlSeconds: 1200 })
  }
}

function log4j2(service: string, loggerName: string, message: string, isThrown = false): Describe {
  return (at) => {
    const instant = { epochSecond: Math.floor(at.getTime() / 1000), nanoOfSecond: (at.getTime() % 1000) * 1_000_000 }
    const thrown = isThrown ? { thrown: { name: 'java.net.SocketTimeoutException', message } } : {}
    return toWireEvent({
      type: 'dependency_failure',
      vendor: 'log4j2',
      service,
      entity: loggerName,
      newValue: isThrown ? `java.net.SocketTimeoutException: ${message}` : message,
      confidence: isThrown ? 0.9 : 0.85,
      rawLine: JSON.stringify({ instant, thread: 'worker-4', level: 'ERROR', loggerName, message, ...thrown }),
      ttlSeconds: 1200,
    })
  }
}

function generic(service: string, line: string): Describe {
  return () =>
    toWireEvent({
      type: 'dependency_failure',
      vendor: 'generic',
      service,
      entity: service,
      newValue: line,
      confidence: 0.4,
      rawLine: line,
      ttlSeconds: 900,
    })
}
