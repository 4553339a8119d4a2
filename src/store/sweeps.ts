import { sql } from 'drizzle-orm'
import { SAMPLE_ENVIRONMENT } from '../domain/event/environment.ts'
import type { ServiceId, TenantId } from '../domain/ids.ts'
import { MAX_SHOWN_LENGTH } from '../domain/text.ts'
import { daysBefore, type SweepHints } from '../domain/window/sweep.ts'
import { functionNamed } from './functions.ts'
import { type Db, epochMs, selectOne, timestamptz } from './postgres.ts'
import { keys, type Redis, type RedisCommand } from './redis.ts'
import { type TextRow, toChangeText } from './state-windows.ts'
import { type EndedLife, IN_USE_MS } from './window-copies.ts'
import { windowsOf } from './window-joins.ts'

export type SweptBatch = {
  readonly deleted: number
  /** Ids that need no longer be remembered. */
  readonly forgotten: number
  /** Lives that ended with these events, in every window they were in. */
  readonly ended: readonly EndedLife[]
  /** Whether Postgres was at work for others meanwhile or right before, but for other sweeps. */
  readonly isBesideOthers: boolean
  /** When the first of these events ended, or id was to be forgotten; `undefined`: there were none. */
  readonly earliestEnd: Date | undefined
}

type EndedRow = readonly [tenantId: TenantId, serviceId: ServiceId, lifeKey: string, ...text: TextRow]

/** Ids that are hashes of an event's content are UUIDs of this version; nobody sends the others again. */
const CONTENT_ID_VERSION = '8'

/** How a batch's statement begins, which tells other sweeps in `pg_stat_activity` from others. */
const BEGINNING = 'WITH RECURSIVE tenants'

/** So that what takes a millisecond, a hundred times a second, is seen. */
const RIGHT_BEFORE = sql`interval '50 milliseconds'`

/** So much of a batch goes to all tenants in equal shares. */
const FAIR_PART = 4

/**
 * Deletes events that have expired and are kept no longer: the `limit` that ended first and, a quarter as many, each tenant's own in
 * equal shares, so that nobody waits for another's backlog. Adds what they were to the hourly counts and to the
 * agents' last hour, and remembers the ids of those received within the day: one statement, so a kill loses nothing. Rows another
 * sweep is deleting are passed over. Fewer than `limit` only where there are no more.
 */
