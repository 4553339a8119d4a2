import { assertKeyType } from '../domain/access/api-key.ts'
import { canReceive, type Integration, openSecretOf } from '../domain/access/integration.ts'
import { setBounded } from '../domain/bounded-map.ts'
import { toBytes } from '../domain/doors/delivery-body.ts'
import type { Signals } from '../domain/doors/door.ts'
import { DOORS } from '../domain/doors/index.ts'
import { verifySignature } from '../domain/doors/signature.ts'
import { AppError, nameOf } from '../domain/errors.ts'
import { toKeptTitle } from '../domain/event/redact.ts'
import { type AgentId, type IncidentId, toId } from '../domain/ids.ts'
import { upsertAgent } from '../store/agents.ts'
import { getPrincipal, type Principal } from '../store/api-keys.ts'
import { type Deliverer, type DeliveryKind, recordDelivery } from '../store/door-deliveries.ts'
import { type InsertRequest, type InsertResult, insertEvents, insertEventsAs } from '../store/events.ts'
import { findIntegrationByHash, type KnownIntegration } from '../store/integrations.ts'
import { type DoorCaller, type DoorRequest, isSignedBy, type ReadDelivery, type ReceiveDeps, readWith } from './door-request.ts'
import { MAX_UNJUDGED_BYTES } from './ingest-events.ts'
import { storeAlerts } from './store-alerts.ts'
import { type StoredEvents, storeDoorEvents } from './store-door-events.ts'

/**
 * Takes one delivery: finds out whose it is, checks its signature, reads it, and stores what it comes to before returning.
 * Events cost one request to Postgres as long as this isolate knows how the integration is set, or nothing is set. What became
 * of it is noted for the page.
 * Throws what the sender is to be told: `not_found` or `unauthorized` for a dead credential, `forbidden` for a read-only key,
 * `unauthorized` for a wrong signature, and what is wrong with the body; and nothing else that is not our fault.
 */
export async function receiveDelivery(deps: ReceiveDeps, request: DoorRequest): Promise<ReadDelivery> {
  const supposed = deps.knownIntegrations.get(request.credential.hash)
  const fast = await storeAtOnce(deps, request, supposed)
  if (fast?.kind === 'done') return fast.read

  const caller = await findCaller(deps, request, fast?.known)
  try {
    const read = await readAs(deps, request, caller.integration)
    assertReadable(read.signals)
    const isSigned = isSignedBy(request.sender, caller.integration)
    const events = await storeDoorEvents(deps, { ...request, isSigned }, read.signals, (wanted) => insertFor(deps, request, wanted))
    const alerts = await storeAlerts(deps, request, caller, read)
    const kind = events.isRefused && alerts.texts.length === 0 ? 'refused' : 'taken'
    note(deps, request, caller, kind, [...events.texts, ...alerts.texts], read.signals.ignored, alerts.opened)
    return { ...withRejected(read, events), tenantId: caller.tenantId }
  } catch (error) {
    if (error instanceof AppError && error.code !== 'unavailable') note(deps, request, caller, 'refused', [error.message], undefined)
    throw error
  }
}

/** What a delivery would come to, whatever it is signed with: nothing is stored, nor noted. Throws as `receiveDelivery`. */
export async function rehearseDelivery(deps: ReceiveDeps, request: DoorRequest): Promise<ReadDelivery> {
  const caller = await findCaller(deps, request, undefined)
  const { value } = getBody(request)
  return { ...readWith(request, value, caller.integration, deps.newUuid()), tenantId: caller.tenantId }
}

type Fast =
  | { readonly kind: 'done'; readonly read: ReadDelivery }
  /** It is set otherwise. */
  | { readonly kind: 'known'; readonly known: KnownIntegration }

class OtherSettings extends Error {
  readonly known: KnownIntegration
  constructor(known: KnownIntegration) {
    super('the integration is set otherwise')
    this.known = known
  }
}

/**
 * Reads a delivery as if its integration were set as was known last, and stores its events only if that still holds.
 * `undefined`: there is more to it than events.
 */
async function storeAtOnce(deps: ReceiveDeps, request: DoorRequest, supposed: KnownIntegration | undefined): Promise<Fast | undefined> {
  if ('refusal' in request.body || isUnjudged(deps, request, supposed)) return undefined
  const integration = supposed?.integration
  if (integration && (integration.type !== request.sender || !(await isGenuine(deps, request, integration)))) return undefined
  const read = readWith(request, request.body.value, integration, deps.newUuid())
  const { events, evaluations = [], alerts, invalid, isUnsupported } = read.signals
  if (events.length + evaluations.length === 0 || alerts.length > 0 || invalid !== undefined || isUnsupported) return undefined

  let caller: (DoorCaller & { readonly deliverer: Deliverer }) | undefined
  const insert = async (wanted: InsertRequest): Promise<InsertResult> => {
    if (request.credential.kind === 'key') {
      const result = await insertFor(deps, request, wanted)
      caller ??= { ...result.principal, integration: undefined, deliverer: request.sender }
      deps.knownCallers.set(request.credential.hash, result.principal, deps.now().getTime())
      return result
    }
    const stored = await insertEventsAs(deps.db, wanted, supposed?.revision ?? request.sender)
    if (!stored) throw whenDead(deps, request)
    if (stored.kind === 'other_settings') throw new OtherSettings(stored.known)
    caller ??= { ...stored.result.principal, integration, deliverer: stored.integrationId }
    deps.knownCallers.set(request.credential.hash, stored.result.principal, deps.now().getTime())
    return stored.result
  }
  try {
    // How an integration is set, Postgres alone knows.
    const from = { ...request, isSigned: isSignedBy(request.sender, integration), mayQueue: request.credential.kind === 'key' }
    const stored = await storeDoorEvents(deps, from, read.signals, insert)
    caller ??= stored.queuedFor && { ...stored.queuedFor, integration: undefined, deliverer: request.sender }
    if (caller) note(deps, request, caller, stored.isRefused ? 'refused' : 'taken', stored.texts, read.signals.ignored)
    return caller && { kind: 'done', read: { ...withRejected(read, stored), tenantId: caller.tenantId } }
  } catch (error) {
    if (error instanceof OtherSettings) return { kind: 'known', known: error.known }
    throw error
  }
}

