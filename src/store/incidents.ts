import { type SQL, sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import { type IncidentId, type IntegrationId, type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import { type Answer, readAnswer } from '../domain/incident/answer.ts'
import { type Correction, readCorrection } from '../domain/incident/correction.ts'
import { MIN_SIMILARITY } from '../domain/incident/memory.ts'
import type { Verdict } from '../domain/incident/quality.ts'
import type { IncidentStatus } from '../domain/incident/schedule.ts'
import { type ContextSnapshot, readSnapshot } from '../domain/incident/snapshot.ts'
import type { IntegrationType } from '../domain/integration-type.ts'
import { STORED_VERSION } from '../domain/json.ts'
import { maskVerdictLinks } from '../domain/telling/verdict-link.ts'
import { appendAudit, type Trail } from './audit.ts'
import { EXACT_UP_TO } from './causal-patterns.ts'
import { functionNamed } from './functions.ts'
import { type MaintenanceRow, type MaintenanceWindow, maintenanceOf, toWindow } from './maintenance.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'
import { SHARES_JSON, type Share, type ShareRow, toShare } from './shares.ts'
import { SOURCE } from './targets.ts'

export type Incident = {
  readonly id: IncidentId
  readonly tenantId: TenantId
  readonly serviceId: ServiceId
  readonly serviceName: string
  readonly status: IncidentStatus
  readonly title: string | null
  readonly url: string | null
  readonly environment: string
  readonly triggeredAt: Date
  readonly createdAt: Date
  readonly resolvedAt: Date | null
  readonly externalSource: string | null
  readonly externalRef: string | null
  /** By which its alert came. */
  readonly integrationId: IntegrationId | null
  readonly diagnosisOf: IncidentId | null
  readonly hypothesis: string | null
  readonly recommendedAction: string | null
  readonly confidence: number | null
  readonly verdict: Verdict | null
  /** Who gave it, as the audit names them; `null` for earlier ones, too. */
  readonly verdictBy: string | null
  readonly verdictAt: Date | null
  readonly isPosted: boolean
}

export type IncidentRow = {
  readonly id: string
  readonly tenant_id: string
  readonly service_id: string
  readonly service_name: string
  readonly work_state: string | null
  readonly title: string | null
  readonly url: string | null
  readonly environment: string | null
  readonly triggered_ms: number
  readonly created_ms: number
  readonly resolved_ms: number | null
  readonly external_source: string | null
  readonly external_ref: string | null
  readonly integration_id: string | null
  readonly diagnosis_of: string | null
  readonly hypothesis: string | null
  readonly recommended_action: string | null
  readonly confidence: number | null
  readonly verdict: Verdict | null
  readonly verdict_by: string | null
  readonly verdict_ms: number | null
  readonly is_posted: boolean
}

/**
 * An incident `i` with its latest diagnosis, or that of the incident it was folded into. Whether it is posted is no EXISTS, for which
 * Postgres would rather read everybody's work.
 */
export const INCIDENT_COLUMNS = sql`i.id, i.tenant_id, i.service_id, i.service_name, w.state AS work_state, i.title, i.url, i.environment,
  ${epochMs(sql`i.triggered_at`)} AS triggered_ms, ${epochMs(sql`i.created_at`)} AS created_ms, ${epochMs(sql`i.resolved_at`)} AS resolved_ms,
  i.external_source, i.external_ref, i.integration_id, i.diagnosis_of, d.hypothesis, d.recommended_action, d.confidence, d.verdict, d.verdict_by,
  ${epochMs(sql`d.verdict_at`)} AS verdict_ms,
  (SELECT true FROM incident_work n WHERE n.incident_id = i.id AND n.kind = 'note' AND n.target = ${SOURCE} AND n.state = 'done' LIMIT 1) IS NOT NULL AS is_posted`

/** By what `INCIDENT_COLUMNS` finds them. */
export const WITH_ANSWERS = sql`LEFT JOIN incident_work w ON w.incident_id = coalesce(i.diagnosis_of, i.id) AND w.kind = 'diagnosis'
  LEFT JOIN LATERAL (
    SELECT a.* FROM diagnoses a WHERE a.incident_id = coalesce(i.diagnosis_of, i.id) ORDER BY a.number DESC LIMIT 1
  ) d ON true`

/** An answer as it was stored. */
export type StoredDiagnosis = {
  readonly number: number
  readonly madeAt: Date
  readonly diagnosedBy: string
  readonly hypothesis: string
  readonly recommendedAction: string | null
  readonly confidence: number
  readonly abstained: boolean
  readonly changed: string | null
  readonly answer: Answer
  readonly contextSnapshot: ContextSnapshot
  readonly verdict: Verdict | null
  /** What it was instead, as an engineer said. */
  readonly correction: Correction | null
}

export type StoredNote = {
  readonly number: number
  readonly state: 'due' | 'queued' | 'done' | 'given_up'
  readonly attempts: number
  readonly reason: string | null
  /** Its links to give a verdict masked. */
  readonly content: string | null
  readonly doneAt: Date | null
  /** The type of the integration that was told; `null`: wherever the incident came from. */
  readonly receiver: IntegrationType | null
}

export type IncidentDetail = Incident & {
  /** Latest first. */
  readonly diagnoses: readonly StoredDiagnosis[]
  readonly notes: readonly StoredNote[]
  /** The tenant's decided incidents most like this one, the likest first. */
  readonly similar: readonly SimilarIncident[]
  /** Why the incident is not diagnosed yet, if something went wrong. */
  readonly failure: string | null
  /** The maintenance window that it began in, so that nobody is told. */
  readonly maintenance: MaintenanceWindow | null
  /** Whether a verdict teaches later diagnoses, for which there has to be a memory. */
  readonly learns: boolean
  /** How often it was tried to diagnose it, and when that is tried again. */
  readonly attempts: number
  readonly retryAt: Date | null
  /** The links to read it that still lead here, the newest first. */
  readonly shares: readonly Share[]
}

/** A past incident with what was decided about its answer. */
export type SimilarIncident = {
  readonly id: IncidentId
  readonly serviceName: string
  readonly title: string | null
  readonly triggeredAt: Date
  readonly hypothesis: string
  readonly verdict: Verdict
  /** What it was instead, as an engineer said. */
  readonly correction: string | null
  readonly recommendedAction: string | null
  /** Whether the blamed change is known to have been undone. */
  readonly wasUndone: boolean
  readonly resolvedAt: Date | null
  /** In [0, 1]. */
  readonly similarity: number
}

type SimilarRow = Omit<SimilarIncident, 'triggeredAt' | 'resolvedAt'> & { readonly triggeredMs: number; readonly resolvedMs: number | null }

const MAX_SIMILAR = 5

/** Whether stored JSON is of the form that statements here read. */
export function isReadable(document: SQL): SQL {
  return sql`coalesce(${document}->>'v', ${STORED_VERSION}::text) = ${STORED_VERSION}::text`
}

/** Past incidents like incident `i`, whose latest diagnosis is `d`: none in a database without vectors. */
const SIMILAR_JSON = sql`json_build_object('id', p.id, 'serviceName', p.service_name, 'title', p.title,
  'triggeredMs', ${epochMs(sql`p.triggered_at`)}, 'resolvedMs', ${epochMs(sql`p.resolved_at`)}, 'hypothesis',
  CASE WHEN a.verdict = 'rejected' AND c.item->>'verdict' = 'confirmed' THEN a.correction ELSE a.hypothesis END, 'correction', a.correction,
  'recommendedAction', a.recommended_action, 'wasUndone', EXISTS (
    SELECT 1 FROM incident_work u WHERE u.incident_id = p.id AND u.kind = 'undone' AND u.event_id IS NOT NULL),
  'verdict', c.item->>'verdict', 'similarity', least(greatest((c.item->>'similarity')::float8, 0), 1))`

type DiagnosisRow = Omit<StoredDiagnosis, 'madeAt' | 'answer' | 'contextSnapshot' | 'correction'> & {
  readonly correction: unknown
  readonly madeMs: number
  readonly answer: unknown
  readonly contextSnapshot: unknown
}
type NoteRow = Omit<StoredNote, 'doneAt'> & { readonly doneMs: number | null }

/** A diagnosis whose snapshot is at hand need not be read with it, for that is most of what an incident is. */
export type KnownSnapshot = Pick<StoredDiagnosis, 'number' | 'contextSnapshot'>

const diagnosisJson = (
  known: KnownSnapshot | undefined,
) => sql`json_build_object('number', a.number, 'madeMs', ${epochMs(sql`a.made_at`)}, 'diagnosedBy', a.diagnosed_by,
  'hypothesis', a.hypothesis, 'recommendedAction', a.recommended_action, 'confidence', a.confidence,
  'abstained', a.abstained, 'changed', a.changed, 'answer', a.answer, 'contextSnapshot', CASE WHEN a.number IS DISTINCT FROM ${known?.number ?? null}::int THEN a.context_snapshot END, 'verdict', a.verdict,
  'correction', a.verdict_cause)`

const NOTE_JSON = sql`json_build_object('number', n.number, 'state', n.state, 'attempts', n.attempts, 'reason', n.reason, 'receiver', (SELECT t.type FROM integrations t WHERE t.id = n.target),
  'content', n.content, 'doneMs', ${epochMs(sql`n.done_at`)})`

type DetailRow = IncidentRow & {
  readonly diagnoses: DiagnosisRow[] | null
  readonly notes: NoteRow[] | null
  readonly similar: SimilarRow[] | null
  readonly failure: string | null
  readonly maintenance: MaintenanceRow | null
  readonly learns: boolean
  readonly attempts: number | null
  readonly retry_ms: number | null
  readonly shares: readonly ShareRow[] | null
}

/** One incident of the tenant with all its answers; throws `not_found`. */
export async function getIncident(db: Db, tenantId: TenantId, id: IncidentId, known?: KnownSnapshot): Promise<IncidentDetail> {
  const { rows } = await db.execute<DetailRow>(
    sql`SELECT ${INCIDENT_COLUMNS}, w.reason AS failure, w.attempts,
        CASE WHEN w.state = 'due' THEN ${epochMs(sql`w.next_at`)} END AS retry_ms, ${maintenanceOf(sql`i`)} AS maintenance, ${SHARES_JSON} AS shares,
        to_regclass('causal_patterns') IS NOT NULL AND coalesce(json_typeof(d.signature->'embedding') = 'array', false) AS learns,
        (SELECT json_agg(${diagnosisJson(known)} ORDER BY a.number DESC) FROM diagnoses a
          WHERE a.incident_id = coalesce(i.diagnosis_of, i.id)) AS diagnoses,
        (SELECT json_agg(${NOTE_JSON} ORDER BY n.number, n.target) FROM incident_work n WHERE n.incident_id = i.id AND n.kind = 'note') AS notes,
        (SELECT json_agg(${SIMILAR_JSON} ORDER BY c.place)
          FROM json_array_elements(CASE WHEN ${isReadable(sql`d.signature`)} AND json_typeof(d.signature->'embedding') = 'array' THEN
            ${functionNamed('nearest_causal_patterns')}(i.tenant_id, (d.signature->'embedding')::text, d.incident_id, ${MAX_SIMILAR}, ${EXACT_UP_TO}) END)
            WITH ORDINALITY AS c(item, place)
          JOIN incidents p ON p.id = (c.item->>'incidentId')::uuid AND p.tenant_id = i.tenant_id
          JOIN LATERAL (
            SELECT v.hypothesis, v.verdict, v.recommended_action, v.verdict_cause->>'text' AS correction FROM diagnoses v WHERE v.incident_id = p.id AND v.verdict IS NOT NULL ORDER BY v.number DESC LIMIT 1
          ) a ON true
          WHERE (c.item->>'similarity')::float8 >= ${MIN_SIMILARITY} AND ${isReadable(sql`c.item`)}) AS similar
      FROM incidents i ${WITH_ANSWERS} WHERE i.tenant_id = ${tenantId} AND i.id = ${id}`,
  )
  const [row] = rows
  if (!row) throw new AppError('not_found', 'no such incident')
  return {
    ...toIncident(row),
    failure: row.failure,
    maintenance: row.maintenance && toWindow(row.maintenance),
    diagnoses: (row.diagnoses ?? []).map((diagnosis) => toStoredDiagnosis(diagnosis, known)),
    similar: (row.similar ?? []).map(toSimilar),
    learns: row.learns,
    attempts: row.attempts ?? 0,
    retryAt: row.retry_ms === null ? null : new Date(row.retry_ms),
    shares: (row.shares ?? []).map(toShare),
    notes: (row.notes ?? []).map(toStoredNote),
  }
}

function toStoredNote({ doneMs, content, ...note }: NoteRow): StoredNote {
  return { ...note, content: content && maskVerdictLinks(content), doneAt: doneMs === null ? null : new Date(doneMs) }
}

function toSimilar({ triggeredMs, resolvedMs, ...similar }: SimilarRow): SimilarIncident {
  return { ...similar, triggeredAt: new Date(triggeredMs), resolvedAt: resolvedMs === null ? null : new Date(resolvedMs) }
}

/** Marks an incident resolved; one that was, stays as it was. Throws `not_found`. */
export async function resolveIncident(db: Db, tenantId: TenantId, id: IncidentId, trail: Trail): Promise<void> {
  const { known } = await selectOne<{ known: boolean }>(
    db,
    sql`WITH changed AS (
      UPDATE incidents SET resolved_at = now() WHERE tenant_id = ${tenantId} AND id = ${id} AND resolved_at IS NULL RETURNING id
    ),
    audit AS (${appendAudit(tenantId, trail, 'incident.resolved', sql`changed`)})
    SELECT EXISTS (SELECT 1 FROM incidents WHERE tenant_id = ${tenantId} AND id = ${id}) AS known`,
  )
  if (!known) throw new AppError('not_found', 'no such incident')
}

/** An incident of its row. */
export function toIncident(row: IncidentRow): Incident {
  return {
    id: toId(row.id),
    tenantId: toId(row.tenant_id),
    serviceId: toId(row.service_id),
    serviceName: row.service_name,
    status: toStatus(row),
    title: row.title,
    url: row.url,
    environment: row.environment ?? 'production',
    triggeredAt: new Date(row.triggered_ms),
    createdAt: new Date(row.created_ms),
    resolvedAt: row.resolved_ms === null ? null : new Date(row.resolved_ms),
    externalSource: row.external_source,
    externalRef: row.external_ref,
    integrationId: row.integration_id === null ? null : toId(row.integration_id),
    diagnosisOf: row.diagnosis_of === null ? null : toId(row.diagnosis_of),
    hypothesis: row.hypothesis,
    recommendedAction: row.recommended_action,
    confidence: row.confidence,
    verdict: row.verdict,
    verdictBy: row.verdict_by,
    verdictAt: row.verdict_ms === null ? null : new Date(row.verdict_ms),
    isPosted: row.is_posted,
  }
}

function toStatus({ hypothesis, work_state }: IncidentRow): IncidentStatus {
  if (hypothesis !== null) return 'diagnosed'
  return work_state === 'given_up' ? 'failed' : 'diagnosing'
}

function toStoredDiagnosis(
  { madeMs, answer, contextSnapshot, correction, ...diagnosis }: DiagnosisRow,
  known: KnownSnapshot | undefined,
): StoredDiagnosis {
  return {
    ...diagnosis,
    madeAt: new Date(madeMs),
    answer: readAnswer(answer),
    contextSnapshot: diagnosis.number === known?.number ? known.contextSnapshot : readSnapshot(contextSnapshot),
    correction: correction === null ? null : readCorrection(correction),
  }
}
