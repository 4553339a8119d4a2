import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Address = { readonly host?: string | undefined; readonly port?: number | undefined }

export type JsonRequest = {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** `undefined` when none was sent. */
  readonly body: unknown
}

/** An answer, or none: the connection stays open in silence, or is closed. */
export type JsonReply =
  | { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string | number>> }
  | 'hang'
  | 'hang_up'

export type Endpoint = { readonly url: string; readonly stop: () => Promise<void> }

function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    request.on('error', reject)
  })
}

function parseJson(text: string): { readonly body: unknown } | undefined {
  if (text === '') return { body: undefined }
  try {
    return { body: JSON.parse(text) }
  } catch {
    return undefined
  }
}

type Handle = (request: JsonRequest) => Promise<JsonReply>

async function answer(request: IncomingMessage, methods: readonly string[], handle: Handle): Promise<JsonReply> {
  const { method = '' } = request
  if (!methods.includes(method)) {
    const message = `Only ${methods.join(', ')} is supported`
    return { status: 405, body: { message, error: message } }
  }
  const parsed = parseJson(await readBody(request))
  if (!parsed) return { status: 400, body: { message: 'The body is not JSON', error: 'ERR failed to parse the body' } }
  return handle({ method, path: request.url ?? '/', headers: request.headers, body: parsed.body })
}

/** Serves a handler of JSON requests over plain HTTP; anything it throws becomes a 500 that carries the message. */
export async function serveJson(
  { host = '127.0.0.1', port = 0, methods = ['POST'] }: Address & { readonly methods?: readonly string[] },
  handle: Handle,
): Promise<Endpoint> {
  const server = createServer((request, response) => {
    answer(request, methods, handle)
      .catch((error: unknown): JsonReply => {
        const message = error instanceof Error ? error.message || error.name : String(error)
        return { status: 500, body: { message, error: message } }
      })
      .then((reply) => {
        if (reply === 'hang') return
        if (reply === 'hang_up') return void response.destroy()
        const { status, body, headers = {} } = reply
        const text = Buffer.from(JSON.stringify(body), 'utf8')
        response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length, ...headers })
        response.end(text)
      })
      // Only a reply that JSON cannot express or a socket that is gone ends here.
      .catch(() => response.destroy())
  })
  // An idle connection the server closes can race with a request the client is about to send on it.
  server.keepAliveTimeout = 0
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address() as AddressInfo

  return {
    url: `http://${host}:${address.port}`,
    stop: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
