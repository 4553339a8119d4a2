import { compareText } from '../compare.ts'
import { countFaults, type Explain, FADED, listHeaviest, OVER } from './blame.ts'
import { type Facts, hopsFrom, isWayKnown } from './facts.ts'
import { createPlacer } from './features.ts'
import type { Candidate, Hazard, Item, WeighedItem } from './model.ts'
import {
  AT_ONCE_MS,
  findsNobody,
  isBroken,
  isJustBefore,
  isOfAccess,
  isOfInfrastructure,
  isRightless,
  isStrain,
  toRefusal,
} from './trouble.ts'
import type { Weights } from './weights.ts'

/** Trouble of a service's own so long before that of its callers is another matter. */
const BEFORE_MS = 30 * 60_000
/** What a change breaks, at its service or at what that calls, it breaks within minutes. */
export const BREAKING_MS = 4 * 60_000
/** What broke, and is not merely strained, later than that after a change did not break for it. */
const LONG_AGO_MS = 60 * 60_000
/** Who was sent elsewhere fails there so soon. */
const SENT_MS = 10 * 60_000
/** What is strained so soon after a change of its client is strained by it. */
const STRAINING_MS = 90_000

/**
 * The faults that nobody recorded, the likeliest first: at what the alerting service reaches, at its direct callers and, wherever
 * a store or a node broke just then. Likelier than others is one where something broke by its own
 * account, before or with what calls it.
 */
export function listHazards(facts: Facts, items: readonly WeighedItem[], explain: Explain, weights: Weights): readonly Hazard[] {
  const { alertKey, hops, callers, hosts, silent, spoke } = facts
  const placeOf = createPlacer(facts, weights)
  const toTrouble = createTroubleFinder(facts, items, explain, weights)
  const freshest = Math.max(...items.map(({ freshness }) => freshness))
  const lately = Map.groupBy(
    items.filter(({ isCall, freshness }) => isCall && freshest >= FADED && freshness >= OVER * freshest),
    ({ callee }) => callee,
  )
  const isOutside = (key: string) => hosts.has(key) && !silent.has(key)
  const accesses = new Set(facts.changes.flatMap((change) => (isOfAccess(change.lead.entry) ? change.key : [])))
  // Who is not let in outside may have been shut out there, unless it changed what it shows.
  const isAnswered = (item: Item, key: string) =>
    toRefusal(item) === 'wrong' && !(isOutside(key) && isRightless(item) && !accesses.has(item.caller))
  const isDown = (key: string) =>
    !spoke.has(key) && (lately.get(key) ?? []).some((item) => (hosts.has(key) ? !isAnswered(item, key) : findsNobody(item)))
  const beside = alertKey === null ? [] : [...new Set(items.map(({ callee }) => callee))].filter((key) => toTrouble(key).length > 0)
  const placeOfBeside = createBesidePlacer(facts, weights)
  const keys = alertKey === null ? items.flatMap(({ caller, callee }) => [caller, callee]) : [...hops.keys(), ...callers, ...beside]
  return [...new Set(keys)]
    .map((key) => {
      const account = explain(key, null)
      const trouble = hosts.has(key) ? [] : toTrouble(key)
      const troubleMs = trouble[0]?.onsetMs
      const ofTrouble = troubleMs === undefined ? weights.unrecorded : weights.troubled
      const ofHost = isOutside(key) ? weights.external : weights.silent
      const isGone = isDown(key)
      const chance = isGone ? ofHost : ofTrouble
      const place = troubleMs === undefined || hops.has(key) ? placeOf(key, account) : placeOfBeside(trouble)
      return {
        key,
        isExternal: isOutside(key),
        isAway: isGone && !hosts.has(key),
        troubleMs,
        trouble,
        logOdds: Math.log(chance * place) + account.evidence,
      }
    })
    .toSorted((a, b) => b.logOdds - a.logOdds || compareText(a.key, b.key))
}

/** How likely a fault lies at a store or a node that broke just then, though no way is known: one of as many as break about that time, or are down. */
function createBesidePlacer(facts: Facts, { unknownPlace }: Weights): (trouble: readonly Item[]) => number {
  const elsewhere = facts.items.filter((item) => !isWayKnown(item.callee, facts) && isOfInfrastructure(item) && isBroken(item))
  const [broken, down] = [countFaults(elsewhere), countFaults(elsewhere.filter((item) => !isStrain(item)))]
  return (trouble) => unknownPlace / (trouble.every(isStrain) ? broken : down)
}

