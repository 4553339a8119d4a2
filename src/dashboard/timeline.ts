import type { EventType } from '../domain/event/event.ts'

/** One change on a lane: where it began, when it was last repeated. */
export type Mark = {
  readonly id: string
  readonly type: EventType
  readonly fromMs: number
  readonly toMs: number
  readonly count: number
  /** What is said of it to whoever points at it. */
  readonly text: string
  /** Its number among the cited evidence. */
  readonly cite: number | undefined
}

export type Lane = { readonly name: string; readonly note: string; readonly marks: readonly Mark[] }

export type TimelineInput = {
  readonly lanes: readonly Lane[]
  readonly alertMs: number | undefined
  readonly onsetMs: number | undefined
  /** Names of lanes from the cause to the alert. */
  readonly path: readonly string[]
  /** The newest instant of interest. */
  readonly untilMs: number
}

export type PlacedMark = Mark & {
  /** Percent of the width. */
  readonly x: number
  /** Where its span begins, left of `x`; equal to it without one. */
  readonly fromX: number
  /** It began before the picture does. */
  readonly isCut: boolean
  readonly y: number
}

export type PlacedLane = {
  readonly name: string
  readonly note: string
  readonly y: number
  readonly height: number
  readonly marks: readonly PlacedMark[]
}

type Step = { readonly x1: number; readonly y1: number; readonly x2: number; readonly y2: number }

export type Timeline = {
  readonly height: number
  /** Where the lanes begin, below the names of the moments. */
  readonly top: number
  readonly lanes: readonly PlacedLane[]
  readonly ticks: readonly { readonly x: number; readonly label: string }[]
  readonly alertX: number | undefined
  readonly onsetX: number | undefined
  readonly path: readonly Step[]
  /** Marks and lanes that there was no room for. */
  readonly left: { readonly marks: number; readonly lanes: number }
}

const HEAD_HEIGHT = 34
export const FOOT_HEIGHT = 22
const LANE_TITLE = 22
const ROW_HEIGHT = 22
const LANE_GAP = 10
const MAX_ROWS = 6
const MAX_LANES = 8
const MAX_MARKS = 100
/** Percent of the width within which two marks would cover each other. */
const GAP = 2.6
const LEFT = 3
const RIGHT = 96
const MIN_RANGE_MS = 5 * 60_000
const MAX_RANGE_MS = 24 * 3_600_000
const LOOK_BACK_MS = 60 * 60_000
const TICK_STEPS_S = [10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400]
const MAX_TICKS = 6

/** Lays a timeline out: across in percent, so that it fits any width, down in pixels, so that text stays legible. */
export function layOut(input: TimelineInput): Timeline {
  const lanes = input.lanes.slice(0, MAX_LANES)
  const range = toRange(input, lanes)
  const toX = (ms: number) => round(LEFT + ((RIGHT - LEFT) * (clamp(ms, range) - range.startMs)) / (range.endMs - range.startMs))
  const kept = keepMarks(lanes)
  const placed: PlacedLane[] = []
  const top = input.alertMs === undefined ? 1 : HEAD_HEIGHT
  let y = top
  for (const lane of lanes) {
    const marks = placeMarks(
      lane.marks.filter((mark) => kept.has(mark)),
      toX,
      range.startMs,
      y + LANE_TITLE,
    )
    const rows = 1 + Math.max(0, ...marks.map((mark) => (mark.y - y - LANE_TITLE - ROW_HEIGHT / 2) / ROW_HEIGHT))
    const height = LANE_TITLE + rows * ROW_HEIGHT + LANE_GAP
    placed.push({ name: lane.name, note: lane.note, y, height, marks })
    y += height
  }
  const all = input.lanes.reduce((sum, { marks }) => sum + marks.length, 0)
  const alertX = input.alertMs === undefined ? undefined : toX(input.alertMs)
  return {
    height: y + FOOT_HEIGHT,
    top,
    lanes: placed,
    ticks: toTicks(range, toX),
    alertX,
    onsetX: input.onsetMs === undefined ? undefined : toX(input.onsetMs),
    path: toPath(input.path, placed, alertX),
    left: { marks: all - kept.size, lanes: input.lanes.length - lanes.length },
  }
}

