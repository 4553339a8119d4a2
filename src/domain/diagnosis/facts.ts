import { compareText } from '../compare.ts'
import { isEvaluationVendor } from '../event/flag.ts'
import { toNameKey } from '../event/service-name.ts'
import { type KnownServices, toCalleeKey } from '../graph/callee.ts'
import { type Adjacency, toAdjacency } from '../graph/service-graph.ts'
import { MUCH_MORE } from '../window/burst.ts'
import { findChanges } from './candidates.ts'
import { compareTimes, readInput } from './input.ts'
import { type Mentions, toMentions } from './mentions.ts'
import type { Change, DiagnosisInput, Item, Observation, Span } from './model.ts'
import {
  EVICTED,
  isBroken,
  isJustBefore,
  isOffNode,
  isOfInfrastructure,
  isOfNode,
  isStore,
  isStrain,
  MIN_TOGETHER,
  STORES,
} from './trouble.ts'
import { type Habits, toHabits } from './usual.ts'

/** Callers load the windows of `servicesToRead` as far from the alerting service. */
export const MAX_HOPS = 4

/** What a diagnosis reasons from: who reaches whom, what fails, and what was changed. */
export type Facts = {
  readonly names: KnownServices
  readonly adjacency: Adjacency
  readonly alertKey: string | null
  /** Hops from the alerting service, itself included; empty without one. */
  readonly hops: ReadonlyMap<string, number>
  /** Its direct callers. */
  readonly callers: ReadonlySet<string>
  /** Whether the alerting service is a database, cache or broker, which others use. */
  readonly isStoreAlert: boolean
  /** Whether any call of the alerting service is known. */
  readonly isTopologyKnown: boolean
  /** Hosts that are called, by the key they have as callees. */
  readonly hosts: ReadonlyMap<string, string>
  /** Those within, of services that never spoke. */
  readonly silent: ReadonlySet<string>
  /** Services that told anything. */
  readonly spoke: ReadonlySet<string>
  readonly items: readonly Item[]
  /** What fails where no way is known, also where it is known how an alert leads to others. */
  readonly strange: readonly Item[]
  readonly changes: readonly Change[]
  readonly habits: Habits
  readonly mentions: Mentions
  readonly untilMs: number
}

