import type { Config } from './config.ts'
import type { TenantId } from './domain/ids.ts'
import { createDb, type Db } from './store/postgres.ts'
import { createRedis, type Redis } from './store/redis.ts'

/** One structured log line: the name of what happened, and fields that carry no secret and no raw line. */
export type Log = (event: string, fields: Readonly<Record<string, unknown>>) => void

export type Deps = {
  readonly db: Db
  readonly redis: Redis
  /** Which tenant a key's hash belongs to: never changes, and says nothing about whether the key still lives. */
  readonly tenantOfKey: Map<string, TenantId>
  /** The hashes of keys this isolate has seen, by key; which says nothing about whether they live either. */
  readonly hashOfKey: Map<string, string>
  readonly now: () => Date
  readonly newUuid: () => string
  readonly randomBytes: (length: number) => Uint8Array
  readonly log: Log
  /** Waits that many milliseconds. */
  readonly rest: (ms: number) => Promise<void>
  /** Requests to the stores that the batches of one sweep may take. */
  readonly sweepRequests: number
}

/** What the app works with, made once an isolate from its configuration. */
export function createDeps(config: Config): Deps {
  return {
    db: createDb(config.database),
    redis: createRedis(config.redis),
    tenantOfKey: new Map(),
    hashOfKey: new Map(),
    now: () => new Date(),
    newUuid: () => crypto.randomUUID(),
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    log: (event, fields) => console.log(JSON.stringify({ event, ...fields })),
    rest: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    sweepRequests: config.sweepRequests,
  }
}
