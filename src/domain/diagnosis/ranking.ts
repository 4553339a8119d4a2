import { compareText } from '../compare.ts'
import type { Candidate } from './model.ts'

/** Candidates by score; of equals the latest first. */
export function rank(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.toSorted(
    (a, b) =>
      b.score - a.score ||
      b.change.atMs - a.change.atMs ||
      compareText(a.change.key, b.change.key) ||
      compareText(a.change.lead.entry.id, b.change.lead.entry.id),
  )
}
