import { NeonDbError, neon, neonConfig } from '@neondatabase/serverless'
import { DrizzleQueryError, type SQL, sql } from 'drizzle-orm'
import { drizzle, type NeonHttpDatabase } from 'drizzle-orm/neon-http'
import { AppError } from '../domain/errors.ts'

export type Db = NeonHttpDatabase

type DbOptions = {
  readonly url: string
  /** Where Neon's HTTP protocol is spoken; by default the host of `url` says. */
  readonly endpoint: string | undefined
  readonly timeoutMs: number
}

type DbFetchInit = RequestInit & { readonly endpoint: string | undefined; readonly timeoutMs: number }

// The driver's endpoint and fetch are process-wide settings. Each client's own travel with its requests instead.
neonConfig.fetchFunction = (url: string, { endpoint, timeoutMs, ...init }: DbFetchInit) =>
  fetch(endpoint ?? url, { ...init, signal: AbortSignal.timeout(timeoutMs) })

/** A stateless client of Neon's HTTP protocol: one request a query, given up after `timeoutMs`, never repeated. */
export function createDb({ url, endpoint, timeoutMs }: DbOptions): Db {
  return drizzle({ client: neon(url, { fetchOptions: { endpoint, timeoutMs } }) })
}

/** Runs one statement that always answers exactly one row; anything else did not come from our database. */
export async function selectOne<Row extends Record<string, unknown>>(db: Db, statement: SQL): Promise<Row> {
  const { rows } = await db.execute<Row>(statement)
  const [row] = rows
  if (row === undefined || rows.length !== 1) throw new AppError('unavailable', 'the database gave no usable answer')
  return row
}

/** An instant column as whole milliseconds since 1970 (rounded down): the function of the migrations. */
export const epochMs = (column: SQL): SQL => sql`epoch_ms(${column})`

/** SQLSTATE classes that say something about the request rather than about the database's health. */
const OUR_FAULT = /^(?:22|23|42|0A|21)/

/** Whether an error means that Postgres could not be reached or could not serve: worth a retry. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const cause = error instanceof DrizzleQueryError ? error.cause : error
  if (error === cause && !(error instanceof NeonDbError)) return false
  return !OUR_FAULT.test(sqlState(cause) ?? '')
}

/** The SQLSTATE of a database error, if it has one: all that may be logged of it, for its text can quote data. */
export function sqlState(error: unknown): string | undefined {
  const cause = error instanceof DrizzleQueryError ? error.cause : error
  return cause instanceof NeonDbError && cause.code ? cause.code : undefined
}