/** Reports further apart are no burst. */
const BURST_GAP_MS = 600_000
const FIRST_SIGNS_MS = 60_000
const MAX_REPORTS = 8
/** A store that reports on more is one thing. */
const MAX_THINGS = 3
const DEGRADED = /^health:(?:degraded|missing)$/i
/** What a store does of itself when all is well. */
const ROUTINE = /^(?:autovacuum(?:_analyze)?|rebalance_complete)$/
const SUCCESS = /success\D{0,8}(\d{1,3}(?:\.\d+)?)\s*%/i
const PERCENT = /(\d{1,3}(?:\.\d+)?)\s*%/
const DEFAULT_SEVERITY = 0.5
/** What agents send that have read a well-known line; those that guess send less. */
const USUAL_CONFIDENCE = 0.85
/** Reads the windows and puts together what fails and what was changed. */
export function gatherFacts(input: DiagnosisInput): Facts {
  const { names, edges, changes: reported, calls, symptoms, untilMs } = readInput(input)
  const habits = toHabits(input.counts)
  const hosts = new Map(
    calls.flatMap(({ callees }) => callees.flatMap((callee) => (callee.kind === 'external' ? [[toCalleeKey(callee), callee.host]] : []))),
  )
  const inside = calls.flatMap(({ callees }) => callees.filter((callee) => callee.kind === 'external' && callee.inside !== undefined))
  const pairs = calls.flatMap(({ observation, callees }) =>
    callees.map((callee) => ({
      caller: observation.key,
      callee: toCalleeKey(callee),
      observation,
    })),
  )
  const offNodes = listOffNodes(symptoms, reported)
  pairs.push(...offNodes)
  const off = new Set(offNodes.map(({ observation }) => observation))
  const alertKey = input.alert.service === null ? null : toNameKey(input.alert.service)
  const isStoreAlert =
    alertKey !== null &&
    isStore(
      input.alert.service ?? '',
      symptoms.filter(({ key }) => key === alertKey),
    )
  const adjacency = toAdjacency([...edges, ...pairs, ...(isStoreAlert ? listOwners(input.alert.service ?? '', names) : [])])
  const hops = alertKey === null ? new Map<string, number>() : hopsFrom(alertKey, adjacency)
  const found = findChanges(
    placeFlags(reported, hops),
    symptoms.filter((symptom) => !off.has(symptom)),
  )
  const own = symptoms
    .filter((symptom) => !found.steps.has(symptom) && isSymptom(symptom) && !habits.isHabit(symptom))
    .map((observation) => ({ caller: observation.key, callee: observation.key, observation }))
  own.push(...listSharedSymptoms(symptoms, found.changes))
  const callers = new Set(alertKey === null ? [] : adjacency.callers.get(alertKey))
  const isTopologyKnown = alertKey !== null && hops.size > 1
  const isOfUse = (item: Item) => isStoreAlert && item.callee === alertKey && (isStrain(item) || !isBroken(item))
  const items = [...toItems(pairs, true), ...toItems(own, false).map((item) => (isOfUse(item) ? { ...item, isOfUse: true } : item))]
  const isRelated = ({ caller, callee }: Item) => [caller, callee].some((key) => isWayKnown(key, { hops, callers }))
  const isVague = (item: Item) => (item.isCall ? item.caller === alertKey && hasManyCalls : item.callee === alertKey)
  const hasManyCalls = items.filter((item) => item.isCall && item.caller === alertKey).length >= MIN_TOGETHER
  const vagueMs = Math.min(...items.filter(isVague).map(({ onsetMs }) => onsetMs))
  const isBeside = (item: Item) => isBroken(item) && isOfInfrastructure(item) && isJustBefore(item.onsetMs, vagueMs)
  const isNear = (item: Item) => alertKey === null || isRelated(item) || isBeside(item)
  const near = items.filter(isNear)
  const strange = items.filter((item) => !isNear(item)).map((item) => ({ ...item, isStrange: true }))
  return {
    names: new Map([...names, ...hosts]),
    adjacency,
    alertKey,
    hops,
    callers,
    isTopologyKnown,
    isStoreAlert,
    hosts,
    silent: new Set(inside.map(toCalleeKey)),
    spoke: new Set(
      [...reported, ...symptoms, ...calls.map(({ observation }) => observation)].flatMap(({ key, reporter }) => [key, reporter]),
    ),
    items: isTopologyKnown ? near : [...near, ...strange],
    strange,
    changes: found.changes,
    habits,
    mentions: toMentions([...calls.map(({ observation }) => observation), ...symptoms]),
    untilMs,
  }
}

/** Whether a way is known between the alerting service and another: what it reaches, itself included, and its direct callers. */
export function isWayKnown(key: string, { hops, callers }: Pick<Facts, 'hops' | 'callers'>): boolean {
  return hops.has(key) || callers.has(key)
}

/** Changes of flags at the nearest of those that evaluate them; an evaluation that follows one tells nothing more. */
function placeFlags(reported: readonly Observation[], hops: ReadonlyMap<string, number>): readonly Observation[] {
  const told = reported.filter(({ evaluators }) => evaluators)
  if (told.length === 0) return reported
  const distanceOf = (key: string) => hops.get(key) ?? Number.MAX_SAFE_INTEGER
  const isTold = ({ key, entry, firstMs }: Observation) =>
    entry.eventType === 'flag_change' &&
    entry.actor === null &&
    (entry.oldValue === null || isEvaluationVendor(entry.vendor)) &&
    told.some((flag) => flag.entry.entity === entry.entity && flag.evaluators?.includes(key) && firstMs >= flag.firstMs)
  return reported.flatMap((change) => {
    if (!change.evaluators) return isTold(change) ? [] : change
    const [key = change.key] = change.evaluators.toSorted((a, b) => distanceOf(a) - distanceOf(b) || compareText(a, b))
    return { ...change, key }
  })
}

