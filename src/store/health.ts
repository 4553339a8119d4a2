import { sql } from 'drizzle-orm'
import { type Db, selectOne } from './postgres.ts'
import type { Redis } from './redis.ts'

export type Checks = { readonly postgres: 'up' | 'down'; readonly redis: 'up' | 'down' }

/** Asks both stores at once whether they serve. */
export async function findHealth(db: Db, redis: Redis): Promise<Checks> {
  const [postgres, copy] = await Promise.allSettled([selectOne(db, sql`SELECT 1 AS up`), redis.client.ping()])
  return {
    postgres: postgres.status === 'fulfilled' ? 'up' : 'down',
    redis: copy.status === 'fulfilled' ? 'up' : 'down',
  }
}
