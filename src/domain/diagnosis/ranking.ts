import { compareText } from '../compare.ts'
import { AT_ONCE_MS } from './blame.ts'
import { isOneRollout } from './candidates.ts'
import { type Facts, isWayKnown } from './facts.ts'
import type { Candidate } from './model.ts'

/** What ran for so long ran well until what was changed next. */
const RAN_WELL_MS = 2 * AT_ONCE_MS
const MUCH_LIKELIER = Math.log(3)

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

/**
 * The same where a flag that was set within a minute of what it may have caused changes places with what was changed before it at its
 * service: a flag acts at once, and until then that had run well.
 */
export function preferFlags(candidates: readonly Candidate[]): readonly Candidate[] {
  const gains = new Map<Candidate, number>()
  for (const own of Map.groupBy(candidates, ({ concerned }) => concerned).values()) {
    const [first] = rank(own)
    const flag = rank(own.filter((candidate) => isAtOnce(candidate)))[0]
    if (!first || !flag || first.lagMs < RAN_WELL_MS || first.score > flag.score + MUCH_LIKELIER) continue
    gains.set(flag, first.score - flag.score).set(first, flag.score - first.score)
  }
  return candidates.map((candidate) => {
    const gain = gains.get(candidate)
    if (gain === undefined) return candidate
    const { features, score } = candidate
    return { ...candidate, features: { ...features, lag: features.lag + gain }, score: score + gain }
  })
}

/** Whether a flag was set just before what it may have caused. */
function isAtOnce({ change, explained, lagMs }: Candidate): boolean {
  return change.lead.entry.eventType === 'flag_change' && explained.length > 0 && lagMs <= AT_ONCE_MS
}

/**
 * The same with what each change of a service counts to which no way may be known: as one of all such services that have one as likely, itself
 * included, and of less likely ones as much less. The alerting service depends on a few of them, and the more of them look alike, the
 * likelier each does by chance. One rollout is one change. What shows no trouble takes nothing from what does, but is `alike`.
 */
export function shareAmongStrangers(candidates: readonly Candidate[], facts: Facts): readonly Candidate[] {
  if (facts.isTopologyKnown || facts.alertKey === null) return candidates
  const isStranger = ({ concerned }: Candidate) => !isWayKnown(concerned, facts)
  const best = new Map<string, Candidate>()
  for (const candidate of candidates) {
    if (!isStranger(candidate)) continue
    const known = best.get(candidate.concerned)
    if (!known || candidate.score > known.score) best.set(candidate.concerned, candidate)
  }
  return candidates.map((candidate) => {
    if (!isStranger(candidate)) return candidate
    const { concerned, change, features, score } = candidate
    // Of each service's best alone, for there are many others.
    const isBest = best.get(concerned) === candidate
    let [alike, sharing] = [1, 1]
    for (const other of best.values()) {
      if (other.concerned === concerned || (isBest && isOneRollout(other.change, change))) continue
      const likely = Math.min(1, Math.exp(other.score - score))
      if (other.features.evidence <= 0 && features.evidence > 0) alike += likely
      else sharing += likely
    }
    return { ...candidate, features: { ...features, place: features.place - Math.log(sharing) }, score: score - Math.log(sharing), alike }
  })
}
