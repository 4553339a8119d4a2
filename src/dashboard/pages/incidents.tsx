import type { Deps } from '../../deps.ts'
import { AppError } from '../../domain/errors.ts'
import { type IncidentId, parseId } from '../../domain/ids.ts'
import { VERDICTS } from '../../domain/incident/quality.ts'
import { daysBefore } from '../../domain/window/sweep.ts'
import { deferTo } from '../../http/context.ts'
import { readAftermath } from '../../store/aftermath.ts'
import { listIncidentCards, listNearbyCards } from '../../store/incident-cards.ts'
import { type IncidentQuery, MAX_LISTED_INCIDENTS, MAX_SEARCHED_INCIDENTS } from '../../store/incident-lists.ts'
import { getIncident } from '../../store/incidents.ts'
import { ACTIVE_DAYS } from '../../store/services.ts'
import { type FirstSteps, getFirstSteps } from '../../store/tenants.ts'
import { judge, resolve, retry } from '../../usecases/decide-incident.ts'
import { renderPage } from '../layout.tsx'
import {
  createPageRouter,
  getId,
  readForm,
  readPage,
  readText,
  requireManager,
  toAppContext,
  toOwnPath,
  toPageTrail,
} from '../page-request.ts'
import { Filters, Live, Notice, Pages, withQuery } from '../parts.tsx'
import { IncidentPage } from './incident.tsx'
import { readEventsQuery } from './incident-events.tsx'
import { ActiveCount, ActiveGroups, findSameCause, groupByCause, ResolvedDays } from './incident-list.tsx'
import { readCorrectionForm } from './incident-verdict.tsx'

const PAGE_SIZE = 20
const RECENT_DAYS = 7

