import { AppError } from '../errors.ts'
import { ALPHABET, drawBase58 } from './base58.ts'

export const KEY_TYPES = ['ingest', 'readonly', 'viewer'] as const

export type KeyType = (typeof KEY_TYPES)[number]

const KEY_PREFIXES = { ingest: 'noc_ingest_', readonly: 'noc_ro_', viewer: 'noc_view_' } as const satisfies Record<KeyType, string>

const REFUSALS: Readonly<Record<KeyType, string>> = {
  ingest: 'an ingest key is required',
  readonly: 'a read-only key is required',
  viewer: 'a key that reads is required',
}

const SECRET_LENGTH = 38
const CHECKSUM_LENGTH = 6
const BODY = new RegExp(`^[${ALPHABET}]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`)
/**
 * A new API key: its prefix, 38 base58 characters (222 random bits) and a checksum of 6, 44 in all.
 * `randomBytes` gives that many random bytes.
 */
export function createKey(keyType: KeyType, randomBytes: (length: number) => Uint8Array): string {
  const text = KEY_PREFIXES[keyType] + drawBase58(SECRET_LENGTH, randomBytes)
  return text + checksum(text)
}

/** Whether the text can be one of our keys at all: decided without a store. */
export function isWellFormedKey(text: string): boolean {
  const prefix = Object.values(KEY_PREFIXES).find((candidate) => text.startsWith(candidate))
  if (prefix === undefined || !BODY.test(text.slice(prefix.length))) return false
  return text.slice(-CHECKSUM_LENGTH) === checksum(text.slice(0, -CHECKSUM_LENGTH))
}

/** The kind of a well-formed key, which its prefix tells. */
export function toKeyType(key: string): KeyType {
  return KEY_TYPES.find((type) => key.startsWith(KEY_PREFIXES[type])) ?? 'readonly'
}

/** Throws `forbidden` unless a key may read: a viewer's, which does nothing else, or a read-only one, which manages, too. */
export function assertMayRead(keyType: KeyType): void {
  if (keyType !== 'viewer') assertKeyType(keyType, 'readonly')
}

/** Throws `forbidden` unless a key is of the kind that is wanted. */
export function assertKeyType(keyType: KeyType, wanted: KeyType): void {
  if (keyType !== wanted) throw new AppError('forbidden', REFUSALS[wanted])
}

/** What may be shown of a key after its creation: the first twelve and the last four characters. */
export function toKeyHint(key: string): { readonly prefix: string; readonly last4: string } {
  return { prefix: key.slice(0, 12), last4: key.slice(-4) }
}

/** CRC-32 (ISO 3309) of the text in six base58 digits, as secret scanners can compute it. */
function checksum(text: string): string {
  let crc = 0xffffffff
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  let rest = ~crc >>> 0
  let digits = ''
  for (let place = 0; place < CHECKSUM_LENGTH; place += 1) {
    digits = ALPHABET.charAt(rest % 58) + digits
    rest = Math.floor(rest / 58)
  }
  return digits
}
