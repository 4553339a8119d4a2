import { sql } from 'drizzle-orm'
import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { RECEIVER_TYPES } from '../../src/domain/integration-type.ts'
import type { ReceiverClient } from '../../src/outbound/receivers/client.ts'
import type { ReceiverClients } from '../../src/outbound/receivers/index.ts'
import { finishIncidents } from '../../src/usecases/finish-incidents.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import type { ReceiverFault, TakenMessage } from '../stack/receiver-api.ts'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { type Fuse, startFaultProxy } from '../support/fault-proxy.ts'
import { startOwnStack } from '../support/own-stack.ts'
import { connectReceiver, listTaken, newPath, scriptReceiver, toQuickReceivers, toUrl } from '../support/receivers.ts'
import { IS_THOROUGH } from '../support/thoroughness.ts'

// A cron tick is of all tenants.
const stack = await startOwnStack()
const app = startApp({ stack })

/** What would be tried again within the tick is left to the next. */
const ticking = { ...app.deps, rest: async () => {} }
const inMinutes = (minutes: number) => new Date(Date.now() + 60_000 * minutes)
const sweep = (minutes: number) => runSweep(ticking, inMinutes(minutes))
/** A tick's part in incidents, which is a third of its work. */
const tick = (minutes: number) => finishIncidents(ticking, inMinutes(minutes))
const taken = (path: string) => listTaken(path, stack)

/** Something to blame, and an incident about it, asked for without a pager. */
async function ask(tenant: TestTenant, asking = app, statuses = [201]): Promise<{ readonly id: string }> {
  const event = makeEvent({ timestamp: new Date(Date.now() - 120_000).toISOString(), old_value: 'f8b3e22', new_value: 'a4f2c1' })
  expect((await app.request('/v1/events', { key: tenant.ingestKey, body: event })).status).toBe(201)
  const response = await asking.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', title: 'Error rate' } })
  expect(statuses).toContain(response.status)
  await asking.settle()
  return await response.json()
}

const CONFIGS: Readonly<Record<string, (url: string) => Record<string, unknown>>> = {
  slack: (url) => ({ url }),
  teams: (url) => ({ url }),
  discord: (url) => ({ url }),
  webhook: (url) => ({ url, on: ['incident.diagnosed', 'incident.cause_changed'] }),
  'grafana-annotations': (url) => ({ url, grafana_token: 'glsa_secret' }),
}
const TYPES = Object.keys(CONFIGS)

/** Where a receiver's messages arrive at the stand-in. */
function toPaths(type: string): { readonly base: string; readonly arrives: string } {
  const base = newPath(type === 'grafana-annotations' ? 'grafana' : type)
  return { base, arrives: type === 'grafana-annotations' ? `${base}/api/annotations` : base }
}

async function start(type: string, more: Readonly<Record<string, unknown>> = {}) {
  const tenant = await createTestTenant(app)
  const { base, arrives } = toPaths(type)
  const connected = await connectReceiver(app, tenant, type, { ...CONFIGS[type]?.(toUrl(base, stack)), ...more })
  return { tenant, arrives, ...connected }
}

