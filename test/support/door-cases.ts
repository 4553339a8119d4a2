import { expect, test } from 'vitest'
import type { Door } from '../../src/domain/doors/door.ts'
import { type DeliverOptions, deliver } from './deliver.ts'

export type Fields = Readonly<Record<string, unknown>>
type Expected = { readonly event: Fields } | { readonly alert: Fields } | { readonly ignored: string } | { readonly invalid: string }

/** A door's example with changes by path (`a.b.0.c`; `undefined` removes), and what it comes to. */
export type DoorCase = readonly [name: string, changes: Fields, expected: Expected, options?: DeliverOptions]

export const event = (fields: Fields): Expected => ({ event: fields })
export const alert = (fields: Fields): Expected => ({ alert: fields })
export const ignored = (reason: string): Expected => ({ ignored: reason })
export const invalid = (reason: string): Expected => ({ invalid: reason })

export function changed(body: unknown, changes: Fields): unknown {
  // Examples are JSON, and the paths are a test's own.
  const copy = structuredClone(body) as Record<string, unknown>
  for (const [path, value] of Object.entries(changes)) {
    const names = path.split('.')
    const last = names.pop() ?? ''
    let holder = copy
    for (const name of names) {
      const part = (holder[name] ?? {}) as Record<string, unknown>
      holder[name] = part
      holder = part
    }
    if (value === undefined) delete holder[last]
    else holder[last] = structuredClone(value)
  }
  return copy
}

/** One test for each case of a door. */
export function testDoor(sender: string, door: Door, cases: readonly DoorCase[]): void {
  test.each(cases.map(([name, ...rest]) => ({ name, rest })))(`${sender}: $name`, ({ rest: [changes, expected, options] }) => {
    const signals = deliver(door, changed(door.example.body, changes), options)
    const [first] = [...signals.events, ...signals.alerts]
    if ('event' in expected) expect(signals.events).toEqual([expect.objectContaining(present(expected.event))])
    else if ('alert' in expected) expect(signals.alerts).toEqual([expect.objectContaining(present(expected.alert))])
    else expect({ ...signals, first }).toMatchObject({ first: undefined, ...expected })
    const fields = 'event' in expected ? expected.event : {}
    for (const field of Object.keys(fields).filter((name) => fields[name] === undefined)) expect(first).not.toHaveProperty(field)
  })
}

const present = (fields: Fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
