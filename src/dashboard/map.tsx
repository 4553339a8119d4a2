import type { Neighbour, Neighbours } from '../domain/graph/neighbourhood.ts'
import type { ServiceId } from '../domain/ids.ts'
import { count, toClock } from './labels.ts'
import { Outside } from './parts.tsx'

const MAX_DRAWN = 6
const MAX_NAME = 26
/** Of one box with the room around it: in `rem` as the style has it, and as drawn. */
const ROW_REM = 4.5
const ROW = 72
const TRACK = 6
const CROSS = 'M-7-4.5-4.5-7 0-2.5 4.5-7 7-4.5 2.5 0 7 4.5 4.5 7 0 2.5-4.5 7-7 4.5-2.5 0Z'

type KnownNode = { readonly id: ServiceId; readonly name: string; readonly isAlerting: boolean }

type MapProps = {
  readonly name: string
  /** How the service itself is, in words. */
  readonly state: string
  readonly isWell: boolean
  readonly neighbours: Neighbours
  readonly services: readonly KnownNode[]
  readonly now: Date
}

/** The service graph around one service: who calls it at the left, whom it calls at the right; on a phone above and below. */
export const ServiceMap = ({ name, state, isWell, neighbours: { callers, callees }, services, now }: MapProps) => {
  const known = new Map(services.map((one) => [one.name, one]))
  return (
    <>
      <div class="map">
        <Tracks ends={callers} isAbove />
        <Side title="Calls it" none="Nothing is known to call it." ends={callers} known={known} now={now} />
        <Edges ends={callers} isInto now={now} />
        <div class="self">
          <div class="node">
            <b>
              <Outside>{shortenMiddle(name)}</Outside>
            </b>
            <small class={isWell ? 'good' : 'bad'}>{state}</small>
          </div>
        </div>
        <Edges ends={callees} isInto={false} now={now} />
        <Tracks ends={callees} isAbove={false} />
        <Side title="It calls" none="Nothing is known that it calls." ends={callees} known={known} now={now} />
      </div>
      <ul class="legend">
        <li>
          <Line /> learned from failing calls
        </li>
        <li>
          <Line kind="declared" /> declared by you
        </li>
        <li>
          <Line kind="fails" /> thick, with a cross: failing in the last hour
        </li>
      </ul>
    </>
  )
}

const Line = ({ kind = '' }: { readonly kind?: string }) => (
  <span class="map line">
    <svg width="30" height="10" aria-hidden="true">
      <path class={kind} d="M0 5H30" />
    </svg>
  </span>
)

/** Those that are not drawn. */
type Rest = readonly Neighbour[]

const isRest = (end: Neighbour | Rest): end is Rest => Array.isArray(end)
const isFailing = ({ failing }: Neighbour): boolean => failing !== null

/** The boxes of a side: the last one stands for those that are not drawn. */
function toRows(ends: readonly Neighbour[]): readonly (Neighbour | Rest)[] {
  return ends.length > MAX_DRAWN ? [...ends.slice(0, MAX_DRAWN), ends.slice(MAX_DRAWN)] : ends
}

type SideProps = {
  readonly title: string
  readonly none: string
  readonly ends: readonly Neighbour[]
  readonly known: ReadonlyMap<string, KnownNode>
  readonly now: Date
}

const Side = ({ title, none, ends, known, now }: SideProps) => (
  <div class="side">
    <h3>{title}</h3>
    {ends.length === 0 ? (
      <p class="small quiet">{none}</p>
    ) : (
      <ul>
        {toRows(ends).map((end) => (
          <li>
            {isRest(end) ? (
              <a class="node" href="#dependencies">
                <b>{end.length} more</b>
                {end.some(isFailing) && <small class="bad">{end.filter(isFailing).length} of them failing</small>}
              </a>
            ) : (
              <Node end={end} service={known.get(end.name)} now={now} />
            )}
          </li>
        ))}
      </ul>
    )}
  </div>
)

type NodeProps = { readonly end: Neighbour; readonly service: KnownNode | undefined; readonly now: Date }

const Node = ({ end, service, now }: NodeProps) => {
  const { failing, isOutside } = end
  const isAlerting = service?.isAlerting ?? false
  const told = [isAlerting && 'alerting', isOutside && (failing ? 'outside' : 'outside, nobody reports')].filter(Boolean).join(', ')
  const content = (
    <>
      <b title={end.name}>
        <Outside>{shortenMiddle(end.name)}</Outside>
      </b>
      <small class={failing || isAlerting ? 'bad' : ''}>
        {failing && (
          <>
            {count(failing.count, 'failing call')}
            <span class="since"> since {toMinute(failing.since, now)}</span>
          </>
        )}
        {failing && told !== '' && ', '}
        {told === '' && !failing ? 'no failing call' : told}
      </small>
    </>
  )
  return service === undefined ? (
    <div class={`node${isOutside ? ' outside' : ''}`}>{content}</div>
  ) : (
    <a class="node" href={`/services/${service.id}`}>
      {content}
    </a>
  )
}

