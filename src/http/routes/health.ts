import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { type Backlog, findHealth } from '../../store/health.ts'
import { VERSION } from '../../version.ts'
import { isOperator } from '../auth.ts'
import { createRouter } from '../context.ts'
import { limitAsking } from '../limits.ts'
import { problemOf, problems, RETRY_AFTER } from '../problem.ts'
import { json } from '../schemas.ts'

const BacklogBody = z
  .strictObject({
    sweep_lag_seconds: z.int().openapi({ description: 'How long the event that expired first has been waiting for the sweep' }),
    windows_awaiting_repair: z.int(),
    incident_work_due: z.int().openapi({ description: 'Diagnoses and notes that are due, and nobody is at' }),
    notes_given_up: z.int().openapi({ description: 'In the last seven days' }),
  })
  .openapi('Backlog')

const HealthBody = z
  .strictObject({
    status: z.enum(['ok', 'degraded', 'down']),
    version: z.string(),
    checks: z.strictObject({ postgres: z.enum(['up', 'down', 'idle', 'not migrated']), redis: z.enum(['up', 'down']) }),
    backlog: BacklogBody.nullable().openapi({
      description:
        'What waits for the cron, over all tenants, for whoever shows the operator’s `METRICS_TOKEN`; null for others, and where Postgres was not reached or not asked',
    }),
  })
  .openapi('Health')

const health = createRoute({
  operationId: 'getHealth',
  tags: ['Health'],
  method: 'get',
  path: '/health',
  summary: 'Tell whether the stores answer',
  security: [{}, { metricsToken: [] }],
  request: {
    query: z.object({
      wake: z
        .enum(['true', 'false'], { error: 'wake must be true or false' })
        .default('true')
        .openapi({ description: '`false` leaves a sleeping Postgres asleep and reports it as `idle`', example: 'true' }),
    }),
  },
  responses: {
    200: json(HealthBody, 'Serving; `degraded` when Redis is down and windows come from Postgres alone', {
      status: 'ok',
      version: VERSION,
      checks: { postgres: 'up', redis: 'up' },
      backlog: { sweep_lag_seconds: 0, windows_awaiting_repair: 0, incident_work_due: 0, notes_given_up: 0 },
    }),
    ...problems('invalid_request', 'rate_limited'),
    503: {
      description: 'Postgres cannot be reached, or lacks migrations; as a problem: too much is under way to find out',
      content: {
        ...json(HealthBody, '', { status: 'down', version: VERSION, checks: { postgres: 'down', redis: 'up' }, backlog: null }).content,
        ...problemOf('unavailable', { pointer: '', detail: 'too many requests are under way; try again' })[503]?.content,
      },
      headers: { 'Retry-After': RETRY_AFTER },
    },
  },
})

export const healthRoutes = (deps: Deps) =>
  createRouter().openapi(health, async (c) => {
    const mayWake = c.req.valid('query').wake === 'true'
    const withBacklog = await isOperator(deps, c)
    if (!withBacklog) limitAsking(deps, c)
    const { postgres, reason, redis, backlog } = await findHealth(deps.db, deps.redis, { mayWake, withBacklog })
    const body = { version: VERSION, checks: { postgres, redis }, backlog: backlog ? toBacklogBody(backlog) : null }
    if (reason !== undefined) {
      deps.log('unavailable', { request_id: c.get('requestId'), method: c.req.method, reason })
      c.header('Retry-After', '5')
      return c.json({ status: 'down' as const, ...body }, 503)
    }
    return c.json({ status: redis === 'up' ? ('ok' as const) : ('degraded' as const), ...body }, 200)
  })

function toBacklogBody({ sweepLagSeconds, windowsAwaitingRepair, incidentWorkDue, notesGivenUp }: Backlog): z.infer<typeof BacklogBody> {
  return {
    sweep_lag_seconds: sweepLagSeconds,
    windows_awaiting_repair: windowsAwaitingRepair,
    incident_work_due: incidentWorkDue,
    notes_given_up: notesGivenUp,
  }
}
