import { describe, expect, test } from 'vitest'
import { type AnswerSubject, toAnswerRows, toSureWord } from '../../src/dashboard/answer-rows.ts'
import { toPageWords } from '../../src/dashboard/event-words.ts'
import { toShownAnswer } from '../../src/dashboard/shown-answer.ts'
import { EVENT_TYPES, type EventType } from '../../src/domain/event/event.ts'
import { type EventId, toId } from '../../src/domain/ids.ts'
import type { ContextSnapshot } from '../../src/domain/incident/snapshot.ts'
import { type EntryDocument, entriesOf, type WindowDocument } from '../../src/domain/window/document.ts'

const ALERT = '2026-11-28T02:14:20.000Z'
const ALERT_AT = new Date(ALERT)
const at = (seconds: number) => new Date(ALERT_AT.getTime() + 1_000 * seconds).toISOString()
const idOf = (place: number): EventId => toId(`00000000-0000-4000-8000-${String(place).padStart(12, '0')}`)

type Given = Partial<EntryDocument> & {
  readonly event_type: EventType
  readonly service?: string
  readonly from: number
  readonly to?: number
}

const DEPLOY: Given = {
  event_type: 'deploy',
  service: 'payments',
  vendor: 'argocd',
  old_value: '9b1f3d7e',
  new_value: '1a220982',
  sha: '1a220982',
  actor: 'deploy-bot',
  from: -376,
}
const FORMER: Given = { ...DEPLOY, old_value: null, new_value: '9b1f3d7e', sha: '9b1f3d7e', from: -86_400 * 6 }
const TIMEOUTS: Given = { event_type: 'dependency_failure', entity: 'payments', new_value: 'timed out', from: -134, to: 60, count: 31 }
const CRASHES: Given = { event_type: 'restart', service: 'payments', entity: 'payments-1', new_value: 'OOMKilled', from: -208, count: 9 }
const FLAG: Given = { event_type: 'flag_change', entity: 'rankingModel', old_value: 'v3', new_value: 'v4', actor: 'ci-bot', from: -300 }

function toEntry({ service: _, from, to = from, ...fields }: Given, place: number): EntryDocument {
  return {
    id: idOf(place),
    vendor: 'pino',
    entity: fields.entity ?? _ ?? 'checkout',
    old_value: null,
    new_value: null,
    actor: null,
    sha: null,
    confidence: 0.9,
    timestamp: at(to),
    first_timestamp: at(from),
    expires_at: at(90_000),
    count: 1,
    joined_by: 'service_name',
    ...fields,
  }
}

function toWindow(service: string, entries: readonly EntryDocument[]): WindowDocument {
  const fields = EVENT_TYPES.map((type) => [
    type === 'scale_event' ? 'scale_events' : `${type}_events`,
    entries.filter(({ event_type }) => event_type === type),
  ])
  return { service, updated_at: null, ...Object.fromEntries(fields) }
}

type Fields = Partial<AnswerSubject> & {
  readonly given?: readonly Given[]
  readonly confidence?: number
  readonly scores?: readonly number[]
  readonly incident?: Partial<AnswerSubject['incident']>
  readonly action?: string | null
  readonly abstained?: boolean
  readonly onset?: string
  readonly assessment?: 'external' | 'cause'
}