/** What a store reports of a database or table that a service's change was made to: it concerns that service, too. */
function listSharedSymptoms(symptoms: readonly Observation[], changes: readonly Change[]): readonly Report[] {
  const owners = new Map<string, string>()
  for (const { key, lead } of changes) {
    if (lead.entry.eventType !== 'schema_change') continue
    const parts = lead.entry.entity.split('.')
    for (let length = parts.length; length > 0; length -= 1) owners.set(parts.slice(0, length).join('.'), key)
  }
  return symptoms.flatMap((observation) => {
    const owner = STORES.has(observation.entry.vendor) ? owners.get(observation.entry.entity) : undefined
    return owner === undefined || owner === observation.key ? [] : [{ caller: owner, callee: owner, observation, isOfSchema: true }]
  })
}

/**
 * Pods that were evicted while a node was under pressure, or that were taken away or stopped to answer after a node's trouble with
 * no deploy of theirs in between: their service suffers, the node is where it comes from.
 */
function listOffNodes(symptoms: readonly Observation[], reported: readonly Observation[]): readonly Report[] {
  const nodes = symptoms.filter(isOfNode).toSorted(compareTimes)
  if (nodes.length === 0) return []
  const deploys = Map.groupBy(
    reported.filter(({ entry }) => entry.eventType === 'deploy'),
    ({ key }) => key,
  )
  return symptoms
    .filter(({ entry }) => isOffNode(entry))
    .flatMap((observation) => {
      const { key, firstMs, entry } = observation
      const isDeployed = (fromMs: number) => deploys.get(key)?.some((deploy) => deploy.firstMs > fromMs && deploy.firstMs <= firstMs)
      const before = nodes.findLast((node) => node.firstMs <= firstMs && firstMs - node.firstMs <= BURST_GAP_MS)
      const near = EVICTED.test(entry.newValue ?? '')
        ? nodes.find((node) => Math.abs(node.firstMs - firstMs) <= BURST_GAP_MS)
        : before && !isDeployed(before.firstMs) && before
      return near && near.key !== key ? [{ caller: key, callee: near.key, observation }] : []
    })
}

/** A store is named after whoever uses it: `orders-db`. */
function listOwners(store: string, names: KnownServices): readonly { readonly caller: string; readonly callee: string }[] {
  const parts = store.split(/[-_./]+/)
  const owners = parts.slice(1).map((_, at) => toNameKey(parts.slice(0, at + 1).join('-')))
  return owners.flatMap((caller) => (names.has(caller) ? [{ caller, callee: toNameKey(store) }] : []))
}

/** Hops along calls, by key, from the start on. */
export function hopsFrom(start: string, { callees }: Adjacency): ReadonlyMap<string, number> {
  const hops = new Map([[start, 0]])
  let border = [start]
  for (let hop = 1; border.length > 0; hop += 1) {
    const reached = border.flatMap((key) => callees.get(key) ?? []).filter((key) => !hops.has(key))
    border = [...new Set(reached)]
    for (const key of border) hops.set(key, hop)
  }
  return hops
}

function isSymptom({ entry }: Observation): boolean {
  return entry.eventType === 'deploy' ? DEGRADED.test(entry.newValue ?? '') : !ROUTINE.test(entry.newValue ?? '')
}

type Report = Pick<Item, 'caller' | 'callee' | 'isOfSchema'> & { readonly observation: Observation }

function toItems(reports: readonly Report[], isCall: boolean): readonly Item[] {
  const things = isCall ? new Map<string, Set<string>>() : listThings(reports)
  const grouped = Map.groupBy(
    reports,
    ({ caller, callee, observation, isOfSchema = false }) =>
      `${caller}\0${callee}\0${isCall ? '' : `${toClass(observation, things)}\0${isOfSchema}`}`,
  )
  return [...grouped]
    .toSorted(([a], [b]) => compareText(a, b))
    .flatMap(([, [first, ...rest]]) => (first ? toItem(first, [first, ...rest], isCall) : []))
}

/** What each store reports on, by store and type. */
function listThings(reports: readonly Report[]): ReadonlyMap<string, ReadonlySet<string>> {
  const things = new Map<string, Set<string>>()
  for (const { observation } of reports) {
    const { key, entry } = observation
    if (!STORES.has(entry.vendor)) continue
    const id = `${key}\0${entry.eventType}`
    const known = things.get(id)
    if (known) known.add(entry.entity)
    else things.set(id, new Set([entry.entity]))
  }
  return things
}

