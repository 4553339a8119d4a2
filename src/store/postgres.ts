import { type NeonQueryFunction, neon, neonConfig } from '@neondatabase/serverless'
import { DrizzleQueryError, type SQL, sql } from 'drizzle-orm'
import { drizzle, type NeonHttpDatabase } from 'drizzle-orm/neon-http'
import { breathe, readBoundedText } from '../bounded-body.ts'
import { field, parseJson } from '../domain/json.ts'
import { UnusableAnswer } from './database-error.ts'
import { withDeadline } from './deadline.ts'
import { FUNCTIONS, type FunctionName, functionNamed } from './functions.ts'
import { type Leave, LONG } from './read-turns.ts'

type Client = NeonQueryFunction<false, false>

type Rows<Row> = { readonly rows: Row[] }

/** What runs statements, which is all that functions of this folder ask of a database. */
export type Db = {
  execute<Row extends Record<string, unknown> = Record<string, unknown>>(statement: SQL): PromiseLike<Rows<Row>>
  /** What is below, where a statement travels alone over Neon's protocol. */
  readonly client?: Client
}

/** A database that also takes several statements in one request, all or nothing. */
export type BatchDb = Pick<NeonHttpDatabase, 'execute' | 'batch'> & { readonly client: Client }

type DbOptions = {
  readonly url: string
  /** Where Neon's HTTP protocol is spoken; by default the host of `url` says. */
  readonly endpoint: string | undefined
  readonly timeoutMs: number
  /** Called before each request. */
  readonly onRequest?: () => void
  /** Called after each that was answered, with how long that took. */
  readonly onAnswer?: (ms: number) => void
  /** Waited for before each request; what it returns is called at the end. */
  readonly takeTurn?: () => Promise<Leave> | undefined
}

type DbFetchInit = RequestInit & Omit<DbOptions, 'url'>

// The driver's endpoint and fetch are process-wide settings. Each client's own travel with its requests instead.
neonConfig.fetchFunction = async (url: string, { endpoint, timeoutMs, onRequest, onAnswer, takeTurn, ...init }: DbFetchInit) => {
  const leave = await takeTurn?.()
  let length = 0
  try {
    onRequest?.()
    const answer = await withDeadline(timeoutMs, readAnswer(endpoint ?? url, init), onAnswer)
    length = answer.length
    return answer
  } finally {
    leave?.(length)
  }
}

/** Neon's own limit is 10 MiB, which single rows pass. */
const MAX_ANSWER_BYTES = 33_554_432

/**
 * What the driver asks of a response. Read as text, for workerd takes several times as long to read JSON; whatever the
 * driver could not make sense of is found here, for single statements and batches alike.
 */
async function readAnswer(url: string, init: RequestInit) {
  const { ok, status, text } = await ask(url, init)
  const { length } = text
  const answer = parseJson(text)
  // What it says is JSON again, for the driver to read.
  if (length >= LONG) await breathe()
  if (ok && isResult(answer)) return { ok, status, length, json: async () => answer }
  const message = readMessage(answer)
  if (status === 400 && message !== undefined) return { ok, status, length, json: async () => answer }
  throw new UnusableAnswer(message === undefined ? `HTTP ${status}, not in Neon's protocol` : `HTTP ${status}: ${message}`)
}

async function ask(url: string, init: RequestInit) {
  const response = await fetch(url, init)
  const text = await readBoundedText(response, MAX_ANSWER_BYTES)
  if (text === undefined) throw new UnusableAnswer(`HTTP ${response.status}, and too long`)
  return { ok: response.ok, status: response.status, text }
}

type NeonResult = { readonly fields: readonly { readonly name: string }[]; readonly rows: readonly (readonly unknown[])[] }

function isResult(answer: unknown): boolean {
  const results: unknown = field(answer, 'results')
  return Array.isArray(results) ? results.every(isTable) : isTable(answer)
}

/** Rows as arrays, as many values as fields: what the driver asks for, and takes for granted. */
function isTable(answer: unknown): answer is NeonResult {
  const [fields, rows] = [field(answer, 'fields'), field(answer, 'rows')]
  return (
    Array.isArray(fields) &&
    fields.every((each) => typeof field(each, 'name') === 'string') &&
    Array.isArray(rows) &&
    rows.every((row) => Array.isArray(row) && row.length === fields.length)
  )
}

function readMessage(answer: unknown): string | undefined {
  const message = field(answer, 'message')
  return typeof message === 'string' ? message : undefined
}

/** A stateless client of Neon's HTTP protocol: one request a query, given up after `timeoutMs`, never repeated. */
export function createDb({ url, ...fetchOptions }: DbOptions): BatchDb {
  const client = neon(url, { fetchOptions })
  const db = drizzle({ client })
  const send = db.batch.bind(db)
  // A batch that is answered in part would leave who asked for the rest without an answer.
  db.batch = async (queries) => {
    const results = await send(queries)
    if (results.length !== queries.length) throw new UnusableAnswer('HTTP 200, with too few results')
    return results
  }
  return Object.assign(db, { client })
}

