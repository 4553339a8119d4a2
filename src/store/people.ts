import { type SQL, sql } from 'drizzle-orm'
import { type PersonRole, toEntriesOf } from '../domain/access/person.ts'
import { AppError } from '../domain/errors.ts'
import { type TenantId, toId } from '../domain/ids.ts'
import { appendAudit, type Trail } from './audit.ts'
import { type Db, epochMs } from './postgres.ts'

/** Whom a tenant lets in: an address, or `@` and a domain. */
export type ListedPeople = { readonly people: string; readonly role: PersonRole; readonly createdAt: Date }

const MAX_LISTED_PEOPLE = 500

const TOO_MANY_PEOPLE = `A tenant lists at most ${MAX_LISTED_PEOPLE}: remove some first, or list their domain.`

/** The people that a tenant lists, by address: all there can be. */
export async function listPeople(db: Db, tenantId: TenantId): Promise<ListedPeople[]> {
  const { rows } = await db.execute<{ people: string; role: PersonRole; created_ms: number }>(
    sql`SELECT people, role, ${epochMs(sql`created_at`)} AS created_ms FROM listed_people
      WHERE tenant_id = ${tenantId} ORDER BY people LIMIT ${MAX_LISTED_PEOPLE}`,
  )
  return rows.map(({ people, role, created_ms }) => ({ people, role, createdAt: new Date(created_ms) }))
}

/** Lists people, or gives those that are listed another role. Throws `conflict` when the tenant lists too many. */
export async function putPeople(
  db: Db,
  tenantId: TenantId,
  { people, role }: Omit<ListedPeople, 'createdAt'>,
  trail: Trail,
): Promise<void> {
  const { rows } = await db.execute(
    sql`WITH fits AS (
      SELECT count(*) FILTER (WHERE people <> ${people}) < ${MAX_LISTED_PEOPLE} AS fits FROM listed_people WHERE tenant_id = ${tenantId}
    ),
    changed AS (
      INSERT INTO listed_people AS l (tenant_id, people, role) SELECT ${tenantId}::uuid, ${people}, ${role} FROM fits WHERE fits
      ON CONFLICT (tenant_id, people) DO UPDATE SET role = excluded.role WHERE l.role <> excluded.role RETURNING people AS id
    ),
    audit AS (${appendAudit(tenantId, trail, 'people.changed', sql`changed`, sql`ARRAY['role']`)})
    SELECT 1 FROM fits WHERE fits`,
  )
  if (rows.length === 0) throw new AppError('conflict', TOO_MANY_PEOPLE)
}

/** Lists people no more: their next request is refused. */
export async function removePeople(db: Db, tenantId: TenantId, people: string, trail: Trail): Promise<void> {
  await db.execute(
    sql`WITH changed AS (DELETE FROM listed_people WHERE tenant_id = ${tenantId} AND people = ${people} RETURNING people AS id)
    ${appendAudit(tenantId, trail, 'people.changed', sql`changed`, sql`ARRAY['role']`)}`,
  )
}

/** A tenant that lists somebody. */
export type Membership = { readonly tenantId: TenantId; readonly name: string }

/** The tenants that list somebody, by name: the address is all that a person brings, so the tenant comes from here. */
export async function findMemberships(db: Db, email: string): Promise<Membership[]> {
  const { rows } = await db.execute<{ tenant_id: string; name: string }>(
    sql`SELECT t.id AS tenant_id, t.name FROM tenants t WHERE t.id IN (SELECT l.tenant_id FROM listed_people l WHERE ${lists(email)})
      ORDER BY t.name LIMIT ${MAX_LISTED_PEOPLE}`,
  )
  return rows.map(({ tenant_id, name }) => ({ tenantId: toId(tenant_id), name }))
}

/** The role that a tenant gives somebody, as an expression: that of the address rather than that of its domain, or null. */
export function roleOf(tenantId: TenantId, email: string): SQL {
  return sql`(SELECT l.role FROM listed_people l WHERE l.tenant_id = ${tenantId} AND ${lists(email)} ORDER BY l.people = ${email} DESC LIMIT 1)`
}

function lists(email: string): SQL {
  const [address, domain] = toEntriesOf(email)
  return sql`l.people IN (${address}, ${domain})`
}
