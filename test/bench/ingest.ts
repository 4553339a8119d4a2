import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { Deps } from '../../src/deps.ts'
import { sha256Hex } from '../../src/domain/hash.ts'
import type { TenantId } from '../../src/domain/ids.ts'
import type { DoorType } from '../../src/domain/integration-type.ts'
import { ingestEvents } from '../../src/usecases/ingest-events.ts'
import { createIntegration } from '../../src/usecases/write-integration.ts'
import type { Cleanup, Environment } from './bench-setup.ts'
import { type CountingProxy, startCountingProxy } from './counting-proxy.ts'
import { type CpuTimes, readCpuTimes, toCpuPer, toMedianCpu } from './cpu.ts'
import {
  BATCH_EVENTS,
  makeDeployments,
  makeEvent,
  makeHotEvents,
  makeLogs,
  makeSpreadEvents,
  makeToldDeployments,
  SERVICES,
  toServiceName,
  WINDOW_ENTRIES,
} from './events.ts'
import type { SeenRequests } from './floor-worker.ts'
import { applyLoad, type Load, type LoadRequest, type LoadResult, sendAll } from './load.ts'
import { measureRedactionUs } from './redaction.ts'
import { median, quantile } from './statistics.ts'

export type IngestOptions = {
  readonly seconds: number
  readonly connections: number
  readonly rounds: number
  /** All of them when empty. */
  readonly scenarios: readonly string[]
}

export const NAMES = [
  'ping',
  'append',
  'floor',
  'single',
  'hot',
  'batch',
  'told',
  'door',
  'otlp',
  'readFloor',
  'read',
  'fresh',
  'freshRead',
] as const

type Name = (typeof NAMES)[number]

type Scenario = {
  readonly title: string
  readonly eventsPerRequest: number
  /** Its part of the connections; all of them without it. */
  readonly share?: number
  /** Its connections to Postgres end with their request, and with them what tells how much CPU they took. */
  readonly isFresh?: true
  /** What its rate is held against, in requests or in events. */
  readonly against?: { readonly name: Name; readonly unit: 'requests' | 'events'; readonly target?: number }
}

const SCENARIOS: Readonly<Record<Name, Scenario>> = {
  ping: { title: 'SELECT 1, then PING', eventsPerRequest: 0 },
  append: { title: 'INSERT of a row, then ZADD + ZINCRBY', eventsPerRequest: 1 },
  floor: {
    title: "ingest floor: a single event's two requests",
    eventsPerRequest: 1,
    // What a deduplicated, joined and counted event costs the stores more than a bare row does.
    against: { name: 'append', unit: 'requests' },
  },
  single: {
    title: `single events, ${SERVICES} services`,
    eventsPerRequest: 1,
    against: { name: 'floor', unit: 'requests', target: 0.75 },
  },
  hot: { title: 'single events, one hot service', eventsPerRequest: 1, against: { name: 'single', unit: 'requests', target: 0.8 } },
  batch: {
    title: `batches of ${BATCH_EVENTS} events`,
    eventsPerRequest: BATCH_EVENTS,
    // Thousands of events under way saturate the machine, and would only wait in front of Redis until it counts as down.
    share: 1 / 8,
    against: { name: 'single', unit: 'events', target: 8 },
  },
  told: { title: 'deploys of pipelines, one by one', eventsPerRequest: 1, against: { name: 'single', unit: 'requests' } },
  door: {
    title: 'the same deploys, by the door of one line of CI',
    eventsPerRequest: 1,
    against: { name: 'told', unit: 'requests' },
  },
  otlp: {
    title: `OpenTelemetry logs, ${BATCH_EVENTS} records`,
    eventsPerRequest: BATCH_EVENTS,
    share: 1 / 8,
    against: { name: 'batch', unit: 'events' },
  },
  readFloor: { title: 'read floor: SELECT by key beside ZRANGE', eventsPerRequest: 0 },
  read: {
    title: `window of ${WINDOW_ENTRIES} entries`,
    eventsPerRequest: 0,
    against: { name: 'readFloor', unit: 'requests', target: 0.9 },
  },
  fresh: {
    title: 'single events, each by a connection of its own',
    eventsPerRequest: 1,
    share: 1 / 8,
    isFresh: true,
    against: { name: 'single', unit: 'requests' },
  },
  freshRead: {
    title: 'that window, each read by a connection of its own',
    eventsPerRequest: 0,
    share: 1 / 8,
    isFresh: true,
    against: { name: 'read', unit: 'requests' },
  },
}

