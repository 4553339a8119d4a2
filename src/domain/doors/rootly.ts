import type { AlertAction, Delivery, Door, Signals } from './door.ts'
import { firstService, ignore, judgeAlertEnvironment, judgeAny, namesIn, oneAlert, USUAL } from './mapping.ts'
import { at, nameAt, textAt, toInstant, toUrlOn } from './reading.ts'

/** Where it shows its incidents. */
const HOSTS = /(?:^|\.)rootly\.com$/

/** Kinds of incidents to which nobody is called: those of exercises, and those noted afterwards. */
const REHEARSED = /^(?:test|example|backfilled)(?:_sub)?$/

const ACTIONS: ReadonlyMap<string | undefined, AlertAction> = new Map<string, AlertAction>([
  ['incident.created', 'trigger'],
  ['incident.resolved', 'resolve'],
  ['incident.cancelled', 'resolve'],
])

function read({ body, settings }: Delivery): Signals {
  const type = textAt(body, 'event', 'type')
  const action = ACTIONS.get(type)
  if (!action) return ignore(`event ${type ?? 'missing'}`)
  const data = at(body, 'data')
  const key = nameAt(data, 'id')
  if (key === undefined) return ignore('no incident')
  const kind = textAt(data, 'kind') ?? ''
  if (REHEARSED.test(kind)) return ignore(`${kind.startsWith('e') ? 'an' : 'a'} ${kind} incident`)
  const environment = judgeAny(judgeAlertEnvironment, settings, namesIn(data, 'environments'))
  const times = action === 'trigger' ? ['started_at', 'created_at'] : ['resolved_at', 'cancelled_at', 'updated_at']
  return oneAlert({
    action,
    key,
    title: textAt(data, 'title'),
    service: firstService(settings, data).service,
    url: toUrlOn(HOSTS, at(data, 'url')),
    at: [...times.map((name) => toInstant(at(data, name))), toInstant(at(body, 'event', 'issued_at'))].find((time) => time !== undefined),
    environment,
  })
}

export const rootly: Door = {
  title: 'Rootly',
  brings: 'alerts',
  signatures: [{ kind: 'rootly' }],
  ...USUAL,
  config: ['service', 'service_map', 'environments', 'wait_seconds', 'webhook_secret'],
  read,
  example: {
    body: {
      event: { id: '3d2c1b0a-0000-4000-8000-000000000077', type: 'incident.created', issued_at: '2026-03-02T09:14:32Z' },
      data: {
        id: '9b8a7c6d-0000-4000-8000-000000000077',
        title: 'Checkout answers slowly',
        status: 'started',
        url: 'https://rootly.com/account/incidents/77-checkout-answers-slowly',
        started_at: '2026-03-02T09:14:31Z',
        services: [{ id: 'f0e1d2c3', name: 'checkout' }],
        environments: [{ name: 'Production' }],
      },
    },
  },
  setup: `Configuration → Webhooks → New endpoint: URL {{url}}, events *incident.created*, *incident.resolved* and *incident.cancelled*. Its secret is the integration's \`webhook_secret\`. The first service of an incident is whom it is about.`,
}
