import type { Chance, Database } from '../deps.ts'
import { type TenantId, toId } from '../domain/ids.ts'
import { insertTenant } from '../store/tenants.ts'
import { drawKey } from './create-api-key.ts'

export type NewTenant = { readonly tenantId: TenantId; readonly ingestKey: string; readonly readonlyKey: string }

/** Makes a tenant and its first two keys. */
export async function createTenant(sources: Database & Chance, name: string): Promise<NewTenant> {
  const tenantId = toId<TenantId>(sources.newUuid())
  const ingest = await drawKey(sources, 'ingest', null)
  const readonly = await drawKey(sources, 'readonly', null)
  await insertTenant(sources.db, tenantId, name, [ingest.stored, readonly.stored])
  return { tenantId, ingestKey: ingest.key, readonlyKey: readonly.key }
}
