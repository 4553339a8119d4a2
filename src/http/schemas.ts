import { z } from '@hono/zod-openapi'
import { AppError } from '../domain/errors.ts'
import { EVENT_TYPES, MAX_NAME_LENGTH, toStorableText } from '../domain/event.ts'
import { type AnyId, parseId } from '../domain/ids.ts'
import { parseTimestamp } from '../domain/timestamp.ts'

export const Uuid = z.uuid()
export const Instant = z.iso.datetime({ precision: 3 })
export const EventTypeName = z.enum(EVENT_TYPES)

/** A path id. A malformed one is as unknown as any other: the handler answers 404. */
export const IdParams = z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' }, format: 'uuid' }) })

/** A required name of a request body. */
export const name = (field: string) =>
  z
    .string({
      error: (issue) => (issue.input === undefined || issue.input === null ? `${field} is required` : `${field} must be a string`),
    })
    .refine((text) => text.trim() !== '', { error: `${field} is required`, abort: true })
    .transform(toStorableText)
    .refine((text) => Array.from(text).length <= MAX_NAME_LENGTH, { error: `${field} must be at most ${MAX_NAME_LENGTH} characters` })

/** An optional name: absent, `null` and blank mean the same. */
export const optionalName = (field: string) =>
  z
    .string({ error: `${field} must be a string` })
    .transform(toStorableText)
    .refine((text) => Array.from(text).length <= MAX_NAME_LENGTH, { error: `${field} must be at most ${MAX_NAME_LENGTH} characters` })
    .nullish()
    .transform((text) => (text === undefined || text === null || text.trim() === '' ? null : text))

/** A JSON response's description. */
export const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})

/** The id a path names; anything that is not one of ours is `not_found`. */
export function getPathId<Id extends AnyId>(text: string, what: string): Id {
  const id = parseId<Id>(text)
  if (id === undefined) throw new AppError('not_found', `no such ${what}`)
  return id
}

/**
 * The instant a query parameter names, if it is there: ISO 8601 in UTC, the last microsecond of what it names, so that an
 * answered time, which is cut to milliseconds, includes what it was answered for. Throws `invalid_request`.
 */
export function readInstant(parameter: string, text: string | undefined): string | undefined {
  // In a query, an offset's unescaped plus sign arrives as a space.
  const parsed = parseTimestamp(text?.replace(/(T.*) (\d{2}(?::?\d{2})?)$/, '$1+$2'))
  if (parsed.kind === 'absent') return undefined
  if (parsed.kind === 'instant') return parsed.instant.replace(/000Z$/, '999Z')
  const detail = `${parameter} must be ISO 8601`
  throw new AppError('invalid_request', detail, { fields: [{ pointer: parameter, detail }] })
}
