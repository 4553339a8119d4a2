import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'

type RawRequest = {
  readonly method: string
  readonly path: string
  /** Names and values in turn, sent one by one as they are. */
  readonly headers: readonly string[]
  readonly body?: string | Uint8Array
}

/** Sends a request over a socket of its own without what `fetch` would mend: duplicate headers stay two. */
export async function sendRaw(url: string, { method, path, headers, body }: RawRequest): Promise<Response> {
  const { hostname, port, host } = new URL(url)
  const client = request({ hostname, port, method, path, headers: ['Host', host, ...headers], agent: false })
  client.end(body)
  const [message]: IncomingMessage[] = await once(client, 'response')
  if (message === undefined) throw new Error('no response')
  const bytes = await buffer(message)
  const answered = Object.entries(message.headersDistinct).flatMap(([name, values = []]) =>
    values.map((value): [string, string] => [name, value]),
  )
  return new Response(bytes.length > 0 ? new Uint8Array(bytes) : null, { status: message.statusCode ?? 0, headers: answered })
}
