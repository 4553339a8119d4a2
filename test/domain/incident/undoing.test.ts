import { describe, expect, test } from 'vitest'
import type { EventType } from '../../../src/domain/event/event.ts'
import { findUndoing, type Reported, type Scaling } from '../../../src/domain/incident/undoing.ts'

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

describe('a deploy of an unknown revision', () => {
  const scaling = (minute: number, entity: string, oldValue: string, newValue: string, fields: Partial<Scaling> = {}): Scaling => ({
    ...report(minute, { eventType: 'scale_event', oldValue, newValue }),
    entity,
    ...fields,
  })
  const deploys = [deploy(10, 'a4f2c19'), deploy(40, 'f8b3e22')]
  const [down, up] = [scaling(11, 'checkout-7d9f8b6c5', '2', '0'), scaling(41, 'checkout-7d9f8b6c5', '0', '3')]
  test.each<readonly [string, readonly Scaling[], boolean]>([
    ['that brings back the replica set which the blamed one ended', [down, up], true],
    ['told after its replica set is back', [down, scaling(39, 'checkout-7d9f8b6c5', '0', '1')], true],
    ['without a replica set', [], false],
    ['that begins another replica set', [down, scaling(41, 'checkout-5f6c9d8bb', '0', '3')], false],
    [
      'after which the blamed one’s own was idle',
      [scaling(11, 'checkout-7d9f8b6c5', '0', '3'), scaling(20, 'checkout-7d9f8b6c5', '3', '0'), up],
      false,
    ],
    ['whose replica set was ended before', [scaling(5, 'checkout-7d9f8b6c5', '2', '0'), up], false],
    ['long before it', [down, scaling(20, 'checkout-7d9f8b6c5', '0', '3')], false],
    [
      'in another environment',
      [
        { ...down, environment: 'staging' },
        { ...up, environment: 'staging' },
      ],
      false,
    ],
  ])('%s', (_, scalings, isUndone) => {
    expect(findUndoing(deploys, deploys[0] as Reported, at(15), scalings)).toBe(isUndone ? deploys[1] : undefined)
  })

  test('a fix forward shortly before it is none', () => {
    const reports = [deploy(10, 'a4f2c19'), deploy(36, 'c0ffee1'), deploy(40, 'f8b3e22')]
    expect(findUndoing(reports, reports[0] as Reported, at(15), [down, up])).toBe(reports[2])
  })

  test('the same revision again undoes nothing', () => {
    const again = [deploy(10, 'a4f2c19'), deploy(40, 'a4f2c19')]
    expect(findUndoing(again, again[0] as Reported, at(15), [down, up])).toBeUndefined()
  })
})
