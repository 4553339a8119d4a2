import { and, asc, eq, lte, sql } from 'drizzle-orm'
import { type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import type { Db } from './postgres.ts'
import { windowRepairs } from './schema.ts'
import type { WindowId } from './state-windows.ts'

/** Notes that these windows missed a merge, for the cron to repair. */
export async function markForRepair(db: Db, tenantId: TenantId, serviceIds: readonly ServiceId[]): Promise<void> {
  const rows = serviceIds.map((serviceId) => ({ serviceId, tenantId })).toSorted((a, b) => (a.serviceId < b.serviceId ? -1 : 1))
  await db
    .insert(windowRepairs)
    .values(rows)
    .onConflictDoUpdate({ target: windowRepairs.serviceId, set: { failedAt: sql`now()` } })
}

/** The windows of all tenants that wait for repair, the longest waiting first. */
export async function listForRepair(db: Db, limit: number): Promise<WindowId[]> {
  const rows = await db.select().from(windowRepairs).orderBy(asc(windowRepairs.failedAt)).limit(limit)
  return rows.map(({ tenantId, serviceId }) => ({ tenantId: toId(tenantId), serviceId: toId(serviceId) }))
}

/** Forgets that a window needed repair, unless a merge failed again after `readAt`. */
export async function clearRepair(db: Db, tenantId: TenantId, serviceId: ServiceId, readAt: Date): Promise<void> {
  await db
    .delete(windowRepairs)
    .where(and(eq(windowRepairs.tenantId, tenantId), eq(windowRepairs.serviceId, serviceId), lte(windowRepairs.failedAt, readAt)))
}
