import { at, nameAt } from './reading.ts'

/** A CloudEvent of version 1.0, out of whichever mode. */
export type CloudEvent = {
  readonly type: string
  readonly id: string | undefined
  readonly time: unknown
  readonly data: unknown
}

/** A CloudEvent that is the body; `undefined` for a body that is none. */
export function toStructured(body: unknown): CloudEvent | undefined {
  const type = nameAt(body, 'type')
  if (type === undefined || at(body, 'specversion') === undefined) return undefined
  return { type, id: nameAt(body, 'id'), time: at(body, 'time'), data: at(body, 'data') }
}