/** The incidents and each one's own page. */
export const incidentPages = (deps: Deps) =>
  createPageRouter()
    .get('/incidents', async (c) => {
      const filter = readFilter({ ...c.req.query(), service: readText(c, 'service') ?? '' })
      const after = parseId<IncidentId>(c.req.query('after') ?? '')
      const now = deps.now()
      const plan = planLists(filter, after, now)
      const [active, rest, steps] = await readPage(c, deps, (db, tenantId) =>
        Promise.all([
          plan.active ? listIncidentCards(db, tenantId, plan.active) : [],
          plan.rest ? listIncidentCards(db, tenantId, plan.rest) : [],
          getFirstSteps(db, tenantId),
        ]),
      )
      const shown = rest.slice(0, PAGE_SIZE)
      const groups = groupByCause(active)
      const isFiltered = Object.values(filter).some((value) => value !== undefined) || after !== undefined
      const next = rest.length > PAGE_SIZE ? withQuery('/incidents', { ...filter, after: shown.at(-1)?.id }) : undefined
      return renderPage(
        c,
        { title: 'Incidents', now, tab: 'incidents' },
        <>
          <div class="head">
            <div>
              <h1>Incidents</h1>
              <p class="row">{plan.active && <ActiveCount groups={groups} />}</p>
            </div>
          </div>
          <Filter {...filter} />
          <Notice done={c.req.query('done')} />
          {(filter.service ?? filter.verdict) !== undefined && (
            <p class="quiet">The newest {MAX_SEARCHED_INCIDENTS.toLocaleString('en')} incidents of that time are searched.</p>
          )}
          <Live id="incidents" of={[active, rest]} news="The list of incidents has changed.">
            {active.length + rest.length === 0 && <Empty isFiltered={isFiltered} steps={steps} />}
            <ActiveGroups groups={groups} now={now} />
            {active.length === MAX_LISTED_INCIDENTS && (
              <p class="quiet">These are the {MAX_LISTED_INCIDENTS} newest; filter to see others.</p>
            )}
            <ResolvedDays incidents={shown} now={now} />
          </Live>
          <Pages first={after && withQuery('/incidents', filter)} next={next} />
        </>,
      )
    })
    .get('/incidents/:id', async (c) => {
      const id = getId<IncidentId>(c, 'incident')
      const [incident, later, nearby] = await readPage(c, deps, (db, tenantId) =>
        Promise.all([getIncident(db, tenantId, id), readAftermath(db, tenantId, id), listNearbyCards(db, tenantId, id)]),
      )
      const query = c.req.query()
      return renderPage(
        c,
        { title: incident.title ?? `Incident on ${incident.serviceName}`, now: deps.now(), tab: 'incidents' },
        <IncidentPage
          incident={incident}
          later={later}
          sameCause={findSameCause(nearby, id)}
          now={deps.now()}
          done={query['done']}
          events={readEventsQuery({ ...query, service: readText(c, 'service') ?? '', text: readText(c, 'text') ?? '' })}
          isWholeDay={query['day'] !== undefined}
        />,
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
      const correction = latest && readCorrectionForm(form, latest)
      if (!correction) throw new AppError('invalid_request', 'Say what it was: an event that the diagnosis saw, or in your words.')
      // That nothing on record explains it stays true of what nobody reported.
      const verdict = latest.abstained && correction.eventId === null ? 'confirmed' : 'rejected'
      await judge(deps, tenantId, id, { verdict, correction }, toPageTrail(c), deferTo(toAppContext(c)))
      return c.redirect(addDone(`/incidents/${id}`, 'corrected'), 303)
    })
    .post('/incidents/:id/retry', async (c) => {
      const id = getId<IncidentId>(c, 'incident')
      const { tenantId } = await requireManager(c, deps)
      await retry(deps, tenantId, id, toPageTrail(c))
      return c.redirect(`/incidents/${id}`, 303)
    })
    .post('/incidents/:id/resolve', async (c) => {
      const id = getId<IncidentId>(c, 'incident')
      const { tenantId } = await requireManager(c, deps)
      const { back } = await readForm(c)
      await resolve(deps, tenantId, id, toPageTrail(c), deferTo(toAppContext(c)))
      return c.redirect(addDone(toOwnPath(back, `/incidents/${id}`), 'resolved'), 303)
    })

const STATUSES = { active: 'Active', resolved: 'Resolved' } as const
const TIMES = { '1': 'Last 24 hours', '7': 'Last 7 days', '30': 'Last 30 days', '90': 'Last 90 days' } as const
const VERDICT_FILTERS = { confirmed: 'Confirmed', rejected: 'Marked wrong', none: 'Not judged' } as const

type Chosen = {
  readonly service: string | undefined
  readonly status: keyof typeof STATUSES | undefined
  readonly days: keyof typeof TIMES | undefined
  readonly verdict: keyof typeof VERDICT_FILTERS | undefined
}

function readFilter({ service, status, days, verdict }: Readonly<Record<string, string>>): Chosen {
  const pick = <Key extends string>(options: Readonly<Record<Key, string>>, wanted: string | undefined): Key | undefined =>
    // The keys of an object literal are its type's.
    (Object.keys(options) as Key[]).find((key) => key === wanted)
  return {
    service: service || undefined,
    status: pick(STATUSES, status),
    days: pick(TIMES, days),
    // Where statuses and verdicts were one list, links said so.
    verdict: pick(VERDICT_FILTERS, verdict ?? status),
  }
}

type Plan = { readonly active: IncidentQuery | undefined; readonly rest: IncidentQuery | undefined }

/** Which lists a page shows: what is active first, then what was resolved. */
function planLists({ service, status, days, verdict }: Chosen, after: IncidentId | undefined, now: Date): Plan {
  const common = { textLike: service, verdict: verdict === 'none' ? null : verdict }
  const since = (usual: number) => daysBefore(now, days === undefined ? usual : Number(days)).toISOString()
  const isWide = service !== undefined || verdict !== undefined || status !== undefined
  return {
    active: status === 'resolved' || after ? undefined : { ...common, since: since(ACTIVE_DAYS), isResolved: false },
    rest:
      status === 'active'
        ? undefined
        : { ...common, since: since(isWide ? ACTIVE_DAYS : RECENT_DAYS), isResolved: true, after, limit: PAGE_SIZE + 1 },
  }
}

const RECENT = `last ${RECENT_DAYS} days`

const Filter = ({ service, status, days, verdict }: Chosen) => (
  <Filters
    says={[
      service && `“${service}”`,
      status ? STATUSES[status].toLowerCase() : 'every status',
      days ? TIMES[days].toLowerCase() : RECENT,
      verdict && VERDICT_FILTERS[verdict].toLowerCase(),
    ]
      .filter(Boolean)
      .join(', ')}
  >
    <form method="get" action="/incidents" class="fields" aria-label="Filter the incidents">
      <div class="field">
        <label for="service">Title or service contains</label>
        <input id="service" name="service" value={service ?? ''} autocomplete="off" />
      </div>
      <Select name="status" label="Status" any="every status" options={STATUSES} chosen={status} />
      <Select name="days" label="Time" any={RECENT} options={TIMES} chosen={days} />
      <Select name="verdict" label="Verdict" any="any" options={VERDICT_FILTERS} chosen={verdict} />
      <button type="submit">Filter</button>
      {[service, status, days, verdict].some((value) => value !== undefined) && <a href="/incidents">Clear</a>}
    </form>
  </Filters>
)

type SelectProps = {
  readonly name: string
  readonly label: string
  readonly any: string
  readonly options: Readonly<Record<string, string>>
  readonly chosen: string | undefined
}

const Select = ({ name, label, any, options, chosen }: SelectProps) => (
  <div class="field">
    <label for={`filter-${name}`}>{label}</label>
    <select id={`filter-${name}`} name={name}>
      <option value="">{any}</option>
      {Object.entries(options).map(([value, words]) => (
        <option value={value} selected={value === chosen}>
          {words}
        </option>
      ))}
    </select>
  </div>
)

const Empty = ({ isFiltered, steps }: { readonly isFiltered: boolean; readonly steps: FirstSteps }) => {
  if (isFiltered) {
    return (
      <div class="empty">
        <h2>No incident matches</h2>
        <p>
          <a href="/incidents">Show all incidents</a>
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

function addDone(path: string, done: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}done=${done}`
}
