import { isCallFailure } from '../domain/event/event.ts'
import { maskActor } from '../domain/event/redact.ts'
import { matchServices } from '../domain/event/service-name.ts'
import { type KnownServices, toKnownServices } from '../domain/graph/callee.ts'
import type { CitedEntry } from '../domain/incident/snapshot.ts'
import { findUndoingOf } from '../domain/incident/undoing.ts'
import { quoteName } from '../domain/text.ts'
import type { LaterEvent } from '../store/aftermath.ts'
import type { Incident, StoredDiagnosis } from '../store/incidents.ts'
import { byActor, nameChange, nameRevision, tellEntry, tellFailure, toShownKind } from './event-words.ts'
import { findCause, type ShownAnswer } from './shown-answer.ts'

/** What a step after an alert is: an event of its type, or something that is known by what stopped. */
type StepKind = CitedEntry['event_type'] | 'alert' | 'undone' | 'well'

/** Something that happened at or after an alert. */
export type Step = { readonly at: Date; readonly kind: StepKind; readonly text: string; readonly service: string }

/** What followed an alert. */
export type Aftermath = {
  readonly steps: readonly Step[]
  /** What undid the blamed change. */
  readonly undoing: CitedEntry | undefined
  /** When calls failed last, if they no longer do. */
  readonly quietSince: Date | undefined
  /** When the last of it happened. */
  readonly newsAt: Date
}

/** Reports of failures come so often at least while calls fail. */
const QUIET_MS = 120_000
/** Steps of a rollout that say nothing by themselves. */
const UNDER_WAY = /^(?:auto_)?syncing|^(?:health:)?progressing$/i

type Subject = {
  readonly incident: Pick<Incident, 'serviceName' | 'triggeredAt' | 'resolvedAt'>
  readonly latest: StoredDiagnosis | undefined
  readonly answer: ShownAnswer | undefined
  readonly later: readonly LaterEvent[]
  readonly now: Date
}

/** Tells what followed an alert: what undid the blamed change, what failed besides, what was changed, what recovered. */
export function toAftermath({ incident, latest, answer, later, now }: Subject): Aftermath {
  const known = toKnownServices((answer?.snapshot.windows ?? []).map(({ service }) => service))
  const entries = later.map((event) => toEntry(event, known))
  const undoing = latest && answer && !latest.abstained ? findUndone(answer, entries, latest.madeAt) : undefined
  const since = entries.filter(({ first_timestamp }) => new Date(first_timestamp) >= incident.triggeredAt)
  const lastMs = Math.max(...entries.filter(({ event_type }) => isCallFailure(event_type)).map(({ timestamp }) => Date.parse(timestamp)))
  const isQuiet = Number.isFinite(lastMs) && now.getTime() - lastMs >= QUIET_MS && lastMs >= incident.triggeredAt.getTime() - QUIET_MS
  const quietSince = isQuiet ? new Date(lastMs) : undefined
  const told = new Set(
    (answer?.entries ?? []).filter(({ id }) => answer?.cites.has(id)).map((entry) => toThing(entry, tellFailure(entry, known))),
  )
  const steps = [
    {
      at: incident.triggeredAt,
      kind: 'alert' as const,
      text: `Alert on ${quoteName(incident.serviceName)}`,
      service: incident.serviceName,
    },
    ...since.flatMap((entry) => toStep(entry, undoing, told, known)),
    ...(quietSince && quietSince > incident.triggeredAt
      ? [{ at: quietSince, kind: 'well' as const, text: 'No failing call reported since', service: incident.serviceName }]
      : []),
    ...(incident.resolvedAt === null
      ? []
      : [{ at: incident.resolvedAt, kind: 'well' as const, text: 'Resolved', service: incident.serviceName }]),
  ].toSorted((a, b) => a.at.getTime() - b.at.getTime())
  return { steps, undoing, quietSince, newsAt: steps.at(-1)?.at ?? incident.triggeredAt }
}

/** What undid the blamed change, of the reports of the same thing that the answer saw or that came after it. */
function findUndone(answer: ShownAnswer, later: readonly CitedEntry[], answeredAt: Date): CitedEntry | undefined {
  const cause = findCause(answer)
  if (!cause) return undefined
  const told = [...new Map([...answer.entries, ...later].map((entry) => [entry.id, entry])).values()]
  return findUndoingOf(
    { ...toReported(cause), service: cause.service },
    told.map((entry) => ({ ...toReported(entry), entry })),
    answeredAt,
  )?.entry
}

