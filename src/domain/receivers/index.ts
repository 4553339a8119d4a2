import { type IntegrationType, RECEIVER_TYPES, type ReceiverType } from '../integration-type.ts'
import { discord } from './discord.ts'
import { grafanaAnnotations } from './grafana-annotations.ts'
import { pagerduty } from './pagerduty.ts'
import type { Receiver } from './receiver.ts'
import { slack } from './slack.ts'
import { teams } from './teams.ts'
import { webhook } from './webhook.ts'

export const RECEIVERS: Readonly<Record<ReceiverType, Receiver>> = {
  pagerduty,
  slack,
  teams,
  discord,
  'grafana-annotations': grafanaAnnotations,
  webhook,
}

/** The receiver that an integration of a type is; `undefined`: it only sends. */
export function toReceiverType(type: IntegrationType): ReceiverType | undefined {
  return RECEIVER_TYPES.find((one) => one === type)
}

/** The same, as it is told. */
export function findReceiver(type: IntegrationType): Receiver | undefined {
  const receiver = toReceiverType(type)
  return receiver && RECEIVERS[receiver]
}

/** Whether what an integration of a type is told is signed, with a secret that is made here. */
export function isSigned(type: IntegrationType): boolean {
  return findReceiver(type)?.secrets.includes('signing_secret') ?? false
}
