import { expect, test } from 'vitest'
import { toServiceHealth } from '../../../src/domain/window/service-health.ts'

const NOW = new Date('2026-11-28T02:30:00Z')
const minutesAgo = (minutes: number) => new Date(NOW.getTime() - 60_000 * minutes)
const calm = { activeIncidents: 0, failures: 0, lastFailureAt: null, lastEventAt: minutesAgo(1) }

test.each([
  ['nothing went wrong', calm, 'well'],
  ['a few failures are usual', { ...calm, failures: 4, lastFailureAt: minutesAgo(1) }, 'well'],
  ['many failures until now', { ...calm, failures: 5, lastFailureAt: minutesAgo(4) }, 'failing'],
  ['many failures until a while ago', { ...calm, failures: 31, lastFailureAt: minutesAgo(6) }, 'recovering'],
  ['an incident is not resolved', { ...calm, activeIncidents: 1 }, 'alerting'],
  ['nothing was heard for long', { ...calm, lastEventAt: minutesAgo(61) }, 'silent'],
  ['nothing was ever heard', { ...calm, lastEventAt: null }, 'unheard'],
])('%s', (_name, signs, health) => {
  expect(toServiceHealth(signs, NOW)).toBe(health)
})
