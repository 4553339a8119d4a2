import { setBounded } from '../domain/bounded-map.ts'

/** Takes turns at something, so many of each at a time. */
export type Turns = {
  /** Waits for a turn of `who` and returns what to call at its end; throws when none comes in time. */
  readonly take: (who: string) => Promise<() => void>
}

type Turn = { endsMs: number }

/** Nothing takes as long as that: who is said to is dead, for a runtime ends whose client has gone without a word. */
const DEAD_AFTER_MS = 10_000
/** A turn that took as long was hard work, for the database and for whoever read the answer: it is given to nobody for four times as long. */
const HARD_MS = 300
const REST_FACTOR = 4
const MAX_REST_MS = 1_000
/** How often one that waits looks. Nobody wakes it: in a Worker what one request resolves, another waits for in vain now and then. */
const LOOK_EVERY_MS = 15

/** Turns of which everyone has `most` at a time, and waits for one for `patienceMs`. */
export function createTurns(most: number, patienceMs: number, tooMany: () => Error): Turns {
  const lines = new Map<string, Set<Turn>>()
  const enter = (who: string): (() => void) | undefined => {
    const inside = lines.get(who) ?? new Set<Turn>()
    if (!lines.has(who)) setBounded(lines, who, inside)
    const nowMs = Date.now()
    for (const turn of inside) if (turn.endsMs <= nowMs) inside.delete(turn)
    if (inside.size >= most) return undefined
    const turn = { endsMs: nowMs + DEAD_AFTER_MS }
    inside.add(turn)
    return () => {
      const tookMs = Date.now() - nowMs
      if (tookMs >= HARD_MS) turn.endsMs = Date.now() + Math.min(REST_FACTOR * tookMs, MAX_REST_MS)
      else inside.delete(turn)
      if (inside.size === 0 && lines.get(who) === inside) lines.delete(who)
    }
  }
  return {
    take: async (who) => {
      const untilMs = Date.now() + patienceMs
      for (let leave = enter(who); ; leave = enter(who)) {
        if (leave) return leave
        if (Date.now() >= untilMs) throw tooMany()
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
      }
    },
  }
}
