import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sha256Hex } from '../../src/domain/hash.ts'
import { field, isNumber, parseJson } from '../../src/domain/json.ts'
import { getPrincipal } from '../../src/store/api-keys.ts'
import { createDb, type Db } from '../../src/store/postgres.ts'
import { createTenant, type NewTenant } from '../../src/usecases/create-tenant.ts'
import { startWorker } from './dev-worker.ts'
import { lockFolder } from './folder-lock.ts'
import { type Stack, type StackAddresses, startStack, toBindings } from './stack.ts'
import { StartError } from './start-error.ts'
import { onStarterEnd } from './starter.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const STATE = resolve(ROOT, process.env['NOCTUARY_STATE'] || '.wrangler')
const DEV_FILE = join(STATE, 'dev.json')
const KEYS_FILE = join(STATE, 'demo-tenant.json')
const INTEGRATION_KEYS_FILE = join(STATE, 'integration-keys')
const SESSION_SECRET_FILE = join(STATE, 'session-secret')
const SWEEP_CRON = '* * * * *'

const HELP = `npm run dev: the whole system on this machine, offline, without an account

  PORT            where the Worker listens (default 8787)
  DATABASE_URL    a real Postgres instead of the embedded one
  REDIS_URL       a real Redis instead of the embedded one
  PAGERDUTY_API_URL
                  where notes are posted, instead of the local stand-in
  LLM_BASE_URL, LLM_API_KEY, LLM_MODEL
                  a language model that words diagnoses, behind an endpoint that speaks OpenAI's protocol
  ACCESS_TEAM, ACCESS_AUD
                  who vouches for people at the pages: Cloudflare Access, or what speaks like it
  NOCTUARY_DATA   "memory" forgets everything at the end; otherwise data stays under .wrangler/
  NOCTUARY_STATE  another folder than .wrangler/, to run two side by side

When ready it prints the URL, the demo tenant's keys and commands to try, and writes .wrangler/dev.json.
Ctrl-C ends everything it started; so does the end of whatever started it.`

const stops: (() => Promise<void>)[] = []

async function main(options: readonly string[]): Promise<void> {
  if (options.includes('--help')) return console.log(HELP)
  if (options.length > 0) throw new StartError(`there is no option "${options[0]}"; --help tells what there is`)
  const port = readPort()
  const url = `http://127.0.0.1:${port}`
  const isThrowaway = process.env['NOCTUARY_DATA'] === 'memory'
  mkdirSync(STATE, { recursive: true })
  if (!isThrowaway) holdFolder(url)
  await assertPortIsFree(port)
  if (readRunning() === undefined) rmSync(DEV_FILE, { force: true })

  console.log('Starting the stores …')
  const stack = await openStack(isThrowaway)
  stops.unshift(stack.stop)
  const tenant = await findOrCreateDemoTenant(stack, isThrowaway)

  console.log('Starting the Worker …')
  const vars = {
    ...toBindings(stack),
    PAGERDUTY_API_URL: pagerDutyUrlOf(stack),
    PUBLIC_URL: url,
    ...optionalVars(),
    ...findOrCreateSecrets(isThrowaway),
  }
  const worker = startWorker({ port, url, vars, folder: STATE, isThrowaway, onExit: () => void shutDown(1) })
  stops.unshift(worker.stop)
  await worker.ready()
  const cron = setInterval(() => void runCron(url), 60_000)
  stops.unshift(async () => clearInterval(cron))

  writeDevFile(JSON.stringify(describe(url, stack, tenant), null, 2))
  console.log(welcome(url, stack, tenant))
  worker.show()
}

/** Two over the same files would each lose what the other acknowledged. */
function holdFolder(url: string): void {
  const lock = lockFolder(STATE, `the one at ${url} (process ${process.pid})`)
  if (!lock.isHeld)
    throw new StartError(
      `${STATE} is held by ${lock.holder}: end that first, or start this one with another NOCTUARY_STATE or with NOCTUARY_DATA=memory`,
    )
  stops.push(async () => lock.release())
}

async function openStack(isThrowaway: boolean): Promise<Stack> {
  const databaseUrl = process.env['DATABASE_URL'] || undefined
  const redisUrl = process.env['REDIS_URL'] || undefined
  const dataDirectory = isThrowaway ? undefined : join(STATE, 'postgres')
  try {
    return await startStack({ databaseUrl, redisUrl, dataDirectory })
  } catch (error) {
    const wayOut = databaseUrl || redisUrl ? 'see that DATABASE_URL and REDIS_URL are right' : `without ${dataDirectory} it begins anew`
    throw new StartError(`the stores do not start (${toReason(error)}): ${wayOut}`, { cause: error })
  }
}

/** The innermost cause that says something: an AggregateError of connections has but a code. */
function toReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.cause !== undefined) return `${error.message}: ${toReason(error.cause)}`
  return error.message || String('code' in error ? error.code : error.name)
}

/** What another one in this folder, whose data is in memory, has written: it gets its file back at the end. */
function writeDevFile(text: string): void {
  const others = readRunning()
  writeFileSync(DEV_FILE, text, { mode: 0o600 })
  stops.unshift(async () => {
    if (!existsSync(DEV_FILE) || readFileSync(DEV_FILE, 'utf8') !== text) return
    rmSync(DEV_FILE)
    if (others !== undefined && isRunning(others)) writeFileSync(DEV_FILE, others, { mode: 0o600 })
  })
}

function readRunning(): string | undefined {
  const text = existsSync(DEV_FILE) ? readFileSync(DEV_FILE, 'utf8') : ''
  return isRunning(text) ? text : undefined
}

function isRunning(devFile: string): boolean {
  const pid = field(parseJson(devFile), 'pid')
  try {
    return isNumber(pid) && process.kill(pid, 0)
  } catch {
    return false
  }
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
    METRICS_TOKEN: 'dev',
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
    await getPrincipal(db, await sha256Hex(key))
    return true
  } catch {
    return false
  }
}

/** What the environment names of a language model, and of who vouches for people, if it does. */
function optionalVars(): Readonly<Record<string, string>> {
  const names = ['LLM_BASE_URL', 'LLM_API_KEY', 'LLM_MODEL', 'LLM_TOKENS_PER_DAY', 'ACCESS_TEAM', 'ACCESS_AUD']
  return Object.fromEntries(names.map((name) => [name, process.env[name] ?? '']).filter(([, value]) => value !== ''))
}

function pagerDutyUrlOf(stack: StackAddresses): string {
  return process.env['PAGERDUTY_API_URL'] || stack.pagerDutyUrl
}

/** Local crons never fire by themselves. */
async function runCron(url: string): Promise<void> {
  await fetch(`${url}/cdn-cgi/handler/scheduled?cron=${encodeURIComponent(SWEEP_CRON)}`).catch(() => undefined)
}

function describe(url: string, stack: StackAddresses, tenant: NewTenant) {
  return {
    url,
    pid: process.pid,
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

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void shutDown(0))
onStarterEnd(() => void shutDown(0))

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof StartError)) throw error
  console.error(`npm run dev: ${error.message}`)
  await shutDown(1)
}
