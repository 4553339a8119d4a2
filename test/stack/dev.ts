import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { sha256, toHex } from '../../src/domain/hash.ts'
import { getPrincipal } from '../../src/store/api-keys.ts'
import { createDb, type Db } from '../../src/store/postgres.ts'
import { createTenant, type NewTenant } from '../../src/usecases/create-tenant.ts'
import { type StackAddresses, startStack, toBindings } from './stack.ts'
import { QUIET_WRANGLER } from './wrangler.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const STATE = resolve(ROOT, process.env['NOCTUARY_STATE'] || '.wrangler')
const DEV_FILE = join(STATE, 'dev.json')
const KEYS_FILE = join(STATE, 'demo-tenant.json')
const INTEGRATION_KEYS_FILE = join(STATE, 'integration-keys')
const SESSION_SECRET_FILE = join(STATE, 'session-secret')
const ENV_FILE = join(STATE, 'dev.env')
const SWEEP_CRON = '* * * * *'
const READY_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 5_000

const HELP = `npm run dev: the whole system on this machine, offline, without an account

  PORT            where the Worker listens (default 8787)
  DATABASE_URL    a real Postgres instead of the embedded one
  REDIS_URL       a real Redis instead of the embedded one
  PAGERDUTY_API_URL
                  where notes are posted, instead of the local stand-in
  LLM_BASE_URL, LLM_API_KEY, LLM_MODEL
                  a language model that words diagnoses, behind an endpoint that speaks OpenAI's protocol
  NOCTUARY_DATA   "memory" forgets everything at the end; otherwise data stays under .wrangler/
  NOCTUARY_STATE  another folder than .wrangler/, to run two side by side

When ready it prints the URL, the demo tenant's keys and commands to try, and writes .wrangler/dev.json.
Ctrl-C ends everything it started.`

/** A reason not to start that is the user's to mend: told in one line, without a stack. */
class StartError extends Error {}

const stops: (() => Promise<void>)[] = []

async function main(): Promise<void> {
  if (process.argv.includes('--help')) return console.log(HELP)
  const port = readPort()
  await assertPortIsFree(port)
  mkdirSync(STATE, { recursive: true })
  rmSync(DEV_FILE, { force: true })

  const isThrowaway = process.env['NOCTUARY_DATA'] === 'memory'
  const stack = await startStack({
    databaseUrl: process.env['DATABASE_URL'] || undefined,
    redisUrl: process.env['REDIS_URL'] || undefined,
    dataDirectory: isThrowaway ? undefined : join(STATE, 'postgres'),
  })
  stops.unshift(stack.stop)

  const tenant = await findOrCreateDemoTenant(stack, isThrowaway)
  const url = `http://127.0.0.1:${port}`
  const { worker, show } = startWorker(port, stack, findOrCreateSecrets(isThrowaway))
  await waitUntilReady(url, worker)
  const cron = setInterval(() => void runCron(url), 60_000)
  stops.unshift(async () => clearInterval(cron))

  writeFileSync(DEV_FILE, JSON.stringify(describe(url, stack, tenant), null, 2))
  stops.unshift(async () => rmSync(DEV_FILE, { force: true }))
  console.log(welcome(url, stack, tenant))
  show()
}

function readPort(): number {
  const port = Number(process.env['PORT'] || 8787)
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port
  throw new StartError(`PORT must be a port number, not "${process.env['PORT']}"`)
}

async function assertPortIsFree(port: number): Promise<void> {
  const probe = createServer()
  try {
    probe.listen(port, '127.0.0.1')
    await once(probe, 'listening')
  } catch {
    throw new StartError(`port ${port} is taken: end what uses it, or choose another with PORT=${port + 1} npm run dev`)
  } finally {
    probe.close()
  }
}

/** The demo tenant of an earlier run while its keys still work, a new one otherwise. */
async function findOrCreateDemoTenant(stack: StackAddresses, isThrowaway: boolean): Promise<NewTenant> {
  const db = createDb({ url: stack.databaseUrl, endpoint: stack.databaseEndpoint, timeoutMs: 10_000 })
  const known = !isThrowaway && existsSync(KEYS_FILE) ? (JSON.parse(readFileSync(KEYS_FILE, 'utf8')) as NewTenant) : undefined
  if (known && (await keyWorks(db, known.ingestKey)) && (await keyWorks(db, known.readonlyKey))) return known

  const tenant = await createTenant({ db, newUuid: randomUUID, randomBytes: randomBytesOf }, `demo ${new Date().toISOString()}`)
  if (!isThrowaway) writeFileSync(KEYS_FILE, JSON.stringify(tenant), { mode: 0o600 })
  return tenant
}

/** The Worker's own secrets: the same at every start, as what they sealed and signed stays. */
function findOrCreateSecrets(isThrowaway: boolean) {
  return {
    INTEGRATION_KEYS: `dev:${findOrCreateSecret(INTEGRATION_KEYS_FILE, isThrowaway).replace(/^dev:/, '')}`,
    SESSION_SECRET: findOrCreateSecret(SESSION_SECRET_FILE, isThrowaway),
  }
}

function findOrCreateSecret(file: string, isThrowaway: boolean): string {
  if (!isThrowaway && existsSync(file)) return readFileSync(file, 'utf8').trim()
  const secret = randomBytes(32).toString('base64')
  if (!isThrowaway) writeFileSync(file, secret, { mode: 0o600 })
  return secret
}

