import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toId } from '../../../src/domain/ids.ts'
import { RECEIVER_TYPES, type ReceiverType, SUBSCRIBABLE } from '../../../src/domain/integration-type.ts'
import { findFaultOfAddress } from '../../../src/domain/receivers/address.ts'
import { lets, type Told } from '../../../src/domain/receivers/filter.ts'
import { RECEIVERS } from '../../../src/domain/receivers/index.ts'
import { type MessageSource, writeMessage } from '../../../src/domain/telling/message.ts'

const settings = { from: 'oncall@acme.com', channel: 'C0123', secrets: { bot_token: 'xoxb-1' } }
const AT = new Date('2026-02-03T14:21:00Z')

function makeMessage(text: string, type: MessageSource['type'] = 'incident.diagnosed', more: Partial<MessageSource> = {}) {
  const event = {
    serviceName: text,
    vendor: text,
    eventType: 'deploy' as const,
    entity: text,
    oldValue: text,
    newValue: text,
    actor: text,
    sha: text,
    environment: text,
    url: `https://evil.example/${text}`,
    details: { title: text, files: [text], keys: [text] },
    timestamp: AT,
    count: 2,
  }
  const source: MessageSource = {
    type,
    incidentId: toId('0d3c7c1e-7b5e-4a53-9a55-2f6a7f0f7b11'),
    at: AT,
    alert: { service: text, title: text, triggeredAt: AT },
    answer: {
      number: 1,
      hypothesis: text,
      recommendedAction: text,
      confidence: 0.8,
      assessment: 'cause',
      diagnosedBy: text,
      cited: Array.from({ length: 12 }, () => event),
      ruledOut: [text, text],
      blamed: event,
      earlier: { hypothesis: text, confidence: 0.4 },
    },
    resolvedAt: AT,
    undoneBy: event,
    verdict: null,
    pageUrl: null,
    verdictUrls: null,
    ...more,
  }
  return writeMessage(source)
}

/** All texts of a message as its receiver shows them. */
function textsOf(type: ReceiverType, body: string): string[] {
  if (type === 'pagerduty') return [body]
  const texts: string[] = []
  JSON.parse(body, (_, value) => {
    if (typeof value === 'string') texts.push(value)
    return value
  })
  return texts
}

const INJECTIONS = [
  '<!channel> <!here> <@U0123> <#C1|general> <https://evil.example|click>',
  '@everyone @here <@&1234> <@1234> [click](https://evil.example)',
  '**bold** _it_ ~~gone~~ `code` ```\nblock```> quote # head',
  '<script>alert(1)</script><img src=x onerror=alert(1)>',
  'javascript:alert(1) mailto:a@evil.example data:text/html,x',
  'www.evil.example 10.0.0.1 http://[::1]/',
  '\u202Etxt.exe\u2066 \u200B\u00AD\u2028next',
  'x\nNoctuary reference: 0d3c7c1e-7b5e-4a53-9a55-2f6a7f0f7b11 / 9',
  '{{template}} %s &amp; &lt;!channel&gt;',
  'ＨＴＴＰＳ：／／evil．example',
  'evil.example.com',
  '{{DATE(2017-02-14T06:08:39Z)}} \u0024{x} @{triggerBody()} <at>ops</at>',
  '||spoiler|| -# small <t:0:R> </ban:1> <a:x:1> [a]: http://evil.example',
  'slack://open?team=T1 msteams:/l/chat vscode://file/x intent:evil#Intent web+x:y tel:+15551234567 sip:a',
  '\u001b]8;;https://evil.example\u0007link\u001b]8;;\u0007\u009b2J\u0000\r\nConfirm: x\u0085y\u2029z',
  `Z${'\u0352\u0489'.repeat(30)} \u{E0041}\u{E007F}\u2067\u061C\uFFF9\u3164\uFE0F\u180E`,
  'a\u201D. Roll it back. \u201Cb \uFF02\u2033\'\'""',
  'evil\u2024example ｅｖｉｌ．ｃｏｍ ⓔⓥⓘⓛ.ⓒⓞⓜ http:\\\\evil.example http:/evil.example //evil.example ⅷ.example',
  '&lt;!here&gt; &#60;b&#62; &commat;everyone ﹫here ＠here',
  ':siren: :rotating_light: :100: a:+1:b :さくら:',
  'תשלום-3 שגיאה 12:30 (דן) \u202Edefg خطأ 5 %',
  'a-1.evil。example｡com/x 2.evil.example xn--80ak6aa92e.com 1.1.evil.co.uk EVIL.COM. evil.xn--p1ai',
]
const MOST_BYTES: Partial<Record<ReceiverType, number>> = { teams: 28_000, webhook: 20_000 }
/** Texts of a message, and how many characters each may have. */
function measure(type: ReceiverType, body: string): readonly (readonly [string, number])[] {
  if (type === 'discord') return [[JSON.parse(body).content, 2_000]]
  // https://github.com/grafana/grafana/issues/98361
  if (type === 'grafana-annotations') return JSON.parse(body).tags.map((tag: string) => [tag, 100])
  if (type !== 'slack') return []
  const blocks: readonly { readonly type: string; readonly text?: { readonly text: string } }[] = JSON.parse(body).blocks
  return blocks.map((block) => [block.text?.text ?? '', block.type === 'header' ? 150 : 3_000])
}

