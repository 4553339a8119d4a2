import type { IncidentId } from '../ids.ts'
import type { SecretField } from '../integration-type.ts'
import type { NoteSource } from '../telling/note.ts'

/** What an integration is set up with, its secrets in the clear: as much of it as is set. */
export type ReceiverSettings = {
  /** The account in whose name is written: an e-mail address. */
  readonly from: string | null
  readonly secrets: Readonly<Partial<Record<SecretField, string>>>
}

/** An outside system that answers are told to: what it needs, and in which words it is told. */
export type Receiver = {
  /** The secrets that telling takes. */
  readonly secrets: readonly SecretField[]
  /** What is missing before anything can be told; `undefined`: nothing. */
  readonly findMissing: (settings: ReceiverSettings) => string | undefined
  /** The text that tells an answer, with what comes from events defanged. */
  readonly write: (source: NoteSource) => string
  /** Whether a text that is found there tells that diagnosis. */
  readonly isAbout: (text: string, incidentId: IncidentId, diagnosisNumber: number) => boolean
}
