import * as fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { createEmbeddedRedis, RedisReplyError, type Reply } from '../stack/embedded-redis.ts'
import { createRedisBackend } from '../stack/upstash-rest.ts'

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

type Step = readonly [command: string | readonly string[], reply: unknown]

type Row = { readonly name: string; readonly steps: readonly Step[] }

const INTEGER = 'ERR value is not an integer or out of range'
const FLOAT = 'ERR value is not a valid float'
const BOUND = 'ERR min or max is not a float'
const SYNTAX = 'ERR syntax error'
const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value'
const arity = (name: string) => `ERR wrong number of arguments for '${name}' command`
const about = (milliseconds: number): unknown => expect.closeTo(milliseconds, -3)

const LATER = Date.now() + 3_600_000

const STRINGS: readonly Row[] = [
  {
    name: 'get and set, in any case',
    steps: [
      ['get @a', null],
      ['SeT @a 1', 'OK'],
      ['GET @a', '1'],
      [['set', '@a', 'naïve 🌙'], 'OK'],
      ['get @a', 'naïve 🌙'],
      [['set', '@a', ''], 'OK'],
      ['get @a', ''],
      ['type @a', 'string'],
      ['type @b', 'none'],
    ],
  },
  {
    name: 'set only where there is, or is not, a value',
    steps: [
      ['set @a 1 xx', null],
      ['set @a 1 nx', 'OK'],
      ['set @a 2 NX', null],
      ['set @a 3 XX', 'OK'],
      ['set @a 4 nx get', '3'],
      ['set @a 5 get', '3'],
      ['set @b 1 get', null],
      ['get @a', '5'],
      ['get @b', '1'],
    ],
  },
  {
    name: 'set with an expiry',
    steps: [
      ['set @a 1 ex 100', 'OK'],
      ['ttl @a', 100],
      ['set @a 2 keepttl', 'OK'],
      ['ttl @a', 100],
      ['set @a 3', 'OK'],
      ['ttl @a', -1],
      ['set @a 3 PX 50000 NX', null],
      ['set @a 3 PX 50000', 'OK'],
      ['pttl @a', about(50_000)],
      [`set @a 4 pxat ${LATER}`, 'OK'],
      ['pexpiretime @a', LATER],
      [`set @a 4 exat ${Math.floor(LATER / 1000)}`, 'OK'],
      ['expiretime @a', Math.floor(LATER / 1000)],
      ['set @a 4 exat 1', 'OK'],
      ['get @a', null],
    ],
  },
  {
    name: 'set refuses what it cannot read',
    steps: [
      ['set @a', arity('set')],
      ['set @a 1 nx xx', SYNTAX],
      ['set @a 1 ex', SYNTAX],
      ['set @a 1 ex 1 px 1', SYNTAX],
      ['set @a 1 ex 1 keepttl', SYNTAX],
      ['set @a 1 keepttl ex 1', SYNTAX],
      ['set @a 1 ex 1 ex 20', 'OK'],
      ['set @a 1 later', SYNTAX],
      ['set @a 1 ex soon', INTEGER],
      ['set @a 1 ex 1.5', INTEGER],
      ['set @a 1 ex 0', "ERR invalid expire time in 'set' command"],
      ['set @a 1 px -1', "ERR invalid expire time in 'set' command"],
      ['set @a 1 ex 9223372036854775807', "ERR invalid expire time in 'set' command"],
    ],
  },
  {
    name: 'counting',
    steps: [
      ['incr @a', 1],
      ['incrby @a 41', 42],
      ['incrby @a -50', -8],
      ['get @a', '-8'],
      ['set @a 5 ex 100', 'OK'],
      ['incr @a', 6],
      ['ttl @a', 100],
      ['incrby @a 1.5', INTEGER],
      ['incrby @a', arity('incrby')],
      ['set @b abc', 'OK'],
      ['incr @b', INTEGER],
      ['set @b 007', 'OK'],
      ['incr @b', INTEGER],
      ['set @b 9223372036854775807', 'OK'],
      ['incr @b', 'ERR increment or decrement would overflow'],
      ['incrby @b 9223372036854775808', INTEGER],
    ],
  },
]