describe.each(TYPES)('%s', (type) => {
  test('is told an answer once, in a form that it takes', async () => {
    const { tenant, arrives, id } = await start(type)
    await ask(tenant)
    await tick(1)
    const messages = await taken(arrives)
    expect(messages).toHaveLength(1)
    expect(JSON.stringify(messages[0]?.body)).toContain('a4f2c1')
    const { data = [] } = await app.as(tenant.readonlyKey).GET('/v1/integrations')
    expect(data.find((one) => one.id === id)?.telling).toMatchObject({ outcome: 'told', failing_since: null, switched_off: null })
    expect(JSON.stringify(data)).not.toContain(toUrl('', stack))
  })

  const faults: readonly (readonly [string, ReceiverFault])[] = [
    ['answers 500', { takes_effect: false, answer: 500 }],
    ['asks to wait', { takes_effect: false, answer: 429, headers: { 'Retry-After': '1' } }],
    ['drops the connection after accepting', { takes_effect: true, answer: 'hang_up' }],
    ['accepts and hangs', { takes_effect: true, answer: 'hang' }],
  ]
  test.each(faults)('that %s has one message in the end', async (_, fault) => {
    const impatient = startApp({ stack }, { rest: async () => {}, receivers: toQuickReceivers(stack) })
    const { tenant, arrives } = await start(type)
    await scriptReceiver(arrives, [fault], stack)
    await ask(tenant, impatient)
    for (const minutes of [2, 5, 20]) await tick(minutes)
    const ids = new Set((await taken(arrives)).map(({ headers, body }) => headers['webhook-id'] ?? JSON.stringify(body)))
    expect(ids.size).toBe(1)
    // Whoever knows a message again may get it twice.
    if (type !== 'webhook') expect(await taken(arrives)).toHaveLength(1)
  })

  test('that refuses is told nothing more of it, and why is shown', async () => {
    const { tenant, arrives, id } = await start(type)
    await scriptReceiver(arrives, [{ takes_effect: false, answer: 403 }], stack)
    await ask(tenant)
    for (const minutes of [2, 60]) await tick(minutes)
    expect(await taken(arrives)).toEqual([])
    const { data = [] } = await app.as(tenant.readonlyKey).GET('/v1/integrations')
    expect(data.find((one) => one.id === id)?.telling).toMatchObject({ outcome: expect.stringContaining('answered 403') })
  })
})

/** An isolate that dies once it has stored the answer, and before it tells anybody. */
const MUTE = Object.fromEntries(
  RECEIVER_TYPES.map((type): [string, ReceiverClient] => [
    type,
    { post: async () => ({ kind: 'retry', reason: 'dead', afterMs: undefined }), find: async () => ({ kind: 'absent' }) },
  ]),
) as ReceiverClients

test('ticks at the same time tell each message once', async () => {
  const mute = startApp({ stack }, { rest: async () => {}, receivers: MUTE })
  const paths: string[] = []
  for (const type of TYPES) {
    const { tenant, arrives } = await start(type)
    await ask(tenant, mute)
    paths.push(arrives)
  }
  await Promise.all([sweep(5), sweep(5), sweep(5)])
  for (const path of paths) expect(await taken(path), path).toHaveLength(1)
})

test.each([
  ['a paid plan', '5000', 7],
  ['the free plan', '40', 5],
])(
  'of messages to seven receivers on %s all are told, by the isolate that made the answer as far as its requests go',
  async (_, requests, atOnce) => {
    const tenant = await createTestTenant(app)
    const paths = Array.from({ length: 7 }, () => newPath('teams'))
    for (const path of paths) await connectReceiver(app, tenant, 'teams', { url: toUrl(path, stack) })
    await ask(tenant, startApp({ stack, bindings: { SWEEP_REQUESTS: requests } }))
    const countTold = async () => (await Promise.all(paths.map(taken))).flat().length
    expect(await countTold()).toBe(atOnce)
    await tick(1)
    expect(await countTold()).toBe(7)
  },
)

test('incidents of one delivery share the requests that their isolate has for messages', async () => {
  const tenant = await createTestTenant(app)
  const paths = Array.from({ length: 7 }, () => newPath('teams'))
  for (const path of paths) await connectReceiver(app, tenant, 'teams', { url: toUrl(path, stack) })
  const small = startApp({ stack, bindings: { SWEEP_REQUESTS: '100' } })
  const startsAt = new Date(Date.now() - 60_000).toISOString()
  const countTold = async () => (await Promise.all(paths.map(taken))).flat().length
  for (const [names, told] of [
    [['alone'], 7],
    [['one', 'two'], 7 + 10],
  ] as const) {
    const alerts = names.map((service) => ({
      status: 'firing',
      labels: { alertname: `Down ${service}`, service },
      startsAt,
      fingerprint: service,
    }))
    const body = { version: '4', groupKey: names.join(), status: 'firing', alerts }
    expect((await small.request('/in/alertmanager', { key: tenant.ingestKey, body })).status).toBeLessThan(300)
    await small.settle()
    expect(await countTold()).toBe(told)
  }
  await tick(1)
  expect(await countTold()).toBe(21)
})

