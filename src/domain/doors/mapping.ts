import { MAX_ENVIRONMENT_LENGTH, toEnvironment, toEnvironmentKey } from '../event/environment.ts'
import { type EventDetails, type EventType, MAX_DETAILS_BYTES } from '../event/event.ts'
import { toPrintable } from '../text.ts'
import type { AlertAction, DoorAlert, DoorSettings, SentEvent, Signals } from './door.ts'
import { listAt, nameAt, toName, toText, toUrl } from './reading.ts'

/** What most doors have: JSON of at most 1 MiB; a rate limit is a 503, which senders that give up on 429 send again. */
export const USUAL = { mediaTypes: ['json'], maxBytes: 1_048_576, whenBusy: 503 } as const

/** How long a change, and how long a symptom is news. */
export const CHANGE_TTL_SECONDS = 7_200
export const SYMPTOM_TTL_SECONDS = 1_800

/** The sender states the fact; we read it out of a summary, a workflow's name, a release or an evaluation, a push. */
export const CONFIDENCE = { stated: 0.95, summary: 0.85, workflow: 0.7, release: 0.6, update: 0.5, push: 0.4 } as const

const MAX_ALERTS = 50
const MAX_REASON_LENGTH = 80
const MAX_TITLE_LENGTH = 200
const PRODUCTION = /^(?:prod|production|prd|live)\b/i
/** An alert is not lost for a number behind it: here `prod1` is production, too. */
const PRODUCTION_LIKE = /^(?:prod|production|prd|live)(?![a-z])/i

/** Nothing but the reason, at most 80 characters. */
export function ignore(reason: string): Signals {
  return { events: [], alerts: [], ignored: toReason(reason) }
}

/** A delivery that no reading of it makes sense of, and why, at most 80 characters. */
export function invalid(reason: string): Signals {
  return { events: [], alerts: [], invalid: toReason(reason) }
}

/** As many alerts as one statement takes, and the reason for the rest. */
export function takeAlerts(alerts: readonly DoorAlert[]): { readonly alerts: readonly DoorAlert[]; readonly left: readonly string[] } {
  const beyond = alerts.length - MAX_ALERTS
  return { alerts: alerts.slice(0, MAX_ALERTS), left: beyond > 0 ? [`${beyond} alerts beyond the ${MAX_ALERTS} of one delivery`] : [] }
}

export function toReason(reason: string): string {
  return toText(toPrintable(reason.slice(0, 4 * MAX_REASON_LENGTH)), MAX_REASON_LENGTH) ?? 'nothing to read'
}

/** The service that `service_map` names for one of the sender's own names, the first that it knows. */
export function mappedService({ serviceMap }: DoorSettings, keys: readonly (string | undefined)[]): string | undefined {
  for (const key of keys) {
    const mapped = key !== undefined && Object.hasOwn(serviceMap, key) ? toName(serviceMap[key]) : undefined
    if (mapped !== undefined) return mapped
  }
  return undefined
}

/** `service_map` of one of the keys, else the integration's own service, else the last path part of the sender's name. */
export function toService(settings: DoorSettings, keys: readonly (string | undefined)[], own: string | undefined): string | undefined {
  return mappedService(settings, keys) ?? toName(settings.service) ?? lastPart(own)
}

/** The first service that an incident or a change lists, by its id or its name. */
export function firstService(
  settings: DoorSettings,
  listing: unknown,
): { readonly named: string | undefined; readonly service: string | undefined } {
  const named = nameAt(listing, 'services', 0, 'name')
  return { named, service: toService(settings, [nameAt(listing, 'services', 0, 'id'), named], named) }
}

const lastPart = (name: string | undefined) => name?.split('/').findLast((part) => part.trim() !== '')

/** An environment that is let in, as an event carries it (production's spellings are one), or why it is not. */
export type EnvironmentVerdict = { readonly environment?: string } | { readonly ignored: string }

/**
 * Judges the environment a sender told. Production passes: by the sender's own mark where it has one, else by the
 * name; `settings.environments` lists what passes instead, and means the same by production; what tells no environment passes.
 */
export function judgeEnvironment(settings: DoorSettings, told: unknown, isMarked?: boolean): EnvironmentVerdict {
  const name = toText(told, MAX_ENVIRONMENT_LENGTH)
  if (name === undefined) return isMarked === false && !settings.environments ? { ignored: 'environment not production' } : {}
  const isProduction = isMarked ?? PRODUCTION.test(name)
  const kept = isProduction ? 'production' : (toEnvironment(name) ?? name)
  const keys = [name, kept].map(toEnvironmentKey)
  const isLetIn = settings.environments?.some((one) => keys.includes(toEnvironmentKey(one))) ?? isProduction
  const but = isMarked === false && PRODUCTION.test(name) ? ', which is marked as another' : ''
  if (!isLetIn) return { ignored: toReason(`environment ${name}${but}`) }
  return { environment: kept }
}

/** Judges the environment of an alert, which opens an incident of its own there. */
export function judgeAlertEnvironment(settings: DoorSettings, told: unknown): EnvironmentVerdict {
  return judgeEnvironment(settings, told, PRODUCTION_LIKE.test(toText(told, MAX_ENVIRONMENT_LENGTH) ?? '') || undefined)
}

