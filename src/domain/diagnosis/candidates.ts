import { compareText } from '../compare.ts'
import { toEnvironmentKey } from '../event/environment.ts'
import { isCounter, isHash, isRollback, isSameRevision, toRevision } from '../event/revision.ts'
import { compareTimes } from './input.ts'
import type { Change, DatedReport, Former, Observation } from './model.ts'
import { FAILED, REPEAT_MS, toOccurrences } from './occurrences.ts'
import { isAutoscaling, isByHand, isLess, isScaling } from './scaling.ts'

/** A rollout takes at most so long: Kubernetes gives up on one then (`progressDeadlineSeconds`). */
const ROLLOUT_MS = 10 * 60_000
/** Who reports a rollout may do so when it is under way or done, and clocks differ: a step may come so long before the report. */
const REPORTED_LATE_MS = 2 * 60_000
const FINISHED = /^(?:succeeded|success|synced|completed?|finished|done)$/i
/** The pods of the revision that is live are replaced by ones of it. */
const RESTARTED = /^restart(?:ed|ing)?$/i
/** A pod that is taken away, by a rollout as a rule. */
const TERMINATED = /^(?:terminated|killing)$/i
/** An autoscaler and what it scales tell of one scaling so soon one after the other. */
const SAME_SCALING_MS = 60_000
/** The first replicas of a revision, which only a rollout brings. */
const FROM_NONE = /\b0$/

/** A change as its reports are put together. */
type Draft = {
  lead: Observation
  readonly atMs: number
  /** As far as its reports tell it by now. */
  revision: string | undefined
  reportedMs: number
  isFailed: boolean
  failedMs: number | undefined
  isFinished: boolean
  readonly isRollback: boolean
  /** The rollback that took it back. */
  takenBackBy: Draft | undefined
  /** Of a rollback: what it took back, and what was in place before that. */
  took: Draft | undefined
  putBack: Draft | undefined
  /** Whether what it puts in place was in place already. */
  readonly isSame: boolean
  readonly steps: DatedReport[]
  readonly former: Former | undefined
}

export type Found = {
  readonly changes: readonly Change[]
  /** Restarts that a rollout brings with it, and so are no symptoms. */
  readonly steps: ReadonlySet<Observation>
}

/** Puts reports of changes together: repeats are one, and what a rollout brings with it is a step of it. */
export function findChanges(reported: readonly Observation[], symptoms: readonly Observation[]): Found {
  const steps = new Set<Observation>()
  const restarts = Map.groupBy(symptoms.filter(isTermination), toPlace)
  const changes = [...Map.groupBy(reported, toPlace)].flatMap(([place, own]) => {
    const drafts = toDrafts(own)
    for (const restart of restarts.get(place) ?? []) {
      const rollout = findRollout(drafts, restart.firstMs) ?? findReportedLate(drafts, restart.firstMs)
      if (!rollout) continue
      rollout.steps.push({ atMs: restart.firstMs, observation: restart })
      steps.add(restart)
    }
    return linkUndone(drafts)
  })
  return { changes, steps }
}

/** Where a change can replace, undo or belong to another: at one service, in one environment. */
function toPlace({ key, entry }: Observation): string {
  return `${key}\0${toEnvironmentKey(entry.environment)}`
}

function isTermination({ entry }: Observation): boolean {
  return entry.eventType === 'restart' && TERMINATED.test(entry.newValue ?? '')
}

/**
 * Whether two changes are of one rollout: one revision that is put in place at several places or once more, one commit in several services, one setting step by step, or a
 * deploy and the migration that it runs.
 */
export function isOneRollout(a: Change, b: Change): boolean {
  const isAtOne = a.key === b.key
  if (isAtOne && (a.isSame || b.isSame) && areOfOneRevision(a, b)) return true
  if (areApart(a, b)) return false
  if (a.lead.entry.eventType !== b.lead.entry.eventType) {
    return (isAtOne || areOfOneRevision(a, b)) && (isMigrationOf(a, b) || isMigrationOf(b, a))
  }
  if (!isDeploy(a.lead)) return isAtOne && a.lead.entry.entity === b.lead.entry.entity
  const revision = a.revision ?? b.revision
  if (revision === undefined) return isAtOne
  return areOfOneRevision(a, b) && (isAtOne || isHash(revision))
}

