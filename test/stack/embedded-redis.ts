export type Reply = string | number | null | readonly Reply[]

/** An error that Redis itself replies with; the message is Redis's own. */
export class RedisReplyError extends Error {
  override readonly name = 'RedisReplyError'
}

export type EmbeddedRedis = {
  /** Runs one command, or throws the RedisReplyError that Redis would reply. */
  readonly run: (command: readonly string[]) => Reply
  /** Throws what MULTI would refuse a command for while queueing it. */
  readonly check: (command: readonly string[]) => void
}

type Member = { readonly member: string; readonly score: number }

type SortedSet = { readonly type: 'zset'; readonly scores: Map<string, number>; readonly sorted: Member[] }
type Hash = { readonly type: 'hash'; readonly fields: Map<string, string> }
type Text = { readonly type: 'string'; readonly text: string }
type Value = SortedSet | Hash | Text

type Entry = { readonly value: Value; readonly expiresAt: number | undefined }

type Store = { readonly entries: Map<string, Entry>; readonly now: () => number }

type Args = readonly string[]

type Command = {
  /** Counts the command's own name; negative means at least that many, as in Redis. */
  readonly arity: number
  readonly run: (store: Store, args: Args, name: string) => Reply
}

const OK = 'OK'
const SYNTAX_ERROR = 'ERR syntax error'
const NOT_AN_INTEGER = 'ERR value is not an integer or out of range'
const SWEEP_EVERY_COMMANDS = 10_000

function fail(message: string): never {
  throw new RedisReplyError(message)
}

// Numbers

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

function inInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX
}

function toInteger(text: string): bigint {
  const value = /^(0|-?[1-9]\d{0,18})$/.test(text) ? BigInt(text) : undefined
  return value !== undefined && inInt64(value) ? value : fail(NOT_AN_INTEGER)
}

function parseDouble(text: string): number | undefined {
  const infinite = /^([+-]?)inf(inity)?$/i.exec(text)
  if (infinite) return infinite[1] === '-' ? -Infinity : Infinity
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

function toScore(text: string): number {
  return parseDouble(text) ?? fail('ERR value is not a valid float')
}

/** Prints a double as C's `%.17g`, which is how Redis 7.0 prints scores. */
function formatScore(score: number): string {
  if (!Number.isFinite(score)) return score > 0 ? 'inf' : '-inf'
  if (Object.is(score, -0)) return '-0'
  const [mantissa = '0', exponentText = '0'] = score.toExponential(16).split('e')
  const exponent = Number(exponentText)
  if (exponent >= -4 && exponent < 17) return trimFraction(score.toFixed(Math.min(100, 16 - exponent)))
  const sign = exponent < 0 ? '-' : '+'
  return `${trimFraction(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`
}

function trimFraction(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits
}

// Keys

function find(store: Store, key: string): Entry | undefined {
  const entry = store.entries.get(key)
  if (entry?.expiresAt === undefined || entry.expiresAt > store.now()) return entry
  store.entries.delete(key)
  return undefined
}

function findTyped<T extends Value['type']>(store: Store, key: string, type: T): Extract<Value, { readonly type: T }> | undefined {
  const value = find(store, key)?.value
  if (value === undefined) return undefined
  if (value.type !== type) return fail('WRONGTYPE Operation against a key holding the wrong kind of value')
  // The comparison above is what narrows the union; the compiler does not follow it through a type parameter.
  return value as Extract<Value, { readonly type: T }>
}

function create<T extends Value>(store: Store, key: string, value: T): T {
  store.entries.set(key, { value, expiresAt: undefined })
  return value
}

function liveKeys(store: Store): readonly string[] {
  return [...store.entries.keys()].filter((key) => find(store, key) !== undefined)
}

function remove(store: Store, keys: Args): number {
  return keys.filter((key) => find(store, key) !== undefined && store.entries.delete(key)).length
}

function setExpiry(store: Store, key: string, expiresAt: number | undefined): void {
  const entry = find(store, key)
  if (entry) store.entries.set(key, { value: entry.value, expiresAt })
}

const GLOB_TOKEN = /\\([\s\S])|\[(\^?)((?:\\[\s\S]|[^\]\\])*)\]?|([\s\S])/g

function escapeLiteral(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}

