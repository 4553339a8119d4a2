import type { Clock, Database } from '../deps.ts'
import { findUndoing } from '../domain/incident/undoing.ts'
import { endUndoingLook, findAwaitedUndoing, findFollowed, noteUndoing, planFollowUps } from '../store/follow-ups.ts'
import { type ClaimedWork, type FollowUpKind, putOffWork } from '../store/incident-work.ts'
import { listIntegrations } from '../store/integrations.ts'
import { SOURCE } from '../store/targets.ts'
import { planFollowUpTargets } from './choose-receivers.ts'

/** Work that says that something followed an answer, for whoever is to be told. */
export type FollowUp = ClaimedWork & { readonly kind: FollowUpKind }

export function isFollowUp(work: ClaimedWork): work is FollowUp {
  return work.target === SOURCE && work.kind !== 'diagnosis' && work.kind !== 'note'
}

const WAIT_MS = 20_000

/** Plans what the tenant's receivers are told of what followed an answer. One that is on its way is waited for. */
export async function followUp({ db }: Database, work: FollowUp, clock: Clock['now']): Promise<void> {
  const [followed, integrations] = await Promise.all([findFollowed(db, work), listIntegrations(db, work.tenantId)])
  if (followed?.confidence === null && followed.isDiagnosing) {
    await putOffWork(db, work, new Date(clock().getTime() + WAIT_MS * work.attempts), 'the answer is on its way')
    return
  }
  await planFollowUps(db, work, followed ? planFollowUpTargets(integrations, work.kind, followed) : [], clock())
}

/** Looks whether changes that are blamed were undone since the last tick; returns how many were. */
export async function noticeUndoing({ db }: Database, now: Date): Promise<number> {
  const look = await findAwaitedUndoing(db)
  if (look.awaiting.length === 0) return 0
  let undone = 0
  for (const one of look.found) {
    const undoing = findUndoing(one.reports, one.blamed, one.answeredAt, one.scalings)
    if (!undoing) continue
    await noteUndoing(db, one, undoing.id, now)
    undone += 1
  }
  // Only now: who dies before has noted nothing, and the next one looks again.
  await endUndoingLook(db, look, now)
  return undone
}
