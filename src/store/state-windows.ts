import { breathe } from '../bounded-body.ts'
import type { ChangeText, EventDetails, EventType } from '../domain/event/event.ts'
import type { JoinRule } from '../domain/event/service-name.ts'
import { type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import { mergeEqualLives, type StoredLife } from '../domain/window/copy.ts'
import { MAX_SHOWN_PER_TYPE } from '../domain/window/window.ts'
import type { CallerRow } from './api-keys.ts'
import { callFunction, type Db } from './postgres.ts'

/** Who asks for a window: a request's key or, on a tenant's behalf, the cron and people who are signed in without one. */
export type WindowReader = { readonly keyHash: string } | { readonly tenantId: TenantId }

/** Which window: a service's, of a tenant. */
export type WindowId = { readonly tenantId: TenantId; readonly serviceId: ServiceId }

export type StoredWindow = {
  readonly caller: CallerRow
  readonly service: { readonly id: ServiceId; readonly tenantId: TenantId; readonly name: string } | undefined
  /** The instant the window is of: the database's clock, unless another was asked for. */
  readonly now: Date
  readonly lives: readonly StoredLife[]
  /** Whether there are more than were looked at. */
  readonly isPart: boolean
  readonly seen: Seen
}

/** How far an answer of Postgres reaches, for Postgres to say later whether it holds still. */
export type Seen = {
  /** The transaction that was the oldest under way. */
  readonly horizon: string
  /** When the first live occurrence expires, if any is live. */
  readonly until: Date | undefined
}

/** That a window is still what an earlier answer said. */
export type UnchangedWindow = { readonly caller: CallerRow; readonly isUnchanged: true }

/** What a change says, as a copy and a statement's answer carry it. */
export type TextRow = readonly [
  eventType: EventType,
  vendor: string,
  entity: string,
  oldValue: string | null,
  newValue: string | null,
  actor: string | null,
  sha: string | null,
  environment?: string | null,
]

/** A change as `find_window` answers it; times in milliseconds since 1970. */
export type LifeRow = readonly [
  lifeKey: string,
  id: string,
  confidence: number,
  joinedBy: JoinRule,
  timestampMs: number,
  orderedMs: number,
  firstMs: number,
  receivedMs: number,
  expiresMs: number,
  earliestMs: number,
  count: number,
  isCounted: boolean,
  url: string | null,
  details: EventDetails | null,
  isExpired: boolean,
  text: TextRow | null,
]

type WindowRow = CallerRow & {
  readonly service_id: string | null
  readonly service_name: string | null
  readonly now_ms: number
  readonly horizon: string
  readonly valid_until_ms: number | null
  readonly is_part?: boolean | null
  readonly changes: readonly LifeRow[] | null
}

type UnchangedRow = CallerRow & { readonly unchanged: true }

/** One more than are shown, to know that there is one. */
const MAX_CHANGES_PER_TYPE = MAX_SHOWN_PER_TYPE + 1
/** Occurrences of one change a digest looks at: what there are more of, the copy alone has counted. */
export const SAMPLE_SIZE = 2_000

/**
 * A service's window as Postgres knows it, now or `asOf` an instant (ISO 8601, microseconds): a digest to hold the copy
 * against or, with `withText`, all there is to say; `isSampled`: of the last occurrences of each change alone, as a digest is. One request, which also says who the reader is: the function
 * `find_window`.
 */
export async function findStoredWindow(
  db: Db,
  reader: WindowReader,
  serviceId: ServiceId,
  {
    asOf,
    withText,
    isSampled = !withText,
  }: { readonly asOf: string | undefined; readonly withText: boolean; readonly isSampled?: boolean },
): Promise<StoredWindow> {
  const { keyHash, tenantId } = { keyHash: null, tenantId: null, ...reader }
  const args = [keyHash, tenantId, serviceId, asOf ?? null, withText, isSampled ? SAMPLE_SIZE : null, MAX_CHANGES_PER_TYPE]
  return await toStoredWindow(await callFunction<WindowRow>(db, 'find_window', args))
}

/** The digest of a service's window now, unless it is unchanged since it was `seen`: in one request, the function `read_window`. */
export async function findNews(db: Db, keyHash: string, serviceId: ServiceId, seen: Seen): Promise<StoredWindow | UnchangedWindow> {
  const until = seen.until?.toISOString() ?? 'infinity'
  const args = [keyHash, serviceId, SAMPLE_SIZE, MAX_CHANGES_PER_TYPE, seen.horizon, until]
  const row = await callFunction<WindowRow | UnchangedRow>(db, 'read_window', args)
  return 'unchanged' in row ? { caller: row, isUnchanged: true } : await toStoredWindow(row)
}

async function toStoredWindow(row: WindowRow): Promise<StoredWindow> {
  const { service_id, service_name, horizon, valid_until_ms } = row
  return {
    caller: row,
    service:
      service_id === null || service_name === null || row.tenant_id === null
        ? undefined
        : { id: toId(service_id), tenantId: toId(row.tenant_id), name: service_name },
    now: new Date(row.now_ms),
    lives: mergeEqualLives(await toStoredLives(row.changes ?? [])),
    isPart: row.is_part === true,
    seen: { horizon, until: valid_until_ms === null ? undefined : new Date(valid_until_ms) },
  }
}

/** Changes that are read in one piece of work, after which others have the isolate. */
const PIECE = 300

async function toStoredLives(rows: readonly LifeRow[]): Promise<StoredLife[]> {
  const lives: StoredLife[] = []
  for (let start = 0; start < rows.length; start += PIECE) {
    if (start > 0) await breathe()
    for (const row of rows.slice(start, start + PIECE)) lives.push(toStoredLife(row))
  }
  return lives
}

/** A change from its row. */
export function toStoredLife(row: LifeRow): StoredLife {
  const [lifeKey, id, confidence, joinedBy, timestampMs, orderedMs, firstMs, receivedMs, expiresMs, earliestMs, ...rest] = row
  const [count, isCounted, url, details, isExpired, text] = rest
  return {
    lifeKey,
    id: toId(id),
    confidence,
    joinedBy,
    timestamp: new Date(timestampMs),
    orderedAt: new Date(orderedMs),
    firstTimestamp: new Date(firstMs),
    lastReceivedAt: new Date(receivedMs),
    expiresAt: new Date(expiresMs),
    earliestExpiresAt: new Date(earliestMs),
    count,
    isCounted,
    url,
    details,
    isExpired,
    text: text ? toChangeText(text) : undefined,
  }
}

/** What a change says, from its row. */
export function toChangeText([eventType, vendor, entity, oldValue, newValue, actor, sha, environment = null]: TextRow): ChangeText {
  return { eventType, vendor, entity, oldValue, newValue, actor, sha, environment }
}

// The copy: one sorted set a window, five members a life of a change, told apart by their first letter and named by the
// life key that follows it:
//   e<key><text>  score: when its last occurrence expires      f<key>  score: minus its first timestamp
//   n<key>        score: its occurrences since it appeared     l<key>  score: its latest time
//                                                              x<key>  score: minus its earliest expiry
// All but `n` only ever grow (ZADD GT), so merging them twice or out of order does no harm.
