import type { IncidentId } from '../ids.ts'
import type { SecretField, Subscribable } from '../integration-type.ts'
import { type Message, toLines } from '../telling/message.ts'
import { toIsolateEnd } from '../text.ts'

/** What an integration is set up with, its secrets in the clear: as much of it as is set. */
export type ReceiverSettings = {
  /** The account in whose name is written: an e-mail address. */
  readonly from: string | null
  /** Where in the outside system is written, where its address does not say so. */
  readonly channel: string | null
  readonly secrets: Secrets
}

/**
 * What keeps a message from being told twice when nobody knows whether it came through: the receiver is asked for it, it is asked
 * where it lets itself be, it knows a message again by its id, or none of it, and what may be there is not sent again.
 */
export type Repeats = 'asked' | 'asked_if_allowed' | 'known' | 'never'

type Secrets = Readonly<Partial<Record<SecretField, string>>>

/**
 * How a receiver hears what follows an answer, in one line: in the thread of its message, by that message's being edited, in a
 * message of its own, or not at all.
 */
export type Follows = 'thread' | 'edit' | 'message' | 'never'

/** An outside system that answers are told to: what it needs, and in which words it is told. */
export type Receiver = {
  /** Whether it is told of the incidents that came from it, or of all that its integration lets pass. */
  readonly scope: 'own' | 'all'
  /** The secrets that telling takes, and those that the installation makes. */
  readonly secrets: readonly SecretField[]
  /** Whether its integration may name a channel. */
  readonly hasChannels: boolean
  /** What of all there is it can be told, and what it is told when nothing else is said. */
  readonly tells: readonly Subscribable[]
  readonly tellsByDefault: readonly Subscribable[]
  /** Whether only an answer that blames a change is told. */
  readonly needsBlame: boolean
  /** By which of its secrets are set, as is how it follows. */
  readonly repeats: (secrets: Secrets) => Repeats
  readonly follows: (secrets: Secrets) => Follows
  /** What is missing before anything can be told; `undefined`: nothing. */
  readonly findMissing: (settings: ReceiverSettings) => string | undefined
  /** What is sent: a text, or JSON. */
  readonly write: (message: Message, settings: ReceiverSettings) => string
  /** Whether a text that is found there tells that diagnosis. */
  readonly isAbout: (text: string, incidentId: IncidentId, diagnosisNumber: number) => boolean
}

/** What tells of answers. */
export const ANSWERS = ['incident.diagnosed', 'incident.cause_changed'] as const satisfies readonly Subscribable[]

/** What a receiver is told that can be followed up. */
export const FOLLOWED_ANSWERS = [...ANSWERS, 'incident.resolved'] as const satisfies readonly Subscribable[]

/** Of a receiver that hears nothing after an answer. */
export const followsNever = (): Follows => 'never'

/** Of a receiver that nobody asks. */
export const isNeverAbout = (): boolean => false

/** A channel that is set up with an address alone, and that nobody can ask what it was told. */
export const BY_URL = {
  scope: 'all',
  secrets: ['url'],
  hasChannels: false,
  tells: ANSWERS,
  tellsByDefault: ANSWERS,
  needsBlame: false,
  repeats: () => 'never',
  follows: followsNever,
  findMissing: ({ secrets }) => (secrets.url === undefined ? 'url is not set' : undefined),
  isAbout: isNeverAbout,
} as const satisfies Omit<Receiver, 'write'>

/** The beginning of a defanged dot. */
const HALF_DOT = /\[\.?$/

/** At most so many characters, at the end a sign that there were more; nothing that is defanged is cut in two, and a quotation or what is isolated ends. */
export function cut(text: string, maxLength: number): string {
  const characters = Array.from(text)
  if (characters.length <= maxLength && text.length <= maxLength) return text
  const shown = toLength(characters, maxLength - 3).replace(HALF_DOT, '')
  // What is quoted has no such character itself.
  const isOpen = shown.split('"').length % 2 === 0
  return `${shown}…${toIsolateEnd(shown)}${isOpen ? '"' : ''}`
}

/** Events of a timeline, and of one that is too long, what to do being more worth telling. */
export const FEWER_EVENTS = [10, 6, 3, 1, 0]

/** A message's lines within so many characters: first the later events of its timeline give way, at last its end. */
export function toText(message: Message, maxLength: number): string {
  const texts = FEWER_EVENTS.map((events) => toLines(message, events).join('\n'))
  return texts.find((text) => text.length <= maxLength) ?? cut(texts.at(-1) ?? '', maxLength)
}

/** As many whole characters as fit into so many UTF-16 units, which is how the receivers count. */
function toLength(characters: readonly string[], maxLength: number): string {
  let text = ''
  for (const character of characters) {
    if (text.length + character.length > maxLength) break
    text += character
  }
  return text
}
