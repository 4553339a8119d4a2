import type { TenantId } from '../domain/ids.ts'
import { keys, type Redis } from './redis.ts'

const DAY_SECONDS = 86_400

/** Books tokens on the tenant's account of the day. Answers how many are booked by now; throws when Redis is down. */
export async function bookModelTokens(redis: Redis, tenantId: TenantId, tokens: number, now: Date): Promise<number> {
  const key = keys.modelTokens(tenantId, now.toISOString().slice(0, 10))
  const [booked] = await redis.client.transact([
    ['INCRBY', key, Math.round(tokens)],
    ['EXPIRE', key, 2 * DAY_SECONDS],
  ])
  return Number(booked)
}
