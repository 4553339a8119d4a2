import { parseArgs } from 'node:util'
import type { Client } from 'pg'
import { type Bindings, ConfigError, readConfig } from '../config.ts'
import { getSessionSecret } from '../deps.ts'
import { parseSealingKeys } from '../domain/access/sealed-secret.ts'
import type { IntegrationId, TenantId } from '../domain/ids.ts'
import { field, isNumber, isObject, parseJson } from '../domain/json.ts'
import { MAX_LATE_MS } from '../domain/window/sweep.ts'
import { type DeliveryOutcome, readDoorDeliveries } from '../store/door-deliveries.ts'
import { createRedis } from '../store/redis.ts'
import { readSweepHints } from '../store/sweeps.ts'
import { VERSION } from '../version.ts'
import { CommandError } from './command-error.ts'
import { connect, explain, readDatabaseUrl } from './connection.ts'
import { inspect } from './migrations.ts'

const HELP = `npm run doctor -- [--url https://…] [--json]: looks at a deployment, and says what is wrong with it

  --url URL   where the Worker is: /health, its version, its clock; with METRICS_TOKEN what waits for the cron, too
  --json      a JSON object {ok, findings} instead of lines

From the environment, as far as it is there: DATABASE_URL (Neon's direct connection string), UPSTASH_REDIS_REST_URL and
UPSTASH_REDIS_REST_TOKEN, METRICS_TOKEN, and any other setting, which is checked as the Worker would. Changes nothing.
Ends with 1 when something is broken.`

type Finding = { readonly level: 'ok' | 'warn' | 'broken'; readonly what: string; readonly says: string }

const ok = (what: string, says: string): Finding => ({ level: 'ok', what, says })
const warn = (what: string, says: string): Finding => ({ level: 'warn', what, says })
const broken = (what: string, says: string): Finding => ({ level: 'broken', what, says })

const ASKED = 5
const SLOW_MS = 100
const MAX_SKEW_MS = 2_000
const CRON_LATE_MS = 10 * 60_000
const MAX_LAG_S = MAX_LATE_MS / 1_000
const TIMEOUT_MS = 10_000
/** Findings of one kind, and doors that are looked at. */
const [MAX_SHOWN, MAX_DOORS] = [20, 2_000]

async function main(): Promise<void> {
  const { help, json, url } = readArguments()
  if (help) return console.log(HELP)
  const findings = [
    ...checkSettings(),
    ...checkSecrets(),
    ...(await lookAt('postgres', process.env['DATABASE_URL'], checkPostgres)),
    ...(await lookAt('redis', process.env['UPSTASH_REDIS_REST_URL'], checkRedis)),
    ...(await lookAt('worker', url, checkWorker)),
    ...(await checkDoors().catch((error: unknown) => [warn('doors', `not looked at: ${explain(error)}`)])),
  ]
  const isOk = findings.every(({ level }) => level !== 'broken')
  if (json) console.log(JSON.stringify({ ok: isOk, findings }, null, 2))
  else for (const { level, what, says } of findings) console.log(`${level.padEnd(7)} ${what.padEnd(12)} ${says}`)
  if (!isOk) process.exitCode = 1
}

function readArguments() {
  try {
    return parseArgs({ options: { help: { type: 'boolean' }, json: { type: 'boolean' }, url: { type: 'string' } } }).values
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : 'unreadable arguments')
  }
}

async function lookAt(what: string, where: string | undefined, check: (where: string) => Promise<Finding[]>): Promise<Finding[]> {
  if (!where) return [warn(what, `not looked at: ${what === 'worker' ? '--url' : 'its address'} is not given`)]
  return await finding(what, () => check(where))
}

const KNOWN_ERRORS = {
  '42P01': 'it is not migrated: run "npm run db:migrate"',
  ECONNREFUSED: 'nothing listens at its address',
  ENOTFOUND: 'its host is unknown',
  ETIMEDOUT: 'its host does not answer',
}

