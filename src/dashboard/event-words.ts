import { type EventType, isCallFailure, isChangeType } from '../domain/event/event.ts'
import { toRevision } from '../domain/event/revision.ts'
import { toNameKey } from '../domain/event/service-name.ts'
import { findCallees, isObserver, type KnownServices } from '../domain/graph/callee.ts'
import type { CitedEntry } from '../domain/incident/snapshot.ts'
import { INTEGRATION_TYPES } from '../domain/integration-type.ts'
import { quoteName } from '../domain/text.ts'
import { INTEGRATION_WORDS } from './integrations/index.ts'
import { shorten, shortenShas, toChange } from './labels.ts'

const MAX_VALUE = 60

/** A revision as pages name it: of a long sha, its beginning. */
function shortenRevision(revision: string): string {
  return shorten(shortenShas(revision), MAX_VALUE)
}

/** What a deploy put in place; `undefined` where none is told. */
export function nameRevision(entry: Pick<CitedEntry, 'event_type' | 'new_value' | 'sha'>): string | undefined {
  const revision = toRevision({ eventType: entry.event_type, newValue: entry.new_value, sha: entry.sha })
  return revision === undefined ? undefined : quoteName(shortenRevision(revision))
}

/** The revision that a deploy replaced, where the deploy itself tells. */
export function nameReplaced(entry: NamedChange): string | undefined {
  const replaced = entry.event_type === 'deploy' ? nameRevision({ ...entry, new_value: entry.old_value, sha: null }) : undefined
  return replaced === nameRevision(entry) ? undefined : replaced
}

/** What a deployer says of what runs well, or does not. */
const HEALTHY = /^(?:health:)?healthy$/i
const UNHEALTHY = /^(?:health:)?(?:degraded|missing)$/i
/** How what a deployer tells of is, where that is all it says: a report is no rollout. */
function toReportedHealth(type: EventType, value: string | null): 'well' | 'ill' | undefined {
  if (type !== 'deploy' || value === null) return undefined
  if (HEALTHY.test(value)) return 'well'
  return UNHEALTHY.test(value) ? 'ill' : undefined
}

/** What an event is shown as: of its type, or as what is reported of how somebody is. */
export function toShownKind({ event_type, new_value }: Pick<CitedEntry, 'event_type' | 'new_value'>): EventType | 'well' | 'ill' {
  return toReportedHealth(event_type, new_value) ?? event_type
}

function nameValues({ old_value, new_value }: NamedChange): string {
  const [from, to] = [old_value, new_value].map((value) => (value === null ? undefined : quoteName(shortenRevision(value))))
  if (from === undefined) return to === undefined ? '' : ` to ${to}`
  return ` ${from} → ${to ?? 'nothing'}`
}

const NAMES: Readonly<Record<EventType, (entry: NamedChange, service: string, thing: string) => string>> = {
  deploy: (entry, service) => {
    const health = toReportedHealth('deploy', entry.new_value)
    if (health !== undefined) return `${service} is reported ${health === 'well' ? 'healthy' : 'unhealthy'}`
    const revision = nameRevision(entry)
    return `Deploy${revision === undefined ? '' : ` ${revision}`} to ${service}`
  },
  flag_change: (entry, service, thing) => `Flag ${thing}${nameValues(entry)}${ofService(entry, service)}`,
  config_change: (entry, service, thing) => `Config ${thing}${nameValues(entry)}${ofService(entry, service)}`,
  schema_change: (entry, service, thing) => `Schema change on ${thing}${ofService(entry, service)}`,
  scale_event: (entry, service, thing) => `Scaling of ${thing}${nameValues(entry)}${ofService(entry, service)}`,
  restart: (entry, service, thing) => `Restart of ${thing}${ofService(entry, service)}`,
  saturation: (entry, service, thing) => `Strain of ${thing}${ofService(entry, service)}`,
  circuit_open: (entry, service, thing) => `Open circuit of ${thing}${ofService(entry, service)}`,
  dependency_failure: (entry, service, thing) => `Failure of ${thing}${ofService(entry, service)}`,
}

function ofService({ entity, service: name }: NamedChange, service: string): string {
  return entity === name || entity.startsWith(`${name}-`) ? '' : ` of ${service}`
}

/** What a change is named by. */
export type NamedChange = Pick<CitedEntry, 'event_type' | 'service' | 'entity' | 'old_value' | 'new_value' | 'sha'>

/** A change in a few words, such as "Deploy 1a220982 to payment-service". */
export function nameChange(entry: NamedChange): string {
  return NAMES[entry.event_type](entry, quoteName(entry.service), quoteName(entry.entity))
}

/** Who did it, as words that follow. */
export function byActor({ actor }: Pick<CitedEntry, 'actor'>): string {
  return actor === null ? '' : `, by ${quoteName(actor)}`
}

