import type { Chance, Clock, Copies, Logging, Metrics } from '../deps.ts'
import { isTellingDue, tellSums } from '../store/metrics.ts'

type TellDeps = Chance & Clock & Copies & Logging & Metrics

/**
 * Tells Redis what this isolate has counted, where anybody will ask and it is time again. What cannot be told is lost, for it may have
 * arrived.
 */
export function tellCounts({ redis, metricsToken, counts, newUuid, now }: TellDeps, defer: (work: Promise<void>) => void): void {
  const at = now()
  if (metricsToken === undefined || !isTellingDue(redis, at)) return
  const sums = counts.take()
  if (sums) defer(tellSums(redis, newUuid(), sums, at).catch(() => {}))
}