/** The rows of an answer whose hypotheses are the given changes, in their order, and whose evidence is all that is given. */
function rowsOf({
  given = [],
  confidence = 0.66,
  scores = [],
  incident,
  action = 'Roll back to sha=9b1f3d7e',
  abstained = false,
  ...more
}: Fields) {
  const entries = given.map((one, place) => ({ service: one.service ?? 'checkout', entry: toEntry(one, place) }))
  const windows = [...Map.groupBy(entries, ({ service }) => service)].map(([service, own]) =>
    toWindow(
      service,
      own.map(({ entry }) => entry),
    ),
  )
  expect(windows.flatMap(entriesOf)).toHaveLength(given.length)
  const changes = entries.filter(({ entry }) => ['deploy', 'flag_change', 'config_change'].includes(entry.event_type))
  const contextSnapshot: ContextSnapshot = {
    alert: { service: 'checkout', triggered_at: ALERT, title: null },
    observed_until: at(120),
    windows,
    dependencies: [],
    counts: { hours_observed: 1, kinds: [] },
    patterns: [],
  }
  const latest: AnswerSubject['latest'] = {
    number: 1,
    madeAt: new Date(at(2)),
    diagnosedBy: 'rules',
    hypothesis: '',
    recommendedAction: action,
    confidence: abstained ? 0 : confidence,
    abstained,
    changed: null,
    verdict: null,
    correction: null,
    contextSnapshot,
    answer: {
      hypotheses: changes.map(({ service, entry }, place) => ({
        eventIds: [toId<EventId>(entry.id)],
        service,
        score: scores[place] ?? -5 * place,
        path: service === 'checkout' ? ['checkout'] : [service, 'checkout'],
        reasonsFor: [],
        reasonsAgainst: ['it came 22 hours before onset: most causes show sooner'],
        sentence: '',
        recommendedAction: `Compare errors of ${service}`,
      })),
      evidence: entries.map(({ entry }) => toId<EventId>(entry.id)),
      ruledOut: [],
      reasoning: '',
      ...(more.onset && { onset: more.onset }),
      ...(more.assessment && { assessment: more.assessment }),
    },
  }
  return toAnswerRows({
    incident: {
      triggeredAt: ALERT_AT,
      resolvedAt: null,
      verdict: null,
      verdictBy: null,
      verdictAt: null,
      serviceName: 'checkout',
      ...incident,
    },
    latest,
    answer: toShownAnswer(latest),
    aftermath: more.aftermath ?? { undoing: undefined, quietSince: undefined },
    correction: more.correction,
    now: new Date(at(580)),
  })
}

const OUTAGE = [DEPLOY, TIMEOUTS, CRASHES]

describe('what broke', () => {
  test.each([
    {
      name: 'timeouts',
      given: OUTAGE,
      main: 'Calls from checkout to payments time out since 02:12:06',
      more: '2 minutes before the alert. 31 times so far. Also hit: payments.',
    },
    { name: 'since the burst', given: OUTAGE, onset: at(-60), main: 'Calls from checkout to payments time out since 02:13:20' },
    {
      name: 'refused',
      given: [{ ...TIMEOUTS, new_value: 'ECONNREFUSED', entity: 'redis', service: 'search' }],
      main: 'Calls from search to redis are refused since 02:12:06',
    },
    {
      name: 'a status',
      given: [{ ...TIMEOUTS, new_value: 'POST /pay 502' }],
      main: 'Calls from checkout to payments answer 502 since 02:12:06',
    },
    { name: 'whatever', given: [{ ...TIMEOUTS, new_value: 'no' }], main: 'Calls from checkout to payments fail since 02:12:06' },
    {
      name: 'calls of whoever it is to the service itself',
      given: [{ ...TIMEOUTS, service: 'payments', entity: 'payments:8080', joined_by: 'entity' as const }],
      main: 'Calls to payments time out since 02:12:06',
    },
    {
      name: 'what is told of its own port',
      given: [{ ...TIMEOUTS, service: 'payments', entity: 'payments:8080', new_value: 'bind failed' }],
      main: 'payments reports errors ("bind failed") since 02:12:06',
    },
    {
      name: 'a circuit',
      given: [{ ...TIMEOUTS, event_type: 'circuit_open' as const }, { ...CRASHES }],
      main: 'Calls from checkout to payments are held back by an open circuit since 02:12:06',
    },
    { name: 'a symptom alone', given: [CRASHES], main: 'payments restarts (OOMKilled) since 02:10:52' },
    { name: 'nothing', given: [], main: 'Alert on checkout at 02:14:20', more: 'Nothing on record tells what fails.' },
    { name: 'hostile words', given: [{ ...CRASHES, new_value: 'a "b" <i>\nc' }], main: `payments restarts ("a 'b' <i>") since 02:10:52` },
  ] as (Fields & { name: string; main: string; more?: string })[])('$name', ({ name: _, main, more, ...fields }) => {
    const { broke } = rowsOf({
      ...fields,
      given: [...(fields.given ?? []), ...(fields.given?.length ? [{ ...DEPLOY, from: -9_000 }] : [])],
    })
    expect(broke.main).toBe(main)
    if (more !== undefined) expect(broke.more).toBe(more)
  })
})

