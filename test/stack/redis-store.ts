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

export type Member = { readonly member: string; readonly score: number }

export type SortedSet = { readonly type: 'zset'; readonly scores: Map<string, number>; readonly sorted: Member[] }
type Hash = { readonly type: 'hash'; readonly fields: Map<string, string> }
type Text = { readonly type: 'string'; readonly text: string }
export type Value = SortedSet | Hash | Text

type Entry = { readonly value: Value; readonly expiresAt: number | undefined }

export type Store = { readonly entries: Map<string, Entry>; readonly now: () => number }

export type Args = readonly string[]

export type Command = {
  /** Counts the command's own name; negative means at least that many, as in Redis. */
  readonly arity: number
  readonly run: (store: Store, args: Args, name: string) => Reply
}

export const OK = 'OK'
export const SYNTAX_ERROR = 'ERR syntax error'
const NOT_AN_INTEGER = 'ERR value is not an integer or out of range'
export const SWEEP_EVERY_COMMANDS = 10_000

export function fail(message: string): never {
  throw new RedisReplyError(message)
}

// Numbers

export const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

export function inInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX
}

export function toInteger(text: string): bigint {
  const value = /^(0|-?[1-9]\d{0,18})$/.test(text) ? BigInt(text) : undefined
  return value !== undefined && inInt64(value) ? value : fail(NOT_AN_INTEGER)
}

export function parseDouble(text: string): number | undefined {
  const infinite = /^([+-]?)inf(inity)?$/i.exec(text)
  if (infinite) return infinite[1] === '-' ? -Infinity : Infinity
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : undefined
}

export function toScore(text: string): number {
  return parseDouble(text) ?? fail('ERR value is not a valid float')
}

/** Prints a double as C's `%.17g`, which is how Redis 7.0 prints scores. */
export function formatScore(score: number): string {
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

export function find(store: Store, key: string): Entry | undefined {
  const entry = store.entries.get(key)
  if (entry?.expiresAt === undefined || entry.expiresAt > store.now()) return entry
  store.entries.delete(key)
  return undefined
}

export function findTyped<T extends Value['type']>(store: Store, key: string, type: T): Extract<Value, { readonly type: T }> | undefined {
  const value = find(store, key)?.value
  if (value === undefined) return undefined
  if (value.type !== type) return fail('WRONGTYPE Operation against a key holding the wrong kind of value')
  // The comparison above is what narrows the union; the compiler does not follow it through a type parameter.
  return value as Extract<Value, { readonly type: T }>
}

export function create<T extends Value>(store: Store, key: string, value: T): T {
  store.entries.set(key, { value, expiresAt: undefined })
  return value
}

export function liveKeys(store: Store): readonly string[] {
  return [...store.entries.keys()].filter((key) => find(store, key) !== undefined)
}

export function remove(store: Store, keys: Args): number {
  return keys.filter((key) => find(store, key) !== undefined && store.entries.delete(key)).length
}

export function setExpiry(store: Store, key: string, expiresAt: number | undefined): void {
  const entry = find(store, key)
  if (entry) store.entries.set(key, { value: entry.value, expiresAt })
}
