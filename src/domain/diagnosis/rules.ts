import { compareText } from '../compare.ts'
import { toNameKey } from '../event/service-name.ts'
import { toValueClass } from '../event/value-class.ts'
import { pathsFrom } from '../graph/service-graph.ts'
import type { PatternMatch } from './diagnose.ts'
import { compareTimes, type Facts, type FailingEdge, isChange, MAX_HOPS, type Observation, obtain } from './facts.ts'

/** A change with the steps of its rollout, or, at a service without one, its most telling symptom. */
export type Candidate = {
  readonly key: string
  readonly lead: Observation
  /** What followed from the change at the same service: pods replaced, replicas scaled. */
  readonly steps: readonly Observation[]
}

/** What speaks for and against a candidate; `symptom` in nats, the others about 0 to 1. */
export type Features = {
  /** The share of the failing calls that it explains. */
  readonly explained: number
  /** The fewer hops from the alerting service the more; 1 at itself. */
  readonly near: number
  /** How long it had been in place without trouble. */
  readonly lag: number
  /** The most unusual thing its service shows of late. */
  readonly symptom: number
  /** How much of a habit a change of its kind is at its service: in how many hours of 1 it occurs. */
  readonly habit: number
  /** Confirmed diagnoses like it, less rejected ones. */
  readonly pattern: number
}

/** What each feature counts. */
export type Weights = Features

/** What tells whether the cause is among the candidates at all. */
export type Grounds = {
  /** The share of the failing calls that the leading candidate leaves unexplained. */
  readonly unexplained: number
  /** From 1 while no call is known to fail down to 0: the less the more calls have failed, and the longer. */
  readonly unseen: number
  /** By how much its score is above the next one's, from 0 to 1; less where it leaves failing calls unexplained or none is seen to fail. */
  readonly margin: number
}

/** What each ground adds to the log odds of the cause being among the candidates. */
export type Calibration = Grounds & { readonly bias: number }

/** What features and grounds are computed with. Times are in milliseconds. */
export type Tuning = {
  /** Clocks differ by as much: within it the order of a change and a failure is uncertain. */
  readonly clockSlackMs: number
  /** Up to it each moment that a change was in place without trouble counts alike, beyond it less and less. */
  readonly lagScaleMs: number
  /** How far from the alert a failure counts for a quarter. */
  readonly nearAlertMs: number
  /** What each hop from the alerting service leaves of nearness. */
  readonly nearPerHop: number
  /** What each hop leaves of the blame that passes to what a failing service depends on. */
  readonly blamePerHop: number
  /** How much less symptoms count the older they are; 0: not less. */
  readonly lateness: number
  /** For how long all calls would have to fail until it is all but clear which do. */
  readonly settleMs: number
}

/** All that is fitted. */
export type Model = {
  readonly tuning: Tuning
  readonly weights: Weights
  readonly calibration: Calibration
}

/** About one in seven: a cause less likely than that is not worth naming at night. */
const MIN_CONFIDENCE = 0.15

/** A rollout takes at most so long: Kubernetes gives up on one then (`progressDeadlineSeconds`). */
const ROLLOUT_MS = 10 * 60_000
/** Limits against overload. */
const MAX_FAILING_EDGES = 200
const MIN_BLAME = 0.01
/** A weight of failing calls that need no explanation: somewhere some call always fails. */
const USUAL_WEIGHT = 0.001
/** The alert tells when it began as well as one call in a hundred does that fails as it comes. */
const ALERT_WEIGHT = 0.01

/** The score of a candidate: the weighted sum of its features. */
export function toScore(features: Features, weights: Weights): number {
  return (
    weights.explained * features.explained +
    weights.near * features.near +
    weights.lag * features.lag +
    weights.symptom * features.symptom +
    weights.habit * features.habit +
    weights.pattern * features.pattern
  )
}

/** How likely the leading candidate is the cause: that the cause is among the candidates, and that it is this one rather than the next. */
export function toConfidence(grounds: Grounds, lead: number, { bias, unexplained, unseen, margin }: Calibration): number {
  return lead * sigmoid(bias + unexplained * grounds.unexplained + unseen * grounds.unseen + margin * grounds.margin)
}

