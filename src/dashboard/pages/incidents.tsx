import type { Deps } from '../../deps.ts'
import { AppError } from '../../domain/errors.ts'
import { type IncidentId, parseId } from '../../domain/ids.ts'
import { VERDICTS, type Verdict } from '../../domain/incident/quality.ts'
import { toStorableText } from '../../domain/text.ts'
import { daysBefore } from '../../domain/window/sweep.ts'
import { deferTo } from '../../http/context.ts'
import { readAftermath } from '../../store/aftermath.ts'
import { getIncident, type Incident, type IncidentQuery, listIncidents } from '../../store/incidents.ts'
import { type FirstSteps, getFirstSteps } from '../../store/tenants.ts'
import { judge, resolve } from '../../usecases/decide-incident.ts'
import { count } from '../labels.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, getId, readForm, readPage, requireManager, toAppContext, toOwnPath, toPageTrail } from '../page-request.ts'
import { Age, Confidence, Live, Notice, Outside, Pages, withQuery } from '../parts.tsx'
import { IncidentPage } from './incident.tsx'
import { Badges, VerdictForm } from './incident-parts.tsx'
import { readCorrection } from './incident-verdict.tsx'

const PAGE_SIZE = 20
const MAX_SENTENCE = 400
const RECENT_DAYS = 7
/** What was not resolved for longer was most likely forgotten. */
const ACTIVE_DAYS = 30

const STATUSES = ['active', 'resolved', 'confirmed', 'rejected'] as const
type Status = (typeof STATUSES)[number]

const STATUS_NAMES: Readonly<Record<Status, string>> = {
  active: 'Active',
  resolved: 'Resolved',
  confirmed: 'Confirmed',
  rejected: 'Marked wrong',
}

/** The incidents and each one's own page. */
export const incidentPages = (deps: Deps) =>
  createPageRouter()
    .get('/incidents', async (c) => {
      const { service: named, status: wanted, after: last, done } = c.req.query()
      const filter = { service: toStorableText(named?.trim() ?? '') || undefined, status: STATUSES.find((one) => one === wanted) }
      const after = parseId<IncidentId>(last ?? '')
      const now = deps.now()
      const plan = planLists(filter, after, now)
      const [active, rest, steps] = await readPage(c, deps, (db, tenantId) =>
        Promise.all([
          plan.active ? listIncidents(db, tenantId, plan.active) : [],
          plan.rest ? listIncidents(db, tenantId, plan.rest) : [],
          getFirstSteps(db, tenantId),
        ]),
      )
      const shown = rest.slice(0, PAGE_SIZE)
      const next = rest.length > PAGE_SIZE ? withQuery('/incidents', { ...filter, after: shown.at(-1)?.id }) : undefined
      const here = withQuery('/incidents', { ...filter, after })
      return renderPage(
        c,
        { title: 'Incidents', now, tab: 'incidents' },
        <>
          <div class="head">
            <div>
              <h1>Incidents</h1>
            </div>
            <Filter {...filter} />
          </div>
          <Notice done={done} />
          <Live id="incidents" of={[active, rest]} news="The list of incidents has changed.">
            {active.length + rest.length === 0 && <Empty isFiltered={Boolean(filter.service || filter.status || after)} steps={steps} />}
            <List title="Active" incidents={active.slice(0, PAGE_SIZE)} now={now} here={here} />
            {active.length > PAGE_SIZE && (
              <p>
                <a href={withQuery('/incidents', { ...filter, status: 'active' })}>All active incidents</a>
              </p>
            )}
            <List title={plan.title} incidents={shown} now={now} here={here} />
          </Live>
          <Pages first={after && withQuery('/incidents', filter)} next={next} />
        </>,
      )
    })
    .get('/incidents/:id', async (c) => {
      const id = getId<IncidentId>(c, 'incident')
      const [incident, later] = await readPage(c, deps, (db, tenantId) =>
        Promise.all([getIncident(db, tenantId, id), readAftermath(db, tenantId, id)]),
      )
      const { done, events } = c.req.query()
      return renderPage(
        c,
        { title: incident.title ?? `Incident on ${incident.serviceName}`, now: deps.now(), tab: 'incidents' },
        <IncidentPage incident={incident} later={later} now={deps.now()} done={done} eventsPage={Math.max(1, Number(events) || 1)} />,
      )
    })
    .post('/incidents/:id/verdict', async (c) => {
      const id = getId<IncidentId>(c, 'incident')
      const { tenantId } = await requireManager(c, deps)
      const { verdict: wanted, back } = await readForm(c)
      const verdict = wanted === 'none' ? null : VERDICTS.find((one) => one === wanted)
      if (verdict === undefined) throw new AppError('invalid_request', 'Say whether the answer was right.')
      await judge(deps, tenantId, id, { verdict }, toPageTrail(c), deferTo(toAppContext(c)))
      return c.redirect(addDone(toOwnPath(back, `/incidents/${id}`), verdict ?? 'reconsidered'), 303)
    })
    .post('/incidents/:id/cause', async (c) => {
      const id = getId<IncidentId>(c, 'incident')
      const { tenantId } = await requireManager(c, deps)
      const form = await readForm(c)
      const [latest] = (await getIncident(deps.db, tenantId, id)).diagnoses
      const correction = latest && readCorrection(form, latest)
      if (!correction) throw new AppError('invalid_request', 'Say what it was: an event that the diagnosis saw, or in your words.')
      // That nothing on record explains it stays true of what nobody reported.
      const verdict = latest.abstained && correction.eventId === null ? 'confirmed' : 'rejected'
      await judge(deps, tenantId, id, { verdict, correction }, toPageTrail(c), deferTo(toAppContext(c)))
      return c.redirect(addDone(`/incidents/${id}`, 'corrected'), 303)
    })
    .post('/incidents/:id/resolve', async (c) => {
      const id = getId<IncidentId>(c, 'incident')
      const { tenantId } = await requireManager(c, deps)
      const { back } = await readForm(c)
      await resolve(deps, tenantId, id, toPageTrail(c), deferTo(toAppContext(c)))
      return c.redirect(addDone(toOwnPath(back, `/incidents/${id}`), 'resolved'), 303)
    })

