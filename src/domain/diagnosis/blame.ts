import { type Facts, hopsFrom } from './facts.ts'
import type { Change, Item, WeighedItem } from './model.ts'
import { AT_ONCE_MS, isEviction, MIN_TOGETHER, toRefusal } from './trouble.ts'
import type { Weights } from './weights.ts'

/** How well a fault of a service at a time explains what fails. */
export type Account = {
  /** In nats, against a fault that has nothing to do with it. */
  readonly evidence: number
  /** How fresh the freshest is of what it is likely to have caused, in [0, 1]. */
  readonly freshness: number
  /** What it is likely to have caused; onset no earlier than the time, but for the slack of clocks. */
  readonly explained: readonly WeighedItem[]
  /** Earliest onset of what it may have caused. */
  readonly onsetMs: number | undefined
  /** Earliest onset of all that a fault of the service may cause at any time, and whether all of that may be over. */
  readonly troubleMs: number | undefined
  readonly isOver: boolean
  /** The share of what fails at the service itself that began before the time, less where that hardly weighs. */
  readonly lateShare: number
  /** How sure it is that what fails where a way from the alert is known began before the time, in [0, 1]. */
  readonly lateness: number
}

/** `change`: nothing for a fault that nobody recorded. */
export type Explain = (key: string, change: Change | null) => Account

/** Of calls that fail at once so many before and after one are looked at. */
const MAX_BESIDE = 12
/** What a fresh report weighs at least that counts. */
const NOTABLE = 0.5
/** How fresh at most what is over is: last reported twelve minutes before the alert beside what goes on, half an hour before it beside nothing. */
export const OVER = 0.02
/** How fresh calls may be that find somebody again: last reported thirteen minutes before the alert beside nothing. */
export const FADED = 0.12
/** The same of what may be over altogether: eighteen minutes before it, for some alerts wait a quarter of an hour. */
const FORGOTTEN = 0.07
/** How often something begins at once is counted over so long before the alert. */
export const LATELY_MS = 30 * 60_000
/** What a change broke begins no later than so long after it was set back. */
const ENDING_MS = 2 * 60_000

/** An item that a fault of a service may cause, and how likely. */
type Reached = { readonly item: WeighedItem; readonly chance: number }

/**
 * What each item weighs. What nothing connects with the alert makes what does no lighter and no older, and is of as many faults as begin
 * about that time: of one at most the alert is. The more they are, the less it may weigh beside what does.
 */
export function weighItems(items: readonly Item[], weights: Weights): readonly WeighedItem[] {
  const near = items.filter(({ isStrange }) => !isStrange)
  const others = items.filter(({ isStrange }) => isStrange)
  const own = weighTogether(near, toFreshest(near), weights)
  const strange = weighTogether(others, toFreshest(items), weights)
  const faults = countFaults(strange)
  const most = (sumWeights(own) || Number.POSITIVE_INFINITY) / sumWeights(strange)
  const part = Math.min(1 / faults, most ** (1 - 1 / faults))
  return [...own, ...strange.map((item) => ({ ...item, weight: item.weight * part, ownWeight: item.ownWeight * part }))]
}

/** Those that weigh at least such a share of the weightiest. */
export function listHeaviest(items: readonly WeighedItem[], share: number): readonly WeighedItem[] {
  const weightiest = Math.max(...items.map(({ ownWeight }) => ownWeight))
  return items.filter(({ ownWeight }) => ownWeight >= share * weightiest)
}

function sumWeights(items: readonly WeighedItem[]): number {
  return items.reduce((sum, { weight }) => sum + weight, 0)
}

/** How many faults begin in ten minutes, by those of half an hour: what begins within a minute is of one. */
export function countFaults(items: readonly Item[]): number {
  let [faults, sinceMs] = [0, Number.NEGATIVE_INFINITY]
  for (const { onsetMs } of items.toSorted((a, b) => a.onsetMs - b.onsetMs)) {
    if (onsetMs < -LATELY_MS || onsetMs < sinceMs + AT_ONCE_MS) continue
    sinceMs = onsetMs
    faults += 1
  }
  return Math.max(1, 1 + (faults - 1) / 3)
}

function toFreshest(items: readonly Item[]): number {
  return Math.min(...items.map(({ ageMs }) => ageMs))
}

/**
 * What each item weighs among these: less the older it is than the freshest, and the older that is; correlated reports together no more
 * than so much, and symptoms less than calls.
 */
function weighTogether(items: readonly Item[], freshestMs: number, weights: Weights): readonly WeighedItem[] {
  const raw = items.map((item) => {
    const fade = (1 + (item.ageMs - freshestMs) / weights.fadeMs) ** -2 / (1 + (freshestMs / weights.staleMs) ** 2)
    const freshness = fade * item.trust
    return { item, freshness, weight: (0.5 + 0.5 * item.severity) * freshness }
  })
  const scaleOf = (isCall: boolean) => {
    const total = raw.reduce((sum, { item, weight }) => (item.isCall === isCall ? sum + weight : sum), 0)
    return total > weights.maxWeight ? weights.maxWeight / total : 1
  }
  const [calls, symptoms] = [scaleOf(true), scaleOf(false)]
  return raw.map(({ item, freshness, weight }) => {
    const ownWeight = weight * (item.isCall ? calls : symptoms)
    return { ...item, freshness, ownWeight, weight: item.isCall ? ownWeight : ownWeight * weights.symptom }
  })
}

/** What each callee that fails calls in turn, itself included, and how many hops away. */
type Below = ReadonlyMap<string, ReadonlyMap<string, number>>

export function listBelow(items: readonly Item[], { adjacency }: Pick<Facts, 'adjacency'>): Below {
  return new Map([...new Set(items.map(({ callee }) => callee))].map((callee) => [callee, hopsFrom(callee, adjacency)]))
}

