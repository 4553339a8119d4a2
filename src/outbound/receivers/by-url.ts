import { findsNothing, type ReceiverClient } from './client.ts'
import { type Network, sendJson, toOutcome } from './request.ts'

/** A receiver whose address is all that it takes. */
export function createByUrl(network: Network, name: string, toAddress: (url: string) => string = (url) => url): ReceiverClient {
  return {
    post: async ({ secrets }, { body }) => {
      const { url = '' } = secrets
      return toOutcome(await sendJson(network, URL.canParse(url) ? toAddress(url) : url, { method: 'POST', body }), {
        name,
        secrets: [url],
      })
    },
    find: findsNothing,
  }
}
