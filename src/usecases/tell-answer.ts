import type { Database, Linking, Logging, Receivers, Sealing, Site } from '../deps.ts'
import { canPost, type Integration, openSecretsOf } from '../domain/access/integration.ts'
import { type IncidentId, type TenantId, toId } from '../domain/ids.ts'
import { LEASE_SECONDS, planNoteRetry } from '../domain/incident/schedule.ts'
import type { ReceiverType } from '../domain/integration-type.ts'
import { RECEIVERS, toReceiverType } from '../domain/receivers/index.ts'
import type { ReceiverSettings, Repeats } from '../domain/receivers/receiver.ts'
import { type Message, writeMessage } from '../domain/telling/message.ts'
import type { Letter, PostOutcome } from '../outbound/receivers/client.ts'
import { type ClaimedWork, putOffWork } from '../store/incident-work.ts'
import { listIntegrations, recordTelling } from '../store/integrations.ts'
import { beginMessage, recordMessage } from '../store/messages.ts'
import { SOURCE } from '../store/targets.ts'
import { findTelling, type Telling } from '../store/told-answers.ts'
import { isSwitchedOff } from './choose-receivers.ts'
import { writeTelling } from './write-telling.ts'

/** Well within the lease, which has to last for the requests that follow as well. */
const SAFE_MS = 1_000 * (LEASE_SECONDS - 25)

type Outcome = PostOutcome | { readonly kind: 'lost' }

/** Whom to tell, and as whom. */
type Addressee = {
  readonly integration: Integration
  readonly type: ReceiverType
  readonly settings: ReceiverSettings
  readonly ref: string
}

type TellDeps = Database & Sealing & Receivers & Site & Linking & Logging

/**
 * Tells one receiver one message, once. Any attempt but the first asks for what was told before it sends, for the one before
 * may have got through unnoticed; where nobody can be asked, it is not sent again, unless the receiver would know it. Returns
 * when to try again, if that is worth it.
 */
export async function tellAnswer(deps: TellDeps, work: ClaimedWork, clock: () => Date): Promise<Date | undefined> {
  const startedMs = clock().getTime()
  const { tenantId, incidentId, attempts } = work
  const [telling, integrations] = await Promise.all([findTelling(deps.db, tenantId, incidentId, work), listIntegrations(deps.db, tenantId)])
  const addressee = telling ? await findAddressee(deps, work, telling, integrations, clock()) : NOTHING_TO_TELL
  const message = telling && typeof addressee !== 'string' ? await writeTelling(deps, work, telling) : undefined
  if (!telling || typeof addressee === 'string' || !message) {
    await putOffWork(deps.db, work, undefined, typeof addressee === 'string' ? addressee : NOTHING_TO_TELL)
    return undefined
  }

  // Whoever was held up for so long may no longer be the only one who is at it.
  if (clock().getTime() - startedMs > SAFE_MS) throw new Error('held up')
  const letter: Letter = {
    id: toLetterId(work),
    at: clock(),
    since: message.at,
    incidentRef: addressee.ref,
    body: RECEIVERS[addressee.type].write(message, addressee.settings),
    answerRef: telling.answerRef,
    isFollowUp: work.kind !== 'note' && work.kind !== 'opened',
  }
  if (isWithoutAnswer(addressee, letter)) {
    await putOffWork(deps.db, work, undefined, 'the message that it follows was not told')
    return undefined
  }
  const outcome = await send(deps, work, addressee, letter)
  if (outcome.kind === 'lost') return undefined
  deps.counts.count('noctuary_messages_total', { outcome: outcome.kind })
  if (outcome.kind === 'accepted') {
    await recordMessage(deps.db, work, { content: letter.body, ref: outcome.ref })
    await noteHealth(deps, addressee, outcome, clock())
    return undefined
  }
  const retry = outcome.kind === 'refused' ? undefined : planRetry(repeatsOf(addressee, letter), outcome, attempts, clock())
  await putOffWork(deps.db, work, retry?.at, outcome.reason, { keepsContent: outcome.kind === 'doubtful' })
  await noteHealth(deps, addressee, outcome, clock())
  deps.log('note_not_posted', { tenant_id: tenantId, incident_id: incidentId, attempts, outcome: outcome.kind, given_up: !retry })
  return retry?.at
}

