import { Agent, request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Load } from './load.ts'
import { quantile } from './statistics.ts'

export type Latency = {
  readonly requests: number
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

type Paced<Result> = {
  readonly latenciesMs: readonly number[]
  readonly refused: number
  readonly result: Result
  readonly seconds: number
}

/** Sends requests at a steady rate until some work is done; a late answer delays no other request. What is 503 is counted apart. */
export async function paceWhile<Result>(load: Load, rate: number, work: Promise<Result>): Promise<Paced<Result>> {
  const agent = new Agent({ keepAlive: true })
  const startedAt = performance.now()
  const ended = new AbortController()
  const done = work.finally(() => ended.abort())
  const sent: Promise<number | undefined>[] = []
  while (!ended.signal.aborted) {
    sent.push(sendOne(agent, load, sent.length))
    const due = startedAt + (1_000 * sent.length) / rate
    await sleep(Math.max(0, due - performance.now()))
  }
  const [result, latenciesMs] = await Promise.all([done, Promise.all(sent)])
  agent.destroy()
  const served = latenciesMs.flatMap((ms) => ms ?? [])
  return { latenciesMs: served, refused: latenciesMs.length - served.length, result, seconds: (performance.now() - startedAt) / 1_000 }
}

function sendOne(agent: Agent, { url, requests }: Load, place: number): Promise<number | undefined> {
  const { method, path, headers = {}, body = '' } = requests[place % requests.length] ?? { method: 'GET', path: '/health' }
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const options = { agent, method, headers: { ...headers, 'content-length': Buffer.byteLength(body) } }
    const sent = httpRequest(`${url}${path}`, options, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === 201 || response.statusCode === 503)
          resolve(response.statusCode === 201 ? performance.now() - startedAt : undefined)
        else reject(new Error(`${url}${path}: ${response.statusCode}`))
      })
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

/** What latencies come to. */
export function toLatency(latenciesMs: readonly number[]): Latency {
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  return {
    requests: sorted.length,
    p50Ms: quantile(sorted, 0.5),
    p95Ms: quantile(sorted, 0.95),
    p99Ms: quantile(sorted, 0.99),
    maxMs: sorted.at(-1) ?? Number.NaN,
  }
}