/** Explains items by a fault of one service, for changes by the time that they took effect. */
export function createExplainer(
  { adjacency }: Pick<Facts, 'adjacency'>,
  items: readonly WeighedItem[],
  { below, together }: { readonly below: Below; readonly together: ReadonlySet<WeighedItem> },
  weights: Weights,
): Explain {
  const reached = new Map<string, Reached[]>()
  const reach = (key: string, item: WeighedItem, chance: number) => {
    const own = reached.get(key)
    if (own) own.push({ item, chance })
    else reached.set(key, [{ item, chance }])
  }
  const hasSchema = items.some(({ isOfSchema }) => isOfSchema)
  for (const item of items) {
    const hops = below.get(item.callee) ?? new Map<string, number>()
    for (const [key, distance] of hops) reach(key, item, weights.own * weights.perHop ** distance)
    const callers = item.isCall ? [item.caller] : (adjacency.callers.get(item.callee) ?? [])
    const chance = item.isOfUse || together.has(item) || toRefusal(item) === 'wrong' ? weights.together : weights.caller
    for (const key of callers) if (!hops.has(key)) reach(key, item, chance)
  }
  const toLateness = createLateness(
    items.filter(({ isStrange }) => !isStrange),
    weights,
  )
  return (key, change) => {
    const atMs = change?.atMs ?? null
    const lateness = atMs === null ? 0 : toLateness(atMs)
    const own = (reached.get(key) ?? []).filter(({ item }) => !isAfterEnd(item, change))
    if (!hasSchema || change?.lead.entry.eventType === 'schema_change') return account(own, key, atMs, lateness, weights)
    // To a store a service is a client but for the changes that it makes there.
    const asClient = own.map(({ item, chance }) => ({ item, chance: item.isOfSchema ? Math.min(chance, weights.caller) : chance }))
    return account(asClient, key, atMs, lateness, weights)
  }
}

/** Whether something began when a change was no longer in place, and what it broke had had time to end. */
function isAfterEnd({ onsetMs }: Item, change: Change | null): boolean {
  return change?.undoneBy !== undefined && onsetMs > change.undoneBy.atMs + ENDING_MS
}

/** Calls of one service to several that call not each other, which began to fail at once: a fault of one of those explains not the others. */
export function findTogether(items: readonly WeighedItem[], below: Below, { slackMs }: Weights): ReadonlySet<WeighedItem> {
  const isApart = (a: Item, b: Item) => a.callee !== b.callee && !below.get(a.callee)?.has(b.callee) && !below.get(b.callee)?.has(a.callee)
  const calls = items.filter((item) => item.isCall && !isEviction(item)).toSorted((a, b) => a.onsetMs - b.onsetMs)
  const found = new Set<WeighedItem>()
  for (const own of Map.groupBy(calls, ({ caller }) => caller).values()) {
    for (const [at, item] of own.entries()) {
      const near = own.slice(Math.max(0, at - MAX_BESIDE), at + MAX_BESIDE + 1)
      const others = near.filter((other) => Math.abs(other.onsetMs - item.onsetMs) <= slackMs && isApart(item, other))
      if (others.length >= MIN_TOGETHER - 1) found.add(item)
    }
  }
  return found
}

/**
 * How sure it is that what fails at the alert came before a change: where the last of it that weighs did, by more than clocks differ. What
 * has gone on for long is not what the alert is about, and what hardly weighs may be another matter.
 */
function createLateness(items: readonly WeighedItem[], { slackMs }: Weights): (atMs: number) => number {
  const lately = items.filter(({ onsetMs }) => onsetMs >= -LATELY_MS)
  const heaviest = Math.max(...lately.map(({ ownWeight }) => ownWeight))
  const lastMs = Math.max(...lately.flatMap(({ ownWeight, onsetMs }) => (ownWeight >= heaviest / 2 ? onsetMs : [])))
  const total = lately.reduce((sum, { ownWeight }) => sum + ownWeight, 0)
  return (atMs) => (lately.length === 0 ? 0 : Math.min(1, total / NOTABLE) / (1 + Math.exp((lastMs + AT_ONCE_MS - atMs) / slackMs)))
}

function account(
  reached: readonly Reached[],
  key: string,
  atMs: number | null,
  lateness: number,
  { slackMs, elsewhere, caller }: Weights,
): Account {
  let [evidence, late, total, freshness] = [0, 0, 0, 0]
  let [onsetMs, troubleMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  let isOver = true
  const explained: WeighedItem[] = []
  for (const { item, chance } of reached) {
    const after = atMs === null ? 1 : 1 / (1 + Math.exp((atMs - item.onsetMs) / slackMs))
    evidence += item.weight * Math.log((after * chance) / elsewhere + 1 - after)
    if (item.callee === key) {
      late += item.ownWeight * (1 - after)
      total += item.ownWeight
    }
    const isAfter = atMs === null || item.onsetMs >= atMs - slackMs
    if (isAfter && chance >= caller) explained.push(item)
    if (chance <= 2 * elsewhere) continue
    troubleMs = Math.min(troubleMs, item.onsetMs)
    isOver &&= item.freshness < FORGOTTEN
    if (!isAfter) continue
    onsetMs = Math.min(onsetMs, item.onsetMs)
    freshness = Math.max(freshness, item.freshness)
  }
  const toTime = (earliestMs: number) => (earliestMs === Number.POSITIVE_INFINITY ? undefined : earliestMs)
  return {
    evidence,
    freshness,
    explained,
    onsetMs: toTime(onsetMs),
    troubleMs: toTime(troubleMs),
    isOver,
    lateShare: late / Math.max(total, NOTABLE),
    lateness,
  }
}