/** Whether a letter is for a thread, or for an edit, of a message that there is not. */
function isWithoutAnswer({ type, settings }: Addressee, { answerRef, isFollowUp }: Letter): boolean {
  const follows = RECEIVERS[type].follows(settings.secrets)
  return isFollowUp && answerRef === null && (follows === 'thread' || follows === 'edit')
}

/** What keeps a letter from being told twice. One that only changes a message that is there comes to the same however often. */
function repeatsOf({ type, settings }: Addressee, { answerRef, isFollowUp }: Letter): Repeats {
  const { follows, repeats } = RECEIVERS[type]
  const editing = isFollowUp ? 'edit' : 'thread'
  return answerRef !== null && follows(settings.secrets) === editing ? 'known' : repeats(settings.secrets)
}

const NOTHING_TO_TELL = 'there is nothing to tell'

/** The same however often a message is sent, and another for every message and receiver. */
function toLetterId({ incidentId, kind, number, target }: ClaimedWork): string {
  return `msg_${incidentId}_${kind}_${number}_${target.slice(0, 8)}`
}

async function send(deps: TellDeps, work: ClaimedWork, addressee: Addressee, letter: Letter): Promise<Outcome> {
  const { type, settings } = addressee
  const repeats = repeatsOf(addressee, letter)
  const known = await findEarlier(deps, work, addressee, letter)
  if (known) return known
  const isMarked = repeats === 'never' || repeats === 'asked_if_allowed'
  if (isMarked && !(await beginMessage(deps.db, work, letter.body))) return { kind: 'lost' }
  return await deps.receivers[type].post(settings, letter)
}

/** What became of the attempts before, where the message may be there; `undefined`: it is to be sent. */
async function findEarlier(
  deps: TellDeps,
  { incidentId, number, attempts, wasBegun }: ClaimedWork,
  addressee: Addressee,
  letter: Letter,
): Promise<PostOutcome | undefined> {
  const repeats = repeatsOf(addressee, letter)
  if (repeats === 'known' || (!wasBegun && (attempts === 1 || repeats === 'never'))) return undefined
  const { isAbout } = RECEIVERS[addressee.type]
  const found = await deps.receivers[addressee.type].find(addressee.settings, letter, (text) => isAbout(text, incidentId, number))
  switch (found.kind) {
    case 'found':
      return { ...found, kind: 'accepted' }
    case 'retry':
      return { ...found, kind: wasBegun ? 'doubtful' : 'retry' }
    case 'refused':
      if (wasBegun) return { ...found, reason: `${PERHAPS_TOLD}: ${found.reason}` }
      return repeats === 'asked' ? found : undefined
    case 'absent':
      return undefined
  }
}

const PERHAPS_TOLD = 'an attempt was cut off, and the message may be there'

/** What may be there already is sent again only to those who would know it, or can be asked. */
function planRetry(repeats: Repeats, outcome: Extract<PostOutcome, { readonly afterMs: unknown }>, attempts: number, now: Date) {
  const isDoubtful = outcome.kind === 'doubtful'
  if (isDoubtful && repeats === 'never') return undefined
  return planNoteRetry({ attempts, askedMs: outcome.afterMs ?? 0, isDoubtful: isDoubtful && repeats !== 'known' }, now)
}

/** What is seen of a receiver where it is set up. That of a note at the source is seen at its incident. */
async function noteHealth({ db }: Database, { integration }: Addressee, outcome: PostOutcome, now: Date): Promise<void> {
  const isSuccess = outcome.kind === 'accepted'
  const isGone = outcome.kind === 'refused' && outcome.isGone === true
  await recordTelling(db, integration.tenantId, integration.id, { outcome: isSuccess ? 'told' : outcome.reason, isSuccess, isGone }, now)
}

