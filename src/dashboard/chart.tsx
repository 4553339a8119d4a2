import { EVENT_TYPES, type EventType } from '../domain/event/event.ts'
import { count, shorten, TYPE_NAMES } from './labels.ts'
import { FOOT_HEIGHT, type PlacedLane, type PlacedMark, type Timeline } from './timeline.ts'

const MAX_LANE_NAME = 34
const MAX_MARK_TEXT = 160

/** What each kind of event looks like, around the origin: a form of its own, so that colour is never all there is. */
const FORMS: Readonly<Record<EventType, { readonly group: 'change' | 'failure' | 'strain' | 'restart'; readonly d: string }>> = {
  deploy: { group: 'change', d: 'M0-7 7 6H-7Z' },
  config_change: { group: 'change', d: 'M-6-6H6V6H-6Z' },
  schema_change: { group: 'change', d: 'M-6-6H6V-3H-6ZM-6-1.5H6V1.5H-6ZM-6 3H6V6H-6Z' },
  flag_change: { group: 'change', d: 'M-5-7H-3V7H-5ZM-3-7 7-3.5-3 0Z' },
  scale_event: { group: 'change', d: 'M-7 0-2-5V-2H2V-5L7 0 2 5V2H-2V5Z' },
  restart: { group: 'restart', d: 'M-6-6H-2V6H-6ZM2-6H6V6H2Z' },
  saturation: { group: 'strain', d: 'M-7 6V1H-4V6ZM-2 6V-3H1V6ZM3 6V-7H6V6Z' },
  circuit_open: { group: 'failure', d: 'M0-7 7 0 0 7-7 0Z' },
  dependency_failure: { group: 'failure', d: 'M-7-4.5-4.5-7 0-2.5 4.5-7 7-4.5 2.5 0 7 4.5 4.5 7 0 2.5-4.5 7-7 4.5-2.5 0Z' },
}

type ChartProps = { readonly timeline: Timeline; readonly title: string; readonly summary: string; readonly id: string }

/** A timeline as a picture. What it shows is also said in words beside it. */
export const Chart = ({ timeline, title, summary, id }: ChartProps) => {
  const { height, top, lanes, ticks, alertX, onsetX, path } = timeline
  const hasCites = lanes.some(({ marks }) => marks.some(({ cite }) => cite !== undefined))
  const bottom = height - FOOT_HEIGHT
  return (
    <figure>
      <svg class="chart" height={height} role="img" aria-labelledby={`${id}-title ${id}-summary`}>
        <title id={`${id}-title`}>{title}</title>
        <desc id={`${id}-summary`}>{summary}</desc>
        <defs>
          <marker id={`${id}-tip`} viewBox="-8 -4 8 8" markerWidth="9" markerHeight="9" refX="0" orient="auto">
            <path class="tip" d="M0 0-8-4V4Z" />
          </marker>
        </defs>
        {ticks.map(({ x, label }) => (
          <>
            <line class="rule" x1={`${x}%`} x2={`${x}%`} y1={top} y2={bottom} />
            <text x={`${x}%`} y={bottom + 15} text-anchor={toAnchor(x)}>
              {label}
            </text>
          </>
        ))}
        {onsetX !== undefined && <Moment x={onsetX} name="onset" y={12} bottom={bottom} />}
        {alertX !== undefined && <Moment x={alertX} name="alert" y={27} bottom={bottom} />}
        {lanes.map((lane) => (
          <LaneBack lane={lane} />
        ))}
        {path.map(({ x1, y1, x2, y2 }) => (
          <line class="path" x1={`${x1}%`} y1={y1} x2={`${x2}%`} y2={y2} marker-end={`url(#${id}-tip)`} />
        ))}
        {lanes.flatMap(({ marks }) => marks.map((mark) => <MarkShape mark={mark} isAside={hasCites && mark.cite === undefined} />))}
      </svg>
      <Legend timeline={timeline} />
    </figure>
  )
}

