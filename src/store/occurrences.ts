import { sql } from 'drizzle-orm'
import { type EventId, type TenantId, toId } from '../domain/ids.ts'
import type { Occurrence } from '../domain/window/burst.ts'
import { happenedAt } from './changes.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'

/** Occurrences of one change that are told, at equal distances: enough to see where it came more often. */
const MAX_TOLD = 64

/** When the changes with these latest events occurred in their present lives, from the first that is stored on, of at most so many each. */
export async function findOccurrences(
  db: Db,
  tenantId: TenantId,
  latest: readonly EventId[],
  { until, sampleSize }: { readonly until: Date | null; readonly sampleSize: number },
): Promise<ReadonlyMap<EventId, readonly Occurrence[]>> {
  const { lives } = await selectOne<{ lives: [string, [string, number, number][]][] | null }>(
    db,
    sql`SELECT json_agg(json_build_array(l.id, told.occurrences)) AS lives
    FROM jsonb_array_elements_text(${JSON.stringify(latest)}::jsonb) AS wanted(id)
      JOIN context_events l ON l.id = wanted.id::uuid AND l.tenant_id = ${tenantId}
      CROSS JOIN LATERAL (
        SELECT json_agg(json_build_array(o.id, ${epochMs(sql`o.happened_at`)}, o.place - 1) ORDER BY o.place) AS occurrences
        FROM (
          SELECT e.id, e.happened_at, row_number() OVER (ORDER BY e.happened_at, e.id) AS place, count(*) OVER () AS total
          FROM (
            SELECT c.id, ${happenedAt(sql`c`)} AS happened_at FROM context_events c
            WHERE c.service_id = l.service_id AND c.change_key = l.change_key AND c.expires_at > l.appeared_at AND c.received_at >= l.appeared_at
              AND ${happenedAt(sql`c`)} <= ${until?.toISOString() ?? 'infinity'}::timestamptz
            ORDER BY c.expires_at DESC LIMIT ${sampleSize}
          ) e
        ) o
        WHERE (o.place - 1) % (1 + o.total / ${MAX_TOLD}) = 0
      ) told`,
  )
  return new Map(
    (lives ?? []).map(([id, occurrences]) => [
      toId<EventId>(id),
      occurrences.map(([occurrence, atMs, before]) => ({ id: toId<EventId>(occurrence), atMs, before })),
    ]),
  )
}
