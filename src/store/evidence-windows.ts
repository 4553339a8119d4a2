import { type SQL, sql } from 'drizzle-orm'
import { EVENT_TYPES } from '../domain/event/event.ts'
import { type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import type { StoredLife } from '../domain/window/copy.ts'
import { BEGINS, CHANGE_TYPES, HAPPENED, IS_KEPT, isIndexedBy, typesTable } from './changes.ts'
import { functionNamed } from './functions.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'
import { type LifeRow, toStoredLife } from './state-windows.ts'

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
 * Of all that is read occurrences of one change that are looked at, and of each service an equal part of so many deploys and flags, those
 * nearest to the alert: of forty-eight services four, which is a deploy and what its rollout tells; of each other type half as many.
 */
const RECENT = { sampleSize: 50, fewest: 4, most: 50, ofAll: 200 }

/**
 * Of each type, what began last by the time of the alert, by which services are chosen: where that is of few services, more of it; what
 * began first after it; and of how much of that, the nearest first, it is asked whose windows it joins.
 */
const BEGUN = { before: 200, services: 24, most: 1_000, after: 50, joined: 100 }
/** Of services whose names a plugin made up of an object's, or that are of two parts like these: what pods tell is told of their workload, too. */
const IS_MADE_UP = sql`s.name LIKE '_%/%'`

/** Services by their ids, and when they were chosen. */
export type ChosenServices = { readonly now: Date; readonly ids: readonly ServiceId[] }

/**
 * `most` services at most that were told of about an alert, but for those with these name keys: in turns one where a change began next to
 * the alert and one where something began to fail next to it, most of them such that nobody changed, as stores and nodes, every eighth one
 * of these that was heard of next to the alert; where those are few, also others that were heard of.
 */
export async function chooseRecentServices(
  db: Db,
  tenantId: TenantId,
  exceptKeys: readonly string[],
  { around, until, most }: RecentLimits & { readonly most: number },
): Promise<ChosenServices> {
  const alert = sql`${around.toISOString()}::timestamptz`
  const end = toEnd(until)
  const apart = (at: SQL) => sql`abs(date_part('epoch', ${alert} - ${at}))`
  const began = (isWithin: SQL, order: SQL, limit: number) =>
    sql`SELECT e.service_id, e.change_key, ${HAPPENED} AS at, ${IS_KEPT} AS is_kept FROM context_events e
      WHERE e.tenant_id = ${tenantId} AND e.event_type = t.event_type AND ${BEGINS} AND ${isWithin}
      ORDER BY ${HAPPENED} ${order}, e.id ${order} LIMIT ${limit}`
  const isBefore = sql`${HAPPENED} <= least(${alert}, ${end})`
  const isOther = sql`s.tenant_id = ${tenantId} AND s.name_key NOT IN (SELECT jsonb_array_elements_text(${JSON.stringify(exceptKeys)}::jsonb))`
  const isUnchanged = sql`coalesce(s.last_change_at <= now() - interval '24 hours', true)`
  const numbered = (rows: SQL) => sql`SELECT id, row_number() OVER (ORDER BY is_behind, seconds, id) AS number FROM (${rows}) r`
  const begun = (isBehind: SQL, which: SQL) => numbered(sql`SELECT b.id, ${isBehind} AS is_behind, b.seconds FROM about b WHERE ${which}`)
  // Of the ten thousand services that a tenant may have so many are put in order, not all of them.
  const heard = (which: SQL) =>
    numbered(sql`SELECT s.id, ${IS_MADE_UP} AS is_behind, ${apart(sql`s.last_event_at`)} AS seconds FROM services s
      WHERE ${isOther} AND ${which} AND s.last_event_at > now() - interval '24 hours' ORDER BY 2, 3, 1 LIMIT ${most}`)
  const { now_ms, ids } = await selectOne<{ readonly now_ms: number; readonly ids: readonly string[] | null }>(
    db,
    sql`WITH begun AS MATERIALIZED (
      SELECT b.service_id, b.change_key, t.event_type IN ${CHANGE_TYPES} AS is_change, min(${apart(sql`b.at`)}) AS seconds,
        row_number() OVER (PARTITION BY t.event_type ORDER BY min(${apart(sql`b.at`)}), b.service_id, b.change_key) AS place
      FROM ${typesTable(EVENT_TYPES)} CROSS JOIN LATERAL (
        SELECT count(*) = ${BEGUN.before} AND count(DISTINCT l.service_id) < ${BEGUN.services} AS is_flooded FROM (${began(isBefore, sql`DESC`, BEGUN.before)}) l
      ) latest CROSS JOIN LATERAL (
        (${began(isBefore, sql`DESC`, BEGUN.before)})
        UNION ALL
        SELECT l.* FROM (${began(isBefore, sql`DESC`, BEGUN.most)}) l WHERE latest.is_flooded
        UNION ALL
        (${began(sql`${HAPPENED} > ${alert} AND ${HAPPENED} <= ${end}`, sql`ASC`, BEGUN.after)})
      ) b WHERE b.is_kept GROUP BY t.event_type, b.service_id, b.change_key
    ),
    about AS MATERIALIZED (
      SELECT a.id, a.is_change, a.seconds, o.* FROM (
        SELECT n.id, n.is_change, min(n.seconds) AS seconds FROM (
          SELECT b.service_id AS id, b.is_change, b.seconds FROM begun b
          UNION ALL
          SELECT s.id, b.is_change, b.seconds FROM begun b
            JOIN change_joins j ON j.tenant_id = ${tenantId} AND j.service_id = b.service_id AND j.change_key = b.change_key
            JOIN services s ON s.tenant_id = ${tenantId} AND s.name_key = j.name_key
          WHERE b.place <= ${BEGUN.joined}
        ) n GROUP BY 1, 2
      ) a CROSS JOIN LATERAL (
        -- A look-up of each, however many services a tenant has.
        SELECT ${isUnchanged} AS is_unchanged, ${IS_MADE_UP} AS is_made_up FROM services s WHERE s.id = a.id AND ${isOther} OFFSET 0
      ) o
    ),
    recent AS (
      SELECT id, min(place) AS place FROM (
        SELECT id, 2 * number AS place FROM (${begun(sql`false`, sql`b.is_change`)}) changed
        UNION ALL
        SELECT id, 4 * number - 1 FROM (${begun(sql`b.is_made_up`, sql`NOT b.is_change AND b.is_unchanged`)}) failing
        UNION ALL
        SELECT id, 8 * number + 1 FROM (${begun(sql`b.is_made_up`, sql`NOT b.is_change`)}) failing_too
        UNION ALL
        SELECT id, 8 * number - 3 FROM (${heard(isUnchanged)}) heard
        UNION ALL
        SELECT id, 8 * ${most} + number FROM (${heard(sql`(SELECT count(DISTINCT id) FROM about WHERE NOT is_made_up) < ${most}`)}) heard_too
      ) turns GROUP BY id ORDER BY 2, 1 LIMIT ${most}
    )
    SELECT ${NOW_MS}, (SELECT json_agg(id ORDER BY place, id) FROM recent) AS ids`,
  )
  return { now: new Date(now_ms), ids: (ids ?? []).map((id) => toId<ServiceId>(id)) }
}

/** What these services were told of about an alert, in that order, the less of each the more they are. */
export async function findRecentLives(
  db: Db,
  tenantId: TenantId,
  ids: readonly ServiceId[],
  { around, until }: RecentLimits,
): Promise<ReadLives> {
  const deploys = Math.min(RECENT.most, Math.max(RECENT.fewest, Math.floor(RECENT.ofAll / ids.length)))
  const answer = await selectOne<EvidenceAnswer>(
    db,
    sql`WITH chosen AS MATERIALIZED (
      SELECT id::uuid, place FROM jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb) WITH ORDINALITY AS k(id, place)
    )
    SELECT ${NOW_MS}, (
      SELECT json_agg(json_build_array(${HEARD}, json_build_object('service_id', c.id, 'service_name', c.name, 'changes', l.changes)) ORDER BY o.place)
      FROM chosen o JOIN services c ON c.tenant_id = ${tenantId} AND c.id = o.id LEFT JOIN agents a ON a.id = c.last_change_agent_id
        LEFT JOIN ${functionNamed('find_recent_lives')}(${tenantId}::uuid, ARRAY(SELECT id FROM chosen), ${toEnd(until)},
          ${around.toISOString()}::timestamptz, ${RECENT.sampleSize}::int, ${deploys}::int, ${Math.floor(deploys / 2)}::int) l ON l.service_id = c.id
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
  window: { readonly service_id: string | null; readonly service_name: string | null; readonly changes: readonly LifeRow[] | null },
]

function toServiceLives([lastChangeMs, heardMs, { service_id, service_name, changes }]: EvidenceRow): ServiceLives[] {
  if (service_id === null || service_name === null) return []
  const lastChangeAt = lastChangeMs === null ? null : new Date(lastChangeMs)
  const heardAt = heardMs === null ? null : new Date(heardMs)
  const isKnown = lastChangeAt === null || heardAt !== null
  const service = { id: toId<ServiceId>(service_id), name: service_name }
  return [{ service, lives: (changes ?? []).map(toStoredLife), feed: isKnown ? { lastChangeAt, heardAt } : undefined }]
}
