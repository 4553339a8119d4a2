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

const DATE_TIME = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt]| +)(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?: *(\S+))?$/
const NUMERIC_OFFSET = /^([+-])(\d{2})(?::?(\d{2}))?$/
const ZONE_WORD = /^[A-Za-z][A-Za-z0-9_/+-]{0,39}$/

const MINUTE_MS = 60_000
const FIRST_MS = Date.parse('0001-01-01T00:00:00Z')
const END_MS = Date.UTC(10_000, 0, 1)

/**
 * Reads the timestamp forms real agents send: ISO 8601 with `T` or a space, a fraction of one to nine digits after a
 * point or a comma, and a zone (`Z`, `±HH`, `±HHMM`, `±HH:MM`, an abbreviation) or none, which means UTC.
 */
export function parseTimestamp(value: unknown): ParsedTimestamp {
  if (value === undefined || value === null) return { kind: 'absent' }
  if (typeof value !== 'string') return { kind: 'invalid' }
  const text = value.trim()
  if (text === '') return { kind: 'absent' }

  const match = DATE_TIME.exec(text)
  if (!match) return { kind: 'invalid' }
  const [, year, month, day, hour, minute, second = '00', fraction = '', zone] = match
  const localMs = toLocalMs(Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second))
  if (localMs === undefined) return { kind: 'invalid' }

  const offsetMinutes = toOffsetMinutes(zone)
  if (offsetMinutes === 'invalid') return { kind: 'invalid' }
  if (offsetMinutes === 'unknown') return { kind: 'unknown_zone', zone: zone ?? '' }

  const utcMs = localMs - offsetMinutes * MINUTE_MS
  if (utcMs < FIRST_MS || utcMs >= END_MS) return { kind: 'invalid' }
  const seconds = new Date(utcMs).toISOString().slice(0, 19)
  return { kind: 'instant', instant: `${seconds}.${fraction.slice(0, 6).padEnd(6, '0')}Z` }
}

/** Milliseconds of a calendar date and time read as UTC; `undefined` for one that does not exist (30 February). */
function toLocalMs(year: number, month: number, day: number, hour: number, minute: number, second: number): number | undefined {
  const isLeapSecond = second === 60 && minute === 59
  if (hour > 23 || minute > 59 || (second > 59 && !isLeapSecond)) return undefined
  const midnight = new Date(0)
  midnight.setUTCFullYear(year, month - 1, day)
  if (midnight.getUTCFullYear() !== year || midnight.getUTCMonth() !== month - 1 || midnight.getUTCDate() !== day) return undefined
  return midnight.getTime() + ((hour * 60 + minute) * 60 + second) * 1000
}

function toOffsetMinutes(zone: string | undefined): number | 'unknown' | 'invalid' {
  if (zone === undefined) return 0
  const numeric = NUMERIC_OFFSET.exec(zone)
  if (numeric) {
    const [, sign, hours, minutes = '00'] = numeric
    if (Number(hours) > 23 || Number(minutes) > 59) return 'invalid'
    return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
  }
  if (!ZONE_WORD.test(zone)) return 'invalid'
  return ZONE_OFFSET_MINUTES.get(zone.toUpperCase()) ?? 'unknown'
}
