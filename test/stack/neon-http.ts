import { mkdir } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { messages, PGlite, protocol } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { DatabaseError, Pool, type PoolClient, type QueryArrayConfig } from 'pg'
import { type Address, type Endpoint, type JsonReply, serveJson } from './json-server.ts'

type SqlQuery = { readonly query: string; readonly params: readonly (string | null)[] }

type SqlField = {
  readonly name: string
  readonly dataTypeID: number
  readonly tableID: number
  readonly columnID: number
  readonly dataTypeSize: number
  readonly dataTypeModifier: number
  readonly format: string
}

type SqlResult = {
  readonly fields: readonly SqlField[]
  readonly rows: readonly (readonly (string | null)[])[]
  readonly rowCount: number | null
  readonly command: string | null
}

export type SqlBackend = {
  readonly run: (query: SqlQuery) => Promise<SqlResult>
  readonly runBatch: (begin: string, queries: readonly SqlQuery[]) => Promise<readonly SqlResult[]>
  readonly stop: () => Promise<void>
}

const ERROR_FIELDS = [
  'severity',
  'code',
  'detail',
  'hint',
  'position',
  'internalPosition',
  'internalQuery',
  'where',
  'schema',
  'table',
  'column',
  'dataType',
  'constraint',
  'file',
  'line',
  'routine',
] as const

type DatabaseErrorFields = { readonly message: string } & { readonly [field in (typeof ERROR_FIELDS)[number]]?: string | undefined }

/** A refusal by the database itself: it reaches the client with its SQLSTATE. */
class SqlError extends Error {
  override readonly name = 'SqlError'
  readonly body: Readonly<Record<string, string | undefined>>

  constructor(cause: DatabaseErrorFields) {
    super(cause.message)
    this.body = { message: cause.message, ...Object.fromEntries(ERROR_FIELDS.map((field) => [field, cause[field]])) }
  }
}

const ISOLATION_LEVELS: ReadonlyMap<string, string> = new Map([
  ['ReadUncommitted', 'READ UNCOMMITTED'],
  ['ReadCommitted', 'READ COMMITTED'],
  ['RepeatableRead', 'REPEATABLE READ'],
  ['Serializable', 'SERIALIZABLE'],
])

class InvalidRequest extends Error {}

function toBegin(headers: IncomingHttpHeaders): string {
  const level = headers['neon-batch-isolation-level']
  const isolation = level === undefined ? undefined : ISOLATION_LEVELS.get(String(level))
  if (level !== undefined && isolation === undefined) throw new InvalidRequest(`Unknown isolation level ${String(level)}`)
  return [
    'BEGIN',
    isolation === undefined ? '' : ` ISOLATION LEVEL ${isolation}`,
    headers['neon-batch-read-only'] === 'true' ? ' READ ONLY' : '',
    headers['neon-batch-deferrable'] === 'true' ? ' DEFERRABLE' : '',
  ].join('')
}

