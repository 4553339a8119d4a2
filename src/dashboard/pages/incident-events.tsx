import { EVENT_TYPES, type EventType } from '../../domain/event/event.ts'
import type { CitedEntry } from '../../domain/incident/snapshot.ts'
import { TypeLabel, TypeSelect } from '../chart.tsx'
import { count, JOIN_NAMES, shorten, toChange } from '../labels.ts'
import { Besides, Filters, Outside, Table, withQuery } from '../parts.tsx'
import { type ShownAnswer, toValues } from '../shown-answer.ts'
import { Clock, Reporter } from './incident-parts.tsx'

const AT_ONCE = 8
const EVENTS_PER_PAGE = 12
const MAX_CHANGE = 300

/** Which events are asked for; nothing: those of the way from the cause to the alert. */
export type EventsQuery = {
  readonly service: string | undefined
  readonly kind: EventType | undefined
  readonly text: string | undefined
  /** Of what is asked for, from 1. */
  readonly page: number | undefined
  /** The place of one event among all, whose page is shown and whose fields are unfolded. */
  readonly event: number | undefined
}

/** Reads which events of an incident a page's address asks for. */
export function readEventsQuery({ service, kind, text, events, event }: Readonly<Record<string, string>>): EventsQuery {
  const toNumber = (digits: string | undefined) => (digits !== undefined && /^\d{1,6}$/.test(digits) ? Number(digits) : undefined)
  return {
    service: service || undefined,
    kind: EVENT_TYPES.find((type) => type === kind),
    text: text || undefined,
    page: toNumber(events) || undefined,
    event: toNumber(event),
  }
}

type Props = { readonly answer: ShownAnswer; readonly query: EventsQuery; readonly path: string }
type Placed = { readonly entry: CitedEntry; readonly place: number }

/** Everything the diagnosis saw: the way from the cause to the alert first, the rest a page at a time, newest first. */
export const Events = ({ answer, query, path }: Props) => {
  const { entries, cites } = answer
  const services = new Set(entries.map(({ service }) => service))
  const isAsked = Object.values(query).some((value) => value !== undefined)
  const found = find(answer, query)
  const pages = Math.max(1, Math.ceil(found.length / EVENTS_PER_PAGE))
  const opened = found.findIndex(({ place }) => place === query.event)
  const at = Math.min(opened < 0 ? (query.page ?? 1) : Math.floor(opened / EVENTS_PER_PAGE) + 1, pages)
  const shown = isAsked ? found.slice((at - 1) * EVENTS_PER_PAGE, at * EVENTS_PER_PAGE) : found.slice(0, AT_ONCE)
  const { service, kind, text } = query
  const toPage = (page: number) => `${withQuery(path, { service, kind, text, events: String(page) })}#evidence`
  return (
    <section aria-labelledby="evidence">
      <h2 id="evidence">
        Everything the diagnosis saw{' '}
        <span class="quiet small">
          {count(entries.length, 'event')} of {count(services.size, 'service')}
          {isAsked ? `, ${found.length.toLocaleString('en')} of them here` : ', the way to the alert first'}
        </span>
      </h2>
      {entries.length > AT_ONCE && (
        <Filters says={isAsked ? `${found.length} of ${entries.length}` : `these ${entries.length}`}>
          <Filter query={query} path={path} isAsked={isAsked} />
        </Filters>
      )}
      {found.length === 0 ? (
        <p class="quiet">{entries.length === 0 ? 'Nothing was on record.' : 'No event matches.'}</p>
      ) : (
        <Rows
          rows={shown}
          cites={cites}
          openedPlace={query.event}
          isWhole={isAsked}
          path={path}
          alertAt={answer.snapshot.alert.triggered_at}
        />
      )}
      {!isAsked && found.length > AT_ONCE && (
        <p class="unfold">
          <a href={`${withQuery(path, { events: '1' })}#evidence`}>{count(entries.length, 'event')}, newest first, with every field</a>
        </p>
      )}
      {isAsked && pages > 1 && (
        <nav class="pages" aria-label="Pages of events">
          {at > 1 && <a href={toPage(at - 1)}>Newer</a>}
          <span class="quiet">
            Page {at} of {pages}
          </span>
          {at < pages && <a href={toPage(at + 1)}>Older</a>}
        </nav>
      )}
    </section>
  )
}

