import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { isToken } from '../domain/access/integration.ts'
import { AppError, type ErrorCode, type FieldError } from '../domain/errors.ts'
import type { Log } from '../log.ts'
import { isDatabaseUnavailable, isNotMigrated, sqlState, toReason } from '../store/database-error.ts'
import type { AppEnv } from './env.ts'

type Problem = {
  readonly status: ContentfulStatusCode
  readonly title: string
  /** A detail such a problem may carry, for the API's description. */
  readonly example: string
  readonly retryAfterSeconds?: number
}

/** How each code is answered. */
export const PROBLEMS = {
  invalid_request: { status: 400, title: 'Invalid request', example: 'request body must be valid JSON' },
  unauthorized: { status: 401, title: 'Unauthorized', example: 'API key is missing: send "Authorization: Bearer <key>"' },
  forbidden: { status: 403, title: 'Forbidden', example: 'a read-only key is required' },
  not_found: { status: 404, title: 'Not found', example: 'no such service' },
  method_not_allowed: { status: 405, title: 'Method not allowed', example: 'this is a door: send POST' },
  conflict: { status: 409, title: 'Conflict', example: 'Idempotency-Key was used with a different body' },
  payload_too_large: { status: 413, title: 'Payload too large', example: 'request body must be at most 1 MiB (1,048,576 bytes)' },
  unsupported_media_type: { status: 415, title: 'Unsupported media type', example: 'Content-Type must be application/json' },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    example: 'a key of this kind has 1000 requests a minute; send events in batches, or wait',
    retryAfterSeconds: 60,
  },
  unavailable: {
    status: 503,
    title: 'Service unavailable',
    example: 'the database is not available; try again',
    retryAfterSeconds: 5,
  },
} as const satisfies Record<ErrorCode, Problem>

const INTERNAL: Problem = {
  status: 500,
  title: 'Internal error',
  example: 'something went wrong on our side; the request id helps us find it',
}

/** A small body can be wrong in a great many places, and its answer must not outgrow it. */
const MAX_LISTED_ERRORS = 50

const JSON_POINTER = 'A JSON pointer into the body, or the name of a parameter or header'

/** The error body of RFC 9457, with `error` for clients that expect it. */
export const ProblemBody = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().openapi({ description: 'What is wrong with this request, for its sender' }),
    instance: z.string().openapi({ description: 'The path that was asked for, without tokens' }),
    error: z.string().openapi({ description: 'The same text as `detail`' }),
    request_id: z.string(),
    errors: z
      .array(z.strictObject({ pointer: z.string().openapi({ description: JSON_POINTER }), detail: z.string() }))
      .max(MAX_LISTED_ERRORS)
      .optional()
      .openapi({ description: `What is wrong where in the request: the first ${MAX_LISTED_ERRORS} places` }),
  })
  .openapi('Problem')

/** The problem responses of an operation, for its OpenAPI description. What takes a key also limits how often; anything may fail. */
export function problems(...codes: ErrorCode[]) {
  const all: readonly ErrorCode[] = codes.includes('unauthorized') ? [...codes, 'rate_limited'] : codes
  return Object.fromEntries(
    [...all.map((code) => PROBLEMS[code]), INTERNAL].map((problem) => [
      problem.status,
      { $ref: `#/components/responses/${toComponentName(problem)}` },
    ]),
  )
}

/** A problem response whose details an operation documents word by word; given after `problems`, it takes that one's place. */
export function problemOf(code: ErrorCode, ...fields: readonly FieldError[]) {
  return { [PROBLEMS[code].status]: describeProblem(PROBLEMS[code], fields) }
}

/** The problem responses that `problems` refers to, by name. */
export function problemComponents(): Readonly<Record<string, ReturnType<typeof describeProblem>>> {
  return Object.fromEntries(
    [...Object.values(PROBLEMS), INTERNAL].map((problem) => [toComponentName(problem), describeProblem(problem, [])]),
  )
}

function toComponentName({ title }: Problem): string {
  return title.replaceAll(/ (\w)/g, (_, letter: string) => letter.toUpperCase())
}

function describeProblem(problem: Problem, fields: readonly FieldError[]) {
  const details = fields.length > 0 ? fields : [{ pointer: '', detail: problem.example }]
  return {
    description: problem.title,
    headers: {
      ...(problem.status === 401 ? { 'WWW-Authenticate': WWW_AUTHENTICATE } : {}),
      ...(problem.status === 429 ? { 'RateLimit-Policy': RATE_LIMIT_POLICY } : {}),
      ...(problem.retryAfterSeconds === undefined ? {} : { 'Retry-After': RETRY_AFTER }),
    },
    content: {
      'application/problem+json': {
        schema: { $ref: '#/components/schemas/Problem' },
        examples: Object.fromEntries(details.map((field) => [toExampleName(field.detail), { value: toExample(problem, field) }])),
      },
    },
  }
}

