import * as fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { createEmbeddedRedis } from '../stack/embedded-redis.ts'
import { RedisReplyError, type Reply } from '../stack/redis-store.ts'
import { createRedisBackend } from '../stack/upstash-rest.ts'
import { arity, EXPIRY, KEYS, LATER, STRINGS, SYNTAX } from '../support/redis-rows.ts'
import { HASHES, SORTED_SETS, WRONG_TYPES } from '../support/redis-set-rows.ts'

const { REDIS_URL: realUrl } = process.env

type Runner = (commands: readonly (readonly string[])[]) => Promise<readonly (Reply | RedisReplyError)[]>

type Backend = { readonly name: string; readonly run: Runner }

function attempt(work: () => Reply): Reply | RedisReplyError {
  try {
    return work()
  } catch (error) {
    if (error instanceof RedisReplyError) return error
    throw error
  }
}

const embedded: Backend = {
  name: 'the embedded Redis',
  run: async (commands) => {
    const redis = createEmbeddedRedis(Date.now)
    return commands.map((command) => attempt(() => redis.run(command)))
  },
}

const backend = realUrl ? await createRedisBackend(realUrl) : undefined
const real: Backend | undefined = backend && { name: 'a real Redis', run: (commands) => backend.run(commands, false) }

afterAll(() => backend?.stop())

const newPrefix = () => `test:${crypto.randomUUID()}:`

/** `@a` stands for a key of this run only; everything is deleted afterwards. */
async function runIsolated({ run }: Backend, commands: readonly (readonly string[])[], prefix: string) {
  const prefixed = commands.map((command) => command.map((part) => (part.startsWith('@') ? prefix + part.slice(1) : part)))
  const replies = await run([...prefixed, ['DEL', ...['a', 'b', 'c'].map((key) => prefix + key)]])
  return replies.slice(0, -1).map((reply) => (reply instanceof RedisReplyError ? reply.message : reply))
}

const TABLE = [...STRINGS, ...KEYS, ...EXPIRY, ...SORTED_SETS, ...HASHES, ...WRONG_TYPES]

describe.each([embedded, ...(real ? [real] : [])])('$name', (redis) => {
  test.each(TABLE)('$name', async ({ steps }) => {
    const commands = steps.map(([command]) => (typeof command === 'string' ? command.split(' ') : command))
    const replies = await runIsolated(redis, commands, newPrefix())
    expect(replies.map((reply, index) => [steps[index]?.[0], reply])).toEqual(steps)
  })
})

describe('the embedded Redis alone', () => {
  test('a key is gone at the instant of its expiry', () => {
    let now = 1_000_000
    const redis = createEmbeddedRedis(() => now)
    redis.run(['SET', 'key', 'value', 'PX', '100'])
    redis.run(['SET', 'other', 'value'])
    now += 99
    expect(redis.run(['GET', 'key'])).toBe('value')
    expect(redis.run(['DBSIZE'])).toBe(2)
    now += 1
    expect(redis.run(['GET', 'key'])).toBeNull()
    expect(redis.run(['DBSIZE'])).toBe(1)
    expect(redis.run(['KEYS', '*'])).toEqual(['other'])
  })

  test.each(['FLUSHALL', 'flushdb'])('%s empties it', (command) => {
    const redis = createEmbeddedRedis(Date.now)
    redis.run(['SET', 'key', 'value'])
    expect(redis.run([command])).toBe('OK')
    expect(redis.run(['DBSIZE'])).toBe(0)
    expect(() => redis.run([command, 'LATER'])).toThrow(SYNTAX)
  })

  test('a sorted set of ten thousand members stays in order', () => {
    const redis = createEmbeddedRedis(Date.now)
    for (let index = 0; index < 10_000; index++) redis.run(['ZADD', 'key', String((index * 7919) % 10_007), `member-${index}`])
    expect(redis.run(['ZCARD', 'key'])).toBe(10_000)
    const low = Number(redis.run(['ZCOUNT', 'key', '-inf', '(5000']))
    expect(redis.run(['ZREMRANGEBYSCORE', 'key', '-inf', '(5000'])).toBe(low)
    const scores = Array.from({ length: 10_000 - low }, (_, index) =>
      redis.run(['ZRANGE', 'key', String(index), String(index), 'WITHSCORES']),
    ).map((reply) => Number(Array.isArray(reply) ? reply[1] : undefined))
    expect(scores).toEqual(scores.toSorted((left, right) => left - right))
    expect(scores[0]).toBeGreaterThanOrEqual(5000)
  })

  test('checking a command does not run it', () => {
    const redis = createEmbeddedRedis(Date.now)
    redis.check(['SET', 'key', 'value'])
    expect(redis.run(['EXISTS', 'key'])).toBe(0)
    expect(() => redis.check(['GET'])).toThrow(arity('get'))
    expect(() => redis.check(['NOPE'])).toThrow('ERR unknown command')
  })
})