/** Whatever goes wrong is a finding, beside what others find. */
async function finding(what: string, check: () => Promise<Finding[]>): Promise<Finding[]> {
  return await check().catch((error: unknown) => [broken(what, explain(error, KNOWN_ERRORS, 'it'))])
}

function checkSettings(): Finding[] {
  try {
    // Of the environment it takes what it knows, all of it text.
    const { sweepRequests } = readConfig(process.env as Bindings)
    const plan = `a tick of the cron takes ${sweepRequests} requests at most, where the free plan has 50 for all of it`
    return [ok('settings', 'readable'), sweepRequests > 40 ? warn('plan', `${plan}: set SWEEP_REQUESTS to 40 there`) : ok('plan', plan)]
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map((problem) => (/ is not set/.test(problem) ? warn('settings', problem) : broken('settings', problem)))
  }
}

/** What the Worker reads only once it is used, as far as it is in the environment. */
function checkSecrets(): Finding[] {
  const { INTEGRATION_KEYS, SESSION_SECRET } = process.env
  return [
    INTEGRATION_KEYS && (() => parseSealingKeys(INTEGRATION_KEYS)),
    SESSION_SECRET && (() => getSessionSecret(SESSION_SECRET)),
  ].flatMap((read) => {
    try {
      if (read) read()
      return []
    } catch (error) {
      return broken('settings', explain(error))
    }
  })
}

async function checkPostgres(): Promise<Finding[]> {
  const client = await connect(readDatabaseUrl())
  try {
    const ms = await timeOf(() => client.query('SELECT 1'))
    const migrations = await finding('migrations', () => checkMigrations(client))
    // What is not there yet cannot be looked at.
    const rows = migrations.some(({ level }) => level === 'broken')
      ? []
      : [...(await finding('sweep', () => checkUpkeep(client))), ...(await finding('receivers', () => checkReceivers(client)))]
    return [speed('postgres', ms), ...(await checkServer(client)), ...migrations, ...rows]
  } finally {
    await client.end()
  }
}

async function checkMigrations(client: Client): Promise<Finding[]> {
  const { known, pending, missing, isNewer } = await inspect(client)
  if (isNewer) return [warn('migrations', 'the database is newer than this release: look with the release that is deployed')]
  if (pending.length > 0) return [broken('migrations', `${pending.length} of ${known} are not applied: run "npm run db:migrate" first`)]
  if (missing.length > 0) return [warn('migrations', `indexes are missing: ${missing.join(', ')}. "npm run db:migrate" builds them`)]
  return [ok('migrations', `all ${known} are applied`)]
}

type Server = { readonly version: string; readonly now_ms: string; readonly timeout: string; readonly size: string }

async function checkServer(client: Client): Promise<Finding[]> {
  const askedAt = Date.now()
  const { rows } =
    await client.query<Server>(`SELECT current_setting('server_version') AS version, extract(epoch FROM clock_timestamp()) * 1000 AS now_ms,
    current_setting('statement_timeout') AS timeout, pg_size_pretty(pg_database_size(current_database())) AS size`)
  const [server] = rows
  if (!server) return []
  const timeout = `statements of this role end after ${server.timeout}`
  return [
    ok('postgres', `PostgreSQL ${server.version}, ${server.size}`),
    clock('postgres', Number(server.now_ms) - (askedAt + Date.now()) / 2),
    server.timeout === '0' ? warn('timeout', 'statements of this role never end: see "Limits" in the manual') : ok('timeout', timeout),
  ]
}

