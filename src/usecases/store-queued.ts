import type { BatchDatabase, Logging, Stores } from '../deps.ts'
import { nameOf } from '../domain/errors.ts'
import { field } from '../domain/json.ts'
import { isDatabaseUnavailable } from '../store/database-error.ts'
import { insertQueued } from '../store/events.ts'
import { mergeCreated } from './ingest-events.ts'
import type { QueuedEvents } from './queue-events.ts'

/** A message as Cloudflare hands it over: unless it is acknowledged, it comes again. */
export type QueuedMessage = {
  readonly body: unknown
  readonly attempts: number
  ack(): void
  retry(options: { readonly delaySeconds: number }): void
}

const RETRY_SECONDS = 30
const MAX_RETRY_SECONDS = 3_600
/** They were accepted when nobody could count the tenant's services. */
const ANY_SERVICES = 2_147_483_647

/** Stores events that waited in the queue, those that were received first first. What cannot be stored now comes again later. */
export async function storeQueued(deps: BatchDatabase & Stores & Logging, messages: readonly QueuedMessage[]): Promise<void> {
  const receivedAt = ({ body }: QueuedMessage) => String(field(field(body, 'queued'), 'receivedAt'))
  const inOrder = messages.toSorted((a, b) => (receivedAt(a) < receivedAt(b) ? -1 : 1))
  for (const message of inOrder) await storeOne(deps, message)
}

async function storeOne(deps: BatchDatabase & Stores & Logging, message: QueuedMessage): Promise<void> {
  const { body, attempts } = message
  const later = () => message.retry({ delaySeconds: Math.min(RETRY_SECONDS * attempts, MAX_RETRY_SECONDS) })
  // Of a later release.
  if (field(body, 'v') !== 1) return later()
  // Nobody else writes to this queue.
  const { keyHash, events, evaluations, queued } = body as QueuedEvents
  const left: Promise<unknown>[] = []
  try {
    const request = { keyHash, events, evaluations, idempotency: undefined, maxServices: ANY_SERVICES, queued }
    const result = await insertQueued(deps.db, request)
    if (result) await mergeCreated(deps, { defer: (work) => void left.push(work) }, events, result)
    else deps.log('queued_events_dropped', { events: events.length })
    await Promise.all(left)
    message.ack()
  } catch (error) {
    deps.log('queued_events_not_stored', { attempts, reason: nameOf(error), is_away: isDatabaseUnavailable(error) })
    later()
  }
}
