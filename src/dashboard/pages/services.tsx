import type { Deps } from '../../deps.ts'
import { AppError } from '../../domain/errors.ts'
import { EVENT_TYPES, isNameLength, MAX_NAME_LENGTH } from '../../domain/event/event.ts'
import { isFlagService } from '../../domain/event/flag.ts'
import { MAX_DECLARED } from '../../domain/graph/service-graph.ts'
import type { ServiceId } from '../../domain/ids.ts'
import { toShownValue, toStorableText } from '../../domain/text.ts'
import { toWindowDocument } from '../../domain/window/document.ts'
import { daysBefore } from '../../domain/window/sweep.ts'
import { deferTo } from '../../http/context.ts'
import { type Blame, listBlames } from '../../store/changes.ts'
import { type Incident, listIncidents } from '../../store/incidents.ts'
import { type Dependencies, declareDependencies, getDependencies } from '../../store/service-graph.ts'
import { listServiceOverviews, OVERVIEW_HOURS, type ServiceOverview } from '../../store/service-overviews.ts'
import { listUnclaimedFlags, type UnclaimedFlag } from '../../store/unclaimed-flags.ts'
import { diagnoseNow } from '../../usecases/diagnose-now.ts'
import { readWindow, type WindowResult } from '../../usecases/read-window.ts'
import { Glyph } from '../chart.tsx'
import { FlagsNotice } from '../flags-notice.tsx'
import { count, TYPE_NAMES } from '../labels.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, getId, readForm, readPage, requireManager, toAppContext, toPageTrail, toReader } from '../page-request.ts'
import { Age, Badge, ForManagers, Live, Notice, Outside, Pages, withQuery } from '../parts.tsx'
import { DependencyList } from './service-dependencies.tsx'
import { BlamedFor, INCIDENT_DAYS, ServiceIncidents, SHOWN_INCIDENTS } from './service-incidents.tsx'
import { WindowView } from './window.tsx'

const PAGE_SIZE = 25
const STALE_MS = 3_600_000

/** The services and each one's own page. */
export const servicePages = (deps: Deps) =>
  createPageRouter()
    .get('/services', async (c) => {
      const { name, after } = c.req.query()
      const now = deps.now()
      const query = {
        heardOfSince: daysBefore(now, deps.retention.silentServiceDays),
        nameLike: toStorableText(name?.trim() ?? '') || undefined,
        after: after === undefined ? undefined : toStorableText(after),
        limit: PAGE_SIZE + 1,
      }
      const services = await readPage(c, deps, (db, tenantId) => listServiceOverviews(db, tenantId, query))
      const shown = services.slice(0, PAGE_SIZE)
      const next = services.length > PAGE_SIZE ? withQuery('/services', { name: query.nameLike, after: shown.at(-1)?.name }) : undefined
      return renderPage(
        c,
        { title: 'Services', now, tab: 'services' },
        <>
          <div class="head">
            <div>
              <h1>Services</h1>
              <p class="quiet">Everything that events or alerts named in the last {deps.retention.silentServiceDays} days.</p>
            </div>
            <form method="get" action="/services" class="fields" aria-label="Filter the services">
              <div class="field">
                <label for="name">Name contains</label>
                <input id="name" name="name" value={query.nameLike ?? ''} autocomplete="off" />
              </div>
              <button type="submit">Filter</button>
              {query.nameLike !== undefined && <a href="/services">Clear</a>}
            </form>
          </div>
          {shown.length === 0 ? (
            <NoServices isFiltered={query.nameLike !== undefined || after !== undefined} />
          ) : (
            <Live id="services" of={services} news="The services have news.">
              <ServiceTable services={shown} now={now} />
            </Live>
          )}
          <Pages first={after === undefined ? undefined : withQuery('/services', { name: query.nameLike })} next={next} name="Next" />
        </>,
      )
    })
    .get('/services/:id', async (c) => {
      const serviceId = getId<ServiceId>(c, 'service')
      const now = deps.now()
      const { view, page, done } = c.req.query()
      const since = daysBefore(now, INCIDENT_DAYS).toISOString()
      const [read, dependencies, incidents, unclaimed, blames] = await readPage(c, deps, (db, tenantId) =>
        Promise.all([
          readWindow({ ...deps, db }, { reader: toReader(c), serviceId, asOf: undefined, defer: deferTo(toAppContext(c)) }),
          getDependencies(db, tenantId, serviceId),
          listIncidents(db, tenantId, { since, serviceId, limit: SHOWN_INCIDENTS }),
          listUnclaimedFlags(db, tenantId, { serviceId }),
          listBlames(db, tenantId, daysBefore(now, INCIDENT_DAYS), serviceId),
        ]),
      )
      return renderPage(
        c,
        { title: read.serviceName, now, tab: 'services' },
        <ServicePage
          id={serviceId}
          read={read}
          dependencies={dependencies}
          incidents={incidents}
          flags={toAsked(read, unclaimed)}
          blames={blames}
          now={now}
          view={view}
          page={Math.max(1, Number(page) || 1)}
          done={done}
        />,
      )
    })
    .post('/services/:id/dependencies', async (c) => {
      const serviceId = getId<ServiceId>(c, 'service')
      const { tenantId } = await requireManager(c, deps)
      await declareDependencies(deps.db, tenantId, serviceId, readNames((await readForm(c))['declared'] ?? ''), toPageTrail(c))
      return c.redirect(`/services/${serviceId}?done=declared#dependencies`, 303)
    })
    .post('/services/:id/diagnose', async (c) => {
      getId<ServiceId>(c, 'service')
      const { tenantId } = await requireManager(c, deps)
      const { service = '', title = '' } = await readForm(c)
      const [serviceName] = readNames(service)
      if (serviceName === undefined) throw new AppError('invalid_request', 'The form names no service.')
      const question = {
        serviceName,
        title: title === '' ? null : toShownValue(toStorableText(title)),
        triggeredAt: deps.now(),
        observedUntil: null,
        environment: null,
        opens: true,
      }
      const { id } = await diagnoseNow(deps, tenantId, question, toPageTrail(c))
      return c.redirect(`/incidents/${id}`, 303)
    })

