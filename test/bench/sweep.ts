import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { SweepResult } from '../../src/usecases/run-sweep.ts'
import type { Environment } from './bench-setup.ts'
import { makeSpreadEvents } from './events.ts'
import { type Load, sendAll } from './load.ts'
import { type Latency, paceWhile, toLatency } from './pace.ts'
import type { ServedWorker } from './workerd.ts'

export type SweepOptions = { readonly expired: number; readonly rate: number; readonly rounds: number }

export type SweepReport = SweepOptions & {
  readonly quiet: Latency
  readonly sweeping: Latency
  readonly ratio: { readonly p50: number; readonly p99: number; readonly target: number; readonly isMet: boolean }
  readonly sweeps: readonly {
    readonly deleted: number
    readonly counted: number
    readonly seconds: number
    readonly deletedBySecondRun: number
  }[]
  /** Every expired event was deleted once and counted once. */
  readonly isExact: boolean
}

const TARGET_RATIO = 3
const QUIET_MS = 8_000
const KINDS = 40
const SWEPT_SERVICES = 4

/** Measures what the cron's sweep of many expired events does to the latency of ingest at a steady rate. */
export async function measureSweep(environment: Environment, options: SweepOptions, report: (line: string) => void): Promise<SweepReport> {
  const load = await prepareLoad(environment)
  const sweeper = await environment.serve(environment.sweepBundle, 'sweeper')
  await sweepAll(sweeper)
  const quiet: number[] = []
  const sweeping: number[] = []
  const sweeps: SweepReport['sweeps'][number][] = []
  for (let round = 0; round < options.rounds; round += 1) {
    report(`round ${round + 1}/${options.rounds}: storing ${options.expired} expired events`)
    await storeExpired(environment, options.expired)
    report(`round ${round + 1}/${options.rounds}: ingest without a sweep`)
    quiet.push(...(await paceWhile(load, options.rate, sleep(QUIET_MS))).latenciesMs)
    report(`round ${round + 1}/${options.rounds}: ingest with the sweep`)
    const before = await sumCounts(environment)
    const { latenciesMs, result: deleted, seconds } = await paceWhile(load, options.rate, sweepAll(sweeper))
    sweeping.push(...latenciesMs)
    const counted = (await sumCounts(environment)) - before
    sweeps.push({ deleted, counted, seconds, deletedBySecondRun: await sweepAll(sweeper) })
  }

  const [without, during] = [toLatency(quiet), toLatency(sweeping)]
  const p99 = during.p99Ms / without.p99Ms
  return {
    ...options,
    quiet: without,
    sweeping: during,
    ratio: { p50: during.p50Ms / without.p50Ms, p99, target: TARGET_RATIO, isMet: p99 <= TARGET_RATIO },
    sweeps,
    isExact: sweeps.every(
      ({ deleted, counted, deletedBySecondRun }) => deleted === options.expired && counted === options.expired && deletedBySecondRun === 0,
    ),
  }
}

/** Single events of the bench's tenant, to a Worker of their own. */
export async function prepareLoad({ serve, bundle, tenant }: Environment): Promise<Load> {
  const { url } = await serve(bundle, 'worker')
  const headers = { authorization: `Bearer ${tenant.ingestKey}`, 'content-type': 'application/json' }
  const register = { method: 'POST', path: '/v1/agents/register', headers, body: JSON.stringify({ hostname: 'bench' }) } as const
  const requests = makeSpreadEvents().map(
    (event) => ({ method: 'POST', path: '/v1/events', headers, body: JSON.stringify(event) }) as const,
  )
  await sendAll({ url, requests: [register, ...requests] })
  return { url, requests }
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
