import { toNameKey } from '../event/service-name.ts'
import type { WindowEntry } from '../window/window.ts'
import type { Change, Item, Observation } from './model.ts'
import { isGradual } from './scaling.ts'

/**
 * The services whose failures name a word, by word, each with when one did first; of what stands in quotes in a text of a database each part by itself, in quotes, and
 * a host that answered after slashes: it was found and reached, so that settings which merely list it have nothing to do with that.
 */
export type Mentions = ReadonlyMap<string, ReadonlyMap<string, number>>

/** What ends a sentence or begins an option is no part of it. */
const WORD = /\w[\w.-]{4,126}\w/g
const QUOTED = /["'`]([\w.-]{3,128})["'`]/g
const HOST = /^[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}$/i
/** A status of HTTP, which somebody answered with: after its name or before its words, not a port, a duration or a line. */
const ANSWERED =
  /\b(?:HTTP(?:\/\d(?:\.\d)?)?|status(?: ?code)?|code)\W{0,3}[45]\d\d\b|(?<![:\w.])[45]\d\d (?:Bad|Unauthorized|Payment|Forbidden|Not|Method|Conflict|Gone|Unprocessable|Too|Internal|Service|Gateway)\b|\s[45]\d\d$/i
/** What a database says of the names that it does not know. */
const OF_DATABASE = /\b(?:column|relation|table|constraint|index|view|schema|sql)/i
const MAX_TEXT_LENGTH = 1_024
/** A key that a text names is no plain word: `newPricingEngine`, `resources.limits.memory`, `use-v2`. */
const KEY = /^.{6,}$/s
const DISTINCT = /^.+[A-Z\d_.-].*$/s
/** A key as one makes up for one thing alone: `newPricingEngine`, `use-next-tax`, `ORDERS_POOL_MAX`. Headers, regions, files and classes are called otherwise. */
const UNIQUE = /^(?!x-|.*-\d+$)(?:[a-z][a-z\d]*[A-Z]\w*|[a-z\d]+(?:[-_][a-z\d]+){2,}|[A-Z\d]+(?:_[A-Z\d]+){2,})$/
/** What stands before a key in a list of keys, and after it there or before its value. */
const LISTED = /[,|;[=]\s{0,4}["']?$/
const LABELLED = /^["']?\s{0,4}(?:[=,|;\]}]|:\s{0,4}["']?[\w.%-]{0,64}["']?\s{0,4}(?:[,|;\]}]|$))|^["']\s{0,4}:/
/** Sizes, durations, versions and shares: failures are full of them. */
const NUMBER = /^[\d.]+[a-z%]{0,3}$/i
const ID = /^(?:[\da-f-]+$|\d{4}-\d\d-)/i

export function toMentions(failures: readonly Observation[]): Mentions {
  const mentions = new Map<string, Map<string, number>>()
  for (const { key, entry, firstMs } of failures) {
    const text = entry.newValue?.slice(0, MAX_TEXT_LENGTH) ?? ''
    const isAnswered = ANSWERED.test(text)
    const quoted = [...(OF_DATABASE.test(text) ? text.matchAll(QUOTED) : [])].flatMap(([, name = '']) => name.split('.').map(toQuoted))
    const words = text.match(WORD) ?? []
    for (const word of [...words.map((each) => (isAnswered && HOST.test(each) ? toAnswered(each) : each)), ...quoted]) {
      const services = mentions.get(word)
      if (services) services.set(key, Math.min(firstMs, services.get(key) ?? firstMs))
      else mentions.set(word, new Map([[key, firstMs]]))
    }
  }
  return mentions
}

/** The keys that a text may name, as flags and settings have them: no ids and no dates, which it is full of. */
export function listKeys(text: string): readonly string[] {
  const words = text.slice(0, MAX_TEXT_LENGTH).match(WORD) ?? []
  return words.filter((word) => isKey(word) && !NUMBER.test(word) && !ID.test(word))
}

/** The services whose failures name what a change is about, or what it put in place or took away. */
export function listMentioning({ key, lead: { entry } }: Change, mentions: Mentions): readonly string[] {
  if (mentions.size === 0) return []
  const subjects = listSubjects(entry)
  const services = [...subjects, ...subjects.map(toAnswered), ...listPut(entry)].flatMap((word) => [...(mentions.get(word)?.keys() ?? [])])
  return [...new Set(services)].filter((service) => service !== key).toSorted()
}

/** Whether the failures of a service name what a change put in place or took away. */
export function isPutNamed({ lead: { entry } }: Change, service: string, mentions: Mentions): boolean {
  return mentions.size > 0 && listPut(entry).some((word) => mentions.get(word)?.has(service))
}

/** Whether what fails at a service since a change names the flag or the setting that it is of, which nothing did before and no line bears for itself. */
export function isThingNamed(
  { key, atMs, lead: { entry }, undoes, undoneBy }: Change,
  service: string,
  explained: readonly Item[],
  mentions: Mentions,
): boolean {
  const thing = listSubjects(entry).at(-1)
  const sinceMs = thing === undefined ? undefined : mentions.get(thing)?.get(service)
  if (thing === undefined || sinceMs === undefined || sinceMs < atMs || undoes || undoneBy) return false
  // Settings bear the names of services, which failures name for themselves.
  if ((entry.eventType === 'flag_change' && isGradual(entry)) || !UNIQUE.test(thing) || [key, service].includes(toNameKey(thing)))
    return false
  return explained.some(({ reports, onsetMs }) =>
    reports.some((report) => report.lastMs >= onsetMs && isTold(thing, report.entry.newValue ?? '')),
  )
}

/** Whether a text names a key, not only with its value as every line of some logs does. */
function isTold(key: string, text: string): boolean {
  const parts = text.slice(0, MAX_TEXT_LENGTH).split(key)
  return parts.slice(1).some((after, at) => !LABELLED.test(after) && !LISTED.test(parts[at] ?? ''))
}

/** The key that a flag or a setting has, and what the path to it goes through. */
function listSubjects({ eventType, entity }: WindowEntry): readonly string[] {
  if (eventType === 'flag_change') return [entity].filter(isKey)
  return eventType === 'config_change' ? [...new Set([entity, ...entity.split(/[/:]/)])].filter(isKey) : []
}

/** What a setting names that it did not name before; the names in a migration, as failures quote them. */
function listPut({ eventType, oldValue, newValue }: WindowEntry): readonly string[] {
  const words = newValue?.slice(0, MAX_TEXT_LENGTH).split(/[^\w.-]+/) ?? []
  if (eventType === 'schema_change') return words.filter((word) => word.length > 2 && !NUMBER.test(word)).map(toQuoted)
  if (eventType !== 'config_change') return []
  const before = new Set(oldValue?.slice(0, MAX_TEXT_LENGTH).split(/[^\w.-]+/))
  const put = words.filter((word) => isKey(word) && !NUMBER.test(word) && !before.has(word))
  // One host in another's place is whom calls are sent to; one more is but listed.
  const isInPlace = [...before].some((word) => HOST.test(word) && !words.includes(word))
  return isInPlace ? [...put, ...put.map(toAnswered)] : put
}

function isKey(word: string): boolean {
  return KEY.test(word) && DISTINCT.test(word)
}

function toAnswered(host: string): string {
  return `//${host}`
}

function toQuoted(word: string): string {
  return `"${word}"`
}