function globCharacter(character: string): string {
  if (character === '*') return '[\\s\\S]*'
  if (character === '?') return '[\\s\\S]'
  return escapeLiteral(character)
}

function globClass(negated: string, body: string): string {
  const members = [...body.matchAll(/\\?([\s\S])(?:-([\s\S]))?/g)].map(([, from = '', to]) => {
    if (to === undefined) return escapeLiteral(from)
    return from <= to ? `${escapeLiteral(from)}-${escapeLiteral(to)}` : `${escapeLiteral(to)}-${escapeLiteral(from)}`
  })
  return `[${negated}${members.join('')}]`
}

function toGlob(pattern: string): RegExp {
  const source = pattern.replace(GLOB_TOKEN, (_match, escaped?: string, negated?: string, body?: string, character?: string) => {
    if (escaped !== undefined) return escapeLiteral(escaped)
    if (body !== undefined) return globClass(negated ?? '', body)
    return globCharacter(character ?? '')
  })
  return new RegExp(`^${source}$`)
}

function toScan(store: Store, [cursor = '', ...options]: Args): Reply {
  if (!/^\d+$/.test(cursor)) fail('ERR invalid cursor')
  let keys = liveKeys(store)
  for (let index = 0; index < options.length; index += 2) {
    const value = options[index + 1] ?? fail(SYNTAX_ERROR)
    keys = narrowScan(store, keys, (options[index] ?? '').toUpperCase(), value)
  }
  return ['0', keys]
}

function narrowScan(store: Store, keys: readonly string[], option: string, value: string): readonly string[] {
  if (option === 'MATCH') {
    const glob = toGlob(value)
    return keys.filter((key) => glob.test(key))
  }
  if (option === 'TYPE') return keys.filter((key) => find(store, key)?.value.type === value.toLowerCase())
  if (option !== 'COUNT' || toInteger(value) < 1n) fail(SYNTAX_ERROR)
  return keys
}

// Strings

type ExpiryUnit = { readonly scale: bigint; readonly absolute: boolean }

const SET_EXPIRY: ReadonlyMap<string, ExpiryUnit> = new Map([
  ['EX', { scale: 1000n, absolute: false }],
  ['PX', { scale: 1n, absolute: false }],
  ['EXAT', { scale: 1000n, absolute: true }],
  ['PXAT', { scale: 1n, absolute: true }],
])

const SET_FLAG_CONFLICTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['NX', ['XX']],
  ['XX', ['NX']],
  ['GET', []],
  ['KEEPTTL', ['EX', 'PX', 'EXAT', 'PXAT']],
])

type SetOptions = {
  readonly flags: ReadonlySet<string>
  readonly expiry: { readonly unit: ExpiryUnit; readonly amount: string } | undefined
}

function parseSetOptions(options: Args): SetOptions {
  const flags = new Set<string>()
  let expiry: SetOptions['expiry']
  for (let index = 0; index < options.length; index++) {
    const option = (options[index] ?? '').toUpperCase()
    const unit = SET_EXPIRY.get(option)
    if (unit) {
      const conflict = flags.has('KEEPTTL') || [...SET_EXPIRY.keys()].some((other) => other !== option && flags.has(other))
      index += 1
      const amount = options[index]
      if (conflict || amount === undefined) return fail(SYNTAX_ERROR)
      expiry = { unit, amount }
    } else if (SET_FLAG_CONFLICTS.get(option)?.some((other) => flags.has(other)) ?? true) fail(SYNTAX_ERROR)
    flags.add(option)
  }
  return { flags, expiry }
}

function toInstant(store: Store, text: string, { scale, absolute }: ExpiryUnit, onInvalid: () => never, minimum: bigint): number {
  const amount = toInteger(text)
  const instant = amount * scale + (absolute ? 0n : BigInt(store.now()))
  if (amount < minimum || !inInt64(amount * scale) || !inInt64(instant)) onInvalid()
  return Number(instant)
}

