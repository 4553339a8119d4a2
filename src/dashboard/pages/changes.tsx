import type { Deps } from '../../deps.ts'
import { EVENT_TYPES, type EventType, isChangeType } from '../../domain/event/event.ts'
import { type EventId, parseId, type TenantId } from '../../domain/ids.ts'
import { parseTimestamp } from '../../domain/timestamp.ts'
import { daysBefore } from '../../domain/window/sweep.ts'
import { type Change, type ChangeQuery, listBlames, listChanges, MAX_SEARCHED, surveyChanges } from '../../store/changes.ts'
import { listIncidents } from '../../store/incident-lists.ts'
import type { Db } from '../../store/postgres.ts'
import { TypeLabel } from '../chart.tsx'
import { renderPage } from '../layout.tsx'
import type { PageContext } from '../page-env.ts'
import { createPageRouter, readPage, readText } from '../page-request.ts'
import { Filters, Live, Pages, withQuery } from '../parts.tsx'
import { ChangeList, countTypes, foldRollouts } from './change-list.tsx'

const CHANGE_TYPES = EVENT_TYPES.filter(isChangeType)
const PAGE_SIZE = 50
/** As long as changes are kept at least. */
const USUAL_DAYS = 1
const BLAME_DAYS = 8
const MAX_ALERTS = 20
/** So many of the latest changes are counted. */
const SURVEYED = 200

/** What was changed across services: what people look at before anything fires. */
export const changePages = (deps: Deps) =>
  createPageRouter().get('/changes', async (c) => {
    const now = deps.now()
    const asked = readFilter(c)
    const { since = daysBefore(now, USUAL_DAYS).toISOString(), until, type } = asked.read
    const after = parseId<EventId>(c.req.query('after') ?? '')
    const query = {
      since,
      until,
      serviceLike: asked.texts.service,
      actorLike: asked.texts.actor,
      textLike: asked.texts.text,
    }
    const [{ changes, all }, blames, incidents] = await readPage(c, deps, (db, tenantId) =>
      Promise.all([
        readChanges(db, tenantId, query, type, after),
        listBlames(db, tenantId, daysBefore(now, BLAME_DAYS)),
        listIncidents(db, tenantId, { since, before: until, limit: MAX_ALERTS }),
      ]),
    )
    const shown = changes.slice(0, PAGE_SIZE)
    const rollouts = foldRollouts(all)
    const next = changes.length > PAGE_SIZE ? withQuery('/changes', { ...asked.texts, after: shown.at(-1)?.id }) : undefined
    return renderPage(
      c,
      { title: 'Changes', now, tab: 'changes' },
      <>
        <div class="head">
          <div>
            <h1>Changes</h1>
            <p class="quiet">What was changed, across all services, newest first.</p>
          </div>
          <div class="corner" data-copy="link" data-label="Copy link">
            <code hidden>{c.req.url}</code>
          </div>
        </div>
        {asked.isRefused && (
          <p class="notice bad" role="alert">
            A time is written like 2026-01-15 10:00 (UTC) or as ISO 8601. What could not be read was left out.
          </p>
        )}
        <Filter texts={asked.texts} />
        {(asked.texts.service ?? asked.texts.actor ?? asked.texts.text) !== undefined && (
          <p class="quiet">
            The latest {MAX_SEARCHED.toLocaleString('en')} changes of each kind are searched; set Until to look further back.
          </p>
        )}
        <Kinds texts={asked.texts} type={type} counts={countTypes(rollouts)} isAll={all.length < SURVEYED} />
        <Live id="changes" of={[shown, blames.length, incidents.length]} news="There are new changes.">
          {shown.length === 0 ? (
            <Empty isFiltered={Object.values(asked.texts).some((text) => text !== undefined) || after !== undefined} />
          ) : (
            <ChangeList
              changes={shown}
              survey={type === undefined ? rollouts : rollouts.filter(([{ eventType }]) => eventType === type)}
              blames={blames}
              incidents={incidents}
              asked={{
                service: asked.texts.service,
                isNarrow: [asked.texts.service, asked.texts.actor, asked.texts.text].some((text) => text !== undefined),
              }}
              isLatest={after === undefined && until === undefined}
              now={now}
            />
          )}
        </Live>
        <Pages first={after && withQuery('/changes', asked.texts)} next={next} />
      </>,
    )
  })

