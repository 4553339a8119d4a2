import { compareText } from '../compare.ts'
import type { Explain } from './blame.ts'
import { type Facts, hopsFrom, isBroken, isJustBefore, isOfInfrastructure, toRefusal } from './facts.ts'
import { createPlacer } from './features.ts'
import type { Candidate, Hazard, Item } from './model.ts'
import type { Weights } from './weights.ts'

/** Trouble of a service's own so long before that of its callers is another matter. */
const BEFORE_MS = 30 * 60_000

/**
 * The faults that nobody recorded, the likeliest first: at what the alerting service reaches, at its direct callers and, wherever
 * a store or a node broke just then. Likelier than others is one where something broke by its own
 * account, before or with what calls it.
 */
export function listHazards(facts: Facts, explain: Explain, weights: Weights): readonly Hazard[] {
  const { alertKey, hops, callers, hosts, items } = facts
  const placeOf = createPlacer(facts, weights)
  const toTroubleMs = createTroubleFinder(facts, explain, weights)
  const isDown = (host: string) => items.some((item) => item.callee === host && item.isCall && toRefusal(item) !== 'wrong')
  const beside = alertKey === null ? [] : items.map(({ callee }) => callee).filter((key) => toTroubleMs(key) !== undefined)
  const keys = alertKey === null ? items.flatMap(({ caller, callee }) => [caller, callee]) : [...hops.keys(), ...callers, ...beside]
  return [...new Set(keys)]
    .map((key) => {
      const { evidence } = explain(key, null)
      const isExternal = hosts.has(key)
      const troubleMs = isExternal ? undefined : toTroubleMs(key)
      const chance = isExternal && isDown(key) ? weights.external : troubleMs === undefined ? weights.unrecorded : weights.troubled
      const place = troubleMs === undefined || hops.has(key) ? placeOf(key, evidence > 0) : weights.unknownPlace
      return { key, isExternal, troubleMs, logOdds: Math.log(chance * place) + evidence }
    })
    .toSorted((a, b) => b.logOdds - a.logOdds || compareText(a.key, b.key))
}

/** Since when a service that fails to reach nobody shows trouble of its own, where that began before or with the trouble above it. */
function createTroubleFinder({ alertKey, hops, callers, items }: Facts, explain: Explain, { slackMs }: Weights) {
  const failing = new Set(items.flatMap(({ isCall, caller }) => (isCall ? caller : [])))
  const broken = Map.groupBy(items.filter(isBroken), ({ callee }) => callee)
  return (key: string): number | undefined => {
    const own = broken.get(key)
    if (!own || key === alertKey || callers.has(key) || failing.has(key)) return undefined
    const isBelow = hops.has(key)
    const above = isBelow
      ? explain(key, null).explained.filter(({ callee, isCall }) => isCall || callee !== key)
      : items.filter(({ caller, callee }) => caller === alertKey || callee === alertKey)
    const sinceMs = Math.min(0, ...above.map(({ onsetMs }) => onsetMs))
    const isNear = (item: Item) =>
      isBelow
        ? item.onsetMs <= sinceMs + slackMs && item.onsetMs >= sinceMs - BEFORE_MS
        : isOfInfrastructure(item) && isJustBefore(item.onsetMs, sinceMs)
    const near = own.filter(isNear).map(({ onsetMs }) => onsetMs)
    return near.length === 0 ? undefined : Math.min(...near)
  }
}

/**
 * The same beside a change: nothing more of what broke where the change explains it, and the less the fresher a change is of a
 * client of what broke after it.
 */
export function besides(hazards: readonly Hazard[], leader: Candidate, { adjacency, hops, alertKey }: Facts, weights: Weights) {
  // Something that breaks elsewhere soon after a change may well come from it, after ten minutes hardly.
  const fresh = Math.exp(2 * leader.features.lag)
  const lower = Math.log(weights.unrecorded / weights.troubled)
  const isClient = (key: string) => (hops.has(key) ? adjacency.callers.get(key)?.includes(leader.concerned) : leader.concerned === alertKey)
  return hazards.map((hazard): Hazard => {
    const { key, troubleMs, logOdds } = hazard
    if (troubleMs === undefined || leader.change.atMs > troubleMs + weights.slackMs) return hazard
    if (hopsFrom(key, adjacency).has(leader.concerned)) return { ...hazard, logOdds: logOdds + lower, troubleMs: undefined }
    return isClient(key) ? { ...hazard, logOdds: logOdds + lower * fresh } : hazard
  })
}

/** Where what nobody recorded lies, as far as reports tell: of those nearly as likely one that fails to reach nobody itself, then the deepest. */
export function findUnrecorded(hazards: readonly Hazard[], { hops, items }: Facts): Hazard | undefined {
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
