import type { ReceiverSettings } from '../../domain/receivers/receiver.ts'

/** Why it did not work, for people to read, and when the receiver wants to be asked again, if it said so. */
type Failure = { readonly reason: string; readonly afterMs: number | undefined }

export type PostOutcome =
  /** `ref`: what the receiver calls the message, if it says so. */
  | { readonly kind: 'accepted'; readonly ref?: string }
  /** Certainly not posted; worth another try. */
  | ({ readonly kind: 'retry' } & Failure)
  /** Perhaps posted: look for the text before another try. */
  | ({ readonly kind: 'doubtful' } & Failure)
  /** Another try would end the same way. `gone`: nothing is ever to be sent there again. */
  | { readonly kind: 'refused'; readonly reason: string; readonly isGone?: boolean }

export type FindOutcome =
  | { readonly kind: 'found'; readonly ref?: string }
  | { readonly kind: 'absent' }
  | ({ readonly kind: 'retry' } & Failure)
  | { readonly kind: 'refused'; readonly reason: string }

/** What is sent. */
export type Letter = {
  /** The same for every attempt. */
  readonly id: string
  /** When this attempt is made. */
  readonly at: Date
  /** When what it tells came to be: no attempt was made before. */
  readonly since: Date
  /** What the receiver calls the incident, where it has one; empty where it does not. */
  readonly incidentRef: string
  readonly body: string
  /** What the receiver called the latest answer about the incident; `null`: it has none yet. */
  readonly answerRef: string | null
  /** Whether it follows that answer, rather than being one. */
  readonly isFollowUp: boolean
}

/** How one kind of receiver is spoken to. Nothing of it throws, and no outcome holds a secret. */
export type ReceiverClient = {
  /** Tells what a letter says, in one try. */
  readonly post: (settings: ReceiverSettings, letter: Letter) => Promise<PostOutcome>
  /** Whether the incident has a text that `isOurs` knows: what to ask after a doubtful attempt, before another. */
  readonly find: (settings: ReceiverSettings, letter: Letter, isOurs: (text: string) => boolean) => Promise<FindOutcome>
}

/** Of a receiver that nobody can ask. */
export const cannotFind = async (): Promise<FindOutcome> => ({ kind: 'refused', reason: 'nobody can be asked' })
