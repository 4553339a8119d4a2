import { DrizzleQueryError, type SQL } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { AppError } from '../domain/errors.ts'
import { createDb, type Db } from '../store/postgres.ts'
import { CommandError } from './command-error.ts'

const CONNECT_TIMEOUT_MS = 10_000

/** The database that `DATABASE_URL` names, as the driver takes it without a word. Throws `CommandError`. */
export function readDatabaseUrl(): string {
  const text = process.env['DATABASE_URL']?.trim()
  if (!text) throw new CommandError('DATABASE_URL is not set')
  if (!/^postgres(?:ql)?:\/\/[^/]/.test(text) || !URL.canParse(text))
    throw new CommandError('DATABASE_URL must look like postgres://user:password@host/database')
  const url = new URL(text)
  // Without one the driver takes the database that is called like the user: seldom the one that is meant.
  if (url.pathname.length < 2) throw new CommandError('DATABASE_URL names no database: postgres://user:password@host/database')
  // What Neon's console shows: the driver verifies all the same, and warns that it will not for ever.
  if (['prefer', 'require', 'verify-ca'].includes(url.searchParams.get('sslmode') ?? '')) url.searchParams.set('sslmode', 'verify-full')
  url.searchParams.delete('channel_binding')
  return url.href
}

/** A connection of its own, for what needs a session: locks, settings. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
  // Whoever asks next is told that it has ended.
  client.on('error', () => {})
  try {
    await client.connect()
    return client
  } catch (error) {
    // The driver leaves open what it gave up, and the process would wait for the server to end it.
    void client.end()
    throw error
  }
}

/** Over Neon's HTTP protocol where `DATABASE_ENDPOINT` says where that is spoken, over a connection otherwise. Throws `CommandError`. */
export async function openDatabase(): Promise<{ readonly db: Db; readonly close: () => Promise<void> }> {
  const url = readDatabaseUrl()
  const endpoint = process.env['DATABASE_ENDPOINT']
  if (endpoint) return { db: createDb({ url, endpoint, timeoutMs: CONNECT_TIMEOUT_MS }), close: async () => {} }
  const client = await connect(url)
  return { db: toDb(client), close: () => client.end() }
}

/** A connection as the store asks a database. */
export function toDb(client: pg.Client): Db {
  const connection = drizzle({ client })
  const execute = <Row extends Record<string, unknown>>(statement: SQL) =>
    // Whoever asks says what rows the statement has; Drizzle says it in a type that stays open here.
    connection.execute(statement) as PromiseLike<{ readonly rows: Row[] }>
  return { execute }
}

const KNOWN_ERRORS: Readonly<Record<string, string>> = {
  '28000': 'the database refuses this user',
  '28P01': 'the database refuses this password',
  '3D000': 'there is no such database on that server',
  '42501': 'this role may not do that in this database',
  '42P01': 'the database is not migrated: run "npm run db:migrate" first',
  '53300': 'the database has no connection left',
  '57P03': 'the database is starting: try again in a moment',
  ECONNREFUSED: 'nothing listens where DATABASE_URL points',
  ENOTFOUND: 'the host in DATABASE_URL is unknown',
  ETIMEDOUT: 'the host in DATABASE_URL does not answer',
}

/** What the driver says of a password that it was not given. */
const WANTS_PASSWORD = /client password must be a /

/** What went wrong, in a sentence for an operator. `known`: by code, what an error means to this command; `what`: what was asked. */
export function explain(error: unknown, known: Readonly<Record<string, string>> = {}, what = 'the database'): string {
  if (error instanceof CommandError || error instanceof AppError) return error.message
  const cause = toCause(error)
  if (cause instanceof TypeError && !('code' in cause)) return `this is a bug, report it: ${cause.stack}`
  if (cause instanceof Error && WANTS_PASSWORD.test(cause.message)) return 'the database wants a password, and DATABASE_URL has none'
  // What is thrown is an `Error`, by a driver with a code.
  const { code, message } = cause as { readonly code?: string; readonly message?: string }
  const reason = code === undefined ? undefined : (known[code] ?? KNOWN_ERRORS[code])
  if (reason !== undefined) return code === '42501' && message ? `${reason}: ${message}` : reason
  const text = message?.split('\n', 1).join('') || code || 'no answer'
  // Of class 08, and 57P, is what ends a connection.
  return /^(?!08|57P)[0-9A-Z]{5}$/.test(code ?? '') ? `${what} refused: ${text}` : `${what} cannot be reached: ${text}`
}

/** What a driver wrapped, and `fetch`, which says nothing but that it failed. */
function toCause(error: unknown): unknown {
  const isWrapped = error instanceof DrizzleQueryError || (error instanceof TypeError && error.cause !== undefined)
  return isWrapped ? toCause(error.cause) : error
}
