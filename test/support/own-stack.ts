import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll } from 'vitest'
import { createDb } from '../../src/store/postgres.ts'
import { createRedis } from '../../src/store/redis.ts'
import { spawnStack } from '../stack/spawn-stack.ts'
import type { StackAddresses } from '../stack/stack.ts'
import { createEmbeddedBackend, serveUpstash } from '../stack/upstash-rest.ts'

/** An embedded stack that the files of this process use one after the other: to start one takes two seconds of CPU. */
let kept: Promise<StackAddresses> | undefined

/**
 * A stack for one test file alone, for tests that sweep: a sweep is of all tenants. It ends with the file, or with the test that
 * says so; the embedded one of a file is emptied for the next one.
 */
export async function startOwnStack(atEnd: (stop: () => Promise<void>) => void = afterAll): Promise<StackAddresses> {
  const shared = process.env['DATABASE_URL']
  if (!shared && !process.env['REDIS_URL'] && atEnd === afterAll) {
    if (kept !== undefined) await empty(await kept)
    kept ??= spawnStack()
    return await kept
  }
  const name = `noctuary_${randomUUID().replaceAll('-', '')}`
  const databaseUrl = shared ? Object.assign(new URL(shared), { pathname: `/${name}` }).href : undefined
  if (shared) await runOn(shared, `CREATE DATABASE ${name}`)
  const sharedRedis = process.env['REDIS_URL']
  const redis = sharedRedis ? await takeRedis(sharedRedis) : undefined

  const { stop, ...addresses } = await spawnStack({ databaseUrl, redisUrl: redis?.url })
  atEnd(async () => {
    await stop()
    await redis?.giveBack()
    if (shared) await runOn(shared, `DROP DATABASE ${name} WITH (FORCE)`)
  })
  return addresses
}

/** A Redis for one test alone. */
export async function startOwnRedis(atEnd: (stop: () => Promise<void>) => void): Promise<string> {
  if (process.env['REDIS_URL']) return (await startOwnStack(atEnd)).redisUrl
  const { url, stop } = await serveUpstash({ run: createEmbeddedBackend().run })
  atEnd(stop)
  return url
}

async function empty({ databaseUrl, databaseEndpoint, redisUrl, redisToken }: StackAddresses): Promise<void> {
  const db = createDb({ url: databaseUrl, endpoint: databaseEndpoint, timeoutMs: 30_000 })
  await db.execute(sql`DO $$ BEGIN
    ALTER TABLE audit_entries DISABLE TRIGGER USER;
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(relname), ', ') FROM pg_class
      WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace);
    ALTER TABLE audit_entries ENABLE TRIGGER USER;
  END $$`)
  await createRedis({ url: redisUrl, token: redisToken, timeoutMs: 30_000 }).client.ask(['FLUSHALL'])
}

async function runOn(databaseUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('SET statement_timeout = 0')
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** Empties and takes a database of a Redis for longer than a file lasts, if it is empty or an earlier file's that never gave it back. */
const TAKE = `
  if redis.call('EXISTS', 'noctuary:test') == 0 and redis.call('DBSIZE') > 0 then return 0 end
  if redis.call('EXISTS', 'noctuary:test:taken') == 1 then return 0 end
  redis.call('FLUSHDB')
  redis.call('SET', 'noctuary:test', '1')
  redis.call('SET', 'noctuary:test:taken', '1', 'EX', 900)
  return 1`

const REDIS_DATABASES = 16

/** A database of the same Redis that nobody else uses. */
async function takeRedis(sharedUrl: string): Promise<{ readonly url: string; readonly giveBack: () => Promise<void> }> {
  const shared = new URL(sharedUrl)
  for (let index = 1; index < REDIS_DATABASES; index += 1) {
    const { href: url } = Object.assign(new URL(shared), { pathname: `/${index}` })
    if (url === shared.href) continue
    const client = new Redis(url)
    if ((await client.eval(TAKE, 0)) === 1) {
      const giveBack = async () => {
        await client.flushdb()
        client.disconnect()
      }
      return { url, giveBack }
    }
    client.disconnect()
  }
  throw new Error(`No database of ${shared.host} is empty: tests that sweep each need one of their own`)
}
