import { AppError } from '../errors.ts'
import { sha256Hex } from '../hash.ts'
import type { IntegrationId, TenantId } from '../ids.ts'
import {
  DOOR_TYPES,
  type DoorType,
  type IntegrationType,
  SECRET_FIELDS,
  type SecretField,
  type SecretSetting,
  type Subscribable,
} from '../integration-type.ts'
import type { KeyType } from './api-key.ts'
import { ALPHABET, drawBase58 } from './base58.ts'
import { openSecret, type SealingKeys, sealSecret } from './sealed-secret.ts'
import type { ServiceMap, ServiceMapPatch } from './service-map.ts'

/** Whether incidents come in from the outside system, notes go out to it, or both. */
export const DIRECTIONS = ['inbound', 'outbound', 'bidirectional'] as const
export type Direction = (typeof DIRECTIONS)[number]

/** What sets one type of integration apart. */
type IntegrationTraits = {
  readonly secrets: readonly SecretSetting[]
  readonly directions: readonly Direction[]
  /** Where its deliveries go on this host. */
  readonly toPath: (token: string) => string
  readonly createToken: (randomBytes: RandomBytes) => string
}

const toDoorTraits = (type: DoorType): IntegrationTraits => ({
  secrets: ['webhook_secret'],
  directions: ['inbound'],
  toPath: (token) => `/in/${type}/${token}`,
  createToken: drawToken,
})

const toReceiverTraits = (...secrets: readonly SecretSetting[]): IntegrationTraits => ({
  secrets,
  directions: ['outbound'],
  toPath: () => '',
  createToken: drawToken,
})

export const INTEGRATIONS: Readonly<Record<IntegrationType, IntegrationTraits>> = {
  // Each has a row: the list is what the type is made of.
  ...(Object.fromEntries(DOOR_TYPES.map((type) => [type, toDoorTraits(type)])) as Record<DoorType, IntegrationTraits>),
  otlp: { ...toDoorTraits('otlp'), toPath: () => '/v1/logs' },
  'pagerduty-events': { ...toDoorTraits('pagerduty-events'), toPath: () => '/v2/enqueue', createToken: drawRoutingKey },
  pagerduty: {
    secrets: ['pagerduty_token', 'webhook_secret'],
    directions: DIRECTIONS,
    toPath: (token) => `/webhooks/pagerduty/${token}`,
    createToken: drawToken,
  },
  slack: toReceiverTraits('url', 'bot_token'),
  teams: toReceiverTraits('url'),
  discord: toReceiverTraits('url'),
  'grafana-annotations': toReceiverTraits('url', 'grafana_token'),
  // Its `signing_secret` is made here, and nobody sets it.
  webhook: toReceiverTraits('url'),
}

/** Secrets travel in HTTP headers and HMACs: printable ASCII, no spaces. */
export const SECRET_PATTERN = /^[\x21-\x7e]{1,2048}$/

/** What signs deliveries must not be guessed: 16 characters at least. */
export const WEBHOOK_SECRET_PATTERN = /^[\x21-\x7e]{16,512}$/

/** What stands in for a secret in an answer. Sent back, it changes nothing. */
export const MASK = '********'

export type Integration = {
  readonly id: IntegrationId
  readonly tenantId: TenantId
  readonly type: IntegrationType
  readonly direction: Direction
  /** What its deliveries show, in the address or as a credential: sealed, or as an earlier release stored it. */
  readonly storedToken: string
  /** The account in whose name notes are posted: an e-mail address. */
  readonly from: string | null
  readonly serviceMap: ServiceMap
  readonly settings: IntegrationSettings
  /** Sealed, by field. */
  readonly secrets: Readonly<Partial<Record<SecretField, string>>>
  readonly createdAt: Date
  /** `null`: nothing was told it yet. */
  readonly telling: TellingState | null
}

/** How telling went, the last time. */
type TellingState = {
  readonly at: Date
  readonly outcome: string
  readonly failingSince: Date | null
  /** Why nothing is told any more, until its settings change. */
  readonly switchedOff: string | null
}

/** How deliveries are read, and what a receiver is told, as far as it is set. */
export type IntegrationSettings = {
  readonly service?: string
  readonly environments?: readonly string[]
  readonly push?: boolean
  readonly waitSeconds?: number
  readonly serviceLabel?: string
  readonly signatureTimestampHeader?: string
  /** Where a receiver is told, where its address does not say so. */
  readonly channel?: string
  /** Which answers are told: of these services, of these teams’, at least so sure, about these. */
  readonly services?: readonly string[]
  readonly teams?: readonly string[]
  readonly minConfidence?: number
  readonly on?: readonly Subscribable[]
}

export const SETTINGS = [
  'service',
  'environments',
  'push',
  'waitSeconds',
  'serviceLabel',
  'signatureTimestampHeader',
  'channel',
  'services',
  'teams',
  'minConfidence',
  'on',
] as const

/** The longest that an alert may have to last before anybody is told. */
export const MAX_WAIT_SECONDS = 3_600

/** The name of a header. */
export const HEADER_NAME_PATTERN = /^[\w-]{1,128}$/

/** How many environments a door lets in at most, each of at most `MAX_ENVIRONMENT_LENGTH` characters. */
export const MAX_ENVIRONMENTS = 20

export type SettingsPatch = { readonly [Name in keyof IntegrationSettings]: IntegrationSettings[Name] | null }

