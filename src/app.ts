import { requestId } from 'hono/request-id'
import type { Deps } from './deps.ts'
import { AppError } from './domain/errors.ts'
import { createRouter } from './http/context.ts'
import { observe } from './http/observe.ts'
import { answerError } from './http/problem.ts'
import { agentRoutes } from './http/routes/agents.ts'
import { apiKeyRoutes } from './http/routes/api-keys.ts'
import { eventRoutes } from './http/routes/events.ts'
import { healthRoutes } from './http/routes/health.ts'
import { serviceRoutes } from './http/routes/services.ts'
import { VERSION } from './version.ts'

/** The whole HTTP application over the given stores, clock and log. */
export function createApp(deps: Deps) {
  const app = createRouter()
  app.use(requestId())
  app.use(observe(deps))
  app.onError((error, c) => answerError(error, c, deps.log))
  app.notFound((c) => answerError(new AppError('not_found', 'no such resource'), c, deps.log))

  app.route('/', healthRoutes(deps))
  app.route('/', agentRoutes(deps))
  app.route('/', eventRoutes(deps))
  app.route('/', serviceRoutes(deps))
  app.route('/', apiKeyRoutes(deps))

  app.openAPIRegistry.registerComponent('securitySchemes', 'ingestKey', { type: 'http', scheme: 'bearer', description: 'noc_ingest_…' })
  app.openAPIRegistry.registerComponent('securitySchemes', 'readonlyKey', { type: 'http', scheme: 'bearer', description: 'noc_ro_…' })
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: 'Noctuary', version: VERSION, description: 'Incident-context state store' },
  })
  return app
}
