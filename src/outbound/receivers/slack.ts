import { field, parseJson } from '../../domain/json.ts'
import { findsNothing, type Letter, type PostOutcome, type ReceiverClient } from './client.ts'
import { isSuccess, type Network, readAfterMs, type Sent, sendJson, toOutcome } from './request.ts'

/** Slack's Web API: where it is. */
export type SlackApi = { readonly url: string }

/** Errors of the Web API that another try may get past: https://docs.slack.dev/reference/methods/chat.postMessage#errors */
const PASSING = new Set(['ratelimited', 'rate_limited', 'service_unavailable', 'internal_error', 'fatal_error', 'request_timeout'])
const TIMESTAMP = /^\d+\.\d+$/

/** Writes to Slack: by an incoming webhook, or by a bot's token, which can edit and thread. */
export function createSlack(network: Network, api: SlackApi): ReceiverClient {
  return {
    post: async ({ secrets, channel }, letter) => {
      if (secrets.bot_token !== undefined) return await postAsBot(network, api, secrets.bot_token, channel ?? '', letter)
      const { url = '' } = secrets
      return toOutcome(await sendJson(network, url, { method: 'POST', body: letter.body }), { name: 'Slack', secrets: [url] })
    },
    find: findsNothing,
  }
}

async function postAsBot(network: Network, { url }: SlackApi, token: string, channel: string, letter: Letter): Promise<PostOutcome> {
  const { answerRef, isFollowUp, body } = letter
  const headers = { Authorization: `Bearer ${token}` }
  const call = async (method: string, more: Readonly<Record<string, string>>): Promise<PostOutcome> => {
    const json = JSON.stringify({ ...(JSON.parse(body) as object), ...more })
    return toBotOutcome(await sendJson(network, `${url}/${method}`, { method: 'POST', headers, body: json }), token)
  }
  const [refChannel = channel, ts] = (answerRef ?? '').split('/')
  if (ts === undefined) return await call('chat.postMessage', {})
  return isFollowUp
    ? await call('chat.postMessage', { channel: refChannel, thread_ts: ts })
    : await call('chat.update', { channel: refChannel, ts })
}

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
