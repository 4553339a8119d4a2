import type { EventType } from '../event/event.ts'
import { MAX_SHOWN_LENGTH, toPrintable } from '../text.ts'
import type { WindowEntry } from '../window/window.ts'
import type { FailingEdge, Observation } from './facts.ts'
import type { Blame, Candidate, Features } from './rules.ts'

export const NO_CAUSE = 'no recorded change explains this'

const MAX_QUOTED_LENGTH = 80
/** All of a value that a window shows. */
const MAX_READ_LENGTH = 2 * MAX_SHOWN_LENGTH
const LINE_END = /[\n\r\u0085\u2028\u2029]/
const MINUTE_MS = 60_000

type NameOf = (key: string) => string

/** What a candidate is, such as "Deploy sha=a4f2c1 to payments-api". */
export function describe({ entry, key }: Observation, nameOf: NameOf): string {
  return DESCRIPTIONS[entry.eventType](entry, nameOf(key))
}

const DESCRIPTIONS: Readonly<Record<EventType, (entry: WindowEntry, service: string) => string>> = {
  deploy: ({ sha, newValue }, service) => `Deploy${toRevisionText(sha, newValue)} to ${service}`,
  flag_change: ({ entity, newValue }, service) => {
    const value = toQuoted(newValue)
    return `Flag ${quote(entity)} changed${value === undefined ? '' : ` to ${value}`} at ${service}`
  },
  config_change: (entry, service) => `Config change on ${toThing(entry)} at ${service}`,
  schema_change: (entry, service) => `Schema change on ${toThing(entry)} at ${service}`,
  scale_event: (entry, service) => `Scaling of ${toThing(entry)} at ${service}`,
  restart: (entry, service) => `Restart of ${toThing(entry)} at ${service}`,
  saturation: (entry, service) => `Saturation of ${toThing(entry)} at ${service}`,
  circuit_open: (entry, service) => `Open circuit of ${toThing(entry)} at ${service}`,
  dependency_failure: (entry, service) => `Failure of ${toThing(entry)} at ${service}`,
}

function toThing({ entity, newValue }: WindowEntry): string {
  const value = toQuoted(newValue)
  return value === undefined ? quote(entity) : `${quote(entity)} (${value})`
}

