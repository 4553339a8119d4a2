import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { KEY_TYPES } from '../../domain/api-key.ts'
import type { ApiKeyId } from '../../domain/ids.ts'
import { type ApiKey, listApiKeys, revokeApiKey } from '../../store/api-keys.ts'
import { createApiKey } from '../../usecases/create-api-key.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { decodeBody } from '../body.ts'
import { createRouter } from '../context.ts'
import { problems } from '../problem.ts'
import { getPathId, IdParams, Instant, json, optionalName, Uuid } from '../schemas.ts'

const KeyType = z.enum(KEY_TYPES, { error: 'key_type must be ingest or readonly' })

const ApiKeyBody = z
  .strictObject({
    id: Uuid,
    tenant_id: Uuid,
    prefix: z.string(),
    last4: z.string(),
    key_type: KeyType,
    name: z.string().nullable(),
    created_at: Instant,
    last_used_at: Instant.nullable(),
    revoked_at: Instant.nullable(),
  })
  .openapi('ApiKey')

const NewApiKeyBody = z
  .strictObject({
    id: Uuid,
    key: z.string(),
    prefix: z.string(),
    last4: z.string(),
    key_type: KeyType,
    name: z.string().nullable(),
    created_at: Instant,
  })
  .openapi('NewApiKey')

const CreateApiKeyBody = z
  .object({ key_type: KeyType, name: optionalName('name') })
  .openapi('CreateApiKey', { example: { key_type: 'ingest', name: 'web-1' } })

const create = createRoute({
  operationId: 'createApiKey',
  tags: ['API keys'],
  method: 'post',
  path: '/v1/api-keys',
  security: [...SECURITY.readonly],
  request: { body: { required: true, content: { 'application/json': { schema: CreateApiKeyBody } } } },
  responses: {
    201: json(NewApiKeyBody, 'The new key, shown this once'),
    ...problems('invalid_request', 'unauthorized', 'forbidden', 'payload_too_large', 'unsupported_media_type', 'unavailable'),
  },
})

const list = createRoute({
  operationId: 'listApiKeys',
  tags: ['API keys'],
  method: 'get',
  path: '/v1/api-keys',
  security: [...SECURITY.readonly],
  responses: { 200: json(z.array(ApiKeyBody), 'The tenant’s live keys'), ...problems('unauthorized', 'forbidden', 'unavailable') },
})

const revoke = createRoute({
  operationId: 'revokeApiKey',
  tags: ['API keys'],
  method: 'delete',
  path: '/v1/api-keys/{id}',
  security: [...SECURITY.readonly],
  request: { params: IdParams },
  responses: { 204: { description: 'Revoked' }, ...problems('unauthorized', 'forbidden', 'not_found', 'unavailable') },
})

export const apiKeyRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use('/v1/api-keys/*', requireKey(deps), requirePrincipal(deps, 'readonly'))
  router.on('POST', create.path, decodeBody)

  return router
    .openapi(create, async (c) => {
      const { key_type, name } = c.req.valid('json')
      const { key, apiKey } = await createApiKey(deps, c.var.principal.tenantId, key_type, name)
      const { id, prefix, last4, createdAt } = apiKey
      return c.json({ id, key, prefix, last4, key_type, name, created_at: createdAt.toISOString() }, 201)
    })
    .openapi(list, async (c) => {
      const apiKeys = await listApiKeys(deps.db, c.var.principal.tenantId)
      return c.json(apiKeys.map(toApiKeyBody), 200)
    })
    .openapi(revoke, async (c) => {
      const id = getPathId<ApiKeyId>(c.req.valid('param').id, 'API key')
      await revokeApiKey(deps.db, c.var.principal.tenantId, id)
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