/** The names in a text, one a line. */
function readNames(text: string): string[] {
  const names = [...new Set(text.split(/[\r\n]+/).map((line) => toStorableText(line.trim())))].filter((name) => name !== '')
  if (names.length > MAX_DECLARED) throw new AppError('invalid_request', `At most ${MAX_DECLARED} names fit.`)
  if (!names.every(isNameLength)) {
    throw new AppError('invalid_request', `A name has at most ${MAX_NAME_LENGTH} characters.`)
  }
  return names
}

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

const ServiceTable = ({ services, now }: { readonly services: readonly ServiceOverview[]; readonly now: Date }) => (
  <div class="scroll">
    <table class="fold">
      <thead>
        <tr>
          <th scope="col">Service</th>
          <th scope="col">Last event</th>
          <th scope="col">Live events</th>
          <th scope="col">Last {OVERVIEW_HOURS} hours</th>
        </tr>
      </thead>
      <tbody>
        {services.map(({ id, name, lastEventAt, live, hourly, isSample }) => (
          <tr>
            <th scope="row">
              <a href={`/services/${id}`}>
                <Outside>{name}</Outside>
              </a>
            </th>
            <td>
              <LastEvent at={lastEventAt} now={now} />
            </td>
            <td>
              <LiveCounts live={live} isSample={isSample} />
            </td>
            <td>
              <Spark hourly={hourly} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)

const LastEvent = ({ at, now }: { readonly at: Date | null; readonly now: Date }) => {
  if (at === null) return <Badge hollow>No events yet</Badge>
  return (
    <>
      <Age at={at} now={now} /> {now.getTime() - at.getTime() > STALE_MS && <Badge kind="warn">Silent for over an hour</Badge>}
    </>
  )
}

const LiveCounts = ({ live, isSample }: Pick<ServiceOverview, 'live' | 'isSample'>) => {
  const types = EVENT_TYPES.filter((type) => live[type])
  return types.length === 0 ? (
    <span class="quiet">none</span>
  ) : (
    <ul class="legend">
      {types.map((type) => (
        <li>
          <Glyph type={type} /> {live[type]?.toLocaleString('en')}
          {isSample && '+'} <span>{TYPE_NAMES[type]}</span>
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

type ServicePageProps = {
  readonly id: ServiceId
  readonly read: WindowResult
  readonly dependencies: Dependencies
  readonly incidents: readonly Incident[]
  readonly flags: readonly string[]
  readonly blames: readonly Blame[]
  readonly now: Date
  readonly view: string | undefined
  readonly page: number
  readonly done: string | undefined
}

/** Of the flags that nobody evaluates those that the flag service itself tells of: others are of this service. */
function toAsked({ serviceName, window }: WindowResult, unclaimed: readonly UnclaimedFlag[]): readonly string[] {
  const own = window.entries.flag_change.filter(({ joinedBy, vendor }) => joinedBy === 'service_name' && isFlagService(serviceName, vendor))
  const told = new Set(own.map(({ entity }) => entity))
  return unclaimed.map(({ flag }) => flag).filter((flag) => told.has(flag))
}

const ServicePage = ({
  id,
  read: { serviceName, window },
  dependencies,
  incidents,
  flags,
  blames,
  now,
  view,
  page,
  done,
}: ServicePageProps) => (
  <>
    <div class="head">
      <div>
        <p class="crumb">
          <a href="/services">Services</a>
        </p>
        <h1>
          <Outside>{serviceName}</Outside>
        </h1>
        <p class="quiet">
          {window.updatedAt ? (
            <>
              Last received <Age at={window.updatedAt} now={now} />
            </>
          ) : (
            'Nothing live is on record.'
          )}
        </p>
      </div>
      <ForManagers>
        <form method="post" action={`/services/${id}/diagnose`} class="fields">
          <input type="hidden" name="service" value={serviceName} />
          <div class="field">
            <label for="title">What is wrong (optional)</label>
            <input id="title" name="title" maxlength={1024} placeholder="error rate above 5 %" autocomplete="off" />
          </div>
          <button type="submit" class="first">
            Diagnose now
          </button>
        </form>
      </ForManagers>
    </div>
    <Notice done={done} />
    <FlagsNotice flags={flags} />
    <WindowView
      path={`/services/${id}`}
      window={window}
      document={toWindowDocument({ service: serviceName, window })}
      now={now}
      view={view}
      page={page}
    />
    <div class="columns stack">
      <DependencyList id={id} dependencies={dependencies} now={now} />
      <ServiceIncidents serviceName={serviceName} incidents={incidents} now={now} />
      <BlamedFor blames={blames} now={now} />
    </div>
  </>
)
