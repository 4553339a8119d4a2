import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
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

const CaseCounts = z.object({
  hours_observed: z.number().nonnegative(),
  kinds: z.array(
    z.object({
      service: z.string(),
      vendor: z.string(),
      event_type: z.enum(EVENT_TYPES),
      value_class: z.string(),
      count: z.number().int().nonnegative(),
      hours: z.number().int().nonnegative(),
    }),
  ),
})

const Case = z.object({
  id: z.string(),
  alert: z.object({ service: z.string().nullable(), triggered_at: Instant, title: z.string().nullish() }),
  observed_until: Instant,
  dependencies: z.array(z.tuple([z.string(), z.string()])),
  events: z.array(CaseEvent),
  truth: z
    .object({ service: z.string(), event_type: z.string().optional(), sha: z.string().optional(), event_sha: z.string().optional() })
    .loose()
    .nullable(),
  /** Other services that are right, too. */
  accept: z.array(z.string()).nullish(),
  /** What is usual at its services, by hourly counts: its own history, never another case's. */
  counts: CaseCounts.nullish(),
})

/** An event of a case; `timestamp` in milliseconds since 1970, `count` the occurrences it stands for. */
export type CaseEvent = z.infer<typeof CaseEvent>

/** `other`: the service at fault in an incident that was merged into it. */
export type Case = z.infer<typeof Case> & { readonly other?: string }

/** The files of cases among paths: those of a folder, in the order of their names, and files as they are named. */
export function listFiles(paths: readonly string[]): readonly string[] {
  return paths.flatMap((path) => {
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path]
    const files = readdirSync(path)
      .filter((name) => /\.jsonl(?:\.gz)?$/.test(name))
      .toSorted()
    if (files.length === 0) throw new UsageError(`no *.jsonl or *.jsonl.gz in ${JSON.stringify(path)}`)
    return files.map((name) => join(path, name))
  })
}

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
  if (set === 'component' || view === undefined) return toSet(each)
  return set === 'petshop' || set === 'petshop-bg' ? `${set} ${view.replace(/^.*\+/, '+')}` : `${set} ${view}`
}

/** What the views of one incident share. */
export function toIncident(each: Case): string {
  const parts = each.id.split('/')
  return toSet(each) === 'component' ? each.id : (parts[1] ?? each.id)
}

/** Cases of one system: they share their dependencies, and may be merged. */
export function toSystem({ dependencies }: Case): string {
  return JSON.stringify(dependencies.map((edge) => edge.join('>')).toSorted())
}

/** Where a case comes from, whatever was done to it. */
export function toSource(each: Case): string {
  const set = toSet(each).replace(/-bg$/, '')
  if (set === 'change' || set === 'abstain') return 'testbed'
  return set === 'missing' ? 'generated' : set
}
