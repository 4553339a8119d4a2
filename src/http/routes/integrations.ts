import { createRoute, z } from '@hono/zod-openapi'
import type { Deps, Site } from '../../deps.ts'
import {
  type ConfigPatch,
  createToken,
  DIRECTIONS,
  type Integration,
  MASK,
  SECRET_PATTERN,
  type SecretPatch,
  toWebhookPath,
  WEBHOOK_SECRET_PATTERN,
} from '../../domain/access/integration.ts'
import { EXTERNAL_ID_PATTERN, findMapFaults, MAX_MAP_BYTES, MAX_MAPPED_SERVICES, type MapFault } from '../../domain/access/service-map.ts'
import type { IntegrationId } from '../../domain/ids.ts'
import { INTEGRATION_TYPES, SECRET_FIELDS, type SecretField } from '../../domain/integration-type.ts'
import { deleteIntegration, listIntegrations, replaceToken, TOO_MANY_INTEGRATIONS, TOO_MANY_MAPPED } from '../../store/integrations.ts'
import { createIntegration, updateIntegration } from '../../usecases/write-integration.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { decodeBody } from '../body.ts'
import { createRouter, toTrail } from '../context.ts'
import type { AppContext } from '../env.ts'
import { chanceOf, REPEATABLE, REPLAYED_HEADER, repeatable } from '../idempotency.ts'
import { problemOf, problems } from '../problem.ts'
import { EXAMPLE_IDS, getPathId, IdParams, Instant, json, jsonBody, name, Uuid } from '../schemas.ts'

const IntegrationTypeName = z.enum(INTEGRATION_TYPES, { error: `type must be ${INTEGRATION_TYPES.join(', ')}` })
const DirectionName = z.enum(DIRECTIONS, { error: `direction must be ${DIRECTIONS.join(', ')}` })

const masked = z
  .string()
  .nullable()
  .openapi({ description: `\`${MASK}\` where a secret is set`, example: MASK })

const MASKED_SECRETS = { pagerduty_token: masked, webhook_secret: masked } as const satisfies Record<SecretField, z.ZodType>

const IntegrationBody = z
  .strictObject({
    id: Uuid,
    tenant_id: Uuid,
    type: IntegrationTypeName,
    direction: DirectionName,
    token: z.string().openapi({ example: 'tok_…' }),
    config: z.strictObject({
      ...MASKED_SECRETS,
      pagerduty_from: z.string().nullable(),
      service_map: z.record(z.string(), z.string()),
    }),
    created_at: Instant,
    webhook_url: z.string(),
  })
  .openapi('Integration')

/** The mask, sent back, changes nothing. */
const secret = (field: string, pattern: RegExp, minLength: number) =>
  z
    .string({ error: `${field} must be a string` })
    .regex(new RegExp(`${pattern.source}|^\\*{${MASK.length}}$`), {
      error: `${field} must be ${minLength} to 512 printable ASCII characters without spaces`,
    })
    .nullish()
    .transform((text) => (text === MASK ? undefined : text))

const SECRET_BODIES = {
  pagerduty_token: secret('pagerduty_token', SECRET_PATTERN, 1),
  webhook_secret: secret('webhook_secret', WEBHOOK_SECRET_PATTERN, 16),
} as const satisfies Record<SecretField, z.ZodType>

const MAP_ERRORS: Readonly<Record<MapFault, string>> = {
  id: 'a service id must be 1 to 64 letters, digits, hyphens or underscores',
  name: 'a service name must be on one line',
  entries: `service_map must have at most ${MAX_MAPPED_SERVICES} entries`,
  bytes: `service_map must have at most ${MAX_MAP_BYTES} bytes of ids and names`,
}

const ServiceMapBody = z
  .record(z.string(), name('a service name').nullable(), { error: 'service_map must be an object of service names' })
  .superRefine((map, { addIssue }) => {
    for (const { fault, id } of findMapFaults(map))
      addIssue({ code: 'custom', message: MAP_ERRORS[fault], path: id === undefined ? [] : [id] })
  })
  .openapi({
    description: `Service names by PagerDuty’s ids (\`${EXTERNAL_ID_PATTERN.source}\`), ${MAX_MAP_BYTES} bytes at most in all; null removes one`,
    maxProperties: MAX_MAPPED_SERVICES,
  })

const ConfigBody = z
  .object(
    {
      ...SECRET_BODIES,
      pagerduty_from: z.email({ error: 'pagerduty_from must be an e-mail address' }).max(320).nullish(),
      service_map: ServiceMapBody.nullish(),
    },
    { error: 'config must be an object' },
  )
  .openapi('IntegrationConfig')

const CreateIntegrationBody = z
  .object({ type: IntegrationTypeName, direction: DirectionName, config: ConfigBody.nullish() })
  .openapi('CreateIntegration')

const UpdateIntegrationBody = z.object({ direction: DirectionName.optional(), config: ConfigBody }).openapi('UpdateIntegration')

const EXAMPLE_CONFIG = {
  pagerduty_token: 'y_NbAkKc66ryYTWUXYEu',
  pagerduty_from: 'oncall@example.com',
  service_map: { PIJ90N7: 'payments-api' },
}

const EXAMPLE_INTEGRATION = {
  id: EXAMPLE_IDS.integration,
  tenant_id: EXAMPLE_IDS.tenant,
  type: 'pagerduty' as const,
  direction: 'bidirectional' as const,
  token: 'tok_…',
  config: { ...EXAMPLE_CONFIG, pagerduty_token: MASK, webhook_secret: null },
  created_at: '2026-01-15T09:00:00.000Z',
  webhook_url: 'https://api.noctuary.io/webhooks/pagerduty/tok_…',
}

