import { fromHex } from '../hash.ts'
import { DAY_MS } from '../timestamp.ts'
import { toEpochMs } from './reading.ts'

/** How a sender proves that a delivery is its own. */
export type SignatureScheme =
  /** `<header>: sha256=<hex>` over the body; `sha384=` and `sha512=`, too. */
  | { readonly kind: 'prefixed'; readonly header: string }
  /** `<header>: <hex>` over the body; over `<timestamp>:<body>` where the settings name the timestamp's header, within a day. */
  | { readonly kind: 'hex'; readonly header: string }
  /** Standard Webhooks 1.0: `webhook-signature: v1,<base64> …` over `id.timestamp.body`, within 300 s. */
  | { readonly kind: 'standard' }
  /** `X-Rootly-Signature: t=…,v1=<hex>` over timestamp and body, within a day. */
  | { readonly kind: 'rootly' }
  /** The secret itself. */
  | { readonly kind: 'token'; readonly header: string }
  /** `X-PagerDuty-Signature: v1=<hex>,…` over the body. */
  | { readonly kind: 'pagerduty' }

type SignedDelivery = {
  readonly header: (name: string) => string | undefined
  /** The very bytes that came. */
  readonly body: Uint8Array<ArrayBuffer>
  readonly now: Date
  readonly timestampHeader?: string | undefined
}

type Hash = 'SHA-256' | 'SHA-384' | 'SHA-512'
/** A message and the signatures that may be its. */
type Claim = { readonly message: Uint8Array<ArrayBuffer>; readonly signatures: readonly Uint8Array<ArrayBuffer>[]; readonly hash: Hash }

const HASHES: ReadonlyMap<string, Hash> = new Map([
  ['sha256', 'SHA-256'],
  ['sha384', 'SHA-384'],
  ['sha512', 'SHA-512'],
])
const TOLERANCE_SECONDS = 300
const MAX_SIGNATURES = 16
const HEX = /^(?:[0-9a-f]{2}){32,64}$/i
const PREFIXED = /^(sha\d{3})=([0-9a-f]+)$/i
const SECONDS = /^\d{1,12}$/
const ROOTLY = /^t=(\d{1,16}),\s*v1=([0-9a-f]{64})$/i
const encode = (text: string) => new TextEncoder().encode(text)

/**
 * Whether a delivery is signed with one of the secrets, of which there are two while one is rotated. WebCrypto compares
 * in constant time. Without a secret nothing is genuine.
 */
export async function verifySignature(scheme: SignatureScheme, secrets: readonly string[], delivery: SignedDelivery): Promise<boolean> {
  const usable = secrets.filter((secret) => secret !== '')
  const checks = usable.map((secret) =>
    scheme.kind === 'token' ? isToken(secret, delivery.header(scheme.header)) : isClaimed(scheme, secret, delivery),
  )
  return (await Promise.all(checks)).includes(true)
}

async function isClaimed(scheme: Exclude<SignatureScheme, { kind: 'token' }>, secret: string, delivery: SignedDelivery): Promise<boolean> {
  const claim = readClaim(scheme, delivery)
  if (!claim || claim.signatures.length === 0) return false
  const bytes = scheme.kind === 'standard' ? toStandardKey(secret) : encode(secret)
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: claim.hash }, false, ['verify'])
  const checks = claim.signatures.map((signature) => crypto.subtle.verify('HMAC', key, signature, claim.message))
  return (await Promise.all(checks)).includes(true)
}