function set(store: Store, [key = '', text = '', ...options]: Args): Reply {
  const { flags, expiry } = parseSetOptions(options)
  const invalid = (): never => fail("ERR invalid expire time in 'set' command")
  const expiresAt = expiry && toInstant(store, expiry.amount, expiry.unit, invalid, 1n)
  const before = flags.has('GET') ? (findTyped(store, key, 'string')?.text ?? null) : undefined
  const current = find(store, key)
  const blocked = (flags.has('NX') && current !== undefined) || (flags.has('XX') && current === undefined)
  if (blocked) return before ?? null
  store.entries.set(key, { value: { type: 'string', text }, expiresAt: flags.has('KEEPTTL') ? current?.expiresAt : expiresAt })
  return before === undefined ? OK : before
}

function incrementBy(store: Store, key: string, amount: bigint): Reply {
  const sum = toInteger(findTyped(store, key, 'string')?.text ?? '0') + amount
  if (!inInt64(sum)) fail('ERR increment or decrement would overflow')
  store.entries.set(key, { value: { type: 'string', text: String(sum) }, expiresAt: find(store, key)?.expiresAt })
  return Number(sum)
}

// Expiry

function checkExpireFlags(flags: ReadonlySet<string>): void {
  if (flags.has('NX') && flags.size > 1) fail('ERR NX and XX, GT or LT options at the same time are not compatible')
  if (flags.has('GT') && flags.has('LT')) fail('ERR GT and LT options at the same time are not compatible')
}

/** Whether each flag of EXPIRE lets the new instant replace the current one. */
const EXPIRE_FLAGS: ReadonlyMap<string, (next: number, current: number | undefined) => boolean> = new Map([
  ['NX', (_next, current) => current === undefined],
  ['XX', (_next, current) => current !== undefined],
  ['GT', (next, current) => current !== undefined && next > current],
  ['LT', (next, current) => current === undefined || next < current],
])

function expireCommand(unit: ExpiryUnit): Command {
  return {
    arity: -3,
    run: (store, [key = '', amount = '', ...options], name) => {
      for (const option of options) if (!EXPIRE_FLAGS.has(option.toUpperCase())) fail(`ERR Unsupported option ${option}`)
      const flags = new Set(options.map((option) => option.toUpperCase()))
      checkExpireFlags(flags)
      const invalid = (): never => fail(`ERR invalid expire time in '${name}' command`)
      const instant = toInstant(store, amount, unit, invalid, INT64_MIN)
      const entry = find(store, key)
      if (!entry) return 0
      for (const flag of flags) if (!EXPIRE_FLAGS.get(flag)?.(instant, entry.expiresAt)) return 0
      if (instant <= store.now()) store.entries.delete(key)
      else setExpiry(store, key, instant)
      return 1
    },
  }
}

function expiryCommand(toReply: (expiresAt: number, now: number) => number): Command {
  return {
    arity: 2,
    run: (store, [key = '']) => {
      const entry = find(store, key)
      if (!entry) return -2
      return entry.expiresAt === undefined ? -1 : toReply(entry.expiresAt, store.now())
    },
  }
}

const toSeconds = (milliseconds: number): number => Math.floor((milliseconds + 500) / 1000)

function persist(store: Store, [key = '']: Args): Reply {
  if (find(store, key)?.expiresAt === undefined) return 0
  setExpiry(store, key, undefined)
  return 1
}

// Sorted sets

/** UTF-16 puts surrogates below U+E000; in UTF-8 the characters they encode come last. */
function byteRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

function compareBytes(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const difference = byteRank(left.charCodeAt(index)) - byteRank(right.charCodeAt(index))
    if (difference !== 0) return difference
  }
  return left.length - right.length
}

/** The first index whose member is not before the given place. */
function firstIndex(sorted: readonly Member[], isBefore: (member: Member) => boolean): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const member = sorted[middle]
    if (member && isBefore(member)) low = middle + 1
    else high = middle
  }
  return low
}

function position({ sorted }: SortedSet, member: string, score: number): number {
  return firstIndex(sorted, (other) => other.score < score || (other.score === score && compareBytes(other.member, member) < 0))
}

function removeMember(set: SortedSet, member: string): boolean {
  const score = set.scores.get(member)
  if (score === undefined) return false
  set.sorted.splice(position(set, member, score), 1)
  return set.scores.delete(member)
}

function putMember(set: SortedSet, member: string, score: number): void {
  removeMember(set, member)
  set.sorted.splice(position(set, member, score), 0, { member, score })
  set.scores.set(member, score)
}

