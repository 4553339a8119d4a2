import { expect, test } from 'vitest'
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

test.each([
  { name: 'certainly not posted', isDoubtful: false, least: 3, most: 10 },
  { name: 'perhaps posted', isDoubtful: true, least: 30, most: 60 },
])('a note that was $name is tried again soon, then less and less often, and given up within a day', ({ isDoubtful, least, most }) => {
  const seconds = (attempts: number, askedMs = 0) => {
    const retry = planNoteRetry({ attempts, askedMs, isDoubtful }, triggeredAt)
    return retry && (retry.at.getTime() - triggeredAt.getTime()) / 1_000
  }
  const delays = Array.from({ length: 13 }, (_, index) => seconds(index + 1))
  for (const delay of delays.slice(0, 3)) expect(delay).toSatisfy((value: number) => value >= least && value <= most)
  for (const [index, delay] of delays.entries()) expect(delay).toBeGreaterThanOrEqual(delays[index - 1] ?? 0)
  expect(delays.reduce((sum = 0, delay = 0) => sum + delay, 0)).toBeLessThan(24 * 3_600)
  expect(seconds(14)).toBeUndefined()
  expect(seconds(1, 50_000)).toBe(50)
  expect(seconds(1, 1e12)).toBe(3_600)
})

test('a diagnosis is tried again, less and less often, and given up', () => {
  const minutes = [1, 2, 3, 7].map(
    (attempts) => ((planDiagnosisRetry(attempts, triggeredAt)?.at.getTime() ?? 0) - triggeredAt.getTime()) / 60_000,
  )
  expect(minutes).toEqual([1, 2, 4, 64])
  expect(planDiagnosisRetry(8, triggeredAt)).toBeUndefined()
})
