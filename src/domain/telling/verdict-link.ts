import { fromHex, toHex } from '../hash.ts'
import { type AnyId, type IncidentId, type IntegrationId, type TenantId, toId } from '../ids.ts'
import { VERDICTS, type Verdict } from '../incident/quality.ts'

/** What whoever has a link out of a message may do, once: give this verdict on the answer that the message tells. */
export type VerdictLink = {
  readonly tenantId: TenantId
  readonly incidentId: IncidentId
  /** Of the diagnosis, from 1 to 255. */
  readonly number: number
  /** Who was told. */
  readonly target: IntegrationId
  readonly verdict: Verdict
  readonly expiresAt: Date
}

const LINK = /(\/verdicts\/)[\w-]{115}/g

/** What was told, without what allows to judge it: whoever may read it may not all do that. */
export function maskVerdictLinks(text: string): string {
  return text.replace(LINK, '$1********')
}

/** What the secret signs elsewhere begins otherwise. */
const PURPOSE = 'noctuary verdict link v1\n'
const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' }
const SIGNED_BYTES = 54
const SIGNATURE_BYTES = 32
const TOKEN = /^[\w-]{115}$/

/** The token of a link, 115 characters that fit into a path: what it allows, and HMAC-SHA-256 over that. */
export async function signVerdictLink(secret: string, { tenantId, incidentId, number, target, verdict, expiresAt }: VerdictLink) {
  const numbers = [toDigits(number, 1), toDigits(VERDICTS.indexOf(verdict), 1), toDigits(Math.floor(expiresAt.getTime() / 1_000), 4)]
  const signed = fromHex([tenantId, incidentId, target].join('').replaceAll('-', '') + numbers.join(''))
  const signature = new Uint8Array(await crypto.subtle.sign(ALGORITHM, await importSecret(secret), toMessage(signed)))
  return btoa(String.fromCharCode(...signed, ...signature))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

/** What a token allows; `foreign`: it was not signed here, or was tampered with. WebCrypto compares in constant time. */
export async function readVerdictLink(secret: string, token: string, now: Date): Promise<VerdictLink | 'expired' | 'foreign'> {
  if (!TOKEN.test(token)) return 'foreign'
  const bytes = Uint8Array.from(atob(token.replaceAll('-', '+').replaceAll('_', '/')), (character) => character.charCodeAt(0))
  const [signed, signature] = [bytes.slice(0, SIGNED_BYTES), bytes.slice(SIGNED_BYTES)]
  if (signature.length !== SIGNATURE_BYTES) return 'foreign'
  if (!(await crypto.subtle.verify(ALGORITHM, await importSecret(secret), signature, toMessage(signed)))) return 'foreign'
  const hex = toHex(signed)
  const expiresAt = new Date(1_000 * Number.parseInt(hex.slice(100), 16))
  const verdict = VERDICTS[Number.parseInt(hex.slice(98, 100), 16)]
  if (verdict === undefined) return 'foreign'
  if (expiresAt <= now) return 'expired'
  const [tenantId, incidentId, target] = [toUuid<TenantId>(hex, 0), toUuid<IncidentId>(hex, 32), toUuid<IntegrationId>(hex, 64)]
  return { tenantId, incidentId, target, number: Number.parseInt(hex.slice(96, 98), 16), verdict, expiresAt }
}

const importSecret = (secret: string) =>
  crypto.subtle.importKey('raw', new TextEncoder().encode(secret), ALGORITHM, false, ['sign', 'verify'])

const toMessage = (signed: Uint8Array) => new Uint8Array([...new TextEncoder().encode(PURPOSE), ...signed])

const toDigits = (value: number, bytes: number): string => value.toString(16).padStart(2 * bytes, '0')

function toUuid<Id extends AnyId>(hex: string, from: number): Id {
  return toId<Id>(hex.slice(from, from + 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'))
}
