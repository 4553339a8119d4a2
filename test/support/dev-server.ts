import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

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
