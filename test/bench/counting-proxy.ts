import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export type CountingProxy = {
  readonly url: string
  /** What has passed so far; a command inside a pipeline or a transaction counts as one. */
  readonly counts: () => { readonly requests: number; readonly commands: number }
  readonly stop: () => Promise<void>
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

function countCommands(path: string, body: string): number {
  if (!/\/(?:pipeline|multi-exec)$/.test(path)) return 1
  const commands: unknown = JSON.parse(body)
  return Array.isArray(commands) ? commands.length : 1
}

/** Forwards requests to one of the stores' endpoints, and counts them. */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  let requests = 0
  let commands = 0
  const { origin, pathname } = new URL(target)

  const forward = async (request: IncomingMessage): Promise<Response> => {
    const body = await readBody(request)
    const path = request.url ?? '/'
    requests += 1
    commands += countCommands(path, body)
    const { host: _host, connection: _connection, 'content-length': _length, 'transfer-encoding': _encoding, ...headers } = request.headers
    return fetch(`${origin}${path}`, { method: 'POST', headers: headers as Record<string, string>, body })
  }

  const server = createServer((request, response) => {
    forward(request)
      .then(async (forwarded) => {
        response.writeHead(forwarded.status, { 'content-type': 'application/json' })
        response.end(await forwarded.text())
      })
      .catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}${pathname === '/' ? '' : pathname}`,
    counts: () => ({ requests, commands }),
    stop: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
