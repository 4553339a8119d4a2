import { toNameKey } from '../event/service-name.ts'
import { isOneRollout } from './candidates.ts'
import { hadRunShort, leavesUnexplained, listShared, SOON_MS } from './doubts.ts'
import { type Facts, isWayKnown } from './facts.ts'
import { besides, findBroken } from './hazards.ts'
import type { Assessment, Candidate, Hazard, Item } from './model.ts'
import { isUnseen } from './occurrences.ts'
import { isAutoscaling, isLess, isScaling } from './scaling.ts'
import { AT_ONCE_MS, isExpired, isFullDisk, isOfCode, isOfLoad, isOfTrust, isStrain } from './trouble.ts'
import type { Weights } from './weights.ts'

/** How sure an answer is. */
export type Certainty = {
  /** The chance that the cause is on record at all. */
  readonly present: number
  /** The leading change's part of it, and that of its service. */
  readonly share: number
  readonly serviceShare: number
  readonly isNamed: boolean
  readonly confidence: number
  /** The next change, where it is at least half as likely. */
  readonly rival: Candidate | undefined
  /** What broke between the leading change of its client and what fails, and may explain that as well. */
  readonly broken: Hazard | undefined
  /** What began to fail where no way is known, with what the leading change explains: much more than usual, so that they may have a cause in common. */
  readonly shared: readonly Item[]
  /**
   * Whether either may be to blame instead, or what fails at once with what the leading change explains, and no change does; or nothing
   * connects the leading change with the alert.
   */
  readonly isDoubted: boolean
  /** The chance that no recorded change is to blame: on given cases more right of those that name none than 1 − `present`. */
  readonly unrecorded: number
}

/** Sums of exponentials: scores beyond it are none. */
const MIN_SCORE = -50
const MAX_LOGIT = 40
const EDGE = 0.005
/** One change alone proves no more than one that is nine times as likely as all others. */
const MAX_SHARE = 0.9
const NOTHING: Certainty = {
  present: 0,
  share: 0,
  serviceShare: 0,
  isNamed: false,
  confidence: 0,
  rival: undefined,
  broken: undefined,
  shared: [],
  isDoubted: false,
  unrecorded: 1,
}
/** A change after which its service ran well for so long is no more than suspect. */
const PROVEN_MS = 20 * 60_000
/** Most causes show within so long. */
export const LONG_MS = 30 * 60_000
/** A deploy whose service ran well for so long broke none of what that shows of itself alone. */
const RAN_WELL_MS = 35 * 60_000
/** In so long a service that runs well takes most of what is sure of its change. */
const WELL_MS = 15 * 60_000
/** What a change broke ends so soon after the change did, or has ended by then. */
const SETTLING_MS = 60_000
const SETTLED_MS = 5 * 60_000
/** What was seen for less than so long after an alert is a first look. */
const FIRST_LOOK_MS = 60_000
/** What all that fails a slack of clocks before a change comes to, and what is as bad. */
const LATE = Math.log(0.25) / (1 + Math.exp(-1))
const TIED = 0.5
/** As likely, but for what clocks can tell. */
const EVEN = 0.9

/**
 * Weighs the recorded changes, of each service the likeliest, against all faults that nobody recorded. Many changes where one
 * is looked for prove less.
 */
