import { type EventType, isChangeType } from '../domain/event/event.ts'
import { DAY_MS, MINUTE_MS } from '../domain/timestamp.ts'

/** What a mark stands for: an event of its type, or what followed an alert. */
type MarkType = EventType | 'undone' | 'well' | 'ill'

/** One change on a lane: where it began, when it was last repeated. */
export type Mark = {
  readonly id: string
  readonly type: MarkType
  readonly fromMs: number
  readonly toMs: number
  readonly count: number
  /** What is said of it to whoever points at it. */
  readonly text: string
  /** Its number among the cited evidence. */
  readonly cite: number | undefined
  /** Where the event itself is shown; `undefined`: only here. */
  readonly href?: string | undefined
}

export type Lane = {
  readonly name: string
  readonly note: string
  readonly marks: readonly Mark[]
  /** Since when nobody tells of its changes. */
  readonly silentSinceMs?: number | undefined
}

type Moment = { readonly name: 'trouble' | 'alert' | 'undone'; readonly atMs: number }

export type TimelineInput = {
  readonly lanes: readonly Lane[]
  /** Without an alert among them, it is a picture of what is live now. */
  readonly moments: readonly Moment[]
  /** The mark that is blamed. */
  readonly causeId?: string | undefined
  /** The mark that the way begins at, where nothing is blamed. */
  readonly originId?: string | undefined
  /** Names of lanes from there to the alert. */
  readonly path: readonly string[]
  /** The newest instant of interest. */
  readonly untilMs: number
  /** As much of a day as there is, not only the incident. */
  readonly isWholeDay?: boolean
}

export type PlacedMark = Mark & {
  /** Percent of the width. */
  readonly x: number
  /** Where its span begins, left of `x`; equal to it without one. */
  readonly fromX: number
  /** It began before the picture does. */
  readonly isCut: boolean
  readonly isCause: boolean
  /** The way to the alert begins at it. */
  readonly isOrigin: boolean
  readonly y: number
  /** Numbers of the cited events it stands for. */
  readonly cites: readonly number[]
  /** Other marks that stood too near to be told apart. */
  readonly merged: number
  /** Nothing follows where it would say how often it was repeated. */
  readonly hasRoom: boolean
}

export type PlacedLane = {
  readonly name: string
  readonly note: string
  readonly y: number
  readonly height: number
  readonly marks: readonly PlacedMark[]
  /** Where nobody told of its changes, until the end. */
  readonly silence: { readonly x: number; readonly y: number } | undefined
}

type Step = { readonly x1: number; readonly y1: number; readonly x2: number; readonly y2: number; readonly isTip: boolean }
type Tick = { readonly x: number; readonly label: string; readonly day: string | undefined }

export type Timeline = {
  readonly height: number
  /** Where the lanes begin, below the names of the moments. */
  readonly top: number
  readonly bottom: number
  readonly lanes: readonly PlacedLane[]
  readonly ticks: readonly Tick[]
  /** Where time is left out: what is left of it was long before. */
  readonly breakX: number | undefined
  readonly moments: readonly (Moment & { readonly x: number; readonly label: string; readonly y: number })[]
  readonly path: readonly Step[]
  readonly range: Range
  /** Marks and lanes that there was no room for. */
  readonly left: { readonly marks: number; readonly lanes: readonly string[] }
}

const MOMENT_HEIGHT = 15
const FOOT_HEIGHT = 22
const DAY_HEIGHT = 14
const LANE_TITLE = 22
const ROW_HEIGHT = 24
const LANE_GAP = 8
const MAX_LANES = 9
/** Percent of the width within which two marks would cover each other on a phone; cited ones have a ring and a number. */
const GAP = 6
const CITED_GAP = 10
const LEFT = 4
/** Percent of the width at which a picture's time ends, left of how often its last marks were repeated. */
export const END = 91
/** Where the incident begins in a picture that leaves time out before it. */
const BREAK = 16
const MIN_RANGE_MS = 5 * MINUTE_MS
const BEFORE_MS = 3 * MINUTE_MS
/** A cause longer before the trouble is shown left of a break. */
const FAR_MS = 90 * MINUTE_MS
const TICK_STEPS_S = [10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400]
const MAX_TICKS = 5
const TIP = 12

