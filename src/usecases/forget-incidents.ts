import type { Database, Upkeep } from '../deps.ts'
import { readAnswer } from '../domain/incident/answer.ts'
import { keepCited, readSnapshot, writeSnapshot } from '../domain/incident/snapshot.ts'
import { cutSnapshot, forgetOldIncidents } from '../store/incident-retention.ts'

/** Forgets what incidents have kept for their days. Of the snapshot of an answer that nobody confirmed, what it cites stays. */
export async function forgetIncidents({ db, retention }: Database & Upkeep, now: Date): Promise<void> {
  const old = await forgetOldIncidents(db, now, retention)
  await Promise.all(
    old.map((one) => {
      const cited = keepCited(readSnapshot(one.contextSnapshot), readAnswer(one.answer).evidence)
      return cutSnapshot(db, one.tenantId, one, writeSnapshot(cited))
    }),
  )
}
