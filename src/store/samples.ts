import { sql } from 'drizzle-orm'
import { SAMPLE_SECONDS } from '../domain/doors/sample.ts'
import { AppError } from '../domain/errors.ts'
import { SAMPLE_ENVIRONMENT } from '../domain/event/environment.ts'
import type { IntegrationId, TenantId } from '../domain/ids.ts'
import { functionNamed } from './functions.ts'
import { type Db, epochMs, selectOne, timestamptz } from './postgres.ts'
import type { RemovedService } from './services.ts'

const MAX_SAMPLES = 100

/**
 * Notes, before a sample is stored, which services it is about. Each has an id of its own. Answers the hash of the credential
 * that the integration's deliveries come with; throws `not_found` for one that is gone.
 */
export async function announceSample(
  db: Db,
  tenantId: TenantId,
  integrationId: IntegrationId,
  services: readonly { readonly id: string; readonly service_name: string }[],
): Promise<string> {
  const { rows } = await db.execute<{ hash: string }>(
    sql`WITH announced AS (
        INSERT INTO samples (id, tenant_id, service_name, ends_at)
        SELECT s.id, ${tenantId}::uuid, s.service_name, now() + make_interval(secs => ${SAMPLE_SECONDS})
        FROM jsonb_to_recordset(${JSON.stringify(services)}::jsonb) AS s(id uuid, service_name text)
      )
      SELECT k.hash FROM api_keys k WHERE k.tenant_id = ${tenantId} AND k.integration_id = ${integrationId} AND k.revoked_at IS NULL`,
  )
  const [row] = rows
  if (!row) throw new AppError('not_found', 'no such integration')
  return row.hash
}

/**
 * Forgets the incidents of samples whose time is over, and removes the services of which nothing else was ever heard: of any
 * tenant, for the cron, after expired events were deleted. Where some of those are left it comes again. `nextAt`: when the next
 * sample's time is over.
 */
export async function forgetSamples(
  db: Db,
  now: Date,
): Promise<{ readonly removed: readonly RemovedService[]; readonly nextAt: Date | undefined }> {
  const at = timestamptz(now)
  const { removed, next_ms: nextMs } = await selectOne<{ removed: readonly RemovedService[] | null; next_ms: number | null }>(
    db,
    sql`WITH ended AS MATERIALIZED (
        SELECT p.id, p.tenant_id, p.service_name, ${functionNamed('service_id_of')}(p.tenant_id, p.service_name) AS service_id
        FROM samples p WHERE p.ends_at <= ${at} ORDER BY p.ends_at LIMIT ${MAX_SAMPLES} FOR UPDATE SKIP LOCKED
      ),
      gone AS MATERIALIZED (
        SELECT i.id, i.tenant_id FROM incidents i
        WHERE (i.tenant_id, i.service_id) IN (SELECT tenant_id, service_id FROM ended) AND i.environment = ${SAMPLE_ENVIRONMENT}
          AND i.created_at <= ${at} - make_interval(secs => ${SAMPLE_SECONDS})
        FOR UPDATE
      ),
      patterns AS MATERIALIZED (SELECT ${functionNamed('delete_causal_pattern')}(g.tenant_id, g.id) AS is_done FROM gone g),
      work AS (DELETE FROM incident_work WHERE incident_id IN (SELECT id FROM gone)),
      answers AS (DELETE FROM diagnoses WHERE incident_id IN (SELECT id FROM gone)),
      deleted AS (DELETE FROM incidents WHERE id IN (SELECT id FROM gone)),
      over AS MATERIALIZED (
        SELECT e.* FROM ended e WHERE NOT EXISTS (SELECT 1 FROM context_events c WHERE c.service_id = e.service_id AND c.environment = ${SAMPLE_ENVIRONMENT})
          AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.tenant_id = e.tenant_id AND i.service_id = e.service_id
            AND i.environment = ${SAMPLE_ENVIRONMENT} AND i.id NOT IN (SELECT id FROM gone))
      ),
      forgotten AS (DELETE FROM samples WHERE id IN (SELECT id FROM over)),
      removed AS (
        DELETE FROM services s USING over o WHERE s.id = o.service_id
          AND NOT EXISTS (SELECT 1 FROM context_events c WHERE c.service_id = s.id)
          AND NOT EXISTS (SELECT 1 FROM event_counts c WHERE c.service_id = s.id)
          AND NOT EXISTS (SELECT 1 FROM incidents i WHERE i.tenant_id = s.tenant_id AND i.service_id = s.id AND i.id NOT IN (SELECT id FROM gone))
        RETURNING s.id, s.tenant_id, s.agent_id, s.name, s.name_key, s.last_event_at::text
      )
      SELECT (SELECT count(*)::int FROM patterns) AS patterns, (SELECT json_agg(r) FROM removed r) AS removed,
        ${epochMs(sql`(SELECT min(ends_at) FROM samples WHERE id NOT IN (SELECT id FROM over))`)} AS next_ms`,
  )
  return { removed: removed ?? [], nextAt: nextMs === null ? undefined : new Date(nextMs) }
}
