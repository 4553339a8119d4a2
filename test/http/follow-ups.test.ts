import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { RECEIVER_TYPES } from '../../src/domain/integration-type.ts'
import type { ReceiverClient } from '../../src/outbound/receivers/client.ts'
import type { ReceiverClients } from '../../src/outbound/receivers/index.ts'
import { SOURCE } from '../../src/store/targets.ts'
import { finishIncidents } from '../../src/usecases/finish-incidents.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import type { ReceiverFault, TakenMessage } from '../stack/receiver-api.ts'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { startOwnStack } from '../support/own-stack.ts'
import { connectReceiver, listTaken, newPath, scriptReceiver, toUrl } from '../support/receivers.ts'

// A cron tick is of all tenants.
const stack = await startOwnStack()
const app = startApp({ stack })

const tick = (minutes: number) => runSweep(app.deps, new Date(Date.now() + 60_000 * minutes))
const taken = (path: string) => listTaken(path, stack)
const ago = (minutes: number) => new Date(Date.now() - 60_000 * minutes).toISOString()
const send = (tenant: TestTenant, fields: Readonly<Record<string, unknown>>) =>
  app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent(fields) })

const BLAMED = { old_value: 'f8b3e22', new_value: 'a4f2c19', sha: 'a4f2c19', timestamp: ago(2) }

async function ask(tenant: TestTenant, fields: Readonly<Record<string, unknown>> = {}, asking = app): Promise<string> {
  const response = await asking.request('/v1/incidents', {
    key: tenant.readonlyKey,
    body: { service: 'checkout', title: 'Error rate', create: true, ...fields },
  })
  await asking.settle()
  return (await response.json()).id
}

async function resolve(tenant: TestTenant, id: string): Promise<void> {
  expect((await app.request(`/v1/incidents/${id}/resolve`, { key: tenant.readonlyKey, method: 'PUT' })).status).toBe(204)
  await app.settle()
}

async function judge(tenant: TestTenant, id: string, confirmed: boolean): Promise<void> {
  const path = `/v1/incidents/${id}/feedback`
  expect((await app.request(path, { key: tenant.readonlyKey, method: 'PUT', body: { confirmed } })).status).toBe(204)
  await app.settle()
}

type SlackBody = {
  readonly channel: string
  readonly ts?: string
  readonly thread_ts?: string
  readonly reply_broadcast?: boolean
  readonly blocks: unknown
}

/** A tenant whose answers go to a channel of Slack's by a bot's token. */
async function startBot(config: Readonly<Record<string, unknown>> = {}) {
  const tenant = await createTestTenant(app)
  const channel = `C${randomUUID().replaceAll('-', '').slice(0, 10).toUpperCase()}`
  await connectReceiver(app, tenant, 'slack', { bot_token: 'xoxb-1', channel, ...config })
  const ofChannel = async (method: string) =>
    (await taken(`/slack-api/${method}`)).map(({ body }) => body as SlackBody).filter((body) => body.channel === channel)
  const posted = () => ofChannel('chat.postMessage')
  return { tenant, posted, edited: () => ofChannel('chat.update'), texts: async () => (await posted()).map((body) => JSON.stringify(body)) }
}

async function startBy(type: string, config: Readonly<Record<string, unknown>> = {}) {
  const tenant = await createTestTenant(app)
  const path = newPath(type === 'grafana-annotations' ? 'grafana' : type)
  const { id } = await connectReceiver(app, tenant, type, { url: toUrl(path, stack), ...config })
  return { tenant, path, id }
}

const typesOf = (messages: readonly TakenMessage[]) => messages.map(({ body }) => (body as { type: string }).type)

