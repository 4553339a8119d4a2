import type { Chance, Database, Sealing } from '../deps.ts'
import { type ConfigPatch, createToken, type Direction, type Integration, sealPatch } from '../domain/access/integration.ts'
import { type AgentId, type ApiKeyId, type IntegrationId, type TenantId, toId } from '../domain/ids.ts'
import type { IntegrationType } from '../domain/integration-type.ts'
import type { Trail } from '../store/audit.ts'
import { getIntegration, insertIntegration, mergeIntegration, replaceToken } from '../store/integrations.ts'

export type WantedIntegration = { readonly type: IntegrationType; readonly direction: Direction; readonly patch: ConfigPatch }

/** Makes an integration with a webhook token of its own. Throws `unavailable` when a secret cannot be sealed. */
export async function createIntegration(
  deps: Database & Chance & Sealing,
  tenantId: TenantId,
  wanted: WantedIntegration,
  trail: Trail,
): Promise<Integration> {
  const id = toId<IntegrationId>(deps.newUuid())
  const { type, direction, patch } = wanted
  const secrets = await sealPatch(deps.sealingKeys, { id, tenantId }, patch.secrets, deps.randomBytes)
  const integration = {
    id,
    type,
    direction,
    token: createToken(type, deps.randomBytes),
    from: patch.from ?? null,
    serviceMap: withoutNulls(patch.serviceMap ?? {}),
    settings: Object.fromEntries(Object.entries(patch.settings ?? {}).filter(([, value]) => value !== null)),
    secrets: withoutNulls(secrets),
  }
  const credential = { apiKeyId: toId<ApiKeyId>(deps.newUuid()), agentId: toId<AgentId>(deps.newUuid()) }
  return await insertIntegration(deps.db, tenantId, integration, credential, trail)
}

/** Gives an integration another token; the old one is dead when this returns. Throws `not_found`. */
export async function rotateToken(deps: Database & Chance, tenantId: TenantId, id: IntegrationId, trail: Trail): Promise<Integration> {
  const { type } = await getIntegration(deps.db, tenantId, id)
  return await replaceToken(deps.db, tenantId, id, createToken(type, deps.randomBytes), trail)
}

/** Merges settings into an integration. Throws `not_found`, `conflict` for too many services, `unavailable` when a secret cannot be sealed. */
export async function updateIntegration(
  deps: Database & Chance & Sealing,
  tenantId: TenantId,
  id: IntegrationId,
  { direction, patch }: { readonly direction: Direction | undefined; readonly patch: ConfigPatch },
  trail: Trail,
): Promise<Integration> {
  const secrets = await sealPatch(deps.sealingKeys, { id, tenantId }, patch.secrets, deps.randomBytes)
  return await mergeIntegration(deps.db, tenantId, id, { direction, patch: { ...patch, secrets } }, trail)
}

function withoutNulls<Key extends string>(record: Readonly<Partial<Record<Key, string | null>>>): Readonly<Record<Key, string>> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null)) as Record<Key, string>
}
