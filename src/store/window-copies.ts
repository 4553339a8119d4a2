import type { ChangeText } from '../domain/event/event.ts'
import type { ServiceId, TenantId } from '../domain/ids.ts'
import type { CopyRepair, LifeTotals, StoredLife, WindowCopy } from '../domain/window/copy.ts'
import { isTimeAgain, keys, type Redis, type RedisCommand, remember } from './redis.ts'

import { type TextRow, toChangeText, type WindowId } from './state-windows.ts'

/** One change's occurrences in one request, ready to be merged into one window. */
export type Merge = {
  readonly serviceId: ServiceId
  readonly lifeKey: string
  readonly text: ChangeText
  readonly expiresAtMs: number
  readonly totals: LifeTotals
}

const LIFE_KEY_LENGTH = 44
/** The letters of the members that hold a life's totals. */
const TOTALS = ['n', 'f', 'l', 'x']
const SHORTEST_HORIZON_MS = 24 * 3_600_000
const EXPIRY_REFRESH_MS = 10 * 60_000
const IN_USE_REFRESH_MS = 30_000
/** How long one use is taken for use going on. */
export const IN_USE_MS = 150_000

/**
 * Merges what was just committed into the tenant's windows: one request, two billed commands a change and window, and
 * now and then one that keeps the window from living for ever. Never repeated blindly: ZINCRBY would count twice.
 */
export async function mergeIntoWindows(redis: Redis, tenantId: TenantId, merges: readonly Merge[], now: Date): Promise<void> {
  const commands: RedisCommand[] = []
  const news: string[] = []
  for (const [serviceId, lives] of Map.groupBy(merges, (merge) => merge.serviceId)) {
    const key = keys.stateWindow(tenantId, serviceId)
    commands.push(['ZADD', key, 'GT', ...lives.flatMap((life) => [...toTextMember(life), ...toGrowingTotals(life)])])
    for (const { lifeKey, totals } of lives) commands.push(['ZINCRBY', key, totals.count, `n${lifeKey}`])
    const horizonMs = toHorizonMs(lives, now)
    const expiry = `${key} ${horizonMs}`
    if (!isTimeAgain(redis, expiry, EXPIRY_REFRESH_MS, now)) continue
    commands.push(['PEXPIREAT', key, now.getTime() + 2 * horizonMs])
    news.push(expiry)
  }
  if (isTimeAgain(redis, keys.databaseInUse, IN_USE_REFRESH_MS, now)) {
    commands.push(['SET', keys.databaseInUse, 1, 'PX', IN_USE_MS])
    news.push(keys.databaseInUse)
  }
  await redis.client.transact(commands)
  remember(redis, news, now)
}

/** The copy of a window as it is in Redis, expired remains included; as a replica has it, which may be late. */
export async function readWindowCopy(redis: Redis, { tenantId, serviceId }: WindowId): Promise<WindowCopy> {
  return toCopy(await redis.client.ask<string[]>(['ZRANGE', keys.stateWindow(tenantId, serviceId), 0, -1, 'WITHSCORES']))
}

/** Of a window's copy what it says of some lives, whose texts are known, and how many members it has in all. */
export async function readCopyOfLives(
  redis: Redis,
  { tenantId, serviceId }: WindowId,
  lives: readonly StoredLife[],
): Promise<{ readonly copy: WindowCopy; readonly members: number }> {
  const key = keys.stateWindow(tenantId, serviceId)
  const members = lives.flatMap(({ lifeKey, text }) => [
    ...(text ? [toTextMember({ lifeKey, text, expiresAtMs: 0 })[1]] : []),
    ...TOTALS.map((letter) => `${letter}${lifeKey}`),
  ])
  const [scores, count] = await redis.client.transact([
    ['ZMSCORE', key, NOBODY, ...members],
    ['ZCARD', key],
  ])
  // What a command answers is Redis's contract.
  const [, ...found] = scores as (string | number | null)[]
  return { copy: toCopy(found.flatMap((score, place) => (score === null ? [] : [members[place] ?? '', score]))), members: Number(count) }
}

/** No member's name. */
const NOBODY = '-'

/** The same as it is where it is written, which a transaction that could write makes sure of. */
export async function readWrittenCopy(redis: Redis, { tenantId, serviceId }: WindowId): Promise<WindowCopy> {
  const key = keys.stateWindow(tenantId, serviceId)
  const [, members] = await redis.client.transact([
    ['ZREM', key, NOBODY],
    ['ZRANGE', key, 0, -1, 'WITHSCORES'],
  ])
  // What a command answers is Redis's contract.
  return toCopy(members as string[])
}

/** How many members a window's copy has in Redis. */
export async function countCopyMembers(redis: Redis, { tenantId, serviceId }: WindowId): Promise<number> {
  return redis.client.ask<number>(['ZCARD', keys.stateWindow(tenantId, serviceId)])
}