function removeSlice(store: Store, key: string, set: SortedSet, start: number, end: number): number {
  const removed = set.sorted.splice(start, Math.max(0, end - start))
  for (const { member } of removed) set.scores.delete(member)
  if (set.sorted.length === 0) store.entries.delete(key)
  return removed.length
}

const ZADD_FLAGS: ReadonlySet<string> = new Set(['NX', 'XX', 'GT', 'LT', 'CH', 'INCR'])

function checkAddFlags(flags: ReadonlySet<string>, pairs: number): void {
  if (flags.has('NX') && flags.has('XX')) fail('ERR XX and NX options at the same time are not compatible')
  if ([flags.has('NX'), flags.has('GT'), flags.has('LT')].filter(Boolean).length > 1)
    fail('ERR GT, LT, and/or NX options at the same time are not compatible')
  if (flags.has('INCR') && pairs > 1) fail('ERR INCR option supports a single increment-element pair')
}

function parseAdd(args: Args): { readonly flags: ReadonlySet<string>; readonly members: readonly Member[] } {
  const end = args.findIndex((arg) => !ZADD_FLAGS.has(arg.toUpperCase()))
  const flags = new Set((end < 0 ? args : args.slice(0, end)).map((flag) => flag.toUpperCase()))
  const pairs = end < 0 ? [] : args.slice(end)
  if (pairs.length === 0 || pairs.length % 2 === 1) fail(SYNTAX_ERROR)
  checkAddFlags(flags, pairs.length / 2)
  const members: Member[] = []
  for (let index = 0; index < pairs.length; index += 2) members.push({ score: toScore(pairs[index] ?? ''), member: pairs[index + 1] ?? '' })
  return { flags, members }
}

type Added = { readonly outcome: 'added' | 'updated' | 'same' | 'refused'; readonly score: number }

function replaceMember(set: SortedSet, flags: ReadonlySet<string>, { member, score }: Member, current: number): Added {
  const next = flags.has('INCR') ? current + score : score
  if (Number.isNaN(next)) return fail('ERR resulting score is not a number (NaN)')
  if (flags.has('NX') || (flags.has('GT') && next <= current) || (flags.has('LT') && next >= current))
    return { outcome: 'refused', score: current }
  if (next === current) return { outcome: 'same', score: current }
  putMember(set, member, next)
  return { outcome: 'updated', score: next }
}

function addMember(set: SortedSet, flags: ReadonlySet<string>, added: Member): Added {
  const current = set.scores.get(added.member)
  if (current !== undefined) return replaceMember(set, flags, added, current)
  if (flags.has('XX')) return { outcome: 'refused', score: added.score }
  putMember(set, added.member, added.score)
  return { outcome: 'added', score: added.score }
}

function add(store: Store, key: string, flags: ReadonlySet<string>, members: readonly Member[]): Reply {
  const existing = findTyped(store, key, 'zset')
  if (!existing && flags.has('XX')) return flags.has('INCR') ? null : 0
  const set = existing ?? create(store, key, { type: 'zset', scores: new Map<string, number>(), sorted: [] })
  const results = members.map((member) => addMember(set, flags, member))
  if (flags.has('INCR')) return results[0] && results[0].outcome !== 'refused' ? formatScore(results[0].score) : null
  const counted = flags.has('CH') ? ['added', 'updated'] : ['added']
  return results.filter(({ outcome }) => counted.includes(outcome)).length
}

function zadd(store: Store, [key = '', ...args]: Args): Reply {
  const { flags, members } = parseAdd(args)
  return add(store, key, flags, members)
}

function zrem(store: Store, [key = '', ...members]: Args): Reply {
  const set = findTyped(store, key, 'zset')
  if (!set) return 0
  const removed = members.filter((member) => removeMember(set, member)).length
  if (set.sorted.length === 0) store.entries.delete(key)
  return removed
}

type Bound = { readonly score: number; readonly exclusive: boolean }

function toBound(text: string): Bound {
  const exclusive = text.startsWith('(')
  const score = parseDouble(exclusive ? text.slice(1) : text) ?? fail('ERR min or max is not a float')
  return { score, exclusive }
}

type Slice = { readonly start: number; readonly end: number }