async function checkUpkeep(client: Client): Promise<Finding[]> {
  const { rows } = await client.query<{ repairs: string; lag: number }>(`SELECT (SELECT count(*) FROM window_repairs) AS repairs,
    greatest(0, extract(epoch FROM now() - (SELECT min(coalesce(kept_until, expires_at)) FROM context_events)))::int AS lag`)
  const [{ repairs, lag } = { repairs: '0', lag: 0 }] = rows
  return [
    lag > MAX_LAG_S ? broken('sweep', `${lag} s behind: is the cron there, and SWEEP_REQUESTS enough?`) : ok('sweep', `${lag} s behind`),
    (Number(repairs) > 100 ? warn : ok)('windows', `${repairs} wait for a repair`),
  ]
}

type Receiver = {
  readonly id: string
  readonly type: string
  readonly outcome: string
  readonly since: string
  readonly off: string | null
}

/** By their last outcomes, as each integration's page shows them. */
async function checkReceivers(client: Client): Promise<Finding[]> {
  const { rows } = await client.query<Receiver>(
    `SELECT id, type, telling->>'outcome' AS outcome, telling->>'failingSince' AS since, telling->>'switchedOff' AS off
      FROM integrations WHERE telling->>'failingSince' IS NOT NULL ORDER BY (telling->>'failingSince')::bigint, id LIMIT ${MAX_SHOWN}`,
  )
  const { rows: all } = await client.query<{ told: string; at: string | null }>(
    `SELECT count(*) AS told, max((telling->>'at')::bigint) AS at FROM integrations WHERE telling IS NOT NULL`,
  )
  return [
    ...rows.map(({ id, type, outcome, since, off }) =>
      warn('receiver', `${type} ${id} fails since ${toInstant(since)}: ${outcome}${off === null ? '' : ', and is told nothing any more'}`),
    ),
    ...(rows.length === 0
      ? [
          ok(
            'receivers',
            `none of ${all[0]?.told ?? 0} that were told fails${all[0]?.at ? `; the last was told at ${toInstant(all[0].at)}` : ''}`,
          ),
        ]
      : []),
  ]
}

const toInstant = (ms: string | number) => new Date(Number(ms)).toISOString()

type Door = { readonly tenant_id: TenantId; readonly id: IntegrationId; readonly type: string }

/** By what became of the last delivery of each, which Redis has; with people's keys anybody delivers, and no row says who. */
async function checkDoors(): Promise<Finding[]> {
  const url = process.env['UPSTASH_REDIS_REST_URL']
  if (!process.env['DATABASE_URL'] || !url) return [warn('doors', 'not looked at: that takes DATABASE_URL and UPSTASH_REDIS_REST_URL')]
  const doors = await listDoors()
  const redis = createRedis({ url, token: process.env['UPSTASH_REDIS_REST_TOKEN'] ?? '', timeoutMs: TIMEOUT_MS })
  const outcomes: (DeliveryOutcome & { readonly door: Door })[] = []
  for (const [tenantId, own] of Map.groupBy(doors, ({ tenant_id }) => tenant_id)) {
    const found = await readDoorDeliveries(redis, tenantId, { whole: [], others: own.map(({ id }) => id) }, new Date())
    outcomes.push(...own.flatMap((door) => (found.get(door.id)?.latest ?? []).map((outcome) => ({ ...outcome, door }))))
  }
  outcomes.sort((a, b) => b.at.getTime() - a.at.getTime())
  const refused = outcomes.filter(({ kind }) => kind === 'refused')
  const [last] = outcomes
  return [
    ...refused
      .slice(0, MAX_SHOWN)
      .map(({ door, text, at }) => warn('door', `${door.type} ${door.id} refused its last delivery at ${at.toISOString()}: ${text}`)),
    last
      ? ok(
          'doors',
          `${outcomes.length} of ${doors.length} had a delivery lately, ${refused.length} refused their last; the last of all at ${last.at.toISOString()}: ${last.text}`,
        )
      : ok('doors', `none of ${doors.length} had a delivery lately`),
  ]
}

async function listDoors(): Promise<Door[]> {
  const client = await connect(readDatabaseUrl())
  try {
    const { rows } = await client.query<Door>(
      `SELECT tenant_id, id, type FROM integrations WHERE direction <> 'outbound' ORDER BY tenant_id, id LIMIT ${MAX_DOORS}`,
    )
    return rows
  } finally {
    await client.end()
  }
}