const KEYS: readonly Row[] = [
  {
    name: 'several keys at once',
    steps: [
      ['set @a 1', 'OK'],
      ['zadd @b 1 m', 1],
      ['mget @a @b @c', ['1', null, null]],
      ['exists @a @a @c @b', 3],
      ['del @a @a @c', 1],
      ['unlink @b', 1],
      ['exists @a @b', 0],
      ['mget', arity('mget')],
      ['del', arity('del')],
    ],
  },
  {
    name: 'listing keys',
    steps: [
      ['set @a 1', 'OK'],
      ['keys @a', [expect.stringMatching(/:a$/)]],
      ['keys @[a-b]', [expect.stringMatching(/:a$/)]],
      ['keys @[^a]', []],
      ['keys @?', [expect.stringMatching(/:a$/)]],
      ['keys @\\a', [expect.stringMatching(/:a$/)]],
      ['keys @\\*', []],
      ['scan 0 match @* count 1000000', ['0', [expect.stringMatching(/:a$/)]]],
      ['scan 0 match @* count 1000000 type zset', ['0', []]],
      ['scan x', 'ERR invalid cursor'],
      ['scan 0 count 0', SYNTAX],
      ['scan 0 count', SYNTAX],
      ['scan 0 since 1', SYNTAX],
    ],
  },
  {
    name: 'the connection and unknown commands',
    steps: [
      ['ping', 'PONG'],
      ['PING hello', 'hello'],
      ['ping a b', arity('ping')],
      [['echo', 'é'], 'é'],
      ['echo', arity('echo')],
      ['FROBNICATE', "ERR unknown command 'FROBNICATE', with args beginning with: "],
      ['FROBNICATE 1 two', "ERR unknown command 'FROBNICATE', with args beginning with: '1' 'two' "],
    ],
  },
]

const EXPIRY: readonly Row[] = [
  {
    name: 'the time left',
    steps: [
      ['ttl @a', -2],
      ['pttl @a', -2],
      ['pexpiretime @a', -2],
      ['expire @a 100', 0],
      ['set @a 1', 'OK'],
      ['ttl @a', -1],
      ['pexpiretime @a', -1],
      ['expire @a 100', 1],
      ['ttl @a', 100],
      ['pttl @a', about(100_000)],
      ['pexpire @a 1600', 1],
      ['ttl @a', 2],
      [`pexpireat @a ${LATER}`, 1],
      ['pexpiretime @a', LATER],
      [`expireat @a ${Math.floor(LATER / 1000) + 5}`, 1],
      ['persist @a', 1],
      ['persist @a', 0],
      ['persist @b', 0],
      ['ttl @a', -1],
    ],
  },
  {
    name: 'a past instant deletes the key',
    steps: [
      ['set @a 1', 'OK'],
      ['expire @a 0', 1],
      ['exists @a', 0],
      ['zadd @a 1 m', 1],
      ['pexpireat @a 1000', 1],
      ['zcard @a', 0],
      ['set @a 1', 'OK'],
      ['expire @a -1', 1],
      ['exists @a', 0],
      ['set @a 1 ex 100', 'OK'],
      ['expireat @a 1 gt', 0],
      ['expireat @a 1 nx', 0],
      ['expireat @a 1 lt', 1],
      ['exists @a', 0],
    ],
  },
  {
    name: 'GT, LT, NX and XX without an expiry',
    steps: [
      ['set @a 1', 'OK'],
      [`pexpireat @a ${LATER} gt`, 0],
      [`pexpireat @a ${LATER} xx`, 0],
      ['pttl @a', -1],
      [`pexpireat @a ${LATER} LT`, 1],
      ['pexpiretime @a', LATER],
      ['persist @a', 1],
      [`pexpireat @a ${LATER} Nx`, 1],
      [`pexpireat @a ${LATER + 1} nx`, 0],
      ['pexpiretime @a', LATER],
    ],
  },
  {
    name: 'GT, LT and XX with an expiry',
    steps: [
      [`set @a 1 pxat ${LATER}`, 'OK'],
      [`pexpireat @a ${LATER} gt`, 0],
      [`pexpireat @a ${LATER - 1} gt`, 0],
      [`pexpireat @a ${LATER + 1} gt`, 1],
      ['pexpiretime @a', LATER + 1],
      [`pexpireat @a ${LATER + 1} lt`, 0],
      [`pexpireat @a ${LATER} lt xx`, 1],
      [`pexpireat @a ${LATER + 9} xx gt`, 1],
      ['pexpiretime @a', LATER + 9],
      ['expire @a 60 lt', 1],
      ['ttl @a', 60],
      ['expire @a 30 gt', 0],
      ['pexpire @a 90000 gt', 1],
      ['ttl @a', 90],
    ],
  },
  {
    name: 'an expiry that cannot be read',
    steps: [
      ['set @a 1', 'OK'],
      ['expire @a', arity('expire')],
      ['expire @a soon', INTEGER],
      ['expire @a 1 soon', 'ERR Unsupported option soon'],
      ['expire @a 1 nx gt', 'ERR NX and XX, GT or LT options at the same time are not compatible'],
      ['expire @a 1 nx xx', 'ERR NX and XX, GT or LT options at the same time are not compatible'],
      ['expire @a 1 gt lt', 'ERR GT and LT options at the same time are not compatible'],
      ['expire @a 9223372036854775807', "ERR invalid expire time in 'expire' command"],
      ['pexpire @a 9223372036854775807', "ERR invalid expire time in 'pexpire' command"],
      ['expireat @a -9223372036854775807', "ERR invalid expire time in 'expireat' command"],
      ['ttl @a', -1],
    ],
  },
]

