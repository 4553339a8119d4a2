import { type SQL, sql } from 'drizzle-orm'
import type { PersonRole } from '../domain/access/person.ts'
import { AppError } from '../domain/errors.ts'
import type { ApiKeyId, SessionId, TenantId } from '../domain/ids.ts'
import { type CallerRow, type Principal, toPrincipal } from './api-keys.ts'
import type { AuditAction } from './audit.ts'
import { functionNamed } from './functions.ts'
import { roleOf } from './people.ts'
import { type Db, selectOne } from './postgres.ts'

/** Whose a session of the pages is: that of a key, by its hash, or of a person whom the tenant lists. */
export type SessionHolder = { readonly keyHash: string } | { readonly email: string }

/** A session, and whose it is. */
export type SessionRef = SessionHolder & { readonly id: SessionId }

/** Who acts by a session. A person has no key. */
export type SignedIn = {
  readonly tenantId: TenantId
  readonly keyType: PersonRole
  readonly apiKeyId: ApiKeyId | undefined
  readonly email: string | undefined
}

type SessionAction = Extract<AuditAction, `session.${string}`>

/** Appends an entry for each row of `of`, which has a `tenant_id` and an `actor`. */
const appendSession = (action: SessionAction, id: SessionId, requestId: string, of: SQL): SQL =>
  sql`INSERT INTO audit_entries (id, tenant_id, actor, action, target_type, target_id, request_id)
    SELECT gen_random_uuid(), of.tenant_id, of.actor, ${action}, 'session', ${id}::text, ${requestId} FROM ${of} of`

const toActor = (email: string): string => `person:${email}`

/**
 * Opens a session for whoever has a key that reads, and notes it in the audit. Refused are an ingest key (`forbidden`) and an
 * unknown or revoked one (`unauthorized`): of a key that is some tenant's, that is noted, too, once a minute.
 */
export async function openSession(
  db: Db,
  { keyHash, id }: { readonly keyHash: string; readonly id: SessionId },
  requestId: string,
): Promise<Principal> {
  const opener = sql`(SELECT tenant_id, 'api_key:' || api_key_id AS actor FROM caller WHERE key_type IN ('readonly', 'viewer'))`
  const refused = sql`(SELECT k.tenant_id, 'api_key:' || k.id AS actor FROM api_keys k
    WHERE k.hash = ${keyHash} AND NOT EXISTS ${opener} AND NOT EXISTS (
      SELECT 1 FROM audit_entries e WHERE e.tenant_id = k.tenant_id AND e.at > now() - interval '1 minute'
        AND e.action = 'session.refused' AND e.actor = 'api_key:' || k.id))`
  const row = await selectOne<CallerRow>(
    db,
    sql`WITH caller AS MATERIALIZED (SELECT * FROM ${functionNamed('resolve_caller')}(${keyHash})),
      opened AS (${appendSession('session.opened', id, requestId, opener)}),
      refused AS (${appendSession('session.refused', id, requestId, refused)})
      SELECT tenant_id, api_key_id, key_type, agent_id FROM caller`,
  )
  return toPrincipal(row)
}

/** Opens a session for a person, and notes it in the audit. Throws `forbidden` when the tenant does not list them. */
export async function openPersonsSession(
  db: Db,
  tenantId: TenantId,
  { email, id }: { readonly email: string; readonly id: SessionId },
  requestId: string,
): Promise<void> {
  const { role } = await selectOne<{ role: PersonRole | null }>(
    db,
    sql`WITH person AS MATERIALIZED (SELECT ${tenantId}::uuid AS tenant_id, ${toActor(email)} AS actor, ${roleOf(tenantId, email)} AS role),
      opened AS (${appendSession('session.opened', id, requestId, sql`(SELECT * FROM person WHERE role IS NOT NULL)`)})
      SELECT role FROM person`,
  )
  if (role === null) throw new AppError('forbidden', `Nobody lists ${email} there.`)
}

/** In the words of the index. */
const isEnded = (id: SessionId) =>
  sql`EXISTS (SELECT 1 FROM audit_entries e WHERE e.action = 'session.ended' AND e.target_id = ${id}::text)`

/** Who a session acts for; throws `unauthorized` when it was ended, its key is dead, or its person is not listed any more. */
export async function getSignedIn(db: Db, tenantId: TenantId, session: SessionRef): Promise<SignedIn> {
  const signedIn = 'email' in session ? await readPerson(db, tenantId, session) : await readKey(db, session)
  if (signedIn?.tenantId !== tenantId) throw new AppError('unauthorized', 'this session is not valid')
  return signedIn
}

type Ended = { readonly ended: boolean }

async function readKey(db: Db, { keyHash, id }: Extract<SessionRef, { keyHash: string }>): Promise<SignedIn | undefined> {
  const { ended, ...row } = await selectOne<CallerRow & Ended>(
    db,
    sql`SELECT tenant_id, api_key_id, key_type, agent_id, ${isEnded(id)} AS ended FROM ${functionNamed('resolve_caller')}(${keyHash})`,
  )
  const { tenantId, apiKeyId, keyType } = toPrincipal(row)
  return ended || keyType === 'ingest' ? undefined : { tenantId, apiKeyId, keyType, email: undefined }
}

async function readPerson(
  db: Db,
  tenantId: TenantId,
  { email, id }: Extract<SessionRef, { email: string }>,
): Promise<SignedIn | undefined> {
  const { role, ended } = await selectOne<{ role: PersonRole | null } & Ended>(
    db,
    sql`SELECT ${roleOf(tenantId, email)} AS role, ${isEnded(id)} AS ended`,
  )
  return ended || role === null ? undefined : { tenantId, apiKeyId: undefined, keyType: role, email }
}

/** Ends a session, wherever its cookie may be by now; once ended, it stays so. */
export async function endSession(db: Db, tenantId: TenantId, session: SessionRef, requestId: string): Promise<void> {
  const holder =
    'email' in session
      ? sql`(SELECT ${tenantId}::uuid AS tenant_id, ${toActor(session.email)} AS actor WHERE NOT ${isEnded(session.id)})`
      : sql`(SELECT k.tenant_id, 'api_key:' || k.id AS actor FROM api_keys k
          WHERE k.hash = ${session.keyHash} AND k.tenant_id = ${tenantId} AND NOT ${isEnded(session.id)})`
  await db.execute(appendSession('session.ended', session.id, requestId, holder))
}

/** Who acts by a session, as the audit names them. */
export function toSessionActor({ apiKeyId, email }: SignedIn): string {
  return email === undefined ? `api_key:${apiKeyId}` : toActor(email)
}
