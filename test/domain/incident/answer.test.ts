import { describe, expect, test } from 'vitest'
import { type ComparedAnswer, describeChange, isNews, isOtherCause } from '../../../src/domain/incident/answer.ts'

const answer = (fields: { cause?: string | null; told?: string | null; confidence?: number; by?: string }): ComparedAnswer => ({
  own: { cause: fields.cause ?? null, confidence: fields.confidence ?? 0.5 },
  told: fields.told === undefined ? (fields.cause ?? null) : fields.told,
  hypothesis: `because of ${fields.told ?? fields.cause ?? 'nothing'}`,
  diagnosedBy: fields.by ?? 'rules',
})

describe('a later answer', () => {
  test.each([
    { name: 'the first', earlier: undefined, later: answer({ cause: 'a' }), news: true },
    { name: 'another cause', earlier: answer({ cause: 'a' }), later: answer({ cause: 'b' }), news: true, other: true },
    { name: 'a cause at last', earlier: answer({}), later: answer({ cause: 'b' }), news: true, other: true },
    { name: 'no cause any more', earlier: answer({ cause: 'a' }), later: answer({}), news: true, other: true },
    { name: 'the same', earlier: answer({ cause: 'a' }), later: answer({ cause: 'a', confidence: 0.52 }), news: false, other: false },
    { name: 'the same, surer', earlier: answer({ cause: 'a' }), later: answer({ cause: 'a', confidence: 0.9 }), news: true, other: false },
    {
      name: 'the same, surer, that a model had ordered otherwise',
      earlier: answer({ cause: 'a', told: 'b', by: 'model' }),
      later: answer({ cause: 'a', confidence: 0.9 }),
      news: false,
      other: false,
    },
    {
      name: 'what a model had told already',
      earlier: answer({ cause: 'a', told: 'b', by: 'model' }),
      later: answer({ cause: 'b' }),
      news: true,
      other: false,
    },
  ])('$name', ({ earlier, later, news, other }) => {
    expect(isNews(earlier, later.own)).toBe(news)
    if (earlier) expect(isOtherCause(earlier, later)).toBe(other)
  })

  test('says what it changes', () => {
    expect(describeChange(answer({ cause: 'a' }), answer({ cause: 'b' }))).toBe('was: because of a; now: because of b')
    expect(describeChange(answer({ cause: 'a' }), answer({ cause: 'a', confidence: 0.9 }))).toContain('50 % before and 90 % now')
  })
})
