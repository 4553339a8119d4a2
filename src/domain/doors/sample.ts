import { SAMPLE_ENVIRONMENT } from '../event/environment.ts'
import type { Signals } from './door.ts'

/** How long anything of a sample is there. */
export const SAMPLE_SECONDS = 600

const MARK = 'sample-'

/**
 * What a door read of its own example, marked as a test: of now, in an environment of its own, about services and entities that
 * nothing real is called. `id` makes one sample another than the one before.
 */
export function toSample({ events, alerts, evaluations: _, ...rest }: Signals, id: string): Signals {
  return {
    ...rest,
    events: events.map(({ timestamp: _, ...event }) => ({
      ...event,
      service_name: mark(event.service_name),
      entity: mark(event.entity),
      environment: SAMPLE_ENVIRONMENT,
      ttl_seconds: SAMPLE_SECONDS,
    })),
    alerts: alerts.map(({ at: _, sentAt: _sent, ...alert }, place) => ({
      ...alert,
      key: `${MARK}${id}-${place}`,
      service: mark(alert.service ?? 'unknown'),
      title: `Test: ${alert.title}`,
      environment: SAMPLE_ENVIRONMENT,
    })),
    idempotencyKey: id,
  }
}

/** Where a name says what it is the name of: behind its namespace or kind. */
const mark = (name: string) => name.replace(/[^/:]*$/, `${MARK}$&`)
