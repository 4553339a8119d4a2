import { EVENT_TYPES, type EventType } from '../domain/event/event.ts'
import { count, TYPE_NAMES, toShown } from './labels.ts'
import { END, type PlacedLane, type PlacedMark, type Timeline } from './timeline.ts'

const MAX_LANE_NAME = 34
const MAX_MARK_TEXT = 160

/** What each kind of event looks like, around the origin: a form of its own, so that colour is never all there is. */
const FORMS = {
  deploy: { group: 'change', d: 'M0-7 7 6H-7Z' },
  config_change: { group: 'change', d: 'M-6-6H6V6H-6Z' },
  schema_change: { group: 'change', d: 'M-6-6H6V-3H-6ZM-6-1.5H6V1.5H-6ZM-6 3H6V6H-6Z' },
  flag_change: { group: 'change', d: 'M-5-7H-3V7H-5ZM-3-7 7-3.5-3 0Z' },
  scale_event: { group: 'change', d: 'M-7 0-2-5V-2H2V-5L7 0 2 5V2H-2V5Z' },
  restart: { group: 'restart', d: 'M-6-6H-2V6H-6ZM2-6H6V6H2Z' },
  saturation: { group: 'strain', d: 'M-7 6V1H-4V6ZM-2 6V-3H1V6ZM3 6V-7H6V6Z' },
  circuit_open: { group: 'failure', d: 'M0-7 7 0 0 7-7 0Z' },
  dependency_failure: { group: 'failure', d: 'M-7-4.5-4.5-7 0-2.5 4.5-7 7-4.5 2.5 0 7 4.5 4.5 7 0 2.5-4.5 7-7 4.5-2.5 0Z' },
  alert: { group: 'alert', d: 'M0-7C3-7 5-5 5-2V2L7 5H-7L-5 2V-2C-5-5-3-7 0-7Z' },
  undone: { group: 'well', d: 'M0 7 7-6H-7Z' },
  well: { group: 'well', d: 'M-7 .5-4.5-2-2 .5 4.5-6 7-3.5-2 5.5Z' },
  ill: { group: 'failure', d: 'M-2-7H2V2H-2ZM-2 4H2V7H-2Z' },
} as const satisfies Readonly<Record<EventType | 'alert' | 'undone' | 'well' | 'ill', { readonly group: string; readonly d: string }>>

type ChartProps = { readonly timeline: Timeline; readonly title: string; readonly summary: string; readonly id: string }

/** A timeline as a picture. What it shows is also said in words beside it. */
export const Chart = ({ timeline, title, summary, id }: ChartProps) => {
  const { height, top, bottom, lanes, ticks, moments, path, breakX } = timeline
  const hasCites = lanes.some(({ marks }) => marks.some(({ cites }) => cites.length > 0))
  const hasSilence = lanes.some(({ silence }) => silence !== undefined)
  return (
    <figure>
      {/* biome-ignore lint/a11y/useSemanticElements: no element of SVG is a group of links with a name. */}
      <svg class="chart" height={height} role="group" aria-labelledby={`${id}-title ${id}-summary`}>
        <title id={`${id}-title`}>{title}</title>
        <desc id={`${id}-summary`}>{summary}</desc>
        {hasSilence && (
          <pattern id={`${id}-silent`} width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <line class="silent" y2="6" />
          </pattern>
        )}
        {ticks.map(({ x, label, day }) => (
          <>
            <line class="rule" x1={`${x}%`} x2={`${x}%`} y1={top} y2={bottom} />
            <text x={`${x}%`} y={bottom + 15} text-anchor={toAnchor(x)}>
              {label}
            </text>
            {day !== undefined && (
              <text x={`${x}%`} y={bottom + 29} text-anchor={toAnchor(x)}>
                {day}
              </text>
            )}
          </>
        ))}
        {lanes.map((lane) => (
          <LaneBack lane={lane} hatch={`url(#${id}-silent)`} />
        ))}
        {breakX !== undefined && <line class="break" x1={`${breakX}%`} x2={`${breakX}%`} y1={top} y2={bottom} />}
        {moments.map(({ x, name, label, y }) => (
          <>
            <line class={`when ${name}`} x1={`${x}%`} x2={`${x}%`} y1={y + 3} y2={bottom} />
            <text class={name} x={`${x}%`} y={y} dx={x > 50 ? -5 : 5} text-anchor={x > 50 ? 'end' : 'start'}>
              {label}
            </text>
          </>
        ))}
        {lanes.flatMap(({ marks }) => marks.map((mark) => <MarkSpan mark={mark} isAside={hasCites && mark.cites.length === 0} />))}
        {path.map(({ x1, y1, x2, y2, isTip }) => (
          <>
            <line class="path" x1={`${x1}%`} y1={y1} x2={`${x2}%`} y2={y2} />
            {isTip && (
              <svg x={`${x2}%`} y={y2} overflow="visible" aria-hidden="true">
                <path class="tip" d={y2 > y1 ? 'M0 2-5-7H5Z' : 'M0-2-5 7H5Z'} />
              </svg>
            )}
          </>
        ))}
        {lanes.flatMap(({ marks }) => marks.map((mark) => <MarkShape mark={mark} isAside={hasCites && mark.cites.length === 0} />))}
      </svg>
      <Legend timeline={timeline} hatch={hasSilence ? `url(#${id}-silent)` : undefined} />
    </figure>
  )
}