function toItem({ caller, callee, isOfSchema }: Report, reports: readonly Report[], isCall: boolean): Item {
  const told = reports.map(({ observation }) => ({ observation, severity: toSeverity(observation), spans: toSpans(observation) }))
  const worst = Math.max(...told.map(({ severity }) => severity))
  const spans = told.flatMap((each) => each.spans.map((span) => ({ ...span, severity: each.severity })))
  return {
    caller,
    callee,
    isCall,
    ...(isOfSchema && { isOfSchema }),
    severity: worst,
    trust: Math.min(1, Math.max(...reports.map(({ observation }) => observation.entry.confidence)) / USUAL_CONFIDENCE),
    onsetMs: toOnset(spans),
    ageMs: Math.min(...spans.map(({ fromMs, toMs }) => (fromMs <= 0 && toMs >= 0 ? 0 : Math.min(Math.abs(fromMs), Math.abs(toMs))))),
    reports: told
      .toSorted(
        (a, b) =>
          b.severity - a.severity || b.observation.entry.count - a.observation.entry.count || compareTimes(a.observation, b.observation),
      )
      .slice(0, MAX_REPORTS)
      .map(({ observation }) => observation),
  }
}

/** Symptoms of one class set one onset: an hourly restart must not set that of new errors, nor one database that of another. */
function toClass({ key, entry }: Observation, things: ReadonlyMap<string, ReadonlySet<string>>): string {
  const count = things.get(`${key}\0${entry.eventType}`)?.size ?? 0
  return STORES.has(entry.vendor) && count <= MAX_THINGS ? `${entry.eventType}\0${entry.entity}` : entry.eventType
}

/** Repeats that follow each other closely are one span, others are known by the first and the last of them. */
function toSpans({ entry: { count }, firstMs, lastMs }: Observation): readonly (Span & { readonly count: number })[] {
  if (lastMs <= firstMs) return [{ fromMs: firstMs, toMs: firstMs, count }]
  if ((lastMs - firstMs) / Math.max(1, count - 1) <= BURST_GAP_MS) return [{ fromMs: firstMs, toMs: lastMs, count }]
  return [
    { fromMs: firstMs, toMs: firstMs, count: 1 },
    { fromMs: lastMs, toMs: lastMs, count: 1 },
  ]
}

type Told = Span & { readonly count: number; readonly severity: number }

/** The first report of the latest burst that is at least half as bad as its worst; what had trickled in long before it is none. */
function toOnset(spans: readonly Told[]): number {
  const burst: Told[] = []
  let fromMs = Number.POSITIVE_INFINITY
  for (const span of spans.toSorted((a, b) => b.toMs - a.toMs)) {
    if (burst.length > 0 && fromMs - span.toMs > BURST_GAP_MS) break
    burst.push(span)
    fromMs = Math.min(fromMs, span.fromMs)
  }
  const worst = Math.max(...burst.map(({ severity }) => severity))
  const bad = burst.filter(({ severity }) => severity >= worst / 2)
  const most = Math.max(...bad.map(toRate))
  const denseMs = Math.min(...bad.filter((span) => toRate(span) >= most / MUCH_MORE).map((span) => span.fromMs))
  return Math.min(...bad.map((span) => span.fromMs).filter((ms) => ms >= denseMs - FIRST_SIGNS_MS))
}

/** Reports a minute. */
function toRate({ fromMs, toMs, count }: Told): number {
  return count / Math.max(1, (toMs - fromMs) / 60_000)
}

/** The share of calls that fail, where it is told. */
function toSeverity({ entry: { newValue } }: Observation): number {
  const text = newValue?.slice(0, 256) ?? ''
  const success = SUCCESS.exec(text)?.[1]
  const percent = PERCENT.exec(text)?.[1]
  if (success !== undefined) return clamp(1 - Number(success) / 100)
  return percent === undefined ? DEFAULT_SEVERITY : clamp(Number(percent) / 100)
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share))
}
