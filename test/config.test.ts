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
