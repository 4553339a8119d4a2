import { createRoute, z } from '@hono/zod-openapi'
import type { Deps, Sealing, Site } from '../../deps.ts'
import { type Direction, INTEGRATIONS, type Integration, showToken } from '../../domain/access/integration.ts'
import { AppError } from '../../domain/errors.ts'
import type { IntegrationId } from '../../domain/ids.ts'
import { INTEGRATION_TYPES, type IntegrationType } from '../../domain/integration-type.ts'
import {
  deleteIntegration,
  getIntegration,
  listIntegrations,
  ROTATED_MEANWHILE,
  TOO_MANY_INTEGRATIONS,
  TOO_MANY_MAPPED,
} from '../../store/integrations.ts'
import { createIntegration, rotateSigningSecret, rotateToken, updateIntegration } from '../../usecases/write-integration.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { boundBody, decodeBody } from '../body.ts'
import { createRouter, toTrail } from '../context.ts'
import type { AppContext } from '../env.ts'
import { chanceOf, REPEAT_REFUSALS, REPEATABLE, REPLAYED_HEADER, repeatable } from '../idempotency.ts'
import { problemOf, problems } from '../problem.ts'
import { getPathId, IdParams, json, jsonBody } from '../schemas.ts'
import {
  CreatedBody,
  DirectionName,
  EXAMPLE_CONFIG,
  EXAMPLE_INTEGRATION,
  IntegrationBody,
  IntegrationTypeName,
  toIntegrationBody,
} from './integration-body.ts'
import { CONFIG_ERRORS, ConfigBody, toPatch } from './integration-config.ts'

const CreateIntegrationBody = z
  .object({ type: IntegrationTypeName, direction: DirectionName.optional(), config: ConfigBody.nullish() })
  .openapi('CreateIntegration')

const UpdateIntegrationBody = z.object({ direction: DirectionName.optional(), config: ConfigBody }).openapi('UpdateIntegration')

const NOT_FOUND = problemOf('not_found', { pointer: '', detail: 'no such integration' })

const common = { tags: ['Integrations'], security: [...SECURITY.readonly] }

const list = createRoute({
  ...common,
  security: [...SECURITY.viewer],
  operationId: 'listIntegrations',
  method: 'get',
  path: '/v1/integrations',
  summary: 'List integrations',
  description: 'Secrets of `config` come back as a mask, and to a viewer’s key `token`, too.',
  responses: {
    200: json(z.array(IntegrationBody), 'The tenant’s integrations, oldest first', [EXAMPLE_INTEGRATION]),
    ...problems('unauthorized', 'forbidden', 'unavailable'),
  },
})

const create = createRoute({
  ...common,
  operationId: 'createIntegration',
  ...REPEATABLE,
  method: 'post',
  path: '/v1/integrations',
  summary: 'Create an integration',
  description:
    'Put its `webhook_url` where the sender asks for an address, or its `token` where it can set a header. Secrets are stored encrypted.',
  request: { body: jsonBody(CreateIntegrationBody, { type: 'pagerduty', direction: 'bidirectional', config: EXAMPLE_CONFIG }) },
  responses: {
    201: { ...json(CreatedBody, 'The new integration', EXAMPLE_INTEGRATION), headers: REPLAYED_HEADER },
    ...problems(...REPEAT_REFUSALS, 'unauthorized', 'forbidden', 'unavailable'),
    ...problemOf('invalid_request', { pointer: '/type', detail: `type must be ${INTEGRATION_TYPES.join(', ')}` }, ...CONFIG_ERRORS),
    ...problemOf('conflict', { pointer: '', detail: TOO_MANY_INTEGRATIONS }),
  },
})

const update = createRoute({
  ...common,
  operationId: 'updateIntegration',
  description: '`config` is merged into the present one (RFC 7396): what is absent stays, `null` removes, also inside `service_map`.',
  method: 'put',
  path: '/v1/integrations/{id}',
  summary: 'Change an integration',
  request: {
    params: IdParams,
    body: jsonBody(UpdateIntegrationBody, { config: { pagerduty_from: 'oncall@example.com', webhook_secret: null } }),
  },
  responses: {
    200: json(IntegrationBody, 'The integration as it is now', EXAMPLE_INTEGRATION),
    ...problems(
      'invalid_request',
      'unauthorized',
      'forbidden',
      'not_found',
      'conflict',
      'payload_too_large',
      'unsupported_media_type',
      'unavailable',
    ),
    ...problemOf('invalid_request', ...CONFIG_ERRORS),
    ...problemOf('conflict', { pointer: '', detail: TOO_MANY_MAPPED }),
    ...NOT_FOUND,
  },
})

const remove = createRoute({
  ...common,
  operationId: 'deleteIntegration',
  method: 'delete',
  path: '/v1/integrations/{id}',
  summary: 'Delete an integration',
  request: { params: IdParams },
  responses: {
    204: { description: 'Deleted; its webhook is dead' },
    ...problems('unauthorized', 'forbidden', 'not_found', 'unavailable'),
    ...NOT_FOUND,
  },
})

