import type { ChangeText, ContextEvent } from './event.ts'
import { matchesOf } from './matches.ts'
import { findNamedSecrets, type Stretch } from './named-secrets.ts'
import { findCardNumbers, findMailAddresses, findUrlCredentials } from './personal-data.ts'
import { findPlacedSecrets, mayBeEncoded } from './placed-secrets.ts'
import { findSecretsApart } from './prose-secrets.ts'
import { PRIVATE_KEY, SECRET_FORM, SECRET_MARKS } from './secret-formats.ts'
import { classifyName, isSecretValue, RARE_NAME_MARKS } from './secret-names.ts'
import { findTabledSecrets } from './tabled-secrets.ts'
import { mayBeUnfolded, type Unfolded, unfold } from './unfold.ts'

/** What stands where a secret stood. It is no secret, so that redacting twice is redacting once. */
export const REDACTED = '(redacted)'

/** What is kept of what strangers send: with or without the secrets in it, and raw lines or none. */
export type KeepingPolicy = { readonly redacts: boolean; readonly keepsRawLines: boolean }

/** A text about an incident as it is kept: its title, its address, what a page says of its delivery. */
export function toKeptTitle(title: string, policy: KeepingPolicy): string
export function toKeptTitle(title: string | null, policy: KeepingPolicy): string | null
export function toKeptTitle(title: string | null, { redacts }: KeepingPolicy): string | null {
  return title === null || !redacts ? title : redactText(title)
}

/** A name as it is kept, or what else people type: of a service, a team, a key, an environment, an alert; where it is told, and why. */
export function toKeptName(name: string, policy: KeepingPolicy): string
export function toKeptName<Name extends string | null | undefined>(name: Name, policy: KeepingPolicy): string | Exclude<Name, string>
export function toKeptName(name: string | null | undefined, { redacts }: KeepingPolicy): string | null | undefined {
  return name && redacts ? redactCredentials(name) : name
}

const OWN_KEY = /noc_(?:ingest|ro|view)_[1-9A-HJ-NP-Za-km-z]{44}(?![1-9A-HJ-NP-Za-km-z])/g

/** One look at a text decides whether any rule can find something in it. */
const MAY_HOLD_SECRET = new RegExp(
  `@|%40|://|private key|bearer|basic|pass|pwd|secret|token|key|cred|auth|cookie|jwt|sess|connection|webhook|pw\\b|psw|(?:pin|otp|mfa|cv[vc]2?|ssn|sig|dsn|sas|pat|sid|salt|pepper|[cx]srf|codes?)["'\\\\]{0,4}(?:\\s(?:is|was))?\\s{0,4}(?:[=:]|\\s\\d)|signature|verifier|identified|private-lines|:thin:|\\s-[uUpPawk]|-user|from-literal|securestring|sudo|unseal|vault|login|values|sqlplus|rabbitmqctl|\\s>\\S|${RARE_NAME_MARKS}|(?:\\d[ -]?){12}\\d|\\d{4}\\.\\d{4}\\.|/(?:reset|verif|confirm|activat|magic|invit|sign[-_]?in|unsub)|${SECRET_MARKS}`,
  'i',
)

/** One word, shorter than any secret that needs no name before it. */
const SHORT_WORD = /^[\w./-]{0,12}$/

/** How an address begins that has nothing but a host and a path: that it is one is no sign of a secret. */
const PLAIN_ADDRESS = /^https?:\/(?=\/[\w.~/-]+$)/

function mayHoldSecret(text: string): boolean {
  if (SHORT_WORD.test(text)) return false
  return (
    MAY_HOLD_SECRET.test(text.replace(PLAIN_ADDRESS, '')) ||
    mayBeEncoded(text) ||
    (mayBeUnfolded(text) && MAY_HOLD_SECRET.test(unfold(text).text))
  )
}

type Find = (text: string) => readonly Stretch[]

const CREDENTIALS: readonly Find[] = [
  findPrivateKeys,
  findForms,
  findUrlCredentials,
  findNamedSecrets,
  findSecretsApart,
  findTabledSecrets,
  findPlacedSecrets,
]

/** The text with what is secret or personal in it masked: credentials of all kinds, card numbers, e-mail addresses. */
export function redactText(text: string): string {
  if (!mayHoldSecret(text)) return text
  return redactWith(text, [...CREDENTIALS, findMailAddresses, findCardNumbers])
}

/** The text with its credentials masked; addresses and numbers of people stay. */
function redactCredentials(text: string): string {
  if (!mayHoldSecret(text)) return text
  return redactWith(text, CREDENTIALS)
}

