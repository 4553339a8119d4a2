import type { Deps } from '../../deps.ts'
import { AppError } from '../../domain/errors.ts'
import { isNameLength, MAX_NAME_LENGTH, MAX_URL_LENGTH } from '../../domain/event/event.ts'
import { MAX_DECLARED } from '../../domain/graph/service-graph.ts'
import type { ServiceId } from '../../domain/ids.ts'
import { isWebAddress, toShownValue, toStorableText } from '../../domain/text.ts'
import { daysBefore } from '../../domain/window/sweep.ts'
import { deferTo } from '../../http/context.ts'
import { listBlames } from '../../store/changes.ts'
import { listIncidents } from '../../store/incident-lists.ts'
import { getNeighbourhood } from '../../store/neighbourhoods.ts'
import { listServiceOverviews } from '../../store/service-overviews.ts'
import { listUnclaimedFlags } from '../../store/unclaimed-flags.ts'
import { diagnoseNow } from '../../usecases/diagnose-now.ts'
import { readWindow } from '../../usecases/read-window.ts'
import { assignOwner, declareCallees } from '../../usecases/write-service.ts'
import { renderPage } from '../layout.tsx'
import {
  createPageRouter,
  getId,
  readForm,
  readPage,
  readText,
  requireManager,
  toAppContext,
  toPageTrail,
  toReader,
} from '../page-request.ts'
import { Badge, Filters, Live, Pages, withQuery } from '../parts.tsx'
import { ServicePage } from './service.tsx'
import { INCIDENT_DAYS, SHOWN_INCIDENTS } from './service-incidents.tsx'
import { ServiceList, toServicePage } from './service-list.tsx'

const PAGE_SIZE = 25

/** The services and each one's own page. */
export const servicePages = (deps: Deps) =>
  createPageRouter()
    .get('/services', async (c) => {
      const { after } = c.req.query()
      const now = deps.now()
      const query = {
        heardOfSince: daysBefore(now, deps.retention.silentServiceDays),
        nameLike: readText(c, 'name'),
        after: after === undefined ? undefined : toStorableText(after),
        limit: PAGE_SIZE + 1,
      }
      const services = await readPage(c, deps, (db, tenantId) => listServiceOverviews(db, tenantId, query))
      const page = toServicePage(services, PAGE_SIZE, now)
      const next = page.hasMore ? withQuery('/services', { name: query.nameLike, after: page.lastName }) : undefined
      const isFiltered = query.nameLike !== undefined || after !== undefined
      return renderPage(
        c,
        { title: 'Services', now, tab: 'services' },
        <>
          <div class="head">
            <div>
              <h1>Services</h1>
              <p class="row">
                {page.troubled.length > 0 && <Badge kind="bad">{`${page.troubled.length} in trouble`}</Badge>}
                <span class="quiet">Everything that events or alerts named in the last {deps.retention.silentServiceDays} days.</span>
              </p>
            </div>
          </div>
          <Filters says={query.nameLike === undefined ? 'every service' : `name contains “${query.nameLike}”`}>
            <form method="get" action="/services" class="fields" aria-label="Filter the services">
              <div class="field">
                <label for="name">Name contains</label>
                <input id="name" name="name" value={query.nameLike ?? ''} autocomplete="off" />
              </div>
              <button type="submit">Filter</button>
              {query.nameLike !== undefined && <a href="/services">Clear</a>}
            </form>
          </Filters>
          <Live id="services" of={services} news="The services have news.">
            <ServiceList page={page} isFiltered={isFiltered} now={now} />
          </Live>
          <Pages first={after === undefined ? undefined : withQuery('/services', { name: query.nameLike })} next={next} name="Next" />
        </>,
      )
    })
    .get('/services/:id', async (c) => {
      const serviceId = getId<ServiceId>(c, 'service')
      const now = deps.now()
      const { view, page, done } = c.req.query()
      const since = daysBefore(now, INCIDENT_DAYS).toISOString()
      const [read, around, incidents, unclaimed, blames] = await readPage(c, deps, (db, tenantId) =>
        Promise.all([
          readWindow({ ...deps, db }, { reader: toReader(c), serviceId, asOf: undefined, defer: deferTo(toAppContext(c)) }),
          getNeighbourhood(db, tenantId, serviceId),
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
          around={around}
          incidents={incidents}
          unclaimed={unclaimed}
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
      await declareCallees(deps, tenantId, serviceId, readNames((await readForm(c))['declared'] ?? ''), toPageTrail(c))
      return c.redirect(`/services/${serviceId}?done=declared#dependencies`, 303)
    })
    .post('/services/:id/owner', async (c) => {
      const serviceId = getId<ServiceId>(c, 'service')
      const { tenantId } = await requireManager(c, deps)
      const { team = '', owner_url = '' } = await readForm(c)
      if (!isNameLength(team)) throw new AppError('invalid_request', `A team has at most ${MAX_NAME_LENGTH} characters.`)
      if (owner_url !== '' && !(isWebAddress(owner_url) && owner_url.length <= MAX_URL_LENGTH))
        throw new AppError('invalid_request', 'Where an owner is found is a web address.')
      const owner = { team: toStorableText(team) || null, ownerUrl: toStorableText(owner_url) || null }
      await assignOwner(deps, tenantId, serviceId, owner, toPageTrail(c))
      return c.redirect(`/services/${serviceId}?done=assigned#dependencies`, 303)
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
