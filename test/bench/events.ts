import { UNIQUE } from './load.ts'

export const SERVICES = 32
const VARIANTS = 16
export const WINDOW_ENTRIES = 50
export const BATCH_EVENTS = 500

type EventBody = Readonly<Record<string, string | number>>

type Kind = Readonly<Record<'vendor' | 'event_type' | 'entity' | 'new_value', string>> & EventBody

// A few vendors' manners; in half of them the entity is not the service itself and has to be joined to one.
const KINDS: readonly ((service: string, variant: number) => Kind)[] = [
  (service, variant) => ({ vendor: 'argocd', event_type: 'deploy', entity: service, new_value: 'succeeded', sha: `a4f2c1d${variant}` }),
  (service, variant) => ({
    vendor: 'kubernetes',
    event_type: 'restart',
    entity: `${service}-7d9f8b6c5-x${String(variant).padStart(3, '0')}k`,
    old_value: 'limit=512Mi',
    new_value: 'OOMKilled',
  }),
  (_service, variant) => ({
    vendor: 'postgres',
    event_type: 'saturation',
    entity: `orders_${variant}`,
    new_value: `slow_query:${812 + variant}ms`,
    actor: 'app_rw',
  }),
  (service, variant) => ({ vendor: 'redis', event_type: 'saturation', entity: service, new_value: 'eviction_active', sha: `${variant}` }),
]

const RAW_LINE =
  '2026-01-15T10:23:41.123456Z level=info app=checkout namespace=prod cluster=eu-1 msg="what the vendor wrote, kept whole for audit: a state changed" attempt=1 trace_id=4bf92f3577b34da6a3ce929d0e0e4736'

/** The name of one of the services that events are spread over. */
export const toServiceName = (place: number): string => `service-${place}`

/** An event as an agent sends it, about 500 bytes. Without a timestamp, so sending it again is another event. */
export function makeEvent(service: string, variant: number): EventBody {
  return {
    service_name: service,
    ...KINDS[variant % KINDS.length]?.(service, variant),
    confidence: 0.95,
    ttl_seconds: 1_800,
    raw_line: RAW_LINE,
  }
}

/** Every variant of every service's events, the services taking turns. */
export function makeSpreadEvents(): readonly EventBody[] {
  return Array.from({ length: SERVICES * VARIANTS }, (_, place) => makeEvent(toServiceName(place % SERVICES), Math.floor(place / SERVICES)))
}

/** As many events, all of one service. */
export function makeHotEvents(): readonly EventBody[] {
  return Array.from({ length: SERVICES * VARIANTS }, (_, place) => makeEvent('hot', place % VARIANTS))
}

/** Deployments as a pipeline tells of them: the same ones over and over, each in a run of its own. */
export function makeDeployments(): readonly Readonly<Record<'service' | 'sha' | 'by' | 'url', string>>[] {
  return Array.from({ length: SERVICES * VARIANTS }, (_, place) => ({
    service: toServiceName(place % SERVICES),
    sha: `a4f2c1d${Math.floor(place / SERVICES)}`,
    by: 'deploy-bot',
    url: `https://ci.example.com/runs/${UNIQUE}`,
  }))
}

/** The same as an agent would send them to `POST /v1/events`. */
export function makeToldDeployments(): readonly object[] {
  return makeDeployments().map(({ service, by, ...deployment }) => ({
    ...deployment,
    service_name: service,
    event_type: 'deploy',
    vendor: 'deploy',
    entity: service,
    new_value: 'succeeded',
    actor: by,
    confidence: 0.95,
    ttl_seconds: 7_200,
  }))
}

/** As many log records as a Collector sends at once, every one of them an event of its own. */
export function makeLogs(): object {
  const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } })
  const toRecord = (variant: number) => {
    const line = { level: 50, time: 0, pid: 1, msg: 'order not placed', err: { type: 'Error', message: `upstream ${variant} timed out` } }
    return { severityNumber: 17, body: { stringValue: JSON.stringify(line) } }
  }
  const perService = Math.ceil(BATCH_EVENTS / SERVICES)
  return {
    resourceLogs: Array.from({ length: SERVICES }, (_, service) => ({
      resource: { attributes: [attribute('service.name', toServiceName(service)), attribute('host.id', UNIQUE)] },
      scopeLogs: [
        {
          logRecords: Array.from({ length: Math.max(0, Math.min(perService, BATCH_EVENTS - service * perService)) }, (_, variant) =>
            toRecord(variant),
          ),
        },
      ],
    })),
  }
}
