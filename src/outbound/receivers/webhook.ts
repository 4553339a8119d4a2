import { signWithAll } from '../../domain/receivers/webhook.ts'
import { cannotFind, type ReceiverClient } from './client.ts'
import { type Network, sendJson, toOutcome } from './request.ts'

/** Sends signed webhooks. What got no answer is sent again: its receiver knows its id. */
export function createWebhook(network: Network): ReceiverClient {
  return {
    post: async ({ secrets }, { id, at, body }) => {
      const { url = '' } = secrets
      if (secrets.signing_secret === undefined) return { kind: 'refused', reason: 'there is no secret to sign with' }
      const headers = {
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
        'webhook-signature': await signWithAll(secrets, id, at, body),
      }
      return toOutcome(await sendJson(network, url, { method: 'POST', headers, body }), {
        name: 'the webhook',
        secrets: [url, secrets.signing_secret],
      })
    },
    find: cannotFind,
  }
}
