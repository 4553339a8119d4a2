import type { ReceiverType } from '../integration-type.ts'
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
