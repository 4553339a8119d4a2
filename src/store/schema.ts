import { doublePrecision, index, integer, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core'

const instant = (name: string) => timestamp(name, { withTimezone: true })

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
    keyType: text('key_type', { enum: ['ingest', 'readonly'] }).notNull(),
    name: text('name'),
    prefix: text('prefix').notNull(),
    last4: text('last4').notNull(),
    /** SHA-256 of the key, hexadecimal. The key itself is stored nowhere. */
    hash: text('hash').notNull().unique(),
    createdAt: instant('created_at').notNull().defaultNow(),
    lastUsedAt: instant('last_used_at'),
    revokedAt: instant('revoked_at'),
  },
  (table) => [index('api_keys_by_tenant').on(table.tenantId, table.createdAt)],
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

export const services = pgTable(
  'services',
  {
    /** A UUID made of SHA-256 of `<tenant id>/<name>`: clients that open a service at once agree on its id. */
    id: uuid('id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.id),
    /** The agent whose event created or last touched the service. */
    agentId: uuid('agent_id')
      .notNull()
      .references(() => agents.id),
    name: text('name').notNull(),
    /** The name without case and separators, by which entities are matched. */
    nameKey: text('name_key').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    lastEventAt: instant('last_event_at').notNull().defaultNow(),
  },
  (table) => [index('services_by_name_key').on(table.tenantId, table.nameKey)],
)

export const contextEvents = pgTable(
  'context_events',
  {
    /** A hash of API key and deduplication key: the same event sent again has the same id. */
    id: uuid('id').primaryKey(),
    tenantId: uuid('tenant_id').notNull(),
    agentId: uuid('agent_id').notNull(),
    /** Without a foreign key: its check would write to the service's row at every event. Events open their services. */
    serviceId: uuid('service_id').notNull(),
    serviceName: text('service_name').notNull(),
    vendor: text('vendor').notNull(),
    eventType: text('event_type').notNull(),
    entity: text('entity').notNull(),
    oldValue: text('old_value'),
    newValue: text('new_value'),
    actor: text('actor'),
    sha: text('sha'),
    confidence: doublePrecision('confidence').notNull(),
    ttlSeconds: integer('ttl_seconds').notNull(),
    timestamp: instant('timestamp').notNull(),
    receivedAt: instant('received_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    /** Kept for audit; selected by no query. */
    rawLine: text('raw_line'),
    /** `new_value` without its numbers and ids. */
    valueClass: text('value_class').notNull(),
    /** What repeats of one change share: `change_key_of` its type, vendor, entity, values, actor and sha. */
    changeKey: uuid('change_key').notNull(),
    /** When, to the second, the present life of its change began: a repeat after the last expiry begins another. */
    appearedAt: instant('appeared_at').notNull(),
  },
  (table) => [
    index('context_events_by_expiry').on(table.expiresAt),
    index('context_events_by_change').on(table.serviceId, table.changeKey, table.expiresAt),
    index('context_events_by_agent').on(table.agentId, table.receivedAt, table.id),
  ],
)

/** The windows a service's change joins besides its own, by name key: the service may not exist yet. */
export const changeJoins = pgTable(
  'change_joins',
  {
    tenantId: uuid('tenant_id').notNull(),
    nameKey: text('name_key').notNull(),
    serviceId: uuid('service_id').notNull(),
    changeKey: uuid('change_key').notNull(),
    rule: text('rule').notNull(),
    /** Not before the last event of the change. */
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.serviceId, table.changeKey, table.nameKey] }),
    index('change_joins_by_name_key').on(table.tenantId, table.nameKey),
    index('change_joins_by_expiry').on(table.expiresAt),
  ],
)

/** What the sweep keeps of the events it deletes: how often each kind of change occurred in each hour. */
export const eventCounts = pgTable(
  'event_counts',
  {
    tenantId: uuid('tenant_id').notNull(),
    serviceId: uuid('service_id').notNull(),
    /** The hour of receipt. */
    hour: instant('hour').notNull(),
    /** A hash of the four columns below, which together can outgrow an index row. */
    kindKey: uuid('kind_key').notNull(),
    vendor: text('vendor').notNull(),
    eventType: text('event_type').notNull(),
    entity: text('entity').notNull(),
    valueClass: text('value_class').notNull(),
    count: integer('count').notNull(),
  },
  (table) => [primaryKey({ columns: [table.serviceId, table.hour, table.kindKey] })],
)

/** Swept events per agent and minute of receipt, kept for the last hour. */
export const agentMinutes = pgTable(
  'agent_minutes',
  {
    agentId: uuid('agent_id').notNull(),
    tenantId: uuid('tenant_id').notNull(),
    minute: instant('minute').notNull(),
    count: integer('count').notNull(),
  },
  (table) => [primaryKey({ columns: [table.agentId, table.minute] }), index('agent_minutes_by_minute').on(table.minute)],
)

/** `Idempotency-Key` headers seen in the last day, with the hash of the body they came with. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    apiKeyId: uuid('api_key_id').notNull(),
    key: text('key').notNull(),
    bodyHash: text('body_hash').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.apiKeyId, table.key] }), index('idempotency_keys_by_age').on(table.createdAt)],
)

/** Windows whose merge into Redis failed, for the cron to repair. */
export const windowRepairs = pgTable('window_repairs', {
  serviceId: uuid('service_id').primaryKey(),
  tenantId: uuid('tenant_id').notNull(),
  failedAt: instant('failed_at').notNull().defaultNow(),
})
