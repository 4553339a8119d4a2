import { randomUUID } from 'node:crypto'
import { describe, expect, inject, test } from 'vitest'
import { createPagerDuty } from '../../../src/outbound/receivers/pagerduty.ts'
import type { PagerDutyFault } from '../../stack/pagerduty-api.ts'
import { startFaultProxy } from '../../support/fault-proxy.ts'
import { listNotes, scriptPagerDuty } from '../../support/pagerduty.ts'

const { pagerDutyUrl } = inject('stack')
const pagerDuty = createPagerDuty({ url: pagerDutyUrl, timeoutMs: 500 })
const account = { token: 'y_NbAkKc66ryYTWUXYEu', from: 'oncall@acme.example' }
const settingsOf = ({ token, from }: typeof account) => ({ from, channel: null, secrets: { pagerduty_token: token } })
const letterOf = (incidentRef: string, body: string) => ({
  id: 'msg_1',
  at: new Date(),
  since: new Date(),
  incidentRef,
  body,
  answerRef: null,
  isFollowUp: false,
})
const newRef = () => `P${randomUUID().replaceAll('-', '').slice(0, 12).toUpperCase()}`

const post = (incidentRef: string, content = 'hello') => pagerDuty.post(settingsOf(account), letterOf(incidentRef, content))
const find = (incidentRef: string, text: string) =>
  pagerDuty.find(settingsOf(account), letterOf(incidentRef, ''), (content) => content.includes(text))

test('a posted note is on its incident, and found there and nowhere else', async () => {
  const [one, other] = [newRef(), newRef()]
  expect(await find(one, 'hello')).toEqual({ kind: 'absent' })
  expect(await post(one, 'hello\n“wörld” 🌙')).toEqual({ kind: 'accepted' })
  expect(await post(one, 'again')).toEqual({ kind: 'accepted' })
  expect((await listNotes(one)).map(({ content }) => content).toSorted()).toEqual(['again', 'hello\n“wörld” 🌙'])
  expect(await find(one, 'hello')).toEqual({ kind: 'found' })
  expect(await find(other, 'hello')).toEqual({ kind: 'absent' })
})

const fault = (fields: Partial<PagerDutyFault>): PagerDutyFault => ({ method: 'POST', takes_effect: false, answer: 500, ...fields })

test.each([
  ['a rate limit that says when', fault({ answer: 429, reset_seconds: 2 }), { kind: 'retry', afterMs: 2_000 }, 0],
  ['a rate limit of an hour', fault({ answer: 429, reset_seconds: 1e9 }), { kind: 'retry', afterMs: 3_600_000 }, 0],
  ['a server error', fault({ answer: 500 }), { kind: 'doubtful', afterMs: undefined }, 0],
  ['a gateway that gave up on a server that did not', fault({ answer: 504, takes_effect: true }), { kind: 'doubtful' }, 1],
  ['a request that took too long', fault({ answer: 408 }), { kind: 'doubtful' }, 0],
  ['no answer in time', fault({ answer: 'hang' }), { kind: 'doubtful' }, 0],
  ['a reply that is lost', fault({ answer: 'hang_up', takes_effect: true }), { kind: 'doubtful' }, 1],
  ['a redirect', fault({ answer: 302 }), { kind: 'refused' }, 0],
  ['a plan without the feature', fault({ answer: 402 }), { kind: 'refused' }, 0],
])('posting meets %s', async (_name, each, outcome, notes) => {
  const incidentRef = newRef()
  await scriptPagerDuty(incidentRef, [each])
  expect(await post(incidentRef)).toMatchObject(outcome)
  expect(await listNotes(incidentRef)).toHaveLength(notes)
  expect(await post(incidentRef)).toEqual({ kind: 'accepted' })
})

test.each([
  ['a rate limit', fault({ method: 'GET', answer: 429, reset_seconds: 3 }), { kind: 'retry', afterMs: 3_000 }],
  ['a server error', fault({ method: 'GET', answer: 503 }), { kind: 'retry' }],
  ['silence', fault({ method: 'GET', answer: 'hang' }), { kind: 'retry' }],
  ['a closed connection', fault({ method: 'GET', answer: 'hang_up' }), { kind: 'retry' }],
  ['a body that is no list', fault({ method: 'GET', answer: 200 }), { kind: 'retry' }],
])('looking for a note meets %s', async (_name, each, outcome) => {
  const incidentRef = newRef()
  await scriptPagerDuty(incidentRef, [each])
  expect(await find(incidentRef, 'x')).toMatchObject(outcome)
  expect(await find(incidentRef, 'x')).toEqual({ kind: 'absent' })
})

