import { EVENT_TYPES } from '../event/event.ts'
import type { Delivery, Door, DoorAnswer, Signals } from './door.ts'
import { CONFIDENCE, ignore, invalid, judgeAlertEnvironment, judgeEnvironment, oneAlert, oneEvent, toService } from './mapping.ts'
import { at, nameAt, textAt, toInstant, toName, toText, toUrl } from './reading.ts'

const ACTIONS = ['trigger', 'acknowledge', 'resolve'] as const
const MAX_KEY_LENGTH = 255
const CHANGE_PATH = '/v2/change/enqueue'
const ALERT_PATH = '/v2/enqueue'

const read = (delivery: Delivery) => (isChange(delivery) ? readChange(delivery) : readAlert(delivery))

const isChange = ({ body, path }: Delivery) => path === CHANGE_PATH || (path !== ALERT_PATH && at(body, 'event_action') === undefined)

function readAlert({ body, settings, id }: Delivery): Signals {
  const payload = at(body, 'payload')
  const action = ACTIONS.find((one) => one === at(body, 'event_action'))
  if (!action) return invalid("'event_action' must be trigger, acknowledge or resolve")
  const sent = toText(at(body, 'dedup_key'), MAX_KEY_LENGTH + 1)
  if (sent !== undefined && Array.from(sent).length > MAX_KEY_LENGTH) return invalid("'dedup_key' is too long (maximum is 255 characters)")
  if (sent === undefined && action !== 'trigger') return invalid("'dedup_key' is missing or blank")
  const key = sent ?? id
  const summary = textAt(payload, 'summary')
  if (summary === undefined && action === 'trigger') return invalid("'payload.summary' is missing or blank")
  if (action === 'trigger' && at(payload, 'severity') === 'info') return ignore('severity info')
  const environment = judgeAlertEnvironment(settings, at(payload, 'custom_details', 'environment'))
  const named = nameAt(payload, 'component') ?? nameAt(payload, 'group')
  const own = nameAt(payload, 'component') ?? nameAt(payload, 'source')
  return oneAlert({
    action,
    key,
    title: summary,
    service: toService(settings, [named], own),
    url: toUrl(at(body, 'links', 0, 'href')) ?? toUrl(at(body, 'client_url')),
    at: toInstant(at(payload, 'timestamp')),
    environment,
  })
}

function readChange({ body, settings }: Delivery): Signals {
  const payload = at(body, 'payload')
  const details = at(payload, 'custom_details')
  const summary = textAt(payload, 'summary')
  if (summary === undefined) return invalid("'payload.summary' is missing or blank")
  const named = nameAt(details, 'service')
  const own = named ?? nameAt(payload, 'source')
  const service = toService(settings, [named], own)
  if (service === undefined) return ignore('no service: set service, or send custom_details.service')
  const environment = judgeEnvironment(settings, at(details, 'environment'))
  return oneEvent({
    service,
    vendor: 'pagerduty',
    entity: named ?? toName(settings.service) ?? own,
    type: EVENT_TYPES.find((type) => type === at(details, 'event_type')) ?? 'deploy',
    new: summary,
    sha: ['revision', 'sha', 'commit', 'build_sha'].map((name) => nameAt(details, name)).find((sha) => sha !== undefined),
    actor: at(details, 'user'),
    confidence: CONFIDENCE.summary,
    at: toInstant(at(payload, 'timestamp')),
    environment,
    url: at(body, 'links', 0, 'href'),
  })
}

/** PagerDuty's own words. */
function answer({ alerts, invalid: error }: Signals, delivery: Delivery): DoorAnswer {
  if (error !== undefined) return refuse(400, error)
  if (isChange(delivery)) return json(202, { status: 'success', message: 'Change event processed' })
  const key = alerts[0]?.key ?? toText(at(delivery.body, 'dedup_key'), MAX_KEY_LENGTH) ?? delivery.id
  return json(202, { status: 'success', message: 'Event processed', dedup_key: key })
}

function refuse(status: number, error: string): DoorAnswer {
  if (status === 429) return json(429, { status: 'throttle exceeded', message: error })
  if (status >= 500) return json(status, { status: 'internal error', message: error })
  // An unknown key is an invalid event there, and nothing else.
  const told = status === 401 || status === 404 ? 400 : status
  return json(told, { status: 'invalid event', message: 'Event object is invalid', errors: [error] })
}

const json = (status: number, body: unknown): DoorAnswer => ({ status, contentType: 'application/json', body: JSON.stringify(body) })

export const pagerdutyEvents: Door = {
  title: 'PagerDuty Events API v2',
  brings: 'alerts',
  fixedPaths: [ALERT_PATH, CHANGE_PATH],
  credential: (body) => nameAt(body, 'routing_key'),
  credentialHeader: 'X-Routing-Key',
  mediaTypes: ['json'],
  maxBytes: 524_288,
  whenBusy: 429,
  config: ['service', 'service_map', 'environments', 'wait_seconds'],
  read,
  answer,
  refusal: refuse,
  example: {
    body: {
      routing_key: '{{token}}',
      event_action: 'trigger',
      dedup_key: 'orders/queue-length',
      payload: {
        summary: '9,000 orders wait',
        source: 'queue-3.example.com',
        severity: 'critical',
        timestamp: '2026-03-02T09:14:30.250Z',
        component: 'orders',
        class: 'queue',
        custom_details: { waiting: 9000 },
      },
      client: 'Sample monitor',
      client_url: 'https://monitor.example.com/queues/orders',
    },
  },
  setup: `Whatever sends to PagerDuty's Events API can send here instead: {{url}} in place of \`https://events.pagerduty.com\`, and {{token}} as the routing or integration key. Alertmanager:

    global: {pagerduty_url: {{url}}/v2/enqueue}
    receivers:
      - name: noctuary
        pagerduty_configs: [{routing_key: {{token}}}]

Change events go to {{url}}/v2/change/enqueue. Alertmanager names the service only in the text: give each service an integration of its own, with \`service\` set.`,
}
