import type { EventType } from '../event/event.ts'
import type { ServiceGraph } from '../graph/service-graph.ts'
import type { EventId } from '../ids.ts'
import type { ServiceWindow, WindowEntry } from '../window/window.ts'

/** What fired, where. `environment`: as its sender spells it; absent means production. */
export type Alert = {
  readonly service: string | null
  readonly triggeredAt: Date
  readonly title: string | null
  readonly environment?: string | null
}

/** How often a kind of event occurred, and in how many different hours, by the sweep's hourly counts. */
export type KindCount = {
  readonly service: string
  readonly vendor: string
  readonly eventType: EventType
  readonly valueClass: string
  readonly count: number
  readonly hours: number
}

/** A confirmed or rejected diagnosis of the tenant whose signature resembles that of one candidate. */
export type PatternMatch = {
  readonly service: string
  readonly vendor: string
  readonly eventType: EventType
  readonly valueClass: string
  /** In [0, 1]. */
  readonly similarity: number
  readonly verdict: 'confirmed' | 'rejected'
}

/**
 * When a service's last change was received, and when whoever reports its changes was last heard of; `null`: never. Those
 * who cannot tell leave the service out.
 */
export type ChangeFeed = { readonly service: string; readonly lastChangeAt: Date | null; readonly heardAt: Date | null }

export type DiagnosisInput = {
  readonly alert: Alert
  readonly windows: readonly ServiceWindow[]
  readonly graph: ServiceGraph
  readonly counts: { readonly hoursObserved: number; readonly kinds: readonly KindCount[] }
  readonly patterns: readonly PatternMatch[]
  /** Nothing that happened later is seen. */
  readonly observedUntil: Date
  readonly feeds?: readonly ChangeFeed[]
}

export type Hypothesis = {
  /** The cause first, then what bears it out. */
  readonly eventIds: readonly EventId[]
  readonly service: string
  /** In nats: log odds against another hypothesis are the difference of their scores. */
  readonly score: number
  /** Service names from the cause to the alerting service. */
  readonly path: readonly string[]
  readonly reasonsFor: readonly string[]
  readonly reasonsAgainst: readonly string[]
  readonly sentence: string
  readonly recommendedAction: string | null
}

export const RULED_OUT_REASONS = [
  'after_onset',
  'no_path',
  'reverted',
  'revert',
  'not_rolled_out',
  'consequence',
  'other_environment',
] as const

export type RuledOutReason = (typeof RULED_OUT_REASONS)[number]

/** A change of the same time that is not to blame, and why. */
export type RuledOut = {
  readonly eventIds: readonly EventId[]
  readonly service: string
  readonly reason: RuledOutReason
  readonly text: string
}

/**
 * What an answer comes to: a cause; a change that only time, or not only one change, speaks for; a fault of a host outside;
 * one of a service that no recorded change explains; or too little on record to say anything.
 */
export type Assessment = (typeof ASSESSMENTS)[number]

export const ASSESSMENTS = ['cause', 'suspect', 'external', 'unrecorded', 'inconclusive'] as const

/** What the answer could not see: a service on the way whose changes were never sent, or no longer are. */
export type Gap = {
  readonly service: string
  readonly kind: 'changes'
  readonly state: GapState
  /** When whoever sends them was last heard of, ISO 8601; `null`: never. */
  readonly since: string | null
}

export const GAP_STATES = ['never', 'stopped'] as const

type GapState = (typeof GAP_STATES)[number]

export type Diagnosis = {
  readonly assessment: Assessment
  /** Best first. Ranked also when the answer is "no cause". */
  readonly hypotheses: readonly Hypothesis[]
  readonly hypothesis: string
  readonly recommendedAction: string | null
  /** In [0, 1]: how likely the first hypothesis is the cause. An abstention names none. */
  readonly confidence: number
  /** The chance that no recorded change is to blame: what an abstention claims. Kept, not told. */
  readonly unrecorded: number
  readonly abstained: boolean
  /** When the trouble began, as far as failures tell; `null` while nothing is known to fail. */
  readonly onset: Date | null
  readonly evidence: readonly EventId[]
  readonly ruledOut: readonly RuledOut[]
  readonly gaps: readonly Gap[]
  readonly reasoning: string
}

