import { asc, eq } from 'drizzle-orm'
import { type AgentId, type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import type { Db } from './postgres.ts'
import { services } from './schema.ts'

export type Service = {
  readonly id: ServiceId
  readonly tenantId: TenantId
  readonly agentId: AgentId
  readonly name: string
  readonly lastEventAt: Date
}

const MAX_LISTED_SERVICES = 10_000

/** The tenant's services by name, ten thousand at most. */
export async function listServices(db: Db, tenantId: TenantId): Promise<Service[]> {
  const rows = await db
    .select({
      id: services.id,
      tenantId: services.tenantId,
      agentId: services.agentId,
      name: services.name,
      lastEventAt: services.lastEventAt,
    })
    .from(services)
    .where(eq(services.tenantId, tenantId))
    .orderBy(asc(services.name), asc(services.id))
    .limit(MAX_LISTED_SERVICES)
  return rows.map((row) => ({ ...row, id: toId(row.id), tenantId: toId(row.tenantId), agentId: toId(row.agentId) }))
}
