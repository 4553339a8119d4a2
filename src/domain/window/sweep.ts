/** What Redis says about the database, so that the cron need not wake it to find out; `undefined`: Redis is down. */
export type SweepHints =
  | {
      readonly isDatabaseInUse: boolean
      readonly dueAtMs: number | undefined
      /** The last tick that could leave word. */
      readonly wasHereMs: number | undefined
    }
  | undefined

/** How long an idle database with nothing left to delete is left alone, and the longest any sweep is put off. */
const MAX_IDLE_MS = 24 * 3_600_000

/** Between one tick and the next but one, a minute each: who missed a tick missed what was said at the time. */
const MISSED_AFTER_MS = 90_000

/**
 * Whether a cron tick should touch Postgres: while it is in use anyway, when what was found to be due is, when the tick before
 * could leave no word (whatever happened then may have left none either), when nothing is known, and hourly while Redis is
 * down. `now` is the time for which the tick was planned.
 */
export function isSweepDue(hints: SweepHints, now: Date): boolean {
  if (!hints) return now.getUTCMinutes() === 0
  const { isDatabaseInUse, dueAtMs = 0, wasHereMs = 0 } = hints
  return isDatabaseInUse || dueAtMs <= now.getTime() || now.getTime() - wasHereMs > MISSED_AFTER_MS
}

/** When to wake an idle database next: when the first of these is due (`undefined`: nothing), or after a day at the latest. */
export function nextSweepAt(due: readonly (Date | undefined)[], now: Date): Date {
  return new Date(Math.min(now.getTime() + MAX_IDLE_MS, ...due.flatMap((at) => at?.getTime() ?? [])))
}

/** That many days before an instant. */
export function daysBefore(now: Date, days: number): Date {
  return new Date(now.getTime() - days * 24 * 3_600_000)
}
