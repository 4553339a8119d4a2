import { existsSync, openAsBlob } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { PGlite } from '@electric-sql/pglite'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import { migrate as migratePglite } from 'drizzle-orm/pglite/migrator'
import { Client } from 'pg'
import { MIGRATIONS_FOLDER, migrate } from '../../src/commands/migrations.ts'
import { createPgliteBackend, createPostgresBackend, openPglite, type SqlBackend, serveNeon } from './neon-http.ts'
import { servePagerDuty } from './pagerduty-api.ts'
import { serveReceivers } from './receiver-api.ts'
import { createEmbeddedBackend, createRedisBackend, type RedisBackend, serveUpstash } from './upstash-rest.ts'

export type StackOptions = {
  /** A real Postgres; the embedded one without it. */
  readonly databaseUrl?: string | undefined
  /** A connection of its own for each request to a real Postgres. */
  readonly freshConnections?: boolean | undefined
  /** A real Redis; the embedded one without it. */
  readonly redisUrl?: string | undefined
  /** Where the embedded Postgres keeps its data; in memory without it. */
  readonly dataDirectory?: string | undefined
  /** A file with the embedded Postgres as it is once migrated: where there is one, that is how it starts; else it is made. */
  readonly seed?: string | undefined
  readonly databasePort?: number | undefined
  readonly redisPort?: number | undefined
}

export type StackAddresses = {
  readonly databaseUrl: string
  readonly databaseEndpoint: string
  readonly redisUrl: string
  readonly redisToken: string
  /** The stand-in for PagerDuty's REST API. */
  readonly pagerDutyUrl: string
  /** The stand-ins for the others who are told. */
  readonly receiversUrl: string
  readonly postgres: 'embedded' | 'real'
  readonly redis: 'embedded' | 'real'
}

/** The Worker's variables and secrets that point it at a local stack. */
export function toBindings({ databaseUrl, databaseEndpoint, redisUrl, redisToken, pagerDutyUrl, receiversUrl }: StackAddresses) {
  return {
    DATABASE_URL: databaseUrl,
    DATABASE_ENDPOINT: databaseEndpoint,
    UPSTASH_REDIS_REST_URL: redisUrl,
    UPSTASH_REDIS_REST_TOKEN: redisToken,
    PAGERDUTY_API_URL: pagerDutyUrl,
    SLACK_API_URL: `${receiversUrl}/slack-api`,
    LOOPBACK_RECEIVERS: 'on',
  }
}

export type Stack = StackAddresses & { readonly stop: () => Promise<void> }

type Stop = () => Promise<void>

const EMBEDDED_DATABASE_URL = 'postgres://noctuary:noctuary@localhost/noctuary'

async function migrateReal(databaseUrl: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await migrate(client)
  } finally {
    await client.end()
  }
}

async function openEmbedded({ dataDirectory, seed = '' }: StackOptions): Promise<SqlBackend> {
  const isSeeded = existsSync(seed)
  const pglite: PGlite = await openPglite(dataDirectory, isSeeded ? await openAsBlob(seed) : undefined)
  try {
    await migratePglite(drizzlePglite(pglite), { migrationsFolder: MIGRATIONS_FOLDER })
    if (seed !== '' && !isSeeded) await writeSeed(pglite, seed)
  } catch (error) {
    await pglite.close()
    throw error
  }
  return createPgliteBackend(pglite)
}

/** Whole or not at all: others may look for it meanwhile. */
async function writeSeed(pglite: PGlite, seed: string): Promise<void> {
  const unfinished = `${seed}.${process.pid}`
  await writeFile(unfinished, (await pglite.dumpDataDir('none')).stream())
  await rename(unfinished, seed)
}

async function openPostgres(options: StackOptions): Promise<SqlBackend> {
  if (!existsSync(`${MIGRATIONS_FOLDER}/meta/_journal.json`))
    throw new Error(`No migrations in ${MIGRATIONS_FOLDER}: generate them with npm run db:generate`)
  if (options.databaseUrl === undefined) return openEmbedded(options)
  await migrateReal(options.databaseUrl)
  return createPostgresBackend(withoutTimeout(options.databaseUrl), { fresh: options.freshConnections === true })
}

/** A busy machine is given more time than the role's `statement_timeout`; tests of that have a backend of their own. */
function withoutTimeout(databaseUrl: string): string {
  const url = new URL(databaseUrl)
  url.searchParams.set('options', '-c statement_timeout=0')
  return url.href
}

async function openRedis({ redisUrl }: StackOptions): Promise<RedisBackend> {
  return redisUrl === undefined ? createEmbeddedBackend() : await createRedisBackend(redisUrl)
}

async function startAll(options: StackOptions, stops: Stop[]): Promise<StackAddresses> {
  const postgres = await openPostgres(options)
  stops.unshift(postgres.stop)
  const redis = await openRedis(options)
  stops.unshift(redis.stop)
  const database = await serveNeon({ backend: postgres, port: options.databasePort })
  stops.unshift(database.stop)
  const upstash = await serveUpstash({ run: redis.run, port: options.redisPort })
  stops.unshift(upstash.stop)
  const pagerDuty = await servePagerDuty({})
  stops.unshift(pagerDuty.stop)
  const receivers = await serveReceivers({})
  stops.unshift(receivers.stop)

  return {
    databaseUrl: options.databaseUrl ?? EMBEDDED_DATABASE_URL,
    databaseEndpoint: `${database.url}/sql`,
    redisUrl: upstash.url,
    redisToken: 'local',
    pagerDutyUrl: pagerDuty.url,
    receiversUrl: receivers.url,
    postgres: options.databaseUrl === undefined ? 'embedded' : 'real',
    redis: options.redisUrl === undefined ? 'embedded' : 'real',
  }
}

/** Starts Neon's and Upstash's protocols, over embedded or real stores with the migrations applied, and the stand-ins, on 127.0.0.1. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  // Last started, first stopped.
  const stops: Stop[] = []
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0)) await each()
  }
  try {
    return { ...(await startAll(options, stops)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function main(): Promise<void> {
  const read = (name: string): string | undefined => process.env[name] || undefined
  const { stop, ...addresses } = await startStack({
    databaseUrl: read('DATABASE_URL'),
    freshConnections: read('NOCTUARY_CONNECTIONS') === 'fresh',
    redisUrl: read('REDIS_URL'),
    dataDirectory: read('NOCTUARY_DATA'),
    seed: read('NOCTUARY_SEED'),
  })
  const shutDown = (): void => {
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.once('SIGTERM', shutDown)
  process.once('SIGINT', shutDown)
  // The end of stdin is the end of the parent, however it died.
  process.stdin.once('end', shutDown).resume()
  process.stdout.write(`${JSON.stringify(addresses)}\n`)
}

// Node 22 has no import.meta.main.
if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
