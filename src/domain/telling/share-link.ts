import type { ShareId, TenantId } from '../ids.ts'
import { readToken, signToken, toDigits, toUuid } from './signed-link.ts'

/** What a link to read an incident says: which one it is. */
export type ShareLink = { readonly tenantId: TenantId; readonly id: ShareId; readonly expiresAt: Date }

/** What the secret signs elsewhere begins otherwise. */
const PURPOSE = 'noctuary share link v2\n'
const BYTES = 36

/** The token of a link, 91 characters that fit into a path. */
export async function signShareLink(secret: string, { tenantId, id, expiresAt }: ShareLink): Promise<string> {
  const ids = `${tenantId}${id}`.replaceAll('-', '')
  return await signToken(secret, PURPOSE, ids + toDigits(Math.floor(expiresAt.getTime() / 1_000), 4))
}

/** Which link a token is; `foreign`: it was not signed here, or was tampered with. */
export async function readShareLink(secret: string, token: string, now: Date): Promise<ShareLink | 'expired' | 'foreign'> {
  const hex = await readToken(secret, PURPOSE, token, BYTES)
  if (hex === undefined) return 'foreign'
  const expiresAt = new Date(1_000 * Number.parseInt(hex.slice(64), 16))
  return expiresAt <= now ? 'expired' : { tenantId: toUuid(hex, 0), id: toUuid(hex, 32), expiresAt }
}
