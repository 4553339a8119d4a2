import { breathe } from './bounded-body.ts'
import type { Config, IngestQueue, ModelChoice, RateLimit, Retention } from './config.ts'
import type { KeyType } from './domain/access/api-key.ts'
import { parseSealingKeys, type SealingKeys } from './domain/access/sealed-secret.ts'
import {
  createGate,
  createRecentMap,
  createTally,
  createWeighedMap,
  type Gate,
  type RecentMap,
  type Tally,
  type WeighedMap,
} from './domain/bounded-map.ts'
import { type Counts, countAnswers, createCounts } from './domain/counts.ts'
import { AppError } from './domain/errors.ts'
import type { KeepingPolicy } from './domain/event/redact.ts'
import type { TenantId } from './domain/ids.ts'
import type { AddressRules } from './domain/receivers/address.ts'
import type { StateWindow } from './domain/window/window.ts'
import { type Log, logToConsole } from './log.ts'
import { type AccessTeam, createAccessKeys, type ReadAccessKeys } from './outbound/access-keys.ts'
import { createEndpointModel, createWorkersAiModel, type LanguageModel } from './outbound/language-model.ts'
import { createReceivers, type ReceiverClients } from './outbound/receivers/index.ts'
import type { Principal } from './store/api-keys.ts'
import { UnusableAnswer } from './store/database-error.ts'
import type { KnownIntegration } from './store/integrations.ts'
import { type BatchDb, createDb, type Db } from './store/postgres.ts'
import { createTurns, type Leave } from './store/read-turns.ts'
import { createRedis, type Redis } from './store/redis.ts'
import type { Seen } from './store/state-windows.ts'
import { countCall, findReader, seeThrough } from './store-calls.ts'

/** A window whose copy was found to agree with Postgres, to be answered again while Postgres says that it is unchanged. */
export type KnownWindow = {
  readonly serviceName: string
  readonly window: StateWindow
  readonly seen: Seen
  /** Members the copy had. */
  readonly members: number
  /** By this isolate's clock. */
  readonly verifiedAt: Date
}

/** Characters of windows an isolate remembers, of its 128 MB. */
const KNOWN_WINDOWS_WEIGHT = 8_000_000

const CALLER_LIFE_MS = 10_000

/** No request takes as long: whoever is said to be at one is dead, for the runtime ends what a client has hung up on without a word. */
const REQUEST_LIFE_MS = 60_000

const tooManyReads = () => new UnusableAnswer('too many reads of this tenant are under way')

/** The database of record. */
export type Database = { readonly db: Db }

/** The database, where statements can also be sent together. */
export type BatchDatabase = { readonly db: BatchDb }

/** Copies that can be made anew, and counters. */
export type Copies = { readonly redis: Redis }

export type Stores = Database & Copies

export type Clock = {
  readonly now: () => Date
  /** Waits that many milliseconds. */
  readonly rest: (ms: number) => Promise<void>
  /** Lets other requests have the isolate between two pieces of long work. */
  readonly breathe: () => Promise<void>
}

/** Where ids and secrets come from. */
export type Chance = {
  readonly newUuid: () => string
  readonly randomBytes: (length: number) => Uint8Array<ArrayBuffer>
}

export type Logging = { readonly log: Log; readonly counts: Counts }

/** What an isolate remembers between requests: never that a key lives, but to refuse it. */
export type Memory = {
  /** Which tenant a key's hash belongs to, which never changes. */
  readonly tenantOfKey: Map<string, TenantId>
  /** The hashes of keys this isolate has seen, by key. */
  readonly hashOfKey: Map<string, string>
  /** Integrations by their tokens' hashes: what is done by one is checked against its revision, or it is read anew. */
  readonly knownIntegrations: Map<string, KnownIntegration>
  /** By tenant and service. */
  readonly knownWindows: WeighedMap<KnownWindow>
  /** Known windows whose copies are being looked at, and since when. */
  readonly copyChecks: Map<string, Date>
  /** Windows that were a part when they were read last: their copies are longer still, and not read whole. */
  readonly partialWindows: Map<string, true>
  /** By hash, whom a key was seen to act for lately, or that nobody knew it. */
  readonly knownCallers: RecentMap<Principal | 'unknown'>
  /** By address, how often a stranger was refused in this minute. */
  readonly refusals: Tally
  /** By key's hash, events of this minute. */
  readonly events: Tally
}

/** How much is under way at once. */
export type Load = { readonly requestsAtOnce: Gate; readonly requestsAtOnceByTenant: Gate }

/** The keys that seal integrations' secrets; throws `unavailable` when the operator has set none. */
export type Sealing = { readonly sealingKeys: () => SealingKeys }

/** Where events wait while the database is away. */
export type Queueing = { readonly ingestQueue: IngestQueue | undefined }

/** How many services a tenant may have. */
export type Room = { readonly maxServices: number }

/** What is kept of events and titles. */
export type Keeping = { readonly keeping: KeepingPolicy }

/** What signs the dashboard's sessions; throws `unavailable` when the operator has set none. */
export type Signing = { readonly sessionSecret: () => string }

/** What signs the links in messages; `undefined`: there are none. */
export type Linking = { readonly linkSecret: string | undefined }

export type Site = {
  /** Where callers reach us, without a slash at the end; `undefined`: wherever a request was sent to. */
  readonly publicUrl: string | undefined
  readonly corsOrigins: readonly string[]
}

