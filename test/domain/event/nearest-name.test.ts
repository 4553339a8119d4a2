import { expect, test } from 'vitest'
import { nearestNames } from '../../../src/domain/event/nearest-name.ts'

const NAMES = ['checkout', 'Checkout-API', 'cart', 'payments', 'payments-worker', 'x']

test.each([
  { name: 'chekout', nearest: ['checkout', 'Checkout-API'] },
  { name: 'payment', nearest: ['payments', 'payments-worker'] },
  { name: 'CHECK_OUT', nearest: ['checkout', 'Checkout-API'] },
  { name: 'zzz', nearest: [] },
])('nearest to $name', ({ name, nearest }) => {
  expect(nearestNames(name, NAMES, 2)).toEqual(nearest)
})
