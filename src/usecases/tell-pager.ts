import type { Database, Logging, Receivers, Sealing, Site } from '../deps.ts'
import { canPost, type Integration, openSecretOf } from '../domain/access/integration.ts'
import { LEASE_SECONDS, planNoteRetry } from '../domain/incident/schedule.ts'
import { citedEntries } from '../domain/incident/snapshot.ts'
import { toCitedEvent } from '../domain/telling/cited-event.ts'
import { isNoteOf, writeNote } from '../domain/telling/note.ts'
import { findNote, type PagerDutyAccount, postNote } from '../outbound/pagerduty.ts'
import { type ClaimedWork, putOffWork, recordNote } from '../store/incident-work.ts'
import { getIncident, type IncidentDetail, type StoredDiagnosis } from '../store/incidents.ts'
import { listIntegrations } from '../store/integrations.ts'

/** Well within the lease, which has to last for the requests that follow as well. */
const SAFE_MS = 1_000 * (LEASE_SECONDS - 25)

type Outcome =
  | { readonly kind: 'posted' }
  | { readonly kind: 'failed'; readonly reason: string; readonly afterMs: number | undefined }
  | { readonly kind: 'refused'; readonly reason: string }

/**
 * Tells the pager one diagnosis, once: any attempt but the first asks for the notes before it posts, for the one before may
 * have got through unnoticed. Returns when to try again, if that is worth it.
 */
export async function tellPager(
  deps: Database & Sealing & Receivers & Site & Logging,
  work: ClaimedWork,
  clock: () => Date,
): Promise<Date | undefined> {
  const startedMs = clock().getTime()
  const { tenantId, incidentId, number, attempts } = work
  const [incident, integrations] = await Promise.all([getIncident(deps.db, tenantId, incidentId), listIntegrations(deps.db, tenantId)])
  const diagnosis = incident.diagnoses.find((each) => each.number === number)
  const account = await findAccount(deps, incident, integrations)
  const ref = incident.externalRef
  if (!diagnosis || ref === null || typeof account === 'string') {
    await putOffWork(deps.db, work, undefined, typeof account === 'string' ? account : 'there is nothing to tell')
    return undefined
  }

  // Whoever was held up for so long may no longer be the only one who is at it.
  if (clock().getTime() - startedMs > SAFE_MS) throw new Error('held up')
  const content = writeNote(toNoteSource(deps, incident, diagnosis))
  const outcome = await post(deps, account, ref, content, attempts > 1 ? (note) => isNoteOf(note, incidentId, number) : undefined)
  if (outcome.kind === 'posted') {
    await recordNote(deps.db, work, content)
    return undefined
  }
  const retry = outcome.kind === 'failed' ? planNoteRetry(attempts, outcome.afterMs ?? 0, clock()) : undefined
  await putOffWork(deps.db, work, retry?.at, outcome.reason)
  deps.log('note_not_posted', { tenant_id: tenantId, incident_id: incidentId, attempts, outcome: outcome.kind, given_up: !retry })
  return retry?.at
}

async function post(
  { pagerDuty }: Receivers,
  account: PagerDutyAccount,
  ref: string,
  content: string,
  isOurs: ((note: string) => boolean) | undefined,
): Promise<Outcome> {
  if (isOurs) {
    const found = await findNote(pagerDuty, account, ref, isOurs)
    if (found.kind === 'found') return { kind: 'posted' }
    if (found.kind === 'retry') return { ...found, kind: 'failed' }
    if (found.kind === 'refused') return found
  }
  const posted = await postNote(pagerDuty, account, ref, content)
  if (posted.kind === 'accepted') return { kind: 'posted' }
  return posted.kind === 'refused' ? posted : { ...posted, kind: 'failed' }
}

/** As whom to post: through the integration the alert came by or, if that one does not post, another; or why nobody can. */
async function findAccount(
  deps: Sealing,
  { integrationId }: IncidentDetail,
  integrations: readonly Integration[],
): Promise<PagerDutyAccount | string> {
  const posting = integrations.filter(canPost).toSorted((a, b) => Number(b.id === integrationId) - Number(a.id === integrationId))
  if (posting.length === 0) return 'no integration posts notes'
  for (const integration of posting) {
    const token = await openSecretOf(integration, 'pagerduty_token', deps.sealingKeys)
    if (token !== undefined && integration.from !== null) return { token, from: integration.from }
  }
  return 'pagerduty_token and pagerduty_from are not both set'
}

function toNoteSource({ publicUrl }: Site, { id, diagnoses, notes }: IncidentDetail, diagnosis: StoredDiagnosis) {
  const told = notes.findLast(({ number, state }) => number < diagnosis.number && state === 'done')
  return {
    incidentId: id,
    diagnosisNumber: diagnosis.number,
    hypothesis: diagnosis.hypothesis,
    recommendedAction: diagnosis.recommendedAction,
    confidence: diagnosis.confidence,
    cited: citedEntries(diagnosis.contextSnapshot, diagnosis.answer.evidence).map(toCitedEvent),
    earlier: diagnoses.find(({ number }) => number === told?.number) ?? null,
    pageUrl: publicUrl === undefined ? null : `${publicUrl}/incidents/${id}`,
  }
}
