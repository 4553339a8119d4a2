import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import { DemoError, type Dev, request, toText } from './demo-client.ts'
import { connectPager, listNotes, type Pager, sendAlert } from './demo-pager.ts'

const NOTE_TIMEOUT_MS = 20_000
const POLL_MS = 50

type Incident = {
  readonly id: string
  readonly external_ref: string | null
  readonly status: string
  readonly hypothesis: string | null
  readonly confidence: number | null
}

type Detail = Incident & {
  readonly similar_incidents: readonly {
    readonly id: string
    readonly hypothesis: string
    readonly engineer_confirmed: boolean
    readonly similarity: number
  }[]
}

/** From a page to an answer: the alerts of two services, the first of which an engineer confirms. */
export async function showIncidents(dev: Dev, [service, other]: readonly [string, string]): Promise<void> {
  const pager = await connectPager(dev)
  const first = await showIncident(dev, pager, service)
  await request(dev, `/v1/incidents/${first.id}/feedback`, { method: 'PUT', body: JSON.stringify({ confirmed: true }), expect: [204] })
  step('An engineer confirms it: PUT …/feedback {"confirmed": true}. A causal pattern is kept.')

  const second = await showIncident(dev, pager, other)
  const { body } = await request(dev, `/v1/incidents/${second.id}`, { expect: [200] })
  const [similar] = (body as Detail).similar_incidents.filter(({ id }) => id === first.id)
  if (!similar) throw new DemoError(`GET /v1/incidents/${second.id} does not cite the confirmed incident ${first.id}`)
  step(`It cites the first one, ${Math.round(100 * similar.similarity)} % alike and confirmed: ${toText(similar.hypothesis)}`)
  console.log(`\nAll of it as JSON:\n  curl -s -H 'Authorization: Bearer ${dev.readonlyKey}' ${dev.url}/v1/incidents/${second.id}`)
}

async function showIncident(dev: Dev, pager: Pager, service: string): Promise<Incident> {
  const sentMs = performance.now()
  const ref = await sendAlert(dev, pager, service)
  const since = () => `${Math.round(performance.now() - sentMs)} ms`
  step(`A signed PagerDuty webhook fires for ${service}: 202 after ${since()}, the incident is stored`)
  const content = await waitForNote(dev, ref)
  step(`Diagnosed, and the note is at PagerDuty after ${since()}:`)
  console.log(
    content
      .split('\n')
      .map((line) => `      ${styleText('cyan', toText(line))}`)
      .join('\n'),
  )

  const { body } = await request(dev, '/v1/incidents', { expect: [200] })
  const incident = (body as readonly Incident[]).find(({ external_ref }) => external_ref === ref)
  if (incident?.status !== 'diagnosed') throw new DemoError(`GET /v1/incidents shows no diagnosed incident ${ref}`)
  return incident
}

/** The note as the pager shows it. */
async function waitForNote(dev: Dev, ref: string): Promise<string> {
  for (const endsAt = performance.now() + NOTE_TIMEOUT_MS; performance.now() < endsAt; await sleep(POLL_MS)) {
    const [content] = await listNotes(dev, ref)
    if (content !== undefined) return content
  }
  throw new DemoError(`no note about ${ref} within ${NOTE_TIMEOUT_MS / 1_000} s`)
}

function step(text: string): void {
  console.log(`  ${styleText('green', '›')} ${text}`)
}
