import { describe, expect, test } from 'vitest'
import type { EventType } from '../../../src/domain/event/event.ts'
import { findUndoing, type Reported } from '../../../src/domain/incident/undoing.ts'

const at = (minute: number) => new Date(Date.UTC(2026, 1, 3, 14, minute))

function report(minute: number, fields: Partial<Reported> = {}): Reported {
  return { eventType: 'deploy', oldValue: null, newValue: 'succeeded', sha: null, environment: null, at: at(minute), ...fields }
}

const flag = (minute: number, newValue: string, oldValue: string | null = null) =>
  report(minute, { eventType: 'flag_change' as EventType, oldValue, newValue })
const deploy = (minute: number, sha: string, fields: Partial<Reported> = {}) => report(minute, { sha, ...fields })

describe('what undid a change', () => {
  const cases: readonly (readonly [string, readonly Reported[], number | undefined])[] = [
    ['a deploy of the revision before', [deploy(0, 'f8b3e22'), deploy(10, 'a4f2c19'), deploy(40, 'f8b3e22')], 2],
    ['a deploy of a still earlier one', [deploy(0, '1111111'), deploy(5, 'f8b3e22'), deploy(10, 'a4f2c19'), deploy(40, '1111111')], 3],
    ['the full sha of the one before', [deploy(0, 'f8b3e22'), deploy(10, 'a4f2c19'), deploy(40, `f8b3e22${'0'.repeat(33)}`)], 2],
    ['the value that it says it replaced', [deploy(10, 'a4f2c19', { oldValue: 'f8b3e22', newValue: 'a4f2c19' }), deploy(40, 'f8b3e22')], 1],
    ['values that are crossed', [flag(10, 'on', 'off'), flag(40, 'off', 'on')], 1],
    ['a flag’s value of before', [flag(0, 'off'), flag(10, 'on'), flag(40, 'off')], 2],
    ['a rollback by its own words', [deploy(10, 'a4f2c19'), report(40, { newValue: 'rolled_back' })], 1],
    ['a repeat, by nothing', [deploy(0, 'f8b3e22'), deploy(10, 'a4f2c19'), deploy(40, 'a4f2c19')], undefined],
    ['a fix forward, by nothing', [deploy(0, 'f8b3e22'), deploy(10, 'a4f2c19'), deploy(40, 'c0ffee1')], undefined],
    [
      'what another environment does, by nothing',
      [deploy(0, 'f8b3e22'), deploy(10, 'a4f2c19'), deploy(40, 'f8b3e22', { environment: 'staging' })],
      undefined,
    ],
    ['a flag’s third value, by nothing', [flag(0, 'off'), flag(10, 'on'), flag(40, 'dark')], undefined],
    [
      'scaling, by nothing',
      [
        report(10, { eventType: 'scale_event', oldValue: '2', newValue: '8' }),
        report(40, { eventType: 'scale_event', oldValue: '8', newValue: '2' }),
      ],
      undefined,
    ],
  ]
  test.each(cases)('%s', (_, reports, expected) => {
    const blamed = reports.findLast(({ at: when }) => when <= at(10)) as Reported
    const found = findUndoing(reports, blamed, at(15))
    expect(found && reports.indexOf(found)).toBe(expected)
  })

  test('is not told when what is blamed is not among the reports', () => {
    expect(findUndoing([deploy(0, 'f8b3e22'), deploy(40, 'f8b3e22')], { newValue: 'succeeded', sha: 'a4f2c19' }, at(15))).toBeUndefined()
    expect(findUndoing([], { newValue: null, sha: null }, at(15))).toBeUndefined()
  })
})
