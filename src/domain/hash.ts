const encoder = new TextEncoder()

/** SHA-256 of bytes, or of a text's UTF-8 bytes. */
export async function sha256(data: string | Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', typeof data === 'string' ? encoder.encode(data) : data))
}

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Bytes as lower-case hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  let hex = ''
  for (const byte of bytes) hex += DIGITS[byte]
  return hex
}

/** SHA-256 as lower-case hexadecimal digits, as keys and bodies are known by. */
export const sha256Hex = async (data: string | Uint8Array<ArrayBuffer>): Promise<string> => toHex(await sha256(data))

/** The bytes that hexadecimal digits, an even number of them, stand for. */
export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: hex.length / 2 }, (_, index) => Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16))
}

/** The UUID of version 8 (RFC 9562) made of the first 16 bytes of a hash: equal input, equal id. */
export function uuidFromHash(hash: Uint8Array): string {
  const hex = toHex(hash.subarray(0, 16))
  const variant = (Number.parseInt(hex.charAt(16), 16) & 0b0011) | 0b1000
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant.toString(16)}${hex.slice(17, 20)}-${hex.slice(20)}`
}

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** FNV-1a with a final mix, of UTF-16 units: 32 bits, fast, and the same everywhere. */
export function hashOf(text: string): number {
  let hash = FNV_OFFSET
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}
