import { SUBSCRIBABLE } from '../integration-type.ts'
import type { AnswerParts, Message } from '../telling/message.ts'
import { FEWER_EVENTS, isNeverAbout, type Receiver, type ReceiverSettings } from './receiver.ts'

/**
 * Whoever takes Standard Webhooks (https://www.standardwebhooks.com): `{type, timestamp, data}`, signed. The same message has
 * the same id however often it is sent, by which its receiver knows it again.
 */
export const webhook: Receiver = {
  scope: 'all',
  secrets: ['url', 'signing_secret', 'earlier_signing_secrets'],
  hasChannels: false,
  tells: SUBSCRIBABLE,
  tellsByDefault: SUBSCRIBABLE,
  needsBlame: false,
  repeats: () => 'known',
  follows: () => 'message',
  findMissing: ({ secrets }) => (secrets.url === undefined ? 'url is not set' : undefined),
  write: writeWebhook,
  isAbout: isNeverAbout,
}

const MAX_BYTES = 20_000

/** Within what is said that such a message has at most: the later events of its timeline give way. */
function writeWebhook(message: Message): string {
  const bodies = FEWER_EVENTS.map((events) => JSON.stringify(toBody(message, events)))
  return bodies.find((body) => new TextEncoder().encode(body).length <= MAX_BYTES) ?? bodies.at(-1) ?? ''
}

function toBody(message: Message, events: number) {
  const { type, at, incidentId, service, title, broke, triggeredAt, resolvedAt, answer, verdict, pageUrl, verdictUrls } = message
  return {
    type,
    timestamp: at.toISOString(),
    data: {
      incident: {
        id: incidentId,
        service,
        title,
        what_broke: broke,
        triggered_at: triggeredAt.toISOString(),
        resolved_at: resolvedAt?.toISOString() ?? null,
        url: pageUrl,
      },
      answer: answer && toAnswerData(answer, events),
      ...(type === 'incident.verdict' && { verdict }),
      ...(verdictUrls && { confirm_url: verdictUrls.confirm, reject_url: verdictUrls.reject }),
    },
  }
}

function toAnswerData(answer: AnswerParts, events: number) {
  const { number, headline, confidence, assessment, was, timeline, moreEvents, action, ruledOut, cost, blamed } = answer
  const evidence = timeline.slice(0, events)
  return {
    number,
    hypothesis: headline,
    confidence,
    assessment,
    was,
    evidence,
    more_events: moreEvents + timeline.length - evidence.length,
    recommended_action: action,
    ruled_out: ruledOut,
    blamed: blamed && { service: blamed.service, at: blamed.at.toISOString() },
    cost,
  }
}

/** For how long messages are signed with a secret, too, that another took the place of. */
const OVERLAP_MS = 86_400_000
const MAX_EARLIER = 4

/**
 * What earlier secrets are kept as, `replaced` the latest of them: each with when it signs no more, in milliseconds, `@` between,
 * and a space before the next. Several, for whoever rotates again, not having got the answer, has told nobody of the last.
 */
export function keepEarlier(earlier: string | undefined, replaced: string, now: Date): string {
  const still = toEarlier(earlier, now).map(({ secret, untilMs }) => `${secret}@${untilMs}`)
  return [`${replaced}@${now.getTime() + OVERLAP_MS}`, ...still].slice(0, MAX_EARLIER).join(' ')
}

function toEarlier(text: string | undefined, now: Date) {
  return (text ?? '')
    .split(' ')
    .map((each) => each.split('@'))
    .map(([secret = '', until]) => ({ secret, untilMs: Number(until) }))
    .filter(({ untilMs }) => untilMs > now.getTime())
}

/** A signature by the secret and by each earlier one that still signs, as receivers expect of a sender that changes its secret. */
export async function signWithAll(
  { signing_secret: secret, earlier_signing_secrets: earlier }: ReceiverSettings['secrets'],
  id: string,
  at: Date,
  body: string,
): Promise<string> {
  const secrets = [secret ?? '', ...toEarlier(earlier, at).map((each) => each.secret)]
  return (await Promise.all(secrets.map((each) => signWebhook(each, id, Math.floor(at.getTime() / 1_000), body)))).join(' ')
}

/** What is signed, and how: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
async function signWebhook(secret: string, id: string, seconds: number, body: string): Promise<string> {
  const raw = Uint8Array.from(atob(secret.replace(/^whsec_/, '')), (character) => character.charCodeAt(0))
  const key = await crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const signed = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(`${id}.${seconds}.${body}`))
  return `v1,${btoa(String.fromCharCode(...new Uint8Array(signed)))}`
}

const SECRET_BYTES = 32

/** A new secret to sign with: `whsec_` and 32 random bytes in base64. */
export function createSigningSecret(randomBytes: (length: number) => Uint8Array): string {
  return `whsec_${btoa(String.fromCharCode(...randomBytes(SECRET_BYTES)))}`
}
