import type { IncidentId, TenantId } from '../domain/ids.ts'
import type { Trail } from '../store/audit.ts'
import { claimAgain, hurryDiagnosis, toDiagnosis } from '../store/incident-work.ts'
import { resolveIncident } from '../store/incidents.ts'
import { type Judgement, judgeIncident } from '../store/verdicts.ts'
import { announceWork, tellFollowUps, type WorkDeps, workOn } from './work-on-incident.ts'

/** Keeps work alive after the answer. */
type Defer = (work: Promise<unknown>) => void

/** Keeps an engineer's verdict, and tells those who want to know after the answer. Throws as `judgeIncident`. */
export async function judge(
  deps: WorkDeps,
  tenantId: TenantId,
  id: IncidentId,
  judgement: Judgement,
  trail: Trail,
  defer: Defer,
): Promise<void> {
  await Promise.all([judgeIncident(deps.db, tenantId, id, judgement, trail), announceWork(deps)])
  defer(tellFollowUps(deps, tenantId, id))
}

/** Marks an incident resolved, and tells those who want to know after the answer. Throws as `resolveIncident`. */
export async function resolve(deps: WorkDeps, tenantId: TenantId, id: IncidentId, trail: Trail, defer: Defer): Promise<void> {
  await Promise.all([resolveIncident(deps.db, tenantId, id, trail), announceWork(deps)])
  defer(tellFollowUps(deps, tenantId, id))
}

/** Tries a diagnosis that failed again, and waits for it; nothing where there is an answer, or somebody is at it. */
export async function retry(deps: WorkDeps, tenantId: TenantId, id: IncidentId, trail: Trail): Promise<void> {
  const [due] = await Promise.all([hurryDiagnosis(deps.db, tenantId, id, deps.now(), trail), announceWork(deps)])
  const work = due && (await claimAgain(deps.db, toDiagnosis(tenantId, due, ''), deps.now()))
  if (work) await workOn(deps, work, deps.now)
}
