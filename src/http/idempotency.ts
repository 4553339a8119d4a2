import { createMiddleware } from 'hono/factory'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { BatchDatabase, Chance, Clock, Logging } from '../deps.ts'
import { deriveRepeat } from '../domain/access/repeat.ts'
import { AppError, nameOf } from '../domain/errors.ts'
import { sha256Hex } from '../domain/hash.ts'
import { isNumber, isObjectOf, isText, parseJson, readStored, writeStored } from '../domain/json.ts'
import { withDeadline } from '../store/deadline.ts'
import { claimRequest, keepResult, releaseClaim } from '../store/idempotency.ts'
import { readBearer } from './auth.ts'
import { deferTo, timeLeft } from './context.ts'
import type { AppContext, AppEnv } from './env.ts'

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/

export const INVALID_IDEMPOTENCY_KEY = 'Idempotency-Key must be 1 to 255 printable ASCII characters'

/** The header as a parameter of an operation's description. */
export const idempotencyHeader = (description: string) => ({
  name: 'Idempotency-Key',
  in: 'header' as const,
  description,
  schema: { type: 'string' as const, pattern: IDEMPOTENCY_KEY.source },
  example: 'web-1:2026-01-15:000042',
})

/** What an operation behind `repeatable` says of the header. */
export const REPEATABLE = {
  parameters: [idempotencyHeader('A request sent again with the same key within a day gets its first answer; with another body, 409')],
}

/** What an operation behind `repeatable` may refuse of any request: its key, and its body, which is part of what a key stands for. */
export const REPEAT_REFUSALS = ['invalid_request', 'conflict', 'payload_too_large', 'unsupported_media_type'] as const

/** An answer's header, which tells a repeat. */
export const REPLAYED_HEADER = {
  'Idempotent-Replayed': { description: 'The answer that was given before', schema: { type: 'string' as const, enum: ['true'] } },
}

/** The request's `Idempotency-Key`, if it has one; throws `invalid_request`. */
export function readIdempotencyKey(c: AppContext): string | undefined {
  const key = c.req.header('Idempotency-Key')
  if (key === undefined || IDEMPOTENCY_KEY.test(key)) return key
  const detail = INVALID_IDEMPOTENCY_KEY
  throw new AppError('invalid_request', detail, { fields: [{ pointer: 'Idempotency-Key', detail }] })
}

/**
 * Answers a request that comes again with its `Idempotency-Key` as it was answered first; another one with that key is 409. What
 * is kept of an answer is sealed under a key that only the sender has. When it was not kept, as whoever made it died, it is made
 * again, and comes out the same: all its ids and secrets are drawn from the request. What was refused claims no key.
 *
 * After `requirePrincipal` and `decodeBody` or `boundBody`.
 */
export const repeatable = (deps: BatchDatabase & Chance & Logging & Clock) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const idempotencyKey = readIdempotencyKey(c)
    if (idempotencyKey === undefined) return await next()
    const { tenantId, apiKeyId } = c.var.principal
    const route = `${c.req.method} ${c.req.path}`
    const bodyHash = await sha256Hex(await c.req.text())
    const repeat = await deriveRepeat({ apiKey: readBearer(c) ?? '', idempotencyKey, route, bodyHash })
    const claim = { apiKeyId, key: repeat.name, bodyHash }

    const found = await claimRequest(deps.db, tenantId, claim)
    if (found.kind === 'conflict') throw new AppError('conflict', 'Idempotency-Key was used with a different body')
    const kept = found.kind === 'replayed' ? await repeat.open(found.result) : undefined
    if (kept !== undefined) return replay(c, kept)

    c.set('chance', repeat.chance)
    await next()
    // What these routes answer has a body.
    const result = { status: c.res.status, body: await c.res.clone().text() }
    const keep = async () =>
      c.res.ok
        ? await keepResult(deps.db, tenantId, claim, await repeat.seal(writeStored(result), deps.randomBytes))
        : await releaseClaim(deps.db, tenantId, claim)
    // The answer stands, whatever becomes of it: a repeat makes it again.
    const keeping = keep().catch((error: unknown) => deps.log('result_not_kept', { tenant_id: tenantId, reason: nameOf(error) }))
    deferTo(c)(keeping)
    await withDeadline(timeLeft(c, deps), keeping).catch(() => {})
  })

type KeptAnswer = { readonly status: ContentfulStatusCode; readonly body: string }

const isContentfulStatus = (value: unknown): value is ContentfulStatusCode => isNumber(value) && value >= 200 && value !== 204

function replay(c: AppContext, kept: string): Response {
  const { status, body } = readStored('answer', parseJson(kept), isObjectOf<KeptAnswer>({ status: isContentfulStatus, body: isText }))
  return c.body(body, status, { 'Content-Type': 'application/json', 'Idempotent-Replayed': 'true' })
}

/** Where the ids and secrets of what a request makes come from: the request itself if it may be repeated. */
export function chanceOf(c: AppContext, { newUuid, randomBytes }: Chance): Chance {
  return c.get('chance') ?? { newUuid, randomBytes }
}
