import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { finishIncidents } from '../../src/usecases/finish-incidents.ts'
import { createTestTenant, makeEvent, startApp, type TestApp, type TestTenant } from '../support/app.ts'
import { type Fuse, startFaultProxy } from '../support/fault-proxy.ts'
import { startOwnStack } from '../support/own-stack.ts'
import { connectReceiver, listTaken } from '../support/receivers.ts'
import { IS_THOROUGH } from '../support/thoroughness.ts'

// A cron tick is of all tenants.
const stack = await startOwnStack()
const app = startApp({ stack })

const ago = (minutes: number) => new Date(Date.now() - 60_000 * minutes).toISOString()
const tick = ({ deps }: TestApp, minutes: number) =>
  finishIncidents({ ...deps, rest: async () => {} }, new Date(Date.now() + 60_000 * minutes))
const send = (tenant: TestTenant, fields: Readonly<Record<string, unknown>>) =>
  app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent(fields) })

type Told = { readonly tenant: TestTenant; readonly id: string }

/** What happens by way of an isolate that may die over it: an answer, or something after one. */
const HAPPENINGS: Readonly<Record<string, (dying: TestApp, told: Told) => Promise<unknown>>> = {
  answered: (dying, { tenant }) => dying.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout' } }),
  resolved: (dying, { tenant, id }) => dying.request(`/v1/incidents/${id}/resolve`, { key: tenant.readonlyKey, method: 'PUT' }),
  verdict: (dying, { tenant, id }) =>
    dying.request(`/v1/incidents/${id}/feedback`, { key: tenant.readonlyKey, method: 'PUT', body: { confirmed: true } }),
  undone: async (dying, { tenant, id }) => {
    await send(tenant, { old_value: 'a4f2c19', new_value: 'f8b3e22', sha: 'f8b3e22' })
    // Ticks are a minute apart: what was received before one, and was not told by it, is old news to the next.
    await app.deps.db.execute(sql`UPDATE incident_work SET looked_at = looked_at - interval '40 seconds' WHERE incident_id = ${id}`)
    await app.deps.db.execute(
      sql`UPDATE context_events SET received_at = received_at - interval '20 seconds' WHERE tenant_id = ${tenant.tenantId}`,
    )
    // A tick that cannot go on ends like one that is killed.
    await tick(dying, 0.1).catch(() => {})
  },
}

/** What a receiver has of a tenant's: each message once, however often it was sent under one id. */
type Receiver = {
  readonly config: (url: string, name: string) => Readonly<Record<string, unknown>>
  readonly read: (name: string) => Promise<readonly string[]>
}

const toBot = (token: string): Receiver => ({
  config: (_, name) => ({ bot_token: token, channel: name }),
  read: async (name) => {
    const posts = await listTaken('/slack-api/chat.postMessage', stack)
    return posts
      .map(({ body }) => body as { readonly channel: string })
      .flatMap((body) => (body.channel === name ? [JSON.stringify(body)] : []))
  },
})

const RECEIVERS: Readonly<Record<string, Receiver>> = {
  slack: toBot('xoxb-1'),
  'slack that may not read': toBot('xoxb-writes'),
  // An edit that is made again comes to the same.
  discord: {
    config: (url, name) => ({ url: `${url}/discord/${name}` }),
    read: async (name) => [...new Set((await listTaken(`/discord/${name}/messages/1`, stack)).map(({ body }) => JSON.stringify(body)))],
  },
  webhook: {
    config: (url, name) => ({ url: `${url}/webhook/${name}` }),
    read: async (name) => {
      const messages = await listTaken(`/webhook/${name}`, stack)
      return [...new Map(messages.map(({ headers, body }) => [headers['webhook-id'], JSON.stringify(body)])).values()]
    },
  },
}

const SAYS: Readonly<Record<string, RegExp>> = {
  answered: /Recommended action|incident\.diagnosed/,
  resolved: /Resolved at|incident\.resolved/,
  verdict: /incident\.verdict/,
  undone: /was undone/,
}

type Death = { readonly what: string; readonly type: string; readonly servesLast: boolean }

