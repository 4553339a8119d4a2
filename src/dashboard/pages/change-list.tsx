import type { EventType } from '../../domain/event/event.ts'
import { isRollback } from '../../domain/event/revision.ts'
import { toOwner } from '../../domain/event/service-name.ts'
import { findUndoing } from '../../domain/incident/undoing.ts'
import type { Blame, Change } from '../../store/changes.ts'
import type { Incident } from '../../store/incidents.ts'
import { TypeLabel } from '../chart.tsx'
import { nameReplaced, nameRevision, nameTeller, toShownKind } from '../event-words.ts'
import { count, toClock, toMoment } from '../labels.ts'
import { Badge, Besides, Outside, Table, withQuery } from '../parts.tsx'

const MAX_VALUE = 200
const MAX_LISTED = 3
const RECENT_MS = 30 * 60_000
const MIN_SPAN_MS = 60_000

type ListProps = {
  readonly changes: readonly Change[]
  /** More of them than are listed, for the picture of when, and for what can only be told beside earlier ones. */
  readonly survey: readonly Rollout[]
  readonly blames: readonly Blame[]
  readonly incidents: readonly Incident[]
  /** What the changes were asked for by, if anything: then only alerts that blame them or are of the service are among them. */
  readonly asked: { readonly service: string | undefined; readonly isNarrow: boolean }
  /** Nothing newer than what is listed was left out. */
  readonly isLatest: boolean
  readonly now: Date
}

/** A change, or what is told of one rollout, from where it began. */
export type Rollout = readonly [Change, ...Change[]]

type ChangeLine = { readonly atMs: number; readonly change: Change; readonly blames: readonly Blame[] }
/** What of changes and alerts is one line, the newest first. */
type Line = ChangeLine | { readonly atMs: number; readonly alert: Incident }

/** Changes newest first, and the alerts among them. */
export const ChangeList = ({ changes, survey, blames, incidents, asked, isLatest, now }: ListProps) => {
  const blamed = Map.groupBy(blames, ({ change }) => toKey(change))
  const toLines = (rollouts: readonly Rollout[]): readonly ChangeLine[] =>
    rollouts.map(([change, ...later]) => ({
      atMs: change.timestamp.getTime(),
      change: { ...change, count: later.reduce((sum, one) => sum + one.count, change.count) },
      blames: [change, ...later].flatMap((one) => (blamed.get(toKey(one)) ?? []).filter(({ triggeredAt }) => triggeredAt >= one.timestamp)),
    }))
  const surveyed = toLines(survey)
  const blaming = new Set(surveyed.flatMap((line) => line.blames.map(({ incidentId }) => incidentId)))
  const isOfService = ({ serviceName }: Incident) =>
    asked.service !== undefined && serviceName.toLowerCase().includes(asked.service.toLowerCase())
  const alerts = incidents
    .filter((alert) => !asked.isNarrow || blaming.has(alert.id) || isOfService(alert))
    .map((alert) => ({ atMs: alert.triggeredAt.getTime(), alert }))
  const withAlerts = (own: readonly ChangeLine[], isUntilNow: boolean): readonly Line[] => {
    const [oldestMs, newestMs] = [
      Math.min(...own.map(({ atMs }) => atMs)),
      isUntilNow ? now.getTime() : Math.max(...own.map(({ atMs }) => atMs)),
    ]
    return [...own, ...alerts.filter(({ atMs }) => atMs >= oldestMs && atMs <= newestMs)].toSorted((a, b) => b.atMs - a.atMs)
  }
  const rollbacks = findRollbacks(survey)
  return (
    <>
      <Strip lines={withAlerts(surveyed, true)} now={now} />
      <Table isFeed isParted heads={['Time', 'Kind', 'Service', 'What changed', 'By', 'Told by']}>
        {[...Map.groupBy(withAlerts(toLines(foldRollouts(changes)), isLatest), ({ atMs }) => nameTime(atMs, now))].map(([name, own]) => (
          <tbody>
            <tr class="part">
              <th colspan={6} scope="rowgroup">
                {name}
              </th>
            </tr>
            {own.map((line) =>
              'alert' in line ? (
                <AlertRow alert={line.alert} now={now} />
              ) : (
                <ChangeRow change={line.change} blames={line.blames} isRollback={rollbacks.has(line.change.id)} now={now} />
              ),
            )}
          </tbody>
        ))}
      </Table>
    </>
  )
}

