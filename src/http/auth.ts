import { createMiddleware } from 'hono/factory'
import { timingSafeEqual } from 'hono/utils/buffer'
import type { Clock, Database, Load, Logging, Memory, Metrics, RateLimits } from '../deps.ts'
import { assertKeyType, assertMayRead, isWellFormedKey, type KeyType, toKeyType } from '../domain/access/api-key.ts'
import { isToken } from '../domain/access/integration.ts'
import { setBounded } from '../domain/bounded-map.ts'
import { AppError } from '../domain/errors.ts'
import { sha256Hex } from '../domain/hash.ts'
import { getPrincipal } from '../store/api-keys.ts'
import type { AppContext, AppEnv } from './env.ts'
import { enterAsTenant, refuseRate, refuseStranger } from './limits.ts'

const BEARER = /^Bearer +([^\s]+) *$/i

const ALONE = /^\w{32,}$/

const BASIC = /^Basic +([A-Za-z0-9+/_-]+={0,2}) *$/i

/** The credential of an `Authorization` header: a bearer's, the password of basic authentication, or all there is. */
export function readCredential(c: AppContext): string | undefined {
  const header = c.req.header('Authorization') ?? ''
  const [, encoded] = BASIC.exec(header) ?? []
  if (encoded === undefined) return BEARER.exec(header)?.[1] ?? ALONE.exec(header)?.[0]
  try {
    return atob(encoded.replaceAll('-', '+').replaceAll('_', '/')).split(':').slice(1).join(':')
  } catch {
    return undefined
  }
}

/** OpenAPI security requirements by kind of key. */
export const SECURITY = {
  ingest: [{ ingestKey: [] as string[] }],
  readonly: [{ readonlyKey: [] as string[] }],
  viewer: [{ readonlyKey: [] as string[] }, { viewerKey: [] as string[] }],
} as const satisfies Record<KeyType, unknown>

/**
 * Takes the request's API key and refuses what cannot be one, without a store. What follows resolves `keyHash` itself, in
 * the statement that does its work.
 */
export const requireKey = (deps: Database & Memory & RateLimits & Logging & Clock & Load) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const key = readBearer(c)
    if (key === undefined) throw new AppError('unauthorized', 'API key is missing: send "Authorization: Bearer <key>"')
    const hash = await toHash(deps, key)
    c.set('keyHash', hash)
    const caller = deps.knownCallers.get(hash, deps.now().getTime())
    if (caller === 'unknown') throw new AppError('unauthorized', 'API key is unknown or revoked')
    if (!caller) refuseStranger(deps, c)
    const leave = enterAsTenant(deps, hash)
    try {
      await limitRate(deps, c, toKeyType(key), hash)
      await next()
      rememberCaller(deps, c, hash)
    } finally {
      leave()
    }
  })

async function toHash({ hashOfKey }: Memory, key: string): Promise<string> {
  // Hashes of tokens are remembered, too, for the doors, where alone they are credentials.
  const known = isToken(key) ? undefined : hashOfKey.get(key)
  if (known !== undefined) return known
  if (!isWellFormedKey(key)) throw new AppError('unauthorized', 'API key is malformed')
  const hash = await sha256Hex(key)
  setBounded(hashOfKey, key, hash)
  return hash
}

/** Notes what a store said of a key, to refuse it for some seconds without asking again. */
function rememberCaller({ knownCallers, tenantOfKey, now }: Memory & Clock, c: AppContext, hash: string): void {
  const principal = c.get('principal')
  if (c.res.status === 401) knownCallers.set(hash, 'unknown', now().getTime())
  else if (principal) {
    knownCallers.set(hash, principal, now().getTime())
    if (!tenantOfKey.has(hash)) setBounded(tenantOfKey, hash, principal.tenantId)
  }
}

/** The request's API key as it was sent, if one was. */
export function readBearer(c: AppContext): string | undefined {
  return BEARER.exec(c.req.header('Authorization') ?? '')?.[1]
}

/** Whether a request shows the operator's token. */
export async function isOperator({ metricsToken }: Metrics, c: AppContext): Promise<boolean> {
  const token = readBearer(c)
  return metricsToken !== undefined && token !== undefined && (await timingSafeEqual(token, metricsToken))
}

/** Refuses a key that is used too often; a revoked one is 401 all the same. A limiter that fails limits nothing. */
export async function limitRate(
  deps: Database & RateLimits & Logging & Memory & Clock,
  c: AppContext,
  keyType: KeyType,
  hash: string,
): Promise<void> {
  const { limiter, perMinute } = deps.rateLimits[keyType]
  if (!limiter) return
  try {
    const { success } = await limiter.limit({ key: hash })
    if (success) return
  } catch {
    deps.log('rate_limiter_failed', { request_id: c.get('requestId') })
    return
  }
  await refuseRate(deps, c, {
    hash,
    policy: `"${keyType}";q=${perMinute};w=60`,
    detail: `a key of this kind has ${perMinute} requests a minute; send events in batches, or wait`,
  })
}

const isReading = (method: string) => method === 'GET' || method === 'HEAD'

/** Resolves the key that `requireKey` took, and refuses one of the wrong kind. Whatever a read-only key may read, a viewer's may. */
export const requirePrincipal = ({ db }: Database, keyType: KeyType) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const principal = await getPrincipal(db, c.var.keyHash)
    c.set('principal', principal)
    if (keyType === 'readonly' && isReading(c.req.method)) assertMayRead(principal.keyType)
    else assertKeyType(principal.keyType, keyType)
    await next()
  })
