import { compareText, earlier, later } from '../compare.ts'
import type { ChangeText, EventLinks } from '../event/event.ts'
import { type JoinRule, strongerRule } from '../event/service-name.ts'
import type { EventId } from '../ids.ts'

/**
 * One life of a change as Postgres vouches for it: what it adds up to over the occurrences that are stored. A change is
 * born again by a repeat after its last expiry, and has a life of its own in each service that reports it.
 */
export type StoredLife = EventLinks & {
  /** The change key, which repeats share, and when this life began. */
  readonly lifeKey: string
  /** The latest occurrence that has not expired. */
  readonly id: EventId
  readonly confidence: number
  readonly timestamp: Date
  /** Its time for ordering: one in the future counts as received now. */
  readonly orderedAt: Date
  readonly joinedBy: JoinRule
  readonly firstTimestamp: Date
  readonly lastReceivedAt: Date
  readonly expiresAt: Date
  readonly earliestExpiresAt: Date
  readonly count: number
  /** `false`: there are more occurrences than were looked at, and `count` is a lower bound. */
  readonly isCounted: boolean
  /** It is over, and kept for diagnoses alone. */
  readonly isExpired: boolean
  /** `undefined` where only the digest was read. */
  readonly text: ChangeText | undefined
}

/** What a life's occurrences since it began add up to; times in milliseconds since 1970. */
export type LifeTotals = {
  readonly count: number
  readonly firstTimestampMs: number
  /** Of the latest occurrence, for ordering. */
  readonly latestMs: number
  readonly earliestExpiresAtMs: number
}

/** One life of a change as the copy in Redis knows it. */
export type CopiedLife = {
  /** `undefined` when only remains are left. */
  readonly text: ChangeText | undefined
  readonly expiresAtMs: number
  readonly totals: Partial<LifeTotals>
}

/** A window's copy, by life key. */
export type WindowCopy = ReadonlyMap<string, CopiedLife>

type RepairedLife = {
  readonly lifeKey: string
  readonly text: ChangeText
  readonly expiresAtMs: number
  /** What the copy's totals become; `undefined` while merges may be under way: then they are left alone. */
  readonly totals: LifeTotals | undefined
  /** Whether the copy says more than there is. A copy that was read late says less than the one that is written to. */
  readonly takesBack: boolean
}

/** What has to be written to a copy so that it agrees with Postgres. */
export type CopyRepair = {
  readonly write: readonly RepairedLife[]
  /** Lives that are over, with what is left of them. */
  readonly remove: readonly { readonly lifeKey: string; readonly text: ChangeText | undefined }[]
}

/** A merge reaches Redis well within this time of its commit, or never. */
const SETTLED_AFTER_MS = 2_000

/** Whether the copy holds the text of every stored life, so that no further query is needed. */
export function coversAll(stored: readonly StoredLife[], copy: WindowCopy): boolean {
  return stored.every(({ lifeKey }) => copy.get(lifeKey)?.text !== undefined)
}

/**
 * Whether nothing was left unchecked where the copy was found to agree with Postgres: neither totals that merges may be
 * adding to, nor occurrences that were too many to look at.
 */
export function isSettled(stored: readonly StoredLife[], now: Date): boolean {
  return stored.every((life) => life.isCounted && isPastMerges(life, now))
}

/** An equal change that several services report in one second is one life in the copy of a window that both join: the same of what is stored. */
export function mergeEqualLives(stored: readonly StoredLife[]): readonly StoredLife[] {
  const merged = new Map<string, StoredLife>()
  for (const life of stored) {
    const known = merged.get(life.lifeKey)
    merged.set(life.lifeKey, known ? mergeTwo(known, life) : life)
  }
  return merged.size === stored.length ? stored : [...merged.values()]
}

function mergeTwo(a: StoredLife, b: StoredLife): StoredLife {
  const order = b.orderedAt.getTime() - a.orderedAt.getTime() || compareText(a.id, b.id)
  return {
    ...(order <= 0 ? a : b),
    joinedBy: strongerRule(a.joinedBy, b.joinedBy),
    firstTimestamp: earlier(a.firstTimestamp, b.firstTimestamp),
    lastReceivedAt: later(a.lastReceivedAt, b.lastReceivedAt),
    expiresAt: later(a.expiresAt, b.expiresAt),
    earliestExpiresAt: earlier(a.earliestExpiresAt, b.earliestExpiresAt),
    count: a.count + b.count,
    isCounted: a.isCounted && b.isCounted,
  }
}