// Every expiry is an absolute instant: a relative one would depend on the moment each side reads its clock.
const key = fc.constantFrom('@a', '@b', '@c')
const text = fc.constantFrom('', '1', '-5', '007', 'abc', 'é', '1.5', '9007199254740980')
const integer = fc.constantFrom('0', '1', '-1', '2', '-3', '10', 'x', '1.5')
const member = fc.constantFrom('a', 'b', 'c', 'aa', 'é', '🌙', '\ufb00', '')
const score = fc.constantFrom('0', '1', '2', '1.5', '-3', '0.1', 'inf', '-inf', '1e300', '1700000000123', '1e-7', '1e17', 'x')
const bound = fc.oneof(score, fc.constantFrom('(1', '(2', '(-3', '(inf', '+inf', '(x'))
const instant = fc.constantFrom(LATER, LATER + 1000, LATER + 500_000, 1000, -1).map(String)
const anyCase = (...words: readonly string[]) => fc.constantFrom(...words, ...words.map((word) => word.toLowerCase()))

const command = fc
  .oneof(
    {
      weight: 3,
      arbitrary: fc.tuple(anyCase('GET', 'TYPE', 'INCR', 'PEXPIRETIME', 'PERSIST', 'ZCARD', 'HGETALL', 'HLEN', 'EXISTS', 'DEL'), key),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(
        fc.constant('SET'),
        key,
        text,
        fc.subarray(['NX', 'XX', 'GET', 'KEEPTTL'], { maxLength: 2 }),
        fc.constantFrom([], ['PXAT', String(LATER)], ['pxat', String(LATER + 1000)], ['px', 'x']),
      ),
    },
    fc.tuple(fc.constant('INCRBY'), key, integer),
    fc.tuple(anyCase('MGET', 'DEL', 'EXISTS'), fc.array(key, { maxLength: 3 })),
    fc.tuple(anyCase('EXPIRE'), key, fc.constantFrom('0', '-1', 'x')),
    { weight: 3, arbitrary: fc.tuple(anyCase('PEXPIREAT'), key, instant, fc.subarray(['NX', 'XX', 'gt', 'LT'], { maxLength: 2 })) },
    {
      weight: 6,
      arbitrary: fc.tuple(
        anyCase('ZADD'),
        key,
        fc.subarray(['NX', 'XX', 'gt', 'LT', 'CH', 'incr'], { maxLength: 3 }),
        fc.array(fc.tuple(score, member), { minLength: 1, maxLength: 3 }),
      ),
    },
    { weight: 2, arbitrary: fc.tuple(fc.constant('ZINCRBY'), key, score, member) },
    fc.tuple(anyCase('ZREM', 'ZMSCORE'), key, fc.array(member, { minLength: 1, maxLength: 3 })),
    fc.tuple(fc.constant('ZSCORE'), key, member),
    { weight: 2, arbitrary: fc.tuple(anyCase('ZCOUNT', 'ZREMRANGEBYSCORE'), key, bound, bound) },
    { weight: 2, arbitrary: fc.tuple(fc.constant('ZRANGE'), key, integer, integer, fc.subarray(['REV', 'withscores'])) },
    fc.tuple(fc.constant('ZREMRANGEBYRANK'), key, integer, integer),
    {
      weight: 3,
      arbitrary: fc.tuple(
        fc.constant('ZRANGE'),
        key,
        bound,
        bound,
        fc.constant('BYSCORE'),
        fc.subarray(['rev', 'WITHSCORES']),
        fc.oneof(fc.constant([]), fc.tuple(fc.constant('LIMIT'), integer, integer)),
      ),
    },
    fc.tuple(fc.constant('HSET'), key, fc.array(fc.tuple(member, text), { minLength: 1, maxLength: 2 })),
    fc.tuple(anyCase('HGET', 'HDEL'), key, member),
  )
  .map((parts): readonly string[] => parts.flat(2))

if (real) {
  test('random sequences get the same replies from the embedded Redis and a real one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 40 }), async (commands) => {
        const prefix = newPrefix()
        expect(await runIsolated(embedded, commands, prefix)).toEqual(await runIsolated(real, commands, prefix))
      }),
      { numRuns: 1000 },
    )
  })
}
