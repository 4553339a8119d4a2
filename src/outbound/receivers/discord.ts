import { field, parseJson } from '../../domain/json.ts'
import { cannotFind, type Letter, type PostOutcome, type ReceiverClient } from './client.ts'
import { type Network, sendJson, toOutcome } from './request.ts'

const MESSAGE_ID = /^\d{1,32}$/

/**
 * Writes to Discord's webhooks, and waits until the message is there: without `wait` the answer says only that it was heard.
 * What follows an answer edits it: https://discord.com/developers/docs/resources/webhook#edit-webhook-message
 */
export function createDiscord(network: Network): ReceiverClient {
  return {
    post: async ({ secrets }, letter) => {
      const { url = '' } = secrets
      const edited = letter.isFollowUp ? letter.answerRef : null
      const address = URL.canParse(url) ? toAddress(url, edited) : url
      const sent = await sendJson(network, address, { method: edited === null ? 'POST' : 'PATCH', body: letter.body })
      const outcome = toOutcome(sent, { name: 'Discord', secrets: [url] })
      return outcome.kind === 'accepted' && sent.kind === 'replied' ? withRef(outcome, sent.reply.text) : outcome
    },
    find: cannotFind,
  }
}

function toAddress(url: string, edited: Letter['answerRef']): string {
  const address = new URL(url)
  if (edited === null) address.searchParams.set('wait', 'true')
  else address.pathname = `${address.pathname.replace(/(?<!\/)\/+$/, '')}/messages/${edited}`
  return address.href
}

function withRef(outcome: Extract<PostOutcome, { readonly kind: 'accepted' }>, text: string): PostOutcome {
  const id = field(parseJson(text), 'id')
  return typeof id === 'string' && MESSAGE_ID.test(id) ? { ...outcome, ref: id } : outcome
}
