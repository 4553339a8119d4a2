import { type SQL, sql } from 'drizzle-orm'
import { AppError } from '../domain/errors.ts'
import { toNameKey } from '../domain/event/service-name.ts'
import { type MaintenanceId, type TenantId, toId } from '../domain/ids.ts'
import { appendAudit, type Trail } from './audit.ts'
import { type Db, epochMs, timestamptz } from './postgres.ts'

/** A time in which nobody is told of the incidents that begin then, of a service or of a team's. */
export type MaintenanceWindow = {
  readonly id: MaintenanceId
  /** One of the two. */
  readonly service: string | null
  readonly team: string | null
  readonly from: Date
  /** Not included. */
  readonly until: Date
  readonly reason: string | null
  readonly createdAt: Date
}

export type MaintenanceRow = Pick<MaintenanceWindow, 'service' | 'team' | 'reason'> & {
  readonly id: string
  readonly from_ms: number
  readonly until_ms: number
  readonly created_ms: number
}

const COLUMNS = sql`m.id, m.service, m.team, m.reason, ${epochMs(sql`m.starts_at`)} AS from_ms, ${epochMs(sql`m.ends_at`)} AS until_ms,
  ${epochMs(sql`m.created_at`)} AS created_ms`

const MAX_WINDOWS = 500

export const TOO_MANY_WINDOWS = `a tenant has at most ${MAX_WINDOWS} maintenance windows that have not ended: end one first`

/** Keeps a window; one that is kept already is answered as it is. Throws `conflict` when there are too many. */
export async function planMaintenance(
  db: Db,
  tenantId: TenantId,
  { id, service, team, from, until, reason }: Omit<MaintenanceWindow, 'createdAt'>,
  trail: Trail,
): Promise<MaintenanceWindow> {
  const { rows } = await db.execute<MaintenanceRow>(
    sql`WITH planned AS (
      INSERT INTO maintenance_windows (id, tenant_id, service, service_key, team, team_key, starts_at, ends_at, reason)
      SELECT ${id}::uuid, ${tenantId}::uuid, ${service}::text, ${service && toNameKey(service)}::text, ${team}::text, ${team && toNameKey(team)}::text,
        ${timestamptz(from)}, ${timestamptz(until)}, ${reason}::text
      WHERE (SELECT count(*) FROM maintenance_windows m WHERE m.tenant_id = ${tenantId} AND m.ends_at > now()) < ${MAX_WINDOWS}
      ON CONFLICT DO NOTHING RETURNING *
    ),
    audit AS (${appendAudit(tenantId, trail, 'maintenance.planned', sql`planned`)})
    SELECT ${COLUMNS} FROM planned m`,
  )
  const [row = await findWindow(db, tenantId, id)] = rows
  if (!row) throw new AppError('conflict', TOO_MANY_WINDOWS)
  return toWindow(row)
}

/** In a statement of its own: what was stored while another waited for it is not in that one's snapshot. */
async function findWindow(db: Db, tenantId: TenantId, id: MaintenanceId): Promise<MaintenanceRow | undefined> {
  const { rows } = await db.execute<MaintenanceRow>(
    sql`SELECT ${COLUMNS} FROM maintenance_windows m WHERE m.tenant_id = ${tenantId} AND m.id = ${id}::uuid`,
  )
  return rows[0]
}

/** The tenant's windows that have not ended, the next first. */
export async function listMaintenance(db: Db, tenantId: TenantId): Promise<MaintenanceWindow[]> {
  const { rows } = await db.execute<MaintenanceRow>(
    sql`SELECT ${COLUMNS} FROM maintenance_windows m WHERE m.tenant_id = ${tenantId} AND m.ends_at > now()
      ORDER BY m.starts_at, m.id LIMIT ${MAX_WINDOWS}`,
  )
  return rows.map(toWindow)
}

/** Ends a window now; what began within it stays untold. One that has ended stays as it is. Throws `not_found`. */
export async function endMaintenance(db: Db, tenantId: TenantId, id: MaintenanceId, trail: Trail): Promise<void> {
  const { rows } = await db.execute(
    sql`WITH known AS (SELECT m.id FROM maintenance_windows m WHERE m.tenant_id = ${tenantId} AND m.id = ${id}::uuid),
    changed AS (
      UPDATE maintenance_windows m SET starts_at = least(m.starts_at, now()), ends_at = now() FROM known k WHERE m.id = k.id AND m.ends_at > now()
      RETURNING m.id
    ),
    audit AS (${appendAudit(tenantId, trail, 'maintenance.ended', sql`changed`)})
    SELECT id FROM known`,
  )
  if (rows.length === 0) throw new AppError('not_found', 'no such maintenance window')
}

/** Whether incident `row` began in a maintenance window of its service's, or of its team's. */
export const isInMaintenance = (row: SQL): SQL => sql`EXISTS (SELECT 1 ${windowsOf(row)})`

/** The window that incident `row` began in, of several the one that ends last: the JSON of a `MaintenanceRow`, or null. */
export const maintenanceOf = (row: SQL): SQL =>
  sql`(SELECT row_to_json(w) FROM (SELECT ${COLUMNS} ${windowsOf(row)} ORDER BY m.ends_at DESC, m.id LIMIT 1) w)`

function windowsOf(row: SQL): SQL {
  return sql`FROM maintenance_windows m LEFT JOIN services s ON s.id = ${row}.service_id AND s.tenant_id = m.tenant_id
    WHERE m.tenant_id = ${row}.tenant_id AND m.starts_at <= ${row}.triggered_at AND ${row}.triggered_at < m.ends_at
      AND (m.service_key = s.name_key OR m.team_key = s.team_key)`
}

/** The team of incident `row`'s service. */
export const teamOf = (row: SQL): SQL =>
  sql`(SELECT s.team FROM services s WHERE s.id = ${row}.service_id AND s.tenant_id = ${row}.tenant_id)`

/** A window as it was read. */
export function toWindow({ id, from_ms, until_ms, created_ms, ...row }: MaintenanceRow): MaintenanceWindow {
  return { ...row, id: toId(id), from: new Date(from_ms), until: new Date(until_ms), createdAt: new Date(created_ms) }
}