/** Lays a timeline out: across in percent, so that it fits any width, down in pixels, so that text stays legible. */
export function layOut(input: TimelineInput): Timeline {
  const lanes = input.lanes.slice(0, MAX_LANES)
  const range = toRange(input, lanes)
  const toX = (ms: number) => round(placeOf(ms, range))
  const moments = input.moments.map((moment, place) => ({
    ...moment,
    x: toX(moment.atMs),
    y: 12 + MOMENT_HEIGHT * place,
    label: `${moment.name} ${toTime(moment.atMs)}`,
  }))
  const top = moments.length === 0 ? 1 : 6 + MOMENT_HEIGHT * moments.length
  const placed: PlacedLane[] = []
  let y = top
  for (const lane of lanes) {
    const { marks, rows } = placeMarks(lane, range, toX, y + LANE_TITLE, input)
    const height = LANE_TITLE + Math.max(1, rows) * ROW_HEIGHT + LANE_GAP
    const silentMs = lane.silentSinceMs
    const silence = silentMs === undefined || silentMs >= range.endMs ? undefined : { x: toX(silentMs), y: y + LANE_TITLE }
    placed.push({ name: lane.name, note: lane.note, y, height, marks, silence })
    y += height
  }
  const ticks = toTicks(range, toX)
  const shown = placed.flatMap(({ marks }) => marks).reduce((sum, { merged }) => sum + 1 + merged, 0)
  const all = input.lanes.reduce((sum, { marks }) => sum + marks.length, 0)
  const alert = moments.find(({ name }) => name === 'alert')
  return {
    height: y + FOOT_HEIGHT + (ticks.some(({ day }) => day !== undefined) ? DAY_HEIGHT : 0),
    top,
    bottom: y,
    lanes: placed,
    ticks,
    breakX: range.isBroken ? BREAK : undefined,
    moments,
    path: toPath(input.path, placed, alert?.x),
    range,
    left: { marks: all - shown, lanes: input.lanes.slice(MAX_LANES).map(({ name }) => name) },
  }
}

function round(percent: number): number {
  return Math.round(100 * percent) / 100
}

type Range = {
  readonly startMs: number
  readonly endMs: number
  /** Whether what was before its start is left of a break. */
  readonly isBroken: boolean
  readonly isOfAlert: boolean
}

function placeOf(ms: number, { startMs, endMs, isBroken }: Range): number {
  const left = isBroken ? BREAK + LEFT : LEFT
  if (ms < startMs) return isBroken ? BREAK / 2 : left
  return left + ((END - left) * (Math.min(ms, endMs) - startMs)) / (endMs - startMs)
}

/** From shortly before the cause, or what failed first, to the last of it; a cause of long before is left of a break. */
function toRange({ moments, untilMs, causeId, isWholeDay = false }: TimelineInput, lanes: readonly Lane[]): Range {
  const marks = lanes.flatMap((lane) => lane.marks)
  const alertMs = moments.find(({ name }) => name === 'alert')?.atMs
  if (alertMs === undefined || isWholeDay) {
    const endMs = Math.max(untilMs, alertMs ?? untilMs)
    const startMs = isWholeDay ? endMs - DAY_MS : Math.min(endMs - MIN_RANGE_MS, ...marks.map(({ fromMs }) => fromMs))
    return { startMs: Math.max(startMs, endMs - DAY_MS), endMs, isBroken: false, isOfAlert: alertMs !== undefined }
  }
  const cited = marks.filter(({ cite, type }) => cite !== undefined || type === 'undone' || type === 'well')
  const failures = cited.filter(({ type, fromMs }) => !isChange(type) && fromMs >= alertMs - FAR_MS).map(({ fromMs }) => fromMs)
  const firstMs = Math.min(alertMs, ...moments.map(({ atMs }) => atMs), ...failures)
  const cause = marks.find(({ id }) => id === causeId)
  const isBroken = cause !== undefined && cause.fromMs < firstMs - FAR_MS
  const startMs = (isBroken || cause === undefined ? firstMs : Math.min(firstMs, cause.fromMs)) - BEFORE_MS
  const lastMs = Math.max(alertMs, ...moments.map(({ atMs }) => atMs), ...cited.map(({ toMs }) => toMs))
  const endMs = Math.max(alertMs + MINUTE_MS, Math.min(untilMs, lastMs + BEFORE_MS))
  return { startMs: Math.min(startMs, endMs - MIN_RANGE_MS), endMs, isBroken, isOfAlert: true }
}

function isChange(type: MarkType): boolean {
  // What is reported ill is so of what was changed, and stands beside it.
  return type === 'undone' || type === 'ill' || (type !== 'well' && isChangeType(type))
}

