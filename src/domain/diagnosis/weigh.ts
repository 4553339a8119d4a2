import { createExplainer, findTogether, listBelow, OVER, weighItems } from './blame.ts'
import { assess, type Certainty, toAssessment } from './confidence.ts'
import { excludeByOnset, excludeEarly } from './exclusions.ts'
import { type Facts, gatherFacts } from './facts.ts'
import { createAssessor } from './features.ts'
import { findUnrecorded, listHazards } from './hazards.ts'
import type { Assessment, Candidate, Change, DiagnosisInput, Hazard, RuledOutReason, WeighedItem } from './model.ts'
import { preferFlags, rank, shareAmongStrangers } from './ranking.ts'
import { WEIGHTS, type Weights } from './weights.ts'

/** Everything an answer is told from. */
export type Weighing = {
  readonly facts: Facts
  readonly items: readonly WeighedItem[]
  /** Calls of one service that began to fail at once, and have a cause in common. */
  readonly together: ReadonlySet<WeighedItem>
  /** Best first. */
  readonly ranked: readonly Candidate[]
  readonly excluded: readonly { readonly change: Change; readonly reason: RuledOutReason }[]
  readonly unrecorded: Hazard | undefined
  readonly certainty: Certainty
  readonly assessment: Assessment
}

type Asked = Pick<DiagnosisInput, 'alert' | 'patterns'>

/** What begins so soon after something was last reported may come from it. */
const FOLLOWS_MS = 5 * 60_000

/** Weighs every recorded change, and what nobody may have recorded, against what fails. */
export function weigh(input: DiagnosisInput): Weighing {
  return weighFacts(gatherFacts(input), input, WEIGHTS)
}

/** The same of facts that were gathered before, with other constants. */
export function weighFacts(facts: Facts, input: Asked, weights: Weights): Weighing {
  const items = weighItems(facts.items, weights)
  const lately = listLately(items)
  const ofAll = weighItemsOf(facts, items, input, weights)
  if (ofAll.assessment === 'cause' || lately.length === 0 || lately.length === items.length) return ofAll
  const ofLately = weighItemsOf(facts, lately, input, weights)
  // What that does not surely explain may have begun with what is over.
  return ofLately.assessment === 'cause' && ofLately.certainty.confidence >= ofAll.certainty.confidence ? ofLately : ofAll
}

/** Those that are not over, and those with which these began; what began after the alert goes on. */
function listLately(items: readonly WeighedItem[]): readonly WeighedItem[] {
  const live = items.filter(({ freshness }) => freshness >= OVER)
  return items.filter(
    ({ freshness, onsetMs, ageMs }) =>
      onsetMs > 0 || freshness >= OVER || live.some((other) => other.onsetMs >= onsetMs && other.onsetMs <= FOLLOWS_MS - ageMs),
  )
}

function weighItemsOf(facts: Facts, items: readonly WeighedItem[], input: Asked, weights: Weights): Weighing {
  const below = listBelow(items, facts)
  const together = findTogether(items, below, weights)
  const explain = createExplainer(facts, items, { below, together }, weights)
  const assessChange = createAssessor(facts, explain, input.patterns, weights)
  const candidates: Candidate[] = []
  const excluded: Weighing['excluded'][number][] = []
  for (const change of facts.changes) {
    const early = excludeEarly(change, facts, input.alert.environment, weights.slackMs)
    const candidate = early ? undefined : assessChange(change)
    const reason = early ?? (candidate && excludeByOnset(candidate, weights.slackMs))
    if (reason) excluded.push({ change, reason })
    else if (candidate) candidates.push(candidate)
  }
  const ranked = rank(
    candidates.length > 0
      ? shareAmongStrangers(preferFlags(candidates), facts)
      : excluded.filter(({ reason }) => reason === 'no_path').map(({ change }) => assessChange(change)),
  )
  const hazards = listHazards(facts, items, explain, weights)
  const unrecorded = findUnrecorded(hazards, facts, together)
  // What is out of reach is listed where nothing else is, and not named.
  const certainty = assess(candidates.length > 0 ? ranked : [], hazards, facts, weights)
  return { facts, items, together, ranked, excluded, unrecorded, certainty, assessment: toAssessment(certainty, ranked, unrecorded, facts) }
}
