import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isSameRevision, toRevision } from '../../../src/domain/event/revision.ts'

const FULL = '3a7e0001c0ffee5e21d4b7a98f6a5b4c3d2e1f00'
const DIGEST = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'

test.each([
  ['a full and a short sha', FULL, '3a7e0001'],
  ['a short sha of seven and one of nine', '3a7e000', '3a7e0001c'],
  ['upper and lower case', FULL.toUpperCase(), '3a7e0001'],
  ['blanks and quotes', ` "${FULL}"\n`, '`3a7e0001`'],
  ['a sha that happens to be all digits', '1234567', '1234567890abcdef1234567890abcdef12345678'],
  ['a digest with its algorithm', `sha256:${DIGEST}`, DIGEST],
  ['a short digest', `sha256:${DIGEST.slice(0, 12)}`, `sha256:${DIGEST}`],
  ['a branch and its commit', `main@sha1:${FULL}`, FULL],
  ['a reference and its commit', `refs/heads/main@sha1:${FULL}`, `main@sha1:${FULL}`],
  ['a tag with and without v', 'v1.4.2', '1.4.2'],
  ['a tag and its reference', 'refs/tags/v1.4.2', '1.4.2'],
  ['a candidate for release', 'v1.4.2-RC.1', '1.4.2-rc.1'],
  ['a version without its build', '1.4.2+20240115', 'v1.4.2'],
  ['what git describes and its commit', 'v1.4.2-3-g3a7e000', FULL],
  ['what git describes at a tag', 'v1.4.2-0-g3a7e000', '1.4.2'],
  ['an image by tag', 'registry.example.com:5000/shop/cart:v1.4.2', '1.4.2'],
  ['an image in two registries', 'ghcr.io/shop/cart:1.4.2', 'cart:1.4.2'],
  ['an image by digest', `shop/cart@sha256:${DIGEST}`, `cart:1.4.2@sha256:${DIGEST}`],
  ['an image by digest and tag', `shop/cart:1.4.2@sha256:${DIGEST}`, '1.4.2'],
  ['an image of a commit', 'shop/cart:sha-3a7e000', FULL],
  ['an image whose tag is a commit', `shop/cart:${FULL}`, '3a7e000'],
  ['a package', 'cart@1.4.2', 'v1.4.2'],
  ['a chart', 'v1.4.2@sha256:9f86d081884c', '1.4.2'],
  ['a sync', 'syncing:3a7e0001', FULL],
  ['an automatic sync', 'auto_syncing:3a7e0001', `syncing:${FULL}`],
  ['a release', 'released:v1.4.2', '1.4.2'],
  ['a number', '4711', '4711'],
  ['a branch', 'main', 'MAIN'],
])('%s name one revision', (_name, a, b) => {
  expect(isSameRevision(a, b)).toBe(true)
  expect(isSameRevision(b, a)).toBe(true)
})

test.each([
  ['a longer version', '1.4.2', '1.4.20'],
  ['a more exact version', 'v2', 'v2.0.0'],
  ['a candidate for a release', '1.4.2-rc.1', '1.4.2'],
  ['another build', '1.4.2+1', '1.4.2+2'],
  ['commits since a tag', 'v1.4.2-3-g3a7e000', 'v1.4.2'],
  ['a changed working tree', 'v1.4.2-3-g3a7e000-dirty', FULL],
  ['another commit since a tag', 'v1.4.2-3-g3a7e000', 'v1.4.2-3-g4b8f111'],
  ['a longer number', '1234567', '12345678'],
  ['a date and a letter', '20240115', '20240115b'],
  ['too short a sha', '3a7e', FULL],
  ['another sha', '3a7e0001', '3a7e0002'],
  ['another digest of one tag', `cart:1.4.2@sha256:${DIGEST}`, 'cart:1.4.2@sha256:aaaabbbbccccdddd'],
  ['the same tag of another image', 'shop/cart:1.4.2', 'shop/envoy:1.4.2'],
  ['a branch and one of its commits', `main@sha1:${FULL}`, 'main'],
  ['two commits of a branch', `main@sha1:${FULL}`, 'main@sha1:4b8f1112'],
  ['blanks', ' ', ''],
  ['a sync of nothing', 'syncing:', 'syncing:'],
  ['leading zeros', '007', '7'],
])('%s is another revision', (_name, a, b) => {
  expect(isSameRevision(a, b)).toBe(false)
  expect(isSameRevision(b, a)).toBe(false)
})

