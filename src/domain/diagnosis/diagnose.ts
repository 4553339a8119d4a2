import { compareText } from '../compare.ts'
import type { EventType } from '../event/event.ts'
import type { ServiceGraph } from '../graph/service-graph.ts'
import type { EventId } from '../ids.ts'
import type { ServiceWindow } from '../window/window.ts'
import { type Facts, gatherFacts, isChange, type Observation, obtain } from './facts.ts'
import {
  type Blame,
  type Candidate,
  createWeigher,
  estimateOnset,
  type Features,
  findCandidates,
  followFailures,
  type Grounds,
  isNamed,
  isScaling,
  type Model,
  type Tuning,
  toConfidence,
  toLead,
  toScore,
  toUnseen,
  toUsual,
} from './rules.ts'
import {
  describe,
  describeFailure,
  findPrevious,
  NO_CAUSE,
  quote,
  recommend,
  recommendPatience,
  toLagText,
  toReasons,
  toSentence,
} from './sentences.ts'
import { MODEL } from './weights.ts'

export { MAX_HOPS } from './facts.ts'

export type Alert = { readonly service: string | null; readonly triggeredAt: Date; readonly title: string | null }

/** How often a kind of event occurred, and in how many different hours, by the sweep's hourly counts. */
export type KindCount = {
  readonly service: string
  readonly vendor: string
  readonly eventType: EventType
  readonly valueClass: string
  readonly count: number
  readonly hours: number
}

/** A confirmed or rejected diagnosis of the tenant whose signature resembles that of one candidate. */
export type PatternMatch = {
  readonly service: string
  readonly vendor: string
  readonly eventType: EventType
  readonly valueClass: string
  /** In [0, 1]. */
  readonly similarity: number
  readonly verdict: 'confirmed' | 'rejected'
}

export type DiagnosisInput = {
  readonly alert: Alert
  readonly windows: readonly ServiceWindow[]
  readonly graph: ServiceGraph
  readonly counts: { readonly hoursObserved: number; readonly kinds: readonly KindCount[] }
  readonly patterns: readonly PatternMatch[]
  /** Nothing that happened later is seen. */
  readonly observedUntil: Date
}

export type Hypothesis = {
  /** The cause first, then what bears it out. */
  readonly eventIds: readonly EventId[]
  readonly service: string
  readonly score: number
  /** Service names from the cause to the alerting service. */
  readonly path: readonly string[]
  readonly reasonsFor: readonly string[]
  readonly reasonsAgainst: readonly string[]
  readonly sentence: string
  readonly recommendedAction: string | null
}

type RuledOutReason = 'after_onset' | 'no_path' | 'reverted' | 'revert'

/** A change of the same time that is not to blame, and why. */
type RuledOut = {
  readonly eventIds: readonly EventId[]
  readonly service: string
  readonly reason: RuledOutReason
  readonly text: string
}

export type Diagnosis = {
  /** Best first. Ranked also when the answer is "no cause". */
  readonly hypotheses: readonly Hypothesis[]
  readonly hypothesis: string
  readonly recommendedAction: string | null
  readonly confidence: number
  readonly abstained: boolean
  readonly evidence: readonly EventId[]
  readonly ruledOut: readonly RuledOut[]
  readonly reasoning: string
}

/** What may be to blame, weighed but not yet ranked, and what is not. */
export type Weighing = {
  readonly facts: Facts
  readonly blames: readonly Blame[]
  readonly candidates: readonly { readonly candidate: Candidate; readonly features: Features }[]
  readonly excluded: readonly { readonly candidate: Candidate; readonly reason: RuledOutReason }[]
}

type Ranked = { readonly candidate: Candidate; readonly features: Features; readonly score: number }

const MAX_HYPOTHESES = 50
const MAX_RULED_OUT = 20
const MAX_STEPS_CITED = 4
const MAX_FAILURES_CITED = 6

/** Ranks what may have caused an alert, or says that nothing recorded explains it. */
export function diagnose(input: DiagnosisInput): Diagnosis {
  const weighing = weigh(gatherFacts(input), input.patterns, MODEL.tuning)
  const ranked = rank(weighing, MODEL.weights)
  const confidence = assess(ranked, weighing, MODEL)
  const failures = groupFailures(weighing.blames)
  const hypotheses = ranked
    .slice(0, MAX_HYPOTHESES)
    .map((each) => toHypothesis(each, weighing.facts, failures.get(each.candidate.key) ?? []))
  const ruledOut = toRuledOut(weighing)
  const [best] = hypotheses
  if (!best || !isNamed(confidence))
    return { hypotheses, confidence, abstained: true, recommendedAction: null, ruledOut, ...explainNothing(weighing) }
  return {
    hypotheses,
    hypothesis: best.sentence,
    recommendedAction: best.recommendedAction,
    confidence,
    abstained: false,
    evidence: best.eventIds,
    ruledOut,
    reasoning: toReasoning(best),
  }
}

