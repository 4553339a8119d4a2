import { field, parseJson } from '../../domain/json.ts'
import type { ReceiverSettings } from '../../domain/receivers/receiver.ts'
import type { FindOutcome, PostOutcome, ReceiverClient } from './client.ts'
import { describeReply, exchange, isSuccess, type Reply, readAfterMs } from './request.ts'

/** PagerDuty's REST API: where it is, and how long one request may take. */
export type PagerDutyApi = { readonly url: string; readonly timeoutMs: number }

/** As whom to speak to PagerDuty: a REST API token and the email address of one of the account's users. */
type PagerDutyAccount = { readonly token: string; readonly from: string }

const ACCEPT = 'application/vnd.pagerduty+json;version=2'
const INCIDENT_REF = /^[\w-]{1,64}$/
const TOKEN = /^[\x21-\x7e]+$/
/** An app's access token: https://developer.pagerduty.com/docs/app-oauth-token */
const OAUTH_TOKEN = /^pd(?:us|eu)\+/
const EMAIL = /^[\x21-\x3f\x41-\x7e]+@[\x21-\x3f\x41-\x7e]+$/

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
  const reply = await send(api, account, incidentRef, body)
  if (!reply) return { kind: 'doubtful', reason: 'PagerDuty gave no answer', afterMs: undefined }
  const { status } = reply
  if (isSuccess(status)) return { kind: 'accepted' }
  if (status === 429) return { kind: 'retry', reason: describe(reply, account), afterMs: toAfterMs(reply) }
  if (isTheirTrouble(status)) return { kind: 'doubtful', reason: describe(reply, account), afterMs: toAfterMs(reply) }
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
  const reply = await send(api, account, incidentRef)
  if (!reply) return { kind: 'retry', reason: 'PagerDuty gave no answer', afterMs: undefined }
  const { status } = reply
  if (status === 429 || isTheirTrouble(status)) return { kind: 'retry', reason: describe(reply, account), afterMs: toAfterMs(reply) }
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

/** Asks for an incident's notes or, with a body, writes one. */
async function send({ url, timeoutMs }: PagerDutyApi, { token, from }: PagerDutyAccount, incidentRef: string, body?: string) {
  const headers = {
    Authorization: OAUTH_TOKEN.test(token) ? `Bearer ${token}` : `Token token=${token}`,
    Accept: ACCEPT,
    From: from,
  }
  return await exchange(`${url}/incidents/${incidentRef}/notes`, { method: body === undefined ? 'GET' : 'POST', headers, body }, timeoutMs)
}

const isTheirTrouble = (status: number): boolean => status >= 500 || status === 408

/** Every answer has a `ratelimit-reset`, in seconds; it is of interest to those who are limited. */
const toAfterMs = (reply: Reply) => readAfterMs(reply, reply.status === 429 ? 'ratelimit-reset' : undefined)

/** PagerDuty's own words, without the token, should it be quoted there. */
function describe(reply: Reply, { token }: PagerDutyAccount): string {
  const { message, errors } = readError(reply.text)
  const words = [message, ...errors].filter((each) => typeof each === 'string' && each !== '').join(': ')
  return describeReply({ ...reply, text: words }, { name: 'PagerDuty', secrets: [token] })
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