function areOfOneRevision(a: Change, b: Change): boolean {
  return isSameRevision(a.revision, b.revision)
}

function areApart(a: Change, b: Change): boolean {
  return Math.abs(a.atMs - b.atMs) > REPEAT_MS || (!isDeploy(a.lead) && !isDeploy(b.lead) && a.key !== b.key)
}

function isMigrationOf(deploy: Change, { lead, atMs }: Change): boolean {
  if (!isDeploy(deploy.lead) || lead.entry.eventType !== 'schema_change') return false
  return atMs >= deploy.atMs - REPORTED_LATE_MS && atMs <= deploy.atMs + ROLLOUT_MS
}

export function isDeploy({ entry }: Observation): boolean {
  return entry.eventType === 'deploy'
}

function toDrafts(own: readonly Observation[]): readonly Draft[] {
  const groups = Map.groupBy(own, toThing)
  const occurrences = own
    .flatMap((observation) => toOccurrences(observation, groups.get(toThing(observation)) ?? []))
    .toSorted((a, b) => a.atMs - b.atMs || compareText(a.observation.entry.id, b.observation.entry.id))
  const drafts: Draft[] = []
  const latest = new Map<string, Draft>()
  for (const occurrence of occurrences) if (!isScaling(occurrence.observation)) addReport(occurrence, drafts, latest)
  return addScalings(drafts, occurrences)
}

/** Adds what a report begins, unless it tells of a change that is known; `latest`: of each thing. */
function addReport(occurrence: DatedReport, drafts: Draft[], latest: Map<string, Draft>): void {
  const { observation, atMs } = occurrence
  const thing = toThing(observation)
  const earlier = latest.get(thing)
  if (isRollback(observation.entry)) {
    latest.set(thing, takeBack(occurrence, drafts))
    return
  }
  if (isDeploy(observation) && joinDeploy(occurrence, earlier ?? drafts.findLast(({ lead }) => isDeploy(lead)))) return
  if (earlier && isRepeat(earlier, occurrence)) {
    earlier.reportedMs = Math.max(atMs, observation.lastMs)
    return
  }
  const told = [...latest.values()].find((draft) => isToldAgain(draft, earlier, occurrence))
  if (told) {
    told.reportedMs = Math.max(told.reportedMs, atMs)
    addStep(told, { atMs, observation })
  }
  const live = drafts.findLast((draft) => toThing(draft.lead) === thing && isInPlace(draft))
  const draft = told ?? open(occurrence, earlier, live)
  if (!told) drafts.push(draft)
  latest.set(thing, draft)
}

/** A change that begins with a report, perhaps of what was tried in vain before. */
function open({ observation, atMs }: DatedReport, earlier?: Draft, live?: Draft): Draft {
  return {
    lead: observation,
    atMs,
    revision: toRevision(observation.entry) ?? (earlier && isVain(earlier) ? earlier.revision : undefined),
    reportedMs: Math.max(atMs, observation.entry.count > 2 ? observation.lastMs : atMs),
    isFailed: FAILED.test(observation.entry.newValue ?? '') && isDeploy(observation),
    failedMs: undefined,
    isFinished: FINISHED.test(observation.entry.newValue ?? ''),
    isSame: isDeploy(observation) ? isLiveAlready(observation, live) : isUnchanged(observation),
    isRollback: isRollback(observation.entry),
    takenBackBy: undefined,
    took: undefined,
    putBack: undefined,
    steps: [],
    former: undefined,
  }
}

/**
 * Adds a rollback, unless it is told again or as the deploy that put an earlier revision in place, and says of the release that it took back
 * that it did: the last one of the same thing or of the same revision, unless the rollback tells of a revision that is not on record.
 */