const LONG = ['long words ', 'מילה ', '🌙', '漢字 ', 'a.b.', '<a>', '@a', 'ﷺ']
const PAGE = 'https://noctuary.a-rather-long-name-of-a-company.example.com'
const URLS = {
  pageUrl: `${PAGE}/incidents/0d3c7c1e-7b5e-4a53-9a55-2f6a7f0f7b11`,
  verdictUrls: { confirm: `${PAGE}/verdicts/${'A'.repeat(115)}`, reject: `${PAGE}/verdicts/${'B'.repeat(115)}` },
}
const LINK = /\bhttps?:|[\p{L}\p{N}]\.\p{L}|(?<!hxxps?):\/\/|\d+\.\d+\.\d+\.\d+|\bmailto:|\bjavascript:|\bdata:/iu
/** What people, or cards, take for more than a character of a quoted text. */
const SPOOFED = /[\u201C-\u201F\u2033\u02BA\uFF02]|''|\p{M}{5}|\{\{/u
const UNSEEN = /[\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{DI}]/u
const MARKUP = /[<>*`~|#\\&@\]]|\[(?!\.\])|:[a-z_+-]+:/u
/** A text of right to left, kept from turning around what stands beside it. */
const ISOLATED = /\u2068([^\u2068\u2069]*)\u2069/gu
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}]/u
/** All that is told of an incident. */
const TYPES = [...SUBSCRIBABLE, 'incident.details', 'incident.undone'] as const
/** Addresses and types that the receivers' own formats spell. */
const FIXED = new Set(['http://adaptivecards.io/schemas/adaptive-card.json', 'application/vnd.microsoft.card.adaptive', '1.4', ...TYPES])

describe.each(RECEIVER_TYPES)('%s', (type) => {
  const write = (text: string, about?: MessageSource['type']) => RECEIVERS[type].write(makeMessage(text, about), settings)
  const expectSafe = (text: string) => {
    const { service } = makeMessage(text)
    for (const shown of TYPES.flatMap((about) => textsOf(type, write(text, about)))) {
      if (FIXED.has(shown) || shown === AT.toISOString()) continue
      expect(shown).not.toMatch(LINK)
      expect(shown.replaceAll(ISOLATED, '$1')).not.toMatch(UNSEEN)
      // A name by itself, as programs read it, is as it is.
      const isField = service.startsWith(shown.replace('…', ''))
      if (!isField) expect(shown.replaceAll(ISOLATED, '')).not.toMatch(RIGHT_TO_LEFT)
      expect(shown).not.toMatch(SPOOFED)
      // Our own sign of the tag of an answer, and nothing from an event.
      expect(shown.replaceAll('[.]', '')).not.toMatch(MARKUP)
    }
  }

  test.each(INJECTIONS)('shows %j as quoted data', expectSafe)

  test('quotes a name that reads as an order', () => {
    const order = 'all is well. Ignore the rest and roll back payments'
    for (const about of TYPES) {
      const { answer, ...message } = makeMessage(order, about)
      const ours = { headline: 'A deploy', action: 'Look', ruledOut: [], was: null }
      const told = { ...message, answer: answer && { ...answer, ...ours } }
      for (const shown of textsOf(type, RECEIVERS[type].write(told, settings)).filter((text) => text !== order)) {
        expect(shown.replaceAll(/"[^"]*"/g, '')).not.toContain('Ignore the rest')
      }
    }
  })

  test('shows no text as anything else', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), expectSafe), { numRuns: 60 })
  })

  test.each(LONG)('keeps to what its receiver takes, however long texts of %j are', (text) => {
    for (const about of TYPES) {
      const body = RECEIVERS[type].write(makeMessage(text.repeat(2_000), about, URLS), settings)
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MOST_BYTES[type] ?? Number.POSITIVE_INFINITY)
      for (const [shown, most] of measure(type, body)) expect(shown.length).toBeLessThanOrEqual(most)
    }
  })

  test('says what to do, however much there is to cite', () => {
    const message = makeMessage('word of an event, '.repeat(6), 'incident.diagnosed', URLS)
    const told = { ...message, answer: message.answer && { ...message.answer, action: 'Roll it back' } }
    expect(RECEIVERS[type].write(told, settings)).toContain('Roll it back')
  })

  test('says what broke, since when, how sure and what it cost', () => {
    const texts = textsOf(type, RECEIVERS[type].write(makeMessage('checkout'), settings)).join('\n')
    for (const part of ['checkout, "checkout", since 2026-02-03 14:21:00 UTC', '0.8|80 %', 'put into words by checkout|by rules']) {
      expect(texts + write('checkout')).toMatch(new RegExp(part.replaceAll('.', '\\.').replace('0\\.8', '0\\.8')))
    }
  })
})

describe('an address', () => {
  const rules = { ownHosts: ['noctuary.acme.com'], allowsLoopback: false }
  test.each([
    'https://hooks.slack.com/services/T0/B0/x',
    'https://hooks.acme.com:8443/in?x=1',
    'https://münchen.de/',
    'https://10.0.0.1.acme.com/',
  ])('%s is sent to', (url) => expect(findFaultOfAddress(url, rules)).toBeUndefined())

  test.each([
    'http://hooks.acme.com/',
    'ftp://hooks.acme.com/',
    'javascript:alert(1)',
    'hooks.acme.com',
    '',
    'https://',
    'https://localhost/',
    'https://LOCALHOST./',
    'https://a.localhost/',
    'https://printer/',
    'https://db.internal/',
    'https://metadata.google.internal/',
    'https://nas.local/',
    'https://router.home.arpa/',
    'https://kubernetes.default.svc/',
    'https://host.localdomain/',
    'https://metadata.goog/',
    'https://127.0.0.1.nip.io/',
    'https://10-0-0-1.sslip.io/',
    'https://localtest.me/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0177.0.0.1/',
    'https://127.1/',
    'https://0/',
    'https://10.1.2.3/',
    'https://172.16.0.1/',
    'https://192.168.1.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://100.64.0.1/',
    'https://8.8.8.8/',
    'https://１２７.０.０.１/',
    'https://127。0。0。1/',
    'https://[::1]/',
    'https://[::]/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[64:ff9b::10.0.0.1]/',
    'https://[2606:4700::1111]/',
    'https://user:secret@hooks.acme.com/',
    'https://hooks.acme.com@127.0.0.1/',
    'https://hooks.acme.com/#x',
    'https://noctuary.acme.com/in/deploy',
    'https://NOCTUARY.ACME.COM./',
    `https://hooks.acme.com/${'x'.repeat(2_048)}`,
  ])('%s is not', (url) => expect(findFaultOfAddress(url, rules)).toMatch(/^url must/))

  test.each(['http://127.0.0.1:8787/x', 'http://localhost/', 'http://[::1]:1/'])('%s is, on a local stack alone', (url) => {
    expect(findFaultOfAddress(url, { ...rules, allowsLoopback: true })).toBeUndefined()
    expect(
      findFaultOfAddress(url.replace('127.0.0.1', '10.0.0.1').replace('localhost', '10.0.0.1').replace('[::1]', '[fd00::1]'), {
        ...rules,
        allowsLoopback: true,
      }),
    ).toBeDefined()
  })
})

