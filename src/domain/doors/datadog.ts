import type { AlertAction, Delivery, Door, Signals } from './door.ts'
import { ignore, judgeAlertEnvironment, oneAlert, toService, USUAL } from './mapping.ts'
import { at, nameAt, textAt, toInstant, toName, toText } from './reading.ts'

const TRANSITIONS: ReadonlyMap<string | undefined, AlertAction> = new Map<string, AlertAction>([
  ['triggered', 'trigger'],
  ['re-triggered', 'trigger'],
  ['warn', 'trigger'],
  ['re-warn', 'trigger'],
  ['recovered', 'resolve'],
])
const MAX_TAGS_LENGTH = 65_536
const MILLISECONDS = /^\d{12,14}$/

function read({ body, settings }: Delivery): Signals {
  const transition = filled(textAt(body, 'transition'))
  const action = TRANSITIONS.get(transition?.toLowerCase())
  if (!action) return ignore(`transition ${transition ?? 'missing'}`)
  const key = filled(nameAt(body, 'cycle')) ?? filled(nameAt(body, 'alert_id'))
  if (key === undefined) return ignore('custom template: neither cycle nor alert_id')
  const tags = (toText(at(body, 'tags'), MAX_TAGS_LENGTH) ?? '').split(',').map((tag) => tag.trim())
  const tag = (name: string) => toName(tags.find((one) => one.startsWith(`${name}:`))?.slice(name.length + 1))
  const environment = judgeAlertEnvironment(settings, tag('env'))
  const named = tag('service') ?? filled(nameAt(body, 'service'))
  const date = textAt(body, 'date') ?? ''
  return oneAlert({
    action,
    key,
    title: filled(textAt(body, 'title')),
    service: toService(settings, [named], named),
    url: at(body, 'link'),
    at: toInstant(MILLISECONDS.test(date) ? Number(date) : date),
    environment,
  })
}

/** A variable that Datadog did not know stays in the text as it is. */
const filled = (text: string | undefined) => (text?.startsWith('$') ? undefined : text)

export const datadog: Door = {
  title: 'Datadog',
  brings: 'alerts',
  ...USUAL,
  mediaTypes: ['json', 'form'],
  config: ['service', 'service_map', 'environments', 'wait_seconds'],
  read,
  example: {
    body: {
      alert_id: '7001',
      cycle: '8842113900',
      transition: 'Triggered',
      title: '[Triggered] Checkout answers slowly',
      tags: 'env:production,service:checkout,team:shop',
      date: '1772442870000',
      link: 'https://app.datadoghq.com/monitors/7001',
    },
  },
  setup: `Integrations → Webhooks → New: URL {{url}}, custom headers \`{"Authorization": "Bearer {{token}}"}\`, payload

    {"alert_id":"$ALERT_ID","cycle":"$ALERT_CYCLE_KEY","transition":"$ALERT_TRANSITION","title":"$EVENT_TITLE","tags":"$TAGS","date":"$DATE","link":"$LINK"}

Then write \`@webhook-noctuary\` (its name) into a monitor's message. The tag \`service\` tells the service.`,
}
