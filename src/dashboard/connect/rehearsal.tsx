import type { Integration } from '../../domain/access/integration.ts'
import type { Signals } from '../../domain/doors/door.ts'
import { DOORS } from '../../domain/doors/index.ts'
import { parseEvent } from '../../domain/event/parse.ts'
import type { KeepingPolicy } from '../../domain/event/redact.ts'
import type { DoorType } from '../../domain/integration-type.ts'
import { readDoorBody, readWith } from '../../usecases/door-request.ts'
import { count, TYPE_NAMES } from '../labels.ts'
import type { Form } from '../page-request.ts'
import { Outside } from '../parts.tsx'

/** What a body that somebody pasted would become. */
type Rehearsed =
  | { readonly kind: 'read'; readonly signals: Signals; readonly refusedEvents: number }
  | { readonly kind: 'refused'; readonly reason: string }

export type Tried = { readonly body: string; readonly headers: string; readonly result: Rehearsed }

const MAX_SHOWN = 20

/** Reads a pasted body as the sender's door would, with nothing stored, noted or checked but the body. */
export function rehearse(
  type: DoorType,
  { body = '', headers = '' }: Form,
  integration: Integration | undefined,
  id: string,
  keeping: KeepingPolicy,
): Tried {
  const door = DOORS[type]
  const sent = readHeaders(headers)
  const isForm = door.mediaTypes.includes('form') && !/^\s*[{[]/.test(body)
  const contentType = sent.get('content-type') ?? (isForm ? 'application/x-www-form-urlencoded' : 'application/json')
  const header = (name: string) => (name.toLowerCase() === 'content-type' ? contentType : sent.get(name.toLowerCase()))
  const decoded = readDoorBody(door, header, new TextEncoder().encode(body))
  const refuse = (reason: string): Tried => ({ body, headers, result: { kind: 'refused', reason } })
  if ('refusal' in decoded) return refuse(decoded.refusal.message)
  const { signals } = readWith({ sender: type, header, path: undefined }, decoded.value, integration, id)
  const refused = signals.isUnsupported ? signals.ignored : signals.invalid
  if (refused !== undefined) return refuse(refused)
  const refusedEvents = signals.events.filter((event) => !parseEvent(event, keeping).ok).length
  return { body, headers, result: { kind: 'read', signals, refusedEvents } }
}

function readHeaders(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').flatMap((line): [string, string][] => {
    const [, name, value] = /^\s*([\w-]+)\s*:\s*(.*?)\s*$/.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [[name.toLowerCase(), value]]
  })
  return new Map(lines)
}

/** A form that takes a body, and says what it would become. */
export const TryForm = ({
  type,
  tried,
  integration,
}: {
  readonly type: DoorType
  readonly tried: Tried | undefined
  readonly integration: Integration | undefined
}) => {
  const { example } = DOORS[type]
  const headers = Object.entries(example.headers ?? {}).map(([name, value]) => `${name}: ${value}`)
  return (
    <details class="more" open={tried !== undefined} id="try">
      <summary>Try a body of yours, nothing is stored</summary>
      {tried && <Result result={tried.result} />}
      <form method="post" action={`/connect/${type}/try#try`} class="fields tall">
        {integration && <input type="hidden" name="integration" value={integration.id} />}
        {headers.length > 0 && (
          <div class="field">
            <label for="headers">Headers</label>
            <textarea id="headers" name="headers" spellcheck={false}>
              {tried?.headers ?? headers.join('\n')}
            </textarea>
          </div>
        )}
        <div class="field">
          <label for="body">Body</label>
          <textarea id="body" name="body" required spellcheck={false}>
            {tried?.body ?? ''}
          </textarea>
        </div>
        <div>
          <button type="submit">See what it would become</button>
        </div>
      </form>
    </details>
  )
}

const Result = ({ result }: { readonly result: Rehearsed }) => {
  if (result.kind === 'refused')
    return (
      <p class="notice bad" role="status">
        It would be refused: <Outside>{result.reason}</Outside>.
      </p>
    )
  const { signals, refusedEvents } = result
  const { events, alerts, ignored } = signals
  const isAnything = events.length + alerts.length > 0
  return (
    <div role="status">
      <p class={`notice ${isAnything ? 'good' : 'warn'}`}>
        {isAnything && `It would become ${[...some(events.length, 'event'), ...some(alerts.length, 'alert')].join(' and ')}. `}
        {refusedEvents > 0 && `${count(refusedEvents, 'event')} could not be stored. `}
        {ignored !== undefined && (
          <>
            Ignored: <Outside>{ignored}</Outside>.
          </>
        )}
      </p>
      <ul class="dashed">
        {events.slice(0, MAX_SHOWN).map((event) => (
          <li>
            {TYPE_NAMES[event.event_type]} of <Outside>{event.service_name}</Outside>:{' '}
            <Outside>{[event.old_value, event.new_value].filter((value) => value !== undefined).join(' → ')}</Outside>
          </li>
        ))}
        {alerts.slice(0, MAX_SHOWN).map((alert) => (
          <li>
            {alert.action} for <Outside>{alert.service ?? 'unknown'}</Outside>: <Outside>{alert.title}</Outside>
          </li>
        ))}
      </ul>
    </div>
  )
}

function some(number: number, one: string): string[] {
  return number === 0 ? [] : [count(number, one)]
}
