import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { diagnose } from '../../../src/domain/diagnosis/diagnose.ts'
import type { Alert, Diagnosis, DiagnosisInput } from '../../../src/domain/diagnosis/model.ts'
import { EVENT_TYPES } from '../../../src/domain/event/event.ts'
import { JOIN_RULES, toNameKey } from '../../../src/domain/event/service-name.ts'
import { type EventId, toId } from '../../../src/domain/ids.ts'
import { toStorableText } from '../../../src/domain/text.ts'
import type { ServiceWindow, WindowEntry } from '../../../src/domain/window/window.ts'
import type { Case, CaseEvent } from '../../bench/diagnosis-cases.ts'
import { disturb } from '../../bench/diagnosis-disturb.ts'
import { generateCases } from '../../bench/diagnosis-generate.ts'
import { toInput } from '../../bench/diagnosis-input.ts'
import type { Answer } from '../../bench/diagnosis-metrics.ts'
import { stirCases } from '../../bench/diagnosis-stir.ts'
import { ALERT_AT, declareEdge, makeEntry, makeWindow, SHOP } from '../../support/diagnosis.ts'
import { later } from '../../support/told.ts'
import { TOLD_ABSTENTIONS } from '../../support/told-abstentions.ts'
import { TOLD_CAUSES } from '../../support/told-causes.ts'
import { TOLD_SUSPECTS } from '../../support/told-suspects.ts'

const CASES = generateCases(60, 'properties')
const INPUTS = CASES.map(toInput)

/** Anything a window can hold: odd texts, far times, any count. */
const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom('', 'v1', 'success=0%', 'success=999%', 'a4f2c1b', 'connect api:80', '\n\n', '…'),
  )
  .map(toStorableText)
const name = fc.oneof(fc.constantFrom('api', 'web', 'db', 'API', 'we_b', '/', '---', 'constructor', '__proto__', 'db-data'), text)
const instant = fc.oneof(
  fc.integer({ min: -7_200, max: 600 }).map((seconds) => new Date(ALERT_AT.getTime() + seconds * 1_000)),
  fc.date({ noInvalidDate: true }),
)
const entry: fc.Arbitrary<WindowEntry> = fc.record({
  id: fc.uuid().map((uuid) => toId<EventId>(uuid)),
  eventType: fc.constantFrom(...EVENT_TYPES),
  vendor: fc.oneof(fc.constantFrom('argocd', 'kubernetes', 'istio'), text),
  entity: fc.oneof(fc.constantFrom('service/api', 'pod/web-5d9f8b6c5-x2x9k', 'persistentvolumeclaims/db-data'), name),
  oldValue: fc.option(text),
  newValue: fc.option(text),
  actor: fc.option(text),
  sha: fc.option(text),
  environment: fc.option(fc.constantFrom('production', 'staging')),
  url: fc.constant(null),
  details: fc.constant(null),
  confidence: fc.double({ min: 1e-9, max: 1, noNaN: true }),
  timestamp: instant,
  firstTimestamp: instant,
  expiresAt: instant,
  count: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  joinedBy: fc.constantFrom(...JOIN_RULES),
  isExpired: fc.boolean(),
})
const window: fc.Arbitrary<ServiceWindow> = fc
  .tuple(name, fc.array(entry, { maxLength: 12 }))
  .map(([service, entries]) => makeWindow(service, ...entries))
const edge = fc.record({
  caller: name,
  callee: name,
  seen: fc.integer({ min: -1, max: 1e9 }),
  lastSeenAt: fc.option(instant),
  declared: fc.boolean(),
})
const share = fc.double({ min: 0, max: 1, noNaN: true })
const kind = { service: name, vendor: text, eventType: fc.constantFrom(...EVENT_TYPES), valueClass: text }
const anyAlert: fc.Arbitrary<Alert> = fc.record({ service: fc.option(name), triggeredAt: fc.constant(ALERT_AT), title: fc.option(text) })
const anyInput: fc.Arbitrary<DiagnosisInput> = fc.record({
  alert: anyAlert,
  windows: fc.array(window, { maxLength: 6 }),
  graph: fc.record({ edges: fc.array(edge, { maxLength: 12 }) }),
  counts: fc.record({
    hoursObserved: fc.integer({ min: 0, max: 10_000 }),
    kinds: fc.array(fc.record({ ...kind, count: fc.nat(), hours: fc.nat() }), { maxLength: 8 }),
  }),
  patterns: fc.array(fc.record({ ...kind, similarity: share, verdict: fc.constantFrom('confirmed' as const, 'rejected' as const) }), {
    maxLength: 4,
  }),
  observedUntil: instant,
})

