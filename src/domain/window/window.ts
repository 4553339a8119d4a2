import { compareText } from '../compare.ts'
import { byEventType, type ChangeText, type EventLinks, type EventType } from '../event/event.ts'
import { type JoinRule, strongerRule } from '../event/service-name.ts'
import type { EventId } from '../ids.ts'
import { type LifeTotals, type StoredLife, toChangeKey, toTotals, type WindowCopy } from './copy.ts'

export type WindowEntry = ChangeText &
  EventLinks & {
    readonly id: EventId
    readonly confidence: number
    /** Of the latest occurrence, as it was sent: it may lie ahead of its receipt. */
    readonly timestamp: Date
    /** When that was received, where its sender's clock was ahead. */
    readonly receivedAt?: Date
    /** Of the first one, and no later than that was received. */
    readonly firstTimestamp: Date
    readonly expiresAt: Date
    readonly count: number
    readonly joinedBy: JoinRule
    /** Only a diagnosis sees what has expired. */
    readonly isExpired: boolean
  }

export type StateWindow = {
  readonly entries: Readonly<Record<EventType, readonly WindowEntry[]>>
  readonly updatedAt: Date | null
  /** Whether there is more than is shown. */
  readonly isPart?: true
}

export type ServiceWindow = { readonly service: string; readonly window: StateWindow }

/** When the latest occurrence of an entry counts as having happened: what entries are in order by. */
export function toHappenedAt({ timestamp, receivedAt = timestamp }: Pick<WindowEntry, 'timestamp' | 'receivedAt'>): Date {
  return receivedAt
}

/** What an entry takes besides its texts. */
const ENTRY_WEIGHT = 500

/** A window with the latest entries of each type alone. */
export function keepLatest({ entries, updatedAt }: StateWindow, perType: number): StateWindow {
  return { entries: byEventType((type) => entries[type].slice(-perType)), updatedAt }
}

/** Changes of one type a window shows at most, the latest ones: a flood of one type leaves the others alone. */
export const MAX_SHOWN_PER_TYPE = 1_000
const MAX_WINDOW_BYTES = 4 * 1_048_576
/** What is tried in turn, so that the types with the most give way. */
const SHOWN_PER_TYPE = [MAX_SHOWN_PER_TYPE, 700, 500, 350, 250, 175, 125, 90, 60, 40, 25, 15]
/** A character is six bytes of JSON at most, and one where all are of these. */
const MAX_BYTES_PER_CHARACTER = 6
const PLAIN = /^[ !#-[\]-~]*$/

/** A window within what is answered at most: a thousand changes of each type, and 4 MiB in all. One that had more says so. */
export function boundWindow(window: StateWindow): StateWindow {
  const perType = SHOWN_PER_TYPE.find((most) => isWithinBytes(keepLatest(window, most))) ?? 1
  const shown = keepLatest(window, perType)
  return countEntries(shown) < countEntries(window) ? { ...shown, isPart: true } : window
}

function isWithinBytes(window: StateWindow): boolean {
  const atMost = (text: string | null | undefined) => (text ? text.length * (PLAIN.test(text) ? 1 : MAX_BYTES_PER_CHARACTER) : 0)
  const all = listAll(window)
  const roughly = all.reduce((sum, entry) => textsOf(entry).reduce((size, text) => size + atMost(text), sum + ENTRY_WEIGHT), 0)
  if (roughly <= MAX_WINDOW_BYTES) return true
  const toBytes = (entry: WindowEntry) => new TextEncoder().encode(JSON.stringify(entry)).length
  return all.reduce((sum, entry) => sum + toBytes(entry), 0) <= MAX_WINDOW_BYTES
}

const listAll = ({ entries }: StateWindow): readonly WindowEntry[] => Object.values(entries).flat()

const countEntries = (window: StateWindow): number => listAll(window).length

/** Roughly how much memory a window takes, in characters. */
export function weighWindow({ entries }: StateWindow): number {
  const weigh = (entry: WindowEntry) => textsOf(entry).reduce((sum, text) => sum + (text?.length ?? 0), ENTRY_WEIGHT)
  return Object.values(entries)
    .flat()
    .reduce((sum, entry) => sum + weigh(entry), ENTRY_WEIGHT)
}

function textsOf({ vendor, entity, oldValue, newValue, actor, sha, environment, url, details }: WindowEntry) {
  const { title, files = [], keys = [] } = details ?? {}
  return [vendor, entity, oldValue, newValue, actor, sha, environment, url, title, ...files, ...keys]
}

/**
 * The window at an instant, from what Postgres vouches for and the history its copy remembers. A life without a text in
 * either is left out: callers make sure there is none.
 */
export function buildWindow(stored: readonly StoredLife[], copy: WindowCopy, now: Date): StateWindow {
  const entries = byEventType((): WindowEntry[] => [])
  const byChange = new Map<string, Part[]>()
  let updatedMs = Number.NEGATIVE_INFINITY
  for (const life of stored) {
    const copied = copy.get(life.lifeKey)
    const text = life.text ?? copied?.text
    updatedMs = Math.max(updatedMs, life.lastReceivedAt.getTime())
    if (!text) continue
    // What is over is an entry of its own: the same change may have come again since.
    const key = life.isExpired ? life.lifeKey : toChangeKey(life.lifeKey)
    const part = { life, text, totals: toTotals(life, copied, now) }
    const parts = byChange.get(key)
    if (parts) parts.push(part)
    else byChange.set(key, [part])
  }
  const folded = Array.from(byChange, ([key, parts]) => ({ key, ...fold(parts) }))
  folded.sort((a, b) => a.latestMs - b.latestMs || compareText(a.key, b.key))
  for (const { entry } of folded) entries[entry.eventType].push(entry)
  return { entries, updatedAt: stored.length === 0 ? null : new Date(updatedMs) }
}

type Part = { readonly life: StoredLife; readonly text: ChangeText; readonly totals: LifeTotals }

/** One entry of the lives that one change has in several services. */
function fold(parts: readonly Part[]): { readonly entry: WindowEntry; readonly latestMs: number } {
  const [latest] =
    parts.length === 1
      ? parts
      : parts.toSorted(
          (a, b) =>
            b.totals.latestMs - a.totals.latestMs || compareText(a.life.lifeKey, b.life.lifeKey) || compareText(a.life.id, b.life.id),
        )
  if (!latest) throw new Error('a change without a life')
  const { life, text, totals } = latest
  // The latest occurrence itself unless it has expired, and been swept perhaps: then only its time for ordering is known.
  const isLatestStored = life.orderedAt.getTime() >= totals.latestMs
  const entry = {
    ...text,
    id: life.id,
    confidence: life.confidence,
    timestamp: isLatestStored ? life.timestamp : new Date(totals.latestMs),
    ...(isLatestStored && life.timestamp.getTime() > totals.latestMs ? { receivedAt: new Date(totals.latestMs) } : {}),
    firstTimestamp: new Date(Math.min(...parts.map((part) => part.totals.firstTimestampMs))),
    expiresAt: new Date(Math.max(...parts.map((part) => part.life.expiresAt.getTime()))),
    count: parts.reduce((sum, part) => sum + part.totals.count, 0),
    joinedBy: parts.map((part) => part.life.joinedBy).reduce(strongerRule),
    url: life.url,
    details: life.details,
    isExpired: life.isExpired,
  }
  return { entry, latestMs: totals.latestMs }
}
