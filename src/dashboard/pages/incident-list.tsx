import { EVENT_TYPES } from '../../domain/event/event.ts'
import type { IncidentId } from '../../domain/ids.ts'
import { DAY_MS, MINUTE_MS } from '../../domain/timestamp.ts'
import type { IncidentCard } from '../../store/incident-cards.ts'
import { toSureWord } from '../answer-rows.ts'
import { byActor, nameChange, nameRevision, toPageWords } from '../event-words.ts'
import { count, toMoment, toPercent, toSpan } from '../labels.ts'
import { Badge, Outside, Sentence, withQuery } from '../parts.tsx'
import { StateBadge, StormBadge, VerdictBadge } from './incident-parts.tsx'

type Kind = 'cause' | 'unexplained' | 'wrong' | 'pending'

/** Incidents of one cause, or without one, the newest first. */
type Group = { readonly kind: Kind; readonly incidents: readonly [IncidentCard, ...IncidentCard[]] }

const ORDER: readonly Kind[] = ['cause', 'unexplained', 'wrong', 'pending']

/** Incidents by what is to blame: those that share a cause together, then those that none is known for. */
export function groupByCause(incidents: readonly IncidentCard[]): readonly Group[] {
  return [...Map.groupBy(incidents, (incident) => JSON.stringify([toKind(incident), toCauseKey(incident)])).values()]
    .flatMap(([first, ...others]): Group[] => (first === undefined ? [] : [{ kind: toKind(first), incidents: [first, ...others] }]))
    .toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) || b.incidents.length - a.incidents.length)
}

function toKind({ hypothesis, verdict, isAbstained }: IncidentCard): Kind {
  if (hypothesis === null) return 'pending'
  if (isAbstained) return 'unexplained'
  return verdict === 'rejected' ? 'wrong' : 'cause'
}

/** What several events of one rollout share. */
function toCauseKey(incident: IncidentCard): unknown {
  if (toKind(incident) !== 'cause') return null
  const { cause, hypothesis } = incident
  return cause ? [cause.event_type, cause.service, nameRevision(cause) ?? [cause.entity, cause.new_value]] : hypothesis
}

/** Of several incidents those that share the cause of one of them, which is left out. */
export function findSameCause(incidents: readonly IncidentCard[], id: IncidentId): readonly IncidentCard[] {
  const own = incidents.find((incident) => incident.id === id)
  if (!own || toKind(own) !== 'cause') return []
  const { incidents: all } = groupByCause(incidents).find((group) => group.incidents.includes(own)) ?? { incidents: [] }
  return all.filter((incident) => incident !== own)
}

/** The other incidents of one cause. */
export const SameCause = ({ incidents, now }: { readonly incidents: readonly IncidentCard[]; readonly now: Date }) =>
  incidents.length === 0 ? null : (
    <section aria-labelledby="same">
      <h2 id="same">
        Of the same cause <span class="small quiet">{count(incidents.length, 'other incident')}</span>
      </h2>
      <ul class="card group">
        {incidents.map((incident) => (
          <IncidentRow incident={incident} now={now} isGrouped />
        ))}
      </ul>
    </section>
  )

/** How many are active, and of how many causes. */
export const ActiveCount = ({ groups }: { readonly groups: readonly Group[] }) => {
  const incidents = groups.reduce((sum, group) => sum + group.incidents.length, 0)
  if (incidents === 0) return <Badge sign="check">None active</Badge>
  const causes = groups.filter(({ kind }) => kind === 'cause').length
  const told = ORDER.slice(1).flatMap((kind) => {
    const own = groups.find((group) => group.kind === kind)
    return own ? `${own.incidents.length} ${REMAINDERS[kind]}` : []
  })
  return (
    <>
      <Badge kind="bad">{`${incidents} active`}</Badge>
      <span class="quiet">{[...(causes > 0 ? [count(causes, 'cause')] : []), ...told].join(', ')}</span>
    </>
  )
}

const REMAINDERS: Readonly<Record<Kind, string>> = {
  cause: '',
  unexplained: 'not explained',
  wrong: 'marked wrong',
  pending: 'without an answer yet',
}

type GroupsProps = { readonly groups: readonly Group[]; readonly now: Date }

/** What is active, a card for each cause. */
export const ActiveGroups = ({ groups, now }: GroupsProps) =>
  groups.length === 0 ? null : (
    <section aria-labelledby="active">
      <h2 id="active">Active now</h2>
      <div class="cards">
        {groups.map((group) => (
          <article class="card group">
            <GroupHead group={group} now={now} />
            <ul>
              {group.incidents.map((incident) => (
                <IncidentRow incident={incident} now={now} isGrouped />
              ))}
            </ul>
          </article>
        ))}
      </div>
    </section>
  )

