import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ASSESSMENTS } from '../../../src/domain/diagnosis/model.ts'
import { toId } from '../../../src/domain/ids.ts'
import type { CitedEvent } from '../../../src/domain/telling/cited-event.ts'
import { type AnswerSource, type Message, type MessageSource, writeMessage } from '../../../src/domain/telling/message.ts'
import { isNoteOf, isOwnNote, writeNote } from '../../../src/domain/telling/note.ts'
import { defang } from '../../../src/domain/text.ts'

const incidentId = toId<MessageSource['incidentId']>('0d3c7c1e-7b5e-4a53-9a55-2f6a7f0f7b11')
const otherId = toId<MessageSource['incidentId']>('1d3c7c1e-7b5e-4a53-9a55-2f6a7f0f7b11')

const event = (fields: Partial<CitedEvent> = {}): CitedEvent => ({
  serviceName: 'payments-api',
  vendor: 'argocd',
  eventType: 'deploy',
  entity: 'payments-api',
  oldValue: null,
  newValue: 'succeeded',
  actor: null,
  sha: 'a4f2c1',
  environment: null,
  url: null,
  details: null,
  timestamp: new Date('2026-02-03T14:16:02.718Z'),
  count: 1,
  ...fields,
})

type Fields = AnswerSource & Pick<MessageSource, 'pageUrl'>

const source = ({ pageUrl = null, ...fields }: Partial<Fields> = {}): Message =>
  writeMessage({
    type: 'incident.diagnosed',
    incidentId,
    at: new Date('2026-02-03T14:21:00Z'),
    alert: { service: 'orders', title: 'Error rate', triggeredAt: new Date('2026-02-03T14:21:00Z') },
    answer: {
      number: 1,
      hypothesis: 'Deploy sha=a4f2c1 to payments-api rolled out 4 minutes before onset',
      recommendedAction: 'Roll back to sha=f8b3e22',
      confidence: 0.824,
      assessment: 'cause',
      diagnosedBy: 'rules',
      cited: [event()],
      ruledOut: [],
      blamed: null,
      earlier: null,
      ...fields,
    },
    resolvedAt: null,
    undoneBy: null,
    verdict: null,
    pageUrl,
    verdictUrls: null,
  })

test('a note says what happened, how sure we are, what it rests on and what to do', () => {
  const cited = [
    event({
      eventType: 'dependency_failure',
      vendor: 'pino',
      sha: null,
      newValue: 'connect ETIMEDOUT',
      count: 17,
      entity: 'orders',
      serviceName: 'orders',
      timestamp: new Date('2026-02-03T14:20:09Z'),
    }),
    event({ oldValue: 'f8b3e22', actor: 'ada' }),
  ]
  expect(writeNote(source({ cited, pageUrl: 'https://noctuary.acme.example/incidents/0d3c7c1e' })).split('\n')).toEqual([
    'Noctuary Context',
    'Hypothesis: Deploy sha=a4f2c1 to payments-api rolled out 4 minutes before onset',
    'Confidence: 82 %',
    'What broke: orders, "Error rate", since 2026-02-03 14:20:09 UTC',
    'Timeline (UTC):',
    '- 2026-02-03 14:16:02 payments-api deploy "f8b3e22" → "succeeded" sha=a4f2c1 by ada via argocd',
    '- 2026-02-03 14:20:09 orders dependency_failure "connect ETIMEDOUT" (17 times) via pino',
    'Recommended action: Roll back to sha=f8b3e22',
    'Details: https://noctuary.acme.example/incidents/0d3c7c1e',
    'Cost: by rules, 0 tokens',
    `Noctuary reference: ${incidentId} / 1`,
  ])
})