describe('what is to blame', () => {
  test.each([
    {
      name: 'a deploy',
      given: [DEPLOY],
      main: 'Deploy 1a220982 to payments at 02:08:04, by deploy-bot',
      more: 'Replaced 9b1f3d7e. Told by Argo CD.',
    },
    {
      name: 'of a long sha',
      given: [{ ...DEPLOY, sha: `1a220982${'0'.repeat(32)}` }],
      main: 'Deploy 1a220982 to payments at 02:08:04, by deploy-bot',
    },
    { name: 'yesterday', given: [{ ...DEPLOY, from: -9_000 }], main: 'Deploy 1a220982 to payments at 27 Nov 23:44:20, by deploy-bot' },
    { name: 'a flag', given: [FLAG], main: 'Flag rankingModel v3 → v4 of checkout at 02:09:20, by ci-bot' },
    {
      name: 'a setting',
      given: [{ ...FLAG, event_type: 'config_change' as const, actor: null }],
      main: 'Config rankingModel v3 → v4 of checkout at 02:09:20',
    },
    {
      name: 'with what followed',
      given: OUTAGE,
      more: 'Replaced 9b1f3d7e. payments restarts (OOMKilled) 3 minutes later. Told by Argo CD.',
    },
    {
      name: 'one of two',
      given: [DEPLOY, FLAG],
      scores: [0, -0.2],
      confidence: 0.5,
      more: 'Replaced 9b1f3d7e. Or: flag rankingModel v3 → v4 of checkout. Told by Argo CD.',
    },
    { name: 'nothing', given: [DEPLOY], abstained: true, main: 'Nothing on record explains it', more: 'None of 1 change on record fits.' },
    { name: 'nothing at all', given: [], abstained: true, more: 'No change is on record there.' },
    {
      name: 'something outside',
      given: [{ ...TIMEOUTS, entity: 'api.cardgate.example:443' }],
      abstained: true,
      assessment: 'external' as const,
      more: 'No change is on record there. The trouble starts outside, at api.cardgate.example.',
    },
    {
      name: 'not that, says an engineer',
      given: [DEPLOY, FLAG],
      incident: { verdict: 'rejected' as const, verdictBy: 'person:ann@acme.example', verdictAt: new Date(at(700)) },
      main: 'Not deploy 1a220982 to payments. Next best: flag rankingModel v3 → v4 of checkout',
      more: 'Ann@acme.example said so at 02:26:00.',
    },
    {
      name: 'what an engineer said instead',
      given: [DEPLOY],
      incident: { verdict: 'rejected' as const },
      correction: 'a full disk',
      main: 'Not deploy 1a220982 to payments. It was a full disk',
    },
  ] as (Fields & { name: string; main?: string; more?: string })[])('$name', ({ name: _, main, more, ...fields }) => {
    const rows = rowsOf(fields)
    if (main !== undefined) expect(rows.blame.main).toBe(main)
    if (more !== undefined) expect(rows.blame.more).toBe(more)
    expect(rows.sure === undefined).toBe(fields.abstained === true || fields.incident?.verdict === 'rejected')
    expect(rows.lookedAt === undefined).toBe(fields.abstained !== true)
  })
})

