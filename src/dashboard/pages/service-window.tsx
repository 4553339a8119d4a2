import { EVENT_TYPES } from '../../domain/event/event.ts'
import { type StateWindow, toHappenedAt, type WindowEntry } from '../../domain/window/window.ts'
import { Chart, TypeLabel } from '../chart.tsx'
import { toShownKind } from '../event-words.ts'
import { count, JOIN_NAMES, TYPE_NAMES, toChange, toClock, toExact, toPercent } from '../labels.ts'
import { Besides, Code, Live, Outside, Table, withQuery } from '../parts.tsx'
import { layOut, type Mark } from '../timeline.ts'
import { Reporter } from './incident-parts.tsx'

const ENTRIES_PER_PAGE = 30
const UNFOLDED = 10
const MAX_CHANGE = 300
const MAX_JSON_LENGTH = 30_000

type Props = {
  readonly path: string
  readonly serviceName: string
  readonly window: StateWindow
  /** The window as the API answers it. */
  readonly document: unknown
  readonly now: Date
  readonly view: string | undefined
  readonly page: number
}

/** A state window as lanes with a table below, or as JSON. */
export const WindowView = ({ path, serviceName, window, document, now, view, page }: Props) => {
  const entries = EVENT_TYPES.flatMap((type) => window.entries[type]).toSorted(
    (a, b) => toHappenedAt(b).getTime() - toHappenedAt(a).getTime(),
  )
  const isJson = view === 'json'
  return (
    <section aria-labelledby="window">
      <h2 id="window">
        What is live now <span class="quiet small">{count(entries.length, 'change')}</span>
        <a class="small" href={isJson ? path : withQuery(path, { view: 'json' })}>
          {isJson ? 'as lanes' : 'as JSON'}
        </a>
      </h2>
      {isJson ? (
        <Json path={path} document={document} />
      ) : (
        <Live id="window-view" of={entries} news="What is live has changed.">
          {entries.length === 0 ? (
            <p class="quiet">Nothing. Events are live until their time to live runs out.</p>
          ) : (
            <>
              <div class="card">
                <Chart
                  id="lanes"
                  timeline={layOut({ lanes: toLanes(window), moments: [], path: [], untilMs: now.getTime() })}
                  title="Live changes by type"
                  summary={`${count(entries.length, 'live change')}, the latest ${entries[0] ? toExact(toHappenedAt(entries[0])) : ''}. The table below lists them.`}
                />
              </div>
              <Entries path={path} serviceName={serviceName} entries={entries} page={page} now={now} />
            </>
          )}
        </Live>
      )}
    </section>
  )
}

const Json = ({ path, document }: { readonly path: string; readonly document: unknown }) => {
  const text = JSON.stringify(document, null, 2)
  const isWhole = text.length <= MAX_JSON_LENGTH
  return (
    <>
      {!isWhole && (
        <>
          <p>It is too long for a page. This is its beginning; the whole of it:</p>
          <Code what="the command">{`curl -s "$URL/v1${path}/context" -H "Authorization: Bearer $READ"`}</Code>
        </>
      )}
      <pre class="code">{isWhole ? text : `${text.slice(0, MAX_JSON_LENGTH).toWellFormed()}…`}</pre>
    </>
  )
}

function toLanes({ entries }: StateWindow) {
  return EVENT_TYPES.flatMap((type) => {
    const own = entries[type]
    return own.length === 0 ? [] : [{ name: TYPE_NAMES[type], note: String(own.length), marks: own.map(toMark) }]
  })
}

function toMark(entry: WindowEntry): Mark {
  return {
    id: entry.id,
    type: entry.eventType,
    fromMs: entry.firstTimestamp.getTime(),
    toMs: toHappenedAt(entry).getTime(),
    count: entry.count,
    text: `${entry.entity}, ${toChange(entry)}, ${toExact(toHappenedAt(entry))}`,
    cite: undefined,
  }
}

type Row = readonly [latest: WindowEntry, ...others: WindowEntry[]]

