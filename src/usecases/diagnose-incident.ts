import type { Chance, Clock, Copies, Logging, Model, Stores } from '../deps.ts'
import { canPost } from '../domain/access/integration.ts'
import { diagnose } from '../domain/diagnosis/diagnose.ts'
import type { Alert, Diagnosis } from '../domain/diagnosis/model.ts'
import { SAMPLE_ENVIRONMENT } from '../domain/event/environment.ts'
import { type EventId, toId } from '../domain/ids.ts'
import { describeChange, isNews, isOtherCause, toCause, writeAnswer } from '../domain/incident/answer.ts'
import { toCauseKind } from '../domain/incident/memory.ts'
import { fitRecalibration, type Recalibration, recalibrate } from '../domain/incident/quality.ts'
import { planNextLook } from '../domain/incident/schedule.ts'
import { type ContextSnapshot, citedEntries, toDiagnosisInput, toSnapshot, writeSnapshot } from '../domain/incident/snapshot.ts'
import { toCitedEvent } from '../domain/telling/cited-event.ts'
import { endDiagnosing, getSubject, type NewDiagnosis, type Subject, storeDiagnosis } from '../store/diagnoses.ts'
import type { ClaimedWork } from '../store/incident-work.ts'
import type { KnownSnapshot } from '../store/incidents.ts'
import { listIntegrations } from '../store/integrations.ts'
import { readServiceGraph } from '../store/service-graph.ts'
import { SOURCE } from '../store/targets.ts'
import { readCalibration } from '../store/verdicts.ts'
import { type NewAnswer, planMessages, wantsUndoing } from './choose-receivers.ts'
import { type Evidence, gatherEvidence } from './gather-evidence.ts'
import { wordDiagnosis } from './word-diagnosis.ts'

/**
 * Diagnoses an incident, for the first time or again, and stores what came out with the work that follows: the note where the
 * incident came from is the caller's to post, the messages to others are whoever's takes them up. An answer that an engineer
 * confirmed is the last. Of a sample, and of what began in a
 * maintenance window, nobody is told.
 */
export async function diagnoseIncident(
  deps: Stores & Clock & Chance & Logging & Model,
  work: ClaimedWork,
  clock: () => Date,
): Promise<ToTell> {
  const { tenantId, incidentId } = work
  const [{ subject, integrations, alert, evidence }, verdicts] = await Promise.all([
    examine(deps, work),
    readCalibration(deps.db, tenantId),
  ])
  const { incident, latest } = subject
  if (!evidence) {
    await endDiagnosing(deps.db, work, clock())
    return NOTHING_TO_TELL
  }
  const answer = await findAnswer(deps, work, subject, alert, { ...evidence, calibration: fitRecalibration(verdicts) }, clock)

  const now = clock()
  const isUntold = incident.environment === SAMPLE_ENVIRONMENT || subject.isMuted
  const isNoted =
    answer !== undefined &&
    !isUntold &&
    integrations.some((one) => canPost(one) && one.type === incident.externalSource) &&
    isNoteDue(subject, answer)
  const noteLease = isNoted ? deps.newUuid() : undefined
  const messages = !answer || isUntold ? [] : planMessages(integrations, toNewAnswer(subject, answer))
  const number = answer?.diagnosis.number ?? latest?.number ?? 0
  const next = planNextLook({ ...incident, diagnoses: number }, now)
  const isAwaited = answer?.diagnosis.abstained === false && wantsUndoing(integrations, messages)
  const awaitUndoingUntil = isAwaited ? new Date(now.getTime() + AWAIT_UNDOING_MS) : undefined
  const ended = { diagnosis: answer?.diagnosis, noteLease, messages, awaitUndoingUntil, next, lookedAt: evidence.readAt }
  if (answer) deps.counts.count('noctuary_diagnoses_total')
  const outcome = await storeDiagnosis(deps.db, tenantId, incidentId, work.lease, ended, now)
  return {
    made: answer && outcome.isStored ? { number, contextSnapshot: answer.snapshot } : undefined,
    note: outcome.isTold && noteLease !== undefined ? { ...work, kind: 'note', number, lease: noteLease, attempts: 1 } : undefined,
    messages: outcome.messages,
  }
}

