import type { Chance, Clock, Copies, Linking, Logging, Model, Receivers, Sealing, Site, Stores, Upkeep } from '../deps.ts'
import { AppError, nameOf } from '../domain/errors.ts'
import type { IncidentId, TenantId } from '../domain/ids.ts'
import { planDiagnosisRetry, planNoteRetry } from '../domain/incident/schedule.ts'
import { type ClaimedWork, claimAgain, claimMessages, putOffWork } from '../store/incident-work.ts'
import type { KnownSnapshot } from '../store/incidents.ts'
import { pointToWork } from '../store/sweeps.ts'
import { diagnoseIncident, type ToTell } from './diagnose-incident.ts'
import { type FollowUp, followUp, isFollowUp } from './follow-up.ts'
import { tellAnswer } from './tell-answer.ts'

/** What a diagnosis and its note may take. */
export type WorkDeps = Stores & Clock & Chance & Logging & Model & Sealing & Receivers & Site & Linking & Upkeep

/** Makes the cron look, should this isolate get no further; best before there is anything to find. `false`: Redis did not hear. */
export async function announceWork({ redis, log, now }: Copies & Clock & Logging): Promise<boolean> {
  try {
    await pointToWork(redis, now())
    return true
  } catch {
    log('work_not_announced', {})
    return false
  }
}

/** After that long, what is left is the cron's: an isolate may go on for half a minute after its answer. */
const PATIENCE_MS = 15_000
const SHORT_WAIT_MS = 10_000
/** Timers may fire early, and what is not due is not given out. */
const TIMER_SLACK_MS = 20

/**
 * Does claimed work and what follows from it, as far as it goes in this isolate. How it went is in the store; what was not
 * reached, or not recorded, is found there by the cron. Never throws; says whether nothing was left over. `onMade` is told what a
 * diagnosis saw.
 */
export async function workOn(
  deps: WorkDeps,
  work: ClaimedWork,
  clock: () => Date,
  {
    maxMessages = countMessages(deps),
    onMade,
  }: { readonly maxMessages?: number; readonly onMade?: (made: KnownSnapshot | undefined) => void } = {},
): Promise<boolean> {
  const startedMs = clock().getTime()
  try {
    if (isFollowUp(work)) {
      await followUp(deps, work, clock)
      return await tellOthers(deps, work, clock, startedMs, maxMessages)
    }
    if (work.kind !== 'diagnosis') return await tell(deps, work, clock, startedMs)
    const following = await diagnoseOrPutOff(deps, work, clock)
    if (following === 'left') return false
    const { note, messages, made } = following
    onMade?.(made)
    const others = messages > 0 ? tellOthers(deps, work, clock, startedMs, maxMessages) : true
    return (await Promise.all([note ? tell(deps, note, clock, startedMs) : true, others])).every(Boolean)
  } catch (error) {
    deps.log('incident_work_left_over', { ...toFields(work), reason: nameOf(error) })
    return false
  }
}

/** Requests to the stores, the model and the pager that one piece of work takes at most, a diagnosis with its note. */
export const REQUESTS_EACH = 27
const REQUESTS_A_MESSAGE = 6
/** Messages that are sent at a time: a Worker waits for six answers at once. */
const AT_ONCE = 5
const MAX_MESSAGES = 25

/**
 * How many messages an isolate sends beside each note, when it works on so many incidents, by what a tick may ask on the same plan;
 * the cron sends the rest.
 */
export function countMessages({ sweepRequests }: Upkeep, incidents = 1): number {
  const affordable = Math.floor((sweepRequests / incidents - REQUESTS_EACH) / REQUESTS_A_MESSAGE)
  return Math.min(MAX_MESSAGES, Math.max(AT_ONCE, affordable))
}

