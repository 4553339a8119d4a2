import type { OpenAPIHono } from '@hono/zod-openapi'
import { VERSION } from '../version.ts'
import type { AppEnv } from './env.ts'
import { ProblemBody, problemComponents } from './problem.ts'

const INFO = {
  title: 'Noctuary',
  version: VERSION,
  license: { name: 'MIT', identifier: 'MIT' },
  description: `Incident-context state store: what changed around your services, kept for as long as it matters.

Send \`Authorization: Bearer <key>\`. An ingest key registers an agent and sends events; a read-only key does everything else, a viewer key
what of it is GET.
Times are ISO 8601 in UTC, ids lower-case UUIDs, lists bare arrays. Unknown fields of a request body are ignored, the body is
1 MiB at most. Errors are \`application/problem+json\`. Another tenant’s id, and a malformed one, are 404.`,
}

const TAGS = [
  { name: 'Events', description: 'Agents send what changed' },
  { name: 'Agents', description: 'Who sends events: one agent an ingest key' },
  { name: 'Services', description: 'What is monitored, and the state window of each' },
  { name: 'Changes', description: 'What changed, across services' },
  { name: 'Incidents', description: 'What a pager or an engineer asked about, and the answer with its evidence' },
  { name: 'MCP', description: 'What assistants speak: tools, resources and prompts over the same data' },
  { name: 'Doors', description: 'Where what you run already delivers: each sender as it speaks' },
  { name: 'API keys', description: 'Keys are shown once, listed by a hint, and dead as soon as they are revoked' },
  { name: 'Integrations', description: 'Connections to pagers; their secrets never come back' },
  { name: 'Maintenance', description: 'Times in which incidents are diagnosed and nobody is told' },
  { name: 'Audit', description: 'Who changed what and when' },
  { name: 'Health', description: 'Whether the stores answer' },
]

type Document = ReturnType<OpenAPIHono<AppEnv>['getOpenAPI31Document']>

/**
 * The description of all routes that the app has, as OpenAPI 3.1. The build writes it to `/openapi.json`: in the Worker itself nothing
 * is left of the library that draws it (`undescribed.ts`).
 */
export function describeApi(app: OpenAPIHono<AppEnv>): Document {
  const registry = app.openAPIRegistry
  const bearer = { type: 'http', scheme: 'bearer' } as const
  registry.registerComponent('securitySchemes', 'ingestKey', { ...bearer, description: 'An ingest key, `noc_ingest_…`' })
  registry.registerComponent('securitySchemes', 'readonlyKey', { ...bearer, description: 'A read-only key, `noc_ro_…`' })
  registry.registerComponent('securitySchemes', 'viewerKey', {
    ...bearer,
    description: 'A viewer key, `noc_view_…`: what is read with GET',
  })
  registry.registerComponent('securitySchemes', 'metricsToken', { ...bearer, description: 'The operator’s `METRICS_TOKEN`' })
  registry.registerComponent('headers', 'RequestId', {
    description: 'Names this request in the log and the audit; one that the request carried is noted in the log beside it',
    required: true,
    schema: { type: 'string' },
    example: 'b3f1c9d2-5a7e-4c1b-9f60-2d8e7a4c1b35',
  })
  registry.register('Problem', ProblemBody)
  for (const [name, response] of Object.entries(problemComponents())) registry.registerComponent('responses', name, response)

  return withRequestId(
    app.getOpenAPI31Document({ openapi: '3.1.0', info: INFO, servers: [{ url: '/', description: 'This deployment' }], tags: TAGS }),
  )
}

/** Every response carries the request id: said here once, rather than at each route. */
function withRequestId(document: Document): Document {
  const operations = Object.values(document.paths ?? {}).flatMap((path) => [
    path.get,
    path.put,
    path.post,
    path.delete,
    path.patch,
    path.options,
  ])
  const responses = [document.components?.responses, ...operations.map((operation) => operation?.responses)]
  for (const response of responses.flatMap((byStatus) => Object.values(byStatus ?? {}))) {
    if (!('$ref' in response)) response.headers = { ...response.headers, 'X-Request-Id': { $ref: '#/components/headers/RequestId' } }
  }
  return document
}
