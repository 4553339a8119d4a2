import type { BatchDatabase, Keeping, Memory } from '../deps.ts'
import type { Integration } from '../domain/access/integration.ts'
import type { Delivery, Signals } from '../domain/doors/door.ts'
import type { AppError } from '../domain/errors.ts'
import type { ApiKeyId, TenantId } from '../domain/ids.ts'
import type { DoorType } from '../domain/integration-type.ts'
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
  /** The very bytes that came, unzipped. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** What they hold, or why that cannot be read. */
  readonly body: { readonly value: unknown } | { readonly refusal: AppError }
  /** Keeps work alive after the answer. */
  readonly defer: (work: Promise<unknown>) => void
}

export type ReceiveDeps = WorkDeps & BatchDatabase & Memory & Keeping

/** Whose delivery it is. */
export type DoorCaller = {
  readonly tenantId: TenantId
  readonly apiKeyId: ApiKeyId | undefined
  readonly integration: Integration | undefined
}

/** A delivery as it was read, for the answer. */
export type ReadDelivery = { readonly delivery: Delivery; readonly signals: Signals; readonly tenantId: TenantId }
