import { sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import { SAMPLE_ENVIRONMENT } from '../domain/event/environment.ts'
import type { CallSource } from '../domain/graph/callee.ts'
import type { GraphEdge, LearnedEdge, ServiceGraph } from '../domain/graph/service-graph.ts'
import type { ServiceId, TenantId } from '../domain/ids.ts'
import { MAX_SHOWN_LENGTH } from '../domain/text.ts'
import { appendAudit, type Trail } from './audit.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'

const MAX_EDGES = 5_000

export type EdgeRow = {
  readonly caller: string
  readonly callee: string
  readonly seen: number
  readonly last_seen_ms: number | null
  readonly declared: boolean
}

/** Who calls whom among a tenant's services: declared ones and those seen last in turn, five thousand edges at most. */
export async function readServiceGraph(db: Db, tenantId: TenantId): Promise<ServiceGraph> {
  const { rows } = await db.execute<EdgeRow>(
    sql`SELECT caller, callee, seen, ${epochMs(sql`last_seen_at`)} AS last_seen_ms, declared FROM service_edges
      WHERE tenant_id = ${tenantId}
      ORDER BY row_number() OVER (PARTITION BY declared ORDER BY last_seen_at DESC NULLS LAST, caller, callee), declared LIMIT ${MAX_EDGES}`,
  )
  return { edges: rows.map(toEdge) }
}

export type Dependencies = {
  readonly learned: readonly { readonly service: string; readonly seen: number; readonly lastSeenAt: Date }[]
  readonly declared: readonly string[]
}

type DependencyRow = { readonly name: string; readonly edges: readonly EdgeRow[] | null }

/** What one service of the tenant depends on; throws `not_found`. */
export async function getDependencies(db: Db, tenantId: TenantId, serviceId: ServiceId): Promise<Dependencies> {
  const { rows } = await db.execute<DependencyRow>(
    sql`SELECT s.name, (
        SELECT json_agg(json_build_object('caller', e.caller, 'callee', e.callee, 'seen', e.seen,
          'last_seen_ms', ${epochMs(sql`e.last_seen_at`)}, 'declared', e.declared) ORDER BY e.callee)
        FROM service_edges e WHERE e.tenant_id = s.tenant_id AND e.caller = s.name
      ) AS edges
      FROM services s WHERE s.tenant_id = ${tenantId} AND s.id = ${serviceId}`,
  )
  const [row] = rows
  if (!row) throw new AppError('not_found', 'no such service')
  const edges = (row.edges ?? []).map(toEdge)
  return {
    learned: edges.flatMap(({ callee, seen, lastSeenAt }) => (lastSeenAt ? [{ service: callee, seen, lastSeenAt }] : [])),
    declared: edges.flatMap(({ callee, declared }) => (declared ? [callee] : [])),
  }
}

/** Replaces what an operator declared that a service depends on; what was learned stays. Throws `not_found`. */
export async function declareDependencies(
  db: Db,
  tenantId: TenantId,
  serviceId: ServiceId,
  callees: readonly string[],
  trail: Trail,
): Promise<void> {
  const { services } = await selectOne<{ services: number }>(
    db,
    sql`WITH caller AS (SELECT id, name FROM services WHERE tenant_id = ${tenantId} AND id = ${serviceId}),
      wanted AS (SELECT caller.name AS caller, w.callee FROM caller, jsonb_array_elements_text(${JSON.stringify(callees)}::jsonb) AS w(callee)),
      removed AS (
        DELETE FROM service_edges e USING caller
        WHERE e.tenant_id = ${tenantId} AND e.caller = caller.name AND e.last_seen_at IS NULL AND e.callee NOT IN (SELECT callee FROM wanted)
      ),
      undeclared AS (
        UPDATE service_edges e SET declared = false FROM caller
        WHERE e.tenant_id = ${tenantId} AND e.caller = caller.name AND e.last_seen_at IS NOT NULL AND e.declared
          AND e.callee NOT IN (SELECT callee FROM wanted)
      ),
      declared AS (
        INSERT INTO service_edges (tenant_id, caller, callee, declared) SELECT ${tenantId}::uuid, caller, callee, true FROM wanted
        ORDER BY callee ON CONFLICT (tenant_id, caller, callee) DO UPDATE SET declared = true
      ),
      known AS (
        SELECT e.callee FROM service_edges e JOIN caller ON e.caller = caller.name WHERE e.tenant_id = ${tenantId} AND e.declared
      ),
      changed AS (
        SELECT id FROM caller WHERE EXISTS (SELECT callee FROM known EXCEPT SELECT callee FROM wanted)
          OR EXISTS (SELECT callee FROM wanted EXCEPT SELECT callee FROM known)
      ),
      audit AS (${appendAudit(tenantId, trail, 'dependencies.declared', sql`changed`)})
      SELECT count(*)::int AS services FROM caller`,
  )
  if (services === 0) throw new AppError('not_found', 'no such service')
}

/** What failures of one kind say, over all of them since edges were last learned. */
type FailureKind = CallSource & {
  readonly tenantId: TenantId
  readonly count: number
  readonly lastReceivedAt: Date
}

/** Failures that no edge was learned from yet, and what is needed to learn from them. */
export type NewFailures = {
  readonly kinds: readonly FailureKind[]
  readonly serviceNames: ReadonlyMap<TenantId, readonly string[]>
  /** What has been read, to the microsecond. */
  readonly from: string | null
  readonly until: string
}

type NewFailuresRow = {
  readonly from: string | null
  readonly until: string
  readonly kinds: readonly (Omit<FailureKind, 'lastReceivedAt'> & { readonly lastMs: number })[] | null
  readonly names: readonly { readonly tenantId: TenantId; readonly names: readonly string[] }[] | null
}

const MAX_FAILURE_KINDS = 2_000
const MAX_NAMES = 5_000

/** Reads, for all tenants, the failures received since edges were last learned. What is just being stored is left for later. */
export async function findNewFailures(db: Db): Promise<NewFailures> {
  const row = await selectOne<NewFailuresRow>(
    db,
    sql`WITH span AS (
      SELECT (SELECT learned_until FROM service_graph_progress WHERE id = 1) AS learned_until, now() - interval '5 seconds' AS until
    ),
    kinds AS (
      -- Tenants take turns: a flood of one leaves the others' to be learned from.
      SELECT k.*, row_number() OVER (PARTITION BY tenant_id ORDER BY last_received_at DESC) AS turn FROM (
      SELECT e.tenant_id, e.service_name, e.vendor, e.event_type, e.entity, min(left(e.new_value, ${MAX_SHOWN_LENGTH})) AS new_value,
        count(*)::int AS count, max(e.received_at) AS last_received_at
      FROM span, context_events e
      WHERE e.event_type IN ('dependency_failure', 'circuit_open') AND e.environment IS DISTINCT FROM ${SAMPLE_ENVIRONMENT}
        AND e.received_at > coalesce(span.learned_until, '-infinity') AND e.received_at <= span.until
      GROUP BY e.tenant_id, e.service_name, e.vendor, e.event_type, e.entity, e.value_class
      ) k ORDER BY turn, last_received_at DESC LIMIT ${MAX_FAILURE_KINDS}
    ),
    named AS (
      SELECT s.tenant_id, s.name, row_number() OVER (PARTITION BY s.tenant_id ORDER BY s.last_event_at DESC) AS place
      FROM services s WHERE s.tenant_id IN (SELECT tenant_id FROM kinds)
    )
    SELECT learned_until::text AS from, until::text AS until,
      (SELECT json_agg(json_build_object('tenantId', tenant_id, 'serviceName', service_name, 'vendor', vendor, 'eventType', event_type,
        'entity', entity, 'newValue', new_value, 'count', count, 'lastMs', ${epochMs(sql`last_received_at`)})) FROM kinds) AS kinds,
      (SELECT json_agg(json_build_object('tenantId', tenant_id, 'names', names)) FROM (
        SELECT tenant_id, json_agg(name) AS names FROM named WHERE place <= ${MAX_NAMES} GROUP BY tenant_id
      ) n) AS names
    FROM span`,
  )
  return {
    from: row.from,
    until: row.until,
    kinds: (row.kinds ?? []).map(({ lastMs, ...kind }) => ({ ...kind, lastReceivedAt: new Date(lastMs) })),
    serviceNames: new Map((row.names ?? []).map(({ tenantId, names }) => [tenantId, names])),
  }
}

export type SeenEdge = LearnedEdge & { readonly tenantId: TenantId; readonly seen: number; readonly lastSeenAt: Date }

/** Adds what failures showed, unless someone else read them meanwhile: each failure counts once. */
export async function addSeenEdges(db: Db, { from, until }: NewFailures, edges: readonly SeenEdge[]): Promise<void> {
  await db.execute(
    sql`WITH progressed AS (
      INSERT INTO service_graph_progress AS p (id, learned_until) VALUES (1, ${until}::timestamptz)
      ON CONFLICT (id) DO UPDATE SET learned_until = excluded.learned_until WHERE p.learned_until = ${from}::timestamptz
      RETURNING id
    )
    INSERT INTO service_edges AS e (tenant_id, caller, callee, seen, last_seen_at)
    SELECT n."tenantId", n.caller, n.callee, n.seen, n."lastSeenAt"
    FROM progressed, jsonb_to_recordset(${JSON.stringify(edges)}::jsonb)
      AS n("tenantId" uuid, caller text, callee text, seen int, "lastSeenAt" timestamptz)
    ORDER BY 1, 2, 3
    ON CONFLICT (tenant_id, caller, callee) DO UPDATE SET seen = e.seen + excluded.seen,
      last_seen_at = greatest(e.last_seen_at, excluded.last_seen_at)`,
  )
}

/** An edge of its row. */
export function toEdge({ last_seen_ms, ...edge }: EdgeRow): GraphEdge {
  return { ...edge, lastSeenAt: last_seen_ms === null ? null : new Date(last_seen_ms) }
}
