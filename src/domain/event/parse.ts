import type { FieldError } from '../errors.ts'
import { isListOf, isObject, isText } from '../json.ts'
import { isBlank, toStorableText } from '../text.ts'
import { isZeroTime, type ParsedTimestamp, parseTimestamp } from '../timestamp.ts'
import { MAX_ENVIRONMENT_LENGTH, toEnvironment } from './environment.ts'
import {
  type ContextEvent,
  deduplicationKey,
  EVENT_TYPES,
  type EventDetails,
  type EventType,
  MAX_DETAILS_BYTES,
  MAX_NAME_LENGTH,
  MAX_TTL_SECONDS,
  MAX_URL_LENGTH,
} from './event.ts'
import { findOwnKeys, type KeepingPolicy, redactEvent, redactText, toKeptName } from './redact.ts'

export type ParsedEvent =
  | {
      readonly ok: true
      /** As it is kept. */
      readonly event: ContextEvent
      /** What it is known by when it is sent again: by its text as sent, whatever is kept of that. */
      readonly content: string | undefined
      /** Texts in it that look like API keys of ours. */
      readonly exposedKeys: readonly string[]
      readonly warning: string | undefined
    }
  | { readonly ok: false; readonly fields: readonly [FieldError, ...FieldError[]] }

const CAUTIOUS: KeepingPolicy = { redacts: true, keepsRawLines: true }

/** Reads one event of a request body. Errors come in the order in which the contract lists them. */
export function parseEvent(input: unknown, policy = CAUTIOUS): ParsedEvent {
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
  const environment = reader.optional('environment', MAX_ENVIRONMENT_LENGTH)
  const [url, details] = [reader.url(), reader.details()]

  const [first, ...rest] = reader.errors
  if (first) return { ok: false, fields: [first, ...rest] }
  const isZero = timestamp.kind === 'instant' && isZeroTime(timestamp.instant)
  const event: ContextEvent = {
    serviceName,
    vendor,
    entity,
    eventType,
    oldValue,
    newValue,
    actor,
    sha,
    environment: environment === null ? null : toEnvironment(environment),
    url,
    details,
    confidence,
    ttlSeconds,
    sentTimestamp: timestamp.kind === 'absent' || isZero ? null : toStorableText(String(input['timestamp']).trim()),
    occurredAt: timestamp.kind === 'instant' && !isZero ? timestamp.instant : null,
    rawLine,
  }
  const warning = isZero ? 'zero timestamp: receipt time was used' : toZoneWarning(timestamp)
  return { ok: true, event: toKept(event, policy), content: deduplicationKey(event), exposedKeys: findExposedKeys(event), warning }
}

function toKept(event: ContextEvent, policy: KeepingPolicy): ContextEvent {
  const { redacts, keepsRawLines } = policy
  const kept = keepsRawLines ? event : { ...event, rawLine: null }
  return redacts
    ? { ...redactEvent(kept), ...redactLinks(kept), environment: kept.environment && toKeptName(kept.environment, policy) }
    : kept
}

function redactLinks({ url, details }: ContextEvent): Pick<ContextEvent, 'url' | 'details'> {
  if (details === null) return { url: url === null ? null : redactText(url), details }
  const { title, files, keys } = details
  return {
    url: url === null ? null : redactText(url),
    details: {
      ...(title === undefined ? {} : { title: redactText(title) }),
      ...(files === undefined ? {} : { files: files.map(redactText) }),
      ...(keys === undefined ? {} : { keys: keys.map(redactText) }),
    },
  }
}

function findExposedKeys({
  serviceName,
  vendor,
  entity,
  oldValue,
  newValue,
  actor,
  sha,
  rawLine,
  environment,
  url,
  details,
}: ContextEvent): readonly string[] {
  const texts = [serviceName, vendor, entity, oldValue, newValue, actor, sha, rawLine, environment, url, details && JSON.stringify(details)]
  return texts.flatMap((text) => (text === null ? [] : findOwnKeys(text)))
}

function toZoneWarning(timestamp: ParsedTimestamp): string | undefined {
  return timestamp.kind === 'unknown_zone' ? `unknown time zone "${timestamp.zone}": receipt time was used` : undefined
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
        if (value === undefined || value === null || (typeof value === 'string' && isBlank(toStorableText(value)))) {
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

    url(): string | null {
      const text = this.optional('url')?.trim()
      if (text === undefined || text === '') return null
      const { protocol, href } = URL.canParse(text) ? new URL(text) : { protocol: '', href: '' }
      if (protocol !== 'https:') reject('url', 'url must be an https address')
      else if (text.length > MAX_URL_LENGTH || href.length > MAX_URL_LENGTH)
        reject('url', `url must be at most ${MAX_URL_LENGTH} characters`)
      return href
    },

    details(): EventDetails | null {
      const value = input['details']
      if (value === undefined || value === null) return null
      const details = toDetails(value)
      if (details === undefined) {
        reject('details', 'details must be an object with a title, a list of files or a list of keys')
        return null
      }
      if (new TextEncoder().encode(JSON.stringify(details)).byteLength > MAX_DETAILS_BYTES) {
        reject('details', `details must be at most ${MAX_DETAILS_BYTES} bytes`)
      }
      return Object.keys(details).length === 0 ? null : details
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

/** The details that a value holds; `undefined` for what is of another form. Empty parts are left out. */
function toDetails(value: unknown): EventDetails | undefined {
  if (!isObject(value)) return undefined
  const [title, files, keys] = [value['title'] ?? '', value['files'] ?? [], value['keys'] ?? []]
  if (!isText(title) || !isTexts(files) || !isTexts(keys)) return undefined
  return {
    ...(title === '' ? {} : { title: toStorableText(title) }),
    ...(files.length === 0 ? {} : { files: files.map(toStorableText) }),
    ...(keys.length === 0 ? {} : { keys: keys.map(toStorableText) }),
  }
}

const isTexts = isListOf(isText)