/** Little that differs, so that much ties: equal times and texts, names with one key, an event in several windows. */
const soon = fc.constantFrom(-120, -60, -60.5, 0, 30, 90).map((seconds) => new Date(ALERT_AT.getTime() + seconds * 1_000))
const tiedEntry = fc
  .record({
    eventType: fc.constantFrom(...EVENT_TYPES),
    vendor: fc.constantFrom('argocd', 'kubernetes', 'istio'),
    entity: fc.constantFrom('api', 'service/db', 'persistentvolumeclaims/db-data'),
    oldValue: fc.constantFrom(null, 'on', 'off', 'v1'),
    newValue: fc.constantFrom(null, 'on', 'off', 'success=50%', 'connect web:80'),
    sha: fc.constantFrom(null, 'a4f2c1b', '0ffbea7'),
    timestamp: soon,
    firstTimestamp: soon,
    count: fc.integer({ min: 1, max: 3 }),
  })
  .chain((fields) => fc.uuid().map((uuid) => makeEntry(0, fields.eventType, { ...fields, id: toId<EventId>(uuid) })))
const tiedName = fc.constantFrom('api', 'web', 'db', 'db-data', 'db data', 'API', 'we_b')
const place = fc.record({ service: tiedName, joinedBy: fc.constantFrom(...JOIN_RULES) })
const placed = fc.tuple(tiedEntry, fc.uniqueArray(place, { selector: ({ service }) => service, minLength: 1, maxLength: 3 }))
const tiedInput: fc.Arbitrary<DiagnosisInput> = fc.record({
  alert: fc.record({ service: fc.option(tiedName), triggeredAt: fc.constant(ALERT_AT), title: fc.constant(null) }),
  windows: fc.array(placed, { maxLength: 12 }).map((entries) => {
    const places = entries.flatMap(([each, own]) => own.map(({ service, joinedBy }) => ({ service, entry: { ...each, joinedBy } })))
    const byService = Map.groupBy(places, ({ service }) => service)
    return [...byService].map(([service, own]) => makeWindow(service, ...own.map((each) => each.entry)))
  }),
  graph: fc.array(fc.tuple(tiedName, tiedName), { maxLength: 8 }).map((edges) => ({ edges: edges.map((each) => declareEdge(...each)) })),
  counts: fc.constant({ hoursObserved: 0, kinds: [] }),
  patterns: fc.array(
    fc.record({
      service: tiedName,
      vendor: fc.constant('argocd'),
      eventType: fc.constantFrom(...EVENT_TYPES),
      valueClass: fc.constantFrom('', 'on'),
      similarity: fc.double({ min: 0, max: 1, noNaN: true }),
      verdict: fc.constantFrom('confirmed' as const, 'rejected' as const),
    }),
    { maxLength: 4 },
  ),
  observedUntil: fc.constantFrom(0, 60).map((seconds) => new Date(ALERT_AT.getTime() + seconds * 1_000)),
})
const anyOrGenerated = fc.oneof({ arbitrary: tiedInput, weight: 8 }, anyInput, fc.constantFrom(...INPUTS))

const entriesOf = ({ windows }: DiagnosisInput) => windows.flatMap(({ window: { entries } }) => Object.values(entries).flat())
/** Durations and times, which are computed. */
const CLOCK = /(?:since|at|is) (?:[+-]?\d{4,6}-\d\d-\d\d )?\d\d:\d\d UTC/g
const OWN_WORDS = new RegExp(`\\b\\d+ (?:second|minute|hour|day)s?\\b|${CLOCK.source}`, 'g')

const leadOf = ({ hypotheses }: Diagnosis) => hypotheses[0]?.eventIds[0]

