import { type RouteConfig, z } from '@hono/zod-openapi'
import { CONTENT_TYPES } from '../../domain/doors/delivery-body.ts'
import type { Delivery, Door, DoorAnswer, MediaType } from '../../domain/doors/door.ts'
import type { ErrorCode } from '../../domain/errors.ts'
import type { DoorType } from '../../domain/integration-type.ts'
import { SECURITY } from '../auth.ts'
import { PROBLEMS, problems, RETRY_AFTER } from '../problem.ts'
import { EXAMPLE_IDS, json } from '../schemas.ts'

/** One of the addresses of a door. */
export type DoorPath = {
  readonly path: string
  /** The sender's own API has it: it cannot be anywhere else. */
  readonly isFixed: boolean
  readonly hasToken: boolean
}

/** What a delivery would become. */
export const Rehearsal = z
  .strictObject({
    events: z.array(z.looseObject({})).openapi({ description: 'As `POST /v1/events` takes them' }),
    alerts: z.array(z.looseObject({})),
    ignored: z.string().nullable().openapi({ description: 'Why the rest was left out' }),
    invalid: z.string().nullable().openapi({ description: 'Why the delivery would be refused' }),
  })
  .openapi('Rehearsal')

const SIGNED = {
  prefixed: 'a signature over the body',
  hex: 'a signature over the body',
  standard: 'a signature of Standard Webhooks',
  rootly: 'a signature over time and body',
  token: 'the secret itself',
  pagerduty: 'a signature over the body',
} as const

/** The entries of a door's address in the API's description, all of them from the door's row. */
export function describeDoor(sender: DoorType, door: Door, { path, isFixed, hasToken }: DoorPath): RouteConfig[] {
  const { title, mediaTypes, signatures = [], example, methods = [], greeting } = door
  const [signature] = signatures
  const signed = signature ? ` Where a \`webhook_secret\` is set, ${SIGNED[signature.kind]} has to be right.` : ''
  const params = hasToken && { params: z.object({ token: z.string().openapi({ param: { name: 'token', in: 'path' }, example: 'tok_…' }) }) }
  const operation = {
    tags: ['Doors'],
    path,
    summary: `Take a delivery: ${title}`,
    description: `What ${title} sends, as it sends it.${signed} What is of no concern here is accepted, too, and why is shown on the page.`,
    ...(hasToken || door.credential ? {} : { security: [...SECURITY.ingest] }),
    request: {
      ...params,
      query: z.object({ dry: z.enum(['1']).optional().openapi({ description: 'Nothing is stored' }) }),
      body: {
        required: true,
        content: Object.fromEntries(mediaTypes.map((type) => [CONTENT_TYPES[type], describeBody(type, example.body)])),
      },
    },
    responses: { ...toAnswers(door), ...toRefusals(door) },
  }
  const id = toOperationId([sender, ...(isFixed ? path.split('/') : hasToken ? ['token'] : [])])
  const asked = { tags: ['Doors'], path, request: { ...params }, summary: `Ask whether deliveries are taken: ${title}` }
  return [
    { ...operation, method: 'post', operationId: `receive${id}` },
    ...methods.map((): RouteConfig => ({ ...operation, method: 'put', operationId: `put${id}` })),
    ...(greeting
      ? [
          {
            ...asked,
            method: 'options' as const,
            operationId: `ask${id}`,
            responses: { 200: { description: 'They are' }, ...problems('not_found') },
          },
        ]
      : []),
  ]
}

/** Described rather than validated by a schema: a door reads whatever it is sent. */
function describeBody(type: MediaType, example: unknown) {
  return type === 'protobuf' ? BYTES : { schema: {}, example: type === 'cloudevents-batch' ? [example] : example }
}

function toOperationId(parts: readonly string[]): string {
  const words = parts.join('-').split(/[^a-z]+/i)
  return words.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`).join('')
}

const BYTES = { schema: { type: 'string' as const, format: 'binary' }, example: '' }

/** What a door answers in its own words. */
function toContent(door: Door, { contentType, body }: DoorAnswer) {
  const own = typeof body === 'string' && contentType === 'application/json'
  return {
    ...(own && { 'application/json': { schema: { type: 'object' as const, additionalProperties: true }, example: JSON.parse(body) } }),
    ...(door.mediaTypes.includes('protobuf') && { 'application/x-protobuf': BYTES }),
  }
}

function toAnswers(door: Door): RouteConfig['responses'] {
  const { example, answer } = door
  const taken = { description: 'Taken: what follows from it is stored, and done after this answer' }
  const rehearsed = { events: [], alerts: [], ignored: 'environment staging', invalid: null }
  const dry = json(Rehearsal, 'With `dry=1`: what it would become', rehearsed)
  if (!answer) return { 200: dry, 202: taken }
  const delivery: Delivery = { body: example.body, header: () => undefined, settings: { serviceMap: {} }, id: EXAMPLE_IDS.event }
  const told = answer(door.read(delivery), delivery)
  const own = { ...taken, content: toContent(door, told) }
  // Where both are answered with one status, the body is either's.
  return told.status === 200 ? { 200: own } : { 200: dry, [told.status]: own }
}

/** Problems, or what the sender's own API says. */
function toRefusals({ refusal, ...door }: Door): RouteConfig['responses'] {
  const codes: readonly ErrorCode[] = [
    'invalid_request',
    'unauthorized',
    'forbidden',
    'not_found',
    'payload_too_large',
    'unsupported_media_type',
    'rate_limited',
    'unavailable',
  ]
  const refusals = problems(...codes)
  if (!refusal) return refusals
  const own = codes.map((code) => {
    const { status, example, ...problem } = PROBLEMS[code]
    const told = refusal(status, example, 'application/json')
    const headers = 'retryAfterSeconds' in problem ? { headers: { 'Retry-After': RETRY_AFTER } } : {}
    return [told.status, { description: 'Refused, in the words of its own API', content: toContent(door, told), ...headers }]
  })
  return { ...refusals, ...Object.fromEntries(own) }
}
