import type { PatternMatch } from './diagnosis.ts'
import { compareText, type Facts, type FailingEdge, isChange, MAX_HOPS, type Observation } from './diagnosis-facts.ts'
import { CALIBRATION, WEIGHTS } from './diagnosis-weights.ts'
import { toValueClass } from './event.ts'
import { pathsFrom } from './service-graph.ts'
import { toNameKey } from './service-name.ts'

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
  /** The fewer hops from the alerting service the more: 2 at itself, 1 at what it calls. */
  readonly near: number
  /** How long it had been in place without trouble. */
  readonly lag: number
  /** The most unusual thing its service shows of late, and some of what its callers show for want of it. */
  readonly symptom: number
  /** How much of a habit a change of its kind is at its service, beyond four hours in five. */
  readonly habit: number
  /** Confirmed diagnoses like it, less rejected ones. */
  readonly pattern: number
}

export type Weights = Features

/** What the confidence in the leading candidate rests on. */
export type Grounds = {
  /** The share of the failing calls that it leaves unexplained. */
  readonly unexplained: number
  /** 1 while no call is known to fail. */
  readonly unseen: number
  /** By how much its score is above the next one's; less where it leaves failing calls unexplained. */
  readonly margin: number
  readonly isTentative: boolean
}

/** What each ground adds to the log odds of the leading candidate. */
export type Calibration = { readonly bias: number; readonly unexplained: number; readonly unseen: number; readonly margin: number }

/** Before calls fail a missing change cannot be told from a present one. */
const MAX_TENTATIVE_CONFIDENCE = 0.7
/** The margin of a candidate that has no rival. */
const LONE_MARGIN = 3

/** Calls that began to fail within so long may be only the first to fail. */
const EARLY_MS = 30_000
const SLIGHT_SEVERITY = 0.1
/** Clocks differ by as much: within it an order is uncertain. */
const CLOCK_SLACK_MS = 30_000
/** A step belongs to the rollout of a change from so long before it, by its own clock, to so long after. */
const STEP_SLACK_MS = 120_000
const ROLLOUT_MS = 10 * 60_000
const LAG_SCALE_MS = 180_000
/** Trouble takes so long to be noticed: changes that are closer to onset are not told apart by their time. */
const NOTICE_MS = 25_000
/** How far from the alert a failure is half as likely to belong to it. */
const NEAR_ALERT_MS = 120_000
/** The blame that passes on to each further callee, and that a failing service keeps when callees of its own fail. */
const PER_HOP = 0.7
const KEPT = 0.1
/** What the alert's own time weighs against the times of failing calls, when the time of onset is estimated. */
const ALERT_SEVERITY = 0.3
const MAX_FAILING_EDGES = 200
const MIN_BLAME = 0.01
/** The surprise of what occurs in four hours of five. */
const HABIT_SURPRISE = Math.log(1.25)
/** What errors of its callers say about a service, against its own symptoms. */
const CALLERS_SHARE = 0.2

/** The score of a candidate: the weighted sum of its features. */
export function toScore(features: Features, weights: Weights = WEIGHTS): number {
  return (
    weights.explained * features.explained +
    weights.near * features.near +
    weights.lag * features.lag +
    weights.symptom * features.symptom +
    weights.habit * features.habit +
    weights.pattern * features.pattern
  )
}

/** How likely the leading candidate is the cause. */
export function toConfidence(grounds: Grounds, calibration: Calibration = CALIBRATION): number {
  const { bias, unexplained, unseen, margin } = calibration
  const sum = bias + unexplained * grounds.unexplained + unseen * grounds.unseen + margin * grounds.margin
  const confidence = 1 / (1 + Math.exp(-sum))
  return grounds.isTentative ? Math.min(MAX_TENTATIVE_CONFIDENCE, confidence) : confidence
}

/** Whether calls have failed for so short a time, or so slightly, if at all, that the real failures may be yet to come. */
export function isTentative({ untilMs }: Facts, blames: readonly Blame[]): boolean {
  return blames.every(({ edge }) => untilMs - edge.sinceMs < EARLY_MS || edge.severity < SLIGHT_SEVERITY)
}

/** By how much the best score is above its rival's. */
export function toMargin(best: number | undefined, rival: number | undefined): number {
  return best === undefined || rival === undefined ? LONE_MARGIN : best - rival
}

/** Changes, each with its rollout, and the symptoms of services that report no change. */
export function findCandidates({ changes, symptoms }: Facts): readonly Candidate[] {
  const changesByService = Map.groupBy(changes, ({ key }) => key)
  const symptomsByService = Map.groupBy(symptoms, ({ key }) => key)
  const withChange = [...changesByService].flatMap(([key, own]) => toChanges(key, own, symptomsByService.get(key) ?? []))
  const withoutChange = [...symptomsByService].flatMap(([key, own]) => {
    const [lead] = own.toSorted((a, b) => b.surprise - a.surprise || b.lastMs - a.lastMs || compareIds(a, b))
    return lead && !changesByService.has(key) ? [{ key, lead, steps: [] }] : []
  })
  return [...withChange, ...withoutChange]
}