const NOT_FOUND = problemOf('not_found', { pointer: '', detail: 'no such integration' })

const CONFIG_ERRORS = [
  { pointer: '/direction', detail: `direction must be ${DIRECTIONS.join(', ')}` },
  { pointer: '/config', detail: 'config must be an object' },
  { pointer: '/config/pagerduty_from', detail: 'pagerduty_from must be an e-mail address' },
  { pointer: '/config/webhook_secret', detail: 'webhook_secret must be 16 to 512 printable ASCII characters without spaces' },
  { pointer: '/config/service_map', detail: MAP_ERRORS.entries },
  { pointer: '/config/service_map', detail: MAP_ERRORS.bytes },
  { pointer: '/config/service_map/a=b', detail: MAP_ERRORS.id },
  { pointer: '/config/service_map/PIJ90N7', detail: MAP_ERRORS.name },
  { pointer: '', detail: 'request body must be valid JSON' },
]

const common = { tags: ['Integrations'], security: [...SECURITY.readonly] }

const list = createRoute({
  ...common,
  security: [...SECURITY.viewer],
  operationId: 'listIntegrations',
  method: 'get',
  path: '/v1/integrations',
  summary: 'List integrations',
  description: 'Secrets of `config` come back as a mask.',
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
  description: 'Put its `webhook_url` into PagerDuty. Secrets are stored encrypted.',
  request: { body: jsonBody(CreateIntegrationBody, { type: 'pagerduty', direction: 'bidirectional', config: EXAMPLE_CONFIG }) },
  responses: {
    201: { ...json(IntegrationBody, 'The new integration', EXAMPLE_INTEGRATION), headers: REPLAYED_HEADER },
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'conflict', 'payload_too_large', 'unsupported_media_type', 'unavailable'),
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
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'not_found', 'conflict', 'unavailable'),
    ...NOT_FOUND,
  },
})

export const integrationRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use('/v1/integrations/*', requireKey(deps), requirePrincipal(deps, 'readonly'))
  router.on('POST', create.path, decodeBody, repeatable(deps))
  router.on('POST', '/v1/integrations/:id/rotate-token', repeatable(deps))
  router.on('PUT', '/v1/integrations/:id', decodeBody)

  return router
    .openapi(list, async (c) => {
      const integrations = await listIntegrations(deps.db, c.var.principal.tenantId)
      return c.json(
        integrations.map((integration) => toIntegrationBody(integration, baseUrl(deps, c))),
        200,
      )
    })
    .openapi(create, async (c) => {
      const { type, direction, config } = c.req.valid('json')
      const wanted = { type, direction, patch: config ? toPatch(config) : { secrets: {} } }
      const integration = await createIntegration({ ...deps, ...chanceOf(c, deps) }, c.var.principal.tenantId, wanted, toTrail(c))
      return c.json(toIntegrationBody(integration, baseUrl(deps, c)), 201)
    })
    .openapi(update, async (c) => {
      const id = getPathId<IntegrationId>(c.req.valid('param').id, 'integration')
      const { direction, config } = c.req.valid('json')
      const changes = { direction, patch: toPatch(config) }
      const integration = await updateIntegration(deps, c.var.principal.tenantId, id, changes, toTrail(c))
      return c.json(toIntegrationBody(integration, baseUrl(deps, c)), 200)
    })
    .openapi(remove, async (c) => {
      const id = getPathId<IntegrationId>(c.req.valid('param').id, 'integration')
      await deleteIntegration(deps.db, c.var.principal.tenantId, id, toTrail(c))
      return c.body(null, 204)
    })
    .openapi(rotate, async (c) => {
      const id = getPathId<IntegrationId>(c.req.valid('param').id, 'integration')
      const token = createToken(chanceOf(c, deps).randomBytes)
      const integration = await replaceToken(deps.db, c.var.principal.tenantId, id, token, toTrail(c))
      return c.json(toIntegrationBody(integration, baseUrl(deps, c)), 200)
    })
}

/** Where the caller reached us: behind a custom domain, that is its name. */
function baseUrl({ publicUrl }: Site, c: AppContext): string {
  return publicUrl ?? new URL(c.req.url).origin
}

function toPatch(config: z.infer<typeof ConfigBody>): ConfigPatch {
  const { pagerduty_from, service_map } = config
  const secrets: SecretPatch = Object.fromEntries(
    SECRET_FIELDS.flatMap((field) => (config[field] === undefined ? [] : [[field, config[field]]])),
  )
  return {
    ...(pagerduty_from === undefined ? {} : { from: pagerduty_from }),
    ...(service_map === undefined ? {} : { serviceMap: service_map && trimNames(service_map) }),
    secrets,
  }
}

function trimNames(map: NonNullable<z.infer<typeof ServiceMapBody>>) {
  return Object.fromEntries(Object.entries(map).map(([id, serviceName]) => [id, serviceName?.trim() ?? null]))
}

function toIntegrationBody(integration: Integration, base: string): z.infer<typeof IntegrationBody> {
  const { id, tenantId, type, direction, token, from, serviceMap, secrets, createdAt } = integration
  const mask = (sealed: string | undefined) => (sealed === undefined ? null : MASK)
  return {
    id,
    tenant_id: tenantId,
    type,
    direction,
    token,
    config: {
      pagerduty_token: mask(secrets.pagerduty_token),
      pagerduty_from: from,
      webhook_secret: mask(secrets.webhook_secret),
      service_map: serviceMap,
    },
    created_at: createdAt.toISOString(),
    webhook_url: `${base}${toWebhookPath(integration)}`,
  }
}