/** What there is to diagnose, with its evidence, but for an incident whose answer an engineer confirmed. */
async function examine(deps: Stores & Clock & Logging, work: ClaimedWork) {
  const { tenantId, incidentId } = work
  const [subject, integrations, graph] = await Promise.all([
    getSubject(deps.db, tenantId, incidentId),
    listIntegrations(deps.db, tenantId),
    readServiceGraph(deps.db, tenantId),
  ])
  const { serviceName: service, triggeredAt, title, environment, observedUntil } = subject.incident
  const alert = { service, triggeredAt, title, environment }
  const isDecided = subject.latest?.verdict === 'confirmed'
  const evidence = isDecided ? undefined : await gatherEvidence(deps, work, alert, graph, observedUntil)
  return { subject, integrations, alert, evidence }
}

/** After that long, what was blamed is no longer expected to be undone for the incident's sake. */
const AWAIT_UNDOING_MS = 6 * 3_600_000

/** What follows from a diagnosis: its note, and how many messages to others; and what it saw, if it was stored. */
export type ToTell = { readonly note: ClaimedWork | undefined; readonly messages: number; readonly made: KnownSnapshot | undefined }

const NOTHING_TO_TELL: ToTell = { note: undefined, messages: 0, made: undefined }

/** One note an answer where the incident came from: the first, and one more when the cause changed. */
function isNoteDue({ incident, latest, told }: Subject, { isOtherCause }: FoundAnswer): boolean {
  return incident.externalRef !== null && (latest === undefined || (isOtherCause && (told.get(SOURCE) ?? 0) < 2))
}

function toNewAnswer({ incident, team, latest, told }: Subject, { diagnosis, isOtherCause }: FoundAnswer): NewAnswer {
  const { confidence, abstained } = diagnosis
  return { service: incident.serviceName, team, confidence, blames: !abstained, isFirst: latest === undefined, isOtherCause, told }
}

type FoundAnswer = { readonly diagnosis: NewDiagnosis; readonly isOtherCause: boolean; readonly snapshot: ContextSnapshot }

/** The answer, worded by a model where there is one; `undefined` when the earlier one says it all. */
async function findAnswer(
  deps: Copies & Logging & Model,
  { tenantId }: ClaimedWork,
  { latest }: Subject,
  alert: Alert,
  { input, embedding, calibration }: Evidence & { readonly calibration: Recalibration },
  clock: () => Date,
): Promise<FoundAnswer | undefined> {
  const snapshot = toSnapshot(input)
  // What is stored is what the engine sees.
  const finding = diagnose(toDiagnosisInput(snapshot))
  const own = { cause: toCause(finding, snapshot), confidence: finding.confidence, unrecorded: finding.unrecorded }
  if (!isNews(latest, own)) return undefined

  const confidence = finding.abstained ? finding.confidence : recalibrate(finding.confidence, calibration)
  const source = { alert, diagnosis: { ...finding, confidence }, events: toEvents(finding, snapshot) }
  const { diagnosis, diagnosedBy } = await wordDiagnosis(deps, tenantId, source, clock())
  const compared = { own, told: toCause(diagnosis, snapshot) }
  const answer = { ...compared, hypothesis: diagnosis.hypothesis, diagnosedBy }
  return {
    snapshot,
    isOtherCause: latest !== undefined && isOtherCause(latest, answer),
    diagnosis: {
      hypothesis: diagnosis.hypothesis,
      recommendedAction: diagnosis.recommendedAction,
      confidence: diagnosis.confidence,
      abstained: diagnosis.abstained,
      number: (latest?.number ?? 0) + 1,
      madeAt: clock(),
      diagnosedBy,
      changed: latest ? describeChange(latest, answer) : null,
      answerText: writeAnswer(diagnosis),
      snapshotText: writeSnapshot(snapshot),
      signature: { embedding: embedding ?? null, cause: toCauseKind(diagnosis, snapshot), compared },
      keepsVerdict: latest?.told === compared.told,
    },
  }
}

function toEvents({ hypotheses }: Diagnosis, snapshot: ContextSnapshot) {
  const cited = citedEntries(
    snapshot,
    hypotheses.flatMap(({ eventIds }) => eventIds),
  )
  return new Map(cited.map((entry) => [toId<EventId>(entry.id), toCitedEvent(entry)]))
}
