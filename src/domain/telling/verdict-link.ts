import type { IncidentId, IntegrationId, TenantId } from '../ids.ts'
import { VERDICTS, type Verdict } from '../incident/quality.ts'
import { readToken, signToken, toDigits, toUuid } from './signed-link.ts'

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
const SIGNED_BYTES = 54

/** The token of a link, 115 characters that fit into a path: what it allows, and HMAC-SHA-256 over that. */
export async function signVerdictLink(secret: string, { tenantId, incidentId, number, target, verdict, expiresAt }: VerdictLink) {
  const numbers = [toDigits(number, 1), toDigits(VERDICTS.indexOf(verdict), 1), toDigits(Math.floor(expiresAt.getTime() / 1_000), 4)]
  return await signToken(secret, PURPOSE, [tenantId, incidentId, target].join('').replaceAll('-', '') + numbers.join(''))
}

/** What a token allows; `foreign`: it was not signed here, or was tampered with. */
export async function readVerdictLink(secret: string, token: string, now: Date): Promise<VerdictLink | 'expired' | 'foreign'> {
  const hex = await readToken(secret, PURPOSE, token, SIGNED_BYTES)
  if (hex === undefined) return 'foreign'
  const expiresAt = new Date(1_000 * Number.parseInt(hex.slice(100), 16))
  const verdict = VERDICTS[Number.parseInt(hex.slice(98, 100), 16)]
  if (verdict === undefined) return 'foreign'
  if (expiresAt <= now) return 'expired'
  const [tenantId, incidentId, target] = [toUuid<TenantId>(hex, 0), toUuid<IncidentId>(hex, 32), toUuid<IntegrationId>(hex, 64)]
  return { tenantId, incidentId, target, number: Number.parseInt(hex.slice(96, 98), 16), verdict, expiresAt }
}
