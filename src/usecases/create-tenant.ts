import { type TenantId, toId } from '../domain/ids.ts'
import type { Db } from '../store/postgres.ts'
import { insertTenant } from '../store/tenants.ts'
import { createApiKey } from './create-api-key.ts'

type Sources = {
  readonly db: Db
  readonly newUuid: () => string
  readonly randomBytes: (length: number) => Uint8Array
}

export type NewTenant = { readonly tenantId: TenantId; readonly ingestKey: string; readonly readonlyKey: string }

/** Makes a tenant and its first two keys. */
export async function createTenant(sources: Sources, name: string): Promise<NewTenant> {
  const tenantId = toId<TenantId>(sources.newUuid())
  await insertTenant(sources.db, tenantId, name)
  const ingest = await createApiKey(sources, tenantId, 'ingest', null)
  const readonly = await createApiKey(sources, tenantId, 'readonly', null)
  return { tenantId, ingestKey: ingest.key, readonlyKey: readonly.key }
}
