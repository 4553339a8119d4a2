import { createHmac, randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import type { PagerDutyFault } from '../stack/pagerduty-api.ts'
import type { StackAddresses } from '../stack/stack.ts'
import type { TestApp, TestTenant } from './app.ts'

type NoteBody = { readonly id: string; readonly content: string; readonly created_at: string }

/** The notes that the stand-in keeps of an incident, newest first. */
export async function listNotes(incidentRef: string, { pagerDutyUrl }: StackAddresses = inject('stack')): Promise<NoteBody[]> {
  const response = await fetch(`${pagerDutyUrl}/incidents/${incidentRef}/notes`, {
    headers: { Authorization: 'Token token=any', Accept: 'application/vnd.pagerduty+json;version=2' },
  })
  const { notes }: { notes: NoteBody[] } = await response.json()
  return notes
}

/** Tells the stand-in what befalls the next requests about an incident. */
export async function scriptPagerDuty(
  incidentRef: string,
  faults: readonly PagerDutyFault[],
  { pagerDutyUrl }: StackAddresses = inject('stack'),
): Promise<void> {
  await fetch(`${pagerDutyUrl}/stand-in/incidents/${incidentRef}/faults`, { method: 'PUT', body: JSON.stringify(faults) })
}

export type Pager = { readonly id: string; readonly token: string; readonly secret: string | null }

export const PAGER_SECRET = 'whsec-canary-5f0c'
export const PAGER_TOKEN = 'pd-canary-y_NbAkKc66ryYTWUXYEu'

/** An integration with PagerDuty that takes signed deliveries and posts notes, unless `config` says otherwise. */
export async function connectPager(
  app: TestApp,
  tenant: TestTenant,
  config: Readonly<Record<string, unknown>> = {},
  direction = 'bidirectional',
): Promise<Pager> {
  const all = { pagerduty_token: PAGER_TOKEN, pagerduty_from: 'oncall@acme.example', webhook_secret: PAGER_SECRET, ...config }
  const response = await app.request('/v1/integrations', { key: tenant.readonlyKey, body: { type: 'pagerduty', direction, config: all } })
  const { id, token }: { id: string; token: string } = await response.json()
  return { id, token, secret: all.webhook_secret }
}

/** An id as PagerDuty gives its incidents. */
export const newRef = () => `Q${randomUUID().replaceAll('-', '').slice(0, 13).toUpperCase()}`

type DeliveryFields = {
  readonly type?: string
  readonly ref?: string
  readonly service?: string
  readonly serviceRef?: string
  readonly at?: Date
  readonly data?: Readonly<Record<string, unknown>>
}

/** The body of a V3 webhook about an incident. */
export function makeDelivery({
  type = 'triggered',
  ref = newRef(),
  service = 'checkout',
  serviceRef = 'PSVC001',
  at,
  data,
}: DeliveryFields = {}) {
  const instant = (at ?? new Date()).toISOString()
  return {
    event: {
      id: randomUUID(),
      event_type: type.includes('.') ? type : `incident.${type}`,
      resource_type: 'incident',
      occurred_at: instant,
      data: {
        id: ref,
        type: 'incident',
        number: 4711,
        title: `Error rate on ${service}`,
        status: 'triggered',
        html_url: `https://acme.pagerduty.com/incidents/${ref}`,
        service: { id: serviceRef, summary: service },
        urgency: 'high',
        created_at: instant,
        ...data,
      },
    },
  }
}

type DeliverOptions = { readonly deliveryId?: string; readonly signature?: string | null }

/** The signature PagerDuty would send with a body. */
export const sign = (body: string, secret: string) => `v1=${createHmac('sha256', secret).update(body).digest('hex')}`

/** Sends a delivery as PagerDuty does. */
export async function deliver(app: TestApp, pager: Pager, body: unknown, { deliveryId = randomUUID(), signature }: DeliverOptions = {}) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const signed = signature === undefined && pager.secret !== null ? sign(text, pager.secret) : signature
  return await app.request(`/webhooks/pagerduty/${pager.token}`, {
    body: text,
    headers: { 'X-Webhook-Id': deliveryId, ...(signed ? { 'X-PagerDuty-Signature': signed } : {}) },
  })
}
