import type { IncidentId } from '../domain/ids.ts'
import { citedEntries } from '../domain/incident/snapshot.ts'
import { toCitedEvent } from '../domain/telling/cited-event.ts'
import { toShownValue } from '../domain/text.ts'
import { readAftermath } from '../store/aftermath.ts'
import { listIncidents } from '../store/incident-lists.ts'
import { getIncident, type Incident, type IncidentDetail, type StoredDiagnosis } from '../store/incidents.ts'
import { judge } from '../usecases/decide-incident.ts'
import { askNow } from '../usecases/diagnose-now.ts'
import { type Arguments, getFlag, getId, getText, readChoice, readCount, readText, readTime } from './arguments.ts'
import type { Call } from './call.ts'
import { AS_DATA, quote, quoteSentence, type ToldEvent, toItem, toName } from './quoted.ts'
import { getService } from './services.ts'
import { MAX_BYTES } from './sizes.ts'
import { findUndone } from './undone.ts'
import { type Room, within } from './within.ts'

const WEEK_MS = 7 * 24 * 3_600_000
const MAX_TITLE = 160
const MAX_SENTENCE = 480

/** What a list says of an incident. */
function toListed(incident: Incident, room: Room) {
  const { id, serviceName, title, status, triggeredAt, resolvedAt, hypothesis, confidence, verdict } = incident
  return {
    id,
    service: toName(serviceName),
    title: quote(title, room.length(MAX_TITLE)),
    status,
    triggered_at: triggeredAt.toISOString(),
    resolved_at: resolvedAt?.toISOString() ?? null,
    hypothesis: quoteSentence(hypothesis, room.length(MAX_SENTENCE)),
    confidence: confidence === 0 ? null : confidence,
    engineer_confirmed: verdict === null ? null : verdict === 'confirmed',
  }
}

export async function listIncidentsTool(call: Call, args: Arguments) {
  const { db, now } = call.deps
  const service = readText(args, 'service')
  const limit = readCount(args, 'limit', { fallback: 10, max: 50 })
  const state = readChoice(args, 'status', ['open', 'resolved'])
  const incidents = await listIncidents(db, call.tenantId, {
    since: readTime(args, 'since') ?? new Date(now().getTime() - WEEK_MS).toISOString(),
    limit,
    ...(service === undefined ? {} : { serviceId: (await getService(call, service)).id }),
    ...(state === undefined ? {} : { isResolved: state === 'resolved' }),
  })
  return within(MAX_BYTES.usual, (room) => {
    const shown = room.first(incidents, limit)
    return { note: AS_DATA, incidents: shown.map((incident) => toListed(incident, room)), left_out: incidents.length - shown.length }
  })
}

/** Reads or says of an incident what its answer rests on. */
export async function getIncidentTool(call: Call, args: Arguments) {
  const isFull = readChoice(args, 'detail', ['full', 'compact']) === 'full'
  return await readTold(call, getId<IncidentId>(args, 'id'), isFull)
}

/** Reads an incident, and what became of the change that its answer blames. */
export async function readTold({ deps: { db }, tenantId }: Call, id: IncidentId, isFull: boolean) {
  const [incident, later] = await Promise.all([getIncident(db, tenantId, id), readAftermath(db, tenantId, id)])
  const [latest] = incident.diagnoses
  return tellIncident(incident, isFull, latest && findUndone(latest, later))
}

export async function diagnoseTool(call: Call, args: Arguments) {
  const { deps, tenantId } = call
  const title = readText(args, 'title')
  const triggeredAt = readTime(args, 'triggered_at')
  const { name } = await getService(call, getText(args, 'service'))
  const now = deps.now()
  const asked = triggeredAt === undefined ? now : new Date(triggeredAt)
  const question = {
    serviceName: name,
    title: title === undefined ? null : toShownValue(title),
    triggeredAt: asked < now ? asked : now,
    observedUntil: null,
    environment: null,
    opens: false,
  }
  return tellIncident(await askNow(deps, tenantId, question, call.trail, call.defer), false)
}

export async function giveFeedbackTool(call: Call, args: Arguments) {
  const id = getId<IncidentId>(args, 'id')
  const confirmed = getFlag(args, 'confirmed')
  await judge(call.deps, call.tenantId, id, { verdict: confirmed ? 'confirmed' : 'rejected' }, call.trail, call.defer)
  return { id, engineer_confirmed: confirmed }
}

