import type { EventId } from '../ids.ts'
import { type StoredLife, toAppearedAt } from './copy.ts'

/** An occurrence of a change: when it happened, and how many came before it. */
export type Occurrence = { readonly id: EventId; readonly atMs: number; readonly before: number }

/** What comes so many times as often is another matter than the trickle before it, … */
export const MUCH_MORE = 8
/** … if it came often enough, and that had trickled for long enough. */
const MIN_BURST = 5
const MIN_TRICKLE_MS = 5 * 60_000
/** A life's key tells when its first occurrence was received, in whole seconds: what is left may begin so much later by itself. */
const MIN_SWEPT_MS = 2_000

/** A life in two parts, the trickle and the burst, where its occurrences, or some of them in order, show that it became one. */
export function splitBurst(life: StoredLife, occurrences: readonly Occurrence[]): readonly StoredLife[] {
  const place = findBurst(occurrences, life.count)
  const [last, first] = [occurrences[place - 1], occurrences[place]]
  if (!last || !first) return [life]
  const lastAt = new Date(last.atMs)
  // A part has a key of its own, which no change has.
  const trickle = { ...life, lifeKey: `-${life.lifeKey.slice(1)}`, id: last.id, timestamp: lastAt, orderedAt: lastAt, count: first.before }
  return [trickle, { ...life, firstTimestamp: new Date(first.atMs), count: life.count - first.before }]
}

/**
 * A life from its beginning, which its key tells, where the sweep has taken its first occurrences: as many as at the rate of
 * those that are left. Where no occurrence is left of when one would still be there, it began anew since.
 */
export function toWhole(life: StoredLife, now: Date): StoredLife {
  const { lifeKey, firstTimestamp, orderedAt, expiresAt, earliestExpiresAt, count } = life
  const [firstMs, lastMs, appearedAt] = [firstTimestamp.getTime(), orderedAt.getTime(), toAppearedAt(lifeKey)]
  if (firstMs - appearedAt.getTime() < MIN_SWEPT_MS) return life
  const ttlMs = expiresAt.getTime() - lastMs
  const gapMs = Math.max(1_000, count > 1 ? (lastMs - firstMs) / (count - 1) : ttlMs)
  const silenceMs = earliestExpiresAt.getTime() - now.getTime()
  if (silenceMs > Math.max(MUCH_MORE * gapMs, ttlMs / MUCH_MORE)) return life
  return { ...life, firstTimestamp: appearedAt, count: Math.max(count, 1 + Math.round((lastMs - appearedAt.getTime()) / gapMs)) }
}

/** The place of the occurrence from which on two rates are likelier than at any other; 0 where there is one rate. */
function findBurst(occurrences: readonly Occurrence[], count: number): number {
  const [start, end] = [occurrences[0]?.atMs ?? 0, occurrences.at(-1)?.atMs ?? 0]
  let best = { place: 0, likelihood: Number.NEGATIVE_INFINITY }
  for (const [place, { atMs, before }] of occurrences.entries()) {
    if (atMs - start < MIN_TRICKLE_MS || count - before < MIN_BURST) continue
    const [slow, fast] = [before / (atMs - start), (count - before) / Math.max(1_000, end - atMs)]
    const likelihood = before * Math.log(slow) + (count - before) * Math.log(fast)
    if (fast >= MUCH_MORE * slow && likelihood > best.likelihood) best = { place, likelihood }
  }
  return best.place
}
