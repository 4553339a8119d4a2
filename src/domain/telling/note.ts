import { isChangeType } from '../event/event.ts'
import type { IncidentId } from '../ids.ts'
import { defang } from '../text.ts'
import type { CitedEvent } from './cited-event.ts'

/** The answer that a note tells: the first for its incident, or a later one that replaces what was said before. */
export type NoteSource = {
  readonly incidentId: IncidentId
  /** 1 for the first diagnosis of the incident. */
  readonly diagnosisNumber: number
  readonly hypothesis: string
  readonly recommendedAction: string | null
  /** In [0, 1]. */
  readonly confidence: number
  /** The events the hypothesis rests on. */
  readonly cited: readonly CitedEvent[]
  /** What an earlier note said. */
  readonly earlier: { readonly hypothesis: string; readonly confidence: number } | null
  /** The incident's page, when this installation has a public address. Not from events: written as it is. */
  readonly pageUrl: string | null
}

const TITLE = 'Noctuary Context'
const MAX_TIMELINE = 10
const MAX_SENTENCE_LENGTH = 600
const MAX_QUOTED_NAME = 80
const MAX_VALUE_LENGTH = 120

/** The text of a note. Everything that comes from events is in it only defanged, and on one line. */
export function writeNote(source: NoteSource): string {
  const { hypothesis, confidence, recommendedAction, cited, earlier, pageUrl, incidentId, diagnosisNumber } = source
  const lines = [
    TITLE,
    ...(earlier ? ['Second look: later events changed the answer.', `Was: ${toSaying(earlier)}`] : []),
    `${earlier ? 'Now' : 'Hypothesis'}: ${sentence(hypothesis)}`,
    `Confidence: ${toPercent(confidence)}`,
    ...toTimeline(cited),
    `Recommended action: ${recommendedAction === null ? 'none that the evidence supports' : sentence(recommendedAction)}`,
    ...(pageUrl === null ? [] : [`Details: ${pageUrl}`]),
    toMarker(incidentId, diagnosisNumber),
  ]
  return lines.join('\n')
}

/** Whether a note is the one about that diagnosis: what tells, after a doubtful attempt, that it was posted. */
export function isNoteOf(content: string, incidentId: IncidentId, diagnosisNumber: number): boolean {
  const marker = toMarker(incidentId, diagnosisNumber)
  return isOwnNote(content) && content.split(/\r?\n/).some((line) => line.trim() === marker)
}

/** Whether a note was written here, whatever it is about. Its end may be missing: PagerDuty trims what it delivers. */
export function isOwnNote(content: string): boolean {
  return content.trimStart().split(/\r?\n/, 1)[0]?.trimEnd() === TITLE
}

function toMarker(incidentId: IncidentId, diagnosisNumber: number): string {
  return `Noctuary reference: ${incidentId} / ${diagnosisNumber}`
}

function toSaying({ hypothesis, confidence }: { readonly hypothesis: string; readonly confidence: number }): string {
  return `${sentence(hypothesis)} (${toPercent(confidence)})`
}

function toPercent(confidence: number): string {
  return `${Math.round(100 * Math.min(Math.max(confidence, 0), 1))} %`
}

function toTimeline(cited: readonly CitedEvent[]): readonly string[] {
  if (cited.length === 0) return ['Evidence: none. No event on record is connected with this alert.']
  const sorted = cited.toSorted((a, b) => a.timestamp.getTime() - b.timestamp.getTime() || (a.serviceName < b.serviceName ? -1 : 1))
  const left = sorted.length - MAX_TIMELINE
  return [
    'Timeline (UTC):',
    ...sorted.slice(0, MAX_TIMELINE).map((event) => `- ${describeEvent(event)}`),
    ...(left > 0 ? [`- and ${left} more`] : []),
  ]
}

function describeEvent({ serviceName, vendor, eventType, entity, oldValue, newValue, actor, sha, timestamp, count }: CitedEvent): string {
  const parts = [
    toUtc(timestamp),
    name(serviceName),
    eventType,
    entity === serviceName ? '' : `of ${name(entity)}`,
    isChangeType(eventType) ? toChange(oldValue, newValue) : toState(oldValue, newValue),
    sha === null ? '' : `sha=${name(sha)}`,
    actor === null ? '' : `by ${name(actor)}`,
    count > 1 ? `(${count} times)` : '',
    `via ${name(vendor)}`,
  ]
  return parts.filter((part) => part !== '').join(' ')
}

function toChange(oldValue: string | null, newValue: string | null): string {
  const to = newValue === null ? '' : `"${value(newValue)}"`
  return oldValue === null ? to : `"${value(oldValue)}" → ${to === '' ? 'nothing' : to}`
}

/** What is no change has no earlier value: there the old value says more about the new one, as kubernetes' does. */
function toState(oldValue: string | null, newValue: string | null): string {
  const qualifier = oldValue === null ? '' : `(${value(oldValue)})`
  return newValue === null ? qualifier : `"${value(newValue)}" ${qualifier}`.trimEnd()
}

function toUtc(instant: Date): string {
  return Number.isNaN(instant.getTime())
    ? 'at an unknown time'
    : instant
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, '')
}

const sentence = (text: string): string => defang(text, MAX_SENTENCE_LENGTH)
const name = (text: string): string => defang(text, MAX_QUOTED_NAME) || '(blank)'
const value = (text: string): string => defang(text, MAX_VALUE_LENGTH)