export function assess(all: readonly Candidate[], faults: readonly Hazard[], facts: Facts, weights: Weights): Certainty {
  // What came after the alert, though within the slack of clocks, is ranked but never named.
  const ranked = all.filter(({ change }) => change.atMs <= 0)
  const [leader] = ranked
  if (!leader || leader !== all[0]) return NOTHING
  const likely = ranked.filter(({ score }) => score >= leader.score - Math.LN10)
  const hazards = besides(faults, [leader, ...likely], facts, weights)
  const top = Math.max(leader.score, ...hazards.map(({ logOdds }) => logOdds), MIN_SCORE)
  const counted = listCounted(ranked, leader, hazards, facts)
  const sumOdds = (some: readonly Candidate[]) => some.reduce((sum, { score }) => sum + Math.exp(score - top), 0)
  const total = sumOdds(counted)
  const recorded = sumOdds(firstOfEach(ranked, ({ change }) => change.key))
  const doubt = Math.log(Math.max(weights.minMultiplicity, toMultiplicity(ranked, facts)) * leader.alike ** weights.alike)
  const squares = hazards.reduce((sum, { logOdds, troubleMs }) => {
    // Few changes about do not make less likely what is seen to have broken.
    return sum + Math.exp(2 * (logOdds - top) + (troubleMs === undefined ? doubt : Math.max(0, doubt)))
  }, 0)
  const unrecorded = Math.sqrt(squares)
  const present = recorded / (recorded + unrecorded)
  const isOfLeader = ({ change }: Candidate) => change === leader.change || isOneRollout(change, leader.change)
  const next = ranked.find((candidate) => !isOfLeader(candidate))
  const share = sumOdds(counted.filter(isOfLeader)) / total
  const serviceShare = sumOdds(counted.filter(({ change }) => change.key === leader.change.key)) / total
  const ratio = (present * serviceShare) / (present * serviceShare + 1 - present)
  const rivalry = next === undefined || !isNameable(next, facts, weights) ? 0 : Math.exp(next.score - leader.score)
  const confidence = toConfidence(present, share, facts, weights)
  const broken = findBroken(hazards, leader, facts)
  const shared = listShared(leader, facts, weights)
  const isPart = shared.length > 0 || leavesUnexplained(leader, ranked, facts, weights) || hadRunShort(leader, facts, weights)
  const isStrange = !isPlaced(leader, facts)
  const isSupported = leader.explained.length > 0 && isSpokenFor(leader) && !isStrange && !broken && !isPart
  const most = Math.min(
    isSupported ? toMost(leader, weights) : weights.calibration.unprovenMax,
    rivalry >= EVEN ? present * share : rivalry >= TIED ? 1 / (1 + TIED) : 1,
  )
  return {
    present,
    share,
    serviceShare,
    isNamed: ratio >= weights.minRatio && isNameable(leader, facts, weights),
    confidence: Math.min(most, confidence),
    rival: rivalry >= TIED ? next : undefined,
    broken,
    shared,
    isDoubted: rivalry >= TIED || broken !== undefined || isPart || isStrange,
    unrecorded: 1 - confidence,
  }
}

/** The less sure, the longer a service ran well after its change. */
function toMost({ features, lagMs }: Candidate, { calibration: { unprovenMax } }: Weights): number {
  return features.pattern > 0 ? 1 : unprovenMax + (1 - unprovenMax) * Math.exp(-lagMs / WELL_MS)
}

/**
 * Whether more than time speaks for a change: calls that fail there, symptoms of its own service, soon after it, none of which
 * outlasted it and no more of which began before it; or a verdict.
 */
export function isProven(candidate: Candidate): boolean {
  return candidate.features.pattern > 0 || (candidate.lagMs <= PROVEN_MS && isSpokenFor(candidate))
}

/** The same, however long after it. */
function isSpokenFor(candidate: Candidate): boolean {
  const { features, change } = candidate
  if (features.pattern > 0) return true
  const isPlain = !change.isSame && !isUnseen(change) && !candidate.isRestoring && !isOfLastDay(candidate)
  return isPlain && isPointedAt(candidate) && !isLate(candidate) && toOutlasted(candidate) !== 'long'
}

/** Whether all that it explains had a last day, and it is of no setting. */
function isOfLastDay({ change, explained }: Candidate): boolean {
  return explained.length > 0 && explained.every(isExpired) && change.lead.entry.eventType !== 'config_change'
}

/** Whether most of what fails at its service began before a change, by more than clocks differ. */
function isLate({ features }: Candidate): boolean {
  return features.late < LATE
}

export type Outlasted = 'no' | 'soon' | 'long'

