import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { ASSESSMENTS, GAP_STATES } from '../../domain/diagnosis/model.ts'
import { AppError } from '../../domain/errors.ts'
import { MAX_ENVIRONMENT_LENGTH, toEnvironment } from '../../domain/event/environment.ts'
import type { IncidentId } from '../../domain/ids.ts'
import { citedEntries } from '../../domain/incident/snapshot.ts'
import { toShownValue, toStorableText } from '../../domain/text.ts'
import { isZeroTime, parseTimestamp } from '../../domain/timestamp.ts'
import { toToldEntry, toToldWindow } from '../../domain/window/document.ts'
import {
  getIncident,
  type Incident,
  type IncidentDetail,
  listIncidents,
  resolveIncident,
  type SimilarIncident,
  type StoredDiagnosis,
  type StoredNote,
} from '../../store/incidents.ts'
import { judgeIncident } from '../../store/verdicts.ts'
import { askNow } from '../../usecases/diagnose-now.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { decodeBody } from '../body.ts'
import { createRouter, deferTo, toTrail } from '../context.ts'
import { chanceOf, REPEATABLE, REPLAYED_HEADER, repeatable } from '../idempotency.ts'
import { problemOf, problems } from '../problem.ts'
import {
  EXAMPLE_IDS,
  getPathId,
  IdParams,
  Instant,
  json,
  jsonBody,
  name,
  optionalName,
  pageStart,
  readInstant,
  readPageStart,
  Uuid,
} from '../schemas.ts'
import { EXAMPLE_WINDOW, entryFields, windowFields } from './services.ts'

const DEFAULT_SINCE_MS = 7 * 24 * 3_600_000

const itemFields = {
  id: Uuid,
  tenant_id: Uuid,
  service_id: Uuid,
  service: z.string(),
  status: z.enum(['diagnosing', 'diagnosed', 'failed']),
  title: z.string().nullable(),
  url: z.string().nullable(),
  environment: z.string(),
  triggered_at: Instant,
  hypothesis: z.string().nullable(),
  recommended_action: z.string().nullable(),
  confidence: z.number().nullable(),
  external_ref: z.string().nullable(),
  external_source: z.string().nullable(),
  posted_back: z.boolean(),
  resolved_at: Instant.nullable(),
  engineer_confirmed: z.boolean().nullable(),
  diagnosis_of: Uuid.nullable(),
  created_at: Instant,
}

const IncidentBody = z.strictObject(itemFields).openapi('Incident')

const IN_EARLIER = 'Absent in what earlier releases stored'

/** An entry as a diagnosis saw it. */
const seenFields = {
  ...entryFields,
  environment: entryFields.environment.optional().openapi({ description: IN_EARLIER }),
  url: entryFields.url.optional().openapi({ description: IN_EARLIER }),
  details: entryFields.details.optional().openapi({ description: IN_EARLIER }),
  expired: z
    .literal(true)
    .optional()
    .openapi({ description: 'A change that windows no longer show: diagnoses see changes for 24 hours at least' }),
}

const SeenWindowBody = z.strictObject(windowFields(z.strictObject(seenFields).openapi('SeenEntry'))).openapi('SeenWindow')

const SnapshotBody = z
  .strictObject({
    alert: z.strictObject({
      service: z.string().nullable(),
      triggered_at: Instant,
      title: z.string().nullable(),
      environment: z.string().optional().openapi({ description: IN_EARLIER }),
    }),
    observed_until: Instant,
    windows: z.array(SeenWindowBody),
    dependencies: z.array(
      z.strictObject({ caller: z.string(), callee: z.string(), seen: z.int(), last_seen_at: Instant.nullable(), declared: z.boolean() }),
    ),
    counts: z.strictObject({
      hours_observed: z.number(),
      kinds: z.array(
        z.strictObject({
          service: z.string(),
          vendor: z.string(),
          event_type: z.string(),
          value_class: z.string(),
          count: z.int(),
          hours: z.int(),
        }),
      ),
    }),
    patterns: z.array(
      z.strictObject({
        service: z.string(),
        vendor: z.string(),
        event_type: z.string(),
        value_class: z.string(),
        similarity: z.number(),
        verdict: z.enum(['confirmed', 'rejected']),
      }),
    ),
    feeds: z
      .array(z.strictObject({ service: z.string(), last_change_at: Instant.nullable(), heard_at: Instant.nullable() }))
      .optional()
      .openapi({ description: 'When changes of services on the way were received last, and whoever sends them was heard of' }),
  })
  .openapi('ContextSnapshot')

