import { Redis as UpstashRedis } from '@upstash/redis/cloudflare'
import { readBoundedText } from '../bounded-body.ts'
import { setBounded } from '../domain/bounded-map.ts'
import type { ServiceId, TenantId } from '../domain/ids.ts'
import { withDeadline } from './deadline.ts'

/** One Redis command: its name and arguments. */
export type RedisCommand = readonly [name: string, ...args: (string | number)[]]

type RedisOptions = {
  readonly url: string
  readonly token: string
  readonly timeoutMs: number
  /** Called before each request. */
  readonly onRequest?: (() => void) | undefined
}

/** Upstash's own limit for answers is 10 MB. */
const MAX_ANSWER_BYTES = 10_485_760

/** Upstash's client, with requests that cost no more than they must, and answers that are read as far as they may reach. */
class RedisClient extends UpstashRedis {
  constructor({ timeoutMs, onRequest, ...config }: ConstructorParameters<typeof UpstashRedis>[0] & RedisOptions) {
    super(config)
    this.client = {
      ...this.client,
      request: ({ path = [], body }) => {
        onRequest?.()
        return withDeadline(timeoutMs, post([config.url, ...path].join('/'), config.token, body))
      },
    }
  }

  /** Runs one command, never twice. */
  async ask<Answer>(command: RedisCommand): Promise<Answer> {
    const answer = await this.client.request({ body: [...command] })
    // What a command answers is Redis's contract.
    return (answer as { readonly result: Answer }).result
  }

  /** Runs commands in one MULTI, never twice, and answers each one's result; throws when any of them failed. */
  async transact(commands: readonly RedisCommand[]): Promise<readonly unknown[]> {
    const answer: unknown = await this.client.request({ path: ['multi-exec'], body: [...commands] })
    const isDone = Array.isArray(answer) && answer.length === commands.length && answer.every((one) => one && 'result' in one)
    if (!isDone) throw new Error('Redis did not run the transaction')
    return answer.map(({ result }: { readonly result: unknown }) => result)
  }
}

/** What the server answers to commands: `{ result }` or `{ error }`, or a list of them. Throws for anything but a 200 of JSON. */
async function post<Answer>(url: string, token: string, commands: unknown): Promise<Answer> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(commands) })
  const text = await readBoundedText(response, MAX_ANSWER_BYTES)
  if (!response.ok || text === undefined)
    throw new Error(`Redis answered HTTP ${response.status}${text === undefined ? ', and too long' : ''}`)
  const answer: unknown = JSON.parse(text)
  if (typeof answer !== 'object' || answer === null) throw new Error('Redis answered nothing')
  // What a command answers is Redis's contract.
  return answer as Answer
}

/** A client of Upstash's REST protocol, and what this isolate remembers having told the server lately. */
export type Redis = { readonly client: RedisClient; readonly told: Map<string, number> }

/**
 * A stateless Redis client: one try a request, given up after `timeoutMs`. What it tells the server and returns is
 * text, never guessed to be JSON.
 */
export function createRedis({ url, token, timeoutMs, onRequest }: RedisOptions): Redis {
  const client = new RedisClient({
    url,
    token,
    retry: { retries: 0 },
    timeoutMs,
    onRequest,
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
  /** Tokens that a language model has cost on a day, `YYYY-MM-DD`. */
  modelTokens: (tenantId: TenantId, day: string) => `t:${tenantId}:model_tokens:${day}`,
  latestDeliveries: (tenantId: TenantId, deliverer: string) => `t:${tenantId}:deliveries:${deliverer}`,
  deliveriesOfDay: (tenantId: TenantId, deliverer: string, day: string) => `t:${tenantId}:deliveries:${deliverer}:${day}`,
  sample: (tenantId: TenantId, deliverer: string) => `t:${tenantId}:sample:${deliverer}`,
  /** Present while the database is in use, and so awake. */
  databaseInUse: 'sweep:database_in_use',
  /** Milliseconds since 1970 at which the next sweep of an idle database is worth waking it. */
  sweepDue: 'sweep:due',
  /** Milliseconds since 1970 for which the last tick was planned. */
  sweepWasHere: 'sweep:was_here',
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
