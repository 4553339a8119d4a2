import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { createTenant } from '../../src/usecases/create-tenant.ts'
import type { Environment } from './bench-setup.ts'
import { type Latency, paceWhile, toLatency } from './pace.ts'
import { prepareLoads } from './sweep.ts'

export type FloodReport = {
  readonly changes: number
  readonly readers: number
  readonly rate: number
  readonly quiet: Latency
  readonly flooded: Latency
  /** Events that were answered 503. */
  readonly refused: number
  /** The answers to the flood's reads, by status. */
  readonly reads: Readonly<Record<string, number>>
  readonly ratio: { readonly p95: number; readonly target: number; readonly isMet: boolean }
}

const CHANGES = 40_000
const READERS = 12
const TARGET_RATIO = 2
const PERIOD_MS = 8_000

/** Measures what twelve endless readers of one tenant's window of 40,000 changes do to the latency of another's ingest. */
export async function measureFlood(
  environment: Environment,
  { rate }: { readonly rate: number },
  report: (line: string) => void,
): Promise<FloodReport> {
  const { load } = await prepareLoads(environment)
  const path = await storeChanges(environment)
  report('ingest of one tenant by itself')
  const quiet = toLatency((await paceWhile(load, rate, sleep(PERIOD_MS))).latenciesMs)
  report(`ingest beside ${READERS} readers of another tenant`)
  const { latenciesMs, refused, result: reads } = await paceWhile(load, rate, readFor(PERIOD_MS, load.url, path))
  const flooded = toLatency(latenciesMs)
  const p95 = flooded.p95Ms / quiet.p95Ms
  return {
    changes: CHANGES,
    readers: READERS,
    rate,
    quiet,
    flooded,
    refused,
    reads,
    ratio: { p95, target: TARGET_RATIO, isMet: p95 <= TARGET_RATIO && refused === 0 },
  }
}

type Path = { readonly path: string; readonly key: string }

/** A tenant with a service of very many changes, of four types: where its window is, and who may read it. */
async function storeChanges({ deps }: Environment): Promise<Path> {
  const { tenantId, readonlyKey } = await createTenant(deps, `flood ${deps.newUuid()}`)
  const serviceId = deps.newUuid()
  await deps.db.execute(
    sql`INSERT INTO services (id, tenant_id, name, name_key) VALUES (${serviceId}, ${tenantId}, 'checkout', 'checkout')`,
  )
  await deps.db.execute(sql`
    INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, new_value, confidence,
      ttl_seconds, "timestamp", received_at, expires_at, value_class, change_key, appeared_at)
    SELECT gen_random_uuid(), ${tenantId}::uuid, gen_random_uuid(), ${serviceId}::uuid, 'checkout', 'flood',
      (ARRAY['saturation', 'deploy', 'restart', 'flag_change'])[1 + n % 4], 'entity-' || n, 'value ' || n, 0.9, 86400, now(), now(),
      now() + interval '1 day', 'value #', gen_random_uuid(), date_trunc('second', now())
    FROM generate_series(1, ${CHANGES}::int) AS n`)
  return { path: `/v1/services/${serviceId}/context`, key: readonlyKey }
}

async function readFor(periodMs: number, url: string, { path, key }: Path): Promise<Record<string, number>> {
  const untilMs = Date.now() + periodMs
  const statuses: Record<string, number> = {}
  const readAgain = async () => {
    while (Date.now() < untilMs) {
      const response = await fetch(`${url}${path}?at=${new Date().toISOString()}`, { headers: { authorization: `Bearer ${key}` } })
      await response.arrayBuffer()
      statuses[response.status] = (statuses[response.status] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: READERS }, readAgain))
  return statuses
}