function toRevisionText(sha: string | null, newValue: string | null): string {
  const told = toQuoted(sha)
  if (told !== undefined) return ` sha=${told}`
  return newValue !== null && VERSION.test(newValue) ? ` of ${newValue}` : ''
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

/** The hypothesis in one sentence. */
export function toSentence(lead: Observation, onsetMs: number, nameOf: NameOf): string {
  return `${describe(lead, nameOf)} ${VERBS[lead.entry.eventType]} ${toLagText(onsetMs - lead.firstMs, 'onset')}`
}

/** A time before, or as far as clocks can be trusted about, an instant. */
export function toLagText(ms: number, instant: string): string {
  if (ms < 0) return ms > -MINUTE_MS ? `at about the time of ${instant}` : `${toDuration(-ms)} after ${instant}`
  return ms < 1_000 ? `at ${instant}` : `${toDuration(ms)} before ${instant}`
}

function toDuration(ms: number): string {
  if (ms < 90_000) return toUnits(Math.max(1, Math.round(ms / 1_000)), 'second')
  if (ms < 120 * MINUTE_MS) return toUnits(Math.round(ms / MINUTE_MS), 'minute')
  if (ms < 48 * 60 * MINUTE_MS) return toUnits(Math.round(ms / (60 * MINUTE_MS)), 'hour')
  return toUnits(Math.round(ms / (24 * 60 * MINUTE_MS)), 'day')
}

function toUnits(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

const VERSION = /^v?\d[\w.+-]{0,39}$/i
const SHA = /^(?=.*\d)[0-9a-f]{6,64}$/i

/** What went before a deploy: the sha of an earlier one, or the version that the event itself says it replaced. */
export type Previous = { readonly text: string; readonly source: Observation } | undefined

/** The revision a deploy replaced, when it or an earlier change at its service tells. */
export function findPrevious(lead: Observation, changes: readonly Observation[]): Previous {
  const { oldValue, sha, eventType } = lead.entry
  if (eventType !== 'deploy') return undefined
  if (oldValue !== null && SHA.test(oldValue)) return { text: `sha=${oldValue}`, source: lead }
  if (oldValue !== null && VERSION.test(oldValue)) return { text: oldValue, source: lead }
  const earlier = changes.filter(
    ({ entry, firstMs }) =>
      entry.eventType === 'deploy' &&
      entry.entity === lead.entry.entity &&
      toQuoted(entry.sha) !== undefined &&
      entry.sha !== sha &&
      firstMs < lead.firstMs,
  )
  const [latest] = earlier.toSorted((a, b) => b.lastMs - a.lastMs || (a.entry.id < b.entry.id ? -1 : 1))
  return latest?.entry.sha ? { text: `sha=${quote(latest.entry.sha)}`, source: latest } : undefined
}

/** What to do about a cause. */
export function recommend({ entry, key }: Observation, previous: Previous, nameOf: NameOf): string {
  const advice = ADVICE[entry.eventType]
  return advice({ entity: quote(entry.entity), service: nameOf(key), oldValue: entry.oldValue, previous })
}

/** What to do about a cause that has been set back already. */
export function recommendPatience({ entry, key }: Observation, nameOf: NameOf): string {
  return `Make sure that setting ${quote(entry.entity)} of ${nameOf(key)} back has taken effect`
}

type Advised = { readonly entity: string; readonly service: string; readonly oldValue: string | null; readonly previous: Previous }

const ADVICE: Readonly<Record<EventType, (advised: Advised) => string>> = {
  deploy: ({ service, previous }) => (previous ? `Roll back to ${previous.text}` : `Roll back ${service} to the previous revision`),
  flag_change: ({ entity, oldValue }) => `Set flag ${entity} back to ${toQuoted(oldValue) ?? 'its former value'}`,
  config_change: ({ entity, service }) => `Check ${entity} of ${service} and revert its config change`,
  schema_change: ({ entity, service }) => `Check the schema change on ${entity} of ${service}, and revert it or fix it forward`,
  scale_event: ({ entity, service }) => `Scale ${entity} of ${service} back`,
  restart: ({ entity, service }) => `Find out why ${entity} of ${service} restarts`,
  saturation: ({ entity, service }) => `Relieve ${entity} of ${service}`,
  circuit_open: ({ entity, service }) => `Find out why ${entity} of ${service} fails`,
  dependency_failure: ({ entity, service }) => `Find out why ${entity} of ${service} fails`,
}

export type Reasons = { readonly reasonsFor: readonly string[]; readonly reasonsAgainst: readonly string[] }

/** What speaks for a candidate and against it, in words. */
export function toReasons(
  { lead }: Candidate,
  features: Features,
  path: readonly string[],
  blames: readonly Blame[],
  onsetMs: number,
  nameOf: NameOf,
): Reasons {
  const service = nameOf(lead.key)
  const isTooLate = lead.firstMs > onsetMs
  const reasonsFor = [
    ...blames.map(({ edge }) => `${describeFailure(edge, nameOf)}, which it can explain`),
    features.near === 0 ? '' : toWay(path, nameOf),
    isTooLate ? '' : `it came ${toLagText(onsetMs - lead.firstMs, 'onset')}`,
    features.symptom > UNUSUAL ? `${service} shows what is unusual for it` : '',
    features.pattern > 0 ? 'a similar diagnosis was confirmed' : '',
  ]
  const reasonsAgainst = [
    blames.length > 0 && features.explained < 0.5 ? 'it leaves part of the failing calls unexplained' : '',
    isTooLate ? `it came ${toLagText(onsetMs - lead.firstMs, 'onset')}` : '',
    features.lag > Math.LN2 ? 'it had been in place for a while without trouble' : '',
    features.pattern < 0 ? 'a similar diagnosis was rejected' : '',
  ]
  return { reasonsFor: reasonsFor.filter(Boolean), reasonsAgainst: reasonsAgainst.filter(Boolean) }
}

/** Nats of surprise worth telling: one hour in twenty. */
const UNUSUAL = 3

/** Says which calls fail. */
export function describeFailure({ caller, callee }: FailingEdge, nameOf: NameOf): string {
  return `calls from ${nameOf(caller)} to ${nameOf(callee)} fail`
}

function toWay(path: readonly string[], nameOf: NameOf): string {
  const [alerting, ...onward] = path.map(nameOf)
  const cause = onward.at(-1)
  if (cause === undefined) return `${alerting} is the alerting service`
  const between = onward.slice(0, -1)
  return between.length === 0 ? `${alerting} calls ${cause}` : `${alerting} reaches ${cause} through ${between.join(' and ')}`
}

/** A text as sentences quote it: its first line, without what nobody sees, and not too much of that. */
export function quote(text: string): string {
  return toQuoted(text) ?? '(blank)'
}

/** The same of a text that may say nothing. */
function toQuoted(text: string | null): string | undefined {
  const lines = (text ?? '').slice(0, MAX_READ_LENGTH).split(LINE_END)
  const line = lines.map((each) => toPrintable(each).trim()).find(Boolean)
  if (line === undefined || line.length <= MAX_QUOTED_LENGTH) return line
  const chars = Array.from(line)
  return chars.length > MAX_QUOTED_LENGTH ? `${chars.slice(0, MAX_QUOTED_LENGTH).join('')}…` : line
}