function randomBytesOf(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(randomBytes(length))
}

async function keyWorks(db: Db, key: string): Promise<boolean> {
  try {
    await getPrincipal(db, toHex(await sha256(key)))
    return true
  } catch {
    return false
  }
}

/** The language model that the environment names, if it does. */
function modelVars(): Readonly<Record<string, string>> {
  const names = ['LLM_BASE_URL', 'LLM_API_KEY', 'LLM_MODEL', 'LLM_TOKENS_PER_DAY']
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? '']).filter(([, value]) => value !== ''))
}

function pagerDutyUrlOf(stack: StackAddresses): string {
  return process.env['PAGERDUTY_API_URL'] || stack.pagerDutyUrl
}

function startWorker(
  port: number,
  stack: StackAddresses,
  secrets: ReturnType<typeof findOrCreateSecrets>,
): { readonly worker: ChildProcess; readonly show: () => void } {
  const vars = { ...toBindings(stack), PAGERDUTY_API_URL: pagerDutyUrlOf(stack), ...modelVars(), ...secrets }
  const lines = Object.entries(vars).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  writeFileSync(ENV_FILE, lines.join('\n'), { mode: 0o600 })

  // In a process group of its own, so that workerd, which wrangler starts, ends with it whatever happens.
  const worker = spawn(
    process.execPath,
    [
      join(ROOT, 'node_modules/wrangler/bin/wrangler.js'),
      'dev',
      '--local',
      ...['--ip', '127.0.0.1', '--port', String(port), '--inspector-port', '0'],
      ...['--env-file', ENV_FILE, '--persist-to', join(STATE, 'state'), '--show-interactive-dev-session', 'false', '--log-level', 'log'],
    ],
    {
      cwd: ROOT,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...QUIET_WRANGLER },
    },
  )
  // What wrangler says while starting is of interest only when it fails.
  const preamble: Buffer[] = []
  const collect = (chunk: Buffer) => void preamble.push(chunk)
  for (const stream of [worker.stdout, worker.stderr]) stream.on('data', collect)
  const show = (): void => {
    for (const stream of [worker.stdout, worker.stderr]) stream.off('data', collect)
    worker.stdout.pipe(process.stdout)
    worker.stderr.pipe(process.stderr)
  }
  stops.unshift(() => stopGroup(worker))
  worker.once('exit', () => {
    process.stderr.write(Buffer.concat(preamble))
    void shutDown(1)
  })
  return { worker, show }
}

async function stopGroup(child: ChildProcess): Promise<void> {
  child.removeAllListeners('exit')
  child.stderr?.unpipe()
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

async function waitUntilReady(url: string, worker: ChildProcess): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS
  while (Date.now() < deadline) {
    if (worker.exitCode !== null) throw new StartError('wrangler ended before the Worker was ready')
    const response = await fetch(`${url}/health`).catch(() => undefined)
    if (response?.ok) return
    await sleep(100)
  }
  throw new StartError(`the Worker did not answer at ${url}/health within ${READY_TIMEOUT_MS / 1000} s`)
}

/** Local crons never fire by themselves. */
async function runCron(url: string): Promise<void> {
  await fetch(`${url}/cdn-cgi/handler/scheduled?cron=${encodeURIComponent(SWEEP_CRON)}`).catch(() => undefined)
}

function describe(url: string, stack: StackAddresses, tenant: NewTenant) {
  return {
    url,
    tenant_id: tenant.tenantId,
    ingest_key: tenant.ingestKey,
    readonly_key: tenant.readonlyKey,
    database_url: stack.databaseUrl,
    database_endpoint: stack.databaseEndpoint,
    redis_url: stack.redisUrl,
    redis_token: stack.redisToken,
    pagerduty_url: pagerDutyUrlOf(stack),
    sweep_cron: SWEEP_CRON,
  }
}

function welcome(url: string, stack: StackAddresses, { ingestKey, readonlyKey }: NewTenant): string {
  return `
Noctuary is ready at ${url}   (Postgres: ${stack.postgres}, Redis: ${stack.redis}; Ctrl-C ends it)

  ingest key     ${ingestKey}
  read-only key  ${readonlyKey}

The same in a browser: sign in at ${url} with the read-only key.

Try it from another terminal:

  curl -i ${url}/v1/agents/register -H 'Authorization: Bearer ${ingestKey}' -H 'Content-Type: application/json' -d '{"hostname":"my-laptop"}'
  curl -i ${url}/v1/events -H 'Authorization: Bearer ${ingestKey}' -H 'Content-Type: application/json' -d '{"service_name":"checkout","vendor":"argocd","entity":"checkout","event_type":"deploy","new_value":"succeeded","sha":"a4f2c1","confidence":0.95,"ttl_seconds":1800}'
  curl -s ${url}/v1/services -H 'Authorization: Bearer ${readonlyKey}'

or a shop's ten minutes in one go: npm run demo
`
}

let stopping: Promise<void> | undefined

function shutDown(code: number): Promise<void> {
  stopping ??= (async () => {
    for (const stop of stops.splice(0)) await stop().catch((error: unknown) => console.error(error))
    process.exit(code)
  })()
  return stopping
}

process.once('SIGINT', () => void shutDown(0))
process.once('SIGTERM', () => void shutDown(0))

try {
  await main()
} catch (error) {
  if (!(error instanceof StartError)) throw error
  console.error(`npm run dev: ${error.message}`)
  await shutDown(1)
}
