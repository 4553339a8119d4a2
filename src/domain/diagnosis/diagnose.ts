import { compareText } from '../compare.ts'
import { toNameKey } from '../event/service-name.ts'
import { pathsFrom } from '../graph/service-graph.ts'
import type { EventId } from '../ids.ts'
import { quoteName } from '../text.ts'
import {
  findPrevious,
  recommendAt,
  recommendComparing,
  recommendComparingBoth,
  recommendDoubting,
  recommendLookingAround,
  recommendUndoing,
  recommendWatching,
} from './advice.ts'
import { listHeaviest } from './blame.ts'
import { isDeploy, isOneRollout } from './candidates.ts'
import { diagnoseComponents } from './components.ts'
import { isPlaced, isProven, LONG_MS, toOutlasted } from './confidence.ts'
import { SOON_MS } from './doubts.ts'
import type { Facts } from './facts.ts'
import type { Candidate, Change, Diagnosis, DiagnosisInput, Hazard, Hypothesis, Item, RuledOut, WeighedItem } from './model.ts'
import { describeRuledOut, tellOnce, toForAndAgainst, toGaps, toReasons } from './reasons.ts'
import {
  beginSentence,
  describe,
  describeItem,
  type NameOf,
  NO_CAUSE,
  type Onset,
  toDoubt,
  toInner,
  toLagText,
  toList,
  toPair,
  toSentence,
  toTie,
  toTogether,
  toUtcClock,
} from './sentences.ts'
import { type Weighing, weigh } from './weigh.ts'

const MAX_HYPOTHESES = 50
const MAX_RULED_OUT = 20
/** The end of a rollout that broke something is reported so soon after; later it may be an answer. */
const REPORTED_MS = 3 * 60_000
const MAX_STEPS_CITED = 4
const MAX_ITEMS_CITED = 8
const MAX_REPORTS_CITED = 3
/** Items that weigh less than this against the weightiest are not told. */
const TOLD_SHARE = 0.05

/** Ranks what may have caused an alert, or says that nothing recorded explains it. */
export function diagnose(input: DiagnosisInput): Diagnosis {
  return input.alert.service === null ? diagnoseComponents(input) : toDiagnosis(input, weigh(input))
}

type Context = {
  readonly input: DiagnosisInput
  readonly weighing: Weighing
  readonly nameOf: NameOf
  /** What fails, and since when. */
  readonly tell: (item: Item) => string
  readonly onset: Onset
  /** What the answer tells of, the weightiest first. */
  readonly told: readonly WeighedItem[]
  /** All that fails, but for what hardly weighs. */
  readonly notable: readonly WeighedItem[]
  readonly paths: ReadonlyMap<string, readonly string[]>
  readonly changesOf: ReadonlyMap<string, readonly Change[]>
}

function toDiagnosis(input: DiagnosisInput, weighing: Weighing): Diagnosis {
  const { ranked, facts, certainty, assessment } = weighing
  const isNamed = certainty.isNamed && ranked.length > 0
  const context = toContext(input, weighing, isNamed)
  const hypotheses = ranked.slice(0, MAX_HYPOTHESES).map((candidate) => toHypothesis(candidate, context))
  const answer = isNamed ? nameCause(hypotheses, context) : nameNone(context)
  return {
    assessment,
    hypotheses,
    ...answer,
    confidence: isNamed ? certainty.confidence : 0,
    unrecorded: certainty.unrecorded,
    abstained: !isNamed,
    onset: context.onset.name === 'onset' ? new Date(input.alert.triggeredAt.getTime() + context.onset.atMs) : null,
    ruledOut: toRuledOut(context),
    gaps: toGaps(input.feeds ?? [], facts, toNameKey, input.observedUntil),
  }
}

function toContext(input: DiagnosisInput, weighing: Weighing, isNamed: boolean): Context {
  const { facts, ranked, unrecorded } = weighing
  const told = listTold(weighing, isNamed ? ranked[0] : undefined, unrecorded)
  const onsetMs = Math.min(...told.map((item) => item.onsetMs))
  // Nodes are named as by their own reports: without a namespace.
  const nameOf = remember((key: string) => quoteName((facts.names.get(key) ?? key).replace(/^\/(?=.)/, '')))
  return {
    input,
    weighing,
    nameOf,
    tell: remember((item: Item) => `${describeItem(item, facts.hosts, nameOf)} since ${toUtcClock(item.onsetMs, input.alert.triggeredAt)}`),
    onset: told.length > 0 && onsetMs <= 0 ? { atMs: onsetMs, name: 'onset' } : { atMs: 0, name: 'the alert' },
    told,
    notable: listHeaviest(weighing.items, TOLD_SHARE),
    paths: facts.alertKey === null ? new Map() : pathsFrom(facts.alertKey, facts.adjacency.callees, facts.hops.size),
    changesOf: Map.groupBy(facts.changes, ({ key }) => key),
  }
}

