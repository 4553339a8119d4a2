import type { ReceiverType } from '../../domain/integration-type.ts'
import { createByUrl } from './by-url.ts'
import type { ReceiverClient } from './client.ts'
import { createDiscord } from './discord.ts'
import { createGrafanaAnnotations } from './grafana-annotations.ts'
import { createPagerDuty, type PagerDutyApi } from './pagerduty.ts'
import type { Network } from './request.ts'
import { createSlack, type SlackApi } from './slack.ts'
import { createWebhook } from './webhook.ts'

export type ReceiverClients = Readonly<Record<ReceiverType, ReceiverClient>>

type Addresses = { readonly pagerDuty: PagerDutyApi; readonly slack: SlackApi; readonly network: Network }

/** A client for each kind of receiver. */
export function createReceivers({ pagerDuty, slack, network }: Addresses): ReceiverClients {
  return {
    pagerduty: createPagerDuty(pagerDuty),
    slack: createSlack(network, slack),
    teams: createByUrl(network, 'Teams'),
    discord: createDiscord(network),
    'grafana-annotations': createGrafanaAnnotations(network),
    webhook: createWebhook(network),
  }
}
