import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { Client } from 'pg'

const TENANT_COMMAND = fileURLToPath(new URL('../../src/commands/tenant.ts', import.meta.url))

/** Deletes everything these tenants have in a real Postgres, and the benchmark's own table. */
export async function eraseFromPostgres(databaseUrl: string, tenantIds: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('DROP TABLE IF EXISTS bench_appends')
  } finally {
    await client.end()
  }
  const env = { ...process.env, DATABASE_URL: databaseUrl }
  for (const tenantId of tenantIds) await promisify(execFile)(process.execPath, [TENANT_COMMAND, 'delete', tenantId, '--yes'], { env })
}

/** Deletes everything these tenants have in a real Redis, and the benchmark's own keys. */
export async function eraseFromRedis(redisUrl: string, tenantIds: readonly string[]): Promise<void> {
  const redis = new Redis(redisUrl, { lazyConnect: true, maxRetriesPerRequest: 0 })
  await redis.connect()
  try {
    for (const match of ['bench:*', ...tenantIds.map((tenantId) => `t:${tenantId}:*`)]) {
      for await (const keys of redis.scanStream({ match, count: 1_000 })) {
        if (Array.isArray(keys) && keys.length > 0) await redis.unlink(keys)
      }
    }
  } finally {
    redis.disconnect()
  }
}
