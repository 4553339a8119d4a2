import { sql } from 'drizzle-orm'
import type { DiagnosisInput, KindCount } from '../domain/diagnosis/model.ts'
import { MIN_HOURS } from '../domain/diagnosis/usual.ts'
import type { ServiceId, TenantId } from '../domain/ids.ts'
import { type Db, selectOne } from './postgres.ts'

const MAX_KINDS = 2_000
/** Hourly counts that are looked at: of each service an equal part of so many, some at least, and more of the first. */
const MAX_COUNTS = 10_000
const MIN_COUNTS_EACH = 200
const MIN_COUNTS_OF_FIRST = 1_200
/** Services of which it matters that they are the first. */
export const FIRST_COUNTED = 8

/**
 * How often each kind of event occurred in these services, by the sweep's hourly counts, and since how many hours they are
 * kept. Of a service with many counts the latest are looked at, and taken for what the time before was like, unless they are
 * of fewer hours than a habit takes.
 */
export async function countKinds(db: Db, tenantId: TenantId, serviceIds: readonly ServiceId[]): Promise<DiagnosisInput['counts']> {
  const each = Math.max(MIN_COUNTS_EACH, Math.floor(MAX_COUNTS / Math.max(1, serviceIds.length)))
  const eachOfFirst = Math.max(MIN_COUNTS_OF_FIRST, each)
  const { hours_observed, kinds } = await selectOne<{ hours_observed: number | null; kinds: KindCount[] | null }>(
    db,
    sql`WITH asked AS (
      SELECT s.id, s.name, CASE WHEN wanted.place <= ${FIRST_COUNTED} THEN ${eachOfFirst}::int ELSE ${each}::int END AS most
      FROM jsonb_array_elements_text(${JSON.stringify(serviceIds)}::jsonb) WITH ORDINALITY AS wanted(id, place)
        JOIN services s ON s.id = wanted.id::uuid AND s.tenant_id = ${tenantId}
    ),
    -- Compared as rows and ordered by the whole primary key, so that no other index is tried.
    counted AS MATERIALIZED (
      SELECT a.id, a.most, c.* FROM asked a CROSS JOIN LATERAL (
        SELECT c.hour, c.vendor, c.event_type, c.value_class, c.count FROM event_counts c
        WHERE (c.service_id, c.hour) > (a.id, '-infinity') AND c.service_id <= a.id
        ORDER BY c.service_id DESC, c.hour DESC, c.kind_key DESC LIMIT a.most
      ) c
    ),
    observed AS (
      SELECT id, greatest(1, ceil(extract(epoch FROM now() - min(hour)) / 3600)) AS hours, count(*) = min(most) AS is_cut FROM counted GROUP BY id
    ),
    longest AS (SELECT max(hours) AS hours FROM observed),
    hourly AS (SELECT id, vendor, event_type, value_class, hour, sum(count) AS count FROM counted GROUP BY 1, 2, 3, 4, 5),
    own AS (SELECT id, vendor, event_type, value_class, sum(count) AS count, count(*) AS hours FROM hourly GROUP BY 1, 2, 3, 4),
    kinds AS (
      SELECT a.name AS service, k.vendor, k.event_type AS "eventType", k.value_class AS "valueClass",
        round(k.count * part.factor)::int AS count, round(k.hours * part.factor)::int AS hours
      FROM own k JOIN asked a ON a.id = k.id JOIN observed o ON o.id = k.id CROSS JOIN longest l
        CROSS JOIN LATERAL (SELECT CASE WHEN o.is_cut AND o.hours >= ${MIN_HOURS} THEN l.hours / o.hours ELSE 1 END AS factor) part
      ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT ${MAX_KINDS}
    )
    SELECT (SELECT hours::int FROM longest) AS hours_observed, (SELECT json_agg(kinds) FROM kinds) AS kinds`,
  )
  return { hoursObserved: hours_observed ?? 0, kinds: kinds ?? [] }
}
