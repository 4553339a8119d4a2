import { type SQL, sql } from 'drizzle-orm'
import { toNameKey } from '../domain/event/service-name.ts'
import type { ApiKeyId, IncidentId, IntegrationId, TenantId } from '../domain/ids.ts'
import { FOLD_SECONDS, LEASE_SECONDS } from '../domain/incident/schedule.ts'
import type { DoorType } from '../domain/integration-type.ts'
import { daysBefore } from '../domain/window/sweep.ts'
import { appendAudit, type Trail } from './audit.ts'
import { functionNamed } from './functions.ts'
import { getIncident, type IncidentDetail } from './incidents.ts'
import { type BatchDb, callFunction, type Db, inOneRequest, timestamptz } from './postgres.ts'

/** What an engineer asks about. */
export type Question = {
  readonly serviceName: string
  readonly title: string | null
  readonly triggeredAt: Date
  readonly observedUntil: Date | null
  /** As `toEnvironment` spells it; `null`: production. */
  readonly environment: string | null
  /** Whether to open the service if nobody heard of it. */
  readonly opens: boolean
}

/** An alert of a delivery. */
export type KeyedAlert = {
  readonly kind: 'trigger' | 'acknowledge' | 'resolve' | 'reopen'
  /** The sender's name of the incident, until it is resolved. */
  readonly key: string
  /** Of the incident, should it be a new one, and of whoever then makes its diagnosis. */
  readonly incidentId: IncidentId
  readonly lease: string
  readonly serviceName: string
  readonly title: string | null
  readonly url: string | null
  /** `null`: production. */
  readonly environment: string | null
  readonly triggeredAt: Date
  /** Whether the sender told the time, which else is that of receipt. */
  readonly isTold: boolean
  readonly occurredAt: Date
  /** How long it has to last before anything is done about it. */
  readonly waitSeconds: number
}

export type AlertDelivery = {
  readonly source: DoorType
  readonly integrationId: IntegrationId | null
  /** Whose the delivery's id is: an integration, or an API key. */
  readonly senderId: IntegrationId | ApiKeyId
  /** `undefined`: the sender gives its deliveries none. */
  readonly deliveryId: string | undefined
  /** Deliveries may come in any order: what is acknowledged may be news. */
  readonly isUnordered: boolean
  /** Its keys name one incident, whichever integration tells of it. */
  readonly isUnique: boolean
  /** It is signed by a secret that only the sender has, and was found genuine. */
  readonly isSigned: boolean
}

export type Reception = {
  /**
   * `opened`: a new incident, whose diagnosis the lease's holder makes. `held`: one that has to last first. `folded`: one with
   * another's answer. `known`, `resolved`, `reopened`: one that was there. `foreign`: one that a signed integration opened, which
   * what is not signed leaves alone. `dropped`: of one that never was. `replayed`: the delivery had been taken before.
   */
  readonly outcome: 'opened' | 'held' | 'folded' | 'known' | 'resolved' | 'reopened' | 'foreign' | 'dropped' | 'replayed'
  readonly incident_id: IncidentId | null
}

/**
 * Takes the alerts of a delivery in, with the work that follows, in one request. Answers each one's fate, in order. An alert of a
 * service that would be one more than the tenant may have opens its incident all the same.
 */
export async function receiveAlerts(
  db: Db,
  tenantId: TenantId,
  delivery: AlertDelivery,
  alerts: readonly KeyedAlert[],
  maxServices: number,
): Promise<readonly Reception[]> {
  const about = {
    source: delivery.source,
    integration_id: delivery.integrationId,
    sender_id: delivery.senderId,
    delivery_id: delivery.deliveryId ?? null,
    is_unordered: delivery.isUnordered,
    is_unique: delivery.isUnique,
    is_signed: delivery.isSigned,
  }
  return await callFunction<Reception[]>(db, 'receive_alerts', [
    tenantId,
    JSON.stringify(about),
    JSON.stringify(alerts.map(toRecord)),
    FOLD_SECONDS,
    LEASE_SECONDS,
    maxServices,
  ])
}

