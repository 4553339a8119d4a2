import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type SignatureScheme, verifySignature } from '../../../src/domain/doors/signature.ts'

const SECRET = 'correct-horse-battery'
const OLD_SECRET = 'the-one-before-it'
const KEY = Buffer.from('twenty-four bytes of key')
const WHSEC = `whsec_${KEY.toString('base64')}`
const NOW = new Date('2026-03-02T09:15:00Z')
const SECONDS = NOW.getTime() / 1_000
const TEXT = '{"zen":"Half measures are as bad as nothing at all: ü"}'
const body = new TextEncoder().encode(TEXT)

const hex = (text: string, hash = 'sha256', secret = SECRET) => createHmac(hash, secret).update(text).digest('hex')
const standard = (text: string) => `v1,${createHmac('sha256', KEY).update(text).digest('base64')}`

function verify(
  scheme: SignatureScheme,
  headers: Readonly<Record<string, string>>,
  options: { secrets?: readonly string[]; timestampHeader?: string; body?: Uint8Array<ArrayBuffer> } = {},
): Promise<boolean> {
  const sent = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const delivery = {
    header: (name: string) => sent.get(name.toLowerCase()),
    body: options.body ?? body,
    now: NOW,
    timestampHeader: options.timestampHeader,
  }
  return verifySignature(scheme, options.secrets ?? [SECRET], delivery)
}

const github: SignatureScheme = { kind: 'prefixed', header: 'X-Hub-Signature-256' }
const sentry: SignatureScheme = { kind: 'hex', header: 'Sentry-Hook-Signature' }
const gitlab: SignatureScheme = { kind: 'token', header: 'X-Gitlab-Token' }
const standardHeaders = (signature: string, timestamp = SECONDS) => ({
  'webhook-id': 'msg_1',
  'webhook-timestamp': String(timestamp),
  'webhook-signature': signature,
})
const signedAt = (timestamp: number) => standard(`msg_1.${timestamp}.${TEXT}`)

