import type { Delivery, Door, Signals } from './door.ts'
import { CONFIDENCE, ignore, judgeAlertEnvironment, judgeEnvironment, oneAlert, oneEvent, toService, USUAL } from './mapping.ts'
import { at, listAt, nameAt, textAt, toInstant, toName } from './reading.ts'

const PROJECT = /\/projects\/[^/]{1,100}\/([^/]{1,100})\//

function read(delivery: Delivery): Signals {
  const { body, header } = delivery
  const data = at(body, 'data')
  const resource = header('sentry-hook-resource') ?? ['metric_alert', 'issue', 'event'].find((name) => at(data, name) !== undefined)
  switch (resource) {
    case 'event_alert':
    case 'event':
      return readEventAlert(data, delivery)
    case 'issue':
      return readIssue(data, delivery)
    case 'metric_alert':
      return readMetricAlert(data, delivery)
    case 'release':
      return readRelease(data, delivery)
    default:
      return ignore(`resource ${resource ?? 'missing'}`)
  }
}

/** An issue alert opens; only the issue resolves it. */
function readEventAlert(data: unknown, { settings }: Delivery): Signals {
  const event = at(data, 'event')
  const key = nameAt(event, 'issue_id')
  if (key === undefined) return ignore('no issue_id')
  const tag = listAt(event, 'tags').find((pair) => at(pair, 0) === 'environment')
  const environment = judgeAlertEnvironment(settings, at(event, 'environment') ?? at(tag, 1))
  const project = toName(PROJECT.exec(textAt(event, 'url') ?? '')?.[1]) ?? nameAt(event, 'project_slug')
  const [received, happened] = [at(event, 'received'), toInstant(at(event, 'datetime'))]
  return oneAlert({
    action: 'trigger',
    key,
    title: textAt(event, 'title'),
    service: toService(settings, [project], project),
    url: at(event, 'web_url'),
    at: happened,
    // A client's clock may be wrong, Sentry's is not.
    sentAt: typeof received === 'number' ? toInstant(1_000 * received) : happened,
    environment,
  })
}

function readIssue(data: unknown, { body, settings }: Delivery): Signals {
  const issue = at(data, 'issue')
  const [action, key] = [textAt(body, 'action'), nameAt(issue, 'id')]
  if (action !== 'resolved' || key === undefined) return ignore(`issue ${action ?? 'without an action'}`)
  const project = nameAt(issue, 'project', 'slug')
  return oneAlert({
    action: 'resolve',
    key,
    title: textAt(issue, 'title'),
    service: toService(settings, [project], project),
    url: at(issue, 'web_url') ?? at(issue, 'permalink'),
    at: toInstant(at(issue, 'statusDetails', 'resolvedAt')),
  })
}

function readMetricAlert(data: unknown, { body, settings }: Delivery): Signals {
  const alert = at(data, 'metric_alert')
  const [action, key] = [textAt(body, 'action'), nameAt(alert, 'id')]
  if (key === undefined) return ignore('no metric_alert')
  if (action !== 'critical' && action !== 'warning' && action !== 'resolved') return ignore(`metric alert ${action ?? 'without an action'}`)
  const environment = judgeAlertEnvironment(settings, at(alert, 'alert_rule', 'environment'))
  const isResolved = action === 'resolved'
  const project = nameAt(alert, 'projects', 0)
  const title = textAt(data, 'description_title') ?? textAt(alert, 'alert_rule', 'name') ?? textAt(alert, 'title') ?? key
  return oneAlert({
    action: isResolved ? 'resolve' : 'trigger',
    key,
    title,
    service: toService(settings, [project], project),
    url: at(data, 'web_url'),
    at: toInstant(at(alert, isResolved ? 'date_closed' : 'date_started')),
    environment,
  })
}

function readRelease(data: unknown, { settings }: Delivery): Signals {
  const release = at(data, 'release')
  const version = nameAt(release, 'version')
  const project = nameAt(release, 'projects', 0, 'slug') ?? nameAt(release, 'projects', 0)
  const service = toService(settings, [project], project)
  if (version === undefined || service === undefined) return ignore('a release without version or project')
  const environment = judgeEnvironment(settings, at(release, 'environment'))
  return oneEvent({
    service,
    vendor: 'sentry',
    entity: project ?? service,
    type: 'deploy',
    new: `released:${version}`,
    sha: at(release, 'ref'),
    confidence: CONFIDENCE.release,
    at: toInstant(at(release, 'dateReleased')) ?? toInstant(at(release, 'dateCreated')),
    environment,
    url: at(release, 'url'),
  })
}

export const sentry: Door = {
  title: 'Sentry',
  brings: 'alerts',
  signatures: [{ kind: 'hex', header: 'Sentry-Hook-Signature' }],
  ...USUAL,
  config: ['service', 'service_map', 'environments', 'wait_seconds', 'webhook_secret'],
  read,
  example: {
    headers: { 'Sentry-Hook-Resource': 'event_alert' },
    body: {
      action: 'triggered',
      actor: { id: 'sentry', name: 'Sentry', type: 'application' },
      data: {
        event: {
          event_id: '5f4e3d2c1b0a49388776655443322110',
          issue_id: '88120045',
          title: 'TypeError: total is undefined',
          level: 'error',
          datetime: '2026-03-02T09:14:31.120000Z',
          url: 'https://sentry.io/api/0/projects/acme/checkout/events/5f4e3d2c1b0a49388776655443322110/',
          web_url: 'https://sentry.io/organizations/acme/issues/88120045/events/5f4e3d2c1b0a49388776655443322110/',
          tags: [['environment', 'production']],
        },
        triggered_rule: 'Many errors',
      },
    },
  },
  setup: `Settings → Developer Settings → Create New Integration → Internal: Webhook URL {{url}}, *Alert Rule Action* on, and the webhook *issue* under Permissions. Its *Client Secret* is the integration's \`webhook_secret\`. Then add the integration as an action of an alert rule. The project's slug tells the service.`,
}
