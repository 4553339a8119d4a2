import { createRoute, z } from '@hono/zod-openapi'
import type { Deps, Site } from '../../deps.ts'
import {
  type ConfigPatch,
  DIRECTIONS,
  type Direction,
  INTEGRATIONS,
  type Integration,
  MASK,
  MAX_WAIT_SECONDS,
  SECRET_PATTERN,
  type SecretPatch,
  type SettingsPatch,
  toWebhookPath,
  WEBHOOK_SECRET_PATTERN,
} from '../../domain/access/integration.ts'
import { EXTERNAL_ID_PATTERN, findMapFaults, MAX_MAP_BYTES, MAX_MAPPED_SERVICES, type MapFault } from '../../domain/access/service-map.ts'
import { AppError } from '../../domain/errors.ts'
import type { IntegrationId } from '../../domain/ids.ts'
import { INTEGRATION_TYPES, type IntegrationType, SECRET_FIELDS, type SecretField } from '../../domain/integration-type.ts'
import { deleteIntegration, getIntegration, listIntegrations, TOO_MANY_INTEGRATIONS, TOO_MANY_MAPPED } from '../../store/integrations.ts'
import { createIntegration, rotateToken, updateIntegration } from '../../usecases/write-integration.ts'
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
      service: z.string().nullable(),
      environments: z.array(z.string()).nullable(),
      push: z.boolean().nullable(),
      wait_seconds: z.int().nullable(),
      service_label: z.string().nullable(),
      signature_timestamp_header: z.string().nullable(),
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
  id: 'a sender’s name must be 1 to 128 printable characters without an equals sign',
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
    description: `Service names by the sender’s own (ids of PagerDuty’s, repositories, flags: \`${EXTERNAL_ID_PATTERN.source}\`), ${MAX_MAP_BYTES} bytes at most in all; null removes one`,
    maxProperties: MAX_MAPPED_SERVICES,
  })

const MAX_ENVIRONMENTS = 20
const MAX_ENVIRONMENT_LENGTH = 64

const ENVIRONMENTS_ERROR = `environments must be 1 to ${MAX_ENVIRONMENTS} names of at most ${MAX_ENVIRONMENT_LENGTH} characters`
const WAIT_ERROR = `wait_seconds must be a whole number from 0 to ${MAX_WAIT_SECONDS}`
const HEADER_ERROR = 'signature_timestamp_header must be the name of a header'

/** How a door reads deliveries. */
const SETTINGS_BODIES = {
  service: name('service').nullish().openapi({ description: 'The service that deliveries concern where `service_map` names none' }),
  environments: z
    .array(z.string().trim().min(1).max(MAX_ENVIRONMENT_LENGTH), { error: ENVIRONMENTS_ERROR })
    .min(1, { error: ENVIRONMENTS_ERROR })
    .max(MAX_ENVIRONMENTS, { error: ENVIRONMENTS_ERROR })
    .nullish()
    .openapi({ description: 'The environments that are let in, instead of production alone' }),
  push: z
    .boolean({ error: 'push must be true or false' })
    .nullish()
    .openapi({ description: 'Whether a push to the default branch counts' }),
  wait_seconds: z
    .int({ error: WAIT_ERROR })
    .min(0, { error: WAIT_ERROR })
    .max(MAX_WAIT_SECONDS, { error: WAIT_ERROR })
    .nullish()
    .openapi({ description: 'How long an alert has to last before it is diagnosed and anybody is told' }),
  service_label: name('service_label').nullish().openapi({ description: 'The label of an alert that names its service' }),
  signature_timestamp_header: z
    .string({ error: HEADER_ERROR })
    .regex(/^[\w-]{1,128}$/, { error: HEADER_ERROR })
    .nullish(),
}

const ConfigBody = z
  .object(
    {
      ...SECRET_BODIES,
      pagerduty_from: z.email({ error: 'pagerduty_from must be an e-mail address' }).max(320).nullish(),
      service_map: ServiceMapBody.nullish(),
      ...SETTINGS_BODIES,
    },
    { error: 'config must be an object' },
  )
  .openapi('IntegrationConfig')

const CreateIntegrationBody = z
  .object({ type: IntegrationTypeName, direction: DirectionName.optional(), config: ConfigBody.nullish() })
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
  config: {
    ...EXAMPLE_CONFIG,
    pagerduty_token: MASK,
    webhook_secret: null,
    service: null,
    environments: null,
    push: null,
    wait_seconds: null,
    service_label: null,
    signature_timestamp_header: null,
  },
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
  { pointer: '/config/environments', detail: ENVIRONMENTS_ERROR },
  { pointer: '/config/wait_seconds', detail: WAIT_ERROR },
  { pointer: '/config/signature_timestamp_header', detail: HEADER_ERROR },
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
  description:
    'Put its `webhook_url` where the sender asks for an address, or its `token` where it can set a header. Secrets are stored encrypted.',
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
      const wanted = { type, direction: toDirection(type, direction), patch: config ? toPatch(config) : { secrets: {} } }
      const integration = await createIntegration({ ...deps, ...chanceOf(c, deps) }, c.var.principal.tenantId, wanted, toTrail(c))
      return c.json(toIntegrationBody(integration, baseUrl(deps, c)), 201)
    })
    .openapi(update, async (c) => {
      const id = getPathId<IntegrationId>(c.req.valid('param').id, 'integration')
      const { direction, config } = c.req.valid('json')
      if (direction !== undefined) toDirection((await getIntegration(deps.db, c.var.principal.tenantId, id)).type, direction)
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
      const integration = await rotateToken({ ...deps, ...chanceOf(c, deps) }, c.var.principal.tenantId, id, toTrail(c))
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
    settings: toSettings(config),
    secrets,
  }
}

function toSettings(config: z.infer<typeof ConfigBody>): SettingsPatch {
  const { service, environments, push, wait_seconds, service_label, signature_timestamp_header } = config
  return {
    ...(service !== undefined && { service: service?.trim() ?? null }),
    ...(environments !== undefined && { environments }),
    ...(push !== undefined && { push }),
    ...(wait_seconds !== undefined && { waitSeconds: wait_seconds }),
    ...(service_label !== undefined && { serviceLabel: service_label }),
    ...(signature_timestamp_header !== undefined && { signatureTimestampHeader: signature_timestamp_header }),
  }
}

/** A door's is always inbound. */
function toDirection(type: IntegrationType, wanted: Direction | undefined): Direction {
  const { directions } = INTEGRATIONS[type]
  const [only] = directions.length === 1 ? directions : []
  const direction = wanted ?? only
  if (direction !== undefined && directions.includes(direction)) return direction
  const detail = `direction must be ${directions.join(', ')}`
  throw new AppError('invalid_request', detail, { fields: [{ pointer: '/direction', detail }] })
}

function trimNames(map: NonNullable<z.infer<typeof ServiceMapBody>>) {
  return Object.fromEntries(Object.entries(map).map(([id, serviceName]) => [id, serviceName?.trim() ?? null]))
}

function toIntegrationBody(integration: Integration, base: string): z.infer<typeof IntegrationBody> {
  const { id, tenantId, type, direction, token, from, serviceMap, settings, secrets, createdAt } = integration
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
      service: settings.service ?? null,
      environments: settings.environments ? [...settings.environments] : null,
      push: settings.push ?? null,
      wait_seconds: settings.waitSeconds ?? null,
      service_label: settings.serviceLabel ?? null,
      signature_timestamp_header: settings.signatureTimestampHeader ?? null,
    },
    created_at: createdAt.toISOString(),
    webhook_url: `${base}${toWebhookPath(integration)}`,
  }
}
