import { Redis as UpstashRedis } from '@upstash/redis/cloudflare'
import { setBounded } from '../domain/bounded-map.ts'
import type { ServiceId, TenantId } from '../domain/ids.ts'

/** One Redis command: its name and arguments. */
export type RedisCommand = readonly [name: string, ...args: (string | number)[]]

/** Upstash's client, with transactions that cost no more than their request: its own builder makes 200 closures for each. */
class RedisClient extends UpstashRedis {
  /** Runs commands in one MULTI, never twice; throws when any of them failed. */
  async transact(commands: readonly RedisCommand[]): Promise<void> {
    const answer: unknown = await this.client.request({ path: ['multi-exec'], body: commands as unknown[] })
    const isDone = Array.isArray(answer) && answer.length === commands.length && answer.every((one) => one && 'result' in one)
    if (!isDone) throw new Error('Redis did not run the transaction')
  }
}

/** A client of Upstash's REST protocol, and what this isolate remembers having told the server lately. */
export type Redis = { readonly client: RedisClient; readonly told: Map<string, number> }

type RedisOptions = { readonly url: string; readonly token: string; readonly timeoutMs: number }

/**
 * A stateless Redis client: one try a request, given up after `timeoutMs`. What it tells the server and returns is
 * text, never guessed to be JSON.
 */
export function createRedis({ url, token, timeoutMs }: RedisOptions): Redis {
  const client = new RedisClient({
    url,
    token,
    retry: { retries: 0 },
    signal: () => AbortSignal.timeout(timeoutMs),
    automaticDeserialization: false,
    // All we store is well-formed text, which JSON carries as it is.
    responseEncoding: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    readYourWrites: false,
  })
  return { client, told: new Map() }
}

/** Every Redis key the Worker writes: each starts with its tenant, but for the sweep's own, and has a TTL. */
export const keys = {
  stateWindow: (tenantId: TenantId, serviceId: ServiceId) => `t:${tenantId}:window:${serviceId}`,
  /** Present while the database is in use, and so awake. */
  databaseInUse: 'sweep:database_in_use',
  /** Milliseconds since 1970 at which the next sweep of an idle database is worth waking it. */
  sweepDue: 'sweep:due',
}

/** Whether this isolate has not told the server `what` for `everyMs`. */
export function isNews({ told }: Redis, what: string, everyMs: number, now: Date): boolean {
  const toldAt = told.get(what)
  return toldAt === undefined || now.getTime() - toldAt >= everyMs
}

/** Notes what the server was told, once it has answered. */
export function remember({ told }: Redis, news: readonly string[], now: Date): void {
  for (const what of news) setBounded(told, what, now.getTime())
}
