import { quoteName } from '../text.ts'
import { LONG_MS, toOutlasted } from './confidence.ts'
import type { Facts } from './facts.ts'
import { isPutNamed, isThingNamed } from './mentions.ts'
import type { Candidate, Change, ChangeFeed, Gap, Item, RuledOutReason, WeighedItem } from './model.ts'
import { describe, type NameOf, type Onset, toDuration, toLagText, toList } from './sentences.ts'
import { isDenied, isEviction, isOfAccess, isOfNetwork, isUnreached } from './trouble.ts'

/** Whoever sends a service's changes is heard of at least so often. */
const SILENT_MS = 24 * 3_600_000
const MAX_ITEMS_TOLD = 4

export type Reasons = { readonly reasonsFor: readonly string[]; readonly reasonsAgainst: readonly string[] }

/** What reasons are told from. */
export type ReasonContext = {
  readonly facts: Facts
  readonly nameOf: NameOf
  readonly tell: (item: Item) => string
  readonly path: readonly string[]
  readonly onset: Onset
  /** Whether the answer names a change: beside one that says that none explains what fails, none can. */
  readonly isNamed: boolean
  /** What began to fail with what the change explains, and may have a cause in common with it. */
  readonly shared: readonly Item[]
}

/** What speaks for a candidate and against it, in words. */
export function toReasons(
  candidate: Candidate,
  notable: readonly WeighedItem[],
  { facts, nameOf, tell, path, onset, isNamed, shared }: ReasonContext,
): Reasons {
  const { change, features, explained } = candidate
  const failures = tellOnce(explained)
    .slice(0, MAX_ITEMS_TOLD)
    .map((item) => `${tell(item)}, which ${isNamed ? 'it can explain' : 'began after it'}`)
  const time = toTimeReason(candidate, onset)
  const missed = notable.filter((item) => !explained.includes(item))
  const reasonsFor = [
    ...failures,
    facts.hops.has(change.key) ? toWay(path, facts, nameOf) : '',
    time.speaksFor ? time.text : '',
    toConcern(candidate, facts, nameOf),
    isOfAccess(change.lead.entry) && explained.some(isDenied) ? 'what fails is denied access, which it is about' : '',
    features.pattern > 0 ? 'a similar diagnosis was confirmed' : '',
  ]
  const reasonsAgainst = [
    explained.length === 0 ? toNothingExplained(facts) : '',
    explained.length > 0 && missed.length > 0 ? 'it does not explain all that fails' : '',
    toSharedTrouble(shared, nameOf),
    features.late < Math.log(0.5) ? `some of what fails at ${nameOf(candidate.concerned)} began before it` : '',
    time.speaksFor ? '' : time.text,
    toOutlasted(candidate) === 'long' ? 'what it may explain goes on without it' : '',
    facts.alertKey === null || facts.hops.has(change.key) ? '' : toNoWay(change, facts, nameOf),
    features.habit < Math.log(0.5) ? 'such changes are made there in most hours' : '',
    features.pattern < 0 ? 'a similar diagnosis was rejected' : '',
  ]
  return { reasonsFor: reasonsFor.filter(Boolean), reasonsAgainst: reasonsAgainst.filter(Boolean) }
}

/** Both in a row. */
export function toForAndAgainst({ reasonsFor, reasonsAgainst }: Reasons): string {
  const against = reasonsAgainst.length === 0 ? '' : ` Against it: ${reasonsAgainst.join('; ')}.`
  return reasonsFor.length === 0 ? against.trim() : `For it: ${reasonsFor.join('; ')}.${against}`
}

/** Why a change concerns the service that it is held against. */
function toConcern({ change, concerned, explained }: Candidate, { mentions }: Facts, nameOf: NameOf): string {
  const { key, lead } = change
  const thing = quoteName(lead.entry.entity)
  if (isPutNamed(change, concerned, mentions)) return `failures of ${nameOf(concerned)} name what it changed`
  if (isThingNamed(change, concerned, explained, mentions)) return `failures of ${nameOf(concerned)} name ${thing}`
  if (isOfNetwork(lead.entry) && explained.some(isUnreached)) return 'calls went unanswered, as where a network forbids them'
  if (lead.evaluators?.includes(concerned)) return `${nameOf(concerned)} evaluates ${thing}`
  if (lead.named?.includes(concerned)) return `${thing} is of ${nameOf(concerned)}`
  return concerned === key ? '' : `failures of ${nameOf(concerned)} name ${thing}`
}

