import { type KeepingPolicy, toKeptName, toKeptTitle } from '../event/redact.ts'
import { sha256Hex } from '../hash.ts'
import type { TenantId } from '../ids.ts'
import type { DoorAlert } from './door.ts'

/**
 * An alert as it is kept: what is secret in its texts masked. A key that holds a secret is known by a hash of the tenant's own
 * instead, the same each time.
 */
export async function toKeptAlert(alert: DoorAlert, tenantId: TenantId, policy: KeepingPolicy): Promise<DoorAlert> {
  const { key, service, title, url, environment } = alert
  const isSecret = toKeptName(key, policy) !== key
  return {
    ...alert,
    key: isSecret ? `redacted ${(await sha256Hex(`${tenantId}\nalert\n${key}`)).slice(0, 32)}` : key,
    title: toKeptTitle(title, policy),
    ...(service !== undefined && { service: toKeptName(service, policy) }),
    ...(url !== undefined && { url: toKeptTitle(url, policy) }),
    ...(environment !== undefined && { environment: toKeptName(environment, policy) }),
  }
}
