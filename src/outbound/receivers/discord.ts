import { createByUrl } from './by-url.ts'
import type { ReceiverClient } from './client.ts'
import type { Network } from './request.ts'

/** Writes to Discord's webhooks, and waits until the message is there: without `wait` the answer says only that it was heard. */
export function createDiscord(network: Network): ReceiverClient {
  return createByUrl(network, 'Discord', (url) => {
    const address = new URL(url)
    address.searchParams.set('wait', 'true')
    return address.href
  })
}
