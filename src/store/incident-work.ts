import { type SQL, sql } from 'drizzle-orm'
import { type IncidentId, type TenantId, toId } from '../domain/ids.ts'
import type { Verdict } from '../domain/incident/quality.ts'
import { LEASE_SECONDS } from '../domain/incident/schedule.ts'
import { appendAudit, type Trail } from './audit.ts'
import { type Db, epochMs, selectOne, timestamptz } from './postgres.ts'
import { SOURCE, type Target } from './targets.ts'

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
      UPDATE incident_work w SET state = 'due', attempts = CASE WHEN w.state = 'due' THEN w.attempts ELSE 0 END, next_at = ${timestamptz(now)}
      FROM incidents i
      WHERE i.tenant_id = ${tenantId} AND i.id = ${id} AND w.incident_id = coalesce(i.diagnosis_of, i.id) AND w.kind = 'diagnosis'
        AND w.state IN ('due', 'given_up') AND (w.lease IS NULL OR w.next_at <= ${timestamptz(now)})
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
  return sql`${isOpen(sql`c`)} AND c.attempts < ${MAX_BEGUN} AND c.next_at <= ${timestamptz(now)} AND (c.kind = 'diagnosis' OR ${isEvent(sql`c`)} OR NOT EXISTS (
    SELECT 1 FROM incident_work e WHERE e.incident_id = c.incident_id AND e.target = c.target AND e.kind <> 'diagnosis' AND ${isOpen(sql`e`)}
      AND (e.number, e.kind) < (c.number, c.kind)))`
}

async function claim(db: Db, candidates: SQL, now: Date, limit: number): Promise<ClaimedWork[]> {
  const { rows } = await db.execute<WorkRow>(
    sql`WITH hopeless AS (
        UPDATE incident_work h SET state = 'given_up', lease = NULL, reason = coalesce(h.reason, 'it was begun again and again, and never ended')
        WHERE ${isOpen(sql`h`)} AND h.next_at <= ${timestamptz(now)} AND h.attempts >= ${MAX_BEGUN}
      ),
      candidates AS MATERIALIZED (${candidates})
      UPDATE incident_work w SET attempts = w.attempts + 1, lease = gen_random_uuid(), next_at = ${leaseEnd(now)}
      WHERE w.ctid = ANY(ARRAY(
        SELECT c.ctid FROM incident_work c JOIN candidates k ON c.ctid = k.place
        WHERE ${isOpen(sql`c`)} AND c.next_at <= ${timestamptz(now)}
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
    sql`UPDATE incident_work SET state = ${retryAt ? sql`state` : 'given_up'}, next_at = ${retryAt ? timestamptz(retryAt) : sql`next_at`},
        lease = NULL, reason = ${reason}, content = CASE WHEN ${keepsContent}::boolean THEN content END
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND lease = ${lease}::uuid`,
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

/** Until when what is taken up now is its holder's, by the later of both clocks. */
export function leaseEnd(now: Date): SQL {
  return sql`greatest(now(), ${timestamptz(now)}) + make_interval(secs => ${LEASE_SECONDS})`
}
