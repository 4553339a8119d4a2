import { isCallFailure, isChangeType } from '../domain/event/event.ts'
import type { CitedEntry } from '../domain/incident/snapshot.ts'
import type { Aftermath, Step } from './aftermath.ts'
import { toShownKind } from './event-words.ts'
import { count, TYPE_NAMES, toChange, toExact } from './labels.ts'
import { findCause, findOutside, type ShownAnswer, toValues } from './shown-answer.ts'
import { type Lane, layOut, type Mark } from './timeline.ts'

const ALERTING = 'alerting'
const BLAMED = 'blamed'
const OUTSIDE = 'outside, nobody reports'
/** The rank of lanes of which nothing is cited. */
const OFF_PATH = 3_000

type Drawn = {
  readonly answer: ShownAnswer
  readonly isAbstained: boolean
  readonly aftermath: Pick<Aftermath, 'steps' | 'undoing'>
  /** The incident's page; `undefined`: there is none for whoever reads it. */
  readonly path: string | undefined
  readonly now: Date
  readonly isWholeDay: boolean
}

/** An answer as a timeline: the way from the cause to the alert, and what else it cites; other services are left out. */
export function drawAnswer({ answer, isAbstained, aftermath, path: page, now, isWholeDay }: Drawn) {
  const { entries, cites, hypotheses, snapshot } = answer
  const { gaps = [] } = answer
  const outside = findOutside(answer)
  const first = isAbstained
    ? entries.filter(({ id, event_type }) => cites.has(id) && !isChangeType(event_type)).toSorted(byBeginning)[0]
    : undefined
  const path = isAbstained ? [] : (hypotheses[0]?.path ?? [])
  const alerting = snapshot.alert.service ?? path.at(-1)
  const alertMs = Date.parse(snapshot.alert.triggered_at)
  const toHref = (entry: CitedEntry, place: number) =>
    cites.has(entry.id) ? `#s${cites.get(entry.id)}` : page && `${page}?event=${place}#e${place}`
  const own = new Map(entries.map((entry, place) => [entry.id, toMark(entry, cites.get(entry.id), toHref(entry, place))]))
  const followed = aftermath.steps.filter(({ kind }) => kind === 'undone' || kind === 'well')
  const lanes = [...Map.groupBy(entries, ({ service }) => service)].map(([name, there]): Lane => {
    const marks = [...there.flatMap(({ id }) => own.get(id) ?? []), ...followed.filter(({ service }) => service === name).map(toFollowed)]
    const gap = gaps.find(({ service }) => service === name)
    const silentSinceMs = gap && (gap.since === null ? Number.NEGATIVE_INFINITY : Date.parse(gap.since))
    return { name, note: name === alerting ? ALERTING : name === path[0] ? BLAMED : '', marks, silentSinceMs }
  })
  if (outside !== undefined) lanes.push({ name: outside, note: OUTSIDE, marks: [], silentSinceMs: Number.NEGATIVE_INFINITY })
  if (alerting !== undefined && !lanes.some(({ name }) => name === alerting)) lanes.push({ name: alerting, note: ALERTING, marks: [] })
  const ranked = lanes.toSorted((a, b) => rankLane(a, path, alerting) - rankLane(b, path, alerting) || b.marks.length - a.marks.length)
  const onPath = ranked.filter((lane) => isWholeDay || rankLane(lane, path, alerting) < OFF_PATH)
  const onsetMs = answer.onset ? Date.parse(answer.onset) : findOnset(answer, alertMs)
  const timeline = layOut({
    lanes: onPath,
    moments: [
      ...(onsetMs === undefined || onsetMs >= alertMs ? [] : [{ name: 'trouble' as const, atMs: onsetMs }]),
      { name: 'alert', atMs: alertMs },
      ...(aftermath.undoing ? [{ name: 'undone' as const, atMs: Date.parse(aftermath.undoing.first_timestamp) }] : []),
    ],
    causeId: isAbstained ? undefined : findCause(answer)?.id,
    originId: first?.id,
    path: first && alerting !== undefined ? [alerting] : path,
    untilMs: now.getTime(),
    isWholeDay,
  })
  const others = ranked.filter(({ name }) => !timeline.lanes.some((lane) => lane.name === name)).map(({ name }) => name)
  return { timeline, others }
}

const byBeginning = (a: CitedEntry, b: CitedEntry) => Date.parse(a.first_timestamp) - Date.parse(b.first_timestamp)

function toFollowed({ at, kind, text }: Step): Mark {
  const ms = at.getTime()
  return {
    id: `${kind}${ms}`,
    type: kind === 'undone' ? 'undone' : 'well',
    fromMs: ms,
    toMs: ms,
    count: 1,
    text,
    cite: undefined,
    href: '#since',
  }
}

/** The picture in words, for those who cannot see it. */
export function describeAnswer({ cites, entries, hypotheses, snapshot }: ShownAnswer): string {
  const path = hypotheses[0]?.path ?? []
  const way = path.length > 1 ? ` The way from the cause to the alert: ${path.join(', then ')}.` : ''
  const alert = `Alert at ${toExact(new Date(snapshot.alert.triggered_at))}.`
  return `${alert} ${count(entries.length, 'event')} seen, ${cites.size} cited.${way} The list below has the same.`
}

/** When what the alert is about began to show: the first cited failure after the cause; `undefined` without a cause. */
function findOnset(answer: ShownAnswer, alertMs: number): number | undefined {
  const { entries, cites } = answer
  const cause = findCause(answer)
  if (!cause || !cites.has(cause.id)) return undefined
  const causeMs = Date.parse(cause.first_timestamp)
  const failures = entries.filter(({ id, event_type }) => cites.has(id) && isCallFailure(event_type))
  const since = failures.map(({ first_timestamp }) => Date.parse(first_timestamp)).filter((ms) => ms >= causeMs && ms < alertMs)
  return since.length === 0 ? undefined : Math.min(...since)
}

function rankLane({ name, note, marks }: Lane, path: readonly string[], alerting: string | undefined): number {
  const place = path.indexOf(name)
  if (place >= 0) return place
  if (name === alerting) return 1_000
  if (note === OUTSIDE) return 2_500
  return marks.some(({ cite }) => cite !== undefined) ? 2_000 : OFF_PATH
}

function toMark(entry: CitedEntry, cite: number | undefined, href: string | undefined): Mark {
  return {
    id: entry.id,
    type: toShownKind(entry),
    fromMs: Date.parse(entry.first_timestamp),
    toMs: Date.parse(entry.timestamp),
    count: entry.count,
    text: `${TYPE_NAMES[entry.event_type]} of ${entry.entity}, ${toChange(toValues(entry))}, ${toExact(new Date(entry.first_timestamp))}`,
    cite,
    href,
  }
}
