import { type SQL, sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import type { IncidentId, TenantId } from '../domain/ids.ts'
import { type TaughtCorrection, writeCorrection } from '../domain/incident/correction.ts'
import type { JudgedAnswer, JudgedConfidence, Verdict } from '../domain/incident/quality.ts'
import { STORED_VERSION } from '../domain/json.ts'
import type { VerdictLink } from '../domain/telling/verdict-link.ts'
import { type AuditAction, appendAudit, type Trail } from './audit.ts'
import { functionNamed } from './functions.ts'
import { isReadable } from './incidents.ts'
import { type Db, selectOne } from './postgres.ts'
import { SOURCE } from './targets.ts'

/** What an engineer says of an answer. */
export type Judgement = {
  /** `null`: takes back what was said. */
  readonly verdict: Verdict | null
  /** What it was instead; without one, what was said of an equal verdict stays. */
  readonly correction?: TaughtCorrection | undefined
  readonly link?: VerdictLink | undefined
}

/**
 * Keeps an engineer's verdict about an incident's latest answer, in place of an earlier one, and what it teaches: a causal
 * pattern, where the database has vectors. What they said it was instead is taught in place of what it was not. By a `link`, only once, and only while the latest answer blames what the link's did.
 * Throws `not_found`, `conflict` while there is no answer, or for a link that is used up, and `unavailable` for an answer that a
 * later release has stored.
 */
export async function judgeIncident(
  db: Db,
  tenantId: TenantId,
  id: IncidentId,
  { verdict, correction, link }: Judgement,
  trail: Trail,
): Promise<void> {
  const allowed = link
    ? sql`UPDATE incident_work w SET used_links = w.used_links || ${verdict}::text
        WHERE ${isMessageOf(link)} AND ${verdict} <> ALL(w.used_links)
          AND EXISTS (SELECT 1 FROM latest l WHERE l.is_readable AND ${isStillSaid(link, sql`l`)}) RETURNING 1`
    : sql`SELECT 1`
  const cause = correction
    ? sql`${writeCorrection(correction)}`
    : sql`CASE WHEN l.verdict IS NOT DISTINCT FROM ${verdict}::text THEN l.verdict_cause::text END`
  const { known, readable, judged } = await selectOne<{ known: boolean; readable: boolean | null; judged: number }>(
    db,
    sql`WITH subject AS (
      SELECT coalesce(diagnosis_of, id) AS id FROM incidents WHERE tenant_id = ${tenantId} AND id = ${id}
    ),
    latest AS (
      SELECT a.incident_id, a.number, a.tenant_id, a.signature, a.verdict, a.verdict_cause, ${isReadable(sql`a.signature`)} AS is_readable FROM diagnoses a JOIN subject s ON a.incident_id = s.id
      WHERE a.tenant_id = ${tenantId} ORDER BY a.number DESC LIMIT 1
    ),
    allowed AS (${allowed}),
    changed AS (
      UPDATE diagnoses a SET verdict = ${verdict}, verdict_at = CASE WHEN ${verdict}::text IS NOT NULL THEN now() END,
        verdict_by = CASE WHEN ${verdict}::text IS NOT NULL THEN ${trail.actor}::text END, verdict_cause = ${cause}::json
      FROM latest l, allowed
      WHERE a.incident_id = l.incident_id AND a.number = l.number AND l.is_readable
        AND (a.verdict IS DISTINCT FROM ${verdict}::text OR a.verdict_cause::text IS DISTINCT FROM ${cause}) RETURNING ${id}::uuid AS id
    ),
    audit AS (${appendAudit(tenantId, trail, toAction(verdict, correction), sql`changed`)})
    SELECT EXISTS (SELECT 1 FROM subject) AS known, (SELECT is_readable FROM latest) AS readable, (
      SELECT count(${teach(tenantId, verdict, correction)})::int FROM latest l, allowed WHERE l.is_readable
    ) AS judged`,
  )
  if (!known) throw new AppError('not_found', 'no such incident')
  if (readable === false) throw new AppError('unavailable', 'the answer was stored by a later release: upgrade this one')
  if (judged === 0)
    throw new AppError('conflict', link ? 'this link was used, or the answer has changed since' : 'the incident is not diagnosed yet')
}

/** The expression, over a row `l` of the latest answer, that keeps what a judgement teaches; never null. */
function teach(tenantId: TenantId, verdict: Verdict | null, correction: TaughtCorrection | undefined): SQL {
  const forget = sql`${functionNamed('delete_causal_pattern')}(${tenantId}, l.incident_id)`
  if (verdict === null) return forget
  const save = (cause: readonly SQL[], as: Verdict) =>
    sql`${functionNamed('save_causal_pattern')}(${tenantId}, l.incident_id, ${STORED_VERSION}, ${sql.join([...cause], sql`, `)}, (l.signature->'embedding')::text, ${as})`
  const taught = correction?.cause
  if (taught) {
    const { service, vendor, eventType, valueClass } = taught
    const saved = save([sql`${service}`, sql`${vendor}`, sql`${eventType}`, sql`${valueClass}`], 'confirmed')
    return sql`CASE WHEN json_typeof(l.signature->'embedding') = 'array' THEN ${saved} ELSE ${forget} END`
  }
  const own = ['service', 'vendor', 'eventType', 'valueClass'].map((field) => sql`l.signature->'cause'->>${field}::text`)
  const stays = correction ? sql`false` : sql`l.verdict = ${verdict} AND l.verdict_cause IS NOT NULL`
  return sql`CASE WHEN ${stays} THEN true
    WHEN json_typeof(l.signature->'embedding') = 'array' AND json_typeof(l.signature->'cause') = 'object' THEN ${save(own, verdict)} ELSE ${forget} END`
}

function toAction(verdict: Verdict | null, correction: TaughtCorrection | undefined): AuditAction {
  if (verdict === null) return 'incident.reconsidered'
  return correction ? 'incident.corrected' : `incident.${verdict}`
}

/** Whether work `w` is the message that a link was in, to somebody who still is told. */
const isMessageOf = ({ tenantId, incidentId, number, target }: VerdictLink): SQL =>
  sql`w.tenant_id = ${tenantId} AND w.incident_id = ${incidentId} AND w.kind = 'note' AND w.number = ${number} AND w.target = ${target}
    AND (w.target = ${SOURCE} OR EXISTS (SELECT 1 FROM integrations r WHERE r.tenant_id = w.tenant_id AND r.id = w.target))`

/** Whether the latest answer `row` is the link's, or blames the same. */
const isStillSaid = ({ number }: VerdictLink, row: SQL): SQL =>
  sql`(${row}.number = ${number} OR ${row}.signature->'compared'->>'told' IS NOT DISTINCT FROM (
    SELECT o.signature->'compared'->>'told' FROM diagnoses o
    WHERE o.tenant_id = ${row}.tenant_id AND o.incident_id = ${row}.incident_id AND o.number = ${number}))`

/** The answer that a link is about, as its page shows it. */
export type LinkedAnswer = {
  readonly service: string
  readonly title: string | null
  readonly hypothesis: string
  readonly recommendedAction: string | null
  /** What was said of the latest answer, by whatever way. */
  readonly verdict: Verdict | null
  readonly isUsed: boolean
  /** Whether no later answer blames something else. */
  readonly isStillSaid: boolean
}

/** `undefined` when the incident is gone, or whoever was told was removed. */
export async function findLinkedAnswer(db: Db, link: VerdictLink): Promise<LinkedAnswer | undefined> {
  const { rows } = await db.execute<LinkedAnswer>(
    sql`SELECT i.service_name AS service, i.title, a.hypothesis, a.recommended_action AS "recommendedAction", l.verdict,
        ${link.verdict} = ANY(w.used_links) AS "isUsed", ${isStillSaid(link, sql`l`)} AS "isStillSaid"
      FROM incident_work w JOIN incidents i ON i.id = w.incident_id AND i.tenant_id = w.tenant_id
        JOIN diagnoses a ON a.incident_id = w.incident_id AND a.tenant_id = w.tenant_id AND a.number = w.number
        JOIN LATERAL (
          SELECT v.* FROM diagnoses v WHERE v.incident_id = w.incident_id AND v.tenant_id = w.tenant_id ORDER BY v.number DESC LIMIT 1
        ) l ON true
      WHERE ${isMessageOf(link)}`,
  )
  return rows[0]
}

/** So many of the tenant's latest verdicts, and of its newest incidents' answers, say how good answers are. */
const MAX_LOOKED_AT = 1_000
/** Verdicts that are passed over at most: of answers that were given again, for the latest says, or that were not the engine's own. */
const MAX_PASSED = 4_000

/** The tenant's answers with the latest verdicts, in the order of an index. */
const latestJudged = (tenantId: TenantId) => sql`(
  SELECT v.incident_id, v.number, v.confidence, v.abstained, v.verdict, v.signature, v.verdict_at FROM diagnoses v
  WHERE v.tenant_id = ${tenantId} AND v.verdict IS NOT NULL ORDER BY v.verdict_at DESC LIMIT ${MAX_PASSED})`

/**
 * The tenant's latest verdicts on the latest answers of their incidents, a thousand at most, with those answers; and of its
 * thousand newest incidents how many have an answer, and of how many it blames nothing.
 */
export async function readVerdicts(
  db: Db,
  tenantId: TenantId,
): Promise<{ readonly judged: readonly JudgedAnswer[]; readonly answers: number; readonly abstained: number }> {
  return await selectOne(
    db,
    sql`WITH newest AS MATERIALIZED (
      SELECT i.id FROM incidents i WHERE i.tenant_id = ${tenantId} AND i.diagnosis_of IS NULL
      ORDER BY i.triggered_at DESC, i.id DESC LIMIT ${MAX_LOOKED_AT}
    ),
    latest AS MATERIALIZED (
      SELECT a.abstained FROM newest n CROSS JOIN LATERAL (
        SELECT d.abstained FROM diagnoses d WHERE d.tenant_id = ${tenantId} AND d.incident_id = n.id ORDER BY d.number DESC LIMIT 1) a
    ),
    judged AS (
      SELECT a.* FROM ${latestJudged(tenantId)} a WHERE a.number = (SELECT max(n.number) FROM diagnoses n WHERE n.incident_id = a.incident_id)
      ORDER BY a.verdict_at DESC LIMIT ${MAX_LOOKED_AT}
    )
    SELECT (SELECT count(*)::int FROM latest) AS answers, (SELECT count(*)::int FROM latest WHERE abstained) AS abstained,
      (SELECT coalesce(json_agg(json_build_object('confidence', j.confidence, 'confirmed', j.verdict = 'confirmed', 'abstained', j.abstained,
        'unrecorded', CASE WHEN ${isReadable(sql`j.signature`)} THEN (j.signature->'compared'->'own'->>'unrecorded')::float8 END)), '[]')
        FROM judged j) AS judged`,
  )
}

/**
 * What the tenant's engineers made of causes that the engine itself had put first, and how sure it was of them, the latest
 * verdicts first: five hundred of the latest four thousand at most.
 */
export async function readCalibration(db: Db, tenantId: TenantId): Promise<readonly JudgedConfidence[]> {
  // In the order of the index alone, so that no more are looked at than are read.
  const { rows } = await db.execute<JudgedConfidence & Record<string, unknown>>(
    sql`SELECT (c.compared->'own'->>'confidence')::float8 AS confidence, a.verdict = 'confirmed' AS confirmed
      FROM ${latestJudged(tenantId)} a CROSS JOIN LATERAL (SELECT a.signature->'compared' AS compared OFFSET 0) c
      WHERE NOT a.abstained AND ${isReadable(sql`a.signature`)} AND c.compared->>'told' IS NOT DISTINCT FROM c.compared->'own'->>'cause'
      ORDER BY a.verdict_at DESC LIMIT ${MAX_CALIBRATION}`,
  )
  return rows
}

const MAX_CALIBRATION = 500
