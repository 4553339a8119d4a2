import { createMiddleware } from 'hono/factory'
import type { Database, Logging, Memory, RateLimits } from '../deps.ts'
import { assertKeyType, isWellFormedKey, type KeyType, toKeyType } from '../domain/access/api-key.ts'
import { setBounded } from '../domain/bounded-map.ts'
import { AppError } from '../domain/errors.ts'
import { sha256, toHex } from '../domain/hash.ts'
import { getPrincipal } from '../store/api-keys.ts'
import type { AppContext, AppEnv } from './env.ts'

const BEARER = /^Bearer +([^\s]+) *$/i

/** OpenAPI security requirements by kind of key. */
export const SECURITY = {
  ingest: [{ ingestKey: [] as string[] }],
  readonly: [{ readonlyKey: [] as string[] }],
} as const satisfies Record<KeyType, unknown>

/**
 * Takes the request's API key and refuses what cannot be one, without a store. What follows resolves `keyHash` itself, in
 * the statement that does its work.
 */
export const requireKey = (deps: Database & Memory & RateLimits & Logging) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const key = BEARER.exec(c.req.header('Authorization') ?? '')?.[1]
    if (key === undefined) throw new AppError('unauthorized', 'API key is missing: send "Authorization: Bearer <key>"')
    let hash = deps.hashOfKey.get(key)
    if (hash === undefined) {
      if (!isWellFormedKey(key)) throw new AppError('unauthorized', 'API key is malformed')
      hash = toHex(await sha256(key))
      setBounded(deps.hashOfKey, key, hash)
    }
    c.set('keyHash', hash)
    await limitRate(deps, c, toKeyType(key), hash)
    await next()
  })

/** Refuses a key that is used too often; a revoked one is 401 all the same. A limiter that fails limits nothing. */
export async function limitRate(
  { db, log, rateLimits }: Database & RateLimits & Logging,
  c: AppContext,
  keyType: KeyType,
  hash: string,
): Promise<void> {
  const { limiter, perMinute } = rateLimits[keyType]
  if (!limiter) return
  try {
    const { success } = await limiter.limit({ key: hash })
    if (success) return
  } catch {
    log('rate_limiter_failed', { request_id: c.get('requestId') })
    return
  }
  c.set('principal', await getPrincipal(db, hash))
  c.header('RateLimit-Policy', `"${keyType}";q=${perMinute};w=60`)
  throw new AppError('rate_limited', `a key of this kind has ${perMinute} requests a minute; send events in batches, or wait`)
}

/** Resolves the key that `requireKey` took, and refuses one of the wrong kind. */
export const requirePrincipal = ({ db }: Database, keyType: KeyType) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const principal = await getPrincipal(db, c.var.keyHash)
    c.set('principal', principal)
    assertKeyType(principal.keyType, keyType)
    await next()
  })
