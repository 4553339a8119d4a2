import { createMiddleware } from 'hono/factory'
import type { Clock, Database, Load, Logging, Memory, RateLimits } from '../deps.ts'
import { AppError } from '../domain/errors.ts'
import { getPrincipal, type Principal } from '../store/api-keys.ts'
import type { AppContext, AppEnv } from './env.ts'
import { type Observing, observe } from './observe.ts'
import { answerError } from './problem.ts'

const EVERYBODY = ''

/** What one visitor can hardly leave: an IPv4 address, or the first half of an IPv6 one; `undefined` where nobody tells. */
export function readNetwork(c: Pick<AppContext, 'req'>): string | undefined {
  const address = c.req.header('CF-Connecting-IP')
  return address?.includes(':') ? toPrefix(address) : address
}

/** The first four groups of an IPv6 address, of which the longest run of zeros may not be written (RFC 5952). */
function toPrefix(address: string): string {
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [head = [], tail = []] = address.split('::', 2).map((part) => part.split(':').filter((group) => group !== ''))
  const zeros = address.includes('::') ? Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0') : []
  const groups = [...head, ...zeros, ...tail].slice(0, 4)
  return groups.map((group) => group.toLowerCase().replace(/^0+(?=.)/, '')).join(':')
}

/** Lets no more requests in than an isolate can serve: who comes too many is told so before a store is asked. */
export const shedLoad = (deps: Load & Observing) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const leave = deps.requestsAtOnce.enter(EVERYBODY, deps.now().getTime())
    if (!leave) {
      await observe(deps)(c, async () => {
        c.res = answerError(busy(), c, deps.log)
      })
      return
    }
    try {
      await next()
    } finally {
      leave()
    }
  })

const busy = () => new AppError('unavailable', 'too many requests are under way; try again')

/**
 * Takes a place for a request of whoever holds the key or token with this hash, and returns what to call at its end. Of one
 * tenant there are so many places in an isolate: throws `unavailable` when they are taken, before a store is asked.
 */
export function enterAsTenant({ requestsAtOnceByTenant, tenantOfKey, now }: Load & Memory & Clock, hash: string): () => void {
  const leave = requestsAtOnceByTenant.enter(tenantOfKey.get(hash) ?? hash, now().getTime())
  if (!leave) throw busy()
  return leave
}

/** Counts events of a key or token, which Cloudflare's limiter cannot weigh, and refuses what is too many in a minute. */
export async function limitEvents(deps: Database & Memory & Clock & RateLimits, c: AppContext, hash: string, count: number): Promise<void> {
  const { events, eventsPerMinute } = deps
  const nowMs = deps.now().getTime()
  events.add(hash, count, nowMs)
  if (events.read(hash, nowMs) <= eventsPerMinute) return
  await refuseRate(deps, c, {
    hash,
    policy: `"events";q=${eventsPerMinute};w=60`,
    detail: `a key has ${eventsPerMinute} events a minute; wait`,
  })
}

/** Counts by address what is refused to strangers, 401 and 404, and from a limit on answers 429 instead. */
export const limitStrangers = (deps: Memory & Clock & RateLimits & Logging) =>
  createMiddleware<AppEnv>(async (c, next) => {
    await next()
    const isRefused = (c.res.status === 401 || c.res.status === 404) && c.get('principal') === undefined
    if (!isRefused || c.get('isCounted')) return
    const tooMany = countRefusal(deps, c)
    if (tooMany) c.res = answerError(tooMany, c, deps.log)
  })

/**
 * The same for answers in words of a sender's own: counts the refusal of a stranger, and answers what is said instead past the
 * limit. What a live credential sends is no stranger's, whatever its signature.
 */
export function judgeRefusal(deps: Memory & Clock & RateLimits, c: AppContext, error: unknown, isStranger: boolean): unknown {
  c.set('isCounted', true)
  const isRefusal = error instanceof AppError && (error.code === 'unauthorized' || error.code === 'not_found')
  return (isStranger && isRefusal ? countRefusal(deps, c) : undefined) ?? error
}

function countRefusal(deps: Memory & Clock & RateLimits, c: AppContext): AppError | undefined {
  const network = readNetwork(c)
  if (network === undefined) return undefined
  if (isOverLimit(deps, network)) return tooManyRefused(deps, c)
  deps.refusals.add(network, 1, deps.now().getTime())
  return undefined
}

/** Refuses whom nobody knows from an address that was refused too often, before a store is asked. */
export function refuseStranger(deps: Memory & Clock & RateLimits, c: AppContext): void {
  const network = readNetwork(c)
  if (network !== undefined && isOverLimit(deps, network)) throw tooManyRefused(deps, c)
}

/** Bounds what an address may ask that costs the stores something and needs no key. */
export function limitAsking(deps: Memory & Clock & RateLimits, c: AppContext): void {
  const network = readNetwork(c)
  if (network === undefined) return
  const [asker, nowMs] = [`asks ${network}`, deps.now().getTime()]
  deps.refusals.add(asker, 1, nowMs)
  if (deps.refusals.read(asker, nowMs) <= deps.refusedPerMinute) return
  c.header('RateLimit-Policy', `"open";q=${deps.refusedPerMinute};w=60`)
  throw new AppError('rate_limited', `without a key an address may ask ${deps.refusedPerMinute} times a minute; wait`)
}

/**
 * Asks whether a key lives that this isolate never saw live. Throws `unauthorized` for a dead one; while nobody can be asked, whoever
 * stores what was sent says so.
 */
export async function judgeKey(deps: Database & Memory & Clock, hash: string): Promise<void> {
  if (deps.tenantOfKey.has(hash)) return
  await vouch(deps, hash).catch((error: unknown) => {
    if (error instanceof AppError) throw error
  })
}

function isOverLimit({ refusals, refusedPerMinute, now }: Memory & Clock & RateLimits, network: string): boolean {
  return refusals.read(network, now().getTime()) >= refusedPerMinute
}

function tooManyRefused({ refusedPerMinute }: RateLimits, c: AppContext): AppError {
  c.header('RateLimit-Policy', `"refused";q=${refusedPerMinute};w=60`)
  return new AppError('rate_limited', `an address may be refused ${refusedPerMinute} times a minute; wait`)
}

/**
 * Refuses a key that is used too much; a revoked one is 401 all the same. Whether it lives is asked once in some seconds, not
 * for each refusal: for so long another isolate's revocation is 429 here.
 */
export async function refuseRate(
  deps: Database & Memory & Clock,
  c: AppContext,
  { hash, policy, detail }: { readonly hash: string; readonly policy: string; readonly detail: string },
): Promise<never> {
  c.set('principal', await vouch(deps, hash))
  c.header('RateLimit-Policy', policy)
  throw new AppError('rate_limited', detail)
}

async function vouch({ db, knownCallers, now }: Database & Memory & Clock, hash: string): Promise<Principal> {
  const known = knownCallers.get(hash, now().getTime())
  if (known && known !== 'unknown') return known
  const principal = await getPrincipal(db, hash).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'unauthorized') knownCallers.set(hash, 'unknown', now().getTime())
    throw error
  })
  knownCallers.set(hash, principal, now().getTime())
  return principal
}
