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
  /** Called after each that was answered, with how long that took. */
  readonly onAnswer?: ((ms: number) => void) | undefined
}

/** Upstash's own limit for answers is 10 MB. */
const MAX_ANSWER_BYTES = 10_485_760

/** Speaks Upstash's REST protocol. Its own client would add 78 kB of builders for commands that are written out here. */
class RedisClient {
  readonly #options: RedisOptions

  constructor(options: RedisOptions) {
    this.#options = options
  }

  /** Runs one command, never twice. */
  async ask<Answer>(command: RedisCommand): Promise<Answer> {
    const answer = await this.#request('', command)
    if (typeof answer !== 'object' || answer === null || !('result' in answer)) throw new Error('Redis did not run the command')
    // What a command answers is Redis's contract.
    return answer.result as Answer
  }

  /** Runs commands in one MULTI, never twice, and answers each one's result; throws when any of them failed. */
  async transact(commands: readonly RedisCommand[]): Promise<readonly unknown[]> {
    const answer = await this.#request('/multi-exec', commands)
    const isDone = Array.isArray(answer) && answer.length === commands.length && answer.every((one) => one && 'result' in one)
    if (!isDone) throw new Error('Redis did not run the transaction')
    return answer.map(({ result }: { readonly result: unknown }) => result)
  }

  #request(path: string, body: unknown): Promise<unknown> {
    const { url, token, timeoutMs, onRequest, onAnswer } = this.#options
    onRequest?.()
    return withDeadline(timeoutMs, post(`${url.replace(/\/$/, '')}${path}`, token, body), onAnswer)
  }
}

/** What the server answers to commands: `{ result }` or `{ error }`, or a list of them. Throws for anything but a 200 of JSON. */
async function post(url: string, token: string, commands: unknown): Promise<unknown> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(commands) })
  const text = await readBoundedText(response, MAX_ANSWER_BYTES)
  if (!response.ok || text === undefined)
    throw new Error(`Redis answered HTTP ${response.status}${text === undefined ? ', and too long' : ''}`)
  return JSON.parse(text)
}

/** A client of Upstash's REST protocol, and what this isolate remembers having told the server lately. */
export type Redis = {
  readonly client: RedisClient
  readonly told: Map<string, number>
  /** What no answer waits for, and since when somebody waits to send it. */
  readonly notes: { readonly waiting: Map<string, WaitingNote>; restingMs: number | undefined }
}

/** Deliveries that went alike: how many, and the latest of them by their times. */
export type WaitingNote = {
  readonly tenantId: TenantId
  readonly deliverer: string
  readonly kind: string
  count: number
  readonly latest: (readonly [atMs: number, member: string])[]
}

/**
 * A stateless Redis client: one try a request, given up after `timeoutMs`. What it tells the server and returns is
 * text, never guessed to be JSON.
 */
export function createRedis(options: RedisOptions): Redis {
  return {
    client: new RedisClient(options),
    told: new Map(),
    notes: { waiting: new Map(), restingMs: undefined },
  }
}

/** Every Redis key the Worker writes: each starts with its tenant, but for the sweep's own, and has a TTL. */
export const keys = {
  stateWindow: (tenantId: TenantId, serviceId: ServiceId) => `t:${tenantId}:window:${serviceId}`,
  /** Tokens that a language model has cost on a day, `YYYY-MM-DD`. */
  modelTokens: (tenantId: TenantId, day: string) => `t:${tenantId}:model_tokens:${day}`,
  latestDeliveries: (tenantId: TenantId, deliverer: string) => `t:${tenantId}:deliveries:${deliverer}`,
  deliveriesOfDay: (tenantId: TenantId, deliverer: string, day: string) => `t:${tenantId}:deliveries:${deliverer}:${day}`,
  sample: (tenantId: TenantId, deliverer: string) => `t:${tenantId}:sample:${deliverer}`,
  /** What isolates have counted: a sorted set by time of what each told, `[id, sums by series]`. */
  metrics: 'metrics:counts',
  /** Present while an isolate puts these together. */
  metricsFolding: 'metrics:folding',
  /** Whom an ingest key was seen to act for lately, by its hash: asked when nobody knows the tenant. */
  goodKey: (keyHash: string) => `queue:good_key:${keyHash}`,
  /** Present while the database is in use, and so awake. */
  databaseInUse: 'sweep:database_in_use',
  /** Milliseconds since 1970 at which the next sweep of an idle database is worth waking it. */
  sweepDue: 'sweep:due',
  /** Milliseconds since 1970 for which the last tick was planned. */
  sweepWasHere: 'sweep:was_here',
}

/** Whether this isolate has not told the server `what` for `everyMs`. */
export function isTimeAgain({ told }: Redis, what: string, everyMs: number, now: Date): boolean {
  const toldAt = told.get(what)
  return toldAt === undefined || now.getTime() - toldAt >= everyMs
}

/** Notes what the server was told, once it has answered. */
export function remember({ told }: Redis, news: readonly string[], now: Date): void {
  for (const what of news) setBounded(told, what, now.getTime())
}
