import { sql } from 'drizzle-orm'
import { doublePrecision, index, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { instant, transactionId } from './columns.ts'

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
    /** Until then windows show it. */
    expiresAt: instant('expires_at').notNull(),
    /**
     * Until when a change is kept for diagnoses, never before `expires_at`; `null`: as long as windows show it. Of repeats within
     * one minute of receipt one is kept.
     */
    keptUntil: instant('kept_until'),
    /** Where it happened, only if that was sent; production is spelt in one way. */
    environment: text('environment'),
    url: text('url'),
    /** `{title, files, keys}` of the change. */
    details: jsonb('details'),
    /** Kept for audit; selected by no query. */
    rawLine: text('raw_line'),
    /** `new_value` without its numbers and ids. */
    valueClass: text('value_class').notNull(),
    /** What repeats of one change share: `change_key_of` its type, vendor, entity, values, actor, sha and environment. */
    changeKey: uuid('change_key').notNull(),
    /** When, to the second, the present life of its change began: a repeat after the last expiry begins another. */
    appearedAt: instant('appeared_at').notNull(),
    /** The transaction that stored the event: by it a reader tells exactly what it cannot have seen yet. */
    writtenBy: transactionId('written_by').notNull().default(sql`pg_current_xact_id()`),
  },
  (table) => [
    index('context_events_by_end').on(sql`coalesce(kept_until, expires_at)`),
    /** For each tenant's share of a sweep. */
    index('context_events_by_tenant_end').on(table.tenantId, sql`coalesce(kept_until, expires_at)`),
    index('context_events_by_change').on(table.serviceId, table.changeKey, table.expiresAt),
    /** What began when, by type: its order is that of `listChanges`, and repeats are not in it. */
    index('context_events_by_beginning')
      .on(table.tenantId, table.eventType, sql`least("timestamp", received_at)`, table.id)
      .where(sql`received_at - appeared_at < interval '1 second'`),
    /** The same of one service. */
    index('context_events_by_service_beginning')
      .on(table.serviceId, table.eventType, sql`least("timestamp", received_at)`, table.id)
      .where(sql`received_at - appeared_at < interval '1 second'`),
    // By a hash, so that Postgres never takes it for a way to find a service's events by anything else.
    index('context_events_by_writer').on(sql`uuid_hash_extended(${table.serviceId}, 0)`, table.writtenBy),
    index('context_events_by_agent').on(table.agentId, table.receivedAt, table.id),
    // Nulls first, so that Postgres never takes the order of the one above for a way to find a rare vendor's events. Without ids, so
    // that a batch is one entry of each kind.
    index('context_events_by_agent_kind').on(table.agentId, table.vendor, table.eventType, table.receivedAt.asc().nullsFirst()),
    /** The same of one service, by a hash as short as a number. */
    index('context_events_by_sender_kind').on(
      sql`uuid_hash_extended(${table.serviceId}, uuid_hash_extended(${table.agentId}, 0))`,
      table.vendor,
      table.eventType,
      table.receivedAt.asc().nullsFirst(),
    ),
    /** What a search finds changes by: how their entities, shas and actors begin. Repeats are not in them. */
    ...(['entity', 'sha', 'actor'] as const).map((column) =>
      index(`context_events_by_${column}`)
        .on(table.tenantId, sql.raw(`lower(${column}) text_pattern_ops`))
        .where(
          sql.raw(
            `${column} IS NOT NULL AND event_type IN ('deploy', 'flag_change', 'config_change', 'schema_change', 'scale_event') AND received_at - appeared_at < interval '1 second'`,
          ),
        ),
    ),
    /** What the service graph is learned from. */
    index('context_events_of_failures').on(table.receivedAt).where(sql`event_type IN ('dependency_failure', 'circuit_open')`),
  ],
)

/** Events that were swept within a day of their receipt, so that they are known when they are sent again; of those with an id of their content. */
export const sweptEvents = pgTable(
  'swept_events',
  {
    tenantId: uuid('tenant_id').notNull(),
    id: uuid('id').notNull(),
    forgetAt: instant('forget_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.id] }), index('swept_events_by_end').on(table.forgetAt)],
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
    /** The change's type, and when its latest life began; `null`: noted by a Worker of before, so that the change has to be looked at. */
    eventType: text('event_type'),
    appearedAt: instant('appeared_at'),
    /** Not before the last event of the change. */
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.serviceId, table.changeKey, table.nameKey] }),
    /** What was reported last comes last. */
    index('change_joins_by_name').on(table.tenantId, table.nameKey, table.expiresAt),
    /** Of each type, what began last comes last. */
    index('change_joins_by_beginning').on(table.tenantId, table.nameKey, table.eventType, table.appearedAt),
    index('change_joins_by_expiry').on(table.expiresAt),
  ],
)

/** The services that evaluated a flag in the last day, whose windows the flag's changes join. */
export const flagEvaluators = pgTable(
  'flag_evaluators',
  {
    tenantId: uuid('tenant_id').notNull(),
    /** As `change_joins` names the flag; no name key is like it. */
    flagKey: text('flag_key').notNull(),
    /** Without a foreign key: the service may not exist yet. */
    serviceId: uuid('service_id').notNull(),
    expiresAt: instant('expires_at').notNull(),
    /** The transaction that noted it last: by it a reader tells whether it has seen it. */
    writtenBy: transactionId('written_by').notNull().default(sql`pg_current_xact_id()`),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.serviceId, table.flagKey] }),
    index('flag_evaluators_by_flag').on(table.tenantId, table.flagKey),
    index('flag_evaluators_by_expiry').on(table.expiresAt),
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
  (table) => [primaryKey({ columns: [table.serviceId, table.hour, table.kindKey] }), index('event_counts_by_hour').on(table.hour)],
)

/** What an agent sent in whole minutes, counted by the cron once all that was received then is stored: swept or not, it never changes. */
export const agentRates = pgTable('agent_rates', {
  agentId: uuid('agent_id').primaryKey(),
  tenantId: uuid('tenant_id').notNull(),
  /** The end of the latest minute that was counted. */
  countedUntil: instant('counted_until').notNull(),
  /** Events of the last minutes, the latest first, sixty at most. */
  minutes: integer('minutes').array().notNull(),
})

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

/** Windows whose merge into Redis failed, for the cron to repair. */
export const windowRepairs = pgTable('window_repairs', {
  serviceId: uuid('service_id').primaryKey(),
  tenantId: uuid('tenant_id').notNull(),
  failedAt: instant('failed_at').notNull().defaultNow(),
})
