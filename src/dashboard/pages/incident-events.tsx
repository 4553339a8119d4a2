import type { CitedEntry } from '../../domain/incident/snapshot.ts'
import { TypeLabel } from '../chart.tsx'
import { count, JOIN_NAMES, shorten, toChange, toPercent } from '../labels.ts'
import { Besides, Outside, Reporter } from '../parts.tsx'
import { type ShownAnswer, toValues } from '../shown-answer.ts'
import { Clock } from './incident-parts.tsx'

const EVENTS_PER_PAGE = 10
const MAX_CHANGE = 300

/** Everything the diagnosis saw, a page at a time, newest first. */
export const Events = ({
  answer: { entries, cites },
  page,
  id,
}: {
  readonly answer: ShownAnswer
  readonly page: number
  readonly id: string
}) => {
  const pages = Math.max(1, Math.ceil(entries.length / EVENTS_PER_PAGE))
  const at = Math.min(page, pages)
  const newest = entries.toReversed().slice((at - 1) * EVENTS_PER_PAGE, at * EVENTS_PER_PAGE)
  return (
    <section aria-labelledby="events">
      <h2 id="events">
        Everything the diagnosis saw <span class="quiet small">{count(entries.length, 'change')}</span>
      </h2>
      {newest.length > 0 && (
        <div class="scroll">
          <table class="fold">
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Event</th>
                <th scope="col">Service and entity</th>
                <th scope="col">Change</th>
                <th scope="col">Reported by</th>
                <th scope="col">Confidence</th>
                <th scope="col">Expires</th>
              </tr>
            </thead>
            <tbody>
              {newest.map((entry) => (
                <EventRow entry={entry} cite={cites.get(entry.id)} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {pages > 1 && (
        <nav class="pages" aria-label="Pages of events">
          {at > 1 && <a href={`/incidents/${id}?events=${at - 1}#events`}>Newer</a>}
          <span class="quiet">
            Page {at} of {pages}
          </span>
          {at < pages && <a href={`/incidents/${id}?events=${at + 1}#events`}>Older</a>}
        </nav>
      )}
    </section>
  )
}

/** Every field of an entry by its name in the API, a line each: what would turn the text around it ends with its line. */
const RawFields = ({ entry }: { readonly entry: CitedEntry }) => (
  <details class="more">
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

const EventRow = ({ entry, cite }: { readonly entry: CitedEntry; readonly cite: number | undefined }) => (
  <tr class={cite === undefined ? undefined : 'cited'}>
    <td>
      <time datetime={entry.timestamp}>{entry.timestamp.slice(0, 19).replace('T', ' ')}</time>
      {entry.count > 1 && (
        <span class="quiet small">
          {' '}
          ×{entry.count} since <Clock at={entry.first_timestamp} beside={entry.timestamp} />
        </span>
      )}
    </td>
    <td>
      <TypeLabel type={entry.event_type} />
      {cite !== undefined && <span class="badge plain">cited {cite}</span>}
    </td>
    <td>
      <Outside>{entry.service}</Outside>
      <br />
      <span class="quiet small">
        <Outside>{entry.entity}</Outside> ({JOIN_NAMES[entry.joined_by]})
      </span>
    </td>
    <td>
      <Outside max={MAX_CHANGE}>{toChange(toValues(entry))}</Outside>
      <Besides event={entry} />
      <RawFields entry={entry} />
    </td>
    <td>
      <Reporter event={entry} />
    </td>
    <td data-label="Confidence">{toPercent(entry.confidence)}</td>
    <td data-label="Expires" class="small quiet">
      {entry.expires_at.slice(0, 16).replace('T', ' ')}
    </td>
  </tr>
)
