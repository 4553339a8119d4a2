import { sql } from 'drizzle-orm'
import { type IncidentId, type IntegrationId, type TenantId, toId } from '../domain/ids.ts'
import { readAnswer } from '../domain/incident/answer.ts'
import { readSnapshot } from '../domain/incident/snapshot.ts'
import type { StoredDiagnosis } from './incidents.ts'
import { type Db, selectOne } from './postgres.ts'

/** One answer as a receiver is told it. */
export type AnswerToTell = {
  readonly answer: Pick<StoredDiagnosis, 'hypothesis' | 'recommendedAction' | 'confidence' | 'answer' | 'contextSnapshot'>
  /** Whose incident it is, by the name of the integration's type; and that one's id of it. */
  readonly externalSource: string | null
  readonly externalRef: string | null
  /** By which the incident's alert came. */
  readonly integrationId: IntegrationId | null
  /** The latest answer before it that was told. */
  readonly earlier: Pick<StoredDiagnosis, 'hypothesis' | 'confidence'> | null
}

type AnswerRow = Omit<AnswerToTell, 'integrationId' | 'answer'> & {
  readonly integrationId: string | null
  readonly answer: Omit<AnswerToTell['answer'], 'answer' | 'contextSnapshot'> & {
    readonly answer: unknown
    readonly contextSnapshot: unknown
  }
}

/** What is told of an incident's answer with that number; `undefined` when there is none. */
export async function findAnswerToTell(
  db: Db,
  tenantId: TenantId,
  incidentId: IncidentId,
  number: number,
): Promise<AnswerToTell | undefined> {
  const { row } = await selectOne<{ row: AnswerRow | null }>(
    db,
    sql`SELECT (SELECT json_build_object(
          'answer', json_build_object('hypothesis', a.hypothesis, 'recommendedAction', a.recommended_action, 'confidence', a.confidence,
            'answer', a.answer, 'contextSnapshot', a.context_snapshot),
          'externalSource', i.external_source, 'externalRef', i.external_ref, 'integrationId', i.integration_id,
          'earlier', (
            SELECT json_build_object('hypothesis', e.hypothesis, 'confidence', e.confidence) FROM diagnoses e
            WHERE e.incident_id = a.incident_id AND e.number = (
              SELECT max(n.number) FROM incident_work n
              WHERE n.incident_id = i.id AND n.kind = 'note' AND n.state = 'done' AND n.number < ${number})
          ))
      FROM incidents i JOIN diagnoses a ON a.incident_id = coalesce(i.diagnosis_of, i.id) AND a.number = ${number}
      WHERE i.tenant_id = ${tenantId} AND i.id = ${incidentId}) AS row`,
  )
  if (!row) return undefined
  const answer = readAnswer(row.answer.answer)
  const contextSnapshot = readSnapshot(row.answer.contextSnapshot)
  return {
    ...row,
    answer: { ...row.answer, answer, contextSnapshot },
    integrationId: row.integrationId === null ? null : toId(row.integrationId),
  }
}
