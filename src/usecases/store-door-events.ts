import type { Chance, Clock, Keeping, Logging, Queueing, Room, Stores } from '../deps.ts'
import type { SentEvent, Signals } from '../domain/doors/door.ts'
import { MAX_BATCH_EVENTS } from '../domain/event/event.ts'
import type { Evaluation } from '../domain/event/flag.ts'
import { sha256, toHex } from '../domain/hash.ts'
import type { Principal } from '../store/api-keys.ts'
import { type Insert, ingestEvents } from './ingest-events.ts'

/** A delivery without a time or a name of its own is the one before, sent again, if it comes within the same minute. */
const SAME_MS = 60_000
const MAX_NAME_BYTES = 1_024
/** A character for each byte. */
const latin1 = new TextDecoder('latin1')

export type StoredEvents = {
  /** `2 events`, `1 event known`, `1 event refused: entity is required`. */
  readonly texts: readonly string[]
  readonly rejected: number
  /** Whether there were some, and all were rejected. */
  readonly isRefused: boolean
  /** Why the first of those was. */
  readonly reason: string | undefined
  /** Whom those are of that wait in the queue. */
  readonly queuedFor: Principal | undefined
}

type From = {
  readonly credential: { readonly hash: string }
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly admit: (events: number) => Promise<void>
  /** Whether they may wait in the queue, if there is one, while the database is away. */
  readonly mayQueue?: boolean
  readonly defer: (work: Promise<unknown>) => void
}

/**
 * Stores the events of a delivery: in one statement or, where there are more than it takes even without the repeats of one
 * change, as many as it takes. Evaluations of flags go with them, those of the events themselves with these. Throws what
 * `admit` does.
 */
export async function storeDoorEvents(
  deps: Stores & Chance & Clock & Keeping & Logging & Room & Queueing,
  { credential, bytes, admit, mayQueue, defer }: From,
  { events, evaluations = [], idempotencyKey }: Signals,
  insert: Insert,
): Promise<StoredEvents> {
  const sent = events.length > MAX_BATCH_EVENTS ? withoutRepeats(events) : events
  await admit(Math.max(events.length, evaluations.length))
  const isNamed = idempotencyKey !== undefined || events.every(({ timestamp }) => timestamp !== undefined)
  const name = isNamed ? idempotencyKey : `${await nameBody(bytes)} ${Math.floor(deps.now().getTime() / SAME_MS)}`
  const counts = { created: 0, duplicate: 0, rejected: 0 }
  let reason: string | undefined
  let queuedFor: Principal | undefined
  const last = Math.max(sent.length, evaluations.length)
  for (let from = 0; from < last; from += MAX_BATCH_EVENTS) {
    const items = sent.slice(from, from + MAX_BATCH_EVENTS)
    const asked = last <= MAX_BATCH_EVENTS ? evaluations : takeEvaluations(evaluations, items, from)
    const deliveryId = name === undefined ? undefined : `${name} ${from}`
    const request = {
      keyHash: credential.hash,
      items,
      evaluations: asked,
      idempotency: undefined,
      defer,
      ...(deliveryId !== undefined && { deliveryId }),
      ...(mayQueue && { mayQueue: true as const }),
    }
    const result = await ingestEvents(deps, request, insert)
    if (result.isQueued) queuedFor = result.principal
    for (const { status } of result.items) counts[status] += 1
    reason ??= result.items.flatMap((item) => (item.status === 'rejected' ? [item.fields[0].detail] : []))[0]
  }
  const { created, duplicate, rejected } = counts
  const texts = [...describe(created, ''), ...describe(duplicate, ' known'), ...describe(rejected, ` refused: ${reason}`)]
  return { texts, rejected, isRefused: rejected > 0 && created + duplicate === 0, reason, queuedFor }
}

/** Those of one statement: its share, and those of its own events. */
function takeEvaluations(evaluations: readonly Evaluation[], items: readonly SentEvent[], from: number): readonly Evaluation[] {
  const own = new Set(items.map(({ service_name, entity }) => toPair(service_name, entity)))
  return evaluations.filter(
    ({ service, flag }, place) => (place >= from && place < from + MAX_BATCH_EVENTS) || own.has(toPair(service, flag)),
  )
}

/** What a body is known by: itself while it is short, for what is made of it is hashed. */
async function nameBody(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return bytes.byteLength <= MAX_NAME_BYTES ? latin1.decode(bytes) : toHex(await sha256(bytes))
}

const toPair = (service: string, flag: string) => `${service}\0${flag}`

function describe(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} event${count === 1 ? '' : 's'}${what}`]
}

function withoutRepeats(events: readonly SentEvent[]): SentEvent[] {
  const byChange = Map.groupBy(events, ({ timestamp: _, ...change }) => JSON.stringify(change))
  return [...byChange.values()].flatMap(([first]) => first ?? [])
}
