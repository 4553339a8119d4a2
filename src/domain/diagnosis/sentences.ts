import type { EventType } from '../event/event.ts'
import { isRollback, toRevision, toShortRevision } from '../event/revision.ts'
import { isIdentifier, quoteName, toFirstLine } from '../text.ts'
import { HOUR_MS, MINUTE_MS } from '../timestamp.ts'
import type { WindowEntry } from '../window/window.ts'
import type { Change, Item, Observation } from './model.ts'
import { isUnseen } from './occurrences.ts'
import { isCordoned, isEviction, isExpired, isFullDisk, isOfEviction, toRefusal } from './trouble.ts'

/** In every answer that names no cause. */
export const NO_CAUSE = 'no recorded change explains it'

const MAX_LISTED = 5
const MAX_VALUE_LENGTH = 40
const PERCENTAGE = /^\d{1,3}(?:\.\d{1,3})? ?%$/
/** Kubernetes' and its agents' words for a probe that fails: nothing has been restarted for it yet. */
const PROBE = /^(?:unhealthy|probe_failure)$/i
const SECRET = /secret|passw|token|credential|api_?key|private_?key/i

export type NameOf = (key: string) => string

/** A value that may be told: short, of one word, and nobody's secret. */
export function toTold(value: string | null, entity = ''): string | undefined {
  if (value === null || value.length > MAX_VALUE_LENGTH || SECRET.test(entity)) return undefined
  const line = toFirstLine(value)
  return line !== undefined && (isIdentifier(line) || PERCENTAGE.test(line)) ? line : undefined
}

/** What a change is, such as "Deploy sha=a4f2c1 to payments-api". */
export function describe({ entry, key }: Observation, nameOf: NameOf): string {
  return DESCRIPTIONS[entry.eventType](entry, nameOf(key))
}

const DESCRIPTIONS: Readonly<Record<EventType, (entry: WindowEntry, service: string) => string>> = {
  deploy: (entry, service) => (isRollback(entry) ? describeRollback(entry, service) : `Deploy${toRevisionText(entry)} to ${service}`),
  flag_change: ({ entity, newValue }, service) => {
    const value = toTold(newValue, entity)
    return `Flag change of ${quoteName(entity)}${value === undefined ? '' : ` to ${value}`} at ${service}`
  },
  config_change: (entry, service) => `Config change on ${toThing(entry)} at ${service}`,
  schema_change: (entry, service) => `Schema change on ${toThing(entry)} at ${service}`,
  scale_event: ({ entity, oldValue, newValue }, service) =>
    `Scaling of ${quoteName(entity)}${toCount('from', oldValue)}${toCount('to', newValue)} at ${service}`,
  restart: (entry, service) => `Restart of ${toThing(entry)} at ${service}`,
  saturation: (entry, service) => `Saturation of ${toThing(entry)} at ${service}`,
  circuit_open: (entry, service) => `Open circuit of ${toThing(entry)} at ${service}`,
  dependency_failure: (entry, service) => `Failure of ${toThing(entry)} at ${service}`,
}

/** Which revision it tells, the one that was taken back or the one before, is the sender's to know. */
function describeRollback(entry: WindowEntry, service: string): string {
  const revision = toRevisionName(entry)
  return `Rollback of ${service}${revision === undefined ? '' : ` (${revision})`}`
}

function toCount(way: string, value: string | null): string {
  const count = toTold(value)
  return count === undefined ? '' : ` ${way} ${count}`
}

function toThing({ entity, newValue }: WindowEntry): string {
  const value = toTold(newValue, entity)
  return value === undefined ? quoteName(entity) : `${quoteName(entity)} (${value})`
}

/** A revision as it is told; `undefined` for what is none. */
export function toRevisionName(entry: WindowEntry): string | undefined {
  const sha = entry.sha === null ? undefined : toFirstLine(entry.sha)
  if (sha !== undefined) return isIdentifier(sha) ? `sha=${toShortRevision(sha)}` : undefined
  const revision = toRevision(entry)
  return revision !== undefined && isIdentifier(revision) ? toShortRevision(revision) : undefined
}

function toRevisionText(entry: WindowEntry): string {
  const name = toRevisionName(entry)
  if (name === undefined) return ''
  return name.startsWith('sha=') ? ` ${name}` : ` of ${name}`
}

const VERBS: Readonly<Record<EventType, string>> = {
  deploy: 'rolled out',
  flag_change: 'took effect',
  config_change: 'took effect',
  schema_change: 'took effect',
  scale_event: 'took effect',
  restart: 'began',
  saturation: 'began',
  circuit_open: 'began',
  dependency_failure: 'began',
}

/** What counts: the onset, or, while nothing is known to fail, the alert. */
export type Onset = { readonly atMs: number; readonly name: 'onset' | 'the alert' }

/** A hypothesis in one sentence. */
export function toSentence(
  { lead, atMs, isFailed, isSame, steps }: Pick<Change, 'lead' | 'atMs' | 'isFailed' | 'isSame' | 'steps'>,
  onset: Onset,
  nameOf: NameOf,
): string {
  const again = lead.entry.eventType === 'deploy' ? 'rolled out once more' : 'was made without a change of its value'
  const done = isSame ? again : isRollback(lead.entry) ? 'took effect' : VERBS[lead.entry.eventType]
  const lag = toLagText(onset.atMs - atMs, onset.name)
  if (isUnseen({ isFailed, steps })) return `${describe(lead, nameOf)} began ${lag}, and failed later`
  return `${describe(lead, nameOf)} ${isFailed ? 'rolled out in part' : done} ${lag}`
}

