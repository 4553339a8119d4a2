import { type SQL, sql } from 'drizzle-orm'
import { toNameKey } from '../domain/event/service-name.ts'
import type { IncidentId, IntegrationId, TenantId } from '../domain/ids.ts'
import { FOLD_SECONDS, LEASE_SECONDS } from '../domain/incident/schedule.ts'
import type { DoorType } from '../domain/integration-type.ts'
import { functionNamed } from './functions.ts'
import { getIncident, type IncidentDetail } from './incidents.ts'
import { type BatchDb, type Db, inOneRequest, selectOne } from './postgres.ts'

export type ReceivedAlert = {
  readonly kind: 'trigger' | 'acknowledge' | 'resolve'
  /** Of the incident, should it be a new one. */
  readonly incidentId: IncidentId
  readonly serviceName: string
  readonly title: string | null
  readonly url: string | null
  readonly triggeredAt: Date
  readonly observedUntil: Date | null
  /** As `toEnvironment` spells it; `null`: production. */
  readonly environment: string | null
  /** Whose incident it is; `undefined` for one that an engineer asked about. */
  readonly external:
    | {
        readonly source: DoorType
        readonly ref: string
        readonly integrationId: IntegrationId
        readonly deliveryId: string
        readonly occurredAt: Date
      }
    | undefined
}

export type Reception = {
  /**
   * `opened`: a new incident, whose diagnosis the lease's holder makes. `folded`: a new one with another's answer. `known`,
   * `resolved`: one that was there. `replayed`: the delivery had been taken before.
   */
  readonly outcome: 'opened' | 'folded' | 'known' | 'resolved' | 'replayed'
}

/** Takes an alert in, with the work that follows, in one request. */
export async function receiveAlert(db: Db, tenantId: TenantId, alert: ReceivedAlert, lease: string): Promise<Reception> {
  const { row } = await selectOne<{ row: Reception }>(db, sql`SELECT ${received(tenantId, alert, lease)} AS row`)
  return row
}

/**
 * Takes a question in like an alert, and answers the incident it is. Asked again with the same id, it is the same one. Throws
 * `not_found` for a service of which nobody told, as a reporter or as somebody's dependency, unless the question `opens` it.
 */
export async function receiveQuestion(
  db: BatchDb,
  tenantId: TenantId,
  { opens, ...question }: Omit<ReceivedAlert, 'kind' | 'url' | 'external'> & { readonly opens: boolean },
  lease: string,
): Promise<IncidentDetail> {
  const { incidentId } = question
  const together = inOneRequest(db)
  const alert = { ...question, kind: 'trigger' as const, url: null, external: undefined }
  const [, , incident] = await Promise.all([
    // What was given up waiting for may still be under way.
    together.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${incidentId}, 0))`),
    together.execute(
      sql`SELECT ${received(tenantId, alert, lease)} WHERE NOT EXISTS (
        SELECT 1 FROM incidents i WHERE i.tenant_id = ${tenantId} AND i.id = ${incidentId}::uuid) AND (${opens} OR ${isHeardOf(tenantId, question.serviceName)})`,
    ),
    getIncident(together, tenantId, incidentId),
  ])
  return incident
}

/** Whether a service is known by that name, or named as a dependency. */
function isHeardOf(tenantId: TenantId, serviceName: string): SQL {
  const key = toNameKey(serviceName)
  // Only asked where no service has the name; written like `toNameKey`.
  const keyOf = (column: SQL) => sql`lower(regexp_replace(${column}, '[[:space:]_./:-]+', '', 'g'))`
  return sql`(EXISTS (SELECT 1 FROM services s WHERE s.tenant_id = ${tenantId} AND s.name_key = ${key})
    OR EXISTS (SELECT 1 FROM service_edges e WHERE e.tenant_id = ${tenantId} AND ${key} IN (${keyOf(sql`e.caller`)}, ${keyOf(sql`e.callee`)})))`
}

/** What the function `receive_alert` says of an alert it stores. */
function received(tenantId: TenantId, alert: ReceivedAlert, lease: string): SQL {
  const { kind, incidentId, serviceName, title, url, triggeredAt, observedUntil, environment, external } = alert
  const fields = {
    kind,
    incident_id: incidentId,
    service_name: serviceName,
    name_key: toNameKey(serviceName),
    title,
    url,
    triggered_at: triggeredAt,
    observed_until: observedUntil,
    environment,
    external_source: external?.source,
    external_ref: external?.ref,
    integration_id: external?.integrationId,
    delivery_id: external?.deliveryId,
    occurred_at: external?.occurredAt,
  }
  return sql`${functionNamed('receive_alert')}(${tenantId}, ${JSON.stringify(fields)}, ${FOLD_SECONDS}, ${lease}::uuid, ${LEASE_SECONDS})`
}