/** Sends what others are told of an incident, each receiver's messages one after the other; `false`: some is left. */
async function tellOthers(
  deps: WorkDeps,
  { tenantId, incidentId }: Pick<ClaimedWork, 'tenantId' | 'incidentId'>,
  clock: () => Date,
  startedMs: number,
  maxMessages: number,
): Promise<boolean> {
  let left = maxMessages
  while (left > 0 && clock().getTime() - startedMs < PATIENCE_MS) {
    const claimed = await claimMessages(deps.db, tenantId, incidentId, clock(), Math.min(left, AT_ONCE))
    if (claimed.length === 0) return true
    left -= claimed.length
    const told = await Promise.all(
      claimed.map((piece) => (isFollowUp(piece) ? plan(deps, piece, clock) : tell(deps, piece, clock, startedMs))),
    )
    if (!told.every(Boolean)) return false
  }
  return false
}

/** Begins to tell what followed an incident's answer, as far as it goes in this isolate; the cron tells the rest. Never throws. */
export async function tellFollowUps(deps: WorkDeps, tenantId: TenantId, incidentId: IncidentId): Promise<void> {
  try {
    await tellOthers(deps, { tenantId, incidentId }, deps.now, deps.now().getTime(), countMessages(deps))
  } catch (error) {
    deps.log('incident_work_left_over', { tenant_id: tenantId, incident_id: incidentId, reason: nameOf(error) })
  }
}

async function plan(deps: WorkDeps, work: FollowUp, clock: () => Date): Promise<boolean> {
  await followUp(deps, work, clock)
  return true
}

/** Sends a message, and sends it again as long as that is soon enough; `false`: it is left to others. Never throws. */
async function tell(deps: WorkDeps, work: ClaimedWork, clock: () => Date, startedMs: number): Promise<boolean> {
  try {
    let next: ClaimedWork | 'left' | undefined = work
    while (next && next !== 'left') next = await tellOrWait(deps, next, clock, startedMs)
    return next !== 'left'
  } catch (error) {
    deps.log('incident_work_left_over', { ...toFields(work), reason: nameOf(error) })
    return false
  }
}

async function diagnoseOrPutOff(deps: WorkDeps, work: ClaimedWork, clock: () => Date): Promise<ToTell | 'left'> {
  try {
    return await diagnoseIncident(deps, work, clock)
  } catch (error) {
    deps.log('diagnosis_failed', { ...toFields(work), reason: nameOf(error) })
    const retry = planDiagnosisRetry(work.attempts, clock())
    await putOffWork(deps.db, work, retry?.at, `the diagnosis could not be made${retry ? '; it is tried again' : ''}`)
    return 'left'
  }
}

/** Posts a note. When that has to be tried again soon, waits for it here. */
async function tellOrWait(
  deps: WorkDeps,
  work: ClaimedWork,
  clock: () => Date,
  startedMs: number,
): Promise<ClaimedWork | 'left' | undefined> {
  const retryAt = await tellOrPutOff(deps, work, clock)
  if (!retryAt) return undefined
  const now = clock().getTime()
  const waitMs = Math.max(0, retryAt.getTime() - now)
  if (waitMs > SHORT_WAIT_MS || now + waitMs - startedMs > PATIENCE_MS) return 'left'
  await deps.rest(waitMs + TIMER_SLACK_MS)
  return (await claimAgain(deps.db, work, clock())) ?? 'left'
}

/** What fails before or after the pager was asked is tried again as seldom as what the pager refuses to do. */
async function tellOrPutOff(deps: WorkDeps, work: ClaimedWork, clock: () => Date): Promise<Date | undefined> {
  try {
    return await tellAnswer(deps, work, clock)
  } catch (error) {
    deps.log('note_failed', { ...toFields(work), reason: nameOf(error) })
    const retry = planNoteRetry({ attempts: work.attempts, askedMs: 0, isDoubtful: true }, clock())
    await putOffWork(
      deps.db,
      work,
      retry?.at,
      error instanceof AppError ? error.message : 'the note could not be written or kept; it is tried again',
      { keepsContent: true },
    )
    return retry?.at
  }
}

function toFields({ tenantId, incidentId, kind, attempts }: ClaimedWork) {
  return { tenant_id: tenantId, incident_id: incidentId, kind, attempts }
}
