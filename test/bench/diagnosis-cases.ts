import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { EVENT_TYPES } from '../../src/domain/event/event.ts'
import { UsageError } from './usage-error.ts'

const Instant = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))

const CaseEvent = z.object({
  event_type: z.enum(EVENT_TYPES),
  vendor: z.string(),
  service_name: z.string(),
  entity: z.string(),
  old_value: z.string().nullish(),
  new_value: z.string().nullish(),
  actor: z.string().nullish(),
  sha: z.string().nullish(),
  timestamp: Instant,
  confidence: z.number(),
  ttl_seconds: z.number(),
  count: z.number().int().positive().nullish(),
})

const Case = z.object({
  id: z.string(),
  alert: z.object({ service: z.string().nullable(), triggered_at: Instant, title: z.string().nullish() }),
  observed_until: Instant,
  dependencies: z.array(z.tuple([z.string(), z.string()])),
  events: z.array(CaseEvent),
  truth: z.object({ service: z.string() }).loose().nullable(),
})

/** An event of a case; `timestamp` in milliseconds since 1970, `count` the occurrences it stands for. */
export type CaseEvent = z.infer<typeof CaseEvent>

export type Case = z.infer<typeof Case>

/** The cases of a file of JSON lines, plain or gzip. */
export function readCases(file: string): readonly Case[] {
  const lines = readText(file)
    .split('\n')
    .map((line, index) => ({ line, place: `${file}, line ${index + 1}` }))
    .filter(({ line }) => line.trim() !== '')
  if (lines.length === 0) throw new UsageError(`no cases in ${JSON.stringify(file)}`)
  return lines.map(({ line, place }) => {
    const parsed = Case.safeParse(parseJson(line, place))
    if (parsed.success) return parsed.data
    const issues = parsed.error.issues.map(({ path, message }) => [path.join('.'), message].filter((part) => part !== '').join(': '))
    throw new UsageError(`${place}: ${issues.slice(0, 3).join('; ')}${issues.length > 3 ? ` and ${issues.length - 3} more` : ''}`)
  })
}

function readText(file: string): string {
  try {
    const bytes = readFileSync(file)
    return (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString('utf8')
  } catch (error) {
    throw new UsageError(`cannot read ${JSON.stringify(file)}: ${error instanceof Error ? error.message : error}`)
  }
}

function parseJson(line: string, place: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new UsageError(`${place}: ${error instanceof Error ? error.message.replace(/ \(line 1 column \d+\)$/, '') : error}`)
  }
}

/** The set a case belongs to: the first part of its id. */
export function toSet({ id }: Case): string {
  return id.split('/')[0] ?? id
}

/** The set and the alert's view of it, such as `change frontend+120`; `component` has one view only. */
export function toView(each: Case): string {
  const [set, , view] = each.id.split('/')
  return set === 'component' || view === undefined ? toSet(each) : `${set} ${view}`
}

/** What the views of one incident share. */
export function toIncident(each: Case): string {
  const parts = each.id.split('/')
  return toSet(each) === 'component' ? each.id : (parts[1] ?? each.id)
}

/** Cases of one system count as one tenant: they share their dependencies. */
export function toSystem({ dependencies }: Case): string {
  return JSON.stringify(dependencies.map((edge) => edge.join('>')).toSorted())
}