function round(percent: number): number {
  return Math.round(100 * percent) / 100
}

type Range = { readonly startMs: number; readonly endMs: number }

function clamp(ms: number, { startMs, endMs }: Range): number {
  return Math.min(Math.max(ms, startMs), endMs)
}

/** From what is cited, or an hour before the alert, to the end; never so long that minutes vanish. */
function toRange({ alertMs, untilMs }: TimelineInput, lanes: readonly Lane[]): Range {
  const marks = lanes.flatMap((lane) => lane.marks)
  const endMs = Math.max(alertMs ?? untilMs, Math.min(untilMs, ...(alertMs === undefined ? [] : [alertMs + LOOK_BACK_MS])))
  const lookBackMs = (alertMs ?? endMs) - LOOK_BACK_MS
  const cited = marks.filter(({ cite }) => cite !== undefined)
  const recent = marks.filter(({ fromMs, toMs }) => fromMs >= lookBackMs || (alertMs === undefined && toMs >= endMs - MAX_RANGE_MS))
  const startMs = Math.min(endMs - MIN_RANGE_MS, ...cited.map(({ fromMs }) => fromMs), ...recent.map(({ fromMs }) => fromMs))
  return { startMs: Math.max(startMs, endMs - MAX_RANGE_MS), endMs }
}

/** Cited marks first, then those nearest the end: the rest is in the table. */
function keepMarks(lanes: readonly Lane[]): ReadonlySet<Mark> {
  const marks = lanes.flatMap((lane) => lane.marks)
  const ranked = marks.toSorted((a, b) => Number(b.cite !== undefined) - Number(a.cite !== undefined) || b.toMs - a.toMs)
  return new Set(ranked.slice(0, MAX_MARKS))
}

function placeMarks(marks: readonly Mark[], toX: (ms: number) => number, startMs: number, top: number): PlacedMark[] {
  const ends: number[] = []
  return marks
    .toSorted((a, b) => a.fromMs - b.fromMs || a.toMs - b.toMs)
    .map((mark) => {
      const [fromX, x] = [toX(mark.fromMs), toX(mark.toMs)]
      const free = ends.findIndex((end) => end + GAP <= fromX)
      const row = free >= 0 ? free : Math.min(ends.length, MAX_ROWS - 1)
      ends[row] = Math.max(x, ends[row] ?? 0)
      return { ...mark, x, fromX, isCut: mark.fromMs < startMs, y: top + row * ROW_HEIGHT + ROW_HEIGHT / 2 }
    })
}

function toTicks({ startMs, endMs }: Range, toX: (ms: number) => number): Timeline['ticks'] {
  const spanS = (endMs - startMs) / 1_000
  const stepS = TICK_STEPS_S.find((step) => spanS / step <= MAX_TICKS) ?? 86_400
  const first = Math.ceil(startMs / (stepS * 1_000))
  const last = Math.floor(endMs / (stepS * 1_000))
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => {
    const ms = (first + place) * stepS * 1_000
    return { x: toX(ms), label: new Date(ms).toISOString().slice(11, stepS < 60 ? 19 : 16) }
  })
}

/** From the cause, over the first cited mark of each lane on the way, to the alert in the last lane. */
function toPath(names: readonly string[], lanes: readonly PlacedLane[], alertX: number | undefined): Step[] {
  if (alertX === undefined) return []
  const stops = names.flatMap((name, place) => {
    const lane = lanes.find((one) => one.name === name)
    if (!lane) return []
    const cited = lane.marks.filter(({ cite }) => cite !== undefined).toSorted((a, b) => a.fromX - b.fromX)[0]
    const isLast = place === names.length - 1
    const middle = lane.y + LANE_TITLE + ROW_HEIGHT / 2
    const own = cited && cited.fromX <= alertX ? [{ x: cited.fromX, y: cited.y }] : []
    return isLast ? [...own, { x: alertX, y: own[0]?.y ?? middle }] : own
  })
  return stops.slice(1).flatMap((stop, place) => {
    const from = stops[place]
    return from && (from.x !== stop.x || from.y !== stop.y) ? [{ x1: from.x, y1: from.y, x2: stop.x, y2: stop.y }] : []
  })
}
