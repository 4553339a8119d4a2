import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { earlier } from '../../domain/compare.ts'
import { AppError } from '../../domain/errors.ts'
import { toEnvironment } from '../../domain/event/environment.ts'
import type { IncidentId, ShareId } from '../../domain/ids.ts'
import { toShownValue, toStorableText } from '../../domain/text.ts'
import { isZeroTime, parseTimestamp } from '../../domain/timestamp.ts'
import { listIncidents } from '../../store/incident-lists.ts'
import { getIncident } from '../../store/incidents.ts'
import { removeShare, TOO_MANY_SHARES } from '../../store/shares.ts'
import { judge, resolve } from '../../usecases/decide-incident.ts'
import { askNow } from '../../usecases/diagnose-now.ts'
import { shareIncident } from '../../usecases/share-incident.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { boundBody, decodeBody } from '../body.ts'
import { createRouter, deferTo, timeLeft, toTrail } from '../context.ts'
import { chanceOf, REPEAT_REFUSALS, REPEATABLE, REPLAYED_HEADER, repeatable } from '../idempotency.ts'
import { problemOf, problems } from '../problem.ts'
import { getPathId, IdParams, json, jsonBody, pageStart, readInstant, readPageStart } from '../schemas.ts'
import {
  DetailBody,
  FeedbackBody,
  IncidentBody,
  NewShareBody,
  QuestionBody,
  ShareParams,
  toDetailBody,
  toIncidentBody,
  toShareBody,
} from './incident-body.ts'
import { EXAMPLE_DETAIL, EXAMPLE_ITEM, EXAMPLE_SHARE } from './incident-examples.ts'

const DEFAULT_SINCE_MS = 7 * 24 * 3_600_000

const NOT_FOUND = problemOf('not_found', { pointer: '', detail: 'no such incident' })
const FAILURES = ['unauthorized', 'forbidden', 'unavailable'] as const
const common = { tags: ['Incidents'], security: [...SECURITY.readonly] }

const list = createRoute({
  ...common,
  security: [...SECURITY.viewer],
  operationId: 'listIncidents',
  method: 'get',
  path: '/v1/incidents',
  summary: 'List incidents',
  description:
    'Each with its latest answer. An incident with a `diagnosis_of` shares that one’s. To page on, send the last `id` as `before`.',
  request: {
    query: z.object({
      since: z.string().optional().openapi({
        format: 'date-time',
        description: 'ISO 8601: incidents triggered after it; seven days ago by default',
        example: '2026-01-15T10:00:00Z',
      }),
      before: pageStart('Incidents'),
      service: z
        .string()
        .transform(toStorableText)
        .optional()
        .openapi({ description: 'Incidents of the service with this name', example: 'checkout' }),
    }),
  },
  responses: {
    200: json(z.array(IncidentBody), 'The tenant’s incidents, newest first, fifty at most', [EXAMPLE_ITEM]),
    ...problems('invalid_request', ...FAILURES),
    ...problemOf(
      'invalid_request',
      { pointer: 'since', detail: 'since must be ISO 8601' },
      { pointer: 'before', detail: 'before must be ISO 8601' },
    ),
  },
})

const get = createRoute({
  ...common,
  security: [...SECURITY.viewer],
  operationId: 'getIncident',
  method: 'get',
  path: '/v1/incidents/{id}',
  summary: 'Get an incident',
  description:
    'With its ranked hypotheses, the evidence, and the snapshot of what the diagnosis saw, which stays whole for 90 days by default, and for good once an engineer confirmed the answer.',
  request: { params: IdParams },
  responses: {
    200: json(DetailBody, 'The incident with its answer and what that was made from', EXAMPLE_DETAIL),
    ...problems('not_found', ...FAILURES),
    ...NOT_FOUND,
  },
})