const isUnjudged = ({ tenantOfKey }: ReceiveDeps, { sent, credential }: DoorRequest, supposed: KnownIntegration | undefined) =>
  sent.length > MAX_UNJUDGED_BYTES && supposed === undefined && !tenantOfKey.has(credential.hash)

/** Stores events for a live credential; a key that has no agent gets one with the sender's name. */
async function insertFor(deps: ReceiveDeps, { credential, sender }: DoorRequest, wanted: InsertRequest): Promise<InsertResult> {
  const result = await insertEvents(deps.db, wanted)
  const { principal } = result
  if (credential.kind === 'token' || principal.agentId !== undefined || principal.keyType !== 'ingest') return result
  const agentId = toId<AgentId>(deps.newUuid())
  const trail = { actor: `api_key:${principal.apiKeyId}`, requestId: null }
  await upsertAgent(deps.db, principal, agentId, { hostname: sender, name: sender, version: null }, trail)
  return await insertEvents(deps.db, wanted)
}

async function findCaller(deps: ReceiveDeps, request: DoorRequest, known: KnownIntegration | undefined): Promise<DoorCaller> {
  const { hash, kind } = request.credential
  if (kind === 'key') {
    const principal: Principal = await getPrincipal(deps.db, hash)
    deps.knownCallers.set(hash, principal, deps.now().getTime())
    assertKeyType(principal.keyType, 'ingest')
    return { ...principal, integration: undefined }
  }
  const found = known ?? (await findIntegrationByHash(deps.db, hash))
  if (!found || !canReceive(found.integration) || found.integration.type !== request.sender) throw whenDead(deps, request, found)
  setBounded(deps.knownIntegrations, hash, found)
  return { tenantId: found.integration.tenantId, apiKeyId: undefined, integration: found.integration }
}

/** What a credential that is no good here is told; one that nobody knows is remembered as that. */
function whenDead(deps: ReceiveDeps, { credential }: DoorRequest, found?: KnownIntegration): AppError {
  if (!found) {
    deps.knownCallers.set(credential.hash, 'unknown', deps.now().getTime())
    deps.knownIntegrations.delete(credential.hash)
  }
  return credential.whenDead()
}

async function readAs(
  deps: ReceiveDeps,
  request: DoorRequest,
  integration: Integration | undefined,
): Promise<Omit<ReadDelivery, 'tenantId'>> {
  const { value } = getBody(request)
  if (integration && !(await isGenuine(deps, request, integration))) {
    throw new AppError('unauthorized', 'the signature does not match: is the webhook secret right?')
  }
  return readWith(request, value, integration, deps.newUuid())
}

function getBody({ body }: DoorRequest): { readonly value: unknown } {
  if ('refusal' in body) throw body.refusal
  return body
}

/** Without a secret, or where the sender signs nothing, every delivery is. */
async function isGenuine(deps: ReceiveDeps, { sender, header, sent }: DoorRequest, integration: Integration): Promise<boolean> {
  const { signatures = [] } = DOORS[sender]
  if (signatures.length === 0) return true
  const secret = await openSecretOf(integration, 'webhook_secret', deps.sealingKeys)
  if (secret === undefined) return true
  const signed = { header, body: toBytes(sent), now: deps.now(), timestampHeader: integration.settings.signatureTimestampHeader }
  const checks = await Promise.all(signatures.map((scheme) => verifySignature(scheme, [secret], signed)))
  return checks.includes(true)
}

function assertReadable({ invalid, isUnsupported, ignored }: Signals): void {
  if (isUnsupported) throw new AppError('unsupported_media_type', ignored ?? 'nothing that this door reads')
  if (invalid !== undefined) throw new AppError('invalid_request', invalid)
}

function withRejected<Read extends Omit<ReadDelivery, 'tenantId'>>(read: Read, { rejected, reason }: StoredEvents): Read {
  if (rejected === 0) return read
  const { signals } = read
  return { ...read, signals: { ...signals, ignored: signals.ignored ?? reason ?? '', rejected: (signals.rejected ?? 0) + rejected } }
}

/** Notes what became of a delivery once it is answered. Never fails. */
function note(
  deps: ReceiveDeps,
  { sender, defer, report }: DoorRequest,
  { tenantId, integration, deliverer = integration?.id ?? sender }: DoorCaller & { readonly deliverer?: Deliverer },
  taken: Exclude<DeliveryKind, 'ignored'>,
  texts: readonly string[],
  ignored: string | undefined,
  incidentId?: IncidentId,
): void {
  const kind = texts.length === 0 ? 'ignored' : taken
  const text = toKeptTitle([...texts, ...(ignored === undefined ? [] : [`ignored: ${ignored}`])].join(', '), deps.keeping)
  deps.counts.count('noctuary_deliveries_total', { kind })
  report({ tenantId, sender, kind, deliverer })
  const recorded = recordDelivery(deps.redis, deps.rest, tenantId, deliverer, { at: deps.now(), kind, text, incidentId }, deps.newUuid())
  if (recorded !== undefined)
    defer(recorded.catch((error: unknown) => deps.log('delivery_not_noted', { tenant_id: tenantId, reason: nameOf(error) })))
}
