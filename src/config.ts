import type { KeyType } from './domain/access/api-key.ts'
import type { KeepingPolicy } from './domain/event/redact.ts'
import type { AccessTeam } from './outbound/access-keys.ts'
import type { ModelEndpoint, WorkersAi } from './outbound/language-model.ts'
import type { PagerDutyApi } from './outbound/receivers/pagerduty.ts'
import type { Network } from './outbound/receivers/request.ts'
import type { SlackApi } from './outbound/receivers/slack.ts'

/** Cloudflare's rate-limit binding: counts per location, without a network wait. */
export type RateLimiter = { readonly limit: (options: { readonly key: string }) => Promise<{ readonly success: boolean }> }

/** What Cloudflare Queues take: resolves once the messages are kept. */
export type IngestQueue = { readonly sendBatch: (messages: readonly { readonly body: unknown }[]) => Promise<unknown> }

/** The Worker's bindings as wrangler hands them over: variables, secrets and rate limiters. */
export type Bindings = {
  readonly DATABASE_URL?: string
  readonly DATABASE_ENDPOINT?: string
  readonly UPSTASH_REDIS_REST_URL?: string
  readonly UPSTASH_REDIS_REST_TOKEN?: string
  readonly INTEGRATION_KEYS?: string
  readonly PUBLIC_URL?: string
  readonly CORS_ORIGINS?: string
  readonly INGEST_PER_MINUTE?: string
  readonly READONLY_PER_MINUTE?: string
  readonly INGEST_RATE_LIMITER?: RateLimiter
  readonly READONLY_RATE_LIMITER?: RateLimiter
  readonly INGEST_QUEUE?: IngestQueue
  readonly REFUSED_PER_MINUTE?: string
  readonly INGEST_EVENTS_PER_MINUTE?: string
  readonly REQUESTS_AT_ONCE?: string
  readonly SESSION_SECRET?: string
  readonly ACCESS_TEAM?: string
  readonly ACCESS_AUD?: string
  readonly METRICS_TOKEN?: string
  readonly SIGN_IN_PER_MINUTE?: string
  readonly SIGN_IN_RATE_LIMITER?: RateLimiter
  readonly COUNTS_DAYS?: string
  readonly AUDIT_DAYS?: string
  readonly SILENT_SERVICE_DAYS?: string
  readonly INCIDENT_DAYS?: string
  readonly SNAPSHOT_DAYS?: string
  readonly MAX_SERVICES?: string
  readonly SWEEP_REQUESTS?: string
  readonly READS_AT_ONCE?: string
  readonly REDACT?: string
  readonly STORE_RAW_LINES?: string
  readonly PAGERDUTY_API_URL?: string
  readonly SLACK_API_URL?: string
  readonly LOOPBACK_RECEIVERS?: string
  readonly LLM_BASE_URL?: string
  readonly LLM_API_KEY?: string
  readonly LLM_MODEL?: string
  readonly LLM_TOKENS_PER_DAY?: string
  readonly AI?: WorkersAi
}

/** How often a key may be used; without a limiter, without a limit. */
export type RateLimit = { readonly limiter: RateLimiter | undefined; readonly perMinute: number }

/** How long what outlives events is kept, in days. */
export type Retention = {
  readonly countsDays: number
  readonly auditDays: number
  /** A service silent for that long is listed no more, and removed after as long again. */
  readonly silentServiceDays: number
  /** Incidents, with their answers. */
  readonly incidentDays: number
  /** What answers saw, unless they were confirmed. */
  readonly snapshotDays: number
}

/** Which language model words diagnoses, if any: one behind an endpoint, or one of Workers AI. */
export type ModelChoice =
  | { readonly kind: 'endpoint'; readonly endpoint: ModelEndpoint }
  | { readonly kind: 'workers_ai'; readonly ai: WorkersAi; readonly model: string }
  | { readonly kind: 'none' }

