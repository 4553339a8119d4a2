import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { makeDelivery, sign } from './pagerduty.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DEV = fileURLToPath(new URL('../stack/dev.ts', import.meta.url))

export type DevFile = Readonly<
  Record<
    | 'url'
    | 'tenant_id'
    | 'ingest_key'
    | 'readonly_key'
    | 'database_url'
    | 'database_endpoint'
    | 'redis_url'
    | 'pagerduty_url'
    | 'sweep_cron',
    string
  >
>

export type DevServer = {
  readonly child: ChildProcess
  readonly output: () => string
  /** Waits until it serves, and says where. */
  readonly ready: () => Promise<DevFile>
}

/** A port that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address ? address.port : 0
}

/** Starts what `npm run dev` runs, or npm itself, with its files in a folder of the caller's; who starts it ends it. */
export function startDevServer(
  port: number,
  state: string,
  variables: Readonly<Record<string, string>> = {},
  command: 'node' | 'npm' = 'node',
): DevServer {
  const env = {
    ...process.env,
    PORT: String(port),
    NOCTUARY_DATA: 'memory',
    NOCTUARY_STATE: state,
    DATABASE_URL: '',
    REDIS_URL: '',
    ...variables,
  }
  const options = { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] } satisfies SpawnOptions
  const child = command === 'node' ? spawn(process.execPath, [DEV], options) : spawn('npm', ['run', 'dev'], options)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)))
  const devFile = join(state, 'dev.json')

  return {
    child,
    output: () => output,
    ready: async () => {
      for (let waitedMs = 0; waitedMs < 110_000; waitedMs += 100) {
        if (existsSync(devFile) && output.includes('npm run demo')) return JSON.parse(readFileSync(devFile, 'utf8'))
        if (child.exitCode !== null) break
        await sleep(100)
      }
      throw new Error(`npm run dev did not start: ${output}`)
    },
  }
}

/** Whether anything answers there. */
export const isServed = (url: string): Promise<boolean> =>
  fetch(url).then(
    () => true,
    () => false,
  )

/** Waits, for ten seconds at most, until something is so. */
export async function waitFor(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let waitedMs = 0; waitedMs < 10_000 && !(await isTrue()); waitedMs += 50) await sleep(50)
  expect(await isTrue()).toBe(true)
}

/** The commands of the running processes that hold a text. */
export async function listProcesses(text: string): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'args'])
  return stdout.split('\n').filter((line) => line.includes(text))
}

/** Sends a signed alert, and waits until its note is at the pager. */
export async function alertAndFindNote({ url, readonly_key }: DevFile, pagerDutyUrl: string): Promise<void> {
  const headers = { Authorization: `Bearer ${readonly_key}`, 'Content-Type': 'application/json' }
  const config = { pagerduty_token: 'token', pagerduty_from: 'oncall@acme.example', webhook_secret: 'whsec-of-the-demo' }
  const body = JSON.stringify({ type: 'pagerduty', direction: 'bidirectional', config })
  const { token } = (await (await fetch(`${url}/v1/integrations`, { method: 'POST', headers, body })).json()) as { token: string }

  const ref = 'QDEVTEST1'
  const delivery = JSON.stringify(makeDelivery({ ref, service: 'checkout', at: new Date(Date.now() - 130_000) }))
  const taken = await fetch(`${url}/webhooks/pagerduty/${token}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-PagerDuty-Signature': sign(delivery, 'whsec-of-the-demo') },
    body: delivery,
  })
  expect(taken.status).toBe(202)
  const find = async () => {
    const incidents = (await (await fetch(`${url}/v1/incidents`, { headers })).json()) as {
      external_ref: string
      posted_back: boolean
    }[]
    return incidents.find(({ external_ref }) => external_ref === ref)
  }
  for (let waitedMs = 0; waitedMs < 10_000 && !(await find())?.posted_back; waitedMs += 100) await sleep(100)
  expect(await find()).toMatchObject({ status: 'diagnosed', posted_back: true, service: 'checkout' })
  const notes = await fetch(`${pagerDutyUrl}/incidents/${ref}/notes`, {
    headers: { Authorization: 'Token token=token', Accept: 'application/vnd.pagerduty+json;version=2' },
  })
  expect(await notes.json()).toMatchObject({ notes: [{ content: expect.stringContaining('Noctuary Context') }] })
}
