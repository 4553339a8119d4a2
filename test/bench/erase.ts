import { Redis } from 'ioredis'
import { Client, DatabaseError } from 'pg'

const FOREIGN_KEY_VIOLATION = '23503'

async function isErased(client: Client, table: string, tenantId: string): Promise<boolean> {
  const column = table === 'tenants' ? 'id' : 'tenant_id'
  try {
    await client.query(`DELETE FROM ${client.escapeIdentifier(table)} WHERE ${column} = $1`, [tenantId])
    return true
  } catch (error) {
    if (error instanceof DatabaseError && error.code === FOREIGN_KEY_VIOLATION) return false
    throw error
  }
}

async function eraseTenant(client: Client, tenantId: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'`,
  )
  // The audit of a tenant goes once its keys are dead.
  await client.query('UPDATE api_keys SET revoked_at = now() WHERE tenant_id = $1', [tenantId])
  let tables = [...rows.map(({ name }) => name), 'tenants']
  // A table whose rows others still refer to is tried again once those are gone.
  for (let before = Number.POSITIVE_INFINITY; tables.length > 0 && tables.length < before; ) {
    before = tables.length
    const kept: string[] = []
    for (const table of tables) if (!(await isErased(client, table, tenantId))) kept.push(table)
    tables = kept
  }
  if (tables.length > 0) throw new Error(`rows of tenant ${tenantId} are left in ${tables.join(', ')}`)
}

/** Deletes everything a tenant has in a real Postgres, and the benchmark's own table. */
export async function eraseFromPostgres(databaseUrl: string, tenantId: string | undefined): Promise<void> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('DROP TABLE IF EXISTS bench_appends')
    if (tenantId !== undefined) await eraseTenant(client, tenantId)
  } finally {
    await client.end()
  }
}

/** Deletes everything a tenant has in a real Redis, and the benchmark's own keys. */
export async function eraseFromRedis(redisUrl: string, tenantId: string | undefined): Promise<void> {
  const redis = new Redis(redisUrl, { lazyConnect: true, maxRetriesPerRequest: 0 })
  await redis.connect()
  try {
    for (const match of ['bench:*', ...(tenantId === undefined ? [] : [`t:${tenantId}:*`])]) {
      for await (const keys of redis.scanStream({ match, count: 1_000 })) {
        if (Array.isArray(keys) && keys.length > 0) await redis.unlink(keys)
      }
    }
  } finally {
    redis.disconnect()
  }
}