const LaneBack = ({ lane: { name, note, y, silence }, hatch }: { readonly lane: PlacedLane; readonly hatch: string }) => (
  <>
    <line class="rule" x1="0" x2="100%" y1={y} y2={y} />
    {silence && <rect x={`${silence.x}%`} y={silence.y + 4} width={`${END - silence.x}%`} height="16" fill={hatch} />}
    <text class="lane" x="0" y={y + 16}>
      {toShown(name, MAX_LANE_NAME)}
      {note !== '' && (
        <tspan class="quiet" font-weight="400" dx="8">
          {note}
        </tspan>
      )}
    </text>
  </>
)

type MarkProps = { readonly mark: PlacedMark; readonly isAside: boolean }

const toClass = ({ type }: PlacedMark, isAside: boolean) => `mark ${FORMS[type].group}${isAside ? ' aside' : ''}`

const MarkSpan = ({ mark, isAside }: MarkProps) => {
  const { x, fromX, isCut, y, count: times, type, hasRoom } = mark
  return (
    <g class={toClass(mark, isAside)}>
      {(fromX < x || isCut) && <line class="span" x1={`${isCut ? 0 : fromX}%`} x2={`${x}%`} y1={y} y2={y} />}
      {times > 1 && hasRoom && !isAside && FORMS[type].group !== 'change' && (
        <text class="times" x={`${x}%`} y={y + 4} dx={fromX < x ? 6 : 14}>
          ×{times}
        </text>
      )}
    </g>
  )
}

const MarkShape = ({ mark, isAside }: MarkProps) => {
  const { type, fromX, y, text, cites, isCause, href, merged } = mark
  const isCited = cites.length > 0
  const shape = (
    <>
      <title>
        {toShown(text, MAX_MARK_TEXT)}
        {merged > 0 && `; and ${merged} more`}
      </title>
      <svg x={`${fromX}%`} y={y} overflow="visible" aria-hidden="true">
        <circle class="halo" r={isCited ? 11 : 9} />
        <path stroke="none" d={FORMS[type].d} transform="scale(.8)" />
        {isCited && (
          <text class="cite" x="-14" y="4" text-anchor="end">
            {toNumbers(cites)}
          </text>
        )}
      </svg>
    </>
  )
  const kind = `${toClass(mark, isAside)}${isCited ? ' cited' : ''}${isCause ? ' cause' : ''}`
  if (href === undefined) return <g class={kind}>{shape}</g>
  return (
    <a href={href} class={kind} tabindex={isCited ? undefined : -1}>
      {shape}
    </a>
  )
}

/** `3`, `4, 9`, `1–3` of those in a row, or how many more there are. */
function toNumbers(cites: readonly number[]): string {
  const numbers = [...new Set(cites)]
  const [first = 0, last = 0] = [numbers[0], numbers.at(-1)]
  if (numbers.length <= 2) return numbers.join(', ')
  return last - first === numbers.length - 1 ? `${first}–${last}` : `${first} +${numbers.length - 1}`
}

const MARK_TYPES = [...EVENT_TYPES, 'undone', 'well', 'ill'] as const

type LegendProps = { readonly timeline: Timeline; readonly hatch: string | undefined }

const Legend = ({ timeline: { lanes, left }, hatch }: LegendProps) => {
  const marks = lanes.flatMap((lane) => lane.marks)
  const types = MARK_TYPES.filter((type) => marks.some((mark) => mark.type === type))
  return (
    <figcaption>
      <ul class="legend">
        {types.map((type) => (
          <li>
            <Glyph type={type} /> {NAMES[type]}
          </li>
        ))}
        {hatch !== undefined && (
          <li>
            <svg width="14" height="14" aria-hidden="true">
              <rect width="14" height="14" fill={hatch} />
            </svg>{' '}
            hatched: nobody tells of changes
          </li>
        )}
        {left.marks > 0 && <li>{count(left.marks, 'more event')} of other times, in the list below</li>}
      </ul>
    </figcaption>
  )
}

/** The sign of one kind of event, or of an alert, an undoing or a recovery. */
export const Glyph = ({ type }: { readonly type: keyof typeof FORMS }) => (
  <svg class={`mark ${FORMS[type].group}`} width="14" height="14" viewBox="-8 -8 16 16" aria-hidden="true">
    <path stroke="none" d={FORMS[type].d} />
  </svg>
)

function toAnchor(x: number): 'start' | 'middle' | 'end' {
  if (x < 8) return 'start'
  return x > 92 ? 'end' : 'middle'
}

const NAMES = { ...TYPE_NAMES, alert: 'alert', undone: 'rollback', well: 'healthy', ill: 'unhealthy' } as const

/** A kind of events by its mark and its name. */
export const TypeLabel = ({ type }: { readonly type: keyof typeof FORMS }) => (
  <>
    <Glyph type={type} />
    {`\u00a0${NAMES[type]}`}
  </>
)

type SelectProps = { readonly id: string; readonly name: string; readonly any: string; readonly chosen: EventType | undefined }

/** One type of events to choose, or any. */
export const TypeSelect = ({ id, name, any, chosen }: SelectProps) => (
  <select id={id} name={name}>
    <option value="">{any}</option>
    {EVENT_TYPES.map((type) => (
      <option value={type} selected={type === chosen}>
        {TYPE_NAMES[type]}
      </option>
    ))}
  </select>
)
