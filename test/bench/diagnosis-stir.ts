import { isDeepStrictEqual } from 'node:util'
import type { Case, CaseEvent } from './diagnosis-cases.ts'
import { type Answer, isAsOnRecord } from './diagnosis-metrics.ts'
import { formatTable } from './diagnosis-table.ts'

type Saying = Pick<CaseEvent, 'event_type' | 'vendor' | 'entity' | 'old_value' | 'new_value'>

/** No case tells of them. */
const STRANGER = 'greenhouse'
const UNKNOWN_CALLEE = 'weathervane'

const OWNERS = [
  { owner: 'own', toService: ({ alert }: Case) => alert.service },
  { owner: 'stranger', toService: () => STRANGER },
] as const

const KINDS: Readonly<Record<string, (service: string) => Saying>> = {
  warning: (entity) => ({ event_type: 'saturation', vendor: 'generic', entity, new_value: 'WARN queue depth 812' }),
  restart: (service) => ({
    event_type: 'restart',
    vendor: 'kubernetes',
    entity: `pod/${service}-6d4f7c9b8-mt2xz`,
    old_value: 'exit_code=1',
    new_value: 'CrashLoopBackOff',
  }),
  error: (entity) => ({
    event_type: 'dependency_failure',
    vendor: 'pino',
    entity,
    new_value: "TypeError: Cannot read properties of undefined (reading 'meta')",
  }),
  call: (entity) => ({
    event_type: 'dependency_failure',
    vendor: 'pino',
    entity,
    new_value: `Error: connect ECONNREFUSED ${UNKNOWN_CALLEE}:8080`,
  }),
}

const MINUTES = [15, 30, 60, 180] as const
const MINUTE_MS = 60_000
/** It outlasts the look. */
const TTL_SECONDS = 86_400

type Pair = { readonly before: Answer; readonly after: Answer }

/** What one event more, so many minutes before the alert, did to the answers to `n` cases. */
export type StirRow = {
  readonly event: string
  readonly minutes: number
  readonly n: number
  readonly changed: number
  /** Those that changed. */
  readonly otherFirst: number
  readonly noLongerNamed: number
  readonly newlyNamed: number
  /** Answers that were right before, and those of them that no longer are. */
  readonly right: number
  readonly lost: number
}

/**
 * Adds to each case one old event that should change nothing, of the alerting service itself or of a stranger, and compares
 * the answers. An alert that tells no service has no event of its own.
 */
export function stirCases(cases: readonly Case[], toAnswer: (each: Case) => Answer): readonly StirRow[] {
  const given = cases.map(toAnswer)
  return OWNERS.flatMap(({ owner, toService }) =>
    Object.entries(KINDS).flatMap(([kind, say]) =>
      MINUTES.map((minutes) => {
        const pairs = given.flatMap((before): readonly Pair[] => {
          const service = toService(before.each)
          return service === null ? [] : [{ before, after: toAnswer(stir(before.each, service, say, minutes)) }]
        })
        return toRow(`${owner} ${kind}`, minutes, pairs)
      }),
    ),
  )
}

function stir(each: Case, service: string, say: (service: string) => Saying, minutes: number): Case {
  const timestamp = each.alert.triggered_at - minutes * MINUTE_MS
  const added: CaseEvent = { ...say(service), service_name: service, timestamp, confidence: 0.9, ttl_seconds: TTL_SECONDS }
  return { ...each, events: [...each.events, added].toSorted((a, b) => a.timestamp - b.timestamp) }
}

function toRow(event: string, minutes: number, pairs: readonly Pair[]): StirRow {
  const changed = pairs.filter(({ before, after }) => !isDeepStrictEqual(toNamed(before), toNamed(after)))
  const right = pairs.filter(({ before }) => isAsOnRecord(before))
  return {
    event,
    minutes,
    n: pairs.length,
    changed: changed.length,
    otherFirst: changed.filter(({ before, after }) => !before.abstained && !after.abstained).length,
    noLongerNamed: changed.filter(({ after }) => after.abstained).length,
    newlyNamed: changed.filter(({ before }) => before.abstained).length,
    right: right.length,
    lost: right.filter(({ after }) => !isAsOnRecord(after)).length,
  }
}

function toNamed({ ranked: [service], changes: [lead], abstained }: Answer) {
  return abstained ? undefined : { service, lead }
}

/** Rows as a table, and what they come to. */
export function formatStirRows(rows: readonly StirRow[]): string {
  const sumOf = (name: 'n' | 'changed' | 'right' | 'lost') => rows.reduce((sum, row) => sum + row[name], 0)
  const table = formatTable([
    ['event added', 'before', 'answers that change', 'another first', 'named → not', 'not → named', 'right ones lost'],
    ...rows.map(({ event, minutes, n, changed, otherFirst, noLongerNamed, newlyNamed, right, lost }) => [
      event,
      `${minutes} min`,
      `${changed} of ${n}`,
      ...[otherFirst, noLongerNamed, newlyNamed].map(String),
      `${lost} of ${right}`,
    ]),
  ])
  return `${table}\n\nanswers that change: ${sumOf('changed')} of ${sumOf('n')}, right ones lost: ${sumOf('lost')} of ${sumOf('right')}`
}