/** How many of each type there are, a rollout counted once. */
export function countTypes(rollouts: readonly Rollout[]): ReadonlyMap<EventType, number> {
  const groups = Map.groupBy(rollouts, ([{ eventType }]) => eventType)
  return new Map([...groups].map(([type, own]) => [type, own.length]))
}

/** The reports of rollouts that undid the one before them. */
function findRollbacks(rollouts: readonly Rollout[]): ReadonlySet<string> {
  const told = rollouts.toReversed().map((own) => ({ ...own[0], at: own[0].timestamp, own }))
  const scalings = Map.groupBy(
    told.filter(({ eventType }) => eventType === 'scale_event'),
    toOwner,
  )
  const deploys = told.filter((one) => one.eventType === 'deploy' && nameRevision(toEntry(one)) !== undefined)
  return new Set(
    [...Map.groupBy(deploys, toPlace).values()].flatMap((there) =>
      there.flatMap((one, place) => {
        const before = there[place - 1]
        const isBack = before && findUndoing(there.slice(0, place + 1), before, before.at, scalings.get(toOwner(one))) === one
        return isBack || isRollback(one) ? one.own.map(({ id }) => id) : []
      }),
    ),
  )
}

const toPlace = (change: Change): string => JSON.stringify([toOwner(change), change.environment])

/** What is told of one rollout as it goes on, from where it began: until another revision is rolled out there. */
export function foldRollouts(changes: readonly Change[]): readonly Rollout[] {
  const groups: [Change, ...Change[]][] = []
  const latest = new Map<string, (typeof groups)[number]>()
  for (const change of changes) {
    const revision = change.eventType === 'deploy' ? nameRevision(toEntry(change)) : undefined
    const place = toPlace(change)
    const later = revision === undefined ? undefined : latest.get(place)
    if (later && nameRevision(toEntry(later[0])) === revision) {
      later.unshift(change)
      continue
    }
    groups.push([change])
    if (revision !== undefined) latest.set(place, groups.at(-1) ?? [change])
  }
  return groups
}

/** A change as it is named, of the service that it concerns. */
export function toEntry(change: Blame['change']) {
  const { eventType, entity, oldValue, newValue, sha } = change
  return { event_type: eventType, service: toOwner(change), entity, old_value: oldValue, new_value: newValue, sha }
}

function nameTime(atMs: number, now: Date): string {
  if (now.getTime() - atMs < RECENT_MS) return 'Last 30 minutes'
  const day = new Date(atMs).toISOString().slice(0, 10)
  return day === now.toISOString().slice(0, 10) ? 'Earlier today' : new Date(atMs).toUTCString().slice(0, 16)
}

/** What makes two reports one change. */
function toKey({ serviceName, eventType, vendor, entity, oldValue, newValue, actor, sha, environment }: Blame['change']): string {
  return JSON.stringify([serviceName, eventType, vendor, entity, oldValue, newValue, actor, sha, environment])
}

const BARS = 60

/** How many changes were made when, with those that are blamed marked, and where alerts lie among them. */
const Strip = ({ lines, now }: { readonly lines: readonly Line[]; readonly now: Date }) => {
  const toMs = now.getTime()
  const span = Math.max(MIN_SPAN_MS, toMs - Math.min(...lines.map(({ atMs }) => atMs)))
  const toShare = (atMs: number) => Math.max(0, 1 - (toMs - atMs) / span)
  const toX = (share: number) => `${Math.round(1_000 * (2 + 96 * share)) / 1_000}%`
  const alerts = lines.flatMap((line) => ('alert' in line ? [line] : []))
  const changes = lines.flatMap((line) => ('alert' in line ? [] : [line]))
  const bars = [...Map.groupBy(changes, ({ atMs }) => Math.min(BARS - 1, Math.floor(BARS * toShare(atMs))))]
  const most = Math.max(...bars.map(([, own]) => own.length))
  const last = alerts[0]
  return (
    <svg
      class="card strip"
      height="72"
      role="img"
      aria-label={`${count(changes.length, 'change')} and ${count(alerts.length, 'alert')} since ${toMoment(new Date(toMs - span), now)}`}
    >
      <line class="rule" x1="0" x2="100%" y1="48" y2="48" />
      {bars.map(([place, own]) => {
        const height = 4 + Math.round((20 * own.length) / most)
        const isBlamed = own.some(({ blames }) => blames.length > 0)
        return <rect class={isBlamed ? 'blamed' : ''} x={toX(place / BARS)} width={`${76 / BARS}%`} y={48 - height} height={height} />
      })}
      {alerts.map(({ atMs }) => (
        <line class="alert" x1={toX(toShare(atMs))} x2={toX(toShare(atMs))} y1="12" y2="48" />
      ))}
      {last && (
        <text
          class="alert"
          x={toX(toShare(last.atMs))}
          y="20"
          {...(toShare(last.atMs) > 0.5 ? { dx: -6, 'text-anchor': 'end' } : { dx: 6 })}
        >
          alert {toMoment(new Date(last.atMs), now).slice(0, -3)}
        </text>
      )}
      {[0, 0.5, 1].map((share) => (
        <text x={toX(share)} y="63" text-anchor={share === 0 ? 'start' : share === 1 ? 'end' : 'middle'}>
          {toMoment(new Date(toMs - span * (1 - share)), now).slice(0, -3)}
        </text>
      ))}
    </svg>
  )
}

