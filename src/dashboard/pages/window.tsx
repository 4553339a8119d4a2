import { EVENT_TYPES } from '../../domain/event/event.ts'
import { type StateWindow, toHappenedAt, type WindowEntry } from '../../domain/window/window.ts'
import { Chart, TypeLabel } from '../chart.tsx'
import { count, JOIN_NAMES, TYPE_NAMES, toChange, toClock, toExact, toPercent } from '../labels.ts'
import { Besides, Code, Live, Outside, Reporter, withQuery } from '../parts.tsx'
import { layOut, type Mark } from '../timeline.ts'

const ENTRIES_PER_PAGE = 30
const MAX_CHANGE = 300
const MAX_JSON_LENGTH = 30_000

type Props = {
  readonly path: string
  readonly window: StateWindow
  /** The window as the API answers it. */
  readonly document: unknown
  readonly now: Date
  readonly view: string | undefined
  readonly page: number
}

/** A state window as lanes with a table below, or as JSON. */
export const WindowView = ({ path, window, document, now, view, page }: Props) => {
  const entries = EVENT_TYPES.flatMap((type) => window.entries[type]).toSorted(
    (a, b) => toHappenedAt(b).getTime() - toHappenedAt(a).getTime(),
  )
  const isJson = view === 'json'
  return (
    <section aria-labelledby="window">
      <h2 id="window">
        State window <span class="quiet small">{count(entries.length, 'live change')}</span>
      </h2>
      <nav class="tabs" aria-label="View of the window">
        <a href={path} aria-current={isJson ? undefined : 'page'}>
          Lanes
        </a>
        <a href={withQuery(path, { view: 'json' })} aria-current={isJson ? 'page' : undefined}>
          JSON
        </a>
      </nav>
      {isJson ? (
        <Json path={path} document={document} />
      ) : (
        <Live id="window-view" of={entries} news="The state window has changed.">
          {entries.length === 0 ? (
            <p class="quiet">Empty. Events stay until their time to live runs out.</p>
          ) : (
            <>
              <Chart
                id="lanes"
                timeline={layOut({ lanes: toLanes(window), alertMs: undefined, onsetMs: undefined, path: [], untilMs: now.getTime() })}
                title="Live changes by type"
                summary={`${count(entries.length, 'live change')}, the latest ${entries[0] ? toExact(toHappenedAt(entries[0])) : ''}. The table below lists them.`}
              />
              <Entries path={path} entries={entries} page={page} />
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
          <p>The window is too long for a page. This is its beginning; the whole of it:</p>
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

const Entries = ({ path, entries, page }: { readonly path: string; readonly entries: readonly WindowEntry[]; readonly page: number }) => {
  const pages = Math.max(1, Math.ceil(entries.length / ENTRIES_PER_PAGE))
  const at = Math.min(page, pages)
  return (
    <>
      <div class="scroll">
        <table class="fold">
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Type</th>
              <th scope="col">Entity</th>
              <th scope="col">Change</th>
              <th scope="col">Reported by</th>
              <th scope="col">Confidence</th>
            </tr>
          </thead>
          <tbody>
            {entries.slice((at - 1) * ENTRIES_PER_PAGE, at * ENTRIES_PER_PAGE).map((entry) => (
              <tr>
                <td>
                  <time datetime={toHappenedAt(entry).toISOString()}>{toExact(toHappenedAt(entry)).slice(0, 19)}</time>
                  {entry.receivedAt && <span class="quiet small"> sent as {toClock(entry.timestamp, entry.receivedAt)}</span>}
                  {entry.count > 1 && (
                    <span class="quiet small">
                      {' '}
                      ×{entry.count} since {toClock(entry.firstTimestamp, toHappenedAt(entry))}
                    </span>
                  )}
                </td>
                <td>
                  <TypeLabel type={entry.eventType} />
                </td>
                <td>
                  <Outside>{entry.entity}</Outside> <span class="quiet small">({JOIN_NAMES[entry.joinedBy]})</span>
                </td>
                <td>
                  <Outside max={MAX_CHANGE}>{toChange(entry)}</Outside>
                  <Besides event={entry} />
                </td>
                <td>
                  <Reporter event={entry} />
                </td>
                <td data-label="Confidence">{toPercent(entry.confidence)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
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