const WWW_AUTHENTICATE = { description: 'How to authenticate', required: true, schema: { type: 'string' as const, const: 'Bearer' } }

const RATE_LIMIT_POLICY = {
  description: 'The limit that was met: requests (`q`) in a window of seconds (`w`)',
  required: true,
  schema: { type: 'string' as const },
  example: '"readonly";q=1000;w=60',
}

/** The response header that says how long to wait, in seconds. */
export const RETRY_AFTER = {
  description: 'Seconds to wait before the next try',
  required: true,
  schema: { type: 'string' as const, pattern: '^[0-9]+$' },
  example: '5',
}

function toExampleName(detail: string): string {
  return detail
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .slice(0, 40)
}

function toExample({ status, title }: Problem, { pointer, detail }: FieldError): z.infer<typeof ProblemBody> {
  return {
    type: 'about:blank',
    title,
    status,
    detail,
    instance: '/v1/…',
    error: detail,
    request_id: 'b3f1c9d2-5a7e-4c1b-9f60-2d8e7a4c1b35',
    ...(pointer === '' ? {} : { errors: [{ pointer, detail }] }),
  }
}

/** zod's findings as JSON pointers into the body. */
export function toFieldErrors(issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]): FieldError[] {
  return issues.map(({ path, message }) => ({
    pointer: path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
    detail: message,
  }))
}

/** Answers any thrown error: what callers may know as they should know it, the rest as a 500 that is logged once. */
export function answerError(error: unknown, c: Context<AppEnv>, log: Log): Response {
  const known = toAppError(error)
  if (known?.code === 'unavailable') logUnavailable(error, c, log)
  if (known) c.set('refusal', known.code)
  if (known) return answerProblem(c, PROBLEMS[known.code], known.message, known.fields)
  logBug(error, c, log)
  return answerProblem(c, INTERNAL, INTERNAL.example, [])
}

/** What callers may know of an error; `undefined` when it is a bug of ours. */
export function toAppError(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error
  if (isNotMigrated(error)) return new AppError('unavailable', 'the database is not migrated; try again')
  if (isDatabaseUnavailable(error)) return new AppError('unavailable', 'the database is not available; try again')
  if (error instanceof HTTPException && error.status < 500) return new AppError('invalid_request', 'request body must be valid JSON')
  return undefined
}

type Asked = { readonly req: { readonly method: string }; get(name: 'requestId'): string }

/** Logs once why something is not available. */
export function logUnavailable(error: unknown, c: Asked, log: Log): void {
  const reason = error instanceof AppError ? error.message : toReason(error)
  log('unavailable', { request_id: c.get('requestId'), method: c.req.method, reason })
}

/** Logs a bug once, with what leads to its cause and quotes no data. */
export function logBug(error: unknown, c: Asked, log: Log): void {
  log('bug', { request_id: c.get('requestId'), method: c.req.method, ...describe(error) })
}

function describe(error: unknown): Readonly<Record<string, unknown>> {
  const state = sqlState(error)
  if (state !== undefined) return { sqlstate: state }
  if (!(error instanceof Error)) return { name: 'not an error' }
  return { name: error.name, stack: withoutMessage(error) }
}

/** Where it happened. What it says can quote what somebody sent. */
function withoutMessage({ message, stack = '' }: Error): string {
  return (message === '' ? stack : stack.replaceAll(message, '…'))
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n')
}

const CREDENTIAL_LIKE = /^(?:tok|noc)_/

/** A path that may be shown around: senders log what they are answered, and the token in an address is all that it takes. */
function withoutTokens(path: string): string {
  return path
    .split('/')
    .map((part) => (CREDENTIAL_LIKE.test(part) || isToken(part) ? '…' : part))
    .join('/')
}

function answerProblem(c: Context<AppEnv>, problem: Problem, detail: string, fields: readonly FieldError[]): Response {
  const { status, title, retryAfterSeconds } = problem
  const body = {
    type: 'about:blank',
    title,
    status,
    detail,
    instance: withoutTokens(new URL(c.req.url).pathname),
    error: detail,
    request_id: c.get('requestId') ?? '',
    ...(fields.length > 0 ? { errors: fields.slice(0, MAX_LISTED_ERRORS) } : {}),
  }
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json' }
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer'
  if (retryAfterSeconds !== undefined) headers['Retry-After'] = String(retryAfterSeconds)
  return c.body(JSON.stringify(body), status, headers)
}
