import type { Delivery, Door, Signals } from './door.ts'
import { ignore, oneAlert, toService, USUAL } from './mapping.ts'
import { at, listAt, nameAt, textAt, toInstant, toUrlOn } from './reading.ts'

/** Where it shows its incidents. */
const HOSTS = /(?:^|\.)incident\.io$/

const CREATED = 'public_incident.incident_created_v2'
const UPDATED = 'public_incident.incident_status_updated_v2'
/** Categories in which nothing is wrong any more. */
const OVER = new Set(['closed', 'learning', 'declined', 'merged', 'canceled', 'cancelled'])
/** Modes in which nobody is called. */
const REHEARSED = new Set(['test', 'tutorial', 'retrospective'])
const SERVICE_FIELD = /^(?:affected |impacted )?services?$/i

function read({ body, settings }: Delivery): Signals {
  const type = textAt(body, 'event_type')
  if (type?.startsWith('private_incident.')) return ignore('a private incident has only an id')
  if (type !== CREATED && type !== UPDATED) return ignore(`event_type ${type ?? 'missing'}`)
  const event = at(body, type)
  const incident = at(event, 'incident') ?? event
  const key = nameAt(incident, 'id')
  if (key === undefined) return ignore('no incident')
  const mode = textAt(incident, 'mode')?.toLowerCase()
  if (mode !== undefined && REHEARSED.has(mode)) return ignore(`a ${mode} incident`)
  const category = toCategory(event, incident)
  const isOver = category !== undefined && OVER.has(category)
  if (isOver === (type === CREATED)) return ignore(isOver ? `created when it was ${category}` : `status ${category ?? 'missing'}`)
  const named = serviceOf(incident)
  return oneAlert({
    action: isOver ? 'resolve' : 'trigger',
    key,
    title: textAt(incident, 'name'),
    service: toService(settings, [named], named),
    url: toUrlOn(HOSTS, at(incident, 'permalink')),
    at: toInstant(at(incident, isOver ? 'updated_at' : 'created_at')),
  })
}

const toCategory = (event: unknown, incident: unknown) =>
  (textAt(event, 'new_status', 'category') ?? textAt(incident, 'incident_status', 'category'))?.toLowerCase()

/** incident.io knows services only as a custom field. */
function serviceOf(incident: unknown): string | undefined {
  const entry = listAt(incident, 'custom_field_entries').find((one) => SERVICE_FIELD.test(textAt(one, 'custom_field', 'name') ?? ''))
  const value = at(entry, 'values', 0)
  return nameAt(value, 'value_catalog_entry', 'name') ?? nameAt(value, 'value_option', 'value') ?? nameAt(value, 'value_text')
}

export const incidentio: Door = {
  title: 'incident.io',
  brings: 'alerts',
  signatures: [{ kind: 'standard' }],
  ...USUAL,
  config: ['service', 'service_map', 'wait_seconds', 'webhook_secret'],
  read,
  example: {
    body: {
      event_type: CREATED,
      [CREATED]: {
        id: '01HQXK7Z0000000000000CHKT',
        reference: 'INC-77',
        name: 'Checkout answers slowly',
        summary: 'Totals take seconds',
        severity: { name: 'Major' },
        incident_status: { name: 'Investigating', category: 'active' },
        visibility: 'public',
        created_at: '2026-03-02T09:14:31Z',
        updated_at: '2026-03-02T09:14:31Z',
        permalink: 'https://app.incident.io/incidents/77',
        custom_field_entries: [{ custom_field: { name: 'Affected service' }, values: [{ value_catalog_entry: { name: 'checkout' } }] }],
      },
    },
  },
  setup: `Settings → Webhooks → Add endpoint: URL {{url}}, events *Incident created (v2)* and *Incident status updated (v2)*. Its signing secret (\`whsec_…\`) is the integration's \`webhook_secret\`. A custom field called *Service* or *Affected service* tells the service, else \`service\`.`,
}