type Filters = { readonly service: string | undefined; readonly status: Status | undefined }
type Plan = { readonly active: IncidentQuery | undefined; readonly rest: IncidentQuery | undefined; readonly title: string }

/** Which lists a page shows: without a filter what is active comes first, then what was resolved in the last week. */
function planLists({ service: serviceName, status }: Filters, after: IncidentId | undefined, now: Date): Plan {
  const limit = PAGE_SIZE + 1
  const long = { since: daysBefore(now, ACTIVE_DAYS).toISOString(), serviceName, after, limit }
  if (status === undefined) {
    const recent = { ...long, since: daysBefore(now, RECENT_DAYS).toISOString(), isResolved: true }
    const active = after ? undefined : { ...long, isResolved: false }
    return { active, rest: recent, title: `Resolved in the last ${RECENT_DAYS} days` }
  }
  const title = `${STATUS_NAMES[status]}, last ${ACTIVE_DAYS} days`
  if (status === 'active' || status === 'resolved')
    return { active: undefined, rest: { ...long, isResolved: status === 'resolved' }, title }
  return { active: undefined, rest: { ...long, verdict: status satisfies Verdict }, title }
}

const Filter = ({ service, status }: Filters) => (
  <form method="get" action="/incidents" class="fields" aria-label="Filter the incidents">
    <div class="field">
      <label for="service">Service</label>
      <input id="service" name="service" value={service ?? ''} placeholder="any" autocomplete="off" />
    </div>
    <div class="field">
      <label for="filter-status">Status</label>
      <select id="filter-status" name="status">
        <option value="">any</option>
        {STATUSES.map((one) => (
          <option value={one} selected={one === status}>
            {STATUS_NAMES[one]}
          </option>
        ))}
      </select>
    </div>
    <button type="submit">Filter</button>
    {(service !== undefined || status !== undefined) && <a href="/incidents">Clear</a>}
  </form>
)

const Empty = ({ isFiltered, steps }: { readonly isFiltered: boolean; readonly steps: FirstSteps }) => {
  if (isFiltered) {
    return (
      <div class="empty">
        <h2>No incident matches</h2>
        <p>
          Names of services are compared as they are written. <a href="/incidents">Show all incidents</a>
        </p>
      </div>
    )
  }
  if (!steps.hasEvent) {
    return (
      <div class="empty">
        <h2>Nothing has been reported yet</h2>
        <p>Incidents are diagnosed from what agents report. The first agent is a minute’s work.</p>
        <p>
          <a class="button first" href="/start">
            Get started
          </a>
        </p>
      </div>
    )
  }
  return (
    <div class="empty">
      <h2>A quiet week</h2>
      <p>
        No incident in the last {RECENT_DAYS} days.{' '}
        {steps.hasIntegration ? (
          'The next alert of your pager will be diagnosed and shown here.'
        ) : (
          <>
            <a href="/settings/integrations">Connect your pager</a>, and each of its alerts is diagnosed and shown here.
          </>
        )}{' '}
        You can also <a href="/services">diagnose a service now</a>.
      </p>
    </div>
  )
}

type ListProps = { readonly title: string; readonly incidents: readonly Incident[]; readonly now: Date; readonly here: string }

const List = ({ title, incidents, now, here }: ListProps) =>
  incidents.length === 0 ? null : (
    <section>
      <h2>
        {title} <span class="quiet small">{count(incidents.length, 'incident')}</span>
      </h2>
      <ul class="cards">
        {incidents.map((incident) => (
          <li class="card">
            <Card incident={incident} now={now} here={here} />
          </li>
        ))}
      </ul>
    </section>
  )

const Card = ({ incident, now, here }: { readonly incident: Incident; readonly now: Date; readonly here: string }) => {
  const { id, serviceName, title, triggeredAt, hypothesis, recommendedAction, confidence } = incident
  return (
    <>
      <div class="row">
        <h3>
          <a href={`/incidents/${id}`}>
            <Outside>{title ?? serviceName}</Outside>
          </a>
        </h3>
        <Badges incident={incident} />
        <span class="end small quiet">
          <a href={withQuery('/incidents', { service: serviceName })}>
            <Outside>{serviceName}</Outside>
          </a>
          {' · '}
          <Age at={triggeredAt} now={now} />
        </span>
      </div>
      {hypothesis !== null && (
        <p class="answer">
          <Outside max={MAX_SENTENCE}>{hypothesis}</Outside>
        </p>
      )}
      {recommendedAction !== null && (
        <p class="action">
          <Outside max={MAX_SENTENCE}>{recommendedAction}</Outside>
        </p>
      )}
      {confidence !== null && (
        <div class="row">
          <Confidence value={confidence} />
          <span class="end" />
          <VerdictForm incident={incident} here={here} />
        </div>
      )}
    </>
  )
}

function addDone(path: string, done: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}done=${done}`
}
