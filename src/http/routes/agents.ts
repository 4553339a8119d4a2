import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { toAgentStatus } from '../../domain/agent.ts'
import { AppError } from '../../domain/errors.ts'
import { toStorableText } from '../../domain/event.ts'
import { type AgentId, type EventId, parseId, toId } from '../../domain/ids.ts'
import { type Agent, type AgentActivity, getAgent, listAgents, recordHeartbeat, upsertAgent } from '../../store/agents.ts'
import { type LoggedEvent, type LogPosition, listAgentEvents } from '../../store/events.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { decodeBody } from '../body.ts'
import { createRouter } from '../context.ts'
import { problems } from '../problem.ts'
import { EventTypeName, getPathId, IdParams, Instant, json, name, optionalName, Uuid } from '../schemas.ts'

const AgentBody = z
  .strictObject({
    id: Uuid,
    tenant_id: Uuid,
    api_key_id: Uuid,
    hostname: z.string(),
    name: z.string(),
    agent_version: z.string().nullable(),
    registered_at: Instant,
    last_seen_at: Instant,
  })
  .openapi('Agent')

const AgentItemBody = z
  .strictObject({
    id: Uuid,
    hostname: z.string(),
    name: z.string(),
    agent_version: z.string().nullable(),
    registered_at: Instant,
    last_seen_at: Instant,
    events_last_hour: z.int(),
    status: z.enum(['online', 'stale', 'offline']),
  })
  .openapi('AgentItem')

const LoggedEventBody = z
  .strictObject({
    id: Uuid,
    service_name: z.string(),
    vendor: z.string(),
    event_type: EventTypeName,
    entity: z.string(),
    old_value: z.string().nullable(),
    new_value: z.string().nullable(),
    actor: z.string().nullable(),
    sha: z.string().nullable(),
    confidence: z.number(),
    ttl_seconds: z.int(),
    timestamp: Instant,
    received_at: Instant,
    expires_at: Instant,
  })
  .openapi('LoggedEvent')

const AgentLogBody = AgentItemBody.extend({
  events: z.array(LoggedEventBody),
  next_cursor: z.string().nullable(),
}).openapi('AgentWithLog')

const RegisterBody = z
  .object({ hostname: name('hostname'), name: optionalName('name'), version: optionalName('version') })
  .openapi('RegisterAgent', { example: { hostname: 'web-1', name: 'web-1', version: '0.1.0' } })

const PAGE_SIZES = ['10', '20', '50', '100'] as const

const LogQueryParams = z.object({
  limit: z.enum(PAGE_SIZES, { error: 'limit must be 10, 20, 50 or 100' }).default('20'),
  cursor: z.string().optional(),
  service: z.string().transform(toStorableText).optional(),
  vendor: z.string().transform(toStorableText).optional(),
  event_type: EventTypeName.optional(),
})

const register = createRoute({
  operationId: 'registerAgent',
  tags: ['Agents'],
  method: 'post',
  path: '/v1/agents/register',
  security: [...SECURITY.ingest],
  request: { body: { required: true, content: { 'application/json': { schema: RegisterBody } } } },
  responses: {
    201: json(AgentBody, 'The agent of this key, registered or updated'),
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'payload_too_large', 'unsupported_media_type', 'unavailable'),
  },
})

const heartbeat = createRoute({
  operationId: 'sendHeartbeat',
  tags: ['Agents'],
  method: 'post',
  path: '/v1/agents/{id}/heartbeat',
  security: [...SECURITY.ingest],
  request: { params: IdParams },
  responses: { 204: { description: 'Heard' }, ...problems('unauthorized', 'forbidden', 'not_found', 'unavailable') },
})

const list = createRoute({
  operationId: 'listAgents',
  tags: ['Agents'],
  method: 'get',
  path: '/v1/agents',
  security: [...SECURITY.readonly],
  responses: { 200: json(z.array(AgentItemBody), 'The tenant’s agents'), ...problems('unauthorized', 'forbidden', 'unavailable') },
})

const get = createRoute({
  operationId: 'getAgent',
  tags: ['Agents'],
  method: 'get',
  path: '/v1/agents/{id}',
  security: [...SECURITY.readonly],
  request: { params: IdParams, query: LogQueryParams },
  responses: {
    200: json(AgentLogBody, 'The agent and a page of its event log, newest receipt first'),
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'not_found', 'unavailable'),
  },
})