describe('a bot of Slack’s', () => {
  test('has one message an incident, the rest and the resolution in its thread, each once', async () => {
    const { tenant, posted, edited } = await startBot()
    await send(tenant, BLAMED)
    const id = await ask(tenant)
    const [message, thread, ...others] = await posted()
    expect(others).toEqual([])
    expect(message?.thread_ts).toBeUndefined()
    expect(JSON.stringify(message)).not.toContain('Timeline')
    expect(thread?.thread_ts).toMatch(/^\d+\.\d+$/)
    expect(JSON.stringify(thread)).toContain('Timeline')
    await resolve(tenant, id)
    for (const minutes of [1, 2, 5]) await tick(minutes)
    const [, , resolved, ...more] = await posted()
    expect(resolved?.thread_ts).toBe(thread?.thread_ts)
    expect(JSON.stringify(resolved)).toContain('Resolved at')
    expect(more).toEqual([])
    expect(await edited()).toEqual([])
  })

  test('edits its message when a later look blames something else, and says so in the thread', async () => {
    const { tenant, posted, edited } = await startBot()
    await ask(tenant)
    expect(await posted()).toHaveLength(2)
    await send(tenant, { ...BLAMED, timestamp: ago(5) })
    for (const minutes of [2.1, 3, 4]) await tick(minutes)
    const [update, ...updates] = await edited()
    expect(updates).toEqual([])
    expect(JSON.stringify(update)).toContain('a4f2c19')
    const [, first, second, ...more] = await posted()
    expect(update?.ts).toBe(first?.thread_ts)
    expect(second?.thread_ts).toBe(first?.thread_ts)
    expect(JSON.stringify(second)).toContain('Second look')
    expect(more).toEqual([])
  })

  test.each([
    ['edit_window_closed', true],
    ['message_not_found', false],
  ])('is told a changed answer once where its message cannot be edited: %s', async (error, isInThread) => {
    const { tenant, posted, edited } = await startBot()
    await ask(tenant)
    await send(tenant, { ...BLAMED, timestamp: ago(5) })
    await scriptReceiver(
      '/slack-api/chat.update',
      [
        { takes_effect: false, answer: { error } },
        { takes_effect: false, answer: { error } },
      ],
      stack,
    )
    // What was told instead is not heard of, and looked for.
    await scriptReceiver('/slack-api/chat.postMessage', [{ takes_effect: true, answer: 'hang_up' }], stack)
    for (const minutes of [2.1, 4, 6, 8]) await tick(minutes)
    expect(await edited()).toEqual([])
    const [, first, instead, details, ...more] = await posted()
    expect(JSON.stringify(instead)).toContain('a4f2c19')
    expect([instead?.thread_ts, instead?.reply_broadcast]).toEqual(isInThread ? [first?.thread_ts, true] : [undefined, undefined])
    expect(JSON.stringify(details)).toContain('Second look')
    expect(details?.thread_ts === first?.thread_ts).toBe(isInThread)
    expect(more).toEqual([])
  })

  const undoings: readonly (readonly [string, Readonly<Record<string, unknown>>, boolean])[] = [
    ['its revert', { old_value: 'a4f2c19', new_value: 'f8b3e22', sha: 'f8b3e22' }, true],
    ['a deploy of the revision before', { new_value: 'succeeded', sha: 'f8b3e22' }, true],
    ['a fix forward', { old_value: 'a4f2c19', new_value: 'c0ffee1', sha: 'c0ffee1' }, false],
    ['another environment’s revert', { old_value: 'a4f2c19', new_value: 'f8b3e22', sha: 'f8b3e22', environment: 'staging' }, false],
  ]
  test.each(undoings)('hears once that what is blamed was undone, by %s (%#)', async (_, fields, isUndone) => {
    const { tenant, texts } = await startBot()
    await send(tenant, BLAMED)
    await ask(tenant)
    await tick(0.1)
    expect((await texts()).filter((text) => text.includes('was undone'))).toEqual([])
    await send(tenant, fields)
    for (const minutes of [1, 2, 3]) await tick(minutes)
    const told = (await texts()).filter((text) => text.includes('was undone'))
    expect(told).toHaveLength(isUndone ? 1 : 0)
    if (isUndone) expect(told[0]).toContain('f8b3e22')
  })

  test('hears that what is blamed was undone, by a deploy that brings its last replica set back', async () => {
    const { tenant, texts } = await startBot()
    const scaled = (old_value: string, new_value: string) =>
      send(tenant, {
        vendor: 'kubernetes',
        event_type: 'scale_event',
        entity: 'checkout-7d9f8b6c5',
        old_value,
        new_value,
        sha: undefined,
        timestamp: ago(1),
      })
    await send(tenant, { ...BLAMED, old_value: undefined, new_value: 'succeeded' })
    await scaled('3', '0')
    await ask(tenant)
    await scaled('0', '3')
    await send(tenant, { new_value: 'succeeded', sha: 'c0ffee1' })
    for (const minutes of [1, 2, 3]) await tick(minutes)
    const told = (await texts()).filter((text) => text.includes('was undone'))
    expect([told.length, told[0]?.includes('c0ffee1')]).toEqual([1, true])
  })

  type Cut = { readonly token: string; readonly fault: ReceiverFault; readonly posted: number; readonly outcome: string }
  const cuts: readonly (readonly [string, Cut])[] = [
    ['took it is asked', { token: 'xoxb-1', fault: { takes_effect: true, answer: 'hang_up' }, posted: 1, outcome: 'told' }],
    ['did not is asked, and told', { token: 'xoxb-1', fault: { takes_effect: false, answer: 'hang_up' }, posted: 1, outcome: 'told' }],
    ['failed on the way is asked', { token: 'xoxb-1', fault: { takes_effect: true, answer: 500 }, posted: 1, outcome: 'told' }],
    [
      'lets nobody read is left alone',
      { token: 'xoxb-writes', fault: { takes_effect: true, answer: 'hang_up' }, posted: 1, outcome: 'missing_scope' },
    ],
    [
      'lets nobody read and failed is told',
      { token: 'xoxb-writes', fault: { takes_effect: false, answer: 500 }, posted: 1, outcome: 'told' },
    ],
  ]
  test.each(cuts)('whose Slack gave no answer and %s', async (_, { token, fault, posted: expected, outcome }) => {
    const impatient = startApp({ stack }, { rest: async () => {}, receivers: MUTE })
    const { tenant, posted } = await startBot({ bot_token: token })
    await send(tenant, BLAMED)
    await ask(tenant, {}, impatient)
    await scriptReceiver('/slack-api/chat.postMessage', [fault], stack)
    for (const minutes of [0.2, 1.5, 1.9])
      await finishIncidents({ ...app.deps, rest: async () => {} }, new Date(Date.now() + 60_000 * minutes))
    const messages = (await posted()).filter(({ thread_ts }) => thread_ts === undefined)
    expect(messages).toHaveLength(expected)
    const { rows } = await app.deps.db.execute<{ state: string; reason: string | null }>(
      sql`SELECT state, reason FROM incident_work WHERE tenant_id = ${tenant.tenantId} AND kind = 'note' AND target <> ${SOURCE}`,
    )
    expect(rows).toEqual([
      outcome === 'told' ? { state: 'done', reason: null } : { state: 'given_up', reason: expect.stringContaining(outcome) },
    ])
  })

  test('that was not told an answer hears nothing of its end', async () => {
    const { tenant, texts } = await startBot({ min_confidence: 1 })
    await send(tenant, BLAMED)
    await resolve(tenant, await ask(tenant))
    for (const minutes of [1, 2]) await tick(minutes)
    expect(await texts()).toEqual([])
  })

  test('is told of nothing that it did not ask for', async () => {
    const { tenant, texts } = await startBot({ on: ['incident.diagnosed'] })
    await send(tenant, BLAMED)
    await resolve(tenant, await ask(tenant))
    await tick(1)
    expect((await texts()).filter((text) => text.includes('Resolved'))).toEqual([])
  })
})

