import { setBounded } from '../domain/bounded-map.ts'

/** Takes turns at something, so many of each at a time. */
export type Turns = {
  /** Waits for a turn of `who` and returns what to call at its end; throws when none comes in time. */
  readonly take: (who: string) => Promise<() => void>
}

type Turn = { endsMs: number }

type Line = { readonly inside: Set<Turn>; readonly waiting: Set<() => void> }

/** Nothing takes as long as that: who is said to is dead, for a runtime ends whose client has gone without a word. */
const DEAD_AFTER_MS = 10_000
/** A turn that took as long was hard work, for the database and for whoever read the answer: it is given to nobody for four times as long. */
const HARD_MS = 300
const REST_FACTOR = 4
const MAX_REST_MS = 1_000
/** How often one that waits looks for itself: whoever should have woken it may be dead, and a turn that rests wakes nobody. */
const LOOK_EVERY_MS = 25

/** Turns of which everyone has `most` at a time, and waits for one for `patienceMs`. */
export function createTurns(most: number, patienceMs: number, tooMany: () => Error): Turns {
  const lines = new Map<string, Line>()
  const enter = (who: string): (() => void) | undefined => {
    const line = lines.get(who) ?? { inside: new Set<Turn>(), waiting: new Set<() => void>() }
    if (!lines.has(who)) setBounded(lines, who, line)
    const nowMs = Date.now()
    for (const turn of line.inside) if (turn.endsMs <= nowMs) line.inside.delete(turn)
    if (line.inside.size >= most) return undefined
    const turn = { endsMs: nowMs + DEAD_AFTER_MS }
    line.inside.add(turn)
    return () => {
      const tookMs = Date.now() - nowMs
      if (tookMs >= HARD_MS) turn.endsMs = Date.now() + Math.min(REST_FACTOR * tookMs, MAX_REST_MS)
      else line.inside.delete(turn)
      const [next] = line.waiting
      next?.()
      if (line.inside.size === 0 && line.waiting.size === 0) lines.delete(who)
    }
  }
  const wait = (who: string) =>
    new Promise<void>((resolve) => {
      const waiting = lines.get(who)?.waiting
      const wake = () => {
        clearTimeout(timer)
        waiting?.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, LOOK_EVERY_MS)
      waiting?.add(wake)
    })
  return {
    take: async (who) => {
      const untilMs = Date.now() + patienceMs
      for (let leave = enter(who); ; leave = enter(who)) {
        if (leave) return leave
        if (Date.now() >= untilMs) throw tooMany()
        await wait(who)
      }
    },
  }
}