function toRecord({ incidentId, serviceName, triggeredAt, isTold, occurredAt, waitSeconds, ...alert }: KeyedAlert) {
  return {
    ...alert,
    incident_id: incidentId,
    service_name: serviceName,
    name_key: toNameKey(serviceName),
    triggered_at: triggeredAt,
    is_told: isTold,
    occurred_at: occurredAt,
    wait_seconds: waitSeconds,
  }
}

/**
 * Takes a question in, and answers the incident it is. Asked again with the same id, it is the same one. Throws `not_found` for
 * a service of which nobody told, as a reporter or as somebody's dependency, unless the question `opens` it; and for any that
 * is not there when the tenant has `maxServices`.
 */
export async function receiveQuestion(
  db: BatchDb,
  tenantId: TenantId,
  incidentId: IncidentId,
  { maxServices, ...question }: Question & { readonly maxServices: number },
  lease: string,
  trail: Trail,
): Promise<IncidentDetail> {
  const together = inOneRequest(db)
  const [, , incident] = await Promise.all([
    // What was given up waiting for may still be under way.
    together.execute(sql`SELECT pg_advisory_xact_lock(hashtextextended(${incidentId}, 0))`),
    together.execute(
      sql`WITH asked AS (
          SELECT ${incidentId}::uuid AS id, ${received(tenantId, incidentId, question, lease)} AS reception WHERE NOT EXISTS (
            SELECT 1 FROM incidents i WHERE i.tenant_id = ${tenantId} AND i.id = ${incidentId}::uuid) AND ${mayBeAsked(tenantId, question.serviceName, question.opens, maxServices)}
        ),
        audit AS (${appendAudit(tenantId, trail, 'incident.asked', sql`asked`)})
        SELECT reception FROM asked`,
    ),
    getIncident(together, tenantId, incidentId),
  ])
  return incident
}

/** Whether a service is known by that name, or may be opened: somebody's dependency, or any that the question opens. */
function mayBeAsked(tenantId: TenantId, serviceName: string, opens: boolean, maxServices: number): SQL {
  const key = toNameKey(serviceName)
  // Only asked where no service has the name; written like `toNameKey`.
  const keyOf = (column: SQL) => sql`lower(regexp_replace(${column}, '[[:space:]_./:-]+', '', 'g'))`
  return sql`(EXISTS (SELECT 1 FROM services s WHERE s.tenant_id = ${tenantId} AND s.name_key = ${key})
    OR (${opens} OR EXISTS (SELECT 1 FROM service_edges e WHERE e.tenant_id = ${tenantId} AND ${key} IN (${keyOf(sql`e.caller`)}, ${keyOf(sql`e.callee`)})))
      AND (SELECT count(*) FROM (SELECT 1 FROM services s WHERE s.tenant_id = ${tenantId} LIMIT ${maxServices}) c) < ${maxServices})`
}

/** Stores a question with its work. */
function received(tenantId: TenantId, incidentId: IncidentId, question: Question, lease: string): SQL {
  const { serviceName, title, triggeredAt, observedUntil, environment } = question
  const fields = {
    incident_id: incidentId,
    service_name: serviceName,
    name_key: toNameKey(serviceName),
    title,
    triggered_at: triggeredAt,
    observed_until: observedUntil,
    environment,
  }
  return sql`${functionNamed('receive_question')}(${tenantId}, ${JSON.stringify(fields)}, ${lease}::uuid, ${LEASE_SECONDS})`
}

const DELIVERY_DAYS = 30
const MAX_FORGOTTEN = 10_000

/** Forgets deliveries that nobody will send again. */
export async function forgetDeliveries(db: Db, now: Date): Promise<void> {
  await db.execute(
    sql`DELETE FROM deliveries WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM deliveries WHERE received_at < ${timestamptz(daysBefore(now, DELIVERY_DAYS))} LIMIT ${MAX_FORGOTTEN} FOR UPDATE SKIP LOCKED
    ))`,
  )
}