/** What a service that fails to reach nobody shows of its own, where that began before or with the trouble above it; the earliest first. */
function createTroubleFinder(
  { alertKey, hops, callers, isStoreAlert }: Facts,
  items: readonly WeighedItem[],
  explain: Explain,
  { slackMs }: Weights,
) {
  const failing = new Set(items.flatMap(({ isCall, caller }) => (isCall ? caller : [])))
  const broken = Map.groupBy(items.filter(isBroken), ({ callee }) => callee)
  const ofAlert = items.filter(({ caller, callee }) => caller === alertKey || callee === alertKey)
  return (key: string): readonly Item[] => {
    const own = broken.get(key)
    if (!own || (key === alertKey && !isStoreAlert) || callers.has(key) || failing.has(key)) return []
    const isBelow = hops.has(key)
    const above = isBelow ? explain(key, null).explained.filter(({ callee, isCall }) => isCall || callee !== key) : ofAlert
    const sinceMs = Math.min(0, ...listHeaviest(above, OVER).map(({ onsetMs }) => onsetMs))
    const isNear = (item: Item) =>
      isBelow
        ? item.onsetMs <= sinceMs + slackMs && item.onsetMs >= sinceMs - BEFORE_MS
        : isOfInfrastructure(item) && isJustBefore(item.onsetMs, sinceMs)
    return own.filter(isNear).toSorted((a, b) => a.onsetMs - b.onsetMs)
  }
}

/**
 * The same beside the likeliest changes: nothing more of what broke where one of them, not long before, explains it. What a client of the change's service, or
 * the alerting one, calls may break for the change, the less likely the longer it had been in place: strained for ten minutes,
 * broken for four.
 */
export function besides(hazards: readonly Hazard[], likely: readonly [Candidate, ...Candidate[]], facts: Facts, weights: Weights) {
  const [leader] = likely
  const lower = Math.log(weights.unrecorded / weights.troubled)
  const untold = Math.log(weights.unrecorded / weights.silent)
  return hazards.map((hazard): Hazard => {
    const { key, troubleMs, logOdds } = hazard
    if (troubleMs === undefined) return isTurnedAway(hazard, leader, facts) ? { ...hazard, logOdds: logOdds + untold } : hazard
    const before = likely.filter(({ change }) => change.atMs <= troubleMs + weights.slackMs)
    const below = hopsFrom(key, facts.adjacency)
    const sinceMs = hazard.trouble.every(isStrain) ? Number.NEGATIVE_INFINITY : troubleMs - LONG_AGO_MS
    const isExplained = before.some(({ change, concerned }) => below.has(concerned) && change.atMs >= sinceMs)
    if (isExplained) return { ...hazard, logOdds: logOdds + lower, troubleMs: undefined }
    if (!before.includes(leader) || !isClient(leader, key, facts)) return hazard
    return { ...hazard, logOdds: logOdds + lower * toFreshness(hazard, leader) }
  })
}

/** Whether nothing tells of a callee but a client that was sent elsewhere, or deployed, right before. */
function isTurnedAway({ key, isAway }: Hazard, leader: Candidate, { adjacency }: Facts): boolean {
  const isClient = adjacency.callers.get(key)?.includes(leader.concerned) ?? false
  const isSent = ['flag_change', 'config_change'].includes(leader.change.lead.entry.eventType) && leader.lagMs <= SENT_MS
  return isAway && isClient && (isSent || leader.lagMs <= AT_ONCE_MS)
}

/** What broke between a change of its client and what fails, by itself as like as not: the likeliest. */
export function findBroken(hazards: readonly Hazard[], leader: Candidate, facts: Facts): Hazard | undefined {
  return hazards.find(
    ({ key, troubleMs, trouble }) =>
      troubleMs !== undefined && isClient(leader, key, facts) && (leader.lagMs > STRAINING_MS || !trouble.every(isStrain)),
  )
}

function isClient({ concerned }: Candidate, key: string, { adjacency, hops, alertKey }: Facts): boolean {
  return hops.has(key) ? (adjacency.callers.get(key)?.includes(concerned) ?? false) : concerned === alertKey
}

/** How like it is that what a service shows comes from a change of its client, in (0, 1]. */
function toFreshness({ trouble }: Hazard, { features, lagMs }: Candidate): number {
  return trouble.every(isStrain) ? Math.exp(2 * features.lag) : Math.exp(-lagMs / BREAKING_MS)
}

/** Where what nobody recorded lies, as far as reports tell: of those nearly as likely one that fails to reach nobody itself, then the deepest. */
export function findUnrecorded(hazards: readonly Hazard[], { hops, items }: Facts, together: ReadonlySet<Item>): Hazard | undefined {
  // What calls several have in common is of nobody that they call.
  const beside = together.size > 0 ? hazards.find(({ key, trouble }) => trouble.length > 0 && !hops.has(key)) : undefined
  if (beside) return beside
  const told = new Set(items.map(({ callee }) => callee))
  const reported = hazards.filter(({ key }) => told.has(key))
  const [likeliest] = reported
  if (!likeliest) return undefined
  const failing = new Set(items.flatMap(({ isCall, caller }) => (isCall ? caller : [])))
  const near = reported.filter(({ logOdds }) => logOdds >= likeliest.logOdds - Math.LN2)
  return near.toSorted(
    (a, b) =>
      Number(failing.has(a.key)) - Number(failing.has(b.key)) ||
      (hops.get(b.key) ?? -1) - (hops.get(a.key) ?? -1) ||
      b.logOdds - a.logOdds ||
      compareText(a.key, b.key),
  )[0]
}
