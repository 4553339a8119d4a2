import { sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import { type AgentId, type ApiKeyId, type TenantId, toId } from '../domain/ids.ts'
import { type CallerRow, type Principal, toPrincipal } from './api-keys.ts'
import { appendAudit, type Trail } from './audit.ts'
import { functionNamed } from './functions.ts'
import { type Db, epochMs, selectOne, timestamptz } from './postgres.ts'

export type Agent = {
  readonly id: AgentId
  readonly tenantId: TenantId
  readonly apiKeyId: ApiKeyId
  readonly hostname: string
  readonly name: string
  readonly agentVersion: string | null
  readonly registeredAt: Date
  readonly lastSeenAt: Date
}

export type AgentActivity = Agent & { readonly eventsLastHour: number }

export type Registration = { readonly hostname: string; readonly name: string; readonly version: string | null }

type AgentRow = {
  id: string
  tenant_id: string
  api_key_id: string
  hostname: string
  name: string
  agent_version: string | null
  registered_ms: number
  last_seen_ms: number
}

const AGENT_COLUMNS = sql`a.id, a.tenant_id, a.api_key_id, a.hostname, a.name, a.agent_version,
  ${epochMs(sql`a.registered_at`)} AS registered_ms, ${epochMs(sql`a.last_seen_at`)} AS last_seen_ms`

/** What is known of the last hour of agent `a`, beside it. */
const RATE = sql`LEFT JOIN agent_rates r ON r.agent_id = a.id`

/**
 * Events of agent `a` received in the last 60 minutes, swept ones included: what was counted of whole minutes, and of those since
 * what is stored and what was swept.
 */
const EVENTS_LAST_HOUR = sql`(
    (SELECT coalesce(sum(c.count), 0) FROM unnest(r.minutes) WITH ORDINALITY AS c(count, ago)
      WHERE r.counted_until - c.ago * interval '1 minute' > now() - interval '60 minutes') +
    (SELECT count(*) FROM context_events e
      WHERE e.agent_id = a.id AND e.received_at > now() - interval '60 minutes' AND e.received_at >= coalesce(r.counted_until, '-infinity')) +
    (SELECT coalesce(sum(m.count), 0) FROM agent_minutes m
      WHERE m.agent_id = a.id AND m.minute > now() - interval '60 minutes' AND m.minute >= coalesce(r.counted_until, '-infinity'))
  )::int AS events_last_hour`

/** Registers the key's agent, or updates it: one agent a key, whose id and first registration stay. */
export async function upsertAgent(
  db: Db,
  { tenantId, apiKeyId }: Principal,
  id: AgentId,
  registration: Registration,
  trail: Trail,
): Promise<Agent> {
  const { hostname, name, version } = registration
  const row = await selectOne<AgentRow>(
    db,
    sql`WITH before AS (SELECT hostname, name, agent_version FROM agents WHERE tenant_id = ${tenantId} AND api_key_id = ${apiKeyId}),
      a AS (
        INSERT INTO agents AS a (id, tenant_id, api_key_id, hostname, name, agent_version)
        VALUES (${id}, ${tenantId}, ${apiKeyId}, ${hostname}, ${name}, ${version})
        ON CONFLICT (api_key_id) DO UPDATE SET hostname = excluded.hostname, name = excluded.name,
          agent_version = excluded.agent_version, last_seen_at = now()
        RETURNING *
      ),
      changed AS (
        SELECT a.id, array_remove(ARRAY[
          CASE WHEN a.hostname IS DISTINCT FROM b.hostname THEN 'hostname' END,
          CASE WHEN a.name IS DISTINCT FROM b.name THEN 'name' END,
          CASE WHEN a.agent_version IS DISTINCT FROM b.agent_version THEN 'agent_version' END], NULL) AS fields
        FROM a LEFT JOIN before b ON true
      ),
      audit AS (${appendAudit(tenantId, trail, 'agent.registered', sql`(SELECT * FROM changed WHERE fields <> '{}')`, sql`changed.fields`)})
      SELECT ${AGENT_COLUMNS} FROM a`,
  )
  return toAgent(row)
}

/** Moves the `last_seen_at` of the key's own agent, and of no other; says who the key acts for. */
export async function recordHeartbeat(db: Db, keyHash: string, agentId: AgentId | undefined): Promise<Principal> {
  const row = await selectOne<CallerRow>(
    db,
    sql`WITH caller AS MATERIALIZED (SELECT * FROM ${functionNamed('resolve_caller')}(${keyHash})),
      touched_agent AS (
        UPDATE agents SET last_seen_at = now() WHERE id = (
          SELECT agent_id FROM caller WHERE agent_id = ${agentId ?? null}::uuid AND key_type = 'ingest'
        )
      )
      SELECT tenant_id, api_key_id, key_type, agent_id FROM caller`,
  )
  return toPrincipal(row)
}

const MAX_LISTED_AGENTS = 1_000

/** The tenant's agents by registration: those of all live keys, and of revoked ones the latest, a thousand in all at most. */
export async function listAgents(db: Db, tenantId: TenantId): Promise<AgentActivity[]> {
  const { rows } = await db.execute<AgentRow & { events_last_hour: number }>(
    sql`SELECT ${AGENT_COLUMNS}, ${EVENTS_LAST_HOUR} FROM (
        SELECT l.* FROM agents l JOIN api_keys k ON k.id = l.api_key_id WHERE l.tenant_id = ${tenantId}
        ORDER BY k.revoked_at IS NOT NULL, l.registered_at DESC, l.id LIMIT ${MAX_LISTED_AGENTS}
      ) a ${RATE} ORDER BY a.registered_at, a.id`,
  )
  return rows.map(toAgentActivity)
}

/** How many agents with a key that people made there are, and how many of them were heard of since an instant. */
export async function countAgents(db: Db, tenantId: TenantId, since: Date): Promise<{ readonly all: number; readonly heard: number }> {
  return await selectOne(
    db,
    sql`SELECT count(*)::int AS "all", (count(*) FILTER (WHERE a.last_seen_at > ${timestamptz(since)}))::int AS heard
      FROM agents a JOIN api_keys k ON k.id = a.api_key_id
      WHERE a.tenant_id = ${tenantId} AND k.integration_id IS NULL AND k.revoked_at IS NULL`,
  )
}

/** One agent of the tenant; throws `not_found`. */
export async function getAgent(db: Db, tenantId: TenantId, id: AgentId): Promise<AgentActivity> {
  const { rows } = await db.execute<AgentRow & { events_last_hour: number }>(
    sql`SELECT ${AGENT_COLUMNS}, ${EVENTS_LAST_HOUR} FROM agents a ${RATE} WHERE a.tenant_id = ${tenantId} AND a.id = ${id}`,
  )
  const [row] = rows
  if (!row) throw new AppError('not_found', 'no such agent')
  return toAgentActivity(row)
}

/** By then, an event that was received in a minute is stored: longer than any statement runs. */
const SETTLED_AFTER = sql`interval '10 seconds'`
const MAX_COUNTED_AGENTS = 1_000
/** Of what was not counted for long, no more than this is counted at once. */
const MAX_COUNTED_MINUTES = 5

/**
 * Counts what agents of any tenant sent in the minutes since they were counted last, for a thousand agents at most, those first that
 * wait for long. Safe to run twice at once. For the cron.
 */
export async function countReceived(db: Db): Promise<void> {
  await db.execute(sql`INSERT INTO agent_rates AS r (agent_id, tenant_id, counted_until, minutes)
    SELECT d.id, d.tenant_id, d.until, (c.minutes || CASE WHEN d.counted_until = d.since THEN d.minutes END)[1:60] FROM (
      SELECT a.id, a.tenant_id, k.counted_until, k.minutes, s.since,
        least(s.since + make_interval(mins => ${MAX_COUNTED_MINUTES}), date_trunc('minute', now() - ${SETTLED_AFTER})) AS until
      FROM agents a LEFT JOIN agent_rates k ON k.agent_id = a.id
        CROSS JOIN LATERAL (SELECT greatest(k.counted_until, date_trunc('minute', now()) - interval '60 minutes') AS since) s
      WHERE a.last_seen_at > now() - interval '61 minutes' AND s.since < date_trunc('minute', now() - ${SETTLED_AFTER})
      ORDER BY k.counted_until NULLS FIRST, a.id LIMIT ${MAX_COUNTED_AGENTS}
    ) d CROSS JOIN LATERAL (
      SELECT array_agg((
          (SELECT count(*) FROM context_events e WHERE e.agent_id = d.id AND e.received_at >= m.minute AND e.received_at < m.minute + interval '1 minute') +
          coalesce((SELECT w.count FROM agent_minutes w WHERE w.agent_id = d.id AND w.minute = m.minute), 0)
        )::int ORDER BY m.minute DESC) AS minutes
      FROM (SELECT d.since + make_interval(mins => g.place) AS minute FROM generate_series(0, ${sql.raw(String(MAX_COUNTED_MINUTES - 1))}) AS g(place)) m
      WHERE m.minute < d.until
    ) c
    ORDER BY d.id
    ON CONFLICT (agent_id) DO UPDATE SET counted_until = excluded.counted_until, minutes = excluded.minutes
      WHERE r.counted_until < excluded.counted_until`)
}

function toAgentActivity(row: AgentRow & { events_last_hour: number }): AgentActivity {
  return { ...toAgent(row), eventsLastHour: row.events_last_hour }
}

function toAgent(row: AgentRow): Agent {
  return {
    id: toId(row.id),
    tenantId: toId(row.tenant_id),
    apiKeyId: toId(row.api_key_id),
    hostname: row.hostname,
    name: row.name,
    agentVersion: row.agent_version,
    registeredAt: new Date(row.registered_ms),
    lastSeenAt: new Date(row.last_seen_ms),
  }
}
