import type { EventType } from '../domain/event/event.ts'
import type { JoinRule } from '../domain/event/service-name.ts'
import { toPrintable } from '../domain/text.ts'

const MINUTE_S = 60
const HOUR_S = 3_600
const DAY_S = 86_400

/** How long ago an instant was, in a few characters. */
export function toAge(instant: Date, now: Date): string {
  const seconds = Math.round((now.getTime() - instant.getTime()) / 1_000)
  if (seconds < 10) return 'just now'
  if (seconds < MINUTE_S) return `${seconds} s ago`
  if (seconds < HOUR_S) return `${Math.floor(seconds / MINUTE_S)} min ago`
  if (seconds < DAY_S) return `${Math.floor(seconds / HOUR_S)} h ago`
  return `${Math.floor(seconds / DAY_S)} d ago`
}

/** An instant to the second, in UTC. */
export function toExact(instant: Date): string {
  return `${instant.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** A time of day to the second, in UTC; with its date when that is another than that of the instant which is told beside it. */
export function toClock(instant: Date, beside: Date): string {
  const exact = toExact(instant).slice(0, 19)
  return exact.startsWith(toExact(beside).slice(0, 10)) ? exact.slice(11) : exact
}

/** A time of day to the second, in UTC; with its day when that is another than that of the instant which is told beside it. */
export function toMoment(instant: Date, beside: Date): string {
  const text = toClock(instant, beside)
  if (text.length === 8) return text
  const year = instant.getUTCFullYear() === beside.getUTCFullYear() ? '' : ` ${instant.getUTCFullYear()}`
  return `${instant.getUTCDate()} ${MONTHS[instant.getUTCMonth()]}${year} ${text.slice(11)}`
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** A length of time in one unit or two. */
export function toSpan(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  const units = [
    [Math.floor(seconds / DAY_S), 'd'],
    [Math.floor((seconds % DAY_S) / HOUR_S), 'h'],
    [Math.floor((seconds % HOUR_S) / MINUTE_S), 'min'],
    [seconds % MINUTE_S, 's'],
  ] as const
  const first = units.findIndex(([number]) => number > 0)
  if (first < 0) return '0 s'
  return units
    .slice(first, first + 2)
    .filter(([number]) => number > 0)
    .map(([number, unit]) => `${number} ${unit}`)
    .join(' ')
}

/** A share as a whole percentage. */
export function toPercent(share: number): string {
  return `${Math.round(100 * share)} %`
}

/** A sentence's beginning. */
export function capitalise(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}

/** A number with its noun. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`
}

/** What kinds of events are called. */
export const TYPE_NAMES: Readonly<Record<EventType, string>> = {
  deploy: 'deploy',
  restart: 'restart',
  saturation: 'saturation',
  flag_change: 'flag change',
  circuit_open: 'circuit open',
  dependency_failure: 'failing calls',
  config_change: 'config change',
  schema_change: 'schema change',
  scale_event: 'scale event',
}

/** How a service is known to be concerned by an event that does not name it. */
export const JOIN_NAMES: Readonly<Record<JoinRule, string>> = {
  service_name: '',
  entity: 'known by its name',
  namespaced_name: 'known by its name',
  pod: 'known by its workload',
  replica_set: 'known by its workload',
  autoscaler: 'known by its name',
  evaluates: 'evaluates the flag',
}

/** A text cut to a length, so that a long one cannot make a page long. */
export function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text
}

/** The same on one line, without what turns text around or what nobody sees. */
export const toShown = (text: string, length: number): string => toPrintable(shorten(text, length))

type Change = { readonly oldValue: string | null; readonly newValue: string | null; readonly sha: string | null }

/** What an event changed, on one line: its values and its sha. */
export function toChange({ oldValue, newValue, sha }: Change): string {
  const values = oldValue === null ? (newValue ?? '') : `${oldValue} → ${newValue ?? '(none)'}`
  return shortenShas([values, sha === null ? '' : `sha ${sha}`].filter((part) => part !== '').join(' · '))
}

/** A text with the beginnings of the long hashes in it. */
export function shortenShas(text: string): string {
  return text.replace(/\b([0-9a-f]{8})[0-9a-f]{4,56}\b/g, '$1')
}

/** Who did something, of how the audit names them. */
export function toActorName(actor: string): string {
  return actor
    .replace(/^api_key:([0-9a-f]{8}).*$/, 'key $1')
    .replace(/^message_link(?::([0-9a-f]{8}).*)?$/, 'link in a message $1')
    .replace(/^person:/, '')
}
