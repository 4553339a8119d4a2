import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from 'pg'

const TENANTS = 200
const SERVICES = 40_000
/** Of the large tenant, which is the one that is measured. */
const OWN_SERVICES = 10_000
const AGENTS_EACH = 5
/** Live events of the services that are asked about, the same at every size: of 10,700 some 1,900 changes, of 600 nearly as many. */
const STEADY = Array.from({ length: 50 }, (_, place) => (place === 0 ? { events: 10_700, entities: 4 } : { events: 600, entities: 97 }))
const EVENTS_AN_INCIDENT = 40
const STEADY_EVENTS = STEADY.reduce((sum, { events }) => sum + events, 0)

const AUTOVACUUM = `SELECT 1 FROM pg_stat_activity WHERE backend_type = 'autovacuum worker' AND datname = current_database()`

export type LargeTenant = { readonly tenantId: string; readonly agentId: string }

/** Tenants, their agents and services beside the large tenant, which is there with one agent: once, before any event. */
export async function fillTenants(client: Client, { tenantId, agentId }: LargeTenant): Promise<void> {
  await client.query(
    `CREATE UNLOGGED TABLE scale_agents AS SELECT row_number() OVER ()::int - 1 AS place, * FROM (
      SELECT $2::uuid AS agent_id, $1::uuid AS tenant_id
      UNION ALL SELECT md5('agent' || n)::uuid, CASE WHEN n < $3::int THEN $1::uuid ELSE md5('tenant' || n / $3::int)::uuid END
      FROM generate_series(1, $3::int * $4::int - 1) AS n) a`,
    [tenantId, agentId, AGENTS_EACH, TENANTS],
  )
  await client.query(
    `INSERT INTO tenants (id, name) SELECT DISTINCT tenant_id, 'scale ' || tenant_id FROM scale_agents ON CONFLICT DO NOTHING`,
  )
  await client.query(`INSERT INTO api_keys (id, tenant_id, key_type, prefix, last4, hash)
    SELECT agent_id, tenant_id, 'ingest', 'noc_ingest_x', 'none', 'none ' || agent_id FROM scale_agents WHERE place > 0`)
  await client.query(`INSERT INTO agents (id, tenant_id, api_key_id, hostname, name)
    SELECT agent_id, tenant_id, agent_id, 'host-' || place, 'host-' || place FROM scale_agents WHERE place > 0`)
  await client.query(
    `CREATE UNLOGGED TABLE scale_services AS
      SELECT service_id_of(t.tenant_id, s.name) AS service_id, t.tenant_id, s.name, s.number,
        row_number() OVER (PARTITION BY t.tenant_id ORDER BY s.number)::int - 1 AS place
      FROM (SELECT tenant_id, row_number() OVER (ORDER BY tenant_id <> $1::uuid, tenant_id)::int - 1 AS tenant FROM (SELECT DISTINCT tenant_id FROM scale_agents) d) t
        CROSS JOIN LATERAL (SELECT n AS number, 'service-' || n AS name FROM generate_series(1, CASE WHEN t.tenant = 0 THEN $2::int ELSE $3::int END) AS n) s`,
    [tenantId, OWN_SERVICES, Math.ceil((SERVICES - OWN_SERVICES) / (TENANTS - 1))],
  )
  await client.query(`INSERT INTO services (id, tenant_id, agent_id, name, name_key)
    SELECT s.service_id, s.tenant_id, (SELECT a.agent_id FROM scale_agents a WHERE a.tenant_id = s.tenant_id LIMIT 1), s.name, replace(s.name, '-', '')
    FROM scale_services s`)
  await client.query(
    `UPDATE services s SET last_event_at = now() - interval '1 hour' FROM scale_services o WHERE o.service_id = s.id AND o.place >= $1`,
    [STEADY.length],
  )
  await client.query('CREATE UNIQUE INDEX ON scale_services (tenant_id, place)')
  await client.query('CREATE UNIQUE INDEX ON scale_agents (place)')
  await client.query('ANALYZE scale_agents, scale_services')
  let stored = 0
  for (const [place, { events, entities }] of STEADY.entries()) {
    await insertEvents(client, stored + 1, stored + events, { agent: '0', service: `${place}`, entities })
    stored += events
  }
  // What was usual of a day at those services, and at as many that have most of the other events.
  await client.query(
    `INSERT INTO event_counts (tenant_id, service_id, hour, kind_key, vendor, event_type, entity, value_class, count)
      SELECT s.tenant_id, s.service_id, date_trunc('hour', now()) - make_interval(hours => h), md5('kind' || k)::uuid,
        (ARRAY['argocd', 'kubernetes', 'postgres', 'redis'])[1 + k % 4], (ARRAY['deploy', 'restart', 'saturation', 'dependency_failure'])[1 + k % 4],
        'entity-' || k, '#', 1 + k
      FROM scale_services s CROSS JOIN generate_series(1, 24) AS h CROSS JOIN generate_series(1, 40) AS k
      WHERE s.tenant_id = $1 AND s.place < $2::int`,
    [tenantId, 2 * STEADY.length],
  )
  await client.query(`UPDATE context_events SET vendor = 'rare', event_type = 'schema_change'
    WHERE id IN (SELECT id FROM context_events WHERE service_name = 'service-1' ORDER BY received_at LIMIT 3)`)
}

