import { EVENT_TYPES, type EventType } from './event.ts'
import type { EventId } from './ids.ts'
import type { JoinRule } from './service-name.ts'

/**
 * What repeats of one change share: type, vendor, entity, values, actor and sha. Two events with the same text have the
 * same change key, and are one entry of a window.
 */
export type ChangeText = {
  readonly eventType: EventType
  readonly vendor: string
  readonly entity: string
  readonly oldValue: string | null
  readonly newValue: string | null
  readonly actor: string | null
  readonly sha: string | null
}

/** One change as Postgres vouches for it: what it adds up to over the occurrences that are stored. */
export type StoredChange = {
  readonly changeKey: string
  /** The latest occurrence. */
  readonly id: EventId
  readonly confidence: number
  readonly timestamp: Date
  readonly joinedBy: JoinRule
  readonly firstTimestamp: Date
  readonly lastReceivedAt: Date
  readonly expiresAt: Date
  readonly earliestExpiresAt: Date
  /** The latest occurrence's time for ordering: one in the future counts as received now. */
  readonly orderedAt: Date
  readonly count: number
  /** Occurrences of an earlier life of this change are still stored, so none of the present one can be missing. */
  readonly followsGap: boolean
  /** `undefined` where only the digest was read. */
  readonly text: ChangeText | undefined
}

/** One change as the copy in Redis knows it; times in milliseconds since 1970. */
export type CopiedChange = {
  /** `undefined` when only remains of the change are left. */
  readonly text: ChangeText | undefined
  readonly expiresAtMs: number
  readonly count: number | undefined
  readonly firstTimestampMs: number | undefined
  readonly earliestExpiresAtMs: number | undefined
}

/** A window's copy: its changes by change key. */
export type WindowCopy = ReadonlyMap<string, CopiedChange>

export type WindowEntry = ChangeText & {
  readonly id: EventId
  readonly confidence: number
  readonly timestamp: Date
  readonly firstTimestamp: Date
  readonly expiresAt: Date
  readonly count: number
  readonly joinedBy: JoinRule
}

export type StateWindow = {
  readonly entries: Readonly<Record<EventType, readonly WindowEntry[]>>
  readonly updatedAt: Date | null
}

/** What a change's occurrences add up to; times in milliseconds since 1970. */
export type ChangeTotals = {
  readonly expiresAtMs: number
  readonly earliestExpiresAtMs: number
  readonly firstTimestampMs: number
  readonly count: number
}

type RepairedChange = {
  readonly changeKey: string
  readonly text: ChangeText
  readonly totals: ChangeTotals
  /** The totals replace the copy's. Otherwise merges of the change may be under way: only text and expiry are written. */
  readonly isFinal: boolean
}

/** What has to be written to a copy so that it agrees with Postgres. */
export type CopyRepair = {
  readonly write: readonly RepairedChange[]
  /** Change keys that expired. */
  readonly remove: readonly string[]
}

/** A merge reaches Redis well within this time of its commit, or never. */
const SETTLED_AFTER_MS = 2_000

/** Whether the copy holds the text of every stored change, so that no further query is needed. */
export function coversAll(stored: readonly StoredChange[], copy: WindowCopy): boolean {
  return stored.every(({ changeKey }) => copy.get(changeKey)?.text !== undefined)
}

/**
 * The window at an instant, from what Postgres vouches for and the history its copy remembers. A change without a text
 * in either is left out: callers make sure there is none.
 */
export function buildWindow(stored: readonly StoredChange[], copy: WindowCopy, now: Date): StateWindow {
  const entries: Record<EventType, WindowEntry[]> = emptyEntries()
  const ordered = stored.toSorted((a, b) => a.orderedAt.getTime() - b.orderedAt.getTime() || compareText(a.changeKey, b.changeKey))
  for (const change of ordered) {
    const copied = copy.get(change.changeKey)
    const text = change.text ?? copied?.text
    if (text) entries[text.eventType].push(toEntry(change, text, copied, now))
  }
  const receipts = stored.map(({ lastReceivedAt }) => lastReceivedAt.getTime())
  return { entries, updatedAt: receipts.length === 0 ? null : new Date(Math.max(...receipts)) }
}

/** Where the copy differs from Postgres. Nothing to do is `undefined`. */
export function planRepair(stored: readonly StoredChange[], copy: WindowCopy, now: Date): CopyRepair | undefined {
  const write = stored.flatMap((change) => {
    const copied = copy.get(change.changeKey)
    const text = change.text ?? copied?.text
    const isFinal = now.getTime() - change.lastReceivedAt.getTime() >= SETTLED_AFTER_MS
    if (!text || (copied && agrees(change, copied, isFinal, now))) return []
    return [{ changeKey: change.changeKey, text, totals: toTotals(change, copied, now), isFinal }]
  })
  const live = new Set(stored.map(({ changeKey }) => changeKey))
  const remove = deadChanges(copy, now).filter((key) => !live.has(key))
  return write.length === 0 && remove.length === 0 ? undefined : { write, remove }
}

/** The keys of a copy's changes whose last occurrence has expired. */
export function deadChanges(copy: WindowCopy, now: Date): string[] {
  return [...copy].filter(([, { expiresAtMs }]) => expiresAtMs <= now.getTime()).map(([key]) => key)
}

function agrees(change: StoredChange, copied: CopiedChange, isSettled: boolean, now: Date): boolean {
  if (!copied.text || copied.expiresAtMs < change.expiresAt.getTime()) return false
  if (!isSettled) return true
  const { count, firstTimestampMs, earliestExpiresAtMs } = toTotals(change, copied, now)
  return copied.count === count && copied.firstTimestampMs === firstTimestampMs && copied.earliestExpiresAtMs === earliestExpiresAtMs
}

/**
 * What a change's occurrences since it appeared add up to: what Postgres stores of them and, where some have expired and
 * may be swept, what the copy remembers besides. A copy that lost part of its totals remembers nothing.
 */
function toTotals(change: StoredChange, copied: CopiedChange | undefined, now: Date): ChangeTotals {
  const stored = {
    expiresAtMs: change.expiresAt.getTime(),
    earliestExpiresAtMs: change.earliestExpiresAt.getTime(),
    firstTimestampMs: change.firstTimestamp.getTime(),
    count: change.count,
  }
  const { count, firstTimestampMs, earliestExpiresAtMs } = copied ?? {}
  if (count === undefined || firstTimestampMs === undefined || earliestExpiresAtMs === undefined) return stored
  const isAllStored = change.followsGap || earliestExpiresAtMs > now.getTime()
  if (isAllStored) return stored
  return {
    expiresAtMs: stored.expiresAtMs,
    earliestExpiresAtMs: Math.min(stored.earliestExpiresAtMs, earliestExpiresAtMs),
    firstTimestampMs: Math.min(stored.firstTimestampMs, firstTimestampMs),
    count: Math.max(stored.count, count),
  }
}

function toEntry(change: StoredChange, text: ChangeText, copied: CopiedChange | undefined, now: Date): WindowEntry {
  const { id, confidence, timestamp, expiresAt, joinedBy } = change
  const { count, firstTimestampMs } = toTotals(change, copied, now)
  return { ...text, id, confidence, timestamp, firstTimestamp: new Date(firstTimestampMs), expiresAt, count, joinedBy }
}

function emptyEntries(): Record<EventType, WindowEntry[]> {
  return Object.fromEntries(EVENT_TYPES.map((type) => [type, []])) as unknown as Record<EventType, WindowEntry[]>
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
