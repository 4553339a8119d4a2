import { MAX_NAME_LENGTH } from '../event/event.ts'
import { field } from '../json.ts'
import { isOwnNote } from '../telling/note.ts'
import { toPrintable, toShownValue, toStorableText } from '../text.ts'
import { isZeroTime, parseTimestamp } from '../timestamp.ts'
import type { Delivery, Door, DoorSettings, Signals } from './door.ts'
import { ignore, mappedService, oneAlert, present, USUAL } from './mapping.ts'
import { at, textAt, toName, toText, toUrlOn } from './reading.ts'

/** An incident as a delivery tells it. Only the reference is sure to be there. */
type PagerDutyIncident = {
  /** PagerDuty's id of the incident. */
  readonly ref: string
  readonly number: number | null
  readonly title: string | null
  /** Its page: an `https` address on one of PagerDuty's hosts, or nothing. */
  readonly url: string | null
  readonly urgency: 'high' | 'low' | null
  readonly createdAt: Date | null
  readonly service: { readonly ref: string | null; readonly name: string | null }
}

/** What a delivery asks for. `own_note` says that a note which we posted has arrived. */
export type PagerDutyDelivery =
  | {
      readonly kind: 'trigger' | 'acknowledge' | 'resolve'
      readonly incident: PagerDutyIncident
      readonly occurredAt: Date | null
      /** PagerDuty's id of what happened, the same in every subscription. */
      readonly eventId: string | null
    }
  | { readonly kind: 'own_note' }
  | { readonly kind: 'ignored' }

const INCIDENT_CHANGES: ReadonlyMap<unknown, 'trigger' | 'acknowledge' | 'resolve'> = new Map([
  ['incident.triggered', 'trigger'],
  ['incident.acknowledged', 'acknowledge'],
  ['incident.resolved', 'resolve'],
])

const REF = /^[\w-]{1,64}$/
const MAX_DELIVERY_ID_LENGTH = 255
/** Where PagerDuty's pages are, in both regions. */
const PAGER_HOST = /(?:^|\.)pagerduty\.com$/

/** Reads the body of a V3 webhook, whatever it holds. What names no incident, and every other type, is ignored. */
export function readDelivery(body: unknown): PagerDutyDelivery {
  const event = field(body, 'event')
  const data = field(event, 'data')
  const type = field(event, 'event_type')
  if (type === 'incident.annotated') {
    const content = field(data, 'content')
    return { kind: typeof content === 'string' && isOwnNote(content) ? 'own_note' : 'ignored' }
  }
  const kind = INCIDENT_CHANGES.get(type)
  const incident = kind && readIncident(data)
  if (!incident) return { kind: 'ignored' }
  return { kind, incident, occurredAt: readInstant(field(event, 'occurred_at')), eventId: readText(field(event, 'id'), MAX_NAME_LENGTH) }
}

/** Reads a delivery as any door's: `incident.reopened` undoes a resolution. */
function read({ body, header, settings }: Delivery): Signals {
  const type = at(body, 'event', 'event_type')
  const isReopened = type === 'incident.reopened'
  const delivery = readDelivery(isReopened ? { event: { ...Object(at(body, 'event')), event_type: 'incident.triggered' } } : body)
  if (delivery.kind === 'own_note') return ignore('our own note')
  if (delivery.kind === 'ignored') return ignore(`event_type ${textAt(body, 'event', 'event_type') ?? 'missing'}`)
  const { incident, kind, eventId } = delivery
  const own = incident.service.name ?? incident.service.ref ?? undefined
  const time = kind === 'trigger' && !isReopened ? (incident.createdAt ?? delivery.occurredAt) : delivery.occurredAt
  const alert = oneAlert({
    action: isReopened ? 'reopen' : kind,
    key: incident.ref,
    title: incident.title ?? undefined,
    service: toMappedName(incident, settings) ?? toName(settings.service) ?? own,
    url: incident.url,
    at: time?.toISOString(),
  })
  return { ...alert, ...present({ idempotencyKey: toText(header('x-webhook-id'), MAX_DELIVERY_ID_LENGTH) ?? eventId ?? undefined }) }
}

const toMappedName = ({ service }: PagerDutyIncident, settings: DoorSettings) => mappedService(settings, [service.ref ?? undefined])

function readIncident(data: unknown): PagerDutyIncident | undefined {
  const ref = field(data, 'id')
  if (typeof ref !== 'string' || !REF.test(ref)) return undefined
  const service = field(data, 'service')
  const number = field(data, 'number')
  const urgency = field(data, 'urgency')
  const serviceRef = field(service, 'id')
  return {
    ref,
    number: Number.isSafeInteger(number) ? Number(number) : null,
    title: toShownValue(readText(field(data, 'title'))),
    url: toUrlOn(PAGER_HOST, field(data, 'html_url')) ?? null,
    urgency: urgency === 'high' || urgency === 'low' ? urgency : null,
    createdAt: readInstant(field(data, 'created_at')),
    service: {
      ref: typeof serviceRef === 'string' && REF.test(serviceRef) ? serviceRef : null,
      name: readText(field(service, 'summary'), MAX_NAME_LENGTH),
    },
  }
}

function readText(value: unknown, maxLength?: number): string | null {
  if (typeof value !== 'string') return null
  const text = toPrintable(toStorableText(value)).trim()
  if (text === '') return null
  return maxLength === undefined || text.length <= maxLength ? text : Array.from(text).slice(0, maxLength).join('').trim()
}

function readInstant(value: unknown): Date | null {
  const timestamp = parseTimestamp(value)
  return timestamp.kind === 'instant' && !isZeroTime(timestamp.instant) ? new Date(timestamp.instant) : null
}

export const pagerduty: Door = {
  title: 'PagerDuty',
  brings: 'alerts',
  fixedPaths: ['/webhooks/pagerduty/{token}'],
  signatures: [{ kind: 'pagerduty' }],
  isUnordered: true,
  hasUniqueKeys: true,
  ...USUAL,
  config: ['service', 'service_map', 'wait_seconds', 'webhook_secret'],
  read,
  example: {
    headers: { 'X-Webhook-Id': 'b2f6c1e0-0000-4000-8000-000000000077' },
    body: {
      event: {
        id: '01HQXK7Z0CHECKOUT00000077',
        event_type: 'incident.triggered',
        resource_type: 'incident',
        occurred_at: '2026-03-02T09:14:31.482Z',
        data: {
          id: 'Q0CHECKOUT77',
          type: 'incident',
          number: 77,
          title: 'Checkout answers slowly',
          status: 'triggered',
          html_url: 'https://acme.pagerduty.com/incidents/Q0CHECKOUT77',
          urgency: 'high',
          created_at: '2026-03-02T09:14:30Z',
          service: { id: 'PCHKT01', summary: 'checkout', type: 'service_reference' },
        },
      },
    },
  },
  setup: `Integrations → Generic Webhooks (v3) → New webhook: URL {{url}}, events *incident.triggered*, *incident.acknowledged*, *incident.resolved*, *incident.reopened* and *incident.annotated*. Its secret is the integration's \`webhook_secret\`.`,
}
