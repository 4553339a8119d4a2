import type { AlertAction, Delivery, Door, Signals } from './door.ts'
import { CONFIDENCE, ignore, oneAlert, oneEvent, toService, USUAL } from './mapping.ts'
import { at, nameAt, textAt, toInstant } from './reading.ts'

function read(delivery: Delivery): Signals {
  const { body, settings } = delivery
  const incident = at(body, 'data')
  const [type, key] = [textAt(incident, 'type'), nameAt(incident, 'id')]
  if (type === 'release') return readRelease(delivery, key)
  if (type !== 'incident' || key === undefined) return ignore(`type ${type ?? 'missing'}`)
  const attributes = at(incident, 'attributes')
  const [action, time] = readAction(attributes, textAt(body, 'event') ?? textAt(attributes, 'status'))
  const named = nameAt(attributes, 'name')
  const service = toService(settings, [named], named)
  return oneAlert({ action, key, title: textAt(attributes, 'cause') ?? named, service, at: toInstant(time) })
}

/** A release that its error tracking has found. */
function readRelease({ body, settings }: Delivery, id: string | undefined): Signals {
  const attributes = at(body, 'data', 'attributes')
  const version = ['release', 'version', 'release_name', 'name'].map((name) => nameAt(attributes, name)).find((one) => one !== undefined)
  const named = nameAt(attributes, 'application_name')
  const service = toService(settings, [nameAt(attributes, 'application_id'), named], named)
  if (version === undefined || service === undefined) return ignore('a release without version or application')
  const times = ['released_at', 'created_at', 'first_seen_at'].map((name) => toInstant(at(attributes, name)))
  const facts = {
    service,
    vendor: 'betterstack',
    entity: named ?? service,
    type: 'deploy',
    new: `released:${version}`,
    confidence: CONFIDENCE.release,
    at: times.find((time) => time !== undefined),
    url: at(attributes, 'release_url') ?? at(attributes, 'url'),
  } as const
  return oneEvent(facts, facts.at === undefined ? id : undefined)
}

const STEPS: readonly (string | undefined)[] = ['started', 'acknowledged', 'resolved']

/** What the webhook says happened, or an incident's status; else the latest of its times. */
function readAction(attributes: unknown, told: string | undefined): readonly [action: AlertAction, time: unknown] {
  const step = told?.toLowerCase()
  const is = (one: string) => (STEPS.includes(step) ? step === one : textAt(attributes, `${one}_at`) !== undefined)
  if (is('resolved')) return ['resolve', at(attributes, 'resolved_at')]
  return is('acknowledged') ? ['acknowledge', at(attributes, 'acknowledged_at')] : ['trigger', at(attributes, 'started_at')]
}

export const betterstack: Door = {
  title: 'Better Stack',
  brings: 'alerts',
  ...USUAL,
  config: ['service', 'service_map', 'wait_seconds'],
  read,
  example: {
    body: {
      data: {
        id: '660077',
        type: 'incident',
        attributes: {
          name: 'checkout',
          url: 'https://shop.example.com/checkout',
          cause: 'Timeout (no headers received)',
          status: 'Started',
          started_at: '2026-03-02T09:14:31.000Z',
          acknowledged_at: null,
          resolved_at: null,
        },
      },
    },
  },
  setup: `Integrations → Webhooks → Outgoing: URL {{url}}, on incident start, acknowledgement and resolution. The monitor's name tells the service, through \`service_map\` where it is another. A release webhook of its error tracking, to the same address, is a deploy of the application it names.`,
}
