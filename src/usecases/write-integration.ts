import type { Chance, Clock, Database, Keeping, Receivers, Sealing } from '../deps.ts'
import {
  type ConfigPatch,
  createToken,
  type Direction,
  type Integration,
  openSecretsOf,
  type SecretPatch,
  sealPatch,
  sealToken,
} from '../domain/access/integration.ts'
import { AppError } from '../domain/errors.ts'
import { type KeepingPolicy, toKeptName } from '../domain/event/redact.ts'
import { type AgentId, type ApiKeyId, type IntegrationId, type TenantId, toId } from '../domain/ids.ts'
import type { IntegrationType } from '../domain/integration-type.ts'
import { findFaultOfAddress } from '../domain/receivers/address.ts'
import { findFaultOfFilter } from '../domain/receivers/filter.ts'
import { findReceiver, isSigned } from '../domain/receivers/index.ts'
import { createSigningSecret, keepEarlier } from '../domain/receivers/webhook.ts'
import type { Trail } from '../store/audit.ts'
import { getIntegration, insertIntegration, mergeIntegration, replaceSigningSecret, replaceToken } from '../store/integrations.ts'

export type WantedIntegration = { readonly type: IntegrationType; readonly direction: Direction; readonly patch: ConfigPatch }

/** An integration with its token in the clear. */
export type OpenIntegration = { readonly integration: Integration; readonly token: string }

/** `secret`: what signs the messages to it, which is never told again. */
export type CreatedIntegration = OpenIntegration & { readonly secret: string | undefined }

/**
 * Makes an integration with a webhook token of its own. Throws `unavailable` when a secret cannot be sealed, `invalid_request` for
 * an address that is not sent to.
 */
export async function createIntegration(
  deps: Database & Chance & Sealing & Receivers & Keeping,
  tenantId: TenantId,
  wanted: WantedIntegration,
  trail: Trail,
): Promise<CreatedIntegration> {
  const id = toId<IntegrationId>(deps.newUuid())
  const { type, direction } = wanted
  const patch = toKeptPatch(wanted.patch, deps.keeping)
  checkAddress(deps, patch.secrets)
  checkFilter(type, patch)
  const secret = isSigned(type) ? createSigningSecret(deps.randomBytes) : undefined
  const plain = { ...patch.secrets, ...(secret !== undefined && { signing_secret: secret }) }
  const secrets = await sealPatch(deps.sealingKeys, { id, tenantId }, plain, deps.randomBytes)
  const token = createToken(type, deps.randomBytes)
  const integration = {
    id,
    type,
    direction,
    storedToken: await sealToken(deps.sealingKeys, { id, tenantId }, token, deps.randomBytes),
    from: patch.from ?? null,
    serviceMap: withoutNulls(patch.serviceMap ?? {}),
    settings: Object.fromEntries(Object.entries(patch.settings ?? {}).filter(([, value]) => value !== null)),
    secrets: withoutNulls(secrets),
  }
  const credential = { apiKeyId: toId<ApiKeyId>(deps.newUuid()), agentId: toId<AgentId>(deps.newUuid()), token }
  return { integration: await insertIntegration(deps.db, tenantId, integration, credential, trail), token, secret }
}

/** Gives an integration another token; the old one is dead when this returns. Throws `not_found`. */
export async function rotateToken(
  deps: Database & Chance & Sealing,
  tenantId: TenantId,
  id: IntegrationId,
  trail: Trail,
): Promise<OpenIntegration> {
  const { type } = await getIntegration(deps.db, tenantId, id)
  const token = createToken(type, deps.randomBytes)
  const storedToken = await sealToken(deps.sealingKeys, { id, tenantId }, token, deps.randomBytes)
  return { integration: await replaceToken(deps.db, tenantId, id, { token, storedToken }, trail), token }
}

/**
 * Gives a webhook another secret to sign with. For a day its messages are signed with the one before, too, so that its receiver
 * may take the new one up in that time. Throws `not_found`, `invalid_request` for what signs nothing, `conflict` when somebody
 * else gave it one meanwhile.
 */