/** Whether a cause is likely enough to be named; else the answer is that no recorded change explains the alert. */
export function isNamed(confidence: number): boolean {
  return confidence >= MIN_CONFIDENCE
}

/** The chance of the best score against its rival's; 1 when there is none. */
export function toLead(best: number, rival: number | undefined): number {
  return rival === undefined ? 1 : sigmoid(best - rival)
}

/** The share of the failing calls that is usual and needs no explanation; 1 when none is known to fail. */
export function toUsual(blames: readonly Blame[]): number {
  return USUAL_WEIGHT / (sumWeights(blames) + USUAL_WEIGHT)
}

function sumWeights(blames: readonly Blame[]): number {
  return blames.reduce((sum, { weight }) => sum + weight, 0)
}

/** How far it is open, from 1 down to 0, whether other calls are yet to fail. */
export function toUnseen(blames: readonly Blame[], { settleMs }: Tuning): number {
  return Math.exp(-Math.max(0, ...blames.map(({ edge }) => edge.severity * (edge.untilMs - edge.sinceMs))) / settleMs)
}

/** Changes, each with its rollout, and the symptoms of services that report no change. */
export function findCandidates({ changes, symptoms }: Facts): readonly Candidate[] {
  const withChange = [...changes].flatMap(([key, own]) => toChanges(key, own, symptoms.get(key) ?? []))
  const withoutChange = [...symptoms].flatMap(([key, own]) => {
    if (changes.has(key)) return []
    const [lead] = own.toSorted((a, b) => b.surprise - a.surprise || b.lastMs - a.lastMs || compareIds(a, b))
    return lead ? [{ key, lead, steps: [] }] : []
  })
  return [...withChange, ...withoutChange]
}

function toChanges(key: string, changes: readonly Observation[], symptoms: readonly Observation[]): readonly Candidate[] {
  const found: { readonly lead: Observation; readonly steps: Observation[] }[] = []
  for (const change of changes.toSorted((a, b) => Number(isScaling(a)) - Number(isScaling(b)))) {
    const rollout = isScaling(change) || isDeploy(change) ? found.findLast(({ lead }) => isStepOf(lead, change)) : undefined
    if (rollout) rollout.steps.push(change)
    else found.push({ lead: change, steps: [] })
  }
  // Rollouts replace pods: a restart that is no less usual than the change itself.
  for (const restart of symptoms.filter(({ entry }) => entry.eventType === 'restart')) {
    const rollout = found.findLast(({ lead }) => isWithinRollout(lead, restart) && restart.surprise <= lead.surprise)
    rollout?.steps.push(restart)
  }
  return found.map(({ lead, steps }) => ({ key, lead, steps: steps.toSorted(compareTimes) }))
}

/** Whether replicas were added or taken away. */
export function isScaling({ entry }: Observation): boolean {
  return entry.eventType === 'scale_event'
}

function isDeploy({ entry }: Observation): boolean {
  return entry.eventType === 'deploy'
}

function isWithinRollout(lead: Observation, step: Observation): boolean {
  return step.firstMs >= lead.firstMs && step.firstMs <= lead.firstMs + ROLLOUT_MS
}

/** Scaling goes with a change before it, and a deploy's further reports name its sha or none. */
function isStepOf(lead: Observation, change: Observation): boolean {
  if (!isWithinRollout(lead, change)) return false
  if (isScaling(change)) return !isScaling(lead)
  const { sha } = lead.entry
  return isDeploy(change) && isDeploy(lead) && sha !== null && (change.entry.sha === null || change.entry.sha === sha)
}

function compareIds(a: Observation, b: Observation): number {
  return compareText(a.entry.id, b.entry.id)
}

/** Failing calls on the way from the alerting service, each with where its blame comes to rest. */
export type Blame = {
  readonly edge: FailingEdge
  readonly weight: number
  /** Shares of the blame by service: the failing callee, or those it fails to reach itself. */
  readonly rests: ReadonlyMap<string, number>
}

