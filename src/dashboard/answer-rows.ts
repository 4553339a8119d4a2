import { toDuration, toInner } from '../domain/diagnosis/sentences.ts'
import { isChangeType } from '../domain/event/event.ts'
import { isSameRevision } from '../domain/event/revision.ts'
import { type KnownServices, toKnownServices } from '../domain/graph/callee.ts'
import type { CitedEntry } from '../domain/incident/snapshot.ts'
import { quoteName } from '../domain/text.ts'
import type { Incident, StoredDiagnosis } from '../store/incidents.ts'
import type { Aftermath } from './aftermath.ts'
import { byActor, findCallee, nameChange, nameReplaced, nameRevision, nameTeller, tellFailure, toPageWords } from './event-words.ts'
import { capitalise, count, toActorName, toMoment, toPercent, toSpan } from './labels.ts'
import { findCause, findOutside, type ShownAnswer, toShares } from './shown-answer.ts'

/** One row of an answer: a sentence, and a line of detail. */
export type Row = { readonly main: string; readonly more: string }

/** An answer as four rows, whose order never changes. */
export type AnswerRows = {
  readonly broke: Row
  readonly blame: Row
  readonly act: (Row & { readonly isDone: boolean }) | undefined
  readonly sure: (Row & { readonly share: number }) | undefined
  /** In place of how sure it is, where no cause is named. */
  readonly lookedAt: Row | undefined
  /** Asks whether it is right. */
  readonly question: string
}

export type AnswerSubject = {
  readonly incident: Pick<Incident, 'triggeredAt' | 'resolvedAt' | 'verdict' | 'verdictBy' | 'verdictAt' | 'serviceName'>
  readonly latest: StoredDiagnosis
  readonly answer: ShownAnswer
  readonly aftermath: Pick<Aftermath, 'undoing' | 'quietSince'>
  /** Said of what was to blame instead, by whoever rejected the answer. */
  readonly correction: string | undefined
  readonly now: Date
}

const MAX_ALSO_HIT = 4
/** A runner-up that is at least so likely, against the first, is close. */
const CLOSE = 0.6
const LIKELY = 0.6
const VERY_LIKELY = 0.85
const POSSIBLE = 0.35
/** How long an undoing is watched. */
const WATCH_MS = 12 * 60_000

/** Puts an answer into its four rows. */
export function toAnswerRows(subject: AnswerSubject): AnswerRows {
  const { latest, answer, incident } = subject
  const known = toKnownServices(answer.snapshot.windows.map(({ service }) => service))
  const cause = findCause(answer)
  const isNamed = !latest.abstained && cause !== undefined
  const isRejected = isNamed && incident.verdict === 'rejected'
  return {
    broke: tellBroke(subject, known),
    blame: isRejected ? blameNext(subject, cause) : isNamed ? blame(subject, cause) : blameNothing(subject),
    act: tellAct(subject, cause, isRejected),
    sure: isNamed && !isRejected ? tellSure(subject) : undefined,
    lookedAt: isNamed ? undefined : tellLookedAt(subject),
    question: isNamed ? `Was it this ${KINDS[cause.event_type] ?? 'change'}?` : 'Is it right that nothing on record explains it?',
  }
}

const KINDS: Readonly<Partial<Record<CitedEntry['event_type'], string>>> = { deploy: 'deploy', flag_change: 'flag', restart: 'restart' }

/** A time as sentences here have it: with its date where that is not the alert's. */
const clockOf = ({ incident }: AnswerSubject, at: Date | string): string => toMoment(new Date(at), incident.triggeredAt)

