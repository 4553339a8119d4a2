import { compareText } from '../compare.ts'
import { isDeploy, isOneRollout } from './candidates.ts'
import { type Facts, isWayKnown } from './facts.ts'
import type { Candidate } from './model.ts'
import { isGradual } from './scaling.ts'
import { AT_ONCE_MS } from './trouble.ts'

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
 * The same where a flag that was set within a minute of what it may have caused is as likely as a deploy of before at its service, which
 * had run well until then: a flag acts at once.
 */
export function preferFlags(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.map((candidate) => {
    if (!isAtOnce(candidate)) return candidate
    const { concerned, features, score } = candidate
    const [first] = rank(candidates.filter((other) => other.concerned === concerned))
    if (!first || !hadRunWell(first, candidate) || first.score > score + MUCH_LIKELIER) return candidate
    return { ...candidate, features: { ...features, lag: features.lag + first.score - score }, score: first.score }
  })
}

/** Whether a flag was turned, not merely for some more and not back, just before what it may have caused, which is no crash. */
function isAtOnce({ change: { lead, undoes }, explained, lagMs }: Candidate): boolean {
  if (lead.entry.eventType !== 'flag_change' || undoes || lagMs > AT_ONCE_MS || isGradual(lead.entry)) return false
  const types = new Set(explained.flatMap(({ reports }) => reports.map(({ entry }) => entry.eventType)))
  return types.has('dependency_failure') && !types.has('restart')
}

/** Whether a deploy had shown no trouble until a flag was set. */
function hadRunWell({ change, features, lagMs, onsetMs }: Candidate, flag: Candidate): boolean {
  if (!isDeploy(change.lead) || features.pattern > 0 || lagMs < RAN_WELL_MS) return false
  return change.atMs < flag.change.atMs && (onsetMs ?? 0) >= flag.change.atMs
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
