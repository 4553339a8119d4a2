import type { Chance } from '../deps.ts'
import type { Door, DoorAlert, Signals } from '../domain/doors/door.ts'
import { DOORS } from '../domain/doors/index.ts'
import { toKeptAlert } from '../domain/doors/kept-alert.ts'
import { AppError } from '../domain/errors.ts'
import { findOwnKeys } from '../domain/event/redact.ts'
import { sha256Hex } from '../domain/hash.ts'
import { type IncidentId, toId } from '../domain/ids.ts'
import { DAY_MS } from '../domain/timestamp.ts'
import { type KeyedAlert, type Reception, receiveAlerts } from '../store/alerts.ts'
import { toDiagnosis } from '../store/incident-work.ts'
import { type DoorCaller, type DoorRequest, isSignedBy, type ReadDelivery, type ReceiveDeps } from './door-request.ts'
import { noteExposedKeys } from './ingest-events.ts'
import { announceWork, countMessages, tellFollowUps, workOn } from './work-on-incident.ts'

/**
 * Stores the alerts of a delivery, and leaves the diagnoses of the incidents that they open for after the answer; should this
 * isolate die, the cron makes them. Answers what became of them, in words, and the first incident that is new.
 */
export async function storeAlerts(
  deps: ReceiveDeps,
  { sender, defer, sent }: Pick<DoorRequest, 'sender' | 'defer'> & Partial<Pick<DoorRequest, 'sent'>>,
  { tenantId, integration, apiKeyId }: DoorCaller,
  { signals, delivery }: Pick<ReadDelivery, 'signals' | 'delivery'>,
): Promise<StoredAlerts> {
  const door = DOORS[sender]
  const isUnordered = door.isUnordered === true
  const now = deps.now()
  const isSigned = isSignedBy(sender, integration)
  // Signed once, it may be sent again by whoever caught it.
  const wanted = signals.alerts.filter((alert) => !isSigned || isOfToday(alert, door, now))
  const kept = await Promise.all(wanted.map((alert) => toKeptAlert(alert, tenantId, deps.keeping)))
  const alerts = kept.map((alert) => toKeyed(deps, alert, delivery, now))
  const senderId = integration?.id ?? apiKeyId
  if (alerts.length === 0 || senderId === undefined) return nothingOf(signals)
  // Before anything is stored, so that the cron looks even if this isolate gets no further.
  const isMarked = await announceWork(deps)
  const about = {
    source: sender,
    integrationId: integration?.id ?? null,
    senderId,
    deliveryId: signals.idempotencyKey ?? (await nameSigned(isSigned, sent)),
    isUnordered,
    isUnique: door.hasUniqueKeys === true,
    isSigned,
  }
  const receptions = await receiveAlerts(deps.db, tenantId, about, alerts, deps.maxServices)
  noteExposedKeys(deps, defer, wanted.flatMap(findKeysIn))
  const isPointedAt = isMarked || (await announceWork(deps))
  const opened = alerts.filter((_, place) => receptions[place]?.outcome === 'opened')
  const maxMessages = countMessages(deps, opened.length)
  const work = opened.map(({ incidentId, lease }) => workOn(deps, toDiagnosis(tenantId, incidentId, lease), deps.now, { maxMessages }))
  if (isPointedAt) for (const one of work) defer(one)
  else await assertLookedAt(deps, receptions, work)
  const resolved = receptions.flatMap(({ outcome, incident_id: id }) => (outcome === 'resolved' && id !== null ? [id] : []))
  for (const id of resolved) defer(tellFollowUps(deps, tenantId, id))
  const isNew = (place: number) => IS_NEW.has(receptions[place]?.outcome)
  const isNameless = kept.some(({ service }, place) => service === undefined && isNew(place))
  const texts = [...describe(receptions), ...(isNameless ? ['of no service that it names: set service'] : [])]
  return { texts, opened: alerts.find((_, place) => isNew(place))?.incidentId }
}

const nothingOf = ({ alerts }: Signals): StoredAlerts => ({
  texts: alerts.length === 0 ? [] : ['an alert of more than a day ago'],
  opened: undefined,
})

const findKeysIn = ({ key, title, service, url, environment }: DoorAlert) =>
  findOwnKeys(JSON.stringify([key, title, service, url, environment]))

/** What was signed is known by its bytes, where its sender gives it no name: whoever caught it has nothing of sending it again. */
const nameSigned = async (isSigned: boolean, sent: DoorRequest['sent'] | undefined) =>
  isSigned && sent !== undefined ? `body ${await sha256Hex(sent)}` : undefined

export type StoredAlerts = { readonly texts: readonly string[]; readonly opened: IncidentId | undefined }

const IS_NEW: ReadonlySet<Reception['outcome'] | undefined> = new Set(['opened', 'held', 'folded'])

/** What the cron cannot be pointed at is done before it is acknowledged, or is not acknowledged. */
async function assertLookedAt(deps: ReceiveDeps, receptions: readonly Reception[], work: readonly Promise<boolean>[]): Promise<void> {
  const isDone = (await Promise.all(work)).every((done) => done)
  // What is known may have been opened by a delivery that ended here.
  const isLeft = !isDone || receptions.some(({ outcome }) => outcome === 'held' || outcome === 'known' || outcome === 'replayed')
  if (!isLeft || (await announceWork(deps))) return
  throw new AppError('unavailable', 'the alert is stored, but nobody can be told to look at it: send it again')
}

/** A delivery that was held up for so long is about nothing that anybody could still want to be told. */
function isOfToday({ action, at, sentAt }: DoorAlert, { isUnordered }: Door, now: Date): boolean {
  const told = isUnordered ? at : sentAt
  return action === 'resolve' || told === undefined || now.getTime() - Date.parse(told) <= DAY_MS
}

function toKeyed(deps: Chance, alert: DoorAlert, { settings }: ReadDelivery['delivery'], now: Date): KeyedAlert {
  const told = alert.at === undefined ? undefined : new Date(alert.at)
  const at = told && told < now ? told : now
  return {
    kind: alert.action,
    key: alert.key,
    incidentId: toId<IncidentId>(deps.newUuid()),
    lease: deps.newUuid(),
    serviceName: alert.service ?? 'unknown',
    title: alert.title,
    url: alert.url ?? null,
    environment: alert.environment === undefined || alert.environment === 'production' ? null : alert.environment,
    triggeredAt: at,
    isTold: told !== undefined,
    occurredAt: at,
    waitSeconds: settings.waitSeconds ?? 0,
  }
}

const WORDS: Readonly<Record<Reception['outcome'], string>> = {
  opened: 'opened',
  held: 'opened, and waited for',
  folded: 'opened with another',
  known: 'known',
  resolved: 'resolved',
  reopened: 'opened again',
  foreign: 'of a signed integration: left alone',
  dropped: 'that ended what never began',
  replayed: 'delivered before',
}

/** `2 alerts opened`, `1 alert known`. */
function describe(receptions: readonly Reception[]): string[] {
  const groups = Map.groupBy(receptions, ({ outcome }) => outcome)
  return [...groups].map(([outcome, { length }]) => `${length} alert${length === 1 ? '' : 's'} ${WORDS[outcome]}`)
}
