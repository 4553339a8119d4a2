import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { AppError } from '../../domain/errors.ts'
import { EVENT_TYPES, MAX_BATCH_EVENTS, MAX_NAME_LENGTH, MAX_TTL_SECONDS } from '../../domain/event.ts'
import { sha256, toHex } from '../../domain/hash.ts'
import { type IngestedItem, type IngestRequest, ingestEvents } from '../../usecases/ingest-events.ts'
import { requireKey, SECURITY } from '../auth.ts'
import { type DecodedBody, parseJson, readBody } from '../body.ts'
import { type AppContext, createRouter, deferTo } from '../context.ts'
import { problems } from '../problem.ts'
import { json, Uuid } from '../schemas.ts'

const requiredName = { type: 'string' as const, minLength: 1, maxLength: MAX_NAME_LENGTH }
const optionalText = (facts: { maxLength?: number; description?: string } = {}) => ({
  type: ['string' as const, 'null' as const],
  ...facts,
})

// Described rather than validated by a schema: the domain checks events, so that a bad one in a batch harms no other and
// every error carries the documented text.
const EventSchema = {
  type: 'object' as const,
  required: ['service_name', 'vendor', 'entity', 'event_type', 'confidence', 'ttl_seconds'],
  properties: {
    service_name: requiredName,
    vendor: requiredName,
    entity: requiredName,
    event_type: { type: 'string' as const, enum: [...EVENT_TYPES] },
    old_value: optionalText(),
    new_value: optionalText(),
    actor: optionalText({ maxLength: MAX_NAME_LENGTH }),
    sha: optionalText({ maxLength: MAX_NAME_LENGTH }),
    confidence: { type: 'number' as const, exclusiveMinimum: 0, maximum: 1 },
    ttl_seconds: { type: 'integer' as const, minimum: 1, maximum: MAX_TTL_SECONDS },
    timestamp: optionalText({ description: 'ISO 8601, or a form real agents send; default: receipt' }),
    raw_line: optionalText({ description: 'Kept for audit, never returned' }),
  },
  example: {
    service_name: 'checkout',
    vendor: 'argocd',
    entity: 'checkout',
    event_type: 'deploy',
    new_value: 'succeeded',
    sha: 'a4f2c1',
    confidence: 0.95,
    ttl_seconds: 1800,
    timestamp: '2026-01-15T10:23:41Z',
  },
}

const BatchBody = z
  .strictObject({
    accepted: z.int(),
    duplicates: z.int(),
    rejected: z.int(),
    results: z.array(
      z.strictObject({
        index: z.int(),
        status: z.union([z.literal(201), z.literal(200), z.literal(400)]),
        id: Uuid.optional(),
        error: z.string().optional(),
        errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
        warning: z.string().optional(),
      }),
    ),
  })
  .openapi('BatchResult')

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/

const idempotencyHeader = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  description: 'Makes retries of an event without a timestamp, or of a whole batch, safe',
  schema: { type: 'string' as const, pattern: IDEMPOTENCY_KEY.source },
}

const FAILURES = problems(
  'invalid_request',
  'unauthorized',
  'forbidden',
  'conflict',
  'payload_too_large',
  'unsupported_media_type',
  'unavailable',
)

const sendEvent = createRoute({
  operationId: 'sendEvent',
  tags: ['Events'],
  method: 'post',
  path: '/v1/events',
  security: [...SECURITY.ingest],
  parameters: [idempotencyHeader],
  request: {
    body: { required: true, content: { 'application/json': { schema: EventSchema } } },
  },
  responses: {
    201: {
      description: 'Stored, now or (`Idempotent-Replayed: true`) before',
      headers: {
        'Noctuary-Event-Id': { schema: { type: 'string', format: 'uuid' } },
        'Idempotent-Replayed': { schema: { type: 'string', enum: ['true'] } },
        'Noctuary-Warning': { schema: { type: 'string' } },
      },
    },
    ...FAILURES,
  },
})

const sendBatch = createRoute({
  operationId: 'sendEvents',
  tags: ['Events'],
  method: 'post',
  path: '/v1/events/batch',
  security: [...SECURITY.ingest],
  parameters: [idempotencyHeader],
  request: {
    body: {
      required: true,
      content: {
        'application/json': { schema: { type: 'array', maxItems: MAX_BATCH_EVENTS, items: EventSchema } },
        'application/x-ndjson': { schema: { type: 'string', description: 'One event a line' } },
      },
    },
  },
  responses: { 200: json(BatchBody, 'What became of each event'), ...FAILURES },
})