function takeBack(occurrence: DatedReport, drafts: Draft[]): Draft {
  const { observation, atMs } = occurrence
  const revision = toRevision(observation.entry)
  const isOf = (draft: Draft | undefined) => isSameRevision(draft?.revision, revision)
  const own = drafts.findLast(({ lead }) => toThing(lead) === toThing(observation))
  const again = own?.isRollback ? own : drafts.findLast(({ lead }) => isDeploy(lead))
  const isAgain = revision === undefined || again?.revision === undefined || [again, again.took, again.putBack].some(isOf)
  if (again?.isRollback && isAgain && atMs - again.reportedMs <= REPEAT_MS) {
    again.reportedMs = atMs
    return again
  }
  const deploys = drafts.filter((draft) => isDeploy(draft.lead) && !draft.isRollback && !draft.takenBackBy)
  const ofThing = deploys.filter(({ lead }) => toThing(lead) === toThing(observation))
  const last = ofThing.at(-1) ?? deploys.findLast(isOf)
  const [first, second] = ofThing.slice(-3)
  const isPutBack = ofThing.length > 2 && isOf(second) && isSameRevision(first?.revision, last?.revision)
  if (last && isPutBack && atMs - last.reportedMs <= REPEAT_MS) {
    addStep(last, occurrence)
    return last
  }
  const draft = open(occurrence)
  if (last && (revision === undefined || last.revision === undefined || isOf(last) || ofThing.some(isOf))) {
    last.takenBackBy = draft
    draft.took = last
    draft.putBack = ofThing.at(-2)
  }
  drafts.push(draft)
  return draft
}

/** Whether a setting was written as it was: a certificate is renewed so. */
function isUnchanged({ entry: { oldValue, newValue } }: Observation): boolean {
  return oldValue !== null && oldValue === newValue
}

/** Whether a deploy brings nothing new: the commit that is live, or its pods once more. */
function isLiveAlready({ entry }: Observation, live: Draft | undefined): boolean {
  const revision = toRevision(entry)
  if (revision === undefined) return RESTARTED.test(entry.newValue ?? '')
  return isHash(revision) && isSameRevision(revision, live?.revision)
}

/** Whether a report tells how an earlier deploy went. */
function joinDeploy({ observation, atMs }: DatedReport, deploy: Draft | undefined): boolean {
  const state = observation.entry.newValue ?? ''
  const isEnd = FINISHED.test(state)
  if (!isEnd && !FAILED.test(state)) return false
  if (!deploy || atMs - deploy.reportedMs > REPEAT_MS || (deploy.isFinished && toThing(deploy.lead) !== toThing(observation))) return false
  const revision = toRevision(observation.entry)
  if (revision !== undefined && deploy.revision !== undefined && isOtherRevision(revision, deploy.revision)) return false
  // What was tried in vain began when it went through, and what ends a rollback puts back what was before, and soon.
  if (isEnd && (isVain(deploy) || isAfterRollback(deploy, revision, atMs))) return false
  deploy.reportedMs = atMs
  if (isEnd) {
    deploy.isFinished = true
    addStep(deploy, { atMs, observation })
  } else {
    deploy.isFailed = true
    deploy.failedMs ??= atMs
  }
  return true
}

/** Whether what follows a rollback is a retry of what was taken back, or too late to be the rollback's end. */
function isAfterRollback({ isRollback, took, ...rollback }: Draft, revision: string | undefined, atMs: number): boolean {
  return isRollback && (isSameRevision(took?.revision, revision) || atMs - rollback.atMs > ROLLOUT_MS)
}

/** Whether a change was put in place, and still is for all that a rollback told. */
function isInPlace(draft: Draft): boolean {
  return isLive(draft) && !draft.isRollback && !draft.takenBackBy
}

/** Whether a rollout failed, and brought nothing as far as is known by then. */
function isVain({ isFailed, isFinished, steps }: Draft): boolean {
  return isFailed && !isFinished && steps.length === 0
}

function isRepeat(earlier: Draft, { observation, atMs }: DatedReport): boolean {
  if (atMs - earlier.reportedMs > REPEAT_MS || isVain(earlier) || earlier.isRollback) return false
  const revision = toRevision(observation.entry)
  if (isDeploy(observation) && revision !== undefined && earlier.revision !== undefined) return isSameRevision(revision, earlier.revision)
  return observation.entry.newValue === earlier.lead.entry.newValue && observation.entry.sha === earlier.lead.entry.sha
}

/**
 * Whether another sender reports a deploy of the service's, who rolled out what that one built, say: the same revision, and none
 * after it by either. It is a step of that. What one sender tells under two names are two.
 */
