import { toNameKey } from '../event/service-name.ts'
import { toValueClass } from '../event/value-class.ts'
import type { WindowEntry } from '../window/window.ts'
import type { Account, Explain } from './blame.ts'
import type { Facts } from './facts.ts'
import { isPutNamed, isThingNamed, listMentioning } from './mentions.ts'
import type { Candidate, Change, Features, Item, PatternMatch } from './model.ts'
import { isUnseen } from './occurrences.ts'
import { isByHand, isLess, isScaling } from './scaling.ts'
import { isDenied, isOfAccess, isOfNetwork, isStrain, isUnreached, listCutOff } from './trouble.ts'
import type { Weights } from './weights.ts'

/** What speaks for and against each change. */
export function createAssessor(
  facts: Facts,
  explain: Explain,
  patterns: readonly PatternMatch[],
  weights: Weights,
): (change: Change) => Candidate {
  const placeOf = createPlacer(facts, weights)
  const patternsOf = Map.groupBy(patterns, ({ service }) => toNameKey(service))
  return (change) => {
    const others = [
      ...(change.lead.evaluators ?? []),
      ...(change.lead.named ?? []),
      ...listMentioning(change, facts.mentions),
      ...listCutOff(change, facts.items, weights).flatMap(({ caller, callee }) => [caller, callee]),
    ]
    const concerned = new Set([change.key, ...others])
    const [best] = [...concerned].map((key) => assessAt(key, explain(key, change), placeOf, weights)).toSorted((a, b) => b.sum - a.sum)
    if (!best) throw new Error('a change that concerns no service')
    const { key, account, place, late } = best
    const lagMs = toLag(change, account.onsetMs, weights)
    const evidence = account.evidence + Math.log(toNaming({ change, key, account, lagMs }, facts, weights))
    const features: Features = {
      evidence,
      place,
      late,
      kind: Math.log(toKind(change, account, weights)),
      lag: -weights.lagExponent * Math.log1p(lagMs / weights.scaleMs) - Math.max(0, change.atMs / weights.slackMs),
      habit: Math.log(1 - 0.9 * facts.habits.toShare(change.lead)),
      pattern: toPattern(change, patternsOf.get(change.key) ?? []),
    }
    const score = Object.values(features).reduce((sum, feature) => sum + feature)
    const { explained, onsetMs, troubleMs, isOver } = account
    const told = { explained, onsetMs, troubleMs, isOver, lagMs, isRestoring: isRestoring(change, account, weights) }
    return { change, features, score, concerned: key, ...told, alike: 1 }
  }
}

/** What half of is left when a change had been in place for so long. */
const NAMING_MS = 15 * 60_000

/** What it counts that failures name what a change is about: a flag or setting the less, the longer it had been in place, and nothing where there was trouble before it. */
function toNaming(
  { change, key, account, lagMs }: { readonly change: Change; readonly key: string; readonly account: Account; readonly lagMs: number },
  { mentions }: Facts,
  { named, slackMs }: Weights,
): number {
  if (isPutNamed(change, key, mentions)) return named
  const { explained, troubleMs } = account
  if ((troubleMs !== undefined && troubleMs < change.atMs - slackMs) || !isThingNamed(change, key, explained, mentions)) return 1
  return 1 + (named - 1) * 2 ** (-lagMs / NAMING_MS)
}

function assessAt(key: string, account: Account, placeOf: Placer, weights: Weights) {
  const place = Math.log(placeOf(key, account))
  const late = Math.log(weights.late) * account.lateShare
  return { key, account, place, late, sum: account.evidence + place + late }
}

type Placer = (key: string, account: Pick<Account, 'evidence' | 'freshness' | 'lateness'>) => number

/**
 * How likely a fault lies where a service is, seen from the alert. One to which no way may be known: the likelier the fresher what
 * fails there is, and next to impossible where all had failed at the alert before.
 */
