import type { Clock, Copies, Database, Logging, Metrics, Stores, Upkeep } from '../deps.ts'
import { nameOf } from '../domain/errors.ts'
import { daysBefore, FIRST_PACE, isSweepDue, isUnhindered, nextPace, nextSweepAt, type SweepHints } from '../domain/window/sweep.ts'
import { countReceived } from '../store/agents.ts'
import { INGEST_DEADLINE_MS } from '../store/events.ts'
import { findNextWork } from '../store/incident-work.ts'
import { forgetSamples } from '../store/samples.ts'
import { type RemovedService, removeSilentServices, reopenServices } from '../store/services.ts'
import { leaveWasHere, readSweepHints, sweepBatch, sweepRemains, writeSweepDue } from '../store/sweeps.ts'
import { type EndedLife, removeEndedLives } from '../store/window-copies.ts'
import { findNextRepair, takeForRepair } from '../store/window-repairs.ts'
import { finishIncidents } from './finish-incidents.ts'
import { forgetIncidents } from './forget-incidents.ts'
import { learnServiceGraph } from './learn-service-graph.ts'
import { repairWindow } from './read-window.ts'
import { tellCounts } from './tell-counts.ts'
import { REQUESTS_EACH, type WorkDeps } from './work-on-incident.ts'

/** After each batch a rest as long as it took, so that ingest hardly notices the sweep; while nothing hinders it, two at a time. */
const BATCHES_AT_ONCE = 2
const LEAST_REST_MS = 40
/** What is left of a backlog is the next tick's, a minute later: not both's at once. */
const MAX_SWEEP_MS = 50_000
const REMAINS_ROWS = 10_000
/** Of a request to Redis, which takes 1 MB on the free plan. */
const MAX_REMOVED_LIVES = 500
/** An event may end lives in two windows, its own and one that it joins; and of so many rows a batch takes a quarter more. */
const LIVES_OF_A_ROW = 2.5
/** Requests of a tick beside those for batches, repairs and incidents' work: hints, looks, upkeep. */
const OTHER_REQUESTS = 16
/** Requests that the repair of a window takes at most. */
const REPAIR_REQUESTS = 4
/** What the sweep leaves to repairs of its requests, and the windows it repairs in any case. */
const REPAIR_SHARE = 0.25
const MIN_REPAIRED_WINDOWS = 2
const MAX_REPAIRS_AT_ONCE = 5
const MAX_REMOVED_SERVICES = 1_000

type SweepDeps = WorkDeps & Metrics

export type SweepResult = {
  readonly skipped: boolean
  /** Diagnoses and notes that were due. */
  readonly incidentWork: number
  readonly deleted: number
  readonly batches: number
  /** Lives of changes that were removed from windows' copies. */
  readonly ended: number
  readonly repairedWindows: number
}

const SKIPPED: SweepResult = { skipped: true, incidentWork: 0, deleted: 0, batches: 0, ended: 0, repairedWindows: 0 }

/**
 * One cron tick: finishes what incidents wait for, deletes expired events and rolls them up, takes what ended with them out of the windows' copies, and
 * repairs windows that missed a merge. Safe to run twice at once or to be killed anywhere; what is left over waits for
 * the next tick. An idle database is left asleep.
 *
 * The pointer to work, `sweep:due`, is set before there is any and moved on only once all of it was looked at: however long
 * Postgres is away, the first tick that reaches it finds what there is. While Redis is away nobody can set it, but neither can
 * the ticks leave word that they were there, and the next one looks.
 */
export async function runSweep(deps: SweepDeps, now: Date): Promise<SweepResult> {
  const hints = await findHints(deps)
  const isDue = isSweepDue(hints, now)
  if (hints) await attempt(deps, 'sweep_hint_failed', () => leaveWasHere(deps.redis, now, { isDue }))
  const result = isDue ? await sweep(deps, now) : SKIPPED
  deps.log('sweep', {
    skipped: result.skipped,
    deleted: result.deleted,
    batches: result.batches,
    ended: result.ended,
    repaired_windows: result.repairedWindows,
    incident_work: result.incidentWork,
    redis: hints ? 'up' : 'down',
  })
  const told: Promise<void>[] = []
  tellCounts(deps, (work) => void told.push(work))
  await Promise.all(told)
  return result
}

async function sweep(deps: SweepDeps, now: Date): Promise<SweepResult> {
  let incidentWork = 0
  const isWorkDone = await attempt(deps, 'incident_work_failed', async () => {
    incidentWork = await finishIncidents(deps, now)
  })
  await attempt(deps, 'service_graph_not_learned', async () => void (await learnServiceGraph(deps)))
  await attempt(deps, 'received_not_counted', () => countReceived(deps.db))
  const repairs = await repairMarked(deps)
  const taken = OTHER_REQUESTS + incidentWork * REQUESTS_EACH + repairs.tried * REPAIR_REQUESTS
  const { isMore, ...swept } = await sweepExpired(deps, now, deps.sweepRequests - taken)
  await attempt(deps, 'incidents_not_forgotten', () => forgetIncidents(deps, now))
  const samples = await forgetSamples(deps.db, now)
  await removeServices(deps, now, samples.removed)
  const { lastExpiryAt } = await sweepRemains(deps.db, now, deps.retention, REMAINS_ROWS)
  const due = [
    isMore ? now : lastExpiryAt,
    samples.nextAt,
    await findNextWork(deps.db),
    repairs.areMore ? now : await findNextRepair(deps.db),
  ]
  if (isWorkDone) await attempt(deps, 'sweep_hint_failed', () => writeSweepDue(deps.redis, nextSweepAt(due, now)))
  return { skipped: false, incidentWork, ...swept, repairedWindows: repairs.done }
}

