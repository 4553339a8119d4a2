import { fromHex, toHex } from '../hash.ts'
import { type AnyId, toId } from '../ids.ts'

const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' }
const SIGNATURE_BYTES = 32

/** A token that fits into a path: bytes, as hex, and HMAC-SHA-256 over what they are for and them. */
export async function signToken(secret: string, purpose: string, hex: string): Promise<string> {
  const signed = fromHex(hex)
  const signature = new Uint8Array(await crypto.subtle.sign(ALGORITHM, await importSecret(secret), toMessage(purpose, signed)))
  return btoa(String.fromCharCode(...signed, ...signature))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** The bytes of a token, as hex; `undefined`: it was not signed here for this, or was tampered with. WebCrypto compares in constant time. */
export async function readToken(secret: string, purpose: string, token: string, byteCount: number): Promise<string | undefined> {
  if (!/^[\w-]{90,120}$/.test(token) || token.length % 4 === 1) return undefined
  const bytes = Uint8Array.from(atob(token.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0))
  const [signed, signature] = [bytes.slice(0, byteCount), bytes.slice(byteCount)]
  if (signature.length !== SIGNATURE_BYTES) return undefined
  const isOurs = await crypto.subtle.verify(ALGORITHM, await importSecret(secret), signature, toMessage(purpose, signed))
  return isOurs ? toHex(signed) : undefined
}

const importSecret = (secret: string) =>
  crypto.subtle.importKey('raw', new TextEncoder().encode(secret), ALGORITHM, false, ['sign', 'verify'])

const toMessage = (purpose: string, signed: Uint8Array) => new Uint8Array([...new TextEncoder().encode(purpose), ...signed])

/** A number as hex of so many bytes. */
export const toDigits = (value: number, bytes: number): string => value.toString(16).padStart(2 * bytes, '0')

/** An id that stands in hex from a place on. */
export function toUuid<Id extends AnyId>(hex: string, from: number): Id {
  return toId<Id>(hex.slice(from, from + 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'))
}