/** An entry once, at the service it concerns, however many windows hold it. Times in milliseconds from the alert on. */
export type Observation = {
  /** Of the service it concerns, and of the one that reported it. */
  readonly key: string
  readonly reporter: string
  /** Of a flag's change: the services that evaluate the flag, and the one it was reported of if that is not the flag service. */
  readonly evaluators?: readonly string[]
  /** Of a change of settings: the services that its entity names. */
  readonly named?: readonly string[]
  readonly entry: WindowEntry
  readonly firstMs: number
  readonly lastMs: number
}

/** When something was reported again and again; a single report has no length. */
export type Span = { readonly fromMs: number; readonly toMs: number }

/** Failing calls from one service to another or to a host outside, or, where both are one, symptoms of one class of a service. */
export type Item = {
  readonly caller: string
  readonly callee: string
  readonly isCall: boolean
  /** Whether it is told of a service by a store, of the database that the service changed the schema of. */
  readonly isOfSchema?: boolean | undefined
  /** Whether the alerting service is a store, and this what those who use it may do to it. */
  readonly isOfUse?: boolean
  /** Whether nothing connects it with the alert, of which no call is known. */
  readonly isStrange?: boolean
  /** The share of calls that fail, of the worst report; one half where none tells. */
  readonly severity: number
  /** How sure its surest reporter is, in (0, 1]; what most agents send is all there is to ask for. */
  readonly trust: number
  /** First report of the latest burst that is at least half as bad as its worst. */
  readonly onsetMs: number
  /** How far from the alert its nearest report is. */
  readonly ageMs: number
  /** The worst and earliest first. */
  readonly reports: readonly Observation[]
}

export type WeighedItem = Item & {
  /** In [0, 1]: 1 for what is surely reported at the time of the alert. */
  readonly freshness: number
  readonly weight: number
  /** What it would weigh among its own service's items. */
  readonly ownWeight: number
}

/** A report of a change, or of a step of its rollout, at one time. */
export type DatedReport = { readonly atMs: number; readonly observation: Observation }

/** What something was before, and the report that tells. */
export type Former = { readonly value: string; readonly source: Observation }

/** A change with the steps that followed from it. */
export type Change = {
  readonly key: string
  readonly lead: Observation
  /** As its lead tells it. */
  readonly revision: string | undefined
  readonly atMs: number
  readonly steps: readonly DatedReport[]
  readonly isFailed: boolean
  /** When that was reported, of one that began before. */
  readonly failedMs: number | undefined
  /** Whether it took back a release, and which one need not be on record. */
  readonly isRollback: boolean
  /** Whether what it put in place was in place already. */
  readonly isSame: boolean
  /** The change that this one set back, and the one that set this one back. */
  readonly undoes: Observation | undefined
  readonly undoneBy: Change | undefined
  /** Of a scaling how many there were before, as far as it or the one before tells. */
  readonly former: Former | undefined
  /** Of a deploy that is no longer live: the one of the same thing that is. */
  readonly replacedBy: Change | undefined
}

/** What speaks for and against a change; sums to its score. All but `lagMs` in nats. */
export type Features = {
  /** How well a fault of its service at its time explains what fails, and what fails nowhere else. */
  readonly evidence: number
  readonly place: number
  readonly late: number
  readonly kind: number
  readonly lag: number
  readonly habit: number
  readonly pattern: number
}

export type Candidate = {
  readonly change: Change
  readonly features: Features
  readonly score: number
  /** The service whose fault it is: its own, or one that evaluates the flag. */
  readonly concerned: string
  readonly explained: readonly WeighedItem[]
  /** When what it may have caused began; when what its service may cause at any time did. */
  readonly onsetMs: number | undefined
  readonly troubleMs: number | undefined
  /** Whether all of that may be over. */
  readonly isOver: boolean
  /** From its last step to what it explains, or to the alert. */
  readonly lagMs: number
  /** Whether it put back what had run well. */
  readonly isRestoring: boolean
  /** How many services to which no way may be known have a change as likely that shows nothing, itself included. */
  readonly alike: number
}

/** A fault that nobody recorded, at a service or a host outside. */
export type Hazard = {
  readonly key: string
  readonly logOdds: number
  readonly isExternal: boolean
  /** Whether it never told anything, and is told to be away. */
  readonly isAway: boolean
  /** Since when the service shows trouble of its own that what calls it may come from. */
  readonly troubleMs: number | undefined
  /** What it tells of that, the earliest first. */
  readonly trouble: readonly Item[]
}