export async function sweepBatch(db: Db, now: Date, limit: number): Promise<SweptBatch> {
  const instant = timestamptz(now)
  const shared = Math.ceil(limit / FAIR_PART)
  const row = await selectOne<{
    deleted: number
    forgotten: number
    ended: EndedRow[] | null
    beside_others: boolean
    earliest_ms: number | null
  }>(
    db,
    sql`${sql.raw(BEGINNING)} AS (
      (SELECT e.tenant_id FROM context_events e ORDER BY e.tenant_id LIMIT 1)
      UNION ALL
      SELECT (SELECT e.tenant_id FROM context_events e WHERE e.tenant_id > t.tenant_id ORDER BY e.tenant_id LIMIT 1)
      FROM tenants t WHERE t.tenant_id IS NOT NULL
    ),
    waiting AS MATERIALIZED (
      SELECT t.tenant_id FROM tenants t WHERE EXISTS (
        SELECT 1 FROM context_events e WHERE e.tenant_id = t.tenant_id AND coalesce(e.kept_until, e.expires_at) <= ${instant})
      LIMIT ${shared}
    ),
    deleted AS (
      DELETE FROM context_events WHERE ctid = ANY(ARRAY(
        SELECT own.ctid FROM waiting w CROSS JOIN LATERAL (
          SELECT e.ctid FROM context_events e WHERE e.tenant_id = w.tenant_id AND coalesce(e.kept_until, e.expires_at) <= ${instant}
          ORDER BY coalesce(e.kept_until, e.expires_at) LIMIT ${shared} / (SELECT count(*) FROM waiting) FOR UPDATE SKIP LOCKED
        ) own
      ) || ARRAY(
        SELECT ctid FROM context_events WHERE coalesce(kept_until, expires_at) <= ${instant}
        ORDER BY coalesce(kept_until, expires_at) LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ))
      RETURNING id, tenant_id, service_id, agent_id, vendor, event_type, entity, old_value, new_value, actor, sha, environment, value_class,
        received_at, change_key, appeared_at, coalesce(kept_until, expires_at) AS ended_at
    ),
    remembered AS (
      INSERT INTO swept_events (tenant_id, id, forget_at)
      SELECT tenant_id, id, received_at + interval '1 day' FROM deleted
      WHERE received_at > ${instant} - interval '1 day' AND substr(id::text, 15, 1) = ${CONTENT_ID_VERSION}
      ORDER BY tenant_id, id ON CONFLICT DO NOTHING
    ),
    forgotten AS (
      DELETE FROM swept_events WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM swept_events WHERE forget_at <= ${instant} ORDER BY forget_at LIMIT ${limit + shared} FOR UPDATE SKIP LOCKED
      )) RETURNING forget_at
    ),
    counted AS (
      INSERT INTO event_counts AS c (tenant_id, service_id, hour, kind_key, vendor, event_type, entity, value_class, count)
      SELECT tenant_id, service_id, hour, md5(md5(vendor) || md5(event_type) || md5(entity) || md5(value_class))::uuid AS kind_key,
        vendor, event_type, entity, value_class, count
      FROM (
        SELECT tenant_id, service_id, date_trunc('hour', received_at) AS hour, vendor, event_type, entity, value_class, count(*) AS count
        FROM deleted WHERE environment IS DISTINCT FROM ${SAMPLE_ENVIRONMENT} GROUP BY 1, 2, 3, 4, 5, 6, 7
      ) kinds ORDER BY 2, 3, 4
      ON CONFLICT (service_id, hour, kind_key) DO UPDATE SET count = c.count + excluded.count
    ),
    counted_agents AS (
      INSERT INTO agent_minutes AS m (agent_id, tenant_id, minute, count)
      SELECT agent_id, tenant_id, date_trunc('minute', received_at), count(*)
      FROM deleted WHERE received_at > now() - interval '61 minutes' GROUP BY 1, 2, 3 ORDER BY 1, 3
      ON CONFLICT (agent_id, minute) DO UPDATE SET count = m.count + excluded.count
    ),
    lives AS MATERIALIZED (
      SELECT DISTINCT ON (service_id, change_key, appeared_at) * FROM deleted ORDER BY service_id, change_key, appeared_at
    ),
    ended AS (
      SELECT * FROM lives d WHERE NOT EXISTS (
        SELECT 1 FROM context_events e WHERE e.service_id = d.service_id AND e.change_key = d.change_key
          AND e.expires_at > ${instant} AND e.appeared_at = d.appeared_at)
    ),
    windows AS (
      SELECT service_id AS window_id, e.* FROM ended e
      UNION ALL
      SELECT s.id, e.* FROM ended e JOIN change_joins j ON j.service_id = e.service_id AND j.change_key = e.change_key
        CROSS JOIN LATERAL ${windowsOf(sql`j`)} s WHERE s.id <> e.service_id
    )
    SELECT (SELECT count(*) FROM deleted)::int AS deleted, (SELECT count(*) FROM forgotten)::int AS forgotten,
      ${epochMs(sql`least((SELECT min(ended_at) FROM deleted), (SELECT min(forget_at) FROM forgotten))`)} AS earliest_ms,
      EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datname = current_database() AND a.usename = current_user AND a.pid <> pg_backend_pid()
        AND (a.state = 'active' OR a.query_start > clock_timestamp() - ${RIGHT_BEFORE}) AND NOT starts_with(a.query, ${BEGINNING})) AS beside_others,
      (SELECT json_agg(json_build_array(tenant_id, window_id, ${functionNamed('life_key_of')}(change_key, appeared_at), event_type, vendor, entity,
        left(old_value, ${MAX_SHOWN_LENGTH}), left(new_value, ${MAX_SHOWN_LENGTH}), actor, sha, environment)) FROM windows) AS ended`,
  )
  const ended = (row.ended ?? []).map(([tenantId, serviceId, lifeKey, ...text]) => ({
    tenantId,
    serviceId,
    lifeKey,
    text: toChangeText(text),
  }))
  return {
    deleted: row.deleted,
    forgotten: row.forgotten,
    ended,
    isBesideOthers: row.beside_others,
    earliestEnd: row.earliest_ms === null ? undefined : new Date(row.earliest_ms),
  }
}

/** Each agent that goes has the services looked through. */
const MAX_REVOKED = 50

/** How long an edge that failures showed is believed in without another. */
const LEARNED_EDGE_DAYS = 90

/**
 * Deletes what has outlived its use: agents' minutes, idempotency keys after a day, joins after their last event, evaluations of
 * flags after a day, edges of the service graph that were learned and not seen for long, hourly counts, audit entries and maintenance
 * windows after their days, and keys as long after they were revoked as the audit may name them, with their agents, of which nothing
 * is left.
 */
