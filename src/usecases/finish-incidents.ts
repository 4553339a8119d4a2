import { nameOf } from '../domain/errors.ts'
import type { TenantId } from '../domain/ids.ts'
import { forgetDeliveries } from '../store/alerts.ts'
import { claimWork } from '../store/incident-work.ts'
import { noticeLateEvents } from '../store/late-events.ts'
import { noticeUndoing } from './follow-up.ts'
import { REQUESTS_EACH, type WorkDeps, workOn } from './work-on-incident.ts'

const MAX_AT_ONCE = 5
/** What the sweep leaves to incidents of its requests. */
const SHARE = 0.8
const MAX_PIECES = 100

/**
 * The cron's part in incidents: takes over what nobody is at any more, second looks that are due and notes to be tried again.
 * Several may run at once: each piece is one's alone. Returns how many pieces there were.
 */
export async function finishIncidents(deps: WorkDeps, now: Date): Promise<number> {
  const startedMs = deps.now().getTime()
  const clock = () => new Date(now.getTime() + deps.now().getTime() - startedMs)
  const maxPieces = Math.min(MAX_PIECES, Math.max(1, Math.floor((SHARE * deps.sweepRequests) / REQUESTS_EACH)))
  let pieces = 0
  const taken = new Map<TenantId, number>()
  const work = async () => {
    while (pieces < maxPieces) {
      const claimed = await claimWork(deps.db, clock(), Math.min(MAX_AT_ONCE, maxPieces - pieces), taken)
      if (claimed.length === 0) break
      await Promise.all(claimed.map((piece) => workOn(deps, piece, clock, { maxMessages: 0 })))
      pieces += claimed.length
      for (const { tenantId } of claimed) taken.set(tenantId, (taken.get(tenantId) ?? 0) + 1)
    }
  }
  await work()
  const noticed = [
    await notice(
      () => noticeLateEvents(deps.db, now),
      (reason) => deps.log('late_events_not_noticed', { reason }),
    ),
    await notice(
      () => noticeUndoing(deps, now),
      (reason) => deps.log('undoing_not_noticed', { reason }),
    ),
  ]
  if (noticed.some((due) => due > 0)) await work()
  await forgetDeliveries(deps.db, now)
  return pieces
}

/** What is due already must not wait for what late events may still make due. */
async function notice(look: () => Promise<number>, log: (reason: string) => void): Promise<number> {
  try {
    return await look()
  } catch (error) {
    log(nameOf(error))
    return 0
  }
}
