import { sql } from 'drizzle-orm'
import { type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import type { Db } from './postgres.ts'
import type { WindowId } from './state-windows.ts'

/** Notes that these windows missed a merge, for the cron to repair. */
export async function markForRepair(db: Db, tenantId: TenantId, serviceIds: readonly ServiceId[]): Promise<void> {
  await db.execute(
    sql`INSERT INTO window_repairs (service_id, tenant_id)
      SELECT s.id::uuid, ${tenantId}::uuid FROM jsonb_array_elements_text(${JSON.stringify(serviceIds)}::jsonb) AS s(id) ORDER BY s.id
      ON CONFLICT (service_id) DO UPDATE SET failed_at = now()`,
  )
}

/**
 * The windows of all tenants that have waited longest for repair, which go to the end of the queue: one that cannot be
 * repaired holds up no other.
 */
export async function takeForRepair(db: Db, limit: number): Promise<WindowId[]> {
  const { rows } = await db.execute<{ tenant_id: string; service_id: string }>(
    sql`UPDATE window_repairs SET failed_at = now() WHERE service_id IN (
        SELECT service_id FROM window_repairs ORDER BY failed_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
      ) RETURNING tenant_id, service_id`,
  )
  return rows.map(({ tenant_id, service_id }) => ({ tenantId: toId(tenant_id), serviceId: toId(service_id) }))
}

/** Forgets that a window needed repair, unless a merge failed again after `readAt`. */
export async function clearRepair(db: Db, tenantId: TenantId, serviceId: ServiceId, readAt: Date): Promise<void> {
  await db.execute(
    sql`DELETE FROM window_repairs WHERE tenant_id = ${tenantId} AND service_id = ${serviceId}
      AND failed_at <= ${readAt.toISOString()}::timestamptz`,
  )
}