/** Finds the candidates among the facts and weighs those that may be to blame. */
export function weigh(facts: Facts, patterns: readonly PatternMatch[], tuning: Tuning): Weighing {
  const blames = followFailures(facts, tuning)
  const toFeatures = createWeigher(facts, blames, patterns, tuning)
  const endMs = estimateOnset(blames) - tuning.clockSlackMs
  const candidates: Weighing['candidates'][number][] = []
  const excluded: Weighing['excluded'][number][] = []
  for (const candidate of findCandidates(facts)) {
    const reason = toExclusion(candidate, facts, endMs)
    if (reason) excluded.push({ candidate, reason })
    else candidates.push({ candidate, features: toFeatures(candidate) })
  }
  return { facts, blames, candidates, excluded }
}

/** Candidates by score; of equals the latest first. */
export function rank({ candidates }: Weighing, weights: Model['weights']): readonly Ranked[] {
  return candidates
    .map(({ candidate, features }) => ({ candidate, features, score: toScore(features, weights) }))
    .toSorted(
      (a, b) =>
        b.score - a.score ||
        b.candidate.lead.firstMs - a.candidate.lead.firstMs ||
        compareText(a.candidate.key, b.candidate.key) ||
        compareText(a.candidate.lead.entry.id, b.candidate.lead.entry.id),
    )
}

/** What tells whether the cause is among the ranked candidates, and the chance of the first of them against the next service's. */
export function toGrounds(ranked: readonly Ranked[], { blames }: Weighing, tuning: Tuning): Grounds & { readonly lead: number } {
  const [best] = ranked
  const rival = ranked.find(({ candidate }) => candidate.key !== best?.candidate.key)
  const explained = toUsual(blames) + (best?.features.explained ?? 0)
  const unseen = toUnseen(blames, tuning)
  const lead = toLead(best?.score ?? 0, rival?.score)
  return { unexplained: 1 - explained, unseen, margin: explained * (1 - unseen) * (2 * lead - 1), lead }
}

/** How likely the first of the ranked candidates is the cause. */
export function assess(ranked: readonly Ranked[], weighing: Weighing, { tuning, calibration }: Model): number {
  if (ranked.length === 0) return 0
  const grounds = toGrounds(ranked, weighing, tuning)
  return toConfidence(grounds, grounds.lead, calibration)
}

/** Why a candidate is not to blame; whatever was reverted by `endMs` had ended before the trouble began. */
function toExclusion({ key, lead }: Candidate, { paths, changes }: Facts, endMs: number): RuledOutReason | undefined {
  if (lead.firstMs > 0) return 'after_onset'
  if (paths && !paths.has(key)) return 'no_path'
  const own = changes.get(key) ?? []
  // Scaling goes up and down by itself, and may fail either way.
  if (isChange(lead) && !isScaling(lead) && findReverted(lead, own)) return 'revert'
  const revert = findRevert(lead, own)
  return revert && revert.firstMs <= endMs ? 'reverted' : undefined
}

/** The first change that set back what a change had set. */
function findRevert(change: Observation, changes: readonly Observation[]): Observation | undefined {
  return changes.find((other) => isReverted(change, other))
}

/** The first change that a change set back. */
function findReverted(change: Observation, changes: readonly Observation[]): Observation | undefined {
  return changes.find((other) => isReverted(other, change))
}

function isReverted({ entry, lastMs }: Observation, { entry: revert, lastMs: revertMs }: Observation): boolean {
  if (entry.oldValue === null || entry.newValue === null || entry.oldValue === entry.newValue) return false
  return (
    revert.eventType === entry.eventType &&
    revert.entity === entry.entity &&
    revert.oldValue === entry.newValue &&
    revert.newValue === entry.oldValue &&
    revertMs > lastMs
  )
}

/** The failures to be cited for each service that some of their blame rests on. */
function groupFailures(blames: readonly Blame[]): ReadonlyMap<string, readonly Blame[]> {
  const failures = new Map<string, Blame[]>()
  for (const blame of blames) {
    for (const [key, share] of blame.rests) {
      const own = obtain(failures, key, () => [])
      if (share > 0 && own.length < MAX_FAILURES_CITED) own.push(blame)
    }
  }
  return failures
}

