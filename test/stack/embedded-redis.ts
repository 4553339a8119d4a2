import { add, byRank, removeSlice, scoreOf, scoreSlice, sliceCommand, zadd, zrange, zrem } from './redis-sorted-sets.ts'
import {
  type Args,
  type Command,
  create,
  type EmbeddedRedis,
  fail,
  find,
  findTyped,
  inInt64,
  liveKeys,
  OK,
  type Reply,
  remove,
  type SortedSet,
  type Store,
  SWEEP_EVERY_COMMANDS,
  SYNTAX_ERROR,
  toInteger,
  toScore,
  type Value,
} from './redis-store.ts'
import { expireCommand, expiryCommand, incrementBy, narrowScan, persist, set, toScan, toSeconds } from './redis-strings.ts'

function hset(store: Store, [key = '', ...pairs]: Args, name: string): Reply {
  if (pairs.length % 2 === 1) fail(`ERR wrong number of arguments for '${name}' command`)
  const hash = findTyped(store, key, 'hash') ?? create(store, key, { type: 'hash', fields: new Map<string, string>() })
  const before = hash.fields.size
  for (let index = 0; index < pairs.length; index += 2) hash.fields.set(pairs[index] ?? '', pairs[index + 1] ?? '')
  return hash.fields.size - before
}

function hincrby(store: Store, [key = '', field = '', amount = '']: Args): Reply {
  const step = toInteger(amount)
  const hash = findTyped(store, key, 'hash')
  const before = hash?.fields.get(field) ?? '0'
  if (!/^(0|-?[1-9]\d{0,18})$/.test(before)) fail('ERR hash value is not an integer')
  const sum = toInteger(before) + step
  if (!inInt64(sum)) fail('ERR increment or decrement would overflow')
  const fields = hash?.fields ?? create(store, key, { type: 'hash', fields: new Map<string, string>() }).fields
  fields.set(field, String(sum))
  return Number(sum)
}

function hdel(store: Store, [key = '', ...fields]: Args): Reply {
  const hash = findTyped(store, key, 'hash')
  if (!hash) return 0
  const removed = fields.filter((field) => hash.fields.delete(field)).length
  if (hash.fields.size === 0) store.entries.delete(key)
  return removed
}

function flush(store: Store, [mode, ...rest]: Args): Reply {
  if (rest.length > 0 || (mode !== undefined && !['ASYNC', 'SYNC'].includes(mode.toUpperCase()))) fail(SYNTAX_ERROR)
  store.entries.clear()
  return OK
}