const HypothesisBody = z
  .strictObject({
    event_ids: z.array(Uuid),
    service: z.string(),
    score: z.number(),
    path: z.array(z.string()).openapi({ description: 'Service names from the cause to the alerting service' }),
    reasons_for: z.array(z.string()),
    reasons_against: z.array(z.string()),
    hypothesis: z.string(),
    recommended_action: z.string().nullable(),
  })
  .openapi('Hypothesis')

const RuledOutBody = z
  .strictObject({ event_ids: z.array(Uuid), service: z.string(), reason: z.string(), text: z.string() })
  .openapi('RuledOut')

const CitedBody = z.strictObject({ service: z.string(), ...seenFields }).openapi('CitedEvent')

const GapBody = z
  .strictObject({ service: z.string(), kind: z.literal('changes'), state: z.enum(GAP_STATES), since: Instant.nullable() })
  .openapi('Gap')

const answerFields = {
  diagnosed_at: Instant,
  diagnosed_by: z.string(),
  changed: z.string().nullable().openapi({ description: 'What is different from the answer before' }),
  hypotheses: z.array(HypothesisBody),
  ruled_out: z.array(RuledOutBody),
  reasoning: z.string(),
  assessment: z.enum(ASSESSMENTS).nullable().openapi({
    description: 'What the answer comes to; null if there is none, or an earlier release gave it',
  }),
  gaps: z.array(GapBody).openapi({ description: 'What could not be seen: services on the way whose changes are not sent' }),
  evidence: z.array(CitedBody),
  context_snapshot: SnapshotBody,
}

const EarlierBody = z
  .strictObject({
    ...answerFields,
    hypothesis: z.string(),
    recommended_action: z.string().nullable(),
    confidence: z.number(),
    engineer_confirmed: z.boolean().nullable(),
  })
  .openapi('EarlierDiagnosis')

const NoteBody = z
  .strictObject({
    status: z.enum(['pending', 'posted', 'given_up']),
    attempts: z.int(),
    reason: z.string().nullable().openapi({ description: 'Why the last attempt failed' }),
    content: z.string().nullable().openapi({ description: 'As it was posted' }),
    posted_at: Instant.nullable(),
  })
  .openapi('Note')

const SimilarBody = z
  .strictObject({
    id: Uuid,
    service: z.string(),
    title: z.string().nullable(),
    triggered_at: Instant,
    hypothesis: z.string(),
    engineer_confirmed: z.boolean(),
    similarity: z.number(),
  })
  .openapi('SimilarIncident')

const DetailBody = z
  .strictObject({
    ...itemFields,
    ...answerFields,
    diagnosed_at: Instant.nullable(),
    diagnosed_by: z.string().nullable(),
    reasoning: z.string().nullable(),
    context_snapshot: SnapshotBody.nullable(),
    earlier_diagnoses: z.array(EarlierBody),
    notes: z.array(NoteBody),
    similar_incidents: z
      .array(SimilarBody)
      .openapi({ description: 'Past incidents like this one that an engineer judged, the likest first' }),
    failure: z.string().nullable().openapi({ description: 'Why there is no answer yet' }),
  })
  .openapi('IncidentDetail')

const QuestionBody = z
  .object({
    service: name('service'),
    title: optionalName('title'),
    triggered_at: z.string({ error: 'triggered_at must be ISO 8601' }).nullish(),
    observed_until: z.string({ error: 'observed_until must be ISO 8601' }).nullish(),
    environment: z
      .string({ error: 'environment must be a string' })
      .refine((text) => Array.from(text).length <= MAX_ENVIRONMENT_LENGTH, {
        error: `environment must be at most ${MAX_ENVIRONMENT_LENGTH} characters`,
      })
      .nullish()
      .openapi({ maxLength: MAX_ENVIRONMENT_LENGTH, description: 'Where the trouble is; production by default' }),
    create: z
      .boolean({ error: 'create must be true or false' })
      .nullish()
      .openapi({ description: 'Whether to open the service if nobody has told of it' }),
  })
  .openapi('DiagnoseService')

const FeedbackBody = z.object({ confirmed: z.boolean({ error: 'confirmed must be true or false' }) }).openapi('Feedback')

