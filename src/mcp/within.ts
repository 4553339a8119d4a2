const SHARES = [1, 0.75, 0.5, 0.35, 0.25, 0.15, 0.1, 0.05, 0.02, 0] as const
const SHORTEST_TEXT = 24

/** How much of lists and texts there is room for. */
export type Room = {
  /** Of a list with at most `max` items, the first. */
  readonly first: <Item>(list: readonly Item[], max: number) => readonly Item[]
  /** Characters of a text with at most `max`. */
  readonly length: (max: number) => number
}

/** What `build` makes within that many bytes of JSON, with as much in it as fits. */
export function within<Value>(maxBytes: number, build: (room: Room) => Value): Value {
  const make = (share: number) =>
    build({
      first: (list, max) => list.slice(0, Math.floor(share * max)),
      length: (max) => Math.max(Math.min(max, SHORTEST_TEXT), Math.floor(Math.sqrt(share) * max)),
    })
  const fitting = SHARES.find((share) => byteLength(make(share)) <= maxBytes)
  return make(fitting ?? 0)
}

function byteLength(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length
}
