import { isCallFailure } from '../domain/event/event.ts'
import { toKnownServices } from '../domain/graph/callee.ts'
import type { Answer } from '../domain/incident/answer.ts'
import { type CitedEntry, type ContextSnapshot, listEntries } from '../domain/incident/snapshot.ts'
import type { StoredDiagnosis } from '../store/incidents.ts'
import { findCallee, nameRevision } from './event-words.ts'

/** A stored answer as its page shows it. */
export type ShownAnswer = Answer & {
  readonly snapshot: ContextSnapshot
  /** What the engine saw, each once, oldest first. */
  readonly entries: readonly CitedEntry[]
  /** The number of each cited entry, by its id, in the order of their times; messages of one rollout share theirs. */
  readonly cites: ReadonlyMap<string, number>
}

/** A stored answer with what its page needs besides. */
export function toShownAnswer({ answer, contextSnapshot: snapshot }: StoredDiagnosis): ShownAnswer {
  const entries = listEntries(snapshot, toFit)
  const wanted = new Set<string>(answer.evidence)
  const cited = entries.filter(({ id }) => wanted.has(id)).toSorted((a, b) => Date.parse(a.first_timestamp) - Date.parse(b.first_timestamp))
  const steps = [...new Set(cited.map(toStepKey))]
  return { ...answer, snapshot, entries, cites: new Map(cited.map((entry) => [entry.id, steps.indexOf(toStepKey(entry)) + 1])) }
}

/** What messages of one rollout share. */
function toStepKey(entry: CitedEntry): string {
  const revision = entry.event_type === 'deploy' ? nameRevision(entry) : undefined
  return revision === undefined ? entry.id : JSON.stringify([entry.service, revision])
}

/** A failure is shown at the service that saw it, a change at the service that it concerns. */
function toFit({ event_type, joined_by }: CitedEntry): number {
  return (joined_by === 'service_name') === isCallFailure(event_type) ? 1 : 0
}

/** The event that is blamed, or, under an abstention, comes nearest to it. */
export function findCause({ entries, hypotheses }: Pick<ShownAnswer, 'entries' | 'hypotheses'>): CitedEntry | undefined {
  return entries.find(({ id }) => id === hypotheses[0]?.eventIds[0])
}

/** The host outside at which the trouble starts, if that is what the answer says. */
export function findOutside({ assessment, entries, cites, snapshot }: ShownAnswer): string | undefined {
  if (assessment !== 'external') return undefined
  const known = toKnownServices(snapshot.windows.map(({ service }) => service))
  const callees = entries.filter(({ id }) => cites.has(id)).map((entry) => findCallee(entry, known))
  return callees.find((one) => one?.isOutside)?.name
}

/** How likely each hypothesis is, as the first is known to be: log odds between two are the difference of their scores. */
export function toShares({ hypotheses }: Pick<ShownAnswer, 'hypotheses'>, confidence: number): readonly number[] {
  const [first] = hypotheses
  const shares = hypotheses.map(({ score }) => confidence * Math.exp(Math.min(0, score - (first?.score ?? score))))
  const others = shares.slice(1).reduce((sum, share) => sum + share, 0)
  const fit = others > 1 - confidence ? (1 - confidence) / others : 1
  return shares.map((share, place) => (place === 0 ? share : share * fit))
}

/** What an entry changed, by the names that pages use. */
export function toValues({ old_value, new_value, sha }: Pick<CitedEntry, 'old_value' | 'new_value' | 'sha'>) {
  return { oldValue: old_value, newValue: new_value, sha }
}
