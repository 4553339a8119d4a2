import type { Database, Keeping } from '../deps.ts'
import { toKeptName } from '../domain/event/redact.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Trail } from '../store/audit.ts'
import { type MaintenanceWindow, planMaintenance } from '../store/maintenance.ts'

/** Keeps a window, its team and reason as names are kept. Throws `conflict` when there are too many. */
export async function planWindow(
  { db, keeping }: Database & Keeping,
  tenantId: TenantId,
  { team, reason, ...window }: Omit<MaintenanceWindow, 'createdAt'>,
  trail: Trail,
): Promise<MaintenanceWindow> {
  const kept = { ...window, team: toKeptName(team, keeping), reason: toKeptName(reason, keeping) }
  return await planMaintenance(db, tenantId, kept, trail)
}