function mapEntries(input: DiagnosisInput, change: (entries: readonly WindowEntry[]) => readonly WindowEntry[]): DiagnosisInput {
  const windows = input.windows.map(({ service, window: { entries } }) => makeWindow(service, ...change(Object.values(entries).flat())))
  return { ...input, windows }
}

const shuffled = <Item>(items: readonly Item[], seed: number): readonly Item[] =>
  items
    .map((item, index) => ({ item, order: Math.sin(seed + index * 7.13) }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ item }) => item)

test('the order of the input never changes the answer', () => {
  fc.assert(
    fc.property(anyOrGenerated, fc.integer(), (input, seed) => {
      const mixed = mapEntries(input, (entries) => shuffled(entries, seed))
      const other = {
        ...mixed,
        windows: shuffled(mixed.windows, seed),
        graph: { edges: shuffled(input.graph.edges, seed) },
        counts: { ...input.counts, kinds: shuffled(input.counts.kinds, seed) },
        patterns: shuffled(input.patterns, seed),
      }
      expect(diagnose(other)).toEqual(diagnose(input))
    }),
    { numRuns: 800 },
  )
})

const withoutClock = (answer: unknown) => JSON.stringify(answer).replaceAll(CLOCK, '')

test('a shift of every time changes nothing but the times that are told', () => {
  fc.assert(
    fc.property(fc.constantFrom(...INPUTS), fc.integer({ min: -1e9, max: 1e9 }), (input, seconds) => {
      const shift = (date: Date) => new Date(date.getTime() + seconds * 1_000)
      const moved = mapEntries(input, (entries) =>
        entries.map((each) => ({
          ...each,
          timestamp: shift(each.timestamp),
          firstTimestamp: shift(each.firstTimestamp),
          expiresAt: shift(each.expiresAt),
        })),
      )
      const alert = { ...input.alert, triggeredAt: shift(input.alert.triggeredAt) }
      const { onset, ...answer } = diagnose({ ...moved, alert, observedUntil: shift(input.observedUntil) })
      const { onset: before, ...expected } = diagnose(input)
      expect(withoutClock(answer)).toBe(withoutClock(expected))
      expect(onset).toEqual(before && shift(before))
    }),
  )
})

test('an event after the look is not seen', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...INPUTS),
      fc.array(entry, { maxLength: 8 }),
      fc.integer({ min: 1, max: 1e7 }),
      (input, entries, seconds) => {
        const at = new Date(input.observedUntil.getTime() + seconds * 1_000)
        const late = entries.map((each) => ({ ...each, timestamp: at, firstTimestamp: at }))
        const more = mapEntries(input, (own) => [...own, ...late])
        expect(diagnose(more)).toEqual(diagnose(input))
      },
    ),
  )
})

test('when a change was repeated after the look is not seen', () => {
  fc.assert(
    fc.property(fc.constantFrom(...INPUTS), fc.integer({ min: 1, max: 1e7 }), (input, seconds) => {
      const at = new Date(input.observedUntil.getTime() + seconds * 1_000)
      const repeated = mapEntries(input, (own) => own.map((each) => ({ ...each, timestamp: at })))
      const once = mapEntries(input, (own) => own.map((each) => ({ ...each, timestamp: each.firstTimestamp })))
      expect(diagnose(repeated)).toEqual(diagnose(once))
    }),
  )
})

test('never a crash: an answer to anything a window can hold, ranked, with a share as confidence', () => {
  fc.assert(
    fc.property(anyInput, (input) => {
      const { confidence, hypotheses, evidence, ruledOut, abstained } = diagnose(input)
      const ids = new Set(entriesOf(input).map(({ id }) => id))
      const cited = [evidence, ...hypotheses.map(({ eventIds }) => eventIds), ...ruledOut.map(({ eventIds }) => eventIds)].flat()
      expect(confidence).toBeGreaterThanOrEqual(0)
      expect(confidence).toBeLessThanOrEqual(1)
      expect(cited.filter((id) => !ids.has(id))).toEqual([])
      expect(hypotheses.every(({ score }, index) => Number.isFinite(score) && score <= (hypotheses[index - 1]?.score ?? Infinity))).toBe(
        true,
      )
      expect(abstained || evidence.length > 0).toBe(true)
    }),
    { numRuns: 500 },
  )
})

