import { type SQL, sql } from 'drizzle-orm'
import { breathe } from '../bounded-body.ts'
import type { ChangeText, EventDetails, EventType } from '../domain/event/event.ts'
import type { JoinRule } from '../domain/event/service-name.ts'
import { type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import { mergeEqualLives, type StoredLife } from '../domain/window/copy.ts'
import { MAX_SHOWN_PER_TYPE } from '../domain/window/window.ts'
import type { CallerRow } from './api-keys.ts'
import { HAPPENED, IS_KEPT, isIndexedBy } from './changes.ts'
import { functionNamed } from './functions.ts'
import { callFunction, type Db, epochMs, selectOne } from './postgres.ts'

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
type LifeRow = readonly [
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

/** A service of the tenant with the live changes of its window. */
export type ServiceLives = {
  readonly service: { readonly id: ServiceId; readonly name: string }
  readonly lives: readonly StoredLife[]
  /** When a change of it was received last, and the agent that sent it heard of; `undefined`: that is not known. */
  readonly feed: { readonly lastChangeAt: Date | null; readonly heardAt: Date | null } | undefined
}

type EvidenceLimits = {
  /** Nothing that happened later. */
  readonly until: Date | null
  /** Changes of each type in one service; `sampleSize`: occurrences of one change that are looked at. */
  readonly perType: number
  readonly sampleSize: number
}

type RecentLimits = {
  /** When the alert was: services told of about then, and what changed last by then, and first after it. */
  readonly around: Date
  /** Nothing that happened later. */
  readonly until: Date | null
  /** Services at most. */
  readonly most: number
}

/** What services were told of, as a diagnosis may see it, and when that was read. */
export type ReadLives = { readonly now: Date; readonly windows: readonly ServiceLives[] }

type EvidenceAnswer = { readonly now_ms: number; readonly windows: readonly EvidenceRow[] | null }

const NOW_MS = sql`${epochMs(sql`now()`)} AS now_ms`
const HEARD = sql`${epochMs(sql`c.last_change_at`)}, ${epochMs(sql`a.last_seen_at`)}`

/** Services at most that names lead to in one request, and that flags and settings do. */
const MAX_READ = 64
const MAX_KEEPERS = 8
/** What was changed so soon after an alert may have been before it, by another clock. */
const KEEPERS_SLACK = sql`interval '1 minute'`

/** The windows, as far as a diagnosis may see them, of the services with these name keys, in that order, in one request. */
export async function findStoredWindows(
  db: Db,
  tenantId: TenantId,
  nameKeys: readonly string[],
  limits: EvidenceLimits,
): Promise<ReadLives> {
  const named = sql`SELECT s.id, min(k.place) AS place FROM jsonb_array_elements_text(${JSON.stringify(nameKeys)}::jsonb) WITH ORDINALITY AS k(name_key, place)
    JOIN services s ON s.tenant_id = ${tenantId} AND s.name_key = k.name_key GROUP BY s.id ORDER BY 2 LIMIT ${MAX_READ}`
  return await readEach(db, tenantId, named, limits)
}

type KeeperLimits = EvidenceLimits &
  Pick<RecentLimits, 'around'> & {
    /** Services that were read. */
    readonly except: readonly ServiceId[]
  }

/** The same of the few services where flags or settings with these keys were changed last by the time of an alert: of each key the latest first. */
export async function findKeepers(
  db: Db,
  tenantId: TenantId,
  keys: readonly string[],
  { around, except, ...limits }: KeeperLimits,
): Promise<ReadLives> {
  const keepers = sql`SELECT c.service_id AS id, row_number() OVER (ORDER BY min(c.number), max(c.at) DESC, c.service_id) AS place
    FROM jsonb_array_elements_text(${JSON.stringify(keys)}::jsonb) AS k(key) CROSS JOIN LATERAL (
      SELECT e.service_id, max(${HAPPENED}) AS at, row_number() OVER (ORDER BY max(${HAPPENED}) DESC) AS number FROM context_events e
      WHERE ${isIndexedBy('entity', tenantId)} AND lower(e.entity) = lower(k.key) AND e.entity = k.key AND e.event_type IN ('flag_change', 'config_change')
        AND ${IS_KEPT} AND ${HAPPENED} <= least(${around.toISOString()}::timestamptz + ${KEEPERS_SLACK}, ${toEnd(limits.until)})
        AND NOT e.service_id = ANY(ARRAY(SELECT jsonb_array_elements_text(${JSON.stringify(except)}::jsonb)::uuid))
      GROUP BY e.service_id
    ) c GROUP BY c.service_id ORDER BY 2 LIMIT ${MAX_KEEPERS}`
  return await readEach(db, tenantId, keepers, limits)
}

async function readEach(db: Db, tenantId: TenantId, chosen: SQL, { until, perType, sampleSize }: EvidenceLimits): Promise<ReadLives> {
  const answer = await selectOne<EvidenceAnswer>(
    db,
    sql`SELECT ${NOW_MS}, (
      SELECT json_agg(json_build_array(${HEARD}, ${functionNamed('find_evidence')}(${tenantId}::uuid, c.id, ${toEnd(until)}, ${sampleSize}::int, ${perType}::int)) ORDER BY o.place, c.id)
      FROM (${chosen}) o JOIN services c ON c.tenant_id = ${tenantId} AND c.id = o.id LEFT JOIN agents a ON a.id = c.last_change_agent_id
    ) AS windows`,
  )
  return toReadLives(answer)
}

/**
 * Of all that is read occurrences of one change that are looked at, and of each service and type an equal part of so many changes, those
 * nearest to the alert: of forty-eight services four, which is a deploy and what its rollout tells.
 */
const RECENT = { sampleSize: 100, fewest: 4, most: 50, ofAll: 200 }

/**
 * What services were told of about an alert, but for those with these name keys, in one request: in turns one that was changed next to
 * the alert, one that was changed last and, less often, one that nobody changed and that had an event next to the alert.
 */
export async function findRecentLives(
  db: Db,
  tenantId: TenantId,
  exceptKeys: readonly string[],
  { around, until, most }: RecentLimits,
): Promise<ReadLives> {
  const alert = sql`${around.toISOString()}::timestamptz`
  const isChanged = sql`coalesce(s.last_change_at > now() - interval '1 day', false)`
  // Of the ten thousand services that a tenant may have so many are put in order, not all of them.
  const firstBy = (seconds: SQL, which: SQL, turn: SQL) => sql`SELECT id, ${turn} AS place FROM (
    SELECT id, row_number() OVER (ORDER BY seconds, id) AS number FROM (
      SELECT s.id, ${seconds} AS seconds FROM services s
      WHERE s.tenant_id = ${tenantId} AND ${which} AND s.name_key NOT IN (SELECT jsonb_array_elements_text(${JSON.stringify(exceptKeys)}::jsonb))
      ORDER BY seconds, s.id LIMIT ${most}
    ) few
  ) numbered`
  const since = (at: SQL) => sql`date_part('epoch', ${alert} - ${at})`
  const answer = await selectOne<EvidenceAnswer>(
    db,
    sql`WITH recent AS MATERIALIZED (
      SELECT s.id, s.name, s.last_change_at, s.last_change_agent_id, p.place, ${isChanged} AS is_changed FROM (
        SELECT id, min(place) AS place FROM (
          ${firstBy(sql`abs(${since(sql`s.last_change_at`)})`, isChanged, sql`2 * number - 1`)}
          UNION ALL
          ${firstBy(since(sql`s.last_change_at`), isChanged, sql`2 * number`)}
          UNION ALL
          ${firstBy(sql`abs(${since(sql`s.last_event_at`)})`, sql`NOT ${isChanged} AND s.last_event_at > now() - interval '1 day'`, sql`3 * number`)}
        ) turns GROUP BY id
      ) p JOIN services s ON s.id = p.id
      ORDER BY p.place, is_changed DESC LIMIT ${most}
    )
    SELECT ${NOW_MS}, (
      SELECT json_agg(json_build_array(${HEARD}, json_build_object('service_id', c.id, 'service_name', c.name, 'changes', l.changes)) ORDER BY c.place, c.is_changed DESC)
      FROM recent c LEFT JOIN agents a ON a.id = c.last_change_agent_id
        LEFT JOIN ${functionNamed('find_recent_lives')}(${tenantId}::uuid, ARRAY(SELECT id FROM recent), ${toEnd(until)}, ${alert},
          ${RECENT.sampleSize}::int, (SELECT least(${RECENT.most}, greatest(${RECENT.fewest}, ${RECENT.ofAll} / count(*)))::int FROM recent)) l ON l.service_id = c.id
    ) AS windows`,
  )
  return toReadLives(answer)
}

function toEnd(until: Date | null): SQL {
  return sql`${until?.toISOString() ?? 'infinity'}::timestamptz`
}

function toReadLives({ now_ms, windows }: EvidenceAnswer): ReadLives {
  return { now: new Date(now_ms), windows: (windows ?? []).flatMap(toServiceLives) }
}

type EvidenceRow = readonly [
  lastChangeMs: number | null,
  heardMs: number | null,
  window: Pick<WindowRow, 'service_id' | 'service_name' | 'changes'>,
]

function toServiceLives([lastChangeMs, heardMs, { service_id, service_name, changes }]: EvidenceRow): ServiceLives[] {
  if (service_id === null || service_name === null) return []
  const lastChangeAt = lastChangeMs === null ? null : new Date(lastChangeMs)
  const heardAt = heardMs === null ? null : new Date(heardMs)
  const isKnown = lastChangeAt === null || heardAt !== null
  const service = { id: toId<ServiceId>(service_id), name: service_name }
  return [{ service, lives: (changes ?? []).map(toStoredLife), feed: isKnown ? { lastChangeAt, heardAt } : undefined }]
}

function toStoredLife(row: LifeRow): StoredLife {
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