const SORTED_SETS: readonly Row[] = [
  {
    name: 'adding, with and without CH',
    steps: [
      ['zadd @a 1 one 2 two 3 three', 3],
      ['zadd @a 1 one 2.5 two 4 four', 1],
      ['zadd @a ch 1 one 3 two 5 five', 2],
      ['zrange @a 0 -1 withscores', ['one', '1', 'three', '3', 'two', '3', 'four', '4', 'five', '5']],
      ['zadd @a 1 x 2 x', 1],
      ['zscore @a x', '2'],
      ['type @a', 'zset'],
      ['zcard @a', 12 - 6],
    ],
  },
  {
    name: 'NX, XX, GT and LT',
    steps: [
      ['zadd @a xx 1 m', 0],
      ['exists @a', 0],
      ['zadd @a xx incr 1 m', null],
      ['zadd @a gt 5 m', 1],
      ['zadd @a gt ch 4 m 6 n', 1],
      ['zadd @a gt ch 7 m', 1],
      ['zadd @a lt ch 8 m', 0],
      ['zadd @a LT CH 3 m 3 k', 2],
      ['zadd @a nx ch 1 m 1 j', 1],
      ['zadd @a xx ch 2 m 2 i', 1],
      ['zadd @a xx gt ch 1 m 9 k 9 h', 1],
      ['zrange @a 0 -1 withscores', ['j', '1', 'm', '2', 'n', '6', 'k', '9']],
    ],
  },
  {
    name: 'adding up',
    steps: [
      ['zincrby @a 1.5 m', '1.5'],
      ['zincrby @a -0.5 m', '1'],
      ['zadd @a incr 2 m', '3'],
      ['zadd @a incr gt -1 m', null],
      ['zadd @a incr gt 0 m', null],
      ['zadd @a incr lt 0 m', null],
      ['zadd @a incr 0 m', '3'],
      ['zadd @a incr nx 1 m', null],
      ['zadd @a incr xx 1 k', null],
      ['zincrby @a inf m', 'inf'],
      ['zincrby @a -inf m', 'ERR resulting score is not a number (NaN)'],
      ['zscore @a m', 'inf'],
      ['zincrby @a x m', FLOAT],
    ],
  },
  {
    name: 'scores print as Redis prints them',
    steps: [
      [
        'zadd @a 0.1 a 1e20 b 1e17 c 12345678901234567 d 1700000000123.5 e -1e-5 f 1e-4 g inf h -INF i 1e300 j 123456789.123456789 k +7 l .5 m 3. n 1e2 o',
        15,
      ],
      ['zscore @a a', '0.10000000000000001'],
      ['zscore @a b', '1e+20'],
      ['zscore @a c', '1e+17'],
      ['zscore @a d', '12345678901234568'],
      ['zscore @a e', '1700000000123.5'],
      ['zscore @a f', '-1.0000000000000001e-05'],
      ['zscore @a g', '0.0001'],
      ['zmscore @a h i none', ['inf', '-inf', null]],
      ['zscore @a j', '1.0000000000000001e+300'],
      ['zscore @a k', '123456789.12345679'],
      ['zmscore @a l m n o', ['7', '0.5', '3', '100']],
      ['zmscore @b x y', [null, null]],
      ['zscore @b x', null],
    ],
  },
  {
    name: 'equal scores order by bytes',
    steps: [
      [['zadd', '@a', '0', 'é', '0', 'z', '0', '🌙', '0', '\ufb00', '0', 'Z', '0', 'zz', '0', ''], 7],
      ['zrange @a 0 -1', ['', 'Z', 'z', 'zz', 'é', '\ufb00', '🌙']],
      ['zrange @a 0 1 rev', ['🌙', '\ufb00']],
    ],
  },
  {
    name: 'ranges by rank',
    steps: [
      ['zadd @a 1 a 2 b 3 c 4 d', 4],
      ['zrange @a 1 2', ['b', 'c']],
      ['zrange @a -2 -1', ['c', 'd']],
      ['zrange @a 0 -2 rev', ['d', 'c', 'b']],
      ['zrange @a -1 0', []],
      ['zrange @a 3 9', ['d']],
      ['zrange @a 4 9', []],
      ['zrange @a -9 0', ['a']],
      ['zrange @a -9 -8', []],
      ['zrange @a 0 -1 rev withscores', ['d', '4', 'c', '3', 'b', '2', 'a', '1']],
      ['zrange @b 0 -1', []],
      ['zrange @a 0', arity('zrange')],
      ['zrange @a x 1', INTEGER],
      ['zrange @a 0 1 limit 0 1', 'ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX'],
      ['zrange @a 0 1 upwards', SYNTAX],
      ['zrange @a 0 1 byscore limit 0', SYNTAX],
    ],
  },
  {
    name: 'ranges by score',
    steps: [
      ['zadd @a 1 a 2 b 2 c 3 d inf e', 5],
      ['zrange @a 2 3 byscore', ['b', 'c', 'd']],
      ['zrange @a (2 (inf BYSCORE', ['d']],
      ['zrange @a -inf +inf byscore limit 1 2', ['b', 'c']],
      ['zrange @a +inf -inf byscore rev limit 1 -1', ['d', 'c', 'b', 'a']],
      ['zrange @a 3 (1 rev byscore withscores', ['d', '3', 'c', '2', 'b', '2']],
      ['zrange @a 3 2 byscore', []],
      ['zrange @a (2 2 byscore', []],
      ['zrange @a 2 2 byscore limit 5 5', []],
      ['zrange @a 2 2 byscore limit -1 5', []],
      ['zrange @a 2 2 byscore limit 0 0', []],
      ['zrange @a x 2 byscore', BOUND],
      ['zrange @a 1 2 byscore limit x 1', INTEGER],
      ['zcount @a -inf (2', 1],
      ['zcount @a 2 inf', 4],
      ['zcount @a 3 1', 0],
      ['zcount @b 0 1', 0],
      ['zcount @a 0 x', BOUND],
      ['zcount @a 0', arity('zcount')],
    ],
  },
  {
    name: 'removing',
    steps: [
      ['zadd @a 1 a 2 b 3 c 4 d 5 e', 5],
      ['zrem @a a x', 1],
      ['zrem @b a', 0],
      ['zremrangebyscore @a (2 3', 1],
      ['zremrangebyscore @a 9 1', 0],
      ['zremrangebyscore @a x 1', BOUND],
      ['zrange @a 0 -1', ['b', 'd', 'e']],
      ['zremrangebyrank @a 0 -3', 1],
      ['zremrangebyrank @a 5 9', 0],
      ['zrange @a 0 -1', ['d', 'e']],
      ['zremrangebyscore @a -inf +inf', 2],
      ['exists @a', 0],
      ['zadd @a 1 a', 1],
      ['expire @a 100', 1],
      ['zrem @a a', 1],
      ['zadd @a 1 a', 1],
      ['ttl @a', -1],
      ['zremrangebyscore @b 0 1', 0],
    ],
  },
  {
    name: 'additions that cannot be read',
    steps: [
      ['zadd @a 1', arity('zadd')],
      ['zadd @a nx 1', SYNTAX],
      ['zadd @a nx xx', SYNTAX],
      ['zadd @a 1 a 2', SYNTAX],
      ['zadd @a nx xx 1 a', 'ERR XX and NX options at the same time are not compatible'],
      ['zadd @a nx gt 1 a', 'ERR GT, LT, and/or NX options at the same time are not compatible'],
      ['zadd @a gt lt 1 a', 'ERR GT, LT, and/or NX options at the same time are not compatible'],
      ['zadd @a incr 1 a 2 b', 'ERR INCR option supports a single increment-element pair'],
      ['zadd @a one a', FLOAT],
      ['zadd @a nan a', FLOAT],
      ['zadd @a 1e400 a', FLOAT],
      ['zadd @a 1 a two b', FLOAT],
      [['zadd', '@a', ' 1', 'a'], FLOAT],
      [['zadd', '@a', '', 'a'], FLOAT],
      ['exists @a', 0],
    ],
  },
]