describe('an isolate that dies', () => {
  test.each([
    { type: 'slack', servesLast: false },
    { type: 'webhook', servesLast: true },
    { type: 'grafana-annotations', servesLast: true },
  ])('at any of its requests leaves one message at $type, in the end ($servesLast)', async ({ type, servesLast }) => {
    let survived = false
    let [lost, deaths] = [0, 0]
    // The everyday suite tries every third request only.
    for (let left = 10; !survived; left += IS_THOROUGH ? 1 : 3) {
      const { isAlive, arrives } = await dieAfter(left, type, servesLast)
      survived = isAlive
      deaths += survived ? 0 : 1
      lost += await expectOneAtMost(type, arrives, left)
    }
    expect(deaths).toBeGreaterThanOrEqual(IS_THOROUGH ? 3 : 1)
    // What was cut off between its mark and its way to one whom nobody can ask may not have arrived: that, and nothing else.
    expect(lost).toBeLessThanOrEqual(type === 'slack' ? 1 : 0)
  })
})

/** Asks by way of an isolate whose requests stop getting through after so many; the cron does the rest. */
async function dieAfter(left: number, type: string, servesLast: boolean) {
  const fuse: Fuse = { left: Number.POSITIVE_INFINITY, servesLast }
  const database = await startFaultProxy(stack.databaseEndpoint, fuse)
  const receiver = await startFaultProxy(stack.receiversUrl, fuse)
  const mortal = startApp({ stack, database: database.url }, { rest: async () => {} })
  const tenant = await createTestTenant(app)
  const { base, arrives } = toPaths(type)
  await connectReceiver(app, tenant, type, { ...CONFIGS[type]?.(`${receiver.url}${base}`) })
  fuse.left = left
  await ask(tenant, mortal, [201, 503])
  const isAlive = fuse.left >= 0
  fuse.left = Number.POSITIVE_INFINITY
  for (const minutes of [2, 20]) await sweep(minutes)
  return { isAlive, arrives }
}

/** 1 when nothing arrived. */
async function expectOneAtMost(type: string, arrives: string, left: number): Promise<number> {
  const messages = await taken(arrives)
  const ids = new Set(messages.map(({ headers, body }) => headers['webhook-id'] ?? JSON.stringify(body)))
  expect(ids.size, `after ${left}`).toBeLessThanOrEqual(1)
  // Whoever knows a message again may get it twice.
  if (type !== 'webhook') expect(messages.length, `after ${left}`).toBeLessThanOrEqual(1)
  return ids.size === 0 ? 1 : 0
}

test('a webhook is verified by whoever knows its secret, which is told once', async () => {
  const tenant = await createTestTenant(app)
  const { base } = toPaths('webhook')
  const { id, secret = '' } = await connectReceiver(app, tenant, 'webhook', { url: toUrl(base, stack) })
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  const { data = [] } = await app.as(tenant.readonlyKey).GET('/v1/integrations')
  expect(JSON.stringify(data)).not.toContain(secret)
  const incident = await ask(tenant)
  const messages = await taken(base)
  expect(messages.map(({ body }) => (body as { type: string }).type)).toEqual(['incident.opened', 'incident.diagnosed'])
  for (const { headers, body } of messages) {
    const verified = new Webhook(secret).verify(JSON.stringify(body), headers as Record<string, string>)
    expect(verified).toMatchObject({ type: expect.any(String), timestamp: expect.any(String), data: { incident: { id: incident.id } } })
    expect(() =>
      new Webhook(`whsec_${Buffer.alloc(32, 1).toString('base64')}`).verify(JSON.stringify(body), headers as Record<string, string>),
    ).toThrow()
  }
  expect(id).toBeDefined()
})