/** Many hypotheses tell of the same. */
function remember<Key, Value>(make: (key: Key) => Value): (key: Key) => Value {
  const made = new Map<Key, Value>()
  return (key) => {
    const value = made.get(key) ?? make(key)
    made.set(key, value)
    return value
  }
}

/** What an answer is about: what its cause explains, or what ends where nobody recorded anything. */
function listTold({ items, facts }: Weighing, leader: Candidate | undefined, unrecorded: Hazard | undefined): readonly WeighedItem[] {
  const own = leader ? leader.explained : items.filter((item) => isAbout(item, unrecorded, facts))
  const heaviest = listHeaviest(own.length > 0 || leader ? own : items, TOLD_SHARE)
  const places = leader ? [] : own.filter(({ callee }) => callee === unrecorded?.key)
  return [...new Set([...heaviest, ...places])].toSorted(
    (a, b) =>
      Number(b.isCall) - Number(a.isCall) ||
      b.weight - a.weight ||
      a.onsetMs - b.onsetMs ||
      compareText(a.caller + a.callee, b.caller + b.callee),
  )
}

function isAbout({ caller, callee }: WeighedItem, unrecorded: Hazard | undefined, { hops }: Facts): boolean {
  if (unrecorded === undefined) return true
  return callee === unrecorded.key || caller === unrecorded.key || (hops.has(caller) && hops.has(callee))
}

function toHypothesis(candidate: Candidate, context: Context): Hypothesis {
  const { weighing, nameOf, tell, onset, notable, paths, changesOf } = context
  const { facts, ranked, certainty } = weighing
  const { change } = candidate
  const path = paths.get(change.key) ?? [change.key]
  const previous = findPrevious(change, changesOf.get(change.key) ?? [])
  const isExplaining = candidate.explained.length > 0
  const outlasted = toOutlasted(candidate)
  const shared = candidate === ranked[0] ? certainty.shared : []
  const isToBlame = certainty.isNamed && candidate === ranked[0] && !certainty.isDoubted && (isProven(candidate) || outlasted === 'long')
  const cited = [
    change.lead,
    ...change.steps.slice(0, MAX_STEPS_CITED).map(({ observation }) => observation),
    ...candidate.explained.slice(0, MAX_ITEMS_CITED).flatMap(({ reports }) => reports.slice(0, MAX_REPORTS_CITED)),
    ...shared.slice(0, MAX_ITEMS_CITED).flatMap(({ reports }) => reports.slice(0, 1)),
    ...(change.undoneBy ? [change.undoneBy.lead] : []),
    ...(change.replacedBy && isToBlame ? [change.replacedBy.lead] : []),
    ...[previous, change.former].flatMap((before) => before?.source ?? []),
  ]
  return {
    eventIds: [...new Set(cited.map(({ entry }) => entry.id))],
    service: facts.names.get(change.key) ?? change.key,
    score: candidate.score,
    path: path.toReversed().map((key) => facts.names.get(key) ?? key),
    ...toReasons(candidate, notable, { facts, nameOf, tell, path, onset, isNamed: certainty.isNamed, shared }),
    sentence: toSentence(change, onset, nameOf),
    recommendedAction: isToBlame
      ? recommendUndoing(change, previous, outlasted, nameOf)
      : recommendComparing(change, candidate.concerned, isExplaining && isPlaced(candidate, facts), nameOf),
  }
}

type Naming = Pick<Diagnosis, 'hypothesis' | 'recommendedAction' | 'evidence' | 'reasoning'>

function nameCause(hypotheses: readonly Hypothesis[], context: Context): Naming {
  const { weighing, nameOf, tell, told, onset, input } = context
  const [leader] = weighing.ranked
  const [first] = hypotheses
  if (!leader || !first) throw new Error('a cause without a candidate')
  const { rival } = weighing.certainty
  const besides = findSecondCause(weighing)
  const together = besides || rival ? undefined : findTogether(weighing)
  const isEarlier = besides?.explained.some(({ onsetMs }) => onsetMs < onset.atMs)
  const broken = besides || rival ? undefined : weighing.certainty.broken
  const other = besides ?? rival ?? together
  const second = other && toHypothesis(other, context)
  return {
    hypothesis: toHypothesisText(first.sentence, { broken, besides, together }, second, context),
    recommendedAction: broken
      ? recommendDoubting(leader.change, nameOf(broken.key), nameOf)
      : toAction(first, weighing, { rival, besides, together }, second, nameOf),
    evidence: [...new Set([...first.eventIds, ...(second?.eventIds ?? []), ...(broken ? citeItems(broken.trouble) : [])])],
    reasoning: [
      toWhatBroke([...new Set([...told, ...(besides?.explained ?? [])])], tell),
      isEarlier ? `Onset, as counted here, is ${toUtcClock(onset.atMs, input.alert.triggeredAt)}.` : '',
      toForAndAgainst(first),
    ]
      .filter(Boolean)
      .join(' '),
  }
}