test('what happens after the look, and what ends before it begins, tells nothing by how much', () => {
  fc.assert(
    fc.property(
      fc.oneof({ arbitrary: tiedInput, weight: 4 }, fc.constantFrom(...INPUTS)),
      fc.integer({ min: 1, max: 1e6 }),
      (input, seconds) => {
        const { observedUntil } = input
        const far = mapEntries(input, (entries) =>
          entries.map((each, index) => {
            if (each.timestamp < each.firstTimestamp) return { ...each, timestamp: each.firstTimestamp }
            const isLate = each.timestamp > observedUntil
            return isLate ? { ...each, timestamp: new Date(observedUntil.getTime() + 1_000 * ((index + 1) * seconds)) } : each
          }),
        )
        expect(diagnose(far)).toEqual(diagnose(input))
      },
    ),
    { numRuns: 500 },
  )
})

const TOKEN_WITH_DIGIT = /[\w.=-]*\d[\w.=-]*/g

const toTexts = ({ vendor, entity, oldValue, newValue, actor, sha }: WindowEntry): readonly string[] =>
  [vendor, entity, oldValue, newValue, actor, sha].filter((each) => each !== null)

/** Every text of a diagnosis with all that it may be made of: the events it cites, whose they are, and the way to the alert. */
function listTold(input: DiagnosisInput): readonly { readonly told: string; readonly sources: readonly string[] }[] {
  const { hypotheses, hypothesis, recommendedAction, reasoning, evidence, ruledOut, abstained } = diagnose(input)
  const alerting = input.alert.service ?? ''
  const from = (told: readonly (string | null)[], ids: readonly EventId[], names: readonly string[]) => {
    const windows = input.windows.flatMap(({ service, window: { entries } }) => {
      const cited = Object.values(entries)
        .flat()
        .filter(({ id }) => ids.includes(id))
      return cited.length === 0 ? [] : [service, ...cited.flatMap(toTexts)]
    })
    return { told: told.join(' ; ').replaceAll(OWN_WORDS, ''), sources: [...windows, ...names] }
  }
  const [best] = hypotheses
  return [
    from([hypothesis, recommendedAction, reasoning], evidence, [alerting, ...((!abstained && best?.path) || [])]),
    ...hypotheses.map(({ sentence, recommendedAction: action, reasonsFor, reasonsAgainst, eventIds, path, service }) =>
      from([sentence, action, ...reasonsFor, ...reasonsAgainst], eventIds, [...path, service, alerting]),
    ),
    ...ruledOut.map(({ text, eventIds, service }) => from([text], eventIds, [service, alerting])),
  ]
}

test('every id, sha, name and number of a text occurs in the evidence, but for durations', () => {
  const isFailure = ({ eventType }: WindowEntry) => eventType === 'dependency_failure' || eventType === 'circuit_open'
  const unexplained = INPUTS.map((input) => mapEntries(input, (entries) => entries.filter(isFailure)))
  const unplaced = INPUTS.map((input) => ({
    ...input,
    graph: { edges: [] },
    observedUntil: new Date(input.alert.triggeredAt.getTime() - 60_000),
  }))
  const flipped = [
    makeEntry(-90, 'flag_change', { oldValue: 'off', newValue: 'on' }),
    makeEntry(-60, 'flag_change', { oldValue: 'on', newValue: 'off' }),
  ]
  const reverted = { ...SHOP, windows: [makeWindow('frontend', ...flipped)] }
  for (const input of [...INPUTS, ...unexplained, ...unplaced, reverted]) {
    const known = [...input.windows.map(({ service }) => service), ...input.graph.edges.flatMap(({ caller, callee }) => [caller, callee])]
    for (const { told, sources } of listTold(input)) {
      const source = sources.join('\n')
      const shas = [...told.matchAll(TOKEN_WITH_DIGIT)].map(([token]) => token.replace(/^sha=/, ''))
      const names = known.filter((each) => told.includes(each))
      expect([...shas, ...names].filter((token) => !source.includes(token))).toEqual([])
    }
  }
})