export type Config = {
  readonly database: { readonly url: string; readonly endpoint: string | undefined; readonly timeoutMs: number }
  readonly redis: { readonly url: string; readonly token: string; readonly timeoutMs: number }
  /** Read at the first use: without it everything but secrets works. */
  readonly integrationKeys: string | undefined
  readonly publicUrl: string | undefined
  /** The origins whose pages may read with a key of their own; none by default. */
  readonly corsOrigins: readonly string[]
  readonly rateLimits: Readonly<Record<KeyType, RateLimit>>
  /** Where events wait while the database is away; `undefined`: nowhere, and they are refused. */
  readonly ingestQueue: IngestQueue | undefined
  /** How often an address may be refused. */
  readonly refusedPerMinute: number
  /** Events that a key may send, by this isolate's count. */
  readonly eventsPerMinute: number
  /** Requests that an isolate has under way; one tenant has half of them at most. */
  readonly requestsAtOnce: number
  /** What signs the dashboard's sessions; read at the first use: without it everything but the dashboard works. */
  readonly sessionSecret: string | undefined
  /** Who vouches for people; `undefined`: nobody, and keys alone sign in. */
  readonly access: AccessTeam | undefined
  /** Who shows it is told by `/health` what waits for the cron; without one, nobody is. */
  readonly metricsToken: string | undefined
  /** How often one address may try to sign in. */
  readonly signInLimit: RateLimit
  readonly retention: Retention
  /** That a tenant may have. */
  readonly maxServices: number
  readonly sweepRequests: number
  /** Statements of one tenant's reads that an isolate has under way. */
  readonly readsAtOnce: number
  /** How long a read waits for others of its tenant. */
  readonly readPatienceMs: number
  readonly keeping: KeepingPolicy
  readonly pagerDuty: PagerDutyApi
  readonly slack: SlackApi
  /** How receivers are reached whose addresses are configured. */
  readonly network: Network
  readonly model: ModelChoice
  /** Tokens the model may cost a tenant in a day. */
  readonly modelTokensPerDay: number
  readonly modelTimeoutMs: number
}

type TextBinding = Exclude<keyof Bindings, `${string}_RATE_LIMITER` | 'AI' | 'INGEST_QUEUE'>

/** How long one may stay signed in. The audit, which is kept for longer, tells which sessions were ended. */
export const SESSION_DAYS = 7

const DATABASE_TIMEOUT_MS = 2_400
const READ_PATIENCE_MS = 2_000
const REDIS_TIMEOUT_MS = 300
const PAGERDUTY_TIMEOUT_MS = 4_000
const RECEIVER_TIMEOUT_MS = 5_000
const MODEL_TIMEOUT_MS = 8_000
const WORKERS_AI_MODEL = '@cf/meta/llama-3.3-70b-instruct-fp8-fast'

/** What is wrong with a deployment's settings: a sentence for each, which quotes no secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join(' '))
    this.problems = problems
  }
}

/** Reads the bindings once; throws a `ConfigError` when any is unreadable, or missing without a default. */
export function readConfig(bindings: Bindings): Config {
  const checks = [
    () => checkDatabaseUrl(bindings.DATABASE_URL),
    () => checkRedisUrl(bindings.UPSTASH_REDIS_REST_URL),
    () => checkRedisToken(bindings.UPSTASH_REDIS_REST_TOKEN),
    () => checkOrigins(bindings.CORS_ORIGINS),
    ...URLS.map((name) => () => problemsOf(() => url(bindings, name))),
    ...FLAGS.map((name) => () => problemsOf(() => flag(bindings, name))),
    ...NUMBERS.map((name) => () => problemsOf(() => count(bindings, name, 1))),
    () => problemsOf(() => readAccess(bindings)),
    () => problemsOf(() => chooseModel(bindings)),
  ]
  const problems = [...new Set(checks.flatMap((check) => check() ?? []))]
  if (problems.length > 0) throw new ConfigError(problems)
  return read(bindings)
}

const URLS = ['PUBLIC_URL', 'PAGERDUTY_API_URL', 'SLACK_API_URL'] as const

const FLAGS = ['REDACT', 'STORE_RAW_LINES'] as const

const NUMBERS = [
  'INGEST_PER_MINUTE',
  'READONLY_PER_MINUTE',
  'SIGN_IN_PER_MINUTE',
  'REFUSED_PER_MINUTE',
  'INGEST_EVENTS_PER_MINUTE',
  'REQUESTS_AT_ONCE',
  'COUNTS_DAYS',
  'AUDIT_DAYS',
  'SILENT_SERVICE_DAYS',
  'INCIDENT_DAYS',
  'SNAPSHOT_DAYS',
  'MAX_SERVICES',
  'SWEEP_REQUESTS',
  'READS_AT_ONCE',
  'LLM_TOKENS_PER_DAY',
] as const

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read()
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

