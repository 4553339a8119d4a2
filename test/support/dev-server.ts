import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

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

/** Starts `npm run dev` with its files in a folder of the caller's; who starts it ends it. */
export function startDevServer(port: number, state: string, variables: Readonly<Record<string, string>> = {}): DevServer {
  const env = {
    ...process.env,
    ...variables,
    PORT: String(port),
    NOCTUARY_DATA: 'memory',
    NOCTUARY_STATE: state,
    DATABASE_URL: '',
    REDIS_URL: '',
  }
  const child = spawn(process.execPath, [DEV], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  const devFile = join(state, 'dev.json')

  return {
    child,
    output: () => output,
    ready: async () => {
      for (let waitedMs = 0; waitedMs < 60_000; waitedMs += 100) {
        if (existsSync(devFile) && output.includes('npm run demo')) return JSON.parse(readFileSync(devFile, 'utf8'))
        if (child.exitCode !== null) break
        await sleep(100)
      }
      throw new Error(`npm run dev did not start: ${output}`)
    },
  }
}