/** The next cause that an answer tells of, by how it goes with the first. */
type Others = { readonly rival?: Candidate | undefined; readonly besides: Candidate | undefined; readonly together: Candidate | undefined }

function toAction(
  { recommendedAction }: Hypothesis,
  { ranked: [leader], assessment }: Weighing,
  { rival, besides, together }: Others,
  second: Hypothesis | undefined,
  nameOf: NameOf,
): string | null {
  const other = besides ?? rival
  if (leader && other && rival) return recommendComparingBoth([leader.change, other.change], nameOf)
  const isSchemaLeft = together?.change.lead.entry.eventType === 'schema_change' && assessment === 'cause'
  const then = isSchemaLeft ? recommendUndoing(together.change, undefined, 'no', nameOf) : besides && second?.recommendedAction
  return recommendedAction === null || !then ? recommendedAction : `${recommendedAction}; then ${toInner(then)}`
}

function toHypothesisText(
  first: string,
  { broken, besides, together }: Others & { readonly broken: Hazard | undefined },
  second: Hypothesis | undefined,
  { nameOf, tell, input }: Context,
): string {
  const [trouble] = broken?.trouble ?? []
  if (trouble) return toDoubt(first, tell(trouble))
  if (besides) return toPair(first, besides.change, nameOf, input.alert.triggeredAt)
  if (together) return toTogether(first, together.change.lead, nameOf)
  return second ? toTie(first, second.sentence) : first
}

/** Of changes a tenth as likely as the first, the next of another service, not of long before, where each explains calls that the other does not. */
function findSecondCause({ ranked, facts }: Weighing): Candidate | undefined {
  const [leader] = ranked
  if (!leader) return undefined
  const next = ranked.find(({ change }) => change.key !== leader.change.key)
  if (!next || next.score < leader.score - Math.LN10 || next.lagMs > LONG_MS) return undefined
  const explains = (a: Candidate, b: Candidate) => a.explained.some((item) => item.isCall && !b.explained.includes(item))
  return facts.alertKey !== null && isPlaced(next, facts) && explains(leader, next) && explains(next, leader) ? next : undefined
}

/** What is of the leader's rollout but of another kind: the migration that a deploy ran, or the deploy that ran it. */
function findTogether({ ranked: [leader, ...others] }: Weighing): Candidate | undefined {
  return (
    leader &&
    others.find(({ change }) => change.lead.entry.eventType !== leader.change.lead.entry.eventType && isOneRollout(change, leader.change))
  )
}

function toWhatBroke(told: readonly WeighedItem[], tell: Context['tell']): string {
  const inOrder = tellOnce(told)
    .slice(0, MAX_ITEMS_CITED)
    .toSorted((a, b) => a.onsetMs - b.onsetMs)
  const said = inOrder.map(tell)
  return said.length === 0 ? '' : `What broke: ${[...new Set(said)].join('; ')}.`
}

/** What is said where no change is named: what broke and since when, and where to look. */
function nameNone(context: Context): Naming {
  const { weighing, nameOf, tell, told } = context
  const { unrecorded, ranked, together, facts } = weighing
  const main =
    told.find((item) => together.has(item) && item.caller === unrecorded?.key) ?? (unrecorded && findMain(told, unrecorded, facts.alertKey))
  if (!main) return nameNothing(context)
  const [lead] = ranked
  const isAfter = lead && lead.lagMs <= SOON_MS && lead.explained.some((item) => item === main || together.has(item))
  const before = isAfter ? lead.change : undefined
  const isSoonAfter = ({ atMs }: Change) => atMs > main.onsetMs && atMs <= Math.min(0, main.onsetMs + REPORTED_MS)
  const isRollout = (change: Change) =>
    change.key === main.callee && isDeploy(change.lead) && !change.isFailed && !change.isRollback && !change.undoes
  const callees = together.has(main) ? [...together].filter(({ caller }) => caller === main.caller).map(({ callee }) => nameOf(callee)) : []
  const after = before || callees.length > 0 ? undefined : facts.changes.find((change) => isSoonAfter(change) && isRollout(change))
  const likeliest = lead ? 'No recorded change is likely enough to be named.' : ''
  return {
    hypothesis: `${beginSentence(callees.length > 0 ? toTogetherText(main, callees, context) : tell(main))}; ${NO_CAUSE}`,
    recommendedAction:
      callees.length > 0
        ? recommendLookingAround(nameOf(main.caller), toList(callees), before, nameOf)
        : recommendAt(main, facts.hosts, { before, after }, nameOf),
    evidence: [...new Set([...citeItems([main, ...told]), ...[before ?? after].flatMap((change) => change?.lead.entry.id ?? [])])],
    reasoning: [toWhatBroke(told, tell), likeliest].filter(Boolean).join(' '),
  }
}

