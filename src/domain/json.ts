import { AppError } from './errors.ts'

type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A field of what may be an object; `undefined` when there is none. What an object inherits is no field of it. */
export function field(value: unknown, name: string): unknown {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
}

/** What a text says as JSON; `undefined` when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Tells whether a value, as JSON was parsed, is of a type. */
export type Guard<Value> = (value: unknown) => value is Value

export const isText: Guard<string> = (value) => typeof value === 'string'

export const isNumber: Guard<number> = (value) => typeof value === 'number'

export const isFlag: Guard<boolean> = (value) => typeof value === 'boolean'

/** A time as ISO 8601 that a `Date` can be made of. */
export const isInstant: Guard<string> = (value): value is string => isText(value) && !Number.isNaN(Date.parse(value))

export const orNull =
  <Value>(is: Guard<Value>): Guard<Value | null> =>
  (value): value is Value | null =>
    value === null || is(value)

/** For a field that documents of earlier releases do not have. */
export const orAbsent =
  <Value>(is: Guard<Value>): Guard<Value | undefined> =>
  (value): value is Value | undefined =>
    value === undefined || is(value)

export const isOneOf =
  <Value>(values: readonly Value[]): Guard<Value> =>
  (value): value is Value =>
    values.some((each) => each === value)

export const isListOf =
  <Value>(is: Guard<Value>): Guard<readonly Value[]> =>
  (value): value is readonly Value[] =>
    Array.isArray(value) && value.every(is)

/** Guards for every field of a type, so that a field that is renamed or added is asked for here. Others may stand beside them. */
export type Fields<Value> = { readonly [Name in keyof Value]-?: Guard<Value[Name]> }

export const isObjectOf =
  <Value extends object>(fields: Fields<Value>): Guard<Value> =>
  (value): value is Value =>
    isObject(value) && Object.entries<Guard<unknown>>(fields).every(([name, is]) => is(value[name]))

/** The version that documents are stored in, and the only one there is so far: rows from before say none. */
export const STORED_VERSION = 1

/** The text of a document as it is stored: its version, and then what it says. */
export function writeStored(document: object): string {
  return JSON.stringify({ v: STORED_VERSION, ...document })
}

/**
 * What a stored document says. Throws `unavailable` for one that a later release has stored, as there may be after a
 * roll-back; what is no such document at all is a bug.
 */
export function readStored<Value extends object>(kind: string, stored: unknown, is: Guard<Value>): Value {
  if (!isObject(stored)) throw new Error(`a stored ${kind} is no JSON object`)
  const { v = STORED_VERSION, ...document } = stored
  if (v !== STORED_VERSION) {
    const version = isNumber(v) ? ` ${v}` : ''
    throw new AppError('unavailable', `this ${kind} was stored in a form${version} that this release cannot read: upgrade it`)
  }
  if (!is(document)) throw new Error(`a stored ${kind} of version ${STORED_VERSION} is not of its form`)
  return document
}
