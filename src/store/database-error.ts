import { NeonDbError } from '@neondatabase/serverless'
import { DrizzleQueryError } from 'drizzle-orm'

/** The database, or what stands before it, answered something that cannot be used. The message quotes nothing of it. */
export class UnusableAnswer extends Error {
  override readonly name = 'UnusableAnswer'
}

/** SQLSTATE classes that say something about the request rather than about the database's health. */
const OUR_FAULT = /^(?:22|23|42|0A|21)/

/** What a database answers that lacks tables, columns, functions or types of the migrations. */
const NOT_MIGRATED: readonly string[] = ['42P01', '42703', '42883', '42704', '3F000']

const MAX_REASON_LENGTH = 200

/** Whether an error means that Postgres could not be reached or could not serve: worth a retry. */
export function isDatabaseUnavailable(error: unknown): boolean {
  const cause = causeOf(error)
  if (cause instanceof UnusableAnswer) return true
  if (error === cause && !(error instanceof NeonDbError)) return false
  const state = sqlState(cause)
  return state === undefined || !OUR_FAULT.test(state) || NOT_MIGRATED.includes(state)
}

/** Whether the database lacks what the migrations make. */
export function isNotMigrated(error: unknown): boolean {
  return NOT_MIGRATED.includes(sqlState(error) ?? '')
}

/** The SQLSTATE of a database error, if it has one: all that may be logged of it, for its text can quote data. */
export function sqlState(error: unknown): string | undefined {
  const cause = causeOf(error)
  return cause instanceof NeonDbError && cause.code ? cause.code : undefined
}

/** Why Postgres did not serve, for the log: the deadline, a SQLSTATE, or what its proxy says, which knows no data. */
export function toReason(error: unknown): string {
  const state = sqlState(error)
  if (state !== undefined) return isNotMigrated(error) ? `not migrated (${state})` : `SQLSTATE ${state}`
  const cause = causeOf(error)
  const source = cause instanceof NeonDbError ? (cause.sourceError ?? cause) : cause
  if (!(source instanceof Error)) return 'unknown'
  if (source.name === 'TimeoutError') return 'timeout'
  return source instanceof UnusableAnswer || source instanceof NeonDbError ? source.message.slice(0, MAX_REASON_LENGTH) : 'no connection'
}

function causeOf(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? error.cause : error
}
