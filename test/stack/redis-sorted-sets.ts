import {
  type Args,
  type Command,
  create,
  fail,
  findTyped,
  formatScore,
  type Member,
  parseDouble,
  type Reply,
  type SortedSet,
  type Store,
  SYNTAX_ERROR,
  toInteger,
  toScore,
} from './redis-store.ts'

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

export function removeSlice(store: Store, key: string, set: SortedSet, start: number, end: number): number {
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

export function add(store: Store, key: string, flags: ReadonlySet<string>, members: readonly Member[]): Reply {
  const existing = findTyped(store, key, 'zset')
  if (!existing && flags.has('XX')) return flags.has('INCR') ? null : 0
  const set = existing ?? create(store, key, { type: 'zset', scores: new Map<string, number>(), sorted: [] })
  const results = members.map((member) => addMember(set, flags, member))
  if (flags.has('INCR')) return results[0] && results[0].outcome !== 'refused' ? formatScore(results[0].score) : null
  const counted = flags.has('CH') ? ['added', 'updated'] : ['added']
  return results.filter(({ outcome }) => counted.includes(outcome)).length
}

export function zadd(store: Store, [key = '', ...args]: Args): Reply {
  const { flags, members } = parseAdd(args)
  return add(store, key, flags, members)
}

export function zrem(store: Store, [key = '', ...members]: Args): Reply {
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

export function byRank(startText: string, stopText: string): (set: SortedSet) => Slice {
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

export function zrange(store: Store, [key = '', first = '', second = '', ...rest]: Args): Reply {
  const options = parseRangeOptions(rest)
  const toSlice = toSlicer(first, second, options.flags)
  const set = findTyped(store, key, 'zset')
  if (!set) return []
  const members = rangeMembers(set, toSlice(set), options)
  return options.flags.has('WITHSCORES')
    ? members.flatMap(({ member, score }) => [member, formatScore(score)])
    : members.map(({ member }) => member)
}

export function sliceCommand(
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

export const scoreSlice = (min: string, max: string): ((set: SortedSet) => Slice) => byScore(toBound(min), toBound(max))

export function scoreOf(set: SortedSet | undefined, member: string): string | null {
  const score = set?.scores.get(member)
  return score === undefined ? null : formatScore(score)
}
