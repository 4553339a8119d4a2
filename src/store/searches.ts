import { type SQL, sql } from 'drizzle-orm'
import { EVENT_TYPES, isChangeType } from '../domain/event/event.ts'
import { toNameKey } from '../domain/event/service-name.ts'
import type { IncidentId, ServiceId, TenantId } from '../domain/ids.ts'
import { BEGINS, HAPPENED, isIndexedBy, typesTable } from './changes.ts'
import { isFolded } from './folded-services.ts'
import type { BlamedChange } from './incident-cards.ts'
import { type Db, epochMs, selectOne } from './postgres.ts'
import { isAlerting } from './services.ts'

type FoundService = { readonly id: ServiceId; readonly name: string; readonly lastMs: number; readonly isAlerting: boolean }
type FoundIncident = {
  readonly id: IncidentId
  readonly title: string | null
  readonly serviceName: string
  readonly triggeredMs: number
  readonly isResolved: boolean
}
type FoundChange = Omit<BlamedChange, 'service'> & { readonly serviceName: string; readonly atMs: number }
type FoundActor = { readonly name: string; readonly changes: number }

/** What a search found, of each kind the best first. */
export type SearchResult = {
  readonly services: readonly FoundService[]
  readonly incidents: readonly FoundIncident[]
  readonly changes: readonly FoundChange[]
  readonly actors: readonly FoundActor[]
}

const MAX_FOUND = 6
/** Incidents whose titles are looked at, the newest. */
const MAX_INCIDENTS = 5_000
/** Changes of one kind that are looked at: what begins like very many is a sample. */
const MAX_CHANGES = 500
const MAX_ACTORS = 4
const MAX_WORDS = 8
const SHORT_SHA = 7
const LONG_SHA = /^[0-9a-f]{8,64}$/
/** Of so many of the services found the latest changes are shown. */
const MAX_SERVICES_READ = 3
const COLUMNS = sql`e.id, e.event_type, e.service_id, e.service_name, e.vendor, e.entity, e.old_value, e.new_value, e.sha, e.actor, e.change_key, ${HAPPENED} AS at`

/**
 * The tenant's services whose names hold a text and incidents whose titles and services hold its words, the changes whose entities or shas begin with it, or that
 * services found have, and who made changes and is called so; whatever its case. What is part of another service is found by how its
 * name begins alone. One statement.
 */
export async function searchAll(db: Db, tenantId: TenantId, text: string, heardOfSince: Date): Promise<SearchResult> {
  const part = text.toLowerCase()
  const key = toNameKey(text)
  const words = part.split(/\s+/).slice(0, MAX_WORDS)
  // Some tell the whole of a sha, some its beginning.
  const start = LONG_SHA.test(part) ? part.slice(0, SHORT_SHA) : part
  const begins = (column: 'entity' | 'sha' | 'actor', beginning = part) =>
    sql`${isIndexedBy(column, tenantId)} AND lower(e.${sql.raw(column)}) LIKE ${toPrefix(beginning)}`
  const found = await selectOne<{ [Kind in keyof SearchResult]: SearchResult[Kind] | null }>(
    db,
    sql`WITH found_services AS MATERIALIZED (
        SELECT s.id, s.name, s.last_event_at, starts_with(s.name_key, ${key}) AS is_begun FROM services s
        WHERE s.tenant_id = ${tenantId} AND (strpos(lower(s.name), ${part}) > 0 OR strpos(s.name_key, ${key}) > 0)
          AND (starts_with(lower(s.name), ${part}) OR NOT ${isFolded(heardOfSince)})
        ORDER BY s.name_key = ${key} DESC, is_begun DESC, s.last_event_at DESC, s.id LIMIT ${MAX_FOUND}
      ),
      found_incidents AS (
        SELECT * FROM (
          SELECT i.id, i.title, i.service_name, i.triggered_at, i.resolved_at FROM incidents i
          WHERE i.tenant_id = ${tenantId} ORDER BY i.triggered_at DESC, i.id DESC LIMIT ${MAX_INCIDENTS}
        ) i WHERE NOT EXISTS (SELECT 1 FROM json_array_elements_text(${JSON.stringify(words)}::json) w(word)
          WHERE strpos(lower(concat_ws(' ', i.title, i.service_name)), w.word) = 0) LIMIT ${MAX_FOUND}
      ),
      begun AS (
        (SELECT ${COLUMNS}, 0 AS rank FROM context_events e WHERE ${begins('sha', start)}
          AND (starts_with(lower(e.sha), ${part}) OR starts_with(${part}, lower(e.sha))) LIMIT ${MAX_CHANGES})
        UNION ALL (SELECT ${COLUMNS}, 0 FROM context_events e WHERE ${begins('entity')} LIMIT ${MAX_CHANGES})
        UNION ALL SELECT c.*, 1 FROM (SELECT id FROM found_services LIMIT ${MAX_SERVICES_READ}) s
          CROSS JOIN ${typesTable(EVENT_TYPES.filter(isChangeType))}
          CROSS JOIN LATERAL (SELECT ${COLUMNS} FROM context_events e WHERE e.service_id = s.id AND e.event_type = t.event_type AND ${BEGINS}
            ORDER BY ${HAPPENED} DESC, e.id DESC LIMIT ${MAX_SERVICES_READ}) c
      ),
      found_changes AS (
        SELECT * FROM (SELECT DISTINCT ON (service_id, change_key) * FROM begun ORDER BY service_id, change_key, rank, at DESC) c
        ORDER BY rank, at DESC, id LIMIT ${MAX_FOUND}
      ),
      found_actors AS (
        SELECT min(a.actor) AS name, count(*)::int AS changes FROM (SELECT e.actor FROM context_events e WHERE ${begins('actor')} LIMIT ${MAX_CHANGES}) a
        GROUP BY lower(a.actor) ORDER BY 2 DESC, 1 LIMIT ${MAX_ACTORS}
      )
      SELECT
        ${listOf(
          'found_services',
          sql`'id', id, 'name', name, 'lastMs', ${epochMs(sql`last_event_at`)}, 'isAlerting', ${isAlerting(sql`${tenantId}`, sql`f.id`)}`,
        )} AS services,
        ${listOf('found_incidents', sql`'id', id, 'title', title, 'serviceName', service_name, 'triggeredMs', ${epochMs(sql`triggered_at`)}, 'isResolved', resolved_at IS NOT NULL`)} AS incidents,
        ${listOf(
          'found_changes',
          sql`'id', id, 'event_type', event_type, 'serviceName', service_name, 'vendor', vendor, 'entity', entity, 'old_value', old_value, 'new_value', new_value, 'sha', sha,
          'actor', actor, 'atMs', ${epochMs(sql`at`)}`,
        )} AS changes,
        ${listOf('found_actors', sql`'name', name, 'changes', changes`)} AS actors`,
  )
  return { services: found.services ?? [], incidents: found.incidents ?? [], changes: found.changes ?? [], actors: found.actors ?? [] }
}

function listOf(name: string, fields: SQL): SQL {
  return sql`(SELECT json_agg(json_build_object(${fields})) FROM ${sql.raw(name)} f)`
}

/** A text as what `LIKE` takes for the beginning of others. */
function toPrefix(text: string): string {
  return `${text.replaceAll(/[\\%_]/g, '\\$&')}%`
}