async function checkRedis(url: string): Promise<Finding[]> {
  const redis = createRedis({ url, token: process.env['UPSTASH_REDIS_REST_TOKEN'] ?? '', timeoutMs: TIMEOUT_MS })
  const ms = await timeOf(() => redis.client.ask(['PING'])).catch((error: unknown) => {
    throw error instanceof Error && /HTTP 40[13]/.test(error.message) ? new CommandError('it refuses UPSTASH_REDIS_REST_TOKEN') : error
  })
  const { wasHereMs } = await readSweepHints(redis)
  const agoMs = Date.now() - (wasHereMs ?? 0)
  if (wasHereMs === undefined) return [speed('redis', ms), warn('cron', 'no tick has left word so far')]
  const says = `its last tick was planned ${Math.round(agoMs / 1_000)} s ago`
  return [speed('redis', ms), agoMs > CRON_LATE_MS ? broken('cron', says) : ok('cron', says)]
}

async function checkWorker(url: string): Promise<Finding[]> {
  const token = process.env['METRICS_TOKEN']
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {}
  const askedAt = Date.now()
  if (!/^https?:/.test(url) || !URL.canParse(url)) throw new CommandError('--url must look like https://noctuary.example.com')
  const response = await fetch(new URL('/health', url), { headers, signal: AbortSignal.timeout(TIMEOUT_MS) })
  const body = parseJson(await response.text())
  const [status, version] = [field(body, 'status'), field(body, 'version')]
  if (typeof status !== 'string') return [broken('worker', `answered ${response.status}, and not as a Noctuary`)]
  const skewMs = Date.parse(response.headers.get('Date') ?? '') - askedAt
  return [
    status === 'down'
      ? broken('worker', JSON.stringify(field(body, 'checks')))
      : (status === 'ok' ? ok : warn)('worker', `${status}, in ${Date.now() - askedAt} ms`),
    version === VERSION ? ok('version', VERSION) : warn('version', `the Worker is ${String(version)}, this is ${VERSION}`),
    ...(Number.isNaN(skewMs) ? [] : [clock('worker', skewMs)]),
    ...(status === 'down' ? [] : [checkBacklog(field(body, 'backlog'), token)]),
  ]
}

/** What the Worker told of it, which it tells nobody else. */
function checkBacklog(backlog: unknown, token: string | undefined): Finding {
  if (!token) return warn('backlog', 'not looked at: METRICS_TOKEN is not given')
  if (!isObject(backlog)) return warn('backlog', 'not told: the Worker has another METRICS_TOKEN, or none')
  const lag = field(backlog, 'sweep_lag_seconds')
  return (isNumber(lag) && lag > MAX_LAG_S ? broken : ok)('backlog', JSON.stringify(backlog))
}

/** A header has whole seconds. */
function clock(whose: string, skewMs: number): Finding {
  const says = `${whose}'s differs from this machine's by ${(Math.round(skewMs / 100) / 10 || 0).toFixed(1)} s`
  return Math.abs(skewMs) > MAX_SKEW_MS ? warn('clock', says) : ok('clock', says)
}

function speed(store: string, ms: number): Finding {
  const says = `answers in ${ms.toFixed(1)} ms from here`
  return ms > SLOW_MS ? warn(store, `${says}; from the Worker it should be less`) : ok(store, says)
}

/** The middle one of a few times. */
async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let each = 0; each < ASKED; each += 1) {
    const startedAt = performance.now()
    await work()
    times.push(performance.now() - startedAt)
  }
  return times.toSorted((a, b) => a - b)[Math.floor(ASKED / 2)] ?? 0
}

try {
  await main()
} catch (error) {
  console.error(`npm run doctor: ${explain(error)}`)
  process.exitCode = 1
}
