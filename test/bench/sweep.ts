import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { SweepResult } from '../../src/usecases/run-sweep.ts'
import type { Environment } from './bench-setup.ts'
import { type CpuTimes, readCpuTimes, toCpuPer, toMedianCpu } from './cpu.ts'
import { BATCH_EVENTS, makeSpreadEvents } from './events.ts'
import { applyLoad, type Load, type LoadRequest, sendAll } from './load.ts'
import { type Latency, paceWhile, toLatency } from './pace.ts'
import { median } from './statistics.ts'
import type { ServedWorker } from './workerd.ts'

export type SweepOptions = { readonly expired: number; readonly rate: number; readonly rounds: number }

type Sweep = {
  readonly deleted: number
  readonly counted: number
  readonly seconds: number
  readonly deletedBySecondRun: number
}

export type SweepReport = SweepOptions & {
  /** Events a second of a sweep that nothing else goes on beside, and of the batches right before it. */
  readonly alone: {
    readonly swept: number
    readonly batches: number
    readonly ratio: number
    readonly target: number
    readonly isMet: boolean
  }
  /** Milliseconds of CPU for a thousand events that are swept; `undefined` off Linux. */
  readonly cpu: CpuTimes | undefined
  readonly quiet: Latency
  readonly sweeping: Latency
  readonly ratio: { readonly p50: number; readonly p99: number; readonly target: number; readonly isMet: boolean }
  readonly sweeps: readonly Sweep[]
  /** Every expired event was deleted once and counted once. */
  readonly isExact: boolean
}

const TARGET_P99_RATIO = 2
const TARGET_RATE_RATIO = 2
const QUIET_MS = 8_000
const BATCH_SECONDS = 4
const BATCH_CONNECTIONS = 4
const KINDS = 40
const SWEPT_SERVICES = 4

/**
 * Measures how fast the cron's sweep takes out expired events, against batches that bring them, and what it does to the latency of ingest
 * at a steady rate.
 */
export async function measureSweep(environment: Environment, options: SweepOptions, report: (line: string) => void): Promise<SweepReport> {
  const { load, batches } = await prepareLoads(environment)
  const sweeper = await environment.serve(environment.sweepBundle, 'sweeper')
  await sweepAll(sweeper)
  const [quiet, sweeping, alone, sweeps]: [number[], number[], { swept: number; batches: number; cpu: CpuTimes | undefined }[], Sweep[]] = [
    [],
    [],
    [],
    [],
  ]
  const sweepExpired = async (beside: (sweep: Promise<number>) => Promise<{ readonly result: number; readonly seconds: number }>) => {
    await storeExpired(environment, options.expired)
    const before = await sumCounts(environment)
    const { result: deleted, seconds } = await beside(sweepAll(sweeper))
    sweeps.push({ deleted, counted: (await sumCounts(environment)) - before, seconds, deletedBySecondRun: await sweepAll(sweeper) })
  }
  for (let round = 0; round < options.rounds; round += 1) {
    const say = (what: string) => report(`round ${round + 1}/${options.rounds}: ${what}`)
    say(`batches, then a sweep of ${options.expired} expired events`)
    const { requestsPerSecond } = await applyLoad(batches, BATCH_CONNECTIONS, BATCH_SECONDS)
    await sweepExpired(async (sweep) => {
      const [startedAt, before] = [performance.now(), await readCpuTimes(environment.deps.db)]
      const result = await sweep
      const seconds = (performance.now() - startedAt) / 1_000
      const cpu = toCpuPer(result / 1_000, before, await readCpuTimes(environment.deps.db))
      alone.push({ swept: result / seconds, batches: requestsPerSecond * BATCH_EVENTS, cpu })
      return { result, seconds }
    })
    say('ingest without a sweep')
    quiet.push(...(await paceWhile(load, options.rate, sleep(QUIET_MS))).latenciesMs)
    say('ingest with the sweep')
    await sweepExpired(async (sweep) => {
      const paced = await paceWhile(load, options.rate, sweep)
      sweeping.push(...paced.latenciesMs)
      return paced
    })
  }

  const [without, during] = [toLatency(quiet), toLatency(sweeping)]
  const p99 = during.p99Ms / without.p99Ms
  const ratio = median(alone.map(({ swept, batches: brought }) => swept / brought))
  return {
    ...options,
    alone: {
      swept: median(alone.map(({ swept }) => swept)),
      batches: median(alone.map(({ batches: brought }) => brought)),
      ratio,
      target: TARGET_RATE_RATIO,
      isMet: ratio >= TARGET_RATE_RATIO,
    },
    cpu: toMedianCpu(alone.flatMap(({ cpu }) => cpu ?? [])),
    quiet: without,
    sweeping: during,
    ratio: { p50: during.p50Ms / without.p50Ms, p99, target: TARGET_P99_RATIO, isMet: p99 <= TARGET_P99_RATIO },
    sweeps,
    isExact: sweeps.every(
      ({ deleted, counted, deletedBySecondRun }) => deleted === options.expired && counted === options.expired && deletedBySecondRun === 0,
    ),
  }
}

