import { randomUUID } from 'node:crypto'
import autocannon from 'autocannon'

export type LoadRequest = {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export type Load = { readonly url: string; readonly requests: readonly LoadRequest[] }

export type LoadResult = {
  readonly requestsPerSecond: number
  /** Sorted. */
  readonly latenciesMs: readonly number[]
}

/** What each request has another text for: without it, the same bytes would be a delivery sent again. */
export const UNIQUE = '[<id>]'

/**
 * Sends a load's requests over and over for a while, as fast as they are answered; every connection begins at another
 * one. Throws when any answer is not a 2xx.
 */
export async function applyLoad({ url, requests }: Load, connections: number, seconds: number): Promise<LoadResult> {
  const latenciesMs: number[] = []
  const refusals = new Map<number, number>()
  let opened = 0
  const setupClient = (client: { readonly setRequests: (requests: readonly LoadRequest[]) => void }): void => {
    const start = Math.floor((opened * requests.length) / connections)
    opened += 1
    // Its own copies: it writes the length of what it sends into their headers.
    client.setRequests([...requests.slice(start), ...requests.slice(0, start)].map((one) => ({ ...one, headers: { ...one.headers } })))
  }
  const run = autocannon({ url, connections, duration: seconds, setupClient, idReplacement: true })
  run.on('response', (_client, statusCode, _bytes, durationMs) => {
    if (statusCode >= 200 && statusCode < 300) latenciesMs.push(durationMs)
    else refusals.set(statusCode, (refusals.get(statusCode) ?? 0) + 1)
  })
  const { duration, errors, timeouts } = await run
  if (errors + timeouts > 0) throw new Error(`${url}: ${errors} connections failed, ${timeouts} requests timed out`)
  if (refusals.size > 0) throw new Error(`${url}: answers other than 2xx: ${JSON.stringify(Object.fromEntries(refusals))}`)
  return { requestsPerSecond: latenciesMs.length / duration, latenciesMs: latenciesMs.sort((a, b) => a - b) }
}

/** Sends requests one after the other. Throws when any answer is not a 2xx. */
export async function sendAll({ url, requests }: Load): Promise<void> {
  for (const { path, body, ...init } of requests) {
    const response = await fetch(`${url}${path}`, { ...init, body: body?.replaceAll(UNIQUE, randomUUID()) ?? null })
    const text = await response.text()
    if (!response.ok) throw new Error(`${url}${path}: ${response.status} ${text}`)
  }
}