describe('what to do', () => {
  const undoing = { service: 'payments', ...toEntry({ ...DEPLOY, from: 332, new_value: '9b1f3d7e' }, 77) }
  test.each([
    {
      name: 'undo it',
      given: [DEPLOY, FORMER],
      main: 'Roll payments back to 9b1f3d7e',
      more: '9b1f3d7e had been there for 6 days.',
      isDone: false,
    },
    {
      name: 'watch it',
      given: [DEPLOY],
      aftermath: { undoing, quietSince: undefined },
      main: 'Watch it until 02:31: deploy-bot undid it at 02:19:52',
      more: 'Calls still fail.',
      isDone: true,
    },
    {
      name: 'watch it calm down',
      given: [DEPLOY],
      aftermath: { undoing, quietSince: new Date(at(470)) },
      more: 'No failing call reported since 02:22:10.',
      isDone: true,
    },
    {
      name: 'nothing',
      given: [DEPLOY],
      incident: { resolvedAt: new Date(at(600)) },
      main: 'Nothing: resolved at 02:24:20',
      more: 'It lasted 10 min.',
      isDone: true,
    },
    {
      name: 'nothing, it being undone',
      given: [DEPLOY],
      aftermath: { undoing, quietSince: undefined },
      incident: { resolvedAt: new Date(at(600)) },
      more: 'It lasted 10 min. Deploy-bot undid it at 02:19:52.',
      isDone: true,
    },
    {
      name: 'the next best',
      given: [DEPLOY, FLAG],
      incident: { verdict: 'rejected' as const },
      main: 'Compare errors of checkout',
      isDone: false,
    },
  ] as (Fields & { name: string; main?: string; more?: string; isDone: boolean })[])(
    '$name',
    ({ name: _, main, more, isDone, ...fields }) => {
      const { act } = rowsOf(fields)
      if (main !== undefined) expect(act?.main).toBe(main)
      if (more !== undefined) expect(act?.more).toBe(more)
      expect(act?.isDone).toBe(isDone)
    },
  )

  test('nothing that is not said', () => expect(rowsOf({ given: [DEPLOY], action: null }).act).toBeUndefined())
})

describe('how sure', () => {
  test.each([
    { confidence: 0.97, word: 'Very likely' },
    { confidence: 0.85, word: 'Very likely' },
    { confidence: 0.84, word: 'Likely' },
    { confidence: 0.6, word: 'Likely' },
    { confidence: 0.59, word: 'Possible' },
    { confidence: 0.35, word: 'Possible' },
    { confidence: 0.34, word: 'Barely possible' },
  ])('$confidence', ({ confidence, word }) => expect(toSureWord(confidence)).toBe(word))

  test.each([
    { name: 'alone', given: [DEPLOY], more: 'Nothing else comes near. Answered at 02:14:22, by rules.' },
    {
      name: 'far ahead',
      given: [DEPLOY, FLAG],
      more: 'Next best: flag rankingModel v3 → v4 of checkout, under 1 %. Answered at 02:14:22, by rules.',
    },
    {
      name: 'close',
      given: [DEPLOY, FLAG],
      confidence: 0.38,
      scores: [0, -0.2],
      more: 'Next best: flag rankingModel v3 → v4 of checkout, 31 %. They are close. Answered at 02:14:22, by rules.',
    },
    { name: 'what it replaced is no rival', given: [DEPLOY, FORMER], more: 'Nothing else comes near. Answered at 02:14:22, by rules.' },
  ])('$name', ({ name: _, more, ...fields }) => expect(rowsOf(fields).sure?.more).toBe(more))

  test('without a cause: what was looked at, what came closest, and no percentage', () => {
    const rows = rowsOf({ given: [DEPLOY, TIMEOUTS], abstained: true })
    expect(rows.lookedAt).toEqual({
      main: '2 events of 2 services, none explains it',
      more: 'Closest: deploy 1a220982 to payments at 02:08:04, but it came 22 hours before the trouble began: most causes show sooner. Answered at 02:14:22, by rules.',
    })
    expect(JSON.stringify(rows)).not.toMatch(/\d %/)
  })
})

test.each([
  [
    'Deploy sha=1a2209821a220982 to payments rolled out 6 minutes before onset',
    'Deploy 1a220982 to payments rolled out 6 minutes before the trouble began',
  ],
  ['calls from a to b have failed since 02:12 UTC, which it can explain', 'explains that calls from a to b have failed since 02:12 UTC'],
  ['it came at about the time of onset', 'it came at about the time the trouble began'],
])('the engine’s %s', (sentence, words) => expect(toPageWords(sentence)).toBe(words))
