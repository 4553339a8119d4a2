import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { AppError } from '../../domain/errors.ts'
import { MAX_ENVIRONMENT_LENGTH } from '../../domain/event/environment.ts'
import {
  EVENT_TYPES,
  MAX_BATCH_EVENTS,
  MAX_DETAILS_BYTES,
  MAX_NAME_LENGTH,
  MAX_TTL_SECONDS,
  MAX_URL_LENGTH,
} from '../../domain/event/event.ts'
import { tooManyServices } from '../../domain/event/service-name.ts'
import { sha256Hex } from '../../domain/hash.ts'
import { type IngestedItem, type IngestRequest, ingestEvents, MAX_UNJUDGED_BYTES } from '../../usecases/ingest-events.ts'
import { requireKey, SECURITY } from '../auth.ts'
import { type DecodedBody, parseBody, readBody } from '../body.ts'
import { createRouter, deferTo } from '../context.ts'
import type { AppContext } from '../env.ts'
import { INVALID_IDEMPOTENCY_KEY, idempotencyHeader, readIdempotencyKey } from '../idempotency.ts'
import { judgeKey, limitEvents } from '../limits.ts'
import { problemOf, problems } from '../problem.ts'
import { EXAMPLE_IDS, json, Uuid } from '../schemas.ts'

const requiredName = { type: 'string' as const, minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: '\\S' }
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
    service_name: { ...requiredName, description: 'The service that saw the change; it exists from its first event' },
    vendor: { ...requiredName, description: 'What produced the event: argocd, kubernetes, postgres, …' },
    entity: { ...requiredName, description: 'What changed' },
    event_type: { type: 'string' as const, enum: [...EVENT_TYPES] },
    old_value: optionalText(),
    new_value: optionalText(),
    actor: optionalText({ maxLength: MAX_NAME_LENGTH }),
    sha: optionalText({ maxLength: MAX_NAME_LENGTH }),
    environment: optionalText({ maxLength: MAX_ENVIRONMENT_LENGTH, description: 'Where it happened; absent means production' }),
    url: optionalText({ maxLength: MAX_URL_LENGTH, description: 'An https address of the change' }),
    details: {
      type: ['object' as const, 'null' as const],
      description: `What the change consists of: ${MAX_DETAILS_BYTES} bytes at most`,
      properties: {
        title: { type: ['string' as const, 'null' as const] },
        files: { type: ['array' as const, 'null' as const], items: { type: 'string' as const } },
        keys: { type: ['array' as const, 'null' as const], items: { type: 'string' as const } },
      },
    },
    confidence: { type: 'number' as const, exclusiveMinimum: 0, maximum: 1 },
    ttl_seconds: { type: 'integer' as const, minimum: 1, maximum: MAX_TTL_SECONDS, description: 'Counted from receipt' },
    timestamp: optionalText({ description: 'ISO 8601, or a form real agents send; default: receipt' }),
    raw_line: optionalText({ description: 'Kept for audit, never returned' }),
  },
}

const EVENT_REF = { $ref: '#/components/schemas/ContextEvent' }

const EXAMPLE_EVENT = {
  service_name: 'checkout',
  vendor: 'argocd',
  entity: 'checkout',
  event_type: 'deploy',
  new_value: 'succeeded',
  sha: 'a4f2c1',
  confidence: 0.95,
  ttl_seconds: 1_800,
  timestamp: '2026-01-15T10:23:41Z',
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
        id: Uuid.optional().openapi({ description: 'The stored event’s id, unless it was refused' }),
        error: z.string().optional().openapi({ description: 'Why the event was refused' }),
        errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
        warning: z.string().optional(),
      }),
    ),
  })
  .openapi('BatchResult')

const keyHeader = idempotencyHeader('Makes retries of an event without a timestamp, or of a whole batch, safe; remembered for a day')

const encodingHeader = {
  name: 'Content-Encoding',
  in: 'header' as const,
  description: 'The body may be zipped: 1 MiB at most before and after',
  schema: { type: 'string' as const, enum: ['identity', 'gzip'] },
}

const REPLAYED = {
  description: 'Nothing was stored: all of this was stored before',
  schema: { type: 'string' as const, enum: ['true'] },
}

const QUEUED = {
  description: 'The database is away: what was accepted is kept in a queue, and stored when it is back',
  schema: { type: 'string' as const, enum: ['true'] },
}

const FAILURES = {
  ...problems('invalid_request', 'unauthorized', 'forbidden', 'conflict', 'payload_too_large', 'unsupported_media_type', 'unavailable'),
  ...problemOf('forbidden', { pointer: '', detail: 'an ingest key is required' }, { pointer: '', detail: 'agent not registered' }),
}

const INVALID_CONFIDENCE = { pointer: '/confidence', detail: 'confidence must be between 0 and 1' }

const EVENT_ERRORS = [
  { pointer: '/service_name', detail: 'service_name, vendor, and entity are required' },
  { pointer: '/vendor', detail: `vendor must be at most ${MAX_NAME_LENGTH} characters` },
  { pointer: '/event_type', detail: 'event_type is required' },
  { pointer: '/event_type', detail: `event_type must be one of ${EVENT_TYPES.join(', ')}` },
  INVALID_CONFIDENCE,
  { pointer: '/ttl_seconds', detail: 'ttl_seconds must be positive' },
  { pointer: '/ttl_seconds', detail: `ttl_seconds must be at most ${MAX_TTL_SECONDS} (one year)` },
  { pointer: '/timestamp', detail: 'timestamp must be ISO 8601' },
  { pointer: '/environment', detail: `environment must be at most ${MAX_ENVIRONMENT_LENGTH} characters` },
  { pointer: '/url', detail: 'url must be an https address' },
  { pointer: '/details', detail: `details must be at most ${MAX_DETAILS_BYTES} bytes` },
  { pointer: 'Idempotency-Key', detail: INVALID_IDEMPOTENCY_KEY },
  { pointer: '', detail: 'request body must be valid JSON' },
]