test('Discord’s message is edited, however often that takes', async () => {
  const { tenant, path } = await startBy('discord')
  await send(tenant, BLAMED)
  const id = await ask(tenant)
  const edits = `${path}/messages/1`
  await scriptReceiver(edits, [{ takes_effect: false, answer: 500 }], stack)
  await resolve(tenant, id)
  for (const minutes of [2, 5]) await tick(minutes)
  expect(await taken(path)).toHaveLength(1)
  const [edit, ...others] = await taken(edits)
  expect(others).toEqual([])
  const { content } = (edit?.body ?? {}) as { content?: string }
  expect(content).toMatch(/^Resolved at /)
  expect(content).toContain('a4f2c19')
})

test('a webhook is told what an engineer said, and that the incident is over, each once and in order', async () => {
  const { tenant, path } = await startBy('webhook')
  await send(tenant, BLAMED)
  const id = await ask(tenant)
  await judge(tenant, id, false)
  await judge(tenant, id, true)
  await judge(tenant, id, true)
  await resolve(tenant, id)
  await resolve(tenant, id)
  for (const minutes of [1, 2, 5]) await tick(minutes)
  const messages = await taken(path)
  expect(typesOf(messages)).toEqual(['incident.opened', 'incident.diagnosed', 'incident.verdict', 'incident.verdict', 'incident.resolved'])
  const data = messages.map(({ body }) => (body as { data: Record<string, unknown> }).data)
  expect([data[2]?.['verdict'], data[3]?.['verdict']]).toEqual(['rejected', 'confirmed'])
  expect(data[4]).toMatchObject({ incident: { id, resolved_at: expect.any(String) }, answer: { number: 1 } })
  expect(new Set(messages.map(({ headers }) => headers['webhook-id'])).size).toBe(5)
})

/** What PagerDuty's Events API says of a tenant's one alert, so long ago. */
async function alert(tenant: TestTenant, action: string, minutes: number): Promise<void> {
  const body = {
    routing_key: '',
    event_action: action,
    dedup_key: 'one',
    payload: { summary: 'Errors', source: 'checkout', severity: 'error', timestamp: ago(minutes) },
  }
  expect((await app.request('/in/pagerduty-events', { key: tenant.ingestKey, body })).status).toBeLessThan(300)
  await app.settle()
}

