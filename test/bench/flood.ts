import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { BatchDatabase } from '../../src/deps.ts'
import type { Environment } from './bench-setup.ts'
import { type Latency, paceWhile, toLatency } from './pace.ts'
import { prepareLoads } from './sweep.ts'

export type FloodReport = {
  readonly changes: number
  readonly readers: number
  readonly rate: number
  readonly quiet: Latency
  /** Beside the same readers of another Worker: what they do to the machine, stores and load included, but not to the isolate. */
  readonly elsewhere: Latency
  readonly flooded: Latency
  /** Events that were answered 503. */
  readonly refused: number
  /** The answers to the flood's reads, by status. */
  readonly reads: Readonly<Record<string, number>>
  /** p95 to that by itself. */
  readonly ratio: { readonly elsewhere: number; readonly p95: number; readonly target: number; readonly isMet: boolean }
}

const CHANGES = 40_000
const READERS = 12
const TARGET_RATIO = 2
const PERIOD_MS = 4_000
const ROUNDS = 4

/** Measures what twelve endless readers of one tenant's window of 40,000 changes do to the latency of another's ingest. */
export async function measureFlood(
  environment: Environment,
  { rate }: { readonly rate: number },
  report: (line: string) => void,
): Promise<FloodReport> {
  const { load } = await prepareLoads(environment)
  const other = await environment.serve(environment.bundle, 'elsewhere')
  const path = await storeChanges(environment)
  const [quiet, elsewhere, flooded]: [number[], number[], number[]] = [[], [], []]
  const reads: Record<string, number> = {}
  let refused = 0
  for (let round = 1; round <= ROUNDS; round += 1) {
    report(`round ${round}/${ROUNDS}: ingest of one tenant by itself`)
    quiet.push(...(await paceWhile(load, rate, sleep(PERIOD_MS))).latenciesMs)
    report(`round ${round}/${ROUNDS}: beside ${READERS} readers of another tenant, at another Worker`)
    elsewhere.push(...(await paceWhile(load, rate, readFor(PERIOD_MS, other.url, path, {}))).latenciesMs)
    report(`round ${round}/${ROUNDS}: beside ${READERS} readers of another tenant`)
    const beside = await paceWhile(load, rate, readFor(PERIOD_MS, load.url, path, reads))
    flooded.push(...beside.latenciesMs)
    refused += beside.refused
  }
  const [alone, at, besides] = [toLatency(quiet), toLatency(elsewhere), toLatency(flooded)]
  const p95 = besides.p95Ms / alone.p95Ms
  return {
    changes: CHANGES,
    readers: READERS,
    rate,
    quiet: alone,
    elsewhere: at,
    flooded: besides,
    refused,
    reads,
    ratio: { elsewhere: at.p95Ms / alone.p95Ms, p95, target: TARGET_RATIO, isMet: p95 <= TARGET_RATIO && refused === 0 },
  }
}

type Path = { readonly path: string; readonly key: string }

/** A tenant with a service of very many changes, of four types: where its window is, and who may read it. */
async function storeChanges({ deps, addTenant }: Environment): Promise<Path> {
  const { tenantId, readonlyKey } = await addTenant('flood')
  const serviceId = deps.newUuid()
  await deps.db.execute(
    sql`INSERT INTO services (id, tenant_id, name, name_key) VALUES (${serviceId}, ${tenantId}, 'checkout', 'checkout')`,
  )
  const insert = sql`
    INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, new_value, confidence,
      ttl_seconds, "timestamp", received_at, expires_at, value_class, change_key, appeared_at)
    SELECT gen_random_uuid(), ${tenantId}::uuid, gen_random_uuid(), ${serviceId}::uuid, 'checkout', 'flood',
      (ARRAY['saturation', 'deploy', 'restart', 'flag_change'])[1 + n % 4], 'entity-' || n, 'value ' || n, 0.9, 86400, now(), now(),
      now() + interval '1 day', 'value #', gen_random_uuid(), date_trunc('second', now())
    FROM generate_series(1, ${CHANGES}::int) AS n`
  const { db }: BatchDatabase = deps
  await db.batch([db.execute(sql`SET LOCAL statement_timeout = 0`), db.execute(insert)])
  return { path: `/v1/services/${serviceId}/context`, key: readonlyKey }
}

/** Reads until a period is over, and counts the answers by status. */
async function readFor(periodMs: number, url: string, { path, key }: Path, statuses: Record<string, number>): Promise<void> {
  const untilMs = Date.now() + periodMs
  const readAgain = async () => {
    while (Date.now() < untilMs) {
      const response = await fetch(`${url}${path}?at=${new Date().toISOString()}`, { headers: { authorization: `Bearer ${key}` } })
      await response.arrayBuffer()
      statuses[response.status] = (statuses[response.status] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: READERS }, readAgain))
}