const create = createRoute({
  ...common,
  operationId: 'diagnoseService',
  ...REPEATABLE,
  method: 'post',
  path: '/v1/incidents',
  summary: 'Diagnose a service now',
  description:
    'Without a pager. `triggered_at` is now by default, and at the latest; with `observed_until`, nothing that happened later is looked at, and the answer is final. A service that nobody has told of is 404 with the nearest names, unless `create` is true. An incident that cannot be diagnosed at once is answered as `diagnosing`, and diagnosed later.',
  request: { body: jsonBody(QuestionBody, { service: 'checkout', title: 'error rate above 5 %' }) },
  responses: {
    201: {
      ...json(DetailBody, 'The diagnosed incident', {
        ...EXAMPLE_DETAIL,
        url: null,
        external_ref: null,
        external_source: null,
        posted_back: false,
        engineer_confirmed: null,
        notes: [],
      }),
      headers: REPLAYED_HEADER,
    },
    ...problems(...REPEAT_REFUSALS, 'not_found', ...FAILURES),
    ...problemOf('not_found', {
      pointer: '/service',
      detail: 'nobody has told of a service "chekout". The nearest: "checkout". With "create": true it is opened.',
    }),
    ...problemOf(
      'invalid_request',
      { pointer: '/service', detail: 'service is required' },
      { pointer: '/triggered_at', detail: 'triggered_at must be ISO 8601' },
      { pointer: '/observed_until', detail: 'observed_until must be ISO 8601' },
    ),
  },
})

const judgeRoute = createRoute({
  ...common,
  operationId: 'judgeIncident',
  method: 'put',
  path: '/v1/incidents/{id}/feedback',
  summary: 'Confirm or reject an answer',
  description: 'The verdict is about the latest answer, replaces an earlier one, and teaches later diagnoses.',
  request: { params: IdParams, body: jsonBody(FeedbackBody, { confirmed: true }) },
  responses: {
    204: { description: 'Kept' },
    ...problems('invalid_request', 'not_found', 'conflict', 'payload_too_large', 'unsupported_media_type', ...FAILURES),
    ...problemOf('invalid_request', { pointer: '/confirmed', detail: 'confirmed must be true or false' }),
    ...problemOf('conflict', { pointer: '', detail: 'the incident is not diagnosed yet' }),
    ...NOT_FOUND,
  },
})

const resolveRoute = createRoute({
  ...common,
  operationId: 'resolveIncident',
  method: 'put',
  path: '/v1/incidents/{id}/resolve',
  summary: 'Mark an incident resolved',
  description: 'One that was resolved before stays as it was.',
  request: { params: IdParams },
  responses: { 204: { description: 'Resolved, now or before' }, ...problems('not_found', ...FAILURES), ...NOT_FOUND },
})

const share = createRoute({
  ...common,
  operationId: 'shareIncident',
  method: 'post',
  path: '/v1/incidents/{id}/shares',
  summary: 'Make a link to an incident',
  description: 'Whoever has it reads the incident’s page for three days, without an account. It is told this once.',
  ...REPEATABLE,
  request: { params: IdParams },
  responses: {
    201: {
      ...json(NewShareBody, 'The link', { ...EXAMPLE_SHARE, url: 'https://noctuary.example.com/shared/bxwqVD8eS1eMHQ…' }),
      headers: REPLAYED_HEADER,
    },
    ...problems(...REPEAT_REFUSALS, 'not_found', ...FAILURES),
    ...problemOf('conflict', { pointer: '', detail: TOO_MANY_SHARES }),
    ...NOT_FOUND,
  },
})

const unshare = createRoute({
  ...common,
  operationId: 'revokeShare',
  method: 'delete',
  path: '/v1/incidents/{id}/shares/{share_id}',
  summary: 'Revoke a link to an incident',
  request: { params: ShareParams },
  responses: {
    204: { description: 'Revoked' },
    ...problems('not_found', ...FAILURES),
    ...problemOf('not_found', { pointer: '', detail: 'no such link' }),
  },
})

/** What is left for an answer to be kept, should its question come again. */
const KEPT_WITHIN_MS = 300