/** What fails, the worst first: calls before symptoms, what the alert is about before others, and those that began first. */
function listFailures({ answer, latest }: Pick<AnswerSubject, 'answer' | 'latest'>, known: KnownServices): readonly CitedEntry[] {
  const { entries, cites, hypotheses, snapshot } = answer
  const path = latest.abstained ? [] : (hypotheses[0]?.path ?? [])
  const alerting = snapshot.alert.service ?? path.at(-1)
  const rank = (entry: CitedEntry): number => {
    const callee = findCallee(entry, known)
    if (latest.abstained) return callee?.isOutside ? 0 : Number(callee === undefined) + 1
    return Number(callee === undefined) * 4 + Number(entry.service !== alerting) * 2 + Number(!path.includes(entry.service))
  }
  return entries
    .filter(({ id, event_type }) => cites.has(id) && !isChangeType(event_type))
    .toSorted((a, b) => rank(a) - rank(b) || Date.parse(a.first_timestamp) - Date.parse(b.first_timestamp))
}

/** When a failure began as far as the incident is concerned: occasional errors of before are not it. */
function toBeginning({ first_timestamp, timestamp }: CitedEntry, { onset }: ShownAnswer): number {
  const onsetMs = onset ? Date.parse(onset) : Number.NEGATIVE_INFINITY
  return Math.min(Math.max(Date.parse(first_timestamp), onsetMs), Date.parse(timestamp))
}

function tellBroke(subject: AnswerSubject, known: KnownServices): Row {
  const { answer, incident } = subject
  const [worst, ...others] = listFailures(subject, known)
  if (!worst) {
    const at = clockOf(subject, incident.triggeredAt)
    return { main: `Alert on ${quoteName(incident.serviceName)} at ${at}`, more: 'Nothing on record tells what fails.' }
  }
  const beganMs = toBeginning(worst, answer)
  const lagMs = incident.triggeredAt.getTime() - beganMs
  const distance = lagMs < 1_000 ? 'At the alert.' : `${toDuration(lagMs)} before the alert.`
  const hit = [...new Set(others.map(({ service }) => service))].filter((service) => service !== worst.service)
  const more = hit.length > MAX_ALSO_HIT ? ` and ${hit.length - MAX_ALSO_HIT} more` : ''
  return {
    main: `${tellFailure(worst, known)} since ${clockOf(subject, new Date(beganMs))}`,
    more: [
      lagMs < -1_000 ? `${toDuration(-lagMs)} after the alert.` : distance,
      worst.count > 1 ? `${count(worst.count, 'time')} so far.` : '',
      hit.length > 0 ? `Also hit: ${hit.slice(0, MAX_ALSO_HIT).map(quoteName).join(', ')}${more}.` : '',
    ]
      .filter(Boolean)
      .join(' '),
  }
}

function nameWithTime(subject: AnswerSubject, entry: CitedEntry): string {
  return `${nameChange(entry)} at ${clockOf(subject, entry.first_timestamp)}${byActor(entry)}`
}

function blame(subject: AnswerSubject, cause: CitedEntry): Row {
  const replaced = nameReplaced(cause)
  const { latest, answer } = subject
  const [second] = listRivals(subject)
  const isClose = second !== undefined && second.share >= CLOSE * latest.confidence
  return {
    main: nameWithTime(subject, cause),
    more: [
      replaced === undefined ? '' : `Replaced ${replaced}.`,
      tellConsequence(answer, cause),
      isClose ? `Or: ${toInner(nameChange(second.entry))}.` : '',
      cause.count > 1 ? `${count(cause.count, 'message')}.` : '',
      `Told by ${nameTeller(cause)}.`,
    ]
      .filter(Boolean)
      .join(' '),
  }
}

/** What became of the service that was changed. */
function tellConsequence({ entries, cites }: ShownAnswer, cause: CitedEntry): string {
  const causeMs = Date.parse(cause.first_timestamp)
  const symptom = entries
    .filter(
      ({ id, event_type, service }) =>
        cites.has(id) && service === cause.service && (event_type === 'restart' || event_type === 'saturation'),
    )
    .filter(({ first_timestamp }) => Date.parse(first_timestamp) >= causeMs)
    .toSorted((a, b) => Date.parse(a.first_timestamp) - Date.parse(b.first_timestamp))[0]
  return symptom ? `${tellFailure(symptom, new Map())} ${toDuration(Date.parse(symptom.first_timestamp) - causeMs)} later.` : ''
}

