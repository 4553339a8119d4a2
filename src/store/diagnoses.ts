import { sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import { type IncidentId, type TenantId, toId } from '../domain/ids.ts'
import type { ComparedAnswer } from '../domain/incident/answer.ts'
import { type IncidentSignature, readSignature, writeSignature } from '../domain/incident/memory.ts'
import { type ClaimedWork, leaseEnd } from './incident-work.ts'
import type { Incident, StoredDiagnosis } from './incidents.ts'
import { isInMaintenance, teamOf } from './maintenance.ts'
import { type Db, epochMs, selectOne, timestamptz } from './postgres.ts'
import { SOURCE, type Target } from './targets.ts'

/** An incident as it is to be diagnosed: what is known of it and, if it was diagnosed before, the latest answer. */
export type Subject = {
  readonly incident: Pick<Incident, 'serviceName' | 'title' | 'environment' | 'triggeredAt' | 'externalRef' | 'externalSource'> & {
    readonly observedUntil: Date | null
  }
  readonly latest: (Pick<StoredDiagnosis, 'number' | 'verdict'> & ComparedAnswer) | undefined
  /** How many of its answers were told, or are to be, by whom they are told. */
  readonly told: ReadonlyMap<Target, number>
  /** The team of its service. */
  readonly team: string | null
  /** Whether it began in a maintenance window, so that nobody is told. */
  readonly isMuted: boolean
}

type LatestRow = Pick<StoredDiagnosis, 'number' | 'verdict' | 'hypothesis' | 'diagnosedBy'> & { readonly signature: unknown }

type SubjectRow = {
  readonly team: string | null
  readonly is_muted: boolean
  readonly service_name: string
  readonly title: string | null
  readonly environment: string | null
  readonly triggered_ms: number
  readonly observed_ms: number | null
  readonly external_ref: string | null
  readonly external_source: string | null
  readonly latest: LatestRow | null
  readonly told: Readonly<Record<string, number>> | null
}

/** What is needed of an incident to diagnose it; throws `not_found`. */
export async function getSubject(db: Db, tenantId: TenantId, id: IncidentId): Promise<Subject> {
  const { rows } = await db.execute<SubjectRow>(
    sql`SELECT i.service_name, ${teamOf(sql`i`)} AS team, ${isInMaintenance(sql`i`)} AS is_muted, i.title, i.environment, ${epochMs(sql`i.triggered_at`)} AS triggered_ms, ${epochMs(sql`i.observed_until`)} AS observed_ms,
        i.external_ref, i.external_source, (
          SELECT json_build_object('number', d.number, 'verdict', d.verdict, 'hypothesis', d.hypothesis, 'diagnosedBy', d.diagnosed_by,
            'signature', d.signature)
          FROM diagnoses d WHERE d.incident_id = i.id ORDER BY d.number DESC LIMIT 1
        ) AS latest,
        (SELECT json_object_agg(t.target, t.answers) FROM (
          SELECT n.target, count(*)::int AS answers FROM incident_work n WHERE n.incident_id = i.id AND n.kind = 'note' GROUP BY n.target
        ) t) AS told
      FROM incidents i WHERE i.tenant_id = ${tenantId} AND i.id = ${id}`,
  )
  const [row] = rows
  if (!row) throw new AppError('not_found', 'no such incident')
  const { service_name, title, environment, triggered_ms, observed_ms, external_ref, external_source, latest, told, team, is_muted } = row
  return {
    team,
    isMuted: is_muted,
    incident: {
      serviceName: service_name,
      title,
      environment: environment ?? 'production',
      triggeredAt: new Date(triggered_ms),
      externalRef: external_ref,
      externalSource: external_source,
      observedUntil: observed_ms === null ? null : new Date(observed_ms),
    },
    latest: latest ? toLatest(latest) : undefined,
    told: new Map(Object.entries(told ?? {}).map(([target, answers]) => [toId<Target>(target), answers])),
  }
}

function toLatest({ signature, ...latest }: LatestRow): Subject['latest'] {
  return { ...latest, ...readSignature(signature).compared }
}

export type NewDiagnosis = Omit<StoredDiagnosis, 'verdict' | 'correction' | 'answer' | 'contextSnapshot'> & {
  /** JSON, whose bytes are kept. */
  readonly answerText: string
  readonly snapshotText: string
  readonly signature: IncidentSignature
  /** Whether it blames what the answer before blamed, whose verdict then holds for it. */
  readonly keepsVerdict: boolean
}

export type PlannedMessage = { readonly kind: 'opened' | 'note' | 'thread'; readonly target: Target }

export type EndedDiagnosis = {
  /** `undefined`: nothing worth keeping beside the answer before. */
  readonly diagnosis: NewDiagnosis | undefined
  /** Whose lease the posting of its note is from now on, unless an earlier note is still to be posted; `undefined`: no note. */
  readonly noteLease: string | undefined
  /** Who else is told, for whoever takes it up. */
  readonly messages: readonly PlannedMessage[]
  /** Until when somebody wants to know that what the answer blames was undone; `undefined`: nobody does. */
  readonly awaitUndoingUntil: Date | undefined
  readonly next: { readonly state: 'due' | 'watching' | 'done'; readonly at: Date }
  /** Events received since then were not seen. */
  readonly lookedAt: Date
}

/**
 * Ends a round of diagnosing: keeps the answer and plans its note and the next look, all or nothing, if the lease still
 * holds; if it does not, someone else took over. Beside an answer that was confirmed meanwhile no other is kept (`isStored`). `isTold`: its
 * note is the lease's holder's to post; `messages` are for whoever takes them up.
 */
export async function storeDiagnosis(
  db: Db,
  tenantId: TenantId,
  incidentId: IncidentId,
  lease: string,
  { diagnosis, noteLease, messages, awaitUndoingUntil, next, lookedAt }: EndedDiagnosis,
  now: Date,
): Promise<{ readonly isStored: boolean; readonly isTold: boolean; readonly messages: number }> {
  const stored = diagnosis
    ? sql`INSERT INTO diagnoses (incident_id, number, tenant_id, made_at, diagnosed_by, hypothesis, recommended_action,
          confidence, abstained, changed, answer, context_snapshot, signature, verdict, verdict_at, verdict_by, verdict_cause)
        SELECT ended.incident_id, ${diagnosis.number}, ${tenantId}::uuid, ${timestamptz(diagnosis.madeAt)}, ${diagnosis.diagnosedBy},
          ${diagnosis.hypothesis}, ${diagnosis.recommendedAction}, ${diagnosis.confidence}::float8,
          ${diagnosis.abstained}::boolean, ${diagnosis.changed}, ${diagnosis.answerText}::json, ${diagnosis.snapshotText}::json,
          ${writeSignature(diagnosis.signature)}::json, CASE WHEN ${diagnosis.keepsVerdict}::boolean THEN p.verdict END,
          CASE WHEN ${diagnosis.keepsVerdict}::boolean THEN p.verdict_at END, CASE WHEN ${diagnosis.keepsVerdict}::boolean THEN p.verdict_by END,
          CASE WHEN ${diagnosis.keepsVerdict}::boolean THEN p.verdict_cause END
        FROM ended LEFT JOIN diagnoses p ON p.incident_id = ended.incident_id AND p.number = ${diagnosis.number - 1}
        WHERE p.verdict IS DISTINCT FROM 'confirmed'
        ON CONFLICT DO NOTHING RETURNING incident_id, number`
    : sql`SELECT incident_id, 0 AS number FROM ended WHERE false`
  const { kept, told, planned } = await selectOne<{ kept: number; told: number; planned: number }>(
    db,
    sql`WITH ended AS (
      UPDATE incident_work SET state = ${next.state}, next_at = ${timestamptz(next.at)}, attempts = 0, lease = NULL, reason = NULL,
        looks = looks + 1, looked_at = ${timestamptz(lookedAt)}, done_at = now()
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND kind = 'diagnosis' AND lease = ${lease}::uuid RETURNING incident_id
    ),
    stored AS (${stored}),
    noted AS (
      INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, lease)
      SELECT s.incident_id, 'note', s.number, ${tenantId}::uuid, 'due', CASE WHEN s.waits THEN ${timestamptz(now)} ELSE ${leaseEnd(now)} END,
        CASE WHEN s.waits THEN 0 ELSE 1 END, CASE WHEN s.waits THEN NULL ELSE ${noteLease ?? null}::uuid END
      FROM (
        SELECT incident_id, number, EXISTS (
          SELECT 1 FROM incident_work e WHERE e.incident_id = stored.incident_id AND e.target = ${SOURCE} AND e.kind = 'note' AND e.state = 'due') AS waits
        FROM stored
      ) s WHERE ${noteLease ?? null}::uuid IS NOT NULL
      RETURNING lease
    ),
    planned AS (
      INSERT INTO incident_work (incident_id, kind, number, target, tenant_id, state, next_at, attempts)
      SELECT s.incident_id, m.kind, CASE m.kind WHEN 'opened' THEN 0 ELSE s.number END, m.target, ${tenantId}::uuid, 'queued', ${timestamptz(now)}, 0
      FROM stored s, json_to_recordset(${JSON.stringify(messages)}::json) AS m(kind text, target uuid)
      ON CONFLICT DO NOTHING RETURNING 1
    ),
    awaited AS (
      INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, looked_at)
      SELECT s.incident_id, 'undone', 100, ${tenantId}::uuid, 'awaiting', ${awaitUndoingUntil ? timestamptz(awaitUndoingUntil) : null}, 0,
        ${timestamptz(lookedAt)}
      FROM stored s WHERE ${awaitUndoingUntil !== undefined}::boolean ON CONFLICT DO NOTHING
    )
    SELECT (SELECT count(*)::int FROM stored) AS kept, (SELECT count(lease)::int FROM noted) AS told, (SELECT count(*)::int FROM planned) AS planned`,
  )
  return { isStored: kept > 0, isTold: told > 0, messages: planned }
}

/** Ends diagnosing for good with the answers there are, if the lease still holds. */
export async function endDiagnosing(db: Db, { tenantId, incidentId, lease }: ClaimedWork, now: Date): Promise<void> {
  await db.execute(
    sql`UPDATE incident_work SET state = 'done', next_at = ${timestamptz(now)}, attempts = 0, lease = NULL, reason = NULL, done_at = now()
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND kind = 'diagnosis' AND lease = ${lease}::uuid`,
  )
}