function toHypothesis({ candidate, features, score }: Ranked, facts: Facts, failures: readonly Blame[]): Hypothesis {
  const { key, lead, steps } = candidate
  const nameOf = toNameOf(facts)
  const quotedNameOf = toQuotedNameOf(facts)
  const onsetMs = Math.min(0, ...failures.map(({ edge }) => edge.sinceMs))
  const path = facts.paths?.get(key) ?? [key]
  const changes = facts.changes.get(key) ?? []
  const [previous, revert] = [findPrevious(lead, changes), findRevert(lead, changes)]
  const cited = [lead, ...steps.slice(0, MAX_STEPS_CITED), ...failures.map(({ edge }) => edge.observation)]
  const sources = [...cited, ...(revert ? [revert] : []), ...(previous ? [previous.source] : [])]
  return {
    eventIds: [...new Set(sources.map(({ entry }) => entry.id))],
    service: nameOf(key),
    score,
    path: path.toReversed().map(nameOf),
    ...toReasons(candidate, features, path, failures, onsetMs, quotedNameOf),
    sentence: toSentence(lead, onsetMs, quotedNameOf),
    recommendedAction: revert ? recommendPatience(lead, quotedNameOf) : recommend(lead, previous, quotedNameOf),
  }
}

function toReasoning({ reasonsFor, reasonsAgainst }: Hypothesis): string {
  const against = reasonsAgainst.length === 0 ? '' : ` Against it: ${reasonsAgainst.join('; ')}.`
  return `For it: ${reasonsFor.join('; ')}.${against}`
}

function explainNothing({ facts, blames }: Weighing) {
  const nameOf = toQuotedNameOf(facts)
  const deepest = findDeepest(blames)
  const suffix = deepest === undefined ? '' : `; the deepest failing dependency is ${nameOf(deepest)}`
  const cited = blames.slice(0, MAX_FAILURES_CITED)
  const failures = cited.map(({ edge }) => describeFailure(edge, nameOf))
  return {
    hypothesis: `${NO_CAUSE}${suffix}`,
    evidence: [...new Set(cited.map(({ edge }) => edge.observation.entry.id))],
    reasoning:
      failures.length === 0
        ? 'No change that may be to blame was recorded before the alert.'
        : `${failures.join('; ')}: no change accounts for it.`,
  }
}

/** The service on which most of the blame comes to rest. */
function findDeepest(blames: readonly Blame[]): string | undefined {
  const totals = new Map<string, number>()
  for (const { weight, rests } of blames) {
    for (const [key, share] of rests) totals.set(key, (totals.get(key) ?? 0) + weight * share)
  }
  const [deepest] = [...totals].toSorted(([a, left], [b, right]) => right - left || compareText(a, b))
  return deepest?.[0]
}

function toRuledOut({ facts, excluded }: Weighing): readonly RuledOut[] {
  const nameOf = toNameOf(facts)
  const quotedNameOf = toQuotedNameOf(facts)
  return excluded
    .filter(({ candidate: { lead } }) => isChange(lead))
    .toSorted(
      (a, b) =>
        Math.abs(a.candidate.lead.firstMs) - Math.abs(b.candidate.lead.firstMs) ||
        compareText(a.candidate.lead.entry.id, b.candidate.lead.entry.id),
    )
    .slice(0, MAX_RULED_OUT)
    .map(({ candidate: { key, lead }, reason }) => ({
      eventIds: citeRuledOut(lead, reason, facts.changes.get(key) ?? []),
      service: nameOf(key),
      reason,
      text: `${describe(lead, quotedNameOf)} ${toExclusionText(reason, lead, facts, quotedNameOf)}`,
    }))
}

/** A change, and the one that it is a pair with. */
function citeRuledOut(lead: Observation, reason: RuledOutReason, changes: readonly Observation[]): readonly EventId[] {
  const find = { revert: findReverted, reverted: findRevert, after_onset: undefined, no_path: undefined }[reason]
  return [lead, find?.(lead, changes) ?? []].flat().map(({ entry }) => entry.id)
}

function toExclusionText(reason: RuledOutReason, lead: Observation, { alertKey }: Facts, nameOf: (key: string) => string): string {
  if (reason === 'after_onset') return `came ${toLagText(-lead.firstMs, 'the alert')}`
  if (reason === 'reverted') return 'was reverted before the trouble began'
  if (reason === 'revert') return 'set back what had been changed before'
  return `is not on any way from ${alertKey === null ? 'the alert' : nameOf(alertKey)}`
}

function toNameOf({ names }: Facts): (key: string) => string {
  return (key) => names.get(key) ?? key
}

function toQuotedNameOf(facts: Facts): (key: string) => string {
  const nameOf = toNameOf(facts)
  return (key) => quote(nameOf(key))
}
