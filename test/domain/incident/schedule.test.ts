import { describe, expect, test } from 'vitest'
import { type Answer, describeChange, isNews, isOtherCause } from '../../../src/domain/incident/answer.ts'
import { planDiagnosisRetry, planNextLook, planNoteRetry } from '../../../src/domain/incident/schedule.ts'

const triggeredAt = new Date('2026-01-15T10:00:00Z')
const after = (seconds: number) => new Date(triggeredAt.getTime() + 1_000 * seconds)

test.each([
  { name: 'at once, two minutes after the alert', at: 1, state: 'due', next: 120 },
  { name: 'late, when an event arrives, for an hour', at: 120, state: 'watching', next: 3_600 },
  { name: 'after that hour, no more', at: 3_600, state: 'done', next: 3_600 },
  { name: 'as of an instant, no more', at: 1, observedUntil: triggeredAt, state: 'done', next: 1 },
  { name: 'ten times, no more', at: 1, diagnoses: 10, state: 'done', next: 1 },
])('an incident diagnosed $name', ({ at, state, next, observedUntil = null, diagnoses = 1 }) => {
  const watched = { triggeredAt, observedUntil, diagnoses }
  expect(planNextLook(watched, after(at))).toEqual({ state, at: after(next) })
})

const answer = (fields: { cause?: string | null; told?: string | null; confidence?: number; by?: string }): Answer => ({
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

test('a note is tried again soon, then less and less often, and given up within a day', () => {
  const seconds = (attempts: number, askedMs = 0) => {
    const retry = planNoteRetry(attempts, askedMs, triggeredAt)
    return retry && (retry.at.getTime() - triggeredAt.getTime()) / 1_000
  }
  const delays = Array.from({ length: 13 }, (_, index) => seconds(index + 1))
  expect(delays[0]).toBeLessThanOrEqual(10)
  for (const [index, delay] of delays.entries()) expect(delay).toBeGreaterThanOrEqual(delays[index - 1] ?? 0)
  expect(delays.reduce((sum = 0, delay = 0) => sum + delay, 0)).toBeLessThan(24 * 3_600)
  expect(seconds(14)).toBeUndefined()
  expect(seconds(1, 30_000)).toBe(30)
  expect(seconds(1, 1e12)).toBe(3_600)
})

test('a diagnosis is tried again, less and less often, and given up', () => {
  const minutes = [1, 2, 3, 7].map(
    (attempts) => ((planDiagnosisRetry(attempts, triggeredAt)?.at.getTime() ?? 0) - triggeredAt.getTime()) / 60_000,
  )
  expect(minutes).toEqual([1, 2, 4, 64])
  expect(planDiagnosisRetry(8, triggeredAt)).toBeUndefined()
})
