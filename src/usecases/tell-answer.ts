import type { Database, Logging, Receivers, Sealing, Site } from '../deps.ts'
import { canPost, type Integration, openSecretsOf } from '../domain/access/integration.ts'
import { LEASE_SECONDS, planNoteRetry } from '../domain/incident/schedule.ts'
import { citedEntries } from '../domain/incident/snapshot.ts'
import { RECEIVER_TYPES, type ReceiverType } from '../domain/integration-type.ts'
import { RECEIVERS } from '../domain/receivers/index.ts'
import type { ReceiverSettings } from '../domain/receivers/receiver.ts'
import { toCitedEvent } from '../domain/telling/cited-event.ts'
import type { NoteSource } from '../domain/telling/note.ts'
import type { ReceiverClient } from '../outbound/receivers/client.ts'
import { type ClaimedWork, putOffWork, recordNote } from '../store/incident-work.ts'
import { listIntegrations } from '../store/integrations.ts'
import { type AnswerToTell, findAnswerToTell } from '../store/told-answers.ts'

/** Well within the lease, which has to last for the requests that follow as well. */
const SAFE_MS = 1_000 * (LEASE_SECONDS - 25)

type Outcome =
  | { readonly kind: 'posted' }
  | { readonly kind: 'failed'; readonly reason: string; readonly afterMs: number | undefined; readonly isDoubtful: boolean }
  | { readonly kind: 'refused'; readonly reason: string }

/** Whom to tell, and as whom. */
type Addressee = { readonly type: ReceiverType; readonly settings: ReceiverSettings; readonly ref: string }

/**
 * Tells the receiver whose incident it is one answer, once: any attempt but the first asks for what was told before it
 * posts, for the one before may have got through unnoticed. Returns when to try again, if that is worth it.
 */
export async function tellAnswer(
  deps: Database & Sealing & Receivers & Site & Logging,
  work: ClaimedWork,
  clock: () => Date,
): Promise<Date | undefined> {
  const startedMs = clock().getTime()
  const { tenantId, incidentId, number, attempts } = work
  const [answer, integrations] = await Promise.all([
    findAnswerToTell(deps.db, tenantId, incidentId, number),
    listIntegrations(deps.db, tenantId),
  ])
  const addressee = answer ? await findAddressee(deps, answer, integrations) : NOTHING_TO_TELL
  if (!answer || typeof addressee === 'string') {
    await putOffWork(deps.db, work, undefined, typeof addressee === 'string' ? addressee : NOTHING_TO_TELL)
    return undefined
  }

  // Whoever was held up for so long may no longer be the only one who is at it.
  if (clock().getTime() - startedMs > SAFE_MS) throw new Error('held up')
  const receiver = RECEIVERS[addressee.type]
  const content = receiver.write(toNoteSource(deps, work, answer))
  const isOurs = (text: string) => receiver.isAbout(text, incidentId, number)
  const outcome = await post(deps.receivers[addressee.type], addressee, content, attempts > 1 ? isOurs : undefined)
  if (outcome.kind === 'posted') {
    await recordNote(deps.db, work, content)
    return undefined
  }
  const retry = outcome.kind === 'failed' ? planNoteRetry({ ...outcome, attempts, askedMs: outcome.afterMs ?? 0 }, clock()) : undefined
  await putOffWork(deps.db, work, retry?.at, outcome.reason)
  deps.log('note_not_posted', { tenant_id: tenantId, incident_id: incidentId, attempts, outcome: outcome.kind, given_up: !retry })
  return retry?.at
}

const NOTHING_TO_TELL = 'there is nothing to tell'

async function post(
  client: ReceiverClient,
  { settings, ref }: Addressee,
  content: string,
  isOurs: ((text: string) => boolean) | undefined,
): Promise<Outcome> {
  if (isOurs) {
    const found = await client.find(settings, ref, isOurs)
    if (found.kind === 'found') return { kind: 'posted' }
    if (found.kind === 'retry') return { ...found, kind: 'failed', isDoubtful: false }
    if (found.kind === 'refused') return found
  }
  const posted = await client.post(settings, ref, content)
  if (posted.kind === 'accepted') return { kind: 'posted' }
  return posted.kind === 'refused' ? posted : { ...posted, kind: 'failed', isDoubtful: posted.kind === 'doubtful' }
}

/** Whom to tell: through the integration the alert came by or, if that one does not post, another of its type; or why nobody can be told. */
async function findAddressee(
  { sealingKeys }: Sealing,
  { externalSource, externalRef, integrationId }: AnswerToTell,
  integrations: readonly Integration[],
): Promise<Addressee | string> {
  const type = RECEIVER_TYPES.find((one) => one === externalSource)
  const posting = integrations
    .filter((one) => one.type === type && canPost(one))
    .toSorted((a, b) => Number(b.id === integrationId) - Number(a.id === integrationId))
  if (type === undefined || posting.length === 0) return 'no integration posts notes'
  const { secrets, findMissing } = RECEIVERS[type]
  let missing: string | undefined
  for (const integration of posting) {
    const settings = { from: integration.from, secrets: await openSecretsOf(integration, secrets, sealingKeys) }
    missing = findMissing(settings)
    if (missing === undefined) return externalRef === null ? NOTHING_TO_TELL : { type, settings, ref: externalRef }
  }
  return missing ?? NOTHING_TO_TELL
}

function toNoteSource({ publicUrl }: Site, { incidentId, number }: ClaimedWork, { answer, earlier }: AnswerToTell): NoteSource {
  const { hypothesis, recommendedAction, confidence } = answer
  return {
    incidentId,
    diagnosisNumber: number,
    hypothesis,
    recommendedAction,
    confidence,
    cited: citedEntries(answer.contextSnapshot, answer.answer.evidence).map(toCitedEvent),
    earlier,
    pageUrl: publicUrl === undefined ? null : `${publicUrl}/incidents/${incidentId}`,
  }
}