export async function rotateSigningSecret(
  deps: Database & Chance & Clock & Sealing,
  tenantId: TenantId,
  id: IntegrationId,
  trail: Trail,
): Promise<{ readonly integration: Integration; readonly secret: string }> {
  const integration = await getIntegration(deps.db, tenantId, id)
  if (!isSigned(integration.type)) throw new AppError('invalid_request', 'only a webhook has a secret to sign with')
  const secret = createSigningSecret(deps.randomBytes)
  const before = await openSecretsOf(integration, ['signing_secret', 'earlier_signing_secrets'], deps.sealingKeys)
  // The same request again, whose answer was not kept.
  if (before.signing_secret === secret) return { integration, secret }
  const plain = {
    signing_secret: secret,
    ...(before.signing_secret !== undefined && {
      earlier_signing_secrets: keepEarlier(before.earlier_signing_secrets, before.signing_secret, deps.now()),
    }),
  }
  const secrets = await sealPatch(deps.sealingKeys, integration, plain, deps.randomBytes)
  return { integration: await replaceSigningSecret(deps.db, tenantId, integration, secrets, trail), secret }
}

/** Merges settings into an integration. Throws `not_found`, `conflict` for too many services, `unavailable` when a secret cannot be sealed. */
export async function updateIntegration(
  deps: Database & Chance & Sealing & Receivers & Keeping,
  tenantId: TenantId,
  id: IntegrationId,
  { direction, patch }: { readonly direction: Direction | undefined; readonly patch: ConfigPatch },
  trail: Trail,
): Promise<Integration> {
  checkAddress(deps, patch.secrets)
  if (patch.settings?.on) checkFilter((await getIntegration(deps.db, tenantId, id)).type, patch)
  const secrets = await sealPatch(deps.sealingKeys, { id, tenantId }, patch.secrets, deps.randomBytes)
  return await mergeIntegration(deps.db, tenantId, id, { direction, patch: { ...toKeptPatch(patch, deps.keeping), secrets } }, trail)
}

/** Names in settings as they are kept. A key of ours is none of a service's. */
function toKeptPatch({ serviceMap, settings, ...patch }: ConfigPatch, policy: KeepingPolicy): ConfigPatch {
  const kept = (name: string) => toKeptName(name, policy)
  const { service, environments, services, teams, channel, ...others } = settings ?? {}
  return {
    ...patch,
    ...(serviceMap !== undefined && {
      serviceMap:
        serviceMap && Object.fromEntries(Object.entries(serviceMap).map(([from, to]) => [kept(from), to === null ? null : kept(to)])),
    }),
    ...(settings !== undefined && {
      settings: {
        ...others,
        ...(service !== undefined && { service: toKeptName(service, policy) }),
        ...(channel !== undefined && { channel: toKeptName(channel, policy) }),
        ...(environments !== undefined && { environments: environments?.map(kept) ?? null }),
        ...(services !== undefined && { services: services?.map(kept) ?? null }),
        ...(teams !== undefined && { teams: teams?.map(kept) ?? null }),
      },
    }),
  }
}

function checkAddress({ addressRules }: Receivers, { url }: SecretPatch): void {
  const detail = typeof url === 'string' ? findFaultOfAddress(url, addressRules) : undefined
  if (detail !== undefined) throw new AppError('invalid_request', detail, { fields: [{ pointer: '/config/url', detail }] })
}

function checkFilter(type: IntegrationType, { settings }: ConfigPatch): void {
  const receiver = findReceiver(type)
  const detail = receiver && settings?.on ? findFaultOfFilter(receiver, settings.on) : undefined
  if (detail !== undefined) throw new AppError('invalid_request', detail, { fields: [{ pointer: '/config/on', detail }] })
}

function withoutNulls<Key extends string>(record: Readonly<Partial<Record<Key, string | null>>>): Readonly<Record<Key, string>> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null)) as Record<Key, string>
}