/** Whether what a change may explain went on after it was set back or replaced, and long after. */
export function toOutlasted({ change: { undoneBy, replacedBy }, explained }: Candidate): Outlasted {
  const ended = undoneBy ?? replacedBy
  if (!ended) return 'no'
  const afterMs = Math.max(...explained.flatMap(({ reports }) => reports.map(({ lastMs }) => lastMs - ended.atMs)))
  if (afterMs > SETTLED_MS) return 'long'
  return afterMs > SETTLING_MS ? 'soon' : 'no'
}

/**
 * Whether anything that fails points to its service: not what its callers say of themselves without naming anybody and, of its
 * own calls and of its load, those that come soon after alone.
 */
function isPointedAt({ explained, concerned, lagMs, change }: Candidate): boolean {
  if (lagMs > SOON_MS && !isScaling(change.lead) && explained.every(isOfLoad)) return false
  // A service that fails by its own account, and reaches all that it calls, is where those who call it point; but a flag acts there.
  const failing = new Set(explained.flatMap(({ isCall, caller }) => (isCall ? caller : [])))
  const isIll = (item: Item) => !(item.isCall || isStrain(item) || failing.has(item.callee) || tellsOf(item, concerned))
  const ill = new Set(explained.flatMap((item) => (isIll(item) ? item.callee : [])))
  return explained.some(({ isCall, caller, callee, isOfUse }) => {
    if (callee === concerned || isOfUse) return true
    return isCall && (caller === concerned ? lagMs <= SOON_MS : change.lead.entry.eventType === 'flag_change' || !ill.has(callee))
  })
}

/** Whether what a service says of itself names another one. */
function tellsOf({ reports }: Item, key: string): boolean {
  return reports.some(({ entry }) => toNameKey(entry.newValue ?? '').includes(key))
}

/** Whether it is known how an alert leads to a change's service. */
export function isPlaced({ change, concerned }: Candidate, facts: Facts): boolean {
  return facts.alertKey === null || [change.key, concerned].some((key) => isWayKnown(key, facts))
}

/** Whether a change may be told as what caused an alert, alone or beside another. */
function isNameable(candidate: Candidate, facts: Facts, weights: Weights): boolean {
  return (
    isConnected(candidate, facts) &&
    !isTooLate(candidate, weights) &&
    !isAnswerToLoad(candidate) &&
    !isOfNoLack(candidate) &&
    !isRenewal(candidate)
  )
}

/** Whether replicas were taken away, though not all, and what is told fails for what its code came to: that is not for want of them. */
function isOfNoLack({ change: { lead, former }, explained }: Candidate): boolean {
  const own = explained.filter(({ isCall }) => !isCall)
  return isLess(former, lead.entry.newValue) && Number(lead.entry.newValue) > 0 && own.length > 0 && own.every(isOfCode)
}

/** Whether a setting was written as it was, and what fails is not for want of trust: there its renewal may have brought what its value does not tell. */
function isRenewal({ change: { lead, isSame }, explained }: Candidate): boolean {
  return isSame && lead.entry.eventType !== 'deploy' && !explained.some(isOfTrust)
}

/** Whether an autoscaler added replicas, which is what it does where there is too much to do already. */
function isAnswerToLoad({ change: { lead, former } }: Candidate): boolean {
  return isAutoscaling(lead) && !isLess(former, lead.entry.newValue)
}

/** Whether anything but a time long ago connects a change with the alert. */
function isConnected(candidate: Candidate, facts: Facts): boolean {
  const { change, explained, features, lagMs } = candidate
  const isLongAgo = isOfLongRun(candidate) || (lagMs > PROVEN_MS && !isPointedAt(candidate)) || isOfTimeAlone(candidate)
  if (isLongAgo && features.pattern <= 0) return false
  return facts.alertKey === null || explained.length > 0 || isWayKnown(change.key, facts)
}

/** Whether all that a deploy may explain is what its service, long well after it, shows of itself. */
function isOfLongRun({ change, explained, lagMs }: Candidate): boolean {
  if (change.lead.entry.eventType !== 'deploy' || explained.length === 0) return false
  return lagMs > RAN_WELL_MS && explained.every(({ isCall }) => !isCall)
}

