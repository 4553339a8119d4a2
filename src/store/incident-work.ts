import { type SQL, sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import { type IncidentId, type TenantId, toId } from '../domain/ids.ts'
import type { ComparedAnswer } from '../domain/incident/answer.ts'
import { type IncidentSignature, readSignature, writeSignature } from '../domain/incident/memory.ts'
import type { Verdict } from '../domain/incident/quality.ts'
import { LEASE_SECONDS } from '../domain/incident/schedule.ts'
import { daysBefore } from '../domain/window/sweep.ts'
import { appendAudit, type Trail } from './audit.ts'
import type { Incident, StoredDiagnosis } from './incidents.ts'
import { isInMaintenance, teamOf } from './maintenance.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'
import { SOURCE, type Target } from './source.ts'

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
    told: new Map(Object.entries(told ?? {}).map(([target, answers]) => [target as Target, answers])),
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
 * holds; if it does not, someone else took over. Beside an answer that was confirmed meanwhile no other is kept. `isTold`: its
 * note is the lease's holder's to post; `messages` are for whoever takes them up.
 */
export async function storeDiagnosis(
  db: Db,
  tenantId: TenantId,
  incidentId: IncidentId,
  lease: string,
  { diagnosis, noteLease, messages, awaitUndoingUntil, next, lookedAt }: EndedDiagnosis,
  now: Date,
): Promise<{ readonly isLost: boolean; readonly isTold: boolean; readonly messages: number }> {
  const stored = diagnosis
    ? sql`INSERT INTO diagnoses (incident_id, number, tenant_id, made_at, diagnosed_by, hypothesis, recommended_action,
          confidence, abstained, changed, answer, context_snapshot, signature, verdict, verdict_at, verdict_by, verdict_cause)
        SELECT ended.incident_id, ${diagnosis.number}, ${tenantId}::uuid, ${iso(diagnosis.madeAt)}::timestamptz, ${diagnosis.diagnosedBy},
          ${diagnosis.hypothesis}, ${diagnosis.recommendedAction}, ${diagnosis.confidence}::float8,
          ${diagnosis.abstained}::boolean, ${diagnosis.changed}, ${diagnosis.answerText}::json, ${diagnosis.snapshotText}::json,
          ${writeSignature(diagnosis.signature)}::json, CASE WHEN ${diagnosis.keepsVerdict}::boolean THEN p.verdict END,
          CASE WHEN ${diagnosis.keepsVerdict}::boolean THEN p.verdict_at END, CASE WHEN ${diagnosis.keepsVerdict}::boolean THEN p.verdict_by END,
          CASE WHEN ${diagnosis.keepsVerdict}::boolean THEN p.verdict_cause END
        FROM ended LEFT JOIN diagnoses p ON p.incident_id = ended.incident_id AND p.number = ${diagnosis.number - 1}
        WHERE p.verdict IS DISTINCT FROM 'confirmed'
        ON CONFLICT DO NOTHING RETURNING incident_id, number`
    : sql`SELECT incident_id, 0 AS number FROM ended WHERE false`
  const { ended, told, planned } = await selectOne<{ ended: number; told: number; planned: number }>(
    db,
    sql`WITH ended AS (
      UPDATE incident_work SET state = ${next.state}, next_at = ${iso(next.at)}::timestamptz, attempts = 0, lease = NULL, reason = NULL,
        looks = looks + 1, looked_at = ${iso(lookedAt)}::timestamptz, done_at = now()
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND kind = 'diagnosis' AND lease = ${lease}::uuid RETURNING incident_id
    ),
    stored AS (${stored}),
    noted AS (
      INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, lease)
      SELECT s.incident_id, 'note', s.number, ${tenantId}::uuid, 'due', CASE WHEN s.waits THEN ${iso(now)}::timestamptz ELSE ${leaseEnd(now)} END,
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
      SELECT s.incident_id, m.kind, CASE m.kind WHEN 'opened' THEN 0 ELSE s.number END, m.target, ${tenantId}::uuid, 'queued', ${iso(now)}::timestamptz, 0
      FROM stored s, json_to_recordset(${JSON.stringify(messages)}::json) AS m(kind text, target uuid)
      ON CONFLICT DO NOTHING RETURNING 1
    ),
    awaited AS (
      INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, looked_at)
      SELECT s.incident_id, 'undone', 100, ${tenantId}::uuid, 'awaiting', ${awaitUndoingUntil ? iso(awaitUndoingUntil) : null}::timestamptz, 0,
        ${iso(lookedAt)}::timestamptz
      FROM stored s WHERE ${awaitUndoingUntil !== undefined}::boolean ON CONFLICT DO NOTHING
    )
    SELECT (SELECT count(*)::int FROM ended) AS ended, (SELECT count(lease)::int FROM noted) AS told, (SELECT count(*)::int FROM planned) AS planned`,
  )
  return { isLost: ended === 0, isTold: told > 0, messages: planned }
}

/** Ends diagnosing for good with the answers there are, if the lease still holds. */
export async function endDiagnosing(db: Db, { tenantId, incidentId, lease }: ClaimedWork, now: Date): Promise<void> {
  await db.execute(
    sql`UPDATE incident_work SET state = 'done', next_at = ${iso(now)}::timestamptz, attempts = 0, lease = NULL, reason = NULL, done_at = now()
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND kind = 'diagnosis' AND lease = ${lease}::uuid`,
  )
}

/** Work that is the holder's of this lease until it runs out. */
export type ClaimedWork = {
  readonly tenantId: TenantId
  readonly incidentId: IncidentId
  readonly kind: WorkKind
  readonly number: number
  /** Who is told; of a diagnosis, `SOURCE`. */
  readonly target: Target
  readonly lease: string
  /** This one included. */
  readonly attempts: number
  /** Whether an attempt before this one may have been heard, though it never said so. */
  readonly wasBegun: boolean
}

/** The work of diagnosing an incident, begun with its alert. */
export function toDiagnosis(tenantId: TenantId, incidentId: IncidentId, lease: string): ClaimedWork {
  return { tenantId, incidentId, kind: 'diagnosis', number: 0, target: SOURCE, lease, attempts: 1, wasBegun: false }
}

/** What followed an answer. */
export type FollowUpKind = 'resolved' | 'undone' | Verdict

type WorkKind = 'diagnosis' | 'opened' | 'note' | 'thread' | FollowUpKind

type WorkRow = {
  readonly tenant_id: string
  readonly incident_id: string
  readonly kind: WorkKind
  readonly number: number
  readonly target: string
  readonly lease: string
  readonly attempts: number
  readonly was_begun: boolean
}

/** More than planned retries come to: whoever begins such work never gets to say how it ended. */
const MAX_BEGUN = 20

/**
 * Takes over what is due, the longest due first, but tenants take turns: one that has `taken` so many pieces already comes as
 * much later. Of an incident's messages to one receiver each waits for those before it. What was begun so often that it must be the end of whoever does it is
 * given up.
 */
export async function claimWork(
  db: Db,
  now: Date,
  limit: number,
  taken: ReadonlyMap<TenantId, number> = new Map(),
): Promise<ClaimedWork[]> {
  const enough = SPARE_CANDIDATES * limit
  // From one tenant with work to the next along an index, and of each no more than may be its turn.
  const candidates = sql`SELECT f.place, f.turn + coalesce((${JSON.stringify(Object.fromEntries(taken))}::jsonb->>t.tenant_id::text)::int, 0) AS turn,
      f.next_at
    FROM (
      WITH RECURSIVE waiting AS (
        (SELECT w.tenant_id FROM incident_work w WHERE ${isOpen(sql`w`)} ORDER BY w.tenant_id LIMIT 1)
        UNION ALL
        SELECT n.tenant_id FROM waiting t CROSS JOIN LATERAL (
          SELECT w.tenant_id FROM incident_work w WHERE ${isOpen(sql`w`)} AND w.tenant_id > t.tenant_id ORDER BY w.tenant_id LIMIT 1) n
      )
      SELECT tenant_id FROM waiting
    ) t
    CROSS JOIN LATERAL (
      SELECT c.ctid AS place, c.next_at, row_number() OVER (ORDER BY c.next_at, c.kind DESC ROWS UNBOUNDED PRECEDING) AS turn
      FROM incident_work c
      WHERE c.tenant_id = t.tenant_id AND ${isDue(now)} ORDER BY c.next_at, c.kind DESC LIMIT ${enough}
    ) f
    ORDER BY turn, f.next_at LIMIT ${enough}`
  return await claim(db, candidates, now, limit)
}

/** Takes up one piece of work again, if it is due. */
export async function claimAgain(db: Db, work: ClaimedWork, now: Date): Promise<ClaimedWork | undefined> {
  const { tenantId, incidentId, kind, number, target } = work
  const candidates = sql`SELECT c.ctid AS place, 1 AS turn, c.next_at FROM incident_work c
    WHERE c.tenant_id = ${tenantId} AND c.incident_id = ${incidentId} AND c.kind = ${kind} AND c.number = ${number}
      AND c.target = ${target} AND ${isDue(now)}`
  const [claimed] = await claim(db, candidates, now, 1)
  return claimed
}

/**
 * Makes a diagnosis due now that failed, or that whoever began it left alone; one that was given up begins anew. Says of which
 * incident it is, `undefined` where there is none.
 */
export async function hurryDiagnosis(db: Db, tenantId: TenantId, id: IncidentId, now: Date, trail: Trail): Promise<IncidentId | undefined> {
  const { rows } = await db.execute<{ id: string }>(
    sql`WITH hurried AS (
      UPDATE incident_work w SET state = 'due', attempts = CASE WHEN w.state = 'due' THEN w.attempts ELSE 0 END, next_at = ${iso(now)}::timestamptz
      FROM incidents i
      WHERE i.tenant_id = ${tenantId} AND i.id = ${id} AND w.incident_id = coalesce(i.diagnosis_of, i.id) AND w.kind = 'diagnosis'
        AND w.state IN ('due', 'given_up') AND (w.lease IS NULL OR w.next_at <= ${iso(now)}::timestamptz)
        AND NOT EXISTS (SELECT 1 FROM diagnoses d WHERE d.incident_id = w.incident_id)
      RETURNING w.incident_id AS id
    ),
    audit AS (${appendAudit(tenantId, trail, 'incident.retried', sql`hurried`)})
    SELECT id FROM hurried`,
  )
  return rows[0] && toId(rows[0].id)
}

/** So many times what is asked for is looked at, as others may be taking some of it. */
const SPARE_CANDIDATES = 4

/** Takes over what an incident's receivers are to be told, as far as it is due. */
export async function claimMessages(db: Db, tenantId: TenantId, incidentId: IncidentId, now: Date, limit: number): Promise<ClaimedWork[]> {
  const candidates = sql`SELECT c.ctid AS place, 1 AS turn, c.next_at FROM incident_work c
    WHERE c.tenant_id = ${tenantId} AND c.incident_id = ${incidentId} AND c.kind <> 'diagnosis' AND ${isDue(now)} LIMIT ${SPARE_CANDIDATES * limit}`
  return await claim(db, candidates, now, limit)
}

/** Whether a row says that something followed an answer, for its messages to be planned. */
const isEvent = (row: SQL): SQL => sql`(${row}.target = ${SOURCE} AND ${row}.kind <> 'diagnosis' AND ${row}.kind <> 'note')`

/** Whether a piece is to be done. */
const isOpen = (row: SQL): SQL => sql`${row}.state IN ('due', 'queued')`

/** Whether a piece `c` may be taken up: of what a receiver is told of an incident, the first that it was not told. */
function isDue(now: Date): SQL {
  return sql`${isOpen(sql`c`)} AND c.attempts < ${MAX_BEGUN} AND c.next_at <= ${iso(now)}::timestamptz AND (c.kind = 'diagnosis' OR ${isEvent(sql`c`)} OR NOT EXISTS (
    SELECT 1 FROM incident_work e WHERE e.incident_id = c.incident_id AND e.target = c.target AND e.kind <> 'diagnosis' AND ${isOpen(sql`e`)}
      AND (e.number, e.kind) < (c.number, c.kind)))`
}

async function claim(db: Db, candidates: SQL, now: Date, limit: number): Promise<ClaimedWork[]> {
  const { rows } = await db.execute<WorkRow>(
    sql`WITH hopeless AS (
        UPDATE incident_work h SET state = 'given_up', lease = NULL, reason = coalesce(h.reason, 'it was begun again and again, and never ended')
        WHERE ${isOpen(sql`h`)} AND h.next_at <= ${iso(now)}::timestamptz AND h.attempts >= ${MAX_BEGUN}
      ),
      candidates AS MATERIALIZED (${candidates})
      UPDATE incident_work w SET attempts = w.attempts + 1, lease = gen_random_uuid(), next_at = ${leaseEnd(now)}
      WHERE w.ctid = ANY(ARRAY(
        SELECT c.ctid FROM incident_work c JOIN candidates k ON c.ctid = k.place
        WHERE ${isOpen(sql`c`)} AND c.next_at <= ${iso(now)}::timestamptz
        ORDER BY k.turn, k.next_at LIMIT ${limit} FOR UPDATE OF c SKIP LOCKED
      ))
      RETURNING w.tenant_id, w.incident_id, w.kind, w.number, w.target, w.lease, w.attempts, w.content IS NOT NULL AS was_begun`,
  )
  return rows.map(({ tenant_id, incident_id, target, was_begun, ...work }) => ({
    ...work,
    tenantId: toId(tenant_id),
    incidentId: toId(incident_id),
    target: toId(target),
    wasBegun: was_begun,
  }))
}

/**
 * Puts work off until `retryAt`, or gives it up, and says why; unless the lease is another's by now. What was begun was not heard,
 * unless `keepsContent` says that nobody knows.
 */
export async function putOffWork(
  db: Db,
  { tenantId, incidentId, lease }: ClaimedWork,
  retryAt: Date | undefined,
  reason: string,
  { keepsContent }: { readonly keepsContent: boolean } = { keepsContent: false },
): Promise<void> {
  await db.execute(
    sql`UPDATE incident_work SET state = ${retryAt ? sql`state` : 'given_up'}, next_at = coalesce(${retryAt ? iso(retryAt) : null}::timestamptz, next_at),
        lease = NULL, reason = ${reason}, content = CASE WHEN ${keepsContent}::boolean THEN content END
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND lease = ${lease}::uuid`,
  )
}

const DELIVERY_DAYS = 30
const MAX_FORGOTTEN = 10_000

/** Forgets deliveries that nobody will send again. */
export async function forgetDeliveries(db: Db, now: Date): Promise<void> {
  await db.execute(
    sql`DELETE FROM deliveries WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM deliveries WHERE received_at < ${iso(daysBefore(now, DELIVERY_DAYS))}::timestamptz LIMIT ${MAX_FORGOTTEN} FOR UPDATE SKIP LOCKED
    ))`,
  )
}

/** When the next piece of work is due; `undefined` when there is none. */
export async function findNextWork(db: Db): Promise<Date | undefined> {
  const { next_ms } = await selectOne<{ next_ms: number | null }>(
    db,
    sql`SELECT ${epochMs(sql`min(next_at)`)} AS next_ms FROM incident_work w WHERE ${isOpen(sql`w`)}`,
  )
  return next_ms === null ? undefined : new Date(next_ms)
}

function leaseEnd(now: Date): SQL {
  return sql`greatest(now(), ${iso(now)}::timestamptz) + make_interval(secs => ${LEASE_SECONDS})`
}

const iso = (instant: Date) => instant.toISOString()
