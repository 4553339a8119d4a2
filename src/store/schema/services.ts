import { boolean, index, integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { agents, tenants } from './tenants.ts'

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
    /** When a change of it was received last, whoever reported it, and the agent that sent it; `null`: never. */
    lastChangeAt: instant('last_change_at'),
    lastChangeAgentId: uuid('last_change_agent_id'),
    /** Whose it is, as people said; `team_key` is the name as it is compared. */
    team: text('team'),
    teamKey: text('team_key'),
    /** Where its owner is found. */
    ownerUrl: text('owner_url'),
  },
  (table) => [index('services_by_name_key').on(table.tenantId, table.nameKey), index('services_by_name').on(table.tenantId, table.name)],
)

/** Services that samples are about: what they left is forgotten then and, if nothing else is known of it, the service with it. */
export const samples = pgTable(
  'samples',
  {
    id: uuid('id').primaryKey(),
    tenantId: uuid('tenant_id').notNull(),
    serviceName: text('service_name').notNull(),
    endsAt: instant('ends_at').notNull(),
  },
  (table) => [index('samples_by_end').on(table.endsAt)],
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

/** Times in which nobody is told of the incidents of a service, or of a team's, that begin then. */
export const maintenanceWindows = pgTable(
  'maintenance_windows',
  {
    id: uuid('id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.id),
    /** One of the two, and as it is compared. */
    service: text('service'),
    serviceKey: text('service_key'),
    team: text('team'),
    teamKey: text('team_key'),
    startsAt: instant('starts_at').notNull(),
    /** Not included. */
    endsAt: instant('ends_at').notNull(),
    reason: text('reason'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [index('maintenance_windows_by_tenant').on(table.tenantId, table.endsAt)],
)
