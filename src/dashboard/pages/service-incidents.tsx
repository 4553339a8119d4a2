import { toSureness } from '../../domain/telling/message.ts'
import type { Blame } from '../../store/changes.ts'
import type { Incident } from '../../store/incidents.ts'
import { Glyph } from '../chart.tsx'
import { byActor, nameChange } from '../event-words.ts'
import { count } from '../labels.ts'
import { Age, Badge, Outside, withQuery } from '../parts.tsx'
import { toEntry } from './change-list.tsx'
import { StateBadge, VerdictBadge } from './incident-parts.tsx'

/** Incidents of that many days are shown with a service. */
export const INCIDENT_DAYS = 30
export const SHOWN_INCIDENTS = 10
const MAX_VALUE = 120

type ServiceIncidentsProps = { readonly serviceName: string; readonly incidents: readonly Incident[]; readonly now: Date }

/** The incidents that were raised for a service. */
export const ServiceIncidents = ({ serviceName, incidents, now }: ServiceIncidentsProps) => (
  <section aria-labelledby="incidents-of">
    <h2 id="incidents-of">Incidents raised for it</h2>
    {incidents.length === 0 ? (
      <p class="quiet">None in the last {INCIDENT_DAYS} days.</p>
    ) : (
      <ul class="cards">
        {incidents.map((incident) => (
          <li>
            <a href={`/incidents/${incident.id}`}>
              <Outside>{incident.title ?? incident.hypothesis ?? incident.serviceName}</Outside>
            </a>{' '}
            <StateBadge incident={incident} /> <VerdictBadge verdict={incident.verdict} />{' '}
            <span class="small quiet">
              {incident.confidence !== null && `${toSureness(incident.confidence)}, `}
              <Age at={incident.triggeredAt} now={now} />
            </span>
          </li>
        ))}
      </ul>
    )}
    {incidents.length === SHOWN_INCIDENTS && (
      <p>
        <a href={withQuery('/incidents', { service: serviceName })}>All its incidents</a>
      </p>
    )}
  </section>
)

const MAX_BLAMED = 3

/** A blamed change in a few words, which all that tell of one rollout share. */
function nameBlamed(change: Blame['change']): string {
  return `${nameChange(toEntry(change))}${byActor(change)}`
}

/** Which changes of a service incidents blame, whatever service they were raised for; nothing where there is none. */
export const BlamedFor = ({ blames, now }: { readonly blames: readonly Blame[]; readonly now: Date }) =>
  blames.length === 0 ? null : (
    <section class="card" aria-labelledby="blamed-for">
      <h2 id="blamed-for" class="hidden">
        Incidents that its changes are blamed for
      </h2>
      {[...Map.groupBy(blames, ({ change }) => nameBlamed(change)).values()].slice(0, MAX_BLAMED).map((own) => (
        <Blamed blames={own} now={now} />
      ))}
    </section>
  )

const Blamed = ({ blames, now }: { readonly blames: readonly Blame[]; readonly now: Date }) => {
  const [first] = blames
  if (!first) return null
  return (
    <div>
      <p>
        <Badge kind={blames.some(({ isResolved }) => !isResolved) ? 'bad' : 'neutral'}>{count(blames.length, 'incident')}</Badge>{' '}
        {blames.length === 1 ? 'blames' : 'blame'} <Glyph type={first.change.eventType} />{' '}
        <strong>
          <Outside max={MAX_VALUE}>{nameBlamed(first.change)}</Outside>
        </strong>
      </p>
      <ul>
        {blames.slice(0, SHOWN_INCIDENTS).map(({ incidentId, title, alertingService, triggeredAt, isResolved }) => (
          <li>
            <a href={`/incidents/${incidentId}`}>
              <Outside>{title ?? alertingService}</Outside>
            </a>{' '}
            <span class="small quiet">
              {isResolved ? 'resolved, ' : 'active, '}
              <Age at={triggeredAt} now={now} />
            </span>
          </li>
        ))}
      </ul>
    </div>
  )
}