/** Follows each failing call to the deepest failing callees. Of the failures between two services the worst and nearest stands. */
export function followFailures({ failing, paths, alertKey }: Facts, tuning: Tuning): readonly Blame[] {
  const isOnPath = ({ caller, callee }: FailingEdge) => paths === null || paths.has(caller) || callee === alertKey
  const toWeighted = (edge: FailingEdge) => ({ edge, weight: edge.severity * (1 + Math.abs(edge.sinceMs) / tuning.nearAlertMs) ** -2 })
  const onPath = failing
    .filter((edges) => edges.some(isOnPath))
    .map((edges) => edges.map(toWeighted).reduce((a, b) => (compareWeighted(a, b) > 0 ? b : a)))
    .toSorted(compareWeighted)
    .slice(0, MAX_FAILING_EDGES)
  const deeper = Map.groupBy(onPath, ({ edge }) => edge.caller)
  const rests = new Map<string, ReadonlyMap<string, number>>()
  return onPath.map(({ edge, weight }) => ({ edge, weight, rests: obtain(rests, edge.callee, (callee) => flow(callee, deeper)) }))
}

type Weighted = { readonly edge: FailingEdge; readonly weight: number }

/** The worst and nearest first. */
function compareWeighted(a: Weighted, b: Weighted): number {
  return (
    b.weight - a.weight ||
    compareText(a.edge.caller, b.edge.caller) ||
    compareText(a.edge.callee, b.edge.callee) ||
    a.edge.sinceMs - b.edge.sinceMs ||
    compareIds(a.edge.observation, b.edge.observation)
  )
}

/** Where the blame for failing calls to a service comes to rest, in shares of 1. */
function flow(start: string, deeper: ReadonlyMap<string, readonly Weighted[]>): ReadonlyMap<string, number> {
  const settled = new Map<string, number>()
  let moving: ReadonlyMap<string, number> = new Map([[start, 1]])
  for (let hop = 0; hop <= MAX_HOPS && moving.size > 0; hop += 1) {
    const next = new Map<string, number>()
    for (const [key, share] of moving) {
      const onward = hop === MAX_HOPS ? [] : (deeper.get(key) ?? []).filter(({ edge }) => edge.callee !== start)
      if (onward.length === 0) add(settled, key, share)
      else passOn(onward, share, next)
    }
    moving = next
  }
  return settled
}

function passOn(onward: readonly Weighted[], share: number, next: Map<string, number>): void {
  const total = onward.reduce((sum, { weight }) => sum + weight, 0)
  for (const { edge, weight } of onward) add(next, edge.callee, (share * weight) / total)
}

function add(totals: Map<string, number>, key: string, amount: number): void {
  totals.set(key, (totals.get(key) ?? 0) + amount)
}

/** When it began, as far as failing calls tell, at the alert at the latest; from the alert on. */
export function estimateOnset(blames: readonly Blame[]): number {
  return blames.reduce((sum, { weight, edge }) => sum + weight * Math.min(0, edge.sinceMs), 0) / (sumWeights(blames) + ALERT_WEIGHT)
}

/** Weighs candidates against the facts. */
export function createWeigher(
  facts: Facts,
  blames: readonly Blame[],
  patterns: readonly PatternMatch[],
  tuning: Tuning,
): (candidate: Candidate) => Features {
  const { paths } = facts
  const onsetMs = estimateOnset(blames)
  const loudest = new Map<string, readonly Loud[]>()
  const patternsByService = Map.groupBy(patterns, ({ service }) => toNameKey(service))
  const explain = createExplainer(facts, blames, tuning)

  return (candidate) => {
    const { key, lead, steps } = candidate
    const isPlaced = paths !== null
    const isItself = (observation: Observation) => isPlaced && isChange(lead) && (observation === lead || steps.includes(observation))
    return {
      explained: explain(candidate),
      near: isPlaced ? tuning.nearPerHop ** ((paths.get(key)?.length ?? 1) - 1) : 0,
      lag: isPlaced ? toLag(candidate, onsetMs, tuning) : 0,
      symptom: obtain(loudest, key, () => listLoudest(key, facts, tuning)).find(({ observation }) => !isItself(observation))?.loudness ?? 0,
      habit: isPlaced && isChange(lead) ? Math.exp(-lead.surprise) : 0,
      pattern: toPattern(lead, patternsByService.get(key) ?? []),
    }
  }
}

