import {
  type ConfigPatch,
  HEADER_NAME_PATTERN,
  type Integration,
  MAX_ENVIRONMENTS,
  MAX_WAIT_SECONDS,
  type SettingsPatch,
  WEBHOOK_SECRET_PATTERN,
} from '../../domain/access/integration.ts'
import type { Door } from '../../domain/doors/door.ts'
import { DOORS } from '../../domain/doors/index.ts'
import { AppError } from '../../domain/errors.ts'
import { MAX_ENVIRONMENT_LENGTH } from '../../domain/event/environment.ts'
import { isNameLength, MAX_NAME_LENGTH } from '../../domain/event/event.ts'
import type { DoorType } from '../../domain/integration-type.ts'
import { toStorableText } from '../../domain/text.ts'
import type { Form } from '../page-request.ts'

type Field = Exclude<Door['config'][number], 'webhook_secret' | 'service_map'>

const LABELS: Readonly<Record<Field, { readonly label: string; readonly hint: string }>> = {
  service: {
    label: 'Service',
    hint: 'Whom deliveries concern unless the name that they tell is mapped; of logs and clusters, those that name none.',
  },
  environments: { label: 'Environments', hint: 'Names between commas that are let in, instead of production alone.' },
  push: { label: 'Count pushes to the default branch', hint: 'Where a push is a deploy.' },
  wait_seconds: {
    label: 'Wait before answering, in seconds',
    hint: `An alert that ends by itself within this time is nobody’s business: 0 to ${MAX_WAIT_SECONDS}.`,
  },
  service_label: { label: 'Label that names the service', hint: 'Instead of service, app, deployment and the like.' },
  signature_timestamp_header: { label: 'Header with the time of the signature', hint: 'As it is called in the contact point.' },
}

const fieldsOf = (type: DoorType): readonly Field[] =>
  DOORS[type].config.filter((field): field is Field => field !== 'webhook_secret' && field !== 'service_map')

/** Whether deliveries of this sender can be signed. */
export function isSigned(type: DoorType): boolean {
  const { config } = DOORS[type]
  return config.includes('webhook_secret')
}

/** How an integration reads deliveries. */
export const SettingsForm = ({ type, integration }: { readonly type: DoorType; readonly integration: Integration }) => (
  <details class="more">
    <summary>Settings: services, environments and the like</summary>
    <form method="post" action={`/connect/${type}/settings`} class="fields tall">
      <input type="hidden" name="integration" value={integration.id} />
      {fieldsOf(type).map((field) => (
        <SettingField field={field} value={toFieldValue(integration, field)} />
      ))}
      <div class="row">
        <button type="submit">Save</button>
        <a href={`/settings/integrations/${integration.id}`}>Names of services, and the rest</a>
      </div>
    </form>
  </details>
)

const SettingField = ({ field, value }: { readonly field: Field; readonly value: string }) => {
  const { label, hint } = LABELS[field]
  const isBox = field === 'push'
  return (
    <div class={isBox ? '' : 'field'}>
      {isBox && <input type="checkbox" id={field} name={field} checked={value !== ''} aria-describedby={`${field}-hint`} />}{' '}
      <label for={field}>{label}</label>
      {!isBox && (
        <input
          id={field}
          name={field}
          value={value}
          maxlength={MAX_NAME_LENGTH}
          inputmode={field === 'wait_seconds' ? 'numeric' : undefined}
          autocomplete="off"
          spellcheck={false}
          aria-describedby={`${field}-hint`}
        />
      )}
      <p class="hint" id={`${field}-hint`}>
        {hint}
      </p>
    </div>
  )
}

function toFieldValue({ settings }: Integration, field: Field): string {
  const values: Readonly<Record<Field, string>> = {
    service: settings.service ?? '',
    environments: settings.environments?.join(', ') ?? '',
    push: settings.push ? 'on' : '',
    wait_seconds: settings.waitSeconds === undefined ? '' : String(settings.waitSeconds),
    service_label: settings.serviceLabel ?? '',
    signature_timestamp_header: settings.signatureTimestampHeader ?? '',
  }
  return values[field]
}

/** What the settings' form changes: an empty field removes what was set. Throws `invalid_request`. */
export function readSettings(type: DoorType, form: Form): ConfigPatch {
  const wanted = new Set(fieldsOf(type))
  const settings: SettingsPatch = {
    ...(wanted.has('service') && { service: readName(form, 'service') }),
    ...(wanted.has('environments') && { environments: readEnvironments(form) }),
    ...(wanted.has('push') && { push: form['push'] === undefined ? null : true }),
    ...(wanted.has('wait_seconds') && { waitSeconds: readWait(form) }),
    ...(wanted.has('service_label') && { serviceLabel: readName(form, 'service_label') }),
    ...(wanted.has('signature_timestamp_header') && { signatureTimestampHeader: readHeaderName(form) }),
  }
  return { settings, secrets: {} }
}

/** Lets one more environment in, beside production or whatever is let in already. Throws `invalid_request`. */
export function readLetIn({ settings: { environments = ['production'] } }: Integration, { environment = '' }: Form): ConfigPatch {
  return { settings: { environments: readEnvironments({ environments: [...environments, environment].join(',') }) }, secrets: {} }
}

/** The secret that deliveries are signed with. Throws `invalid_request`. */
export function readWebhookSecret({ webhook_secret = '' }: Form): ConfigPatch {
  if (!WEBHOOK_SECRET_PATTERN.test(webhook_secret))
    throw new AppError('invalid_request', 'A secret is 16 to 512 printable ASCII characters without spaces.')
  return { secrets: { webhook_secret } }
}

function readName(form: Form, field: Field): string | null {
  const text = toStorableText(form[field] ?? '').trim()
  if (text === '') return null
  if (!isNameLength(text)) throw new AppError('invalid_request', `A name has at most ${MAX_NAME_LENGTH} characters.`)
  return text
}

function readEnvironments(form: Form): readonly string[] | null {
  const names = toStorableText(form['environments'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name, place, all) => name !== '' && all.indexOf(name) === place)
  if (names.length > MAX_ENVIRONMENTS || names.some((name) => name.length > MAX_ENVIRONMENT_LENGTH)) {
    throw new AppError('invalid_request', `At most ${MAX_ENVIRONMENTS} environments of ${MAX_ENVIRONMENT_LENGTH} characters can be let in.`)
  }
  return names.length === 0 ? null : names
}

function readWait(form: Form): number | null {
  const text = form['wait_seconds'] ?? ''
  if (text === '') return null
  const seconds = Number(text)
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= MAX_WAIT_SECONDS) return seconds
  throw new AppError('invalid_request', `Wait a whole number of seconds, from 0 to ${MAX_WAIT_SECONDS}.`)
}

function readHeaderName(form: Form): string | null {
  const text = form['signature_timestamp_header'] ?? ''
  if (text === '') return null
  if (HEADER_NAME_PATTERN.test(text)) return text
  throw new AppError('invalid_request', 'That is no name of a header.')
}
