import { createMiddleware } from 'hono/factory'
import type { Deps } from '../deps.ts'
import { isWellFormedKey, type KeyType } from '../domain/api-key.ts'
import { setBounded } from '../domain/bounded-map.ts'
import { AppError } from '../domain/errors.ts'
import { sha256, toHex } from '../domain/hash.ts'
import { getPrincipal } from '../store/api-keys.ts'
import type { AppEnv } from './context.ts'

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
export const requireKey = ({ hashOfKey }: Deps) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const key = BEARER.exec(c.req.header('Authorization') ?? '')?.[1]
    if (key === undefined) throw new AppError('unauthorized', 'API key is missing: send "Authorization: Bearer <key>"')
    let hash = hashOfKey.get(key)
    if (hash === undefined) {
      if (!isWellFormedKey(key)) throw new AppError('unauthorized', 'API key is malformed')
      hash = toHex(await sha256(key))
      setBounded(hashOfKey, key, hash)
    }
    c.set('keyHash', hash)
    await next()
  })

/** Resolves the key that `requireKey` took, and refuses one of the wrong kind. */
export const requirePrincipal = ({ db }: Deps, keyType: KeyType) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const principal = await getPrincipal(db, c.var.keyHash)
    c.set('principal', principal)
    if (principal.keyType !== keyType) {
      throw new AppError('forbidden', keyType === 'ingest' ? 'an ingest key is required' : 'a read-only key is required')
    }
    await next()
  })
