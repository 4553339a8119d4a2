import type { Assessment } from '../diagnosis/model.ts'
import { type EventDetails, isChangeType } from '../event/event.ts'
import type { IncidentId } from '../ids.ts'
import type { Verdict } from '../incident/quality.ts'
import type { MessageType } from '../integration-type.ts'
import { defang, defangSentence, isolate, quoteSafely } from '../text.ts'
import type { CitedEvent } from './cited-event.ts'

/** What a message about an incident is made of: an answer, or that it was opened. */
export type MessageSource = {
  readonly type: MessageType
  readonly incidentId: IncidentId
  /** When what is told came to be. */
  readonly at: Date
  /** What the pager, or an engineer, said. */
  readonly alert: { readonly service: string; readonly title: string | null; readonly triggeredAt: Date }
  readonly answer: AnswerSource | null
  /** What came after the answer: when the incident was resolved, what undid the blamed change, what an engineer said. */
  readonly resolvedAt: Date | null
  readonly undoneBy: CitedEvent | null
  readonly verdict: Verdict | null
  /** The incident's page, when this installation has a public address. Not from events: written as it is. */
  readonly pageUrl: string | null
  /** Pages where the answer is confirmed or rejected. */
  readonly verdictUrls: VerdictUrls | null
}

/** The first answer of its incident, or a later one that replaces what was said before. */
export type AnswerSource = {
  /** 1 for the first diagnosis of the incident. */
  readonly number: number
  readonly hypothesis: string
  readonly recommendedAction: string | null
  /** In [0, 1]; 0 where no cause is named. */
  readonly confidence: number
  /** `null` in earlier releases' answers. */
  readonly assessment: Assessment | null
  /** `rules`, or the model that put it into words. */
  readonly diagnosedBy: string
  /** The events the hypothesis rests on. */
  readonly cited: readonly CitedEvent[]
  /** What is not to blame, and why. */
  readonly ruledOut: readonly string[]
  /** The change that is blamed, if one is. */
  readonly blamed: CitedEvent | null
  /** What an earlier message said. */
  readonly earlier: { readonly hypothesis: string; readonly confidence: number } | null
}

export type VerdictUrls = { readonly confirm: string; readonly reject: string }

/** A message in parts. Every text in it that comes from outside is defanged and on one line: receivers write it as it is. */
export type Message = {
  readonly type: MessageType
  readonly incidentId: IncidentId
  readonly at: Date
  readonly service: string
  /** The service as sentences have it: in quotes, unless it is plainly a name. */
  readonly subject: string
  /** In quotes; `null` when the alert had none. */
  readonly title: string | null
  /** What broke and since when. */
  readonly broke: string
  readonly triggeredAt: Date
  readonly answer: AnswerParts | null
  readonly resolvedAt: Date | null
  /** The change that undid the one that is blamed. */
  readonly undoneBy: string | null
  readonly verdict: Verdict | null
  readonly pageUrl: string | null
  readonly verdictUrls: VerdictUrls | null
}

export type AnswerParts = {
  readonly number: number
  readonly headline: string
  /** In [0, 1]; 0 where no cause is named. */
  readonly confidence: number
  /** `82 %`, or that no cause is named. */
  readonly sureness: string
  /** What it means that no cause is named; `null` where one is. */
  readonly meaning: string | null
  readonly assessment: Assessment | null
  /** What an earlier message said, with its confidence. */
  readonly was: string | null
  /** The cited events, the earliest first, ten at most. */
  readonly timeline: readonly string[]
  /** How many more there are. */
  readonly moreEvents: number
  readonly action: string
  readonly ruledOut: readonly string[]
  /** What the answer cost. */
  readonly cost: string
  readonly blamed: { readonly service: string; readonly at: Date } | null
}

const MAX_TIMELINE = 10
const MAX_RULED_OUT = 3
const MAX_SENTENCE_LENGTH = 600
const MAX_RULED_OUT_LENGTH = 240
const MAX_QUOTED_NAME = 80
const MAX_VALUE_LENGTH = 120
/** Files or keys of one change. */
const MAX_LISTED = 3

/** Puts a message into its parts: the one place where what comes from events is made fit to be told. */
export function writeMessage({ alert, answer, undoneBy, ...source }: MessageSource): Message {
  const title = alert.title === null ? '' : defang(alert.title, MAX_SENTENCE_LENGTH)
  const subject = name(alert.service)
  return {
    ...source,
    service: toField(alert.service),
    subject: isolate(subject),
    title: title === '' ? null : isolate(`"${title}"`),
    broke: isolate(toBroke(subject, title, alert.triggeredAt, answer)),
    triggeredAt: alert.triggeredAt,
    answer: answer && toParts(answer),
    undoneBy: undoneBy && describeEvent(undoneBy),
  }
}

