import type { Site } from '../deps.ts'
import { isChangeType } from '../domain/event/event.ts'
import { citedEntries } from '../domain/incident/snapshot.ts'
import type { MessageType } from '../domain/integration-type.ts'
import { toCitedEvent } from '../domain/telling/cited-event.ts'
import { type AnswerSource, type Message, type VerdictUrls, writeMessage } from '../domain/telling/message.ts'
import type { ClaimedWork } from '../store/incident-work.ts'
import type { Telling } from '../store/told-answers.ts'

/** What a piece of work tells, in parts; `undefined`: there is nothing to tell. */
export function writeTelling(
  { publicUrl }: Site,
  { incidentId, kind }: Pick<ClaimedWork, 'incidentId' | 'kind'>,
  { incident, answer, earlier }: Telling,
  verdictUrls: VerdictUrls | null,
): Message | undefined {
  const told = toTold(kind, incident, answer, earlier)
  if (!told) return undefined
  return writeMessage({
    ...told,
    incidentId,
    alert: incident,
    answer: answer && kind !== 'opened' ? toAnswerSource(answer, kind === 'note' ? earlier : null) : null,
    pageUrl: publicUrl === undefined ? null : `${publicUrl}/incidents/${incidentId}`,
    verdictUrls: kind === 'note' && answer?.verdict === null ? verdictUrls : null,
  })
}

/** What a message is of, and when that came to be. */
function toTold(
  kind: ClaimedWork['kind'],
  incident: Telling['incident'],
  answer: Telling['answer'],
  earlier: Telling['earlier'],
): { readonly type: MessageType; readonly at: Date } | undefined {
  switch (kind) {
    case 'opened':
      return { type: 'incident.opened', at: incident.createdAt }
    case 'note':
      return answer ? { type: earlier === null ? 'incident.diagnosed' : 'incident.cause_changed', at: answer.madeAt } : undefined
    case 'diagnosis':
      return undefined
  }
}

function toAnswerSource(answer: NonNullable<Telling['answer']>, earlier: Telling['earlier']): AnswerSource {
  const { number, hypothesis, recommendedAction, confidence, diagnosedBy, contextSnapshot, isAbstained } = answer
  const leading = isAbstained ? undefined : answer.answer.hypotheses[0]
  const blamed = citedEntries(contextSnapshot, leading?.eventIds ?? []).find(({ event_type }) => isChangeType(event_type))
  return {
    number,
    hypothesis,
    recommendedAction,
    confidence,
    diagnosedBy,
    cited: citedEntries(contextSnapshot, answer.answer.evidence).map(toCitedEvent),
    ruledOut: answer.answer.ruledOut.map(({ text }) => text),
    blamed: blamed ? toCitedEvent(blamed) : null,
    earlier,
  }
}
