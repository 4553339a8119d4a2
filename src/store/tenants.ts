import type { TenantId } from '../domain/ids.ts'
import type { Db } from './postgres.ts'
import { tenants } from './schema.ts'

/** Stores a new tenant; its name must not be taken. */
export async function insertTenant(db: Db, tenantId: TenantId, name: string): Promise<void> {
  await db.insert(tenants).values({ id: tenantId, name })
}
