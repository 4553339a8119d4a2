import { expect, test } from 'vitest'
import { readSums, tellSums } from '../../src/store/metrics.ts'
import { createTestTenant, makeEvent, startApp } from '../support/app.ts'

const app = startApp()
const operator = { headers: { Authorization: `Bearer ${app.deps.metricsToken ?? ''}` } }

async function readFigure(series: string): Promise<number> {
  const text = await (await app.request('/metrics', operator)).text()
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length + 1) ?? 0,
  )
}

/** As if ten seconds had passed since this isolate told what it has counted, and another request came. */
async function tell(): Promise<void> {
  app.deps.redis.told.set('metrics:counts', 0)
  await app.request('/health')
  await app.settle()
}

test('what was counted is summed over isolates, for the operator alone, and names no tenant', async () => {
  const tenant = await createTestTenant(app)
  await tell()
  const stored = 'noctuary_events_total{result="stored"}'
  const before = await readFigure(stored)
  const body = [makeEvent({ sha: '1' }), makeEvent({ sha: '2' }), { service_name: 'x' }]
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body })
  await tell()

  // Other files of the suite count into the same Redis.
  expect(await readFigure(stored)).toBeGreaterThanOrEqual(before + 2)
  expect(await readFigure('noctuary_events_total{result="rejected"}')).toBeGreaterThan(0)
  expect(await readFigure('noctuary_store_requests_total{store="postgres"}')).toBeGreaterThan(0)
  const answer = await app.request('/metrics', operator)
  expect(answer.headers.get('Content-Type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  const text = await answer.text()
  expect(text).toMatch(/^noctuary_sweep_lag_seconds \d+$/m)
  expect(text).not.toContain(tenant.tenantId)
  for (const key of ['', 'other', tenant.readonlyKey]) {
    expect((await app.request('/metrics', { headers: { Authorization: `Bearer ${key}` } })).status).toBe(401)
  }
})

test.each([
  ['redis', /^noctuary_redis_up 0$/m, /^noctuary_sweep_lag_seconds \d+$/m, /^noctuary_\w+_total/m],
  ['database', /^noctuary_postgres_up 0$/m, /^noctuary_redis_up 1$/m, /^noctuary_sweep_lag_seconds/m],
] as const)('while %s is away, what the other store knows is told', async (store, isAway, isTold, isNot) => {
  const halved = startApp({ [store]: 'http://127.0.0.1:1' })
  const answer = await halved.request('/metrics', operator)
  const text = await answer.text()
  expect([answer.status, text]).toEqual([200, expect.stringMatching(isAway)])
  expect(text).toMatch(isTold)
  expect(text).not.toMatch(isNot)
  const neither = startApp({ redis: 'http://127.0.0.1:1', database: 'http://127.0.0.1:1' })
  expect((await neither.request('/metrics', operator)).status).toBe(503)
})

test('what somebody else left where isolates count is passed over', async () => {
  for (const entry of ['no JSON', '["x", null]', '["x", {"made_up_too": "7"}]', '{}'])
    await app.deps.redis.client.ask(['ZADD', 'metrics:counts', 1, entry])
  expect(await readSums(app.deps.redis)).not.toHaveProperty('made_up_too')
  expect((await app.request('/metrics', operator)).status).toBe(200)
})

test('what isolates told is put together by them, though nobody asks, without a change of what it says', async () => {
  const { client } = app.deps.redis
  await client.ask(['DEL', 'metrics:counts', 'metrics:folding'])
  const told = Array.from({ length: 1_200 }, (_, place) => [place, JSON.stringify([app.deps.newUuid(), { made_up: 1 }])]).flat()
  await client.ask(['ZADD', 'metrics:counts', ...told])
  const isolates = Array.from({ length: 3 }, () => startApp().deps)
  for (let seconds = 0; seconds < 60; seconds += 10) {
    // As after ten seconds, when nobody is at it any more.
    await client.ask(['DEL', 'metrics:folding'])
    const now = new Date(Date.now() + seconds * 1_000)
    await Promise.all(isolates.map(({ redis, newUuid }) => tellSums(redis, newUuid(), { made_up: 1 }, now)))
  }
  expect(await client.ask<number>(['ZCARD', 'metrics:counts'])).toBeLessThan(60)
  expect((await readSums(app.deps.redis))['made_up']).toBe(1_200 + 3 * 6)
  await client.ask(['DEL', 'metrics:counts', 'metrics:folding'])
})