/** Who told of an event, by the name that people know it by. */
export function nameTeller({ vendor }: Pick<CitedEntry, 'vendor'>): string {
  const type = INTEGRATION_TYPES.find((one) => one === vendor)
  return type === undefined ? quoteName(vendor) : INTEGRATION_WORDS[type].title
}

/** Whom failing calls were to reach: a service, or a host outside. */
export function findCallee(entry: CitedEntry, known: KnownServices): { readonly name: string; readonly isOutside: boolean } | undefined {
  const { service, vendor, event_type, entity, new_value } = entry
  const [callee] = findCallees({ serviceName: service, vendor, eventType: event_type, entity, newValue: new_value }, known)
  if (!callee) return event_type === 'dependency_failure' && isPlace(entry) ? { name: entity, isOutside: false } : undefined
  return callee.kind === 'service' ? { name: callee.name, isOutside: false } : { name: callee.host, isOutside: true }
}

const PORT = /:\d+$/
const PLACE = /^[a-z][a-z0-9-]*(?::\d+)?$/

/** Whether a failure names a place that nobody reports from, such as a store. */
function isPlace({ entity, service, vendor }: CitedEntry): boolean {
  return PLACE.test(entity) && toNameKey(entity.replace(PORT, '')) !== toNameKey(service) && !isObserver(vendor)
}

/** An event in a few words: of a change who made it, too. */
export function tellEntry(entry: CitedEntry, known: KnownServices): string {
  return isChangeType(entry.event_type) ? `${nameChange(entry)}${byActor(entry)}` : tellFailure(entry, known)
}

/** Of an event's values those that the words about it do not have, on one line. */
export function tellRest({ old_value, new_value, sha }: Pick<CitedEntry, 'old_value' | 'new_value' | 'sha'>, words: string): string {
  const isTold = (value: string | null) => value === null || words.includes(shortenShas(value))
  const [oldValue, newValue] = isTold(old_value) && isTold(new_value) ? [null, null] : [old_value, new_value]
  return toChange({ oldValue, newValue, sha: isTold(sha) ? null : sha })
}

const CALL_VERBS: readonly (readonly [RegExp, string])[] = [
  [/timed? ?out|deadline|timeout/i, 'time out'],
  [/refused/i, 'are refused'],
  [/hang up|reset|broken pipe/i, 'are cut off'],
]
const STATUS = /(?<![\d:.])[45]\d\d(?![\d.])/

/** What a symptom shows, in the present tense: since when belongs after it. */
export function tellFailure(entry: CitedEntry, known: KnownServices): string {
  const service = quoteName(entry.service)
  const callee = isCallFailure(entry.event_type) ? findCallee(entry, known) : undefined
  if (callee) return `Calls from ${service} to ${quoteName(callee.name)} ${toCallVerb(entry)}`
  // Reported by whoever called it.
  if (isCallFailure(entry.event_type) && entry.joined_by === 'entity' && !isObserver(entry.vendor))
    return `Calls to ${service} ${toCallVerb(entry)}`
  return `${service} ${SYMPTOMS[entry.event_type]}${toState(entry)}`
}

function toCallVerb({ event_type, new_value }: CitedEntry): string {
  if (event_type === 'circuit_open') return 'are held back by an open circuit'
  const text = new_value ?? ''
  const [, verb] = CALL_VERBS.find(([form]) => form.test(text)) ?? []
  const status = STATUS.exec(text)?.[0]
  return verb ?? (status === undefined ? 'fail' : `answer ${status}`)
}

const SYMPTOMS: Readonly<Record<EventType, string>> = {
  deploy: 'is unhealthy',
  restart: 'restarts',
  saturation: 'is under strain',
  circuit_open: 'has an open circuit',
  dependency_failure: 'reports errors',
  flag_change: 'reports errors',
  config_change: 'reports errors',
  schema_change: 'reports errors',
  scale_event: 'reports errors',
}

function toState({ event_type, new_value }: CitedEntry): string {
  return new_value === null || event_type === 'deploy' ? '' : ` (${quoteName(shorten(new_value, MAX_VALUE))})`
}

const ENGINE_WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bsha=([0-9a-f]{8})[0-9a-f]*/g, '$1'],
  [/\b([0-9a-f]{8})[0-9a-f]{24,56}\b/g, '$1'],
  [/^(.*), which it can explain$/, 'explains that $1'],
  [/ (before|after) (?:the )?onset\b/g, ' $1 the trouble began'],
  [/\bat about the time of (?:the )?onset\b/g, 'at about the time the trouble began'],
  [/\bat (?:the )?onset\b/g, 'when the trouble began'],
]

/** A sentence of the engine's in the words of pages. */
export function toPageWords(sentence: string): string {
  return ENGINE_WORDS.reduce((text, [form, words]) => text.replace(form, words), sentence)
}
