import type { Hono } from 'hono'
import { contextStorage } from 'hono/context-storage'
import type { PageEnv } from './dashboard/page-env.ts'
import type { Deps } from './deps.ts'
import { AppError } from './domain/errors.ts'
import { createRouter } from './http/context.ts'
import { allowOrigins, SECURITY_HEADERS } from './http/headers.ts'
import { limitStrangers, shedLoad } from './http/limits.ts'
import { identifyRequest, observe } from './http/observe.ts'
import { answerError } from './http/problem.ts'
import { agentRoutes } from './http/routes/agents.ts'
import { apiKeyRoutes } from './http/routes/api-keys.ts'
import { auditRoutes } from './http/routes/audit.ts'
import { changeRoutes } from './http/routes/changes.ts'
import { doorRoutes } from './http/routes/doors.ts'
import { eventRoutes } from './http/routes/events.ts'
import { healthRoutes } from './http/routes/health.ts'
import { incidentRoutes } from './http/routes/incidents.ts'
import { integrationRoutes } from './http/routes/integrations.ts'
import { maintenanceRoutes } from './http/routes/maintenance.ts'
import { metricsRoutes } from './http/routes/metrics.ts'
import { qualityRoutes } from './http/routes/quality.ts'
import { serviceRoutes } from './http/routes/services.ts'
import { mcpRoutes } from './mcp/index.ts'

/** The whole HTTP application over the given stores, clock and log: the API and, if it is given, the dashboard. */
export function createApp(deps: Deps, dashboard?: Hono<PageEnv>) {
  const app = createRouter()
  app.use(identifyRequest)
  app.use(contextStorage())
  app.use(SECURITY_HEADERS)
  app.use(limitStrangers(deps))
  app.use(shedLoad(deps))
  app.use(observe(deps))
  if (deps.corsOrigins.length > 0) app.use(allowOrigins(deps.corsOrigins))
  app.onError((error, c) => answerError(error, c, deps.log))
  app.notFound((c) => answerError(new AppError('not_found', 'no such resource'), c, deps.log))

  app.route('/', healthRoutes(deps))
  app.route('/', metricsRoutes(deps))
  app.route('/', agentRoutes(deps))
  app.route('/', eventRoutes(deps))
  app.route('/', serviceRoutes(deps))
  app.route('/', changeRoutes(deps))
  app.route('/', apiKeyRoutes(deps))
  app.route('/', incidentRoutes(deps))
  app.route('/', integrationRoutes(deps))
  app.route('/', doorRoutes(deps))
  app.route('/', maintenanceRoutes(deps))
  app.route('/', qualityRoutes(deps))
  app.route('/', auditRoutes(deps))
  app.route('/', mcpRoutes(deps))

  // Last, because it has a page for every path that nothing else answers.
  if (dashboard) app.route('/', dashboard)
  return app
}
