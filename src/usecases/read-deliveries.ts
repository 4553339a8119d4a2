import type { Clock, Copies, Logging } from '../deps.ts'
import type { TenantId } from '../domain/ids.ts'
import { type Deliverer, type DoorDeliveries, readDoorDeliveries } from '../store/door-deliveries.ts'

/** The latest deliveries of each, with how many there were today, and the very latest of each of `others`; none at all while Redis is away. */
export async function readDeliveries(
  deps: Copies & Clock & Logging,
  tenantId: TenantId,
  whole: readonly Deliverer[],
  others: readonly Deliverer[] = [],
): Promise<ReadonlyMap<Deliverer, DoorDeliveries>> {
  try {
    return await readDoorDeliveries(deps.redis, tenantId, { whole, others }, deps.now())
  } catch {
    deps.log('deliveries_not_read', { tenant_id: tenantId })
    return new Map()
  }
}
