import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { toAgentStatus } from '../../domain/access/agent.ts'
import { assertKeyType } from '../../domain/access/api-key.ts'
import { AppError } from '../../domain/errors.ts'
import { maskActor, toKeptName } from '../../domain/event/redact.ts'
import { type AgentId, parseId, toId } from '../../domain/ids.ts'
import { toStorableText } from '../../domain/text.ts'
import { type Agent, type AgentActivity, getAgent, listAgents, recordHeartbeat, upsertAgent } from '../../store/agents.ts'
import { type LoggedEvent, listAgentEvents } from '../../store/event-log.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { decodeBody } from '../body.ts'
import { createRouter, toTrail } from '../context.ts'
import { readCursor, toCursor } from '../cursor.ts'
import { chanceOf, REPEAT_REFUSALS, REPEATABLE, REPLAYED_HEADER, repeatable } from '../idempotency.ts'
import { problemOf, problems } from '../problem.ts'
import { EventTypeName, EXAMPLE_IDS, getPathId, IdParams, Instant, json, jsonBody, name, optionalName, Uuid } from '../schemas.ts'

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

const itemFields = {
  id: Uuid,
  hostname: z.string(),
  name: z.string(),
  agent_version: z.string().nullable(),
  registered_at: Instant,
  last_seen_at: Instant,
  events_last_hour: z.int().openapi({ description: 'Events received in the last 60 minutes, to the minute, expired ones included' }),
  status: z.enum(['online', 'stale', 'offline']).openapi({ description: 'Last seen within 2 minutes, within 10, or longer ago' }),
}

const AgentItemBody = z.strictObject(itemFields).openapi('AgentItem')

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

// Not an extension of the list item's schema: composed, each strict part would refuse the other's fields.
const AgentLogBody = z
  .strictObject({
    ...itemFields,
    events: z.array(LoggedEventBody),
    next_cursor: z.string().nullable().openapi({ description: 'Where the next page starts; null on the last one' }),
  })
  .openapi('AgentWithLog')

const RegisterBody = z
  .object({ hostname: name('hostname'), name: optionalName('name'), version: optionalName('version') })
  .openapi('RegisterAgent')

const PAGE_SIZES = ['10', '20', '50', '100'] as const

const LogQueryParams = z.object({
  limit: z
    .enum(PAGE_SIZES, { error: 'limit must be 10, 20, 50 or 100' })
    .default('20')
    .openapi({ type: 'integer', enum: PAGE_SIZES.map(Number), default: 20, description: 'Events a page' }),
  cursor: z.string().optional().openapi({ description: 'The `next_cursor` of the page before' }),
  service: z.string().transform(toStorableText).optional().openapi({ description: 'Only events of this `service_name`' }),
  vendor: z.string().transform(toStorableText).optional().openapi({ description: 'Only events of this vendor' }),
  event_type: EventTypeName.optional().openapi({ description: 'Only events of this type' }),
})

const EXAMPLE_ITEM = {
  id: EXAMPLE_IDS.agent,
  hostname: 'web-1',
  name: 'web-1',
  agent_version: '0.1.0',
  registered_at: '2026-01-15T09:00:00.000Z',
  last_seen_at: '2026-01-15T10:23:42.117Z',
  events_last_hour: 14,
  status: 'online' as const,
}

const EXAMPLE_AGENT = {
  id: EXAMPLE_IDS.agent,
  tenant_id: EXAMPLE_IDS.tenant,
  api_key_id: EXAMPLE_IDS.ingestKey,
  hostname: 'web-1',
  name: 'web-1',
  agent_version: '0.1.0',
  registered_at: '2026-01-15T09:00:00.000Z',
  last_seen_at: '2026-01-15T09:00:00.000Z',
}

const EXAMPLE_LOGGED_EVENT = {
  id: EXAMPLE_IDS.event,
  service_name: 'checkout',
  vendor: 'argocd',
  event_type: 'deploy' as const,
  entity: 'checkout',
  old_value: null,
  new_value: 'succeeded',
  actor: null,
  sha: 'a4f2c1',
  confidence: 0.95,
  ttl_seconds: 1_800,
  timestamp: '2026-01-15T10:23:41.000Z',
  received_at: '2026-01-15T10:23:42.117Z',
  expires_at: '2026-01-15T10:53:42.117Z',
}

