import type { Integration, IntegrationSettings } from '../../domain/access/integration.ts'
import { SUBSCRIBABLE, type Subscribable } from '../../domain/integration-type.ts'
import { findReceiver } from '../../domain/receivers/index.ts'
import type { Receiver } from '../../domain/receivers/receiver.ts'
import type { SentMessage } from '../../store/messages.ts'
import type { Form } from '../page-request.ts'
import { Age, Badge, ForManagers } from '../parts.tsx'

/** Whether an integration is one that a test message can be sent to. */
export function canBeTested({ type }: Pick<Integration, 'type'>): boolean {
  return findReceiver(type)?.scope === 'all'
}

const SUBSCRIPTION_NAMES: Readonly<Record<Subscribable, string>> = {
  'incident.opened': 'an incident was opened',
  'incident.diagnosed': 'there is an answer',
  'incident.cause_changed': 'the answer changed',
  'incident.resolved': 'the incident is resolved, or what was blamed is undone',
  'incident.verdict': 'an engineer judged the answer',
}

/** Which answers are told there. */
export const FilterFields = ({ settings, receiver }: { readonly settings: IntegrationSettings; readonly receiver: Receiver }) => {
  if (receiver.scope === 'own') return null
  const { tells, tellsByDefault, hasChannels } = receiver
  return (
    <>
      {hasChannels && (
        <TextField name="channel" label="Channel’s id (with a bot’s token)" value={settings.channel ?? ''} example="C0123456789" />
      )}
      <TextField name="services" label="Only these services" value={settings.services?.join(', ') ?? ''} example="checkout, payments-api" />
      <TextField name="teams" label="Only services of these teams" value={settings.teams?.join(', ') ?? ''} example="payments" />
      <TextField
        name="min_confidence"
        label="Only answers at least so sure (%)"
        value={toPercentText(settings.minConfidence)}
        example="50"
      />
      <fieldset>
        <legend>Told when</legend>
        {SUBSCRIBABLE.filter((one) => tells.includes(one)).map((one) => (
          <div>
            <input type="checkbox" id={one} name={one} checked={(settings.on ?? tellsByDefault).includes(one)} />{' '}
            <label for={one}>{SUBSCRIPTION_NAMES[one]}</label>
          </div>
        ))}
      </fieldset>
    </>
  )
}

const toPercentText = (share: number | undefined): string => (share === undefined ? '' : String(Math.round(100 * share)))

type TextFieldProps = { readonly name: string; readonly label: string; readonly value: string; readonly example: string }

const TextField = ({ name, label, value, example }: TextFieldProps) => (
  <div class="field">
    <label for={name}>{label}</label>
    <input id={name} name={name} value={value} placeholder={example} autocomplete="off" spellcheck={false} />
  </div>
)

/** How telling went, what was sent, and a button to try it. */
export const ToldSection = ({
  integration: { id, telling },
  messages,
  now,
}: {
  readonly integration: Integration
  readonly messages: readonly SentMessage[]
  readonly now: Date
}) => (
  <section aria-labelledby="told">
    <h2 id="told">What was told</h2>
    {telling === null ? (
      <p class="quiet">Nothing yet.</p>
    ) : (
      <p>
        <Badge kind={telling.outcome === 'told' ? 'good' : 'bad'}>{telling.switchedOff === null ? 'last time' : 'switched off'}</Badge>{' '}
        <bdi>{telling.switchedOff ?? telling.outcome}</bdi> <Age at={telling.at} now={now} />
        {telling.switchedOff !== null && '. Saving the settings switches it on again.'}
      </p>
    )}
    <ForManagers>
      <form method="post" action={`/settings/integrations/${id}/test`}>
        <button type="submit">Send a test message</button>
      </form>
    </ForManagers>
    {messages.map((message) => (
      <details>
        <summary>
          {MESSAGE_NAMES[message.kind]}: {STATE_NAMES[message.state]} {message.doneAt !== null && <Age at={message.doneAt} now={now} />}{' '}
          <a href={`/incidents/${message.incidentId}`}>the incident</a>
        </summary>
        {message.reason !== null && (
          <p>
            <bdi>{message.reason}</bdi>
          </p>
        )}
        {message.content !== null && <pre class="note">{message.content}</pre>}
      </details>
    ))}
  </section>
)

const MESSAGE_NAMES: Readonly<Record<SentMessage['kind'], string>> = {
  diagnosis: 'Diagnosis',
  opened: 'Opened',
  note: 'Answer',
  thread: 'The rest of an answer',
  resolved: 'Resolved',
  undone: 'Undone',
  confirmed: 'Confirmed',
  rejected: 'Rejected',
}

const STATE_NAMES: Readonly<Record<SentMessage['state'], string>> = {
  due: 'on its way',
  queued: 'on its way',
  done: 'told',
  given_up: 'given up',
}

const toNames = (text: string | undefined): readonly string[] | null => {
  const names = (text ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
  return names.length === 0 ? null : names
}

/** What a form says of a receiver's settings: what is empty is removed. */
export function readFilter(
  form: Form,
  { type }: Pick<Integration, 'type'>,
): { readonly [Name in keyof IntegrationSettings]: IntegrationSettings[Name] | null } {
  const receiver = findReceiver(type)
  if (receiver?.scope !== 'all') return {}
  const percent = Number(form['min_confidence'] || Number.NaN)
  const on = SUBSCRIBABLE.filter((one) => form[one] !== undefined)
  return {
    ...(receiver.hasChannels && { channel: form['channel'] || null }),
    services: toNames(form['services']),
    teams: toNames(form['teams']),
    minConfidence: Number.isFinite(percent) ? Math.min(Math.max(percent / 100, 0), 1) : null,
    on: on.length === 0 ? null : on,
  }
}
