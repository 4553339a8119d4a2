import type { ChangeText, EventLinks } from '../event/event.ts'
import { maskActor } from '../event/redact.ts'
import type { CitedEntry } from '../incident/snapshot.ts'

/** What a note tells of one cited event. */
export type CitedEvent = ChangeText &
  EventLinks & {
    readonly serviceName: string
    readonly timestamp: Date
    readonly count: number
  }

/** An entry as notes and prompts tell it. */
export function toCitedEvent(entry: CitedEntry): CitedEvent {
  return {
    serviceName: entry.service,
    vendor: entry.vendor,
    eventType: entry.event_type,
    entity: entry.entity,
    oldValue: entry.old_value,
    newValue: entry.new_value,
    actor: maskActor(entry.actor),
    sha: entry.sha,
    environment: entry.environment ?? null,
    url: entry.url ?? null,
    details: entry.details ?? null,
    timestamp: new Date(entry.timestamp),
    count: entry.count,
  }
}
