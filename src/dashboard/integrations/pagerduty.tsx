import { Code } from '../parts.tsx'
import type { IntegrationWords, SetupProps } from './words.ts'

const Setup = ({ integration: { direction, secrets, from }, webhookUrl }: SetupProps) => (
  <>
    {direction !== 'outbound' && (
      <>
        <li>
          <h3>Add the webhook</h3>
          <div class="prose">
            <p>
              In PagerDuty: Integrations, Generic Webhooks (v3), New Webhook. Choose the scope, tick <code>incident.triggered</code>,{' '}
              <code>incident.acknowledged</code>, <code>incident.resolved</code> and <code>incident.annotated</code>, and use this URL,
              which is a secret:
            </p>
            <Code what="the webhook URL">{webhookUrl}</Code>
          </div>
        </li>
        <li class={secrets.webhook_secret === undefined ? '' : 'done'}>
          <h3>Keep its secret here</h3>
          <p>PagerDuty shows a signing secret once. Saved beside this, unsigned deliveries are refused.</p>
        </li>
      </>
    )}
    {direction !== 'inbound' && (
      <li class={secrets.pagerduty_token === undefined || from === null ? '' : 'done'}>
        <h3>Let it post notes</h3>
        <p>
          In PagerDuty: Integrations, API Access Keys, Create New API Key. Save it beside this, with the e-mail address of the user in whose
          name notes are posted.
        </p>
      </li>
    )}
  </>
)

export const pagerduty: IntegrationWords = {
  title: 'PagerDuty',
  directions: {
    bidirectional: 'Alerts come in, notes go out',
    inbound: 'Alerts come in only',
    outbound: 'Notes go out only',
  },
  from: 'Notes are posted as',
  map: {
    example: 'PIJ90N7 = payments-api',
    hint: 'A PagerDuty service id and the name of the service here, one pair a line. Without one, names are matched.',
  },
  Setup,
}
