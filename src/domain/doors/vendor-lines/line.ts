import type { EventType } from '../../event/event.ts'
import type { Attributes } from '../otlp-record.ts'

/** A log line as a vendor's rules read it. */
export type LogLine = {
  /** At most 8 KiB: no rule reads further. */
  readonly text: string
  /** The line as JSON, whole, where it is an object. */
  readonly json: unknown
  readonly attributes: Attributes
  /** OpenTelemetry's severity, 1 to 24. */
  readonly severity: number | undefined
}

/** What a line means. `service` names its producer where the line does; `entity` is left out where it is the service. */
export type LineEvent = {
  readonly type: EventType
  readonly vendor: string
  /** Whose request the line tells of, whoever wrote it. */
  readonly client?: string | undefined
  readonly service?: string | undefined
  readonly entity?: string | undefined
  readonly old?: string | undefined
  readonly new: string
  readonly actor?: string | undefined
  readonly sha?: string | undefined
  readonly confidence: number
  readonly ttlSeconds: number
  /** As the line spells it. */
  readonly timestamp?: string | undefined
}

/** `foreign`: not this vendor's line. `quiet`: it is, and tells nothing. */
export type LineVerdict = LineEvent | 'foreign' | 'quiet'

const MAX_ERROR_BYTES = 80

/** The first 80 bytes, as the agents cut: a character in two ends in U+FFFD. */
export function cutError(text: string): string {
  const bytes = new TextEncoder().encode(text.slice(0, MAX_ERROR_BYTES))
  return new TextDecoder().decode(bytes.subarray(0, MAX_ERROR_BYTES))
}