/** Whether time alone brought what fails: what had a last day no change but one of settings made run out, what is full none of long ago. */
function isOfTimeAlone({ change, explained, lagMs }: Candidate): boolean {
  const timely = explained.filter((item) => isExpired(item) || isFullDisk(item))
  // Whoever calls one to which something expired fails for that, whatever it says.
  const failing = new Set(timely.map(({ caller }) => caller))
  const isAll = timely.length > 0 && explained.every((item) => timely.includes(item) || (item.isCall && failing.has(item.callee)))
  return isAll && (lagMs > SOON_MS || (lagMs > AT_ONCE_MS && timely.every(isExpired) && change.lead.entry.eventType !== 'config_change'))
}

/** Whether what its service may cause had begun before a change, and nothing after it that it explains. Trouble that is over rules it out only where a confirmed pattern speaks for it. */
function isTooLate({ change, features, explained, troubleMs, isOver }: Candidate, { slackMs }: Weights): boolean {
  if (isOver && features.pattern <= 0) return false
  return explained.length === 0 && troubleMs !== undefined && change.atMs > troubleMs + slackMs
}

/**
 * What a leading change has its share of. Beside one where a way is known, soon after which it failed there, of each service to which
 * none may be only its likeliest, however often it is changed. But all where a store or a node went down just before.
 */
function listCounted(ranked: readonly Candidate[], leader: Candidate, hazards: readonly Hazard[], facts: Facts): readonly Candidate[] {
  const isSoon = isWayKnown(leader.concerned, facts) && leader.lagMs <= SOON_MS
  const isDown = hazards.some(({ key, trouble, troubleMs }) => troubleMs !== undefined && !facts.hops.has(key) && !trouble.every(isStrain))
  if (facts.isTopologyKnown || !isSoon || isDown) return ranked
  return firstOfEach(ranked, (candidate) => (isWayKnown(candidate.concerned, facts) ? candidate : candidate.concerned))
}

function firstOfEach(ranked: readonly Candidate[], toKey: (candidate: Candidate) => unknown): readonly Candidate[] {
  return [...Map.groupBy(ranked, toKey).values()].flatMap(([first]) => first ?? [])
}

/** How many fresh changes there are where a cause is looked for: of services to which no way may be known, as of one place, one at most. */
function toMultiplicity(ranked: readonly Candidate[], facts: Facts): number {
  let [near, elsewhere] = [0, 0]
  for (const candidate of ranked) {
    const freshness = Math.exp(candidate.features.kind + candidate.features.lag)
    if (isWayKnown(candidate.concerned, facts)) near += freshness
    else elsewhere += freshness
  }
  return facts.isTopologyKnown ? near : near + Math.min(1, elsewhere)
}

function toConfidence(present: number, share: number, { untilMs }: Facts, { calibration }: Weights): number {
  const confidence = toShare(calibration.bias + calibration.present * toLogit(present) + calibration.share * toLogit(share, 1 - MAX_SHARE))
  return untilMs < FIRST_LOOK_MS ? Math.min(confidence, calibration.provisionalMax) : confidence
}

function toLogit(share: number, edge = EDGE): number {
  const clamped = Math.min(1 - edge, Math.max(edge, share))
  return Math.log(clamped / (1 - clamped))
}

function toShare(logit: number): number {
  return 1 / (1 + Math.exp(-Math.min(MAX_LOGIT, Math.max(-MAX_LOGIT, logit))))
}

/** What an answer comes to. */
export function toAssessment(certainty: Certainty, ranked: readonly Candidate[], unrecorded: Hazard | undefined, facts: Facts): Assessment {
  const { items, isTopologyKnown } = facts
  const [leader] = ranked
  const hasChange = ranked.some(({ change }) => !isTopologyKnown || isWayKnown(change.key, facts))
  if (items.length === 0 && !hasChange) return 'inconclusive'
  if (leader && certainty.isNamed) return !isProven(leader) || certainty.isDoubted ? 'suspect' : 'cause'
  if (items.length === 0 || !unrecorded) return 'inconclusive'
  return unrecorded.isExternal ? 'external' : 'unrecorded'
}
