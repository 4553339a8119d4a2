import { sql } from 'drizzle-orm'
import type { DiagnosisInput, KindCount } from '../domain/diagnosis.ts'
import type { ServiceId, TenantId } from '../domain/ids.ts'
import { type Db, selectOne } from './postgres.ts'

const MAX_KINDS = 2_000

/** How often each kind of event occurred in these services, by the sweep's hourly counts, and since how many hours they are kept. */
export async function countKinds(db: Db, tenantId: TenantId, serviceIds: readonly ServiceId[]): Promise<DiagnosisInput['counts']> {
  const { hours_observed, kinds } = await selectOne<{ hours_observed: number | null; kinds: KindCount[] | null }>(
    db,
    sql`WITH counted AS (
      SELECT s.name AS service, c.hour, c.vendor, c.event_type, c.value_class, c.count
      FROM jsonb_array_elements_text(${JSON.stringify(serviceIds)}::jsonb) AS wanted(id)
        JOIN services s ON s.id = wanted.id::uuid AND s.tenant_id = ${tenantId}
        JOIN event_counts c ON c.service_id = s.id AND c.tenant_id = s.tenant_id
    ),
    kinds AS (
      SELECT service, vendor, event_type AS "eventType", value_class AS "valueClass", sum(count)::int AS count, count(DISTINCT hour)::int AS hours
      FROM counted GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT ${MAX_KINDS}
    )
    SELECT (SELECT ceil(extract(epoch FROM now() - min(hour)) / 3600)::int FROM counted) AS hours_observed,
      (SELECT json_agg(kinds) FROM kinds) AS kinds`,
  )
  return { hoursObserved: hours_observed ?? 0, kinds: kinds ?? [] }
}
