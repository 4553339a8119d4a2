import { ASSESSMENTS, type Diagnosis, GAP_STATES, type Gap, type Hypothesis, RULED_OUT_REASONS, type RuledOut } from '../diagnosis/model.ts'
import { type EventId, isId } from '../ids.ts'
import { isInstant, isListOf, isNumber, isObjectOf, isOneOf, isText, orAbsent, orNull, readStored, writeStored } from '../json.ts'
import { type ContextSnapshot, citedEntries } from './snapshot.ts'

/**
 * What a look at an incident said, besides what has columns of its own. Earlier releases did not say what it comes to and lacks, nor
 * when the trouble began.
 */
export type Answer = Pick<Diagnosis, 'hypotheses' | 'evidence' | 'ruledOut' | 'reasoning'> &
  Partial<Pick<Diagnosis, 'assessment' | 'gaps'>> & {
    /** ISO 8601; `null`: nothing is known to fail. */
    readonly onset?: string | null
  }

const isAnswer = isObjectOf<Answer>({
  hypotheses: isListOf(
    isObjectOf<Hypothesis>({
      eventIds: isListOf(isId<EventId>),
      service: isText,
      score: isNumber,
      path: isListOf(isText),
      reasonsFor: isListOf(isText),
      reasonsAgainst: isListOf(isText),
      sentence: isText,
      recommendedAction: orNull(isText),
    }),
  ),
  evidence: isListOf(isId<EventId>),
  ruledOut: isListOf(
    isObjectOf<RuledOut>({
      eventIds: isListOf(isId<EventId>),
      service: isText,
      reason: isOneOf(RULED_OUT_REASONS),
      text: isText,
    }),
  ),
  reasoning: isText,
  assessment: orAbsent(isOneOf(ASSESSMENTS)),
  gaps: orAbsent(
    isListOf(isObjectOf<Gap>({ service: isText, kind: isOneOf(['changes'] as const), state: isOneOf(GAP_STATES), since: orNull(isText) })),
  ),
  onset: orAbsent(orNull(isInstant)),
})

type Written = Omit<Answer, 'onset'> & { readonly onset?: Date | string | null }

/** The text of an answer as it is stored. */
export function writeAnswer({ hypotheses, evidence, ruledOut, reasoning, assessment, gaps, onset }: Written): string {
  return writeStored({ hypotheses, evidence, ruledOut, reasoning, assessment, gaps, onset })
}

/** A stored answer, of this release or an earlier one. Throws as `readStored`. */
export function readAnswer(stored: unknown): Answer {
  return readStored('answer', stored, isAnswer)
}

/** What the engine itself found: what it blames, in words that repeats of the same change share, and how sure it is. */
export type Finding = {
  readonly cause: string | null
  readonly confidence: number
  /** The chance that no recorded change is to blame; earlier releases did not keep it. */
  readonly unrecorded?: number
}

/** What is compared of two answers: the engine's own finding, and what was told, which a language model may have put first. */
export type ComparedAnswer = {
  readonly own: Finding
  readonly told: string | null
  readonly hypothesis: string
  readonly diagnosedBy: string
}

/** What an answer blames, in words that repeats of the same change share; `null` when it blames nothing. */
export function toCause({ hypotheses, abstained }: Diagnosis, snapshot: ContextSnapshot): string | null {
  const [leading] = hypotheses
  const [causeId] = leading?.eventIds ?? []
  if (abstained || !leading || causeId === undefined) return null
  const [entry] = citedEntries(snapshot, [causeId])
  return JSON.stringify([leading.service, entry?.event_type, entry?.vendor, entry?.entity, entry?.new_value, entry?.sha])
}

const NOTABLE_CONFIDENCE = 0.05

/** Whether a later finding of the engine's is worth an answer of its own beside the earlier one. */
export function isNews(earlier: ComparedAnswer | undefined, own: Finding): boolean {
  if (!earlier || earlier.own.cause !== own.cause) return true
  // What a model made of the same finding stands.
  return earlier.diagnosedBy === 'rules' && Math.abs(earlier.own.confidence - own.confidence) >= NOTABLE_CONFIDENCE
}

/** Whether a later answer blames something else than the earlier one. */
export function isOtherCause(earlier: ComparedAnswer, later: ComparedAnswer): boolean {
  return earlier.own.cause !== later.own.cause && earlier.told !== later.told
}

/** What a later answer changes, in words. */
export function describeChange(earlier: ComparedAnswer, later: ComparedAnswer): string {
  if (isOtherCause(earlier, later)) return `was: ${earlier.hypothesis}; now: ${later.hypothesis}`
  const [from, to] = [earlier, later].map(({ own }) => (own.confidence > 0 ? `${Math.round(100 * own.confidence)} %` : 'none'))
  return `the same cause, confidence ${from} before and ${to} now`
}
