import type { Integration } from '../domain/access/integration.ts'
import type { Delivery } from '../domain/doors/door.ts'
import { DOORS } from '../domain/doors/index.ts'
import { toSample } from '../domain/doors/sample.ts'
import { nameOf } from '../domain/errors.ts'
import type { DoorType } from '../domain/integration-type.ts'
import { recordSample } from '../store/door-deliveries.ts'
import { insertEvents } from '../store/events.ts'
import { announceSample } from '../store/samples.ts'
import type { DoorRequest, ReceiveDeps } from './door-request.ts'
import { storeAlerts } from './store-alerts.ts'
import { storeDoorEvents } from './store-door-events.ts'
import { announceWork } from './work-on-incident.ts'

/**
 * Sends a sender's example to one of its integrations, marked as a sample: read as the integration is set, stored with its
 * credential, and diagnosed after the answer. Nobody is told, and after ten minutes the cron has forgotten it, with the services
 * that it opened. What became of it is kept for the page. Throws `not_found` for an integration that is gone.
 */
export async function sendSample(
  deps: ReceiveDeps,
  sender: DoorType,
  integration: Integration,
  defer: DoorRequest['defer'],
): Promise<void> {
  const { tenantId, settings, serviceMap } = integration
  const door = DOORS[sender]
  const { headers = {}, body } = door.example
  const sent = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const id = deps.newUuid()
  const delivery: Delivery = { body, header: (name) => sent.get(name.toLowerCase()), settings: { ...settings, serviceMap }, id }
  const signals = toSample(door.read(delivery), id)
  const services = new Set([
    ...signals.events.map((event) => event.service_name),
    ...signals.alerts.flatMap(({ service }) => service ?? []),
  ])
  // First, so that whatever is stored is forgotten.
  const hash = await announceSample(
    deps.db,
    tenantId,
    integration.id,
    [...services].map((service) => ({ id: deps.newUuid(), service_name: service })),
  )
  await announceWork(deps)
  const from = { credential: { hash }, sent: '', isSigned: false, admit: async () => {}, defer }
  const events = await storeDoorEvents(deps, from, signals, (wanted) => insertEvents(deps.db, wanted))
  const caller = { tenantId, apiKeyId: undefined, integration }
  const alerts = await storeAlerts(deps, { sender, defer }, caller, { signals, delivery })
  const texts = [...events.texts, ...alerts.texts]
  const outcome = {
    at: deps.now(),
    kind: texts.length > 0 ? ('taken' as const) : ('ignored' as const),
    text: [...texts, ...(signals.ignored === undefined ? [] : [`ignored: ${signals.ignored}`]), ...services].join(', '),
    incidentId: alerts.opened,
  }
  await recordSample(deps.redis, tenantId, integration.id, outcome).catch((error: unknown) =>
    deps.log('delivery_not_noted', { tenant_id: tenantId, reason: nameOf(error) }),
  )
}