export const incidentRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use('/v1/incidents/*', requireKey(deps), requirePrincipal(deps, 'readonly'))
  router.on('POST', create.path, decodeBody, repeatable(deps))
  router.on('POST', '/v1/incidents/:id/shares', boundBody, repeatable(deps))
  router.on('PUT', '/v1/incidents/:id/feedback', decodeBody)

  return router
    .openapi(list, async (c) => {
      const { since, before, service } = c.req.valid('query')
      const start = readPageStart<IncidentId>(before)
      const incidents = await listIncidents(deps.db, c.var.principal.tenantId, {
        since: readInstant('since', since, 'first') ?? new Date(deps.now().getTime() - DEFAULT_SINCE_MS).toISOString(),
        ...(start && 'entry' in start ? { after: start.entry } : { before: start?.instant }),
        serviceName: service,
      })
      return c.json(incidents.map(toIncidentBody), 200)
    })
    .openapi(get, async (c) => {
      const id = getPathId<IncidentId>(c.req.valid('param').id, 'incident')
      return c.json(toDetailBody(await getIncident(deps.db, c.var.principal.tenantId, id)), 200)
    })
    .openapi(create, async (c) => {
      const { tenantId } = c.var.principal
      const { service, title, triggered_at, observed_until, environment, create: opens } = c.req.valid('json')
      const observedUntil = readBodyInstant('observed_until', observed_until)
      const now = deps.now()
      const incident = await askNow(
        { ...deps, ...chanceOf(c, deps) },
        tenantId,
        {
          serviceName: service,
          title: title === null ? null : toShownValue(title),
          triggeredAt: earlier(now, readBodyInstant('triggered_at', triggered_at) ?? observedUntil ?? now),
          observedUntil: observedUntil ?? null,
          environment: toEnvironment(toStorableText(environment ?? '')),
          opens: opens === true,
        },
        toTrail(c),
        deferTo(c),
        timeLeft(c, deps) - KEPT_WITHIN_MS,
      )
      return c.json(toDetailBody(incident), 201)
    })
    .openapi(judgeRoute, async (c) => {
      const id = getPathId<IncidentId>(c.req.valid('param').id, 'incident')
      const verdict = c.req.valid('json').confirmed ? 'confirmed' : 'rejected'
      await judge(deps, c.var.principal.tenantId, id, { verdict }, toTrail(c), deferTo(c))
      return c.body(null, 204)
    })
    .openapi(resolveRoute, async (c) => {
      const id = getPathId<IncidentId>(c.req.valid('param').id, 'incident')
      await resolve(deps, c.var.principal.tenantId, id, toTrail(c), deferTo(c))
      return c.body(null, 204)
    })
    .openapi(share, async (c) => {
      const id = getPathId<IncidentId>(c.req.valid('param').id, 'incident')
      const { path, ...made } = await shareIncident({ ...deps, ...chanceOf(c, deps) }, c.var.principal.tenantId, id, toTrail(c))
      return c.json({ ...toShareBody(made), url: `${deps.publicUrl ?? new URL(c.req.url).origin}${path}` }, 201)
    })
    .openapi(unshare, async (c) => {
      const { id, share_id } = c.req.valid('param')
      const incidentId = getPathId<IncidentId>(id, 'incident')
      await removeShare(deps.db, c.var.principal.tenantId, incidentId, getPathId<ShareId>(share_id, 'link'), toTrail(c))
      return c.body(null, 204)
    })
}

function readBodyInstant(field: string, text: string | null | undefined): Date | undefined {
  const parsed = parseTimestamp(text)
  if (parsed.kind === 'absent') return undefined
  if (parsed.kind === 'instant') return isZeroTime(parsed.instant) ? undefined : new Date(parsed.instant)
  const detail = `${field} must be ISO 8601`
  throw new AppError('invalid_request', detail, { fields: [{ pointer: `/${field}`, detail }] })
}