describe.each([
  ['a bad token', { token: 'bad-secret' }, newRef(), 'PagerDuty answered 401: Authentication failed'],
  ['a read-only token', { token: 'readonly-secret' }, newRef(), 'PagerDuty answered 403: Access Denied'],
  ['an unknown sender', { from: 'who@unknown.example' }, newRef(), 'PagerDuty answered 400: Requester User Not Found'],
  ['a sender without a domain', { from: 'who@nowhere' }, newRef(), 'PagerDuty answered 400: Malformed "From" header'],
  ['an unknown incident', {}, 'PMISSING1', 'PagerDuty answered 404: Not Found'],
  ['a token that no header can carry', { token: 'secret\r\nX: y' }, newRef(), 'the pagerduty_token is no PagerDuty token'],
  ['an empty token', { token: '' }, newRef(), 'the pagerduty_token is no PagerDuty token'],
  ['a sender that no header can carry', { from: 'a@b\nsecret' }, newRef(), 'the pagerduty_from is no email address'],
  ['an id that leads elsewhere', {}, '../users/secret', 'the incident has no PagerDuty id'],
  ['an empty id', {}, '', 'the incident has no PagerDuty id'],
])('%s', (_name, fields, incidentRef, reason) => {
  test('is refused with a reason that holds no token', async () => {
    expect(await pagerDuty.post(settingsOf({ ...account, ...fields }), letterOf(incidentRef, 'hello'))).toEqual({ kind: 'refused', reason })
  })
})

test('empty contents are refused', async () => {
  expect(await post(newRef(), ' ')).toEqual({
    kind: 'refused',
    reason: 'PagerDuty answered 400: Invalid Input Provided: Content cannot be empty.',
  })
})

test('a token that PagerDuty quotes is not in the reason, nor is what no terminal should see', async () => {
  const proxy = await startFaultProxy(pagerDutyUrl)
  const message = `bad \u001b[31m token ${account.token} ${'x'.repeat(500)}`
  proxy.fault = { status: 401, body: JSON.stringify({ error: { message } }) }
  const outcome = await createPagerDuty({ url: proxy.url, timeoutMs: 500 }).post(settingsOf(account), letterOf(newRef(), 'hello'))
  expect(outcome).toMatchObject({ kind: 'refused', reason: expect.stringMatching(/^PagerDuty answered 401: bad {2}\[31m token \*{8} x+$/) })
  expect(JSON.stringify(outcome).length).toBeLessThan(300)
})

test('an API that is not there is a doubt, not an exception', async () => {
  const proxy = await startFaultProxy(pagerDutyUrl)
  proxy.fault = 'refuse'
  expect(await createPagerDuty({ url: proxy.url, timeoutMs: 500 }).post(settingsOf(account), letterOf(newRef(), 'hello'))).toMatchObject({
    kind: 'doubtful',
  })
})

describe('the stand-in refuses', () => {
  const headers = {
    Authorization: 'Token token=abc',
    Accept: 'application/vnd.pagerduty+json;version=2',
    From: 'a@b.example',
    'Content-Type': 'application/json',
  }
  const body = { note: { content: 'hello' } }

  test.each<[string, Record<string, string>, unknown, number]>([
    ['nothing that is right', headers, body, 200],
    ['no authorization', { ...headers, Authorization: '' }, body, 401],
    ['a bearer token', { ...headers, Authorization: 'Bearer abc' }, body, 401],
    ['a token without its form', { ...headers, Authorization: 'Token abc' }, body, 401],
    ['another version', { ...headers, Accept: 'application/json' }, body, 406],
    ['no sender', { ...headers, From: '' }, body, 400],
    ['another content type', { ...headers, 'Content-Type': 'text/plain' }, body, 400],
    ['a bare content', headers, { content: 'hello' }, 400],
    ['a note that is text', headers, { note: 'hello' }, 400],
    ['an empty content', headers, { note: { content: '' } }, 400],
    ['no body', headers, undefined, 400],
  ])('%s', async (_name, given, content, status) => {
    const response = await fetch(`${pagerDutyUrl}/incidents/${newRef()}/notes`, {
      method: 'POST',
      headers: given,
      ...(content === undefined ? {} : { body: JSON.stringify(content) }),
    })
    expect(response.status).toBe(status)
    expect(response.headers.get('ratelimit-limit')).toBe('960')
    const answer = await response.json()
    expect(answer).toMatchObject(status === 200 ? { note: { content: 'hello' } } : { error: { code: expect.any(Number) } })
  })
})
