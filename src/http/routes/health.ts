import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { findHealth } from '../../store/health.ts'
import { VERSION } from '../../version.ts'
import { createRouter } from '../context.ts'
import { json } from '../schemas.ts'

const Check = z.enum(['up', 'down'])

const HealthBody = z
  .strictObject({
    status: z.enum(['ok', 'degraded', 'down']),
    version: z.string(),
    checks: z.strictObject({ postgres: Check, redis: Check }),
  })
  .openapi('Health')

const health = createRoute({
  operationId: 'getHealth',
  tags: ['Health'],
  method: 'get',
  path: '/health',
  responses: {
    200: json(HealthBody, 'Serving; `degraded` when Redis is down and windows come from Postgres alone'),
    503: json(HealthBody, 'Postgres cannot be reached'),
  },
})

export const healthRoutes = (deps: Deps) =>
  createRouter().openapi(health, async (c) => {
    const checks = await findHealth(deps.db, deps.redis)
    if (checks.postgres === 'down') {
      c.header('Retry-After', '5')
      return c.json({ status: 'down' as const, version: VERSION, checks }, 503)
    }
    return c.json({ status: checks.redis === 'up' ? ('ok' as const) : ('degraded' as const), version: VERSION, checks }, 200)
  })