function toChanges(key: string, changes: readonly Observation[], symptoms: readonly Observation[]): readonly Candidate[] {
  const sorted = changes.toSorted((a, b) => Number(isScaling(a)) - Number(isScaling(b)) || a.firstMs - b.firstMs || compareIds(a, b))
  const found: { readonly lead: Observation; readonly steps: Observation[] }[] = []
  for (const change of sorted) {
    const rollout = found.findLast(({ lead }) => isStepOf(lead, change))
    if (rollout) rollout.steps.push(change)
    else found.push({ lead: change, steps: [] })
  }
  for (const symptom of symptoms) {
    const rollout = found.findLast(({ lead }) => isWithinRollout(lead, symptom) && isReplacement(lead, symptom))
    rollout?.steps.push(symptom)
  }
  return found.map(({ lead, steps }) => ({ key, lead, steps: steps.toSorted((a, b) => a.firstMs - b.firstMs || compareIds(a, b)) }))
}

function isScaling({ entry }: Observation): boolean {
  return entry.eventType === 'scale_event'
}

function isWithinRollout(lead: Observation, step: Observation): boolean {
  return step.firstMs >= lead.firstMs - STEP_SLACK_MS && step.firstMs <= lead.firstMs + ROLLOUT_MS
}

/** A restart that is about as usual as the change itself: rollouts replace pods. */
function isReplacement(lead: Observation, { entry, surprise }: Observation): boolean {
  return entry.eventType === 'restart' && surprise <= lead.surprise + 1
}

