import { EVENT_TYPES, type EventType } from '../event/event.ts'

const TROUBLES: ReadonlySet<EventType> = new Set<EventType>(['circuit_open', 'dependency_failure', 'restart', 'saturation'])

/** Events of these types tell that something is not well. */
export const TROUBLE_TYPES = EVENT_TYPES.filter((type) => TROUBLES.has(type))

/** Events that were received within it count as what is going on. */
export const RECENT_MINUTES = 15
/** So long without trouble is called recovering, and as long again well. */
const CALM_MS = 5 * 60_000
const SILENT_MS = 3_600_000
/** Fewer failing calls and restarts are what any service has at any time. */
const MANY = 5

/** How a service is, as far as events tell, the worst first. */
export const SERVICE_HEALTHS = ['alerting', 'failing', 'recovering', 'silent', 'well', 'unheard'] as const
export type ServiceHealth = (typeof SERVICE_HEALTHS)[number]

type Signs = {
  readonly activeIncidents: number
  /** Failing calls and restarts of the last minutes. */
  readonly failures: number
  readonly lastFailureAt: Date | null
  /** `null`: it never told anything. */
  readonly lastEventAt: Date | null
}

/** Says how a service is. */
export function toServiceHealth({ activeIncidents, failures, lastFailureAt, lastEventAt }: Signs, now: Date): ServiceHealth {
  if (activeIncidents > 0) return 'alerting'
  if (failures >= MANY && lastFailureAt !== null) return now.getTime() - lastFailureAt.getTime() < CALM_MS ? 'failing' : 'recovering'
  if (lastEventAt === null) return 'unheard'
  return now.getTime() - lastEventAt.getTime() > SILENT_MS ? 'silent' : 'well'
}

/** Whether an event is a failing call, an open circuit or a restart: strain alone is no failure. */
export function isFailure(type: EventType): boolean {
  return type !== 'saturation' && TROUBLES.has(type)
}