const sendEvent = createRoute({
  operationId: 'sendEvent',
  tags: ['Events'],
  method: 'post',
  path: '/v1/events',
  security: [...SECURITY.ingest],
  summary: 'Send an event',
  description: 'Answered after it is stored. The same event sent again, timestamp included, is stored once. Unknown fields are ignored.',
  parameters: [keyHeader, encodingHeader],
  request: {
    body: { required: true, content: { 'application/json': { schema: EVENT_REF, example: EXAMPLE_EVENT } } },
  },
  responses: {
    201: {
      description: 'Stored, now or (`Idempotent-Replayed: true`) before',
      headers: {
        'Noctuary-Event-Id': {
          description: 'The id of the stored event',
          required: true,
          schema: { type: 'string', format: 'uuid' },
          example: EXAMPLE_IDS.event,
        },
        'Idempotent-Replayed': REPLAYED,
        'Noctuary-Queued': QUEUED,
        'Noctuary-Warning': {
          description: 'What was accepted only with reserve',
          schema: { type: 'string' },
          example: 'unknown time zone "ACST": receipt time was used',
        },
      },
    },
    ...FAILURES,
    ...problemOf('invalid_request', ...EVENT_ERRORS),
    ...problemOf(
      'conflict',
      { pointer: '', detail: 'Idempotency-Key was used with a different body' },
      { pointer: '/service_name', detail: tooManyServices(10_000) },
    ),
  },
})

const sendBatch = createRoute({
  operationId: 'sendEvents',
  tags: ['Events'],
  method: 'post',
  path: '/v1/events/batch',
  security: [...SECURITY.ingest],
  summary: 'Send up to 500 events',
  description: 'Each event is stored or refused by itself. An `Idempotency-Key` covers the batch as a whole.',
  parameters: [keyHeader, encodingHeader],
  request: {
    body: {
      required: true,
      content: {
        'application/json': { schema: { type: 'array', maxItems: MAX_BATCH_EVENTS, items: EVENT_REF }, example: [EXAMPLE_EVENT] },
        'application/x-ndjson': {
          schema: { type: 'string', description: 'One event a line' },
          example: `${JSON.stringify(EXAMPLE_EVENT)}\n`,
        },
      },
    },
  },
  responses: {
    200: {
      ...json(BatchBody, 'What became of each event', {
        accepted: 1,
        duplicates: 0,
        rejected: 1,
        results: [
          { index: 0, status: 201, id: EXAMPLE_IDS.event },
          { index: 1, status: 400, error: INVALID_CONFIDENCE.detail, errors: [INVALID_CONFIDENCE] },
        ],
      }),
      headers: {
        'Idempotent-Replayed': REPLAYED,
        'Noctuary-Queued': QUEUED,
        'Noctuary-Warning': {
          description: 'How many events carry a warning',
          schema: { type: 'string' },
          example: '1 of 2 events carry a warning',
        },
      },
    },
    ...FAILURES,
    ...problemOf(
      'invalid_request',
      { pointer: '', detail: 'request body must be a JSON array of events' },
      { pointer: '', detail: 'request body must be valid JSON' },
      { pointer: 'Idempotency-Key', detail: INVALID_IDEMPOTENCY_KEY },
    ),
  },
})

export const eventRoutes = (deps: Deps) => {
  const router = createRouter()
  router.openAPIRegistry.registerComponent('schemas', 'ContextEvent', EventSchema)
  router.use('/v1/events/*', requireKey(deps))

  return router
    .openapi(sendEvent, async (c) => {
      const body = await readBody(c, { allowNdjson: false })
      const { items } = await ingest(deps, c, body, parseJsonLater(body.text))
      const [item] = items
      if (item === undefined || item.status === 'rejected') throw toRefusal(item)
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
  await limitEvents(deps, c, c.var.keyHash, items.length)
  if (text.length > MAX_UNJUDGED_BYTES) await judgeKey(deps, c.var.keyHash)
  const key = readIdempotencyKey(c)
  const idempotency = key === undefined || error ? undefined : { key, bodyHash: await sha256Hex(text) }
  const request: IngestRequest = { keyHash: c.var.keyHash, items, idempotency, mayQueue: true, defer: deferTo(c) }
  const result = await ingestEvents(deps, request)
  c.set('principal', result.principal)
  if (result.isQueued) c.header('Noctuary-Queued', 'true')
  if (error) throw error
  return result
}

function parseJsonLater(text: string): Items {
  return catchInvalid(() => [parseBody(text)])
}

function parseArray(text: string): Items {
  return catchInvalid(() => {
    const value = parseBody(text)
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

function toRefusal(item: (IngestedItem & { status: 'rejected' }) | undefined): AppError {
  const fields = item?.fields ?? []
  return new AppError(item?.code ?? 'invalid_request', fields[0]?.detail ?? 'request body must be valid JSON', {
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
