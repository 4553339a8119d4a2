import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isZeroTime, parseTimestamp } from '../../src/domain/timestamp.ts'

test.each([
  ['2024-01-15T10:23:41Z', '2024-01-15T10:23:41.000000Z'],
  ['2024-01-15T10:23:41.123456Z', '2024-01-15T10:23:41.123456Z'],
  ['2024-01-15T10:23:41.123456789Z', '2024-01-15T10:23:41.123456Z'],
  ['2024-01-15T10:23:41.5+02:00', '2024-01-15T08:23:41.500000Z'],
  ['2024-01-15T10:23:41+0530', '2024-01-15T04:53:41.000000Z'],
  ['2024-01-15T10:23:41-08', '2024-01-15T18:23:41.000000Z'],
  ['2024-01-15t10:23:41z', '2024-01-15T10:23:41.000000Z'],
  ['2024-01-15T10:23Z', '2024-01-15T10:23:00.000000Z'],
  ['2024-01-15 10:23:41.123 UTC', '2024-01-15T10:23:41.123000Z'],
  ['2024-01-15 05:23:41.123 EST', '2024-01-15T10:23:41.123000Z'],
  ['2024-07-15 12:23:41.123 CEST', '2024-07-15T10:23:41.123000Z'],
  ['2024-07-15 12:23:41.123 cest', '2024-07-15T10:23:41.123000Z'],
  ['2024-01-15 13:23:41 +03', '2024-01-15T10:23:41.000000Z'],
  ['2024-01-15 10:23:41,123', '2024-01-15T10:23:41.123000Z'],
  ['2024-01-15 10:23:41', '2024-01-15T10:23:41.000000Z'],
  ['  2024-01-15T10:23:41Z  ', '2024-01-15T10:23:41.000000Z'],
  ['2024-02-29T23:59:59Z', '2024-02-29T23:59:59.000000Z'],
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000000Z'],
  ['2017-01-01T05:29:60+05:30', '2017-01-01T00:00:00.000000Z'],
  ['2016-12-31T18:59:60.5 EST', '2017-01-01T00:00:00.500000Z'],
  ['2024-01-15 10:23:41.123456789 +0000 UTC m=+0.1', '2024-01-15T10:23:41.123456Z'],
  ['2024-01-15 12:23:41.123456789 +0200 CEST m=-12.000000001', '2024-01-15T10:23:41.123456Z'],
  ['2024-01-15 13:23:41 +0300 +03', '2024-01-15T10:23:41.000000Z'],
  ['2024-01-15T11:23:41+01:00[Europe/Paris]', '2024-01-15T10:23:41.000000Z'],
  ['2024-01-15T10:23:41Z[!Europe/Paris][u-ca=hebrew]', '2024-01-15T10:23:41.000000Z'],
  ['2024-01-15T10:23:41[u-ca=hebrew]', '2024-01-15T10:23:41.000000Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000000Z'],
  ['0001-01-01T00:00:00+14:00', '0001-01-01T00:00:00.000000Z'],
  ['0000-12-31 16:07:02 -0752 LMT', '0001-01-01T00:00:00.000000Z'],
  ['9999-12-31T23:59:59.999999999Z', '9999-12-31T23:59:59.999999Z'],
])('%j is the instant %s', (text, instant) => {
  expect(parseTimestamp(text)).toEqual({ kind: 'instant', instant })
})

test.each([
  ['GMT', 0],
  ['EDT', -4],
  ['CST', -6],
  ['CDT', -5],
  ['MST', -7],
  ['MDT', -6],
  ['PST', -8],
  ['PDT', -7],
  ['WET', 0],
  ['WEST', 1],
  ['CET', 1],
  ['EET', 2],
  ['EEST', 3],
  ['BST', 1],
  ['IST', 5.5],
  ['MSK', 3],
  ['JST', 9],
  ['KST', 9],
  ['AEST', 10],
  ['AEDT', 11],
  ['NZST', 12],
  ['NZDT', 13],
] as const)('%s is %f hours from UTC', (zone, hours) => {
  const parsed = parseTimestamp(`2024-06-15 12:00:00 ${zone}`)
  expect(parsed.kind === 'instant' && Date.parse(parsed.instant)).toBe(Date.UTC(2024, 5, 15, 12) - hours * 3_600_000)
})

