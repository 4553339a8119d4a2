import type { EventDetails, EventType } from '../event/event.ts'
import type { Evaluation } from '../event/flag.ts'
import type { SignatureScheme } from './signature.ts'

/** An event as `POST /v1/events` takes it. */
export type SentEvent = {
  readonly service_name: string
  readonly vendor: string
  readonly entity: string
  readonly event_type: EventType
  readonly old_value?: string
  readonly new_value?: string
  readonly actor?: string
  readonly sha?: string
  /** In (0, 1]. */
  readonly confidence: number
  readonly ttl_seconds: number
  /** When it happened, as far as the sender tells; absent means the time of receipt. */
  readonly timestamp?: string
  /** At most 64 characters; absent means production. */
  readonly environment?: string
  readonly url?: string
  readonly details?: EventDetails
}

/** What becomes of an incident. `reopen` undoes the latest `resolve` of the key; `trigger` opens another one after it. */
export type AlertAction = 'trigger' | 'acknowledge' | 'resolve' | 'reopen'

/** One alert of a delivery. */
export type DoorAlert = {
  readonly action: AlertAction
  /** The sender's name of the incident; it may repeat after the incident was resolved. At most 512 characters. */
  readonly key: string
  readonly service?: string
  readonly title: string
  /** An `https` address. */
  readonly url?: string
  /** When the sender says it happened: ISO 8601 UTC. */
  readonly at?: string
  /** When the sender began to tell of it, where no signature covers a time. */
  readonly sentAt?: string
  readonly environment?: string
}

/** How an integration's owner set its door. */
export type DoorSettings = {
  /** The service that deliveries concern where `serviceMap` names none. */
  readonly service?: string
  /** Service names by the sender's own names. */
  readonly serviceMap: Readonly<Record<string, string>>
  /** The environments that are let in, instead of production alone. */
  readonly environments?: readonly string[]
  /** Whether a push to the default branch counts. */
  readonly push?: boolean
  /** How long an alert lasts before anybody is told. */
  readonly waitSeconds?: number
  /** The label of an alert that names its service. */
  readonly serviceLabel?: string
  readonly signatureTimestampHeader?: string
}

/** One delivery, its signature checked and its body decoded by `decodeDelivery`. */
export type Delivery = {
  readonly body: unknown
  readonly header: (name: string) => string | undefined
  readonly settings: DoorSettings
  /** The path it came to, where a door has several. */
  readonly path?: string
  /** A new UUID of ours, for what needs a name that the sender left out. */
  readonly id: string
}

/** What a delivery comes to. */
export type Signals = {
  readonly events: readonly SentEvent[]
  readonly alerts: readonly DoorAlert[]
  /** Who evaluated which flags, whether or not that is an event. */
  readonly evaluations?: readonly Evaluation[]
  /** Why the delivery, or the part of it that is in neither list, was left out: at most 80 characters. */
  readonly ignored?: string
  /** What is wrong with the request where the sender is to be told: answered 400. At most 80 characters. */
  readonly invalid?: string
  /** Nothing this door reads, and not said to be: answered 415. */
  readonly isUnsupported?: true
  /** The sender's name of the delivery, where its events carry no time of their own. */
  readonly idempotencyKey?: string
  /** How many items named an event but made none that could be stored. */
  readonly rejected?: number
}

export type DoorAnswer = { readonly status: number; readonly contentType?: string; readonly body: string | Uint8Array<ArrayBuffer> }

export type MediaType = 'json' | 'form' | 'protobuf' | 'cloudevents' | 'cloudevents-batch'

/** Settings that a door makes use of, as `config` spells them. */
type ConfigField =
  | 'service'
  | 'service_map'
  | 'environments'
  | 'push'
  | 'wait_seconds'
  | 'service_label'
  | 'signature_timestamp_header'
  | 'webhook_secret'

/** A delivery as the sender's documentation shows it: for the page's sample, `?dry=1` and the tests. */
export type DoorExample = { readonly headers?: Readonly<Record<string, string>>; readonly body: unknown }

/** What a sender is connected for. */
export const BRINGS = ['alerts', 'deploys', 'flags', 'logs'] as const

export type Door = {
  readonly title: string
  readonly brings: (typeof BRINGS)[number]
  /** Where it is besides `/in/<sender>` and `/in/<sender>/<token>`. */
  readonly fixedPaths?: readonly string[]
  /** Methods it takes besides POST. */
  readonly methods?: readonly 'PUT'[]
  /** The first of them is the one the page explains; a delivery signed by any is genuine. */
  readonly signatures?: readonly SignatureScheme[]
  /** The credential that the body carries, where it is in no header. */
  readonly credential?: (body: unknown) => string | undefined
  /** A header of the sender's own that carries it. */
  readonly credentialHeader?: string
  /** The headers by which it answers that it takes deliveries, to senders that ask first: `OPTIONS` with `WebHook-Request-Origin`. */
  readonly greeting?: Readonly<Record<string, string>>
  /** What it reads besides nothing at all, which is JSON everywhere. */
  readonly mediaTypes: readonly MediaType[]
  /** Whether the headers alone are a delivery: what comes with them may be nothing, or of any type. */
  readonly isWhole?: (header: Delivery['header']) => boolean
  readonly maxBytes: number
  /** Deliveries may come in any order and late: an acknowledgement may be the first of an alert, one of a day ago opens nothing. */
  readonly isUnordered?: true
  /** A key names one incident, whichever integration tells of it; else two that tell the same one tell of two. */
  readonly hasUniqueKeys?: true
  /** What a rate limit answers: 503 where the sender drops what is answered 429. */
  readonly whenBusy: 429 | 503
  readonly config: readonly ConfigField[]
  /** Reads a delivery, whatever it holds. Never throws. */
  readonly read: (delivery: Delivery) => Signals
  /** The answer where it is not an empty 202. */
  readonly answer?: (signals: Signals, delivery: Delivery) => DoorAnswer
  /** The body of a refusal where it is not a problem document. */
  readonly refusal?: (status: number, message: string, contentType: string | undefined) => DoorAnswer
  readonly example: DoorExample
  /** What to paste where: Markdown, with {{url}} and {{token}} for the integration's own. */
  readonly setup: string
}
