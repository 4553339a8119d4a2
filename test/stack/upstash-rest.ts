import { Redis, ReplyError } from 'ioredis'
import { createEmbeddedRedis } from './embedded-redis.ts'
import { type Address, type Endpoint, type JsonReply, type JsonRequest, serveJson } from './json-server.ts'
import { RedisReplyError, type Reply } from './redis-store.ts'

type RedisCommand = readonly string[]

export type RedisBackend = {
  /** A command's own error is its item; an atomic run that Redis refuses as a whole throws the RedisReplyError. */
  readonly run: (commands: readonly RedisCommand[], atomic: boolean) => Promise<readonly (Reply | RedisReplyError)[]>
  readonly stop: () => Promise<void>
}

type Run = RedisBackend['run']

type Encode = (reply: Reply) => Reply

const asIs: Encode = (reply) => reply

function toBase64(reply: Reply): Reply {
  if (typeof reply === 'string') return Buffer.from(reply, 'utf8').toString('base64')
  return Array.isArray(reply) ? reply.map(toBase64) : reply
}

/** The client takes `OK` as it stands only where it is the whole reply; inside an array it decodes every string. */
const asBase64: Encode = (reply) => (reply === 'OK' ? reply : toBase64(reply))

function toItem(encode: Encode, reply: Reply | RedisReplyError): { readonly result: Reply } | { readonly error: string } {
  return reply instanceof RedisReplyError ? { error: reply.message } : { result: encode(reply) }
}

function toCommand(value: unknown): RedisCommand {
  if (!Array.isArray(value) || value.length === 0) throw new RedisReplyError('ERR empty or invalid command')
  return value.map((part: unknown) => (typeof part === 'object' && part !== null ? JSON.stringify(part) : String(part)))
}

function toCommands(body: unknown): readonly RedisCommand[] {
  if (!Array.isArray(body) || body.length === 0) throw new RedisReplyError('ERR empty pipeline request')
  return body.map(toCommand)
}

type Route = (run: Run, body: unknown, encode: Encode) => Promise<JsonReply>

function manyRoute(atomic: boolean): Route {
  return async (run, body, encode) => {
    const replies = await run(toCommands(body), atomic)
    return { status: 200, body: replies.map((reply) => toItem(encode, reply)) }
  }
}

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  [
    '/',
    async (run, body, encode) => {
      const [reply = null] = await run([toCommand(body)], false)
      return { status: reply instanceof RedisReplyError ? 400 : 200, body: toItem(encode, reply) }
    },
  ],
  ['/pipeline', manyRoute(false)],
  ['/multi-exec', manyRoute(true)],
])

function isAuthorized({ headers }: JsonRequest, token: string | undefined): boolean {
  const given = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1]
  return token === undefined ? given !== undefined : given === token
}

export type UpstashOptions = {
  readonly token?: string | undefined
  /** Bytes of a request; 10 MB on the paid plans, 1 MB on the free one. */
  readonly maxRequestBytes?: number | undefined
  /** Asked before each request: whether the plan's commands are used up. */
  readonly isOverQuota?: (() => boolean) | undefined
}

const MAX_REQUEST_BYTES = 10_485_760

/** What Upstash refuses before Redis sees it: https://upstash.com/docs/redis/troubleshooting */
function refuse(request: JsonRequest, { token, maxRequestBytes = MAX_REQUEST_BYTES, isOverQuota }: UpstashOptions): JsonReply | undefined {
  if (!isAuthorized(request, token)) return { status: 401, body: { error: 'Unauthorized' } }
  const bytes = Number(request.headers['content-length'] ?? 0)
  if (bytes > maxRequestBytes)
    return { status: 400, body: { error: `ERR max request size exceeded. Limit: ${maxRequestBytes} bytes, Actual: ${bytes} bytes` } }
  if (isOverQuota?.()) return { status: 400, body: { error: 'ERR max requests limit exceeded. Limit: 500000, Usage: 500000' } }
  return undefined
}

/** Serves Upstash's REST protocol; without a configured token, any bearer token is accepted. */
export function serveUpstash({ run, host, port, ...options }: Address & UpstashOptions & { readonly run: Run }): Promise<Endpoint> {
  return serveJson({ host, port }, async (request): Promise<JsonReply> => {
    const refused = refuse(request, options)
    if (refused) return refused
    const route = ROUTES.get(request.path)
    if (!route) return { status: 404, body: { error: `ERR no such path ${request.path}` } }
    try {
      return await route(run, request.body, request.headers['upstash-encoding'] === 'base64' ? asBase64 : asIs)
    } catch (error) {
      if (error instanceof RedisReplyError) return { status: 400, body: { error: error.message } }
      throw error
    }
  })
}

