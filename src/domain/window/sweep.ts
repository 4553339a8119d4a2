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

/** How the sweep goes on, judged by its batches so far. */
export type SweepPace = {
  /** Rows of the next batch. */
  readonly rows: number
  /** Whether others keep Postgres busy; until that is known, it is. */
  readonly isBusy: boolean
  /** Batches since an instant, and how many of them found others at work. */
  readonly watched: { readonly sinceMs: number; readonly batches: number; readonly besideOthers: number } | undefined
}

/** A batch that is done; `atMs`: when it was. */
export type BatchDone = {
  readonly rows: number
  readonly tookMs: number
  readonly atMs: number
  readonly isBesideOthers: boolean
  /** How long ago what it took had ended, the first of it. */
  readonly lateMs: number
}

const MAX_BUSY_ROWS = 1_000
const MAX_ROWS = 5_000
const SLOW_BATCH_MS = 500
/** What of a second's batches may find others at work where Postgres is not busy. */
const IDLE_SHARE = 0.25
const WATCHED_MS = 1_000
/** What stands longer, the sweep has fallen behind with: then no less may be taken out than comes in, whoever notices. */
export const MAX_LATE_MS = 10 * 60_000

/** Small, for events expire a few at a time where nothing stands. */
export const FIRST_PACE: SweepPace = { rows: 250, isBusy: true, watched: undefined }

/**
 * The pace after a batch that left more to do: twice its rows, unless it took long; up to a thousand, for ingest to notice little, and
 * where others hardly ask anything of Postgres, or the sweep is late, up to five thousand.
 */
export function nextPace({ isBusy: wasBusy, watched }: SweepPace, { rows, tookMs, atMs, isBesideOthers, lateMs }: BatchDone): SweepPace {
  const { sinceMs, batches, besideOthers } = watched ?? { sinceMs: atMs - tookMs, batches: 0, besideOthers: 0 }
  const seen = { sinceMs, batches: batches + 1, besideOthers: besideOthers + (isBesideOthers ? 1 : 0) }
  const isKnown = atMs - sinceMs >= WATCHED_MS
  const isBusy = isKnown ? seen.besideOthers > IDLE_SHARE * seen.batches : wasBusy
  const wanted = tookMs > SLOW_BATCH_MS ? Math.floor(rows / 2) : 2 * rows
  return { rows: Math.min(wanted, isBusy && lateMs <= MAX_LATE_MS ? MAX_BUSY_ROWS : MAX_ROWS), isBusy, watched: isKnown ? undefined : seen }
}

/** Whether there is room for two batches at a time. */
export function isUnhindered({ rows }: SweepPace): boolean {
  return rows === MAX_ROWS
}
