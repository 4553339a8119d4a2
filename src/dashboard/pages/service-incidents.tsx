import { toSureness } from '../../domain/telling/message.ts'
import type { Blame } from '../../store/changes.ts'
import type { Incident } from '../../store/incidents.ts'
import { TypeLabel } from '../chart.tsx'
import { toChange } from '../labels.ts'
import { Age, Badge, Outside, withQuery } from '../parts.tsx'
import { Badges } from './incident-parts.tsx'

/** Incidents of that many days are shown with a service. */
export const INCIDENT_DAYS = 30
export const SHOWN_INCIDENTS = 10
const MAX_VALUE = 120

type ServiceIncidentsProps = { readonly serviceName: string; readonly incidents: readonly Incident[]; readonly now: Date }

/** The incidents that were raised for a service. */
export const ServiceIncidents = ({ serviceName, incidents, now }: ServiceIncidentsProps) => (
  <section aria-labelledby="incidents-of">
    <h2 id="incidents-of">Incidents</h2>
    {incidents.length === 0 ? (
      <p class="quiet">None in the last {INCIDENT_DAYS} days.</p>
    ) : (
      <ul class="cards">
        {incidents.map((incident) => (
          <li>
            <a href={`/incidents/${incident.id}`}>
              <Outside>{incident.title ?? incident.hypothesis ?? incident.serviceName}</Outside>
            </a>{' '}
            <Badges incident={incident} />{' '}
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

/** The incidents whose likely cause is a change of a service, whatever service they were raised for; nothing where there is none. */
export const BlamedFor = ({ blames, now }: { readonly blames: readonly Blame[]; readonly now: Date }) =>
  blames.length === 0 ? null : (
    <section aria-labelledby="blamed-for">
      <h2 id="blamed-for">Incidents that its changes are blamed for</h2>
      <ul class="cards">
        {blames.slice(0, SHOWN_INCIDENTS).map(({ incidentId, title, alertingService, triggeredAt, isResolved, change }) => (
          <li>
            <a href={`/incidents/${incidentId}`}>
              <Outside>{title ?? alertingService}</Outside>
            </a>{' '}
            <Badge kind={isResolved ? 'neutral' : 'bad'}>{isResolved ? 'Resolved' : 'Active'}</Badge>{' '}
            <span class="small quiet">
              <Age at={triggeredAt} now={now} />: <TypeLabel type={change.eventType} />{' '}
              <Outside max={MAX_VALUE}>{toChange(change)}</Outside>
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
