import { sql } from 'drizzle-orm'
import type { KeyType } from '../domain/access/api-key.ts'
import { type ApiKeyId, type TenantId, toId } from '../domain/ids.ts'
import { appendAudit, OPERATOR } from './audit.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'

export type Tenant = { readonly id: TenantId; readonly name: string; readonly createdAt: Date }

/** A key as it is stored: by its hash and a hint of it. */
export type NewApiKey = {
  readonly id: ApiKeyId
  readonly keyType: KeyType
  readonly name: string | null
  readonly prefix: string
  readonly last4: string
  readonly hash: string
}

/** Stores a tenant with its first keys, all or nothing; its name must not be taken. */
export async function insertTenant(db: Db, tenantId: TenantId, name: string, keys: readonly NewApiKey[]): Promise<void> {
  const records = keys.map((key) => ({ ...key, key_type: key.keyType }))
  await db.execute(sql`WITH tenant AS (INSERT INTO tenants (id, name) VALUES (${tenantId}, ${name}) RETURNING id),
    audit AS (${appendAudit(tenantId, OPERATOR, 'tenant.created', sql`tenant`)})
    INSERT INTO api_keys (id, tenant_id, key_type, name, prefix, last4, hash)
    SELECT k.id, tenant.id, k.key_type, k.name, k.prefix, k.last4, k.hash
    FROM tenant, jsonb_to_recordset(${JSON.stringify(records)}::jsonb)
      AS k(id uuid, key_type text, name text, prefix text, last4 text, hash text)`)
}

const MAX_LISTED_TENANTS = 10_000

/** All tenants by name, ten thousand at most: for operators, never for a request. */
export async function listTenants(db: Db): Promise<Tenant[]> {
  const { rows } = await db.execute<TenantRow>(sql`SELECT ${COLUMNS} FROM tenants ORDER BY name LIMIT ${MAX_LISTED_TENANTS}`)
  return rows.map(toTenant)
}

/** The tenant with this name or id; for operators, never for a request. */
export async function findTenant(db: Db, nameOrId: string): Promise<Tenant | undefined> {
  const { rows } = await db.execute<TenantRow>(
    sql`SELECT ${COLUMNS} FROM tenants WHERE name = ${nameOrId} OR id::text = ${nameOrId} LIMIT 1`,
  )
  return rows.map(toTenant)[0]
}

type TenantRow = { readonly id: string; readonly name: string; readonly created_ms: number }

const COLUMNS = sql`id, name, ${epochMs(sql`created_at`)} AS created_ms`

function toTenant({ id, name, created_ms }: TenantRow): Tenant {
  return { id: toId(id), name, createdAt: new Date(created_ms) }
}

/** How far a tenant has come. */
export type FirstSteps = {
  readonly hasIngestKey: boolean
  readonly hasAgent: boolean
  readonly hasEvent: boolean
  readonly hasIntegration: boolean
}

/** Which of the first steps a tenant has made. A service that an alert named is no event yet. */
export async function getFirstSteps(db: Db, tenantId: TenantId): Promise<FirstSteps> {
  return await selectOne<FirstSteps>(
    db,
    sql`SELECT
      EXISTS (SELECT 1 FROM api_keys WHERE tenant_id = ${tenantId} AND key_type = 'ingest' AND revoked_at IS NULL) AS "hasIngestKey",
      EXISTS (SELECT 1 FROM agents WHERE tenant_id = ${tenantId}) AS "hasAgent",
      (SELECT true FROM services WHERE tenant_id = ${tenantId} AND agent_id IS NOT NULL ORDER BY name LIMIT 1) IS NOT NULL AS "hasEvent",
      EXISTS (SELECT 1 FROM integrations WHERE tenant_id = ${tenantId}) AS "hasIntegration"`,
  )
}