test.each([
  [{ newValue: 'syncing:3a7e0001', sha: FULL }, FULL],
  [{ newValue: 'syncing:deadbeef', sha: null }, 'deadbeef'],
  [{ newValue: 'auto_syncing:', sha: null }, undefined],
  [{ newValue: 'released:v1.4.2', sha: null }, 'v1.4.2'],
  [{ newValue: 'syncing:main', sha: '' }, 'main'],
  [{ newValue: ' "v1.4.2" ', sha: ' ' }, 'v1.4.2'],
  [{ newValue: 'shop/cart:1.4.2', sha: null }, 'shop/cart:1.4.2'],
  [{ newValue: 'deadbeef', sha: null }, 'deadbeef'],
  [{ newValue: 'succeeded', sha: null }, undefined],
  [{ newValue: 'succeeded', sha: '3a7e0001' }, '3a7e0001'],
  [{ newValue: 'rolled_back', sha: null }, undefined],
  [{ newValue: 'health:Degraded', sha: null }, undefined],
  [{ newValue: 'Deploy cart 1.4.2 to production', sha: null }, undefined],
  [{ newValue: '1'.repeat(100_000), sha: null }, undefined],
  [{ newValue: null, sha: null }, undefined],
  [{ eventType: 'config_change' as const, newValue: '30', sha: null }, undefined],
  [{ eventType: 'config_change' as const, newValue: '30', sha: '3a7e0001' }, '3a7e0001'],
])('%j puts in place %s', (entry, revision) => {
  expect(toRevision({ eventType: 'deploy', ...entry })).toBe(revision)
})

const version = fc.tuple(fc.nat(999), fc.nat(999), fc.nat(999)).map((parts) => parts.join('.'))
const sha = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 40, maxLength: 40 })
const spelling = fc.oneof(
  version,
  sha,
  fc.tuple(sha, fc.integer({ min: 7, max: 40 })).map(([text, length]) => text.slice(0, length)),
  fc.tuple(version, sha).map(([tag, commit]) => `v${tag}-3-g${commit.slice(0, 7)}`),
  version.map((tag) => `shop/cart:${tag}`),
  sha.map((commit) => `main@sha1:${commit}`),
  fc.string({ unit: 'binary', maxLength: 40 }),
)

test('a revision is itself, and two are the same either way round', () => {
  fc.assert(
    fc.property(spelling, spelling, (a, b) => {
      expect(isSameRevision(a, b)).toBe(isSameRevision(b, a))
      fc.pre(/[a-z0-9]/i.test(a))
      expect(isSameRevision(a, a)).toBe(true)
      expect(isSameRevision(a, ` "${a}"`)).toBe(true)
    }),
  )
})

const spellings = [
  (text: string) => text,
  (text: string) => `v${text}`,
  (text: string) => ` "v${text}"`,
  (text: string) => `shop/cart:${text}`,
  (text: string) => `released:v${text}`,
  (text: string) => `refs/tags/v${text}`,
]

test('however they are spelt, versions are the same exactly when they are equal', () => {
  fc.assert(
    fc.property(version, version, fc.constantFrom(...spellings), fc.constantFrom(...spellings), (a, b, spellA, spellB) => {
      expect(isSameRevision(spellA(a), spellB(b))).toBe(a === b)
      expect(isSameRevision(spellA(a), spellB(a))).toBe(true)
    }),
  )
})

test('however they are shortened, shas are the same exactly when one begins the other', () => {
  const length = fc.integer({ min: 7, max: 40 })
  fc.assert(
    fc.property(sha, sha, length, length, (a, b, lengthA, lengthB) => {
      expect(isSameRevision(a, a.slice(0, lengthA))).toBe(true)
      const [one, other] = [a.slice(0, lengthA), b.slice(0, lengthB)]
      fc.pre(!one.startsWith(other) && !other.startsWith(one))
      expect(isSameRevision(one, other)).toBe(false)
    }),
  )
})