test.each<[Partial<CitedEvent>, string]>([
  [{ eventType: 'flag_change', oldValue: 'off', newValue: 'on', sha: null }, 'flag_change "off" → "on"'],
  [{ eventType: 'config_change', oldValue: 'off', newValue: null, sha: null }, 'config_change "off" → nothing'],
  [
    { eventType: 'restart', oldValue: 'exit_code=137', newValue: 'CrashLoopBackOff', sha: null },
    'restart "CrashLoopBackOff" (exit_code=137)',
  ],
  [{ eventType: 'restart', oldValue: 'limit=512Mi', newValue: null, sha: null }, 'restart (limit=512Mi)'],
  [{ eventType: 'saturation', newValue: null, sha: null }, 'saturation'],
  [{ entity: 'checkout', serviceName: 'argocd-application-controller' }, 'deploy of checkout "succeeded" sha=a4f2c1'],
  [{ environment: 'production' }, 'deploy "succeeded" sha=a4f2c1 via argocd'],
  [{ environment: 'eu-staging' }, 'deploy "succeeded" sha=a4f2c1 in eu-staging via argocd'],
  [
    { url: 'https://ci.example/7', details: { title: 'Raise the pool', files: ['a', 'b', 'c', 'd'], keys: ['pool.size'] } },
    'sha=a4f2c1 titled "Raise the pool" files a, b, c, … keys pool[.]size see hxxps://ci[.]example/7 via argocd',
  ],
  [{ url: 'https://ci.example/Roll\u3164it@back' }, 'see "hxxps://ci[.]example/Roll it at back" via argocd'],
  [{ serviceName: ' ', entity: ' ', vendor: '\u200B' }, '(blank) deploy "succeeded" sha=a4f2c1 via (blank)'],
])('the timeline of %j', (fields, expected) => {
  expect(writeNote(source({ cited: [event(fields)] })).split('\n')[5]).toContain(expected)
})

test('a note without evidence says so', () => {
  const note = writeNote(
    source({
      hypothesis: 'No recorded change explains this',
      recommendedAction: null,
      confidence: 0,
      assessment: 'inconclusive',
      cited: [],
    }),
  )
  expect(note.split('\n')).toEqual([
    'Noctuary Context',
    'Hypothesis: No recorded change explains this',
    'No cause named: nothing is known to fail',
    'What broke: orders, "Error rate", since 2026-02-03 14:21:00 UTC',
    'Evidence: none. No event on record is connected with this alert.',
    'Recommended action: none that the evidence supports',
    'Cost: by rules, 0 tokens',
    `Noctuary reference: ${incidentId} / 1`,
  ])
})

test('a follow-up says what was said before, and what is said now', () => {
  const earlier = { hypothesis: 'Flag @new-checkout on checkout was switched', confidence: 0.4 }
  expect(
    writeNote(source({ earlier, number: 2 }))
      .split('\n')
      .slice(0, 5),
  ).toEqual([
    'Noctuary Context',
    'Second look: later events changed the answer.',
    'Was: Flag at new-checkout on checkout was switched (40 %)',
    'Now: Deploy sha=a4f2c1 to payments-api rolled out 4 minutes before onset',
    'Confidence: 82 %',
  ])
})

test('a long timeline is cut, the earliest events first', () => {
  const cited = Array.from({ length: 14 }, (_, minute) => event({ timestamp: new Date(Date.UTC(2026, 1, 3, 14, 59 - minute)) }))
  const lines = writeNote(source({ cited })).split('\n')
  expect(lines.filter((line) => line.startsWith('- 2026'))).toHaveLength(10)
  expect(lines).toContain('- and 4 more')
  expect(lines[5]).toContain('14:46:00')
})

test.each([
  [0.005, '1 %'],
  [1, '100 %'],
  [7, '100 %'],
])('confidence %d is %s', (confidence, text) => {
  expect(writeNote(source({ confidence }))).toContain(`Confidence: ${text}\n`)
})

test('an answer that names no cause has no percentage, nor has one before it', () => {
  const earlier = { hypothesis: 'ledger has been saturated', confidence: 0 }
  for (const assessment of [...ASSESSMENTS, null]) {
    const note = writeNote(source({ confidence: 0, assessment, earlier }))
    expect(note).toMatch(/\nNo cause named: .+\n/)
    expect(note).toContain('Was: ledger has been saturated (no cause named)')
    expect(note).not.toContain('%')
  }
})

