import { type SQL, sql } from 'drizzle-orm'
import {
  type ConfigPatch,
  type Direction,
  INTEGRATIONS,
  type Integration,
  SETTINGS,
  type SecretPatch,
  toTokenHint,
} from '../domain/access/integration.ts'
import { MAX_MAP_BYTES, MAX_MAPPED_SERVICES } from '../domain/access/service-map.ts'
import { AppError } from '../domain/errors.ts'
import { sha256Hex } from '../domain/hash.ts'
import { type AgentId, type ApiKeyId, type IntegrationId, type TenantId, toId } from '../domain/ids.ts'
import { appendAudit, type Trail } from './audit.ts'
import { functionNamed } from './functions.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'
import type { IntegrationConfigRow, integrations } from './schema/integrations.ts'

type IntegrationRow = Omit<typeof integrations.$inferSelect, 'createdAt'> & { readonly createdAt: number }

export type NewIntegration = Omit<Integration, 'tenantId' | 'createdAt' | 'telling'>

/** The rows by which an integration's token is a credential, and its events are an agent's. */
export type Credential = { readonly apiKeyId: ApiKeyId; readonly agentId: AgentId; readonly token: string }

const MAX_LISTED_INTEGRATIONS = 100

export const TOO_MANY_INTEGRATIONS = `a tenant has at most ${MAX_LISTED_INTEGRATIONS} integrations: delete one first`

export const TOO_MANY_MAPPED = `an integration maps at most ${MAX_MAPPED_SERVICES} services, with ${MAX_MAP_BYTES} bytes of ids and names: remove some first, by null as their name`

/** Stores a new integration with its credential; one that is stored already is answered as it is. Throws `conflict` when the tenant has a hundred already. */
export async function insertIntegration(
  db: Db,
  tenantId: TenantId,
  integration: NewIntegration,
  { apiKeyId, agentId, token }: Credential,
  trail: Trail,
): Promise<Integration> {
  const { id, type, direction, storedToken, from, serviceMap, settings, secrets } = integration
  const config: IntegrationConfigRow = { ...(from === null ? {} : { from }), serviceMap, ...settings }
  const agentName = `${type} integration`
  const { prefix, last4 } = toTokenHint(token)
  const created = await change(
    db,
    sql`WITH changed AS (
      INSERT INTO integrations (id, tenant_id, type, direction, token, config, secrets)
      SELECT ${id}::uuid, ${tenantId}::uuid, ${type}, ${direction}, ${storedToken}, ${JSON.stringify(config)}::jsonb, ${JSON.stringify(secrets)}::jsonb
      WHERE (SELECT count(*) FROM integrations WHERE tenant_id = ${tenantId}) < ${MAX_LISTED_INTEGRATIONS}
      ON CONFLICT DO NOTHING RETURNING *
    ),
    credential AS (
      INSERT INTO api_keys (id, tenant_id, key_type, name, prefix, last4, hash, integration_id)
      SELECT ${apiKeyId}::uuid, ${tenantId}::uuid, 'ingest', ${agentName}, ${prefix}, ${last4}, ${await sha256Hex(token)}, id FROM changed WHERE ${INTEGRATIONS[type].directions.some((one) => one !== 'outbound')}::boolean
      RETURNING id
    ),
    agent AS (
      INSERT INTO agents (id, tenant_id, api_key_id, hostname, name)
      SELECT ${agentId}::uuid, ${tenantId}::uuid, id, ${agentName}, ${agentName} FROM credential
    ),
    audit AS (${appendAudit(tenantId, trail, 'integration.created', sql`changed`, changedSettings(sql`'{}'`, SETTINGS_OF))})
    SELECT ${COLUMNS} FROM changed`,
  )
  // A statement of its own: what was stored while the first one waited is not in that one's snapshot.
  const stored = created ?? (await change(db, sql`SELECT ${COLUMNS} FROM integrations WHERE id = ${id} AND tenant_id = ${tenantId}`))
  if (!stored) throw new AppError('conflict', TOO_MANY_INTEGRATIONS)
  return stored
}

