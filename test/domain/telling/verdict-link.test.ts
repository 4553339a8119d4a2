import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toId } from '../../../src/domain/ids.ts'
import { readVerdictLink, signVerdictLink, type VerdictLink } from '../../../src/domain/telling/verdict-link.ts'

const SECRET = 'a secret of the tests, long enough'
const NOW = new Date('2026-02-03T14:21:00Z')

const links = fc.record({
  tenantId: fc.uuid().map((id) => toId<VerdictLink['tenantId']>(id)),
  incidentId: fc.uuid().map((id) => toId<VerdictLink['incidentId']>(id)),
  target: fc.uuid().map((id) => toId<VerdictLink['target']>(id)),
  number: fc.integer({ min: 1, max: 255 }),
  verdict: fc.constantFrom('confirmed' as const, 'rejected' as const),
  expiresAt: fc.integer({ min: 1, max: 10_000 }).map((seconds) => new Date(NOW.getTime() + 1_000 * seconds)),
})

describe('a link’s token', () => {
  test('says what it was signed for, until it expires', async () => {
    await fc.assert(
      fc.asyncProperty(links, async (link) => {
        const token = await signVerdictLink(SECRET, link)
        expect(await readVerdictLink(SECRET, token, NOW)).toEqual(link)
        expect(await readVerdictLink(SECRET, token, link.expiresAt)).toBe('expired')
      }),
      { numRuns: 50 },
    )
  })

  test('is foreign with any other secret, and with any character changed, missing or added', async () => {
    const [link] = fc.sample(links, 1) as [VerdictLink]
    const token = await signVerdictLink(SECRET, link)
    expect(await readVerdictLink(`${SECRET}.`, token, NOW)).toBe('foreign')
    for (let place = 0; place < token.length - 1; place += 1) {
      const changed = `${token.slice(0, place)}${token[place] === 'A' ? 'B' : 'A'}${token.slice(place + 1)}`
      expect(await readVerdictLink(SECRET, changed, NOW), changed).toBe('foreign')
    }
    for (const text of ['', 'x', token.slice(1), `${token}A`, token.replace(/./, '%'), `${'A'.repeat(115)}`]) {
      expect(await readVerdictLink(SECRET, text, NOW), text).toBe('foreign')
    }
  })
})