/** An actor as others than the tenant's own people may see it: of an e-mail address the first letter and the domain. */
export function maskActor(actor: string): string
export function maskActor(actor: string | null): string | null
export function maskActor(actor: string | null): string | null {
  if (actor === null || !/@|%40/.test(actor)) return actor
  return replace(actor, findMailAddresses(actor), (local) => (local.length > 1 ? `${Array.from(local)[0]}***` : '***'))
}

/** Whether something was masked in this text. */
export function isRedacted(text: string | null): boolean {
  return text?.includes(REDACTED) ?? false
}

type ToldText = Omit<ChangeText, 'eventType' | 'vendor'> & Pick<ContextEvent, 'url' | 'details'>

/** Whether something was masked in an event's text. */
export function isRedactedEvent({ entity, oldValue, newValue, actor, sha, environment, url, details }: ToldText): boolean {
  return [entity, oldValue, newValue, actor, sha, environment, url, details && JSON.stringify(details)].some(isRedacted)
}

/** Texts in the form of our own API keys; whether they are, their checksum tells. */
export function findOwnKeys(text: string): readonly string[] {
  return text.includes('noc_') ? (text.match(OWN_KEY) ?? []) : []
}

type EventText = Pick<ContextEvent, 'serviceName' | 'vendor' | 'entity' | 'eventType' | 'oldValue' | 'newValue' | 'actor' | 'sha'>

/** An event with its secrets masked. A change of a thing whose very name is a secret's has secrets for values. */
export function redactEvent<Event extends EventText>(event: Event): Event {
  const kind = event.eventType === 'config_change' ? classifyName(lastOf(event.entity)) : 'none'
  const redactValue = (value: string | null) => {
    if (value === null) return null
    return kind !== 'none' && isSecretValue(value.trim(), kind, false) ? REDACTED : redactText(value)
  }
  return {
    ...event,
    serviceName: redactCredentials(event.serviceName),
    vendor: redactCredentials(event.vendor),
    entity: redactText(event.entity),
    oldValue: redactValue(event.oldValue),
    newValue: redactValue(event.newValue),
    actor: event.actor === null ? null : redactCredentials(event.actor),
    sha: event.sha === null ? null : redactText(event.sha),
  }
}

function lastOf(path: string): string {
  const [name = ''] = path.trim().split(/\s(?:[([]|(?:in|on|of|for|at)\s)/)
  return name.trimEnd().split(/[/\s]/).at(-1) ?? ''
}

/** How often a masked text is looked at again: what stood beside a secret may look like another without it. */
const MAX_LOOKS = 4

function redactWith(text: string, finds: readonly Find[], looks = MAX_LOOKS): string {
  let read = readThrough(text)
  for (const find of finds) {
    const stretches = findThrough(read, find)
    if (stretches.length > 0) read = readThrough(replace(read.text, stretches, () => REDACTED))
  }
  const masked = read.text
  return masked === text || looks === 1 ? masked : redactWith(masked, finds, looks - 1)
}

/** A text as it is, and as it reads to whoever decodes it, where that is something else. */
type Read = { readonly text: string; readonly unfolded: Unfolded | undefined }

function readThrough(text: string): Read {
  return { text, unfolded: mayBeUnfolded(text) ? unfold(text) : undefined }
}

function findThrough({ text, unfolded }: Read, find: Find): readonly Stretch[] {
  if (!unfolded || unfolded.text === text) return find(text)
  const { places } = unfolded
  const through = find(unfolded.text).map(([start, end]): Stretch => [places[start] ?? 0, places[end] ?? text.length])
  return [...find(text), ...through]
}

function replace(text: string, stretches: readonly Stretch[], mask: (hidden: string) => string): string {
  if (stretches.length === 0) return text
  const parts: string[] = []
  let at = 0
  for (const [start, end] of [...stretches].sort(([a], [b]) => a - b)) {
    if (start < at) continue
    parts.push(text.slice(at, start), mask(text.slice(start, end)))
    at = end
  }
  return parts.join('') + text.slice(at)
}

function findForms(text: string): readonly Stretch[] {
  return matchesOf(text, SECRET_FORM).map(({ index, 0: secret }): Stretch => [index, index + secret.length])
}

function findPrivateKeys(text: string): readonly Stretch[] {
  return matchesOf(text, PRIVATE_KEY).map(({ index, 0: key }): Stretch => [index, index + key.length])
}
