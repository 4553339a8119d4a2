import type { ReceiverType } from '../../domain/integration-type.ts'
import type { IntegrationWords } from './words.ts'

/** A receiver that only takes answers, by its rows: what it is called, and how its settings are come by. */
const toReceiverWords = (title: string, steps: readonly string[]): IntegrationWords => ({
  title,
  directions: { outbound: 'Answers go out', inbound: 'Answers go out', bidirectional: 'Answers go out' },
  from: undefined,
  map: undefined,
  Setup: () => (
    <>
      {steps.map((step) => (
        <li>
          <p>{step}</p>
        </li>
      ))}
    </>
  ),
})

export const RECEIVER_WORDS: Readonly<Record<Exclude<ReceiverType, 'pagerduty'>, IntegrationWords>> = {
  slack: toReceiverWords('Slack', [
    'In Slack, make an app with an incoming webhook for the channel, and save its address here.',
    'Or give the app a bot’s token with chat:write and channels:history (groups:history for a private channel), invite it to the channel, and save the token and the channel’s id: then one message an incident is edited as its answer changes, and before one that may have arrived is sent again, Slack is asked.',
  ]),
  teams: toReceiverWords('Microsoft Teams', [
    'In Teams, add the workflow “Send webhook alerts to a channel” to the channel, and save its address here.',
  ]),
  discord: toReceiverWords('Discord', [
    'In Discord, make a webhook in the channel’s settings under Integrations, and save its address here.',
  ]),
  'grafana-annotations': toReceiverWords('Grafana annotations', [
    'In Grafana, make a service account that may write annotations, and save the address of Grafana and the account’s token here.',
    'Each answer that blames a change is annotated at the time of that change.',
  ]),
  webhook: toReceiverWords('Signed webhook', [
    'Save the address that takes Standard Webhooks: https, by name, and reachable from outside.',
    'Check the signature of each message with the secret that was shown when this was made.',
  ]),
}