const EXAMPLE_ITEM = {
  id: EXAMPLE_IDS.incident,
  tenant_id: EXAMPLE_IDS.tenant,
  service_id: EXAMPLE_IDS.service,
  service: 'checkout',
  status: 'diagnosed' as const,
  title: 'Error rate above 5 % on checkout',
  url: 'https://acme.pagerduty.com/incidents/Q1NCIDENT0042',
  environment: 'production',
  triggered_at: '2026-01-15T10:27:41.000Z',
  hypothesis: 'Deploy sha=a4f2c1 to checkout rolled out 4 minutes before onset',
  recommended_action: 'Roll back to the previous revision',
  confidence: 0.81,
  external_ref: 'Q1NCIDENT0042',
  external_source: 'pagerduty',
  posted_back: true,
  resolved_at: null,
  engineer_confirmed: true,
  diagnosis_of: null,
  created_at: '2026-01-15T10:27:42.310Z',
}

const [EXAMPLE_DEPLOY] = EXAMPLE_WINDOW.deploy_events

const EXAMPLE_DETAIL = {
  ...EXAMPLE_ITEM,
  diagnosed_at: '2026-01-15T10:27:42.702Z',
  diagnosed_by: 'rules',
  changed: null,
  hypotheses: [
    {
      event_ids: [EXAMPLE_IDS.event],
      service: 'checkout',
      score: 4.2,
      path: ['checkout'],
      reasons_for: ['it is a change of the alerting service itself'],
      reasons_against: [],
      hypothesis: EXAMPLE_ITEM.hypothesis,
      recommended_action: EXAMPLE_ITEM.recommended_action,
    },
  ],
  ruled_out: [],
  reasoning: 'it is a change of the alerting service itself',
  assessment: 'cause' as const,
  gaps: [{ service: 'payments', kind: 'changes' as const, state: 'never' as const, since: null }],
  evidence: EXAMPLE_DEPLOY ? [{ service: 'checkout', ...EXAMPLE_DEPLOY }] : [],
  context_snapshot: {
    alert: { service: 'checkout', triggered_at: EXAMPLE_ITEM.triggered_at, title: EXAMPLE_ITEM.title },
    observed_until: '2026-01-15T10:27:42.512Z',
    windows: [EXAMPLE_WINDOW],
    dependencies: [{ caller: 'checkout', callee: 'payments', seen: 3, last_seen_at: '2026-01-14T08:01:00.000Z', declared: false }],
    counts: { hours_observed: 0, kinds: [] },
    patterns: [],
  },
  earlier_diagnoses: [],
  notes: [
    {
      status: 'posted' as const,
      attempts: 1,
      reason: null,
      content: 'Noctuary Context\nHypothesis: …',
      posted_at: '2026-01-15T10:27:43.105Z',
    },
  ],
  similar_incidents: [
    {
      id: EXAMPLE_IDS.event,
      service: 'checkout',
      title: null,
      triggered_at: '2026-01-03T22:10:05.000Z',
      hypothesis: 'Deploy sha=99c0de to checkout rolled out 3 minutes before onset',
      engineer_confirmed: true,
      similarity: 0.93,
    },
  ],
  failure: null,
}

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
    ...problems('invalid_request', 'not_found', 'conflict', 'payload_too_large', 'unsupported_media_type', ...FAILURES),
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

