import { z } from '@hono/zod-openapi'
import { AppError } from '../domain/errors.ts'
import { EVENT_TYPES, isNameLength, MAX_NAME_LENGTH } from '../domain/event/event.ts'
import { type AnyId, parseId } from '../domain/ids.ts'
import { toStorableText } from '../domain/text.ts'
import { parseTimestamp } from '../domain/timestamp.ts'

/** The ids of the examples in the API's description. */
export const EXAMPLE_IDS = {
  tenant: '6f1c2a54-3f1e-4b57-8c1d-0a4d0f6f9b11',
  ingestKey: '0d9a3c1e-7b52-4a86-9e0f-5c8b1f2d3e44',
  readonlyKey: '7a1e4f90-6c3d-4b28-8d5a-1f9e0c7b2a63',
  integration: 'e4da3b7f-bbce-4234-9777-2b0674a318d5',
  agent: '3b2f8e6a-94c1-4d07-a5be-7f10c2d9e855',
  service: 'c81e728d-9d4c-8f63-8f06-7f89cc14862c',
  incident: '1679091c-5a88-4faf-afb5-e6087eb1b2dc',
  event: 'a87ff679-a2f3-8e71-9181-a67b7542122c',
  maintenance: '8f14e45f-ceea-467a-9a36-dedd4bea2543',
  share: 'c9f0f895-fb98-4ab9-9f51-52aaaf13e3a9',
} as const

export const Uuid = z.uuid()
export const Instant = z.iso.datetime({ precision: 3 })
export const EventTypeName = z.enum(EVENT_TYPES)

const NOT_BLANK = '\\S'

/** A path id. A malformed one is as unknown as any other: the handler answers 404. */
export const IdParams = z.object({
  id: z.string().openapi({ param: { name: 'id', in: 'path', example: EXAMPLE_IDS.service }, format: 'uuid' }),
})

/** A service in a path, by its id or its name. One that there is not is 404, however it is spelt. */
export const ServiceParams = z.object({
  id: z.string().openapi({
    param: { name: 'id', in: 'path', example: 'checkout' },
    description: 'Its id or its name, in any case and with any separators',
  }),
})

/** A required name of a request body. */
export const name = (field: string) =>
  z
    .string({
      error: (issue) => (issue.input === undefined || issue.input === null ? `${field} is required` : `${field} must be a string`),
    })
    .refine((text) => text.trim() !== '', { error: `${field} is required`, abort: true })
    .transform(toStorableText)
    .refine(isNameLength, { error: `${field} must be at most ${MAX_NAME_LENGTH} characters` })
    .openapi({ minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: NOT_BLANK })

/** An optional name: absent, `null` and blank mean the same. */
export const optionalName = (field: string) =>
  z
    .string({ error: `${field} must be a string` })
    .transform(toStorableText)
    .refine(isNameLength, { error: `${field} must be at most ${MAX_NAME_LENGTH} characters` })
    .nullish()
    .transform((text) => (text === undefined || text === null || text.trim() === '' ? null : text))
    .openapi({ maxLength: MAX_NAME_LENGTH })

/** A JSON response's description, with an example. */
export const json = <Schema extends z.ZodType>(schema: Schema, description: string, example: z.input<Schema>) => ({
  description,
  content: { 'application/json': { schema, example } },
})

/** A JSON request body's description, with an example. */
export const jsonBody = <Schema extends z.ZodType>(schema: Schema, example: z.input<Schema>) => ({
  required: true,
  content: { 'application/json': { schema, example } },
})

/** The id a path names; anything that is not one of ours is `not_found`. */
export function getPathId<Id extends AnyId>(text: string, what: string): Id {
  const id = parseId<Id>(text)
  if (id === undefined) throw new AppError('not_found', `no such ${what}`)
  return id
}

/**
 * The instant a query parameter names, if it is there: ISO 8601 in UTC, to the microsecond. Answered times are cut to
 * milliseconds: `last`, the last microsecond of what is named, includes what it was answered for, `first` excludes it.
 * Throws `invalid_request`.
 */
export function readInstant(parameter: string, text: string | undefined, microsecond: 'first' | 'last'): string | undefined {
  // In a query, an offset's unescaped plus sign arrives as a space.
  const parsed = parseTimestamp(text?.replace(/^(\d{4}-\d{2}-\d{2}T\S{1,20}) (\d{2}(?::?\d{2})?)$/, '$1+$2'))
  if (parsed.kind === 'absent') return undefined
  if (parsed.kind === 'instant') return microsecond === 'last' ? parsed.instant.replace(/000Z$/, '999Z') : parsed.instant
  throw invalidParameter(parameter, `${parameter} must be ISO 8601`)
}

/**
 * Where a page of a list that is newest first begins: right after the entry with this id, or before an ISO 8601 instant.
 * Throws `invalid_request`.
 */
export function readPageStart<Id extends AnyId>(before: string | undefined): { entry: Id } | { instant: string } | undefined {
  const entry = before === undefined ? undefined : parseId<Id>(before)
  if (entry !== undefined) return { entry }
  const instant = readInstant('before', before, 'first')
  return instant === undefined ? undefined : { instant }
}

/** The description of a parameter that `readPageStart` reads. */
export const pageStart = (entries: string) =>
  z
    .string()
    .optional()
    .openapi({
      description: `${entries} older than this ISO 8601 time, or, exact where several share a millisecond, than the one with this id`,
      example: '2026-11-22T10:00:00Z',
    })

/** What is wrong with a query parameter. */
export function invalidParameter(parameter: string, detail: string): AppError {
  return new AppError('invalid_request', detail, { fields: [{ pointer: parameter, detail }] })
}

/** How many entries a page has when nobody says, and at most. */
type PageLimits = { readonly usual: number; readonly most: number }

/** The parameter for that. */
export const pageLimit = (what: string, { usual, most }: PageLimits) =>
  z
    .string()
    .optional()
    .openapi({ type: 'integer', minimum: 1, maximum: most, default: usual, description: `${what} a page` })

export const limitRefusal = ({ most }: PageLimits): string => `limit must be a whole number from 1 to ${most}`

/** Reads it; throws `invalid_request`. */
export function readLimit(text: string | undefined, limits: PageLimits): number {
  if (text === undefined || text.trim() === '') return limits.usual
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= limits.most) return limit
  throw invalidParameter('limit', limitRefusal(limits))
}
