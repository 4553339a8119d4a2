import { cannotFind, type ReceiverClient } from './client.ts'
import { type Network, sendJson, toOutcome } from './request.ts'

/** A receiver whose address is all that it takes. */
export function createByUrl(network: Network, name: string): ReceiverClient {
  return {
    post: async ({ secrets: { url = '' } }, { body }) =>
      toOutcome(await sendJson(network, url, { method: 'POST', body }), { name, secrets: [url] }),
    find: cannotFind,
  }
}
