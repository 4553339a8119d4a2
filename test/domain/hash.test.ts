import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { fromHex, sha256, toHex, uuidFromHash } from '../../src/domain/hash.ts'

test('bytes become hexadecimal digits, and come back', async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'))
  expect(fromHex(toHex(bytes))).toEqual(bytes)
  expect(toHex(await sha256('checkout'))).toBe(createHash('sha256').update('checkout').digest('hex'))
})

test('a hash becomes a UUID of version 8 and the variant of RFC 9562, all else of it as it was', () => {
  expect(uuidFromHash(new Uint8Array(32))).toBe('00000000-0000-8000-8000-000000000000')
  expect(uuidFromHash(new Uint8Array(32).fill(0xff))).toBe('ffffffff-ffff-8fff-bfff-ffffffffffff')
  expect(uuidFromHash(fromHex('0123456789abcdef6123456789abcdef'))).toBe('01234567-89ab-8def-a123-456789abcdef')
})