export async function sweepRemains(
  db: Db,
  now: Date,
  { countsDays, auditDays, incidentDays }: { readonly countsDays: number; readonly auditDays: number; readonly incidentDays: number },
  limit: number,
): Promise<{ readonly lastExpiryAt: Date | undefined }> {
  const auditBefore = daysBefore(now, auditDays).toISOString()
  const row = await selectOne<{ last_expiry_ms: number | null }>(
    db,
    sql`WITH minutes AS (
      DELETE FROM agent_minutes WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM agent_minutes WHERE minute < now() - interval '2 hours' LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ))
    ),
    claims AS (
      DELETE FROM idempotency_keys WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM idempotency_keys WHERE created_at < now() - interval '1 day' LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ))
    ),
    joins AS (
      DELETE FROM change_joins WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM change_joins WHERE expires_at < now() LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ))
    ),
    evaluators AS (
      DELETE FROM flag_evaluators WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM flag_evaluators WHERE expires_at < now() LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ))
    ),
    edges AS (
      DELETE FROM service_edges WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM service_edges WHERE NOT declared AND last_seen_at < ${timestamptz(daysBefore(now, LEARNED_EDGE_DAYS))}
        LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ))
    ),
    counts AS (
      DELETE FROM event_counts WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM event_counts WHERE hour < ${timestamptz(daysBefore(now, countsDays))} LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ))
    ),
    audit AS (
      DELETE FROM audit_entries WHERE ctid = ANY(ARRAY(
        SELECT a.ctid FROM audit_entries a, (SELECT set_config('noctuary.audit_before', ${auditBefore}, true)) allowed
        WHERE a.at < ${auditBefore}::timestamptz LIMIT ${limit} FOR UPDATE OF a SKIP LOCKED
      ))
    ),
    maintenance AS (
      DELETE FROM maintenance_windows WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM maintenance_windows WHERE ends_at < ${timestamptz(daysBefore(now, incidentDays))}
        LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ))
    ),
    revoked AS MATERIALIZED (
      SELECT k.id, row_number() OVER (PARTITION BY k.tenant_id) AS turn FROM api_keys k WHERE k.revoked_at < ${auditBefore}::timestamptz AND NOT EXISTS (
        SELECT 1 FROM agents a WHERE a.api_key_id = k.id AND (EXISTS (SELECT 1 FROM context_events e WHERE e.agent_id = a.id)
          OR a.id IN (SELECT s.agent_id FROM services s WHERE s.agent_id IS NOT NULL)))
      ORDER BY turn LIMIT ${MAX_REVOKED}
    ),
    forsaken AS (DELETE FROM agents WHERE api_key_id IN (SELECT id FROM revoked) RETURNING id),
    rates AS (DELETE FROM agent_rates WHERE agent_id IN (SELECT id FROM forsaken)),
    keys AS (DELETE FROM api_keys WHERE id IN (SELECT id FROM revoked))
    SELECT ${epochMs(sql`(SELECT max(coalesce(kept_until, expires_at)) FROM context_events)`)} AS last_expiry_ms`,
  )
  return { lastExpiryAt: row.last_expiry_ms === null ? undefined : new Date(row.last_expiry_ms) }
}

/** Reads, in one command, whether Postgres is in use, when it is next worth waking, and when a tick was here last. */
export async function readSweepHints(redis: Redis): Promise<NonNullable<SweepHints>> {
  const { databaseInUse, sweepDue, sweepWasHere } = keys
  const [inUse, due, wasHere] = await redis.client.ask<(string | null)[]>(['MGET', databaseInUse, sweepDue, sweepWasHere])
  return {
    isDatabaseInUse: inUse !== null && inUse !== undefined,
    dueAtMs: due ? Number(due) : undefined,
    wasHereMs: wasHere ? Number(wasHere) : undefined,
  }
}

/** Longer than any outage is to be remembered: without the hints, a tick looks. */
const HINT_LIFE_MS = 7 * 24 * 3_600_000

const toHint = (key: string, at: Date): RedisCommand => ['SET', key, at.getTime(), 'PX', HINT_LIFE_MS]

/** Leaves word that there is work in Postgres, and that it is awake: ticks look until one of them has done what there is. */
export async function pointToWork(redis: Redis, now: Date): Promise<void> {
  await redis.client.transact([toHint(keys.sweepDue, now), ['SET', keys.databaseInUse, 1, 'PX', IN_USE_MS]])
}

/** Leaves word that a tick was here and, if it goes to work, that there is work until it says otherwise. */
export async function leaveWasHere(redis: Redis, now: Date, { isDue }: { readonly isDue: boolean }): Promise<void> {
  await redis.client.transact([...(isDue ? [toHint(keys.sweepDue, now)] : []), toHint(keys.sweepWasHere, now)])
}

/** Leaves word for the next ticks when an idle database is worth waking. */
export async function writeSweepDue(redis: Redis, dueAt: Date): Promise<void> {
  await redis.client.ask(toHint(keys.sweepDue, dueAt))
}
