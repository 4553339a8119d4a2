import { signWebhook } from '../../domain/receivers/webhook.ts'
import { cannotFind, type ReceiverClient } from './client.ts'
import { type Network, sendJson, toOutcome } from './request.ts'

/** Sends signed webhooks. What got no answer is sent again: its receiver knows its id. */
export function createWebhook(network: Network): ReceiverClient {
  return {
    post: async ({ secrets }, { id, at, body }) => {
      const { url = '', signing_secret: secret } = secrets
      if (secret === undefined) return { kind: 'refused', reason: 'there is no secret to sign with' }
      const seconds = Math.floor(at.getTime() / 1_000)
      const headers = {
        'webhook-id': id,
        'webhook-timestamp': String(seconds),
        'webhook-signature': await signWebhook(secret, id, seconds, body),
      }
      return toOutcome(await sendJson(network, url, { method: 'POST', headers, body }), { name: 'the webhook', secrets: [url, secret] })
    },
    find: cannotFind,
  }
}