/**
 * Brings the live events to so many, received over the last six hours and alive for up to seventeen more: a sixth of them one agent's, a
 * quarter changes, a tenth the only ones of their change, the others repeats of what has been so for longer. Secondary indexes are taken
 * down meanwhile, for loading past them is ten times as fast.
 */
export async function fillEvents(client: Client, from: number, to: number, report: (line: string) => void): Promise<void> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
      WHERE indrelid = 'context_events'::regclass AND NOT indisprimary`,
  )
  for (const { name } of rows) await client.query(`DROP INDEX ${name}`)
  const agent = `CASE WHEN n % 6 = 0 THEN 0 ELSE n % ${AGENTS_EACH * TENANTS} END`
  for (let at = Math.max(from, STEADY_EVENTS); at < to; at += 500_000) {
    report(`${at.toLocaleString('en')} events`)
    await insertEvents(client, at + 1, Math.min(at + 500_000, to), {
      agent,
      service: `${STEADY.length} + floor(power(random(), 2) * 100)`,
      entities: 97,
      value: `CASE WHEN n % 10 = 0 THEN n ELSE ${REPEATED} END`,
    })
  }
  for (const { name, definition } of rows) {
    report(`building ${name}`)
    await client.query(definition)
  }
  // Autovacuum may not have come by since the first events.
  await client.query('ANALYZE context_events')
  await fillJoins(client)
  await fillIncidents(client, Math.floor(to / EVENTS_AN_INCIDENT))
  report('vacuum')
  // While another worker looks at the tables, what was just stored is not visible to all yet.
  while ((await client.query(AUTOVACUUM)).rows.length > 0) await sleep(1_000)
  await client.query('VACUUM ANALYZE')
}

/**
 * Changes that join the window of one of 40 services, each of some, and of those services that keep what they have a few hundred that
 * join the third one's; in the order in which they were stored.
 */
async function fillJoins(client: Client): Promise<void> {
  await client.query('TRUNCATE change_joins')
  await client.query(
    `INSERT INTO change_joins (tenant_id, name_key, service_id, change_key, rule, event_type, appeared_at, expires_at)
      SELECT e.tenant_id, k.name_key, e.service_id, e.change_key, 'entity', 'deploy', max(e.appeared_at), max(coalesce(e.kept_until, e.expires_at)) + interval '1 hour'
      FROM context_events e JOIN scale_services s ON s.service_id = e.service_id CROSS JOIN LATERAL (
        VALUES ('service' || 60 + substr(e.entity, 8)::int % 40), (CASE WHEN s.place BETWEEN 3 AND $1::int THEN 'service3' END)) AS k(name_key)
      WHERE e.vendor = 'argocd' AND e.event_type = 'deploy' AND e.entity LIKE 'entity-%' AND k.name_key IS NOT NULL
      GROUP BY 1, 2, 3, 4 ORDER BY 8`,
    [STEADY.length - 1],
  )
}

/**
 * What grows with events: incidents of half a year, half of them the large tenant's, all but five hundred resolved, a tenth judged; each
 * with an answer, its work and an entry of the audit. All are stored anew, so that they are in the order of their time at every size.
 */
async function fillIncidents(client: Client, count: number): Promise<void> {
  await client.query('TRUNCATE incidents, diagnoses, incident_work')
  // Past the trigger that keeps the audit: also of what a measurement before did, for whose keys are looked up entry by entry.
  await client.query(`SET session_replication_role = replica`)
  await client.query('DELETE FROM audit_entries')
  await client.query(`RESET session_replication_role`)
  await client.query('DROP TABLE IF EXISTS scale_incidents')
  await client.query(
    `CREATE UNLOGGED TABLE scale_incidents AS
      SELECT v.n, md5('incident' || v.n)::uuid AS id, a.tenant_id, s.service_id, s.name, v.at FROM (
        SELECT n, CASE WHEN n % 2 = 0 THEN 0 ELSE n % $2::int END AS agent, $3::int + n % 100 AS place,
          now() - random() * interval '180 days' AS at FROM generate_series(1, $1::int) AS n OFFSET 0
      ) v JOIN scale_agents a ON a.place = v.agent JOIN scale_services s ON s.tenant_id = a.tenant_id AND s.place = v.place`,
    [count, AGENTS_EACH * TENANTS, STEADY.length],
  )
  await client.query(`INSERT INTO incidents (id, tenant_id, service_id, service_name, title, triggered_at, created_at, resolved_at, external_source, external_ref)
    SELECT id, tenant_id, service_id, name, 'error rate above ' || n % 50 || ' %', at, at, CASE WHEN n % 20 > 0 OR n > 10000 THEN at + interval '1 hour' END,
      'pagerduty', 'P' || n FROM scale_incidents ORDER BY at`)
  await client.query(`INSERT INTO diagnoses (incident_id, number, tenant_id, made_at, diagnosed_by, hypothesis, confidence, abstained, answer,
      context_snapshot, is_snapshot_whole, signature, verdict, verdict_at, verdict_by)
    SELECT id, 1, tenant_id, at, 'engine', repeat('a deploy ', 20), 0.8, n % 4 = 0, json_build_object('v', 1, 'hypotheses', json_build_array(
        json_build_object('service', name, 'eventIds', json_build_array(md5('event' || n * 90)::uuid), 'why', repeat(md5(n::text), 60)))),
      '{}', false, json_build_object('v', 1, 'embedding', (SELECT json_agg(0.095310 * (k % 3)) FROM generate_series(1, 128) AS k), 'cause', NULL,
        'compared', json_build_object('told', n % 9, 'own', json_build_object('cause', n % 9, 'confidence', 0.8, 'unrecorded', 0.1))),
      v.verdict, CASE WHEN v.verdict IS NOT NULL THEN at + interval '2 hours' END, CASE WHEN v.verdict IS NOT NULL THEN 'operator' END
    FROM scale_incidents, LATERAL (SELECT (ARRAY['rejected', 'confirmed'])[1 + n / 2 % 20] AS verdict) v ORDER BY at`)
  await client.query(`INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, done_at)
    SELECT id, kind, number, tenant_id, 'done', at, 0, at FROM scale_incidents CROSS JOIN (VALUES ('diagnosis', 0), ('note', 1)) AS k(kind, number) ORDER BY at`)
  await client.query(`INSERT INTO audit_entries (id, tenant_id, at, actor, action, target_type, target_id)
    SELECT md5('audit' || n)::uuid, tenant_id, at, 'pagerduty', 'note.posted', 'note', id FROM scale_incidents ORDER BY at`)
}

/** Values that repeat. */
const REPEATED = 'n / 97 % 13'

async function insertEvents(
  client: Client,
  from: number,
  to: number,
  {
    agent,
    service,
    entities,
    value = REPEATED,
  }: { readonly agent: string; readonly service: string; readonly entities: number; readonly value?: string },
): Promise<void> {
  await client.query(
    `INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, new_value, confidence,
      ttl_seconds, "timestamp", received_at, expires_at, kept_until, raw_line, value_class, change_key, appeared_at)
    SELECT md5('event' || v.n)::uuid, a.tenant_id, a.agent_id, s.service_id, s.name, v.vendor, v.type, v.entity, v.value, 0.9,
      extract(epoch FROM v.expires_at - v.received_at)::int, v.received_at, v.received_at, v.expires_at,
      CASE WHEN v.type IN ('deploy', 'flag_change', 'config_change') THEN greatest(v.expires_at, v.received_at + interval '1 day') END,
      repeat('a raw line ', 15), '#', md5(v.vendor || v.type || v.entity || v.value)::uuid,
      CASE WHEN v.n % 10 = 0 THEN date_trunc('second', v.received_at) ELSE date_trunc('hour', now() - interval '7 hours') END
    FROM (
      SELECT n, ${agent} AS agent, ${service} AS service,
        (ARRAY['argocd', 'kubernetes', 'postgres', 'redis', 'kafka', 'flagd'])[1 + n % 6] AS vendor,
        (ARRAY['deploy', 'flag_change', 'config_change', 'dependency_failure', 'restart', 'saturation', 'restart', 'saturation', 'restart',
          'saturation', 'saturation', 'saturation'])[1 + n / 7 % 12] AS type,
        'entity-' || n % ${entities} AS entity, 'value-' || ${value} AS value,
        now() - random() * interval '6 hours' AS received_at, now() + interval '10 minutes' + random() * interval '17 hours' AS expires_at
      FROM generate_series($1::int, $2::int) AS n OFFSET 0
    ) v
    JOIN scale_agents a ON a.place = v.agent
    JOIN scale_services s ON s.tenant_id = a.tenant_id AND s.place = v.service`,
    [from, to],
  )
}