const AlertRow = ({
  alert: { id, title, serviceName, triggeredAt, resolvedAt },
  now,
}: {
  readonly alert: Incident
  readonly now: Date
}) => (
  <tr class="alert">
    <td>
      <time datetime={triggeredAt.toISOString()}>{toClock(triggeredAt, now).slice(-8)}</time>
    </td>
    <td>
      <TypeLabel type="alert" />
      {resolvedAt !== null && <span class="quiet">, resolved</span>}
    </td>
    <th scope="row">
      <Outside>{serviceName}</Outside>
    </th>
    <td colspan={3}>
      <a href={`/incidents/${id}`}>
        <Outside>{title ?? serviceName}</Outside>
      </a>
    </td>
  </tr>
)

type ChangeRowProps = {
  readonly change: Change
  readonly blames: readonly Blame[]
  readonly isRollback: boolean
  readonly now: Date
}

const ChangeRow = ({ change, blames, isRollback, now }: ChangeRowProps) => {
  const service = toOwner(change)
  return (
    <tr class={blames.length > 0 ? 'cited' : undefined}>
      <td>
        <time datetime={change.timestamp.toISOString()}>{toClock(change.timestamp, now).slice(-8)}</time>
        {change.count > 1 && <span class="quiet small"> {change.count.toLocaleString('en')} times</span>}
      </td>
      <td>
        <TypeLabel type={isRollback ? 'undone' : toShownKind(toEntry(change))} />
      </td>
      <th scope="row">
        <a href={withQuery('/services', { name: service })}>
          <Outside>{service}</Outside>
        </a>
      </th>
      <td>
        {change.entity !== service && (
          <>
            <Outside>{change.entity}</Outside>{' '}
          </>
        )}
        <Values change={change} />
        <Besides event={change} />
        {blames.length > 0 && <BlamedBy blames={blames} />}
      </td>
      <td>{change.actor !== null && <Outside>{change.actor}</Outside>}</td>
      <td>
        <span class="small quiet">
          <Outside>{nameTeller(change)}</Outside>
        </span>
      </td>
    </tr>
  )
}

/** What was there before, and what is now; of a rollout its revision. */
const Values = ({ change }: { readonly change: Change }) => {
  const entry = toEntry(change)
  const revision = change.eventType === 'deploy' ? nameRevision(entry) : undefined
  const [from, to] = revision === undefined ? [change.oldValue, change.newValue] : [nameReplaced(entry) ?? null, revision]
  return (
    <>
      {from !== null && (
        <>
          <Outside max={MAX_VALUE}>{from}</Outside> →{' '}
        </>
      )}
      <strong>
        <Outside max={MAX_VALUE}>{to ?? (from === null ? '' : 'nothing')}</Outside>
      </strong>
    </>
  )
}

const BlamedBy = ({ blames }: { readonly blames: readonly Blame[] }) => (
  <ul class="small">
    <li>
      <Badge kind="bad">{`blamed by ${count(blames.length, 'incident')}`}</Badge>
    </li>
    {blames.slice(0, MAX_LISTED).map(({ incidentId, title, alertingService }) => (
      <li>
        <a href={`/incidents/${incidentId}`}>
          <Outside>{title ?? alertingService}</Outside>
        </a>
      </li>
    ))}
  </ul>
)
