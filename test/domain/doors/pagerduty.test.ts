import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pagerduty, readDelivery } from '../../../src/domain/doors/pagerduty.ts'
import { verifySignature } from '../../../src/domain/doors/signature.ts'

const text = readFileSync(new URL('../../fixtures/pagerduty-webhooks.json', import.meta.url), 'utf8')
const { triggered, resolved, annotated, ping } = JSON.parse(text)

/** A trigger with other data. */
const withData = (data: unknown) => ({ event: { ...triggered.event, data } })
const withFields = (fields: unknown) => withData({ ...triggered.event.data, ...Object(fields) })
const withType = (type: unknown) => ({ event: { ...triggered.event, event_type: type } })
const withContent = (content: unknown) => ({ event: { ...annotated.event, data: { ...annotated.event.data, content } } })

const incident = {
  ref: 'Q1NCIDENT0042',
  number: 4711,
  title: 'Error rate above 5 % on Payments API',
  url: 'https://acme.pagerduty.com/incidents/Q1NCIDENT0042',
  urgency: 'high',
  createdAt: new Date('2026-02-03T14:20:10Z'),
  service: { ref: 'PPAY001', name: 'Payments API' },
}

test('a trigger as PagerDuty documents it', () => {
  expect(readDelivery(triggered)).toEqual({
    kind: 'trigger',
    incident,
    occurredAt: new Date('2026-02-03T14:20:11.482Z'),
    eventId: '01D7V3KQ2M8T4ZPX',
  })
})

test.each([
  ['a resolution', resolved, 'resolve'],
  ['an acknowledgement', withType('incident.acknowledged'), 'acknowledge'],
  ['a type of incident event we have no use for', withType('incident.priority_updated'), 'ignored'],
  ['the ping of a new subscription', ping, 'ignored'],
  ['a service event', withType('service.updated'), 'ignored'],
  ['a type that is a property of every object', withType('constructor'), 'ignored'],
  ['no type', withType(undefined), 'ignored'],
  ['a type that is a list', withType(['incident.triggered']), 'ignored'],
  ['a note of someone else', annotated, 'ignored'],
  ['a note of ours', withContent('Noctuary Context\nHypothesis: x'), 'own_note'],
  ['a note of ours as Windows ends lines', withContent('Noctuary Context\r\nHypothesis: x'), 'own_note'],
  ['a note that speaks of ours', withContent('See Noctuary Context\nabove'), 'ignored'],
  ['a note without content', withContent(null), 'ignored'],
  ['no data', withData(undefined), 'ignored'],
  ['no incident id', withFields({ id: undefined }), 'ignored'],
  ['an incident id that is a path', withFields({ id: '../../x' }), 'ignored'],
  ['an incident id without end', withFields({ id: 'P'.repeat(65) }), 'ignored'],
  ['an empty object', {}, 'ignored'],
  ['nothing', null, 'ignored'],
  ['a text', 'incident.triggered', 'ignored'],
  ['a list', [triggered], 'ignored'],
])('%s is read as one', (_name, body, kind) => {
  expect(readDelivery(body).kind).toBe(kind)
})

test('of an incident only its id has to be there', () => {
  expect(readDelivery({ event: { event_type: 'incident.triggered', data: { id: 'P1' } } })).toEqual({
    kind: 'trigger',
    incident: {
      ref: 'P1',
      number: null,
      title: null,
      url: null,
      urgency: null,
      createdAt: null,
      service: { ref: null, name: null },
    },
    occurredAt: null,
    eventId: null,
  })
})

test.each([
  ['numbers that are none', { number: '4711' }, { number: null }],
  ['a number no number can hold', { number: 1e300 }, { number: null }],
  ['a script for a page', { html_url: 'javascript:alert(1)' }, { url: null }],
  ['a page without encryption', { html_url: 'http://acme.pagerduty.com/x' }, { url: null }],
  ['an endless page', { html_url: `https://acme.pagerduty.com/${'x'.repeat(5_000)}` }, { url: null }],
  ['a title of several lines', { title: ' a\r\nb\u0000\u202Ec ' }, { title: 'a b\uFFFD c' }],
  ['an endless title', { title: 'x'.repeat(5_000) }, { title: 'x'.repeat(1_024) }],
  ['an endless service name', { service: { summary: '🌙'.repeat(600) } }, { service: { ref: null, name: '🌙'.repeat(512) } }],
  ['a blank service name', { service: { id: 'P1', summary: ' \t' } }, { service: { ref: 'P1', name: null } }],
  ['a service that is text', { service: 'payments' }, { service: { ref: null, name: null } }],
  ['a time that is none', { created_at: 'yesterday' }, { createdAt: null }],
  ['a time that is a number', { created_at: 1_700_000_000 }, { createdAt: null }],
  ['an urgency of its own', { urgency: 'extreme' }, { urgency: null }],
])('hostile fields: %s', (_name, fields, expected) => {
  expect(readDelivery(withFields(fields))).toMatchObject({ incident: expected })
})

