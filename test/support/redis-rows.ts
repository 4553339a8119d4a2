import { expect } from 'vitest'

export type Step = readonly [command: string | readonly string[], reply: unknown]

export type Row = { readonly name: string; readonly steps: readonly Step[] }

export const INTEGER = 'ERR value is not an integer or out of range'
export const FLOAT = 'ERR value is not a valid float'
export const BOUND = 'ERR min or max is not a float'
export const SYNTAX = 'ERR syntax error'
export const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value'
export const arity = (name: string) => `ERR wrong number of arguments for '${name}' command`
const about = (milliseconds: number): unknown => expect.closeTo(milliseconds, -3)

export const LATER = Date.now() + 3_600_000

export const STRINGS: readonly Row[] = [
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

export const KEYS: readonly Row[] = [
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

export const EXPIRY: readonly Row[] = [
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
