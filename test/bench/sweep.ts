import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { SweepResult } from '../../src/usecases/run-sweep.ts'
import { toBindings } from '../stack/stack.ts'
import type { Environment } from './bench-setup.ts'
import { type CpuTimes, readCpuTimes, toCpuPer, toMedianCpu } from './cpu.ts'
import { BATCH_EVENTS, makeSpreadEvents } from './events.ts'
import { applyLoad, type Load, type LoadRequest, sendAll } from './load.ts'
import { type Latency, paceWhile, toLatency } from './pace.ts'
import { median } from './statistics.ts'
import type { ServedWorker } from './workerd.ts'

export type SweepOptions = { readonly expired: number; readonly rate: number; readonly rounds: number }

/** Like those of batches, which tell of 512 changes over and over; or each a change of its own that its sender could send again. */
type Kind = 'repeats' | 'changes'

type Sweep = {
  readonly deleted: number
  readonly counted: number
  readonly seconds: number
  readonly deletedBySecondRun: number
}

/** Events a second of a sweep that nothing else goes on beside, and of batches right before it. */
type Alone = {
  readonly of: Kind
  readonly swept: number
  readonly batches: number
  readonly ratio: number
  readonly target: number | undefined
  /** Milliseconds of CPU for a thousand events that are swept; `undefined` off Linux. */
  readonly cpu: CpuTimes | undefined
}

/** Events a second of a sweep that is late, and of the batches that it goes on beside. */
type Together = { readonly swept: number; readonly batches: number; readonly ratio: number; readonly target: number }

export type SweepReport = SweepOptions & {
  readonly alone: readonly Alone[]
  readonly together: Together
  readonly quiet: Latency
  readonly sweeping: Latency
  /** Medians of the rounds' ratios, and all of those of p99. */
  readonly ratio: {
    readonly p50: number
    readonly p99: number
    readonly p99s: readonly number[]
    readonly target: number
    readonly isMet: boolean
  }
  readonly sweeps: readonly Sweep[]
  /** Every expired event was deleted once and counted once. */
  readonly isExact: boolean
}

const TARGET_P99_RATIO = 2
/** What batches bring has to be taken out while they bring more. */
const TARGET_RATE_RATIOS: Readonly<Record<Kind, number | undefined>> = { repeats: 2, changes: undefined }
/** Beside batches that come as fast as they are taken, a sweep that is behind catches up. */
const TARGET_TOGETHER_RATIO = 1
/** Received over so many seconds, expired events are a backlog of hours or those of an ordinary tick. */
const [BACKLOG_SECONDS, ORDINARY_SECONDS] = [20_000, 480]
const QUIET_MS = 8_000
/** What expires was stored long ago elsewhere, and is on disk. */
const SETTLE_MS = 2_000
const BATCH_SECONDS = 4
const TOGETHER_SECONDS = 10
const BATCH_CONNECTIONS = 4
const KINDS = 40
const SWEPT_SERVICES = 4

type Rates = { readonly swept: number; readonly batches: number }

type Rate = Rates & { readonly cpu: CpuTimes | undefined }

/**
 * Measures how fast the cron's sweep takes out expired events, against batches that bring them, and what it does to the latency of ingest
 * at a steady rate.
 */
export async function measureSweep(environment: Environment, options: SweepOptions, report: (line: string) => void): Promise<SweepReport> {
  const { load, batches } = await prepareLoads(environment)
  const sweeper = await environment.serve(environment.sweepBundle, 'sweeper', toBindings(await environment.addStack()))
  await sweepAll(sweeper)
  const beside: { readonly quiet: readonly number[]; readonly sweeping: readonly number[] }[] = []
  const rates: Record<Kind, Rate[]> = { repeats: [], changes: [] }
  const together: Rates[] = []
  const sweeps: Sweep[] = []
  const note = async (before: number, deleted: number, seconds: number) => {
    sweeps.push({ deleted, counted: (await sumCounts(environment)) - before, seconds, deletedBySecondRun: await sweepAll(sweeper) })
  }
  const measureRate = async (kind: Kind) => {
    const { requestsPerSecond } = await applyLoad(batches, BATCH_CONNECTIONS, BATCH_SECONDS)
    await storeExpired(environment, options.expired, kind, BACKLOG_SECONDS)
    const [counted, cpu] = [await sumCounts(environment), await readCpuTimes(environment.deps.db)]
    const { deleted, seconds } = await timeSweep(sweeper)
    const cpuEach = toCpuPer(deleted / 1_000, cpu, await readCpuTimes(environment.deps.db))
    rates[kind].push({ swept: deleted / seconds, batches: requestsPerSecond * BATCH_EVENTS, cpu: cpuEach })
    await note(counted, deleted, seconds)
  }
  const measureTogether = async () => {
    await storeExpired(environment, options.expired, 'repeats', BACKLOG_SECONDS)
    const counted = await sumCounts(environment)
    const [{ requestsPerSecond }, { deleted, seconds }] = await Promise.all([
      applyLoad(batches, BATCH_CONNECTIONS, TOGETHER_SECONDS),
      timeSweep(sweeper),
    ])
    together.push({ swept: deleted / seconds, batches: requestsPerSecond * BATCH_EVENTS })
    await note(counted, deleted, seconds)
  }
  for (let round = 0; round < options.rounds; round += 1) {
    const say = (what: string) => report(`round ${round + 1}/${options.rounds}: ${what}`)
    say(`batches, then a sweep of ${options.expired} expired repeats`)
    await measureRate('repeats')
    say(`batches, then a sweep of ${options.expired} expired changes`)
    await measureRate('changes')
    say('batches beside a sweep that is late')
    await measureTogether()
    await storeExpired(environment, options.expired, 'changes', ORDINARY_SECONDS)
    await writeToDisk(environment)
    say('ingest without a sweep')
    const { latenciesMs: quiet } = await paceWhile(load, options.rate, sleep(QUIET_MS))
    say('ingest with the sweep')
    const counted = await sumCounts(environment)
    const { latenciesMs: sweeping, result: deleted, seconds } = await paceWhile(load, options.rate, sweepAll(sweeper))
    beside.push({ quiet, sweeping })
    await note(counted, deleted, seconds)
  }

  const ratios = (of: 'p50Ms' | 'p99Ms') => beside.map(({ quiet, sweeping }) => toLatency(sweeping)[of] / toLatency(quiet)[of])
  const p99s = ratios('p99Ms')
  const p99 = median(p99s)
  return {
    ...options,
    alone: [toAlone('repeats', rates.repeats), toAlone('changes', rates.changes)],
    together: { ...toRatio(together), target: TARGET_TOGETHER_RATIO },
    quiet: toLatency(beside.flatMap(({ quiet }) => quiet)),
    sweeping: toLatency(beside.flatMap(({ sweeping }) => sweeping)),
    ratio: { p50: median(ratios('p50Ms')), p99, p99s, target: TARGET_P99_RATIO, isMet: p99 <= TARGET_P99_RATIO },
    sweeps,
    isExact: sweeps.every(
      ({ deleted, counted, deletedBySecondRun }) => deleted === options.expired && counted === options.expired && deletedBySecondRun === 0,
    ),
  }
}