const register = createRoute({
  operationId: 'registerAgent',
  ...REPEATABLE,
  tags: ['Agents'],
  method: 'post',
  path: '/v1/agents/register',
  summary: 'Register the agent of this key',
  description: 'One agent an ingest key: registering again updates its hostname, name and version, and keeps its id.',
  security: [...SECURITY.ingest],
  request: { body: jsonBody(RegisterBody, { hostname: 'web-1', name: 'web-1', version: '0.1.0' }) },
  responses: {
    201: { ...json(AgentBody, 'The agent of this key, registered or updated', EXAMPLE_AGENT), headers: REPLAYED_HEADER },
    ...problems(...REPEAT_REFUSALS, 'unauthorized', 'forbidden', 'unavailable'),
    ...problemOf(
      'invalid_request',
      { pointer: '/hostname', detail: 'hostname is required' },
      { pointer: '/hostname', detail: 'hostname must be at most 512 characters' },
      { pointer: '/version', detail: 'version must be a string' },
      { pointer: '', detail: 'request body must be valid JSON' },
    ),
    ...problemOf('forbidden', { pointer: '', detail: 'an ingest key is required' }),
  },
})

const heartbeat = createRoute({
  operationId: 'sendHeartbeat',
  tags: ['Agents'],
  method: 'post',
  path: '/v1/agents/{id}/heartbeat',
  summary: 'Say that an agent is alive',
  description: 'Events count as heartbeats, too. The agent must be the one of this key.',
  security: [...SECURITY.ingest],
  request: { params: IdParams },
  responses: {
    204: { description: 'Heard' },
    ...problems('unauthorized', 'forbidden', 'not_found', 'unavailable'),
    ...problemOf('forbidden', { pointer: '', detail: 'an ingest key is required' }),
    ...problemOf('not_found', { pointer: '', detail: 'no such agent' }),
  },
})

const list = createRoute({
  operationId: 'listAgents',
  tags: ['Agents'],
  method: 'get',
  path: '/v1/agents',
  summary: 'List agents',
  description:
    'The agents of all live keys, and of revoked keys those that registered last, a thousand in all at most. `last_seen_at` is right within 10 seconds.',
  security: [...SECURITY.viewer],
  responses: {
    200: json(z.array(AgentItemBody), 'The tenant’s agents', [EXAMPLE_ITEM]),
    ...problems('unauthorized', 'forbidden', 'unavailable'),
  },
})

const get = createRoute({
  operationId: 'getAgent',
  tags: ['Agents'],
  method: 'get',
  path: '/v1/agents/{id}',
  summary: 'Get an agent with its event log',
  description: 'Live events only, page by page. Values are shown up to 1,024 characters; `raw_line` is never shown.',
  security: [...SECURITY.viewer],
  request: { params: IdParams, query: LogQueryParams },
  responses: {
    200: json(AgentLogBody, 'The agent and a page of its event log, newest receipt first', {
      ...EXAMPLE_ITEM,
      events: [EXAMPLE_LOGGED_EVENT],
      next_cursor: null,
    }),
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'not_found', 'unavailable'),
    ...problemOf(
      'invalid_request',
      { pointer: '/limit', detail: 'limit must be 10, 20, 50 or 100' },
      { pointer: 'cursor', detail: 'cursor must be a next_cursor of an earlier page' },
    ),
    ...problemOf('not_found', { pointer: '', detail: 'no such agent' }),
  },
})

export const agentRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use('/v1/agents/*', requireKey(deps))
  router.on('POST', register.path, requirePrincipal(deps, 'ingest'), decodeBody, repeatable(deps))
  router.on('GET', ['/v1/agents', '/v1/agents/:id'], requirePrincipal(deps, 'readonly'))

  return router
    .openapi(register, async (c) => {
      const { hostname, name: given, version } = c.req.valid('json')
      const kept = (text: string) => toKeptName(text, deps.keeping)
      const registration = { hostname: kept(hostname), name: kept(given ?? hostname), version: version && kept(version) }
      const agent = await upsertAgent(deps.db, c.var.principal, toId<AgentId>(chanceOf(c, deps).newUuid()), registration, toTrail(c))
      return c.json(toAgentBody(agent), 201)
    })
    .openapi(heartbeat, async (c) => {
      const id = parseId<AgentId>(c.req.valid('param').id)
      const principal = await recordHeartbeat(deps.db, c.var.keyHash, id)
      c.set('principal', principal)
      assertKeyType(principal.keyType, 'ingest')
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
    actor: maskActor(event.actor),
    sha: event.sha,
    confidence: event.confidence,
    ttl_seconds: event.ttlSeconds,
    timestamp: event.timestamp.toISOString(),
    received_at: event.receivedAt.toISOString(),
    expires_at: event.expiresAt.toISOString(),
  }
}
