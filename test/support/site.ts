import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createApp } from '../../src/app.ts'
import { createDashboard } from '../../src/dashboard/index.tsx'
import type { Deps } from '../../src/deps.ts'
import { type Endpoints, startApp, type TestApp } from './app.ts'

export const ORIGIN = 'https://noctuary.example.com'
const SESSION_SECRET = 'a secret of the tests, long enough'

/** The real app with its dashboard, as the Worker serves it. */
export type Site = {
  readonly app: TestApp
  readonly send: (request: Request) => Promise<Response>
  /** Waits for the work that handlers left for after their answers. */
  readonly settle: () => Promise<void>
}

/** Starts the app with its dashboard over the local stack. */
export function startSite(endpoints: Endpoints = {}, overrides: Partial<Deps> = {}): Site {
  const app = startApp({ ...endpoints, bindings: { SESSION_SECRET, ...endpoints.bindings } }, overrides)
  const whole = createApp(app.deps, createDashboard(app.deps))
  const deferred: Promise<unknown>[] = []
  const context = { waitUntil: (work: Promise<unknown>) => void deferred.push(work), passThroughOnException: () => {}, props: {} }
  return {
    app,
    send: async (request) => whole.fetch(request, {}, context),
    settle: async () => {
      while (deferred.length > 0) await Promise.allSettled(deferred.splice(0))
    },
  }
}

/** Somebody's browser, without scripts: it keeps cookies, and sends forms as browsers do. */
export type Visitor = {
  readonly get: (path: string, headers?: Readonly<Record<string, string>>) => Promise<Response>
  readonly post: (path: string, form?: Readonly<Record<string, string>>, headers?: Readonly<Record<string, string>>) => Promise<Response>
  readonly cookie: () => string
}

/** A browser that has not been here before. */
export function createVisitor({ send }: Site): Visitor {
  let cookie = ''
  const visit = async (path: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers({ Accept: 'text/html', ...(cookie === '' ? {} : { Cookie: cookie }) })
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value)
    const response = await send(new Request(new URL(path, ORIGIN), { ...init, headers, redirect: 'manual' }))
    const [pair = ''] = (response.headers.get('Set-Cookie') ?? '').split(';')
    if (pair !== '') cookie = pair.endsWith('=') ? '' : pair
    return response
  }
  return {
    get: (path, headers = {}) => visit(path, { headers }),
    post: (path, form = {}, headers = {}) =>
      visit(path, { method: 'POST', body: new URLSearchParams(form), headers: { Origin: ORIGIN, ...headers } }),
    cookie: () => cookie,
  }
}

/** Somebody who has signed in with a key. */
export async function signIn(site: Site, key: string): Promise<Visitor> {
  const visitor = createVisitor(site)
  const response = await visitor.post('/signin', { key })
  if (response.status !== 303) throw new Error(`signing in answered ${response.status}: ${await response.text()}`)
  return visitor
}

/** The site on a port of this machine, for a real browser. */
export async function serveSite({ send }: Site): Promise<{ readonly url: string; readonly stop: () => void }> {
  const server = createServer((incoming, outgoing) => {
    const answer = async (): Promise<void> => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk)
      const headers = Object.entries(incoming.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : []))
      const body = chunks.length === 0 ? null : Buffer.concat(chunks)
      const request = new Request(new URL(incoming.url ?? '/', `http://${incoming.headers.host}`), {
        method: incoming.method ?? 'GET',
        headers: Object.fromEntries(headers),
        body,
      })
      const response = await send(request)
      outgoing.writeHead(response.status, [...response.headers].flat())
      outgoing.end(Buffer.from(await response.arrayBuffer()))
    }
    answer().catch((error: unknown) => outgoing.destroy(error instanceof Error ? error : undefined))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
