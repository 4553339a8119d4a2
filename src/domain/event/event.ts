import type { FieldError } from '../errors.ts'
import { parseTimestamp } from '../timestamp.ts'

export const EVENT_TYPES = [
  'deploy',
  'restart',
  'saturation',
  'flag_change',
  'circuit_open',
  'dependency_failure',
  'config_change',
  'schema_change',
  'scale_event',
] as const

export type EventType = (typeof EVENT_TYPES)[number]

/** Something for each type of event. */
export function byEventType<Value>(make: (type: EventType) => Value): Record<EventType, Value> {
  // The keys are EVENT_TYPES, all of them: what `fromEntries` cannot tell.
  return Object.fromEntries(EVENT_TYPES.map((type) => [type, make(type)])) as Record<EventType, Value>
}

/**
 * What repeats of one change share: type, vendor, entity, values, actor and sha. Two events with the same text have the
 * same change key, and are one entry of a window.
 */
export type ChangeText = {
  readonly eventType: EventType
  readonly vendor: string
  readonly entity: string
  readonly oldValue: string | null
  readonly newValue: string | null
  readonly actor: string | null
  readonly sha: string | null
}

/** A context event as its agent meant it: text made storable, absent fields `null`, the timestamp resolved to UTC. */
export type ContextEvent = ChangeText & {
  readonly serviceName: string
  /** In (0, 1]. */
  readonly confidence: number
  readonly ttlSeconds: number
  /** As sent; `null` when absent or blank. Part of the deduplication key. */
  readonly sentTimestamp: string | null
  /** UTC, microseconds; `null` means the time of receipt. */
  readonly occurredAt: string | null
  readonly rawLine: string | null
}

export type ParsedEvent =
  | { readonly ok: true; readonly event: ContextEvent; readonly warning: string | undefined }
  | { readonly ok: false; readonly fields: readonly [FieldError, ...FieldError[]] }

export const MAX_NAME_LENGTH = 512
export const MAX_TTL_SECONDS = 31_536_000
export const MAX_SHOWN_LENGTH = 1_024
export const MAX_BATCH_EVENTS = 500

const UNSTORABLE = /\0/g

/** The text with U+0000 and lone surrogates, which no store accepts, replaced by U+FFFD. */
export function toStorableText(text: string): string {
  return text.replace(UNSTORABLE, '\uFFFD').toWellFormed()
}

const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\p{DI}]+/gu

/** The text on one line, with a blank for what nobody sees: controls, marks of direction, what has no width. */
export function toPrintable(text: string): string {
  return text.replace(UNPRINTABLE, ' ')
}

/** At most 1,024 characters (code points) of a value, which is stored whole. */
export function toShownValue(value: string): string
export function toShownValue(value: string | null): string | null
export function toShownValue(value: string | null): string | null {
  if (value === null || value.length <= MAX_SHOWN_LENGTH) return value
  return Array.from(value.slice(0, 2 * MAX_SHOWN_LENGTH))
    .slice(0, MAX_SHOWN_LENGTH)
    .join('')
}

/** Reads one event of a request body. Errors come in the order in which the contract lists them. */
export function parseEvent(input: unknown): ParsedEvent {
  if (!isObject(input)) return { ok: false, fields: [{ pointer: '', detail: 'request body must be valid JSON' }] }

  const reader = createReader(input)
  const [serviceName, vendor, entity] = reader.required(['service_name', 'vendor', 'entity'])
  const eventType = reader.eventType()
  const confidence = reader.confidence()
  const ttlSeconds = reader.ttlSeconds()
  const timestamp = parseTimestamp(input['timestamp'])
  if (timestamp.kind === 'invalid') reader.reject('timestamp', 'timestamp must be ISO 8601')
  const [oldValue, newValue, rawLine] = [reader.optional('old_value'), reader.optional('new_value'), reader.optional('raw_line')]
  const [actor, sha] = [reader.optional('actor', MAX_NAME_LENGTH), reader.optional('sha', MAX_NAME_LENGTH)]

  const [first, ...rest] = reader.errors
  if (first) return { ok: false, fields: [first, ...rest] }
  const event = {
    serviceName,
    vendor,
    entity,
    eventType,
    oldValue,
    newValue,
    actor,
    sha,
    confidence,
    ttlSeconds,
    sentTimestamp: timestamp.kind === 'absent' ? null : toStorableText(String(input['timestamp']).trim()),
    occurredAt: timestamp.kind === 'instant' ? timestamp.instant : null,
    rawLine,
  }
  const warning = timestamp.kind === 'unknown_zone' ? `unknown time zone "${timestamp.zone}": receipt time was used` : undefined
  return { ok: true, event, warning }
}

