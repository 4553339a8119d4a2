import { DOOR_TYPES, type DoorType, INTEGRATION_TYPES, type IntegrationType, type SecretSetting } from '../../domain/integration-type.ts'
import { toDoorWords } from './door.tsx'
import { pagerduty } from './pagerduty.tsx'
import { RECEIVER_WORDS } from './receiver-words.tsx'
import type { IntegrationWords } from './words.ts'

export const INTEGRATION_WORDS: Readonly<Record<IntegrationType, IntegrationWords>> = {
  // Each has a row: the list is what the type is made of.
  ...(Object.fromEntries(DOOR_TYPES.map((type) => [type, toDoorWords(type)])) as Record<DoorType, IntegrationWords>),
  pagerduty,
  ...RECEIVER_WORDS,
}

export const SECRET_NAMES: Readonly<Record<SecretSetting, string>> = {
  pagerduty_token: 'PagerDuty API token',
  webhook_secret: 'Webhook secret',
  url: 'Address',
  bot_token: 'Bot’s token',
  grafana_token: 'Service account’s token',
  signing_secret: 'Secret to sign with',
}

/** What people call the outside system that an incident is from. */
export function toSourceName(source: string | null): string {
  const type = INTEGRATION_TYPES.find((one) => one === source)
  return type === undefined ? 'the pager' : INTEGRATION_WORDS[type].title
}