function toParam(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return null
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function toQuery(value: unknown): SqlQuery {
  const { query, params = [] } = (value ?? {}) as { readonly query?: unknown; readonly params?: unknown }
  if (typeof query !== 'string') throw new InvalidRequest('A query needs its text')
  // COPY turns the connection into a stream, which neither back end could leave again.
  if (/^\s*copy\b/i.test(query)) throw new InvalidRequest('COPY is not supported over HTTP')
  if (!Array.isArray(params)) throw new InvalidRequest('The parameters of a query are an array')
  return { query, params: params.map(toParam) }
}

function toBody({ fields, rows, rowCount, command }: SqlResult, rowAsArray: boolean): unknown {
  const rowsOut = rowAsArray ? rows : rows.map((row) => Object.fromEntries(fields.map(({ name }, index) => [name, row[index]])))
  return { fields, command, rowCount, rows: rowsOut, rowAsArray }
}

async function execute(backend: SqlBackend, headers: IncomingHttpHeaders, body: unknown): Promise<unknown> {
  if (headers['neon-connection-string'] === undefined) throw new InvalidRequest('The Neon-Connection-String header is missing')
  // The client always asks for text; converting by type, as Neon does without the header, is not worth having here.
  if (headers['neon-raw-text-output'] !== 'true') throw new InvalidRequest('Only Neon-Raw-Text-Output: true is supported')
  const rowAsArray = headers['neon-array-mode'] === 'true'
  const { queries } = (body ?? {}) as { readonly queries?: unknown }
  if (!Array.isArray(queries)) return toBody(await backend.run(toQuery(body)), rowAsArray)
  const results = await backend.runBatch(toBegin(headers), queries.map(toQuery))
  return { results: results.map((result) => toBody(result, rowAsArray)) }
}

/** What Neon's proxy answers itself, before or instead of Postgres: without a SQLSTATE. */
export type NeonRefusal = 'wrong_password' | 'quota_exceeded' | 'endpoint_disabled' | 'request_too_large' | 'response_too_large'

/** Statuses and texts as the proxy words them (neondatabase/neon, proxy/src/serverless/sql_over_http.rs and its errors). */
const REFUSALS: Readonly<Record<NeonRefusal, { readonly status: number; readonly message: string }>> = {
  wrong_password: { status: 400, message: "password authentication failed for user 'noctuary'" },
  quota_exceeded: {
    status: 400,
    message: 'Your account or project has exceeded the compute time quota. Upgrade your plan to increase limits.',
  },
  endpoint_disabled: { status: 400, message: 'The endpoint has been disabled. Enable it using Neon API and retry.' },
  request_too_large: { status: 413, message: 'request is too large (max is 10485760 bytes)' },
  response_too_large: { status: 507, message: 'response is too large (max is 10485760 bytes)' },
}

export type NeonOptions = {
  /** Asked before each request. */
  readonly refusal?: (() => NeonRefusal | undefined) | undefined
  /** Bytes of a request's body, and of the values that answer it; 10 MiB at Neon. */
  readonly maxBytes?: number | undefined
}

const MAX_BYTES = 10_485_760

function toRefusal(name: NeonRefusal): JsonReply {
  const { status, message } = REFUSALS[name]
  return { status, body: { message, code: null } }
}

/** The proxy counts between rows: an answer of a single row passes, however large. */
function isTooLarge(results: readonly SqlResult[], maxBytes: number): boolean {
  let bytes = 0
  for (const { rows } of results) {
    for (const row of rows) {
      if (bytes > maxBytes) return true
      for (const value of row) bytes += Buffer.byteLength(value ?? '')
    }
  }
  return false
}

class TooLarge extends Error {}

function limitAnswers(backend: SqlBackend, maxBytes: number): SqlBackend {
  const check = <T extends readonly SqlResult[]>(results: T): T => {
    if (isTooLarge(results, maxBytes)) throw new TooLarge()
    return results
  }
  return {
    ...backend,
    run: async (query) => {
      const result = await backend.run(query)
      check([result])
      return result
    },
    runBatch: async (begin, queries) => check(await backend.runBatch(begin, queries)),
  }
}

/**
 * Serves Neon's SQL-over-HTTP protocol on any path: the connection string is required, and which database
 * it names is ignored. A refusal by the database or a malformed request is a 400; every other failure a 500 without a code.
 */
export function serveNeon({
  backend,
  refusal,
  maxBytes = MAX_BYTES,
  ...address
}: Address & NeonOptions & { readonly backend: SqlBackend }): Promise<Endpoint> {
  const limited = limitAnswers(backend, maxBytes)
  return serveJson(address, async ({ headers, body }): Promise<JsonReply> => {
    const refused = refusal?.()
    if (refused) return toRefusal(refused)
    if (Number(headers['content-length'] ?? 0) > maxBytes) return toRefusal('request_too_large')
    try {
      return { status: 200, body: await execute(limited, headers, body) }
    } catch (error) {
      return toErrorReply(error)
    }
  })
}

function toErrorReply(error: unknown): JsonReply {
  if (error instanceof SqlError) return { status: 400, body: error.body }
  if (error instanceof InvalidRequest) return { status: 400, body: { message: error.message } }
  if (error instanceof TooLarge) return toRefusal('response_too_large')
  throw error
}

async function inOrder<T>(results: readonly Promise<T>[]): Promise<readonly T[]> {
  // Every promise is awaited before the first failure is rethrown, so that none rejects unheard.
  const settled = await Promise.allSettled(results)
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}

type ExtendedQuery = QueryArrayConfig & { readonly queryMode: 'extended' }

/**
 * Runs queries on a real Postgres through a pool of connections; as Neon's proxy does, it drops one on which a statement failed.
 * `fresh`: each request has a connection of its own, as the first ones have after a rest.
 */
export function createPostgresBackend(connectionString: string, { fresh = false }: { readonly fresh?: boolean } = {}): SqlBackend {
  const pool = new Pool({
    connectionString,
    max: 32,
    idleTimeoutMillis: 60_000,
    connectionTimeoutMillis: 10_000,
    pipeline: true,
    ...(fresh ? { maxUses: 1 } : {}),
    types: { getTypeParser: () => (value: string) => value },
  })
  // Without listeners, a connection that the server drops, idle or in use, ends the process.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))

  const run = async (client: PoolClient, { query, params }: SqlQuery): Promise<SqlResult> => {
    // The extended protocol refuses several statements in one text, as Neon does.
    const config: ExtendedQuery = { text: query, values: [...params], rowMode: 'array', queryMode: 'extended' }
    const result = await client.query<(string | null)[]>(config)
    return { fields: result.fields, rows: result.rows, rowCount: result.rowCount, command: result.command }
  }

  const withClient = async <T>(work: (client: PoolClient) => Promise<T>): Promise<T> => {
    const client = await pool.connect()
    let isLost = false
    try {
      return await work(client)
    } catch (error) {
      isLost = true
      throw error instanceof DatabaseError ? new SqlError(error) : error
    } finally {
      // A statement such as BEGIN leaves the connection unfit for the next request.
      client.release(isLost || client.getTransactionStatus() !== 'I')
    }
  }

  return {
    run: (query) => withClient((client) => run(client, query)),
    runBatch: (begin, queries) =>
      withClient(async (client) => {
        // Written in one go: after a failure Postgres refuses the rest, and turns the COMMIT into a ROLLBACK.
        const texts = [{ query: begin, params: [] }, ...queries, { query: 'COMMIT', params: [] }]
        const results = await inOrder(texts.map((query) => run(client, query)))
        return results.slice(1, -1)
      }),
    stop: () => pool.end(),
  }
}

/** Anything else may change what plans rest on. */
const PLANNED_ONCE = /^\s*(?:select|with|insert|update|delete|begin|commit|rollback)\b/i

const MAX_STATEMENTS = 500

/**
 * The connection's statements by their text, each of which keeps its plan: to plan one takes the embedded Postgres several times
 * as long as to run it on a few rows.
 */
function createStatements() {
  const names = new Map<string, string>()
  let made = 0
  return {
    find: (query: string): string | undefined => names.get(query),
    /** A name that no statement has had; none for what is not to be kept. */
    next: (query: string): string => {
      const isKept = PLANNED_ONCE.test(query) && names.size < MAX_STATEMENTS
      if (isKept) made += 1
      return isKept ? `s${made}` : ''
    },
    /** The database has taken it; what came under no name may have changed what others rest on. */
    keep: (query: string, name: string): void => {
      if (name !== '') names.set(query, name)
      else if (!PLANNED_ONCE.test(query)) names.clear()
    },
  }
}

const { serialize } = protocol

function toMessage({ query, params }: SqlQuery, statement: string, isNew: boolean): Uint8Array {
  return Buffer.concat([
    ...(isNew ? [serialize.parse({ name: statement, text: query })] : []),
    serialize.bind({ statement, values: [...params] }),
    serialize.describe({ type: 'P' }),
    serialize.execute({}),
    serialize.sync(),
  ])
}

const COMMAND_TAG = /^([A-Za-z]+)(?: \d+(?= \d))?(?: (\d+))?/

type Replies = Awaited<ReturnType<PGlite['execProtocol']>>['messages']

function toResult(replies: Replies): SqlResult {
  const fields: SqlField[] = []
  const rows: (string | null)[][] = []
  let tag: RegExpExecArray | null = null
  for (const reply of replies) {
    if (reply instanceof messages.DatabaseError) throw new SqlError(reply)
    if (reply instanceof messages.DataRowMessage) rows.push(reply.fields)
    else if (reply instanceof messages.RowDescriptionMessage) fields.push(...reply.fields.map((field) => ({ ...field, format: 'text' })))
    else if (reply instanceof messages.CommandCompleteMessage) tag = COMMAND_TAG.exec(reply.text)
  }
  const count = tag?.[2]
  return { fields, rows, rowCount: count === undefined ? null : Number(count), command: tag?.[1] ?? null }
}

function isIdle(replies: Replies): boolean {
  const last = replies.at(-1)
  return last instanceof messages.ReadyForQueryMessage && last.status === 'I'
}

/** Opens the embedded Postgres with pgvector, in memory or in a directory; where there is none yet, as an earlier one was dumped. */
export async function openPglite(dataDirectory?: string, dump?: Blob): Promise<PGlite> {
  if (dataDirectory !== undefined) await mkdir(dataDirectory, { recursive: true })
  return PGlite.create({
    ...(dataDirectory === undefined ? {} : { dataDir: dataDirectory }),
    ...(dump === undefined ? {} : { loadDataDir: dump }),
    extensions: { vector },
  })
}

/** Runs queries on the embedded Postgres: one connection, so one request at a time. */
export function createPgliteBackend(pglite: PGlite): SqlBackend {
  const statements = createStatements()

  const send = async (query: SqlQuery): Promise<Replies> => {
    const known = statements.find(query.query)
    const name = known ?? statements.next(query.query)
    const message = toMessage(query, name, known === undefined)
    const { messages: replies } = await pglite.execProtocol(message, { throwOnError: false })
    if (known === undefined && replies.some((reply) => reply.name === 'parseComplete')) statements.keep(query.query, name)
    return replies
  }

  const rollBackUnlessIdle = async (replies: Replies): Promise<void> => {
    if (!isIdle(replies)) await send({ query: 'ROLLBACK', params: [] })
  }

  const transact = async (begin: string, queries: readonly SqlQuery[]): Promise<readonly SqlResult[]> => {
    const results: SqlResult[] = []
    toResult(await send({ query: begin, params: [] }))
    try {
      for (const query of queries) results.push(toResult(await send(query)))
      toResult(await send({ query: 'COMMIT', params: [] }))
    } catch (error) {
      await send({ query: 'ROLLBACK', params: [] })
      throw error
    }
    return results
  }

  return {
    run: (query) =>
      pglite.runExclusive(async () => {
        const replies = await send(query)
        await rollBackUnlessIdle(replies)
        return toResult(replies)
      }),
    runBatch: (begin, queries) => pglite.runExclusive(() => transact(begin, queries)),
    stop: () => pglite.close(),
  }
}