function isToldAgain(draft: Draft, earlier: Draft | undefined, { observation, atMs }: DatedReport): boolean {
  if (draft.isRollback || !isDeploy(draft.lead) || !isDeploy(observation) || atMs - draft.reportedMs > REPEAT_MS) return false
  if (observation.entry.vendor === draft.lead.entry.vendor) return false
  if (earlier && earlier.atMs > draft.atMs) return false
  const revision = toRevision(observation.entry)
  if (revision === undefined || draft.revision === undefined || isOtherRevision(revision, draft.revision)) return false
  return isCounter(revision) === isCounter(draft.revision) || atMs - draft.atMs <= ROLLOUT_MS
}

/** Adds a report of a rollout; the commit that it tells of is what was rolled out, where the others only count. */
function addStep(draft: Draft, step: DatedReport): void {
  const revision = toRevision(step.observation.entry)
  const isTelling = revision !== undefined && !isCounter(revision) && draft.revision !== undefined && isCounter(draft.revision)
  draft.steps.push(isTelling ? { atMs: draft.atMs, observation: draft.lead } : step)
  if (isTelling) draft.lead = step.observation
  draft.revision = isTelling ? revision : (draft.revision ?? revision)
}

/** Whether two revisions are known to differ: what a controller counts and a commit may be one. */
function isOtherRevision(a: string, b: string): boolean {
  return isCounter(a) === isCounter(b) && !isSameRevision(a, b)
}

/** Scaling goes with a change before it; by itself it is a change of its own. */
function addScalings(drafts: readonly Draft[], occurrences: readonly DatedReport[]): readonly Draft[] {
  const alone: Draft[] = []
  const counts = new Map<string, Former>()
  for (const occurrence of occurrences.filter(({ observation }) => isScaling(observation))) {
    const { observation, atMs } = occurrence
    const { oldValue, newValue } = observation.entry
    const former = oldValue === null ? counts.get(toThing(observation)) : { value: oldValue, source: observation }
    if (newValue !== null) counts.set(toThing(observation), { value: newValue, source: observation })
    const isOfRollout = FROM_NONE.test(oldValue ?? '')
    const rollout = findRollout(drafts, atMs) ?? (isOfRollout ? findReportedLate(drafts, atMs) : undefined)
    if (rollout && !isOfItsOwn(observation, former)) rollout.steps.push({ atMs, observation })
    else if (!joinScaling(occurrence, alone)) alone.push({ ...open(occurrence), former })
  }
  return [...drafts, ...alone].toSorted(compareDrafts)
}

/** Whether a scaling is told again: by the same, or just after by what an autoscaler scales. */
function joinScaling(occurrence: DatedReport, alone: readonly Draft[]): boolean {
  const { observation, atMs } = occurrence
  const { newValue } = observation.entry
  const earlier = alone.findLast(({ lead }) => toThing(lead) === toThing(observation))
  if (earlier && isRepeat(earlier, occurrence)) {
    earlier.reportedMs = Math.max(atMs, observation.lastMs)
    return true
  }
  const same = alone.findLast((draft) => draft.lead.entry.newValue === newValue && atMs - draft.atMs <= SAME_SCALING_MS)
  if (newValue === null || same === undefined) return false
  same.steps.push({ atMs, observation })
  return true
}

/** Whether no rollout brought a scaling: somebody or a tool that keeps a desired state did, or an autoscaler that took replicas away. */
function isOfItsOwn(observation: Observation, former: Former | undefined): boolean {
  return isByHand(observation) || (isAutoscaling(observation) && isLess(former, observation.entry.newValue))
}

function compareDrafts(a: Draft, b: Draft): number {
  return a.atMs - b.atMs || compareTimes(a.lead, b.lead)
}

/** The latest change within whose time a step lies. */
function findRollout(drafts: readonly Draft[], stepMs: number): Draft | undefined {
  return drafts.findLast(({ atMs }) => atMs <= stepMs && stepMs <= atMs + ROLLOUT_MS)
}

/** A deploy that was reported soon after a step of it, though no later than the alert: what comes then is an answer to it. */
function findReportedLate(drafts: readonly Draft[], stepMs: number): Draft | undefined {
  return drafts.find(({ lead, atMs }) => isDeploy(lead) && stepMs < atMs && atMs <= Math.min(0, stepMs + REPORTED_LATE_MS))
}

