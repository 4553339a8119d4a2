import { compareText } from '../compare.ts'
import { toNameKey } from './service-name.ts'

/** Names less alike than this are another's. */
const MIN_LIKENESS = 0.3

/** The names most like one, the likest first: by the pairs of letters that they share, case and separators aside. */
export function nearestNames(name: string, names: readonly string[], limit: number): readonly string[] {
  const wanted = pairsOf(name)
  return names
    .map((each) => ({ name: each, likeness: toLikeness(wanted, pairsOf(each)) }))
    .filter(({ likeness }) => likeness >= MIN_LIKENESS)
    .toSorted((a, b) => b.likeness - a.likeness || compareText(a.name, b.name))
    .slice(0, limit)
    .map((each) => each.name)
}

function pairsOf(name: string): ReadonlySet<string> {
  const key = Array.from(`^${toNameKey(name)}$`)
  return new Set(key.slice(1).map((letter, place) => `${key[place]}${letter}`))
}

/** Dice's coefficient. */
function toLikeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  return (2 * [...a].filter((pair) => b.has(pair)).length) / (a.size + b.size)
}