/** Equality without telling how much of the token was right: both are hashed with the secret as key. */
async function isToken(secret: string, sent: string | undefined): Promise<boolean> {
  const key = await crypto.subtle.importKey('raw', encode(secret), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
  const expected = await crypto.subtle.sign('HMAC', key, encode(secret))
  return crypto.subtle.verify('HMAC', key, expected, encode(sent ?? ''))
}

function readClaim(scheme: Exclude<SignatureScheme, { kind: 'token' }>, delivery: SignedDelivery): Claim | undefined {
  const { header, body } = delivery
  switch (scheme.kind) {
    case 'prefixed': {
      const [, name = '', hex = ''] = PREFIXED.exec(header(scheme.header)?.trim() ?? '') ?? []
      const hash = HASHES.get(name.toLowerCase())
      return hash && { message: body, signatures: readHex(hex), hash }
    }
    case 'hex':
      return readHexClaim(scheme.header, delivery)
    case 'standard':
      return readStandardClaim(delivery)
    case 'rootly': {
      const [, timestamp, hex = ''] = ROOTLY.exec(header('X-Rootly-Signature')?.trim() ?? '') ?? []
      return timestamp === undefined || !isOfToday(timestamp, delivery.now)
        ? undefined
        : { message: join(timestamp, body), signatures: readHex(hex), hash: 'SHA-256' }
    }
    case 'pagerduty': {
      const parts = (header('X-PagerDuty-Signature') ?? '').split(',', MAX_SIGNATURES)
      const signatures = parts.map((part) => part.trim()).flatMap((part) => (part.startsWith('v1=') ? readHex(part.slice(3)) : []))
      return { message: body, signatures, hash: 'SHA-256' }
    }
  }
}

function readHexClaim(name: string, { header, body, now, timestampHeader }: SignedDelivery): Claim | undefined {
  const signatures = readHex(header(name)?.trim() ?? '')
  if (timestampHeader === undefined) return { message: body, signatures, hash: 'SHA-256' }
  const timestamp = header(timestampHeader) ?? ''
  return isOfToday(timestamp, now) ? { message: join(`${timestamp}:`, body), signatures, hash: 'SHA-256' } : undefined
}

/** Whether what was signed with a time, in seconds or milliseconds since 1970, is of the day around now: older, it was caught and kept. */
function isOfToday(timestamp: string, now: Date): boolean {
  const told = /^\s*\d{1,16}\s*$/.test(timestamp) ? Number(timestamp) : Number.NaN
  return Math.abs(now.getTime() - toEpochMs(told)) <= DAY_MS
}

function readStandardClaim({ header, body, now }: SignedDelivery): Claim | undefined {
  // Svix, which the scheme grew out of, still sends its own names to some.
  const read = (name: string) => header(`webhook-${name}`) ?? header(`svix-${name}`)
  const [id, timestamp] = [read('id'), read('timestamp')?.trim()]
  if (id === undefined || timestamp === undefined || !SECONDS.test(timestamp)) return undefined
  if (Math.abs(now.getTime() / 1_000 - Number(timestamp)) > TOLERANCE_SECONDS) return undefined
  const parts = (read('signature') ?? '').trim().split(/\s+/, MAX_SIGNATURES)
  const signatures = parts.flatMap((part) => (part.startsWith('v1,') ? fromBase64(part.slice(3)) : []))
  return { message: join(`${id}.${timestamp}.`, body), signatures, hash: 'SHA-256' }
}

function toStandardKey(secret: string): Uint8Array<ArrayBuffer> {
  const [decoded] = fromBase64(secret.replace(/^whsec_/, ''))
  return decoded && decoded.byteLength > 0 ? decoded : encode(secret)
}

function join(prefix: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = encode(prefix)
  const joined = new Uint8Array(head.byteLength + body.byteLength)
  joined.set(head)
  joined.set(body, head.byteLength)
  return joined
}

/** The signature, or none for what is not hexadecimal, or not of a hash. */
const readHex = (hex: string): Uint8Array<ArrayBuffer>[] => (HEX.test(hex) ? [fromHex(hex)] : [])

/** The bytes, or none for what is not base64. */
function fromBase64(text: string): Uint8Array<ArrayBuffer>[] {
  try {
    return [Uint8Array.from(atob(text), (character) => character.charCodeAt(0))]
  } catch {
    return []
  }
}