const Moment = ({
  x,
  name,
  y,
  bottom,
}: {
  readonly x: number
  readonly name: 'alert' | 'onset'
  readonly y: number
  readonly bottom: number
}) => (
  <>
    <line class={name} x1={`${x}%`} x2={`${x}%`} y1={y + 3} y2={bottom} />
    <text class={name} x={`${x}%`} y={y} dx={x > 50 ? -5 : 5} text-anchor={x > 50 ? 'end' : 'start'}>
      {name}
    </text>
  </>
)

const LaneBack = ({ lane: { name, note, y } }: { readonly lane: PlacedLane }) => (
  <>
    <line class="rule" x1="0" x2="100%" y1={y} y2={y} />
    <text class="lane" x="0" y={y + 16}>
      {shorten(name, MAX_LANE_NAME)}
      {note !== '' && (
        <tspan class="quiet" font-weight="400" dx="8">
          {note}
        </tspan>
      )}
    </text>
  </>
)

type MarkProps = { readonly mark: PlacedMark; readonly isAside: boolean }

const MarkShape = ({ mark: { type, x, fromX, isCut, y, count: times, text, cite }, isAside }: MarkProps) => (
  <g class={`mark ${FORMS[type].group}${isAside ? ' aside' : ''}`}>
    <title>{shorten(text, MAX_MARK_TEXT)}</title>
    {(fromX < x || isCut) && <line class="span" x1={`${isCut ? 0 : fromX}%`} x2={`${x}%`} y1={y} y2={y} />}
    <svg x={`${fromX}%`} y={y} overflow="visible" aria-hidden="true">
      {cite !== undefined && <circle class="halo" r="11" />}
      <path stroke="none" d={FORMS[type].d} transform={cite === undefined ? 'scale(.85)' : 'scale(.8)'} />
      {cite !== undefined && (
        <text class="cite" x="13" y="-4">
          {cite}
        </text>
      )}
    </svg>
    {times > 1 && (
      <text class="times" x={`${x}%`} y={y + 4} {...(x > 80 ? { dx: -8, 'text-anchor': 'end' } : { dx: fromX < x ? 6 : 14 })}>
        ×{times}
      </text>
    )}
  </g>
)

const Legend = ({ timeline: { lanes, left } }: { readonly timeline: Timeline }) => {
  const marks = lanes.flatMap((lane) => lane.marks)
  const types = EVENT_TYPES.filter((type) => marks.some((mark) => mark.type === type))
  return (
    <figcaption>
      <ul class="legend">
        {types.map((type) => (
          <li>
            <Glyph type={type} /> {TYPE_NAMES[type]}
          </li>
        ))}
        {left.lanes > 0 && <li>and {count(left.lanes, 'more service')} in the table</li>}
        {left.marks > 0 && <li>{count(left.marks, 'more change')} in the table</li>}
      </ul>
    </figcaption>
  )
}

const SIGNS = {
  alert: { group: 'alert', d: 'M0-7C3-7 5-5 5-2V2L7 5H-7L-5 2V-2C-5-5-3-7 0-7Z' },
  undone: { group: 'well', d: 'M0 7 7-6H-7Z' },
  well: { group: 'well', d: 'M-7 .5-4.5-2-2 .5 4.5-6 7-3.5-2 5.5Z' },
} as const

/** The sign of an event, or of an alert, an undoing or a recovery. */
export const Sign = ({ of }: { readonly of: EventType | keyof typeof SIGNS }) => {
  const { group, d } = { ...FORMS, ...SIGNS }[of]
  return (
    <svg class={`mark ${group}`} width="14" height="14" viewBox="-8 -8 16 16" aria-hidden="true">
      <path stroke="none" d={d} />
    </svg>
  )
}

/** The sign of one kind of event, beside its name. */
export const Glyph = ({ type }: { readonly type: EventType }) => (
  <svg class={`mark ${FORMS[type].group}`} width="14" height="14" viewBox="-8 -8 16 16" aria-hidden="true">
    <path stroke="none" d={FORMS[type].d} />
  </svg>
)

function toAnchor(x: number): 'start' | 'middle' | 'end' {
  if (x < 8) return 'start'
  return x > 92 ? 'end' : 'middle'
}

/** A type of events by its mark and its name. */
export const TypeLabel = ({ type }: { readonly type: EventType }) => (
  <>
    <Glyph type={type} />
    {`\u00a0${TYPE_NAMES[type]}`}
  </>
)