/** Whom Cloudflare Access vouches for; `undefined`: the pages are not behind it. */
export type People = { readonly access: (AccessTeam & { readonly readKeys: ReadAccessKeys }) | undefined }

/** What an operator's monitoring shows. */
export type Metrics = { readonly metricsToken: string | undefined }

export type RateLimits = {
  readonly rateLimits: Readonly<Record<KeyType, RateLimit>>
  readonly signInLimit: RateLimit
  readonly refusedPerMinute: number
  readonly eventsPerMinute: number
}

export type Upkeep = {
  readonly retention: Retention
  /** Requests to the stores that the batches of one sweep may take. */
  readonly sweepRequests: number
}

export type Model = {
  /** `undefined`: diagnoses are in the engine's own words. */
  readonly languageModel: LanguageModel | undefined
  readonly modelTokensPerDay: number
}

/** Where answers are told. */
export type Receivers = { readonly receivers: ReceiverClients; readonly addressRules: AddressRules }

/** All of it. What touches less says so by the groups it takes. */
export type Deps = BatchDatabase &
  Stores &
  Clock &
  Chance &
  Logging &
  Memory &
  Sealing &
  Signing &
  Linking &
  People &
  Site &
  Metrics &
  RateLimits &
  Load &
  Upkeep &
  Room &
  Queueing &
  Keeping &
  Model &
  Receivers

/** What the app works with, made once an isolate from its configuration. */
export function createDeps(config: Config): Deps {
  const counts = createCounts()
  const tenantOfKey = new Map<string, TenantId>()
  const turns = createTurns(config.readsAtOnce, config.readPatienceMs, tooManyReads)
  const takeTurn = () => {
    const reader = findReader(tenantOfKey)
    return reader === undefined ? undefined : turns.take(reader).then(seeTurnThrough)
  }
  return {
    db: createDb({ ...config.database, onRequest: () => countCall('postgres'), onAnswer: countAnswers(counts, 'postgres'), takeTurn }),
    redis: createRedis({ ...config.redis, onRequest: () => countCall('redis'), onAnswer: countAnswers(counts, 'redis') }),
    tenantOfKey,
    hashOfKey: new Map(),
    knownIntegrations: new Map(),
    knownWindows: createWeighedMap(KNOWN_WINDOWS_WEIGHT),
    copyChecks: new Map(),
    partialWindows: new Map(),
    knownCallers: createRecentMap(CALLER_LIFE_MS),
    refusals: createTally(60_000),
    events: createTally(60_000),
    requestsAtOnce: createGate(config.requestsAtOnce, REQUEST_LIFE_MS),
    requestsAtOnceByTenant: createGate(Math.ceil(config.requestsAtOnce / 2), REQUEST_LIFE_MS),
    refusedPerMinute: config.refusedPerMinute,
    eventsPerMinute: config.eventsPerMinute,
    now: () => new Date(),
    newUuid: () => crypto.randomUUID(),
    randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
    log: logToConsole,
    breathe,
    rest: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    sealingKeys: () => parseSealingKeys(config.integrationKeys),
    publicUrl: config.publicUrl,
    corsOrigins: config.corsOrigins,
    rateLimits: config.rateLimits,
    sessionSecret: () => getSessionSecret(config.sessionSecret),
    linkSecret: isSecret(config.sessionSecret) ? config.sessionSecret : undefined,
    access: config.access && { ...config.access, readKeys: createAccessKeys(config.access, () => new Date()) },
    metricsToken: config.metricsToken,
    counts,
    signInLimit: config.signInLimit,
    retention: config.retention,
    sweepRequests: config.sweepRequests,
    maxServices: config.maxServices,
    ingestQueue: config.ingestQueue,
    keeping: config.keeping,
    receivers: createReceivers(config),
    addressRules: config.network,
    languageModel: openModel(config.model, config.modelTimeoutMs),
    modelTokensPerDay: config.modelTokensPerDay,
  }
}

function openModel(choice: ModelChoice, timeoutMs: number): LanguageModel | undefined {
  if (choice.kind === 'none') return undefined
  return choice.kind === 'endpoint'
    ? createEndpointModel(choice.endpoint, timeoutMs)
    : createWorkersAiModel(choice.ai, choice.model, timeoutMs)
}

/** A read goes on whose request is answered without it, as one that finds nothing beside it is: its turn has to end. */
function seeTurnThrough(leave: Leave): Leave {
  const { promise, resolve } = Promise.withResolvers<void>()
  seeThrough(promise)
  return (length) => {
    leave(length)
    resolve()
  }
}

const MIN_SESSION_SECRET_LENGTH = 32

const isSecret = (secret: string | undefined): boolean => secret !== undefined && secret.length >= MIN_SESSION_SECRET_LENGTH

/** Throws `unavailable` with the way out. */
export function getSessionSecret(secret: string | undefined): string {
  if (secret === undefined) {
    throw new AppError(
      'unavailable',
      'The dashboard needs a secret to sign its sessions: add one with "wrangler secret put SESSION_SECRET"',
    )
  }
  if (!isSecret(secret)) {
    throw new AppError('unavailable', `SESSION_SECRET is too short to be a secret: it needs ${MIN_SESSION_SECRET_LENGTH} characters`)
  }
  return secret
}
