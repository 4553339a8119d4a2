import { isSameEnvironment } from '../event/environment.ts'
import { type Facts, isWayKnown } from './facts.ts'
import { listMentioning } from './mentions.ts'
import type { Candidate, Change, RuledOutReason } from './model.ts'
import { isUnseen } from './occurrences.ts'
import { isAutoscaling, isLess } from './scaling.ts'
import { listCutOff } from './trouble.ts'

/** Why a change cannot be to blame, before anything is weighed. */
export function excludeEarly(
  change: Change,
  facts: Facts,
  environment: string | null | undefined,
  slackMs: number,
): RuledOutReason | undefined {
  if (change.atMs > slackMs) return 'after_onset'
  if (!isSameEnvironment(change.lead.entry.environment, environment)) return 'other_environment'
  if (isUnseen(change) && !hasServed(change, facts)) return 'not_rolled_out'
  return isUnreachable(change, facts, slackMs) ? 'no_path' : undefined
}

/** Why a change is not to blame for the trouble that its service may cause. */
export function excludeByOnset({ change, onsetMs, troubleMs }: Candidate, slackMs: number): RuledOutReason | undefined {
  if (isUndoneBefore(change, onsetMs ?? 0, slackMs)) return 'reverted'
  if (troubleMs === undefined) return undefined
  // What takes replicas away as the trouble begins, as far as clocks tell, answers no load.
  const isTaking = isLess(change.former, change.lead.entry.newValue)
  if (isAutoscaling(change.lead) && change.atMs > troubleMs + (isTaking ? slackMs : 0)) return 'consequence'
  return (change.undoes || change.isRollback) && change.atMs > troubleMs + slackMs ? 'revert' : undefined
}

/** Whether its service broke by its own account between the beginning of a rollout and the report that it failed: for that, perhaps. */
function hasServed({ key, atMs, failedMs }: Change, { items }: Facts): boolean {
  const isBetween = (ms: number) => failedMs !== undefined && ms >= atMs && ms <= failedMs
  return items.some(({ isCall, callee, onsetMs }) => !isCall && callee === key && isBetween(onsetMs))
}

/**
 * Whether a change was no longer in place when the trouble began. As near to that as clocks differ, it still counts, unless it
 * had been in place without trouble for long, or was made once more.
 */
function isUndoneBefore({ atMs, undoneBy }: Change, onsetMs: number, slackMs: number): boolean {
  if (!undoneBy || undoneBy.atMs > onsetMs) return false
  if (undoneBy.atMs <= onsetMs - slackMs || undoneBy.atMs - atMs >= 10 * slackMs) return true
  return undoneBy.undoneBy !== undefined && undoneBy.undoneBy.atMs <= onsetMs
}

/** Whether no way is known to a service although ways are known. */
function isUnreachable(change: Change, facts: Facts, slackMs: number): boolean {
  const { isTopologyKnown, items, mentions } = facts
  const { key, lead } = change
  if (!isTopologyKnown || [key, ...(lead.named ?? [])].some((each) => isWayKnown(each, facts))) return false
  if (listMentioning(change, mentions).length > 0 || listCutOff(change, items, { slackMs }).length > 0) return false
  return !items.some(({ caller, callee }) => caller === key || callee === key)
}