export async function findSimilarTool(call: Call, args: Arguments) {
  const id = getId<IncidentId>(args, 'id')
  const { similar } = await getIncident(call.deps.db, call.tenantId, id)
  return within(MAX_BYTES.usual, (room) => ({
    note: AS_DATA,
    id,
    similar_incidents: room.first(similar, 5).map((each) => toSimilar(each, room)),
  }))
}

function toSimilar(
  { id, serviceName, title, triggeredAt, hypothesis, verdict, similarity }: IncidentDetail['similar'][number],
  room: Room,
) {
  return {
    id,
    service: toName(serviceName),
    title: quote(title, room.length(MAX_TITLE)),
    triggered_at: triggeredAt.toISOString(),
    hypothesis: quoteSentence(hypothesis, room.length(MAX_SENTENCE)),
    engineer_confirmed: verdict === 'confirmed',
    similarity,
  }
}

/** An incident with its latest answer, in 4 kB, or in 20 with all that speaks for it; what was done already is not advised. */
function tellIncident(
  { diagnoses, notes, similar, failure, maintenance, ...incident }: IncidentDetail,
  isFull: boolean,
  undoneBy?: ToldEvent,
) {
  const [latest, ...earlier] = diagnoses
  return within(isFull ? MAX_BYTES.full : MAX_BYTES.compact, (room) => ({
    note: AS_DATA,
    ...toListed(incident, room),
    ...(undoneBy && { undone_by: toItem(undoneBy, room) }),
    recommended_action: undoneBy
      ? `What is blamed was undone at ${undoneBy.timestamp.toISOString()}: watch whether what failed recovers`
      : quoteSentence(incident.recommendedAction, room.length(MAX_SENTENCE)),
    ...(latest ? toAnswer(latest, room, isFull) : { failure: quote(failure, MAX_TITLE) }),
    ...(isFull
      ? { earlier_diagnoses: room.first(earlier, 5).map((each) => toEarlier(each, room)) }
      : { earlier_diagnoses: earlier.length }),
    ...(isFull
      ? { similar_incidents: room.first(similar, 5).map((each) => toSimilar(each, room)) }
      : { similar_incidents: similar.length }),
    notes: notes.map(({ state }) => state).slice(0, 5),
    ...(maintenance && {
      maintenance: { until: maintenance.until.toISOString(), reason: quote(maintenance.reason, MAX_TITLE), told: false },
    }),
  }))
}

function toAnswer({ madeAt, diagnosedBy, changed, answer, contextSnapshot }: StoredDiagnosis, room: Room, isFull: boolean) {
  const { hypotheses, ruledOut, evidence, reasoning, assessment = null } = answer
  const sentence = (text: string) => quoteSentence(text, room.length(MAX_SENTENCE))
  const cited = citedEntries(contextSnapshot, evidence)
  const shown = room.first(cited, isFull ? 60 : 8)
  return {
    diagnosed_at: madeAt.toISOString(),
    diagnosed_by: quote(diagnosedBy, 80),
    assessment,
    ...(changed === null ? {} : { changed: sentence(changed) }),
    reasoning: sentence(reasoning),
    evidence: shown.map((entry) => toItem(toCitedEvent(entry), room)),
    evidence_left_out: cited.length - shown.length,
    other_hypotheses: room
      .first(hypotheses.slice(1), isFull ? 20 : 2)
      .map(({ service, sentence: text, score, reasonsFor, reasonsAgainst }) => ({
        service: toName(service),
        hypothesis: sentence(text),
        score,
        ...(isFull ? { for: reasonsFor.slice(0, 6).map(sentence), against: reasonsAgainst.slice(0, 6).map(sentence) } : {}),
      })),
    ruled_out: room
      .first(ruledOut, isFull ? 20 : 3)
      .map(({ service, reason, text }) => ({ service: toName(service), reason, text: sentence(text) })),
  }
}

function toEarlier({ madeAt, hypothesis, confidence, verdict }: StoredDiagnosis, room: Room) {
  return {
    diagnosed_at: madeAt.toISOString(),
    hypothesis: quoteSentence(hypothesis, room.length(MAX_SENTENCE)),
    confidence: confidence === 0 ? null : confidence,
    verdict,
  }
}
