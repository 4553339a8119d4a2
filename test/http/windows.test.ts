import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { createTestTenant, entriesOf, listServicesOf, makeEvent, readWindowOf, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()

async function send(tenant: TestTenant, ...events: Record<string, unknown>[]): Promise<void> {
  const response = await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events })
  expect(await response.json()).toMatchObject({ accepted: events.length })
}

const joins = async (tenant: TestTenant, service: string) =>
  entriesOf(await readWindowOf(app, tenant, service)).map(({ entity, joined_by }) => `${entity} ${joined_by}`)

describe('which window an event joins', () => {
  const argocd = makeEvent({ service_name: 'argocd-application-controller', entity: 'payment-service' })
  const own = makeEvent({ service_name: 'payment-service', vendor: 'pino', entity: 'payment-service', event_type: 'restart' })
  const pod = makeEvent({
    service_name: 'prod/payment-service-7d9f8b6c5-x2x9k',
    vendor: 'kubernetes',
    entity: 'payment-service-7d9f8b6c5-x2x9k',
    event_type: 'restart',
    new_value: 'OOMKilled',
  })

  test('its own, and that of the service its entity names', async () => {
    const tenant = await createTestTenant(app)
    await send(tenant, own)
    await send(tenant, argocd)
    expect(await joins(tenant, 'payment-service')).toEqual(
      expect.arrayContaining(['payment-service service_name', 'payment-service entity']),
    )
    expect(await joins(tenant, 'argocd-application-controller')).toEqual(['payment-service service_name'])
  })

  test('also of a service that appears later', async () => {
    const tenant = await createTestTenant(app)
    await send(tenant, { ...argocd, service_name: 'deployer' })
    expect([...(await listServicesOf(app, tenant)).keys()]).toEqual(['deployer'])
    await send(tenant, own)
    expect(await joins(tenant, 'payment-service')).toHaveLength(2)
  })

  test('also in one batch with the event that opens the service', async () => {
    const tenant = await createTestTenant(app)
    await send(tenant, argocd, own)
    expect(await joins(tenant, 'payment-service')).toHaveLength(2)
  })

  test('the workload of a pod, whose service it opens when the plugin fell back to the pod’s name', async () => {
    const tenant = await createTestTenant(app)
    await send(tenant, pod, { ...pod, service_name: 'prod/payment-service-7d9f8b6c5-abcde', entity: 'payment-service-7d9f8b6c5-abcde' })
    expect((await joins(tenant, 'payment-service')).toSorted()).toEqual([
      'payment-service-7d9f8b6c5-abcde pod',
      'payment-service-7d9f8b6c5-x2x9k pod',
    ])
  })

  test('never that of another tenant', async () => {
    const [one, other] = [await createTestTenant(app), await createTestTenant(app)]
    await send(one, own)
    await send(other, own)
    await send(other, argocd)
    expect(await joins(one, 'payment-service')).toEqual(['payment-service service_name'])
  })
})

describe('repeats of one change', () => {
  test('are one entry with a count, the first and the latest time', async () => {
    const tenant = await createTestTenant(app)
    const at = (time: string) => makeEvent({ timestamp: `2026-01-15T${time}Z` })
    await send(tenant, at('10:05:00'), at('10:01:00'))
    await send(tenant, at('10:03:00'))
    expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([
      { count: 3, first_timestamp: '2026-01-15T10:01:00.000Z', timestamp: '2026-01-15T10:05:00.000Z' },
    ])
  })

  test.each([
    { event_type: 'restart' },
    { vendor: 'x' },
    { entity: 'x' },
    { old_value: 'x' },
    { new_value: 'x' },
    { actor: 'x' },
    { sha: 'x' },
  ])('differ with %j', async (fields) => {
    const tenant = await createTestTenant(app)
    await send(tenant, makeEvent(), makeEvent(fields))
    expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toHaveLength(2)
  })

  test('do not differ with confidence, TTL or raw line', async () => {
    const tenant = await createTestTenant(app)
    await send(tenant, makeEvent(), makeEvent({ confidence: 0.1, ttl_seconds: 5, raw_line: 'x' }))
    expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ count: 2 }])
  })

  test('live until the last of them expires, and start anew after that', async () => {
    const tenant = await createTestTenant(app)
    await send(tenant, makeEvent({ ttl_seconds: 1 }), makeEvent({ ttl_seconds: 3 }))
    await sleep(1_500)
    expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ count: 2 }])
    await sleep(1_700)
    expect(await readWindowOf(app, tenant, 'checkout')).toMatchObject({ deploy_events: [], updated_at: null })
    await send(tenant, makeEvent())
    expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ count: 1 }])
    await app.settle()
    expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ count: 1 }])
  })

  test('in ten thousands leave the one deploy where it is', async () => {
    const tenant = await createTestTenant(app)
    await send(tenant, makeEvent({ sha: 'the-deploy' }))
    const flag = makeEvent({ vendor: 'flagd', event_type: 'flag_change', entity: 'kafkaQueueProblems', old_value: 'off', new_value: 'on' })
    for (let sent = 0; sent < 10_000; sent += 500) await send(tenant, ...Array.from({ length: 500 }, () => flag))
    const window = await readWindowOf(app, tenant, 'checkout')
    expect(window['deploy_events']).toMatchObject([{ sha: 'the-deploy', count: 1 }])
    expect(window['flag_change_events']).toMatchObject([{ entity: 'kafkaQueueProblems', count: 10_000 }])
    const { redis: client } = app
    const [key = ''] = await client.keys(`t:${tenant.tenantId}:window:*`)
    expect(await client.zcard(key)).toBe(10)
    expect(await client.pttl(key)).toBeGreaterThan(0)
  })
})