/** Those of a page and one more, and those that are surveyed: the first page is how they begin. */
async function readChanges(
  db: Db,
  tenantId: TenantId,
  query: Pick<ChangeQuery, 'since' | 'until' | 'serviceLike' | 'actorLike' | 'textLike'>,
  type: EventType | undefined,
  after: EventId | undefined,
): Promise<{ readonly changes: readonly Change[]; readonly all: readonly Change[] }> {
  const survey = (counted: number) => surveyChanges(db, tenantId, { ...query, types: CHANGE_TYPES, limit: SURVEYED }, counted)
  if (type === undefined && after === undefined) {
    const all = await survey(PAGE_SIZE)
    return { changes: all, all }
  }
  const types = type === undefined ? CHANGE_TYPES : [type]
  const [changes, all] = await Promise.all([listChanges(db, tenantId, { ...query, types, limit: PAGE_SIZE + 1, after }), survey(0)])
  return { changes, all }
}

const FIELDS = [
  { name: 'service', label: 'Service contains', placeholder: '' },
  { name: 'actor', label: 'By contains', placeholder: 'login or bot' },
  { name: 'text', label: 'Text contains', placeholder: 'sha, flag, table' },
  { name: 'since', label: 'Since', placeholder: 'a day ago' },
  { name: 'until', label: 'Until', placeholder: 'now' },
] as const

type Texts = Readonly<Record<(typeof FIELDS)[number]['name'] | 'type', string | undefined>>

/** What a filter's query asks for: as it was typed, and as it is read. */
function readFilter(c: PageContext) {
  const text = (name: string) => readText(c, name)
  const texts: Texts = {
    service: text('service'),
    actor: text('actor'),
    text: text('text'),
    since: text('since'),
    until: text('until'),
    type: text('type'),
  }
  const since = readTime(texts.since)
  const until = readTime(texts.until)
  return {
    texts,
    read: { since, until, type: EVENT_TYPES.find((type) => type === texts.type) },
    isRefused: (texts.since !== undefined && since === undefined) || (texts.until !== undefined && until === undefined),
  }
}

/** A time as people type it, in UTC unless it says otherwise; `undefined` where it is none. */
function readTime(text: string | undefined): string | undefined {
  const parsed = parseTimestamp(text?.replace(/^\d{4}-\d{2}-\d{2}$/, '$& 00:00'))
  return parsed.kind === 'instant' ? parsed.instant : undefined
}

const Filter = ({ texts }: { readonly texts: Texts }) => (
  <Filters
    says={
      FIELDS.flatMap(({ name, label }) => (texts[name] === undefined ? [] : `${label.toLowerCase()} ${texts[name]}`)).join(', ') ||
      'the last day'
    }
  >
    <form method="get" action="/changes" class="fields" aria-label="Filter the changes">
      {FIELDS.map(({ name, label, placeholder }) => (
        <div class="field">
          <label for={`by-${name}`}>{label}</label>
          <input id={`by-${name}`} name={name} value={texts[name] ?? ''} placeholder={placeholder} autocomplete="off" />
        </div>
      ))}
      {texts.type !== undefined && <input type="hidden" name="type" value={texts.type} />}
      <button type="submit">Filter</button>
      {Object.values(texts).some((text) => text !== undefined) && <a href="/changes">Clear</a>}
    </form>
  </Filters>
)

type KindsProps = {
  readonly texts: Texts
  readonly type: EventType | undefined
  readonly counts: ReadonlyMap<EventType, number>
  /** Whether all were counted. */
  readonly isAll: boolean
}

const Kinds = ({ texts, type, counts, isAll }: KindsProps) => {
  const toCount = (number: number) => `${number}${isAll ? '' : '+'}`
  return (
    <nav aria-label="Kind">
      <ul class="chips">
        <li>
          <a href={withQuery('/changes', { ...texts, type: undefined })} aria-current={type === undefined ? 'true' : undefined}>
            All changes {toCount([...counts.values()].reduce((sum, number) => sum + number, 0))}
          </a>
        </li>
        {CHANGE_TYPES.map((one) => (
          <li>
            <a href={withQuery('/changes', { ...texts, type: one })} aria-current={one === type ? 'true' : undefined}>
              <TypeLabel type={one} /> {toCount(counts.get(one) ?? 0)}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  )
}

const Empty = ({ isFiltered }: { readonly isFiltered: boolean }) => (
  <div class="empty">
    <h2>{isFiltered ? 'No change matches' : 'Nothing was changed in the last day'}</h2>
    <p>
      {isFiltered ? (
        <a href="/changes">Show the changes of the last day</a>
      ) : (
        <>
          What deploys, flags, settings, schemas and scaling do appears here. <a href="/connect">Connect what tells of it</a>
        </>
      )}
    </p>
  </div>
)