/**
 * Calls one of the functions that answer JSON. Past Drizzle, which would put the same text together at
 * every request: on the hot paths that is felt.
 */
export async function callFunction<Answer>(
  db: Db,
  name: FunctionName,
  args: readonly (string | number | boolean | null)[],
): Promise<Answer> {
  const { client } = db
  if (!client) {
    const places = sql.join(
      args.map((arg) => sql`${arg}`),
      sql`, `,
    )
    return (await selectOne<{ answer: Answer }>(db, sql`SELECT ${functionNamed(name)}(${places}) AS answer`)).answer
  }
  const text = `SELECT ${FUNCTIONS[name]}(${args.map((_, place) => `$${place + 1}`).join(', ')})`
  const rows = await client.query(text, [...args], { arrayMode: true }).catch((error: unknown) => {
    throw new DrizzleQueryError(text, [], error instanceof Error ? error : undefined)
  })
  const [[answer] = []] = rows
  if (answer === undefined || answer === null || rows.length !== 1) throw unusableAnswer()
  // What the functions answer is their contract with this folder.
  return answer as Answer
}

/** A condition on other rows under which a function is called at all; its `$1` is the function's first argument. */
export type FunctionGuard = {
  /** Takes the place of the guard's own argument, as does `when`. */
  readonly from: (argument: string) => string
  /** What is answered of the row beside the function's answer: JSON; null where there is no such row. */
  readonly beside: string
  readonly when: (argument: string) => string
}

/** Calls a function if a row of `guard` lets it, in one statement; `undefined` where there is no such row. */
export async function callFunctionIf<Answer, Beside>(
  { client }: { readonly client: Client },
  name: FunctionName,
  args: readonly (string | number | boolean | null)[],
  guard: FunctionGuard & { readonly argument: string },
): Promise<{ readonly answer: Answer | null; readonly beside: Beside } | undefined> {
  const call = `${FUNCTIONS[name]}(${args.map((_, place) => `$${place + 1}`).join(', ')})`
  const own = `$${args.length + 1}::text`
  const text = `SELECT ${guard.beside}, CASE WHEN ${guard.when(own)} THEN ${call} END FROM ${guard.from(own)}`
  const rows = await client.query(text, [...args, guard.argument], { arrayMode: true }).catch((error: unknown) => {
    throw new DrizzleQueryError(text, [], error instanceof Error ? error : undefined)
  })
  const [[beside, answer] = []] = rows
  // What a guard and a function answer is their contract with this folder.
  return beside === undefined || beside === null ? undefined : { beside: beside as Beside, answer: answer as Answer | null }
}

/** Runs one statement that always answers exactly one row; anything else did not come from our database. */
export async function selectOne<Row extends Record<string, unknown>>(db: Db, statement: SQL): Promise<Row> {
  const { rows } = await db.execute<Row>(statement)
  const [row] = rows
  if (row === undefined || rows.length !== 1) throw unusableAnswer()
  return row
}

type Asked = {
  readonly statement: SQL
  readonly resolve: (result: Rows<Record<string, unknown>>) => void
  readonly reject: (error: unknown) => void
}

/**
 * The same database, but that statements which are asked for together travel together: those of one turn of the event loop
 * in one request, all or nothing.
 */
export function inOneRequest(db: BatchDb): Db {
  let waiting: Asked[] = []
  const send = async (): Promise<void> => {
    const asked = waiting
    waiting = []
    try {
      const [first, ...rest] = asked.map(({ statement }) => db.execute(statement))
      const results = first ? await db.batch([first, ...rest]) : []
      for (const [place, result] of results.entries()) asked[place]?.resolve(result)
    } catch (error) {
      for (const { reject } of asked) reject(error)
    }
  }
  return {
    execute: <Row extends Record<string, unknown>>(statement: SQL) =>
      new Promise<Rows<Row>>((resolve, reject) => {
        if (waiting.length === 0) queueMicrotask(() => void send())
        // Whoever asks says what rows the statement has, as with `execute` itself.
        waiting.push({ statement, resolve: (result) => resolve(result as Rows<Row>), reject })
      }),
  }
}

const unusableAnswer = () => new UnusableAnswer('HTTP 200, without the row that was asked for')

/** An instant column as whole milliseconds since 1970 (rounded down). */
export const epochMs = (column: SQL): SQL => sql`${functionNamed('epoch_ms')}(${column})`

/** An instant as Postgres takes one. */
export const timestamptz = (instant: Date): SQL => sql`${instant.toISOString()}::timestamptz`
