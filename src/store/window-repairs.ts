import { sql } from 'drizzle-orm'
import { type EventId, type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import { type Db, epochMs, selectOne, timestamptz } from './postgres.ts'
import { SAMPLE_SIZE, type WindowId } from './state-windows.ts'
import { windowsOf } from './window-joins.ts'

/** Notes that these windows missed a merge, for the cron to repair. */
export async function markForRepair(db: Db, tenantId: TenantId, serviceIds: readonly ServiceId[]): Promise<void> {
  await db.execute(
    sql`INSERT INTO window_repairs (service_id, tenant_id)
      SELECT s.id::uuid, ${tenantId}::uuid FROM jsonb_array_elements_text(${JSON.stringify(serviceIds)}::jsonb) AS s(id) ORDER BY s.id
      ON CONFLICT (service_id) DO UPDATE SET failed_at = now()`,
  )
}

/**
 * Notes the same of the windows of events that were stored before, where their changes occurred so often that no read would
 * find it: the answer may have been lost, and their merge with it.
 */
export async function markDuplicatesForRepair(db: Db, tenantId: TenantId, eventIds: readonly EventId[]): Promise<void> {
  await db.execute(
    sql`WITH flooding AS (
        SELECT DISTINCT e.service_id, e.change_key FROM jsonb_array_elements_text(${JSON.stringify(eventIds)}::jsonb) AS s(id)
          JOIN context_events e ON e.id = s.id::uuid AND e.tenant_id = ${tenantId}
        WHERE EXISTS (
          SELECT 1 FROM context_events o WHERE o.service_id = e.service_id AND o.change_key = e.change_key OFFSET ${SAMPLE_SIZE - 1} LIMIT 1)
      )
      INSERT INTO window_repairs (service_id, tenant_id)
      SELECT w.id, ${tenantId}::uuid FROM (
        SELECT service_id AS id FROM flooding
        UNION
        SELECT s.id FROM flooding f JOIN change_joins j ON j.service_id = f.service_id AND j.change_key = f.change_key
          CROSS JOIN LATERAL ${windowsOf(sql`j`)} s
      ) w ORDER BY w.id
      ON CONFLICT (service_id) DO UPDATE SET failed_at = now()`,
  )
}

/**
 * The windows that have waited longest for repair, of each tenant in turn, which go to the end of the queue: one that cannot be
 * repaired holds up no other.
 */
export async function takeForRepair(db: Db, limit: number): Promise<WindowId[]> {
  const { rows } = await db.execute<{ tenant_id: string; service_id: string }>(
    sql`WITH candidates AS MATERIALIZED (
        SELECT service_id, failed_at, row_number() OVER (PARTITION BY tenant_id ORDER BY failed_at, service_id) AS turn FROM window_repairs
        ORDER BY turn, failed_at, service_id LIMIT ${limit}
      )
      UPDATE window_repairs SET failed_at = now() WHERE service_id = ANY(ARRAY(
        SELECT r.service_id FROM window_repairs r JOIN candidates c ON c.service_id = r.service_id AND c.failed_at = r.failed_at
        FOR UPDATE OF r SKIP LOCKED
      )) RETURNING tenant_id, service_id`,
  )
  return rows.map(({ tenant_id, service_id }) => ({ tenantId: toId(tenant_id), serviceId: toId(service_id) }))
}

/** How long a window that could not be repaired is left alone while the database sleeps. */
const REPAIR_REST_MINUTES = 10

/** When the first of the marked windows is to be tried again; `undefined` when none is marked. */
export async function findNextRepair(db: Db): Promise<Date | undefined> {
  const { next_ms } = await selectOne<{ next_ms: number | null }>(
    db,
    sql`SELECT ${epochMs(sql`min(failed_at) + make_interval(mins => ${REPAIR_REST_MINUTES})`)} AS next_ms FROM window_repairs`,
  )
  return next_ms === null ? undefined : new Date(next_ms)
}

/** Forgets that a window needed repair, unless a merge failed again after `readAt`. */
export async function clearRepair(db: Db, tenantId: TenantId, serviceId: ServiceId, readAt: Date): Promise<void> {
  await db.execute(
    sql`DELETE FROM window_repairs WHERE tenant_id = ${tenantId} AND service_id = ${serviceId}
      AND failed_at <= ${timestamptz(readAt)}`,
  )
}
