import { sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import type { CallSource } from '../domain/graph/callee.ts'
import type { GraphEdge } from '../domain/graph/service-graph.ts'
import { type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import { MAX_SHOWN_LENGTH } from '../domain/text.ts'
import { HAPPENED } from './changes.ts'
import { type Db, epochMs } from './postgres.ts'
import { type EdgeRow, toEdge } from './service-graph.ts'
import { isAlerting } from './services.ts'

/** Failing calls of one kind that a service told of in the last hour. */
type FailingCall = CallSource & { readonly count: number; readonly firstAt: Date; readonly lastAt: Date }

/** A service with those that call it and that it calls. */
export type Neighbourhood = {
  readonly name: string
  readonly team: string | null
  readonly ownerUrl: string | null
  readonly edges: readonly GraphEdge[]
  /** Of the edges' other ends those that are services of the tenant. */
  readonly services: readonly { readonly id: ServiceId; readonly name: string; readonly isAlerting: boolean }[]
  readonly failingCalls: readonly FailingCall[]
}

type FailingRow = Omit<FailingCall, 'firstAt' | 'lastAt'> & { readonly firstMs: number; readonly lastMs: number }

type NeighbourhoodRow = Pick<Neighbourhood, 'name' | 'team'> & {
  readonly owner_url: string | null
  readonly edges: readonly EdgeRow[] | null
  readonly services: readonly { readonly id: string; readonly name: string; readonly isAlerting: boolean }[] | null
  readonly failing: readonly FailingRow[] | null
}

const MAX_EDGES = 200
/** Of one service's events so many are searched for failing calls. */
const MAX_EVENTS = 2_000
const MAX_KINDS = 200

/** What is around one service of the tenant: one statement. Throws `not_found`. */
export async function getNeighbourhood(db: Db, tenantId: TenantId, serviceId: ServiceId): Promise<Neighbourhood> {
  const { rows } = await db.execute<NeighbourhoodRow>(
    sql`WITH self AS MATERIALIZED (SELECT id, name, team, owner_url FROM services WHERE tenant_id = ${tenantId} AND id = ${serviceId}),
      edges AS MATERIALIZED (
        SELECT e.* FROM self, service_edges e WHERE e.tenant_id = ${tenantId} AND (e.caller = self.name OR e.callee = self.name)
        ORDER BY e.declared DESC, e.last_seen_at DESC NULLS LAST, e.caller, e.callee LIMIT ${MAX_EDGES}
      ),
      near AS MATERIALIZED (
        SELECT s.id, s.name FROM services s WHERE s.tenant_id = ${tenantId} AND s.name IN (SELECT caller FROM edges UNION SELECT callee FROM edges)
      ),
      failing AS (
        SELECT n.name AS "serviceName", e.vendor, e.event_type AS "eventType", e.entity, min(left(e.new_value, ${MAX_SHOWN_LENGTH})) AS "newValue",
          count(*)::int AS count, ${epochMs(sql`min(${HAPPENED})`)} AS "firstMs", ${epochMs(sql`max(e.received_at)`)} AS "lastMs"
        FROM (SELECT name, id FROM near WHERE name IN (SELECT caller FROM edges) UNION SELECT name, id FROM self) n CROSS JOIN LATERAL (
          SELECT * FROM context_events o WHERE o.service_id = n.id LIMIT ${MAX_EVENTS}
        ) e
        WHERE e.event_type IN ('dependency_failure', 'circuit_open') AND e.received_at > now() - interval '1 hour'
        GROUP BY n.name, e.vendor, e.event_type, e.entity, e.value_class ORDER BY count(*) DESC LIMIT ${MAX_KINDS}
      )
      SELECT self.name, self.team, self.owner_url,
        (SELECT json_agg(json_build_object('caller', caller, 'callee', callee, 'seen', seen, 'last_seen_ms', ${epochMs(sql`last_seen_at`)},
          'declared', declared)) FROM edges) AS edges,
        (SELECT json_agg(json_build_object('id', id, 'name', name, 'isAlerting', ${isAlerting(sql`${tenantId}`, sql`near.id`)})) FROM near) AS services,
        (SELECT json_agg(f) FROM failing f) AS failing
      FROM self`,
  )
  const [row] = rows
  if (!row) throw new AppError('not_found', 'no such service')
  return {
    name: row.name,
    team: row.team,
    ownerUrl: row.owner_url,
    edges: (row.edges ?? []).map(toEdge),
    services: (row.services ?? []).map(({ id, ...service }) => ({ ...service, id: toId(id) })),
    failingCalls: (row.failing ?? []).map(({ firstMs, lastMs, ...call }) => ({
      ...call,
      firstAt: new Date(firstMs),
      lastAt: new Date(lastMs),
    })),
  }
}