/** Has Postgres write what was stored to disk, where it lets the benchmark say so, for that not to be what ingest waits for. */
async function writeToDisk({ deps }: Environment): Promise<void> {
  try {
    await deps.db.execute(sql`CHECKPOINT`)
  } catch {}
  await sleep(SETTLE_MS)
}

const toRatio = (rates: readonly Rates[]) => ({
  swept: median(rates.map(({ swept }) => swept)),
  batches: median(rates.map(({ batches }) => batches)),
  ratio: median(rates.map(({ swept, batches }) => swept / batches)),
})

const toAlone = (of: Kind, rates: readonly Rate[]): Alone => ({
  of,
  ...toRatio(rates),
  target: TARGET_RATE_RATIOS[of],
  cpu: toMedianCpu(rates.flatMap(({ cpu }) => cpu ?? [])),
})

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

async function timeSweep(sweeper: ServedWorker): Promise<{ readonly deleted: number; readonly seconds: number }> {
  const startedAt = performance.now()
  return { deleted: await sweepAll(sweeper), seconds: (performance.now() - startedAt) / 1_000 }
}

async function sumCounts({ deps, tenant }: Environment): Promise<number> {
  const { rows } = await deps.db.execute<{ counted: number }>(
    sql`SELECT coalesce(sum(count), 0)::int AS counted FROM event_counts WHERE tenant_id = ${tenant.tenantId}`,
  )
  return rows[0]?.counted ?? 0
}

/** Events of several kinds and a few services, of which the last expired a minute ago, received over so many seconds. */
async function storeExpired({ deps, tenant }: Environment, count: number, kind: Kind, overSeconds: number): Promise<void> {
  const [id, changeKey] =
    kind === 'changes'
      ? [sql`overlay(gen_random_uuid()::text PLACING '8' FROM 15 FOR 1)::uuid`, sql`gen_random_uuid()`]
      : [sql`gen_random_uuid()`, sql`md5('bench ' || n % 512)::uuid`]
  const appearedAt = kind === 'changes' ? sql`r.received_at` : sql`date_trunc('day', now()) - interval '1 day'`
  await deps.db.execute(sql`
    WITH swept AS (
      SELECT id, agent_id, name, row_number() OVER (ORDER BY name) - 1 AS place
      FROM services WHERE tenant_id = ${tenant.tenantId} ORDER BY name LIMIT ${SWEPT_SERVICES}
    )
    INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, new_value, confidence,
      ttl_seconds, "timestamp", received_at, expires_at, raw_line, value_class, change_key, appeared_at)
    SELECT ${id}, ${tenant.tenantId}::uuid, s.agent_id, s.id, s.name, 'postgres', 'saturation',
      'orders_' || n % ${KINDS}::int / ${SWEPT_SERVICES}::int, 'slow_query:' || n || 'ms', 0.9, 900, r.received_at, r.received_at,
      r.received_at + interval '15 minutes', repeat('a raw line ', 15), 'slow_query:#ms', ${changeKey}, ${appearedAt}
    FROM generate_series(1, ${count}::int) AS n
      CROSS JOIN LATERAL (SELECT now() - interval '16 minutes' - (n % ${overSeconds}::int) * interval '1 second' AS received_at) r
      JOIN swept s ON s.place = n % ${KINDS}::int % ${SWEPT_SERVICES}::int`)
}
