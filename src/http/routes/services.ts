import { createRoute, z } from '@hono/zod-openapi'
import type { TypedResponse } from 'hono'
import type { Deps } from '../../deps.ts'
import { MAX_DECLARED } from '../../domain/graph/service-graph.ts'
import { parseId, type ServiceId, toId } from '../../domain/ids.ts'
import { isWebAddress, toStorableText } from '../../domain/text.ts'
import { toToldText } from '../../domain/window/document.ts'
import { daysBefore } from '../../domain/window/sweep.ts'
import type { StateWindow } from '../../domain/window/window.ts'
import { type Dependencies, getDependencies } from '../../store/service-graph.ts'
import { findService, findServiceOfKey, listServices, type Service } from '../../store/services.ts'
import { readWindow } from '../../usecases/read-window.ts'
import { assignOwner, declareCallees } from '../../usecases/write-service.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { decodeBody } from '../body.ts'
import { createRouter, deferTo, toTrail } from '../context.ts'
import { problemOf, problems } from '../problem.ts'
import {
  EXAMPLE_IDS,
  Instant,
  json,
  jsonBody,
  limitRefusal,
  name,
  pageLimit,
  readInstant,
  readLimit,
  ServiceParams,
  Uuid,
} from '../schemas.ts'
import { EXAMPLE_WINDOW, WindowBody } from './window-body.ts'

const ServiceBody = z
  .strictObject({
    id: Uuid,
    tenant_id: Uuid,
    agent_id: Uuid.nullable(),
    name: z.string(),
    last_event_at: Instant.nullable(),
    team: z.string().nullable(),
    owner_url: z.string().nullable(),
  })
  .openapi('Service')

const PAGE = { usual: 1_000, most: 1_000 }

/** Characters that are a millisecond's work or so, after which others have the isolate. */
const LONG_PIECE = 50_000

const AT = 'ISO 8601: the window as it stood then, from what has not been swept'

const EXAMPLE_SERVICE = {
  id: EXAMPLE_IDS.service,
  tenant_id: EXAMPLE_IDS.tenant,
  agent_id: EXAMPLE_IDS.agent,
  name: 'checkout',
  last_event_at: '2026-01-15T10:23:42.117Z',
  team: 'payments',
  owner_url: 'https://wiki.example.com/teams/payments',
}

const list = createRoute({
  operationId: 'listServices',
  tags: ['Services'],
  method: 'get',
  path: '/v1/services',
  summary: 'List services',
  description:
    'A service exists from its first event, or from the alert that named it before. `last_event_at` is right within 10 seconds. To page on, send the last `name` as `after`.',
  security: [...SECURITY.viewer],
  request: {
    query: z.object({
      limit: pageLimit('Services', PAGE),
      after: z
        .string()
        .transform(toStorableText)
        .optional()
        .openapi({ description: 'Services whose names come after this one', example: 'checkout' }),
    }),
  },
  responses: {
    200: json(z.array(ServiceBody), 'The tenant’s services, by name', [EXAMPLE_SERVICE]),
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'unavailable'),
    ...problemOf('invalid_request', { pointer: 'limit', detail: limitRefusal(PAGE) }),
  },
})

const context = createRoute({
  operationId: 'getServiceContext',
  tags: ['Services'],
  method: 'get',
  path: '/v1/services/{id}/context',
  summary: 'Get a service’s state window',
  description: 'The live changes of a service by type, in the order of their times; repeats of a change are one entry with a count.',
  security: [...SECURITY.viewer],
  request: {
    params: ServiceParams,
    query: z.object({ at: z.string().optional().openapi({ format: 'date-time', description: AT, example: '2026-01-15T10:30:00Z' }) }),
  },
  responses: {
    200: json(WindowBody, 'The state window, now or as it stood at `at`', EXAMPLE_WINDOW),
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'not_found', 'unavailable'),
    ...problemOf('invalid_request', { pointer: 'at', detail: 'at must be ISO 8601' }),
  },
})

