import { canPost, type Integration } from '../domain/access/integration.ts'
import { SAMPLE_ENVIRONMENT } from '../domain/event/environment.ts'
import { lets, type Told } from '../domain/receivers/filter.ts'
import { findReceiver } from '../domain/receivers/index.ts'
import type { Follows } from '../domain/receivers/receiver.ts'
import type { PlannedMessage } from '../store/diagnoses.ts'
import type { Followed } from '../store/follow-ups.ts'
import type { FollowUpKind } from '../store/incident-work.ts'
import type { Target } from '../store/targets.ts'

/** An answer that is about to be stored, and what was told before it. */
export type NewAnswer = {
  readonly service: string
  readonly team: string | null
  readonly confidence: number
  readonly blames: boolean
  readonly isFirst: boolean
  /** Whether it blames something else than the answer before. */
  readonly isOtherCause: boolean
  /** How many answers of the incident each was told, or is to be. */
  readonly told: ReadonlyMap<Target, number>
}

/** What the tenant's receivers are told with a new answer: once each, and once more when the cause changed. */
export function planMessages(integrations: readonly Integration[], answer: NewAnswer): readonly PlannedMessage[] {
  const { isFirst, isOtherCause, told, ...about } = answer
  return integrations.flatMap((integration): PlannedMessage[] => {
    const { id: target } = integration
    const answers = told.get(target) ?? 0
    const opened: Told = { ...about, type: 'incident.opened', confidence: null }
    const noted: Told = { ...about, type: answers === 0 ? 'incident.diagnosed' : 'incident.cause_changed' }
    const isNoted = (answers === 0 || (answers === 1 && isOtherCause)) && hears(integration, noted)
    return [
      ...(isFirst && hears(integration, opened) ? [{ kind: 'opened' as const, target }] : []),
      ...(isNoted ? [{ kind: 'note' as const, target }] : []),
      ...(isNoted && followsOf(integration) === 'thread' ? [{ kind: 'thread' as const, target }] : []),
    ]
  })
}

/** Whether any of those who are told an answer will want to know that what it blames was undone. */
export function wantsUndoing(integrations: readonly Integration[], messages: readonly PlannedMessage[]): boolean {
  return messages.some(({ kind, target }) => {
    const integration = integrations.find(({ id }) => id === target)
    return kind === 'note' && integration !== undefined && isInPlace(integration)
  })
}

/** Who is told what followed an answer: those who hear it where they have the answer, and those who take it as a message. */
export function planFollowUpTargets(integrations: readonly Integration[], kind: FollowUpKind, followed: Followed): readonly Target[] {
  const { told, service, team, confidence, blames, environment, isMuted } = followed
  if (confidence === null || isMuted || environment === SAMPLE_ENVIRONMENT) return []
  const type = kind === 'confirmed' || kind === 'rejected' ? 'incident.verdict' : 'incident.resolved'
  const hearing = integrations.filter((integration) => {
    if (!hears(integration, { service, team, confidence, blames, type })) return false
    if (isInPlace(integration)) return type === 'incident.resolved' && told.includes(integration.id)
    return followsOf(integration) === 'message' && kind !== 'undone'
  })
  return hearing.map(({ id }) => id)
}

function followsOf({ type, secrets }: Integration): Follows {
  return findReceiver(type)?.follows(secrets) ?? 'never'
}

const isInPlace = (integration: Integration): boolean => followsOf(integration) === 'thread' || followsOf(integration) === 'edit'

/** Whether an integration is one that is told of all incidents, is not switched off, and lets this pass. */
function hears(integration: Integration, told: Told): boolean {
  const receiver = findReceiver(integration.type)
  if (receiver === undefined || receiver.scope === 'own' || !canPost(integration) || isSwitchedOff(integration)) return false
  return lets(receiver, integration.settings, told)
}

export const isSwitchedOff = ({ telling }: Integration): boolean => telling !== null && telling.switchedOff !== null