const HASHES: readonly Row[] = [
  {
    name: 'fields',
    steps: [
      ['hset @a x 1 y 2', 2],
      ['hset @a y 3 z 4', 1],
      ['hget @a y', '3'],
      ['hget @a none', null],
      ['hget @b x', null],
      ['hgetall @a', ['x', '1', 'y', '3', 'z', '4']],
      ['hgetall @b', []],
      ['hlen @a', 3],
      ['hlen @b', 0],
      ['hdel @a x none y', 2],
      ['hdel @b x', 0],
      ['type @a', 'hash'],
      ['hdel @a z', 1],
      ['exists @a', 0],
      ['hset @a x', arity('hset')],
      ['hset @a x 1 y', arity('hset')],
      ['hget @a', arity('hget')],
    ],
  },
]

const TYPED = ['get @a', 'incr @a', 'hget @a x', 'hset @a x 1', 'hgetall @a', 'hdel @a x', 'hlen @a', 'set @a 1 get']
const TYPED_SETS = [
  'zadd @b 1 x',
  'zincrby @b 1 x',
  'zrem @b x',
  'zcard @b',
  'zscore @b x',
  'zmscore @b x',
  'zrange @b 0 1',
  'zcount @b 0 1',
  'zremrangebyscore @b 0 1',
  'zremrangebyrank @b 0 1',
]

const WRONG_TYPES: readonly Row[] = [
  {
    name: 'a sorted set is no string and no hash',
    steps: [['zadd @a 1 m', 1], ...TYPED.map((command): Step => [command, WRONG_TYPE]), ['set @a 1', 'OK'], ['get @a', '1']],
  },
  {
    name: 'a string is no sorted set',
    steps: [['set @b 1', 'OK'], ...TYPED_SETS.map((command): Step => [command, WRONG_TYPE]), ['hget @b x', WRONG_TYPE]],
  },
]

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
