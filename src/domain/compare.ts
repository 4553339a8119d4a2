/** Orders texts by their UTF-16 units, the same everywhere: for `toSorted`. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** The earlier of two instants; of equal ones the first. */
export const earlier = (a: Date, b: Date): Date => (b < a ? b : a)

/** The later of two instants; of equal ones the first. */
export const later = (a: Date, b: Date): Date => (b > a ? b : a)