export function createPlacer(facts: Facts, weights: Weights): Placer {
  const { alertKey, hops, callers, isTopologyKnown, isStoreAlert } = facts
  const ofCaller = isStoreAlert ? weights.nearPerHop : weights.upstream
  return (key, { evidence, freshness, lateness }) => {
    const distance = hops.get(key)
    if (alertKey === null) return 1
    if (distance !== undefined) return weights.nearPerHop ** distance
    if (callers.has(key)) return ofCaller
    if (isTopologyKnown) return evidence > 0 ? weights.upstream : weights.unreachable
    const { unknownSilent, unknownPlace, unreachable } = weights
    const place = unknownSilent + (unknownPlace - unknownSilent) * freshness
    return place + (unreachable - place) * lateness
  }
}

/** What had been in place for longer was no failed attempt. */
const ATTEMPT_MS = 30 * 60_000

/** Whether a change put back what had run well: a rollback, and what ended a short attempt with something else. */
function isRestoring({ lead, atMs, undoes, isRollback }: Change, account: Account, weights: Weights): boolean {
  if (isRollback || !undoes) return isRollback
  return atMs - undoes.firstMs < ATTEMPT_MS && (lead.entry.eventType === 'deploy' || isAnswer({ atMs, undoes }, account, weights))
}

/** Whether something was set back as an answer to trouble, and not just before it after it had been in place for long without any. */
function isAnswer({ atMs, undoes }: Pick<Change, 'atMs' | 'undoes'>, { troubleMs }: Account, { slackMs }: Weights): boolean {
  if (!undoes) return false
  const beforeMs = (troubleMs ?? 0) - atMs
  return beforeMs < 0 || beforeMs > 2 * slackMs || atMs - undoes.lastMs < 10 * slackMs
}

function toKind(change: Change, account: Account, weights: Weights): number {
  const { lead, former, isSame } = change
  const { explained } = account
  const undoing = lead.entry.eventType !== 'deploy' && isAnswer(change, account, weights) ? weights.undoing : 1
  if (isByHand(lead)) return 1
  // What lacks after replicas were taken away was taken with them.
  if (isScaling(lead)) return isLess(former, lead.entry.newValue) && explained.some(isStrain) ? weights.taking : weights.scaling
  // What failed before any of it was seen may never have been in place.
  if (isSame || isUnseen(change)) return weights.same
  if (isOfGate(lead.entry, explained)) return weights.denied * undoing
  return lead.entry.eventType === 'flag_change' ? weights.flag * undoing : undoing
}

/** Whether a change is of who may do or reach what, and what fails is denied that. */
function isOfGate(entry: WindowEntry, explained: readonly Item[]): boolean {
  return (isOfAccess(entry) && explained.some(isDenied)) || (isOfNetwork(entry) && explained.some(isUnreached))
}

/** How long a change had been in place, from its last finished step on, when what it may explain began. */
function toLag({ atMs, steps }: Change, onsetMs: number | undefined, { slackMs }: Weights): number {
  const untilMs = Math.min(0, onsetMs ?? 0)
  const lastMs = steps.reduce((last, step) => (step.atMs <= (onsetMs ?? 0) + slackMs ? Math.max(last, step.atMs) : last), atMs)
  return Math.max(0, untilMs - lastMs)
}

/** What verdicts about the same kind of change at the same service say. */
function toPattern({ lead: { entry } }: Change, patterns: readonly PatternMatch[]): number {
  if (patterns.length === 0) return 0
  const valueClass = toValueClass(entry.newValue)
  const alike = patterns.filter(
    (pattern) => pattern.eventType === entry.eventType && pattern.vendor === entry.vendor && pattern.valueClass === valueClass,
  )
  const votes = alike.map(({ similarity, verdict }) => (verdict === 'confirmed' ? similarity : -similarity)).toSorted((a, b) => a - b)
  return Math.tanh(votes.reduce((sum, vote) => sum + vote, 0))
}