type Ratio = {
  readonly to: string
  readonly unit: 'requests' | 'events'
  readonly median: number
  readonly min: number
  readonly max: number
  readonly target: number | undefined
  readonly isMet: boolean | undefined
}

type StoreUse = {
  /** Of an event, or of a read. */
  readonly per: 'event' | 'read'
  readonly postgresRequests: number
  readonly redisRequests: number
  readonly redisCommands: number
}

export type IngestRow = {
  readonly name: Name
  readonly title: string
  readonly connections: number
  readonly requestsPerSecond: number
  readonly eventsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly ratio: Ratio | undefined
  readonly use: StoreUse | undefined
  /** Milliseconds of CPU a request, the median round of each part; `undefined` off Linux. */
  readonly cpu: CpuTimes | undefined
}

export type IngestReport = IngestOptions & {
  readonly rows: readonly IngestRow[]
  /** Windows that missed a merge under load, and wait for the cron. */
  readonly windowsMarkedForRepair: number
  /** Microseconds of CPU that masking an event takes. */
  readonly redactionUs: number
}

type Loads = Readonly<Record<Name, Load>>

type Round = LoadResult & { readonly cpu: CpuTimes | undefined }

/** Measures the ingest path and the window read against their floors, in turns, so that ratios are of the same minute. */
export async function measureIngest(
  environment: Environment,
  options: IngestOptions,
  cleanup: Cleanup,
  report: (line: string) => void,
): Promise<IngestReport> {
  report('starting the Worker and the floor')
  const loads = await prepareLoads(environment)
  const names = NAMES.filter((name) => options.scenarios.length === 0 || options.scenarios.includes(name))
  const apply = async (name: Name, seconds: number): Promise<Round> => {
    const before = await readCpuTimes(environment.deps.db)
    const result = await applyLoad(loads[name], toConnections(name, options), seconds)
    const after = await readCpuTimes(environment.deps.db)
    await settle(environment)
    return { ...result, cpu: SCENARIOS[name].isFresh ? undefined : toCpuPer(result.latenciesMs.length, before, after) }
  }
  // Twice: ANALYZE, as autovacuum would do it, has every connection plan anew what it had planned on empty tables.
  for (const warmUp of [1, 2]) {
    for (const name of names) {
      report(`warming up (${warmUp}/2): ${SCENARIOS[name].title}`)
      await apply(name, Math.min(warmUp, options.seconds))
    }
    if (warmUp === 1) await environment.deps.db.execute(sql`ANALYZE`)
  }

  const results: Record<Name, Round[]> = {
    ping: [],
    append: [],
    floor: [],
    single: [],
    hot: [],
    batch: [],
    told: [],
    door: [],
    otlp: [],
    readFloor: [],
    read: [],
    fresh: [],
    freshRead: [],
  }
  for (let round = 0; round < options.rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const result = await apply(name, options.seconds)
      results[name].push(result)
      report(`round ${round + 1}/${options.rounds}: ${SCENARIOS[name].title}: ${Math.round(result.requestsPerSecond)} requests/s`)
    }
  }

  const windowsMarkedForRepair = await countMarkedWindows(environment)
  report('counting what a request costs')
  const uses = await countUses(environment, loads, cleanup)
  return {
    ...options,
    rows: names.map((name) => ({ ...toRow(name, results, uses[name]), connections: toConnections(name, options) })),
    windowsMarkedForRepair,
    redactionUs: measureRedactionUs(),
  }
}

function toConnections(name: Name, { connections }: IngestOptions): number {
  return Math.ceil(connections * (SCENARIOS[name].share ?? 1))
}

/** Waits until Postgres has done what the requests that were cut off had asked of it: the next scenario is not to pay. */
async function settle({ deps }: Environment): Promise<void> {
  for (let active = 1; active > 0; ) {
    await sleep(100)
    const { rows } = await deps.db.execute<{ active: number }>(
      sql`SELECT count(*)::int AS active FROM pg_stat_activity
        WHERE state = 'active' AND datname = current_database() AND pid <> pg_backend_pid()`,
    )
    active = rows[0]?.active ?? 0
  }
}