test.each([undefined, null, '', '   '])('%j is absent', (value) => {
  expect(parseTimestamp(value)).toEqual({ kind: 'absent' })
})

test.each([
  '2024-01-15 10:23:41.123 ACST',
  '2024-01-15 10:23:41 Europe/Berlin',
  '2024-01-15T10:23:41[Europe/Paris]',
  '2024-01-15 10:23:41 GMT+2',
])('%j has an unknown zone', (text) => {
  expect(parseTimestamp(text).kind).toBe('unknown_zone')
})

test.each([
  'yesterday',
  '1705314221',
  1705314221,
  true,
  {},
  [],
  '2024-01-15',
  '15/01/2024 10:23:41',
  '2024-13-01T00:00:00Z',
  '2024-02-30T00:00:00Z',
  '2023-02-29T00:00:00Z',
  '2024-01-15T24:00:00Z',
  '2024-01-15T10:60:00Z',
  '2024-01-15T10:23:61Z',
  '2024-01-15T10:23:60Z',
  '2016-12-31T23:59:60+05:30',
  '2024-01-15 10:23:41 +0000 UTC m=+',
  '2024-01-15 10:23:41 UTC and more',
  '2024-01-15T10:23:41Z[Europe/Paris',
  '2024-01-15T10:23:41Z[]',
  '2024-01-15T10:23:41.1234567890Z',
  '2024-01-15T10:23:41.Z',
  '2024-01-15T10:23:41+25:00',
  '2024-01-15T10:23:41+02:60',
  '+002024-01-15T10:23:41Z',
  '0000-01-01T00:00:00Z',
  '0000-12-30T23:59:59Z',
  '9999-12-31T23:59:59-14:00',
  '2024-01-15T10:23:41Z; drop table',
  '2024-01-15T10:23:41 \u0000',
  'T10:23:41Z',
])('%j is invalid', (value) => {
  expect(parseTimestamp(value)).toEqual({ kind: 'invalid' })
})

test.each([
  ['0001-01-01T00:00:00.000000Z', true],
  ['0001-01-02T00:00:00.000000Z', true],
  ['1970-01-01T00:00:00.000000Z', true],
  ['1970-01-01T00:00:00.000001Z', false],
  ['2024-01-15T10:23:41.000000Z', false],
])('%s is a zero time: %s', (instant, isZero) => {
  expect(isZeroTime(instant)).toBe(isZero)
})

test('an instant is read as Date reads it', () => {
  const time = fc.date({ min: new Date('0001-01-02T00:00:00Z'), max: new Date('9999-12-30T00:00:00Z'), noInvalidDate: true })
  fc.assert(
    fc.property(time, fc.integer({ min: -839, max: 839 }), (at, offsetMinutes) => {
      const local = new Date(at.getTime() + offsetMinutes * 60_000)
      const [hours, minutes] = [Math.floor(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60].map((part) =>
        String(part).padStart(2, '0'),
      )
      const text = `${local.toISOString().slice(0, -1)}${offsetMinutes < 0 ? '-' : '+'}${hours}:${minutes}`
      expect(parseTimestamp(text)).toEqual({ kind: 'instant', instant: at.toISOString().replace('Z', '000Z') })
    }),
  )
})

test.each(['T', ' ', '[a]', '[', '0', '+0000 ', 'm=', 'T 00:', '2024-01-15T10:23:41 '])(
  'texts of repeated %j are read in linear time',
  (part) => {
    const text = part.repeat(100_000 / part.length)
    const before = process.threadCpuUsage().user
    parseTimestamp(text)
    parseTimestamp(`2024-01-15T10:23:41${text}`)
    // A quadratic reading takes seconds.
    expect((process.threadCpuUsage().user - before) / 1_000).toBeLessThan(500)
  },
)