/** What is asked for, newest first; without a question, what is cited, the earliest first, then what else was on the way. */
function find({ entries, cites, hypotheses }: ShownAnswer, query: EventsQuery): readonly Placed[] {
  const { service, kind, text, page, event } = query
  const placed = entries.map((entry, place) => ({ entry, place }))
  if ([service, kind, text, page, event].every((asked) => asked === undefined)) {
    const path = new Set(hypotheses[0]?.path)
    const rank = ({ entry }: Placed) => cites.get(entry.id) ?? (path.has(entry.service) ? 1_000 : 2_000)
    return placed.toReversed().toSorted((a, b) => rank(a) - rank(b))
  }
  const has = (whole: string, part: string | undefined) => part === undefined || whole.toLowerCase().includes(part.toLowerCase())
  return placed
    .filter(({ entry }) => has(entry.service, service) && (kind === undefined || entry.event_type === kind) && has(toText(entry), text))
    .toReversed()
}

function toText({ entity, old_value, new_value, sha, actor, vendor }: CitedEntry): string {
  return [entity, old_value, new_value, sha, actor, vendor].filter((part) => part !== null).join('\n')
}

type FilterProps = { readonly query: EventsQuery; readonly path: string; readonly isAsked: boolean }

const Filter = ({ query: { service, kind, text }, path, isAsked }: FilterProps) => (
  <form method="get" action={`${path}#evidence`} class="fields" aria-label="Filter the events">
    <label class="field">
      Service contains
      <input name="service" value={service ?? ''} autocomplete="off" />
    </label>
    <div class="field">
      <label for="kind">Kind</label>
      <TypeSelect id="kind" name="kind" any="every kind" chosen={kind} />
    </div>
    <label class="field">
      Text contains
      <input name="text" value={text ?? ''} placeholder="sha, flag, error" autocomplete="off" />
    </label>
    <input type="hidden" name="events" value="1" />
    <button type="submit">Filter</button>
    {isAsked && <a href={`${path}#evidence`}>The way to the alert</a>}
  </form>
)

type RowsProps = {
  readonly rows: readonly Placed[]
  readonly cites: ShownAnswer['cites']
  readonly openedPlace: number | undefined
  /** With every field. */
  readonly isWhole: boolean
  readonly path: string
  readonly alertAt: string
}

const Rows = ({ rows, cites, openedPlace, isWhole, path, alertAt }: RowsProps) => (
  <Table isFeed heads={['Time', 'Kind', 'Service', 'What changed', 'Told by']}>
    {rows.map(({ entry, place }) => (
      <tr id={`e${place}`} class={cites.has(entry.id) ? 'cited' : undefined}>
        <td class="t">
          <a href={`${path}?event=${place}#e${place}`}>
            <Clock at={entry.first_timestamp} beside={alertAt} />
          </a>
          {entry.count > 1 && (
            <small>
              {entry.count} times until <Clock at={entry.timestamp} beside={alertAt} />
            </small>
          )}
        </td>
        <td class="k">
          <TypeLabel type={entry.event_type} /> {cites.has(entry.id) && <span class="badge plain">step {cites.get(entry.id)}</span>}
        </td>
        <th class="s" scope="row">
          <Outside>{entry.service}</Outside>
          {entry.entity !== entry.service && (
            <small>
              <Outside>{entry.entity}</Outside>
              {entry.joined_by !== 'service_name' && `, ${JOIN_NAMES[entry.joined_by]}`}
            </small>
          )}
        </th>
        <td class="w">
          <Outside max={MAX_CHANGE}>{toChange(toValues(entry))}</Outside>
          <Besides event={entry} />
          {isWhole && <RawFields entry={entry} isOpen={place === openedPlace} />}
        </td>
        <td class="v">
          <Reporter event={entry} />
        </td>
      </tr>
    ))}
  </Table>
)

/** Every field of an entry by its name in the API, a line each: what would turn the text around it ends with its line. */
const RawFields = ({ entry, isOpen }: { readonly entry: CitedEntry; readonly isOpen: boolean }) => (
  <details class="more" open={isOpen}>
    <summary class="small">Fields</summary>
    <pre class="code">
      {Object.entries(entry)
        .map(
          ([field, value]) =>
            `${field}: ${shorten(typeof value === 'object' ? JSON.stringify(value) : String(value), MAX_CHANGE).replaceAll('\n', ' ')}\n`,
        )
        .join('')}
    </pre>
  </details>
)
