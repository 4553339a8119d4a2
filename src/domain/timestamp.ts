/**
 * The instant a sender's timestamp names.
 * `instant`: its UTC form, `YYYY-MM-DDTHH:MM:SS.ffffffZ` (microseconds, the resolution of the store).
 * `unknown_zone`: a well-formed date and time whose zone word has no agreed offset.
 */
export type ParsedTimestamp =
  | { readonly kind: 'instant'; readonly instant: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown_zone'; readonly zone: string }
  | { readonly kind: 'invalid' }

/** Offsets from UTC in minutes. Where a word is ambiguous, the reading PostgreSQL and the contract agree on. */
const ZONE_OFFSET_MINUTES: ReadonlyMap<string, number> = new Map([
  ['Z', 0],
  ['UTC', 0],
  ['GMT', 0],
  ['EST', -300],
  ['EDT', -240],
  ['CST', -360],
  ['CDT', -300],
  ['MST', -420],
  ['MDT', -360],
  ['PST', -480],
  ['PDT', -420],
  ['WET', 0],
  ['WEST', 60],
  ['CET', 60],
  ['CEST', 120],
  ['EET', 120],
  ['EEST', 180],
  ['BST', 60],
  ['IST', 330],
  ['MSK', 180],
  ['JST', 540],
  ['KST', 540],
  ['AEST', 600],
  ['AEDT', 660],
  ['NZST', 720],
  ['NZDT', 780],
])

const DATE_TIME = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt]| +)(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?![\d.,:])/
const NUMERIC_OFFSET = /^([+-])(\d{2})(?::?(\d{2}))?$/
const ZONE_WORD = /^[A-Za-z][A-Za-z0-9_/+-]{0,39}$/
/** Go's `Time.String()` has the zone's name after its offset, if only as a number, and a monotonic clock. */
const GO_ZONE = /^([+-]\d{4}) [A-Z+-][A-Za-z0-9+-]{0,9}(?: m=[+-]\d{1,20}\.\d{1,9})?$/
/** RFC 9557: the zone's name, a calendar and the like after the time. */
const SUFFIXES = /^([^[\]]{0,40}?)((?:\[!?[A-Za-z0-9_/+=.-]{1,64}\]){1,8})$/
const MAX_TAIL_LENGTH = 600

export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS
const FIRST_MS = Date.parse('0001-01-01T00:00:00Z')
const END_MS = Date.UTC(10_000, 0, 1)

/**
 * Reads the timestamp forms real agents send: ISO 8601 with `T` or a space, a fraction of one to nine digits after a
 * point or a comma, and a zone (`Z`, `±HH`, `±HHMM`, `±HH:MM`, an abbreviation) or none, which means UTC; besides, what
 * Go's `Time.String()` and RFC 9557 put after it, which counts for nothing beside an offset.
 */
export function parseTimestamp(value: unknown): ParsedTimestamp {
  if (value === undefined || value === null) return { kind: 'absent' }
  if (typeof value !== 'string') return { kind: 'invalid' }
  const text = value.trim()
  if (text === '') return { kind: 'absent' }

  const match = DATE_TIME.exec(text)
  if (!match) return { kind: 'invalid' }
  const [whole, year, month, day, hour, minute, second = '00', fraction = ''] = match
  const localMs = toLocalMs(Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second))
  if (localMs === undefined) return { kind: 'invalid' }

  const zone = toZone(text.slice(whole.length))
  if (zone === undefined) return { kind: 'invalid' }
  const offsetMinutes = toOffsetMinutes(zone)
  if (offsetMinutes === 'invalid') return { kind: 'invalid' }
  if (offsetMinutes === 'unknown') return { kind: 'unknown_zone', zone }

  // What is year 1 in some zone is told in the last day of the year before: it is no time, but that of a clock never set.
  const wantedMs = localMs - offsetMinutes * MINUTE_MS
  const utcMs = wantedMs >= FIRST_MS - DAY_MS ? Math.max(wantedMs, FIRST_MS) : wantedMs
  // A leap second is the last of a day of UTC, wherever it is told.
  const isValid = utcMs >= FIRST_MS && utcMs < END_MS && (second !== '60' || utcMs % DAY_MS === 0)
  if (!isValid) return { kind: 'invalid' }
  const seconds = new Date(utcMs).toISOString().slice(0, 19)
  return { kind: 'instant', instant: `${seconds}.${fraction.slice(0, 6).padEnd(6, '0')}Z` }
}

/** Whether an instant is what a program has before it sets one: a time of year 1 (Go, .NET) or the first of Unix. */
export function isZeroTime(instant: string): boolean {
  return instant.startsWith('0001-') || instant === '1970-01-01T00:00:00.000000Z'
}

/** Milliseconds of a calendar date and time read as UTC; `undefined` for one that does not exist (30 February). */
function toLocalMs(year: number, month: number, day: number, hour: number, minute: number, second: number): number | undefined {
  if (hour > 23 || minute > 59 || second > 60) return undefined
  const midnight = new Date(0)
  midnight.setUTCFullYear(year, month - 1, day)
  if (midnight.getUTCFullYear() !== year || midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day) return undefined
  return midnight.getTime() + ((hour * 60 + minute) * 60 + second) * 1000
}

/** The offset or zone word of what follows a time, blank if there is none; `undefined` for anything else. */
function toZone(tail: string): string | undefined {
  if (tail.length > MAX_TAIL_LENGTH) return undefined
  const text = tail.trim()
  const offset = GO_ZONE.exec(text)?.[1]
  if (offset !== undefined) return offset
  const [, before, suffixes] = SUFFIXES.exec(text) ?? []
  if (before === undefined || suffixes === undefined) return /\s/.test(text) ? undefined : text
  if (before !== '') return before.trim()
  const name = /^\[!?([^\]=]+)\]/.exec(suffixes)?.[1]
  return name ?? ''
}

function toOffsetMinutes(zone: string): number | 'unknown' | 'invalid' {
  if (zone === '') return 0
  const numeric = NUMERIC_OFFSET.exec(zone)
  if (numeric) {
    const [, sign, hours, minutes = '00'] = numeric
    if (Number(hours) > 23 || Number(minutes) > 59) return 'invalid'
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
  }
  if (!ZONE_WORD.test(zone)) return 'invalid'
  return ZONE_OFFSET_MINUTES.get(zone.toUpperCase()) ?? 'unknown'
}
