import { field, parseJson } from '../../domain/json.ts'
import { cannotFind, type FindOutcome, type Letter, type PostOutcome, type ReceiverClient } from './client.ts'
import { isSuccess, type Network, readAfterMs, type Sent, sendJson, toOutcome } from './request.ts'

/** Slack's Web API: where it is. */
export type SlackApi = { readonly url: string }

/** Errors of the Web API that another try may get past: https://docs.slack.dev/reference/methods/chat.postMessage#errors */
const PASSING = new Set(['ratelimited', 'rate_limited', 'service_unavailable', 'internal_error', 'fatal_error', 'request_timeout'])
const TIMESTAMP = /^\d+\.\d+$/

/** Writes to Slack: by an incoming webhook, or by a bot's token, which can edit and thread. */
export function createSlack(network: Network, api: SlackApi): ReceiverClient {
  return {
    post: async ({ secrets }, letter) => {
      if (secrets.bot_token !== undefined) return await postAsBot(network, api, secrets.bot_token, letter)
      const { url = '' } = secrets
      return toOutcome(await sendJson(network, url, { method: 'POST', body: letter.body }), { name: 'Slack', secrets: [url] })
    },
    find: async ({ secrets: { bot_token: token }, channel }, letter) =>
      token === undefined ? await cannotFind() : await findAsBot(network, api, token, channel ?? '', letter),
  }
}

async function postAsBot(network: Network, { url }: SlackApi, token: string, letter: Letter): Promise<PostOutcome> {
  const { id, answerRef, isFollowUp, body } = letter
  const call = async (method: string, more: Readonly<Record<string, unknown>>): Promise<PostOutcome> => {
    // An object, as `write` made it.
    const json = JSON.stringify({ ...(JSON.parse(body) as object), ...more })
    return toBotOutcome(await sendJson(network, `${url}/${method}`, { method: 'POST', headers: toHeaders(token), body: json }), token)
  }
  const told = toPlace(answerRef)
  // By which it is found: https://docs.slack.dev/messaging/message-metadata
  const metadata = { event_type: 'noctuary_message', event_payload: { id } }
  const post = (where: object) => call('chat.postMessage', { metadata, ...where })
  if (!told) return await post({})
  if (isFollowUp) return await post({ channel: told.channel, thread_ts: told.ts })
  const edited = await call('chat.update', told)
  if (edited.kind !== 'refused' || !UNEDITABLE.test(edited.reason)) return edited
  const isGone = edited.reason.endsWith(GONE)
  const found = await findAsBot(network, { url }, token, told.channel, { ...letter, answerRef: isGone ? null : answerRef })
  if (found.kind === 'found') return { kind: 'accepted', ...(isGone && found.ref !== undefined && { ref: found.ref }) }
  if (found.kind === 'retry') return found
  if (isGone) return await post({ channel: told.channel })
  const replied = await post({ channel: told.channel, thread_ts: told.ts, reply_broadcast: true })
  // What comes later hangs on the first message, not on a reply.
  return replied.kind === 'accepted' ? { kind: 'accepted' } : replied
}

const GONE = 'message_not_found'
/** Refusals of an edit after which the changed answer is told in the thread and shown in the channel or, without that message, anew. */
const UNEDITABLE = /(?:edit_window_closed|cant_update_message|message_not_found)$/

/** Where the message with an answer is. */
function toPlace(answerRef: Letter['answerRef']): { readonly channel: string; readonly ts: string } | undefined {
  const [channel, ts] = (answerRef ?? '').split('/')
  return channel !== undefined && ts !== undefined ? { channel, ts } : undefined
}

const PAGE_SIZE = 100
const MAX_PAGES = 5
/** Slack's clock and ours may differ by that. */
const SKEW_SECONDS = 300

/**
 * Looks for a message in its thread or, since there was something to tell, in its channel; which takes a token with
 * `channels:history`, or `groups:history`: https://docs.slack.dev/reference/methods/conversations.history
 */
async function findAsBot(network: Network, { url }: SlackApi, token: string, channel: string, letter: Letter): Promise<FindOutcome> {
  const thread = toPlace(letter.answerRef)
  const where = thread ?? { channel, oldest: String(Math.floor(letter.since.getTime() / 1_000) - SKEW_SECONDS) }
  const address = `${url}/conversations.${thread ? 'replies' : 'history'}?`
  let cursor = ''
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const query = new URLSearchParams({ ...where, include_all_metadata: 'true', limit: String(PAGE_SIZE), cursor })
    const read = readPage(await sendJson(network, address + query, { method: 'GET', headers: toHeaders(token) }), token)
    if ('kind' in read) return read
    const found = read.messages.find((message) => field(field(field(message, 'metadata'), 'event_payload'), 'id') === letter.id)
    if (found !== undefined) return { kind: 'found', ref: `${where.channel}/${String(field(found, 'ts'))}` }
    if (read.next === '') return { kind: 'absent' }
    cursor = read.next
  }
  return { kind: 'refused', reason: 'there are too many messages since' }
}

/** A page of messages, or why there is none. */
function readPage(sent: Sent, token: string): { readonly messages: readonly unknown[]; readonly next: string } | FindOutcome {
  const outcome = toBotOutcome(sent, token)
  if (outcome.kind === 'refused') return outcome
  if (outcome.kind !== 'accepted') return { ...outcome, kind: 'retry' }
  const answer = sent.kind === 'replied' ? parseJson(sent.reply.text) : undefined
  const [messages, next] = [field(answer, 'messages'), field(field(answer, 'response_metadata'), 'next_cursor')]
  if (!Array.isArray(messages)) return { kind: 'retry', reason: 'Slack listed no messages that can be read', afterMs: undefined }
  return { messages, next: typeof next === 'string' ? next : '' }
}

const toHeaders = (token: string) => ({ Authorization: `Bearer ${token}` })

/** The Web API answers 200 to what it refuses, too. */
function toBotOutcome(sent: Sent, token: string): PostOutcome {
  const outcome = toOutcome(sent, { name: 'Slack', secrets: [token] })
  if (sent.kind !== 'replied' || !isSuccess(sent.reply.status)) return outcome
  const answer = parseJson(sent.reply.text)
  const [ts, channel] = [field(answer, 'ts'), field(answer, 'channel')]
  if (field(answer, 'ok') === true) {
    return typeof ts === 'string' && TIMESTAMP.test(ts) && typeof channel === 'string'
      ? { kind: 'accepted', ref: `${channel}/${ts}` }
      : outcome
  }
  const error = field(answer, 'error')
  const word = typeof error === 'string' && /^\w{1,64}$/.test(error) ? error : 'an error'
  const reason = `Slack answered ${word}`
  return PASSING.has(word) ? { kind: 'retry', reason, afterMs: readAfterMs(sent.reply) } : { kind: 'refused', reason }
}
