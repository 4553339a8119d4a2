const MAX_ENTRIES = 10_000

/** Adds to what an isolate remembers, which is only ever a help: when it grows too large, it starts over. */
export function setBounded<Value>(map: Map<string, Value>, key: string, value: Value): void {
  if (map.size >= MAX_ENTRIES) map.clear()
  map.set(key, value)
}

/** Values that together weigh no more than a limit. */
export type WeighedMap<Value> = {
  readonly get: (key: string) => Value | undefined
  readonly delete: (key: string) => void
  /** Keeps a value unless it is too heavy by itself; those kept longest make room for it. */
  readonly set: (key: string, value: Value, weight: number) => void
}

/** A map whose values weigh `maxWeight` at most. */
export function createWeighedMap<Value>(maxWeight: number): WeighedMap<Value> {
  const kept = new Map<string, { readonly value: Value; readonly weight: number }>()
  let total = 0
  const remove = (key: string): void => {
    total -= kept.get(key)?.weight ?? 0
    kept.delete(key)
  }
  return {
    get: (key) => kept.get(key)?.value,
    delete: remove,
    set: (key, value, weight) => {
      remove(key)
      if (weight > maxWeight) return
      for (const oldest of kept.keys()) {
        if (total + weight <= maxWeight) break
        remove(oldest)
      }
      kept.set(key, { value, weight })
      total += weight
    },
  }
}