async function prepareLoads({ serve, bundle, floorBundle, tenant, deps, addStack }: Environment): Promise<Loads> {
  const worker = await serve(bundle, 'worker')
  const { databaseEndpoint } = await addStack({ freshConnections: true })
  const rested = await serve(bundle, 'rested', { DATABASE_ENDPOINT: databaseEndpoint })
  const headers = { authorization: `Bearer ${tenant.ingestKey}`, 'content-type': 'application/json' }
  const post = (path: string, body: unknown): LoadRequest => ({ method: 'POST', path, headers, body: JSON.stringify(body) })

  const window = Array.from({ length: WINDOW_ENTRIES }, (_, variant) => makeEvent('window', variant))
  const setup = [post('/v1/agents/register', { hostname: 'bench' }), post('/v1/events/batch', window)]
  await sendAll({ url: worker.url, requests: setup })

  const [token, logsToken] = await Promise.all((['deploy', 'otlp'] as const).map((type) => connect(deps, tenant.tenantId, type)))
  const spread = makeSpreadEvents()
  const floor = await serve(floorBundle, 'floor', { SEEN_REQUESTS: JSON.stringify(await seeRequests(deps, tenant.ingestKey, spread)) })
  const { rows } = await deps.db.execute<{ id: string }>(
    sql`SELECT id FROM services WHERE tenant_id = ${tenant.tenantId} AND name = 'window'`,
  )
  const path = `/v1/services/${rows[0]?.id}/context`
  const read: LoadRequest = { method: 'GET', path, headers: { authorization: `Bearer ${tenant.readonlyKey}` } }
  const readRow = deps.newUuid()
  await deps.db.execute(sql`INSERT INTO bench_appends VALUES (${readRow}, now(), ${JSON.stringify(window[0])})`)
  const members = window.flatMap((event) => [deps.now().getTime(), JSON.stringify(event).slice(0, 200)])
  await deps.redis.client.ask(['ZADD', 'bench:window', ...members])

  return {
    ping: { url: floor.url, requests: [{ method: 'GET', path: '/ping' }] },
    append: {
      url: floor.url,
      requests: spread.map((event, place) => post(`/append?key=bench:${toServiceName(place % SERVICES)}`, event)),
    },
    floor: { url: floor.url, requests: spread.map((event, place) => post(`/ingest?place=${place}`, event)) },
    single: { url: worker.url, requests: spread.map((event) => post('/v1/events', event)) },
    hot: { url: worker.url, requests: makeHotEvents().map((event) => post('/v1/events', event)) },
    batch: { url: worker.url, requests: [post('/v1/events/batch', spread.slice(0, BATCH_EVENTS))] },
    told: { url: worker.url, requests: makeToldDeployments().map((body) => post('/v1/events', body)) },
    door: {
      url: worker.url,
      requests: makeDeployments().map((body) => ({
        ...post('/in/deploy', body),
        headers: { ...headers, authorization: `Bearer ${token}` },
      })),
    },
    otlp: {
      url: worker.url,
      requests: [{ ...post('/v1/logs', makeLogs()), headers: { ...headers, authorization: `Bearer ${logsToken}` } }],
    },
    readFloor: { url: floor.url, requests: [{ method: 'GET', path: `/read?id=${readRow}&key=bench:window` }] },
    read: { url: worker.url, requests: [read] },
    fresh: { url: rested.url, requests: spread.map((event) => post('/v1/events', event)) },
    freshRead: { url: rested.url, requests: [read] },
  }
}

/** The token of a new integration. */
async function connect(deps: Deps, tenantId: TenantId, type: DoorType): Promise<string> {
  const wanted = { type, direction: 'inbound', patch: { secrets: {} } } as const
  return (await createIntegration(deps, tenantId, wanted, { actor: 'bench', requestId: null })).token
}

/** What ingesting each of these events asks of the stores. */
async function seeRequests(deps: Deps, ingestKey: string, events: readonly unknown[]): Promise<SeenRequests[]> {
  const keyHash = await sha256Hex(ingestKey)
  const ask = globalThis.fetch
  const seen: SeenRequests[] = []
  try {
    for (const event of events) {
      const eventId = deps.newUuid()
      const bodies: string[] = []
      globalThis.fetch = (url, init) => {
        bodies.push(String(init?.body))
        return ask(url, init)
      }
      await ingestEvents({ ...deps, newUuid: () => eventId }, { keyHash, items: [event], idempotency: undefined, defer: () => {} })
      const [statement = '', merge = ''] = bodies
      seen.push({ statement, merge, eventId })
    }
  } finally {
    globalThis.fetch = ask
  }
  return seen
}