/** Makes a window's copy agree with Postgres, as planned, in one request. */
export async function repairWindowCopy(
  redis: Redis,
  { tenantId, serviceId }: WindowId,
  { write, remove }: CopyRepair,
  now: Date,
): Promise<void> {
  const key = keys.stateWindow(tenantId, serviceId)
  const toTotals = (takingBack: boolean) =>
    write.flatMap(({ lifeKey, totals: final, takesBack }) =>
      final && takesBack === takingBack ? [final.count, `n${lifeKey}`, ...toGrowingTotals({ lifeKey, totals: final })] : [],
    )
  const [grown, exact] = [toTotals(false), toTotals(true)]
  const commands: RedisCommand[] = []
  if (write.length > 0) {
    commands.push(['ZADD', key, 'GT', ...write.flatMap(toTextMember)], ['PEXPIREAT', key, now.getTime() + 2 * toHorizonMs(write, now)])
  }
  if (grown.length > 0) commands.push(['ZADD', key, 'GT', ...grown])
  if (exact.length > 0) commands.push(['ZADD', key, ...exact])
  if (remove.length > 0) commands.push(toRemoval(key, remove))
  await redis.client.transact(commands)
}

/** A life that is over, in one window. */
export type EndedLife = WindowId & { readonly lifeKey: string; readonly text: ChangeText }

/** Removes lives that are over from their windows' copies, possibly of several tenants, in one request. */
export async function removeEndedLives(redis: Redis, lives: readonly EndedLife[]): Promise<void> {
  const byWindow = Map.groupBy(lives, ({ tenantId, serviceId }) => keys.stateWindow(tenantId, serviceId))
  await redis.client.transact([...byWindow].map(([key, ended]) => toRemoval(key, ended)))
}

function toRemoval(key: string, lives: CopyRepair['remove']): RedisCommand {
  const members = lives.flatMap(({ lifeKey, text }) => [
    ...(text ? [toTextMember({ lifeKey, text, expiresAtMs: 0 })[1]] : []),
    ...TOTALS.map((letter) => `${letter}${lifeKey}`),
  ])
  return ['ZREM', key, ...members]
}

// Scores and members, as ZADD takes them.

function toTextMember({ lifeKey, text, expiresAtMs }: Omit<Merge, 'serviceId' | 'totals'>): [score: number, member: string] {
  const { eventType, vendor, entity, oldValue, newValue, actor, sha, environment } = text
  // Without an environment as members always were: the same life has the same member.
  const row: TextRow = [eventType, vendor, entity, oldValue, newValue, actor, sha]
  return [expiresAtMs, `e${lifeKey}${JSON.stringify(environment === null ? row : [...row, environment])}`]
}

function toGrowingTotals({ lifeKey, totals }: Pick<Merge, 'lifeKey' | 'totals'>): (string | number)[] {
  const { firstTimestampMs, latestMs, earliestExpiresAtMs } = totals
  return [-firstTimestampMs, `f${lifeKey}`, latestMs, `l${lifeKey}`, -earliestExpiresAtMs, `x${lifeKey}`]
}

/**
 * The span, out of a few, that covers the lives. Windows are told to live twice as long, and so need not be told often. One
 * that another isolate cuts short by telling it less is rebuilt from Postgres, should anyone still ask for it.
 */
function toHorizonMs(lives: readonly { readonly expiresAtMs: number }[], now: Date): number {
  const lifeMs = Math.max(...lives.map(({ expiresAtMs }) => expiresAtMs)) - now.getTime()
  let horizonMs = SHORTEST_HORIZON_MS
  while (horizonMs < lifeMs) horizonMs *= 2
  return horizonMs
}

type GrowingCopy = {
  text: ChangeText | undefined
  expiresAtMs: number
  readonly totals: { -readonly [Field in keyof LifeTotals]?: number }
}

function toCopy(flat: readonly (string | number)[]): WindowCopy {
  const copy = new Map<string, GrowingCopy>()
  for (let place = 0; place + 1 < flat.length; place += 2) {
    const member = String(flat[place])
    const lifeKey = member.slice(1, 1 + LIFE_KEY_LENGTH)
    let life = copy.get(lifeKey)
    if (!life) {
      life = { text: undefined, expiresAtMs: Number.NEGATIVE_INFINITY, totals: {} }
      copy.set(lifeKey, life)
    }
    addMember(life, member, Number(flat[place + 1]))
  }
  return copy
}

function addMember(life: GrowingCopy, member: string, score: number): void {
  switch (member.charAt(0)) {
    case 'e':
      life.text = toChangeText(JSON.parse(member.slice(1 + LIFE_KEY_LENGTH)))
      life.expiresAtMs = score
      break
    case 'n':
      life.totals.count = score
      break
    case 'f':
      life.totals.firstTimestampMs = -score
      break
    case 'l':
      life.totals.latestMs = score
      break
    default:
      life.totals.earliestExpiresAtMs = -score
  }
}
