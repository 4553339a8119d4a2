import type { EventType } from '../event/event.ts'
import { toValueClass } from '../event/value-class.ts'
import { type EventId, isId, toId } from '../ids.ts'
import { isObjectOf, isText, orNull, readStored, writeStored } from '../json.ts'
import type { Cause } from './memory.ts'

/** What an engineer said it was instead of what an answer blames: an event that the answer saw, or something in their own words. */
export type Correction = {
  readonly text: string
  readonly eventId: EventId | null
}

const isCorrection = isObjectOf<Correction>({ text: isText, eventId: orNull(isId<EventId>) })

/** The text of a correction as it is stored. */
export function writeCorrection({ text, eventId }: Correction): string {
  return writeStored({ text, eventId })
}

/** A stored correction. Throws as `readStored`. */
export function readCorrection(stored: unknown): Correction {
  return readStored('correction', stored, isCorrection)
}

/** A correction with what later diagnoses learn from it; `null`: nothing that could be told apart. */
export type TaughtCorrection = Correction & { readonly cause: Cause | null }

type Named = {
  readonly id: string
  readonly service: string
  readonly vendor: string
  readonly event_type: EventType
  readonly new_value: string | null
}

/** Names an event as what it was. */
export function correctToEvent({ id, service, vendor, event_type, new_value }: Named, text: string): TaughtCorrection {
  return { text, eventId: toId(id), cause: { service, vendor, eventType: event_type, valueClass: toValueClass(new_value) } }
}
