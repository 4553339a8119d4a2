import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { EVENT_TYPES, type EventType, isChangeType } from '../../domain/event/event.ts'
import { maskActor } from '../../domain/event/redact.ts'
import type { EventId } from '../../domain/ids.ts'
import { toStorableText } from '../../domain/text.ts'
import { type Change, listChanges } from '../../store/changes.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { createRouter } from '../context.ts'
import { problemOf, problems } from '../problem.ts'
import {
  EXAMPLE_IDS,
  Instant,
  invalidParameter,
  json,
  limitRefusal,
  pageLimit,
  pageStart,
  readInstant,
  readLimit,
  readPageStart,
} from '../schemas.ts'
import { changeFields } from './window-body.ts'

const LIMITS = { usual: 50, most: 100 }
const TYPES_REFUSAL = `types must be of ${EVENT_TYPES.join(', ')}`

const ChangeBody = z
  .strictObject({
    ...changeFields,
    service: z.string(),
    timestamp: Instant.openapi({ description: 'When it began' }),
    count: z.int().openapi({ description: 'How often it was reported since, as far as that is stored; 1,000 at most' }),
  })
  .openapi('Change')

const instantParameter = (description: string) =>
  z.string().optional().openapi({ format: 'date-time', description, example: '2026-01-15T10:00:00Z' })

const list = createRoute({
  operationId: 'listChanges',
  tags: ['Changes'],
  method: 'get',
  path: '/v1/changes',
  summary: 'List what changed',
  description:
    'Across services, each change once, where it began: repeats only add to its count. Without `types`, deploys and changes of flags, configuration, schemas and scale. To page on, send the last `id` as `before`.',
  security: [...SECURITY.viewer],
  request: {
    query: z.object({
      service: z
        .string()
        .transform(toStorableText)
        .optional()
        .openapi({ description: 'What is, or was, in the window of the service with this name', example: 'checkout' }),
      since: instantParameter('ISO 8601: changes that began then or later'),
      until: instantParameter('ISO 8601: changes that began then or earlier'),
      types: z.string().optional().openapi({ description: 'Event types, with commas between them', example: 'deploy,flag_change' }),
      limit: pageLimit('Changes', LIMITS),
      before: pageStart('Changes'),
    }),
  },
  responses: {
    200: json(z.array(ChangeBody), 'The tenant’s changes that are still stored, newest first', [
      {
        id: EXAMPLE_IDS.event,
        service: 'checkout',
        event_type: 'deploy',
        vendor: 'argocd',
        entity: 'checkout',
        old_value: null,
        new_value: 'succeeded',
        actor: null,
        sha: 'a4f2c1',
        environment: null,
        url: null,
        details: null,
        timestamp: '2026-01-15T10:23:41.000Z',
        count: 1,
      },
    ]),
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'unavailable'),
    ...problemOf(
      'invalid_request',
      { pointer: 'since', detail: 'since must be ISO 8601' },
      { pointer: 'until', detail: 'until must be ISO 8601' },
      { pointer: 'types', detail: TYPES_REFUSAL },
      { pointer: 'limit', detail: limitRefusal(LIMITS) },
      { pointer: 'before', detail: 'before must be ISO 8601' },
    ),
  },
})

export const changeRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use(list.path, requireKey(deps), requirePrincipal(deps, 'readonly'))

  return router.openapi(list, async (c) => {
    const { service, since, until, types, limit, before } = c.req.valid('query')
    const start = readPageStart<EventId>(before)
    const changes = await listChanges(deps.db, c.var.principal.tenantId, {
      types: readTypes(types),
      limit: readLimit(limit, LIMITS),
      since: readInstant('since', since, 'first'),
      until: readInstant('until', until, 'last'),
      serviceName: service === undefined || service.trim() === '' ? undefined : service,
      ...(start && 'entry' in start ? { after: start.entry } : { before: start?.instant }),
    })
    return c.json(changes.map(toChangeBody), 200)
  })
}

function readTypes(text: string | undefined): readonly EventType[] {
  const names = (text ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  if (names.length === 0) return EVENT_TYPES.filter(isChangeType)
  if (names.some((name) => !EVENT_TYPES.some((type) => type === name))) throw invalidParameter('types', TYPES_REFUSAL)
  return EVENT_TYPES.filter((type) => names.includes(type))
}

function toChangeBody(change: Change): z.infer<typeof ChangeBody> {
  return {
    id: change.id,
    service: change.serviceName,
    event_type: change.eventType,
    vendor: change.vendor,
    entity: change.entity,
    old_value: change.oldValue,
    new_value: change.newValue,
    actor: maskActor(change.actor),
    sha: change.sha,
    environment: change.environment,
    url: change.url,
    details: change.details,
    timestamp: change.timestamp.toISOString(),
    count: change.count,
  }
}