const GroupHead = ({ group: { kind, incidents }, now }: { readonly group: Group; readonly now: Date }) => {
  const [first] = incidents
  const since = new Date(Math.min(...incidents.map(({ triggeredAt }) => triggeredAt.getTime())))
  const undoneAt = incidents.map((one) => one.undoneAt).find((at) => at !== null)
  return (
    <header>
      <p class="row">
        {kind === 'unexplained' && (
          <Badge kind="warn" hollow>
            Not explained
          </Badge>
        )}
        {incidents.length > 1 && (
          <Badge kind="accent" sign="none">
            {kind === 'cause' ? `${incidents.length} incidents, one cause` : `${incidents.length} incidents`}
          </Badge>
        )}
        {undoneAt && (
          <Badge kind="good" sign="up">
            Undone
          </Badge>
        )}
        <span class="small quiet">
          since <time datetime={since.toISOString()}>{toMoment(since, now).slice(0, -3)}</time>,{' '}
          {toMinutes(now.getTime() - since.getTime())}
        </span>
      </p>
      <h3>{kind === 'cause' ? <CauseName incident={first} /> : HEADINGS[kind]}</h3>
      <p class="small quiet">{tellGroup(first, kind, undoneAt, now)}</p>
    </header>
  )
}

const HEADINGS: Readonly<Record<Kind, string>> = {
  cause: '',
  unexplained: 'Nothing on record explains it',
  wrong: 'What was blamed is not to blame',
  pending: 'No answer yet',
}

function tellGroup({ recommendedAction, confidence }: IncidentCard, kind: Kind, undoneAt: Date | null | undefined, now: Date): string {
  const action = recommendedAction === null ? '' : `${toPageWords(recommendedAction)}.`.replace(/\.\.$/, '.')
  const sure = kind === 'cause' && confidence ? `${toSureWord(confidence)}, ${toPercent(confidence)}.` : ''
  return [undoneAt ? `Undone at ${toMoment(undoneAt, now)}.` : kind === 'wrong' ? '' : action, sure].filter(Boolean).join(' ')
}

const CauseName = ({ incident: { cause, hypothesis } }: { readonly incident: IncidentCard }) => {
  if (!cause) return <Sentence>{toPageWords(hypothesis ?? '')}</Sentence>
  const isListed = EVENT_TYPES.includes(cause.event_type)
  const name = <Sentence>{nameChange(cause)}</Sentence>
  return (
    <>
      {isListed ? <a href={withQuery('/changes', { service: cause.service, type: cause.event_type })}>{name}</a> : name}
      <Outside>{byActor(cause)}</Outside>
    </>
  )
}

/** What was resolved, by day. */
export const ResolvedDays = ({ incidents, now }: { readonly incidents: readonly IncidentCard[]; readonly now: Date }) => (
  <>
    {[...Map.groupBy(incidents, ({ triggeredAt }) => triggeredAt.toISOString().slice(0, 10))].map(([day, own]) => (
      <section aria-labelledby={`day-${day}`}>
        <h2 id={`day-${day}`}>
          {nameDay(day, now)} <span class="small quiet">{count(own.length, 'incident')}</span>
        </h2>
        <ul class="card group">
          {own.map((incident) => (
            <IncidentRow incident={incident} now={now} isGrouped={false} />
          ))}
        </ul>
      </section>
    ))}
  </>
)

function nameDay(day: string, now: Date): string {
  if (day === now.toISOString().slice(0, 10)) return 'Resolved today'
  if (day === new Date(now.getTime() - DAY_MS).toISOString().slice(0, 10)) return 'Yesterday'
  return new Date(`${day}T00:00:00Z`).toUTCString().slice(0, 16)
}

type RowProps = { readonly incident: IncidentCard; readonly now: Date; readonly isGrouped: boolean }

const IncidentRow = ({ incident, now, isGrouped }: RowProps) => {
  const { id, title, serviceName, triggeredAt, resolvedAt, verdict } = incident
  const blame = isGrouped ? '' : tellBlame(incident)
  return (
    <li class="incident">
      <span>
        <StateBadge incident={incident} />
      </span>
      <span class="main">
        <a href={`/incidents/${id}`}>
          <Outside>{title ?? serviceName}</Outside>
        </a>
        <StormBadge incident={incident} />
        {(blame !== '' || verdict !== null) && (
          <span class="blame">
            <Sentence>{blame}</Sentence> <VerdictBadge verdict={verdict} />
          </span>
        )}
      </span>
      <a class="svc" href={withQuery('/incidents', { service: serviceName })}>
        <Outside>{serviceName}</Outside>
      </a>
      <span class="when">
        <time datetime={triggeredAt.toISOString()} data-local="">
          {isGrouped ? toMoment(triggeredAt, now).slice(0, -3) : triggeredAt.toISOString().slice(11, 16)}
        </time>
        {resolvedAt === null
          ? `, for ${toMinutes(now.getTime() - triggeredAt.getTime())}`
          : `, ${toMinutes(resolvedAt.getTime() - triggeredAt.getTime())}`}
      </span>
    </li>
  )
}

function toMinutes(ms: number): string {
  return ms < MINUTE_MS ? 'under a minute' : toSpan(ms - (ms % MINUTE_MS))
}

function tellBlame(incident: IncidentCard): string {
  const { cause, hypothesis, confidence } = incident
  const kind = toKind(incident)
  if (kind === 'pending') return ''
  if (kind === 'unexplained') return 'Nothing on record explained it.'
  const name = cause ? `${nameChange(cause)}${byActor(cause)}` : toPageWords(hypothesis ?? '')
  return `${name}. ${confidence ? `${toSureWord(confidence)}, ${toPercent(confidence)}.` : ''}`
}