test('no body makes it throw', () => {
  const value = fc.jsonValue({ maxDepth: 3 })
  const event = fc.record({ event_type: fc.constantFrom('incident.triggered', 'incident.annotated'), occurred_at: value, data: value })
  const data = fc.record(
    { id: fc.constantFrom('P1', '__proto__', 'constructor'), title: value, service: value, html_url: value, content: value },
    { requiredKeys: [] },
  )
  fc.assert(fc.property(fc.oneof(value, fc.record({ event }), data.map(withData)), (body) => void readDelivery(body)))
})

const serviceOf = (body: unknown, serviceMap: Readonly<Record<string, string>>) =>
  pagerduty.read({ body, header: () => undefined, settings: { serviceMap }, id: '' }).alerts[0]?.service

test.each<[string, Readonly<Record<string, string>>, string]>([
  ['the map knows better', { PPAY001: 'payments-service' }, 'payments-service'],
  ['the map knows another', { POTHER: 'payments-service' }, 'Payments API'],
  ['there is no map', {}, 'Payments API'],
  ['the map holds a blank', { PPAY001: ' ' }, 'Payments API'],
])('the service when %s', (_name, serviceMap, expected) => {
  expect(serviceOf(triggered, serviceMap)).toBe(expected)
})

test('a service that is called like a property of every object is not found in a map', () => {
  expect(serviceOf(withFields({ service: { id: '__proto__', summary: 'x' } }), {})).toBe('x')
})

describe('a signature', () => {
  const body = new TextEncoder().encode(JSON.stringify({ a: 'naïve 🌙' }))
  const sign = (secret: string, bytes: Uint8Array = body) => `v1=${createHmac('sha256', secret).update(bytes).digest('hex')}`
  const isSigned = (header: string | undefined, bytes: Uint8Array<ArrayBuffer>, secrets: readonly string[]) =>
    verifySignature({ kind: 'pagerduty' }, secrets, {
      header: (name) => (name === 'X-PagerDuty-Signature' ? header : undefined),
      body: bytes,
      now: new Date(0),
    })
  const good = sign('s3cret')
  const other = sign('another')

  test.each<[string, string | undefined, string[], boolean]>([
    ['that is right', good, ['s3cret'], true],
    ['in capitals', good.toUpperCase().replace('V1', 'v1'), ['s3cret'], true],
    ['among others', `${other},${good}`, ['s3cret'], true],
    ['among others, with blanks', `${other}, ${good} `, ['s3cret'], true],
    ['of the secret that goes', good, ['new', 's3cret'], true],
    ['of the secret that comes', sign('new'), ['new', 's3cret'], true],
    ['of another secret', other, ['s3cret'], false],
    ['that is missing', undefined, ['s3cret'], false],
    ['that is empty', '', ['s3cret'], false],
    ['without its version', good.slice(3), ['s3cret'], false],
    ['of a version to come', good.replace('v1', 'v2'), ['s3cret'], false],
    ['that is cut short', good.slice(0, -2), ['s3cret'], false],
    ['that goes on', `${good}00`, ['s3cret'], false],
    ['with one digit changed', good.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')), ['s3cret'], false],
    ['that is no number', `v1=${'zz'.repeat(32)}`, ['s3cret'], false],
    ['of the empty secret', sign(''), [''], false],
    ['with no secret to check it by', good, [], false],
    ['behind a thousand others', `${`${other},`.repeat(1_000)}${good}`, ['s3cret'], false],
    [
      'of other bytes that read the same',
      sign('s3cret', new TextEncoder().encode(JSON.stringify({ a: 'naïve 🌙' }, null, 1))),
      ['s3cret'],
      false,
    ],
  ])('%s', async (_name, header, secrets, expected) => {
    expect(await isSigned(header, body, secrets)).toBe(expected)
  })

  test('is of the bytes, whatever they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1 }), fc.string({ minLength: 1 }), fc.nat(), async (bytes, secret, at) => {
        const given = Uint8Array.from(bytes)
        const header = sign(secret, given)
        expect(await isSigned(header, given, [secret])).toBe(true)
        const changed = given.map((byte, index) => (index === at % given.length ? byte ^ 1 : byte))
        expect(await isSigned(header, changed, [secret])).toBe(false)
      }),
      { numRuns: 50 },
    )
  })
})
