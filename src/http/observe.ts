import { createMiddleware } from 'hono/factory'
import { matchedRoutes, routePath } from 'hono/route'
import type { Chance, Clock, Copies, Logging, Metrics } from '../deps.ts'
import { tellCounts } from '../usecases/tell-counts.ts'
import { deferTo } from './context.ts'
import type { AppContext, AppEnv } from './env.ts'

const CLIENTS_ID = /^[\w=-]{1,255}$/

/** Gives the request an id, ours alone, and its answer. */
export const identifyRequest = createMiddleware<AppEnv>(async (c, next) => {
  const id = crypto.randomUUID()
  c.set('requestId', id)
  c.header('X-Request-Id', id)
  await next()
})

/** The id that the client gave the request, for the log, where a person may look for it. */
function readClientsId(c: AppContext): string | undefined {
  const id = c.req.header('X-Request-Id')
  return id !== undefined && CLIENTS_ID.test(id) ? id : undefined
}

/** The route that a request meant: one with a star stands for many, and is none unless nothing else matches. */
function findRoute(c: AppContext): string {
  return matchedRoutes(c).findLast(({ path }) => !path.endsWith('*'))?.path ?? routePath(c, -1)
}

export type Observing = Chance & Clock & Copies & Logging & Metrics

/** Writes one log line a request: what was asked, by whom, how it ended. Never a key, a body or a raw line. Counts it, too. */
export const observe = (deps: Observing) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const { now, log, counts } = deps
    const startedAt = now().getTime()
    const storeCalls = { postgres: 0, redis: 0 }
    c.set('startedAt', startedAt)
    c.set('storeCalls', storeCalls)
    // Set on an answer that is there already, it would have it made anew.
    c.header('Cache-Control', 'no-store')
    await next()
    if (!c.res.headers.has('Cache-Control')) c.header('Cache-Control', 'no-store')
    const principal = c.get('principal')
    const delivery = c.get('delivery')
    log('request', {
      request_id: c.get('requestId'),
      client_request_id: readClientsId(c),
      method: c.req.method,
      route: findRoute(c),
      status: c.res.status,
      duration_ms: now().getTime() - startedAt,
      tenant_id: principal?.tenantId ?? delivery?.tenantId,
      api_key_id: principal?.apiKeyId,
      ...(delivery && { delivery: { kind: delivery.kind, sender: delivery.sender, deliverer: delivery.deliverer } }),
      store_calls: { ...storeCalls },
    })
    counts.count('noctuary_requests_total', { status: String(c.res.status) })
    const refusal = c.get('refusal')
    if (refusal !== undefined) counts.count('noctuary_refusals_total', { reason: refusal })
    tellCounts(deps, deferTo(c))
  })
