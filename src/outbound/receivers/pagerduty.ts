import { readBoundedText } from '../../bounded-body.ts'
import { field, parseJson } from '../../domain/json.ts'
import type { ReceiverSettings } from '../../domain/receivers/receiver.ts'
import type { FindOutcome, PostOutcome, ReceiverClient } from './client.ts'

/** PagerDuty's REST API: where it is, and how long one request may take. */
export type PagerDutyApi = { readonly url: string; readonly timeoutMs: number }

/** As whom to speak to PagerDuty: a REST API token and the email address of one of the account's users. */
type PagerDutyAccount = { readonly token: string; readonly from: string }

type Request = { readonly method: 'GET' | 'POST'; readonly body?: string }

type Reply = { readonly status: number; readonly afterMs: number | undefined; readonly text: string }

const ACCEPT = 'application/vnd.pagerduty+json;version=2'
const INCIDENT_REF = /^[\w-]{1,64}$/
const TOKEN = /^[\x21-\x7e]+$/
/** An app's access token: https://developer.pagerduty.com/docs/app-oauth-token */
const OAUTH_TOKEN = /^pd(?:us|eu)\+/
const EMAIL = /^[\x21-\x3f\x41-\x7e]+@[\x21-\x3f\x41-\x7e]+$/
const UNPRINTABLE = /[^\x20-\x7e]+/g
const MAX_REASON_LENGTH = 200
const MAX_AFTER_MS = 3_600_000
/** An incident's notes are the longest reply. */
const MAX_REPLY_BYTES = 1_048_576

/** A client that writes notes on PagerDuty's incidents. */
export function createPagerDuty(api: PagerDutyApi): ReceiverClient {
  return {
    post: (settings, { incidentRef, body }) => postNote(api, toAccount(settings), incidentRef, body),
    find: (settings, { incidentRef }, isOurs) => findNote(api, toAccount(settings), incidentRef, isOurs),
  }
}

/** What is not set is refused like what cannot be sent. */
function toAccount({ from, secrets }: ReceiverSettings): PagerDutyAccount {
  return { token: secrets.pagerduty_token ?? '', from: from ?? '' }
}

async function postNote(api: PagerDutyApi, account: PagerDutyAccount, incidentRef: string, content: string): Promise<PostOutcome> {
  const unsendable = checkSendable(account, incidentRef)
  if (unsendable !== undefined) return { kind: 'refused', reason: unsendable }
  const body = JSON.stringify({ note: { content } })
  const reply = await send(api, account, incidentRef, { method: 'POST', body })
  if (!reply) return { kind: 'doubtful', reason: 'PagerDuty gave no answer', afterMs: undefined }
  const { status, afterMs } = reply
  if (isSuccess(status)) return { kind: 'accepted' }
  if (status === 429) return { kind: 'retry', reason: describe(reply, account), afterMs }
  if (isTheirTrouble(status)) return { kind: 'doubtful', reason: describe(reply, account), afterMs }
  return { kind: 'refused', reason: describe(reply, account) }
}

async function findNote(
  api: PagerDutyApi,
  account: PagerDutyAccount,
  incidentRef: string,
  isOurs: (content: string) => boolean,
): Promise<FindOutcome> {
  const unsendable = checkSendable(account, incidentRef)
  if (unsendable !== undefined) return { kind: 'refused', reason: unsendable }
  const reply = await send(api, account, incidentRef, { method: 'GET' })
  if (!reply) return { kind: 'retry', reason: 'PagerDuty gave no answer', afterMs: undefined }
  const { status, afterMs } = reply
  if (status === 429 || isTheirTrouble(status)) return { kind: 'retry', reason: describe(reply, account), afterMs }
  if (!isSuccess(status)) return { kind: 'refused', reason: describe(reply, account) }
  const contents = readContents(reply.text)
  if (!contents) return { kind: 'retry', reason: 'PagerDuty listed no notes that can be read', afterMs: undefined }
  return { kind: contents.some(isOurs) ? 'found' : 'absent' }
}

function checkSendable({ token, from }: PagerDutyAccount, incidentRef: string): string | undefined {
  if (!TOKEN.test(token)) return 'the pagerduty_token is no PagerDuty token'
  if (!EMAIL.test(from)) return 'the pagerduty_from is no email address'
  return INCIDENT_REF.test(incidentRef) ? undefined : 'the incident has no PagerDuty id'
}

async function send(
  { url, timeoutMs }: PagerDutyApi,
  { token, from }: PagerDutyAccount,
  incidentRef: string,
  { method, body }: Request,
): Promise<Reply | undefined> {
  try {
    const response = await fetch(`${url}/incidents/${incidentRef}/notes`, {
      method,
      headers: {
        Authorization: OAUTH_TOKEN.test(token) ? `Bearer ${token}` : `Token token=${token}`,
        Accept: ACCEPT,
        From: from,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      // A redirect would take the token to who knows where.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    })
    // What a reply says matters less than that it came: a body that breaks off, or has no end, is an empty one.
    const text = await readBoundedText(response, MAX_REPLY_BYTES).catch(() => undefined)
    return { status: response.status, afterMs: readAfterMs(response), text: text ?? '' }
  } catch {
    return undefined
  }
}

const isSuccess = (status: number): boolean => status >= 200 && status < 300

const isTheirTrouble = (status: number): boolean => status >= 500 || status === 408

/** Every answer has a `ratelimit-reset`, in seconds; it is of interest to those who are limited. */
function readAfterMs({ status, headers }: Response): number | undefined {
  const reset = status === 429 ? headers.get('ratelimit-reset') : null
  const seconds = Number(headers.get('Retry-After') ?? reset ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, MAX_AFTER_MS) : undefined
}

/** PagerDuty's own words, shortened, printable and without the token, should it be quoted there. */
function describe({ status, text }: Reply, { token }: PagerDutyAccount): string {
  const { message, errors } = readError(text)
  const words = [message, ...errors].filter((each) => typeof each === 'string' && each !== '').join(': ')
  const safe = words.replaceAll(token, '********').replace(UNPRINTABLE, ' ').slice(0, MAX_REASON_LENGTH)
  return safe === '' ? `PagerDuty answered ${status}` : `PagerDuty answered ${status}: ${safe}`
}

function readError(text: string): { readonly message: unknown; readonly errors: readonly unknown[] } {
  const error = field(parseJson(text), 'error')
  const errors = field(error, 'errors')
  return { message: field(error, 'message'), errors: Array.isArray(errors) ? errors : [] }
}

function readContents(text: string): readonly string[] | undefined {
  const notes = field(parseJson(text), 'notes')
  if (!Array.isArray(notes)) return undefined
  return notes.map((note) => field(note, 'content')).filter((content) => typeof content === 'string')
}
