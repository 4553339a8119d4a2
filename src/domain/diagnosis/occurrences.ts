import { isRollback, isSameRevision, toRevision } from '../event/revision.ts'
import type { Change, DatedReport, Observation } from './model.ts'

/** Repeats further apart are told of another change, and a report of success or failure is of none. */
export const REPEAT_MS = 30 * 60_000
export const FAILED = /^(?:failed|failure|aborted|cancell?ed|error)$/i

/** Whether a rollout was reported to have failed before anything of it was seen. */
export function isUnseen({ isFailed, steps }: Pick<Change, 'isFailed' | 'steps'>): boolean {
  return isFailed && steps.length === 0
}

/**
 * When a report was made, as far as its entry tells: all at once where repeats follow each other closely, else the first and
 * the last of them. Of two repeats with something else in between the second undid that.
 */
export function toOccurrences(observation: Observation, ofThing: readonly Observation[]): readonly DatedReport[] {
  const { entry, firstMs, lastMs } = observation
  const first = { atMs: firstMs, observation }
  if (entry.count < 2 || lastMs <= firstMs) return [first]
  const isApart = (lastMs - firstMs) / (entry.count - 1) > REPEAT_MS
  const isInterrupted = entry.count === 2 && ofThing.some((other) => isBetween(other, observation))
  return isApart || isInterrupted ? [first, { atMs: lastMs, observation }] : [first]
}

function isBetween(other: Observation, { entry, firstMs, lastMs }: Observation): boolean {
  if (other.entry.newValue === entry.newValue && other.entry.sha === entry.sha) return false
  const isInside = [other.firstMs, other.lastMs].some((ms) => ms > firstMs && ms < lastMs)
  if (!isInside || entry.eventType !== 'deploy') return isInside
  if (FAILED.test(other.entry.newValue ?? '') || isRollback(other.entry)) return true
  const [own, another] = [toRevision(entry), toRevision(other.entry)]
  // A state without a revision is of whatever is rolled out just then.
  return another !== undefined && !isSameRevision(own, another)
}
