import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { type AuditEntry, listAudit } from '../../store/audit.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { createRouter } from '../context.ts'
import { problemOf, problems } from '../problem.ts'
import { EXAMPLE_IDS, Instant, json, limitRefusal, pageLimit, pageStart, readLimit, readPageStart, Uuid } from '../schemas.ts'

const LIMITS = { usual: 50, most: 100 }

const AuditEntryBody = z
  .strictObject({
    id: Uuid,
    at: Instant,
    actor: z.string().openapi({
      description:
        '`api_key:<id>`, `person:<e-mail address>`, `message_link:<id of the integration that was told>` for a verdict by a link in a message, `operator` for a command of whoever runs the installation, or the part of the system that acted on its own',
    }),
    action: z.string().openapi({ description: 'What was done, in the past tense' }),
    target_type: z.string(),
    target_id: z.string(),
    fields: z.array(z.string()).openapi({ description: 'Which fields of a configuration changed, by name' }),
    request_id: z.string().nullable().openapi({ description: 'The `X-Request-Id` that we answered' }),
  })
  .openapi('AuditEntry')

const list = createRoute({
  operationId: 'listAudit',
  tags: ['Audit'],
  method: 'get',
  path: '/v1/audit',
  summary: 'List who changed what',
  description:
    'Creation and revocation of keys, registrations of agents, sign-ins to the pages and their ends, people who are listed, changes of integrations and declared dependencies, asked diagnoses, verdicts about incidents and their resolution by hand, notes that were posted, operators’ commands. Entries are never changed. To page on, send the last `id` as `before`.',
  security: [...SECURITY.viewer],
  request: {
    query: z.object({
      limit: pageLimit('Entries', LIMITS),
      before: pageStart('Entries'),
    }),
  },
  responses: {
    200: json(z.array(AuditEntryBody), 'Who changed what and when, newest first', [
      {
        id: EXAMPLE_IDS.event,
        at: '2026-01-15T09:00:00.000Z',
        actor: `api_key:${EXAMPLE_IDS.readonlyKey}`,
        action: 'api_key.created',
        target_type: 'api_key',
        target_id: EXAMPLE_IDS.ingestKey,
        fields: [],
        request_id: 'b3f1c9d2-5a7e-4c1b-9f60-2d8e7a4c1b35',
      },
    ]),
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'unavailable'),
    ...problemOf(
      'invalid_request',
      { pointer: 'limit', detail: limitRefusal(LIMITS) },
      { pointer: 'before', detail: 'before must be ISO 8601' },
    ),
  },
})

export const auditRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use(list.path, requireKey(deps), requirePrincipal(deps, 'readonly'))

  return router.openapi(list, async (c) => {
    const { limit, before } = c.req.valid('query')
    const entries = await listAudit(deps.db, c.var.principal.tenantId, readPageStart(before), readLimit(limit, LIMITS))
    return c.json(entries.map(toAuditEntryBody), 200)
  })
}

function toAuditEntryBody({ id, at, actor, action, targetType, targetId, fields, requestId }: AuditEntry) {
  return {
    id,
    at: at.toISOString(),
    actor,
    action,
    target_type: targetType,
    target_id: targetId,
    fields: [...fields],
    request_id: requestId,
  }
}
