import { readBoundedText } from '../../bounded-body.ts'
import { type AddressRules, findFaultOfAddress } from '../../domain/receivers/address.ts'
import type { PostOutcome } from './client.ts'

/** Which addresses may be sent to, and how long one request may take. */
export type Network = AddressRules & { readonly timeoutMs: number }

export type Reply = { readonly status: number; readonly headers: Headers; readonly text: string }

export type Sent =
  | { readonly kind: 'replied'; readonly reply: Reply }
  | { readonly kind: 'refused'; readonly reason: string }
  /** The request may have been taken all the same. */
  | { readonly kind: 'silence' }

type Request = {
  readonly method: 'GET' | 'POST' | 'PATCH'
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
}

/** The longest reply that is read: the list of an incident's notes. */
const MAX_REPLY_BYTES = 1_048_576
const MAX_AFTER_MS = 3_600_000
const MAX_REASON_LENGTH = 200
const UNPRINTABLE = /[^\x20-\x7e]+/g

/** Sends one request of JSON to an address that somebody configured. It is checked each time, and no redirect is followed. */
export async function sendJson(network: Network, url: string, { method, headers, body }: Request): Promise<Sent> {
  const fault = findFaultOfAddress(url, network)
  if (fault !== undefined) return { kind: 'refused', reason: fault }
  const reply = await exchange(url, { method, headers, body }, network.timeoutMs)
  return reply ? { kind: 'replied', reply } : { kind: 'silence' }
}

/** Sends one request of JSON to an address of the operator's. `undefined`: there was no answer, and it may have been taken. */
export async function exchange(url: string, { method, headers, body }: Request, timeoutMs: number): Promise<Reply | undefined> {
  try {
    const response = await fetch(url, {
      method,
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), 'User-Agent': 'Noctuary', ...headers },
      ...(body === undefined ? {} : { body }),
      // A redirect would take what is told, and whoever's token, to who knows where.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    })
    // What a reply says matters less than that it came: a body that breaks off, or has no end, is an empty one.
    const text = await readBoundedText(response, MAX_REPLY_BYTES).catch(() => undefined)
    return { status: response.status, headers: response.headers, text: text ?? '' }
  } catch {
    return undefined
  }
}

/** How a receiver is called, and what must not be quoted of its replies. */
export type Party = { readonly name: string; readonly secrets: readonly (string | undefined)[] }

export const isSuccess = (status: number): boolean => status >= 200 && status < 300

/** What became of a message, as HTTP has it: trouble of theirs is worth another try, anything else is a refusal. */
export function toOutcome(sent: Sent, party: Party): PostOutcome {
  if (sent.kind === 'refused') return sent
  if (sent.kind === 'silence') return { kind: 'doubtful', reason: `${party.name} gave no answer`, afterMs: undefined }
  const { reply } = sent
  if (isSuccess(reply.status)) return { kind: 'accepted' }
  const reason = describeReply(reply, party)
  if (reply.status === 429 || reply.status === 408 || reply.status === 425 || reply.status >= 500) {
    return { kind: 'retry', reason, afterMs: readAfterMs(reply) }
  }
  return { kind: 'refused', reason, isGone: reply.status === 410 }
}

/** When to ask again, in milliseconds, of `Retry-After` or, without it, another header in seconds. */
export function readAfterMs({ headers }: Reply, otherHeader?: string): number | undefined {
  const other = otherHeader === undefined ? null : headers.get(otherHeader)
  const seconds = Number(headers.get('Retry-After') ?? other ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, MAX_AFTER_MS) : undefined
}

/** A reply in its own words, shortened, printable and without secrets, should any be quoted there. */
export function describeReply({ status, text }: Reply, { name, secrets }: Party): string {
  const safe = secrets
    .reduce<string>((words, secret) => (secret === undefined || secret === '' ? words : words.replaceAll(secret, '********')), text)
    .replace(UNPRINTABLE, ' ')
    .slice(0, MAX_REASON_LENGTH)
    .trim()
  return safe === '' ? `${name} answered ${status}` : `${name} answered ${status}: ${safe}`
}