describe('a webhook’s secret', () => {
  const verifies = (secret: string, { headers, body }: TakenMessage) => {
    try {
      return Boolean(new Webhook(secret).verify(JSON.stringify(body), headers as Record<string, string>))
    } catch {
      return false
    }
  }
  const rotate = async ({ readonlyKey }: TestTenant, id: string, headers = {}, by = app) =>
    await by.request(`/v1/integrations/${id}/rotate-secret`, { key: readonlyKey, method: 'POST', headers })
  const toSecret = async (response: Response): Promise<string> => (await response.json()).secret

  test('is rotated: for a day messages are signed with those before, too, each in the form of Standard Webhooks', async () => {
    const { tenant, arrives, id, secret = '' } = await start('webhook')
    const next = await toSecret(await rotate(tenant, id))
    // Whose answer was lost: nobody knows this one.
    await rotate(tenant, id)
    const last = await toSecret(await rotate(tenant, id))
    expect(new Set([secret, next, last]).size).toBe(3)
    await ask(tenant)
    const [message] = await taken(arrives)
    if (!message) throw new Error('nothing was told')
    expect(message.headers['webhook-signature']).toMatch(/^(?:v1,[A-Za-z0-9+/]{43}= ?){4}$/)
    expect([secret, next, last].map((each) => verifies(each, message))).toEqual([true, true, true])

    const later = startApp({ stack }, { now: () => new Date(Date.now() + 86_400_000 + 1_000) })
    const anew = await start('webhook')
    await rotate(anew.tenant, anew.id)
    await ask(anew.tenant, later)
    const [afterwards] = await taken(anew.arrives)
    expect(afterwards?.headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/)
  })

  test('is nowhere but in the answer that made it, and the audit says that it was changed', async () => {
    const { tenant, id, secret = '' } = await start('webhook')
    const next = await toSecret(await rotate(tenant, id))
    const paths = ['/v1/integrations', '/v1/audit']
    const told = await Promise.all(paths.map(async (path) => (await app.request(path, { key: tenant.readonlyKey })).text()))
    const { rows } = await app.deps.db.execute(sql`SELECT * FROM integrations WHERE id = ${id}`)
    for (const each of [secret, next, 'earlier_signing']) expect(told.join()).not.toContain(each)
    for (const each of [secret, next]) expect(JSON.stringify(rows)).not.toContain(each)
    expect(JSON.parse(told[1] ?? '')[0]).toMatchObject({ action: 'integration.rotated', target_id: id, fields: ['signing_secret'] })
  })

  test('is the same for a request that comes again, and one’s alone who rotates at the same time', async () => {
    const { tenant, id, secret = '' } = await start('webhook')
    const headers = { 'Idempotency-Key': 'r1' }
    expect(await toSecret(await rotate(tenant, id, headers))).toBe(await toSecret(await rotate(tenant, id, headers)))
    const answers = await Promise.all([1, 2, 3].map(() => rotate(tenant, id)))
    expect(answers.every(({ status }) => status === 200 || status === 409)).toBe(true)
    expect(answers.some(({ status }) => status === 200)).toBe(true)
    const { data = [] } = await app.as(tenant.readonlyKey).GET('/v1/integrations')
    expect(data[0]?.config.signing_secret).toBe('********')
    expect(secret).toBeDefined()
  })

  test.each([
    ['of another tenant', 404, async () => rotate(await createTestTenant(app), (await start('webhook')).id)],
    ['of what signs nothing', 400, async () => start('slack').then(({ tenant, id }) => rotate(tenant, id))],
    ['that is made up', 404, async () => rotate(await createTestTenant(app), '00000000-0000-4000-8000-000000000000')],
  ])('%s is not rotated: %i', async (_, status, asking) => {
    expect((await asking()).status).toBe(status)
  })
})