test('an incident whose end is told before its beginning is told to be over, after its answer', async () => {
  const { tenant, path } = await startBy('webhook')
  await send(tenant, BLAMED)
  await alert(tenant, 'resolve', 2)
  await alert(tenant, 'trigger', 3)
  for (const minutes of [1, 2]) await tick(minutes)
  expect(typesOf(await taken(path))).toEqual(['incident.opened', 'incident.diagnosed', 'incident.resolved'])
})

test('an incident that its sender ends, opens again and ends again is told to be over twice', async () => {
  const { tenant, path } = await startBy('webhook', { on: ['incident.resolved'] })
  await send(tenant, BLAMED)
  await alert(tenant, 'trigger', 3)
  await alert(tenant, 'resolve', 2)
  await tick(1)
  expect(typesOf(await taken(path))).toEqual(['incident.resolved'])
  const [incident] = await (await app.request('/v1/incidents', { key: tenant.readonlyKey })).json()
  await app.deps.db.execute(sql`UPDATE incidents SET resolved_at = NULL WHERE tenant_id = ${tenant.tenantId} AND id = ${incident.id}`)
  await resolve(tenant, incident.id)
  await tick(2)
  expect(typesOf(await taken(path))).toEqual(['incident.resolved', 'incident.resolved'])
})

test.each(['slack', 'teams', 'grafana-annotations'])('%s, which can neither edit nor thread, hears of answers alone', async (type) => {
  const { tenant, path } = await startBy(type, type === 'grafana-annotations' ? { grafana_token: 'glsa_x' } : {})
  await send(tenant, BLAMED)
  const id = await ask(tenant)
  await judge(tenant, id, true)
  await resolve(tenant, id)
  for (const minutes of [1, 2]) await tick(minutes)
  expect(await taken(type === 'grafana-annotations' ? `${path}/api/annotations` : path)).toHaveLength(1)
})

/** An isolate that dies before it tells anybody. */
const MUTE = Object.fromEntries(
  RECEIVER_TYPES.map((type): [string, ReceiverClient] => [
    type,
    { post: async () => ({ kind: 'retry', reason: 'dead', afterMs: undefined }), find: async () => ({ kind: 'absent' }) },
  ]),
) as ReceiverClients

test('what an isolate left over is told once, in order, by ticks at the same time', async () => {
  const mute = startApp({ stack }, { rest: async () => {}, receivers: MUTE })
  const bot = await startBot()
  const webhook = await startBy('webhook')
  const discord = await startBy('discord')
  for (const { tenant } of [bot, webhook, discord]) {
    await send(tenant, BLAMED)
    const id = await ask(tenant, {}, mute)
    await mute.request(`/v1/incidents/${id}/resolve`, { key: tenant.readonlyKey, method: 'PUT' })
    await mute.settle()
  }
  await Promise.all([tick(5), tick(5), tick(5)])
  await Promise.all([tick(20), tick(20)])
  const [message, ...thread] = await bot.posted()
  expect(message?.thread_ts).toBeUndefined()
  expect(thread.map((each) => JSON.stringify(each).match(/Timeline|Resolved at/)?.[0])).toEqual(['Timeline', 'Resolved at'])
  expect(typesOf(await taken(webhook.path))).toEqual(['incident.opened', 'incident.diagnosed', 'incident.resolved'])
  expect([(await taken(discord.path)).length, (await taken(`${discord.path}/messages/1`)).length]).toEqual([1, 1])
})

test('a Worker of before receivers finds nothing of theirs to take up, however an attempt ended', async () => {
  const mute = startApp({ stack }, { rest: async () => {}, receivers: MUTE })
  const { tenant } = await startBot()
  await connectReceiver(app, tenant, 'webhook', { url: toUrl(newPath('webhook'), stack) })
  await send(tenant, BLAMED)
  const id = await ask(tenant, {}, mute)
  await app.deps.db.execute(sql`UPDATE incidents SET resolved_at = now() WHERE tenant_id = ${tenant.tenantId} AND id = ${id}`)
  // All that it looks for.
  const { rows } = await app.deps.db.execute<{ kind: string; state: string }>(
    sql`SELECT kind, state FROM incident_work WHERE tenant_id = ${tenant.tenantId} AND state = 'due'`,
  )
  expect(rows).toEqual([{ kind: 'diagnosis', state: 'due' }])
  const { rows: ours } = await app.deps.db.execute<{ kind: string }>(
    sql`SELECT DISTINCT kind FROM incident_work WHERE tenant_id = ${tenant.tenantId} AND state = 'queued' ORDER BY kind`,
  )
  expect(ours.map(({ kind }) => kind)).toEqual(['note', 'opened', 'resolved', 'thread'])
})
