import { MAX_NAME_LENGTH, MAX_URL_LENGTH } from '../event/event.ts'
import { isBlank, MAX_SHOWN_LENGTH, toStorableText } from '../text.ts'
import { parseTimestamp } from '../timestamp.ts'

const MAX_DETAILS_ITEMS = 20
const MAX_DETAIL_LENGTH = 80
/** Before this a time is a clock that was never set. */
const FIRST_YEAR = '1971'
const MAX_MS = 253_402_300_799_999

/** A value at a path into what may be anything; `undefined` where the path ends early. Own fields only. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value
  for (const name of path) {
    // An object's fields are unknown until they are read.
    found = typeof found === 'object' && found !== null && Object.hasOwn(found, name) ? (found as Record<string, unknown>)[name] : undefined
  }
  return found
}

export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const list = at(value, ...path)
  return Array.isArray(list) ? list : []
}

/** What is a text as it should be already, as nearly all names are. */
const PLAIN = /^[!-~]+$/

/** Storable text of at most so many characters, trimmed; `undefined` for what is blank or no text. Numbers count as text. */
export function toText(value: unknown, maxLength = MAX_SHOWN_LENGTH): string | undefined {
  if (typeof value === 'string' && value.length <= maxLength && PLAIN.test(value)) return value
  if (typeof value !== 'string' && !(typeof value === 'number' && Number.isFinite(value))) return undefined
  // No character has more than two code units; cutting first keeps a body of megabytes cheap.
  const text = toStorableText(
    String(value)
      .trimStart()
      .slice(0, 2 * maxLength + 2),
  )
  const cut = text.length <= maxLength ? text : Array.from(text).slice(0, maxLength).join('')
  return isBlank(cut) ? undefined : cut.trim()
}

/** A text that fits a name, sha or actor. */
export function toName(value: unknown): string | undefined {
  return toText(value, MAX_NAME_LENGTH)
}

export function nameAt(value: unknown, ...path: readonly (string | number)[]): string | undefined {
  return toName(at(value, ...path))
}

export function textAt(value: unknown, ...path: readonly (string | number)[]): string | undefined {
  return toText(at(value, ...path))
}

/** An `https` address, as browsers spell it. */
export function toUrl(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > MAX_URL_LENGTH || !URL.canParse(value)) return undefined
  const { protocol, href } = new URL(value)
  return protocol === 'https:' && href.length <= MAX_URL_LENGTH ? href : undefined
}

/** The same, of a page on one of these hosts alone: what a pager says of its incidents leads to the pager, or nowhere. */
export function toUrlOn(hosts: RegExp, value: unknown): string | undefined {
  const url = toUrl(value)
  return url !== undefined && hosts.test(new URL(url).hostname) ? url : undefined
}

/** The year 5138; as milliseconds, 1973. */
const MAX_SECONDS = 100_000_000_000

/** Milliseconds since 1970 of what is told as that or as seconds since then. */
export function toEpochMs(told: number): number {
  return told < MAX_SECONDS ? 1_000 * told : told
}

/** The instant that a text, or a number of milliseconds since 1970, names: ISO 8601 UTC. Zero times name none. */
export function toInstant(value: unknown): string | undefined {
  if (typeof value === 'number') return value > 0 && value <= MAX_MS ? notZero(new Date(value).toISOString()) : undefined
  const timestamp = parseTimestamp(value)
  return timestamp.kind === 'instant' ? notZero(timestamp.instant) : undefined
}

const notZero = (instant: string) => (instant >= FIRST_YEAR ? instant : undefined)

/** Texts of a list that is shown beside a change: at most 20 of at most 80 characters. */
export function toDetailItems(list: readonly unknown[]): readonly string[] {
  return list.slice(0, MAX_DETAILS_ITEMS).flatMap((item) => toText(item, MAX_DETAIL_LENGTH) ?? [])
}

/** Whether two texts are equal but for case. */
export function isSameWord(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