function byScore(min: Bound, max: Bound): (set: SortedSet) => Slice {
  return ({ sorted }) => ({
    start: firstIndex(sorted, ({ score }) => (min.exclusive ? score <= min.score : score < min.score)),
    end: firstIndex(sorted, ({ score }) => (max.exclusive ? score < max.score : score <= max.score)),
  })
}

function byRank(startText: string, stopText: string): (set: SortedSet) => Slice {
  const [start, stop] = [Number(toInteger(startText)), Number(toInteger(stopText))]
  const fromEnd = (index: number, size: number): number => (index < 0 ? index + size : index)
  return ({ sorted: { length: size } }) => ({ start: Math.max(0, fromEnd(start, size)), end: Math.min(size, fromEnd(stop, size) + 1) })
}

type RangeOptions = { readonly flags: ReadonlySet<string>; readonly limit: { readonly offset: number; readonly count: number } | undefined }

function parseRangeOptions(options: Args): RangeOptions {
  const flags = new Set<string>()
  let limit: RangeOptions['limit']
  for (let index = 0; index < options.length; index++) {
    const option = (options[index] ?? '').toUpperCase()
    const [offset, count] = options.slice(index + 1, index + 3)
    if (option === 'LIMIT' && offset !== undefined && count !== undefined) {
      limit = { offset: Number(toInteger(offset)), count: Number(toInteger(count)) }
      index += 2
    } else if (['BYSCORE', 'REV', 'WITHSCORES'].includes(option)) flags.add(option)
    else fail(SYNTAX_ERROR)
  }
  // Redis cannot tell LIMIT 0 -1, its default, from no LIMIT at all.
  if (limit && limit.count !== -1 && !flags.has('BYSCORE'))
    fail('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX')
  return { flags, limit }
}

function limited(members: readonly Member[], { limit }: RangeOptions): readonly Member[] {
  if (!limit) return members
  if (limit.offset < 0) return []
  return members.slice(limit.offset, limit.count < 0 ? undefined : limit.offset + limit.count)
}

function rangeMembers({ sorted }: SortedSet, { start, end }: Slice, options: RangeOptions): readonly Member[] {
  return limited(
    options.flags.has('REV') ? sorted.slice(start, Math.max(start, end)).reverse() : sorted.slice(start, Math.max(start, end)),
    options,
  )
}

/** Ranks of a reversed range count from the highest score. */
function reversed(toSlice: (set: SortedSet) => Slice): (set: SortedSet) => Slice {
  return (set) => {
    const { start, end } = toSlice(set)
    return { start: set.sorted.length - Math.max(start, end), end: set.sorted.length - start }
  }
}

function toSlicer(first: string, second: string, flags: ReadonlySet<string>): (set: SortedSet) => Slice {
  if (!flags.has('BYSCORE')) return flags.has('REV') ? reversed(byRank(first, second)) : byRank(first, second)
  return flags.has('REV') ? byScore(toBound(second), toBound(first)) : byScore(toBound(first), toBound(second))
}

function zrange(store: Store, [key = '', first = '', second = '', ...rest]: Args): Reply {
  const options = parseRangeOptions(rest)
  const toSlice = toSlicer(first, second, options.flags)
  const set = findTyped(store, key, 'zset')
  if (!set) return []
  const members = rangeMembers(set, toSlice(set), options)
  return options.flags.has('WITHSCORES')
    ? members.flatMap(({ member, score }) => [member, formatScore(score)])
    : members.map(({ member }) => member)
}

function sliceCommand(
  toSlice: (first: string, second: string) => (set: SortedSet) => Slice,
  toReply: (store: Store, key: string, set: SortedSet, slice: Slice) => number,
): Command {
  return {
    arity: 4,
    run: (store, [key = '', first = '', second = '']) => {
      const slicer = toSlice(first, second)
      const set = findTyped(store, key, 'zset')
      return set ? toReply(store, key, set, slicer(set)) : 0
    },
  }
}

const scoreSlice = (min: string, max: string): ((set: SortedSet) => Slice) => byScore(toBound(min), toBound(max))

function scoreOf(set: SortedSet | undefined, member: string): string | null {
  const score = set?.scores.get(member)
  return score === undefined ? null : formatScore(score)
}

// Hashes

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

// Server

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
