import type { Linking, Site } from '../deps.ts'
import { isChangeType } from '../domain/event/event.ts'
import type { Verdict } from '../domain/incident/quality.ts'
import { citedEntries } from '../domain/incident/snapshot.ts'
import type { MessageType } from '../domain/integration-type.ts'
import { toCitedEvent } from '../domain/telling/cited-event.ts'
import { type AnswerSource, type Message, type VerdictUrls, writeMessage } from '../domain/telling/message.ts'
import { signVerdictLink } from '../domain/telling/verdict-link.ts'
import type { ClaimedWork } from '../store/incident-work.ts'
import type { Telling } from '../store/told-answers.ts'

/** What a piece of work tells, in parts; `undefined`: there is nothing to tell. */
export async function writeTelling(
  deps: Site & Linking,
  work: Pick<ClaimedWork, 'tenantId' | 'incidentId' | 'kind' | 'target'>,
  { incident, answer, earlier, undoneBy }: Telling,
): Promise<Message | undefined> {
  const { publicUrl } = deps
  const { incidentId, kind } = work
  const told = toTold(kind, { incident, answer, earlier, undoneBy })
  if (!told) return undefined
  return writeMessage({
    ...told,
    incidentId,
    alert: incident,
    answer: answer && kind !== 'opened' ? toAnswerSource(answer, earlier) : null,
    resolvedAt: incident.resolvedAt,
    undoneBy,
    verdict: answer?.verdict ?? null,
    pageUrl: publicUrl === undefined ? null : `${publicUrl}/incidents/${incidentId}`,
    verdictUrls: kind !== 'opened' && answer?.isTold && answer.verdict === null ? await linkVerdicts(deps, work, answer) : null,
  })
}

const LINK_MS = 7 * 86_400_000

/** Pages where the answer of a message is confirmed and rejected, for a week; `null` where nobody could reach or trust them. */
async function linkVerdicts(
  { publicUrl, linkSecret }: Site & Linking,
  { tenantId, incidentId, target }: Pick<ClaimedWork, 'tenantId' | 'incidentId' | 'target'>,
  { number, madeAt }: NonNullable<Telling['answer']>,
): Promise<VerdictUrls | null> {
  if (publicUrl === undefined || linkSecret === undefined) return null
  // From when the answer was made: the same links each time that a message is sent.
  const expiresAt = new Date(madeAt.getTime() + LINK_MS)
  const sign = async (verdict: Verdict) =>
    `${publicUrl}/verdicts/${await signVerdictLink(linkSecret, { tenantId, incidentId, number, target, verdict, expiresAt })}`
  return { confirm: await sign('confirmed'), reject: await sign('rejected') }
}

/** What a message is of, and when that came to be. */
function toTold(
  kind: ClaimedWork['kind'],
  { incident, answer, earlier, undoneBy }: Pick<Telling, 'incident' | 'answer' | 'earlier' | 'undoneBy'>,
): { readonly type: MessageType; readonly at: Date } | undefined {
  switch (kind) {
    case 'opened':
      return { type: 'incident.opened', at: incident.createdAt }
    case 'note':
      return answer ? { type: earlier === null ? 'incident.diagnosed' : 'incident.cause_changed', at: answer.madeAt } : undefined
    case 'thread':
      return answer ? { type: 'incident.details', at: answer.madeAt } : undefined
    case 'resolved':
      return incident.resolvedAt === null ? undefined : { type: 'incident.resolved', at: incident.resolvedAt }
    case 'undone':
      return undoneBy ? { type: 'incident.undone', at: undoneBy.timestamp } : undefined
    case 'confirmed':
    case 'rejected':
      // What was said since is told by a message of its own.
      return answer?.verdict === kind ? { type: 'incident.verdict', at: answer.verdictAt ?? answer.madeAt } : undefined
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
    confidence: isAbstained ? 0 : confidence,
    assessment: answer.answer.assessment ?? null,
    diagnosedBy,
    cited: citedEntries(contextSnapshot, answer.answer.evidence).map(toCitedEvent),
    ruledOut: answer.answer.ruledOut.map(({ text }) => text),
    blamed: blamed ? toCitedEvent(blamed) : null,
    earlier,
  }
}
