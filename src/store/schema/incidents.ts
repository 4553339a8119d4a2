import { sql } from 'drizzle-orm'
import { boolean, doublePrecision, index, integer, json, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { tenants } from './tenants.ts'

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
    /** The sender's name of the alert, which may name another incident once this one is resolved; `null`: `external_ref` is it. */
    dedupeKey: text('dedupe_key'),
    integrationId: uuid('integration_id'),
    /** Whose the key is: an integration, or an API key. `null`: everybody's, or an integration's of before. */
    senderId: uuid('sender_id'),
    /** When it was last opened again. */
    reopenedAt: instant('reopened_at'),
    /** The incident of a storm whose answer is this one's too. */
    diagnosisOf: uuid('diagnosis_of'),
    /** Where it is; `null`: production. */
    environment: text('environment'),
    /** Nothing that happened later is looked at; `null`: whatever is known when a diagnosis is made. */
    observedUntil: instant('observed_until'),
  },
  (table) => [
    uniqueIndex('incidents_by_external_ref').on(table.tenantId, table.externalSource, table.externalRef),
    uniqueIndex('incidents_open_by_sender')
      .on(
        table.tenantId,
        table.externalSource,
        sql`coalesce(dedupe_key, external_ref)`,
        sql`coalesce(sender_id, '00000000-0000-0000-0000-000000000000')`,
      )
      .where(sql`resolved_at IS NULL`),
    index('incidents_by_key').on(table.tenantId, table.externalSource, sql`coalesce(dedupe_key, external_ref)`, table.triggeredAt),
    /** With what is asked of each that a list passes over. */
    index('incidents_listed').on(table.tenantId, table.triggeredAt, table.id, table.resolvedAt, table.diagnosisOf),
    /** Most are resolved, and many that are not were forgotten. */
    index('incidents_unresolved').on(table.tenantId, table.triggeredAt, table.id).where(sql`resolved_at IS NULL`),
    index('incidents_by_service').on(table.tenantId, table.serviceId, table.triggeredAt),
    index('incidents_by_age').on(table.createdAt),
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
    /** Whether that is all of it: of an old one that nobody confirmed, what the answer cites is kept. */
    isSnapshotWhole: boolean('is_snapshot_whole').notNull().default(true),
    /** What the incident is like, and its cause: what a verdict keeps as a causal pattern, and later answers are held against. */
    signature: json('signature').notNull(),
    verdict: text('verdict', { enum: ['confirmed', 'rejected'] }),
    verdictAt: instant('verdict_at'),
    /** Who gave it, as the audit names them. */
    verdictBy: text('verdict_by'),
    /** What they said it was instead, if they did. */
    verdictCause: json('verdict_cause'),
  },
  (table) => [
    primaryKey({ columns: [table.incidentId, table.number] }),
    /** All that is counted of answers, so that they need not be read. */
    index('diagnoses_counted').on(table.tenantId, table.incidentId, table.number, table.abstained),
    index('diagnoses_of_verdicts').on(table.tenantId, table.verdictAt).where(sql`verdict IS NOT NULL`),
    index('diagnoses_judged').on(table.tenantId, table.verdict, table.verdictAt, table.incidentId).where(sql`verdict IS NOT NULL`),
    index('diagnoses_with_snapshots').on(table.madeAt).where(sql`is_snapshot_whole AND verdict IS DISTINCT FROM 'confirmed'`),
  ],
)

/** Links by which whoever has one reads an incident, until they expire or are revoked. */
export const shares = pgTable(
  'shares',
  {
    id: uuid('id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.id),
    incidentId: uuid('incident_id').notNull(),
    madeAt: instant('made_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    /** As the audit names them. */
    madeBy: text('made_by').notNull(),
  },
  (table) => [index('shares_of_incidents').on(table.tenantId, table.incidentId)],
)

/** What has to be done for incidents, stored with them, so that whoever finds it undone can do it. */
export const incidentWork = pgTable(
  'incident_work',
  {
    incidentId: uuid('incident_id')
      .notNull()
      .references(() => incidents.id),
    /**
     * `note` tells an answer, `thread` the rest of it, `opened` that there is an incident; the others, what followed. Of those a row
     * without a receiver says that it happened, and is to be told; of `undone`, that it is waited for.
     */
    kind: text('kind', { enum: ['diagnosis', 'opened', 'note', 'thread', 'resolved', 'undone', 'confirmed', 'rejected'] }).notNull(),
    /**
     * Of the diagnosis that a note tells; 0 for the work of diagnosing, which is one row an incident; from 100 on for what followed.
     * Messages go out in this order.
     */
    number: integer('number').notNull(),
    /** The integration that is told; zeros: wherever the incident came from. */
    target: uuid('target').notNull().default('00000000-0000-0000-0000-000000000000'),
    tenantId: uuid('tenant_id').notNull(),
    /**
     * `queued`: due, of a kind or to a receiver that Workers of before receivers know nothing of, and so must not take up.
     * `watching`: diagnosed, and to be looked at again when a late event arrives. `awaiting`: `undone` has not happened yet.
     */
    state: text('state', { enum: ['due', 'queued', 'watching', 'awaiting', 'done', 'given_up'] }).notNull(),
    /** Not before then; while someone is at it, when others may take over. */
    nextAt: instant('next_at').notNull(),
    attempts: integer('attempts').notNull(),
    /** Who is at it: only they may say how it ended. */
    lease: uuid('lease'),
    /** Why the last attempt failed. */
    reason: text('reason'),
    /** What was posted or, while that is due, what may have been. */
    content: text('content'),
    /** What the receiver calls the message. */
    remoteRef: text('remote_ref'),
    /** Verdicts that were given by the links in the message: each link works once. */
    usedLinks: text('used_links').array().notNull().default(sql`'{}'`),
    doneAt: instant('done_at'),
    /** The change that undid the blamed one. */
    eventId: uuid('event_id'),
    /** How often an incident was diagnosed. */
    looks: integer('looks').notNull().default(0),
    /** Events received since then have not been looked at. */
    lookedAt: instant('looked_at'),
  },
  (table) => [
    primaryKey({ columns: [table.incidentId, table.kind, table.number, table.target] }),
    index('incident_work_of_target')
      .on(table.tenantId, table.target, table.nextAt.desc())
      .where(sql`target <> '00000000-0000-0000-0000-000000000000'`),
    index('incident_work_pending').on(table.nextAt).where(sql`state IN ('due', 'queued', 'watching', 'awaiting')`),
    index('incident_work_given_up').on(table.nextAt).where(sql`state = 'given_up'`),
    index('incident_work_due_of_tenant')
      .on(table.tenantId, table.nextAt, table.kind.desc().nullsFirst())
      .where(sql`state IN ('due', 'queued')`),
    // What `claimWork` gives up.
    index('incident_work_begun_often').on(table.nextAt).where(sql`state IN ('due', 'queued') AND attempts >= 20`),
  ],
)
