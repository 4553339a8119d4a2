import { sql } from 'drizzle-orm'
import type { EventType } from '../domain/event.ts'
import { type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import type { JoinRule } from '../domain/service-name.ts'
import type { ChangeText, ChangeTotals, CopiedChange, CopyRepair, StoredChange, WindowCopy } from '../domain/state-window.ts'
import type { CallerRow } from './api-keys.ts'
import { type Db, selectOne } from './postgres.ts'
import { isNews, keys, type Redis, type RedisCommand } from './redis.ts'

/** Who asks for a window: a request's key, or the cron on a tenant's behalf. */
export type WindowReader = { readonly keyHash: string } | { readonly tenantId: TenantId }

export type StoredWindow = {
  readonly caller: CallerRow
  readonly service: { readonly id: ServiceId; readonly name: string } | undefined
  /** The database's clock: the instant the window is of. */
  readonly now: Date
  readonly changes: readonly StoredChange[]
}

type ChangeRow = {
  change_key: string
  id: string
  confidence: number
  joined_by: JoinRule
  timestamp_ms: number
  first_ms: number
  ordered_ms: number
  received_ms: number
  expires_ms: number
  earliest_ms: number
  count: number
  follows_gap: boolean
  text?: [EventType, string, string, string | null, string | null, string | null, string | null]
}

type WindowRow = CallerRow & {
  service_id: string | null
  service_name: string | null
  now_ms: number
  changes: ChangeRow[] | null
}

/** Changes of one type a window shows at most, the latest ones: a flood of one type leaves the others alone. */
const MAX_CHANGES_PER_TYPE = 1_000

/**
 * A service's window as Postgres knows it, now or `at` an earlier instant, folded into changes; with `withText` also
 * what each says. One request, which also says who the reader is: the function `read_window_v1` of the migrations.
 */
export async function findStoredWindow(
  db: Db,
  reader: WindowReader,
  serviceId: ServiceId,
  { at, withText }: { readonly at: Date | undefined; readonly withText: boolean },
): Promise<StoredWindow> {
  const { keyHash, tenantId } = { keyHash: null, tenantId: null, ...reader }
  const { row } = await selectOne<{ row: WindowRow }>(
    db,
    sql`SELECT read_window_v1(${keyHash}, ${tenantId}::uuid, ${serviceId}::uuid, ${at?.toISOString() ?? null}::timestamptz, ${withText}, ${MAX_CHANGES_PER_TYPE}) AS row`,
  )
  const { service_id, service_name } = row
  return {
    caller: row,
    service: service_id === null || service_name === null ? undefined : { id: toId(service_id), name: service_name },
    now: new Date(row.now_ms),
    changes: (row.changes ?? []).map(toStoredChange),
  }
}

function toStoredChange(row: ChangeRow): StoredChange {
  return {
    changeKey: row.change_key,
    id: toId(row.id),
    confidence: row.confidence,
    joinedBy: row.joined_by,
    timestamp: new Date(row.timestamp_ms),
    firstTimestamp: new Date(row.first_ms),
    orderedAt: new Date(row.ordered_ms),
    lastReceivedAt: new Date(row.received_ms),
    expiresAt: new Date(row.expires_ms),
    earliestExpiresAt: new Date(row.earliest_ms),
    count: row.count,
    followsGap: row.follows_gap,
    text: row.text && toChangeText(row.text),
  }
}

// The copy: one sorted set a window, up to four members a change, told apart by their first letter and named by the
// change key that follows it:
//   e<key><text>  score: when its last occurrence expires      f<key>  score: minus its first timestamp
//   n<key>        score: its occurrences since it appeared     x<key>  score: minus its earliest expiry
// All but `n` only ever grow (ZADD GT), so merging them twice or out of order does no harm.

/** One change's occurrences in one request, ready to be merged into one window. */
export type Merge = ChangeTotals & {
  readonly serviceId: ServiceId
  readonly changeKey: string
  readonly text: ChangeText
}

const KEY_LENGTH = 36
const SHORTEST_HORIZON_MS = 24 * 3_600_000
const EXPIRY_REFRESH_MS = 10 * 60_000
const IN_USE_REFRESH_MS = 30_000
const IN_USE_MS = 150_000

/**
 * Merges what was just committed into the tenant's windows: one request, two billed commands a change and window, and
 * now and then one that keeps the window from living for ever. Never repeated blindly: ZINCRBY would count twice.
 */
export async function mergeIntoWindows(redis: Redis, tenantId: TenantId, merges: readonly Merge[], now: Date): Promise<void> {
  const commands: RedisCommand[] = []
  for (const [serviceId, changes] of Map.groupBy(merges, (merge) => merge.serviceId)) {
    const key = keys.stateWindow(tenantId, serviceId)
    const members = changes.flatMap((change) => [
      ...toTextMember(change.changeKey, change.text, change.expiresAtMs),
      ...toGrowingTotals(change.changeKey, change),
    ])
    commands.push(['ZADD', key, 'GT', ...members])
    for (const { changeKey, count } of changes) commands.push(['ZINCRBY', key, count, `n${changeKey}`])
    const horizonMs = toHorizonMs(Math.max(...changes.map((change) => change.expiresAtMs)) - now.getTime())
    if (isNews(redis, `${key} ${horizonMs}`, EXPIRY_REFRESH_MS, now)) commands.push(['PEXPIREAT', key, now.getTime() + 2 * horizonMs])
  }
  if (isNews(redis, keys.databaseInUse, IN_USE_REFRESH_MS, now)) commands.push(['SET', keys.databaseInUse, 1, 'PX', IN_USE_MS])
  await redis.client.transact(commands)
}

/** The copy of a window as it is in Redis, expired remains included. */
export async function readWindowCopy(redis: Redis, tenantId: TenantId, serviceId: ServiceId): Promise<WindowCopy> {
  return toCopy(await redis.client.zrange<string[]>(keys.stateWindow(tenantId, serviceId), 0, -1, { withScores: true }))
}

/** Copies of several windows, possibly of several tenants, in one request. */
export async function readWindowCopies(redis: Redis, windows: readonly WindowId[]): Promise<WindowCopy[]> {
  if (windows.length === 0) return []
  const pipeline = redis.client.pipeline()
  for (const { tenantId, serviceId } of windows) {
    pipeline.zrange<string[]>(keys.stateWindow(tenantId, serviceId), 0, -1, { withScores: true })
  }
  return (await pipeline.exec<string[][]>()).map(toCopy)
}

export type WindowId = { readonly tenantId: TenantId; readonly serviceId: ServiceId }

/** Makes copies agree with Postgres, as planned, in one request. */
export async function repairWindowCopies(
  redis: Redis,
  repairs: readonly (WindowId & { readonly copy: WindowCopy; readonly repair: CopyRepair })[],
  now: Date,
): Promise<void> {
  const commands = repairs.flatMap(({ tenantId, serviceId, copy, repair }) =>
    toCommands(keys.stateWindow(tenantId, serviceId), copy, repair, now),
  )
  if (commands.length > 0) await redis.client.transact(commands)
}

function toCommands(key: string, copy: WindowCopy, { write, remove }: CopyRepair, now: Date): RedisCommand[] {
  const texts = write.flatMap(({ changeKey, text, totals }) => toTextMember(changeKey, text, totals.expiresAtMs))
  const totals = write
    .filter(({ isFinal }) => isFinal)
    .flatMap((change) => [change.totals.count, `n${change.changeKey}`, ...toGrowingTotals(change.changeKey, change.totals)])
  const dead = remove.flatMap((changeKey) => toMembers(changeKey, copy.get(changeKey)?.text))
  const lifeMs = Math.max(...write.map((change) => change.totals.expiresAtMs)) - now.getTime()

  const commands: RedisCommand[] = []
  if (texts.length > 0) commands.push(['ZADD', key, 'GT', ...texts], ['PEXPIREAT', key, now.getTime() + 2 * toHorizonMs(lifeMs)])
  if (totals.length > 0) commands.push(['ZADD', key, ...totals])
  if (dead.length > 0) commands.push(['ZREM', key, ...dead])
  return commands
}

// Scores and members, as ZADD takes them.

function toGrowingTotals(changeKey: string, { firstTimestampMs, earliestExpiresAtMs }: ChangeTotals): (string | number)[] {
  return [-firstTimestampMs, `f${changeKey}`, -earliestExpiresAtMs, `x${changeKey}`]
}

/**
 * The span, out of a few, that covers a life. Windows are told to live twice as long, and so need not be told often. One
 * that another isolate cuts short by telling it less is rebuilt from Postgres, should anyone still ask for it.
 */
function toHorizonMs(lifeMs: number): number {
  let horizonMs = SHORTEST_HORIZON_MS
  while (horizonMs < lifeMs) horizonMs *= 2
  return horizonMs
}

function toTextMember(changeKey: string, text: ChangeText, expiresAtMs: number): [score: number, member: string] {
  const { eventType, vendor, entity, oldValue, newValue, actor, sha } = text
  return [expiresAtMs, `e${changeKey}${JSON.stringify([eventType, vendor, entity, oldValue, newValue, actor, sha])}`]
}

function toMembers(changeKey: string, text: ChangeText | undefined): string[] {
  const rest = [`n${changeKey}`, `f${changeKey}`, `x${changeKey}`]
  return text ? [toTextMember(changeKey, text, 0)[1], ...rest] : rest
}

function toChangeText(text: NonNullable<ChangeRow['text']>): ChangeText {
  const [eventType, vendor, entity, oldValue, newValue, actor, sha] = text
  return { eventType, vendor, entity, oldValue, newValue, actor, sha }
}

function toCopy(flat: readonly string[]): WindowCopy {
  const copy = new Map<string, CopiedChange>()
  for (let place = 0; place + 1 < flat.length; place += 2) {
    const member = flat[place] ?? ''
    const score = Number(flat[place + 1])
    const changeKey = member.slice(1, 1 + KEY_LENGTH)
    const known = copy.get(changeKey) ?? NOTHING_COPIED
    copy.set(changeKey, { ...known, ...readMember(member, score) })
  }
  return copy
}

const NOTHING_COPIED: CopiedChange = {
  text: undefined,
  expiresAtMs: Number.NEGATIVE_INFINITY,
  count: undefined,
  firstTimestampMs: undefined,
  earliestExpiresAtMs: undefined,
}

function readMember(member: string, score: number): Partial<CopiedChange> {
  switch (member.charAt(0)) {
    case 'e':
      return { text: toChangeText(JSON.parse(member.slice(1 + KEY_LENGTH))), expiresAtMs: score }
    case 'n':
      return { count: score }
    case 'f':
      return { firstTimestampMs: -score }
    default:
      return { earliestExpiresAtMs: -score }
  }
}
