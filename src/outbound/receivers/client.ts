import type { ReceiverSettings } from '../../domain/receivers/receiver.ts'

/** Why it did not work, for people to read, and when the receiver wants to be asked again, if it said so. */
type Failure = { readonly reason: string; readonly afterMs: number | undefined }

export type PostOutcome =
  | { readonly kind: 'accepted' }
  /** Certainly not posted; worth another try. */
  | ({ readonly kind: 'retry' } & Failure)
  /** Perhaps posted: look for the text before another try. */
  | ({ readonly kind: 'doubtful' } & Failure)
  /** Another try would end the same way. */
  | { readonly kind: 'refused'; readonly reason: string }

export type FindOutcome =
  | { readonly kind: 'found' }
  | { readonly kind: 'absent' }
  | ({ readonly kind: 'retry' } & Failure)
  | { readonly kind: 'refused'; readonly reason: string }

/** How one kind of receiver is spoken to. Nothing of it throws, and no outcome holds a secret. */
export type ReceiverClient = {
  /** Tells a text about the incident of that reference, in one try. */
  readonly post: (settings: ReceiverSettings, incidentRef: string, text: string) => Promise<PostOutcome>
  /** Whether the incident has a text that `isOurs` knows: what to ask after a doubtful attempt, before another. */
  readonly find: (settings: ReceiverSettings, incidentRef: string, isOurs: (text: string) => boolean) => Promise<FindOutcome>
}
