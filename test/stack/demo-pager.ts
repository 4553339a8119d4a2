import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { DemoError, type Dev, request } from './demo-client.ts'

const SENDER = 'demo@noctuary.example'

type Integration = { readonly id: string; readonly token: string; readonly config: { readonly pagerduty_from: string | null } }

/** The webhook of an integration, and the secret that signs for it. */
export type Pager = { readonly path: string; readonly secret: string }

/** The demo's own integration, made at its first run; each run sets another webhook secret. */
export async function connectPager(dev: Dev): Promise<Pager> {
  const { body: known } = await request(dev, '/v1/integrations', { expect: [200] })
  const own = (known as readonly Integration[]).find(({ config }) => config.pagerduty_from === SENDER)
  const created = JSON.stringify({ type: 'pagerduty', direction: 'bidirectional', config: { pagerduty_from: SENDER } })
  const integration = own ?? (await request(dev, '/v1/integrations', { method: 'POST', body: created, expect: [201] })).body
  const { id, token } = integration as Integration
  const secret = randomBytes(24).toString('hex')
  const config = { webhook_secret: secret, pagerduty_token: 'demo-token' }
  await request(dev, `/v1/integrations/${id}`, { method: 'PUT', body: JSON.stringify({ config }), expect: [200] })
  return { path: `/webhooks/pagerduty/${token}`, secret }
}

/** An incident of the pager. */
export type Page = { readonly ref: string; readonly service: string }

/** Fires a signed webhook for a service; returns PagerDuty's id of the incident once it was taken. */
export async function sendAlert(dev: Dev, pager: Pager, service: string, at = new Date()): Promise<string> {
  const ref = `Q${randomBytes(6).toString('hex').toUpperCase()}`
  await deliver(dev, pager, { ref, service }, 'triggered', at)
  return ref
}

/** Tells that an incident is over. */
export async function sendResolution(dev: Dev, pager: Pager, page: Page): Promise<void> {
  await deliver(dev, pager, page, 'resolved', new Date())
}

async function deliver(dev: Dev, { path, secret }: Pager, { ref, service }: Page, what: 'triggered' | 'resolved', at: Date): Promise<void> {
  const instant = at.toISOString()
  const data = {
    id: ref,
    number: 1,
    title: `Error rate above 5 % on ${service}`,
    status: what,
    html_url: `https://demo.pagerduty.com/incidents/${ref}`,
    service: { id: 'PDEMO01', summary: service },
    urgency: 'high',
    created_at: instant,
  }
  const event = { id: randomUUID(), event_type: `incident.${what}`, resource_type: 'incident', occurred_at: instant, data }
  const body = JSON.stringify({ event })
  const response = await fetch(`${dev.url}${path}`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-Webhook-Id': randomUUID(),
      'X-PagerDuty-Signature': `v1=${createHmac('sha256', secret).update(body).digest('hex')}`,
    },
    body,
  })
  if (response.status !== 202) throw new DemoError(`POST ${path.replace(/tok_.*/, 'tok_…')} answered ${response.status}`)
}

/** The notes that the pager shows, newest first. */
export async function listNotes({ pagerDutyUrl }: Dev, ref: string): Promise<string[]> {
  const response = await fetch(`${pagerDutyUrl}/incidents/${ref}/notes`, {
    headers: { Authorization: 'Token token=demo-token', Accept: 'application/vnd.pagerduty+json;version=2' },
  })
  const { notes }: { notes: readonly { readonly content: string }[] } = await response.json()
  return notes.map(({ content }) => content)
}
