import { addSums, type Sums } from '../domain/counts.ts'
import { isNumber, isObject, parseJson } from '../domain/json.ts'
import { isTimeAgain, keys, type Redis, remember } from './redis.ts'

/** What is told less often is kept in the isolate meanwhile. */
const TOLD_EVERY_MS = 10_000
const KEPT_MS = 30 * 24 * 3_600_000
const KEPT_REFRESH_MS = 3_600_000
const MANY = 50
const FOLDING_MS = 10_000

/** Whether it is time to tell what this isolate has counted: not before it has counted for so long. */
export function isTellingDue(redis: Redis, now: Date): boolean {
  if (!redis.told.has(keys.metrics)) remember(redis, [keys.metrics], now)
  return isTimeAgain(redis, keys.metrics, TOLD_EVERY_MS, now)
}

/** Adds what an isolate has counted to what is known: one command, and another once an hour. */
export async function tellSums(redis: Redis, id: string, sums: Sums, now: Date): Promise<void> {
  remember(redis, [keys.metrics], now)
  const told = ['ZADD', keys.metrics, now.getTime(), JSON.stringify([id, sums])] as const
  const refresh = `${keys.metrics} kept`
  if (!isTimeAgain(redis, refresh, KEPT_REFRESH_MS, now)) return void (await redis.client.ask(told))
  await redis.client.transact([told, ['PEXPIREAT', keys.metrics, now.getTime() + KEPT_MS]])
  remember(redis, [refresh], now)
}

/** What all isolates have counted. Where that is many entries, one that says the same takes their place: by one reader at a time. */
export async function readSums(redis: Redis, id: string, now: Date): Promise<Sums> {
  const entries = await redis.client.ask<string[]>(['ZRANGE', keys.metrics, 0, -1])
  const total = addSums(entries.map(toSums))
  if (entries.length > MANY && (await redis.client.ask(['SET', keys.metricsFolding, 1, 'NX', 'PX', FOLDING_MS])) === 'OK') {
    await redis.client.transact([
      ['ZREM', keys.metrics, ...entries],
      ['ZADD', keys.metrics, now.getTime(), JSON.stringify([id, total])],
    ])
  }
  return total
}

function toSums(entry: string): Sums {
  const parsed: unknown = parseJson(entry)
  const sums: unknown = Array.isArray(parsed) ? parsed[1] : undefined
  return isObject(sums) ? Object.fromEntries(Object.entries(sums).filter((sum): sum is [string, number] => isNumber(sum[1]))) : {}
}