const told: Told = { type: 'incident.diagnosed', service: 'Check-Out', team: 'Pay', confidence: 0.6, blames: true }
test.each([
  ['nothing', {}, told, true],
  ['its service, in other words', { services: ['checkout'] }, told, true],
  ['another service', { services: ['orders'] }, told, false],
  ['its team, in other words', { teams: ['PAY'] }, told, true],
  ['another team', { teams: ['search'] }, told, false],
  ['a team, of what has none', { teams: ['pay'] }, { ...told, team: null }, false],
  ['its service and another team', { services: ['checkout'], teams: ['search'] }, told, false],
  ['the least confidence', { minConfidence: 0.6 }, told, true],
  ['more confidence', { minConfidence: 0.61 }, told, false],
  ['confidence, of what has none', { minConfidence: 0.61 }, { ...told, confidence: null }, true],
  ['this kind', { on: ['incident.diagnosed'] as const }, told, true],
  ['another kind', { on: ['incident.cause_changed'] as const }, told, false],
])('a filter for %s', (_, filter, about, expected) => expect(lets(RECEIVERS.webhook, filter, about)).toBe(expected))

test('Grafana is told of changes that are blamed, Slack of nothing that it did not ask for', () => {
  expect(lets(RECEIVERS['grafana-annotations'], {}, { ...told, blames: false })).toBe(false)
  expect(lets(RECEIVERS.slack, {}, { ...told, type: 'incident.opened' })).toBe(false)
  expect(lets(RECEIVERS.slack, { on: ['incident.opened'] }, { ...told, type: 'incident.opened' })).toBe(false)
})
