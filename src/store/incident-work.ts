import { type SQL, sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import { type IncidentId, type TenantId, toId } from '../domain/ids.ts'
import type { ComparedAnswer } from '../domain/incident/answer.ts'
import { type IncidentSignature, readSignature, writeSignature } from '../domain/incident/memory.ts'
import { LEASE_SECONDS } from '../domain/incident/schedule.ts'
import { daysBefore } from '../domain/window/sweep.ts'
import { appendAudit } from './audit.ts'
import type { Incident, StoredDiagnosis } from './incidents.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'

/** An incident as it is to be diagnosed: what is known of it and, if it was diagnosed before, the latest answer. */
export type Subject = {
  readonly incident: Pick<Incident, 'serviceName' | 'title' | 'environment' | 'triggeredAt' | 'externalRef' | 'externalSource'> & {
    readonly observedUntil: Date | null
  }
  readonly latest: (Pick<StoredDiagnosis, 'number' | 'verdict'> & ComparedAnswer) | undefined
  /** Whether more than the first answer was told to the pager. */
  readonly hasFollowUp: boolean
}

type LatestRow = Pick<StoredDiagnosis, 'number' | 'verdict' | 'hypothesis' | 'diagnosedBy'> & { readonly signature: unknown }

type SubjectRow = {
  readonly service_name: string
  readonly title: string | null
  readonly environment: string | null
  readonly triggered_ms: number
  readonly observed_ms: number | null
  readonly external_ref: string | null
  readonly external_source: string | null
  readonly latest: LatestRow | null
  readonly has_follow_up: boolean
}

/** What is needed of an incident to diagnose it; throws `not_found`. */
export async function getSubject(db: Db, tenantId: TenantId, id: IncidentId): Promise<Subject> {
  const { rows } = await db.execute<SubjectRow>(
    sql`SELECT i.service_name, i.title, i.environment, ${epochMs(sql`i.triggered_at`)} AS triggered_ms, ${epochMs(sql`i.observed_until`)} AS observed_ms,
        i.external_ref, i.external_source, (
          SELECT json_build_object('number', d.number, 'verdict', d.verdict, 'hypothesis', d.hypothesis, 'diagnosedBy', d.diagnosed_by,
            'signature', d.signature)
          FROM diagnoses d WHERE d.incident_id = i.id ORDER BY d.number DESC LIMIT 1
        ) AS latest,
        EXISTS (SELECT 1 FROM incident_work n WHERE n.incident_id = i.id AND n.kind = 'note' AND n.number > 1) AS has_follow_up
      FROM incidents i WHERE i.tenant_id = ${tenantId} AND i.id = ${id}`,
  )
  const [row] = rows
  if (!row) throw new AppError('not_found', 'no such incident')
  const { service_name, title, environment, triggered_ms, observed_ms, external_ref, external_source, latest, has_follow_up } = row
  return {
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
    hasFollowUp: has_follow_up,
  }
}

function toLatest({ signature, ...latest }: LatestRow): Subject['latest'] {
  return { ...latest, ...readSignature(signature).compared }
}

export type NewDiagnosis = Omit<StoredDiagnosis, 'verdict' | 'answer' | 'contextSnapshot'> & {
  /** JSON, whose bytes are kept. */
  readonly answerText: string
  readonly snapshotText: string
  readonly signature: IncidentSignature
  /** Whether it blames what the answer before blamed, whose verdict then holds for it. */
  readonly keepsVerdict: boolean
}

export type EndedDiagnosis = {
  /** `undefined`: nothing worth keeping beside the answer before. */
  readonly diagnosis: NewDiagnosis | undefined
  /** Whose lease the posting of its note is from now on, unless an earlier note is still to be posted; `undefined`: no note. */
  readonly noteLease: string | undefined
  readonly next: { readonly state: 'due' | 'watching' | 'done'; readonly at: Date }
  /** Events received since then were not seen. */
  readonly lookedAt: Date
}

/**
 * Ends a round of diagnosing: keeps the answer and plans its note and the next look, all or nothing, if the lease still
 * holds. Beside an answer that was confirmed meanwhile no other is kept. `lost`: someone else took over. `tell`: its note is
 * the lease's holder's to post.
 */
export async function storeDiagnosis(
  db: Db,
  tenantId: TenantId,
  incidentId: IncidentId,
  lease: string,
  { diagnosis, noteLease, next, lookedAt }: EndedDiagnosis,
  now: Date,
): Promise<'lost' | 'tell' | 'ended'> {
  const stored = diagnosis
    ? sql`INSERT INTO diagnoses (incident_id, number, tenant_id, made_at, diagnosed_by, hypothesis, recommended_action,
          confidence, abstained, changed, answer, context_snapshot, signature, verdict, verdict_at)
        SELECT ended.incident_id, ${diagnosis.number}, ${tenantId}::uuid, ${iso(diagnosis.madeAt)}::timestamptz, ${diagnosis.diagnosedBy},
          ${diagnosis.hypothesis}, ${diagnosis.recommendedAction}, ${diagnosis.confidence}::float8,
          ${diagnosis.abstained}::boolean, ${diagnosis.changed}, ${diagnosis.answerText}::json, ${diagnosis.snapshotText}::json,
          ${writeSignature(diagnosis.signature)}::json, CASE WHEN ${diagnosis.keepsVerdict}::boolean THEN p.verdict END,
          CASE WHEN ${diagnosis.keepsVerdict}::boolean THEN p.verdict_at END
        FROM ended LEFT JOIN diagnoses p ON p.incident_id = ended.incident_id AND p.number = ${diagnosis.number - 1}
        WHERE p.verdict IS DISTINCT FROM 'confirmed'
        ON CONFLICT DO NOTHING RETURNING incident_id, number`
    : sql`SELECT incident_id, 0 AS number FROM ended WHERE false`
  const { ended, told } = await selectOne<{ ended: number; told: number }>(
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
          SELECT 1 FROM incident_work e WHERE e.incident_id = stored.incident_id AND e.kind = 'note' AND e.state = 'due') AS waits
        FROM stored
      ) s WHERE ${noteLease ?? null}::uuid IS NOT NULL
      RETURNING lease
    )
    SELECT (SELECT count(*)::int FROM ended) AS ended, (SELECT count(lease)::int FROM noted) AS told`,
  )
  if (ended === 0) return 'lost'
  return told > 0 ? 'tell' : 'ended'
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
  readonly kind: 'diagnosis' | 'note'
  readonly number: number
  readonly lease: string
  /** This one included. */
  readonly attempts: number
}

type WorkRow = {
  readonly tenant_id: string
  readonly incident_id: string
  readonly kind: ClaimedWork['kind']
  readonly number: number
  readonly lease: string
  readonly attempts: number
}

/** More than planned retries come to: whoever begins such work never gets to say how it ended. */
const MAX_BEGUN = 20

/**
 * Takes over what is due, the longest due first, but tenants take turns: one that has `taken` so many pieces already comes as
 * much later. A follow-up note waits for the first one. What was begun so often that it must be the end of whoever does it is
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
        (SELECT w.tenant_id FROM incident_work w WHERE w.state = 'due' ORDER BY w.tenant_id LIMIT 1)
        UNION ALL
        SELECT n.tenant_id FROM waiting t CROSS JOIN LATERAL (
          SELECT w.tenant_id FROM incident_work w WHERE w.state = 'due' AND w.tenant_id > t.tenant_id ORDER BY w.tenant_id LIMIT 1) n
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
  const { tenantId, incidentId, kind, number } = work
  const candidates = sql`SELECT c.ctid AS place, 1 AS turn, c.next_at FROM incident_work c
    WHERE c.tenant_id = ${tenantId} AND c.incident_id = ${incidentId} AND c.kind = ${kind} AND c.number = ${number} AND ${isDue(now)}`
  const [claimed] = await claim(db, candidates, now, 1)
  return claimed
}

/** So many times what is asked for is looked at, as others may be taking some of it. */
const SPARE_CANDIDATES = 4

/** Whether a piece `c` may be taken up: of an incident's notes, the first that is not posted. */
function isDue(now: Date): SQL {
  return sql`c.state = 'due' AND c.attempts < ${MAX_BEGUN} AND c.next_at <= ${iso(now)}::timestamptz AND (c.kind = 'diagnosis' OR c.number = (
    SELECT min(e.number) FROM incident_work e WHERE e.incident_id = c.incident_id AND e.kind = 'note' AND e.state = 'due'))`
}

async function claim(db: Db, candidates: SQL, now: Date, limit: number): Promise<ClaimedWork[]> {
  const { rows } = await db.execute<WorkRow>(
    sql`WITH hopeless AS (
        UPDATE incident_work h SET state = 'given_up', lease = NULL, reason = coalesce(h.reason, 'it was begun again and again, and never ended')
        WHERE h.state = 'due' AND h.next_at <= ${iso(now)}::timestamptz AND h.attempts >= ${MAX_BEGUN}
      ),
      candidates AS MATERIALIZED (${candidates})
      UPDATE incident_work w SET attempts = w.attempts + 1, lease = gen_random_uuid(), next_at = ${leaseEnd(now)}
      WHERE w.ctid = ANY(ARRAY(
        SELECT c.ctid FROM incident_work c JOIN candidates k ON c.ctid = k.place
        WHERE c.state = 'due' AND c.next_at <= ${iso(now)}::timestamptz
        ORDER BY k.turn, k.next_at LIMIT ${limit} FOR UPDATE OF c SKIP LOCKED
      ))
      RETURNING w.tenant_id, w.incident_id, w.kind, w.number, w.lease, w.attempts`,
  )
  return rows.map(({ tenant_id, incident_id, ...work }) => ({ ...work, tenantId: toId(tenant_id), incidentId: toId(incident_id) }))
}

/** Puts work off until `retryAt`, or gives it up, and says why; unless the lease is another's by now. */
export async function putOffWork(
  db: Db,
  { tenantId, incidentId, lease }: ClaimedWork,
  retryAt: Date | undefined,
  reason: string,
): Promise<void> {
  await db.execute(
    sql`UPDATE incident_work SET state = ${retryAt ? 'due' : 'given_up'}, next_at = coalesce(${retryAt ? iso(retryAt) : null}::timestamptz, next_at),
        lease = NULL, reason = ${reason}
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND lease = ${lease}::uuid`,
  )
}

/** Notes that the pager has a note, and how it reads, unless someone else has by now. */
export async function recordNote(db: Db, { tenantId, incidentId, lease }: ClaimedWork, content: string): Promise<void> {
  await db.execute(
    sql`WITH changed AS (
      UPDATE incident_work SET state = 'done', lease = NULL, reason = NULL, content = ${content}, done_at = now()
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND kind = 'note' AND lease = ${lease}::uuid RETURNING incident_id AS id
    )
    ${appendAudit(tenantId, { actor: 'noctuary', requestId: null }, 'note.posted', sql`changed`)}`,
  )
}

/**
 * Of the incidents that wait for late events, of each tenant's in turn, makes those due for which one arrived: an event that was received since they
 * were looked at, and happened before their alert. The more often one was looked at, the longer until the next time; what has
 * waited long enough is done. Returns how many are due at once.
 */
export async function noticeLateEvents(db: Db, now: Date): Promise<number> {
  const { due } = await selectOne<{ due: number }>(
    db,
    sql`WITH watched AS MATERIALIZED (
      SELECT w.incident_id, w.tenant_id, w.looked_at - interval '5 seconds' AS since, i.triggered_at
      FROM (
        SELECT incident_id, tenant_id, looked_at, row_number() OVER (PARTITION BY tenant_id ORDER BY looked_at, incident_id) AS turn
        FROM incident_work WHERE state = 'watching' ORDER BY turn, looked_at, incident_id LIMIT ${MAX_WATCHED}
      ) w JOIN incidents i ON i.id = w.incident_id
    ),
    concerned AS MATERIALIZED (
      SELECT t.tenant_id FROM (SELECT tenant_id, min(since) AS since, max(triggered_at) AS triggered_at FROM watched GROUP BY tenant_id) t
      WHERE ${isAnyLate(sql`t`)}
    ),
    noticed AS MATERIALIZED (
      SELECT w.incident_id, w.tenant_id IN (SELECT tenant_id FROM concerned) AND ${isAnyLate(sql`w`)} AS is_late FROM watched w
    ),
    planned AS (
      UPDATE incident_work w SET
        state = CASE WHEN w.next_at <= ${iso(now)}::timestamptz THEN 'done' WHEN n.is_late THEN 'due' ELSE 'watching' END,
        next_at = CASE WHEN n.is_late THEN least(w.next_at, greatest(${iso(now)}::timestamptz, ${RESTED_AT})) ELSE w.next_at END,
        looked_at = CASE WHEN n.is_late THEN w.looked_at ELSE now() END
      FROM noticed n WHERE w.incident_id = n.incident_id AND w.kind = 'diagnosis' AND w.state = 'watching'
      RETURNING w.state, w.next_at
    )
    SELECT count(*)::int AS due FROM planned WHERE state = 'due' AND next_at <= ${iso(now)}::timestamptz`,
  )
  return due
}

/** When an incident was left alone long enough: a minute more for each look but the first. */
const RESTED_AT = sql`w.done_at + make_interval(mins => w.looks - 1)`

/**
 * Whether the tenant of a row received an event since, that happened before the row's alert. In the words that make Postgres go
 * along an agent's latest events, rather than through all there are.
 */
function isAnyLate(row: SQL): SQL {
  return sql`EXISTS (
    SELECT 1 FROM agents a CROSS JOIN LATERAL (
      SELECT 1 FROM context_events e WHERE e.agent_id = a.id AND e.received_at > ${row}.since AND least(e."timestamp", e.received_at) <= ${row}.triggered_at
      ORDER BY e.received_at LIMIT 1
    ) l WHERE a.tenant_id = ${row}.tenant_id)`
}

const MAX_WATCHED = 200

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
    sql`SELECT ${epochMs(sql`min(next_at)`)} AS next_ms FROM incident_work WHERE state = 'due'`,
  )
  return next_ms === null ? undefined : new Date(next_ms)
}

function leaseEnd(now: Date): SQL {
  return sql`greatest(now(), ${iso(now)}::timestamptz) + make_interval(secs => ${LEASE_SECONDS})`
}

const iso = (instant: Date) => instant.toISOString()