function blameNext(subject: AnswerSubject, cause: CitedEntry): Row {
  const { incident, correction } = subject
  const [next] = listRivals(subject)
  const instead =
    correction === undefined
      ? next
        ? `Next best: ${toInner(nameChange(next.entry))}`
        : 'Nothing else on record explains it'
      : `It was ${correction}`
  const who = incident.verdictBy === null ? 'An engineer' : capitalise(toActorName(incident.verdictBy))
  const when = incident.verdictAt === null ? '' : ` at ${clockOf(subject, incident.verdictAt)}`
  return { main: `Not ${toInner(nameChange(cause))}. ${instead}`, more: `${who} said so${when}.` }
}

function blameNothing({ answer, incident, correction }: AnswerSubject): Row {
  if (correction !== undefined) return { main: `It was ${correction}`, more: 'An engineer said so; nothing on record explains it.' }
  const changes = answer.entries.filter(({ event_type }) => isChangeType(event_type))
  const outside = findOutside(answer)
  if (incident.verdict === 'rejected') return { main: 'Not known yet', more: 'An engineer said that something on record explains it.' }
  const none = changes.length === 0 ? 'No change is on record there.' : `None of ${count(changes.length, 'change')} on record fits.`
  const where = outside ? `The trouble starts outside, at ${quoteName(outside)}.` : ''
  const confirmed = incident.verdict === 'confirmed' ? 'An engineer confirmed that.' : ''
  return { main: 'Nothing on record explains it', more: [none, where, confirmed].filter(Boolean).join(' ') }
}

type Rival = { readonly entry: CitedEntry; readonly share: number; readonly action: string | null }

/** The other hypotheses, the likeliest first, as far as their changes are on record: not the revision to go back to. */
export function listRivals({ answer, latest }: Pick<AnswerSubject, 'answer' | 'latest'>): readonly Rival[] {
  const shares = toShares(answer, latest.confidence)
  const cause = findCause(answer)
  const replaced = cause && nameReplaced(cause)
  const isFormer = (entry: CitedEntry) =>
    replaced !== undefined && entry.event_type === 'deploy' && entry.service === cause?.service && nameRevision(entry) === replaced
  return answer.hypotheses.slice(1).flatMap(({ eventIds, recommendedAction }, place) => {
    const entry = answer.entries.find(({ id }) => id === eventIds[0])
    return entry && !isFormer(entry) ? [{ entry, share: shares[place + 1] ?? 0, action: recommendedAction }] : []
  })
}

function tellAct(subject: AnswerSubject, cause: CitedEntry | undefined, isRejected: boolean): AnswerRows['act'] {
  const { incident, latest, aftermath, now } = subject
  const quiet = tellQuiet(subject)
  if (incident.resolvedAt !== null) {
    const lasted = toSpan(incident.resolvedAt.getTime() - incident.triggeredAt.getTime())
    const undone = cause && aftermath.undoing && !latest.abstained ? ` ${capitalise(tellUndoer(subject, aftermath.undoing))}.` : ''
    return { main: `Nothing: resolved at ${clockOf(subject, incident.resolvedAt)}`, more: `It lasted ${lasted}.${undone}`, isDone: true }
  }
  if (isRejected) {
    const [next] = listRivals(subject)
    return next?.action ? { main: toPageWords(next.action), more: '', isDone: false } : undefined
  }
  const { undoing } = aftermath
  if (cause && undoing && !latest.abstained) {
    const undoneAt = new Date(undoing.first_timestamp)
    const until = new Date(undoneAt.getTime() + WATCH_MS)
    const undone = tellUndoer(subject, undoing)
    const main =
      until > now
        ? `Watch it until ${clockOf(subject, until).slice(0, -3)}: ${undone}`
        : `${capitalise(undone)}: resolve the incident if all is well`
    return { main, more: quiet || 'Calls still fail.', isDone: true }
  }
  if (latest.recommendedAction === null) return undefined
  const [main = '', besides = ''] = toAction(latest.recommendedAction, cause).split(NOTHING_TO_UNDO)
  return { main, more: [besides && `${capitalise(besides)}.`, tellFormer(subject, cause), quiet].filter(Boolean).join(' '), isDone: false }
}

