import { isFlagService } from '../../domain/event/flag.ts'
import { toNeighbours } from '../../domain/graph/neighbourhood.ts'
import type { ServiceId } from '../../domain/ids.ts'
import { HOUR_MS } from '../../domain/timestamp.ts'
import { toWindowDocument } from '../../domain/window/document.ts'
import { isFailure, RECENT_MINUTES, toServiceHealth } from '../../domain/window/service-health.ts'
import { type StateWindow, toHappenedAt } from '../../domain/window/window.ts'
import type { Blame } from '../../store/changes.ts'
import type { Incident } from '../../store/incidents.ts'
import type { Neighbourhood } from '../../store/neighbourhoods.ts'
import type { UnclaimedFlag } from '../../store/unclaimed-flags.ts'
import type { WindowResult } from '../../usecases/read-window.ts'
import { FlagsNotice } from '../flags-notice.tsx'
import { count, toClock } from '../labels.ts'
import { ServiceMap } from '../map.tsx'
import { Age, ForManagers, Notice, Outside } from '../parts.tsx'
import { describeParts, HealthBadge } from '../service-words.tsx'
import { DependencyForms } from './service-dependencies.tsx'
import { BlamedFor, ServiceIncidents } from './service-incidents.tsx'
import { WindowView } from './service-window.tsx'

type ServicePageProps = {
  readonly id: ServiceId
  readonly read: WindowResult
  readonly around: Neighbourhood
  readonly incidents: readonly Incident[]
  readonly unclaimed: readonly UnclaimedFlag[]
  readonly blames: readonly Blame[]
  readonly now: Date
  readonly view: string | undefined
  readonly page: number
  readonly done: string | undefined
}

/** One service: how it is, which of its changes is blamed, who is around it, and what is live. */
export const ServicePage = (props: ServicePageProps) => {
  const { id, read, around, incidents, unclaimed, blames, now, view, page, done } = props
  const { serviceName, window } = read
  const signs = toSigns(window, incidents, now)
  const health = toServiceHealth(signs, now)
  const neighbours = toNeighbours(around)
  return (
    <>
      <div class="head">
        <div>
          <p class="crumb">
            <a href="/services">Services</a>
          </p>
          <h1>
            <Outside>{serviceName}</Outside>
          </h1>
          <p class="row">
            <HealthBadge health={health} />
            <span class="quiet">
              {window.updatedAt ? (
                <>
                  last event <Age at={window.updatedAt} now={now} />
                </>
              ) : (
                'nothing live is on record'
              )}
              {[signs.told, describeLiveParts(window)].flatMap((text) => (text === '' ? [] : ` · ${text}`))}
              <Owner around={around} />
            </span>
          </p>
        </div>
        <DiagnoseForm id={id} serviceName={serviceName} />
      </div>
      <Notice done={done} />
      <FlagsNotice flags={toAsked(read, unclaimed)} />
      <BlamedFor blames={blames} now={now} />
      <section aria-labelledby="around">
        <h2 id="around">
          Around it <span class="quiet small">failing calls of the last hour</span>
        </h2>
        <div class="card">
          <ServiceMap
            name={serviceName}
            state={signs.short}
            isWell={health === 'well' || health === 'recovering'}
            neighbours={neighbours}
            services={around.services}
            now={now}
          />
          <DependencyForms id={id} around={around} neighbours={neighbours} now={now} isOpen={done === 'declared' || done === 'assigned'} />
        </div>
      </section>
      <WindowView
        path={`/services/${id}`}
        serviceName={serviceName}
        window={window}
        document={toWindowDocument({ service: serviceName, window })}
        now={now}
        view={view}
        page={page}
      />
      <ServiceIncidents serviceName={serviceName} incidents={incidents} now={now} />
    </>
  )
}

const Owner = ({ around: { team, ownerUrl } }: { readonly around: Neighbourhood }) => {
  if (team === null && ownerUrl === null) return null
  const name = <Outside>{team ?? 'its owner'}</Outside>
  return (
    <>
      {' · owned by '}
      {ownerUrl === null ? (
        name
      ) : (
        <a href={ownerUrl} rel="noreferrer noopener">
          {name}
        </a>
      )}
    </>
  )
}

const DiagnoseForm = ({ id, serviceName }: { readonly id: ServiceId; readonly serviceName: string }) => (
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
)

/** What a window and the service's incidents say of how it is, and the same in words. */
function toSigns(window: StateWindow, incidents: readonly Incident[], now: Date) {
  const all = Object.values(window.entries).flat()
  const failures = all.filter(({ eventType }) => isFailure(eventType)).map((entry) => ({ ...entry, at: toHappenedAt(entry) }))
  const within = (ms: number) => failures.filter(({ at }) => now.getTime() - at.getTime() < ms)
  const sum = (entries: typeof failures) => entries.reduce((total, { count: times }) => total + times, 0)
  const recent = within(RECENT_MINUTES * 60_000)
  const ofHour = within(HOUR_MS)
  const lastFailureAt = ofHour.length === 0 ? null : new Date(Math.max(...ofHour.map(({ at }) => at.getTime())))
  const signs = {
    activeIncidents: incidents.filter(({ resolvedAt }) => resolvedAt === null).length,
    failures: sum(recent),
    lastFailureAt,
    lastEventAt: window.updatedAt ?? null,
  }
  if (lastFailureAt === null) return { ...signs, told: '', short: 'no failure in the last hour' }
  const since = toClock(new Date(Math.min(...ofHour.map(({ firstTimestamp }) => firstTimestamp.getTime()))), now)
  const until = toClock(lastFailureAt, now)
  if (toServiceHealth({ ...signs, activeIncidents: 0 }, now) !== 'failing')
    return { ...signs, told: `${count(sum(ofHour), 'failure')}, ${since} to ${until}`, short: `the last failure at ${until}` }
  return { ...signs, told: `failing since ${since}, ${sum(ofHour)} times`, short: `failing since ${since}` }
}

function describeLiveParts(window: StateWindow): string {
  const all = Object.values(window.entries).flat()
  return describeParts([
    ...new Set(all.flatMap(({ joinedBy, entity }) => (joinedBy === 'pod' || joinedBy === 'autoscaler' ? [entity] : []))),
  ])
}

/** Of the flags that nobody evaluates those that the flag service itself tells of: others are of this service. */
function toAsked({ serviceName, window }: WindowResult, unclaimed: readonly UnclaimedFlag[]): readonly string[] {
  const own = window.entries.flag_change.filter(({ joinedBy, vendor }) => joinedBy === 'service_name' && isFlagService(serviceName, vendor))
  const told = new Set(own.map(({ entity }) => entity))
  return unclaimed.map(({ flag }) => flag).filter((flag) => told.has(flag))
}