const requestsFor = (endedLives: number) => 1 + Math.ceil(endedLives / MAX_REMOVED_LIVES)

/**
 * Deletes what has expired, as far as so many requests and the time go, and says whether there is more: one batch in any case, for what
 * is due otherwise may use all of them up, tick after tick.
 */
async function sweepExpired(deps: SweepDeps, now: Date, requests: number) {
  const done = { deleted: 0, batches: 0, ended: 0 }
  let [left, pace, isMore] = [requests, FIRST_PACE, true]
  const until = deps.now().getTime() + MAX_SWEEP_MS
  const goesOn = () => isMore && (done.batches === 0 || (left > 0 && deps.now().getTime() < until))
  const sweepOne = async () => {
    const limit = Math.max(FIRST_PACE.rows, Math.min(pace.rows, Math.floor(((left - 1) * MAX_REMOVED_LIVES) / LIVES_OF_A_ROW)))
    const reserved = requestsFor(LIVES_OF_A_ROW * limit)
    left -= reserved
    const startedAt = deps.now().getTime()
    const batch = await sweepBatch(deps.db, now, limit)
    left += reserved
    // Of those that end more, what there is no request for stays: reads leave it out, and it expires.
    const ended = batch.ended.slice(0, (Math.max(left, done.batches === 0 ? reserved : 1) - 1) * MAX_REMOVED_LIVES)
    left -= requestsFor(ended.length)
    done.batches += 1
    done.deleted += batch.deleted
    deps.counts.count('noctuary_swept_events_total', {}, batch.deleted)
    isMore &&= batch.deleted >= limit || batch.forgotten >= limit
    const atMs = deps.now().getTime()
    const tookMs = atMs - startedAt
    const lateMs = now.getTime() - (batch.earliestEnd ?? now).getTime()
    pace = nextPace(pace, { rows: limit, tookMs, atMs, isBesideOthers: batch.isBesideOthers, lateMs })
    return { ended, tookMs }
  }
  const tellEnded = (removed: number) => {
    done.ended += removed
  }
  const sweepWhile = async (isWanted: () => boolean) => {
    // Beside the next batch: Redis waits for nobody.
    let removal = Promise.resolve()
    try {
      while (goesOn() && isWanted()) {
        const { ended, tookMs } = await sweepOne()
        await removal
        removal = removeEnded(deps, ended, tellEnded)
        if (goesOn()) await deps.rest(Math.max(LEAST_REST_MS, tookMs))
      }
    } catch (error) {
      isMore = false
      throw error
    } finally {
      await removal
    }
  }
  const isSwift = () => isUnhindered(pace)
  do {
    await sweepWhile(() => !isSwift())
    for (const loop of await Promise.allSettled(Array.from({ length: BATCHES_AT_ONCE }, () => sweepWhile(isSwift)))) {
      if (loop.status === 'rejected') throw loop.reason
    }
  } while (goesOn())
  return { ...done, isMore }
}

/** Takes what ended out of copies, and tells how much. Never fails. */
async function removeEnded(deps: Copies & Logging, lives: readonly EndedLife[], tell: (removed: number) => void): Promise<void> {
  for (let start = 0; start < lives.length; start += MAX_REMOVED_LIVES) {
    const some = lives.slice(start, start + MAX_REMOVED_LIVES)
    if (await attempt(deps, 'ended_lives_not_removed', () => removeEndedLives(deps.redis, some))) tell(some.length)
  }
}

async function findHints({ redis }: Copies): Promise<SweepHints> {
  try {
    return await readSweepHints(redis)
  } catch {
    return undefined
  }
}

async function repairMarked(deps: Stores & Logging & Upkeep) {
  const limit = Math.max(MIN_REPAIRED_WINDOWS, Math.floor((REPAIR_SHARE * deps.sweepRequests) / REPAIR_REQUESTS))
  const taken = await takeForRepair(deps.db, limit)
  let done = 0
  for (let start = 0; start < taken.length; start += MAX_REPAIRS_AT_ONCE) {
    const some = taken.slice(start, start + MAX_REPAIRS_AT_ONCE)
    const repaired = await Promise.all(some.map((window) => attempt(deps, 'window_repair_failed', () => repairWindow(deps, window))))
    done += repaired.filter(Boolean).length
  }
  return { tried: taken.length, done, areMore: taken.length === limit }
}

/** Beside those that are `gone` already. An event or an alert that was on its way while its service was removed finds it again. */
async function removeServices(
  { db, rest, retention }: Database & Clock & Upkeep,
  now: Date,
  gone: readonly RemovedService[],
): Promise<void> {
  const heardOfSince = daysBefore(now, 2 * retention.silentServiceDays)
  const removed = [...gone, ...(await removeSilentServices(db, heardOfSince, MAX_REMOVED_SERVICES))]
  if (removed.length === 0) return
  await rest(INGEST_DEADLINE_MS)
  await reopenServices(db, heardOfSince, removed)
}

/** Does what may fail without harm, and says whether it did not. */
async function attempt({ log }: Logging, failure: string, work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    log(failure, { reason: nameOf(error) })
    return false
  }
}