test('no text tells a number that no cited event holds, whatever events say', () => {
  fc.assert(
    fc.property(fc.oneof(anyInput, tiedInput), (input) => {
      for (const { told, sources } of listTold(input)) {
        const numbers = told.match(/\d+/g) ?? []
        expect(numbers.filter((number) => !sources.some((each) => each.includes(number) || toNameKey(each).includes(number)))).toEqual([])
      }
    }),
    { numRuns: 500 },
  )
})

test('the answer begins with the first hypothesis, or says that there is none', () => {
  fc.assert(
    fc.property(anyOrGenerated, (input) => {
      const { abstained, hypotheses, hypothesis, evidence, confidence } = diagnose(input)
      const [best] = hypotheses
      if (abstained) {
        expect(hypothesis).toContain('no recorded change explains it')
        expect(confidence).toBe(0)
      } else {
        expect(hypothesis.startsWith(best?.sentence ?? '')).toBe(true)
        expect(evidence.slice(0, best?.eventIds.length)).toEqual(best?.eventIds)
      }
    }),
  )
})

const UNDOING = /\broll back\b|\bset flag \S+ back\b|\brevert\b|\bscale .* back\b/i

/** What an answer says that it also denies. */
function listContradictions(
  { assessment, abstained, hypothesis, recommendedAction, reasoning, hypotheses, ruledOut }: Diagnosis,
  windows: readonly ServiceWindow[],
) {
  const [first] = hypotheses
  const told = [
    hypothesis,
    recommendedAction,
    reasoning,
    ...hypotheses.flatMap((each) => [...each.reasonsFor, ...each.reasonsAgainst]),
  ].join('\n')
  const [, one, other] = /^(.*); nearly as likely, (.*)$/.exec(hypothesis) ?? []
  const blamed = / sha=(\S+)/.exec(first?.sentence ?? '')?.[1]
  // What was put in place, replaced and put in place again is two changes in one entry.
  const entries = windows.flatMap(({ window }) => Object.values(window.entries).flat())
  const repeated = new Set(entries.filter(({ count }) => count > 1).map(({ id }) => id))
  const considered = new Set(hypotheses.map(({ eventIds: [id] }) => (id && repeated.has(id) ? undefined : id)))
  return [
    abstained && /it can explain/.test(told) ? 'no change explains it, and one can' : '',
    assessment !== 'cause' && UNDOING.test(recommendedAction ?? '') ? 'undo what is not to blame' : '',
    abstained && hypotheses.some((each) => UNDOING.test(each.recommendedAction ?? '')) ? 'undo what explains nothing' : '',
    // Nobody can send a name that shows nothing.
    one !== undefined && one.toLowerCase() === other?.toLowerCase() && !one.includes('(blank)') ? 'a tie of one with itself' : '',
    blamed !== undefined && recommendedAction?.includes(`to sha=${blamed}`) ? 'go back to what is blamed' : '',
    // What is out of reach is ranked where nothing else is, and says so.
    ruledOut.some(({ eventIds, reason }) => reason !== 'no_path' && eventIds[0] && considered.has(eventIds[0]))
      ? 'ruled out and considered'
      : '',
    hypotheses.some(({ reasonsFor, reasonsAgainst }) => reasonsFor.some((reason) => reasonsAgainst.includes(reason)))
      ? 'for and against'
      : '',
  ].filter(Boolean)
}

test('no answer contradicts itself', () => {
  for (const { windows, rest } of [...TOLD_CAUSES, ...TOLD_SUSPECTS, ...TOLD_ABSTENTIONS]) {
    expect(listContradictions(diagnose({ ...SHOP, observedUntil: later(120), ...rest, windows }), windows)).toEqual([])
  }
  fc.assert(
    fc.property(anyOrGenerated, (input) => {
      expect(listContradictions(diagnose(input), input.windows)).toEqual([])
    }),
    { numRuns: 500 },
  )
})