/** Two changes between which nothing decides, in one sentence. */
export function toTie(first: string, second: string): string {
  return `${first}; nearly as likely, ${toInner(second)}`
}

/** A change and another of the same rollout, in one sentence. */
export function toTogether(first: string, other: Observation, nameOf: NameOf): string {
  return `${first}, and with it ${toInner(describe(other, nameOf))}`
}

/** Two changes each of which explains failures that the other does not; the second, of which the onset is not, at its own time. */
export function toPair(first: string, { lead, atMs }: Pick<Change, 'lead' | 'atMs'>, nameOf: NameOf, alertAt: Date): string {
  return `${first}; besides, ${toInner(describe(lead, nameOf))} at ${toUtcClock(atMs, alertAt)} explains other failing calls`
}

/** A change, and what broke just as well by itself, in one sentence. */
export function toDoubt(first: string, broken: string): string {
  return `${first}; as likely, by itself, ${broken}`
}

/** Several names in a row, or the first of many. */
export function toList(names: readonly string[]): string {
  const first = names.slice(0, MAX_LISTED)
  const last = names.length > MAX_LISTED ? 'others' : first.pop()
  return `${first.join(', ')} and ${last}`
}

/** A sentence of our own words inside another one. */
export function toInner(sentence: string): string {
  return `${sentence.charAt(0).toLowerCase()}${sentence.slice(1)}`
}

/** A time before, or as far as clocks can be trusted about, an instant. */
export function toLagText(ms: number, instant: string): string {
  if (ms < 0) return ms > -MINUTE_MS ? `at about the time of ${instant}` : `${toDuration(-ms)} after ${instant}`
  return ms < 1_000 ? `at ${instant}` : `${toDuration(ms)} before ${instant}`
}

export function toDuration(ms: number): string {
  if (ms < 90_000) return toUnits(Math.max(1, Math.round(ms / 1_000)), 'second')
  if (ms < 2 * HOUR_MS) return toUnits(Math.round(ms / MINUTE_MS), 'minute')
  if (ms < 48 * HOUR_MS) return toUnits(Math.round(ms / HOUR_MS), 'hour')
  return toUnits(Math.round(ms / (24 * HOUR_MS)), 'day')
}

function toUnits(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/** An instant of the alert's day as `12:01 UTC`, of another day with its date. */
export function toUtcClock(ms: number, alertAt: Date): string {
  const at = new Date(alertAt.getTime() + ms)
  const [day = '', time = ''] = at.toISOString().split('T')
  const clock = `${time.slice(0, 5)} UTC`
  return alertAt.toISOString().startsWith(day) ? clock : `${day} ${clock}`
}

/** What fails, such as "calls from checkout to payments have failed": since when belongs after it. */
export function describeItem(
  item: Pick<Item, 'caller' | 'callee' | 'isCall' | 'reports'>,
  hosts: ReadonlyMap<string, string>,
  nameOf: NameOf,
): string {
  const { caller, callee, isCall, reports } = item
  if (isEviction(item)) return `pods of ${nameOf(caller)} have ${isOfEviction(item) ? 'been evicted from' : 'failed on'} ${nameOf(callee)}`
  if (isCall && isExpired(item)) return `calls from ${nameOf(caller)} to ${nameOf(callee)} have failed (expired)`
  if (isCall && hosts.has(callee) && toRefusal(item)) return `calls from ${nameOf(caller)} to ${nameOf(callee)} have been refused`
  if (isCall)
    return hosts.has(callee)
      ? `${nameOf(caller)} has been unable to reach ${nameOf(callee)}`
      : `calls from ${nameOf(caller)} to ${nameOf(callee)} have failed`
  if (isFullDisk(item)) return `${nameOf(caller)} has run out of disk space`
  return isCordoned(item) ? `${nameOf(caller)} has been closed to pods` : `${nameOf(caller)} ${describeSymptom(reports[0]?.entry)}`
}

function describeSymptom(entry: WindowEntry | undefined): string {
  if (!entry) return ERRORS
  const { vendor, eventType, newValue } = entry
  const value = toTold(newValue)
  const isProbe = eventType === 'restart' && PROBE.test(newValue ?? '')
  const isOfKubernetes = vendor === 'kubernetes' && eventType === 'dependency_failure'
  const what = isOfKubernetes ? 'has been reported failing' : SYMPTOMS[eventType]
  return `${isProbe ? 'has failed its health checks' : what}${value === undefined ? '' : ` (${value})`}`
}

const ERRORS = 'has reported errors'
const SYMPTOMS: Readonly<Record<EventType, string>> = {
  deploy: 'has been reported unhealthy',
  flag_change: ERRORS,
  config_change: ERRORS,
  schema_change: ERRORS,
  scale_event: ERRORS,
  restart: 'has been restarting',
  saturation: 'has been under strain',
  circuit_open: 'has had an open circuit',
  dependency_failure: ERRORS,
}

const OWN_BEGINNING = /^(?:calls from|pods of) /

/** A sentence's beginning; names stay as they are. */
export function beginSentence(text: string): string {
  return OWN_BEGINNING.test(text) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : text
}
