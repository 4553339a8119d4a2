import { expect, test } from 'vitest'
import { isSameEnvironment, toEnvironment } from '../../../src/domain/event/environment.ts'

test.each(['production', 'prod', 'prd', 'PRODUCTION', 'live', 'Production ', ' Prod'])('%j is production', (text) => {
  expect(toEnvironment(text)).toBe('production')
  expect(isSameEnvironment(text, null)).toBe(true)
})

test.each([
  { text: 'staging', environment: 'staging' },
  { text: ' Staging-EU ', environment: 'Staging-EU' },
  { text: 'production-eu', environment: 'production-eu' },
  { text: 'preprod', environment: 'preprod' },
  { text: '  ', environment: null },
])('$text is kept as $environment', ({ text, environment }) => {
  expect(toEnvironment(text)).toBe(environment)
})

test('an environment is compared without its case, and none is production', () => {
  expect(isSameEnvironment('Staging', 'staging ')).toBe(true)
  expect(isSameEnvironment('staging', undefined)).toBe(false)
  expect(isSameEnvironment(null, undefined)).toBe(true)
})

test.each([
  ['production-eu', null, true],
  ['prod/us-east-1', 'production', true],
  ['eu-west-1 prod', undefined, true],
  ['production-canary', 'live', true],
  ['production-eu', 'production-us', false],
  ['pre-prod', 'production', false],
  ['non-prod', null, false],
  ['staging-eu', 'production-eu', false],
  ['prod-test', 'production', false],
])('%s and %s are one: %s', (a, b, isOne) => {
  expect([isSameEnvironment(a, b), isSameEnvironment(b, a)]).toEqual([isOne, isOne])
})
