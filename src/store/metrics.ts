import { addSums, type Sums } from '../domain/counts.ts'
import { isNumber, isObject, parseJson } from '../domain/json.ts'
import { isTimeAgain, keys, type Redis, remember } from './redis.ts'

/** What is told less often is kept in the isolate meanwhile. */
const TOLD_EVERY_MS = 10_000
const KEPT_MS = 30 * 24 * 3_600_000
/** How often an isolate sees to what all have told: that it is kept, and that it is few entries. */
const KEPT_REFRESH_MS = 600_000
const MANY = 50
/** Entries that are put together at once: of some 1 kB, where a request has 1 MB on the free plan. */
const FOLDED_AT_ONCE = 500
const FOLDING_MS = 10_000

/** Whether it is time to tell what this isolate has counted: not before it has counted for so long. */
export function isTellingDue(redis: Redis, now: Date): boolean {
  if (!redis.told.has(keys.metrics)) remember(redis, [keys.metrics], now)
  return isTimeAgain(redis, keys.metrics, TOLD_EVERY_MS, now)
}

/** Adds what an isolate has counted to what is known: one command, and a few others every ten minutes. */
export async function tellSums(redis: Redis, id: string, sums: Sums, now: Date): Promise<void> {
  remember(redis, [keys.metrics], now)
  const told = ['ZADD', keys.metrics, now.getTime(), JSON.stringify([id, sums])] as const
  const refresh = `${keys.metrics} kept`
  if (!isTimeAgain(redis, refresh, KEPT_REFRESH_MS, now)) return void (await redis.client.ask(told))
  const [, , entries] = await redis.client.transact([told, ['PEXPIREAT', keys.metrics, now.getTime() + KEPT_MS], ['ZCARD', keys.metrics]])
  if (Number(entries) > MANY) await foldSums(redis, `${id} folded`, now)
  // Of more than that, more are put together when it is told next.
  if (Number(entries) <= FOLDED_AT_ONCE) remember(redis, [refresh], now)
}

/** Puts the oldest entries together: one that says the same takes their place. By one isolate at a time. */
async function foldSums(redis: Redis, id: string, now: Date): Promise<void> {
  if ((await redis.client.ask(['SET', keys.metricsFolding, 1, 'NX', 'PX', FOLDING_MS])) !== 'OK') return
  const entries = await redis.client.ask<string[]>(['ZRANGE', keys.metrics, 0, FOLDED_AT_ONCE - 1])
  if (entries.length === 0) return
  await redis.client.transact([
    ['ZREM', keys.metrics, ...entries],
    ['ZADD', keys.metrics, now.getTime(), JSON.stringify([id, addSums(entries.map(toSums))])],
  ])
}

/** What all isolates have counted. */
export async function readSums(redis: Redis): Promise<Sums> {
  const entries = await redis.client.ask<string[]>(['ZRANGE', keys.metrics, 0, -1])
  return addSums(entries.map(toSums))
}

function toSums(entry: string): Sums {
  const parsed: unknown = parseJson(entry)
  const sums: unknown = Array.isArray(parsed) ? parsed[1] : undefined
  return isObject(sums) ? Object.fromEntries(Object.entries(sums).filter((sum): sum is [string, number] => isNumber(sum[1]))) : {}
}
