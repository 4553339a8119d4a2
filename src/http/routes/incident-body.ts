import { z } from '@hono/zod-openapi'
import { ASSESSMENTS, GAP_STATES } from '../../domain/diagnosis/model.ts'
import { MAX_ENVIRONMENT_LENGTH } from '../../domain/event/environment.ts'
import { citedEntries } from '../../domain/incident/snapshot.ts'
import { toToldEntry, toToldWindow } from '../../domain/window/document.ts'
import type { Incident, IncidentDetail, SimilarIncident, StoredDiagnosis, StoredNote } from '../../store/incidents.ts'
import type { Share } from '../../store/shares.ts'
import { EXAMPLE_IDS, IdParams, Instant, name, optionalName, Uuid } from '../schemas.ts'
import { MaintenanceBody, toMaintenanceBody } from './maintenance.ts'
import { entryFields, windowFields } from './window-body.ts'

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

export const IncidentBody = z.strictObject(itemFields).openapi('Incident')

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
    content: z.string().nullable().openapi({ description: 'As it was posted, its links to give a verdict masked' }),
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

const shareFields = { id: Uuid, created_at: Instant, expires_at: Instant, created_by: z.string() }
const ShareBody = z.strictObject(shareFields).openapi('Share')

export const NewShareBody = z.strictObject({ ...shareFields, url: z.string() }).openapi('NewShare')

export const ShareParams = IdParams.extend({
  share_id: z.string().openapi({ param: { name: 'share_id', in: 'path', example: EXAMPLE_IDS.share }, format: 'uuid' }),
})

export const DetailBody = z
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
    maintenance: MaintenanceBody.nullable().openapi({ description: 'The window it began in: nobody is told' }),
    shares: z.array(ShareBody).openapi({ description: 'Links to read it that still work' }),
  })
  .openapi('IncidentDetail')

export const QuestionBody = z
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

export const FeedbackBody = z.object({ confirmed: z.boolean({ error: 'confirmed must be true or false' }) }).openapi('Feedback')

export function toIncidentBody(incident: Incident): z.infer<typeof IncidentBody> {
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

export function toDetailBody({
  diagnoses,
  notes,
  similar,
  failure,
  maintenance,
  shares,
  ...incident
}: IncidentDetail): z.infer<typeof DetailBody> {
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
    maintenance: maintenance && toMaintenanceBody(maintenance),
    shares: shares.map(toShareBody),
  }
}

export function toShareBody({ id, madeAt, expiresAt, madeBy }: Share): z.infer<typeof ShareBody> {
  return { id, created_at: madeAt.toISOString(), expires_at: expiresAt.toISOString(), created_by: madeBy }
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

const NOTE_STATUS = { due: 'pending', queued: 'pending', done: 'posted', given_up: 'given_up' } as const satisfies Record<
  StoredNote['state'],
  string
>

function toNoteBody({ state, attempts, reason, content, doneAt }: StoredNote): z.infer<typeof NoteBody> {
  return { status: NOTE_STATUS[state], attempts, reason, content, posted_at: doneAt?.toISOString() ?? null }
}