/** The tenant's integrations, oldest first. */
export async function listIntegrations(db: Db, tenantId: TenantId): Promise<Integration[]> {
  const { rows } = await db.execute<IntegrationRow>(
    sql`SELECT ${COLUMNS} FROM integrations i WHERE i.tenant_id = ${tenantId} ORDER BY i.created_at, i.id LIMIT ${MAX_LISTED_INTEGRATIONS}`,
  )
  return rows.map(toIntegration)
}

/** An integration, and what changes whenever its settings do. */
export type KnownIntegration = { readonly integration: Integration; readonly revision: string }

/** What `integration_by_token` answers of a live token: the integration where it is not as was supposed. */
export type FoundIntegration = { readonly id: IntegrationId; readonly revision: string; readonly integration: IntegrationRow | null }

/** The integration whose token has this hash: the token is all a delivery brings, so the tenant comes from here. */
export async function findIntegrationByHash(db: Db, hash: string): Promise<KnownIntegration | undefined> {
  const { known } = await selectOne<{ known: FoundIntegration | null }>(
    db,
    sql`SELECT known FROM ${functionNamed('integration_by_token')}(${hash}, NULL)`,
  )
  return known ? toKnownIntegration(known) : undefined
}

/** `undefined`: it is as was supposed. */
export function toKnownIntegration({ integration, revision }: FoundIntegration): KnownIntegration | undefined {
  return integration ? { integration: toIntegration(integration), revision } : undefined
}

/**
 * Merges settings into an integration, in one statement, so that concurrent merges add up. Throws `not_found`, and `conflict`
 * when its services would be too many; what only removes some is always taken.
 */
export async function mergeIntegration(
  db: Db,
  tenantId: TenantId,
  id: IntegrationId,
  changes: { readonly direction: Direction | undefined; readonly patch: ConfigPatch },
  trail: Trail,
): Promise<Integration> {
  const { from, serviceMap, settings, secrets } = changes.patch
  const plain = JSON.stringify({ from, ...settings, ...(serviceMap === null ? { serviceMap } : {}) })
  const map = sql`jsonb_strip_nulls(coalesce(config->'serviceMap', '{}') || ${JSON.stringify(serviceMap ?? {})}::jsonb)`
  const addsServices = Object.values(serviceMap ?? {}).some((name) => name !== null)
  // Of updates at once, each is judged by what the one before it left.
  const fits = sql`(SELECT count(*) <= ${MAX_MAPPED_SERVICES} AND coalesce(sum(octet_length(m.key) + octet_length(m.value)), 0) <= ${MAX_MAP_BYTES}
    FROM jsonb_each_text(${map}) m)`
  const changed = await change(
    db,
    sql`WITH before AS MATERIALIZED (SELECT * FROM integrations WHERE id = ${id} AND tenant_id = ${tenantId} FOR UPDATE),
    changed AS (
      UPDATE integrations SET
        direction = coalesce(${changes.direction ?? null}, direction),
        telling = CASE WHEN telling->>'switchedOff' IS NULL THEN telling END,
        secrets = jsonb_strip_nulls(secrets || ${JSON.stringify(secrets)}::jsonb),
        config = jsonb_strip_nulls(config || jsonb_build_object('serviceMap', ${map}) || ${plain}::jsonb)
      WHERE id = (SELECT before.id FROM before) AND tenant_id = ${tenantId} AND ${addsServices ? fits : sql`true`} RETURNING *
    ),
    audit AS (${appendAudit(tenantId, trail, 'integration.updated', sql`changed`, changedSettings(sql`(SELECT ${SETTINGS_OF} FROM before)`, SETTINGS_OF))})
    SELECT ${COLUMNS} FROM changed`,
  )
  if (!changed && addsServices && (await isThere(db, tenantId, id))) throw new AppError('conflict', TOO_MANY_MAPPED)
  return orNotFound(changed)
}

