import type { Deps } from '../deps.ts'
import { deadChanges } from '../domain/state-window.ts'
import { isSweepDue, nextSweepAt, type SweepHints } from '../domain/sweep.ts'
import { readWindowCopies, repairWindowCopies, type WindowId } from '../store/state-windows.ts'
import { readSweepHints, sweepBatch, sweepRemains, writeSweepDue } from '../store/sweeps.ts'
import { listForRepair } from '../store/window-repairs.ts'
import { repairWindow } from './read-window.ts'

/** Bounds of one tick, which keep it below 50 requests (the free plan) and a batch below what ingest would notice. */
const BATCH_ROWS = 10_000
const MAX_BATCHES = 30
const MAX_TIDIED_WINDOWS = 100
const MAX_REPAIRED_WINDOWS = 3

export type SweepResult = {
  readonly skipped: boolean
  readonly deleted: number
  readonly batches: number
  readonly tidiedWindows: number
  readonly repairedWindows: number
}

const SKIPPED: SweepResult = { skipped: true, deleted: 0, batches: 0, tidiedWindows: 0, repairedWindows: 0 }

/**
 * One cron tick: deletes expired events and rolls them up, tidies the copies of the windows they were in, and repairs
 * windows that missed a merge. Safe to run twice at once or to be killed anywhere; what is left over waits for the next
 * tick. An idle database is left asleep.
 */
export async function runSweep(deps: Deps, now: Date): Promise<SweepResult> {
  const hints = await findHints(deps)
  const result = isSweepDue(hints, now) ? await sweep(deps, now) : SKIPPED
  deps.log('sweep', {
    skipped: result.skipped,
    deleted: result.deleted,
    batches: result.batches,
    tidied_windows: result.tidiedWindows,
    repaired_windows: result.repairedWindows,
    redis: hints ? 'up' : 'down',
  })
  return result
}

async function sweep(deps: Deps, now: Date): Promise<SweepResult> {
  const windows = new Map<string, WindowId>()
  let deleted = 0
  let batches = 0
  for (let more = true; more && batches < MAX_BATCHES; batches += 1) {
    const batch = await sweepBatch(deps.db, now, BATCH_ROWS)
    deleted += batch.deleted
    for (const window of batch.windows) windows.set(window.serviceId, window)
    more = batch.deleted === BATCH_ROWS
  }
  const { lastExpiryAt } = await sweepRemains(deps.db, BATCH_ROWS)
  const repairedWindows = await repairMarked(deps)
  const tidiedWindows = await tidy(deps, [...windows.values()].slice(0, MAX_TIDIED_WINDOWS), now)
  await attempt(deps, 'sweep_hint_failed', () => writeSweepDue(deps.redis, nextSweepAt(lastExpiryAt, now)))
  return { skipped: false, deleted, batches, tidiedWindows: tidiedWindows ?? 0, repairedWindows }
}

async function findHints({ redis }: Deps): Promise<SweepHints> {
  try {
    return await readSweepHints(redis)
  } catch {
    return undefined
  }
}

async function repairMarked(deps: Deps): Promise<number> {
  const marked = await listForRepair(deps.db, MAX_REPAIRED_WINDOWS)
  let repaired = 0
  for (const window of marked) {
    const isRepaired = await attempt(deps, 'window_repair_failed', async () => {
      await repairWindow(deps, window)
      return true
    })
    if (isRepaired) repaired += 1
  }
  return repaired
}

/** Removes expired changes from the copies of windows that lost events. */
async function tidy(deps: Deps, windows: readonly WindowId[], now: Date): Promise<number | undefined> {
  return attempt(deps, 'window_tidy_failed', async () => {
    const copies = await readWindowCopies(deps.redis, windows)
    const repairs = windows.flatMap((window, place) => {
      const copy = copies[place] ?? new Map()
      const remove = deadChanges(copy, now)
      return remove.length === 0 ? [] : [{ ...window, copy, repair: { write: [], remove } }]
    })
    await repairWindowCopies(deps.redis, repairs, now)
    return repairs.length
  })
}

async function attempt<Result>(deps: Deps, failure: string, work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work()
  } catch (error) {
    deps.log(failure, { reason: error instanceof Error ? error.name : 'unknown' })
    return undefined
  }
}
