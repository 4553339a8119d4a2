import { Redis } from '@upstash/redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Endpoint } from '../stack/json-server.ts'
import { createEmbeddedBackend, createRedisBackend, type RedisBackend, serveUpstash } from '../stack/upstash-rest.ts'

const { REDIS_URL: realUrl } = process.env

const BACKENDS = [
  { name: 'the embedded Redis', open: async () => createEmbeddedBackend() },
  ...(realUrl ? [{ name: 'a real Redis', open: () => createRedisBackend(realUrl) }] : []),
]

test('a configured token is the only one accepted', async () => {
  const backend = createEmbeddedBackend()
  const endpoint = await serveUpstash({ run: backend.run, token: 'secret' })
  const ping = (token: string) => fetch(endpoint.url, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: '["PING"]' })
  expect((await ping('secret')).status).toBe(200)
  expect((await ping('other')).status).toBe(401)
  await endpoint.stop()
})

describe.each(BACKENDS)('the Upstash protocol over $name', ({ open }) => {
  let backend: RedisBackend
  let endpoint: Endpoint
  let redis: Redis

  beforeAll(async () => {
    backend = await open()
    endpoint = await serveUpstash({ run: backend.run })
    redis = connect('base64')
  })

  afterAll(async () => {
    await endpoint.stop()
    await backend.stop()
  })

  const connect = (responseEncoding: 'base64' | false) =>
    new Redis({
      url: endpoint.url,
      token: 'local',
      retry: { retries: 0 },
      enableTelemetry: false,
      enableAutoPipelining: false,
      readYourWrites: false,
      responseEncoding,
    })

  const post = async (path: string, body: unknown, headers: Readonly<Record<string, string>> = { authorization: 'Bearer any' }) => {
    const response = await fetch(`${endpoint.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: response.status, body: (await response.json()) as unknown }
  }

  const newKey = () => `test:${crypto.randomUUID()}`

  test('strings and JSON values come back as they were set, also the literal OK', async () => {
    const key = newKey()
    expect(await redis.set(key, 'naïve 🌙', { px: 60_000 })).toBe('OK')
    expect(await redis.get(key)).toBe('naïve 🌙')
    expect(await redis.set(key, { a: [1, 'é'] }, { xx: true, keepTtl: true })).toBe('OK')
    expect(await redis.get(key)).toEqual({ a: [1, 'é'] })
    expect(await redis.pttl(key)).toBeGreaterThan(50_000)
    expect(await redis.set(key, 'no', { nx: true })).toBeNull()
    await redis.set(key, 'OK', { ex: 60 })
    expect(await redis.get(key)).toBe('OK')
    expect(await redis.mget(key, newKey())).toEqual(['OK', null])
  })

  test('a sorted set keeps the greater score and adds up', async () => {
    const key = newKey()
    expect(await redis.zadd(key, { score: 10, member: 'a' }, { score: 20.5, member: 'b' })).toBe(2)
    expect(await redis.zadd(key, { gt: true, ch: true }, { score: 5, member: 'a' }, { score: 30, member: 'b' })).toBe(1)
    expect(await redis.zincrby(key, 1.5, 'a')).toBe(11.5)
    expect(await redis.zrange(key, 0, -1, { withScores: true })).toEqual(['a', 11.5, 'b', 30])
    expect(await redis.zrange(key, '+inf', '(11.5', { byScore: true, rev: true, offset: 0, count: 1 })).toEqual(['b'])
    expect(await redis.zremrangebyscore(key, '-inf', '(30')).toBe(1)
    expect(await redis.zcard(key)).toBe(1)
    await redis.pexpire(key, 60_000)
    expect(await redis.expire(key, 1, 'GT')).toBe(0)
    await redis.del(key)
  })

  test('hashes come back as objects', async () => {
    const key = newKey()
    expect(await redis.hset(key, { a: 1, b: 'OK', c: 'x y' })).toBe(3)
    expect(await redis.hgetall(key)).toEqual({ a: 1, b: 'OK', c: 'x y' })
    expect(await redis.hget(key, 'b')).toBe('OK')
    await redis.del(key)
  })

  test('a transaction and a pipeline answer each command', async () => {
    const key = newKey()
    const replies = await redis
      .multi()
      .zadd(key, { score: 1, member: 'a' })
      .pexpire(key, 60_000)
      .zrange(key, 0, -1, { withScores: true })
      .exec()
    expect(replies).toEqual([1, 1, ['a', 1]])
    const other = newKey()
    const piped = await redis.pipeline().set(other, 'OK', { ex: 60 }).get(other).expire(other, 30).exec()
    expect(piped).toEqual(['OK', 'OK', 1])
  })

  test('a plain-text client gets the same replies', async () => {
    const key = newKey()
    const plain = connect(false)
    await plain.set(key, 'naïve', { ex: 60 })
    expect(await plain.get(key)).toBe('naïve')
    expect(await plain.mget(key)).toEqual(['naïve'])
  })

  test('transactions do not mix', async () => {
    const key = newKey()
    const runs = Array.from({ length: 50 }, () => redis.multi().incr(key).incr(key).exec<[number, number]>())
    const pairs = await Promise.all(runs)
    expect(pairs.every(([first, second]) => second === first + 1)).toBe(true)
    await redis.del(key)
  })

  test('a command that Redis refuses is a 400 with its message', async () => {
    expect(await post('/', ['GET'])).toEqual({ status: 400, body: { error: "ERR wrong number of arguments for 'get' command" } })
    await expect(redis.incrby(newKey(), 0.5)).rejects.toThrow('ERR value is not an integer or out of range')
  })

  test('in a pipeline and a transaction only the refused command fails', async () => {
    const key = newKey()
    const commands = [
      ['SET', key, 'text', 'EX', 60],
      ['ZCARD', key],
      ['GET', key],
    ]
    const expected = {
      status: 200,
      body: [{ result: 'OK' }, { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' }, { result: 'text' }],
    }
    expect(await post('/pipeline', commands)).toEqual(expected)
    expect(await post('/multi-exec', commands)).toEqual(expected)
  })

  test('a transaction with a malformed command does nothing', async () => {
    const key = newKey()
    const answer = await post('/multi-exec', [['SET', key, 'text'], ['GET'], ['GET', key]])
    expect(answer).toEqual({ status: 400, body: { error: 'EXECABORT Transaction discarded because of previous errors.' } })
    expect(await redis.get(key)).toBeNull()
  })

  test('replies are base64 when asked, except OK', async () => {
    const key = newKey()
    const headers = { authorization: 'Bearer any', 'upstash-encoding': 'base64' }
    expect(await post('/', ['SET', key, 'OK', 'EX', 60], headers)).toEqual({ status: 200, body: { result: 'OK' } })
    expect(await post('/', ['MGET', key, 'missing'], headers)).toEqual({ status: 200, body: { result: ['T0s=', null] } })
    expect(await post('/', ['ECHO', 'hé'], headers)).toEqual({ status: 200, body: { result: 'aMOp' } })
  })

  test.each([
    { name: 'no token', path: '/', body: ['PING'], headers: {}, status: 401 },
    { name: 'an unknown path', path: '/get/key', body: ['PING'], headers: { authorization: 'Bearer any' }, status: 404 },
    { name: 'an empty command', path: '/', body: [], headers: { authorization: 'Bearer any' }, status: 400 },
    { name: 'an empty pipeline', path: '/pipeline', body: [], headers: { authorization: 'Bearer any' }, status: 400 },
  ])('$name is refused with $status', async ({ path, body, headers, status }) => {
    expect(await post(path, body, headers)).toEqual({ status, body: { error: expect.any(String) } })
  })
})
