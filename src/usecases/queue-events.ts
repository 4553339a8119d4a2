import type { Clock, Copies, Logging, Queueing } from '../deps.ts'
import { nameOf } from '../domain/errors.ts'
import type { Principal } from '../store/api-keys.ts'
import { isDatabaseUnavailable, toReason } from '../store/database-error.ts'
import type { InsertRequest } from '../store/events.ts'
import { findGoodKey } from '../store/good-keys.ts'

/** Of a message, and of all that are sent at once: Cloudflare's own limits are 128 and 256 kB. */
const MAX_MESSAGE_BYTES = 120_000
const MAX_SENT_BYTES = 240_000

/** Events as they wait in the queue. When they were received, and their ids, are in it: order does not matter, and a repeat is one. */
export type QueuedEvents = { readonly v: 1 } & Pick<InsertRequest, 'keyHash' | 'events' | 'evaluations'> & {
    readonly queued: NonNullable<InsertRequest['queued']>
  }

/**
 * Puts events on the queue that the database, being away, cannot take, and returns once they are kept there. Throws `error`, why it
 * could not, unless there is a queue, the key was seen good within ten minutes, and the events fit.
 */
export async function queueEvents(
  { redis, ingestQueue, now, log }: Copies & Queueing & Clock & Logging,
  { keyHash, events, evaluations }: InsertRequest,
  error: unknown,
): Promise<{ readonly principal: Principal; readonly isQueued: true }> {
  if (!ingestQueue || events.length === 0 || !isDatabaseUnavailable(error)) throw error
  const receivedAt = now().toISOString()
  try {
    const principal = await findGoodKey(redis, keyHash)
    const messages = principal && split({ v: 1, keyHash, events, evaluations, queued: { agentId: principal.agentId, receivedAt } })
    if (principal && messages) {
      await ingestQueue.sendBatch(messages.map((body) => ({ body })))
      log('events_queued', { tenant_id: principal.tenantId, events: events.length, reason: toReason(error) })
      return { principal, isQueued: true }
    }
  } catch (failure) {
    log('events_not_queued', { reason: nameOf(failure) })
  }
  throw error
}

const sizeOf = (message: QueuedEvents) => new TextEncoder().encode(JSON.stringify(message)).length

/** Messages that each hold as many of the events as one may; `undefined`: they are too large. */
function split(message: QueuedEvents): readonly QueuedEvents[] | undefined {
  const { events } = message
  const size = sizeOf(message)
  if (size <= MAX_MESSAGE_BYTES) return [message]
  if (size > MAX_SENT_BYTES || events.length === 1) return undefined
  const middle = Math.ceil(events.length / 2)
  const halves = [
    split({ ...message, events: events.slice(0, middle) }),
    split({ ...message, events: events.slice(middle), evaluations: [] }),
  ]
  return halves.every((half) => half !== undefined) ? halves.flat() : undefined
}
