import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { KEY_TYPES } from '../../domain/access/api-key.ts'
import type { ApiKeyId } from '../../domain/ids.ts'
import { type ApiKey, LAST_READONLY_KEY, listApiKeys, TOO_MANY_KEYS } from '../../store/api-keys.ts'
import { createApiKey } from '../../usecases/create-api-key.ts'
import { revokeKey } from '../../usecases/revoke-key.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { decodeBody } from '../body.ts'
import { createRouter, toTrail } from '../context.ts'
import { chanceOf, REPEAT_REFUSALS, REPEATABLE, REPLAYED_HEADER, repeatable } from '../idempotency.ts'
import { problemOf, problems } from '../problem.ts'
import { EXAMPLE_IDS, getPathId, IdParams, Instant, json, jsonBody, optionalName, Uuid } from '../schemas.ts'

const KeyType = z.enum(KEY_TYPES, { error: 'key_type must be ingest, readonly or viewer' })

const ApiKeyBody = z
  .strictObject({
    id: Uuid,
    tenant_id: Uuid,
    prefix: z.string().openapi({ description: 'The key’s first twelve characters' }),
    last4: z.string().openapi({ description: 'The key’s last four characters' }),
    key_type: KeyType,
    name: z.string().nullable(),
    created_at: Instant,
    last_used_at: Instant.nullable().openapi({ description: 'Right within a minute' }),
    revoked_at: Instant.nullable(),
  })
  .openapi('ApiKey')

const NewApiKeyBody = z
  .strictObject({
    id: Uuid,
    key: z.string().openapi({ description: 'The key itself, which is shown nowhere else' }),
    prefix: z.string(),
    last4: z.string(),
    key_type: KeyType,
    name: z.string().nullable(),
    created_at: Instant,
  })
  .openapi('NewApiKey')

const CreateApiKeyBody = z.object({ key_type: KeyType, name: optionalName('name') }).openapi('CreateApiKey')

const EXAMPLE_HINT = {
  id: EXAMPLE_IDS.ingestKey,
  prefix: 'noc_ingest_7',
  last4: 'q9Zk',
  key_type: 'ingest' as const,
  name: 'web-1',
  created_at: '2026-01-15T09:00:00.000Z',
}

const create = createRoute({
  operationId: 'createApiKey',
  ...REPEATABLE,
  tags: ['API keys'],
  method: 'post',
  path: '/v1/api-keys',
  summary: 'Create an API key',
  description: 'An ingest key for each agent; read-only keys for people who manage; viewer keys for what only reads.',
  security: [...SECURITY.readonly],
  request: { body: jsonBody(CreateApiKeyBody, { key_type: 'ingest', name: 'web-1' }) },
  responses: {
    201: {
      ...json(NewApiKeyBody, 'The new key, shown this once', { ...EXAMPLE_HINT, key: `${EXAMPLE_HINT.prefix}…${EXAMPLE_HINT.last4}` }),
      headers: REPLAYED_HEADER,
    },
    ...problems(...REPEAT_REFUSALS, 'unauthorized', 'forbidden', 'unavailable'),
    ...problemOf('conflict', { pointer: '', detail: TOO_MANY_KEYS }),
    ...problemOf(
      'invalid_request',
      { pointer: '/key_type', detail: 'key_type must be ingest, readonly or viewer' },
      { pointer: '/name', detail: 'name must be a string' },
      { pointer: '/name', detail: 'name must be at most 512 characters' },
      { pointer: '', detail: 'request body must be valid JSON' },
    ),
  },
})

const list = createRoute({
  operationId: 'listApiKeys',
  tags: ['API keys'],
  method: 'get',
  path: '/v1/api-keys',
  summary: 'List API keys',
  description: 'Keys that were not revoked, by what may be shown of them.',
  security: [...SECURITY.viewer],
  responses: {
    200: json(z.array(ApiKeyBody), 'The tenant’s live keys', [
      { ...EXAMPLE_HINT, tenant_id: EXAMPLE_IDS.tenant, last_used_at: '2026-01-15T10:23:00.000Z', revoked_at: null },
    ]),
    ...problems('unauthorized', 'forbidden', 'unavailable'),
  },
})

const revoke = createRoute({
  operationId: 'revokeApiKey',
  tags: ['API keys'],
  method: 'delete',
  path: '/v1/api-keys/{id}',
  summary: 'Revoke an API key',
  description: 'The key is refused from the next request on. The last read-only key of a tenant stays.',
  security: [...SECURITY.readonly],
  request: { params: IdParams },
  responses: {
    204: { description: 'Revoked' },
    ...problems('unauthorized', 'forbidden', 'not_found', 'conflict', 'unavailable'),
    ...problemOf('not_found', { pointer: '', detail: 'no such API key' }),
    ...problemOf('conflict', { pointer: '', detail: LAST_READONLY_KEY }),
  },
})

export const apiKeyRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use('/v1/api-keys/*', requireKey(deps), requirePrincipal(deps, 'readonly'))
  router.on('POST', create.path, decodeBody, repeatable(deps))

  return router
    .openapi(create, async (c) => {
      const { key_type, name } = c.req.valid('json')
      const { key, apiKey } = await createApiKey({ ...deps, ...chanceOf(c, deps) }, c.var.principal.tenantId, key_type, name, toTrail(c))
      const { id, prefix, last4, name: keptName, createdAt } = apiKey
      return c.json({ id, key, prefix, last4, key_type, name: keptName, created_at: createdAt.toISOString() }, 201)
    })
    .openapi(list, async (c) => {
      const apiKeys = await listApiKeys(deps.db, c.var.principal.tenantId)
      return c.json(apiKeys.map(toApiKeyBody), 200)
    })
    .openapi(revoke, async (c) => {
      const id = getPathId<ApiKeyId>(c.req.valid('param').id, 'API key')
      await revokeKey(deps, c.var.principal.tenantId, id, toTrail(c))
      return c.body(null, 204)
    })
}

function toApiKeyBody({ id, tenantId, prefix, last4, keyType, name, createdAt, lastUsedAt, revokedAt }: ApiKey) {
  return {
    id,
    tenant_id: tenantId,
    prefix,
    last4,
    key_type: keyType,
    name,
    created_at: createdAt.toISOString(),
    last_used_at: lastUsedAt?.toISOString() ?? null,
    revoked_at: revokedAt?.toISOString() ?? null,
  }
}
