import { AppError } from '../errors.ts'
import type { IntegrationId, TenantId } from '../ids.ts'

/** A key that seals secrets; its id travels with what it sealed, so that it can be replaced. */
type SealingKey = { readonly id: string; readonly bytes: Uint8Array<ArrayBuffer> }

/** The keys by which secrets are read; the first one writes. */
export type SealingKeys = readonly [SealingKey, ...SealingKey[]]

/** Where a secret belongs. One that is moved elsewhere does not open. */
export type SecretPlace = { readonly tenantId: TenantId; readonly integrationId: IntegrationId; readonly field: string }

const KEY_ID = /^[A-Za-z0-9_-]{1,32}$/
const KEY_BYTES = 32
const NONCE_BYTES = 12
const FORM = 'v1'

/**
 * Reads `<id>:<base64 of 32 bytes>`, two of them at most, separated by a comma: the first seals, both open, so that one can
 * take over from the other. Throws `unavailable` with the way out.
 */
export function parseSealingKeys(text: string | undefined): SealingKeys {
  if (!text) throw unusable('is not set')
  const [first, ...others] = text.split(',').map(parseSealingKey)
  if (!first || others.length > 1) throw unusable('must hold one key or two')
  if (others[0]?.id === first.id) throw unusable('must give its keys different ids')
  return [first, ...others]
}

function parseSealingKey(text: string): SealingKey {
  const [id = '', base64 = ''] = text.trim().split(':')
  const bytes = fromBase64(base64)
  if (!KEY_ID.test(id) || bytes?.length !== KEY_BYTES) throw unusable('must be <id>:<base64 of 32 bytes>')
  return { id, bytes }
}

function unusable(problem: string): AppError {
  return new AppError(
    'unavailable',
    `secrets cannot be kept: INTEGRATION_KEYS ${problem}; the operator adds it with "wrangler secret put INTEGRATION_KEYS" (see Deploy in the README)`,
  )
}

/** Seals a secret with AES-256-GCM under the first key, bound to its place. `randomBytes` gives that many random bytes. */
export async function sealSecret(
  [key]: SealingKeys,
  place: SecretPlace,
  secret: string,
  randomBytes: (length: number) => Uint8Array<ArrayBuffer>,
): Promise<string> {
  const nonce = randomBytes(NONCE_BYTES)
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv: nonce, additionalData: toContext(place) },
    await importKey(key),
    new TextEncoder().encode(secret),
  )
  return [FORM, key.id, toBase64(nonce), toBase64(new Uint8Array(sealed))].join('.')
}

/** Opens what `sealSecret` made for the same place. Throws `unavailable` when the key is gone or the text was tampered with. */
export async function openSecret(keys: SealingKeys, place: SecretPlace, sealed: string): Promise<string> {
  const [form, keyId, nonce, text] = sealed.split('.')
  const key = keys.find(({ id }) => id === keyId)
  if (!key) throw unusable(`no longer holds the key that sealed ${place.field}`)
  const [nonceBytes, textBytes] = [fromBase64(nonce), fromBase64(text)]
  try {
    if (form !== FORM || !nonceBytes || !textBytes) throw new Error('not a sealed secret')
    const algorithm = { name: 'AES-GCM', iv: nonceBytes, additionalData: toContext(place) }
    return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, await importKey(key), textBytes))
  } catch (cause) {
    throw new AppError('unavailable', `${place.field} cannot be decrypted: set it again`, { cause })
  }
}

function importKey({ bytes }: SealingKey): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt'])
}

function toContext({ tenantId, integrationId, field }: SecretPlace): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${tenantId}/${integrationId}/${field}`)
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

function fromBase64(text = ''): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}
