import { sql } from 'drizzle-orm'
import { maskActor } from '../domain/event/redact.ts'
import { type IncidentId, type IntegrationId, type TenantId, toId } from '../domain/ids.ts'
import { readAnswer } from '../domain/incident/answer.ts'
import { readSnapshot } from '../domain/incident/snapshot.ts'
import type { CitedEvent } from '../domain/telling/cited-event.ts'
import { HAPPENED } from './changes.ts'
import type { ClaimedWork } from './incident-work.ts'
import type { StoredDiagnosis } from './incidents.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'
import { SOURCE } from './targets.ts'

/** What there is to tell of an incident, to one of those who are told. */
export type Telling = {
  readonly incident: {
    readonly service: string
    readonly title: string | null
    readonly triggeredAt: Date
    readonly createdAt: Date
    readonly resolvedAt: Date | null
    /** Whose incident it is, by the name of the integration's type; and that one's id of it. */
    readonly externalSource: string | null
    readonly externalRef: string | null
    /** By which the incident's alert came. */
    readonly integrationId: IntegrationId | null
  }
  /** The answer that the message tells; of what followed, the latest that was told there or, where none was, the latest. */
  readonly answer: ToldAnswer | null
  /** The latest answer before it that was told there. */
  readonly earlier: Pick<StoredDiagnosis, 'hypothesis' | 'confidence'> | null
  /** What the receiver calls the latest message there with an answer. */
  readonly answerRef: string | null
  /** The change that undid the one that is blamed. */
  readonly undoneBy: CitedEvent | null
}

type ToldAnswer = Pick<
  StoredDiagnosis,
  'number' | 'hypothesis' | 'recommendedAction' | 'confidence' | 'diagnosedBy' | 'madeAt' | 'answer' | 'contextSnapshot' | 'verdict'
> & {
  readonly isAbstained: boolean
  /** Whether the receiver was told it. */
  readonly isTold: boolean
  readonly verdictAt: Date | null
}

type AnswerRow = Omit<ToldAnswer, 'madeAt' | 'verdictAt' | 'answer' | 'contextSnapshot'> & {
  readonly madeMs: number
  readonly verdictMs: number | null
  readonly answer: unknown
  readonly contextSnapshot: unknown
}

type TellingRow = Pick<Telling, 'earlier' | 'answerRef'> & {
  readonly service: string
  readonly title: string | null
  readonly triggeredMs: number
  readonly createdMs: number
  readonly resolvedMs: number | null
  readonly externalSource: string | null
  readonly externalRef: string | null
  readonly integrationId: string | null
  readonly answer: AnswerRow | null
  readonly undoneBy: (Omit<CitedEvent, 'timestamp'> & { readonly atMs: number }) | null
}

/** What a piece of work is to tell; `undefined` when its incident is gone. */
export async function findTelling(
  db: Db,
  tenantId: TenantId,
  incidentId: IncidentId,
  { kind, number, target }: Pick<ClaimedWork, 'kind' | 'number' | 'target'>,
): Promise<Telling | undefined> {
  const isAnswer = kind === 'note' || kind === 'thread'
  const told = sql`(SELECT max(n.number) FROM incident_work n
    WHERE n.incident_id = i.id AND n.kind = 'note' AND n.target = ${target} AND n.state = 'done')`
  const isMeant = isAnswer
    ? sql`a.number = ${number}`
    : kind === 'undone' || kind === 'resolved'
      ? sql`a.number <= coalesce(${told}, a.number)`
      : sql`true`
  const { row } = await selectOne<{ row: TellingRow | null }>(
    db,
    sql`SELECT (SELECT json_build_object(
          'service', i.service_name, 'title', i.title, 'triggeredMs', ${epochMs(sql`i.triggered_at`)}, 'createdMs', ${epochMs(sql`i.created_at`)},
          'resolvedMs', ${epochMs(sql`i.resolved_at`)},
          'externalSource', i.external_source, 'externalRef', i.external_ref, 'integrationId', i.integration_id,
          'answer', (
            SELECT json_build_object('number', a.number, 'hypothesis', a.hypothesis, 'recommendedAction', a.recommended_action,
              'confidence', a.confidence, 'diagnosedBy', a.diagnosed_by, 'madeMs', ${epochMs(sql`a.made_at`)}, 'verdictMs', ${epochMs(sql`a.verdict_at`)}, 'answer', a.answer,
              'contextSnapshot', a.context_snapshot, 'isAbstained', a.abstained, 'verdict', a.verdict, 'isTold', EXISTS (
                SELECT 1 FROM incident_work n WHERE n.incident_id = i.id AND n.kind = 'note' AND n.target = ${target} AND n.number = a.number))
            FROM diagnoses a WHERE a.incident_id = coalesce(i.diagnosis_of, i.id) AND ${isMeant} ORDER BY a.number DESC LIMIT 1
          ),
          'earlier', (
            SELECT json_build_object('hypothesis', e.hypothesis, 'confidence', e.confidence) FROM diagnoses e
            WHERE e.incident_id = coalesce(i.diagnosis_of, i.id) AND e.number = (
              SELECT max(n.number) FROM incident_work n
              WHERE n.incident_id = i.id AND n.kind = 'note' AND n.target = ${target} AND n.state = 'done' AND n.number < ${isAnswer ? number : told})
          ),
          'answerRef', (
            SELECT n.remote_ref FROM incident_work n
            WHERE n.incident_id = i.id AND n.kind = 'note' AND n.target = ${target} AND n.state = 'done' AND n.remote_ref IS NOT NULL
            ORDER BY n.number DESC LIMIT 1
          ),
          'undoneBy', (
            SELECT json_build_object('serviceName', e.service_name, 'vendor', e.vendor, 'eventType', e.event_type, 'entity', e.entity,
              'oldValue', e.old_value, 'newValue', e.new_value, 'actor', e.actor, 'sha', e.sha, 'environment', e.environment, 'url', e.url, 'details', e.details, 'count', 1, 'atMs', ${epochMs(HAPPENED)})
            FROM incident_work u JOIN context_events e ON e.id = u.event_id AND e.tenant_id = u.tenant_id
            WHERE u.incident_id = i.id AND u.kind = 'undone' AND u.target = ${SOURCE}
          ))
      FROM incidents i WHERE i.tenant_id = ${tenantId} AND i.id = ${incidentId}) AS row`,
  )
  if (!row) return undefined
  const { answer, earlier, answerRef, triggeredMs, createdMs, resolvedMs, integrationId, undoneBy, ...incident } = row
  return {
    incident: {
      ...incident,
      triggeredAt: new Date(triggeredMs),
      createdAt: new Date(createdMs),
      resolvedAt: resolvedMs === null ? null : new Date(resolvedMs),
      integrationId: integrationId === null ? null : toId(integrationId),
    },
    answer: answer && toAnswer(answer),
    earlier,
    answerRef,
    undoneBy: undoneBy && { ...undoneBy, actor: maskActor(undoneBy.actor), timestamp: new Date(undoneBy.atMs) },
  }
}

function toAnswer({ madeMs, verdictMs, answer, contextSnapshot, ...row }: AnswerRow): ToldAnswer {
  return {
    ...row,
    madeAt: new Date(madeMs),
    verdictAt: verdictMs === null ? null : new Date(verdictMs),
    answer: readAnswer(answer),
    contextSnapshot: readSnapshot(contextSnapshot),
  }
}