const EXEC_ABORTED = 'EXECABORT Transaction discarded because of previous errors.'

function attempt<T>(work: () => T): T | RedisReplyError {
  try {
    return work()
  } catch (error) {
    if (error instanceof RedisReplyError) return error
    throw error
  }
}

/** Runs commands on an embedded Redis of its own. */
export function createEmbeddedBackend(now: () => number = Date.now): RedisBackend {
  const redis = createEmbeddedRedis(now)
  return {
    // One synchronous pass: nothing else runs in between, so every run is atomic.
    run: async (commands, atomic) => {
      if (atomic && commands.some((command) => attempt(() => redis.check(command)) instanceof RedisReplyError))
        throw new RedisReplyError(EXEC_ABORTED)
      return commands.map((command) => attempt(() => redis.run(command)))
    },
    stop: async () => {},
  }
}

const READS: ReadonlySet<string> = new Set([
  'GET',
  'MGET',
  'EXISTS',
  'TTL',
  'PTTL',
  'HGET',
  'HMGET',
  'HGETALL',
  'ZRANGE',
  'ZSCORE',
  'DBSIZE',
])

/**
 * Two embedded Redis as Upstash's paid plans serve them: requests that only read are answered by a replica, which hears of a
 * write `lagMs` after the primary, in order; all others by the primary. `lagMs` may change while it serves.
 */
export function createLaggingBackend(lag: { lagMs: number }, now: () => number = Date.now): RedisBackend {
  const primary = createEmbeddedBackend(now)
  const replica = createEmbeddedBackend(now)
  let unheard: { readonly at: number; readonly commands: readonly RedisCommand[]; readonly atomic: boolean }[] = []
  const catchUp = async (): Promise<void> => {
    const heard = unheard.filter(({ at }) => at <= now() - lag.lagMs)
    unheard = unheard.slice(heard.length)
    for (const { commands, atomic } of heard) await replica.run(commands, atomic).catch(() => undefined)
  }
  return {
    run: async (commands, atomic) => {
      await catchUp()
      if (commands.every(([name = '']) => READS.has(name.toUpperCase()))) return replica.run(commands, atomic)
      unheard.push({ at: now(), commands, atomic })
      return primary.run(commands, atomic)
    },
    stop: async () => {
      await primary.stop()
      await replica.stop()
    },
  }
}

function isReplyError(reply: unknown): reply is Error {
  return reply instanceof ReplyError
}

function toReply(reply: unknown): Reply | RedisReplyError {
  if (isReplyError(reply)) return new RedisReplyError(reply.message)
  // Apart from errors, ioredis yields strings, numbers, null and arrays of these.
  return reply as Reply
}

function toReplyOrThrow([error, reply]: readonly [Error | null, unknown]): Reply | RedisReplyError {
  if (error && !isReplyError(error)) throw error
  return toReply(error ?? reply)
}

/** Runs commands on a real Redis over one pipelined connection. */
export async function createRedisBackend(redisUrl: string): Promise<RedisBackend> {
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    connectTimeout: 5000,
  })
  let lastError: unknown
  redis.on('error', (error: unknown) => {
    lastError = error
  })
  await redis.connect().catch(() => {
    // ioredis would go on trying to connect, and keep the process alive.
    redis.disconnect()
    throw new Error('Cannot connect to Redis', { cause: lastError })
  })

  return {
    run: async (commands, atomic) => {
      const pipeline = redis.pipeline()
      if (atomic) pipeline.call('MULTI')
      // ioredis reshapes the replies of lower-case names (HGETALL becomes an object).
      for (const [name = '', ...args] of commands) pipeline.call(name.toUpperCase(), ...args)
      if (atomic) pipeline.call('EXEC')
      const replies = ((await pipeline.exec()) ?? []).map(toReplyOrThrow)
      if (!atomic) return replies
      const executed = replies.at(-1)
      if (executed instanceof RedisReplyError) throw executed
      return Array.isArray(executed) ? executed.map(toReply) : []
    },
    stop: async () => {
      redis.disconnect()
    },
  }
}