function toReported({ event_type, vendor, entity, old_value, new_value, sha, environment = null, first_timestamp }: CitedEntry) {
  const at = new Date(first_timestamp)
  return { eventType: event_type, vendor, entity, oldValue: old_value, newValue: new_value, sha, environment, at }
}

/** One thing is told once. */
function toStep(entry: CitedEntry, undoing: CitedEntry | undefined, told: Set<string>, known: KnownServices): readonly Step[] {
  const said = entry.id === undoing?.id ? tellUndoing(entry) : isStepOf(entry, undoing) ? undefined : tellStep(entry, known)
  if (!said || told.has(toThing(entry, said.text))) return []
  told.add(toThing(entry, said.text))
  return [{ at: new Date(entry.first_timestamp), service: entry.service, ...said }]
}

/** What is told once: symptoms of one type of a service, whatever they say; calls and changes by what is said of them. */
function toThing({ event_type, service }: CitedEntry, text: string): string {
  return event_type === 'restart' || event_type === 'saturation' ? `${event_type} ${service}` : text
}

function tellUndoing(entry: CitedEntry) {
  const revision = nameRevision(entry)
  const again = revision === undefined ? nameChange(entry) : `${revision} again`
  return { kind: 'undone' as const, text: `The blamed change was undone: ${again}${byActor(entry)}` }
}

/** Whether a report is but a step: of a rollout that is under way, or of the rollback that is told. */
function isStepOf(entry: CitedEntry, undoing: CitedEntry | undefined): boolean {
  if (entry.event_type === 'scale_event') return undoing?.event_type === 'deploy' && isReplicaSetOf(entry, undoing)
  if (entry.event_type !== 'deploy') return false
  return UNDER_WAY.test(entry.new_value ?? '') || (undoing !== undefined && isSameRollout(entry, undoing))
}

function tellStep(entry: CitedEntry, known: KnownServices): Pick<Step, 'kind' | 'text'> {
  const kind = toShownKind(entry)
  return { kind: kind === 'ill' ? 'dependency_failure' : kind, text: tellEntry(entry, known) }
}

const isReplicaSetOf = ({ service, entity, vendor }: CitedEntry, undoing: CitedEntry): boolean =>
  service === undoing.service && matchServices({ serviceName: '', vendor, entity }).some(({ rule }) => rule === 'replica_set')

/** The later reports of one rollback are told by its first. */
function isSameRollout(entry: CitedEntry, undoing: CitedEntry): boolean {
  return entry.event_type === 'deploy' && entry.entity === undoing.entity && entry.sha !== null && entry.sha === undoing.sha
}

/** The service that an event is shown at, as in answers: of failing calls who made them, of anything else whom it concerns. */
function placeOf({ serviceName, vendor, entity, eventType }: LaterEvent, known: KnownServices): string {
  const matches = matchServices({ serviceName, vendor, entity: isCallFailure(eventType) ? '' : entity })
  return matches.map(({ nameKey }) => known.get(nameKey)).find((name) => name !== undefined) ?? serviceName
}

function toEntry(later: LaterEvent, known: KnownServices): CitedEntry {
  const { id, lastAt, happenedAt, ...event } = later
  return {
    id,
    service: placeOf(later, known),
    event_type: event.eventType,
    vendor: event.vendor,
    entity: event.entity,
    old_value: event.oldValue,
    new_value: event.newValue,
    actor: maskActor(event.actor),
    sha: event.sha,
    environment: event.environment,
    confidence: event.confidence,
    timestamp: lastAt.toISOString(),
    first_timestamp: happenedAt.toISOString(),
    expires_at: lastAt.toISOString(),
    count: 1,
    joined_by: 'service_name',
  }
}

/** Which steps are shown at once: of more than five the first, what undid the blamed change and the last stay. */
export function foldSteps(steps: readonly Step[]): readonly (Step | readonly Step[])[] {
  if (steps.length <= MAX_STEPS) return steps
  const last = steps.slice(-2)
  const kept = new Set([steps[0], steps.find(({ kind }) => kind === 'undone'), steps.find(({ kind }) => kind !== 'alert'), ...last])
  const folded = steps.filter((step) => !kept.has(step))
  const place = steps.findIndex((step) => !kept.has(step))
  const shown = steps.filter((step) => kept.has(step))
  return [...shown.slice(0, place), folded, ...shown.slice(place)]
}

const MAX_STEPS = 5
