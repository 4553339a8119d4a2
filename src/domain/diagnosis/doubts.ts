import { toNameKey } from '../event/service-name.ts'
import { toValueClass } from '../event/value-class.ts'
import { LATELY_MS } from './blame.ts'
import { type Facts, hopsFrom } from './facts.ts'
import { BREAKING_MS } from './hazards.ts'
import { isPutNamed, isThingNamed } from './mentions.ts'
import type { Candidate, Item } from './model.ts'
import { AT_ONCE_MS, isOfMemory, isOutOfMemory, isShortOfMemory, MIN_TOGETHER } from './trouble.ts'
import type { Weights } from './weights.ts'

/** Its own calls fail so soon after a change, if they fail for it. */
export const SOON_MS = 10 * 60_000
/** What says more than a state does. */
const WORDS = /\b[a-z]{2,32}\W{1,4}[a-z]{2,32}\W{1,4}[a-z]{2}/i
/** What tells whom a call was to reach: an address, a host, a port. */
const ADDRESS = /\b\d{1,3}(?:\.\d{1,3}){3}\b|\b\w[\w-]{0,62}\.\w[\w-]{0,62}\.[a-z]{2,24}\b|[\w-]:\d{2,5}\b/i

/**
 * Whether other calls began to fail at once with those that a change explains, and no likely change explains them: some time after the
 * change those of the same callers and, at any time, those of several that do not call its service.
 */
export function leavesUnexplained(
  { explained, concerned, score, lagMs }: Candidate,
  ranked: readonly Candidate[],
  { items, adjacency }: Facts,
  { slackMs }: Weights,
): boolean {
  const likely = ranked.filter((candidate) => candidate.score >= score - Math.LN10).flatMap((candidate) => candidate.explained)
  const known = new Set(likely.map(({ reports }) => reports[0]))
  const own = explained.filter(({ isCall }) => isCall)
  const unknown = items.filter(({ isCall, reports }) => isCall && !known.has(reports[0]))
  const atOnce = unknown.filter((item) => own.some(({ onsetMs }) => Math.abs(item.onsetMs - onsetMs) <= slackMs))
  const callers = new Set(own.flatMap(({ caller }) => (caller === concerned ? [] : caller)))
  if (lagMs > SOON_MS && atOnce.some(({ caller }) => callers.has(caller))) return true
  const least = Math.max(...own.map(countReports)) / 3
  const above = hopsFrom(concerned, { callees: adjacency.callers, callers: adjacency.callees })
  const isOther = (item: Item) => !item.isStrange && countReports(item) >= least && !above.has(item.caller)
  const others = new Set(atOnce.flatMap((item) => (isOther(item) ? item.caller : [])))
  return others.size >= MIN_TOGETHER - 1
}

function countReports({ reports }: Item): number {
  return reports.reduce((sum, { entry }) => sum + entry.count, 0)
}

/** Whether what ran out of memory after a change, which is not of that, had been nearly out of it before and until then. */
export function hadRunShort({ change, explained }: Candidate, { items }: Facts, { slackMs }: Weights): boolean {
  if (isOfMemory(change.lead.entry)) return false
  const out = new Set(explained.flatMap((item) => (isOutOfMemory(item) ? item.callee : [])))
  const isBefore = (item: Item) => item.onsetMs < change.atMs - slackMs && item.reports.some(({ lastMs }) => lastMs >= change.atMs)
  return items.some((item) => out.has(item.callee) && isShortOfMemory(item) && isBefore(item))
}

/**
 * What began to fail where no way is known when what a change explains did, and the change may not have caused: much more than usual some
 * time after it, and not after what it explains; or, at any time, several that fail for the same. They may have a cause in common.
 */
export function listShared(
  { change, concerned, onsetMs, lagMs, explained }: Candidate,
  { strange, changes, mentions, isStoreAlert, isTopologyKnown }: Facts,
  { slackMs }: Weights,
): readonly Item[] {
  if (onsetMs === undefined || isStoreAlert) return []
  if (isPutNamed(change, concerned, mentions) || isThingNamed(change, concerned, explained, mentions)) return []
  const isChanged = ({ callee, onsetMs: ms }: Item) => changes.some(({ key, atMs }) => key === callee && atMs <= ms && atMs > ms - SOON_MS)
  const lately = strange.filter((item) => item.callee !== concerned && item.onsetMs > onsetMs - LATELY_MS && !isChanged(item))
  const targets = new Set(explained.flatMap(listTargets))
  const alike = keepUnusual(
    lately.filter((item) => item.onsetMs <= onsetMs + slackMs && listTargets(item).some((target) => targets.has(target))),
    onsetMs,
  )
  if (alike.length > 0 || lagMs <= BREAKING_MS || isTopologyKnown) return alike
  const atOnce = keepUnusual(lately, onsetMs)
  return atOnce.every((item) => item.onsetMs >= onsetMs) ? [] : atOnce
}

/** Whom failures were to reach, or what they say: a text with an address or of some words, how a restart ended, else a thing that is not their service. */
function listTargets({ reports }: Item): readonly string[] {
  return reports.flatMap(({ key, entry: { entity, eventType, oldValue, newValue } }) => {
    if (eventType === 'restart') return newValue === null ? [] : `${oldValue} ${newValue}`
    if (newValue !== null && ADDRESS.test(newValue)) return newValue
    if (newValue !== null && WORDS.test(newValue)) return toValueClass(newValue)
    return toNameKey(entity) === key ? [] : entity
  })
}

/** What began about a time at several places that had not shown it lately, where that is much more than about other times; else nothing. */
function keepUnusual(lately: readonly Item[], ms: number): readonly Item[] {
  const isNew = ({ reports }: Item) => !reports.some(({ firstMs }) => firstMs < ms - AT_ONCE_MS && firstMs > ms - LATELY_MS)
  const atOnce = lately.filter((item) => Math.abs(item.onsetMs - ms) <= AT_ONCE_MS && isNew(item))
  const usual = (lately.length - atOnce.length) * ((2 * AT_ONCE_MS) / LATELY_MS)
  const isMuch = new Set(atOnce.map(({ callee }) => callee)).size >= MIN_TOGETHER && atOnce.length >= 3 * usual
  return isMuch ? atOnce : []
}
