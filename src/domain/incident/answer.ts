import type { Diagnosis } from '../diagnosis/diagnose.ts'
import { type ContextSnapshot, citedEntries } from './snapshot.ts'

export type Verdict = 'confirmed' | 'rejected'

/** What an answer blames, in words that repeats of the same change share; `null` when it blames nothing. */
export function toCause({ hypotheses, abstained }: Diagnosis, snapshot: ContextSnapshot): string | null {
  const [leading] = hypotheses
  const [causeId] = leading?.eventIds ?? []
  if (abstained || !leading || causeId === undefined) return null
  const [entry] = citedEntries(snapshot, [causeId])
  return JSON.stringify([leading.service, entry?.event_type, entry?.vendor, entry?.entity, entry?.new_value, entry?.sha])
}

/** What is compared of two answers: the engine's own finding, and what was told, which a language model may have put first. */
export type Answer = {
  readonly own: { readonly cause: string | null; readonly confidence: number }
  readonly told: string | null
  readonly hypothesis: string
  readonly diagnosedBy: string
}

const NOTABLE_CONFIDENCE = 0.05

/** Whether a later finding of the engine's is worth an answer of its own beside the earlier one. */
export function isNews(earlier: Answer | undefined, own: Answer['own']): boolean {
  if (!earlier || earlier.own.cause !== own.cause) return true
  // What a model made of the same finding stands.
  return earlier.diagnosedBy === 'rules' && Math.abs(earlier.own.confidence - own.confidence) >= NOTABLE_CONFIDENCE
}

/** Whether a later answer blames something else than the earlier one. */
export function isOtherCause(earlier: Answer, later: Answer): boolean {
  return earlier.own.cause !== later.own.cause && earlier.told !== later.told
}

/** What a later answer changes, in words. */
export function describeChange(earlier: Answer, later: Answer): string {
  if (isOtherCause(earlier, later)) return `was: ${earlier.hypothesis}; now: ${later.hypothesis}`
  const [from, to] = [earlier, later].map(({ own }) => `${Math.round(100 * own.confidence)} %`)
  return `the same cause, confidence ${from} before and ${to} now`
}
