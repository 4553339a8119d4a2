import type { Chance, Clock, Database, Linking } from '../deps.ts'
import { AppError } from '../domain/errors.ts'
import { type IncidentId, type ShareId, type TenantId, toId } from '../domain/ids.ts'
import { signShareLink } from '../domain/telling/share-link.ts'
import type { Trail } from '../store/audit.ts'
import { getIncident } from '../store/incidents.ts'
import { addShare, type Share } from '../store/shares.ts'

const SHARED_MS = 3 * 24 * 3_600_000

/** Makes a link to read an incident for three days; `path` is where it leads, and told this once. Throws as `addShare`. */
export async function shareIncident(
  { db, now, newUuid, linkSecret }: Database & Clock & Chance & Linking,
  tenantId: TenantId,
  incidentId: IncidentId,
  trail: Trail,
): Promise<Share & { readonly path: string }> {
  if (linkSecret === undefined) {
    await getIncident(db, tenantId, incidentId)
    throw new AppError('unavailable', 'This installation has no secret to sign links with.')
  }
  const madeAt = now()
  const link = { id: toId<ShareId>(newUuid()), madeAt, expiresAt: new Date(madeAt.getTime() + SHARED_MS) }
  const share = await addShare(db, tenantId, incidentId, link, trail)
  return { ...share, path: `/shared/${await signShareLink(linkSecret, { tenantId, ...share })}` }
}