/** Single events of the bench's tenant and batches of them, to a Worker of their own. */
export async function prepareLoads({ serve, bundle, tenant }: Environment): Promise<{ readonly load: Load; readonly batches: Load }> {
  const { url } = await serve(bundle, 'worker')
  const headers = { authorization: `Bearer ${tenant.ingestKey}`, 'content-type': 'application/json' }
  const register = { method: 'POST', path: '/v1/agents/register', headers, body: JSON.stringify({ hostname: 'bench' }) } as const
  const events = makeSpreadEvents()
  const post = (path: string, body: unknown): LoadRequest => ({ method: 'POST', path, headers, body: JSON.stringify(body) })
  const requests = events.map((event) => post('/v1/events', event))
  await sendAll({ url, requests: [register, ...requests] })
  return { load: { url, requests }, batches: { url, requests: [post('/v1/events/batch', events.slice(0, BATCH_EVENTS))] } }
}

/** One tick of the cron after another, until one finds nothing more. */
async function sweepAll({ url }: ServedWorker): Promise<number> {
  let deleted = 0
  for (let last = -1; last !== 0; deleted += last) {
    const response = await fetch(url)
    if (!response.ok) throw new Error(`the sweep: ${response.status} ${await response.text()}`)
    // The sweeper answers what the use case returns.
    last = ((await response.json()) as SweepResult).deleted
  }
  return deleted
}

async function sumCounts({ deps, tenant }: Environment): Promise<number> {
  const { rows } = await deps.db.execute<{ counted: number }>(
    sql`SELECT coalesce(sum(count), 0)::int AS counted FROM event_counts WHERE tenant_id = ${tenant.tenantId}`,
  )
  return rows[0]?.counted ?? 0
}

/** Expired events of several kinds and a few services, received over the last six hours, each a change of its own that its sender could send again. */
async function storeExpired({ deps, tenant }: Environment, count: number): Promise<void> {
  await deps.db.execute(sql`
    WITH swept AS (
      SELECT id, agent_id, name, row_number() OVER (ORDER BY name) - 1 AS place
      FROM services WHERE tenant_id = ${tenant.tenantId} ORDER BY name LIMIT ${SWEPT_SERVICES}
    )
    INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, new_value, confidence,
      ttl_seconds, "timestamp", received_at, expires_at, raw_line, value_class, change_key, appeared_at)
    SELECT overlay(gen_random_uuid()::text PLACING '8' FROM 15 FOR 1)::uuid, ${tenant.tenantId}::uuid, s.agent_id, s.id, s.name, 'postgres', 'saturation',
      'orders_' || n % ${KINDS}::int / ${SWEPT_SERVICES}::int, 'slow_query:' || n || 'ms', 0.9, 900, r.received_at, r.received_at,
      r.received_at + interval '15 minutes', repeat('a raw line ', 15), 'slow_query:#ms', gen_random_uuid(), r.received_at
    FROM generate_series(1, ${count}::int) AS n
      CROSS JOIN LATERAL (SELECT now() - interval '16 minutes' - (n % 20000) * interval '1 second' AS received_at) r
      JOIN swept s ON s.place = n % ${KINDS}::int % ${SWEPT_SERVICES}::int`)
}
