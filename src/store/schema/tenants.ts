import { sql } from 'drizzle-orm'
import { index, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

export const tenants = pgTable('tenants', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull().unique(),
  createdAt: instant('created_at').notNull().defaultNow(),
})

export const apiKeys = pgTable(
  'api_keys',
  {
    id: uuid('id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.id),
    keyType: text('key_type', { enum: ['ingest', 'readonly', 'viewer'] }).notNull(),
    name: text('name'),
    prefix: text('prefix').notNull(),
    last4: text('last4').notNull(),
    /** The integration whose token this is; `null` for a key that people made. */
    integrationId: uuid('integration_id'),
    /** SHA-256 of the key, hexadecimal. The key itself is stored nowhere. */
    hash: text('hash').notNull().unique(),
    createdAt: instant('created_at').notNull().defaultNow(),
    lastUsedAt: instant('last_used_at'),
    revokedAt: instant('revoked_at'),
  },
  (table) => [
    index('api_keys_by_tenant').on(table.tenantId, table.createdAt),
    index('api_keys_of_integrations').on(table.integrationId).where(sql`integration_id IS NOT NULL`),
  ],
)

/** Whom a tenant lets in to its pages once Cloudflare Access vouches for them. */
export const listedPeople = pgTable(
  'listed_people',
  {
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.id),
    /** In lower case: an address, or `@` and a domain. */
    people: text('people').notNull(),
    role: text('role', { enum: ['viewer', 'readonly'] }).notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.people] }), index('listed_people_by_name').on(table.people)],
)

export const agents = pgTable(
  'agents',
  {
    id: uuid('id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.id),
    apiKeyId: uuid('api_key_id')
      .notNull()
      .unique()
      .references(() => apiKeys.id),
    hostname: text('hostname').notNull(),
    name: text('name').notNull(),
    agentVersion: text('agent_version'),
    registeredAt: instant('registered_at').notNull().defaultNow(),
    lastSeenAt: instant('last_seen_at').notNull().defaultNow(),
  },
  (table) => [index('agents_by_tenant').on(table.tenantId, table.registeredAt)],
)

/**
 * Requests with an `Idempotency-Key` of the last day, with the hash of their body: of events by the key itself, of others by a
 * name that nothing can be read from, and with their answer, sealed.
 */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    apiKeyId: uuid('api_key_id').notNull(),
    key: text('key').notNull(),
    bodyHash: text('body_hash').notNull(),
    result: text('result'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.apiKeyId, table.key] }), index('idempotency_keys_by_age').on(table.createdAt)],
)

/** Who changed what and when. A trigger refuses changes of rows, and deletions but by the sweep and with their tenant. */
export const auditEntries = pgTable(
  'audit_entries',
  {
    id: uuid('id').primaryKey(),
    tenantId: uuid('tenant_id').notNull(),
    at: instant('at').notNull().defaultNow(),
    actor: text('actor').notNull(),
    action: text('action').notNull(),
    targetType: text('target_type').notNull(),
    targetId: text('target_id').notNull(),
    requestId: text('request_id'),
    /** Of a configuration, those that changed. */
    fields: text('fields').array().notNull().default(sql`'{}'`),
  },
  (table) => [
    index('audit_entries_by_tenant').on(table.tenantId, table.at, table.id),
    index('audit_entries_by_age').on(table.at),
    index('audit_entries_of_ended_sessions').on(table.targetId).where(sql`action = 'session.ended'`),
  ],
)
