import { index, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import type { IntegrationSettings } from '../../domain/access/integration.ts'
import type { IntegrationType } from '../../domain/integration-type.ts'
import { instant } from './columns.ts'
import { tenants } from './tenants.ts'

export const integrations = pgTable(
  'integrations',
  {
    id: uuid('id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.id),
    type: text('type').$type<IntegrationType>().notNull(),
    direction: text('direction', { enum: ['inbound', 'outbound', 'bidirectional'] }).notNull(),
    /** What its deliveries show, sealed; in the clear where a Worker of before 2026-11-28 stored it, until `reseal` is run. */
    token: text('token').notNull().unique(),
    /** The settings that may be shown. */
    config: jsonb('config').$type<IntegrationConfigRow>().notNull(),
    /** The settings that may not, sealed: see `domain/sealed-secret.ts`. */
    secrets: jsonb('secrets').$type<Readonly<Record<string, string>>>().notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    /** How telling it went, as far as it was tried. */
    telling: jsonb('telling').$type<TellingRow>(),
  },
  (table) => [index('integrations_by_tenant').on(table.tenantId, table.createdAt)],
)

export type IntegrationConfigRow = {
  readonly from?: string
  readonly serviceMap?: Readonly<Record<string, string>>
} & IntegrationSettings

export type TellingRow = {
  /** Milliseconds. */
  readonly at: number
  readonly outcome: string
  readonly failingSince: number | null
  readonly switchedOff: string | null
}

/** Webhook requests that were taken, so that a redelivery is known and a resolve that came before its trigger is not lost. */
export const deliveries = pgTable(
  'deliveries',
  {
    /** Or the API key that it came with. */
    integrationId: uuid('integration_id').notNull(),
    /** `X-Webhook-Id` and the like. */
    deliveryId: text('delivery_id').notNull(),
    tenantId: uuid('tenant_id').notNull(),
    kind: text('kind').notNull(),
    externalSource: text('external_source').notNull().default('pagerduty'),
    /** The key of the alert; empty for a delivery as a whole. */
    externalRef: text('external_ref').notNull(),
    occurredAt: instant('occurred_at').notNull(),
    receivedAt: instant('received_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.integrationId, table.deliveryId] }),
    index('deliveries_by_external_ref').on(table.tenantId, table.externalRef, table.externalSource),
    index('deliveries_by_age').on(table.receivedAt),
  ],
)
