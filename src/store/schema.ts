import { sql } from 'drizzle-orm'
import {
  boolean,
  customType,
  doublePrecision,
  index,
  integer,
  json,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'

const instant = (name: string) => timestamp(name, { withTimezone: true })
const transactionId = customType<{ data: string }>({ dataType: () => 'xid8' })

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
    /** The agent whose event created or last touched the service; `null` until then, for one that an alert named first. */
    agentId: uuid('agent_id').references(() => agents.id),
    name: text('name').notNull(),
    /** The name without case and separators, by which entities are matched. */
    nameKey: text('name_key').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    /** While there is no `agent_id`: when the alert came. */
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
    /** The transaction that stored the event: by it a reader tells exactly what it cannot have seen yet. */
    writtenBy: transactionId('written_by').notNull().default(sql`pg_current_xact_id()`),
  },
  (table) => [
    index('context_events_by_expiry').on(table.expiresAt),
    index('context_events_by_change').on(table.serviceId, table.changeKey, table.expiresAt),
    // By a hash, so that Postgres never takes it for a way to find a service's events by anything else.
    index('context_events_by_writer').on(sql`uuid_hash_extended(${table.serviceId}, 0)`, table.writtenBy),
    index('context_events_by_agent').on(table.agentId, table.receivedAt, table.id),
    /** What the service graph is learned from. */
    index('context_events_of_failures').on(table.receivedAt).where(sql`event_type IN ('dependency_failure', 'circuit_open')`),
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
  (table) => [primaryKey({ columns: [table.serviceId, table.hour, table.kindKey] }), index('event_counts_by_hour').on(table.hour)],
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

export const integrations = pgTable(
  'integrations',
  {
    id: uuid('id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.id),
    type: text('type', { enum: ['pagerduty'] }).notNull(),
    direction: text('direction', { enum: ['inbound', 'outbound', 'bidirectional'] }).notNull(),
    /** What makes the webhook's URL secret. */
    token: text('token').notNull().unique(),
    /** The settings that may be shown. */
    config: jsonb('config').$type<IntegrationConfigRow>().notNull(),
    /** The settings that may not, sealed: see `domain/sealed-secret.ts`. */
    secrets: jsonb('secrets').$type<Readonly<Record<string, string>>>().notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [index('integrations_by_tenant').on(table.tenantId, table.createdAt)],
)

export type IntegrationConfigRow = {
  readonly from?: string
  readonly serviceMap?: Readonly<Record<string, string>>
}

/** Who changed what and when. Rows are only ever appended, and swept after `AUDIT_DAYS`. */
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
  },
  (table) => [index('audit_entries_by_tenant').on(table.tenantId, table.at, table.id), index('audit_entries_by_age').on(table.at)],
)

/** Something that a pager or an engineer asked about. Its answer is its latest diagnosis, or that of the one it was folded into. */
export const incidents = pgTable(
  'incidents',
  {
    id: uuid('id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.id),
    serviceId: uuid('service_id').notNull(),
    /** Kept here: a service that is silent for long is removed, its incidents are not. */
    serviceName: text('service_name').notNull(),
    title: text('title'),
    url: text('url'),
    triggeredAt: instant('triggered_at').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    resolvedAt: instant('resolved_at'),
    externalSource: text('external_source'),
    externalRef: text('external_ref'),
    integrationId: uuid('integration_id'),
    /** The incident of a storm whose answer is this one's too. */
    diagnosisOf: uuid('diagnosis_of'),
    /** Nothing that happened later is looked at; `null`: whatever is known when a diagnosis is made. */
    observedUntil: instant('observed_until'),
  },
  (table) => [
    uniqueIndex('incidents_by_external_ref').on(table.tenantId, table.externalSource, table.externalRef),
    index('incidents_by_tenant').on(table.tenantId, table.triggeredAt, table.id),
    index('incidents_by_service').on(table.tenantId, table.serviceId, table.triggeredAt),
  ],
)

/** Answers for incidents, numbered. Nothing but the verdict ever changes. */
export const diagnoses = pgTable(
  'diagnoses',
  {
    incidentId: uuid('incident_id')
      .notNull()
      .references(() => incidents.id),
    number: integer('number').notNull(),
    tenantId: uuid('tenant_id').notNull(),
    madeAt: instant('made_at').notNull(),
    diagnosedBy: text('diagnosed_by').notNull(),
    hypothesis: text('hypothesis').notNull(),
    recommendedAction: text('recommended_action'),
    confidence: doublePrecision('confidence').notNull(),
    abstained: boolean('abstained').notNull(),
    /** What is different from the answer before. */
    changed: text('changed'),
    /** The rest of the answer. */
    answer: json('answer').notNull(),
    /** What the diagnosis saw: `json`, not `jsonb`, so that its bytes stay. */
    contextSnapshot: json('context_snapshot').notNull(),
    /** What the incident is like, and its cause: what a verdict keeps as a causal pattern, and later answers are held against. */
    signature: json('signature').notNull(),
    verdict: text('verdict', { enum: ['confirmed', 'rejected'] }),
    verdictAt: instant('verdict_at'),
  },
  (table) => [
    primaryKey({ columns: [table.incidentId, table.number] }),
    index('diagnoses_by_tenant').on(table.tenantId, table.incidentId, table.number),
    index('diagnoses_of_verdicts').on(table.tenantId, table.verdictAt).where(sql`verdict IS NOT NULL`),
  ],
)

/** What has to be done for incidents, stored with them, so that whoever finds it undone can do it. */
export const incidentWork = pgTable(
  'incident_work',
  {
    incidentId: uuid('incident_id')
      .notNull()
      .references(() => incidents.id),
    kind: text('kind', { enum: ['diagnosis', 'note'] }).notNull(),
    /** Of the diagnosis that a note tells; 0 for the work of diagnosing, which is one row an incident. */
    number: integer('number').notNull(),
    tenantId: uuid('tenant_id').notNull(),
    /** `watching`: diagnosed, and to be looked at again when a late event arrives. */
    state: text('state', { enum: ['due', 'watching', 'done', 'given_up'] }).notNull(),
    /** Not before then; while someone is at it, when others may take over. */
    nextAt: instant('next_at').notNull(),
    attempts: integer('attempts').notNull(),
    /** Who is at it: only they may say how it ended. */
    lease: uuid('lease'),
    /** Why the last attempt failed. */
    reason: text('reason'),
    /** The note as it was posted. */
    content: text('content'),
    doneAt: instant('done_at'),
    /** How often an incident was diagnosed. */
    looks: integer('looks').notNull().default(0),
    /** Events received since then have not been looked at. */
    lookedAt: instant('looked_at'),
  },
  (table) => [
    primaryKey({ columns: [table.incidentId, table.kind, table.number] }),
    index('incident_work_due').on(table.nextAt).where(sql`state IN ('due', 'watching')`),
    index('incident_work_given_up').on(table.nextAt).where(sql`state = 'given_up'`),
    index('incident_work_of_tenant').on(table.tenantId, table.nextAt, table.kind.desc().nullsFirst()).where(sql`state = 'due'`),
    // What `claimWork` gives up.
    index('incident_work_hopeless').on(table.nextAt).where(sql`state = 'due' AND attempts >= 20`),
  ],
)

/** Webhook requests that were taken, so that a redelivery is known and a resolve that came before its trigger is not lost. */
export const deliveries = pgTable(
  'deliveries',
  {
    integrationId: uuid('integration_id').notNull(),
    /** `X-Webhook-Id`. */
    deliveryId: text('delivery_id').notNull(),
    tenantId: uuid('tenant_id').notNull(),
    kind: text('kind').notNull(),
    externalRef: text('external_ref').notNull(),
    occurredAt: instant('occurred_at').notNull(),
    receivedAt: instant('received_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.integrationId, table.deliveryId] }),
    index('deliveries_by_external_ref').on(table.tenantId, table.externalRef),
    index('deliveries_by_age').on(table.receivedAt),
  ],
)

/** Who calls whom: learned from failures, or declared by an operator. */
export const serviceEdges = pgTable(
  'service_edges',
  {
    tenantId: uuid('tenant_id').notNull(),
    caller: text('caller').notNull(),
    callee: text('callee').notNull(),
    /** Failures that showed the edge. */
    seen: integer('seen').notNull().default(0),
    lastSeenAt: instant('last_seen_at'),
    declared: boolean('declared').notNull().default(false),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.caller, table.callee] })],
)

/** How far the events have been read from which edges are learned: one row. */
export const serviceGraphProgress = pgTable('service_graph_progress', {
  id: integer('id').primaryKey(),
  learnedUntil: instant('learned_until').notNull(),
})