const ROTATION_PROBLEMS = {
  ...problems(...REPEAT_REFUSALS, 'unauthorized', 'forbidden', 'not_found', 'unavailable'),
  ...NOT_FOUND,
}

const rotate = createRoute({
  ...common,
  operationId: 'rotateIntegrationToken',
  ...REPEATABLE,
  method: 'post',
  path: '/v1/integrations/{id}/rotate-token',
  summary: 'Give an integration a new webhook',
  request: { params: IdParams },
  responses: {
    200: {
      ...json(IntegrationBody, 'The integration with its new webhook; the old one is dead', EXAMPLE_INTEGRATION),
      headers: REPLAYED_HEADER,
    },
    ...ROTATION_PROBLEMS,
  },
})

const rotateSecret = createRoute({
  ...common,
  operationId: 'rotateSigningSecret',
  ...REPEATABLE,
  method: 'post',
  path: '/v1/integrations/{id}/rotate-secret',
  summary: 'Give a webhook a new secret to sign with',
  description: 'Its messages are signed with the new `secret` and, for a day, with the one before, too.',
  request: { params: IdParams },
  responses: {
    200: { ...json(CreatedBody, 'The integration with its new secret', EXAMPLE_INTEGRATION), headers: REPLAYED_HEADER },
    ...ROTATION_PROBLEMS,
    ...problemOf('conflict', { pointer: '', detail: ROTATED_MEANWHILE }),
  },
})

export const integrationRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use('/v1/integrations/*', requireKey(deps), requirePrincipal(deps, 'readonly'))
  router.on('POST', create.path, decodeBody, repeatable(deps))
  router.on('POST', ['/v1/integrations/:id/rotate-token', '/v1/integrations/:id/rotate-secret'], boundBody, repeatable(deps))
  router.on('PUT', '/v1/integrations/:id', decodeBody)

  return router
    .openapi(list, async (c) => {
      const integrations = await listIntegrations(deps.db, c.var.principal.tenantId)
      return c.json(await Promise.all(integrations.map((integration) => toBody(deps, c, integration))), 200)
    })
    .openapi(create, async (c) => {
      const { type, direction, config } = c.req.valid('json')
      const wanted = { type, direction: toDirection(type, direction), patch: config ? toPatch(config) : { secrets: {} } }
      const { integration, token, secret } = await createIntegration(
        { ...deps, ...chanceOf(c, deps) },
        c.var.principal.tenantId,
        wanted,
        toTrail(c),
      )
      return c.json({ ...toIntegrationBody(integration, baseUrl(deps, c), token), ...(secret !== undefined && { secret }) }, 201)
    })
    .openapi(update, async (c) => {
      const id = getPathId<IntegrationId>(c.req.valid('param').id, 'integration')
      const { direction, config } = c.req.valid('json')
      if (direction !== undefined) toDirection((await getIntegration(deps.db, c.var.principal.tenantId, id)).type, direction)
      const changes = { direction, patch: toPatch(config) }
      const integration = await updateIntegration(deps, c.var.principal.tenantId, id, changes, toTrail(c))
      return c.json(await toBody(deps, c, integration), 200)
    })
    .openapi(remove, async (c) => {
      const id = getPathId<IntegrationId>(c.req.valid('param').id, 'integration')
      await deleteIntegration(deps.db, c.var.principal.tenantId, id, toTrail(c))
      return c.body(null, 204)
    })
    .openapi(rotate, async (c) => {
      const id = getPathId<IntegrationId>(c.req.valid('param').id, 'integration')
      const { integration, token } = await rotateToken({ ...deps, ...chanceOf(c, deps) }, c.var.principal.tenantId, id, toTrail(c))
      return c.json(toIntegrationBody(integration, baseUrl(deps, c), token), 200)
    })
    .openapi(rotateSecret, async (c) => {
      const id = getPathId<IntegrationId>(c.req.valid('param').id, 'integration')
      const { integration, secret } = await rotateSigningSecret({ ...deps, ...chanceOf(c, deps) }, c.var.principal.tenantId, id, toTrail(c))
      return c.json({ ...(await toBody(deps, c, integration)), secret }, 200)
    })
}

/** Where the caller reached us: behind a custom domain, that is its name. */
function baseUrl({ publicUrl }: Site, c: AppContext): string {
  return publicUrl ?? new URL(c.req.url).origin
}

async function toBody(deps: Site & Sealing, c: AppContext, integration: Integration) {
  return toIntegrationBody(integration, baseUrl(deps, c), await showToken(deps.sealingKeys, integration, c.var.principal.keyType))
}

/** A door's is always inbound, a receiver's outbound. */
function toDirection(type: IntegrationType, wanted: Direction | undefined): Direction {
  const { directions } = INTEGRATIONS[type]
  const [only] = directions.length === 1 ? directions : []
  const direction = wanted ?? only
  if (direction !== undefined && directions.includes(direction)) return direction
  const detail = `direction must be ${directions.join(', ')}`
  throw new AppError('invalid_request', detail, { fields: [{ pointer: '/direction', detail }] })
}