test('entries are in the order of their times, those from the future as if received now', async () => {
  const tenant = await createTestTenant(app)
  const hourAgo = new Date(Date.now() - 3_600_000).toISOString()
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString()
  await send(tenant, makeEvent({ sha: 'future', timestamp: tomorrow }))
  await sleep(5)
  await send(tenant, makeEvent({ sha: 'now' }), makeEvent({ sha: 'past', timestamp: hourAgo }))
  const window = await readWindowOf(app, tenant, 'checkout')
  expect(entriesOf(window).map(({ sha }) => sha)).toEqual(['past', 'future', 'now'])
  expect(entriesOf(window)[1]?.timestamp).toBe(tomorrow)
})

describe('?at=', () => {
  test('gives the window as it stood', async () => {
    const tenant = await createTestTenant(app)
    await send(tenant, makeEvent({ sha: 'one', ttl_seconds: 1 }))
    await sleep(50)
    const between = new Date().toISOString()
    await sleep(1_000)
    await send(tenant, makeEvent({ sha: 'two' }))
    const shas = async (query: string) => entriesOf(await readWindowOf(app, tenant, 'checkout', query)).map(({ sha }) => sha)
    expect(await shas(`?at=${between}`)).toEqual(['one'])
    expect(await shas('')).toEqual(['two'])
    expect(await shas('?at=2020-01-01T00:00:00Z')).toEqual([])
    expect(await shas(`?at=${new Date(Date.now() + 3_600_000).toISOString()}`)).toEqual([])
  })

  test('holds for what joined from other services, and takes a window’s own updated_at', async () => {
    const tenant = await createTestTenant(app)
    await send(tenant, makeEvent({ service_name: 'app', entity: 'app' }))
    const before = await readWindowOf(app, tenant, 'app')
    await sleep(20)
    await send(tenant, makeEvent({ service_name: 'argocd', entity: 'app' }))
    expect(entriesOf(await readWindowOf(app, tenant, 'app', `?at=${before.updated_at}`))).toMatchObject([
      { count: 1, joined_by: 'service_name' },
    ])
    expect(entriesOf(await readWindowOf(app, tenant, 'app'))).toMatchObject([{ count: 2, joined_by: 'service_name' }])
  })

  test.each(['yesterday', '2024-13-01T00:00:00Z'])('%s is refused', async (at) => {
    const tenant = await createTestTenant(app)
    await send(tenant, makeEvent())
    await expect(readWindowOf(app, tenant, 'checkout', `?at=${at}`)).rejects.toThrow('400')
  })

  test('takes an offset whose plus sign was not escaped', async () => {
    const tenant = await createTestTenant(app)
    await send(tenant, makeEvent())
    expect(entriesOf(await readWindowOf(app, tenant, 'checkout', '?at=2020-01-01T00:00:00+02:00'))).toEqual([])
  })
})

test('a raw line is in no answer, log line or Redis value', async () => {
  const tenant = await createTestTenant(app)
  const canary = `canary-${app.deps.newUuid()}`
  const event = makeEvent({ raw_line: canary, timestamp: '2026-01-15T10:00:00Z' })
  const answers = [
    await app.request('/v1/events', { key: tenant.ingestKey, body: event }),
    await app.request('/v1/events', { key: tenant.ingestKey, body: { ...event, confidence: 7 } }),
    await app.request('/v1/events/batch', { key: tenant.ingestKey, body: [event, { ...event, ttl_seconds: 'x' }] }),
    await app.request(`/v1/agents/${tenant.agentId}`, { key: tenant.readonlyKey }),
    await app.request('/v1/agents', { key: tenant.readonlyKey }),
    await app.request('/v1/services', { key: tenant.readonlyKey }),
  ]
  const bodies = await Promise.all(answers.map((answer) => answer.text()))
  const windows = [await readWindowOf(app, tenant, 'checkout'), await readWindowOf(app, tenant, 'checkout', '?at=2030-01-01T00:00:00Z')]
  await app.settle()
  const { redis: client } = app
  const redisKeys = await client.keys(`t:${tenant.tenantId}:*`)
  const values = await Promise.all(redisKeys.map((key) => client.zrange(key, 0, -1)))
  expect(redisKeys).not.toEqual([])
  expect(JSON.stringify([bodies, answers.map(({ headers }) => [...headers]), windows, redisKeys, values, app.logs])).not.toContain(canary)
})