describe('unrelated events', () => {
  const unrelated = fc.array(fc.tuple(entry, fc.constantFrom('batch-a', 'batch-b')), { minLength: 1, maxLength: 10 })

  test('of services that no path leads to never change the leading cause', () => {
    fc.assert(
      fc.property(fc.constantFrom(...INPUTS), unrelated, (input, added) => {
        const windows = Map.groupBy(added, ([, service]) => service)
        const more = [...windows].map(([service, entries]) =>
          makeWindow(
            service,
            ...entries.map(([each]) => ({ ...each, entity: `${service}-job`, newValue: 'done', joinedBy: 'service_name' as const })),
          ),
        )
        expect(leadOf(diagnose({ ...input, windows: [...input.windows, ...more] }))).toBe(leadOf(diagnose(input)))
      }),
    )
  })

  test('five for each event leave the leading cause in 95 % of cases', () => {
    const isSame = (each: Case) => {
      const noisy = disturb(each, [], { noise: 5, isMerged: false, background: 0, skewSeconds: 0, isUnlinked: false, seed: 'noise' })
      return diagnose(toInput(noisy)).hypotheses[0]?.service === diagnose(toInput(each)).hypotheses[0]?.service
    }
    expect(CASES.filter(isSame).length / CASES.length).toBeGreaterThanOrEqual(0.95)
  })

  describe('one old one more is counted where it changes the answer', () => {
    const at = ALERT_AT.getTime()
    const cause: CaseEvent = {
      event_type: 'deploy',
      vendor: 'argocd',
      service_name: 'api',
      entity: 'api',
      timestamp: at - 60_000,
      confidence: 0.9,
      ttl_seconds: 3_600,
    }
    const recorded: Case = {
      id: 'stirred/1',
      alert: { service: 'web', triggered_at: at },
      observed_until: at,
      dependencies: [['web', 'api']],
      events: [cause],
      truth: { service: 'api' },
    }
    const unrecorded: Case = { ...recorded, truth: null }
    type Rule = (events: readonly CaseEvent[]) => CaseEvent | undefined
    const answerBy =
      (rule: Rule) =>
      (each: Case): Answer => {
        const named = rule(each.events)
        return { each, ranked: named ? [named.service_name] : [], changes: [], confidence: 1, abstained: !named }
      }
    const untouched = { n: 1, changed: 0, otherFirst: 0, noLongerNamed: 0, newlyNamed: 0, right: 1, lost: 0 }
    const nameLatest: Rule = (events) => events.at(-1)
    const nameOldest: Rule = ([oldest]) => oldest
    const nameSole: Rule = ([only, other]) => (other ? undefined : only)
    const nameSecond: Rule = ([, second]) => second

    test.each([
      ['what came last', nameLatest, recorded, {}],
      ['what came first', nameOldest, recorded, { changed: 1, otherFirst: 1, lost: 1 }],
      ['nothing where there are two', nameSole, recorded, { changed: 1, noLongerNamed: 1, lost: 1 }],
      ['nothing where there are two, rightly', nameSole, unrecorded, { changed: 1, noLongerNamed: 1, right: 0 }],
      ['something where there are two', nameSecond, unrecorded, { changed: 1, newlyNamed: 1, lost: 1 }],
    ])('by a rule that names %s', (_, rule, each, expected) => {
      const rows = stirCases([each], answerBy(rule))
      expect(rows).toHaveLength(32)
      for (const row of rows) expect(row).toMatchObject({ ...untouched, ...expected })
    })

    test('by its kind and age; what alerts without a service has none of its own', () => {
      const nameOldRestart: Rule = (events) =>
        events.find(({ event_type, timestamp }) => event_type === 'restart' && timestamp === at - 3_600_000)
      const changed = stirCases([recorded, { ...recorded, alert: { ...recorded.alert, service: null } }], answerBy(nameOldRestart))
        .filter((row) => row.changed > 0)
        .map(({ event, minutes, n, newlyNamed }) => ({ event, minutes, n, newlyNamed }))
      expect(changed).toEqual([
        { event: 'own restart', minutes: 60, n: 1, newlyNamed: 1 },
        { event: 'stranger restart', minutes: 60, n: 2, newlyNamed: 2 },
      ])
    })
  })
})

test('an edge of the graph that leads nowhere near the alert changes nothing', () => {
  for (const input of INPUTS) {
    const edges = [...input.graph.edges, declareEdge('far-away', 'further-away')]
    expect(diagnose({ ...input, graph: { edges } })).toEqual(diagnose(input))
  }
})