const DependenciesBody = z
  .strictObject({
    learned: z
      .array(z.strictObject({ service: z.string(), seen: z.int(), last_seen_at: Instant }))
      .openapi({ description: 'Seen in failures, and how often' }),
    declared: z.array(z.string()),
  })
  .openapi('Dependencies')

const DeclareDependenciesBody = z
  .object({
    declared: z
      .array(name('declared'), { error: 'declared must be a list of service names' })
      .max(MAX_DECLARED, { error: `declared must name at most ${MAX_DECLARED} services` }),
  })
  .openapi('DeclareDependencies')

const EXAMPLE_DEPENDENCIES = {
  learned: [{ service: 'payments', seen: 3, last_seen_at: '2026-01-14T08:01:00.000Z' }],
  declared: ['payments', 'search'],
}

const NO_SUCH_SERVICE = problemOf('not_found', { pointer: '', detail: 'no such service' })

const dependencies = createRoute({
  operationId: 'getServiceDependencies',
  tags: ['Services'],
  method: 'get',
  path: '/v1/services/{id}/dependencies',
  summary: 'List what a service depends on',
  description: 'A diagnosis looks for causes along these, and along what current failures show.',
  request: { params: ServiceParams },
  security: [...SECURITY.viewer],
  responses: {
    200: json(DependenciesBody, 'The services it calls', EXAMPLE_DEPENDENCIES),
    ...problems('unauthorized', 'forbidden', 'not_found', 'unavailable'),
    ...NO_SUCH_SERVICE,
  },
})

const declare = createRoute({
  operationId: 'declareServiceDependencies',
  tags: ['Services'],
  method: 'put',
  path: '/v1/services/{id}/dependencies',
  summary: 'Declare what a service depends on',
  description: 'Replaces what was declared before; what was learned stays. A service that is named need not exist yet.',
  security: [...SECURITY.readonly],
  request: { params: ServiceParams, body: jsonBody(DeclareDependenciesBody, { declared: ['payments', 'search'] }) },
  responses: {
    200: json(DependenciesBody, 'The services it calls, as they are now', EXAMPLE_DEPENDENCIES),
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'not_found', 'payload_too_large', 'unsupported_media_type', 'unavailable'),
    ...problemOf(
      'invalid_request',
      { pointer: '/declared', detail: 'declared must be a list of service names' },
      { pointer: '/declared', detail: `declared must name at most ${MAX_DECLARED} services` },
    ),
    ...NO_SUCH_SERVICE,
  },
})

const OWNER_URL_ERROR = 'owner_url must be an http or https address of at most 2,048 characters'

const OwnershipBody = z
  .object({
    team: name('team').nullish(),
    owner_url: z
      .string({ error: OWNER_URL_ERROR })
      .max(2_048, { error: OWNER_URL_ERROR })
      .refine(isWebAddress, { error: OWNER_URL_ERROR })
      .nullish()
      .openapi({ description: 'Where its owner is found' }),
  })
  .openapi('ServiceOwnership')

const assign = createRoute({
  operationId: 'assignService',
  tags: ['Services'],
  method: 'put',
  path: '/v1/services/{id}',
  summary: 'Say whose a service is',
  description: 'What is absent stays, `null` removes. Receivers may be told of the incidents of certain teams’ services only.',
  security: [...SECURITY.readonly],
  request: { params: ServiceParams, body: jsonBody(OwnershipBody, { team: 'payments' }) },
  responses: {
    200: json(ServiceBody, 'The service as it is now', EXAMPLE_SERVICE),
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'not_found', 'payload_too_large', 'unsupported_media_type', 'unavailable'),
    ...problemOf(
      'invalid_request',
      { pointer: '/team', detail: 'team must be a string' },
      { pointer: '/owner_url', detail: OWNER_URL_ERROR },
    ),
    ...NO_SUCH_SERVICE,
  },
})

