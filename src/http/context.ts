import { OpenAPIHono } from '@hono/zod-openapi'
import type { Clock } from '../deps.ts'
import { AppError } from '../domain/errors.ts'
import type { Trail } from '../store/audit.ts'
import type { AppContext, AppEnv } from './env.ts'
import { toFieldErrors } from './problem.ts'

/** A router whose validation failures become problems. */
export function createRouter(): OpenAPIHono<AppEnv> {
  return new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (result.success) return
      const fields = toFieldErrors(result.error.issues)
      throw new AppError('invalid_request', fields[0]?.detail ?? 'invalid request', { fields })
    },
  })
}

/** Keeps work alive after the answer; in a runtime without an execution context it simply goes on. */
export function deferTo(c: AppContext): (work: Promise<unknown>) => void {
  return (work) => c.executionCtx.waitUntil(work)
}

/** Pagers and people wait five seconds. */
const ANSWERED_WITHIN_MS = 4_800

/** Milliseconds that are left until the request has to be answered, whatever is still to be done. */
export function timeLeft(c: AppContext, { now }: Clock): number {
  return Math.max(0, ANSWERED_WITHIN_MS - (now().getTime() - c.get('startedAt')))
}

/** On whose behalf a handler changes something, for the audit. */
export function toTrail(c: AppContext): Trail {
  return { actor: `api_key:${c.var.principal.apiKeyId}`, requestId: c.get('requestId') ?? null }
}
