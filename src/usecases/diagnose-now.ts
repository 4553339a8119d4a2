import type { Deps } from '../deps.ts'
import { type IncidentId, type TenantId, toId } from '../domain/ids.ts'
import { receiveAlert } from '../store/incidents.ts'
import { announceWork, workOn } from './work-on-incident.ts'

export type Question = {
  readonly serviceName: string
  readonly title: string | null
  readonly triggeredAt: Date
  readonly observedUntil: Date | null
}

/**
 * Diagnoses a service because someone asks, without a pager. Once the question is stored nothing is thrown, so that nobody
 * asks twice: what fails half-way is finished by the cron.
 */
export async function diagnoseNow(deps: Deps, tenantId: TenantId, question: Question): Promise<IncidentId> {
  const incidentId = toId<IncidentId>(deps.newUuid())
  const lease = deps.newUuid()
  const alert = { ...question, kind: 'trigger' as const, incidentId, url: null, external: undefined }
  await Promise.all([announceWork(deps), receiveAlert(deps.db, tenantId, alert, lease)])
  await workOn(deps, { tenantId, incidentId, kind: 'diagnosis', number: 0, lease, attempts: 1 }, deps.now)
  return incidentId
}
