import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'

/**
 * What a store does to a request, or to one that asks for something: serves it, refuses the connection, never answers,
 * answers a status or garbage, or serves it and loses the reply, or the end of it.
 */
export type Fault = SomeFault | ((asked: unknown) => SomeFault | Promise<SomeFault>)

type SomeFault = 'none' | 'refuse' | 'hang' | 'lose_reply' | 'cut_reply' | { readonly status: number; readonly body: string }

/**
 * How many requests still get through, over all proxies that share it, before whoever sends them is dead to the world; the
 * next one may still take effect unheard.
 */
export type Fuse = { left: number; readonly servesLast: boolean }

export type FaultProxy = {
  readonly url: string
  /** Requests seen so far, and what each asked, as its decoded JSON body. */
  readonly seen: unknown[]
  fault: Fault
}

/** A proxy before one of the stack's endpoints, which fails as it is told. It ends with the test file. */
export async function startFaultProxy(target: string, fuse?: Fuse): Promise<FaultProxy> {
  const proxy: { url: string; seen: unknown[]; fault: Fault } = { url: '', seen: [], fault: 'none' }
  const server = createServer((request, response) => {
    if (fuse) proxy.fault = burn(fuse)
    serve(proxy, target, request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  proxy.url = `http://127.0.0.1:${port}`
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  return proxy
}

function burn(fuse: Fuse): SomeFault {
  fuse.left -= 1
  if (fuse.left >= 0) return 'none'
  return fuse.left === -1 && fuse.servesLast ? 'lose_reply' : 'refuse'
}

async function serve(
  proxy: { seen: unknown[]; fault: Fault },
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (proxy.fault === 'refuse') return void request.socket.destroy()
  const { fault: told } = proxy
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  const asked: unknown = JSON.parse(body.toString() || 'null')
  proxy.seen.push(asked)
  const fault = typeof told === 'function' ? await told(asked) : told
  if (fault === 'refuse') return void request.socket.destroy()
  if (fault === 'hang') return
  if (typeof fault === 'object') return void response.writeHead(fault.status).end(fault.body)

  const { host: _host, connection: _connection, 'content-length': _length, ...headers } = request.headers
  const answer = await fetch(new URL(request.url ?? '/', target), {
    method: request.method ?? 'POST',
    headers: headers as Record<string, string>,
    ...(body.length > 0 ? { body } : {}),
  })
  const bytes = Buffer.from(await answer.arrayBuffer())
  if (fault === 'lose_reply') return void response.destroy()
  if (fault === 'cut_reply') {
    response.writeHead(answer.status, { 'Content-Type': 'application/json', 'Content-Length': bytes.length + 1 })
    return void response.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), () => response.destroy())
  }
  response.writeHead(answer.status, { 'Content-Type': answer.headers.get('Content-Type') ?? 'application/json' }).end(bytes)
}

/** Billed Redis commands among the requests a proxy has seen: every command of a pipeline or transaction counts. */
export function countCommands(seen: readonly unknown[]): number {
  return seen.reduce<number>((sum, body) => sum + (Array.isArray(body) && Array.isArray(body[0]) ? body.length : 1), 0)
}
