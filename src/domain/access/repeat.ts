import { uuidFromHash } from '../hash.ts'

export type RepeatSource = {
  /** The secret of who asks. */
  readonly apiKey: string
  readonly idempotencyKey: string
  readonly route: string
  readonly bodyHash: string
}

/** What follows from a request that may be repeated, the same each time. */
export type Repeat = {
  /** What the request is stored under: nothing can be read from it. */
  readonly name: string
  /** Where what the request makes has its ids and secrets from. */
  readonly chance: { readonly newUuid: () => string; readonly randomBytes: (length: number) => Uint8Array<ArrayBuffer> }
  readonly seal: (text: string, randomBytes: (length: number) => Uint8Array<ArrayBuffer>) => Promise<string>
  /** What `seal` made, opened; `undefined` for nothing, and for what was tampered with. */
  readonly open: (sealed: string | null) => Promise<string | undefined>
}

const NONCE_BYTES = 12
/** More than any request draws; HKDF gives 8,160 bytes at most. */
const CHANCE_BYTES = 4_096

/** Derives it all by HKDF-SHA-256 (RFC 5869), so that whoever reads the store learns neither from a name nor from a sealed text. */
export async function deriveRepeat({ apiKey, idempotencyKey, route, bodyHash }: RepeatSource): Promise<Repeat> {
  const secret = await crypto.subtle.importKey('raw', toBytes(apiKey), 'HKDF', false, ['deriveBits'])
  const derive = async (use: string, length: number) => {
    const info = toBytes(JSON.stringify([use, route, ...(use === 'chance' ? [bodyHash] : [])]))
    const algorithm = { name: 'HKDF', hash: 'SHA-256', salt: toBytes(idempotencyKey), info }
    return new Uint8Array(await crypto.subtle.deriveBits(algorithm, secret, 8 * length))
  }
  const [name, sealing, drawn] = await Promise.all([derive('name', 16), derive('result', 32), derive('chance', CHANCE_BYTES)])
  const key = await crypto.subtle.importKey('raw', sealing, 'AES-GCM', false, ['encrypt', 'decrypt'])
  return {
    name: uuidFromHash(name),
    chance: toChance(drawn),
    seal: async (text, randomBytes) => {
      const iv = randomBytes(NONCE_BYTES)
      const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, toBytes(text)))
      return Array.from([...iv, ...sealed], (byte) => byte.toString(16).padStart(2, '0')).join('')
    },
    open: async (sealed) => {
      const bytes = Uint8Array.from(sealed?.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))
      const algorithm = { name: 'AES-GCM', iv: bytes.slice(0, NONCE_BYTES) }
      try {
        return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, key, bytes.slice(NONCE_BYTES)))
      } catch {
        return undefined
      }
    },
  }
}

function toChance(drawn: Uint8Array<ArrayBuffer>): Repeat['chance'] {
  let used = 0
  const randomBytes = (length: number) => {
    used += length
    if (used > drawn.length) throw new Error('a request drew more than there is')
    return drawn.slice(used - length, used)
  }
  return { randomBytes, newUuid: () => uuidFromHash(randomBytes(16)) }
}

const toBytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