function tellUndoer(subject: AnswerSubject, { actor, first_timestamp }: CitedEntry): string {
  return `${actor === null ? 'it was undone' : `${quoteName(actor)} undid it`} at ${clockOf(subject, first_timestamp)}`
}

const NOTHING_TO_UNDO = /: (?=there is no recorded change to undo$)/

/** That a rollback is of a service, which the engine's sentence says only where no revision is known. */
function toAction(action: string, cause: CitedEntry | undefined): string {
  const words = toPageWords(action)
  return cause?.event_type === 'deploy' ? words.replace(/^Roll back to /, `Roll ${quoteName(cause.service)} back to `) : words
}

/** How long the revision that was replaced had run. */
function tellFormer({ answer, latest }: AnswerSubject, cause: CitedEntry | undefined): string {
  const replaced = cause && nameReplaced(cause)
  if (latest.abstained || replaced === undefined) return ''
  const before = answer.entries.findLast((entry) => {
    const revision = nameRevision(entry)
    return entry.event_type === 'deploy' && entry.service === cause?.service && isSameRevision(revision, replaced)
  })
  const ranMs = before && cause ? Date.parse(cause.first_timestamp) - Date.parse(before.first_timestamp) : 0
  return ranMs > 0 ? `${replaced} had been there for ${toDuration(ranMs)}.` : ''
}

function tellQuiet(subject: AnswerSubject): string {
  const { quietSince } = subject.aftermath
  return quietSince ? `No failing call reported since ${clockOf(subject, quietSince)}.` : ''
}

/** How sure an answer is, in a word. */
export function toSureWord(confidence: number): string {
  if (confidence >= VERY_LIKELY) return 'Very likely'
  if (confidence >= LIKELY) return 'Likely'
  return confidence >= POSSIBLE ? 'Possible' : 'Barely possible'
}

function tellSure(subject: AnswerSubject): Row & { readonly share: number } {
  const { latest } = subject
  const [next] = listRivals(subject)
  const isClose = latest.confidence < POSSIBLE || (next !== undefined && next.share >= CLOSE * latest.confidence)
  const made = `Answered at ${clockOf(subject, latest.madeAt)}${latest.number > 1 ? `, look ${latest.number}` : ''}`
  return {
    main: `${toSureWord(latest.confidence)}, ${toPercent(latest.confidence)}`,
    more: [
      next
        ? `Next best: ${toInner(nameChange(next.entry))}, ${next.share < 0.01 ? 'under 1 %' : toPercent(next.share)}.`
        : 'Nothing else comes near.',
      next && isClose ? 'They are close.' : '',
      `${made}, ${toTeller(latest)}.`,
    ]
      .filter(Boolean)
      .join(' '),
    share: latest.confidence,
  }
}

function toTeller({ diagnosedBy }: StoredDiagnosis): string {
  return diagnosedBy === 'rules' ? 'by rules' : `put into words by ${quoteName(diagnosedBy)}`
}

function tellLookedAt(subject: AnswerSubject): Row {
  const { answer, latest } = subject
  const services = new Set(answer.entries.map(({ service }) => service))
  const seen = `${count(answer.entries.length, 'event')} of ${count(services.size, 'service')}, none explains it`
  const [closest] = answer.hypotheses
  const entry = closest && answer.entries.find(({ id }) => id === closest.eventIds[0])
  const against = closest?.reasonsAgainst[0]
  const but = against === undefined ? '' : `, but ${toPageWords(against)}`
  return {
    main: answer.entries.length === 0 ? 'Nothing was on record' : seen,
    more: [
      entry ? `Closest: ${toInner(nameChange(entry))} at ${clockOf(subject, entry.first_timestamp)}${but}.` : '',
      `Answered at ${clockOf(subject, latest.madeAt)}, ${toTeller(latest)}.`,
    ]
      .filter(Boolean)
      .join(' '),
  }
}