describe('a genuine signature', () => {
  test.each<[string, SignatureScheme, Readonly<Record<string, string>>]>([
    ['GitHub', github, { 'X-Hub-Signature-256': `sha256=${hex(TEXT)}` }],
    ['Flux with SHA-512', { kind: 'prefixed', header: 'X-Signature' }, { 'x-signature': `sha512=${hex(TEXT, 'sha512')}` }],
    ['Sentry', sentry, { 'sentry-hook-signature': hex(TEXT) }],
    ['Sentry in capitals', sentry, { 'sentry-hook-signature': hex(TEXT).toUpperCase() }],
    ['Rootly', { kind: 'rootly' }, { 'X-Rootly-Signature': `t=${SECONDS},v1=${hex(`${SECONDS}${TEXT}`)}` }],
    ['GitLab', gitlab, { 'X-Gitlab-Token': SECRET }],
    ['PagerDuty, the second of a list', { kind: 'pagerduty' }, { 'X-PagerDuty-Signature': `v1=${hex('other')}, v1=${hex(TEXT)}` }],
  ])('of %s', async (_name, scheme, headers) => {
    expect(await verify(scheme, headers)).toBe(true)
    expect(await verify(scheme, headers, { secrets: [OLD_SECRET, SECRET] })).toBe(true)
    expect(await verify(scheme, headers, { secrets: [OLD_SECRET] })).toBe(false)
    expect(await verify(scheme, headers, { secrets: [] })).toBe(false)
    expect(await verify(scheme, headers, { secrets: [''] })).toBe(false)
    expect(await verify(scheme, {})).toBe(false)
    if (scheme.kind !== 'token') expect(await verify(scheme, headers, { body: body.slice(1) })).toBe(false)
  })

  test('of Grafana covers the time where a header carries it', async () => {
    const scheme: SignatureScheme = { kind: 'hex', header: 'X-Grafana-Alerting-Signature' }
    const headers = { 'X-Grafana-Alerting-Signature': hex(`1772442900:${TEXT}`), 'X-Time': '1772442900' }
    expect(await verify(scheme, headers, { timestampHeader: 'X-Time' })).toBe(true)
    expect(await verify(scheme, headers)).toBe(false)
    expect(await verify(scheme, { ...headers, 'X-Time': '1772442901' }, { timestampHeader: 'X-Time' })).toBe(false)
  })

  test.each([
    ['a day ago', SECONDS - 86_400, true],
    ['more than a day ago', SECONDS - 86_401, false],
    ['more than a day ahead', SECONDS + 86_401, false],
    ['now, in milliseconds', 1_000 * SECONDS, true],
    ['more than a day ago, in milliseconds', 1_000 * (SECONDS - 86_401), false],
  ])('of who signs a time, from %s', async (_name, timestamp, expected) => {
    const rootly = { 'X-Rootly-Signature': `t=${timestamp},v1=${hex(`${timestamp}${TEXT}`)}` }
    expect(await verify({ kind: 'rootly' }, rootly)).toBe(expected)
    const grafana = { 'X-Grafana-Alerting-Signature': hex(`${timestamp}:${TEXT}`), 'X-Time': String(timestamp) }
    const scheme: SignatureScheme = { kind: 'hex', header: 'X-Grafana-Alerting-Signature' }
    expect(await verify(scheme, grafana, { timestampHeader: 'X-Time' })).toBe(expected)
  })

  test('of Standard Webhooks is one of several, and the secret is base64', async () => {
    const genuine = signedAt(SECONDS)
    expect(await verify({ kind: 'standard' }, standardHeaders(genuine), { secrets: [WHSEC] })).toBe(true)
    expect(await verify({ kind: 'standard' }, standardHeaders(`v1a,AAAA v1,AAAA ${genuine}`), { secrets: [WHSEC] })).toBe(true)
    expect(await verify({ kind: 'standard' }, standardHeaders(genuine), { secrets: [OLD_SECRET, WHSEC] })).toBe(true)
    expect(await verify({ kind: 'standard' }, standardHeaders(genuine), { secrets: [SECRET] })).toBe(false)
    expect(await verify({ kind: 'standard' }, { ...standardHeaders(genuine), 'webhook-id': 'msg_2' }, { secrets: [WHSEC] })).toBe(false)
  })

  test.each([
    ['300 s ago', SECONDS - 300, true],
    ['301 s ago', SECONDS - 301, false],
    ['300 s ahead', SECONDS + 300, true],
    ['301 s ahead', SECONDS + 301, false],
  ])('of Standard Webhooks from %s', async (_name, timestamp, expected) => {
    expect(await verify({ kind: 'standard' }, standardHeaders(signedAt(timestamp), timestamp), { secrets: [WHSEC] })).toBe(expected)
  })
})

test.each<[string, SignatureScheme, Readonly<Record<string, string>>]>([
  ['a prefix without a hash we know', github, { 'X-Hub-Signature-256': `sha224=${hex(TEXT)}` }],
  ['no prefix', github, { 'X-Hub-Signature-256': hex(TEXT) }],
  ['half a signature', github, { 'X-Hub-Signature-256': `sha256=${hex(TEXT).slice(0, 32)}` }],
  ['no hexadecimal', sentry, { 'Sentry-Hook-Signature': 'zz'.repeat(32) }],
  ['an odd length', sentry, { 'Sentry-Hook-Signature': hex(TEXT).slice(1) }],
  ['no base64', { kind: 'standard' }, standardHeaders('v1,%%%')],
  ['a time that is none', { kind: 'standard' }, { ...standardHeaders(signedAt(SECONDS)), 'webhook-timestamp': 'soon' }],
  ['an empty token', gitlab, { 'X-Gitlab-Token': '' }],
  ['the beginning of the token', gitlab, { 'X-Gitlab-Token': SECRET.slice(0, -1) }],
  ['Rootly without a time', { kind: 'rootly' }, { 'X-Rootly-Signature': `v1=${hex(TEXT)}` }],
])('%s is no signature', async (_name, scheme, headers) => {
  expect(await verify(scheme, headers)).toBe(false)
  expect(await verify(scheme, headers, { secrets: [WHSEC] })).toBe(false)
})