async function countMarkedWindows({ deps, tenant }: Environment): Promise<number> {
  const { rows } = await deps.db.execute<{ windows: number }>(
    sql`SELECT count(*)::int AS windows FROM window_repairs WHERE tenant_id = ${tenant.tenantId}`,
  )
  return rows[0]?.windows ?? 0
}

type Proxies = { readonly database: CountingProxy; readonly redis: CountingProxy }

/** Sends a known number of requests through proxies that count, after as many that do not. */
async function countUses({ serve, bundle, bindings }: Environment, loads: Loads, cleanup: Cleanup) {
  const startProxy = async (target: string): Promise<CountingProxy> => {
    const proxy = await startCountingProxy(target)
    cleanup.add(proxy.stop)
    return proxy
  }
  const { DATABASE_ENDPOINT = '', UPSTASH_REDIS_REST_URL = '' } = bindings
  const proxies: Proxies = { database: await startProxy(DATABASE_ENDPOINT), redis: await startProxy(UPSTASH_REDIS_REST_URL) }
  const worker = await serve(bundle, 'counted', {
    DATABASE_ENDPOINT: proxies.database.url,
    UPSTASH_REDIS_REST_URL: proxies.redis.url,
  })

  const count = (name: Name, requests: number): Promise<StoreUse> => {
    const all = loads[name].requests
    const load = { url: worker.url, requests: Array.from({ length: requests }, (_, place) => all[place % all.length] ?? []).flat() }
    return countUse(proxies, load, SCENARIOS[name].eventsPerRequest)
  }
  const uses: Partial<Record<Name, StoreUse>> = {
    single: await count('single', 10 * SERVICES),
    told: await count('told', 5 * SERVICES),
    door: await count('door', 5 * SERVICES),
    hot: await count('hot', 5 * SERVICES),
    batch: await count('batch', 4),
    otlp: await count('otlp', 4),
    read: await count('read', 2 * SERVICES),
  }
  await worker.stop()
  return uses
}

async function countUse({ database, redis }: Proxies, load: Load, eventsPerRequest: number): Promise<StoreUse> {
  await sendAll(load)
  const [databaseBefore, redisBefore] = [database.counts(), redis.counts()]
  await sendAll(load)
  const units = load.requests.length * Math.max(1, eventsPerRequest)
  return {
    per: eventsPerRequest === 0 ? 'read' : 'event',
    postgresRequests: (database.counts().requests - databaseBefore.requests) / units,
    redisRequests: (redis.counts().requests - redisBefore.requests) / units,
    redisCommands: (redis.counts().commands - redisBefore.commands) / units,
  }
}

function toRow(name: Name, results: Readonly<Record<Name, readonly Round[]>>, use: StoreUse | undefined): Omit<IngestRow, 'connections'> {
  const { title, eventsPerRequest } = SCENARIOS[name]
  const rates = results[name].map(({ requestsPerSecond }) => requestsPerSecond)
  const latencies = results[name].flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b)
  return {
    name,
    title,
    requestsPerSecond: median(rates),
    eventsPerSecond: median(rates) * eventsPerRequest,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    ratio: toRatio(name, results),
    use,
    cpu: toMedianCpu(results[name].flatMap(({ cpu }) => cpu ?? [])),
  }
}

function toRatio(name: Name, results: Readonly<Record<Name, readonly LoadResult[]>>): Ratio | undefined {
  const { against, eventsPerRequest } = SCENARIOS[name]
  if (!against || results[against.name].length === 0) return undefined
  const other = SCENARIOS[against.name]
  const factor = against.unit === 'events' ? eventsPerRequest / other.eventsPerRequest : 1
  const ratios = results[name].map(
    ({ requestsPerSecond }, round) => (factor * requestsPerSecond) / (results[against.name][round]?.requestsPerSecond ?? Number.NaN),
  )
  return {
    to: against.name,
    unit: against.unit,
    median: median(ratios),
    min: Math.min(...ratios),
    max: Math.max(...ratios),
    target: against.target,
    isMet: against.target === undefined ? undefined : median(ratios) >= against.target,
  }
}
