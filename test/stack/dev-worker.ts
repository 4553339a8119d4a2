import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { StartError } from './start-error.ts'
import { QUIET_WRANGLER } from './wrangler.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const READY_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_MS = 5_000

export type DevWorker = {
  /** Waits until it answers; throws a StartError when it ends before, or something else answers in its place. */
  readonly ready: () => Promise<void>
  /** From now on its log goes to this process's output; before, only if it ends. */
  readonly show: () => void
  readonly stop: () => Promise<void>
}

type WorkerOptions = {
  readonly port: number
  readonly url: string
  /** Its variables and secrets. */
  readonly vars: Readonly<Record<string, string>>
  readonly folder: string
  /** Whether what wrangler keeps for it is to be forgotten. */
  readonly isThrowaway: boolean
  readonly onExit: () => void
}

/** Starts the Worker with wrangler, in a process group of its own, so that workerd, which wrangler starts, ends with it. */
export function startWorker({ port, url, vars, folder, isThrowaway, onExit }: WorkerOptions): DevWorker {
  // Files of its own: wrangler starts anew when they change.
  const envFile = join(folder, `dev-${port}.env`)
  const persistFolder = join(folder, isThrowaway ? `state-${port}` : 'state')
  const lines = Object.entries(vars).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  rmSync(envFile, { force: true })
  writeFileSync(envFile, lines.join('\n'), { mode: 0o600 })

  // Its build step runs `node`, which has to be this one.
  const PATH = `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`
  const env = { ...process.env, ...QUIET_WRANGLER, PATH, NOCTUARY_STARTER: String(process.pid) }
  const child = spawn(
    process.execPath,
    [
      ...['--import', new URL('worker-guard.ts', import.meta.url).href],
      join(ROOT, 'node_modules/wrangler/bin/wrangler.js'),
      'dev',
      '--local',
      ...['--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0'],
      ...['--env-file', envFile, '--persist-to', persistFolder, '--show-interactive-dev-session', 'false', '--log-level', 'log'],
    ],
    { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env },
  )
  const output = collectLines(child)
  child.once('exit', () => {
    output.showFailure()
    onExit()
  })

  return {
    ready: () => waitUntilReady(url, child, output.has),
    show: output.show,
    stop: async () => {
      child.removeAllListeners('exit')
      await stopGroup(child)
      rmSync(envFile, { force: true })
      if (isThrowaway) rmSync(persistFolder, { recursive: true, force: true })
    },
  }
}

/** The Worker logs each request itself. */
const LOGGED_TWICE = /^\[wrangler:info\] [A-Z]+ \S+ \d{3}/

/** What wrangler says while it starts is of interest only when it fails. */
function collectLines({ stdout, stderr }: ChildProcess) {
  const preamble: string[] = []
  let isShown = false
  const read = (from: Readable | null, to: Writable) => {
    if (!from) return
    createInterface(from).on('line', (line) => {
      if (LOGGED_TWICE.test(stripVTControlCharacters(line))) return
      if (isShown) to.write(`${line}\n`)
      else preamble.push(line)
    })
  }
  read(stdout, process.stdout)
  read(stderr, process.stderr)
  return {
    has: (text: string) => preamble.some((line) => line.includes(text)),
    show: () => {
      isShown = true
    },
    showFailure: () => {
      if (!isShown) process.stderr.write(`${preamble.join('\n')}\n`)
      isShown = true
    },
  }
}

/** Something else may listen where the Worker should: only it writes the request's id into its own log. */
async function waitUntilReady(url: string, child: ChildProcess, hasLogged: (text: string) => boolean): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS
  const requestId = `dev-${randomUUID()}`
  let isAnswered = false
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new StartError('wrangler ended before the Worker was ready')
    if (hasLogged(requestId)) return
    const response = await fetch(`${url}/health`, { headers: { 'X-Request-Id': requestId } }).catch(() => undefined)
    isAnswered = response !== undefined
    await sleep(100)
  }
  const what = isAnswered ? 'something other than this Worker answers' : 'the Worker did not answer'
  throw new StartError(`${what} at ${url}/health within ${READY_TIMEOUT_MS / 1000} s`)
}

async function stopGroup(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return
  const isOver = child.exitCode !== null || child.signalCode !== null
  if (!isOver) {
    child.kill('SIGTERM')
    await Promise.race([once(child, 'exit'), sleep(STOP_TIMEOUT_MS)])
  }
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // The group is gone already.
  }
}
