import { compareText } from '../../domain/compare.ts'
import { EVENT_TYPES } from '../../domain/event/event.ts'
import { RECENT_MINUTES, SERVICE_HEALTHS, type ServiceHealth, toServiceHealth } from '../../domain/window/service-health.ts'
import { OVERVIEW_HOURS, type ServiceOverview } from '../../store/service-overviews.ts'
import { TypeLabel } from '../chart.tsx'
import { count } from '../labels.ts'
import { Age, Outside, Table } from '../parts.tsx'
import { describeParts, HealthBadge } from '../service-words.tsx'

const TROUBLED: ReadonlySet<ServiceHealth> = new Set(['alerting', 'failing', 'recovering'])

type Services = readonly ServiceOverview[]
type ServicePage = {
  readonly troubled: Services
  readonly others: Services
  readonly hasMore: boolean
  readonly lastName: string | undefined
}

/** What a page of services shows of what was read, which is one more than it shows, and those that may be in trouble. */
export function toServicePage(services: Services, size: number, now: Date): ServicePage {
  const ahead = services.filter(({ isAhead }) => isAhead)
  const byName = services.filter(({ isAhead }) => !isAhead)
  const shown = byName.slice(0, size)
  const isTroubled = (service: ServiceOverview) => TROUBLED.has(toServiceHealth(service, now))
  return {
    troubled: ahead.filter(isTroubled).toSorted((a, b) => compareTroubles(a, b, now)),
    others: [...ahead.filter((one) => !isTroubled(one)), ...shown].toSorted((a, b) => compareText(a.name, b.name)),
    hasMore: byName.length > size,
    lastName: shown.at(-1)?.name,
  }
}

function compareTroubles(a: ServiceOverview, b: ServiceOverview, now: Date): number {
  const rank = (service: ServiceOverview) => SERVICE_HEALTHS.indexOf(toServiceHealth(service, now))
  return rank(a) - rank(b) || b.failures - a.failures || compareText(a.name, b.name)
}

type ListProps = { readonly page: ServicePage; readonly isFiltered: boolean; readonly now: Date }

/** Those in trouble, then the others. */
export const ServiceList = ({ page: { troubled, others }, isFiltered, now }: ListProps) =>
  troubled.length + others.length === 0 ? (
    <NoServices isFiltered={isFiltered} />
  ) : (
    <>
      <Group title="In trouble" services={troubled} now={now} />
      <Group title={troubled.length > 0 ? 'All others' : 'By name'} services={others} now={now} />
    </>
  )

const NoServices = ({ isFiltered }: { readonly isFiltered: boolean }) => (
  <div class="empty">
    <h2>{isFiltered ? 'No service of that name' : 'No services yet'}</h2>
    <p>
      {isFiltered ? (
        <a href="/services">Show all services</a>
      ) : (
        <>
          A service appears with its first event. <a href="/start">Send one</a>
        </>
      )}
    </p>
  </div>
)

type GroupProps = { readonly title: string; readonly services: readonly ServiceOverview[]; readonly now: Date }

const Group = ({ title, services, now }: GroupProps) =>
  services.length === 0 ? null : (
    <section>
      <h2>
        {title} <span class="quiet small">{count(services.length, 'service')}</span>
      </h2>
      <Table heads={['Service', 'How it is', 'Last event', 'Live events', `Last ${OVERVIEW_HOURS} hours`]}>
        {services.map((service) => (
          <tr>
            <th scope="row">
              <a href={`/services/${service.id}`}>
                <Outside>{service.name}</Outside>
              </a>
              {service.team !== null && (
                <span class="quiet small">
                  {' '}
                  <Outside>{service.team}</Outside>
                </span>
              )}
            </th>
            <td>
              <HealthBadge health={toServiceHealth(service, now)} /> <span class="small quiet">{toSigns(service)}</span>
              <Parts parts={service.parts} />
            </td>
            <td>{service.lastEventAt !== null && <Age at={service.lastEventAt} now={now} />}</td>
            <td>
              <LiveCounts live={service.live} isSample={service.isSample} />
            </td>
            <td>
              <Spark hourly={service.hourly} />
            </td>
          </tr>
        ))}
      </Table>
    </section>
  )

/** What a service's health is judged by. */
function toSigns({ activeIncidents, failures, isSample }: ServiceOverview): string {
  return [
    activeIncidents > 0 && count(activeIncidents, 'active incident'),
    failures > 0 && `${count(failures, 'failure')}${isSample ? ' or more' : ''} in ${RECENT_MINUTES} min`,
  ]
    .filter(Boolean)
    .join(', ')
}

const Parts = ({ parts }: Pick<ServiceOverview, 'parts'>) =>
  parts.length === 0 ? null : (
    <details class="more small">
      <summary>{describeParts(parts.map(({ name }) => name))}</summary>
      <ul>
        {parts.map(({ id, name }) => (
          <li>
            <a href={`/services/${id}`}>
              <Outside>{name}</Outside>
            </a>
          </li>
        ))}
      </ul>
    </details>
  )

const LiveCounts = ({ live, isSample }: Pick<ServiceOverview, 'live' | 'isSample'>) => {
  const types = EVENT_TYPES.filter((type) => live[type])
  return types.length === 0 ? (
    <span class="quiet">none</span>
  ) : (
    <ul class="legend">
      {types.map((type) => (
        <li>
          <TypeLabel type={type} /> {live[type]?.toLocaleString('en')}
          {isSample && '+'}
        </li>
      ))}
    </ul>
  )
}

const BAR = 10
const SPARK_HEIGHT = 28

const Spark = ({ hourly }: { readonly hourly: readonly number[] }) => {
  const most = Math.max(1, ...hourly)
  const total = hourly.reduce((sum, events) => sum + events, 0)
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${hourly.length * BAR} ${SPARK_HEIGHT}`}
      role="img"
      aria-label={`${count(total, 'event')}, ${hourly.at(-1)} in this hour`}
    >
      {hourly.map((events, place) => {
        const height = events === 0 ? 2 : Math.max(3, (SPARK_HEIGHT * events) / most)
        return <rect class={events === 0 ? 'none' : ''} x={place * BAR} y={SPARK_HEIGHT - height} width={BAR - 2} height={height} />
      })}
    </svg>
  )
}
