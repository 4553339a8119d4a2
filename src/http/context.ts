import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { RequestIdVariables } from 'hono/request-id'
import { AppError } from '../domain/errors.ts'
import type { Principal } from '../store/api-keys.ts'
import type { Trail } from '../store/audit.ts'
import { toFieldErrors } from './problem.ts'

export type StoreCalls = { postgres: number; redis: number }

/** What a request carries through its handlers. */
export type AppEnv = {
  Variables: RequestIdVariables & {
    /** SHA-256 of the request's API key, once its shape and checksum were found right. */
    keyHash: string
    /** Whom the request acts as, once a store has vouched for the key. */
    principal: Principal
    /** Requests made to the stores on this request's account so far. */
    storeCalls: StoreCalls
  }
}

export type AppContext = Context<AppEnv>

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

/** On whose behalf a handler changes something, for the audit. */
export function toTrail(c: AppContext): Trail {
  return { actor: `api_key:${c.var.principal.apiKeyId}`, requestId: c.get('requestId') ?? null }
}