function ping(_store: Store, args: Args, name: string): Reply {
  if (args.length > 1) fail(`ERR wrong number of arguments for '${name}' command`)
  return args[0] ?? 'PONG'
}

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['ping', { arity: -1, run: ping }],
  ['echo', { arity: 2, run: (_store, [message = '']) => message }],
  ['dbsize', { arity: 1, run: (store) => liveKeys(store).length }],
  ['flushall', { arity: -1, run: flush }],
  ['flushdb', { arity: -1, run: flush }],

  ['del', { arity: -2, run: remove }],
  ['unlink', { arity: -2, run: remove }],
  ['exists', { arity: -2, run: (store, keys) => keys.filter((key) => find(store, key) !== undefined).length }],
  ['type', { arity: 2, run: (store, [key = '']) => find(store, key)?.value.type ?? 'none' }],
  ['keys', { arity: 2, run: (store, [pattern = '']) => narrowScan(store, liveKeys(store), 'MATCH', pattern) }],
  ['scan', { arity: -2, run: toScan }],

  ['expire', expireCommand({ scale: 1000n, absolute: false })],
  ['pexpire', expireCommand({ scale: 1n, absolute: false })],
  ['expireat', expireCommand({ scale: 1000n, absolute: true })],
  ['pexpireat', expireCommand({ scale: 1n, absolute: true })],
  ['ttl', expiryCommand((expiresAt, now) => toSeconds(expiresAt - now))],
  ['pttl', expiryCommand((expiresAt, now) => expiresAt - now)],
  ['expiretime', expiryCommand(toSeconds)],
  ['pexpiretime', expiryCommand((expiresAt) => expiresAt)],
  ['persist', { arity: 2, run: persist }],

  ['get', { arity: 2, run: (store, [key = '']) => findTyped(store, key, 'string')?.text ?? null }],
  ['set', { arity: -3, run: set }],
  ['mget', { arity: -2, run: (store, keys) => keys.map((key) => toText(find(store, key)?.value)) }],
  ['incr', { arity: 2, run: (store, [key = '']) => incrementBy(store, key, 1n) }],
  ['incrby', { arity: 3, run: (store, [key = '', amount = '']) => incrementBy(store, key, toInteger(amount)) }],

  ['zadd', { arity: -4, run: zadd }],
  [
    'zincrby',
    {
      arity: 4,
      run: (store, [key = '', score = '', member = '']) => add(store, key, new Set(['INCR']), [{ member, score: toScore(score) }]),
    },
  ],
  ['zrem', { arity: -3, run: zrem }],
  ['zcard', { arity: 2, run: (store, [key = '']) => findTyped(store, key, 'zset')?.sorted.length ?? 0 }],
  ['zscore', { arity: 3, run: (store, [key = '', member = '']) => scoreOf(findTyped(store, key, 'zset'), member) }],
  ['zmscore', { arity: -3, run: (store, [key = '', ...members]) => scoresOf(findTyped(store, key, 'zset'), members) }],
  ['zrange', { arity: -4, run: zrange }],
  ['zcount', sliceCommand(scoreSlice, (_store, _key, _set, { start, end }) => Math.max(0, end - start))],
  ['zremrangebyscore', sliceCommand(scoreSlice, (store, key, set, { start, end }) => removeSlice(store, key, set, start, end))],
  ['zremrangebyrank', sliceCommand(byRank, (store, key, set, { start, end }) => removeSlice(store, key, set, start, end))],

  ['hset', { arity: -4, run: hset }],
  ['hget', { arity: 3, run: (store, [key = '', field = '']) => findTyped(store, key, 'hash')?.fields.get(field) ?? null }],
  ['hincrby', { arity: 4, run: hincrby }],
  ['hgetall', { arity: 2, run: (store, [key = '']) => [...(findTyped(store, key, 'hash')?.fields ?? [])].flat() }],
  ['hdel', { arity: -3, run: hdel }],
  ['hlen', { arity: 2, run: (store, [key = '']) => findTyped(store, key, 'hash')?.fields.size ?? 0 }],
])

function toText(value: Value | undefined): string | null {
  return value?.type === 'string' ? value.text : null
}

function scoresOf(set: SortedSet | undefined, members: Args): Reply {
  return members.map((member) => scoreOf(set, member))
}

function getCommand([given = '', ...args]: Args): { readonly command: Command; readonly name: string; readonly args: Args } {
  const name = given.toLowerCase()
  const command = COMMANDS.get(name)
  if (!command) return fail(`ERR unknown command '${given}', with args beginning with: ${args.map((arg) => `'${arg}' `).join('')}`)
  const count = args.length + 1
  if (command.arity < 0 ? count < -command.arity : count !== command.arity) fail(`ERR wrong number of arguments for '${name}' command`)
  return { command, name, args }
}

/** Opens an empty in-memory Redis whose clock, in milliseconds since the epoch, is the argument. */
export function createEmbeddedRedis(now: () => number): EmbeddedRedis {
  const store: Store = { entries: new Map(), now }
  let commands = 0
  return {
    run: (given) => {
      const { command, name, args } = getCommand(given)
      commands += 1
      if (commands % SWEEP_EVERY_COMMANDS === 0) liveKeys(store)
      return command.run(store, args, name)
    },
    check: (given) => {
      getCommand(given)
    },
  }
}
