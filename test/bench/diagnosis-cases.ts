import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { EVENT_TYPES } from '../../src/domain/event.ts'

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
  const bytes = readFileSync(file)
  const text = (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString('utf8')
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, index) => {
      const parsed = Case.safeParse(JSON.parse(line))
      if (!parsed.success) throw new Error(`${file}, line ${index + 1}: ${z.prettifyError(parsed.error)}`)
      return parsed.data
    })
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