/** Names that begin alike are told apart by how they end. */
function shortenMiddle(name: string): string {
  const characters = Array.from(name)
  const half = MAX_NAME / 2
  return characters.length <= MAX_NAME ? name : `${characters.slice(0, half - 1).join('')}…${characters.slice(-half).join('')}`
}

function toMinute(instant: Date, now: Date): string {
  return toClock(instant, now).slice(0, -3)
}

function toKind(end: Neighbour | Rest): string {
  if (isRest(end)) return end.some(isFailing) ? 'fails' : ''
  if (isFailing(end)) return 'fails'
  return end.isDeclared && !end.isLearned ? 'declared' : ''
}

type EdgeProps = { readonly ends: readonly Neighbour[]; readonly isInto: boolean; readonly now: Date }

/** Across in percent, so that it fits any width. */
const Edges = ({ ends, isInto, now }: EdgeProps) => {
  const rows = toRows(ends)
  const height = Math.max(1, rows.length) * ROW
  const placed = rows.map((end, place) => {
    const far = (place + 0.5) * ROW
    const near = height / 2 + Math.max(-18, Math.min(18, 10 * (place - (rows.length - 1) / 2)))
    return { end, kind: toKind(end), from: isInto ? far : near, to: isInto ? near : far }
  })
  return (
    <svg class="edges" height={`${(height / ROW) * ROW_REM}rem`} aria-hidden="true">
      <svg width="100%" height="100%" viewBox={`0 0 100 ${height}`} preserveAspectRatio="none" aria-hidden="true">
        {placed.map(({ kind, from, to }) => (
          <path class={kind} d={`M0 ${from}C50 ${from} 50 ${to} 96 ${to}`} />
        ))}
      </svg>
      {placed.map(({ kind, to }) => (
        <svg x="100%" y={`${(100 * to) / height}%`} overflow="visible" aria-hidden="true">
          <path class={kind === 'fails' ? 'tip bad' : 'tip'} d="M0 0-11-5.5V5.5Z" />
        </svg>
      ))}
      {placed.flatMap(({ end, from, to }) =>
        isRest(end) || end.failing === null ? [] : <Tag y={(100 * (from + to)) / 2 / height} failing={end.failing} now={now} />,
      )}
    </svg>
  )
}

type TagProps = { readonly y: number; readonly failing: NonNullable<Neighbour['failing']>; readonly now: Date }

const Tag = ({ y, failing, now }: TagProps) => {
  const text = `${failing.count.toLocaleString('en')} since ${toMinute(failing.since, now)}`
  const width = 34 + 7 * text.length
  return (
    <svg x="50%" y={`${y}%`} overflow="visible" aria-hidden="true">
      <rect x={-width / 2} y="-12" width={width} height="24" rx="12" />
      <path class="cross bad" d={CROSS} transform={`translate(${14 - width / 2} 0) scale(.62)`} />
      <text x={24 - width / 2} y="4.5">
        {text}
      </text>
    </svg>
  )
}

/** On a phone each edge has a track of its own at the left. */
const Tracks = ({ ends, isAbove }: { readonly ends: readonly Neighbour[]; readonly isAbove: boolean }) => {
  const rows = toRows(ends)
  const height = Math.max(1, rows.length) * ROW
  return (
    <svg class="tracks" height={`${(height / ROW) * ROW_REM}rem`} viewBox={`0 0 48 ${height}`} aria-hidden="true">
      {rows.map((end, place) => {
        const [kind, y] = [toKind(end), (place + 0.5) * ROW]
        const x = TRACK * (1 + (isAbove ? place : rows.length - 1 - place))
        const tip = kind === 'fails' ? 'tip bad' : 'tip'
        return isAbove ? (
          <>
            <path class={kind} d={`M48 ${y}H${x}V${height}`} />
            <path class={tip} d={`M${x} ${height + 8}l-5-10h10Z`} />
          </>
        ) : (
          <>
            <path class={kind} d={`M${x} -8V${y}H38`} />
            <path class={tip} d={`M48 ${y}l-11-5v10Z`} />
          </>
        )
      })}
    </svg>
  )
}
