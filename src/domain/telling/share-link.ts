import type { IncidentId, TenantId } from '../ids.ts'
import { readToken, signToken, toDigits, toUuid } from './signed-link.ts'

/** What whoever has a link to an incident may do until it expires: read it. */
export type ShareLink = { readonly tenantId: TenantId; readonly incidentId: IncidentId; readonly expiresAt: Date }

/** What the secret signs elsewhere begins otherwise. */
const PURPOSE = 'noctuary share link v1\n'
const BYTES = 36

/** The token of a link, 91 characters that fit into a path. */
export async function signShareLink(secret: string, { tenantId, incidentId, expiresAt }: ShareLink): Promise<string> {
  const ids = `${tenantId}${incidentId}`.replaceAll('-', '')
  return await signToken(secret, PURPOSE, ids + toDigits(Math.floor(expiresAt.getTime() / 1_000), 4))
}

/** What a token allows; `foreign`: it was not signed here, or was tampered with. */
export async function readShareLink(secret: string, token: string, now: Date): Promise<ShareLink | 'expired' | 'foreign'> {
  const hex = await readToken(secret, PURPOSE, token, BYTES)
  if (hex === undefined) return 'foreign'
  const expiresAt = new Date(1_000 * Number.parseInt(hex.slice(64), 16))
  return expiresAt <= now ? 'expired' : { tenantId: toUuid(hex, 0), incidentId: toUuid(hex, 32), expiresAt }
}
