const MAX_ENTRIES = 10_000

/** Adds to what an isolate remembers, which is only ever a help: when it grows too large, it starts over. */
export function setBounded<Value>(map: Map<string, Value>, key: string, value: Value): void {
  if (map.size >= MAX_ENTRIES) map.clear()
  map.set(key, value)
}