function toParts({
  number,
  hypothesis,
  recommendedAction,
  confidence,
  assessment,
  diagnosedBy,
  cited,
  ruledOut,
  blamed,
  earlier,
}: AnswerSource): AnswerParts {
  const sorted = cited.toSorted((a, b) => a.timestamp.getTime() - b.timestamp.getTime() || (a.serviceName < b.serviceName ? -1 : 1))
  return {
    number,
    headline: sentence(hypothesis),
    confidence,
    sureness: toSureness(confidence).replace(/^n/, 'N'),
    meaning: confidence > 0 ? null : toMeaning(assessment),
    assessment,
    was: earlier && `${sentence(earlier.hypothesis)} (${toSureness(earlier.confidence)})`,
    timeline: sorted.slice(0, MAX_TIMELINE).map(describeEvent),
    moreEvents: Math.max(0, sorted.length - MAX_TIMELINE),
    action: recommendedAction === null ? 'none that the evidence supports' : sentence(recommendedAction),
    ruledOut: ruledOut.slice(0, MAX_RULED_OUT).map((text) => isolate(defangSentence(text, MAX_RULED_OUT_LENGTH))),
    cost: diagnosedBy === 'rules' ? 'by rules, 0 tokens' : `by rules, put into words by ${isolate(name(diagnosedBy))}`,
    blamed: blamed && { service: toField(blamed.serviceName), at: blamed.timestamp },
  }
}

/** Since the first failure that the answer cites; while it cites none, since the alert. */
function toBroke(subject: string, title: string, triggeredAt: Date, answer: AnswerSource | null): string {
  const failures = (answer?.cited ?? []).filter(({ eventType, timestamp }) => !isChangeType(eventType) && isInstant(timestamp))
  const since = Math.min(triggeredAt.getTime(), ...failures.map(({ timestamp }) => timestamp.getTime()))
  return `${subject}${title === '' ? '' : `, "${title}"`}, since ${toUtc(new Date(since))} UTC`
}

/** How sure an answer is, as a percentage; there is none for naming no cause. */
export function toSureness(confidence: number): string {
  return confidence > 0 ? `${Math.round(100 * Math.min(confidence, 1))} %` : 'no cause named'
}

/** What it means that an answer names no cause. */
const toMeaning = (assessment: Assessment | null): string => MEANINGS[assessment ?? 'unrecorded']

const MEANINGS: Readonly<Record<Assessment, string>> = {
  cause: 'no recorded change is likely enough',
  suspect: 'no recorded change is likely enough',
  external: 'what fails lies outside, and no recorded change explains it',
  unrecorded: 'no recorded change explains what fails',
  inconclusive: 'nothing is known to fail',
}

function describeEvent(event: CitedEvent): string {
  const { serviceName, vendor, eventType, entity, oldValue, newValue, actor, sha, environment, url, details, timestamp, count } = event
  const parts = [
    toUtc(timestamp),
    name(serviceName),
    eventType,
    entity === serviceName ? '' : `of ${name(entity)}`,
    isChangeType(eventType) ? toChange(oldValue, newValue) : toState(oldValue, newValue),
    sha === null ? '' : `sha=${name(sha)}`,
    actor === null ? '' : `by ${name(actor)}`,
    environment === null || environment === 'production' ? '' : `in ${name(environment)}`,
    details === null ? '' : toDetailsText(details),
    url === null ? '' : `see ${toLink(url)}`,
    count > 1 ? `(${count} times)` : '',
    `via ${name(vendor)}`,
  ]
  return isolate(parts.filter((part) => part !== '').join(' '))
}

function toDetailsText({ title, files = [], keys = [] }: EventDetails): string {
  const list = (what: string, names: readonly string[]) =>
    names.length === 0 ? [] : [`${what} ${names.slice(0, MAX_LISTED).map(name).join(', ')}${names.length > MAX_LISTED ? ', …' : ''}`]
  return [...(title === undefined ? [] : [`titled "${value(title)}"`]), ...list('files', files), ...list('keys', keys)].join(' ')
}

/** What says more about a value: `exit_code=137`. */
const SETTING = /^[a-z_]{1,40}=\w{1,40}$/i

function toChange(oldValue: string | null, newValue: string | null): string {
  const to = newValue === null ? '' : `"${value(newValue)}"`
  return oldValue === null ? to : `"${value(oldValue)}" → ${to === '' ? 'nothing' : to}`
}

