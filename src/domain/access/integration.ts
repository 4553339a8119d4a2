import type { IntegrationId, TenantId } from '../ids.ts'
import { ALPHABET, drawBase58 } from './base58.ts'
import { openSecret, type SealingKeys, sealSecret } from './sealed-secret.ts'

export const INTEGRATION_TYPES = ['pagerduty'] as const
export type IntegrationType = (typeof INTEGRATION_TYPES)[number]

/** Whether incidents come in from the outside system, notes go out to it, or both. */
export const DIRECTIONS = ['inbound', 'outbound', 'bidirectional'] as const
export type Direction = (typeof DIRECTIONS)[number]

/** The settings of an integration that are sealed at rest and masked in every answer. */
export const SECRET_FIELDS = ['pagerduty_token', 'webhook_secret'] as const
export type SecretField = (typeof SECRET_FIELDS)[number]

/** Secrets travel in HTTP headers and HMACs: printable ASCII, no spaces. */
export const SECRET_PATTERN = /^[\x21-\x7e]{1,512}$/

/** What stands in for a secret in an answer. Sent back, it changes nothing. */
export const MASK = '********'

/** Service names by the outside system's service id. */
type ServiceMap = Readonly<Record<string, string>>

/** What PagerDuty's ids look like, with room to spare. */
export const EXTERNAL_ID_PATTERN = /^[\w-]{1,64}$/

/** How many services an integration maps at most. */
export const MAX_MAPPED_SERVICES = 1_000

/** Bytes of a map's ids and names together, at most: what a page can show and its form can send. */
export const MAX_MAP_BYTES = 40_000

export type Integration = {
  readonly id: IntegrationId
  readonly tenantId: TenantId
  readonly type: IntegrationType
  readonly direction: Direction
  /** What makes the webhook's URL secret. */
  readonly token: string
  /** The account in whose name notes are posted: an e-mail address. */
  readonly from: string | null
  readonly serviceMap: ServiceMap
  /** Sealed, by field. */
  readonly secrets: Readonly<Partial<Record<SecretField, string>>>
  readonly createdAt: Date
}

/** A JSON merge patch (RFC 7396) of an integration's settings: what is absent stays, `null` removes. */
export type ConfigPatch = {
  readonly from?: string | null
  readonly serviceMap?: Readonly<Record<string, string | null>> | null
  readonly secrets: SecretPatch
}

export type SecretPatch = Readonly<Partial<Record<SecretField, string | null>>>

type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>

const TOKEN_LENGTH = 40
const TOKEN = new RegExp(`^tok_[${ALPHABET}]{${TOKEN_LENGTH}}$`)

/** Bytes, in UTF-8, of the ids and names that a map, or a patch of one, has. */
export function toMapBytes(map: Readonly<Record<string, string | null>>): number {
  const encoder = new TextEncoder()
  return Object.entries(map).reduce((bytes, [id, name]) => (name === null ? bytes : bytes + encoder.encode(id + name).byteLength), 0)
}

/** A new webhook token: `tok_` and 40 base58 digits, 234 random bits. */
export function createToken(randomBytes: RandomBytes): string {
  return `tok_${drawBase58(TOKEN_LENGTH, randomBytes)}`
}

/** Whether a text can be a webhook token at all: decided without a store. */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** Whether the outside system's deliveries are taken. */
export function canReceive({ direction }: Integration): boolean {
  return direction !== 'outbound'
}

/** Whether notes are posted to the outside system. */
export function canPost({ direction }: Integration): boolean {
  return direction !== 'inbound'
}

/** The same patch with its secrets sealed for this integration. Throws `unavailable` without a usable key. */
export async function sealPatch(
  sealingKeys: () => SealingKeys,
  { id: integrationId, tenantId }: Pick<Integration, 'id' | 'tenantId'>,
  patch: SecretPatch,
  randomBytes: RandomBytes,
): Promise<SecretPatch> {
  const sealed = SECRET_FIELDS.map(async (field) => {
    const secret = patch[field]
    if (secret === undefined) return []
    if (secret === null) return [[field, null]] as const
    return [[field, await sealSecret(sealingKeys(), { tenantId, integrationId, field }, secret, randomBytes)]] as const
  })
  return Object.fromEntries((await Promise.all(sealed)).flat())
}

/** One secret of an integration, in the clear; `undefined` when it is not set. Throws `unavailable` when it cannot be opened. */
export async function openSecretOf(
  { id: integrationId, tenantId, secrets }: Integration,
  field: SecretField,
  sealingKeys: () => SealingKeys,
): Promise<string | undefined> {
  const sealed = secrets[field]
  return sealed === undefined ? undefined : openSecret(sealingKeys(), { tenantId, integrationId, field }, sealed)
}

/** All secrets of an integration, sealed anew with the first key. Throws `unavailable` when one cannot be opened. */
export async function resealSecrets(
  keys: SealingKeys,
  integration: Integration,
  randomBytes: RandomBytes,
): Promise<Integration['secrets']> {
  const resealed = SECRET_FIELDS.map(async (field) => {
    const secret = await openSecretOf(integration, field, () => keys)
    const place = { tenantId: integration.tenantId, integrationId: integration.id, field }
    return secret === undefined ? [] : [[field, await sealSecret(keys, place, secret, randomBytes)] as const]
  })
  return Object.fromEntries((await Promise.all(resealed)).flat())
}