export const serviceRoutes = (deps: Deps) => {
  const router = createRouter()
  // A window that is answered again is the same object, and its text as good as new.
  const texts = new WeakMap<StateWindow, string>()
  const toText = async (serviceName: string, window: StateWindow): Promise<string> => {
    let text = texts.get(window) ?? ''
    if (text !== '') return text
    let written = 0
    for (const piece of toToldText({ service: serviceName, window })) {
      text += piece
      if (text.length - written < LONG_PIECE) continue
      written = text.length
      await deps.breathe()
    }
    texts.set(window, text)
    return text
  }
  router.use('/v1/services/*', requireKey(deps))
  router.on('GET', list.path, requirePrincipal(deps, 'readonly'))
  router.use('/v1/services/:id/dependencies', requirePrincipal(deps, 'readonly'))
  router.on('PUT', '/v1/services/:id/dependencies', decodeBody)
  router.on('PUT', '/v1/services/:id', requirePrincipal(deps, 'readonly'), decodeBody)

  return router
    .openapi(list, async (c) => {
      const { limit, after } = c.req.valid('query')
      const heardOfSince = daysBefore(deps.now(), deps.retention.silentServiceDays)
      const services = await listServices(deps.db, c.var.principal.tenantId, { heardOfSince, after, limit: readLimit(limit, PAGE) })
      return c.json(services.map(toServiceBody), 200)
    })
    .openapi(context, async (c) => {
      const serviceId = await toServiceId(c.req.valid('param').id, (choice) => findServiceOfKey(deps.db, c.var.keyHash, choice))
      const asOf = readInstant('at', c.req.valid('query').at, 'last')
      const { principal, serviceName, window } = await readWindow(deps, {
        reader: { keyHash: c.var.keyHash },
        serviceId,
        asOf,
        defer: deferTo(c),
      })
      if (principal) c.set('principal', principal)
      const body = c.body(await toText(serviceName, window), 200, { 'Content-Type': 'application/json' })
      // `toText` made it of a WindowBody.
      return body as unknown as TypedResponse<z.infer<typeof WindowBody>, 200, 'json'>
    })
    .openapi(assign, async (c) => {
      const { tenantId } = c.var.principal
      const serviceId = await toServiceId(c.req.valid('param').id, (choice) => findService(deps.db, tenantId, choice))
      const { team, owner_url: ownerUrl } = c.req.valid('json')
      const owner = { team: team?.trim() ?? team, ownerUrl }
      return c.json(toServiceBody(await assignOwner(deps, tenantId, serviceId, owner, toTrail(c))), 200)
    })
    .openapi(dependencies, async (c) => {
      const serviceId = await toServiceId(c.req.valid('param').id, (choice) => findService(deps.db, c.var.principal.tenantId, choice))
      return c.json(toDependenciesBody(await getDependencies(deps.db, c.var.principal.tenantId, serviceId)), 200)
    })
    .openapi(declare, async (c) => {
      const { tenantId } = c.var.principal
      const serviceId = await toServiceId(c.req.valid('param').id, (choice) => findService(deps.db, c.var.principal.tenantId, choice))
      await declareCallees(deps, tenantId, serviceId, c.req.valid('json').declared, toTrail(c))
      return c.json(toDependenciesBody(await getDependencies(deps.db, tenantId, serviceId)), 200)
    })
}

/** A service there is not: whoever reads it says so, once it knows who asks. */
const NO_SERVICE = toId<ServiceId>('00000000-0000-0000-0000-000000000000')

type FindByName = (choice: { readonly name: string }) => ReturnType<typeof findService>

async function toServiceId(text: string, findByName: FindByName): Promise<ServiceId> {
  return parseId<ServiceId>(text) ?? (await findByName({ name: toStorableText(text) }))?.id ?? NO_SERVICE
}

function toServiceBody({ id, tenantId, agentId, name, lastEventAt, team, ownerUrl }: Service) {
  const lastEvent = lastEventAt?.toISOString() ?? null
  return { id, tenant_id: tenantId, agent_id: agentId, name, last_event_at: lastEvent, team, owner_url: ownerUrl }
}

function toDependenciesBody({ learned, declared }: Dependencies): z.infer<typeof DependenciesBody> {
  return {
    learned: learned.map(({ service, seen, lastSeenAt }) => ({ service, seen, last_seen_at: lastSeenAt.toISOString() })),
    declared: [...declared],
  }
}