async function isThere(db: Db, tenantId: TenantId, id: IntegrationId): Promise<boolean> {
  const { rows } = await db.execute(sql`SELECT 1 FROM integrations WHERE id = ${id} AND tenant_id = ${tenantId}`)
  return rows.length === 1
}

/** Throws `not_found`. */
export async function getIntegration(db: Db, tenantId: TenantId, id: IntegrationId): Promise<Integration> {
  return orNotFound(await change(db, sql`SELECT ${COLUMNS} FROM integrations WHERE id = ${id} AND tenant_id = ${tenantId}`))
}

/** Gives an integration another token; the old one is dead when this returns. Throws `not_found`. */
export async function replaceToken(
  db: Db,
  tenantId: TenantId,
  id: IntegrationId,
  { token, storedToken }: { readonly token: string; readonly storedToken: string },
  trail: Trail,
): Promise<Integration> {
  const changed = await change(
    db,
    sql`WITH changed AS (
      UPDATE integrations SET token = ${storedToken} WHERE id = ${id} AND tenant_id = ${tenantId} RETURNING *
    ),
    credential AS (
      UPDATE api_keys k SET hash = ${await sha256Hex(token)}, last4 = ${toTokenHint(token).last4}
      FROM changed WHERE k.integration_id = changed.id AND k.revoked_at IS NULL
    ),
    audit AS (${appendAudit(tenantId, trail, 'integration.rotated', sql`changed`)})
    SELECT ${COLUMNS} FROM changed`,
  )
  return orNotFound(changed)
}

/** Gives a webhook another secret to sign with, unless that which was read is no longer its own: throws `conflict`. */
export async function replaceSigningSecret(
  db: Db,
  tenantId: TenantId,
  { id, secrets: read }: Pick<Integration, 'id' | 'secrets'>,
  secrets: SecretPatch,
  trail: Trail,
): Promise<Integration> {
  const changed = await change(
    db,
    sql`WITH changed AS (
      UPDATE integrations SET secrets = secrets || ${JSON.stringify(secrets)}::jsonb
      WHERE id = ${id} AND tenant_id = ${tenantId} AND secrets->>'signing_secret' IS NOT DISTINCT FROM ${read.signing_secret ?? null}::text RETURNING *
    ),
    audit AS (${appendAudit(tenantId, trail, 'integration.rotated', sql`changed`, sql`ARRAY['signing_secret']`)})
    SELECT ${COLUMNS} FROM changed`,
  )
  if (!changed) throw new AppError('conflict', ROTATED_MEANWHILE)
  return changed
}

export const ROTATED_MEANWHILE = 'the secret was changed meanwhile'

/** Deletes an integration; its webhook is dead when this returns. Throws `not_found`. */
export async function deleteIntegration(db: Db, tenantId: TenantId, id: IntegrationId, trail: Trail): Promise<void> {
  const deleted = await change(
    db,
    sql`WITH changed AS (
      DELETE FROM integrations WHERE id = ${id} AND tenant_id = ${tenantId} RETURNING *
    ),
    credential AS (
      UPDATE api_keys k SET revoked_at = now() FROM changed WHERE k.integration_id = changed.id AND k.revoked_at IS NULL
    ),
    audit AS (${appendAudit(tenantId, trail, 'integration.deleted', sql`changed`)})
    SELECT ${COLUMNS} FROM changed`,
  )
  orNotFound(deleted)
}

/** The integrations of all tenants: for operators, never for a request. */
export async function listAllIntegrations(db: Db): Promise<Integration[]> {
  const { rows } = await db.execute<IntegrationRow>(sql`SELECT ${COLUMNS} FROM integrations i ORDER BY i.id`)
  return rows.map(toIntegration)
}

