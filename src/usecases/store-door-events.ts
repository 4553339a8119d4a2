import type { Chance, Clock, Keeping, Logging, Queueing, Room, Stores } from '../deps.ts'
import type { Sent } from '../domain/doors/delivery-body.ts'
import type { SentEvent, Signals } from '../domain/doors/door.ts'
import { MAX_BATCH_EVENTS } from '../domain/event/event.ts'
import type { Evaluation } from '../domain/event/flag.ts'
import { sha256Hex } from '../domain/hash.ts'
import type { Principal } from '../store/api-keys.ts'
import { type Insert, ingestEvents } from './ingest-events.ts'

/** A delivery without a time or a name of its own is the one before, sent again, if it comes within the same minute. */
const SAME_MS = 60_000
const MAX_PLAIN_LENGTH = 1_024
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
  readonly sent: Sent
  /** Whether the sender vouches for the bytes: not for the headers beside them. */
  readonly isSigned: boolean
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
  { credential, sent, isSigned, admit, mayQueue, defer }: From,
  signals: Signals,
  insert: Insert,
): Promise<StoredEvents> {
  const { events, evaluations = [] } = signals
  const wanted = events.length > MAX_BATCH_EVENTS ? withoutRepeats(events) : events
  await admit(Math.max(events.length, evaluations.length))
  const name = await nameDelivery(signals, sent, isSigned, deps.now())
  const counts = { created: 0, duplicate: 0, rejected: 0 }
  let reason: string | undefined
  let queuedFor: Principal | undefined
  const last = Math.max(wanted.length, evaluations.length)
  const byPair = Map.groupBy(last <= MAX_BATCH_EVENTS ? [] : evaluations, ({ service, flag }) => toPair(service, flag))
  for (let from = 0; from < last; from += MAX_BATCH_EVENTS) {
    const items = wanted.slice(from, from + MAX_BATCH_EVENTS)
    const asked = last <= MAX_BATCH_EVENTS ? evaluations : takeEvaluations(evaluations, byPair, items, from)
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
function takeEvaluations(
  evaluations: readonly Evaluation[],
  byPair: ReadonlyMap<string, readonly Evaluation[]>,
  items: readonly SentEvent[],
  from: number,
): readonly Evaluation[] {
  const own = items.flatMap(({ service_name, entity }) => byPair.get(toPair(service_name, entity)) ?? [])
  return [...new Set([...evaluations.slice(from, from + MAX_BATCH_EVENTS), ...own])]
}

/**
 * By what a delivery is known when it comes again; `undefined` where its events' own times say it. What was signed may be sent
 * again by whoever caught it, under any name and at any time.
 */
async function nameDelivery({ events, idempotencyKey }: Signals, sent: Sent, isSigned: boolean, now: Date): Promise<string | undefined> {
  if (idempotencyKey === undefined && events.every(({ timestamp }) => timestamp !== undefined)) return undefined
  if (isSigned) return nameBody(sent)
  return idempotencyKey ?? `${await nameBody(sent)} ${Math.floor(now.getTime() / SAME_MS)}`
}

/** What a body is known by: itself while it is short, for what is made of it is hashed. */
async function nameBody(sent: Sent): Promise<string> {
  if (sent.length > MAX_PLAIN_LENGTH) return await sha256Hex(sent)
  return typeof sent === 'string' ? sent : latin1.decode(sent)
}

const toPair = (service: string, flag: string) => `${service}\0${flag}`

function describe(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} event${count === 1 ? '' : 's'}${what}`]
}

function withoutRepeats(events: readonly SentEvent[]): SentEvent[] {
  const byChange = Map.groupBy(events, ({ timestamp: _, ...change }) => JSON.stringify(change))
  return [...byChange.values()].flatMap(([first]) => first ?? [])
}
