import { expect, test } from 'vitest'
import { defang, isIdentifier, quoteName } from '../../src/domain/text.ts'

test.each([
  'webcal:evil',
  'javascript:alert',
  'tel:5551234',
  'sms:911',
  'skype:bob',
  'mailto:bob',
  'data:text/html',
  'ms-word:ofe',
  'https:8080',
  'health:webcal:evil',
  'prod/git:evil',
  'intent:evil/x',
  'www.evil.example',
  'WWW2.evil.example',
  'evil.example/login',
  '_everyone_',
])('%s, which some program takes for an address or markup, is quoted', (name) => {
  expect(isIdentifier(name)).toBe(false)
  expect(quoteName(name)).toBe(`"${name}"`)
})

test.each([
  'checkout',
  'prod/checkout',
  'kafka:9092',
  'kafka:9092/orders',
  'checkout:v1.2.3',
  'health:Degraded',
  'released:v2',
  'slow_query:4521ms',
  'sha256:9f86d081',
  'payments.prod.svc.cluster.local',
  '/etc/hosts',
  'application.yaml',
  '_private',
])('%s stands bare', (name) => {
  expect(quoteName(name)).toBe(name)
})

test.each(['skype:5551234', 'smsto:911', 'webcals:1', 'viber:1', 'bitcoin:1A1z'])('%s is no link in a message', (link) => {
  expect(defang(`call ${link} now`, 80)).toContain('(:)')
})
