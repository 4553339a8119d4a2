import { expect, test } from 'vitest'
import { readConfig } from '../src/config.ts'

const bindings = { DATABASE_URL: 'postgres://a:b@c/d', UPSTASH_REDIS_REST_URL: 'https://redis', UPSTASH_REDIS_REST_TOKEN: 'token' }

test('the deadlines keep what is promised: an answer without Redis within a second, without Postgres within five', () => {
  const { database, redis } = readConfig(bindings)
  expect(redis.timeoutMs).toBeLessThanOrEqual(500)
  // An event is one request; the routes that make two, one after the other, are reads.
  expect(database.timeoutMs).toBeLessThanOrEqual(2_400)
})

test.each(Object.keys(bindings))('a missing %s is named', (name) => {
  expect(() => readConfig({ ...bindings, [name]: '' })).toThrow(name)
})

test.each(['0', '-1', '1.5', 'many'])('SWEEP_REQUESTS of %s is refused', (text) => {
  expect(() => readConfig({ ...bindings, SWEEP_REQUESTS: text })).toThrow('SWEEP_REQUESTS')
  expect(readConfig(bindings).sweepRequests).toBe(1_000)
  expect(readConfig({ ...bindings, SWEEP_REQUESTS: '40' }).sweepRequests).toBe(40)
})