test('our note is known again, and no other', () => {
  const note = writeNote(source({ number: 1 }))
  const tenth = writeNote(source({ number: 10 }))
  expect(isNoteOf(note, incidentId, 1)).toBe(true)
  expect(isNoteOf(note.replaceAll('\n', '\r\n'), incidentId, 1)).toBe(true)
  expect(isNoteOf(tenth, incidentId, 1)).toBe(false)
  expect(isNoteOf(note, otherId, 1)).toBe(false)
  expect(isNoteOf(`> quoted\n${note}`, incidentId, 1)).toBe(false)
  expect(isOwnNote(note.slice(0, 40))).toBe(true)
  expect(isOwnNote('Noctuary Contexts')).toBe(false)
})

test('an event cannot pose as the marker of another note', () => {
  const marker = `Noctuary reference: ${otherId} / 1`
  const note = writeNote(source({ hypothesis: `x\n${marker}`, cited: [event({ newValue: `x\n${marker}\n`, entity: `\r\n${marker}` })] }))
  expect(isNoteOf(note, otherId, 1)).toBe(false)
})

describe('quoted text', () => {
  test.each([
    ['a plain value', 'connect ETIMEDOUT after 1234.5ms', 'connect ETIMEDOUT after 1234.5ms'],
    ['names as agents send them', 'slow_query:812ms deadlock_detected v1.2.3', 'slow_query:812ms deadlock_detected v1.2.3'],
    ['a link', 'see https://evil.example/x?a=b', 'see hxxps://evil[.]example/x?a=b'],
    ['a link in capitals', 'HTTP://EVIL.EXAMPLE', 'hxxp://EVIL[.]EXAMPLE'],
    ['a link of another scheme', 'ftp://evil.example', 'ftp(:)//evil[.]example'],
    ['a scheme around a scheme', 'x-http://evil.example', 'x-http(:)//evil[.]example'],
    ['a host alone', 'www.evil.example', 'www[.]evil[.]example'],
    ['an address', 'http://10.0.0.1:8080/', 'hxxp://10[.]0[.]0[.]1:8080/'],
    ['a file that may be a domain', 'run install.sh', 'run install[.]sh'],
    ['letters that only look like a link', 'ｈｔｔｐｓ：／／ｅｖｉｌ．ｅｘａｍｐｌｅ', 'hxxps://evil[.]example'],
    ['an ideographic dot', 'evil。example', 'evil[.]example'],
    ['a link cut by what nobody sees', 'ht\u200Btps://evil.exam\u00ADple', 'ht tps(:)//evil[.]exam ple'],
    ['a script', 'javascript:alert(1)', 'javascript(:)alert(1)'],
    ['a mail address', 'mailto:ceo@evil.example', 'mailto(:)ceo at evil[.]example'],
    ['a mention', '@channel <!here>', 'at channel ＜!here＞'],
    ['a link in Markdown', '[click](http://evil.example)', '［click］(hxxp://evil[.]example)'],
    ['emphasis', '**bold** _it_ `code` ~~no~~', '＊＊bold＊＊ ＿it＿ ｀code｀ ～～no～～'],
    ['HTML', '<img src=x onerror=alert(1)>&lt;', '＜img src=x onerror=alert(1)＞＆lt;'],
    ['a way out of the quotation', '" via ours', "' via ours"],
    ['lines', 'a\r\nb\u2028c\u0085d\te', 'a b c d e'],
    ['terminal codes', '\u001b[31mred\u0007', '［31mred'],
    ['a change of direction', 'abc\u202Egpj.exe', 'abc gpj[.]exe'],
    [
      'a scheme without slashes',
      'webcal:x sip:1 geo:1,2 FaceTime:a im:b zoommtg:c new-app:d',
      'webcal(:)x sip(:)1 geo(:)1,2 FaceTime(:)a im(:)b zoommtg(:)c new-app(:)d',
    ],
    ['no ports, times and digests', 'payments:8080 at T10:23:41 a: b sha256:9f86', 'payments:8080 at T10:23:41 a: b sha256:9f86'],
    ['half a character', 'x\uD83C', 'x\uFFFD'],
    ['nothing that can be seen', '\u200B\u0000\u3164', ''],
  ])('%s', (_name, given, expected) => {
    expect(defang(given, 100)).toBe(expected)
  })

  test('is cut between characters', () => {
    expect(defang('🌙'.repeat(50), 10)).toBe(`${'🌙'.repeat(10)}…`)
    expect(defang('x'.repeat(10), 10)).toBe('x'.repeat(10))
    expect(defang(`${'x'.repeat(9)}.example`, 10)).toBe(`${'x'.repeat(9)}.…`)
  })
})