/** How many members of a sorted set a copy was made of. */
export function countMembers(copy: WindowCopy): number {
  return [...copy.values()].reduce((sum, { text, totals }) => sum + (text ? 1 : 0) + Object.keys(totals).length, 0)
}

/** Where the copy differs from Postgres. Nothing to do is `undefined`. */
export function planRepair(stored: readonly StoredLife[], copy: WindowCopy, now: Date): CopyRepair | undefined {
  const write = stored.flatMap((life) => {
    const copied = copy.get(life.lifeKey)
    const text = life.text ?? copied?.text
    const totals = isPastMerges(life, now) ? toTotals(life, copied, now) : undefined
    if (!text || (copied && agrees(life, copied, totals))) return []
    const takesBack = totals !== undefined && copied !== undefined && isBeyond(copied.totals, totals)
    return [{ lifeKey: life.lifeKey, text, expiresAtMs: life.expiresAt.getTime(), totals, takesBack }]
  })
  const live = new Set(stored.map(({ lifeKey }) => lifeKey))
  const remove = [...copy]
    .filter(([lifeKey, { expiresAtMs }]) => expiresAtMs <= now.getTime() && !live.has(lifeKey))
    .map(([lifeKey, { text }]) => ({ lifeKey, text }))
  return write.length === 0 && remove.length === 0 ? undefined : { write, remove }
}

/** Whether totals, which only ever grow, have outgrown what they should be. */
function isBeyond(copied: Partial<LifeTotals>, totals: LifeTotals): boolean {
  const { count = 0, latestMs = 0, firstTimestampMs = Infinity, earliestExpiresAtMs = Infinity } = copied
  return (
    count > totals.count ||
    latestMs > totals.latestMs ||
    firstTimestampMs < totals.firstTimestampMs ||
    earliestExpiresAtMs < totals.earliestExpiresAtMs
  )
}

function isPastMerges(life: StoredLife, now: Date): boolean {
  return now.getTime() - life.lastReceivedAt.getTime() >= SETTLED_AFTER_MS
}

/** A life key starts with its change key, a UUID. */
const CHANGE_KEY_LENGTH = 36

export function toChangeKey(lifeKey: string): string {
  return lifeKey.slice(0, CHANGE_KEY_LENGTH)
}

/** The second in which a life's first occurrence was received, with which its key ends. */
export function toAppearedAt(lifeKey: string): Date {
  return new Date(1_000 * Number.parseInt(lifeKey.slice(CHANGE_KEY_LENGTH), 16))
}

function agrees(life: StoredLife, copied: CopiedLife, totals: LifeTotals | undefined): boolean {
  if (!copied.text || copied.expiresAtMs < life.expiresAt.getTime()) return false
  if (!totals) return true
  const { count, firstTimestampMs, latestMs, earliestExpiresAtMs } = copied.totals
  return (
    count === totals.count &&
    firstTimestampMs === totals.firstTimestampMs &&
    latestMs === totals.latestMs &&
    earliestExpiresAtMs === totals.earliestExpiresAtMs
  )
}

/**
 * What a life adds up to: what Postgres stores of it and, where some occurrences were not looked at or have expired and
 * may be swept, what the copy remembers besides. A copy that lost part of its totals remembers nothing.
 */
export function toTotals(life: StoredLife, copied: CopiedLife | undefined, now: Date): LifeTotals {
  const stored = {
    count: life.count,
    firstTimestampMs: life.firstTimestamp.getTime(),
    latestMs: life.orderedAt.getTime(),
    earliestExpiresAtMs: life.earliestExpiresAt.getTime(),
  }
  const { count, firstTimestampMs, latestMs, earliestExpiresAtMs } = copied?.totals ?? {}
  if (count === undefined || firstTimestampMs === undefined || latestMs === undefined || earliestExpiresAtMs === undefined) return stored
  const isAllStored = life.isCounted && earliestExpiresAtMs > now.getTime()
  if (isAllStored) return stored
  return {
    count: Math.max(stored.count, count),
    firstTimestampMs: Math.min(stored.firstTimestampMs, firstTimestampMs),
    latestMs: Math.max(stored.latestMs, latestMs),
    earliestExpiresAtMs: Math.min(stored.earliestExpiresAtMs, earliestExpiresAtMs),
  }
}