/** Judges several environments that one thing concerns: it passes with the first that does. */
export function judgeAny(judge: typeof judgeEnvironment, settings: DoorSettings, told: readonly unknown[]): EnvironmentVerdict {
  const verdicts = told.map((one) => judge(settings, one))
  return verdicts.find((verdict) => !('ignored' in verdict)) ?? verdicts[0] ?? {}
}

/** The names of what an incident or a change lists. */
export function namesIn(listing: unknown, field: string): readonly string[] {
  return listAt(listing, field).flatMap((one) => nameAt(one, 'name') ?? [])
}

export type EventFacts = {
  readonly service: string
  readonly vendor: string
  readonly entity?: string | undefined
  readonly type: EventType
  readonly old?: unknown
  readonly new?: unknown
  readonly actor?: unknown
  readonly sha?: unknown
  readonly confidence: number
  readonly ttlSeconds?: number
  /** What `toInstant` made of the sender's time. */
  readonly at?: string | undefined
  readonly environment?: string | undefined
  readonly url?: unknown
  readonly details?: EventDetails | undefined
}

/** An event of the wire's shape; names cut, blank fields left out, times and addresses only if they are some. */
export function toEvent(facts: EventFacts): SentEvent {
  const optional = {
    old_value: toText(facts.old),
    new_value: toText(facts.new),
    actor: toName(facts.actor),
    sha: toName(facts.sha),
    timestamp: facts.at,
    environment: facts.environment,
    url: toUrl(facts.url),
    details: facts.details && toDetails(facts.details),
  }
  return {
    service_name: toName(facts.service) ?? 'unknown',
    vendor: toName(facts.vendor) ?? 'unknown',
    entity: facts.entity ?? toName(facts.service) ?? 'unknown',
    event_type: facts.type,
    confidence: facts.confidence,
    ttl_seconds: facts.ttlSeconds ?? CHANGE_TTL_SECONDS,
    ...present(optional),
  }
}

/** The one event that a delivery tells of; nothing where its environment is not let in. */
export function oneEvent(
  { environment = {}, ...facts }: Omit<EventFacts, 'environment'> & { readonly environment?: EnvironmentVerdict },
  idempotencyKey?: string,
): Signals {
  if ('ignored' in environment) return ignore(environment.ignored)
  return { events: [toEvent({ ...facts, ...environment })], alerts: [], ...present({ idempotencyKey }) }
}

export type AlertFacts = {
  readonly action: AlertAction
  readonly key: string
  /** Without one, the key is what there is to tell. */
  readonly title: string | undefined
  readonly service?: string | undefined
  readonly url?: unknown
  /** What `toInstant` made of the sender's time. */
  readonly at?: string | undefined
  readonly sentAt?: string | undefined
  readonly environment?: EnvironmentVerdict
}

/** The one alert that a delivery tells of; nothing where its environment is not let in. */
export function oneAlert({ action, key, title = key, service, url, at, sentAt, environment = {} }: AlertFacts): Signals {
  if ('ignored' in environment) return ignore(environment.ignored)
  return { events: [], alerts: [{ action, key, title, ...present({ service, url: toUrl(url), at, sentAt }), ...environment }] }
}

type Present<Fields> = { readonly [Name in keyof Fields]?: Exclude<Fields[Name], undefined> }

/** The fields that have a value. */
export function present<Fields extends object>(fields: Fields): Present<Fields> {
  const kept: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) kept[name] = value
  // Only fields without a value are gone, which is what the type says.
  return kept as Present<Fields>
}

function toDetails({ title, files = [], keys = [] }: EventDetails): EventDetails | undefined {
  const details = present({ title, files: files.length > 0 ? files : undefined, keys: keys.length > 0 ? keys : undefined })
  if (Object.keys(details).length === 0) return undefined
  if (new TextEncoder().encode(JSON.stringify(details)).byteLength <= MAX_DETAILS_BYTES) return details
  return files.length + keys.length === 0 ? undefined : toDetails({ ...present({ title }), files: halve(files), keys: halve(keys) })
}

const halve = (list: readonly string[]) => list.slice(0, Math.floor(list.length / 2))

/**
 * The values of a deploy: previous and new revision where both are told and it went well (crossed values show a
 * revert), else what became of it.
 */
export function toDeployValues(outcome: string, previous: string | undefined, revision: string | undefined) {
  return outcome === 'succeeded' && previous !== undefined && revision !== undefined && previous !== revision
    ? { old: previous, new: revision, sha: revision }
    : { new: outcome, sha: revision }
}

const REVISION = /[^/:@]+$/

/** The end of a revision that tells its branch or hash, too: `main/3f9c`, `main@sha1:3f9c`. */
export function toRevisionEnd(text: string | undefined): string | undefined {
  return text === undefined ? undefined : (REVISION.exec(text)?.[0] ?? text)
}

/** The tag or digest of a container image; `undefined` without either. */
export function toImageVersion(image: string | undefined): string | undefined {
  const name = image?.split('/').at(-1) ?? ''
  const [, digest] = name.split('@')
  return digest ?? name.split(':')[1]
}

/** The first line of a text, as a change's title. */
export function toTitle(text: string | undefined): EventDetails | undefined {
  const title = toText(text?.split('\n', 1)[0], MAX_TITLE_LENGTH)
  return title === undefined ? undefined : { title }
}
