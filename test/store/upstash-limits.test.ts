import { expect, onTestFinished, test } from 'vitest'
import { createEmbeddedBackend, createLaggingBackend, type RedisBackend, serveUpstash, type UpstashOptions } from '../stack/upstash-rest.ts'

async function serve(backend: RedisBackend, options: UpstashOptions = {}) {
  const { url, stop } = await serveUpstash({ run: backend.run, ...options })
  onTestFinished(stop)
  return async (path: string, body: unknown) => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { Authorization: 'Bearer local' },
      body: JSON.stringify(body),
    })
    return [response.status, await response.json()]
  }
}

test('a request beyond the plan’s size is refused', async () => {
  const send = await serve(createEmbeddedBackend(), { maxRequestBytes: 1_000 })
  expect(await send('/', ['SET', 'key', 'x'.repeat(900)])).toEqual([200, { result: 'OK' }])
  expect(await send('/', ['SET', 'key', 'x'.repeat(1_000)])).toEqual([400, { error: expect.stringContaining('max request size') }])
})

test('a plan that is used up refuses whole requests until it is not', async () => {
  let isOverQuota = true
  const send = await serve(createEmbeddedBackend(), { isOverQuota: () => isOverQuota })
  const refused = [400, { error: expect.stringContaining('max requests limit exceeded') }]
  expect(await send('/multi-exec', [['SET', 'key', '1']])).toEqual(refused)
  isOverQuota = false
  expect(await send('/', ['GET', 'key'])).toEqual([200, { result: null }])
})

test('reads come from a replica that lags, writes and what goes with them from the primary', async () => {
  let nowMs = 1_000_000
  const lag = { lagMs: 4_000 }
  const send = await serve(createLaggingBackend(lag, () => nowMs))
  const read = async () => Object((await send('/', ['GET', 'key']))[1]).result
  await send('/', ['SET', 'key', 'first'])
  expect(await read()).toBeNull()
  expect(
    await send('/multi-exec', [
      ['SET', 'other', '1'],
      ['GET', 'key'],
    ]),
  ).toEqual([200, [{ result: 'OK' }, { result: 'first' }]])
  nowMs += 3_999
  expect(await read()).toBeNull()
  nowMs += 1
  expect(await read()).toBe('first')
  await send('/', ['SET', 'key', 'second'])
  expect(await read()).toBe('first')
  lag.lagMs = 0
  expect(await read()).toBe('second')
})
