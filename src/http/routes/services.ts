import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import type { EventType } from '../../domain/event.ts'
import type { ServiceId } from '../../domain/ids.ts'
import { JOIN_RULES } from '../../domain/service-name.ts'
import type { StateWindow, WindowEntry } from '../../domain/state-window.ts'
import { listServices, type Service } from '../../store/services.ts'
import { readWindow } from '../../usecases/read-window.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { createRouter, deferTo } from '../context.ts'
import { problems } from '../problem.ts'
import { EventTypeName, getPathId, IdParams, Instant, json, readInstant, Uuid } from '../schemas.ts'

const ServiceBody = z
  .strictObject({ id: Uuid, tenant_id: Uuid, agent_id: Uuid, name: z.string(), last_event_at: Instant })
  .openapi('Service')

const EntryBody = z
  .strictObject({
    id: Uuid,
    event_type: EventTypeName,
    vendor: z.string(),
    entity: z.string(),
    old_value: z.string().nullable(),
    new_value: z.string().nullable(),
    actor: z.string().nullable(),
    sha: z.string().nullable(),
    confidence: z.number(),
    timestamp: Instant,
    first_timestamp: Instant,
    expires_at: Instant,
    count: z.int(),
    joined_by: z.enum(JOIN_RULES),
  })
  .openapi('WindowEntry')

const entries = z.array(EntryBody)

const WindowBody = z
  .strictObject({
    service: z.string(),
    deploy_events: entries,
    restart_events: entries,
    saturation_events: entries,
    flag_change_events: entries,
    circuit_open_events: entries,
    dependency_failure_events: entries,
    config_change_events: entries,
    schema_change_events: entries,
    scale_events: entries,
    updated_at: Instant.nullable(),
  })
  .openapi('StateWindow')

const list = createRoute({
  operationId: 'listServices',
  tags: ['Services'],
  method: 'get',
  path: '/v1/services',
  security: [...SECURITY.readonly],
  responses: { 200: json(z.array(ServiceBody), 'The tenant’s services, by name'), ...problems('unauthorized', 'forbidden', 'unavailable') },
})

const context = createRoute({
  operationId: 'getServiceContext',
  tags: ['Services'],
  method: 'get',
  path: '/v1/services/{id}/context',
  security: [...SECURITY.readonly],
  request: { params: IdParams, query: z.object({ at: z.string().optional().openapi({ format: 'date-time' }) }) },
  responses: {
    200: json(WindowBody, 'The state window, now or as it stood at `at`'),
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'not_found', 'unavailable'),
  },
})

export const serviceRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use('/v1/services/*', requireKey(deps))
  router.on('GET', list.path, requirePrincipal(deps, 'readonly'))

  return router
    .openapi(list, async (c) => {
      const services = await listServices(deps.db, c.var.principal.tenantId)
      return c.json(services.map(toServiceBody), 200)
    })
    .openapi(context, async (c) => {
      const serviceId = getPathId<ServiceId>(c.req.valid('param').id, 'service')
      const asOf = readInstant('at', c.req.valid('query').at)
      const { principal, serviceName, window } = await readWindow(deps, { keyHash: c.var.keyHash, serviceId, asOf, defer: deferTo(c) })
      c.set('principal', principal)
      return c.json(toWindowBody(serviceName, window), 200)
    })
}

function toServiceBody({ id, tenantId, agentId, name, lastEventAt }: Service) {
  return { id, tenant_id: tenantId, agent_id: agentId, name, last_event_at: lastEventAt.toISOString() }
}

function toWindowBody(service: string, { entries: byType, updatedAt }: StateWindow): z.infer<typeof WindowBody> {
  const of = (type: EventType) => byType[type].map(toEntryBody)
  return {
    service,
    deploy_events: of('deploy'),
    restart_events: of('restart'),
    saturation_events: of('saturation'),
    flag_change_events: of('flag_change'),
    circuit_open_events: of('circuit_open'),
    dependency_failure_events: of('dependency_failure'),
    config_change_events: of('config_change'),
    schema_change_events: of('schema_change'),
    scale_events: of('scale_event'),
    updated_at: updatedAt?.toISOString() ?? null,
  }
}

function toEntryBody(entry: WindowEntry) {
  return {
    id: entry.id,
    event_type: entry.eventType,
    vendor: entry.vendor,
    entity: entry.entity,
    old_value: entry.oldValue,
    new_value: entry.newValue,
    actor: entry.actor,
    sha: entry.sha,
    confidence: entry.confidence,
    timestamp: entry.timestamp.toISOString(),
    first_timestamp: entry.firstTimestamp.toISOString(),
    expires_at: entry.expiresAt.toISOString(),
    count: entry.count,
    joined_by: entry.joinedBy,
  }
}
