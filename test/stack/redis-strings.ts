import {
  type Args,
  type Command,
  fail,
  find,
  findTyped,
  INT64_MIN,
  inInt64,
  liveKeys,
  OK,
  type Reply,
  type Store,
  SYNTAX_ERROR,
  setExpiry,
  toInteger,
} from './redis-store.ts'

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

export function toScan(store: Store, [cursor = '', ...options]: Args): Reply {
  if (!/^\d+$/.test(cursor)) fail('ERR invalid cursor')
  let keys = liveKeys(store)
  for (let index = 0; index < options.length; index += 2) {
    const value = options[index + 1] ?? fail(SYNTAX_ERROR)
    keys = narrowScan(store, keys, (options[index] ?? '').toUpperCase(), value)
  }
  return ['0', keys]
}

export function narrowScan(store: Store, keys: readonly string[], option: string, value: string): readonly string[] {
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

export function set(store: Store, [key = '', text = '', ...options]: Args): Reply {
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

export function incrementBy(store: Store, key: string, amount: bigint): Reply {
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

export function expireCommand(unit: ExpiryUnit): Command {
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

export function expiryCommand(toReply: (expiresAt: number, now: number) => number): Command {
  return {
    arity: 2,
    run: (store, [key = '']) => {
      const entry = find(store, key)
      if (!entry) return -2
      return entry.expiresAt === undefined ? -1 : toReply(entry.expiresAt, store.now())
    },
  }
}

export const toSeconds = (milliseconds: number): number => Math.floor((milliseconds + 500) / 1000)

export function persist(store: Store, [key = '']: Args): Reply {
  if (find(store, key)?.expiresAt === undefined) return 0
  setExpiry(store, key, undefined)
  return 1
}