/** What a service's calls to several come to: since the first of them failed. */
function toTogetherText(main: Item, callees: readonly string[], { weighing: { together }, nameOf, input }: Context): string {
  const sinceMs = Math.min(...[...together].flatMap(({ caller, onsetMs }) => (caller === main.caller ? onsetMs : [])))
  return `calls from ${nameOf(main.caller)} to ${toList(callees)} have failed since ${toUtcClock(sinceMs, input.alert.triggeredAt)}`
}

function citeItems(items: readonly Item[]): readonly EventId[] {
  return items.slice(0, MAX_ITEMS_CITED).flatMap(({ reports }) => reports.slice(0, MAX_REPORTS_CITED).map(({ entry }) => entry.id))
}

/** What is said to fail: the earliest of what weighs most where the fault seems to be. */
function findMain(told: readonly WeighedItem[], unrecorded: Hazard, alertKey: string | null): WeighedItem | undefined {
  const broken = unrecorded.trouble.flatMap(({ reports }) => told.find((item) => item.reports[0] === reports[0]) ?? [])[0]
  if (broken) return broken
  const there = told.filter(({ callee }) => callee === unrecorded.key)
  return (
    listHeaviest(there, 0.5).toSorted(
      (a, b) => a.onsetMs - b.onsetMs || Number(b.caller === alertKey) - Number(a.caller === alertKey),
    )[0] ?? told[0]
  )
}

/** The same where nothing is known to fail, or only what nothing connects with the alert. */
function nameNothing({ weighing: { facts, ranked }, nameOf, tell, told }: Context): Naming {
  const lead = ranked.find((candidate) => facts.alertKey === null || isPlaced(candidate, facts))
  const alerting = facts.alertKey === null ? 'the alert' : nameOf(facts.alertKey)
  if (!lead || told.length > 0) {
    const elsewhere = told[0] ? `; elsewhere, ${tell(told[0])}` : ''
    return {
      hypothesis: `Nothing on record is connected with ${alerting}${elsewhere}; ${NO_CAUSE}`,
      recommendedAction: recommendWatching(alerting),
      evidence: [...new Set(citeItems(told.slice(0, 1)))],
      reasoning: 'No change and no failure was recorded where the alert leads.',
    }
  }
  const seen = `${describe(lead.change.lead, nameOf)} came ${toLagText(-lead.change.atMs, 'the alert')}`
  return {
    hypothesis: `${seen}, but nothing is known to fail; ${NO_CAUSE} so far`,
    recommendedAction: lead.lagMs > LONG_MS ? recommendWatching(alerting) : recommendComparing(lead.change, lead.concerned, false, nameOf),
    evidence: [lead.change.lead.entry.id],
    reasoning: 'No failure was recorded where the alert leads.',
  }
}

function toRuledOut({ weighing: { facts, excluded }, nameOf }: Context): readonly RuledOut[] {
  return excluded
    .toSorted((a, b) => Math.abs(a.change.atMs) - Math.abs(b.change.atMs) || compareText(a.change.lead.entry.id, b.change.lead.entry.id))
    .slice(0, MAX_RULED_OUT)
    .map(({ change, reason }) => ({
      eventIds: citeRuledOut(change, reason),
      service: facts.names.get(change.key) ?? change.key,
      reason,
      text: describeRuledOut(change, reason, facts, nameOf),
    }))
}

/** A change, and the one that it is a pair with. */
function citeRuledOut({ lead, undoes, undoneBy }: Change, reason: RuledOut['reason']): readonly EventId[] {
  const other = { revert: undoes, reverted: undoneBy?.lead }[reason as 'revert' | 'reverted']
  return [lead, ...(other ? [other] : [])].map(({ entry }) => entry.id)
}