function notSet(name: TextBinding): string {
  return `${name} is not set: add it with "wrangler secret put ${name}".`
}

/** What is wrong with the value of a connection string, which is a secret and not quoted. */
function checkDatabaseUrl(text: string | undefined): string | undefined {
  if (!text) return notSet('DATABASE_URL')
  if (/^psql\b/.test(text)) return 'DATABASE_URL is a psql command: set what stands between its quotes, from postgresql:// on.'
  if (/^['"]|['"]$|\s/.test(text)) return 'DATABASE_URL has quotes or blanks around it or in it: set the bare connection string.'
  if (!/^postgres(?:ql)?:\/\//.test(text)) return 'DATABASE_URL has no scheme: it begins with postgresql://.'
  const address = URL.canParse(text) ? new URL(text) : undefined
  if (!address?.hostname || !address.username || address.pathname.length < 2)
    return 'DATABASE_URL is not whole: it reads postgresql://user:password@host/database.'
  return undefined
}

function checkRedisUrl(text: string | undefined): string | undefined {
  if (!text) return notSet('UPSTASH_REDIS_REST_URL')
  if (/^rediss?:/.test(text))
    return 'UPSTASH_REDIS_REST_URL is the address of the Redis protocol: set the REST URL, which begins with https://.'
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return 'UPSTASH_REDIS_REST_URL is no URL: it begins with https://.'
  return undefined
}

function checkRedisToken(text: string | undefined): string | undefined {
  if (!text) return notSet('UPSTASH_REDIS_REST_TOKEN')
  return /^['"]|['"]$|\s/.test(text) ? 'UPSTASH_REDIS_REST_TOKEN has quotes or blanks around it: set the bare token.' : undefined
}

function checkOrigins(text: string | undefined): string[] {
  const wrong = toOrigins(text).filter((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin)
  return wrong.map((origin) => `CORS_ORIGINS holds "${origin}", which is no origin such as https://ops.example.com.`)
}

function toOrigins(text: string | undefined): string[] {
  return (text ?? '').split(/[\s,]+/).filter((origin) => origin !== '')
}

function read(bindings: Bindings): Config {
  const reading = { limiter: bindings.READONLY_RATE_LIMITER, perMinute: count(bindings, 'READONLY_PER_MINUTE', 1_000) }
  return {
    database: {
      url: required(bindings, 'DATABASE_URL'),
      endpoint: bindings.DATABASE_ENDPOINT || undefined,
      timeoutMs: DATABASE_TIMEOUT_MS,
    },
    redis: {
      url: required(bindings, 'UPSTASH_REDIS_REST_URL'),
      token: required(bindings, 'UPSTASH_REDIS_REST_TOKEN'),
      timeoutMs: REDIS_TIMEOUT_MS,
    },
    integrationKeys: bindings.INTEGRATION_KEYS || undefined,
    publicUrl: url(bindings, 'PUBLIC_URL'),
    corsOrigins: toOrigins(bindings.CORS_ORIGINS),
    rateLimits: {
      ingest: { limiter: bindings.INGEST_RATE_LIMITER, perMinute: count(bindings, 'INGEST_PER_MINUTE', 6_000) },
      readonly: reading,
      viewer: reading,
    },
    ingestQueue: bindings.INGEST_QUEUE,
    refusedPerMinute: count(bindings, 'REFUSED_PER_MINUTE', 100),
    eventsPerMinute: count(bindings, 'INGEST_EVENTS_PER_MINUTE', 600_000),
    requestsAtOnce: count(bindings, 'REQUESTS_AT_ONCE', 400),
    sessionSecret: bindings.SESSION_SECRET || undefined,
    access: readAccess(bindings),
    metricsToken: bindings.METRICS_TOKEN || undefined,
    signInLimit: { limiter: bindings.SIGN_IN_RATE_LIMITER, perMinute: count(bindings, 'SIGN_IN_PER_MINUTE', 10) },
    retention: {
      countsDays: count(bindings, 'COUNTS_DAYS', 30),
      auditDays: count(bindings, 'AUDIT_DAYS', 365),
      silentServiceDays: count(bindings, 'SILENT_SERVICE_DAYS', 30),
      incidentDays: count(bindings, 'INCIDENT_DAYS', 400),
      snapshotDays: count(bindings, 'SNAPSHOT_DAYS', 90),
    },
    maxServices: count(bindings, 'MAX_SERVICES', 10_000),
    sweepRequests: count(bindings, 'SWEEP_REQUESTS', 5_000),
    readsAtOnce: count(bindings, 'READS_AT_ONCE', 64),
    readPatienceMs: READ_PATIENCE_MS,
    keeping: { redacts: flag(bindings, 'REDACT'), keepsRawLines: flag(bindings, 'STORE_RAW_LINES') },
    pagerDuty: { url: url(bindings, 'PAGERDUTY_API_URL') ?? 'https://api.pagerduty.com', timeoutMs: PAGERDUTY_TIMEOUT_MS },
    slack: { url: url(bindings, 'SLACK_API_URL') ?? 'https://slack.com/api' },
    network: {
      timeoutMs: RECEIVER_TIMEOUT_MS,
      ownHosts: bindings.PUBLIC_URL && URL.canParse(bindings.PUBLIC_URL) ? [new URL(bindings.PUBLIC_URL).hostname] : [],
      allowsLoopback: bindings.LOOPBACK_RECEIVERS === 'on',
    },
    model: chooseModel(bindings),
    modelTokensPerDay: count(bindings, 'LLM_TOKENS_PER_DAY', 200_000),
    modelTimeoutMs: MODEL_TIMEOUT_MS,
  }
}

const TEAM_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/
const TEAM_ORIGIN = /^https:\/\/[^/]+$|^http:\/\/(?:127\.0\.0\.1|localhost)(?::\d+)?$/

/** A team by its name or, where it has a domain of its own, by its origin. */
function readAccess({ ACCESS_TEAM: team, ACCESS_AUD: audience }: Bindings): AccessTeam | undefined {
  if (!team && !audience) return undefined
  if (!team || !audience) throw new ConfigError(['ACCESS_TEAM and ACCESS_AUD go together: set both, or neither.'])
  if (TEAM_NAME.test(team)) return { origin: `https://${team}.cloudflareaccess.com`, audience }
  const origin = withoutSlashes(team)
  if (TEAM_ORIGIN.test(origin) && URL.canParse(origin)) return { origin, audience }
  throw new ConfigError([`ACCESS_TEAM must be a team's name, or its address such as https://acme.cloudflareaccess.com, not "${team}".`])
}

function chooseModel(bindings: Bindings): ModelChoice {
  const baseUrl = url(bindings, 'LLM_BASE_URL')
  if (baseUrl !== undefined) {
    return { kind: 'endpoint', endpoint: { baseUrl, apiKey: bindings.LLM_API_KEY || undefined, model: required(bindings, 'LLM_MODEL') } }
  }
  return bindings.AI ? { kind: 'workers_ai', ai: bindings.AI, model: bindings.LLM_MODEL || WORKERS_AI_MODEL } : { kind: 'none' }
}

/** No store has a date of centuries ago. */
const MAX_DAYS = 36_500
const MAX_COUNT = 2_147_483_647

function count(bindings: Bindings, name: TextBinding, byDefault: number): number {
  const text = bindings[name]
  if (!text) return byDefault
  const above = name === 'AUDIT_DAYS' ? SESSION_DAYS : 0
  const most = name.endsWith('_DAYS') ? MAX_DAYS : MAX_COUNT
  const value = /^\s*\d{1,10}\s*$/.test(text) ? Number(text) : Number.NaN
  if (value > above && value <= most) return value
  throw new ConfigError([`${name} must be a whole number above ${above}, and ${most} at most, not "${text}".`])
}

/** On unless it says `off`. */
function flag(bindings: Bindings, name: TextBinding): boolean {
  const text = (bindings[name] ?? '').trim().toLowerCase()
  if (text === 'off') return false
  if (text === '' || text === 'on') return true
  throw new ConfigError([`${name} must be "on" or "off", not "${text}".`])
}

function url(bindings: Bindings, name: TextBinding): string | undefined {
  const text = bindings[name]
  if (!text) return undefined
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return withoutSlashes(text)
  throw new ConfigError([`${name} must be a URL such as https://noctuary.example.com.`])
}

function withoutSlashes(text: string): string {
  return text.endsWith('/') ? withoutSlashes(text.slice(0, -1)) : text
}

function required(bindings: Bindings, name: TextBinding): string {
  const value = bindings[name]
  if (!value) throw new ConfigError([notSet(name)])
  return value
}