/** Whom to tell, or why nobody can be told. */
async function findAddressee(
  deps: Database & Sealing,
  { target }: ClaimedWork,
  { incident }: Telling,
  integrations: readonly Integration[],
  now: Date,
): Promise<Addressee | string> {
  if (target === SOURCE) return await findSource(deps, incident, integrations)
  const integration = integrations.find(({ id }) => id === target)
  const type = integration && toReceiverType(integration.type)
  if (!integration || type === undefined || !canPost(integration)) return 'the integration is gone'
  if (isSwitchedOff(integration)) return 'the integration is switched off'
  const settings = await openSettings(deps, integration, type)
  const addressee = { integration, type, settings, ref: '' }
  const missing = RECEIVERS[type].findMissing(settings)
  if (missing === undefined) return addressee
  await noteHealth(deps, addressee, { kind: 'refused', reason: missing }, now)
  return missing
}

/** Where the incident came from: through the integration its alert came by or, if that one does not post, another of its type. */
async function findSource(
  deps: Sealing,
  { externalSource, externalRef, integrationId }: Telling['incident'],
  integrations: readonly Integration[],
): Promise<Addressee | string> {
  const posting = integrations
    .filter((one) => one.type === externalSource && toReceiverType(one.type) !== undefined && canPost(one))
    .toSorted((a, b) => Number(b.id === integrationId) - Number(a.id === integrationId))
  let missing = posting.length === 0 ? 'no integration posts notes' : undefined
  for (const integration of posting) {
    const type = toReceiverType(integration.type)
    if (type === undefined) continue
    const settings = await openSettings(deps, integration, type)
    missing = RECEIVERS[type].findMissing(settings)
    if (missing === undefined) return externalRef === null ? NOTHING_TO_TELL : { integration, type, settings, ref: externalRef }
  }
  return missing ?? NOTHING_TO_TELL
}

/** An integration's settings with its secrets in the clear. */
async function openSettings({ sealingKeys }: Sealing, integration: Integration, type: ReceiverType): Promise<ReceiverSettings> {
  return {
    from: integration.from,
    channel: integration.settings.channel ?? null,
    secrets: await openSecretsOf(integration, RECEIVERS[type].secrets, sealingKeys),
  }
}

/** Tells an integration that answers will come there. Changes nothing but what is said of its health. */
export async function tellTest(
  deps: TellDeps,
  tenantId: TenantId,
  integration: Integration,
  testId: string,
  now: Date,
): Promise<PostOutcome> {
  const type = toReceiverType(integration.type)
  if (type === undefined || RECEIVERS[type].scope === 'own') return { kind: 'refused', reason: 'it is told only of its own incidents' }
  const settings = await openSettings(deps, integration, type)
  const missing = RECEIVERS[type].findMissing(settings)
  if (missing !== undefined) return { kind: 'refused', reason: missing }
  const body = RECEIVERS[type].write(testMessage(testId, now), settings)
  const outcome = await deps.receivers[type].post(settings, {
    id: `msg_test_${testId}`,
    at: now,
    since: now,
    incidentRef: '',
    body,
    answerRef: null,
    isFollowUp: false,
  })
  await noteHealth(deps, { integration: { ...integration, tenantId }, type, settings, ref: '' }, outcome, now)
  return outcome
}

function testMessage(testId: string, now: Date): Message {
  const alert = { service: 'a-service-of-yours', title: 'A test', triggeredAt: now }
  return writeMessage({
    type: 'test',
    incidentId: toId<IncidentId>(testId),
    at: now,
    alert,
    answer: null,
    resolvedAt: null,
    undoneBy: null,
    verdict: null,
    pageUrl: null,
    verdictUrls: null,
  })
}
