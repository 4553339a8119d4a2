import { isCallFailure } from '../domain/event/event.ts'
import type { Answer } from '../domain/incident/answer.ts'
import { type CitedEntry, type ContextSnapshot, listEntries } from '../domain/incident/snapshot.ts'
import type { StoredDiagnosis } from '../store/incidents.ts'
import { count, TYPE_NAMES, toChange, toExact } from './labels.ts'
import { type Lane, layOut, type Mark, type Timeline } from './timeline.ts'

/** A stored answer as its page shows it. */
export type ShownAnswer = Answer & {
  readonly snapshot: ContextSnapshot
  /** What the engine saw, each once, oldest first. */
  readonly entries: readonly CitedEntry[]
  /** The number of each cited entry, by its id, in the order of their times. */
  readonly cites: ReadonlyMap<string, number>
}

const ALERTING = 'alerting'

/** A stored answer with what its page needs besides. */
export function toShownAnswer({ answer, contextSnapshot: snapshot }: StoredDiagnosis): ShownAnswer {
  const entries = listEntries(snapshot, toFit)
  const wanted = new Set<string>(answer.evidence)
  const cited = entries.filter(({ id }) => wanted.has(id)).toSorted((a, b) => Date.parse(a.first_timestamp) - Date.parse(b.first_timestamp))
  return { ...answer, snapshot, entries, cites: new Map(cited.map(({ id }, place) => [id, place + 1])) }
}

/** A failure is shown at the service that saw it, a change at the service that it concerns. */
function toFit({ event_type, joined_by }: CitedEntry): number {
  return (joined_by === 'service_name') === isCallFailure(event_type) ? 1 : 0
}

/** The event that is blamed, or, under an abstention, comes nearest to it. */
export function findCause({ entries, hypotheses }: Pick<ShownAnswer, 'entries' | 'hypotheses'>): CitedEntry | undefined {
  return entries.find(({ id }) => id === hypotheses[0]?.eventIds[0])
}

/** How likely each hypothesis is, as the first is known to be: log odds between two are the difference of their scores. */
export function toShares({ hypotheses }: Pick<ShownAnswer, 'hypotheses'>, confidence: number): readonly number[] {
  const [first] = hypotheses
  const shares = hypotheses.map(({ score }) => confidence * Math.exp(Math.min(0, score - (first?.score ?? score))))
  const others = shares.slice(1).reduce((sum, share) => sum + share, 0)
  const fit = others > 1 - confidence ? (1 - confidence) / others : 1
  return shares.map((share, place) => (place === 0 ? share : share * fit))
}

/** The timeline of an answer: the way from the cause to the alert at the top, what else happened below. */
export function drawAnswer(answer: ShownAnswer): Timeline {
  const { entries, cites, hypotheses, snapshot } = answer
  const path = hypotheses[0]?.path ?? []
  const alerting = snapshot.alert.service ?? path.at(-1)
  const alertMs = Date.parse(snapshot.alert.triggered_at)
  const lanes = [...Map.groupBy(entries, ({ service }) => service)].map(([name, own]): Lane => {
    return { name, note: name === alerting ? ALERTING : '', marks: own.map((entry) => toMark(entry, cites.get(entry.id))) }
  })
  if (alerting !== undefined && !lanes.some(({ name }) => name === alerting)) lanes.push({ name: alerting, note: ALERTING, marks: [] })
  const onsetMs = findOnset(answer, alertMs)
  return layOut({
    lanes: lanes.toSorted((a, b) => rankLane(a, path, alerting) - rankLane(b, path, alerting) || b.marks.length - a.marks.length),
    alertMs,
    onsetMs,
    path,
    untilMs: Date.parse(snapshot.observed_until),
  })
}

/** The picture in words, for those who cannot see it. */
export function describeAnswer({ cites, entries, hypotheses, snapshot }: ShownAnswer): string {
  const path = hypotheses[0]?.path ?? []
  const way = path.length > 1 ? ` The way from the cause to the alert: ${path.join(', then ')}.` : ''
  const alert = `Alert at ${toExact(new Date(snapshot.alert.triggered_at))}.`
  return `${alert} ${count(entries.length, 'change')} seen, ${cites.size} cited.${way} The table below lists them.`
}

/** When what the alert is about began to show: the first cited failure after the cause; `undefined` without a cause. */
function findOnset({ entries, cites, hypotheses }: ShownAnswer, alertMs: number): number | undefined {
  const cause = entries.find(({ id }) => id === hypotheses[0]?.eventIds[0])
  if (!cause || !cites.has(cause.id)) return undefined
  const causeMs = Date.parse(cause.first_timestamp)
  const failures = entries.filter(({ id, event_type }) => cites.has(id) && isCallFailure(event_type))
  const since = failures.map(({ first_timestamp }) => Date.parse(first_timestamp)).filter((ms) => ms >= causeMs && ms < alertMs)
  return since.length === 0 ? undefined : Math.min(...since)
}

function rankLane({ name, marks }: Lane, path: readonly string[], alerting: string | undefined): number {
  const place = path.indexOf(name)
  if (place >= 0) return place
  if (name === alerting) return 1_000
  return marks.some(({ cite }) => cite !== undefined) ? 2_000 : 3_000
}

function toMark(entry: CitedEntry, cite: number | undefined): Mark {
  return {
    id: entry.id,
    type: entry.event_type,
    fromMs: Date.parse(entry.first_timestamp),
    toMs: Date.parse(entry.timestamp),
    count: entry.count,
    text: `${TYPE_NAMES[entry.event_type]} of ${entry.entity}, ${toChange(toValues(entry))}, ${toExact(new Date(entry.first_timestamp))}`,
    cite,
  }
}

/** What an entry changed, by the names that pages use. */
export function toValues({ old_value, new_value, sha }: Pick<CitedEntry, 'old_value' | 'new_value' | 'sha'>) {
  return { oldValue: old_value, newValue: new_value, sha }
}
