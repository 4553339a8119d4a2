import { expect, test } from 'vitest'
import { toAgentStatus } from '../../../src/domain/access/agent.ts'

test.each([
  [0, 'online'],
  [120_000, 'online'],
  [120_001, 'stale'],
  [600_000, 'stale'],
  [600_001, 'offline'],
  [-5_000, 'online'],
] as const)('an agent silent for %i ms is %s', (silentMs, status) => {
  const now = new Date('2026-01-15T10:00:00Z')
  expect(toAgentStatus(new Date(now.getTime() - silentMs), now)).toBe(status)
})
