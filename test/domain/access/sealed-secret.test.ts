import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { openSecret, parseSealingKeys, type SecretPlace, sealSecret } from '../../../src/domain/access/sealed-secret.ts'
import { type IntegrationId, type TenantId, toId } from '../../../src/domain/ids.ts'

const draw = (length: number) => new Uint8Array(randomBytes(length))
const newKey = (id: string) => `${id}:${randomBytes(32).toString('base64')}`
const place: SecretPlace = { tenantId: toId('t-1'), integrationId: toId('i-1'), field: 'pagerduty_token' }

test('a secret opens where it was sealed, and never looks the same twice', async () => {
  const keys = parseSealingKeys(newKey('a'))
  const [once, again] = [await sealSecret(keys, place, 's3cret ü', draw), await sealSecret(keys, place, 's3cret ü', draw)]
  expect(once).not.toBe(again)
  expect(once).not.toContain('s3cret')
  expect([await openSecret(keys, place, once), await openSecret(keys, place, again)]).toEqual(['s3cret ü', 's3cret ü'])
})

test.each([
  ['another tenant', { tenantId: toId<TenantId>('t-2') }],
  ['another integration', { integrationId: toId<IntegrationId>('i-2') }],
  ['another field', { field: 'webhook_secret' }],
] as const)('it does not open for %s', async (_name, elsewhere) => {
  const keys = parseSealingKeys(newKey('a'))
  const sealed = await sealSecret(keys, place, 's3cret', draw)
  await expect(openSecret(keys, { ...place, ...elsewhere }, sealed)).rejects.toMatchObject({ code: 'unavailable' })
})

test('keys are replaced one at a time', async () => {
  const [older, newer, newest] = [newKey('2025'), newKey('2026'), newKey('2027')]
  const sealed = await sealSecret(parseSealingKeys(older), place, 's3cret', draw)
  const both = parseSealingKeys(`${newer}, ${older}`)
  expect(await openSecret(both, place, sealed)).toBe('s3cret')
  const renewed = await sealSecret(both, place, 's3cret', draw)
  expect(await openSecret(parseSealingKeys(`${newest},${newer}`), place, renewed)).toBe('s3cret')
  await expect(openSecret(parseSealingKeys(`${newest},${newer}`), place, sealed)).rejects.toThrow('no longer holds the key')
})

describe('unusable keys say what to do', () => {
  test.each([
    ['none', undefined],
    ['an empty one', ''],
    ['one without an id', randomBytes(32).toString('base64')],
    ['a short one', `a:${randomBytes(16).toString('base64')}`],
    ['no base64', 'a:???'],
    ['three', [newKey('a'), newKey('b'), newKey('c')].join(',')],
    ['two of one id', [newKey('a'), newKey('a')].join(',')],
  ])('%s', (_name, text) => {
    expect(() => parseSealingKeys(text)).toThrow(/INTEGRATION_KEYS .*wrangler secret put INTEGRATION_KEYS/)
  })
})

test.each(['', 'v1', 'v1.a', 'v1.a.AAAA.AAAA', 'v2.a.AAAA.AAAA', 'v1.a.?.?'])('garbage (%j) does not open', async (sealed) => {
  await expect(openSecret(parseSealingKeys(newKey('a')), place, sealed)).rejects.toMatchObject({ code: 'unavailable' })
})
