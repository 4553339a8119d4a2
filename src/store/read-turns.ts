import { setBounded } from '../domain/bounded-map.ts'

/** Ends a turn that brought an answer of `length` characters. */
export type Leave = (length: number) => void

/** Takes turns at something, so many of each at a time. */
export type Turns = {
  /** Waits for a turn of `who` and returns what to call at its end; throws when none comes in time. */
  readonly take: (who: string) => Promise<Leave>
}

/** A turn that is over rests until its end. */
type Turn = { endsMs: number; isResting: boolean }

type Line = {
  readonly inside: Set<Turn>
  room: number
  /** When somebody was last told to wait while somebody was at it: who waits for a rest alone is no crowd. */
  crowdedMs: number
  /** Until when it would rest, were each long answer followed by its whole rest. */
  owedUntilMs: number
  /** When a long answer came last. */
  longMs: number
}

/** Nothing takes as long as that: who is said to is dead, for a runtime ends whose client has gone without a word. */
const DEAD_AFTER_MS = 10_000
/** Room for turns at first. Each makes room for one more. */
const ROOM_AT_FIRST = 2
/** A turn that took as long was hard work for the database: it is given to nobody for four times as long, and there are few. */
const SLOW_MS = 300
const SLOW_REST_FACTOR = 4
const ROOM_WHEN_SLOW = 8
/** An answer as long was hard work for the isolate, too, which reads nothing else meanwhile. */
export const LONG = 100_000
/** Of a flood of these a tenant has four percent of the time: who asks beside it meets one so seldom that 95 of 100 do not. */
const LONG_REST_FACTOR = 24
const ROOM_WHEN_LONG = 1
/** For so long quick ones make no more room than at first, or between two bursts of long ones they would make it for the next. */
const LONG_KNOWN_MS = 60_000
const MAX_REST_MS = 1_000
/** So much of that rest is let off, and all of it while nobody waits: who reads one after the other is no flood. */
const LONG_ALLOWANCE_MS = 1_000
const CROWDED_FOR_MS = 1_000
/**
 * How often one that waits looks, at first and at last. Nobody wakes it: in a Worker what one request resolves, another waits for in
 * vain now and then. A look is a tenth of a millisecond of the isolate's.
 */
const [FIRST_LOOK_MS, LAST_LOOK_MS] = [15, 60]

const areResting = ({ inside }: Line): boolean => Array.from(inside).every(({ isResting }) => isResting)

/**
 * Turns of which everyone has at most `most` at a time, and waits for one for `patienceMs`: few at first, more with each that is
 * quick, and one at a time where answers are long.
 */
export function createTurns(most: number, patienceMs: number, tooMany: () => Error): Turns {
  const lines = new Map<string, Line>()
  const lineOf = (who: string): Line => {
    const known = lines.get(who)
    if (known) return known
    const line = { inside: new Set<Turn>(), room: Math.min(ROOM_AT_FIRST, most), crowdedMs: 0, owedUntilMs: 0, longMs: 0 }
    setBounded(lines, who, line)
    return line
  }
  const enter = (line: Line): Leave | undefined => {
    const nowMs = Date.now()
    for (const turn of line.inside) if (turn.endsMs <= nowMs) line.inside.delete(turn)
    if (line.inside.size >= line.room) {
      if (!areResting(line)) line.crowdedMs = nowMs
      return undefined
    }
    const turn: Turn = { endsMs: nowMs + DEAD_AFTER_MS, isResting: false }
    line.inside.add(turn)
    const rest = (ms: number, room: number) => {
      line.room = Math.min(line.room, room)
      turn.isResting = true
      turn.endsMs = Date.now() + Math.min(ms, MAX_REST_MS)
    }
    return (length) => {
      const tookMs = Date.now() - nowMs
      if (length >= LONG) {
        const endedMs = nowMs + tookMs
        line.longMs = endedMs
        const owedMs = endedMs - line.crowdedMs < CROWDED_FOR_MS ? LONG_REST_FACTOR * tookMs : 0
        // No more than is rested next: a flood that has ended is soon forgotten.
        line.owedUntilMs = Math.min(Math.max(line.owedUntilMs, endedMs) + owedMs, endedMs + LONG_ALLOWANCE_MS + MAX_REST_MS)
        return rest(Math.max(0, line.owedUntilMs - endedMs - LONG_ALLOWANCE_MS), ROOM_WHEN_LONG)
      }
      if (tookMs >= SLOW_MS) return rest(SLOW_REST_FACTOR * tookMs, ROOM_WHEN_SLOW)
      const mayBeLong = Date.now() - line.longMs < LONG_KNOWN_MS
      line.room = Math.min(line.room + 1, most, mayBeLong ? ROOM_AT_FIRST : most)
      line.inside.delete(turn)
    }
  }
  return {
    take: async (who) => {
      const line = lineOf(who)
      const untilMs = Date.now() + patienceMs
      for (let [leave, lookMs] = [enter(line), FIRST_LOOK_MS]; ; [leave, lookMs] = [enter(line), Math.min(2 * lookMs, LAST_LOOK_MS)]) {
        if (leave) return leave
        const leftMs = untilMs - Date.now()
        if (leftMs <= 0) throw tooMany()
        const ends = Array.from(line.inside, ({ endsMs }) => endsMs - Date.now())
        const waitMs = areResting(line) ? Math.max(Math.min(...ends), FIRST_LOOK_MS) : lookMs
        await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, leftMs)))
      }
    },
  }
}
