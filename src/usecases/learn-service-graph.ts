import type { Database } from '../deps.ts'
import { toKnownServices } from '../domain/graph/callee.ts'
import { learnEdges } from '../domain/graph/service-graph.ts'
import { addSeenEdges, findNewFailures, type SeenEdge } from '../store/service-graph.ts'

/** Learns who calls whom from the failures of all tenants that arrived since the last time. Returns how many edges they showed. */
export async function learnServiceGraph({ db }: Database): Promise<number> {
  const failures = await findNewFailures(db)
  if (failures.kinds.length === 0) return 0
  const known = new Map([...failures.serviceNames].map(([tenantId, names]) => [tenantId, toKnownServices(names)]))
  const edges = new Map<string, SeenEdge>()
  for (const { tenantId, count, lastReceivedAt, ...source } of failures.kinds) {
    for (const edge of learnEdges(source, known.get(tenantId) ?? new Map())) {
      const key = JSON.stringify([tenantId, edge.caller, edge.callee])
      const before = edges.get(key)
      const lastSeenAt = before && before.lastSeenAt > lastReceivedAt ? before.lastSeenAt : lastReceivedAt
      edges.set(key, { ...edge, tenantId, seen: (before?.seen ?? 0) + count, lastSeenAt })
    }
  }
  await addSeenEdges(db, failures, [...edges.values()])
  return edges.size
}
