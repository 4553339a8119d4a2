import { sql } from 'drizzle-orm'
import { type IncidentId, type IntegrationId, type TenantId, toId } from '../domain/ids.ts'
import { readAnswer } from '../domain/incident/answer.ts'
import { readSnapshot } from '../domain/incident/snapshot.ts'
import type { ClaimedWork } from './incident-work.ts'
import type { StoredDiagnosis } from './incidents.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'

/** What there is to tell of an incident, to one of those who are told. */
export type Telling = {
  readonly incident: {
    readonly service: string
    readonly title: string | null
    readonly triggeredAt: Date
    readonly createdAt: Date
    /** Whose incident it is, by the name of the integration's type; and that one's id of it. */
    readonly externalSource: string | null
    readonly externalRef: string | null
    /** By which the incident's alert came. */
    readonly integrationId: IntegrationId | null
  }
  /** The answer that a note tells, or the latest; `null`: there is none. */
  readonly answer: ToldAnswer | null
  /** The latest answer before it that was told there. */
  readonly earlier: Pick<StoredDiagnosis, 'hypothesis' | 'confidence'> | null
  /** What the receiver calls the first message about the incident. */
  readonly firstRef: string | null
}

type ToldAnswer = Pick<
  StoredDiagnosis,
  'number' | 'hypothesis' | 'recommendedAction' | 'confidence' | 'diagnosedBy' | 'madeAt' | 'answer' | 'contextSnapshot' | 'verdict'
> & { readonly isAbstained: boolean }

type AnswerRow = Omit<ToldAnswer, 'madeAt' | 'answer' | 'contextSnapshot'> & {
  readonly madeMs: number
  readonly answer: unknown
  readonly contextSnapshot: unknown
}

type TellingRow = Pick<Telling, 'earlier' | 'firstRef'> & {
  readonly service: string
  readonly title: string | null
  readonly triggeredMs: number
  readonly createdMs: number
  readonly externalSource: string | null
  readonly externalRef: string | null
  readonly integrationId: string | null
  readonly answer: AnswerRow | null
}

/** What a piece of work is to tell; `undefined` when its incident is gone. */
export async function findTelling(
  db: Db,
  tenantId: TenantId,
  incidentId: IncidentId,
  { kind, number, target }: Pick<ClaimedWork, 'kind' | 'number' | 'target'>,
): Promise<Telling | undefined> {
  const isTold = kind === 'note' ? sql`a.number = ${number}` : sql`true`
  const { row } = await selectOne<{ row: TellingRow | null }>(
    db,
    sql`SELECT (SELECT json_build_object(
          'service', i.service_name, 'title', i.title, 'triggeredMs', ${epochMs(sql`i.triggered_at`)}, 'createdMs', ${epochMs(sql`i.created_at`)},
          'externalSource', i.external_source, 'externalRef', i.external_ref, 'integrationId', i.integration_id,
          'answer', (
            SELECT json_build_object('number', a.number, 'hypothesis', a.hypothesis, 'recommendedAction', a.recommended_action,
              'confidence', a.confidence, 'diagnosedBy', a.diagnosed_by, 'madeMs', ${epochMs(sql`a.made_at`)}, 'answer', a.answer,
              'contextSnapshot', a.context_snapshot, 'isAbstained', a.abstained, 'verdict', a.verdict)
            FROM diagnoses a WHERE a.incident_id = coalesce(i.diagnosis_of, i.id) AND ${isTold} ORDER BY a.number DESC LIMIT 1
          ),
          'earlier', (
            SELECT json_build_object('hypothesis', e.hypothesis, 'confidence', e.confidence) FROM diagnoses e
            WHERE e.incident_id = coalesce(i.diagnosis_of, i.id) AND e.number = (
              SELECT max(n.number) FROM incident_work n
              WHERE n.incident_id = i.id AND n.kind = 'note' AND n.target = ${target} AND n.state = 'done' AND n.number < ${number})
          ),
          'firstRef', (
            SELECT n.remote_ref FROM incident_work n
            WHERE n.incident_id = i.id AND n.target = ${target} AND n.state = 'done' AND n.remote_ref IS NOT NULL ORDER BY n.number LIMIT 1
          ))
      FROM incidents i WHERE i.tenant_id = ${tenantId} AND i.id = ${incidentId}) AS row`,
  )
  if (!row) return undefined
  const { answer, earlier, firstRef, triggeredMs, createdMs, integrationId, ...incident } = row
  return {
    incident: {
      ...incident,
      triggeredAt: new Date(triggeredMs),
      createdAt: new Date(createdMs),
      integrationId: integrationId === null ? null : toId(integrationId),
    },
    answer: answer && toAnswer(answer),
    earlier,
    firstRef,
  }
}

function toAnswer({ madeMs, answer, contextSnapshot, ...row }: AnswerRow): ToldAnswer {
  return {
    ...row,
    madeAt: new Date(madeMs),
    answer: readAnswer(answer),
    contextSnapshot: readSnapshot(contextSnapshot),
  }
}
