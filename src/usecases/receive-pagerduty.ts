import type { Chance, Clock, Database, Keeping, Memory, Sealing } from '../deps.ts'
import { canReceive, type Integration, isToken, openSecretOf } from '../domain/access/integration.ts'
import { isSigned, type PagerDutyDelivery, readDelivery, toServiceName } from '../domain/doors/pagerduty.ts'
import { AppError } from '../domain/errors.ts'
import { toKeptTitle } from '../domain/event/redact.ts'
import { type IncidentId, toId } from '../domain/ids.ts'
import { receiveAlert } from '../store/alerts.ts'
import { findIntegrationByToken } from '../store/integrations.ts'
import { announceWork, type WorkDeps, workOn } from './work-on-incident.ts'

export type WebhookRequest = {
  readonly token: string
  readonly body: Uint8Array<ArrayBuffer>
  /** `X-PagerDuty-Signature`. */
  readonly signature: string | undefined
  /** `X-Webhook-Id`. */
  readonly deliveryId: string | undefined
  /** Keeps work alive after the answer. */
  readonly defer: (work: Promise<unknown>) => void
}

type IncidentChange = Extract<PagerDutyDelivery, { readonly incident: unknown }>

const MAX_DELIVERY_ID_LENGTH = 255

/**
 * Takes one delivery of PagerDuty's: verifies it, and stores what follows from it before returning, in two requests to
 * Postgres. The diagnosis is made after the answer; should this isolate die, the cron makes it. Throws `not_found` for a dead
 * token, `unauthorized` for a wrong signature, `invalid_request` for what is not JSON, and nothing else that is not our fault.
 */
export async function receivePagerDuty(deps: WorkDeps & Keeping & Memory, request: WebhookRequest): Promise<void> {
  const integration = await getReceiving(deps, request.token)
  const isFromSigner = await assertSigned(deps, integration, request)
  const delivery = readDelivery(parse(request.body))
  if (delivery.kind === 'own_note' || delivery.kind === 'ignored') return
  // Signed once, it may be sent again by whoever caught it.
  if (isFromSigner && isStale(delivery, deps.now())) {
    deps.log('delivery', { tenant_id: integration.tenantId, integration_id: integration.id, kind: delivery.kind, outcome: 'stale' })
    return
  }

  // Before anything is stored, so that the cron looks even if this isolate gets no further.
  const isMarked = await announceWork(deps)
  const incidentId = toId<IncidentId>(deps.newUuid())
  const lease = deps.newUuid()
  const { tenantId } = integration
  const alert = toAlert(deps, integration, delivery, incidentId, request)
  const { outcome } = await receiveAlert(deps.db, tenantId, alert, lease)
  deps.log('delivery', { tenant_id: tenantId, integration_id: integration.id, kind: delivery.kind, outcome })
  const isPointedAt = isMarked || (await announceWork(deps))
  if (outcome !== 'opened') {
    // It may have been opened by a delivery that ended as below.
    if (outcome === 'replayed' && !isPointedAt) throw nobodyLooks()
    return
  }
  const work = workOn(deps, { tenantId, incidentId, kind: 'diagnosis', number: 0, lease, attempts: 1 }, deps.now)
  if (isPointedAt) request.defer(work)
  else if (!(await work) && !(await announceWork(deps))) throw nobodyLooks()
}

/** The integration that takes deliveries by this token; throws `not_found`, without a store for what was dead a moment ago. */
async function getReceiving({ db, deadTokens, now }: Database & Memory & Clock, token: string): Promise<Integration> {
  if (!isToken(token) || deadTokens.get(token, now().getTime())) throw noSuchWebhook()
  const integration = await findIntegrationByToken(db, token)
  if (!integration) deadTokens.set(token, true, now().getTime())
  if (!integration || !canReceive(integration)) throw noSuchWebhook()
  return integration
}

/** What the cron cannot be pointed at is done before it is acknowledged, or is not acknowledged. */
const nobodyLooks = () => new AppError('unavailable', 'the alert is stored, but nobody can be told to look at it: send it again')

const MAX_AGE_MS = 24 * 3_600_000

function isStale({ kind, occurredAt }: IncidentChange, now: Date): boolean {
  return kind !== 'resolve' && occurredAt !== null && now.getTime() - occurredAt.getTime() > MAX_AGE_MS
}

/** Whether the delivery is signed, as it must be where a secret is set. Throws `unauthorized`. */
async function assertSigned(deps: Sealing, integration: Integration, { body, signature }: WebhookRequest): Promise<boolean> {
  const secret = await openSecretOf(integration, 'webhook_secret', deps.sealingKeys)
  if (secret === undefined) return false
  if (await isSigned(signature, body, [secret])) return true
  throw new AppError('unauthorized', 'the signature does not match: is the webhook secret right?')
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    throw new AppError('invalid_request', 'request body must be valid JSON')
  }
}

function toAlert(
  deps: Clock & Chance & Keeping,
  integration: Integration,
  delivery: IncidentChange,
  incidentId: IncidentId,
  { deliveryId }: WebhookRequest,
) {
  const { kind, incident, eventId } = delivery
  const now = deps.now()
  const past = (instant: Date | null) => (instant && instant < now ? instant : now)
  const occurredAt = past(delivery.occurredAt)
  return {
    kind,
    incidentId,
    serviceName: toServiceName(incident, integration.serviceMap) ?? incident.service.ref ?? 'unknown',
    title: toKeptTitle(incident.title, deps.keeping),
    url: incident.url,
    triggeredAt: past(incident.createdAt ?? occurredAt),
    observedUntil: null,
    environment: null,
    external: {
      source: 'pagerduty' as const,
      ref: incident.ref,
      integrationId: integration.id,
      // Without either, every delivery counts as a new one, and does no harm.
      deliveryId: (deliveryId || eventId || deps.newUuid()).slice(0, MAX_DELIVERY_ID_LENGTH),
      occurredAt,
    },
  }
}

const noSuchWebhook = () => new AppError('not_found', 'no such webhook')
