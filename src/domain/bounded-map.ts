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

/** Entries that are forgotten some time after they were set. Time is the caller's, in milliseconds. */
export type RecentMap<Value> = {
  readonly get: (key: string, nowMs: number) => Value | undefined
  readonly set: (key: string, value: Value, nowMs: number) => void
  readonly clear: () => void
}

/** A bounded map that forgets an entry `lifeMs` after it was set. */
export function createRecentMap<Value>(lifeMs: number): RecentMap<Value> {
  const kept = new Map<string, { readonly value: Value; readonly untilMs: number }>()
  return {
    get: (key, nowMs) => {
      const entry = kept.get(key)
      return entry && entry.untilMs > nowMs ? entry.value : undefined
    },
    set: (key, value, nowMs) => setBounded(kept, key, { value, untilMs: nowMs + lifeMs }),
    clear: () => kept.clear(),
  }
}

/** Amounts by key within the running period. */
export type Tally = {
  readonly read: (key: string, nowMs: number) => number
  readonly add: (key: string, amount: number, nowMs: number) => void
}

/** A bounded tally that begins anew with every period of `periodMs`. */
export function createTally(periodMs: number): Tally {
  const amounts = new Map<string, number>()
  let period = -1
  const turn = (nowMs: number): void => {
    const current = Math.floor(nowMs / periodMs)
    if (current !== period) amounts.clear()
    period = current
  }
  return {
    read: (key, nowMs) => {
      turn(nowMs)
      return amounts.get(key) ?? 0
    },
    add: (key, amount, nowMs) => {
      turn(nowMs)
      setBounded(amounts, key, (amounts.get(key) ?? 0) + amount)
    },
  }
}

/** How many are at something at once, in all and by key. Time is the caller's, in milliseconds. */
export type Gate = {
  /** `undefined` when there are too many of that key; otherwise what to call at the end. */
  readonly enter: (key: string, nowMs: number) => (() => void) | undefined
}

/** A gate that lets in `most` of a key at once. Who has not left after `lifeMs` is dead. */
export function createGate(most: number, lifeMs: number): Gate {
  const inside = new Map<string, Set<{ readonly sinceMs: number }>>()
  return {
    enter: (key, nowMs) => {
      const those = inside.get(key) ?? new Set<{ readonly sinceMs: number }>()
      // In the order in which they came.
      for (const one of those) {
        if (nowMs - one.sinceMs <= lifeMs) break
        those.delete(one)
      }
      if (those.size >= most) return undefined
      const entered = { sinceMs: nowMs }
      inside.set(key, those.add(entered))
      return () => {
        those.delete(entered)
        if (those.size === 0 && inside.get(key) === those) inside.delete(key)
      }
    },
  }
}
