import { type SQL, sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import { toNameKey } from '../domain/event/service-name.ts'
import { type AgentId, type ServiceId, type TenantId, toId } from '../domain/ids.ts'
import { toStorableText } from '../domain/text.ts'
import { appendAudit, type Trail } from './audit.ts'
import { type Db, epochMs, timestamptz } from './postgres.ts'

export type Service = {
  readonly id: ServiceId
  readonly tenantId: TenantId
  /** `null`: an alert named it, and no event did yet. */
  readonly agentId: AgentId | null
  readonly name: string
  readonly lastEventAt: Date | null
  readonly team: string | null
  readonly ownerUrl: string | null
}

const MAX_LISTED_SERVICES = 10_000

export type ServicesQuery = {
  readonly heardOfSince: Date
  /** The name of the last one of the page before. */
  readonly after?: string | undefined
  readonly limit?: number | undefined
}

/** Whether a service was alerted about, or asked about, since an instant: then it is not silent, though no event may ever name it. */
export function hasIncidentSince(tenantId: SQL, serviceId: SQL, instant: Date): SQL {
  return sql`EXISTS (SELECT 1 FROM incidents i WHERE i.tenant_id = ${tenantId} AND i.service_id = ${serviceId}
    AND i.triggered_at > ${timestamptz(instant)})`
}

/** What was not resolved for longer was most likely forgotten. */
export const ACTIVE_DAYS = 30

/** Whether incident `i` is active. */
export const IS_ACTIVE = sql`i.resolved_at IS NULL AND i.triggered_at > now() - make_interval(days => ${ACTIVE_DAYS})`

/** Whether a service has an active incident. */
export function isAlerting(tenantId: SQL, serviceId: SQL): SQL {
  return sql`EXISTS (SELECT 1 FROM incidents i WHERE i.tenant_id = ${tenantId} AND i.service_id = ${serviceId} AND ${IS_ACTIVE})`
}

/** The tenant's services with an event or an incident since an instant, by name, ten thousand at most. */
export async function listServices(
  db: Db,
  tenantId: TenantId,
  { heardOfSince, after, limit = MAX_LISTED_SERVICES }: ServicesQuery,
): Promise<Service[]> {
  const { rows } = await db.execute<ServiceRow>(
    sql`SELECT ${COLUMNS} FROM services s
      WHERE s.tenant_id = ${tenantId} AND ${after === undefined ? sql`true` : sql`s.name > ${after}`}
        AND (s.last_event_at > ${timestamptz(heardOfSince)} OR ${hasIncidentSince(sql`${tenantId}`, sql`s.id`, heardOfSince)})
      ORDER BY s.name LIMIT ${limit}`,
  )
  return rows.map((row) => toService(tenantId, row))
}

const COLUMNS = sql`s.id, s.name, s.agent_id, ${epochMs(sql`s.last_event_at`)} AS last_ms, s.team, s.owner_url AS "ownerUrl"`

type ServiceRow = Pick<Service, 'name' | 'team' | 'ownerUrl'> & {
  readonly id: string
  readonly agent_id: string | null
  readonly last_ms: number
}

function toService(tenantId: TenantId, { id, agent_id, last_ms, ...row }: ServiceRow): Service {
  return {
    ...row,
    id: toId(id),
    tenantId,
    agentId: agent_id === null ? null : toId(agent_id),
    lastEventAt: agent_id === null ? null : new Date(last_ms),
  }
}

/** Whose a service is; what is absent stays, `null` removes. */
export type Ownership = { readonly team?: string | null | undefined; readonly ownerUrl?: string | null | undefined }

/** Says whose a service is. Throws `not_found`. */
export async function assignService(
  db: Db,
  tenantId: TenantId,
  id: ServiceId,
  { team, ownerUrl }: Ownership,
  trail: Trail,
): Promise<Service> {
  const { rows } = await db.execute<ServiceRow>(
    sql`WITH before AS MATERIALIZED (SELECT * FROM services WHERE tenant_id = ${tenantId} AND id = ${id} FOR UPDATE),
    assigned AS (
      UPDATE services s SET
        team = ${team === undefined ? sql`s.team` : sql`${team}::text`},
        team_key = ${team === undefined ? sql`s.team_key` : sql`${team && toNameKey(team)}::text`},
        owner_url = ${ownerUrl === undefined ? sql`s.owner_url` : sql`${ownerUrl}::text`}
      FROM before b WHERE s.id = b.id RETURNING s.*, array_remove(ARRAY[
        CASE WHEN s.team IS DISTINCT FROM b.team THEN 'team' END, CASE WHEN s.owner_url IS DISTINCT FROM b.owner_url THEN 'owner_url' END
      ], NULL) AS fields
    ),
    audit AS (${appendAudit(tenantId, trail, 'service.assigned', sql`(SELECT * FROM assigned WHERE fields <> '{}')`, sql`changed.fields`)})
    SELECT ${COLUMNS} FROM assigned s`,
  )
  const [row] = rows
  if (!row) throw new AppError('not_found', 'no such service')
  return toService(tenantId, row)
}

/** Which service is meant: by its id, or by its name in any case and with any separators. */
type ServiceChoice = { readonly id: ServiceId } | { readonly name: string }

type FoundService = { readonly id: ServiceId; readonly name: string }

/** The tenant's service with an id, or the one that goes by a name: the one spelt so, else the one heard of last. */
export function findService(db: Db, tenantId: TenantId, choice: ServiceChoice): Promise<FoundService | undefined> {
  return findServiceOf(db, sql`${tenantId}::uuid`, choice)
}

/** `findService` for whoever holds the key with this hash. */
export function findServiceOfKey(db: Db, keyHash: string, choice: ServiceChoice): Promise<FoundService | undefined> {
  return findServiceOf(db, sql`(SELECT k.tenant_id FROM api_keys k WHERE k.hash = ${keyHash} AND k.revoked_at IS NULL)`, choice)
}

async function findServiceOf(db: Db, tenant: SQL, choice: ServiceChoice): Promise<FoundService | undefined> {
  const name = 'name' in choice ? toStorableText(choice.name) : ''
  const [isMeant, fitsBetter] =
    'id' in choice ? [sql`s.id = ${choice.id}`, sql`true`] : [sql`s.name_key = ${toNameKey(name)}`, sql`s.name = ${name}`]
  const { rows } = await db.execute<{ id: string; name: string }>(
    sql`SELECT s.id, s.name FROM services s WHERE s.tenant_id = ${tenant} AND ${isMeant}
      ORDER BY ${fitsBetter} DESC, s.last_event_at DESC, s.id LIMIT 1`,
  )
  const [row] = rows
  return row && { id: toId(row.id), name: row.name }
}

/** A service that was removed, as its row was. */
export type RemovedService = {
  readonly id: string
  readonly tenant_id: string
  readonly agent_id: string | null
  readonly name: string
  readonly name_key: string
  readonly last_event_at: string
  readonly team: string | null
  readonly team_key: string | null
  readonly owner_url: string | null
}

/** Removes services, of any tenant, without an event or an incident since an instant and with no event stored. For the cron. */
export async function removeSilentServices(db: Db, heardOfSince: Date, limit: number): Promise<RemovedService[]> {
  const { rows } = await db.execute<RemovedService>(sql`DELETE FROM services WHERE ctid = ANY(ARRAY(
      SELECT s.ctid FROM services s
      WHERE s.last_event_at < ${timestamptz(heardOfSince)}
        AND NOT EXISTS (SELECT 1 FROM context_events e WHERE e.service_id = s.id)
        AND NOT ${hasIncidentSince(sql`s.tenant_id`, sql`s.id`, heardOfSince)}
      LIMIT ${limit} FOR UPDATE SKIP LOCKED
    )) RETURNING id, tenant_id, agent_id, name, name_key, last_event_at::text, team, team_key, owner_url`)
  return rows
}

/** Puts removed services back for which an event or an incident was stored while they were being removed. For the cron. */
export async function reopenServices(db: Db, heardOfSince: Date, removed: readonly RemovedService[]): Promise<void> {
  await db.execute(sql`INSERT INTO services (id, tenant_id, agent_id, name, name_key, last_event_at, team, team_key, owner_url)
    SELECT r.* FROM jsonb_to_recordset(${JSON.stringify(removed)}::jsonb)
      AS r(id uuid, tenant_id uuid, agent_id uuid, name text, name_key text, last_event_at timestamptz, team text, team_key text, owner_url text)
    WHERE EXISTS (SELECT 1 FROM context_events e WHERE e.service_id = r.id) OR ${hasIncidentSince(sql`r.tenant_id`, sql`r.id`, heardOfSince)}
    ORDER BY r.id ON CONFLICT DO NOTHING`)
}