test('a webhook that is gone, or has failed for a day, is switched off and says so, until its settings change', async () => {
  const { tenant, arrives, id } = await start('webhook')
  await scriptReceiver(arrives, [{ takes_effect: false, answer: 410 }], stack)
  await ask(tenant)
  const find = async () => {
    const { data = [] } = await app.as(tenant.readonlyKey).GET('/v1/integrations')
    return data.find((one) => one.id === id)?.telling
  }
  expect(await find()).toMatchObject({ switched_off: expect.stringContaining('410') })
  await ask(tenant)
  expect(await taken(arrives)).toEqual([])
  await app.as(tenant.readonlyKey).PUT('/v1/integrations/{id}', { params: { path: { id } }, body: { config: { min_confidence: 0 } } })
  expect(await find()).toBeNull()

  await app.deps.db.execute(
    sql`UPDATE integrations SET telling = jsonb_build_object('at', 0, 'outcome', 'x', 'failingSince', ${Date.now() - 25 * 3_600_000}::bigint, 'switchedOff', NULL) WHERE id = ${id}`,
  )
  await scriptReceiver(
    arrives,
    Array.from({ length: 3 }, () => ({ takes_effect: false, answer: 500 })),
    stack,
  )
  await ask(tenant, startApp({ stack }, { rest: async () => {} }))
  expect(await find()).toMatchObject({ switched_off: expect.stringContaining('a day') })
})

test('no redirect is followed', async () => {
  const { tenant, arrives } = await start('webhook')
  const elsewhere = newPath('webhook')
  await scriptReceiver(arrives, [{ takes_effect: false, answer: 307, headers: { Location: toUrl(elsewhere, stack) } }], stack)
  await ask(tenant)
  expect(await taken(elsewhere)).toEqual([])
  expect(await taken(arrives)).toEqual([])
})

test.each([
  ['slack', { url: 'https://10.0.0.1/x' }],
  ['webhook', { url: 'https://metadata.google.internal/' }],
  ['webhook', { url: 'http://hooks.acme.com/' }],
  ['webhook', { url: 'https://hooks.acme.com/', on: ['incident.exploded'] }],
  ['slack', { url: 'https://hooks.acme.com/', on: ['incident.opened'] }],
  ['slack', { url: 'https://hooks.acme.com/', services: [] }],
  ['discord', { url: 'https://discord.com/api/webhooks/1/x', min_confidence: 2 }],
])('an integration with %s is not made with %j', async (type, config) => {
  const { readonlyKey } = await createTestTenant(app)
  expect((await app.request('/v1/integrations', { key: readonlyKey, body: { type, config } })).status).toBe(400)
})

test('a receiver that lacks a setting says which, once there was something to tell', async () => {
  const tenant = await createTestTenant(app)
  const { id } = await connectReceiver(app, tenant, 'slack', { bot_token: 'xoxb-1' })
  await ask(tenant)
  const { data = [] } = await app.as(tenant.readonlyKey).GET('/v1/integrations')
  expect(data.find((one) => one.id === id)?.telling).toMatchObject({ outcome: 'channel is not set', switched_off: null })
  const update = { key: tenant.readonlyKey, method: 'PUT', body: { config: { on: ['incident.verdict'] } } }
  expect((await app.request(`/v1/integrations/${id}`, update)).status).toBe(400)
})

test('an address that is private by now is not sent to', async () => {
  const { tenant, arrives, id } = await start('webhook')
  const strict = startApp({ stack, bindings: { LOOPBACK_RECEIVERS: 'off' } })
  await ask(tenant, strict)
  expect(await taken(arrives)).toEqual([])
  const { data = [] } = await app.as(tenant.readonlyKey).GET('/v1/integrations')
  expect(data.find((one) => one.id === id)?.telling).toMatchObject({ outcome: expect.stringContaining('https') })
})

test.each([
  ['of another service', { services: ['orders'] }],
  ['that is not sure enough', { min_confidence: 1 }],
  ['of another kind', { on: ['incident.cause_changed'] }],
])('an answer %s is not told', async (_, filter) => {
  const { tenant, arrives } = await start('slack', filter)
  await ask(tenant)
  await tick(1)
  expect(await taken(arrives)).toEqual([])
})