/** What changes that replace one another have in common. */
function toThing({ entry }: Observation): string {
  return `${entry.eventType}\0${entry.entity}`
}

type Undone = { readonly undoing: ReadonlyMap<Draft, Draft>; readonly undone: ReadonlyMap<Draft, Draft> }

/** Which change set which one back, and which was set back by which: the first that did. */
function findUndone(drafts: readonly Draft[], byThing: ReadonlyMap<string, readonly Draft[]>): Undone {
  const undoing = new Map<Draft, Draft>()
  const undone = new Map<Draft, Draft>()
  for (const ofThing of byThing.values()) {
    for (const [place, draft] of ofThing.entries()) {
      const other = ofThing.find((later, at) => at > place && isUndone(draft, place, later, at, ofThing))
      if (!other) continue
      undoing.set(draft, other)
      if (!undone.has(other)) undone.set(other, draft)
    }
  }
  for (const draft of drafts) {
    if (!draft.takenBackBy) continue
    undoing.set(draft, draft.takenBackBy)
    undone.set(draft.takenBackBy, draft)
  }
  return { undoing, undone }
}

/** The changes, with what set which one back. */
function linkUndone(drafts: readonly Draft[]): readonly Change[] {
  const byThing = Map.groupBy(drafts, ({ lead }) => toThing(lead))
  const { undoing, undone } = findUndone(drafts, byThing)
  const changes = new Map<Draft, Change>()
  for (const draft of drafts.toReversed()) {
    const by = undoing.get(draft)
    const live = findLive(draft, byThing)
    changes.set(draft, {
      key: draft.lead.key,
      lead: draft.lead,
      revision: toRevision(draft.lead.entry),
      atMs: Math.min(draft.atMs, ...draft.steps.map(({ atMs }) => atMs)),
      steps: draft.steps.toSorted((a, b) => a.atMs - b.atMs || compareTimes(a.observation, b.observation)),
      isFailed: draft.isFailed,
      failedMs: draft.failedMs,
      isRollback: draft.isRollback,
      isSame: draft.isSame,
      former: draft.former,
      undoes: isRedone(draft, undone) ? undefined : undone.get(draft)?.lead,
      undoneBy: by && changes.get(by),
      replacedBy: live && changes.get(live),
    })
  }
  return drafts.flatMap((draft) => changes.get(draft) ?? [])
}

/** Whether anything of a change was put in place. */
function isLive({ isFailed, steps }: Draft): boolean {
  return !isFailed || steps.length > 0
}

/** What is live of a deploy's thing, where that is not the deploy's own revision. */
function findLive(draft: Draft, byThing: ReadonlyMap<string, readonly Draft[]>): Draft | undefined {
  const live = isDeploy(draft.lead) ? byThing.get(toThing(draft.lead))?.findLast(isInPlace) : undefined
  if (!live || live.atMs <= draft.atMs) return undefined
  return isSameRevision(draft.revision, live.revision) ? undefined : live
}

/** Whether a change puts in place again what was set back in between. */
function isRedone(draft: Draft, undone: ReadonlyMap<Draft, Draft>): boolean {
  const back = undone.get(draft)
  const before = back && undone.get(back)
  return (
    before !== undefined &&
    before.lead.entry.newValue === draft.lead.entry.newValue &&
    before.lead.entry.oldValue !== before.lead.entry.newValue
  )
}

function isUndone(draft: Draft, place: number, other: Draft, at: number, ofThing: readonly Draft[]): boolean {
  // Scaling goes up and down by itself, and may fail either way; what failed before anything came of it undid nothing.
  if (isScaling(draft.lead) || draft.isRollback || !isLive(other)) return false
  const { entry } = draft.lead
  const { entry: later } = other.lead
  if (entry.oldValue !== null && entry.newValue !== null && entry.oldValue !== entry.newValue) {
    if (later.oldValue === entry.newValue && later.newValue === entry.oldValue) return true
  }
  const before = place > 0 && at === place + 1 ? ofThing[place - 1] : undefined
  if (!isDeploy(draft.lead) || before?.revision === undefined || other.revision === undefined || draft.revision === undefined) return false
  return isSameRevision(before.revision, other.revision) && !isSameRevision(draft.revision, other.revision)
}
