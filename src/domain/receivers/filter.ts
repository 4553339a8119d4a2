import { toNameKey } from '../event/service-name.ts'
import type { Subscribable } from '../integration-type.ts'
import type { Receiver } from './receiver.ts'

/** Which messages a receiver is told; what is not set lets everything pass. */
export type Filter = {
  readonly services?: readonly string[]
  readonly teams?: readonly string[]
  readonly minConfidence?: number
  readonly on?: readonly Subscribable[]
}

/** What a message is about, as far as filters ask. */
export type Told = {
  readonly type: Subscribable
  readonly service: string
  /** Whose the service is; `null`: nobody said. */
  readonly team: string | null
  /** In [0, 1]; `null` while there is no answer. */
  readonly confidence: number | null
  /** Whether the answer blames a change. */
  readonly blames: boolean
}

/** Whether a receiver is told: whatever is set has to let it pass. Services and teams are compared as everywhere. */
export function lets(
  { tells, tellsByDefault, needsBlame }: Receiver,
  filter: Filter,
  { type, service, team, confidence, blames }: Told,
): boolean {
  const { services, teams, minConfidence = 0, on = tellsByDefault } = filter
  if (!tells.includes(type) || !on.includes(type)) return false
  if (needsBlame && !blames) return false
  if (confidence !== null && confidence < minConfidence) return false
  return isAmong(services, service) && isAmong(teams, team)
}

/** Why a filter would let nothing pass to a receiver, whatever happens; `undefined`: something may. */
export function findFaultOfFilter({ tells }: Receiver, on: readonly Subscribable[]): string | undefined {
  return on.some((type) => tells.includes(type)) ? undefined : `on must have one of ${tells.join(', ')}`
}

function isAmong(names: readonly string[] | undefined, name: string | null): boolean {
  return names === undefined || (name !== null && names.some((one) => toNameKey(one) === toNameKey(name)))
}
