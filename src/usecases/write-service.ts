import type { Database, Keeping } from '../deps.ts'
import { toKeptName } from '../domain/event/redact.ts'
import type { ServiceId, TenantId } from '../domain/ids.ts'
import type { Trail } from '../store/audit.ts'
import { declareDependencies } from '../store/service-graph.ts'
import { assignService, type Ownership, type Service } from '../store/services.ts'

/** Replaces what is declared that a service depends on, by names as they are kept. Throws `not_found`. */
export async function declareCallees(
  { db, keeping }: Database & Keeping,
  tenantId: TenantId,
  serviceId: ServiceId,
  callees: readonly string[],
  trail: Trail,
): Promise<void> {
  await declareDependencies(db, tenantId, serviceId, [...new Set(callees.map((name) => toKeptName(name, keeping)))], trail)
}

/** Says whose a service is, in names as they are kept. Throws `not_found`. */
export async function assignOwner(
  { db, keeping }: Database & Keeping,
  tenantId: TenantId,
  serviceId: ServiceId,
  { team, ownerUrl }: Ownership,
  trail: Trail,
): Promise<Service> {
  const owner = { team: toKeptName(team, keeping), ownerUrl: toKeptName(ownerUrl, keeping) }
  return await assignService(db, tenantId, serviceId, owner, trail)
}