/** A JSON merge patch (RFC 7396) of an integration's settings: what is absent stays, `null` removes. */
export type ConfigPatch = {
  readonly from?: string | null
  readonly settings?: SettingsPatch
  readonly serviceMap?: ServiceMapPatch | null
  readonly secrets: SecretPatch
}

export type SecretPatch = Readonly<Partial<Record<SecretField, string | null>>>

type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>

const TOKEN_LENGTH = 40
/** What routing keys of PagerDuty's have, which those who take one insist on. */
const ROUTING_KEY_LENGTH = 32
const TOKEN = new RegExp(`^(?:tok_[${ALPHABET}]{${TOKEN_LENGTH}}|[${ALPHABET}]{${ROUTING_KEY_LENGTH}})$`)

/** `tok_` and 40 base58 digits: 234 random bits. */
function drawToken(randomBytes: RandomBytes): string {
  return `tok_${drawBase58(TOKEN_LENGTH, randomBytes)}`
}

/** 32 base58 digits alone: 187 random bits that pass for a routing key. */
function drawRoutingKey(randomBytes: RandomBytes): string {
  return drawBase58(ROUTING_KEY_LENGTH, randomBytes)
}

/** A new token, as the type's deliveries show it. */
export function createToken(type: IntegrationType, randomBytes: RandomBytes): string {
  return INTEGRATIONS[type].createToken(randomBytes)
}

/** Whether a text can be an integration's token at all: decided without a store. */
export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** Where an integration's deliveries go on this host. */
export function toWebhookPath({ type }: Pick<Integration, 'type'>, token: string): string {
  return INTEGRATIONS[type].toPath(token)
}

type Sealed = Pick<Integration, 'id' | 'tenantId'>

const placeOfToken = ({ id: integrationId, tenantId }: Sealed) => ({ tenantId, integrationId, field: 'token' })

/** Begins what is stored of a token where no key could seal it: its hash, by which it is known, and which shows it to nobody. */
const NOT_KEPT = 'hash.'

/** A token as it is stored: sealed for its integration or, without a key to seal it, not at all. */
export async function sealToken(
  sealingKeys: () => SealingKeys,
  integration: Sealed,
  token: string,
  randomBytes: RandomBytes,
): Promise<string> {
  const keys = orUndefined(sealingKeys)
  if (!keys) return `${NOT_KEPT}${await sha256Hex(token)}`
  return await sealSecret(keys, placeOfToken(integration), token, randomBytes)
}

function orUndefined(sealingKeys: () => SealingKeys): SealingKeys | undefined {
  try {
    return sealingKeys()
  } catch (error) {
    if (error instanceof AppError && error.code === 'unavailable') return undefined
    throw error
  }
}

/** An integration's token in the clear. Throws `unavailable` when it cannot be opened. */
async function openToken(sealingKeys: () => SealingKeys, integration: Sealed & Pick<Integration, 'storedToken'>): Promise<string> {
  const { storedToken } = integration
  return isToken(storedToken) ? storedToken : await openSecret(sealingKeys(), placeOfToken(integration), storedToken)
}

/**
 * The token as a page or an answer shows it to a key of that kind: a mask to a viewer, who may change nothing and so send nothing,
 * and where it cannot be opened, which leaves only another one to be made.
 */
export async function showToken(sealingKeys: () => SealingKeys, integration: Integration, keyType: KeyType): Promise<string> {
  if (keyType === 'viewer') return MASK
  try {
    return await openToken(sealingKeys, integration)
  } catch (error) {
    if (error instanceof AppError && error.code === 'unavailable') return MASK
    throw error
  }
}

/** What may be shown of a token where its credential is stored. */
export function toTokenHint(token: string): { readonly prefix: string; readonly last4: string } {
  return { prefix: token.startsWith('tok_') ? 'tok_' : '', last4: token.slice(-4) }
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

/** Several secrets of an integration, in the clear, as far as they are set. Throws `unavailable` when one cannot be opened. */
export async function openSecretsOf(
  integration: Integration,
  fields: readonly SecretField[],
  sealingKeys: () => SealingKeys,
): Promise<Readonly<Partial<Record<SecretField, string>>>> {
  const opened = fields.map(async (field) => {
    const secret = await openSecretOf(integration, field, sealingKeys)
    return secret === undefined ? [] : [[field, secret] as const]
  })
  return Object.fromEntries((await Promise.all(opened)).flat())
}

/** The token and all secrets of an integration, sealed anew with the first key. Throws `unavailable` when one cannot be opened. */
export async function reseal(
  keys: SealingKeys,
  integration: Integration,
  randomBytes: RandomBytes,
): Promise<Pick<Integration, 'secrets' | 'storedToken'>> {
  const resealed = SECRET_FIELDS.map(async (field) => {
    const secret = await openSecretOf(integration, field, () => keys)
    const place = { tenantId: integration.tenantId, integrationId: integration.id, field }
    return secret === undefined ? [] : [[field, await sealSecret(keys, place, secret, randomBytes)] as const]
  })
  const isKept = !integration.storedToken.startsWith(NOT_KEPT)
  const storedToken = isKept
    ? await sealToken(() => keys, integration, await openToken(() => keys, integration), randomBytes)
    : integration.storedToken
  return { secrets: Object.fromEntries((await Promise.all(resealed)).flat()), storedToken }
}
