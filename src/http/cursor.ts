import { AppError } from '../domain/errors.ts'
import { type EventId, parseId } from '../domain/ids.ts'
import type { LogPosition } from '../store/event-log.ts'

const CURSOR = /^(\d{1,17})\.([0-9a-f-]{36})$/

/** A place in an agent's log as callers carry it, without knowing what it says. */
export function toCursor({ receivedAtUs, id }: LogPosition): string {
  return btoa(`${receivedAtUs}.${id}`).replaceAll('=', '')
}

/** The place a cursor stands for; throws `invalid_request` for one that is not ours. */
export function readCursor(cursor: string): LogPosition {
  const [, receivedAtUs, id] = CURSOR.exec(decodeBase64(cursor)) ?? []
  const eventId = parseId<EventId>(id ?? '')
  if (receivedAtUs !== undefined && eventId !== undefined) return { receivedAtUs, id: eventId }
  const detail = 'cursor must be a next_cursor of an earlier page'
  throw new AppError('invalid_request', detail, { fields: [{ pointer: 'cursor', detail }] })
}

function decodeBase64(text: string): string {
  try {
    return atob(text)
  } catch {
    return ''
  }
}
