import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createTestTenant, entriesOf, listServicesOf, readWindowOf, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()

/** Lines as agents post them: ours, or those of the file that `RECORDED_EVENTS` names. */
const file = process.env['RECORDED_EVENTS'] || new URL('../fixtures/agent-events.jsonl', import.meta.url)
const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)

type Sent = { readonly timestamp: string; readonly service_name: string; readonly raw_line: string; readonly ttl_seconds: number }
type Logged = { readonly id: string; readonly timestamp: string; readonly received_at: string; readonly expires_at: string } & Record<
  string,
  unknown
>

/** The instant a recorded timestamp names, worked out without our parser. */
function toInstant(timestamp: string): string | undefined {
  if (timestamp === '') return undefined
  const zoned = timestamp
    .replace(',', '.')
    .replace(/ UTC$/, 'Z')
    .replace(/ EST$/, '-05:00')
    .replace(/ CEST$/, '+02:00')
    .replace(' ', 'T')
  return new Date(/(?:Z|[+-]\d\d:\d\d)$/.test(zoned) ? zoned : `${zoned}Z`).toISOString()
}

async function readLog(tenant: TestTenant): Promise<Map<string, Logged>> {
  const events: Logged[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = `?limit=100${cursor && `&cursor=${cursor}`}`
    const page: { events: Logged[]; next_cursor: string | null } = await (
      await app.request(`/v1/agents/${tenant.agentId}${query}`, { key: tenant.readonlyKey })
    ).json()
    events.push(...page.events)
    cursor = page.next_cursor
  }
  return new Map(events.map((event) => [event.id, event]))
}

describe(`${lines.length} recorded events`, () => {
  test('each is accepted, at the time it names, with all it says, and once', async () => {
    const tenant = await createTestTenant(app)
    const ids: string[] = []
    for (const line of lines) {
      const response = await app.request('/v1/events', { key: tenant.ingestKey, body: line })
      expect(response.status, line).toBe(201)
      expect(response.headers.get('Noctuary-Warning')).toBeNull()
      const sent: Sent = JSON.parse(line)
      const isRepeat = sent.timestamp !== '' && lines.indexOf(line) < ids.length
      expect(response.headers.get('Idempotent-Replayed')).toBe(isRepeat ? 'true' : null)
      ids.push(response.headers.get('Noctuary-Event-Id') ?? '')
    }

    const log = await readLog(tenant)
    expect(log.size).toBe(new Set(ids).size)
    for (const [place, line] of lines.entries()) {
      const { raw_line: _, timestamp, ...sent } = JSON.parse(line)
      const logged = log.get(ids[place] ?? '')
      expect(logged).toMatchObject({ old_value: null, new_value: null, actor: null, sha: null, ...sent })
      expect(logged?.timestamp).toBe(toInstant(timestamp) ?? logged?.received_at)
      expect(Date.parse(logged?.expires_at ?? '')).toBe(Date.parse(logged?.received_at ?? '') + sent.ttl_seconds * 1000)
    }
    expect(JSON.stringify([...log.values()])).not.toMatch(/raw_line/)
  })

  test('each is in the window of its service, whether sent one by one or as a batch', async () => {
    const tenant = await createTestTenant(app)
    const body = lines.map((line) => JSON.parse(line))
    const answer = await (await app.request('/v1/events/batch', { key: tenant.ingestKey, body })).json()
    expect(answer).toMatchObject({ rejected: 0 })

    const services = await listServicesOf(app, tenant)
    const own = new Map<string, number>()
    for (const name of services.keys()) {
      const entries = entriesOf(await readWindowOf(app, tenant, name))
      const counted = entries.filter(({ joined_by }) => joined_by === 'service_name').reduce((sum, { count }) => sum + count, 0)
      own.set(name, counted)
    }
    expect([...own.values()].reduce((sum, count) => sum + count)).toBe(answer.accepted)
    expect([...services.keys()]).toEqual(expect.arrayContaining([...new Set(body.map((event: Sent) => event.service_name))]))
  })
})
