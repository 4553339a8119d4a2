import { sql } from 'drizzle-orm'
import { isNotMigrated, toReason } from './database-error.ts'
import { type Db, selectOne } from './postgres.ts'
import type { Redis } from './redis.ts'
import { readSweepHints } from './sweeps.ts'

/** What waits for the cron, over all tenants. */
export type Backlog = {
  /** How long the event that expired first has been waiting for the sweep, in seconds. */
  readonly sweepLagSeconds: number
  readonly windowsAwaitingRepair: number
  /** Diagnoses and notes that are due, and nobody is at. */
  readonly incidentWorkDue: number
  /** In the last seven days. */
  readonly notesGivenUp: number
}

export type Health = {
  /** `idle`: it was not asked, for it sleeps and has nothing to do. */
  readonly postgres: 'up' | 'down' | 'idle' | 'not migrated'
  /** Why Postgres is not up, for the log. */
  readonly reason: string | undefined
  readonly redis: 'up' | 'down'
  /** `undefined` where Postgres was not asked, or did not say. */
  readonly backlog: Backlog | undefined
}

type HealthQuery = {
  /** Without it, an idle Postgres is left asleep. */
  readonly mayWake: boolean
  /** Without it, no figure is asked for. */
  readonly withBacklog: boolean
}

/** Asks both stores at once how they are, in one request each. */
export async function findHealth(db: Db, redis: Redis, { mayWake, withBacklog }: HealthQuery): Promise<Health> {
  if (!mayWake) {
    const hints = await readSweepHints(redis).catch(() => undefined)
    if (hints && !hints.isDatabaseInUse) return { postgres: 'idle', reason: undefined, redis: 'up', backlog: undefined }
  }
  const [postgres, copy] = await Promise.allSettled([withBacklog ? findBacklog(db) : findTables(db), redis.client.ask(['PING'])])
  return {
    ...(postgres.status === 'fulfilled' ? { postgres: 'up', reason: undefined } : toTrouble(postgres.reason)),
    redis: copy.status === 'fulfilled' ? 'up' : 'down',
    backlog: postgres.status === 'fulfilled' ? postgres.value : undefined,
  }
}

function toTrouble(error: unknown) {
  return { postgres: isNotMigrated(error) ? ('not migrated' as const) : ('down' as const), reason: toReason(error) }
}

/** Finds the first and the last of the tables that the backlog is counted in, if they are there. */
async function findTables(db: Db): Promise<undefined> {
  await selectOne(db, sql`SELECT EXISTS (SELECT 1 FROM context_events) AS events, EXISTS (SELECT 1 FROM incident_work) AS work`)
}

/** What waits for the cron, over all tenants. */
export async function findBacklog(db: Db): Promise<Backlog> {
  const row = await selectOne<{ lag_seconds: number; repairs: number; work: number; given_up: number }>(
    db,
    sql`SELECT greatest(0, extract(epoch FROM now() - (SELECT min(coalesce(kept_until, expires_at)) FROM context_events)))::int AS lag_seconds,
      (SELECT count(*) FROM window_repairs)::int AS repairs,
      (SELECT count(*) FROM incident_work WHERE state IN ('due', 'queued') AND next_at <= now())::int AS work,
      (SELECT count(*) FROM incident_work
        WHERE state = 'given_up' AND kind = 'note' AND next_at > now() - interval '7 days')::int AS given_up`,
  )
  return {
    sweepLagSeconds: row.lag_seconds,
    windowsAwaitingRepair: row.repairs,
    incidentWorkDue: row.work,
    notesGivenUp: row.given_up,
  }
}