const fragment = fc.constantFrom(
  'http://',
  'https:',
  '://',
  '//',
  'www.',
  'evil.example',
  '.com',
  '。',
  '．',
  '@',
  '＠',
  '<b>',
  '](',
  '![',
  '[',
  '`',
  '*',
  '_',
  '~~',
  '|',
  '#',
  '\\',
  '&lt;',
  '\n',
  '\r',
  '\u202E',
  '\u2066',
  '\u200B',
  '\u0000',
  '\u001b[2J',
  '\uFEFF',
  '\uDC00',
  '"',
  'mailto:',
  'javascript:',
  '10.0.0.1',
  ' ',
  'a',
  '-',
  '\u{E0041}',
)
const hostile = fc.oneof(
  fc.array(fragment, { maxLength: 12 }).map((parts) => parts.join('')),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
)

const LINKS = /\bhttps?:|[\p{L}\p{N}]\.\p{L}|(?<!hxxps?):\/\/|\d+\.\d+\.\d+\.\d+|\bmailto:|\bjavascript:/iu
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{DI}]/u
/** A name or a quotation from right to left. */
const ISOLATED = /\u2068([^\u2068\u2069]*)\u2069/gu
const MARKUP = /[<>*`~|#\\&@\]]|\[(?!\.\])/u

test('no link, mention, markup or unseen character survives, nor another line', () => {
  fc.assert(
    fc.property(hostile, fc.integer({ min: 1, max: 200 }), (given, maxLength) => {
      const safe = defang(given, maxLength)
      const plain = safe.replaceAll('[.]', '')
      expect(plain).not.toMatch(MARKUP)
      expect(safe).not.toMatch(LINKS)
      expect(safe).not.toMatch(UNSEEN)
      expect(safe).not.toContain('"')
    }),
    { numRuns: 5_000 },
  )
})

test('whatever the events hold, a note keeps its form', () => {
  const events = fc.array(
    fc.record({
      serviceName: hostile,
      vendor: hostile,
      entity: hostile,
      oldValue: hostile,
      newValue: hostile,
      actor: hostile,
      sha: hostile,
    }),
    { minLength: 1, maxLength: 3 },
  )
  fc.assert(
    fc.property(events, hostile, hostile, (fields, hypothesis, recommendedAction) => {
      const cited = fields.map((each) => event(each))
      const lines = writeNote(source({ cited, hypothesis, recommendedAction, earlier: { hypothesis, confidence: 0.5 } })).split('\n')
      expect(lines).toHaveLength(10 + cited.length)
      expect(lines.at(-1)).toBe(`Noctuary reference: ${incidentId} / 1`)
      for (const line of lines) {
        expect(line).not.toMatch(LINKS)
        expect(line.replaceAll(ISOLATED, '$1')).not.toMatch(UNSEEN)
        expect(line.replaceAll('[.]', '')).not.toMatch(MARKUP)
      }
    }),
    { numRuns: 500 },
  )
})