/** One row for what several pods of one workload tell alike. Entries come latest first, and so do rows. */
function foldPods(entries: readonly WindowEntry[]): readonly Row[] {
  const groups = Map.groupBy(entries, (entry) =>
    entry.joinedBy === 'pod' ? JSON.stringify([entry.eventType, entry.vendor, entry.environment, toChange(entry)]) : entry.id,
  )
  return [...groups.values()].flatMap(([first, ...others]): Row[] => (first === undefined ? [] : [[first, ...others]]))
}

type TableProps = { readonly rows: readonly Row[]; readonly serviceName: string; readonly now: Date }

const EntryTable = ({ rows, serviceName, now }: TableProps) => (
  <Table isFeed heads={['Time', 'Kind', 'What', 'Change', 'Told by']}>
    {rows.map((row) => (
      <EntryRow row={row} serviceName={serviceName} now={now} />
    ))}
  </Table>
)

type RowProps = { readonly row: Row; readonly serviceName: string; readonly now: Date }

const EntryRow = ({ row, serviceName, now }: RowProps) => {
  const [entry] = row
  const times = row.reduce((sum, one) => sum + one.count, 0)
  const since = new Date(Math.min(...row.map(({ firstTimestamp }) => firstTimestamp.getTime())))
  return (
    <tr>
      <td>
        <time datetime={toHappenedAt(entry).toISOString()}>{toClock(toHappenedAt(entry), now)}</time>
        {entry.receivedAt && <span class="quiet small"> sent as {toClock(entry.timestamp, entry.receivedAt)}</span>}
        {times > 1 && (
          <span class="quiet small">
            {' '}
            {times} times since {toClock(since, toHappenedAt(entry))}
          </span>
        )}
      </td>
      <td>
        <TypeLabel type={toShownKind({ event_type: entry.eventType, new_value: entry.newValue })} />
      </td>
      <td>
        <What row={row} serviceName={serviceName} />
      </td>
      <td>
        <Outside max={MAX_CHANGE}>{toChange(entry)}</Outside>
        <Besides event={entry} />
      </td>
      <td>
        <Reporter event={entry} /> <span class="quiet small">{toPercent(entry.confidence)} sure</span>
      </td>
    </tr>
  )
}

const What = ({ row, serviceName }: { readonly row: Row; readonly serviceName: string }) => {
  const pods = [...new Set(row.map(({ entity }) => entity))]
  const [{ entity, joinedBy }] = row
  const known = entity === serviceName ? '' : JOIN_NAMES[joinedBy]
  return (
    <>
      {pods.length === 1 ? <Outside>{entity}</Outside> : <span title={pods.join(', ')}>{count(pods.length, 'pod')}</span>}
      {known !== '' && <span class="quiet small"> {known}</span>}
    </>
  )
}

type EntriesProps = Pick<Props, 'path' | 'serviceName' | 'page' | 'now'> & { readonly entries: readonly WindowEntry[] }

const Entries = ({ path, serviceName, entries, page, now }: EntriesProps) => {
  const rows = foldPods(entries)
  const pages = Math.max(1, Math.ceil(rows.length / ENTRIES_PER_PAGE))
  const at = Math.min(page, pages)
  const shown = rows.slice((at - 1) * ENTRIES_PER_PAGE, at * ENTRIES_PER_PAGE)
  return (
    <>
      <EntryTable rows={shown.slice(0, UNFOLDED)} serviceName={serviceName} now={now} />
      {shown.length > UNFOLDED && (
        <details class="more">
          <summary>{shown.length - UNFOLDED} more</summary>
          <EntryTable rows={shown.slice(UNFOLDED)} serviceName={serviceName} now={now} />
        </details>
      )}
      {pages > 1 && (
        <nav class="pages" aria-label="Pages of changes">
          {at > 1 && <a href={withQuery(path, { page: String(at - 1) })}>Newer</a>}
          <span class="quiet">
            Page {at} of {pages}
          </span>
          {at < pages && <a href={withQuery(path, { page: String(at + 1) })}>Older</a>}
        </nav>
      )}
    </>
  )
}
