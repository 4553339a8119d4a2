import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DiagnosisInput } from '../../../src/domain/diagnosis/model.ts'
import { byEventType, EVENT_TYPES } from '../../../src/domain/event/event.ts'
import { JOIN_RULES } from '../../../src/domain/event/service-name.ts'
import { type EventId, toId } from '../../../src/domain/ids.ts'
import { citedEntries, readSnapshot, toDiagnosisInput, toSnapshot, writeSnapshot } from '../../../src/domain/incident/snapshot.ts'
import type { StateWindow } from '../../../src/domain/window/window.ts'

const text = fc.string({ unit: 'binary' })
const instant = fc.date({ noInvalidDate: true, min: new Date('0001-01-01'), max: new Date('9999-12-31') })
const optional = fc.option(text)

const entry = fc.record({
  id: fc.uuid().map((id) => toId<EventId>(id)),
  eventType: fc.constantFrom(...EVENT_TYPES),
  vendor: text,
  entity: text,
  oldValue: optional,
  newValue: optional,
  actor: optional,
  sha: optional,
  environment: optional,
  url: optional,
  details: fc.option(fc.constantFrom({ title: 'a' }, { files: ['b'], keys: ['c'] })),
  confidence: fc.double({ min: 0.01, max: 1, noNaN: true }),
  timestamp: instant,
  firstTimestamp: instant,
  expiresAt: instant,
  count: fc.nat(),
  joinedBy: fc.constantFrom(...JOIN_RULES),
  isExpired: fc.boolean(),
})

const window = fc.record({ entries: fc.array(entry, { maxLength: 8 }), updatedAt: fc.option(instant) }).map(
  ({ entries, updatedAt }): StateWindow => ({
    entries: byEventType((type) => entries.filter(({ eventType }) => eventType === type)),
    updatedAt,
  }),
)

const kind = { service: text, vendor: text, eventType: fc.constantFrom(...EVENT_TYPES), valueClass: text }

const input: fc.Arbitrary<DiagnosisInput> = fc.record({
  alert: fc.record({ service: optional, triggeredAt: instant, title: optional }),
  windows: fc.array(fc.record({ service: text, window }), { maxLength: 4 }),
  graph: fc.record({
    edges: fc.array(fc.record({ caller: text, callee: text, seen: fc.nat(), lastSeenAt: fc.option(instant), declared: fc.boolean() })),
  }),
  counts: fc.record({ hoursObserved: fc.nat(), kinds: fc.array(fc.record({ ...kind, count: fc.nat(), hours: fc.nat() })) }),
  patterns: fc.array(
    fc.record({
      ...kind,
      similarity: fc.double({ min: 0, max: 1, noNaN: true }),
      verdict: fc.constantFrom('confirmed' as const, 'rejected' as const),
    }),
  ),
  observedUntil: instant,
})

test('what is stored is what was seen, whatever it was, and stays the same bytes', () => {
  fc.assert(
    fc.property(input, (seen) => {
      const stored = writeSnapshot(toSnapshot(seen))
      const read = toDiagnosisInput(readSnapshot(JSON.parse(stored)))
      expect(writeSnapshot(toSnapshot(read))).toBe(stored)
      expect(JSON.stringify(JSON.parse(stored))).toBe(stored)
      expect(read.windows.map(({ window: { entries } }) => Object.values(entries).map(({ length }) => length))).toEqual(
        seen.windows.map(({ window: { entries } }) => Object.values(entries).map(({ length }) => length)),
      )
    }),
  )
})

test('a cited entry is found once, in the window of the service that it names', () => {
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 6 }), (entries) => {
      const windowOf = (joinedBy: 'service_name' | 'entity') => ({
        entries: byEventType((type) => entries.filter(({ eventType }) => eventType === type).map((each) => ({ ...each, joinedBy }))),
        updatedAt: null,
      })
      const snapshot = toSnapshot({
        alert: { service: null, triggeredAt: new Date(0), title: null },
        windows: [
          { service: 'joined', window: windowOf('entity') },
          { service: 'own', window: windowOf('service_name') },
        ],
        graph: { edges: [] },
        counts: { hoursObserved: 0, kinds: [] },
        patterns: [],
        observedUntil: new Date(0),
      })
      const ids = new Set(entries.map(({ id }) => id))
      const cited = citedEntries(snapshot, [...ids, 'unknown'])
      expect(new Set(cited.map(({ id }) => id))).toEqual(ids)
      expect(cited).toHaveLength(ids.size)
      expect(new Set(cited.map(({ service }) => service))).toEqual(new Set(['own']))
      const times = cited.map(({ timestamp }) => Date.parse(timestamp))
      expect(times).toEqual(times.toSorted((a, b) => a - b))
    }),
  )
})
