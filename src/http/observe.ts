import { createMiddleware } from 'hono/factory'
import { routePath } from 'hono/route'
import type { Clock, Logging } from '../deps.ts'
import type { AppEnv } from './env.ts'

/** Writes one log line a request: what was asked, by whom, how it ended. Never a key, a body or a raw line. */
export const observe = ({ now, log }: Clock & Logging) =>
  createMiddleware<AppEnv>(async (c, next) => {
    const startedAt = now().getTime()
    const storeCalls = { postgres: 0, redis: 0 }
    c.set('storeCalls', storeCalls)
    // Set on an answer that is there already, it would have it made anew.
    c.header('Cache-Control', 'no-store')
    await next()
    if (!c.res.headers.has('Cache-Control')) c.header('Cache-Control', 'no-store')
    const principal = c.get('principal')
    log('request', {
      request_id: c.get('requestId'),
      method: c.req.method,
      route: routePath(c, -1),
      status: c.res.status,
      duration_ms: now().getTime() - startedAt,
      tenant_id: principal?.tenantId,
      api_key_id: principal?.apiKeyId,
      store_calls: { ...storeCalls },
    })
  })
