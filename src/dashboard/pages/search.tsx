import type { Child } from 'hono/jsx'
import type { Deps } from '../../deps.ts'
import { toNameKey, toOwner } from '../../domain/event/service-name.ts'
import { daysBefore } from '../../domain/window/sweep.ts'
import { type SearchResult, searchAll } from '../../store/searches.ts'
import { Glyph } from '../chart.tsx'
import { byActor, nameChange, tellRest, toShownKind } from '../event-words.ts'
import { count, toMoment, toShown } from '../labels.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, readPage, readText } from '../page-request.ts'
import { Age, Badge, Outside, withQuery } from '../parts.tsx'

const MIN_LENGTH = 2
const MAX_TITLE = 160
const NOTHING: SearchResult = { services: [], incidents: [], changes: [], actors: [] }

/** Finds services, incidents, changes, and who made changes. */
export const searchPages = (deps: Deps) =>
  createPageRouter().get('/search', async (c) => {
    const now = deps.now()
    const text = readText(c, 'q') ?? ''
    const isAsked = text.length >= MIN_LENGTH
    const found = await readPage(c, deps, async (db, tenantId) =>
      isAsked ? await searchAll(db, tenantId, text, daysBefore(now, deps.retention.silentServiceDays)) : NOTHING,
    )
    return renderPage(
      c,
      { title: 'Search', now, tab: 'search', query: text },
      <div class="prose">
        <h1>{isAsked ? <Outside>{`Search: ${text}`}</Outside> : 'Search'}</h1>
        {isAsked ? (
          <Results found={found} text={text} now={now} />
        ) : (
          <p class="quiet">Two letters or more of a service, a sha, a flag, a person or bot, or an incident’s title.</p>
        )}
      </div>,
    )
  })

type Kind = keyof SearchResult

/** How well the first hit of a kind fits: a whole name before a beginning, and what is rarer to be meant before what is not. */
function findBest({ services, incidents, changes, actors }: SearchResult, text: string): Kind | undefined {
  const key = toNameKey(text)
  const begins = (name: string | null | undefined) => name?.toLowerCase().startsWith(text.toLowerCase()) ?? false
  const [service, change, actor] = [services[0], changes[0], actors[0]]
  if (service && toNameKey(service.name).startsWith(key)) return 'services'
  if (change && (begins(change.sha) || begins(change.entity))) return 'changes'
  if (actor) return 'actors'
  if (service) return 'services'
  if (incidents.length > 0) return 'incidents'
  return changes.length > 0 ? 'changes' : undefined
}

type ResultsProps = { readonly found: SearchResult; readonly text: string; readonly now: Date }

const Results = ({ found, text, now }: ResultsProps) => {
  const best = findBest(found, text)
  return (
    <>
      {best === undefined && (
        <div class="empty">
          <h2>Nothing is found</h2>
          <p>Names and titles are searched for any part, shas, flags and people by how they begin.</p>
        </div>
      )}
      <Kind title="Services" isBest={best === 'services'}>
        {found.services.map(({ id, name, lastMs, isAlerting }) => (
          <Hit
            href={`/services/${id}`}
            name={<Marked text={name} part={text} />}
            more={
              <>
                last event <Age at={new Date(lastMs)} now={now} />
              </>
            }
            badge={isAlerting && <Badge kind="bad">Alerting</Badge>}
          />
        ))}
      </Kind>
      <Kind title="Incidents" isBest={best === 'incidents'}>
        {found.incidents.map(({ id, title, serviceName, triggeredMs, isResolved }) => (
          <Hit
            href={`/incidents/${id}`}
            name={<Marked text={title ?? serviceName} part={text} />}
            more={
              <>
                <Marked text={serviceName} part={text} />, {toMoment(new Date(triggeredMs), now)}
              </>
            }
            badge={isResolved ? <Badge sign="check">Resolved</Badge> : <Badge kind="bad">Active</Badge>}
          />
        ))}
      </Kind>
      <Kind title="Changes" isBest={best === 'changes'}>
        {nameOnce(found.changes).map(({ change, service, name }) => {
          return (
            <Hit
              href={withQuery('/changes', {
                service,
                text: change.sha ?? change.entity,
                since: new Date(change.atMs).toISOString().slice(0, 10),
              })}
              glyph={<Glyph type={toShownKind(change)} />}
              name={<Marked text={name} part={text} />}
              more={
                <>
                  <Outside>{[toMoment(new Date(change.atMs), now), tellRest(change, name)].filter(Boolean).join(', ')}</Outside>
                  <Marked text={byActor(change)} part={text} />
                </>
              }
            />
          )
        })}
      </Kind>
      <Kind title="People and bots" isBest={best === 'actors'}>
        {found.actors.map(({ name, changes }) => (
          <Hit
            href={withQuery('/changes', { actor: name, since: '2000-01-01' })}
            name={<Marked text={name} part={text} />}
            more={count(changes, 'change')}
          />
        ))}
      </Kind>
      <p>
        <a href={withQuery('/changes', { text })}>Changes of the last day whose text contains it</a>
      </p>
    </>
  )
}

/** Of changes that are called the same, such as the reports of one rollout, the latest. */
function nameOnce(changes: SearchResult['changes']) {
  const named = changes.map((change) => {
    const service = toOwner({ ...change, eventType: change.event_type })
    return { change, service, name: nameChange({ ...change, service }) }
  })
  return named.filter(({ name }, place) => named.findIndex((one) => one.name === name) === place)
}

type KindProps = { readonly title: string; readonly isBest: boolean; readonly children: readonly Child[] }

const Kind = ({ title, isBest, children }: KindProps) =>
  children.length === 0 ? null : (
    <section>
      <h2>
        {title} {isBest && <span class="small quiet">best match first</span>}
      </h2>
      <ul class={isBest ? 'card group hits best' : 'card group hits'}>{children}</ul>
    </section>
  )

type HitProps = {
  readonly href: string
  readonly name: Child
  readonly more: Child
  readonly glyph?: Child
  readonly badge?: Child
}

const Hit = ({ href, name, more, glyph = null, badge = null }: HitProps) => (
  <li>
    <a class="hit" href={href}>
      <span>
        {glyph} {name}
        <small>{more}</small>
      </span>
      {badge}
    </a>
  </li>
)

/** A text from outside with the part that was searched for marked. */
const Marked = ({ text, part }: { readonly text: string; readonly part: string }) => {
  const shown = toShown(text, MAX_TITLE)
  const at = shown.toLowerCase().indexOf(part.toLowerCase())
  if (at < 0) return <bdi>{shown}</bdi>
  const end = at + part.length
  return (
    <bdi>
      {shown.slice(0, at)}
      <mark>{shown.slice(at, end)}</mark>
      {shown.slice(end)}
    </bdi>
  )
}