type Loud = { readonly observation: Observation; readonly loudness: number }

/** What a service shows, the most unusual of late first. */
function listLoudest(key: string, { changes, symptoms, medianAgeMs }: Facts, { lateness }: Tuning): readonly Loud[] {
  const toLoud = (observation: Observation) => {
    const late = medianAgeMs > 0 ? Math.max(0, 1 - Math.max(0, -observation.lastMs) / medianAgeMs) : 1
    return { observation, loudness: observation.surprise * late ** lateness }
  }
  const own = [...(changes.get(key) ?? []), ...(symptoms.get(key) ?? [])]
  return own.map(toLoud).toSorted((a, b) => b.loudness - a.loudness)
}

/** How long ago the last step before onset was: a change that had worked for long is less to blame. */
function toLag({ lead, steps }: Candidate, onsetMs: number, { lagScaleMs }: Tuning): number {
  const latestMs = steps.reduce((latest, step) => Math.max(latest, toLatest(step, onsetMs)), toLatest(lead, onsetMs))
  return latestMs === Number.NEGATIVE_INFINITY ? 0 : Math.log1p((onsetMs - latestMs) / lagScaleMs)
}

/** When something last happened up to an instant, as far as its entry tells; what keeps repeating counts as of its first time. */
function toLatest({ entry, firstMs, lastMs }: Observation, untilMs: number): number {
  if (entry.count === 2 && lastMs <= untilMs) return lastMs
  return firstMs <= untilMs ? firstMs : Number.NEGATIVE_INFINITY
}

type Explainable = { readonly weight: number; readonly sinceMs: number }

/** The share of the failing calls that a candidate explains: those whose blame rests on it or on its callers. */
function createExplainer({ adjacency }: Facts, blames: readonly Blame[], tuning: Tuning): (candidate: Candidate) => number {
  const total = sumWeights(blames) + USUAL_WEIGHT
  const reaches = new Map<string, ReadonlyMap<string, readonly string[]>>()
  const reachOf = (from: string) => obtain(reaches, from, () => pathsFrom(from, adjacency.callees, MAX_HOPS))
  const spreads = new Map(blames.map(({ edge, rests }) => [edge.callee, rests]))
  const shares = new Map([...spreads].map(([callee, rests]) => [callee, spread(rests, reachOf, tuning)]))
  const explainable = new Map<string, Explainable[]>()
  for (const { edge, weight } of blames) {
    for (const [key, share] of shares.get(edge.callee) ?? []) {
      obtain(explainable, key, () => []).push({ weight: weight * share, sinceMs: edge.sinceMs })
    }
  }
  return ({ key, lead }) => {
    const edges = explainable.get(key) ?? []
    const explained = edges.reduce((sum, { weight, sinceMs }) => sum + weight * sigmoid((sinceMs - lead.firstMs) / tuning.clockSlackMs), 0)
    return explained / total
  }
}

/** What part of a blame each service may account for: all that rests on it, and less the further what it rests on is. */
function spread(
  rests: ReadonlyMap<string, number>,
  reachOf: (from: string) => ReadonlyMap<string, readonly string[]>,
  { blamePerHop }: Tuning,
): ReadonlyMap<string, number> {
  const shares = new Map<string, number>()
  for (const [at, blame] of rests) {
    if (blame < MIN_BLAME) continue
    for (const [key, path] of reachOf(at)) add(shares, key, blame * blamePerHop ** (path.length - 1))
  }
  return shares
}

/** What verdicts about the same kind of event at the same service say. */
function toPattern({ entry }: Observation, patterns: readonly PatternMatch[]): number {
  if (patterns.length === 0) return 0
  const valueClass = toValueClass(entry.newValue)
  const alike = patterns.filter(
    (pattern) => pattern.eventType === entry.eventType && pattern.vendor === entry.vendor && pattern.valueClass === valueClass,
  )
  const votes = alike.map(({ similarity, verdict }) => (verdict === 'confirmed' ? similarity : -similarity)).toSorted((a, b) => a - b)
  return Math.tanh(votes.reduce((sum, vote) => sum + vote, 0))
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value))
}
