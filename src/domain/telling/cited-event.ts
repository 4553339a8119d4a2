import type { ChangeText } from '../event/event.ts'
import { maskActor } from '../event/redact.ts'
import type { CitedEntry } from '../incident/snapshot.ts'

/** What a note tells of one cited event. */
export type CitedEvent = Omit<ChangeText, 'environment'> & {
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
    timestamp: new Date(entry.timestamp),
    count: entry.count,
  }
}