/** Changes on a row of their own, below them a row for each kind of symptom; what is too near to be told apart is one mark. */
function placeMarks(lane: Lane, range: Range, toX: (ms: number) => number, top: number, { causeId, originId = causeId }: TimelineInput) {
  const seen = lane.marks.filter(
    ({ toMs, fromMs, cite, id }) => cite !== undefined || id === causeId || (toMs >= range.startMs && fromMs <= range.endMs),
  )
  const rowOf = ({ type }: Mark) => (isChange(type) || type === 'well' ? 'change' : type)
  const groups = Map.groupBy(seen, rowOf)
  // The row that would have changes shows that nobody tells of them.
  if (lane.silentSinceMs !== undefined && !groups.has('change')) groups.set('change', [])
  const rows = [...groups].toSorted(([a], [b]) => Number(b === 'change') - Number(a === 'change'))
  const placed = rows.flatMap(([, own], row) => {
    const y = top + row * ROW_HEIGHT + ROW_HEIGHT / 2
    return mergeNear(
      own
        .toSorted((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs)
        .map((mark) => ({
          ...mark,
          fromX: toX(mark.fromMs),
          x: Math.max(toX(mark.toMs), toX(mark.fromMs)),
          isCut: mark.fromMs < range.startMs && !range.isBroken,
          isCause: mark.id === causeId,
          isOrigin: mark.id === originId,
          y,
          cites: mark.cite === undefined ? [] : [mark.cite],
          merged: 0,
          hasRoom: true,
        })),
    )
  })
  return { marks: placed, rows: rows.length }
}

/** Of several marks, the blamed one is seen, else a cited one, else the first. */
function mergeNear(marks: readonly PlacedMark[]): PlacedMark[] {
  const kept: PlacedMark[] = []
  for (const mark of marks) {
    const last = kept.at(-1)
    if (!last || !isNear(last, mark)) kept.push(mark)
    else kept[kept.length - 1] = merge(last, mark)
  }
  return kept.map((mark, place) => ({ ...mark, hasRoom: (kept[place + 1]?.fromX ?? 100) - mark.x >= GAP }))
}

/** Whether two marks would cover each other, or are bars of one kind that go on together. */
function isNear(a: PlacedMark, b: PlacedMark): boolean {
  const [isCited, isOther] = [a.cites.length > 0, b.cites.length > 0]
  if (b.fromX - a.fromX < (isCited || isOther ? CITED_GAP : GAP)) return true
  return !isChange(b.type) && isCited === isOther && b.fromX <= a.x
}

function merge(a: PlacedMark, b: PlacedMark): PlacedMark {
  const rank = ({ isCause, type, cites }: PlacedMark) => (isCause ? 3 : type === 'undone' ? 2 : Number(cites.length > 0))
  const seen = rank(b) > rank(a) ? b : a
  return {
    ...seen,
    fromX: Math.min(a.fromX, b.fromX),
    x: Math.max(a.x, b.x),
    isCause: a.isCause || b.isCause,
    isOrigin: a.isOrigin || b.isOrigin,
    count: a.count + b.count,
    cites: [...a.cites, ...b.cites].toSorted((one, other) => one - other),
    merged: a.merged + b.merged + 1,
  }
}

const toTime = (ms: number): string => new Date(ms).toISOString().slice(11, 16)
const toDay = (ms: number): string => new Date(ms).toLocaleDateString('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' })

function toTicks(range: Range, toX: (ms: number) => number): readonly Tick[] {
  const { startMs, endMs } = range
  const spanS = (endMs - startMs) / 1_000
  const stepS = TICK_STEPS_S.find((step) => spanS / step <= MAX_TICKS) ?? 86_400
  const first = Math.ceil(startMs / (stepS * 1_000))
  const last = Math.floor(endMs / (stepS * 1_000))
  const times = Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => (first + place) * stepS * 1_000)
  const days = new Set([startMs, endMs].map(toDay))
  return times.map((ms, place) => {
    const before = times[place - 1]
    const isNewDay = before === undefined || toDay(before) !== toDay(ms)
    return {
      x: toX(ms),
      label: stepS < 60 ? new Date(ms).toISOString().slice(11, 19) : toTime(ms),
      day: isNewDay && (days.size > 1 || range.isBroken) ? toDay(ms) : undefined,
    }
  })
}

/** In right angles from where it begins: along time, then down, or up, into what that caused, to the alert in the last lane. */
function toPath(names: readonly string[], lanes: readonly PlacedLane[], alertX: number | undefined): readonly Step[] {
  const origin = lanes.flatMap(({ marks }) => marks).find(({ isOrigin }) => isOrigin)
  if (!origin || alertX === undefined) return []
  const ends = names.flatMap((name, place) => {
    const lane = lanes.find((one) => one.name === name)
    const end = lane && findSymptom(lane)
    if (end) return [{ x: end.fromX, y: end.y }]
    return lane && place === names.length - 1 ? [{ x: alertX, y: lane.y + LANE_TITLE + ROW_HEIGHT / 2 }] : []
  })
  // What came later than what is farther down the way is beside it.
  const onWay = ends.filter(
    ({ x, y }, place) => (origin.isCause ? y > origin.y : y !== origin.y) && ends.slice(place + 1).every((later) => x <= later.x),
  )
  return onWay.flatMap((end, place) => {
    const from = onWay[place - 1] ?? { x: origin.fromX, y: origin.y }
    const x = Math.max(end.x, from.x)
    const along = x > from.x ? [{ x1: from.x, y1: from.y, x2: x, y2: from.y, isTip: false }] : []
    return [...along, { x1: x, y1: from.y, x2: x, y2: end.y - TIP * Math.sign(end.y - from.y), isTip: true }]
  })
}

/** The first cited symptom of a lane. */
function findSymptom({ marks }: PlacedLane): PlacedMark | undefined {
  return marks.filter(({ cites, type }) => cites.length > 0 && !isChange(type)).toSorted((a, b) => a.fromX - b.fromX)[0]
}
