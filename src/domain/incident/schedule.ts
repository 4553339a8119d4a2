/** `failed`: given up, and why is told. */
export type IncidentStatus = 'diagnosing' | 'diagnosed' | 'failed'

/** Alerts for one service within this time of an incident that is not resolved share its answer. */
export const FOLD_SECONDS = 60

/** How long whoever began some work is left alone with it: longer than an isolate may go on after its answer. */
export const LEASE_SECONDS = 45

const SECOND_LOOK_MS = 120_000
/** Late events are waited for this long after the alert. */
const WATCH_MS = 3_600_000
const MAX_DIAGNOSES = 10
const MAX_DIAGNOSIS_ATTEMPTS = 8
const MAX_NOTE_ATTEMPTS = 14
/** What becomes of the work of diagnosing once there is an answer. */
export type NextLook = { readonly state: 'due' | 'watching' | 'done'; readonly at: Date }

type Watched = {
  readonly triggeredAt: Date
  /** When it was to be looked at until, if that was said. */
  readonly observedUntil: Date | null
  /** Answers there are by now. */
  readonly diagnoses: number
}

/**
 * When an incident is looked at again: two minutes after its alert, then whenever a late event arrives, for an hour. One that
 * was asked about as of an instant never is.
 */
export function planNextLook({ triggeredAt, observedUntil, diagnoses }: Watched, now: Date): NextLook {
  const secondLookMs = triggeredAt.getTime() + SECOND_LOOK_MS
  const watchUntilMs = triggeredAt.getTime() + WATCH_MS
  if (observedUntil !== null || diagnoses >= MAX_DIAGNOSES || watchUntilMs <= now.getTime()) return { state: 'done', at: now }
  if (secondLookMs > now.getTime()) return { state: 'due', at: new Date(secondLookMs) }
  return { state: 'watching', at: new Date(watchUntilMs) }
}

/** What to do after a failed attempt: try again then, or give up. */
export type Retry = { readonly at: Date } | undefined

/** When to diagnose again after so many failures; `undefined`: give up. */
export function planDiagnosisRetry(attempts: number, now: Date): Retry {
  return attempts >= MAX_DIAGNOSIS_ATTEMPTS ? undefined : { at: new Date(now.getTime() + 60_000 * 2 ** (attempts - 1)) }
}

/** After the first failures, in seconds: the first three while the isolate that began is still there. */
const NOTE_DELAYS_SECONDS = [3, 6, 10, 60, 120, 300, 600, 1_800]
/** A pager may act on what it seemed to refuse, and this long after: only later does its list of notes settle whether it did. */
const DOUBTFUL_NOTE_SECONDS = 45
const LAST_NOTE_DELAY_SECONDS = 3_600

export type FailedNote = {
  /** This one included. */
  readonly attempts: number
  /** When the pager wants to be asked again. */
  readonly askedMs: number
  /** Whether it may have been posted, or still be. */
  readonly isDoubtful: boolean
}

/** When to post a note again after so many failures, not before what the pager asked for; `undefined`: give up. */
export function planNoteRetry({ attempts, askedMs, isDoubtful }: FailedNote, now: Date): Retry {
  if (attempts >= MAX_NOTE_ATTEMPTS) return undefined
  const delaySeconds = NOTE_DELAYS_SECONDS[attempts - 1] ?? LAST_NOTE_DELAY_SECONDS
  const delayMs = 1_000 * Math.max(delaySeconds, isDoubtful ? DOUBTFUL_NOTE_SECONDS : 0)
  return { at: new Date(now.getTime() + Math.max(delayMs, Math.min(askedMs, 1_000 * LAST_NOTE_DELAY_SECONDS))) }
}