/** When a change came: what came late, or long before, its time speaks against. */
function toTimeReason({ change, lagMs }: Candidate, onset: Onset): { readonly text: string; readonly speaksFor: boolean } {
  const beforeMs = onset.atMs - change.atMs
  const text = `it came ${toLagText(beforeMs, onset.name)}`
  if (lagMs > LONG_MS && beforeMs > LONG_MS) return { text: `${text}: most causes show sooner`, speaksFor: false }
  return { text, speaksFor: beforeMs >= 0 }
}

/** An event that is told as a call is not told again as a symptom. */
export function tellOnce(items: readonly WeighedItem[]): readonly WeighedItem[] {
  const told = new Set(items.flatMap(({ isCall, reports }) => (isCall ? (reports[0]?.entry.id ?? []) : [])))
  return items.filter(({ isCall, reports: [report] }) => isCall || report === undefined || !told.has(report.entry.id))
}

function toSharedTrouble(shared: readonly Item[], nameOf: NameOf): string {
  const names = [...new Set(shared.map(({ callee }) => nameOf(callee)))]
  return names.length === 0 ? '' : `at the same time trouble began at ${toList(names)}, which no call connects with it`
}

function toNothingExplained({ items }: Facts): string {
  return items.length === 0 ? 'nothing is known to fail' : 'nothing that fails is known to follow from it'
}

function toNoWay({ key }: Change, { callers, alertKey }: Facts, nameOf: NameOf): string {
  const alerting = alertKey === null ? 'the alert' : nameOf(alertKey)
  return callers.has(key)
    ? `${nameOf(key)} calls ${alerting}, not the other way round`
    : `${alerting} has no recorded call path to ${nameOf(key)}`
}

function toWay(path: readonly string[], { items }: Facts, nameOf: NameOf): string {
  const [from, node] = path.slice(-2)
  if (items.some((item) => item.caller === from && item.callee === node && isEviction(item)))
    return `pods of ${nameOf(from ?? '')} ran on ${nameOf(node ?? '')}`
  const [alerting, ...onward] = path.map(nameOf)
  const cause = onward.at(-1)
  if (alerting === undefined) return ''
  if (cause === undefined) return `${alerting} is the alerting service`
  const between = onward.slice(0, -1)
  return between.length === 0 ? `${alerting} calls ${cause}` : `${alerting} reaches ${cause} through ${between.join(', then ')}`
}

/** A change that is ruled out, and why, in one sentence. */
export function describeRuledOut(change: Change, reason: RuledOutReason, { alertKey }: Facts, nameOf: NameOf): string {
  return `${describe(change.lead, nameOf)} ${RULED_OUT[reason](change, alertKey === null ? 'the alert' : nameOf(alertKey))}`
}

const RULED_OUT: Readonly<Record<RuledOutReason, (change: Change, alerting: string) => string>> = {
  after_onset: ({ atMs }) => `came ${toDuration(atMs)} after the alert`,
  no_path: (_, alerting) => `is out of reach: ${alerting} has no recorded call path to it`,
  reverted: () => 'was undone before the trouble began',
  revert: () => 'undid an earlier change after the trouble had begun',
  not_rolled_out: () => 'failed, so its revision never went live',
  consequence: () => 'followed the trouble: an autoscaler reacts to load',
  other_environment: ({ lead }) =>
    `was made in ${quoteName(lead.entry.environment ?? 'production')}, and the alert is of another environment`,
}

/** What the answer could not see: services on the way whose changes are not sent. */
export function toGaps(
  feeds: readonly ChangeFeed[],
  { hops }: Facts,
  toKey: (name: string) => string,
  observedUntil: Date,
): readonly Gap[] {
  return feeds
    .filter(({ service }) => hops.has(toKey(service)))
    .flatMap(({ service, lastChangeAt, heardAt }): Gap[] => {
      if (lastChangeAt === null) return [{ service, kind: 'changes', state: 'never', since: null }]
      const isSilent = heardAt === null || observedUntil.getTime() - heardAt.getTime() > SILENT_MS
      return isSilent ? [{ service, kind: 'changes', state: 'stopped', since: heardAt?.toISOString() ?? null }] : []
    })
    .toSorted((a, b) => (a.service < b.service ? -1 : 1))
}