/** What is no change has no earlier value: there the old value says more about the new one, as kubernetes' does. */
function toState(oldValue: string | null, newValue: string | null): string {
  const qualifier = oldValue === null ? '' : `(${SETTING.test(oldValue) ? oldValue : quoteSafely(oldValue, MAX_VALUE_LENGTH)})`
  return newValue === null ? qualifier : `"${value(newValue)}" ${qualifier}`.trimEnd()
}

/** An instant as people read it, in UTC and to the second. */
function toUtc(instant: Date): string {
  return isInstant(instant)
    ? instant
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, '')
    : 'at an unknown time'
}

const isInstant = (instant: Date): boolean => !Number.isNaN(instant.getTime())
const sentence = (text: string): string => isolate(defangSentence(text, MAX_SENTENCE_LENGTH))
const name = (text: string): string => quoteSafely(text, MAX_QUOTED_NAME)
/** A name by itself, as programs read it. */
const toField = (text: string): string => defang(text, MAX_QUOTED_NAME) || '(blank)'
const value = (text: string): string => defang(text, MAX_VALUE_LENGTH)
function toLink(url: string): string {
  const link = value(url)
  return /\s/.test(link) ? `"${link}"` : link
}

/** The lines of a message, without markup: what a receiver that knows none of it shows. At most so many `events` of the timeline. */
export function toLines({ answer, broke, pageUrl }: Message, events = MAX_TIMELINE): readonly string[] {
  if (!answer) return [`What broke: ${broke}`, ...(pageUrl === null ? [] : [`Details: ${pageUrl}`])]
  const { headline, was, action, cost } = answer
  return [
    ...(was === null ? [] : ['Second look: later events changed the answer.', `Was: ${was}`]),
    `${was === null ? 'Hypothesis' : 'Now'}: ${headline}`,
    toSurenessLine(answer),
    `What broke: ${broke}`,
    ...toTimelineLines(answer, events),
    ...toRuledOutLines(answer),
    `Recommended action: ${action}`,
    ...(pageUrl === null ? [] : [`Details: ${pageUrl}`]),
    `Cost: ${cost}`,
  ]
}

/** Where the answer is confirmed and rejected. */
export function toVerdictLines({ verdictUrls }: Message): readonly string[] {
  return verdictUrls === null ? [] : [`Confirm: ${verdictUrls.confirm}`, `Reject: ${verdictUrls.reject}`]
}

/** How sure the answer is, or what it means that it names no cause. */
export function toSurenessLine({ sureness, meaning }: AnswerParts): string {
  return meaning === null ? `Confidence: ${sureness}` : `${sureness}: ${meaning}`
}

/** The timeline under its heading, or that there is none. */
export function toTimelineLines({ timeline, moreEvents }: AnswerParts, events = MAX_TIMELINE): readonly string[] {
  if (timeline.length === 0) return ['Evidence: none. No event on record is connected with this alert.']
  const shown = timeline.slice(0, events)
  const more = moreEvents + timeline.length - shown.length
  return ['Timeline (UTC):', ...shown.map((line) => `- ${line}`), ...(more > 0 ? [`- and ${more} more`] : [])]
}

/** What was ruled out under its heading; nothing when nothing was. */
export function toRuledOutLines({ ruledOut }: AnswerParts): readonly string[] {
  return ruledOut.length === 0 ? [] : ['Ruled out:', ...ruledOut.map((line) => `- ${line}`)]
}

/** What came after the answer, a line each. */
export function toFollowUpLines({ undoneBy, resolvedAt }: Message): readonly string[] {
  return [
    ...(undoneBy === null ? [] : [`The change that was blamed was undone: ${undoneBy}`]),
    ...(resolvedAt === null ? [] : [`Resolved at ${toUtc(resolvedAt)} UTC.`]),
  ]
}

/** What a message comes to in one line. */
export function toOneLine(message: Message): string {
  const { type, subject, answer, at, verdict, undoneBy } = message
  const what = answer ? `: ${answer.headline}` : ''
  const lines: Readonly<Record<MessageType, string>> = {
    'incident.opened': `An incident of ${subject} was opened at ${toUtc(at)} UTC`,
    'incident.diagnosed': `${subject}${what}`,
    'incident.cause_changed': `${subject}, second look${what}`,
    'incident.details': `${subject}${what}`,
    'incident.undone': undoneBy === null ? 'The change that was blamed was undone.' : `The change that was blamed was undone: ${undoneBy}`,
    'incident.resolved': `Resolved at ${toUtc(at)} UTC: ${subject}`,
    'incident.verdict': `An engineer ${verdict ?? 'judged'} the answer for ${subject}`,
    test: 'A test message of Noctuary’s: answers will come here',
  }
  return lines[type]
}
