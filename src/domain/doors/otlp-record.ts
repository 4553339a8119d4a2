import { at, listAt, toText } from './reading.ts'

/** Attributes by name, unwrapped. */
export type Attributes = ReadonlyMap<string, unknown>

/** One log record, in no encoding's shape any more. */
export type LogRecord = {
  readonly resource: Attributes
  readonly attributes: Attributes
  readonly eventName: string | undefined
  readonly body: unknown
  /** 1 to 24; `undefined` where none is told. */
  readonly severity: number | undefined
  /** When it happened, else when it was seen: ISO 8601 UTC, microseconds. */
  readonly time: string | undefined
}

const MAX_DEPTH = 64
const NANOSECONDS = /^\d{10,20}$/
const SEVERITIES: ReadonlyMap<string, number> = new Map([
  ['trace', 1],
  ['debug', 5],
  ['info', 9],
  ['warn', 13],
  ['warning', 13],
  ['error', 17],
  ['fatal', 21],
])

/**
 * The records of an `ExportLogsServiceRequest` in OTLP/JSON, whose names may be in snake case as proto3's mapping allows; one
 * at a time, as there may be hundreds of thousands.
 */
export function* readRecords(body: unknown): Generator<LogRecord> {
  for (const group of either(body, 'resourceLogs', 'resource_logs')) {
    const resource = readAttributes(at(group, 'resource'))
    for (const scope of either(group, 'scopeLogs', 'scope_logs')) {
      for (const record of either(scope, 'logRecords', 'log_records')) yield readRecord(record, resource)
    }
  }
}

function readRecord(record: unknown, resource: Attributes): LogRecord {
  const attributes = readAttributes(record)
  const name = either1(record, 'eventName', 'event_name') || attributes.get('event.name')
  return {
    resource,
    attributes,
    eventName: toText(name, 128),
    body: unwrap(at(record, 'body'), 0),
    severity: readSeverity(record),
    time:
      toTime(either1(record, 'timeUnixNano', 'time_unix_nano')) ??
      toTime(either1(record, 'observedTimeUnixNano', 'observed_time_unix_nano')),
  }
}

function readSeverity(record: unknown): number | undefined {
  const told = either1(record, 'severityNumber', 'severity_number')
  const number = typeof told === 'number' || typeof told === 'string' ? Number(told) : 0
  if (Number.isInteger(number) && number >= 1 && number <= 24) return number
  const text = either1(record, 'severityText', 'severity_text')
  return typeof text === 'string' ? SEVERITIES.get(text.trim().toLowerCase()) : undefined
}

/** Nanoseconds since 1970 as a text, or as a number that has lost a few. */
function toTime(value: unknown): string | undefined {
  const text = typeof value === 'number' ? value.toString() : value
  if (typeof text !== 'string' || !NANOSECONDS.test(text)) return undefined
  const seconds = Number(text.slice(0, -9))
  if (seconds < 31_536_000 || seconds > 253_402_300_799) return undefined
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19)}.${text.slice(-9, -3)}Z`
}

function readAttributes(holder: unknown): Attributes {
  return new Map(
    listAt(holder, 'attributes').flatMap((pair) => {
      const key = at(pair, 'key')
      return typeof key === 'string' ? [[key, unwrap(at(pair, 'value'), 0)] as const] : []
    }),
  )
}

/** An `AnyValue` as plain data. Integers come as texts or numbers, bytes as base64: both stay as they are. */
function unwrap(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return undefined
  const text = either1(value, 'stringValue', 'string_value')
  if (typeof text === 'string') return text
  const scalar =
    either1(value, 'boolValue', 'bool_value') ??
    either1(value, 'intValue', 'int_value') ??
    either1(value, 'doubleValue', 'double_value') ??
    either1(value, 'bytesValue', 'bytes_value')
  if (scalar !== undefined) return typeof scalar === 'object' ? undefined : scalar
  const list = either1(value, 'arrayValue', 'array_value')
  if (list !== undefined) return listAt(list, 'values').map((item) => unwrap(item, depth + 1))
  const map = either1(value, 'kvlistValue', 'kvlist_value')
  if (map === undefined) return undefined
  return Object.fromEntries(
    listAt(map, 'values').map((pair) => [String(toText(at(pair, 'key'), 512)), unwrap(at(pair, 'value'), depth + 1)]),
  )
}

function either(value: unknown, camelCase: string, snakeCase: string): readonly unknown[] {
  const list = either1(value, camelCase, snakeCase)
  return Array.isArray(list) ? list : []
}

const either1 = (value: unknown, camelCase: string, snakeCase: string) => at(value, camelCase) ?? at(value, snakeCase) ?? undefined
