import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createKey, isWellFormedKey, toKeyHint } from '../../../src/domain/access/api-key.ts'

const random = (length: number) => new Uint8Array(randomBytes(length))

test.each([
  ['ingest', /^noc_ingest_[1-9A-HJ-NP-Za-km-z]{44}$/, 'noc_ingest_'],
  ['readonly', /^noc_ro_[1-9A-HJ-NP-Za-km-z]{44}$/, 'noc_ro_'],
] as const)('a new %s key is well-formed and hints at itself', (keyType, shape, prefix) => {
  const key = createKey(keyType, random)
  expect(key).toMatch(shape)
  expect(isWellFormedKey(key)).toBe(true)
  expect(toKeyHint(key)).toEqual({ prefix: key.slice(0, 12), last4: key.slice(-4) })
  expect(toKeyHint(key).prefix.startsWith(prefix)).toBe(true)
})

test('every single mistyped character is noticed', () => {
  const key = createKey('ingest', random)
  for (let place = 11; place < key.length; place += 1) {
    const typo = key.charAt(place) === 'A' ? 'B' : 'A'
    expect(isWellFormedKey(key.slice(0, place) + typo + key.slice(place + 1))).toBe(false)
  }
})

test('a key of one kind does not pass for the other', () => {
  const secret = createKey('ingest', random).slice('noc_ingest_'.length)
  expect(isWellFormedKey(`noc_ro_${secret}`)).toBe(false)
})

test.each(['', 'noc_ingest_', 'noc_ro_x', 'sk_live_abc', `noc_ro_${'1'.repeat(44)}`, `noc_ro_${'0'.repeat(44)}`])(
  '%j is malformed',
  (text) => {
    expect(isWellFormedKey(text)).toBe(false)
  },
)

test('biased bytes are drawn again', () => {
  const bytes = [new Uint8Array(76).fill(255), new Uint8Array(76).fill(0)]
  expect(createKey('ingest', () => bytes.shift() ?? new Uint8Array())).toMatch(/^noc_ingest_1{38}/)
})