/** Scaling goes with a change before it, and a deploy's further reports name its sha or none. */
function isStepOf(lead: Observation, change: Observation): boolean {
  if (!isWithinRollout(lead, change)) return false
  if (isScaling(change)) return !isScaling(lead)
  const isDeploy = change.entry.eventType === 'deploy' && lead.entry.eventType === 'deploy'
  return isDeploy && lead.entry.sha !== null && (change.entry.sha === null || change.entry.sha === lead.entry.sha)
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
export function followFailures({ failing, paths, alertKey }: Facts): readonly Blame[] {
  const sorted = failing
    .filter(({ caller, callee }) => paths === null || paths.has(caller) || callee === alertKey)
    .map((edge) => ({ edge, weight: edge.severity * (1 + Math.abs(edge.sinceMs) / NEAR_ALERT_MS) ** -2 }))
    .toSorted((a, b) => b.weight - a.weight || compareEdges(a.edge, b.edge))
  const pairs = Map.groupBy(sorted, ({ edge: { caller, callee } }) => `${caller}\0${callee}`)
  const onPath = [...pairs.values()].flatMap(([worst]) => worst ?? []).slice(0, MAX_FAILING_EDGES)
  const deeper = Map.groupBy(onPath, ({ edge }) => edge.caller)
  const rests = new Map<string, ReadonlyMap<string, number>>()
  for (const { edge } of onPath) {
    if (!rests.has(edge.callee)) rests.set(edge.callee, flow(edge.callee, deeper))
  }
  return onPath.map(({ edge, weight }) => ({ edge, weight, rests: rests.get(edge.callee) ?? new Map() }))
}

function compareEdges(a: FailingEdge, b: FailingEdge): number {
  return (
    compareText(a.caller, b.caller) || compareText(a.callee, b.callee) || a.sinceMs - b.sinceMs || compareIds(a.observation, b.observation)
  )
}

type Weighted = { readonly edge: FailingEdge; readonly weight: number }

/** Where the blame for failing calls to a service comes to rest, in shares of 1. */
function flow(start: string, deeper: ReadonlyMap<string, readonly Weighted[]>): ReadonlyMap<string, number> {
  const settled = new Map<string, number>()
  let moving: ReadonlyMap<string, number> = new Map([[start, 1]])
  for (let hop = 0; hop <= MAX_HOPS && moving.size > 0; hop += 1) {
    const next = new Map<string, number>()
    for (const [key, share] of moving) {
      const onward = hop === MAX_HOPS ? [] : (deeper.get(key) ?? []).filter(({ edge }) => edge.callee !== start)
      const kept = onward.length === 0 ? share : share * KEPT
      add(settled, key, kept)
      passOn(onward, share - kept, next)
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

/** When it began, as far as the alert and the failing calls before it tell; from the alert on. */
function estimateOnset(blames: readonly Blame[]): number {
  const total = blames.reduce((sum, { weight }) => sum + weight, ALERT_SEVERITY)
  return blames.reduce((sum, { weight, edge }) => sum + weight * Math.min(0, edge.sinceMs), 0) / total
}

/** Weighs candidates against the facts. */
export function createWeigher(
  facts: Facts,
  blames: readonly Blame[],
  patterns: readonly PatternMatch[],
): (candidate: Candidate) => Features {
  const { paths, callErrors, changes, symptoms, adjacency } = facts
  const onsetMs = estimateOnset(blames)
  const late = ({ lastMs }: Observation) => {
    const ageMs = Math.max(0, -lastMs)
    return facts.medianAgeMs > 0 ? Math.max(0, 1 - ageMs / facts.medianAgeMs) : 1
  }
  const toLoudest = (observations: readonly Observation[]) =>
    observations
      .map((observation) => ({ observation, loudness: observation.surprise * late(observation) }))
      .toSorted((a, b) => b.loudness - a.loudness)
  const ownByService = groupLoudest([...changes, ...symptoms], toLoudest)
  const errorsByService = groupLoudest(callErrors, toLoudest)
  const explain = createExplainer(facts, blames)

  return (candidate) => {
    const { key, lead, steps } = candidate
    const hops = (paths?.get(key)?.length ?? 1) - 1
    const ofChange = new Set(paths !== null && isChange(lead) ? [lead, ...steps] : [])
    const symptom = ownByService.get(key)?.find(({ observation }) => !ofChange.has(observation))?.loudness ?? 0
    const callers = adjacency.callers.get(key) ?? []
    const errors = Math.max(0, ...callers.map((caller) => errorsByService.get(caller)?.[0]?.loudness ?? 0))
    const isPlaced = paths !== null
    return {
      explained: explain(candidate),
      near: isPlaced ? 2 * 0.5 ** hops : 0,
      lag: isPlaced ? toLag(candidate, onsetMs) : 0,
      symptom: symptom + CALLERS_SHARE * errors,
      habit: isPlaced && isChange(lead) ? Math.max(0, 1 - lead.surprise / HABIT_SURPRISE) : 0,
      pattern: toPattern(candidate, facts, patterns),
    }
  }
}

type Loud = { readonly observation: Observation; readonly loudness: number }

function groupLoudest(observations: readonly Observation[], toLoudest: (own: readonly Observation[]) => readonly Loud[]) {
  return new Map([...Map.groupBy(observations, ({ key }) => key)].map(([key, own]) => [key, toLoudest(own)]))
}

/** When something happened, as far as its entry tells; what keeps repeating counts as of its first time. */
function toTimes({ entry, firstMs, lastMs }: Observation): readonly number[] {
  return entry.count === 2 ? [firstMs, lastMs] : [firstMs]
}

/** How long ago the last step before onset was: a change that had worked for long is less to blame. */
function toLag({ lead, steps }: Candidate, onsetMs: number): number {
  const before = [lead, ...steps].flatMap(toTimes).filter((ms) => ms <= onsetMs)
  return before.length === 0 ? 0 : Math.log1p(Math.max(0, onsetMs - Math.max(...before) - NOTICE_MS) / LAG_SCALE_MS)
}

type Explainable = { readonly weight: number; readonly sinceMs: number }

/** The share of the failing calls that a candidate explains: those whose blame rests on it or on its callers. */
function createExplainer({ adjacency }: Facts, blames: readonly Blame[]): (candidate: Candidate) => number {
  const total = blames.reduce((sum, { weight }) => sum + weight, 0)
  const reaches = new Map<string, ReadonlyMap<string, readonly string[]>>()
  const reachOf = (from: string) => {
    const reach = reaches.get(from) ?? pathsFrom(from, adjacency.callees, MAX_HOPS)
    reaches.set(from, reach)
    return reach
  }
  const spreads = new Map(blames.map(({ edge, rests }) => [edge.callee, rests]))
  const shares = new Map([...spreads].map(([callee, rests]) => [callee, spread(rests, reachOf)]))
  const explainable = new Map<string, Explainable[]>()
  for (const { edge, weight } of blames) {
    for (const [key, share] of shares.get(edge.callee) ?? []) {
      const edges = explainable.get(key) ?? []
      edges.push({ weight: weight * share, sinceMs: edge.sinceMs })
      explainable.set(key, edges)
    }
  }
  return ({ key, lead }) => {
    const edges = explainable.get(key) ?? []
    const explained = edges.reduce((sum, { weight, sinceMs }) => sum + weight * sigmoid(1 + (sinceMs - lead.firstMs) / CLOCK_SLACK_MS), 0)
    return total === 0 ? 0 : explained / total
  }
}

/** What part of a blame each service may account for: the less the further it is from where the blame rests. */
function spread(
  rests: ReadonlyMap<string, number>,
  reachOf: (from: string) => ReadonlyMap<string, readonly string[]>,
): ReadonlyMap<string, number> {
  const shares = new Map<string, number>()
  for (const [at, blame] of rests) {
    if (blame < MIN_BLAME) continue
    for (const [key, path] of reachOf(at)) add(shares, key, blame * PER_HOP ** (path.length - 1))
  }
  return shares
}

function toPattern({ key, lead }: Candidate, { names }: Facts, patterns: readonly PatternMatch[]): number {
  const valueClass = toValueClass(lead.entry.newValue)
  const alike = patterns.filter(
    (pattern) =>
      toNameKey(pattern.service) === toNameKey(names.get(key) ?? key) &&
      pattern.eventType === lead.entry.eventType &&
      pattern.vendor === lead.entry.vendor &&
      pattern.valueClass === valueClass,
  )
  const votes = alike.map(({ similarity, verdict }) => (verdict === 'confirmed' ? similarity : -similarity)).toSorted((a, b) => a - b)
  return Math.tanh(votes.reduce((sum, vote) => sum + vote, 0))
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value))
}
