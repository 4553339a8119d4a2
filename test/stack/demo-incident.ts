import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import { DemoError, type Dev, request, toText } from './demo-client.ts'
import { connectPager, listNotes, type Pager, sendAlert, sendResolution } from './demo-pager.ts'
import type { Senders } from './demo-senders.ts'
import { SHOP_CALLERS } from './shop.ts'
import { toRegional } from './shop-deliveries.ts'

const ANSWER_TIMEOUT_MS = 20_000
const POLL_MS = 50

type Incident = {
  readonly id: string
  readonly external_ref: string | null
  readonly status: string
  readonly hypothesis: string | null
  readonly recommended_action: string | null
}

type Detail = Incident & {
  readonly similar_incidents: readonly {
    readonly id: string
    readonly hypothesis: string
    readonly engineer_confirmed: boolean
    readonly similarity: number
  }[]
}

/** The alerts of two services, which end with what they are about. */
export type Alerts = { readonly end: () => Promise<void> }

/**
 * From alerts to answers: Alertmanager's for a caller of what broke, whose answer an engineer confirms, and a page for another,
 * whose note cites it. `at`: when they fire.
 */
export async function showIncidents(dev: Dev, { tokens, region }: Senders, at: Date): Promise<Alerts> {
  const [service, other] = [toRegional(SHOP_CALLERS[0], region), toRegional(SHOP_CALLERS[1], region)]
  const pager = await connectPager(dev)
  const key = `{}:{alertname="ErrorRate", run="${at.toISOString()}"}`
  const fire = (status: 'firing' | 'resolved') => {
    const endsAt = status === 'firing' ? '0001-01-01T00:00:00Z' : new Date().toISOString()
    const labels = { alertname: 'ErrorRate', service, severity: 'critical' }
    const annotations = { summary: `Error rate above 5 % on ${service}` }
    const group = { version: '4', groupKey: key, status, alerts: [{ status, labels, annotations, startsAt: at.toISOString(), endsAt }] }
    return request(dev, '/in/alertmanager', { method: 'POST', key: tokens.alertmanager, body: JSON.stringify(group), expect: [202] })
  }
  const firedMs = performance.now()
  await fire('firing')
  step(`Alertmanager fires for ${service}: 202 after ${since(firedMs)}, the incident is stored`)
  const first = await waitForIncident(dev, ({ external_ref }) => external_ref?.startsWith(key) === true)
  step(`Diagnosed after ${since(firedMs)}:`)
  tell([first.hypothesis ?? '', first.recommended_action ?? ''])
  await confirm(dev, first)
  step('An engineer confirms it: PUT …/feedback {"confirmed": true}. A causal pattern is kept.')

  const second = await showPage(dev, pager, other, at)
  const { body } = await request(dev, `/v1/incidents/${second.id}`, { expect: [200] })
  const [similar] = (body as Detail).similar_incidents.filter(({ id }) => id === first.id)
  if (!similar) throw new DemoError(`GET /v1/incidents/${second.id} does not cite the confirmed incident ${first.id}`)
  step(`It cites the first one, ${Math.round(100 * similar.similarity)} % alike and confirmed: ${toText(similar.hypothesis)}`)
  console.log(`\nAll of it as JSON:\n  curl -s -H 'Authorization: Bearer ${dev.readonlyKey}' ${dev.url}/v1/incidents/${second.id}`)
  return {
    end: async () => {
      await fire('resolved')
      await sendResolution(dev, pager, { ref: second.external_ref ?? '', service: other })
      await confirm(dev, second)
      step('The errors stop, both alerts end, and the second answer is confirmed, too: neither is looked at again.')
    },
  }
}

const confirm = (dev: Dev, { id }: Incident) =>
  request(dev, `/v1/incidents/${id}/feedback`, { method: 'PUT', body: JSON.stringify({ confirmed: true }), expect: [204] })

async function showPage(dev: Dev, pager: Pager, service: string, at: Date): Promise<Incident> {
  const sentMs = performance.now()
  const ref = await sendAlert(dev, pager, service, at)
  step(`A signed PagerDuty webhook fires for ${service}: 202 after ${since(sentMs)}`)
  const content = await until(`note about ${ref}`, async () => (await listNotes(dev, ref))[0])
  step(`Diagnosed, and the note is at PagerDuty after ${since(sentMs)}:`)
  tell(content.split('\n'))
  return await waitForIncident(dev, ({ external_ref }) => external_ref === ref)
}

const waitForIncident = (dev: Dev, isIt: (incident: Incident) => boolean): Promise<Incident> =>
  until('diagnosed incident', async () => {
    const { body } = await request(dev, '/v1/incidents', { expect: [200] })
    const incident = (body as readonly Incident[]).find(isIt)
    return incident?.status === 'diagnosed' ? incident : undefined
  })

async function until<T>(what: string, find: () => Promise<T | undefined>): Promise<T> {
  for (const endsAt = performance.now() + ANSWER_TIMEOUT_MS; performance.now() < endsAt; await sleep(POLL_MS)) {
    const found = await find()
    if (found !== undefined) return found
  }
  throw new DemoError(`no ${what} within ${ANSWER_TIMEOUT_MS / 1_000} s`)
}

const since = (sinceMs: number) => `${Math.round(performance.now() - sinceMs)} ms`

function tell(lines: readonly string[]): void {
  console.log(lines.map((line) => `      ${styleText('cyan', toText(line))}`).join('\n'))
}

function step(text: string): void {
  console.log(`  ${styleText('green', '›')} ${text}`)
}