/** Puts what was sealed in the place of what was read; `false` when something else was set meanwhile. */
export async function replaceSealed(
  db: Db,
  { id, tenantId, secrets: read, storedToken: readToken }: Pick<Integration, 'id' | 'tenantId' | 'secrets' | 'storedToken'>,
  { secrets, storedToken }: Pick<Integration, 'secrets' | 'storedToken'>,
): Promise<boolean> {
  const { rows } = await db.execute(
    sql`UPDATE integrations SET secrets = ${JSON.stringify(secrets)}::jsonb, token = ${storedToken}
      WHERE tenant_id = ${tenantId} AND id = ${id} AND secrets = ${JSON.stringify(read)}::jsonb AND token = ${readToken} RETURNING id`,
  )
  return rows.length === 1
}

/** The settings of a row, by name; secrets are sealed. */
const SETTINGS_OF = sql`config || secrets || jsonb_build_object('direction', direction)`

/** Which settings differ, by their names in the API. */
const changedSettings = (before: SQL, after: SQL): SQL => sql`ARRAY(
  SELECT CASE key WHEN 'from' THEN 'pagerduty_from' ELSE lower(regexp_replace(key, '([A-Z])', '_\\1', 'g')) END
  FROM jsonb_each(${before}) b FULL JOIN jsonb_each(${after}) a USING (key)
  WHERE nullif(b.value, '{}') IS DISTINCT FROM nullif(a.value, '{}') ORDER BY 1)`

/** Failures for so long switch a receiver off. */
const PATIENCE_MS = 24 * 3_600_000

/**
 * Notes how telling an integration went: trouble that has lasted for a day, or word that nobody is there any more, switches it
 * off, until its settings change.
 */
export async function recordTelling(
  db: Db,
  tenantId: TenantId,
  id: IntegrationId,
  { outcome, isSuccess, isGone }: { readonly outcome: string; readonly isSuccess: boolean; readonly isGone: boolean },
  now: Date,
): Promise<void> {
  const nowMs = now.getTime()
  const failingSince = isSuccess ? sql`NULL::bigint` : sql`coalesce((telling->>'failingSince')::bigint, ${nowMs}::bigint)`
  const switchedOff = isGone
    ? sql`${outcome}::text`
    : sql`CASE WHEN ${failingSince} <= ${nowMs - PATIENCE_MS}::bigint THEN ${`it failed for a day: ${outcome}`}::text END`
  await db.execute(
    sql`UPDATE integrations SET telling = jsonb_build_object('at', ${nowMs}::bigint, 'outcome', ${outcome}::text, 'failingSince', ${failingSince},
        'switchedOff', ${switchedOff})
      WHERE tenant_id = ${tenantId} AND id = ${id}`,
  )
}

const COLUMNS = sql`id, tenant_id AS "tenantId", type, direction, token, config, secrets, ${epochMs(sql`created_at`)} AS "createdAt", telling`

async function change(db: Db, statement: SQL): Promise<Integration | undefined> {
  const { rows } = await db.execute<IntegrationRow>(statement)
  const [row] = rows
  return row && toIntegration(row)
}

function orNotFound(integration: Integration | undefined): Integration {
  if (!integration) throw new AppError('not_found', 'no such integration')
  return integration
}

function toIntegration({ config, telling, token, ...row }: IntegrationRow): Integration {
  return {
    ...row,
    storedToken: token,
    id: toId(row.id),
    tenantId: toId(row.tenantId),
    createdAt: new Date(row.createdAt),
    from: config.from ?? null,
    serviceMap: config.serviceMap ?? {},
    settings: Object.fromEntries(SETTINGS.flatMap((name) => (config[name] === undefined ? [] : [[name, config[name]]]))),
    telling: telling && {
      at: new Date(telling.at),
      outcome: telling.outcome,
      failingSince: telling.failingSince === null ? null : new Date(telling.failingSince),
      switchedOff: telling.switchedOff,
    },
  }
}
