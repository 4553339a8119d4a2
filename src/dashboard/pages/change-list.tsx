import { toOwner } from '../../domain/event/service-name.ts'
import type { Blame, Change } from '../../store/changes.ts'
import type { Incident } from '../../store/incidents.ts'
import { TypeLabel } from '../chart.tsx'
import { nameReplaced, nameRevision, nameTeller } from '../event-words.ts'
import { count, toClock, toMoment } from '../labels.ts'
import { Badge, Besides, Outside, withQuery } from '../parts.tsx'

const MAX_VALUE = 200
const MAX_LISTED = 3
const RECENT_MS = 30 * 60_000
const MIN_SPAN_MS = 60_000

type ListProps = {
  readonly changes: readonly Change[]
  readonly blames: readonly Blame[]
  readonly incidents: readonly Incident[]
  /** Nothing newer than what is listed was left out. */
  readonly isLatest: boolean
  readonly now: Date
}

/** What of changes and alerts is one line, the newest first. */
type Line =
  | { readonly atMs: number; readonly change: Change; readonly blames: readonly Blame[] }
  | { readonly atMs: number; readonly alert: Incident }

/** Changes newest first, and the alerts among them. */
export const ChangeList = ({ changes, blames, incidents, isLatest, now }: ListProps) => {
  const blamed = Map.groupBy(blames, ({ change }) => toKey(change))
  const times = changes.map(({ timestamp }) => timestamp.getTime())
  const [oldestMs, newestMs] = [Math.min(...times), isLatest ? now.getTime() : Math.max(...times)]
  const lines: readonly Line[] = [
    ...foldRollouts(changes).map(([change, ...later]) => ({
      atMs: change.timestamp.getTime(),
      change: { ...change, count: later.reduce((sum, one) => sum + one.count, change.count) },
      blames: [change, ...later].flatMap((one) => (blamed.get(toKey(one)) ?? []).filter(({ triggeredAt }) => triggeredAt >= one.timestamp)),
    })),
    ...incidents.map((alert) => ({ atMs: alert.triggeredAt.getTime(), alert })).filter(({ atMs }) => atMs >= oldestMs && atMs <= newestMs),
  ].toSorted((a, b) => b.atMs - a.atMs)
  return (
    <>
      <Strip lines={lines} fromMs={oldestMs} toMs={newestMs} now={now} />
      <div class="scroll">
        <table class="fold feed">
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Kind</th>
              <th scope="col">Service</th>
              <th scope="col">What changed</th>
              <th scope="col">By</th>
              <th scope="col">Told by</th>
            </tr>
          </thead>
          {[...Map.groupBy(lines, ({ atMs }) => nameTime(atMs, now))].map(([name, own]) => (
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
                  <ChangeRow change={line.change} blames={line.blames} now={now} />
                ),
              )}
            </tbody>
          ))}
        </table>
      </div>
    </>
  )
}

/** One row for what is told of one rollout as it goes on, where it began. */
function foldRollouts(changes: readonly Change[]): readonly (readonly [Change, ...Change[]])[] {
  const groups = Map.groupBy(changes, (change) => {
    const revision = change.eventType === 'deploy' ? nameRevision(toEntry(change)) : undefined
    return revision === undefined ? change.id : JSON.stringify([toOwner(change), revision, change.environment])
  })
  return [...groups.values()].flatMap((own) => {
    const [first, ...later] = own.toReversed()
    return first === undefined ? [] : [[first, ...later] as const]
  })
}

function toEntry({ eventType, serviceName, entity, oldValue, newValue, sha }: Change) {
  return { event_type: eventType, service: serviceName, entity, old_value: oldValue, new_value: newValue, sha }
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

type StripProps = { readonly lines: readonly Line[]; readonly fromMs: number; readonly toMs: number; readonly now: Date }

/** When changes were made, those that are blamed thicker, and where alerts lie among them. */
const Strip = ({ lines, fromMs, toMs, now }: StripProps) => {
  const span = Math.max(MIN_SPAN_MS, toMs - fromMs)
  const toX = (atMs: number) => `${Math.round(1_000 * (2 + (96 * (atMs - (toMs - span))) / span)) / 1_000}%`
  const alerts = lines.flatMap((line) => ('alert' in line ? [line] : []))
  const last = alerts[0]
  return (
    <svg
      class="strip"
      height="56"
      role="img"
      aria-label={`${count(lines.length - alerts.length, 'change')} and ${count(alerts.length, 'alert')}, as the table below lists them`}
    >
      <line class="rule" x1="0" x2="100%" y1="40" y2="40" />
      {lines.map((line) =>
        'alert' in line ? (
          <line class="alert" x1={toX(line.atMs)} x2={toX(line.atMs)} y1="4" y2="40" />
        ) : (
          <line
            class={line.blames.length > 0 ? 'blamed' : ''}
            x1={toX(line.atMs)}
            x2={toX(line.atMs)}
            y1={line.blames.length > 0 ? 16 : 26}
            y2="40"
          />
        ),
      )}
      {last && (
        <text class="alert" x={toX(last.atMs)} y="14" {...(last.atMs > toMs - span / 2 ? { dx: -6, 'text-anchor': 'end' } : { dx: 6 })}>
          alert {toMoment(new Date(last.atMs), now).slice(0, -3)}
        </text>
      )}
      <text x="2%" y="53">
        {toMoment(new Date(toMs - span), now).slice(0, -3)}
      </text>
      <text x="98%" y="53" text-anchor="end">
        {toMoment(new Date(toMs), now).slice(0, -3)}
      </text>
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
      <Badge kind={resolvedAt === null ? 'bad' : 'neutral'}>Alert</Badge>
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

type ChangeRowProps = { readonly change: Change; readonly blames: readonly Blame[]; readonly now: Date }

const ChangeRow = ({ change, blames, now }: ChangeRowProps) => {
  const service = toOwner(change)
  return (
    <tr class={blames.length > 0 ? 'cited' : undefined}>
      <td>
        <time datetime={change.timestamp.toISOString()}>{toClock(change.timestamp, now).slice(-8)}</time>
        {change.count > 1 && <span class="quiet small"> {change.count.toLocaleString('en')} times</span>}
      </td>
      <td>
        <TypeLabel type={change.eventType} />
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