/** Has something happen by way of an isolate whose requests stop getting through after so many; the cron does the rest. */
async function dieAfter(left: number, { what, type, servesLast }: Death) {
  const fuse: Fuse = { left: Number.POSITIVE_INFINITY, servesLast }
  const database = await startFaultProxy(stack.databaseEndpoint, fuse)
  const outside = await startFaultProxy(stack.receiversUrl, fuse)
  const bindings = { SLACK_API_URL: `${outside.url}/slack-api` }
  const dying = startApp({ stack, database: database.url, bindings }, { rest: async () => {} })
  const tenant = await createTestTenant(app)
  const name = `C${randomUUID().replaceAll('-', '').toUpperCase()}`
  await connectReceiver(app, tenant, type.split(' ')[0] ?? type, RECEIVERS[type]?.config(outside.url, name) ?? {})
  await send(tenant, { old_value: 'f8b3e22', new_value: 'a4f2c19', sha: 'a4f2c19', timestamp: ago(2) })
  if (what !== 'answered') {
    await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout' } })
    await app.settle()
  }
  const find = async () => (await (await app.request('/v1/incidents', { key: tenant.readonlyKey })).json())[0]
  const id: string = (await find())?.id ?? ''
  fuse.left = left
  await HAPPENINGS[what]?.(dying, { tenant, id })
  await dying.settle()
  const isAlive = fuse.left >= 0
  fuse.left = Number.POSITIVE_INFINITY
  const isAccepted = HAS_HAPPENED[what]?.(await find()) ?? true
  // Before the second look, which may see it otherwise.
  for (const minutes of [1.2, 1.9, 20]) await tick(app, minutes)
  const told = (await RECEIVERS[type]?.read(name)) ?? []
  return { isAlive, isAccepted, told: told.filter((text) => SAYS[what]?.test(text)).length }
}

type Found = { readonly resolved_at: string | null; readonly engineer_confirmed: boolean | null } | undefined

/** Whether it happened before the isolate died, as far as an incident tells. */
const HAS_HAPPENED: Readonly<Record<string, (incident: Found) => boolean>> = {
  answered: (incident) => incident !== undefined,
  resolved: (incident) => incident?.resolved_at !== null,
  verdict: (incident) => incident?.engineer_confirmed !== null,
}

/** After each number of requests up to where the isolate lives; the everyday suite tries some. */
async function dieEverywhere(death: Death) {
  const outcomes = [await dieAfter(1, death)]
  while (!outcomes.at(-1)?.isAlive) outcomes.push(await dieAfter(1 + outcomes.length * (IS_THOROUGH ? 1 : 8), death))
  return outcomes
}

describe('an isolate that dies', () => {
  type Row = readonly [what: string, type: string, lastRequest: 'unsent' | 'unheard']
  const everyday: readonly Row[] = [
    ['resolved', 'slack', 'unsent'],
    ['resolved', 'slack', 'unheard'],
    ['resolved', 'webhook', 'unheard'],
    ['verdict', 'webhook', 'unheard'],
    ['undone', 'slack', 'unsent'],
    ['undone', 'discord', 'unheard'],
  ]
  const others: readonly Row[] = [
    ['answered', 'slack', 'unsent'],
    ['answered', 'slack', 'unheard'],
    ['answered', 'slack that may not read', 'unsent'],
    ['resolved', 'slack that may not read', 'unheard'],
    ['resolved', 'discord', 'unheard'],
  ]
  test.each(IS_THOROUGH ? [...everyday, ...others] : everyday)(
    'at any of its requests over what is %s leaves one message at %s (the last one %s)',
    async (what, type, lastRequest) => {
      const outcomes = await dieEverywhere({ what, type, servesLast: lastRequest === 'unheard' })
      const deaths = outcomes.filter(({ isAlive }) => !isAlive).length
      const lost = outcomes.filter(({ isAccepted, told }) => isAccepted && told === 0).length
      expect(outcomes.filter(({ isAccepted, told }) => told > (isAccepted ? 1 : 0))).toEqual([])
      expect(deaths).toBeGreaterThanOrEqual(1)
      // What was cut off between its mark and its way to one whom nobody can ask may not have arrived: that, and nothing else.
      expect(lost).toBeLessThanOrEqual(type === 'slack that may not read' ? 1 : 0)
    },
  )
})