export const eventRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use('/v1/events/*', requireKey(deps))

  return router
    .openapi(sendEvent, async (c) => {
      const body = await readBody(c, { allowNdjson: false })
      const { items } = await ingest(deps, c, body, parseJsonLater(body.text))
      const [item] = items
      if (item === undefined || item.status === 'rejected') throw toInvalidRequest(item)
      c.header('Noctuary-Event-Id', item.id)
      if (item.status === 'duplicate') c.header('Idempotent-Replayed', 'true')
      if (item.warning !== undefined) c.header('Noctuary-Warning', toHeaderText(item.warning))
      return c.body(null, 201)
    })
    .openapi(sendBatch, async (c) => {
      const body = await readBody(c, { allowNdjson: true })
      const { items } = await ingest(deps, c, body, body.isNdjson ? parseLines(body.text) : parseArray(body.text))
      const warned = items.filter((item) => item.status !== 'rejected' && item.warning !== undefined).length
      if (items.length > 0 && items.every((item) => item.status === 'duplicate')) c.header('Idempotent-Replayed', 'true')
      if (warned > 0) c.header('Noctuary-Warning', `${warned} of ${items.length} events carry a warning`)
      return c.json(toBatchBody(items), 200)
    })
}

/** What a body decodes to, or the error that its sender gets once the API key is known to be good. */
type Items = { readonly items: readonly unknown[]; readonly error?: AppError }

async function ingest(deps: Deps, c: AppContext, { text }: DecodedBody, { items, error }: Items) {
  const key = readIdempotencyKey(c)
  const idempotency = key === undefined || error ? undefined : { key, bodyHash: toHex(await sha256(text)) }
  const request: IngestRequest = { keyHash: c.var.keyHash, items, idempotency, defer: deferTo(c) }
  const result = await ingestEvents(deps, request)
  c.set('principal', result.principal)
  if (error) throw error
  return result
}

function parseJsonLater(text: string): Items {
  return catchInvalid(() => [parseJson(text)])
}

function parseArray(text: string): Items {
  return catchInvalid(() => {
    const value = parseJson(text)
    if (!Array.isArray(value)) throw new AppError('invalid_request', 'request body must be a JSON array of events')
    return checkCount(value)
  })
}

/** One event a line; a line that is not JSON is that event's error, not the batch's. */
function parseLines(text: string): Items {
  return catchInvalid(() => {
    const lines = text.split('\n')
    return checkCount(lines.filter((line) => line.trim() !== '').map(parseLine))
  })
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function checkCount(items: unknown[]): unknown[] {
  if (items.length <= MAX_BATCH_EVENTS) return items
  throw new AppError('payload_too_large', `a batch holds at most ${MAX_BATCH_EVENTS} events`)
}

function catchInvalid(parse: () => unknown[]): Items {
  try {
    return { items: parse() }
  } catch (error) {
    if (error instanceof AppError) return { items: [], error }
    throw error
  }
}

function readIdempotencyKey(c: AppContext): string | undefined {
  const key = c.req.header('Idempotency-Key')
  if (key === undefined || IDEMPOTENCY_KEY.test(key)) return key
  const detail = 'Idempotency-Key must be 1 to 255 printable ASCII characters'
  throw new AppError('invalid_request', detail, { fields: [{ pointer: 'Idempotency-Key', detail }] })
}

function toInvalidRequest(item: (IngestedItem & { status: 'rejected' }) | undefined): AppError {
  const fields = item?.fields ?? []
  return new AppError('invalid_request', fields[0]?.detail ?? 'request body must be valid JSON', {
    fields: fields.filter(({ pointer }) => pointer !== ''),
  })
}

function toHeaderText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?')
}

function toBatchBody(items: readonly IngestedItem[]): z.infer<typeof BatchBody> {
  const count = (status: IngestedItem['status']) => items.filter((item) => item.status === status).length
  return {
    accepted: count('created'),
    duplicates: count('duplicate'),
    rejected: count('rejected'),
    results: items.map(toBatchResult),
  }
}

function toBatchResult(item: IngestedItem, index: number): z.infer<typeof BatchBody>['results'][number] {
  if (item.status === 'rejected') {
    const errors = item.fields.filter(({ pointer }) => pointer !== '')
    const error = item.fields[0].detail === 'request body must be valid JSON' ? 'event must be a JSON object' : item.fields[0].detail
    return { index, status: 400, error, ...(errors.length > 0 ? { errors } : {}) }
  }
  const warning = item.warning === undefined ? {} : { warning: item.warning }
  return { index, status: item.status === 'created' ? 201 : 200, id: item.id, ...warning }
}