export const agentRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use('/v1/agents/*', requireKey(deps))
  router.use(register.path, requirePrincipal(deps, 'ingest'), decodeBody)
  router.on('GET', ['/v1/agents', '/v1/agents/:id'], requirePrincipal(deps, 'readonly'))

  return router
    .openapi(register, async (c) => {
      const { hostname, name: given, version } = c.req.valid('json')
      const registration = { hostname, name: given ?? hostname, version }
      const agent = await upsertAgent(deps.db, c.var.principal, toId<AgentId>(deps.newUuid()), registration)
      return c.json(toAgentBody(agent), 201)
    })
    .openapi(heartbeat, async (c) => {
      const id = parseId<AgentId>(c.req.valid('param').id)
      const principal = await recordHeartbeat(deps.db, c.var.keyHash, id)
      c.set('principal', principal)
      if (principal.keyType !== 'ingest') throw new AppError('forbidden', 'an ingest key is required')
      if (id === undefined || principal.agentId !== id) throw new AppError('not_found', 'no such agent')
      return c.body(null, 204)
    })
    .openapi(list, async (c) => {
      const now = deps.now()
      const agents = await listAgents(deps.db, c.var.principal.tenantId)
      return c.json(
        agents.map((agent) => toAgentItem(agent, now)),
        200,
      )
    })
    .openapi(get, async (c) => {
      const { tenantId } = c.var.principal
      const id = getPathId<AgentId>(c.req.valid('param').id, 'agent')
      const { limit, cursor, service, vendor, event_type } = c.req.valid('query')
      const after = cursor === undefined ? undefined : readCursor(cursor)
      const query = { limit: Number(limit), after, serviceName: service, vendor, eventType: event_type }
      const [agent, page] = await Promise.all([getAgent(deps.db, tenantId, id), listAgentEvents(deps.db, tenantId, id, query)])
      const body = {
        ...toAgentItem(agent, deps.now()),
        events: page.events.map(toLoggedEventBody),
        next_cursor: page.next ? toCursor(page.next) : null,
      }
      return c.json(body, 200)
    })
}

function toAgentBody(agent: Agent) {
  return {
    id: agent.id,
    tenant_id: agent.tenantId,
    api_key_id: agent.apiKeyId,
    hostname: agent.hostname,
    name: agent.name,
    agent_version: agent.agentVersion,
    registered_at: agent.registeredAt.toISOString(),
    last_seen_at: agent.lastSeenAt.toISOString(),
  }
}

function toAgentItem(agent: AgentActivity, now: Date) {
  const { tenant_id: _tenant, api_key_id: _key, ...item } = toAgentBody(agent)
  return { ...item, events_last_hour: agent.eventsLastHour, status: toAgentStatus(agent.lastSeenAt, now) }
}

function toLoggedEventBody(event: LoggedEvent) {
  return {
    id: event.id,
    service_name: event.serviceName,
    vendor: event.vendor,
    event_type: event.eventType,
    entity: event.entity,
    old_value: event.oldValue,
    new_value: event.newValue,
    actor: event.actor,
    sha: event.sha,
    confidence: event.confidence,
    ttl_seconds: event.ttlSeconds,
    timestamp: event.timestamp.toISOString(),
    received_at: event.receivedAt.toISOString(),
    expires_at: event.expiresAt.toISOString(),
  }
}

const CURSOR = /^(\d{1,17})\.([0-9a-f-]{36})$/

function toCursor({ receivedAtUs, id }: LogPosition): string {
  return btoa(`${receivedAtUs}.${id}`).replaceAll('=', '')
}

function readCursor(cursor: string): LogPosition {
  const [, receivedAtUs, id] = CURSOR.exec(decodeBase64(cursor)) ?? []
  const eventId = parseId<EventId>(id ?? '')
  if (receivedAtUs !== undefined && eventId !== undefined) return { receivedAtUs, id: eventId }
  const detail = 'cursor must be a next_cursor of an earlier page'
  throw new AppError('invalid_request', detail, { fields: [{ pointer: 'cursor', detail }] })
}

function decodeBase64(text: string): string {
  try {
    return atob(text)
  } catch {
    return ''
  }
}