/**
 * What makes two deliveries the same event, for one API key: service, vendor, entity, type, values, timestamp and raw
 * line. `undefined` without a timestamp: then two equal events are two events.
 */
export function deduplicationKey(event: ContextEvent): string | undefined {
  if (event.sentTimestamp === null) return undefined
  return JSON.stringify([
    event.serviceName,
    event.vendor,
    event.entity,
    event.eventType,
    event.oldValue,
    event.newValue,
    event.actor,
    event.sha,
    event.sentTimestamp,
    event.rawLine,
  ])
}

const HEX = /\b[0-9a-f]{6,}(?:-[0-9a-f]{4,})*\b/gi
const HEX_RUN = /[0-9a-f-]*/iy
const LAST_DIGIT = /\d\D*$/
const NUMBERS = /\d+(?:[.,]\d+)*/g
const MAX_VALUE_CLASS_LENGTH = 128

/** What tells an id from a word is a digit in it, or after it among more hex digits and hyphens. Each run of those is read once. */
function withoutIds(text: string): string {
  let [lastDigit, runEnd] = [-1, 0]
  return text.replace(HEX, (hex, at: number) => {
    if (at >= runEnd) {
      HEX_RUN.lastIndex = at
      const run = HEX_RUN.exec(text)?.[0] ?? ''
      lastDigit = at + run.search(LAST_DIGIT)
      runEnd = at + run.length
    }
    return lastDigit >= at ? '#' : hex
  })
}

/** A value without its numbers and ids, so that `slow_query:812ms` and `slow_query:4521.2ms` count as the same thing. */
export function toValueClass(value: string | null): string {
  if (value === null) return ''
  const shown = value.slice(0, 4 * MAX_VALUE_CLASS_LENGTH)
  const classified = withoutIds(shown).replace(NUMBERS, '#').slice(0, MAX_VALUE_CLASS_LENGTH)
  return classified.toWellFormed()
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function createReader(input: Readonly<Record<string, unknown>>) {
  const errors: FieldError[] = []
  const reject = (field: string, detail: string) => void errors.push({ pointer: `/${field}`, detail })

  const checkLength = (field: string, text: string, maxLength: number) => {
    if (text.length > maxLength && Array.from(text).length > maxLength) {
      reject(field, `${field} must be at most ${maxLength} characters`)
    }
  }

  return {
    errors,
    reject,

    required(fields: readonly [string, string, string]): [string, string, string] {
      const read = (field: string): string => {
        const value = input[field]
        if (value === undefined || value === null || (typeof value === 'string' && value.trim() === '')) {
          reject(field, 'service_name, vendor, and entity are required')
          return ''
        }
        if (typeof value !== 'string') {
          reject(field, `${field} must be a string`)
          return ''
        }
        const text = toStorableText(value)
        checkLength(field, text, MAX_NAME_LENGTH)
        return text
      }
      return [read(fields[0]), read(fields[1]), read(fields[2])]
    },

    /** Agents leave an empty field out; one that sends `""` or `null` means the same. */
    optional(field: string, maxLength?: number): string | null {
      const value = input[field]
      if (value === undefined || value === null || value === '') return null
      if (typeof value !== 'string') {
        reject(field, `${field} must be a string`)
        return null
      }
      const text = toStorableText(value)
      if (maxLength !== undefined) checkLength(field, text, maxLength)
      return text
    },

    eventType(): EventType {
      const value = input['event_type']
      const known = EVENT_TYPES.find((type) => type === value)
      if (known) return known
      const isMissing = value === undefined || value === null || (typeof value === 'string' && value.trim() === '')
      reject('event_type', isMissing ? 'event_type is required' : `event_type must be one of ${EVENT_TYPES.join(', ')}`)
      return 'deploy'
    },

    confidence(): number {
      const value = input['confidence']
      if (typeof value === 'number' && value > 0 && value <= 1) return value
      reject('confidence', 'confidence must be between 0 and 1')
      return 1
    },

    ttlSeconds(): number {
      const value = input['ttl_seconds']
      if (typeof value !== 'number' || !Number.isInteger(value) || value <= 0) {
        reject('ttl_seconds', 'ttl_seconds must be positive')
        return 1
      }
      if (value > MAX_TTL_SECONDS) reject('ttl_seconds', `ttl_seconds must be at most ${MAX_TTL_SECONDS} (one year)`)
      return value
    },
  }
}
