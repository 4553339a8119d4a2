import { compareText } from '../compare.ts'
import type { Explain } from './blame.ts'
import type { Facts } from './facts.ts'
import { createPlacer } from './features.ts'
import type { Candidate, Hazard } from './model.ts'
import type { Weights } from './weights.ts'

/** Candidates by score; of equals the latest first. */
export function rank(candidates: readonly Candidate[]): readonly Candidate[] {
  return candidates.toSorted(
    (a, b) =>
      b.score - a.score ||
      b.change.atMs - a.change.atMs ||
      compareText(a.change.key, b.change.key) ||
      compareText(a.change.lead.entry.id, b.change.lead.entry.id),
  )
}

/** The faults that nobody recorded, the likeliest first: at what the alerting service reaches, and at its direct callers. */
export function listHazards(facts: Facts, explain: Explain, weights: Weights): readonly Hazard[] {
  const { alertKey, hops, callers, hosts, items } = facts
  const placeOf = createPlacer(facts, weights)
  const keys = alertKey === null ? items.flatMap(({ caller, callee }) => [caller, callee]) : [...hops.keys(), ...callers]
  return [...new Set(keys)]
    .map((key) => {
      const { evidence } = explain(key, null)
      const isExternal = hosts.has(key)
      const chance = isExternal ? weights.external : weights.unrecorded
      return { key, isExternal, logOdds: Math.log(chance) + evidence + Math.log(placeOf(key, evidence > 0)) }
    })
    .toSorted((a, b) => b.logOdds - a.logOdds || compareText(a.key, b.key))
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