const judge = createRoute({
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

const resolve = createRoute({
  ...common,
  operationId: 'resolveIncident',
  method: 'put',
  path: '/v1/incidents/{id}/resolve',
  summary: 'Mark an incident resolved',
  description: 'One that was resolved before stays as it was.',
  request: { params: IdParams },
  responses: { 204: { description: 'Resolved, now or before' }, ...problems('not_found', ...FAILURES), ...NOT_FOUND },
})

export const incidentRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use('/v1/incidents/*', requireKey(deps), requirePrincipal(deps, 'readonly'))
  router.on('POST', create.path, decodeBody, repeatable(deps))
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
      const incident = await askNow(
        { ...deps, ...chanceOf(c, deps) },
        tenantId,
        {
          serviceName: service,
          title: title === null ? null : toShownValue(title),
          triggeredAt: earlier(deps.now(), readBodyInstant('triggered_at', triggered_at) ?? observedUntil),
          observedUntil: observedUntil ?? null,
          environment: toEnvironment(toStorableText(environment ?? '')),
          opens: opens === true,
        },
        toTrail(c),
        deferTo(c),
      )
      return c.json(toDetailBody(incident), 201)
    })
    .openapi(judge, async (c) => {
      const id = getPathId<IncidentId>(c.req.valid('param').id, 'incident')
      const verdict = c.req.valid('json').confirmed ? 'confirmed' : 'rejected'
      await judgeIncident(deps.db, c.var.principal.tenantId, id, verdict, toTrail(c))
      return c.body(null, 204)
    })
    .openapi(resolve, async (c) => {
      const id = getPathId<IncidentId>(c.req.valid('param').id, 'incident')
      await resolveIncident(deps.db, c.var.principal.tenantId, id, toTrail(c))
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

function earlier(now: Date, other: Date | undefined): Date {
  return other && other < now ? other : now
}

function toIncidentBody(incident: Incident): z.infer<typeof IncidentBody> {
  return {
    id: incident.id,
    tenant_id: incident.tenantId,
    service_id: incident.serviceId,
    service: incident.serviceName,
    status: incident.status,
    title: incident.title,
    url: incident.url,
    environment: incident.environment,
    triggered_at: incident.triggeredAt.toISOString(),
    hypothesis: incident.hypothesis,
    recommended_action: incident.recommendedAction,
    confidence: incident.confidence,
    external_ref: incident.externalRef,
    external_source: incident.externalSource,
    posted_back: incident.isPosted,
    resolved_at: incident.resolvedAt?.toISOString() ?? null,
    engineer_confirmed: toConfirmed(incident),
    diagnosis_of: incident.diagnosisOf,
    created_at: incident.createdAt.toISOString(),
  }
}

function toConfirmed({ verdict }: Pick<StoredDiagnosis, 'verdict'>): boolean | null {
  return verdict === null ? null : verdict === 'confirmed'
}

function toDetailBody({ diagnoses, notes, similar, failure, ...incident }: IncidentDetail): z.infer<typeof DetailBody> {
  const [latest, ...earlierOnes] = diagnoses
  const unanswered = {
    diagnosed_at: null,
    diagnosed_by: null,
    changed: null,
    hypotheses: [],
    ruled_out: [],
    reasoning: null,
    assessment: null,
    gaps: [],
  }
  return {
    ...toIncidentBody(incident),
    ...(latest ? toAnswerBody(latest) : { ...unanswered, evidence: [], context_snapshot: null }),
    earlier_diagnoses: earlierOnes.map((diagnosis) => ({
      ...toAnswerBody(diagnosis),
      hypothesis: diagnosis.hypothesis,
      recommended_action: diagnosis.recommendedAction,
      confidence: diagnosis.confidence,
      engineer_confirmed: toConfirmed(diagnosis),
    })),
    notes: notes.map(toNoteBody),
    similar_incidents: similar.map(toSimilarBody),
    failure: latest ? null : failure,
  }
}

function toAnswerBody({ madeAt, diagnosedBy, changed, answer, contextSnapshot }: StoredDiagnosis) {
  const { hypotheses, ruledOut, evidence, reasoning, assessment = null, gaps = [] } = answer
  return {
    diagnosed_at: madeAt.toISOString(),
    diagnosed_by: diagnosedBy,
    changed,
    hypotheses: hypotheses.map((hypothesis) => ({
      event_ids: [...hypothesis.eventIds],
      service: hypothesis.service,
      score: hypothesis.score,
      path: [...hypothesis.path],
      reasons_for: [...hypothesis.reasonsFor],
      reasons_against: [...hypothesis.reasonsAgainst],
      hypothesis: hypothesis.sentence,
      recommended_action: hypothesis.recommendedAction,
    })),
    ruled_out: ruledOut.map(({ eventIds, service, reason, text }) => ({ event_ids: [...eventIds], service, reason, text })),
    reasoning,
    assessment,
    gaps: [...gaps],
    evidence: citedEntries(contextSnapshot, evidence).map(toToldEntry),
    // The same type, but for `readonly`.
    context_snapshot: { ...contextSnapshot, windows: contextSnapshot.windows.map(toToldWindow) } as z.infer<typeof SnapshotBody>,
  }
}

function toSimilarBody({ id, serviceName, title, triggeredAt, hypothesis, verdict, similarity }: SimilarIncident) {
  return {
    id,
    service: serviceName,
    title,
    triggered_at: triggeredAt.toISOString(),
    hypothesis,
    engineer_confirmed: verdict === 'confirmed',
    similarity,
  }
}

const NOTE_STATUS = { due: 'pending', done: 'posted', given_up: 'given_up' } as const satisfies Record<StoredNote['state'], string>

function toNoteBody({ state, attempts, reason, content, doneAt }: StoredNote): z.infer<typeof NoteBody> {
  return { status: NOTE_STATUS[state], attempts, reason, content, posted_at: doneAt?.toISOString() ?? null }
}
