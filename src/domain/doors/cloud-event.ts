import type { Delivery } from './door.ts'
import { at, nameAt, toName } from './reading.ts'

/** A CloudEvent of version 1.0, out of whichever mode. */
export type CloudEvent = {
  readonly type: string
  readonly id: string | undefined
  readonly source: string | undefined
  readonly time: unknown
  readonly data: unknown
}

/** A CloudEvent that is the body; `undefined` for a body that is none. */
export function toStructured(body: unknown): CloudEvent | undefined {
  const type = nameAt(body, 'type')
  if (type === undefined || at(body, 'specversion') === undefined) return undefined
  return { type, id: nameAt(body, 'id'), source: nameAt(body, 'source'), time: at(body, 'time'), data: at(body, 'data') }
}

/** A CloudEvent whose attributes are headers, percent-encoded; `undefined` without its type. */
export function toBinary({ body, header }: Delivery): CloudEvent | undefined {
  const attribute = (name: string) => decode(header(`ce-${name}`))
  const [type, id, source] = ['type', 'id', 'source'].map((name) => toName(attribute(name)))
  return type === undefined ? undefined : { type, id, source, time: attribute('time'), data: body }
}

function decode(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch {
    return text
  }
}
