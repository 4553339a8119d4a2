import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { type Gauges, toPrometheus } from '../../domain/counts.ts'
import { AppError } from '../../domain/errors.ts'
import { type Backlog, findBacklog } from '../../store/health.ts'
import { readSums } from '../../store/metrics.ts'
import { isOperator } from '../auth.ts'
import { createRouter } from '../context.ts'
import { problems } from '../problem.ts'

const EXAMPLE = `# HELP noctuary_events_total Events that were stored, known already, or refused
# TYPE noctuary_events_total counter
noctuary_events_total{result="stored"} 1284
`

const get = createRoute({
  operationId: 'getMetrics',
  tags: ['Health'],
  method: 'get',
  path: '/metrics',
  summary: 'Figures for a Prometheus',
  description:
    'Sums over all tenants, none of which is named, and what waits for the cron. An isolate tells what it has counted every ten seconds at most, with its next request; what it had not told when it ended is not in here.',
  security: [{ metricsToken: [] }],
  responses: {
    200: {
      description: 'In Prometheus’ text format 0.0.4',
      content: { 'text/plain': { schema: z.string(), example: EXAMPLE } },
    },
    ...problems('unauthorized', 'unavailable'),
  },
})

export const metricsRoutes = (deps: Deps) =>
  createRouter().openapi(get, async (c) => {
    if (!(await isOperator(deps, c))) throw new AppError('unauthorized', 'the METRICS_TOKEN of this installation is required')
    // What one store does not say is left out: its outage is when the other's figures are looked at.
    const [sums, backlog] = await Promise.all([readSums(deps.redis).catch(() => undefined), findBacklog(deps.db).catch(() => undefined)])
    if (!sums && !backlog) throw new AppError('unavailable', 'neither store is available; try again')
    const gauges = { ...(backlog ? toGauges(backlog) : {}), ...toUp({ postgres: backlog !== undefined, redis: sums !== undefined }) }
    return c.text(toPrometheus(sums, gauges), 200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' })
  })

const toGauges = (backlog: Backlog): Gauges => ({
  noctuary_sweep_lag_seconds: {
    help: 'How long the event that expired first has been waiting for the sweep',
    value: backlog.sweepLagSeconds,
  },
  noctuary_windows_awaiting_repair: { help: 'Windows whose copies wait for the cron', value: backlog.windowsAwaitingRepair },
  noctuary_incident_work_due: { help: 'Diagnoses and messages that are due, and nobody is at', value: backlog.incidentWorkDue },
  noctuary_notes_given_up: { help: 'Notes that were given up in the last seven days', value: backlog.notesGivenUp },
})

const toUp = (stores: { readonly postgres: boolean; readonly redis: boolean }): Gauges => ({
  noctuary_postgres_up: { help: 'Whether Postgres answered this request', value: Number(stores.postgres) },
  noctuary_redis_up: { help: 'Whether Redis did, which has all counters', value: Number(stores.redis) },
})
