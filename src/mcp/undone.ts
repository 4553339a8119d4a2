import { maskActor } from '../domain/event/redact.ts'
import { listEntries } from '../domain/incident/snapshot.ts'
import { findUndoingOf } from '../domain/incident/undoing.ts'
import { toCitedEvent } from '../domain/telling/cited-event.ts'
import type { LaterEvent } from '../store/aftermath.ts'
import type { StoredDiagnosis } from '../store/incidents.ts'
import type { ToldEvent } from './quoted.ts'

/** What undid the change that an answer blames, of what it saw and of what was told after the alert. */
export function findUndone(
  { answer, contextSnapshot, abstained, madeAt }: StoredDiagnosis,
  later: readonly LaterEvent[],
): ToldEvent | undefined {
  const entries = listEntries(contextSnapshot)
  const [leading] = answer.hypotheses
  const cause = entries.find(({ id }) => id === leading?.eventIds[0])
  if (!leading || !cause || abstained) return undefined
  const seen = new Set<string>(entries.map(({ id }) => id))
  const told = [
    ...entries.map((entry) => ({ ...toCitedEvent(entry), at: new Date(entry.first_timestamp) })),
    ...later
      .filter(({ id }) => !seen.has(id))
      .map((event) => {
        const { actor, happenedAt } = event
        return { ...event, actor: maskActor(actor), url: null, details: null, count: 1, timestamp: happenedAt, at: happenedAt }
      }),
  ]
  return findUndoingOf({ ...toCitedEvent(cause), service: leading.service }, told, madeAt)
}
