import { decodeDelivery } from '../../src/domain/doors/delivery-body.ts'
import type { Door, DoorSettings, Signals } from '../../src/domain/doors/door.ts'

export type DeliverOptions = {
  readonly headers?: Readonly<Record<string, string>>
  readonly settings?: Partial<DoorSettings>
  readonly path?: string
}

export const DELIVERY_ID = '00000000-0000-4000-8000-000000000001'

/** Hands a body to a door as if it had come with these headers; without any, with those of the door's example. */
export function deliver(door: Door, body: unknown, { headers, settings, path }: DeliverOptions = {}): Signals {
  const sent = new Map(Object.entries(headers ?? door.example.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
  return door.read({
    body,
    header: (name) => sent.get(name.toLowerCase()),
    settings: { serviceMap: {}, ...settings },
    id: DELIVERY_ID,
    ...(path !== undefined && { path }),
  })
}

/** The same for the bytes of a request; what cannot be decoded is thrown. */
export function deliverBytes(door: Door, contentType: string, bytes: Uint8Array<ArrayBuffer>): Signals {
  const decoded = decodeDelivery(door.mediaTypes, contentType, bytes)
  if (decoded.kind !== 'decoded') throw new Error(decoded.kind)
  return deliver(door, decoded.body, { headers: { 'content-type': contentType } })
}
