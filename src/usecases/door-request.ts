import type { BatchDatabase, Keeping, Memory, Queueing, Room } from '../deps.ts'
import type { Integration } from '../domain/access/integration.ts'
import { CONTENT_TYPES, decodeDelivery, type Sent } from '../domain/doors/delivery-body.ts'
import type { Delivery, Door, DoorSettings, Signals } from '../domain/doors/door.ts'
import { DOORS } from '../domain/doors/index.ts'
import { AppError } from '../domain/errors.ts'
import type { ApiKeyId, TenantId } from '../domain/ids.ts'
import type { DoorType } from '../domain/integration-type.ts'
import type { Deliverer, DeliveryKind } from '../store/door-deliveries.ts'
import type { WorkDeps } from './work-on-incident.ts'

/** What a delivery shows: a key that people made, or an integration's token, by its hash. */
export type DoorCredential = {
  readonly kind: 'key' | 'token'
  readonly hash: string
  /** What is thrown for a dead one: a token in the address is no such place. */
  readonly whenDead: () => AppError
}

export type DoorRequest = {
  readonly sender: DoorType
  /** The path, where the door has several. */
  readonly path: string | undefined
  readonly header: (name: string) => string | undefined
  readonly credential: DoorCredential
  /** The very bytes where the sender signs. */
  readonly sent: Sent
  /** What they hold, or why that cannot be read. */
  readonly body: { readonly value: unknown } | { readonly refusal: AppError }
  /** Throws when so many events are more than the credential may send. */
  readonly admit: (events: number) => Promise<void>
  /** Takes what became of it, for the line by which its request is logged. */
  readonly report: (outcome: LoggedDelivery) => void
  /** Keeps work alive after the answer. */
  readonly defer: (work: Promise<unknown>) => void
}

/** What a log line says of a delivery: whose it was, and whether it was taken. */
export type LoggedDelivery = {
  readonly tenantId: TenantId
  readonly sender: DoorType
  readonly kind: DeliveryKind
  readonly deliverer: Deliverer
}

export type ReceiveDeps = WorkDeps & BatchDatabase & Memory & Keeping & Room & Queueing

/** Whose delivery it is. */
export type DoorCaller = {
  readonly tenantId: TenantId
  readonly apiKeyId: ApiKeyId | undefined
  readonly integration: Integration | undefined
}

/** A delivery as it was read, for the answer. */
export type ReadDelivery = { readonly delivery: Delivery; readonly signals: Signals; readonly tenantId: TenantId }

/** Whether what this integration takes from its sender is signed: it has a secret, and the sender signs. */
export const isSignedBy = (sender: DoorType, integration: Integration | undefined): boolean =>
  (DOORS[sender].signatures ?? []).length > 0 && integration?.secrets.webhook_secret !== undefined

/** Decodes an unzipped body as a door takes it. */
export function readDoorBody(door: Door, header: DoorRequest['header'], sent: Sent): DoorRequest['body'] {
  const contentType = header('content-type')
  const body = decodeBody(door, contentType, sent)
  if (!('refusal' in body) || !door.isWhole?.(header)) return body
  const isJson = contentType === undefined ? sent.length > 0 : /json/i.test(contentType)
  return isJson ? body : { value: undefined }
}

function decodeBody(door: Door, contentType: string | undefined, sent: Sent): DoorRequest['body'] {
  const isEmpty = sent.length === 0 && !contentType?.includes('protobuf')
  if (isEmpty) return { refusal: new AppError('invalid_request', 'request body must not be empty') }
  const decoded = decodeDelivery(door.mediaTypes, contentType, sent)
  if (decoded.kind === 'decoded') return { value: decoded.body }
  if (decoded.kind === 'malformed') return { refusal: new AppError('invalid_request', decoded.message) }
  if (decoded.kind === 'excessive') return { refusal: new AppError('payload_too_large', decoded.message) }
  const types = door.mediaTypes.map((type) => CONTENT_TYPES[type])
  return { refusal: new AppError('unsupported_media_type', `Content-Type must be ${types.join(' or ')}`) }
}

/** What a decoded body comes to at a door that is set like this integration, or not at all. `id`: a new UUID. */
export function readWith(
  { sender, header, path }: Pick<DoorRequest, 'sender' | 'header' | 'path'>,
  body: unknown,
  integration: Integration | undefined,
  id: string,
): Omit<ReadDelivery, 'tenantId'> {
  const settings: DoorSettings = { ...integration?.settings, serviceMap: integration?.serviceMap ?? {} }
  const delivery: Delivery = { body, header, settings, id, ...(path !== undefined && { path }) }
  const door = DOORS[sender]
  return { delivery, signals: door.read(delivery) }
}
