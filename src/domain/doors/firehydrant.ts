import type { Delivery, Door, Signals } from './door.ts'
import {
  CONFIDENCE,
  firstService,
  ignore,
  judgeAlertEnvironment,
  judgeAny,
  judgeEnvironment,
  namesIn,
  oneAlert,
  oneEvent,
  toService,
  USUAL,
} from './mapping.ts'
import { at, isSameWord, listAt, nameAt, textAt, toInstant, toUrlOn } from './reading.ts'

/** Where it shows its incidents. */
const HOSTS = /(?:^|\.)firehydrant\.(?:io|com)$/

/** Milestones after which nothing is wrong any more. */
const OVER = new Set([
  'resolved',
  'retrospective_started',
  'retrospective_completed',
  'postmortem_started',
  'postmortem_completed',
  'closed',
])

function read(delivery: Delivery): Signals {
  const { body } = delivery
  const type = textAt(body, 'event', 'resource_type')?.toLowerCase()
  if (type === 'change_event' || at(body, 'data', 'change_event') !== undefined) return readChange(delivery)
  if (type !== undefined && type !== 'incident') return ignore(`resource_type ${type}`)
  return readIncident(delivery)
}

function readIncident({ body, settings }: Delivery): Signals {
  const incident = at(body, 'data', 'incident')
  const key = nameAt(incident, 'id')
  if (key === undefined) return ignore('no incident')
  const operation = textAt(body, 'event', 'operation')?.toUpperCase()
  const milestone = textAt(incident, 'current_milestone')?.toLowerCase()
  const isOver = milestone !== undefined && OVER.has(milestone)
  if (operation !== 'CREATED' && !isOver)
    return ignore(`incident ${operation?.toLowerCase() ?? 'unchanged'}: ${milestone ?? 'no milestone'}`)
  const environments = [...namesIn(incident, 'environments'), ...impacted(incident, 'environment').flatMap(({ name }) => name ?? [])]
  const environment = judgeAny(judgeAlertEnvironment, settings, environments)
  const listed = firstService(settings, incident)
  const { id, name } = impacted(incident, 'service')[0] ?? {}
  const reached = listAt(incident, 'milestones').find((one) => isSameWord(textAt(one, 'type') ?? '', 'resolved'))
  const times = isOver
    ? [at(incident, 'resolved_at'), at(reached, 'occurred_at'), at(incident, 'updated_at')]
    : [at(incident, 'started_at'), at(incident, 'created_at')]
  return oneAlert({
    action: isOver ? 'resolve' : 'trigger',
    key,
    title: textAt(incident, 'name'),
    service: listed.named === undefined ? toService(settings, [id, name], name) : listed.service,
    url: toUrlOn(HOSTS, at(incident, 'incident_url')),
    at: times.map(toInstant).find((time) => time !== undefined),
    sentAt: operation === 'CREATED' ? toInstant(at(incident, 'created_at')) : undefined,
    environment,
  })
}

/** The services, or environments, among what an incident has an impact on. */
function impacted(incident: unknown, kind: 'service' | 'environment') {
  const impacts = listAt(incident, 'impacts').filter((one) => isSameWord(textAt(one, 'type') ?? '', kind))
  const read = (impact: unknown, field: string) => nameAt(impact, 'impact', field) ?? nameAt(impact, field)
  return impacts.map((impact) => ({ id: read(impact, 'id'), name: read(impact, 'name') }))
}

function readChange({ body, settings }: Delivery): Signals {
  const change = at(body, 'data', 'change_event') ?? at(body, 'data')
  const summary = textAt(change, 'summary')
  if (summary === undefined) return ignore('a change event without a summary')
  const environment = judgeAny(judgeEnvironment, settings, namesIn(change, 'environments'))
  if ('ignored' in environment) return ignore(environment.ignored)
  const { named, service } = firstService(settings, change)
  if (service === undefined) return ignore('a change event without a service')
  const label = (name: string) => nameAt(change, 'labels', name)
  return oneEvent({
    service,
    vendor: 'firehydrant',
    entity: named ?? service,
    type: 'deploy',
    new: summary,
    sha: label('sha') ?? label('revision') ?? label('commit'),
    actor: at(change, 'authors', 0, 'name') ?? at(change, 'created_by', 'name'),
    confidence: CONFIDENCE.summary,
    at: toInstant(at(change, 'starts_at')) ?? toInstant(at(change, 'created_at')),
    environment,
    url: at(change, 'attachments', 0, 'href_url') ?? at(change, 'links', 0, 'href_url'),
  })
}

export const firehydrant: Door = {
  title: 'FireHydrant',
  brings: 'alerts',
  signatures: [{ kind: 'hex', header: 'fh-signature' }],
  ...USUAL,
  config: ['service', 'service_map', 'environments', 'wait_seconds', 'webhook_secret'],
  read,
  example: {
    body: {
      event: { operation: 'CREATED', resource_type: 'incident' },
      data: {
        incident: {
          id: '7c6d5e4f-0000-4000-8000-000000000077',
          name: 'Checkout answers slowly',
          current_milestone: 'started',
          created_at: '2026-03-02T09:14:31Z',
          incident_url: 'https://app.firehydrant.io/incidents/77',
          services: [{ id: 'a1b2', name: 'checkout' }],
          environments: [{ name: 'Production' }],
        },
      },
    },
  },
  setup: `Settings → Webhooks → Create: URL {{url}}, subscriptions *Incidents* and *Change events*, and a secret that you make up, of 16 characters at least: the integration's \`webhook_secret\`. The first service of an incident is whom it is about.`,
}
